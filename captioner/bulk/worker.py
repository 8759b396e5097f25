"""The worker that captions one part of the source, for every engine."""

import itertools
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from captioner.bulk.parts import Output, Record, Tally
from captioner.bulk.shards import Row
from captioner.bulk.sources import Part, read, rows_of
from captioner.data.images import ImageError, load_image, map_ahead
from captioner.generation import BEAM_WIDTH

if TYPE_CHECKING:
    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption

THREADS = 8  # more than cores, because they wait for the network

OMITTED = {"words", "concepts"}  # the largest fields of a caption in JSON


@dataclass(frozen=True)
class Job:
    """The task for every photograph."""

    output: Output
    question: str | None  # None for captions
    top: int  # number of candidates


class Worker:
    """Captions parts of a source with a model."""

    def __init__(self, job: Job, model: "CaptionModel") -> None:
        self.job, self.model = job, model

    def __call__(self, part: Part) -> Tally:
        """Caption a part and write it, while threads read and decode the next photographs."""
        from captioner.generation.batching import stream
        from captioner.generation.samplers import Beam

        rows, sources = itertools.tee(rows_of(part))
        items = ((image, [self.job.question]) for image in map_ahead(self._load, sources, THREADS))
        found = stream(self.model, items, sampler=Beam(max(BEAM_WIDTH, self.job.top)))
        records = [self._record(row, result) for row, result in zip(rows, found, strict=True)]
        return self.job.output.write(part.number, records)

    def _load(self, row: Row) -> np.ndarray | ImageError:
        """The pixels of a photograph `uint8[S, S, 3]`, or its error."""
        size = self.model.config.image_size
        try:
            if row.error is not None:
                return row.error
            if row.data is None and "://" not in row.path:
                return load_image(row.path, size)
            file = BytesIO(read(row.path) if row.data is None else row.data)
            file.name = row.path  # for messages
            return load_image(file, size)
        except ImageError as error:
            return error

    def _record(self, row: Row, result: "list[Caption] | ImageError") -> Record:
        from captioner.generation.results import record_of

        record: Record = {"row": row.row, "path": _text(row.path)}
        if self.job.question is not None:
            record["question"] = _text(self.job.question)
        if isinstance(result, ImageError):
            return record | {"error": _text(str(result))}
        (caption,) = result
        caption = caption._replace(candidates=caption.candidates[: self.job.top])
        fields = record_of(caption, self.job.output.kind)
        return record | {name: fields[name] for name in fields if name not in OMITTED}


def _text(path: str) -> str:
    """A path as text, with invalid UTF-8 escaped."""
    return path.encode("utf-8", "backslashreplace").decode()
