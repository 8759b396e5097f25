import gzip
import json

import numpy as np
import pytest

from captioner.data.records import DatasetError
from captioner.data.vocabulary import END, PAD, START, UNKNOWN
from captioner.training.texts import (
    EACH,
    GROUPS,
    VERSIONS,
    Text,
    imagined,
    read_texts,
    sentences,
)


@pytest.mark.parametrize("name", ["said.jsonl", "said.jsonl.gz"])
def test_texts_are_read(tmp_path, name):
    lines = [{"captions": ["A cat .", " "], "objects": ["cat"]}, {"captions": ["A dog ."]}, {}]
    lines[2] = {"captions": []}
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert read_texts(tmp_path / name) == [Text(("A cat .",), ("cat",)), Text(("A dog .",))]


def test_questions_are_read_with_their_answers(tmp_path):
    line = {"captions": [], "questions": [{"question": "what ?", "answers": ["cat", "cat"]}]}
    (tmp_path / "said.jsonl").write_text(json.dumps(line))
    assert read_texts(tmp_path / "said.jsonl") == [Text((), (), (("what ?", ("cat", "cat")),))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"captions": ["A dog ."]}\n{"caption": "A cat ."}', "said.jsonl:2: no captions"),
        (b'{"captions": [3]}', "said.jsonl:1: no captions"),
        (b"[" * 5000, "said.jsonl:1: no captions"),
        (b"\xff\xfe", "said.jsonl: cannot be read as text"),
        (b"", "said.jsonl: no captions"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, content, message):
    (tmp_path / "said.jsonl").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_texts(tmp_path / "said.jsonl")


def test_what_is_said_is_mostly_found_and_what_is_not_is_mostly_left_out():
    rng = np.random.default_rng(0)
    shown = (rng.random((200, 40)) < 0.1).astype("float32")
    logits = np.where(shown > 0, 2.0, -4.0) + rng.normal(0, 0.5, shown.shape)
    said = (rng.random((100, 40)) < 0.1).astype("float32")
    ids, found = imagined(said, shown, logits, 8, np.random.default_rng(1))
    assert ids.shape == found.shape == (100, VERSIONS, 8)
    assert (np.diff(found.astype("float32"), axis=-1) <= 0).all()  # the likeliest first
    true = np.take_along_axis(said[:, None].repeat(VERSIONS, 1), ids.astype(int), axis=-1) > 0
    assert true.sum() / (VERSIONS * said.sum()) > 0.8
    assert found[true].mean() > found[~true].mean() + 2
    again, _ = imagined(said, shown, logits, 8, np.random.default_rng(1))
    np.testing.assert_array_equal(ids, again)


def test_a_batch_of_sentences(toy):
    model = toy(concepts=("dog", "cat", "grass"), concept_slots=2, caption_words=10)
    found = np.array([[[0, 2]] * VERSIONS, [[1, 0]] * VERSIONS]), np.zeros((2, VERSIONS, 2))
    texts = [Text(("the dog runs",)), Text(("a cat sits", "left"))]
    drawn, kinds = sentences(texts, model, found).batch(np.random.default_rng(0))
    assert drawn["concepts"].shape == drawn["logits"].shape == (GROUPS, 2)
    words = model.vocabulary.words
    ((name, captions, steps, most),) = kinds  # nothing was asked
    assert (name, steps, most) == ("texts", model.steps, GROUPS * EACH)
    assert {caption.row for caption in captions} == set(range(GROUPS))
    for caption in captions:
        tokens, concepts = caption.tokens, drawn["concepts"][caption.row]
        dog = words.index("dog") in tokens
        known = {"dog", "grass"} if dog else {"cat", "dog"}
        assert {words[i] for i in concepts if i != PAD} <= known
        if not dog:  # "left" is no word for captions here
            assert tokens[1] in (words.index("a"), UNKNOWN)
        assert tokens[0] == START and END in tokens
    assert 0 < (drawn["concepts"] == PAD).mean() < 0.3


def test_questions_of_texts_are_learned_with_the_same_concepts(toy):
    model = toy(concepts=("dog", "cat", "grass"), concept_slots=2, question_units=8)
    found = np.array([[[0, 2]] * VERSIONS, [[1, 0]] * VERSIONS]), np.zeros((2, VERSIONS, 2))
    texts = [
        Text(("the dog runs",)),
        Text((), ("cat",), (("what sits ?", ("Cat.", "cat", "man")), ("who ?", ("zebra",)))),
    ]
    _, kinds = sentences(texts, model, found).batch(np.random.default_rng(0))
    (_, captions, *_), (name, answers, steps, _) = kinds
    words = model.vocabulary.words
    assert name == "text_answers" and steps == 5
    # Answers of a single person and questions without a known answer are left out.
    assert {model.vocabulary.decode(a.tokens[1:])[0] for a in answers} == {"cat"}
    assert all(words.index("sits") in a.question for a in answers)
    assert not {a.row for a in answers} & {c.row for c in captions}
