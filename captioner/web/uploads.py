"""Parses a request: a photograph and an optional question, within limits."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captioner.data.tokenizer import has_words

MOST_BYTES = 32 * 2**20  # of the body of a request
MOST_TOGETHER = 3 * MOST_BYTES  # of the bodies of all unanswered requests
MOST_LETTERS = 500  # of a question
SECONDS = 60.0  # the longest time for a body


class Upload(NamedTuple):
    """The content of an image file, and the question about it or None."""

    photograph: bytes
    question: str | None


class LimitedBodies:
    """Refuses bodies that are too large, too many or too slow, before they fill the memory.

    Args:
        app: the application for the other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        size, whole = 0, False
        end = asyncio.get_running_loop().time() + SECONDS

        async def limited() -> Message:
            nonlocal size, whole
            if whole:  # only the end of the connection follows
                return await receive()
            async with asyncio.timeout_at(end):
                message = await receive()
            length = len(message.get("body", b""))
            size += length
            self._held += length
            whole = not message.get("more_body", False)
            if size > MOST_BYTES:
                raise HTTPException(413, f"more than {MOST_BYTES // 2**20} MiB")
            if self._held > MOST_TOGETHER:
                raise HTTPException(503, "too many uploads; try again", {"retry-after": "1"})
            return message

        try:
            await self.app(scope, limited, send)
        finally:
            self._held -= size


async def read_upload(request: Request, asks: bool) -> Upload:
    """The content of a request: a form with a file "photo", or JSON with "photo" in base64.

    The base64 may be broken into lines, or be a data URL.

    Args:
        request: its body is read.
        asks: whether it must have a question with words.

    Raises:
        HTTPException: 400, 408, 413, 415 or 422, with the fault.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        fields = await _form(request)
    elif kind == "application/json":
        fields = await read_json(request)
        if "photo" in fields:
            fields["photo"] = content_of(fields["photo"], "photo")
    else:
        raise HTTPException(415, "send multipart/form-data or application/json")
    photograph, question = fields.get("photo"), fields.get("question")
    if not isinstance(photograph, bytes) or not photograph:
        raise HTTPException(422, "photo is missing")
    if question is not None and not is_text(question):
        raise HTTPException(422, "question is no text")
    if asks and not (question and has_words(question)):
        raise HTTPException(422, "question is missing, or has no words")
    if question and len(question) > MOST_LETTERS:
        raise HTTPException(422, f"a question has at most {MOST_LETTERS} characters")
    return Upload(photograph, question or None)


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        HTTPException: 400, 408 or 413, with the fault.
    """
    with _refusing():
        body = await request.body()
    try:
        fields = json.loads(body)
        if not isinstance(fields, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "no JSON object that can be read") from error
    return fields


def content_of(text: Any, name: str) -> bytes:
    """The content of a file in base64, or as a data URL.

    Raises:
        HTTPException: 422, if it is neither; the message has its name.
    """
    try:
        if not isinstance(text, str):
            raise ValueError("no text")
        if text[:5].lower() == "data:":
            kind, _, text = text.partition(",")
            if not kind.lower().endswith(";base64"):
                raise ValueError("a data URL without base64")
            text = unquote(text)
        return base64.b64decode(text.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError as error:
        raise HTTPException(422, f"{name} is not base64") from error


def is_text(value: Any) -> bool:
    """Whether a value is a string that can be encoded: JSON can hold halves of surrogate pairs."""
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode() == value


@contextmanager
def _refusing() -> Iterator[None]:
    """Report the reason for a missing body."""
    try:
        yield
    except TimeoutError:
        raise HTTPException(408, f"the body took more than {SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body was cut short") from None


async def _form(request: Request) -> dict[str, Any]:
    try:
        with _refusing():
            async with request.form(max_files=1, max_fields=4) as form:
                return {
                    name: await value.read() if isinstance(value, UploadFile) else value
                    for name, value in form.items()
                }
    except (MultiPartException, ValueError) as error:
        raise HTTPException(400, "no form that can be read") from error
