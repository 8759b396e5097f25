"""Replaces genders that the photograph does not show: "a man" becomes "a person".

Captions of photographs often guess the gender of a person, and a decoder learns to guess too.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from captioner.data.word_lists import FEMALE, MALE

# The probability from which a concept confirms its gender. With a higher one, fewer genders are
# wrong but CIDEr is lower: `captioner evaluate` prints both. Chosen on the dev splits.
CONFIRMS = 0.2
NEUTRAL: Mapping[str, str] = {
    **dict.fromkeys(("man", "woman", "guy", "lady"), "person"),
    **dict.fromkeys(("men", "women", "guys", "ladies"), "people"),
    **dict.fromkeys(("boy", "girl"), "child"),
    **dict.fromkeys(("boys", "girls"), "children"),
    **dict.fromkeys(("his", "her"), "their"),
}


def neutral(words: list[str], concepts: Sequence[str], shown: AbstractSet[str]) -> list[str]:
    """The words of a caption, without a gender that no concept of the photograph confirms.

    A caption with both genders is not changed, because the words distinguish people. Nor is one
    that would contain a word twice.

    Args:
        words: of the caption.
        concepts: all concepts of the model.
        shown: those with a probability above `CONFIRMS`.
    """
    named = [gender for gender in (MALE, FEMALE) if not gender.isdisjoint(words)]
    if len(named) != 1 or named[0].isdisjoint(concepts) or not named[0].isdisjoint(shown):
        return words
    replaced = [NEUTRAL.get(word, word) for word in words]
    people = [word for word in replaced if word in NEUTRAL.values() and word != "their"]
    return replaced if len(set(people)) == len(people) else words


def tables() -> dict[str, Any]:
    """The words of the rule, for `captioner/export/site/gender.js`."""
    return {"genders": [sorted(MALE), sorted(FEMALE)], "neutral": NEUTRAL, "confirms": CONFIRMS}
