"""What runs the parts: this process, or Ray on the machines it has."""

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from captioner.bulk.output import Tally
from captioner.bulk.sources import Part
from captioner.bulk.worker import Job, Worker

if TYPE_CHECKING:
    from captioner.generation.batching import Searches


def embedded(job: Job, parts: Iterable[Part], model: "Searches") -> Iterator[Tally]:
    """Caption parts one after the other in this process, on all its cores."""
    worker = Worker(job, model)
    # Pillow warns of damaged metadata that do a photograph no harm.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        yield from map(worker, parts)
