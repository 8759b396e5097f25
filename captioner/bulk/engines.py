"""Engines that caption the parts: this process, or a Ray cluster."""

import contextlib
import logging
import os
import pickle
import secrets
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from captioner.bulk.parts import Tally
from captioner.bulk.shards import reason
from captioner.bulk.sources import Part
from captioner.bulk.worker import Job, Worker
from captioner.data.pillow_warnings import ignore_pillow_warnings

if TYPE_CHECKING:
    import numpy as np

    from captioner.generation.model import CaptionModel

LOCAL = "local"  # address that starts a new cluster on this machine
TIMEOUT = 10.0  # seconds for the connection to a cluster


def embedded(job: Job, parts: list[Part], model: "CaptionModel") -> Iterator[Tally]:
    """Caption the parts in order in this process, on all cores."""
    yield from map(Worker(job, model), parts)


def on_ray(job: Job, parts: list[Part], load: "Callable[[], CaptionModel]") -> Iterator[Tally]:
    """Caption the parts with Ray Data, with one actor and one model per core.

    `RAY_ADDRESS` gives the cluster; the default is this machine. If a machine fails, other machines
    take over its unfinished parts.

    Raises:
        ConnectionError: the cluster does not answer, does not start, or has no CPUs.
        OSError: a part cannot be written.
    """
    if not parts:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    address = os.environ.get("RAY_ADDRESS", LOCAL)
    if address == LOCAL:
        # Without a token, Ray writes one into the home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        require_cluster(address)
    import ray.data

    if not ray.is_initialized():
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # Ray raises many types
            message = f"Ray does not start ({reason(error)})"
            raise ConnectionError(f"RAY_ADDRESS {address}: {message}") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    actors = min(len(parts), int(ray.cluster_resources().get("CPU", 0)))
    if not actors:
        raise ConnectionError(f"RAY_ADDRESS {address}: the cluster has no CPUs; add machines to it")
    # Pickled: paths can contain invalid UTF-8. One block per part: Ray repeats whole blocks.
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
    """Check that the cluster answers, because Ray itself would try for minutes.

    Raises:
        ConnectionError: it does not answer.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # "auto": Ray finds the cluster
    try:
        socket.create_connection((host.strip("[]"), int(port)), TIMEOUT).close()
    except (OSError, OverflowError) as error:
        message = f"nothing answers there ({getattr(error, 'strerror', None) or error})"
        raise ConnectionError(f"RAY_ADDRESS {address}: {message}; start the cluster") from error


class _Actor:
    """A worker on a machine of the cluster."""

    def __init__(self, job: Job, load: "Callable[[], CaptionModel]", folder: str) -> None:
        ignore_pillow_warnings()
        with contextlib.suppress(FileNotFoundError):  # not needed if all paths are URLs
            os.chdir(folder)
        self._worker = Worker(job, load())

    def __call__(self, batch: "dict[str, np.ndarray]") -> dict[str, list[bytes]]:
        """The tally of a part, or its OSError, which Ray would wrap in another error."""
        (part,) = batch["part"]
        outcome: Tally | OSError
        try:
            outcome = self._worker(pickle.loads(part))
        except OSError as error:
            outcome = error
        return {"outcome": [pickle.dumps(outcome)]}
