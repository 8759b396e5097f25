from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from captioner.data.records import Example
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.training.batches import (
    CAPTIONS,
    QUESTIONS,
    Batches,
    Photograph,
    augmented,
    mirrored_words,
    photographs_of,
)

TEXTS = ("a dog on the left", "a cat on the right", "a man", "a dog", "a cat", "the grass")


def photographs(count, captions=2, questions=()):
    asked = tuple(Example("", "", answers, question) for question, *answers in questions)
    return [Photograph(f"{i}.jpg", TEXTS[:captions], asked) for i in range(count)]


def nothing(i, mirror, rng):
    return np.zeros(3)


def written(batch, kind):
    """The sequences of a batch, sorted: the row of the photograph, the question, the tokens."""
    inputs, targets, _ = batch
    found = []
    for name, tokens in targets.items():
        if name.startswith(kind):
            questions = inputs.get(f"{name}_questions", [[]] * len(tokens))
            for row, question, said in zip(inputs[f"{name}_rows"], questions, tokens, strict=True):
                if said.any():
                    found.append((int(row), tuple(question), tuple(said[said != PAD])))
    return sorted(found)


@pytest.fixture
def make_batches(toy):
    model = toy(question_units=8, max_question_words=5)

    def make(records, read=nothing, seed=0):
        return Batches(records, read, "features", model, batch_size=2, seed=seed)

    return make


def test_an_epoch_reads_every_photograph_once(make_batches):
    seen = []

    def read(i, mirror, rng):
        seen.append(i)
        return np.zeros(3)

    data = make_batches(photographs(5), read)
    for b in range(len(data)):
        data[b]
    assert sorted(seen) == [0, 1, 2, 3, 4] and seen != [0, 1, 2, 3, 4]


def test_on_jax_the_last_batch_is_filled_up_with_what_costs_nothing(make_batches, monkeypatch):
    def read(i, mirror, rng):
        return np.array([i + 1])

    records = photographs(3, questions=[("what is it ?", "dog")])
    expected = make_batches(records, read)[1]
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    batch = make_batches(records, read)[1]
    features = expected[0]["features"]
    np.testing.assert_array_equal(batch[0]["features"], [*features, *features])
    assert [len(tokens) for tokens in batch[1].values()] == [2 * CAPTIONS, 2 * QUESTIONS]
    for kind in ("captions", "answers"):
        assert written(batch, kind) == written(expected, kind) != []
    assert sum(w.sum() for w in batch[2].values()) == pytest.approx(2)


def test_batches_depend_on_seed_epoch_and_number_alone(make_batches):
    def read(i, mirror, rng):
        return np.array([i, mirror, rng.uniform()])

    data, again = make_batches(photographs(5), read), make_batches(photographs(5), read)
    again[0]  # what was read before does not matter
    np.testing.assert_array_equal(data[1][0]["features"], again[1][0]["features"])
    again.epoch = 1
    assert not np.array_equal(data[1][0]["features"], again[1][0]["features"])
    other = make_batches(photographs(5), read, seed=1)
    assert not np.array_equal(data[1][0]["features"], other[1][0]["features"])


def test_targets_are_the_inputs_one_step_on(make_batches):
    inputs, targets, weights = batch = make_batches(photographs(5))[0]
    assert [name for name in inputs if "rows" not in name] == ["features", *targets]
    for name, tokens in targets.items():
        assert name.startswith("captions")  # nothing was asked
        words = tokens[:, :-1] * (inputs[name][:, 1:] != PAD)
        np.testing.assert_array_equal(inputs[name][:, 1:], words)
        np.testing.assert_array_equal(weights[name] > 0, tokens != PAD)
    assert sorted(row for row, *_ in written(batch, "captions")) == [0, 0, 1, 1]


def test_more_captions_than_fit_are_drawn_from(make_batches):
    data = make_batches(photographs(5, captions=6))
    drawn = set()
    for epoch in range(10):
        data.epoch = epoch
        drawn |= {tokens for _, _, tokens in written(data[0], "captions")}
    assert len(drawn) >= 6


