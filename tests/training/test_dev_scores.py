"""The scores that choose an epoch."""

from pathlib import Path

import numpy as np
import pytest

from captioner.data.records import Example
from captioner.training.batches import photographs_of
from captioner.training.dev_scores import DevScores


def asked(name, count):
    """Questions whose answer is their number."""
    return [
        Example(Path(f"{name}.jpg"), name, (str(i),), question="which?", question_id=i)
        for i in range(count)
    ]


def test_weights_that_are_no_numbers_are_not_scored(toy):
    model = toy()
    kept = []
    scores = DevScores(model, {}, [], None, keep=lambda *args: kept.append(args))
    model.decoder.embedding.embeddings.assign(model.decoder.embedding.embeddings * float("nan"))
    logs = {"loss": 1.0}
    scores.on_epoch_end(0, logs)
    assert np.isnan(logs["loss"]) and np.isnan(logs["val_score"])
    assert not kept


def test_a_question_counts_as_much_in_a_large_data_set_as_in_a_small_one(toy, monkeypatch):
    data = {"large": asked("large", 8), "small": asked("small", 2)}
    scores = DevScores(toy(), data, photographs_of(data), None)
    said = {e: e.references[0] for e in data["large"]} | {e: "wrong" for e in data["small"]}
    monkeypatch.setattr(scores, "write", lambda: ({}, said))
    logs = {"loss": 1.0}
    scores.on_epoch_end(0, logs)
    assert logs["val_accuracy"] == logs["val_score"] == pytest.approx(0.8)
