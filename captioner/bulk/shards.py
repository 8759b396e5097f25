"""Shards: tar files of WebDataset and Parquet tables, with many photographs each."""

import contextlib
import gzip
import itertools
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Self

import fsspec

from captioner.data.images import SUFFIXES, ImageError

TARS = (".tar", ".tar.gz", ".tgz")
# Prefix of a column with photographs: `column://NAME::TABLE`.
COLUMN = "column://"
FIELDS = ("bytes", "path")  # fields of a value in such a column; one may be missing
GZIP = b"\x1f\x8b"
ROWS = 32  # rows of a table in memory
# Largest member in bytes: a small gzip file can announce any size.
LARGEST = 2**30


@dataclass(frozen=True)
class Row:
    """A photograph of the source or of a shard, with its bytes or error if known."""

    row: int
    path: str
    data: bytes | None = None
    error: ImageError | None = None


def is_shard(name: str) -> bool:
    """Whether a name denotes a shard."""
    is_tar = name.endswith(TARS) and not name.startswith("tar://")  # a member of a tar file
    return is_tar or name.startswith(COLUMN)


def file_of(name: str) -> str:
    """The file of a name; for a column, its table."""
    return name.partition("::")[2] if name.startswith(COLUMN) else name


def is_photograph(name: str) -> bool:
    """Whether a name denotes a photograph."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def rows_of_shard(shard: str) -> Iterator[Row]:
    """Stream the photographs of a shard; an error becomes the last row."""
    row = 0
    try:
        for path, data, problem in _column(shard) if shard.startswith(COLUMN) else _members(shard):
            error = ImageError(f"{path}: {problem}") if problem else None
            yield Row(row, path, data, error)
            row += 1
    except Exception as error:  # file systems and decompressors raise many types
        message = f"cannot be read to its end ({reason(error)}); get the file again"
        yield Row(row, file_of(shard), error=ImageError(f"{file_of(shard)}: {message}"))


def reason(error: Exception) -> str:
    """The text of an error in one line, without the name of the file."""
    if isinstance(error, FileNotFoundError):  # fsspec gives only the name
        return "no such file"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or " ".join(str(error).split()) or type(error).__name__


class _Member(tarfile.TarInfo):
    """A header that reports damage, which `tarfile` would treat as the end of the file."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # the regular end
            raise tarfile.ReadError(f"{error} in the place of a member") from error


def _members(shard: str) -> Iterator[tuple[str, bytes | None, str | None]]:
    """The path of each photograph in a tar file, with its bytes or an error text."""
    with fsspec.open(shard, "rb") as file, _unpacked(file) as plain:
        with tarfile.open(fileobj=plain, mode="r|*", tarinfo=_Member) as tar:
            for member in tar:
                path = f"tar://{member.name}::{shard}"
                if not is_photograph(member.name) or member.isdir():
                    continue
                if member.size > LARGEST:
                    yield path, None, f"larger than {LARGEST // 2**20:,} MiB"
                elif member.isfile():
                    content = tar.extractfile(member)
                    assert content is not None  # because it is a file
                    yield path, content.read(), None
                else:
                    yield path, None, "a link or a device, and no file; pack the file itself"
            # Read to the end, to verify the checksum of gzip and to find members after a gap.
            while block := tar.fileobj.read(tarfile.RECORDSIZE):
                if any(block):
                    raise tarfile.ReadError("data behind the end")


@contextlib.contextmanager
def _unpacked(file: IO[bytes]) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The decompressed file. Unlike `tarfile`, this verifies the checksum of gzip."""
    packed = file.read(len(GZIP)) == GZIP
    file.seek(0)
    if packed:
        with gzip.open(file) as plain:
            yield plain
    else:
        yield file


def _column(shard: str) -> Iterator[tuple[str, bytes | None, str | None]]:
    """The path of each photograph in a column, with its bytes or an error text."""
    from pyarrow import parquet

    column, table = shard.removeprefix(COLUMN).partition("::")[0], file_of(shard)
    with fsspec.open(table, "rb") as file:
        batches = parquet.ParquetFile(file).iter_batches(ROWS, columns=[column])
        values = itertools.chain.from_iterable(batch.column(0).to_pylist() for batch in batches)
        for row, value in enumerate(values):
            data, path = ((value or {}).get(name) for name in FIELDS)
            if path and data is None:  # in another file
                yield path, None, None
            else:
                yield f"{table}#{row}", data, None if data else "no photograph in this row"
