"""Answers waiting requests in batches."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from captioner.generation.batching import stream
from captioner.generation.model import CaptionModel
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam

TOGETHER = 16  # maximum of photographs in a batch
WAITING = 64  # maximum of waiting requests; more are refused


class Busy(Exception):
    """Too many requests wait."""


class Request(NamedTuple):
    """The features `float[R, C]` of a photograph, a question or None, and the future result."""

    features: np.ndarray
    question: str | None
    done: "asyncio.Future[Caption]"


class Batcher:
    """Captions photographs and answers questions, with all waiting requests in one batch.

    A request never waits for others to arrive: the next batch collects while one is computed.

    Args:
        model: the model. A separate thread calls it, one batch after the other.
    """

    def __init__(self, model: CaptionModel) -> None:
        self.model = model
        self._queue: asyncio.Queue[Request] = asyncio.Queue(WAITING)
        self._thread = ThreadPoolExecutor(1)

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return self._queue.qsize()

    async def write(self, features: np.ndarray, question: str | None = None) -> Caption:
        """The caption of a photograph, or the answer to a question about it.

        Args:
            features: of the photograph, `float[R, C]`.
            question: None for a caption.

        Raises:
            Busy: too many requests wait.
        """
        done: asyncio.Future[Caption] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait(Request(features, question, done))
        except asyncio.QueueFull:
            raise Busy(f"{WAITING} requests wait") from None
        return await done

    async def run(self) -> None:
        """Answer requests until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            requests = [await self._queue.get()]
            while len(requests) < TOGETHER and not self._queue.empty():
                requests.append(self._queue.get_nowait())
            requests = [
                request for request in requests if not request.done.done()
            ]  # the client has left
            if not requests:
                continue
            try:
                captions = await loop.run_in_executor(self._thread, self._write, requests)
            except Exception as error:  # the server goes on
                for request in requests:
                    if not request.done.done():
                        request.done.set_exception(error)
                continue
            for request, caption in zip(requests, captions, strict=True):
                if not request.done.done():
                    request.done.set_result(caption)

    def _write(self, requests: list[Request]) -> list[Caption]:
        items = [(request.features, [request.question]) for request in requests]
        return [row[0] for row in stream(self.model, items, sampler=Beam())]
