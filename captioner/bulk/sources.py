"""What there is to caption: names out of folders, lists, tables and shards, and what they name."""

import csv
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from captioner.data.folders import walk
from captioner.data.images import SUFFIXES, ImageError
from captioner.data.records import DatasetError
from captioner.generation.batching import batched

SHARDS = (".tar", ".tar.gz", ".tgz")  # of WebDataset


@dataclass(frozen=True)
class Part:
    """What one file of the output is about: some photographs of the source, or one shard."""

    number: int  # which names the file
    first: int  # the row of the source that the first name stands in
    names: list[str]


@dataclass(frozen=True)
class Row:
    """A photograph of the source, or of a shard: its path, and its bytes or an error if known."""

    row: int
    path: str
    data: bytes | None = None
    error: ImageError | None = None


def list_source(source: str, column: str) -> tuple[list[str], dict[str, int]]:
    """The names in a source, in an order that stays, and the number of other files by suffix.

    Args:
        source: a path or a URL of fsspec: of a folder, a photograph, a shard, a table `.csv` or
            `.parquet`, a list with a name a line, or a pattern of all these but a folder.
        column: the column of a table that holds the names.

    Raises:
        DatasetError: nothing is there, or a table or a list cannot be read.
    """
    system, path = file_system(source)
    if system.isdir(path):
        return _list_folder(source)
    files = [source] if system.exists(path) else []
    if not files and any(mark in path for mark in "*?["):
        files = [_name(system, found) for found in sorted(system.glob(path))]
    if not files:
        raise DatasetError(f"{source}: no such file or folder")
    names = [name for file in files for name in _names_in(file, column)]
    # A package that is missing is told now, not in the place of every photograph.
    for name in {name.split("://")[0]: name for name in names if "://" in name}.values():
        file_system(name)
    if not names:
        raise DatasetError(f"{source}: names no photograph")
    return names, {}


def file_system(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or a URL, and the path in it, or a DatasetError that names it."""
    try:
        return fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise DatasetError(f"{url}: {_reason(error)}") from error


def parts_of(names: Iterable[str], size: int) -> Iterator[Part]:
    """Parts of `size` names, in order; a shard is a part of its own."""
    number = first = 0
    for is_shard, neighbours in groupby(names, lambda name: name.endswith(SHARDS)):
        for some in batched(neighbours, 1 if is_shard else size):
            yield Part(number, first, some)
            number, first = number + 1, first + len(some)


def rows_of(part: Part) -> Iterator[Row]:
    """The photographs of a part; those of a shard with their bytes."""
    if part.names[0].endswith(SHARDS):
        yield from _members(part.names[0])
    else:
        yield from (Row(part.first + i, name) for i, name in enumerate(part.names))


def read(name: str) -> bytes:
    """The bytes of a photograph on any file system, or the ImageError that says what is wrong."""
    try:
        system, path = file_system(name)
        return system.cat_file(path)
    except Exception as error:  # every file system has its own
        raise ImageError(f"{name}: cannot be read ({_reason(error)})") from error


def _list_folder(source: str) -> tuple[list[str], dict[str, int]]:
    system, path = file_system(source)
    if isinstance(system, LocalFileSystem):
        found = walk(source.removeprefix("file://"))
        # What may not be read becomes an error in its own name: nothing is lost in silence.
        unreadable = [str(error).rpartition(": cannot")[0] for error in found.unreadable]
        names, passed_over = [*map(str, found.images), *unreadable], found.passed_over
    else:
        files = [_name(system, found) for found in sorted(system.find(path))]
        names = list(filter(_is_photograph, files))
        others = len(files) - len(names)
        passed_over = {"of any suffix": others} if others else {}
    if not names:
        raise DatasetError(f"{source}: no photographs there; of shards, give {source}/*.tar")
    return names, passed_over


def _members(shard: str) -> Iterator[Row]:
    """The photographs of a tar file, as it streams by; their labels beside them are passed over."""
    row = 0
    try:
        with fsspec.open(shard, "rb") as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            for member in tar:
                if member.isfile() and _is_photograph(member.name):
                    content = tar.extractfile(member)
                    assert content is not None  # for it is a file
                    yield Row(row, f"tar://{member.name}::{shard}", content.read())
                    row += 1
    except Exception as error:  # of the file system, of the compression or of the tar
        reason = f"cannot be read to its end ({_reason(error)}); get the file again"
        yield Row(row, shard, error=ImageError(f"{shard}: {reason}"))


def _names_in(file: str, column: str) -> Iterator[str]:
    """The names that a file gives: its own, or those it lists."""
    if _is_photograph(file) or file.endswith(SHARDS):
        yield file
        return
    suffix = PurePosixPath(file).suffix.lower()
    what = "not a table with paths"
    try:
        if suffix == ".parquet":
            with fsspec.open(file, "rb") as table:
                yield from _parquet_column(table, column)
            return
        with fsspec.open(file, "r", encoding="utf-8-sig", newline="") as text:
            if suffix == ".csv":
                yield from _csv_column(text, column)
            else:
                what = "not a list with a path a line"
                yield from filter(None, (line.strip() for line in text))
    except (ValueError, csv.Error) as error:  # also what pyarrow raises
        raise DatasetError(f"{file}: {what} ({_reason(error)})") from error


def _csv_column(text: IO[str], column: str) -> Iterator[str]:
    rows = csv.DictReader(text)
    _require(column, rows.fieldnames or ())
    yield from (row[column] or "" for row in rows)


def _parquet_column(file: IO[bytes], column: str) -> Iterator[str]:
    import pyarrow
    from pyarrow import parquet

    table = parquet.ParquetFile(file)
    _require(column, table.schema_arrow.names)
    for batch in table.iter_batches(columns=[column]):
        yield from (name or "" for name in batch.column(0).cast(pyarrow.string()).to_pylist())


def _require(column: str, columns: Iterable[str]) -> None:
    if column not in columns:
        raise ValueError(f"no column {column!r}; --column names one of {', '.join(columns)}")


def _name(system: fsspec.AbstractFileSystem, path: str) -> str:
    """What a path in a file system is called outside of it."""
    return path if isinstance(system, LocalFileSystem) else system.unstrip_protocol(path)


def _is_photograph(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):  # of which fsspec says no more than the name
        return "no such file"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or " ".join(str(error).split()) or type(error).__name__
