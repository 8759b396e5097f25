import json

import numpy as np
import pytest

from captioner.data.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary


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


def test_a_question_is_its_words_alone(vocabulary):
    dog, cat = (vocabulary.words.index(word) for word in ("dog", "cat"))
    assert vocabulary.encode_question("Dog, zebra, cat?", 5).tolist() == [dog, UNKNOWN, cat, 0, 0]
    assert vocabulary.encode_question("dog dog dog", 2).tolist() == [dog, dog]
    assert vocabulary.encode_question("", 2).tolist() == [PAD, PAD]


@pytest.mark.parametrize(
    "content", [{"<pad>": 0}, "words", 3, None, [*SPECIAL, 7], [*SPECIAL, ["a"]], [*SPECIAL, None]]
)
def test_a_file_that_is_no_list_of_words_is_refused(tmp_path, content):
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="not a list of words"):
        Vocabulary.load(tmp_path / "v.json")
