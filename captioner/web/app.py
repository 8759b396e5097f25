"""The web application: its paths and their answers."""

import asyncio
import contextlib
import hashlib
import io
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from cachetools import LRUCache
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from captioner import __version__
from captioner.data.images import ImageError, load_image
from captioner.data.limits import Limits
from captioner.generation.model import CaptionModel
from captioner.generation.results import Caption, record_of
from captioner.web.batcher import Batcher, Busy
from captioner.web.compatible import COMPLETIONS, Compatible, openai_error
from captioner.web.page import picture_of, routes, view_of
from captioner.web.uploads import LimitedBodies, Upload, read_upload

SECONDS = 60  # limit for an answer
# Limits for one upload and for all uploads that are decoded at once: less than the container has.
LIMITS = Limits(pixels=50_000_000, memory=460 * 10**6)
KNOWN = 64 * 2**20  # bytes of cached features
DECODERS = 2  # maximum of threads, because each holds a photograph in memory


class Server:
    """The answers of all paths, and the counters.

    Args:
        name: of the preset.
        model: the model.
    """

    def __init__(self, name: str, model: CaptionModel) -> None:
        self.name, self.model = name, model
        self.batcher = Batcher(model)
        self.counts = {"captions": 0, "answers": 0, "refused": 0}
        self.seconds = 0.0
        # Features by the hash of the file, for questions after a caption.
        self._known: LRUCache[bytes, np.ndarray] = LRUCache(KNOWN, getsizeof=lambda f: f.nbytes)
        # Decoding and encoding take longer than the search, and run in parallel to it.
        self._decoders = ThreadPoolExecutor(min(DECODERS, os.cpu_count() or 1))

    async def caption(self, request: Request) -> Response:
        """`POST /v1/caption`."""
        upload = await read_upload(request, asks=False)
        caption = await self.write(upload._replace(question=None))
        return JSONResponse(record_of(caption, "caption"))

    async def answer(self, request: Request) -> Response:
        """`POST /v1/answer`."""
        upload = await read_upload(request, asks=True)
        return JSONResponse(record_of(await self.write(upload), "answer"))

    async def view(self, request: Request) -> Response:
        """`POST /view`: a caption or an answer for the page."""
        upload = await read_upload(request, asks=False)
        return JSONResponse(view_of(await self.write(upload)))

    async def picture(self, request: Request) -> Response:
        """`POST /picture`: a photograph as JPEG, for browsers that cannot read its format."""
        upload = await read_upload(request, asks=False)
        photograph = _Photograph(upload.photograph)
        try:
            picture = await self._decoded(picture_of, photograph, LIMITS)
        except ImageError as error:
            raise HTTPException(422, str(error)) from error
        return Response(picture, media_type="image/jpeg")

    async def health(self, request: Request) -> Response:
        """`GET /health`."""
        written = self.counts["captions"] + self.counts["answers"]
        return JSONResponse(
            {
                "status": "ok",
                "version": __version__,
                "preset": self.name,
                **self.counts,
                "waiting": self.batcher.waiting,
                "mean_seconds": self.seconds / written if written else None,
            }
        )

    async def write(self, upload: Upload) -> Caption:
        """The caption of an upload, or the answer to its question.

        Raises:
            HTTPException: 422 if the photograph cannot be read or the model answers no questions;
                503 if too many requests wait.
        """
        if upload.question is not None and not self.model.answers:
            raise HTTPException(422, f"{self.name} answers no questions")
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(SECONDS):
                features = await self._features(upload.photograph)
                caption = await self.batcher.write(features, upload.question)
        except ImageError as error:
            raise HTTPException(422, str(error)) from error
        except (Busy, TimeoutError):
            raise HTTPException(503, "too many wait; try again", {"retry-after": "1"}) from None
        self.counts["captions" if upload.question is None else "answers"] += 1
        self.seconds += time.perf_counter() - begun
        return caption

    def refuse(self, request: Request, error: Exception) -> Response:
        """An error as JSON."""
        assert isinstance(error, HTTPException)
        self.counts["refused"] += 1
        message = openai_error(error) if request.url.path == COMPLETIONS else error.detail
        return JSONResponse({"error": message}, error.status_code, error.headers)

    @contextlib.asynccontextmanager
    async def running(self, app: Starlette) -> AsyncIterator[None]:
        """Run the batcher while the server runs."""
        batches = asyncio.create_task(self.batcher.run())
        yield
        batches.cancel()

    async def _features(self, photograph: bytes) -> np.ndarray:
        """The features `float[R, C]` of a photograph, from the cache if possible."""
        key = hashlib.sha256(photograph).digest()
        features = self._known.get(key)
        if features is None:
            features = await self._decoded(_encode, self.model, photograph)
            self._known[key] = features
        return features

    async def _decoded(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, function, *arguments)


def new_app(name: str, model: CaptionModel, hosts: Sequence[str]) -> Starlette:
    """Create the application.

    Args:
        name: of the preset.
        model: the model.
        hosts: the accepted Host headers; "*" for any.
    """
    server = Server(name, model)
    return Starlette(
        routes=[
            *routes(model),
            Route("/health", server.health),
            Route("/view", server.view, methods=["POST"]),
            Route("/picture", server.picture, methods=["POST"]),
            Route("/v1/caption", server.caption, methods=["POST"]),
            Route("/v1/answer", server.answer, methods=["POST"]),
            *Compatible(Path(name).name, server.write).routes(),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(LimitedBodies),
        ],
        exception_handlers={HTTPException: server.refuse},
        lifespan=server.running,
    )


class _Photograph(io.BytesIO):
    name = "the photograph"  # for error messages


def _encode(model: CaptionModel, photograph: bytes) -> np.ndarray:
    pixels = load_image(_Photograph(photograph), model.config.image_size, LIMITS)
    return model.encode(pixels[None])[0]