def test_questions_lie_beside_their_answers(make_batches, vocabulary):
    questions = [("is there a dog ?", "left"), ("the cat sits on ?", "grass"), ("a man ?", "cat")]
    records = photographs(3, questions=questions) + photographs(1)
    data = make_batches(records)
    expected = {
        (*vocabulary.encode_question(question, 5), *vocabulary.encode(answer, 2)[1:])
        for question, answer in questions
    }
    mirror = mirrored_words(vocabulary)
    expected |= {tuple(mirror[list(row)]) for row in expected}
    asked = []
    for b in range(len(data)):
        found = written(data[b], "answers")
        assert {(*question, *tokens) for _, question, tokens in found} <= expected
        asked += [(b, row) for row, *_ in found]
    assert sorted(Counter(asked).values()) == [3, 3, 3]  # one photograph has no question


def test_one_answer_of_several_is_learned_at_a_time(make_batches, vocabulary):
    data = make_batches(photographs(2, questions=[("a ?", "dog, cat", "man")]))
    drawn = set()
    for epoch in range(20):
        data.epoch = epoch
        drawn |= {tokens[0] for _, _, tokens in written(data[0], "answers")}
    assert {vocabulary.words[i] for i in drawn} == {"dog", "cat", "man"}


def test_a_mirrored_photograph_exchanges_left_and_right(make_batches, vocabulary):
    mirrored = []

    def read(i, mirror, rng):
        mirrored.append(mirror)
        return np.zeros(3)

    data = make_batches(photographs(40, questions=[("left ?", "right")]), read)
    left, right, dog = (vocabulary.words.index(word) for word in ("left", "right", "dog"))
    for b in range(len(data)):
        mirrored.clear()
        captions, answers = (written(data[b], kind) for kind in ("captions", "answers"))
        mirrored[:] = mirrored[:2]
        for i, mirror in enumerate(mirrored):
            rows = [tokens for row, _, tokens in captions if row == i]
            sides = {(dog in row, left in row, right in row) for row in rows}
            assert sides == (
                {(True, False, True), (False, True, False)}
                if mirror
                else {(True, True, False), (False, False, True)}
            )
            ((question, answer),) = [(q, a) for row, q, a in answers if row == i]
            assert question[0] == (right if mirror else left)
            assert answer[0] == (left if mirror else right)
    assert mirrored_words(Vocabulary(vocabulary.words[:6])).tolist() == list(range(6))


def test_augmentation_is_light_repeats_and_mirrors(tmp_path):
    path = tmp_path / "half.png"
    image = Image.new("RGB", (80, 60), "black")
    image.paste("white", (40, 0, 80, 60))
    image.save(path)
    plain = augmented(path, 32, False, np.random.default_rng(3))
    again = augmented(path, 32, False, np.random.default_rng(3))
    np.testing.assert_array_equal(plain, again)
    assert plain[:, :8].mean() < 5 and plain[:, -8:].mean() > 150
    turned = augmented(path, 32, True, np.random.default_rng(3))
    np.testing.assert_array_equal(turned, plain[:, ::-1])


def test_a_photograph_is_seen_as_often_as_its_data_set_is_given(make_batches):
    seen = []

    def read(i, mirror, rng):
        seen.append(i)
        return np.zeros(3)

    records = photographs(3)
    records[1] = replace(records[1], times=2)
    data = make_batches(records, read)
    for b in range(len(data)):
        data[b]
    assert sorted(seen) == [0, 1, 1, 2]


def test_what_several_data_sets_say_of_a_photograph_is_joined(tmp_path):
    (tmp_path / "data").mkdir()
    dog, cat = tmp_path / "data" / "dog.jpg", tmp_path / "data" / "cat.jpg"
    other_way = tmp_path / "data" / ".." / "data" / "dog.jpg"
    what = Example(other_way, "dog", ("dog",), "what is it ?")
    where = Example(cat, "cat", ("left",), "where is it ?")
    captioned = Example(dog, "dog", ("a dog", "the dog"))
    data = {"captions": [captioned], "questions": [what, where]}
    assert photographs_of(data) == [
        Photograph(dog, captioned.references, (what,)),
        Photograph(cat, (), (where,)),
    ]
    times = [p.times for p in photographs_of(data, {"captions": 3, "questions": 2})]
    assert times == [3, 2]
