"""Pictures of the attention: for each word a heat map over the photograph."""

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from captioner.data.images import Source
    from captioner.generation.results import Candidate, Caption

SUFFIXES = (".png", ".jpg", ".jpeg", ".pdf", ".svg", ".gif", ".html")


def check_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a file that `save` can write, in lower case.

    Raises:
        ValueError: an unknown suffix, or none.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{os.fspath(path)}: unknown suffix; use one of {', '.join(SUFFIXES)}")
    return suffix


def save(
    photograph: "Source",
    caption: "Caption | Candidate",
    path: str | os.PathLike[str],
    question: str | None = None,
) -> None:
    """Draw the attention of the words of a caption: a figure, an animation or a page, by suffix.

    Args:
        photograph: as for `open_image`.
        caption: its caption or answer.
        path: the file.
        question: the question of an answer. It becomes part of the title.

    Raises:
        ImageError: the photograph cannot be read.
        ValueError: an unknown suffix.
        OSError: the file cannot be written.
    """
    from captioner.overlay.animation import animation
    from captioner.overlay.figure import figure, picture
    from captioner.overlay.html_page import page

    suffix, title = check_suffix(path), caption.text
    if question is not None:
        # Shortened, in characters that every format can encode.
        question = question.encode("utf-8", "replace").decode("utf-8")
        question = textwrap.shorten(question, 200, placeholder=" …")
        title = f"{question} → {caption.text}"
    if suffix == ".gif":
        Path(path).write_bytes(animation(photograph, caption.words, question))
    elif suffix == ".html":
        Path(path).write_text(page(photograph, caption.words, title), encoding="utf-8")
    else:
        draw = figure if question is None else picture
        draw(photograph, caption.words, title).savefig(path)
