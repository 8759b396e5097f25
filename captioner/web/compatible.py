"""The parts of the interfaces of Ollama and OpenAI for captions of photographs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from captioner.data.tokenizer import has_words
from captioner.generation.results import Caption
from captioner.web.uploads import MOST_LETTERS, Upload, content_of, is_text, read_json

COMPLETIONS = "/v1/chat/completions"
MOST_PHOTOGRAPHS = 16  # of a request

Write = Callable[[Upload], Awaitable[Caption]]


class Text(NamedTuple):
    """A text and its number of words."""

    text: str
    words: int


class Compatible:
    """Answers with a caption, or with an answer if the prompt is a question.

    Args:
        name: of the model.
        write: captions an upload or answers its question.
    """

    def __init__(self, name: str, write: Write) -> None:
        self.name, self._write = name, write

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/generate", self.generate, methods=["POST"]),
            Route("/api/chat", self.chat, methods=["POST"]),
            Route("/api/tags", self.tags),
            Route(COMPLETIONS, self.completions, methods=["POST"]),
            Route("/v1/models", self.models),
        ]

    async def generate(self, request: Request) -> Response:
        """`POST /api/generate` of Ollama."""
        body = await read_json(request)
        prompt = body.get("prompt") or ""
        if not (prompt or body.get("images")):  # so that a client loads a model
            return JSONResponse(self._ollama({"response": ""}, done_reason="load"))
        written = await self._written(_photographs([body]), prompt)
        return self._streamed(body, written, lambda text: {"response": text})

    async def chat(self, request: Request) -> Response:
        """`POST /api/chat` of Ollama."""
        body = await read_json(request)
        messages = _messages(body)
        written = await self._written(_photographs(messages), messages[-1].get("content") or "")
        return self._streamed(
            body, written, lambda text: {"message": {"role": "assistant", "content": text}}
        )

    async def tags(self, request: Request) -> Response:
        """`GET /api/tags` of Ollama: the models."""
        details = {"format": "onnx", "family": "captioner", "families": ["captioner"]}
        model = {"name": self.name, "model": self.name, "details": details}
        return JSONResponse({"models": [model]})

    async def completions(self, request: Request) -> Response:
        """`POST /v1/chat/completions` of OpenAI."""
        body = await read_json(request)
        messages = [_openai_message(message) for message in _messages(body)]
        written = await self._written(_photographs(messages), messages[-1]["content"] or "")
        about = {
            "id": f"chatcmpl-{time.time_ns()}",
            "created": int(time.time()),
            "model": self.name,
        }
        message = {"role": "assistant", "content": written.text}
        end = {"index": 0, "finish_reason": "stop"}
        if body.get("stream"):
            chunk = about | {"object": "chat.completion.chunk"}
            first = {"index": 0, "delta": message, "finish_reason": None}
            chunks = [chunk | {"choices": [choice]} for choice in (first, end | {"delta": {}})]
            events = [f"data: {_json(part)}\n\n" for part in chunks]
            return Response("".join([*events, "data: [DONE]\n\n"]), media_type="text/event-stream")
        usage = {
            "prompt_tokens": 0,
            "completion_tokens": written.words,
            "total_tokens": written.words,
        }
        choices = [end | {"message": message}]
        completion = {"object": "chat.completion", "choices": choices, "usage": usage}
        return JSONResponse(about | completion)

    async def models(self, request: Request) -> Response:
        """`GET /v1/models` of OpenAI."""
        model = {"id": self.name, "object": "model", "created": 0, "owned_by": "captioner"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _written(self, photographs: list[bytes], prompt: Any) -> Text:
        """A line for each photograph; equal lines once."""
        if not is_text(prompt):
            raise HTTPException(422, "the prompt is no text")
        question = prompt.strip()
        if not (question.endswith("?") and has_words(question) and len(question) <= MOST_LETTERS):
            question = None
        captions = await asyncio.gather(*(self._write(Upload(p, question)) for p in photographs))
        text = "\n".join(dict.fromkeys(caption.text for caption in captions))
        return Text(text, sum(len(caption.words) for caption in captions))

    def _ollama(self, content: Mapping[str, Any], **last: Any) -> dict[str, Any]:
        """A line for Ollama; the last line has a reason."""
        at = datetime.now(UTC).isoformat()
        return {"model": self.name, "created_at": at, **content, "done": bool(last), **last}

    def _streamed(
        self, body: Mapping[str, Any], written: Text, content: Callable[[str], dict[str, Any]]
    ) -> Response:
        """The text, as lines of a stream if the client wants one."""
        last = {"done_reason": "stop", "eval_count": written.words}
        if body.get("stream", True) is False:
            return JSONResponse(self._ollama(content(written.text), **last))
        lines = self._ollama(content(written.text)), self._ollama(content(""), **last)
        return Response(
            "".join(f"{_json(line)}\n" for line in lines), media_type="application/x-ndjson"
        )


def _json(content: Mapping[str, Any]) -> str:
    return bytes(JSONResponse(content).body).decode()


def openai_error(error: HTTPException) -> dict[str, Any]:
    """An error in the format of OpenAI."""
    kind = "server_error" if error.status_code >= 500 else "invalid_request_error"
    return {"message": error.detail, "type": kind, "param": None, "code": None}


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise HTTPException(422, "messages are missing")
    if not all(isinstance(message, dict) for message in messages):
        raise HTTPException(422, "a message is no object")
    return messages


def _openai_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of OpenAI in the format of Ollama."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return {"content": parts, "images": []}
    texts, images = [], []
    for part in parts:
        if not isinstance(part, dict):
            raise HTTPException(422, "a part of a message is no object")
        if part.get("type") == "text" and is_text(part.get("text")):
            texts.append(part["text"])
        elif part.get("type") == "image_url" and isinstance(part.get("image_url"), dict):
            images.append(part["image_url"].get("url"))
        else:
            raise HTTPException(422, "a part of a message is neither text nor image_url")
    return {"content": "\n".join(texts), "images": images}


def _photographs(messages: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """The photographs of the last message that has any."""
    images = next((found for m in reversed([*messages]) if (found := m.get("images"))), None)
    if not isinstance(images, list):
        raise HTTPException(422, "no photograph: send images in base64")
    if len(images) > MOST_PHOTOGRAPHS:
        raise HTTPException(422, f"more than {MOST_PHOTOGRAPHS} photographs")
    if any(isinstance(image, str) and image[:4].lower() == "http" for image in images):
        raise HTTPException(422, "an address, which is not fetched: send a data URL")
    return [content_of(image, "an image") for image in images]
