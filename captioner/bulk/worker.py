"""What every engine runs: a model that captions one part of the source."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from captioner.bulk.output import Output, Record, Tally
from captioner.bulk.shards import Row
from captioner.bulk.sources import Part, read, rows_of
from captioner.data.images import ImageError, load_image
from captioner.generation.batching import batched

if TYPE_CHECKING:
    from captioner.generation.model import CaptionModel
    from captioner.generation.results import Caption

BATCH = 32  # photographs written about together
AHEAD = 2  # batches that decode meanwhile
THREADS = 8  # that read and decode: more than a worker has cores, for they wait for a network

LEFT_OUT = {"words", "concepts"}  # of what JSON tells of a caption: the greater part of it

Loaded = tuple[Row, np.ndarray | ImageError]  # uint8[S, S, 3]


@dataclass(frozen=True)
class Job:
    """What is to be done with every photograph."""

    output: Output
    question: str | None  # None for captions
    top: int  # candidates to write
    beam_width: int


class Worker:
    """Captions parts of a source with a model."""

    def __init__(self, job: Job, model: "CaptionModel") -> None:
        self.job, self.model = job, model

    def __call__(self, part: Part) -> Tally:
        """Caption a part and write it."""
        records = [record for batch in self._batches(part) for record in self.caption_batch(batch)]
        return self.job.output.write(part.number, records)

    def caption_batch(self, batch: list[Loaded]) -> list[Record]:
        """Records of photographs `uint8[S, S, 3]`, or of the errors in their place, in order."""
        from captioner.generation.batching import generate
        from captioner.generation.results import record_of
        from captioner.generation.samplers import Beam

        sound = [image for _, image in batch if not isinstance(image, ImageError)]
        found: Iterator[list[Caption]] = iter(())
        if sound:
            inputs, questions = {"photographs": np.stack(sound)}, [[self.job.question]] * len(sound)
            beam = Beam(self.job.beam_width)
            found = iter(generate(self.model, inputs, questions, sampler=beam))
        records = []
        for row, image in batch:
            record: Record = {"row": row.row, "path": _text(row.path)}
            if self.job.question is not None:
                record["question"] = _text(self.job.question)
            if isinstance(image, ImageError):
                records.append(record | {"error": _text(str(image))})
                continue
            (caption,) = next(found)
            caption = caption._replace(candidates=caption.candidates[: self.job.top])
            fields = record_of(caption, self.job.output.kind)
            records.append(record | {name: fields[name] for name in fields if name not in LEFT_OUT})
        return records

    def _batches(self, part: Part) -> Iterator[list[Loaded]]:
        """Photographs with their pixels or errors; the next ones are read and decoded meanwhile."""
        ahead: deque[Iterator[Loaded]] = deque()
        with ThreadPoolExecutor(THREADS) as pool:
            for rows in batched(rows_of(part), BATCH):
                ahead.append(pool.map(self._load, rows))
                if len(ahead) > AHEAD:
                    yield list(ahead.popleft())
            yield from map(list, ahead)

    def _load(self, row: Row) -> Loaded:
        """A photograph with its pixels, wherever it lies, or its error."""
        size = self.model.config.image_size
        try:
            if row.error is not None:
                return row, row.error
            if row.data is None and "://" not in row.path:
                return row, load_image(row.path, size)
            file = BytesIO(read(row.path) if row.data is None else row.data)
            file.name = row.path  # for messages
            return row, load_image(file, size)
        except ImageError as error:
            return row, error


def _text(path: str) -> str:
    """A path as text: what is no UTF-8 is escaped."""
    return path.encode("utf-8", "backslashreplace").decode()
