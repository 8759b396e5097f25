import re
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.data import tokenizer
from captioner.data.tokenizer import has_words, sentence, tokenize

# The results of the Java tokeniser of coco-caption.
TOKENIZED = {
    "A man standing.": "a man standing",
    "A dog , wet and happy , runs .": "a dog wet and happy runs",
    "Two dogs play. A third looks on!": "two dogs play a third looks on",
    "wow... a cat.. sleeps....": "wow a cat sleeps",
    "The man's dog isn't the boys' dog": "the man 's dog is n't the boys dog",
    "they're here, we'll see; I'm not": "they 're here we 'll see i 'm not",
    "It cannot gonna": "it can not gon na",
    'a sign says "stop."': "a sign says stop",
    "a “sign” — the dog’s – reads ‘go’…": "a sign the dog 's reads go",
    "a half-eaten t-shirt -- and/or - a hat": "a half-eaten t-shirt and/or a hat",
    "#5 and # 5, $3, 50% & 3,000 at 5:30": "# 5 and # 5 $ 3 50 % & 3,000 at 5:30",
    "1/2 of a 10th 4x4, number 5.": "1/2 of a 10th 4x4 number 5",
    "at 5 p.m. in the U.S.": "at 5 p.m. in the u.s.",
    "Mr. T and Dr. X on Main St.": "mr. t and dr. x on main st.",
    "A man (left) [x] {y}.": "a man -lrb- left -rrb- -lsb- x -rsb- -lcb- y -rcb-",
    "a man on a.": "a man on a.",
    "what? a  cat!\n": "what a cat",
    " . ": "",
    "": "",
}


@pytest.mark.parametrize("sentence", TOKENIZED)
def test_tokenize(sentence):
    assert tokenize(sentence) == TOKENIZED[sentence].split()


PARTS = [
    *"ab12 .,-?",
    "  ",
    " . ",
    "dog ",
    "st.",
    "u.s",
    "can",
    "not",
    " cannot",
    "gimme",
    "t-shirt",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join))
def test_plain_words_are_what_nltk_makes_of_them(text):
    quick = tokenize(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer, "_PLAIN", re.compile("(?!)"))
        assert quick == tokenize(text)


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_the_tokens_expected_here_are_those_of_java():
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    sentences = [s for s in TOKENIZED if s.strip()]  # it loses count at a last line without words
    theirs = tokenizer.tokenize({s: [{"caption": s}] for s in sentences})
    assert theirs == {s: [TOKENIZED[s]] for s in sentences}


def test_output_reads_as_a_sentence():
    assert sentence("a man 's dog does n't run".split()) == "A man's dog doesn't run."
    assert sentence("a dog , a cat 's hat and a cow".split()) == "A dog, a cat's hat and a cow."
    assert sentence([]) == ""


@pytest.mark.parametrize("text", ["a", "1.", "что?", "狗？", "(b)"])
def test_texts_with_words(text):
    assert has_words(text) and tokenize(text)


@pytest.mark.parametrize("text", ["", " \n", "???", "。！", "..."])
def test_texts_without_words(text):
    assert not has_words(text)
