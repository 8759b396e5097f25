"""Files from packages of npm, pinned to a version and to the hash of the archive."""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from captioner.export.equality import ExportError


@dataclass(frozen=True)
class Package:
    """A package of npm.

    Attributes:
        name: its name in npm.
        version: the exact version.
        integrity: the SHA-512 of its archive in the format of npm: "sha512-" and base64.
    """

    name: str
    version: str
    integrity: str

    def extract(self, members: Iterable[str], folder: Path) -> None:
        """Copy files of the package into a folder, without the folders of their names.

        npm fetches the archive or has it in its cache. It runs no script of the package.

        Args:
            members: paths within the package, such as "dist/ort.min.js".
            folder: an existing folder.

        Raises:
            ExportError: npm is missing or fails, or the archive has another hash.
        """
        with tempfile.TemporaryDirectory() as temporary:
            archive = self._fetched(Path(temporary))
            with tarfile.open(archive) as tar:
                for member in members:
                    file = tar.extractfile(f"package/{member}")
                    assert file is not None, f"{member}: a folder"
                    (folder / Path(member).name).write_bytes(file.read())

    def _fetched(self, folder: Path) -> Path:
        wanted = f"{self.name}@{self.version}"
        command = [
            "npm",
            "pack",
            "--loglevel=error",
            "--prefer-offline",
            "--ignore-scripts",
            wanted,
        ]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise ExportError(
                f"npm is not installed; it fetches {wanted}: install Node.js"
            ) from error
        except subprocess.CalledProcessError as error:
            reason = " ".join((error.stderr or error.stdout).split())[:200]
            raise ExportError(
                f"npm cannot fetch {wanted} ({reason}); is there a network?"
            ) from error
        [archive] = folder.glob("*.tgz")
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if f"sha512-{base64.b64encode(digest).decode()}" != self.integrity:
            raise ExportError(f"{wanted}: npm gave another archive than the pinned one")
        return archive
