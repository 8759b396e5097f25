"""English text of the words that a captioner writes: articles that agree, and commas in lists.

The search chooses an article before it knows the next word, and the vocabulary has no commas. A
rule acts only where it is safe; `benchmarks/prose.py` counts its effect on sentences by people.
"""

import re
from collections.abc import Sequence
from typing import Any

from captioner.data.function_words import CANNOT_END
from captioner.data.tokenizer import phrase, sentence

# `tables` passes the regular expressions to JavaScript, so they use the common syntax.
_ARTICLES = frozenset(["a", "an"])
_VOWEL_SOUND = re.compile(
    r"[aeiou]|8|1[18](?![0-9])|[fhlmnrsx](?![a-z])|hour|honest|heir|(?:suv|rv|lcd|hd|mp3|xbox)s?$"
)
_CONSONANT_SOUND = re.compile(
    r"u(?![a-z])|ups?$|us$|us[aeu]|uni(?![dmn])|ut[ei]|uk|ur[in]|eu|ewe|one(?![a-z])|once"
)
_HISTORIC = re.compile("histor")  # "a historic" and "an historic" are both written

_COLOURS = frozenset("red white blue green yellow black orange pink purple brown gray grey".split())
_BEFORE_NOUNS = _COLOURS | frozenset("small large big little old wooden".split())
_DETERMINERS = frozenset("a an some two three".split())
# Words of one kind that stand side by side in a list, or else in one of `_COMPOUNDS`. The first are
# the colours, the others are things.
_KINDS = (
    _COLOURS,
    *(
        frozenset(kind.split())
        for kind in (
            "sink sinks toilet toilets shower tub bathtub bidet urinal mirror",
            "stove oven refrigerator fridge microwave dishwasher sink cabinets",
            "couch couches sofa chair chairs table tables bed desk dresser lamp lamps tv "
            "television fireplace bookshelf rug",
            "laptop keyboard monitor monitors mouse phone cellphone printer speakers",
            "fork forks knife knives spoon spoons plate plates bowl bowls cup cups napkin napkins",
            "broccoli carrots potatoes tomatoes onions mushrooms peppers lettuce cucumbers "
            "cauliflower beans peas celery rice meat vegetables bread eggs bacon",
            "apples oranges bananas grapes strawberries pears lemons limes",
            "cows sheep dogs cats horses zebras giraffes goats elephants birds ducks",
            "cars trucks buses motorcycles bicycles bikes",
            "batter catcher umpire",
        )
    ),
)
_COMPOUNDS = frozenset(
    [
        ("microwave", "oven"),
        ("desk", "chair"),
        ("desk", "chairs"),
        ("desk", "lamp"),
        ("desk", "lamps"),
        ("table", "lamp"),
        ("table", "lamps"),
        ("laptop", "keyboard"),
    ]
)


def text_of(words: Sequence[str], is_answer: bool) -> str:
    """The text of words: an answer if `is_answer`, else a sentence."""
    words = with_articles(words)
    return phrase(words) if is_answer else sentence(with_commas(words))


def with_articles(words: Sequence[str]) -> list[str]:
    """The words, with "an" before a vowel that is heard, and "a" before a consonant.

    Examples:
        >>> with_articles("a umbrella and an uniform".split())
        ['an', 'umbrella', 'and', 'a', 'uniform']
    """
    return [
        _article(word, after) if word in _ARTICLES else word
        for word, after in zip(words, [*words[1:], ""], strict=False)
    ]


def _article(word: str, after: str) -> str:
    if not after or after in CANNOT_END or _HISTORIC.match(after):
        return word
    heard = _VOWEL_SOUND.match(after) and not _CONSONANT_SOUND.match(after)
    return "an" if heard else "a"


def with_commas(words: Sequence[str]) -> list[str]:
    """The words, with commas between the items of lists of known things, or of colours.

    A list has three items or more and "and" before the last. An item is a noun, perhaps with an
    article and a colour or size. Two nouns side by side are two items if they are of one kind.

    Examples:
        >>> with_commas("a stove sink and a fridge".split())
        ['a', 'stove', ',', 'sink', 'and', 'a', 'fridge']
    """
    after: set[int] = set()  # numbers of the words that a comma follows
    for number, word in enumerate(words):
        if word == "and" and number and _begins_item(words, number + 1, words[number - 1]):
            after |= _commas_before(words, number)
    written: list[str] = []
    for number, word in enumerate(words):
        written += [word, ","] if number in after else [word]
    return written


def _begins_item(words: Sequence[str], start: int, other: str) -> bool:
    """Whether another item of a list begins at `start`."""
    while start < len(words) and words[start] in _DETERMINERS:
        start += 1
    if other in _COLOURS:
        return start < len(words) and words[start] in _COLOURS
    while start < len(words) and words[start] in _BEFORE_NOUNS:
        start += 1
    return start < len(words) and _is_thing(words[start])


def _commas_before(words: Sequence[str], end: int) -> set[int]:
    """The places of commas in a list whose last item but one ends before `end`."""
    after: set[int] = set()
    while end > 1:
        noun = start = end - 1
        colour = words[noun] in _COLOURS
        while not colour and start and words[start - 1] in _BEFORE_NOUNS:
            start -= 1
        marked = bool(start) and words[start - 1] in _DETERMINERS
        start -= marked
        before = words[start - 1] if start else ""
        if marked and not colour:
            listed = _is_thing(words[noun]) and _is_thing(before)
        else:
            listed = start == noun and _of_a_kind(before, words[noun])
        if not listed:
            break
        end = start
        after.add(end - 1)
    return after


def _is_thing(word: str) -> bool:
    return any(word in kind for kind in _KINDS[1:])


def _of_a_kind(one: str, other: str) -> bool:
    alike = one != other and any(one in kind and other in kind for kind in _KINDS)
    return alike and (one, other) not in _COMPOUNDS


def tables() -> dict[str, Any]:
    """The words and regular expressions of the rules, for `captioner/export/site/prose.js`."""
    return {
        "articles": sorted(_ARTICLES),
        "vowelSound": _VOWEL_SOUND.pattern,
        "consonantSound": _CONSONANT_SOUND.pattern,
        "historic": _HISTORIC.pattern,
        "cannotEnd": sorted(CANNOT_END),
        "colours": sorted(_COLOURS),
        "beforeNouns": sorted(_BEFORE_NOUNS),
        "determiners": sorted(_DETERMINERS),
        "kinds": [sorted(kind) for kind in _KINDS],
        "compounds": sorted(map(" ".join, _COMPOUNDS)),
    }
