"""The output folder: a manifest of the arguments, and one file per part."""

import json
import os
import uuid
from typing import Any, NamedTuple

import pyarrow
from fsspec.implementations.local import LocalFileSystem
from pyarrow import parquet

from captioner.bulk.sources import file_system
from captioner.data.records import DatasetError

MANIFEST = "_manifest.json"  # readers of a folder of tables skip names with an underscore
FORMATS = ("parquet", "jsonl")
# The end of a complete JSON Lines file. Readers ignore the space.
END = b" \n"

Record = dict[str, Any]  # one photograph


class Tally(NamedTuple):
    """The numbers of photographs and of broken photographs in a part."""

    photographs: int
    broken: int


class Output:
    """An output folder on any file system of fsspec.

    A file gets its final name when it is complete. A rewritten part replaces the old one.

    Args:
        folder: a path or a URL.
        form: file format of the parts, one of `FORMATS`.
        kind: "caption" or "answer".
    """

    def __init__(self, folder: str, form: str, kind: str) -> None:
        self.folder, self.form, self.kind = folder, form, kind
        self._system, self._root = file_system(folder)

    def begin(self, manifest: dict[str, Any]) -> dict[int, Tally]:
        """Write or compare the manifest, and return the tallies of the finished parts by number.

        Args:
            manifest: the arguments that determine the content of the parts.

        Raises:
            DatasetError: the folder contains other files, or parts for other arguments.
        """
        self._system.invalidate_cache()
        self._system.makedirs(self._root, exist_ok=True)
        names = {path.rsplit("/", 1)[-1] for path in self._system.ls(self._root, detail=False)}
        if MANIFEST in names:
            self._compare(manifest)
        elif any(not name.startswith(".") for name in names):
            raise DatasetError(f"{self.folder}: contains other files; choose a new folder")
        else:
            text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
            self._put(MANIFEST, text.encode("utf-8", "backslashreplace"))
        numbers = (name.removeprefix("part-").split(".")[0] for name in names)
        found = {int(text): self._tally(int(text)) for text in numbers if text.isdecimal()}
        return {number: tally for number, tally in found.items() if tally is not None}

    def write(self, number: int, records: list[Record]) -> Tally:
        """Write a part atomically."""
        if self.form == "jsonl":
            lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
            self._put(self._name(number), lines.encode() + END if records else b"")
        else:
            sink = pyarrow.BufferOutputStream()
            parquet.write_table(pyarrow.Table.from_pylist(records, self._schema()), sink)
            self._put(self._name(number), sink.getvalue().to_pybytes())
        return _count(records)

    def finish(self) -> None:
        """Remove the unfinished files of killed processes."""
        for path in self._system.ls(self._root, detail=False):
            if path.rsplit("/", 1)[-1].startswith(".unfinished-"):
                self._system.rm_file(path)

    def _compare(self, manifest: dict[str, Any]) -> None:
        path = f"{self.folder}/{MANIFEST}"
        try:
            begun = json.loads(self._system.cat_file(f"{self._root}/{MANIFEST}"))
            changed = [name for name, value in manifest.items() if begun.get(name) != value]
        except (ValueError, AttributeError) as error:
            raise DatasetError(f"{path}: not a manifest; choose a new folder") from error
        if changed:
            name = changed[0]
            raise DatasetError(
                f"{self.folder}: was started with {name} {begun.get(name)!r}, not "
                f"{manifest[name]!r}; repeat the same arguments, or choose a new folder"
            )

    def _tally(self, number: int) -> Tally | None:
        """The tally of a part; None if its file is damaged."""
        try:
            data = self._system.cat_file(f"{self._root}/{self._name(number)}")
            if self.form == "jsonl":
                lines = data.splitlines() if data.endswith(END) else [b"cut short"]
                return _count([json.loads(line) for line in lines])
            reader = pyarrow.BufferReader(data)
            return _count(parquet.read_table(reader, columns=["error"]).to_pylist())
        except (ValueError, OSError):  # includes the errors of pyarrow
            return None

    def _put(self, name: str, data: bytes) -> None:
        unfinished = f"{self._root}/.unfinished-{uuid.uuid4().hex}"
        with self._system.open(unfinished, "wb") as file:
            file.write(data)
            if isinstance(self._system, LocalFileSystem):  # against power failures
                file.flush()
                os.fsync(file.fileno())
        self._system.mv(unfinished, f"{self._root}/{name}")

    def _name(self, number: int) -> str:
        return f"part-{number:05}.{self.form}"

    def _schema(self) -> pyarrow.Schema:
        text, number = pyarrow.string(), pyarrow.float64()
        first = {"row": pyarrow.int64(), "path": text}
        question = {"question": text} if self.kind == "answer" else {}
        written = {self.kind: text, "score": number}
        candidates = pyarrow.list_(pyarrow.struct(list(written.items())))
        last = {"confidence": number, "candidates": candidates, "error": text}
        return pyarrow.schema(list((first | question | written | last).items()))


def _count(records: list[Record]) -> Tally:
    return Tally(len(records), sum(record.get("error") is not None for record in records))
