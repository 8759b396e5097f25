"""What runs the parts: this process, or Ray on the machines it has."""

import contextlib
import logging
import os
import pickle
import secrets
import socket
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from captioner.bulk.output import Tally
from captioner.bulk.shards import reason
from captioner.bulk.sources import Part
from captioner.bulk.worker import Job, Worker

if TYPE_CHECKING:
    import numpy as np

    from captioner.generation.model import CaptionModel

LOCAL = "local"  # what Ray calls a new cluster on this machine
PATIENCE = 10.0  # seconds that a cluster may take to answer


def embedded(job: Job, parts: list[Part], model: "CaptionModel") -> Iterator[Tally]:
    """Caption parts one after the other in this process, on all its cores."""
    worker = Worker(job, model)
    # Pillow warns of damaged metadata that do a photograph no harm.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        yield from map(worker, parts)


def on_ray(job: Job, parts: list[Part], load: "Callable[[], CaptionModel]") -> Iterator[Tally]:
    """Caption parts on Ray Data, with an actor on each core that holds a model.

    The cluster is that of `RAY_ADDRESS`, or this machine. What a lost machine was about to caption
    is captioned by others.

    Raises:
        ConnectionError: nothing answers at that address, Ray does not start, or the cluster has no
            processors.
        OSError: a part cannot be written.
    """
    if not parts:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    address = os.environ.get("RAY_ADDRESS", LOCAL)
    if address == LOCAL:
        # The secret of its processes, which Ray would otherwise write into the home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        require_cluster(address)
    import ray.data

    if not ray.is_initialized():
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray has many
            message = f"Ray does not start ({reason(error)})"
            raise ConnectionError(f"RAY_ADDRESS {address}: {message}") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    actors = min(len(parts), int(ray.cluster_resources().get("CPU", 0)))
    if not actors:
        raise ConnectionError(f"RAY_ADDRESS {address}: the cluster has no CPUs; add machines to it")
    # Pickled: names need not be text. A block for each part: a block is what is done again.
    rows = [{"part": pickle.dumps(part)} for part in parts]
    outcomes = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Actor,
        fn_constructor_args=(job, load, os.getcwd()),
        compute=ray.data.ActorPoolStrategy(size=actors),
        batch_size=1,
        num_cpus=1,
    )
    for row in outcomes.iter_rows():
        outcome = pickle.loads(row["outcome"])
        if isinstance(outcome, OSError):
            raise outcome
        yield outcome


def require_cluster(address: str) -> None:
    """Refuse an address at which nothing listens: Ray would try for minutes.

    Raises:
        ConnectionError: it is one.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # "auto", which Ray looks for
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        message = f"nothing answers there ({getattr(error, 'strerror', None) or error})"
        raise ConnectionError(f"RAY_ADDRESS {address}: {message}; start the cluster") from error


class _Actor:
    """A worker on some machine of the cluster."""

    def __init__(self, job: Job, load: "Callable[[], CaptionModel]", folder: str) -> None:
        warnings.filterwarnings("ignore", category=UserWarning)
        with contextlib.suppress(FileNotFoundError):  # where all paths are URLs it is not missed
            os.chdir(folder)
        self._worker = Worker(job, load())

    def __call__(self, batch: "dict[str, np.ndarray]") -> dict[str, list[bytes]]:
        """The tally of a part, or why it cannot be written, which Ray would hide in its own."""
        (part,) = batch["part"]
        outcome: Tally | OSError
        try:
            outcome = self._worker(pickle.loads(part))
        except OSError as error:
            outcome = error
        return {"outcome": [pickle.dumps(outcome)]}
