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
    expected, targets = make_batches(records, read)[1]
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    found, said = make_batches(records, read)[1]
    for whole, part in ((found, expected), (said, targets)):
        assert whole.keys() == part.keys()
        for name, array in whole.items():
            assert len(array) == 2, name
            np.testing.assert_array_equal(array[:1], part[name])
    np.testing.assert_array_equal(found["features"][1], found["features"][0])
    for tokens in (found["captions"], found["answers"], said["captions"], said["answers"]):
        assert (tokens[1] == PAD).all() and (tokens[0] != PAD).any()


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
    inputs, targets = make_batches(photographs(5))[0]
    captions = inputs["captions"]
    assert captions.shape == targets["captions"].shape == (2, CAPTIONS, 7)
    np.testing.assert_array_equal(captions[:, :2, 1:], targets["captions"][:, :2, :-1])
    assert (targets["captions"][:, 2:] == PAD).all()  # two captions of five
    assert set(inputs) == {"features", "captions"}  # nothing was asked


def test_more_captions_than_fit_are_drawn_from(make_batches):
    data = make_batches(photographs(5, captions=6))
    drawn = set()
    for epoch in range(10):
        data.epoch = epoch
        drawn |= {tuple(row) for row in data[0][1]["captions"].reshape(-1, 7)}
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
    unasked = 0
    for b in range(len(data)):
        inputs, targets = data[b]
        assert inputs["questions"].shape == (2, QUESTIONS, 5)
        assert inputs["answers"].shape == targets["answers"].shape == (2, QUESTIONS, 2)
        for asked, said in zip(inputs["questions"], targets["answers"], strict=True):
            rows = np.concatenate([asked, said], axis=-1)
            assert not rows[3:].any()  # three questions of six
            assert {tuple(row) for row in rows[:3]} <= expected | {(PAD,) * 7}
            unasked += not rows.any()
    assert unasked == 1


def test_one_answer_of_several_is_learned_at_a_time(make_batches, vocabulary):
    data = make_batches(photographs(2, questions=[("a ?", "dog, cat", "man")]))
    drawn = set()
    for epoch in range(20):
        data.epoch = epoch
        drawn |= set(data[0][1]["answers"][:, 0, 0])
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
        inputs, targets = data[b]
        for i, mirror in enumerate(mirrored):
            rows = targets["captions"][i]
            sides = {(dog in row, left in row, right in row) for row in rows if row.any()}
            assert sides == (
                {(True, False, True), (False, True, False)}
                if mirror
                else {(True, True, False), (False, False, True)}
            )
            assert inputs["questions"][i, 0, 0] == (right if mirror else left)
            assert targets["answers"][i, 0, 0] == (left if mirror else right)
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
