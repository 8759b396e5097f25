import json
import shutil

import numpy as np
import pytest

from captioner.data.tokenizer import has_words, sentence, tokenize
from captioner.data.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary

# What coco-caption's Java tokeniser makes of each.
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


@pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
def test_the_tokens_expected_here_are_those_of_java():
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    sentences = [s for s in TOKENIZED if s.strip()]  # it loses count at a last line without words
    theirs = tokenizer.tokenize({s: [{"caption": s}] for s in sentences})
    assert theirs == {s: [TOKENIZED[s]] for s in sentences}


def test_words_seen_often_enough_are_kept_most_frequent_first():
    vocabulary = Vocabulary.from_sentences(["b a .", "A b, a", "c"], min_count=2)
    assert vocabulary.words == [*SPECIAL, "a", "b"]


def test_ties_do_not_depend_on_the_order_of_reading():
    one = Vocabulary.from_sentences(["dog cat bird"], min_count=1)
    other = Vocabulary.from_sentences(["bird dog cat"], min_count=1)
    assert one == other


def test_encode_frames_and_pads(vocabulary):
    dog = vocabulary.words.index("dog")
    a = vocabulary.words.index("a")
    row = vocabulary.encode("A dog.", 5)
    assert row.tolist() == [START, a, dog, END, PAD, PAD]


def test_unseen_words_become_unknown_and_never_raise(vocabulary):
    assert vocabulary.encode("a Zebra собака 狗", 6).tolist()[2:5] == [UNKNOWN] * 3


def test_a_long_sentence_is_cut_without_an_end(vocabulary):
    row = vocabulary.encode("a dog sits on the grass", 4)
    assert row.shape == (5,) and END not in row
    assert vocabulary.decode(row[1:]) == ["a", "dog", "sits", "on"]


def test_decode_stops_at_the_end_token(vocabulary):
    a = vocabulary.words.index("a")
    assert vocabulary.decode(np.array([a, a, END, a, PAD])) == ["a", "a"]


def test_stored_as_a_json_list(vocabulary, tmp_path):
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    assert json.loads(path.read_text())[4] == "a"
    assert Vocabulary.load(path) == vocabulary


@pytest.mark.parametrize("words", [["a", "b"], [*SPECIAL, "a", "a"]])
def test_a_list_that_is_no_vocabulary_is_refused(words):
    with pytest.raises(ValueError, match="vocabulary"):
        Vocabulary(words)


def test_output_reads_as_a_sentence():
    assert sentence("a man 's dog does n't run".split()) == "A man's dog doesn't run."
    assert sentence([]) == ""


def test_a_question_is_its_words_alone(vocabulary):
    dog, cat = (vocabulary.words.index(word) for word in ("dog", "cat"))
    assert vocabulary.encode_question("Dog, zebra, cat?", 5).tolist() == [dog, UNKNOWN, cat, 0, 0]
    assert vocabulary.encode_question("dog dog dog", 2).tolist() == [dog, dog]
    assert vocabulary.encode_question("", 2).tolist() == [PAD, PAD]


@pytest.mark.parametrize("text", ["a", "1.", "что?", "狗？", "(b)"])
def test_texts_with_words(text):
    assert has_words(text) and tokenize(text)


@pytest.mark.parametrize("text", ["", " \n", "???", "。！", "..."])
def test_texts_without_words(text):
    assert not has_words(text)
