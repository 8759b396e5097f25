"""Tests the installed wheel and container: `python tests/installs.py`.

Builds the source distribution and from it the wheel, installs that in an empty environment outside
of the checkout, and captions, answers and serves. Then does the steps of the Dockerfile, without
Docker, in a folder that stands for the image, and serves from there. It installs from PyPI.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "docs" / "overlay.jpg"


def context(root: Path) -> set[Path]:
    """The files, relative to the root, that `.dockerignore` lets Docker have."""
    lines = (root / ".dockerignore").read_text(encoding="utf-8").split()
    rules = [(line[0] == "!", _expression(line.removeprefix("!"))) for line in lines]

    def kept(path: Path) -> bool:
        """What the last of the rules says that match the path or a folder that it lies in."""
        places = [place.as_posix() for place in (path, *path.parents[:-1])]
        return [True, *(keep for keep, rule in rules if any(map(rule.fullmatch, places)))][-1]

    found = set()
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if kept(here / name)]
        found |= {here / name for name in files if kept(here / name)}
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*"))


def replay(root: Path, image: Path, run: Callable[[str, Path], object]) -> tuple[Path, list[str]]:
    """Do the steps of the Dockerfile.

    Args:
        root: the folder of the Dockerfile.
        image: a new folder in the place of the root of the image.
        run: called with each command and the folder that it is run in.

    Returns:
        The folder that the container starts in, and the command that it starts.

    Raises:
        FileNotFoundError: something is copied that is not in the context.
    """
    files, here, start = context(root), image, []
    for line in (root / "Dockerfile").read_text(encoding="utf-8").splitlines():
        step, _, rest = line.partition(" ")
        if step == "WORKDIR":
            here = image / rest.lstrip("/")
            here.mkdir(parents=True)
        elif step == "COPY":
            *sources, target = rest.split()
            for source in map(Path, sources):
                _copy(
                    root,
                    {file for file in files if file.is_relative_to(source)},
                    source,
                    here / target,
                )
        elif step == "RUN":
            run(rest, here)
        elif step == "ENTRYPOINT":
            start = json.loads(rest)
    return here, start


def _copy(root: Path, files: set[Path], source: Path, target: Path) -> None:
    if not files:
        raise FileNotFoundError(f"COPY {source}: not in the context")
    for file in files:
        # Of a folder Docker copies what is in it.
        place = target / (file.name if file == source else file.relative_to(source))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((root / file).read_bytes())


def environment(folder: Path) -> dict[str, str]:
    """A new virtual environment, and a new home, as variables of the shell."""
    venv.create(folder / "venv", with_pip=True)
    (folder / "home").mkdir()
    return {"PATH": f"{folder / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": str(folder / "home")}


def check(start: list[str], folder: Path, variables: dict[str, str]) -> None:
    """Caption, answer and serve in a folder; `start` is the command that serves.

    Raises:
        AssertionError, OSError, subprocess.SubprocessError: one of them does not work.
    """
    for question in ([], ["--question", "what color is the hat?"]):
        command = ["python", "-m", "captioner", "caption", str(PHOTOGRAPH), *question]
        out = subprocess.run(command, cwd=folder, env=variables, check=True, stdout=subprocess.PIPE)
        assert out.stdout.strip(), command
    with subprocess.Popen(
        [*start, "--port", "0"], cwd=folder, env=variables, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            port = re.findall(r":(\d+)/", server.stderr.readline())[0]
            content = {"photo": base64.b64encode(PHOTOGRAPH.read_bytes()).decode()}
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/caption",
                json.dumps(content).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["caption"]
        finally:
            server.terminate()


def main() -> None:
    """Check the wheel, then the container."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
        (wheel,) = folder.glob("*.whl")
        variables = environment(folder)
        pip = ["pip", "install", "--quiet", "--no-compile", f"{wheel}[web]"]
        subprocess.run(pip, cwd=folder, env=variables, check=True)
        check(["captioner", "serve"], folder, variables)
        print("the wheel captions, answers and serves", flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        variables = environment(folder)

        def run(command: str, here: Path) -> None:
            if not command.startswith("useradd "):  # of the image, not of this computer
                subprocess.run(command, shell=True, cwd=here, env=variables, check=True)

        here, start = replay(ROOT, folder / "image", run)
        check(start, here, variables)
        print("the container captions, answers and serves", flush=True)


if __name__ == "__main__":
    main()
