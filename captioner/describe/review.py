"""Automatic review of alternative texts."""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence

from nltk.stem import PorterStemmer

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize

MIN_CONFIDENCE = 0.4  # of a caption for comparison with a text
LONGEST = 150  # characters, because screen readers cannot pause within a text
COMPARABLE = 2  # minimum of known words in a text
_stem = functools.cache(PorterStemmer().stem)
_FILE_NAME = re.compile(
    r"\S*\.(?:jpe?g|png|gif|webp|avif|heic|tiff?|bmp|svg)|(?:img|dsc|dscn|pxl)[-_]?\d\S*", re.I
)
_DECORATION = re.compile(r"(?:a )?(?:decoration|decorative(?: image)?|spacer)\.?", re.I)
_KIND = re.compile(
    r"(?:an? |the )?(?:image|picture|photo|photograph|graphic) (?:of|showing)\b", re.I
)


class Reviewer:
    """Finds faults of alternative texts.

    Args:
        vocabulary: the words of the model.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._known = set(map(_stem, vocabulary))

    def faults(self, text: str | None, seen: Sequence[str]) -> Iterator[str]:
        """The faults of the text of an image, each with its remedy.

        Args:
            text: the alternative text, or None.
            seen: captions and concepts of the photograph, best first; empty if unknown or unsure.
        """
        perhaps = f'; perhaps "{seen[0]}"' if seen else ""
        if text is None:
            yield f"no alternative text{perhaps}"
            return
        if _FILE_NAME.fullmatch(text):
            yield f'"{text}" is the name of a file; describe the image{perhaps}'
            return
        if _DECORATION.fullmatch(text):
            yield f'"{text}" is read aloud; give decoration an empty text'
            return
        kind = _KIND.match(text)
        if kind:
            yield f'begins with "{kind[0]}", which screen readers say already; leave it out'
        if len(text) > LONGEST:
            yield f"{len(text)} characters; give at most {LONGEST}, and the rest in the page"
        words = _content(text[kind.end() :] if kind else text)
        if seen and len(words & self._known) >= COMPARABLE and not words & _content(*seen):
            yield f'"{text}" has nothing in common with the photograph; perhaps "{seen[0]}"'


def _content(*texts: str) -> set[str]:
    """The stems of the content words."""
    words = {word for text in texts for word in tokenize(text)} - FUNCTION_WORDS
    return {_stem(word) for word in words if word.isalpha() and len(word) > 2}
