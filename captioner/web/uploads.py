"""What a request brings: a photograph, perhaps a question; within limits."""

import asyncio
import base64
import binascii
import json
from typing import Any, NamedTuple

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from captioner.data.tokenizer import has_words

MOST_BYTES = 32 * 2**20  # of the body of a request
MOST_LETTERS = 500  # of a question
SECONDS = 20.0  # that the next piece of a body may take


class Upload(NamedTuple):
    """A photograph as a file's content, and what is asked about it, if anything is."""

    photograph: bytes
    question: str | None


class LimitedBodies:
    """Refuses bodies that are too large, or do not come, before they are read into memory.

    Args:
        app: what is called otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        size, whole = 0, False

        async def limited() -> Message:
            nonlocal size, whole
            # After the body comes nothing but that the client leaves, whenever it does.
            message = await (receive() if whole else asyncio.wait_for(receive(), SECONDS))
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > MOST_BYTES:
                raise HTTPException(413, f"more than {MOST_BYTES // 2**20} MiB")
            return message

        await self.app(scope, limited, send)


async def read_upload(request: Request, asks: bool) -> Upload:
    """What a request brings, as a form with a file "photo", or as JSON with "photo" in base64.

    Args:
        request: its body is read.
        asks: whether it must have a question with words.

    Raises:
        HTTPException: 400, 408, 413, 415 or 422, with what is wrong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            fields = await _form(request)
        elif kind == "application/json":
            fields = _json(await request.body())
        else:
            raise HTTPException(415, "send multipart/form-data or application/json")
    except TimeoutError:
        raise HTTPException(408, f"nothing came for {SECONDS:.0f} seconds") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body was cut short") from None
    photograph, question = fields.get("photo"), fields.get("question")
    if not isinstance(photograph, bytes) or not photograph:
        raise HTTPException(422, "photo is missing")
    if question is not None and not isinstance(question, str):
        raise HTTPException(422, "question is no text")
    if asks and not (question and has_words(question)):
        raise HTTPException(422, "question is missing, or has no words")
    if question and len(question) > MOST_LETTERS:
        raise HTTPException(422, f"a question has at most {MOST_LETTERS} characters")
    return Upload(photograph, question or None)


async def _form(request: Request) -> dict[str, Any]:
    try:
        async with request.form(max_files=1, max_fields=4) as form:
            return {
                name: await value.read() if isinstance(value, UploadFile) else value
                for name, value in form.items()
            }
    except (MultiPartException, HTTPException) as error:
        if isinstance(error, HTTPException) and error.status_code != 400:
            raise
        raise HTTPException(400, "no form that can be read") from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
        if not isinstance(fields, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "no JSON object that can be read") from error
    if "photo" in fields:
        try:
            fields["photo"] = base64.b64decode(fields["photo"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise HTTPException(422, "photo is not base64") from error
    return fields
