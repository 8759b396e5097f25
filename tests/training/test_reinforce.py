import numpy as np
import pytest

from captioner.data.vocabulary import END, PAD, START
from captioner.evaluation.caption_metrics import Cider
from captioner.training.batches import Batches, Photograph
from captioner.training.fit import new_optimizer
from captioner.training.recipe import SELF_CRITICAL
from captioner.training.reinforce import (
    Drawn,
    Trainer,
    can_be_judged,
    compile_trainer,
    rewards,
    shares,
)

PHOTOGRAPHS = [
    Photograph("a.jpg", ("the dog runs", "a dog runs"), (), objects=("dog",)),
    Photograph("b.jpg", ("a cat sits", "the cat sits on grass"), (), weight=0.5),
    Photograph("c.jpg", ("red man", "a red man"), (), times=2),
]


def test_the_reward_is_cider_with_the_end_and_more_for_an_object(toy):
    model = toy()
    ids = model.vocabulary.ids
    reward = rewards(model, PHOTOGRAPHS, named=0.7)
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


def test_shares_add_up_to_one():
    tokens = np.array([[[START, 5, PAD], [PAD, PAD, PAD]]])
    np.testing.assert_allclose(shares(tokens, [], "x"), [[[0.5, 0.5, 0], [0, 0, 0]]])
    given = [{"x": np.array([[[1, 3, 1], [1, 1, 1]]])}]
    np.testing.assert_allclose(shares(tokens, given, "x"), [[[0.25, 0.75, 0], [0, 0, 0]]])


@pytest.fixture
def drawn(toy):
    model = toy()
    model.encoder.trainable = False
    features = np.random.default_rng(0).normal(size=(3, model.regions, 12)).astype("float32")
    known = Batches(PHOTOGRAPHS, lambda i, m, r: features[i], "features", model, 2, seed=0)
    reward = rewards(model, PHOTOGRAPHS, named=1.0)
    return Drawn(model, PHOTOGRAPHS, lambda i: features[i], reward, known, SELF_CRITICAL, seed=0)


def test_what_is_drawn_weighs_what_it_is_better_than_the_others(drawn):
    assert len(drawn) == 1 and len(drawn.indices) == 4
    inputs, targets, weights = drawn[0]
    tokens = targets["drawn"]
    assert tokens.shape[:2] == (4, SELF_CRITICAL.samples)
    np.testing.assert_array_equal(inputs["drawn"][..., 0], START)
    np.testing.assert_array_equal(inputs["drawn"][..., 1:], tokens[..., :-1])
    # The advantages of one photograph's captions add up to nothing; padding weighs nothing.
    np.testing.assert_allclose(weights["drawn"][..., 0].sum(1), 0, atol=1e-6)
    assert (weights["drawn"][tokens == PAD] == 0).all() and (weights["drawn"] != 0).any()
    assert weights["captions"].sum() == pytest.approx(SELF_CRITICAL.cross_entropy)
    again = drawn[0][1]["drawn"]
    np.testing.assert_array_equal(tokens, again)


@pytest.mark.slow
def test_rewarded_captions_become_likelier(drawn):
    trainer = Trainer(drawn.model)
    phase = SELF_CRITICAL.__class__(**{**vars(SELF_CRITICAL), "learning_rate": 0.02, "epochs": 20})
    compile_trainer(trainer, new_optimizer(phase, 5), drawn)

    def mean_reward():
        _, targets, _ = drawn[0]
        order = np.random.default_rng((0, drawn.epoch)).permutation(drawn.indices)
        return np.mean(
            [
                drawn.reward(i, [t for t in caption if t != PAD])
                for i, captions in zip(order, targets["drawn"], strict=True)
                for caption in captions
            ]
        )

    before = mean_reward()
    for drawn.epoch in range(60):
        trainer.train_on_batch(*drawn[0])
    assert mean_reward() > 2 * before + 0.5
