"""The page, and its JSON."""

import json
from pathlib import Path, PurePath
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from captioner.data.images import Source, open_image, small_jpeg
from captioner.data.limits import Limits
from captioner.export.page_files import EXAMPLE, INDEX, SITE, about, shared_files
from captioner.generation.model import CaptionModel
from captioner.generation.results import Candidate, Caption
from captioner.overlay.html_page import SIDE

HERE = Path(__file__).parent
OWN = ("captioner.js", "service-worker.js", "openapi.json")
PRIVACY = "The computer that serves this page sees it, and does not keep it."
FOOTER = '. Programs use its <a href="openapi.json">JSON interface</a>.'
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
}
# No content from other servers and no inline code, so that code in a photograph or a question
# cannot run.
SECURITY = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def routes(model: CaptionModel) -> list[Route]:
    """The paths of the page and its files.

    Args:
        model: the model.
    """
    files = shared_files(PRIVACY, FOOTER)
    files |= {name: HERE.joinpath(name).read_text(encoding="utf-8") for name in OWN}
    files["about.json"] = json.dumps(about(model))

    def show_example(request: Request) -> Response:
        return FileResponse(SITE / EXAMPLE, headers=SECURITY)

    return [
        *(_route(name, content) for name, content in files.items()),
        Route(f"/{EXAMPLE}", show_example),
    ]


def view_of(caption: Caption) -> dict[str, Any]:
    """A caption as JSON for the page: a `Caption` of `captioner/export/site/captioner.js`."""
    return {
        **_candidate(Candidate(caption.text, caption.score, caption.words)),
        "candidates": [_candidate(candidate) for candidate in caption.candidates],
        "confidence": caption.confidence,
        "concepts": [concept._asdict() for concept in caption.concepts],
    }


def picture_of(photograph: Source, limits: Limits) -> bytes:
    """An upright photograph as a JPEG of at most 1000 pixels.

    Raises:
        ImageError: see `open_image`.
    """
    return small_jpeg(open_image(photograph, SIDE, limits), SIDE).getvalue()


def _candidate(candidate: Candidate) -> dict[str, Any]:
    words = [
        {
            "word": word.word,
            "probability": word.probability,
            "attention": word.attention.ravel().tolist(),
        }
        for word in candidate.words
    ]
    return {"text": candidate.text, "score": candidate.score, "words": words}


def _route(name: str, content: str) -> Route:
    def get(request: Request) -> Response:
        return Response(content, headers=SECURITY, media_type=TYPES[PurePath(name).suffix])

    return Route("/" if name == INDEX else f"/{name}", get)
