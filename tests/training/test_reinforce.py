from dataclasses import replace

import numpy as np
import pytest

from captioner.data.vocabulary import END, PAD, START
from captioner.evaluation.caption_metrics import Cider
from captioner.training.batches import Batches, Photograph
from captioner.training.fit import compile_model, new_optimizer
from captioner.training.recipe import SELF_CRITICAL
from captioner.training.reinforce import (
    SampledBatches,
    Trainer,
    can_be_judged,
    rewards,
)

PHOTOGRAPHS = [
    Photograph("a.jpg", ("the dog runs", "a dog runs"), (), objects=("dog",)),
    Photograph("b.jpg", ("a cat sits", "the cat sits on grass"), (), weight=0.5),
    Photograph("c.jpg", ("red man", "a red man"), (), times=2),
]


def test_the_reward_is_cider_with_the_end_and_more_for_an_object(toy):
    model = toy()
    ids = model.vocabulary.ids
    reward = rewards(model, PHOTOGRAPHS, object_reward=0.7)
    cider = Cider([[[*ids(c), END] for c in p.captions] for p in PHOTOGRAPHS])
    runs = [*ids("the dog runs"), END]
    assert reward(0, runs) == pytest.approx(cider.score(runs, 0) + 0.7)
    assert reward(0, runs) > reward(0, runs[:-1]) > reward(0, ids("the dog"))
    sits = [*ids("a cat sits"), END]
    assert reward(1, sits) == pytest.approx(0.5 * cider.score(sits, 1))
    assert reward(2, sits) == cider.score(sits, 2) < 1


def test_who_can_be_judged():
    photographs = [
        Photograph("a", ("one", "two"), ()),
        Photograph("b", ("one",), ()),
        Photograph("c", ("one",), (), objects=("dog",)),
        Photograph("d", (), (), objects=("dog",)),
    ]
    assert [can_be_judged(p) for p in photographs] == [True, False, True, False]


@pytest.fixture
def drawn(toy):
    model = toy()
    model.encoder.trainable = False
    features = np.random.default_rng(0).normal(size=(3, model.regions, 12)).astype("float32")
    known = Batches(PHOTOGRAPHS, lambda i, m, r: features[i], "features", model, 2, seed=0)
    reward = rewards(model, PHOTOGRAPHS, object_reward=1.0)
    return SampledBatches(
        model, PHOTOGRAPHS, lambda i: features[i], reward, known, SELF_CRITICAL, seed=0
    )


def test_what_is_drawn_weighs_what_it_is_better_than_the_others(drawn):
    assert len(drawn) == 1 and len(drawn.indices) == 4
    inputs, targets, weights = drawn[0]
    names = [name for name in targets if name.startswith("sampled")]
    rows = np.concatenate([inputs[f"{name}_rows"] for name in names])
    gains = np.concatenate([weights[name][:, 0] for name in names])
    for name in names:
        assert (inputs[name][:, 0] == START).all() or not targets[name].any()
        assert (weights[name][targets[name] == PAD] == 0).all()
    # The advantages of one photograph's captions add up to nothing.
    np.testing.assert_allclose([gains[rows == i].sum() for i in range(4)], 0, atol=1e-6)
    assert (gains != 0).sum() > SELF_CRITICAL.samples
    known = sum(w.sum() for name, w in weights.items() if name.startswith("captions"))
    assert known == pytest.approx(SELF_CRITICAL.cross_entropy)
    again = drawn[0][1]
    for name in names:
        np.testing.assert_array_equal(targets[name], again[name])


def test_short_epochs_go_on_through_the_photographs(drawn, monkeypatch):
    monkeypatch.setattr("captioner.training.reinforce.BATCH", 1)
    drawn.phase = replace(drawn.phase, share=0.5)
    assert (len(drawn), drawn.batches) == (2, 4)
    seen = []
    for drawn.epoch in range(2):
        seen += [int(drawn.rows(index)[0]) for index in range(len(drawn))]
    assert sorted(seen) == sorted(drawn.indices)


@pytest.mark.slow
def test_rewarded_captions_become_likelier(drawn):
    trainer = Trainer(drawn.model, SELF_CRITICAL.cross_entropy)
    phase = SELF_CRITICAL.__class__(**{**vars(SELF_CRITICAL), "learning_rate": 0.02, "epochs": 20})
    compile_model(trainer, new_optimizer(phase, 5), drawn[0][1])

    def mean_reward():
        inputs, targets, _ = drawn[0]
        order = drawn.rows(0)
        return np.mean(
            [
                drawn.reward(order[row], caption[caption != PAD])
                for name, captions in targets.items()
                if name.startswith("sampled")
                for row, caption in zip(inputs[f"{name}_rows"], captions, strict=True)
                if caption.any()
            ]
        )

    before = mean_reward()
    for drawn.epoch in range(60):
        trainer.train_on_batch(*drawn[0])
    assert mean_reward() > 2 * before + 0.5
