"""Sentences <-> words."""

import functools
import re
from collections.abc import Iterable
from typing import Any

# NLTK is imported where it is needed: that takes as long as to caption a photograph, and all
# captions of COCO take it minutes. Most hold nothing but plain words, and periods, commas and
# question marks after them.
_PLAIN = re.compile(r" *(?:(?:[a-z0-9]+(?:-[a-z0-9]+)*[.,?]?|[.,?])(?: +|$))*")
_NO_MARKS = str.maketrans(".,?", "   ")
_PLAIN_WORDS = re.compile(r"[a-z0-9-]+(?: (?:'s|,))*(?: [a-z0-9-]+(?: (?:'s|,))*)*")
# Rare contractions that NLTK splits or joins: "can not", "gon na", "lem me", "more 'n".
_CONTRACTED = frozenset("cannot gimme gonna gotta lemme wanna whatcha whaddya".split())
_CONTRACTIBLE = frozenset("cha dd me n na not ta ya ye".split())
# coco-caption's list. It has "-LRB-" in capitals and lowers the text before it looks, so brackets
# of every kind stay in as words ("-lrb-"): kept so.
_PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
_TYPOGRAPHY = str.maketrans(
    {"“": '"', "”": '"', "‘": " ` ", "’": "'", "–": " -- ", "—": " -- ", "…": " "}
)
_ABBREVIATION = re.compile(
    r"\W*(?:(?:[a-z]\.)+|(?:ave|co|dr|etc|ft|inc|jr|mr|mrs|ms|mt|sr|st|vs)\.)"
)
_LAST_PERIOD = re.compile(r"\.(?=[\"')\]}]*$)")


def tokenize(sentence: str) -> list[str]:
    """Lower-case Penn Treebank tokens without punctuation, as coco-caption's Java tokeniser.

    All but a few of Flickr8k's captions come out the same. What differs: "'n'" and "'70s" (Java
    keeps the quotes), "a=b" and "~5" (Java splits), "-word", "?!" and "!!" (to Java a word),
    rarer abbreviations ("Dec." loses its period here), "½", "¢", "€".

    Examples:
        >>> tokenize("A man's dog, wet (again), doesn't sit.")
        ['a', 'man', "'s", 'dog', 'wet', '-lrb-', 'again', '-rrb-', 'does', "n't", 'sit']
    """
    text = sentence.lower()
    if _PLAIN.fullmatch(text):
        words = text.translate(_NO_MARKS).split()
        contracted = not _CONTRACTED.isdisjoint(" ".join(words).replace("-", " ").split())
        abbreviated = "." in text and any(map(_ABBREVIATION.fullmatch, text.split()))
        if not (contracted or abbreviated):
            return words
    text = re.sub(r"\.{2,}", " ", text.translate(_TYPOGRAPHY))
    # NLTK takes a period off the end of the text only, and then even from "u.s."; Java takes it off
    # every word that is no abbreviation. The period added last keeps NLTK from touching the others.
    separated = (
        word if _ABBREVIATION.fullmatch(word) else _LAST_PERIOD.sub(" . ", word)
        for word in text.split()
    )
    tokens = _word_tokenizer().tokenize(" ".join(separated) + " .", convert_parentheses=True)
    return [token for token in map(str.lower, tokens) if token not in _PUNCTUATION]


@functools.cache
def _word_tokenizer() -> Any:
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()


def has_words(text: str) -> bool:
    """Whether a text contains more than punctuation."""
    return any(map(str.isalnum, text))


def phrase(words: Iterable[str]) -> str:
    """Words and commas joined as they are written: "a man 's dog" becomes "a man's dog"."""
    words = list(words)
    text = " ".join(words)
    if _PLAIN_WORDS.fullmatch(text) and _CONTRACTIBLE.isdisjoint(words):
        return text.replace(" 's", "'s").replace(" ,", ",")
    from nltk.tokenize import TreebankWordDetokenizer

    return TreebankWordDetokenizer().detokenize(words)


def sentence(words: Iterable[str]) -> str:
    """Words as a written sentence: joined, with a capital and a full stop."""
    text = phrase(words)
    return text[:1].upper() + text[1:] + "." if text else ""
