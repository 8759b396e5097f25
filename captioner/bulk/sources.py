"""Sources of photographs: folders, lists, tables and shards."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from captioner.bulk.shards import (
    COLUMN,
    FIELDS,
    Row,
    file_of,
    is_photograph,
    is_shard,
    reason,
    rows_of_shard,
)
from captioner.data.folders import walk
from captioner.data.images import ImageError
from captioner.data.records import DatasetError
from captioner.generation.batching import batched


@dataclass(frozen=True)
class Part:
    """The input of one output file: some photographs, or one shard."""

    number: int  # part of the file name
    first: int  # row of the first name in the source
    names: list[str]


def list_source(source: str, column: str) -> tuple[list[str], dict[str, int]]:
    """The names in a source in a stable order, and the number of skipped files by suffix.

    Args:
        source: path or fsspec URL of a folder, a photograph, a shard, a table `.csv` or `.parquet`,
            or a list with one name per line; or a pattern of files.
        column: the column of a table with the names or the photographs.

    Raises:
        DatasetError: there are no photographs, or a table or list cannot be read.
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
    # Report a missing package once, not for every photograph.
    files = [file_of(name) for name in names]
    for name in {name.split("://")[0]: name for name in files if "://" in name}.values():
        file_system(name)
    if not names:
        raise DatasetError(f"{source}: names no photograph")
    return names, {}


def file_system(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a path or a URL, and the path in it. Raises DatasetError."""
    try:
        return fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise DatasetError(f"{url}: {reason(error)}") from error


def parts_of(names: Iterable[str], size: int) -> Iterator[Part]:
    """Parts of `size` names, in order; each shard is a separate part."""
    number = first = 0
    for alone, neighbours in groupby(names, is_shard):
        for some in batched(neighbours, 1 if alone else size):
            yield Part(number, first, some)
            number, first = number + 1, first + len(some)


def rows_of(part: Part) -> Iterator[Row]:
    """The photographs of a part; a shard also gives their bytes."""
    if is_shard(part.names[0]):
        yield from rows_of_shard(part.names[0])
    else:
        yield from (Row(part.first + i, name) for i, name in enumerate(part.names))


def read(name: str) -> bytes:
    """The bytes of a photograph on any file system. Raises ImageError."""
    try:
        system, path = file_system(name)
        return system.cat_file(path)
    except Exception as error:  # file systems raise many types
        raise ImageError(f"{name}: cannot be read ({reason(error)})") from error


def _list_folder(source: str) -> tuple[list[str], dict[str, int]]:
    system, path = file_system(source)
    if isinstance(system, LocalFileSystem):
        found = walk(source.removeprefix("file://"))
        # Unreadable folders stay in the list and become error rows.
        unreadable = [str(error).rpartition(": cannot")[0] for error in found.unreadable]
        names, passed_over = [*map(str, found.images), *unreadable], found.passed_over
    else:
        files = [_name(system, found) for found in sorted(system.find(path))]
        names = list(filter(is_photograph, files))
        others = len(files) - len(names)
        passed_over = {"of any suffix": others} if others else {}
    if not names:
        raise DatasetError(f"{source}: has no photographs; for shards, give {source}/*.tar")
    return names, passed_over


def _names_in(file: str, column: str) -> Iterator[str]:
    """The name of a photograph or a shard, or the names that a list or table contains."""
    if is_photograph(file) or is_shard(file):
        yield file
        return
    suffix = PurePosixPath(file).suffix.lower()
    what = "not a table with paths"
    try:
        if suffix == ".parquet":
            yield from _parquet_column(file, column)
            return
        with fsspec.open(file, "r", encoding="utf-8-sig", newline="") as text:
            if suffix == ".csv":
                yield from _csv_column(text, column)
            else:
                what = "not a list with a path a line"
                yield from filter(None, (line.strip() for line in text))
    except (OSError, ValueError, csv.Error) as error:  # includes the errors of pyarrow
        if getattr(error, "filename", None) is not None:
            raise  # an error of the file system names the file
        raise DatasetError(f"{file}: {what} ({reason(error)})") from error


def _csv_column(text: IO[str], column: str) -> Iterator[str]:
    rows = csv.DictReader(text)
    _require(column, rows.fieldnames or ())
    yield from (row[column] or "" for row in rows)


def _parquet_column(file: str, column: str) -> Iterator[str]:
    """The names in a column; a column with photographs is itself a shard."""
    import pyarrow
    from pyarrow import parquet

    with fsspec.open(file, "rb") as opened:
        table = parquet.ParquetFile(opened)
        _require(column, table.schema_arrow.names)
        kind = table.schema_arrow.field(column).type
        if pyarrow.types.is_struct(kind) and set(FIELDS) & {field.name for field in kind}:
            yield f"{COLUMN}{column}::{file}"
            return
        try:
            for batch in table.iter_batches(columns=[column]):
                names = batch.column(0).cast(pyarrow.string())
                yield from (name or "" for name in names.to_pylist())
        except pyarrow.ArrowNotImplementedError as error:
            raise ValueError(f"column {column!r} holds {kind}, not paths") from error


def _require(column: str, columns: Iterable[str]) -> None:
    if column not in columns:
        raise ValueError(f"no column {column!r}; --column names one of {', '.join(columns)}")


def _name(system: fsspec.AbstractFileSystem, path: str) -> str:
    """The path or URL of a path in a file system."""
    return path if isinstance(system, LocalFileSystem) else system.unstrip_protocol(path)
