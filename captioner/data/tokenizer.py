"""Converts sentences to words, and words to sentences."""

import functools
import re
from collections.abc import Iterable
from typing import Any

# The import of NLTK takes as long as a caption, and NLTK needs minutes for all captions of COCO.
# Most captions consist of plain words with periods, commas and question marks after them.
_PLAIN = re.compile(r" *(?:(?:[a-z0-9]+(?:-[a-z0-9]+)*[.,?]?|[.,?])(?: +|$))*")
_NO_MARKS = str.maketrans(".,?", "   ")
_PLAIN_WORDS = re.compile(r"[a-z0-9-]+(?: (?:'s|,))*(?: [a-z0-9-]+(?: (?:'s|,))*)*")
# Rare contractions that NLTK splits or joins: "can not", "gon na", "lem me", "more 'n".
_CONTRACTED = frozenset("cannot gimme gonna gotta lemme wanna whatcha whaddya".split())
_CONTRACTIBLE = frozenset("cha dd me n na not ta ya ye".split())
# The list of coco-caption. It contains "-LRB-" in capitals, but the text is in lower case. So
# brackets stay as words ("-lrb-").
_PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
_TYPOGRAPHY = str.maketrans(
    {"“": '"', "”": '"', "‘": " ` ", "’": "'", "–": " -- ", "—": " -- ", "…": " "}
)
_ABBREVIATION = re.compile(
    r"\W*(?:(?:[a-z]\.)+|(?:ave|co|dr|etc|ft|inc|jr|mr|mrs|ms|mt|sr|st|vs)\.)"
)
_LAST_PERIOD = re.compile(r"\.(?=[\"')\]}]*$)")


def tokenize(sentence: str) -> list[str]:
    """Lower-case Penn Treebank tokens without punctuation, as the Java tokeniser of coco-caption.

    Almost all captions of Flickr8k have the same tokens. Differences: "'n'" and "'70s" (Java keeps
    the quotes), "a=b" and "~5" (Java splits), "-word", "?!" and "!!" (words in Java), rare
    abbreviations ("Dec." loses its period here), "½", "¢", "€".

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
    # NLTK separates only the period at the end of the text, even from "u.s."; Java separates it
    # from every word that is no abbreviation. The added period protects the other ones from NLTK.
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
    """The text of words and commas: "a man 's dog" becomes "a man's dog"."""
    words = list(words)
    text = " ".join(words)
    if _PLAIN_WORDS.fullmatch(text) and _CONTRACTIBLE.isdisjoint(words):
        return text.replace(" 's", "'s").replace(" ,", ",")
    from nltk.tokenize import TreebankWordDetokenizer

    return TreebankWordDetokenizer().detokenize(words)


def sentence(words: Iterable[str]) -> str:
    """The `phrase` of words, with a capital and a full stop."""
    text = phrase(words)
    return text[:1].upper() + text[1:] + "." if text else ""
