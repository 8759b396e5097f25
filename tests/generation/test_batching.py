"""The stream of captions, with a model that needs no Keras."""

import numpy as np
import pytest

from captioner.data.vocabulary import END, SPECIAL, Vocabulary
from captioner.generation import batching
from captioner.generation.batching import BATCH, stream
from captioner.generation.samplers import Beam


class Numbers:
    """Writes the number that it reads."""

    config = calibration = None
    vocabulary = Vocabulary([*SPECIAL, *map(str, range(100))])
    answers, steps, grid = False, 2, (1,)

    def __init__(self):
        self.batches = []

    def search_inputs(self, arrays):
        self.batches.append(len(arrays))
        return {"numbers": np.stack(arrays)}

    def search(self, inputs):
        tokens = [[[len(SPECIAL) + number, END]] for number in inputs["numbers"]]
        zeros = np.zeros((len(tokens), 1, 2))
        return {"tokens": np.array(tokens), "log_probs": zeros, "attention": zeros[..., None]}

    def detokenize(self, words, is_answer):
        return " ".join(words)


def test_an_item_that_cannot_be_read_yields_its_error_in_its_place():
    model, bad = Numbers(), {0, 3, 31, 32, 69}
    errors = {i: ValueError(str(i)) for i in bad}
    items = ((errors.get(i, np.array(i)), [None]) for i in range(70))
    found = list(stream(model, items, sampler=Beam(1)))
    assert model.batches == [BATCH - 3, BATCH - 1, 5]
    for i, result in enumerate(found):
        assert result is errors[i] if i in bad else result[0].text == str(i)


def test_errors_alone_and_nothing_search_nothing():
    model, error = Numbers(), ValueError()
    assert list(stream(model, [(error, [None])], sampler=Beam(1))) == [error]
    assert list(stream(model, [], sampler=Beam(1))) == []
    assert model.batches == []


def test_an_item_may_have_no_questions():
    items = [(np.array(1), []), (np.array(2), [None]), (np.array(3), [])]
    found = list(stream(Numbers(), items, sampler=Beam(1)))
    assert [[caption.text for caption in row] for row in found] == [[], ["2"], []]


def test_a_batch_is_written_before_the_next_one_is_read():
    drawn = []

    def items():
        for i in range(99):
            drawn.append(i)
            yield np.array(i), [None]

    found = stream(Numbers(), items(), sampler=Beam(1))
    assert next(found)[0].text == "0" and len(drawn) == BATCH


@pytest.mark.parametrize(("most", "batches"), [(1, [1, 1, 1]), (2, [2, 1]), (9, [3])])
def test_questions_limit_a_batch(monkeypatch, most, batches):
    monkeypatch.setattr(batching, "GROUPS", most)
    model = Numbers()
    list(stream(model, [(np.array(i), [None]) for i in range(3)], sampler=Beam(1)))
    assert model.batches == batches
