"""Intervals of scores whose errors are known."""

import functools

import numpy as np
import pytest

from captioner.evaluation.caption_metrics import bleu_counts, bleu_of_counts
from captioner.evaluation.intervals import RESAMPLES, Bootstrap, Measure


def normal(count, seed=0, mean=0.0):
    return dict(enumerate(np.random.default_rng(seed).normal(mean, 1, count)))


def test_the_interval_of_a_mean_is_two_standard_errors_wide_on_either_side():
    values = normal(400)
    low, high = Bootstrap({i: i for i in values}).interval(Measure.mean(values))
    error = np.std(list(values.values())) / 20
    middle = Measure.mean(values).value
    assert low == pytest.approx(middle - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(middle + 1.96 * error, abs=0.2 * error)


def test_it_is_the_same_every_time():
    values = normal(50)
    first, second = (Bootstrap({i: i for i in values}) for _ in range(2))
    assert first.interval(Measure.mean(values)) == second.interval(Measure.mean(values))


def test_the_questions_about_a_photograph_are_drawn_together():
    """Ten answers that are right or wrong together tell no more than one."""
    right = np.random.default_rng(0).random(40) < 0.5
    one = Bootstrap({i: i for i in range(40)}).interval(Measure.mean(dict(enumerate(right))))
    photographs = {(i, question): i for i in range(40) for question in range(10)}
    bootstrap = Bootstrap(photographs)
    assert bootstrap.count == 40
    ten = bootstrap.interval(Measure.mean({i: right[i[0]] for i in photographs}))
    assert ten == pytest.approx(one)


def test_a_photograph_of_many_questions_weighs_more():
    rows = {("a", 1): (1.0, 1.0), ("a", 2): (1.0, 1.0), ("b", 1): (0.0, 1.0)}
    low, high = Bootstrap({i: i[0] for i in rows}).interval(Measure(rows))
    assert Measure(rows).value == pytest.approx(2 / 3)
    assert (low, high) == (0, 1)


def test_a_paired_difference_is_surer_than_two_intervals():
    values = normal(100)
    better = {i: value + 0.1 for i, value in values.items()}
    bootstrap = Bootstrap({i: i for i in values})
    low, high = bootstrap.difference(Measure.mean(better), Measure.mean(values))
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)
    assert bootstrap.interval(Measure.mean(better))[0] < Measure.mean(values).value


def test_bleu_is_resampled_as_counts():
    """Against the loop that one would write: the BLEU of each drawn corpus."""
    rng = np.random.default_rng(1)
    words = list("abcdef")
    texts = [[list(rng.choice(words, 8)) for _ in range(3)] for _ in range(12)]
    counts = {i: bleu_counts(said, references) for i, (said, *references) in enumerate(texts)}
    measure = Measure(counts, functools.partial(bleu_of_counts, order=2))
    bootstrap = Bootstrap({i: i for i in counts})
    drawn = []
    for times in np.random.default_rng(0).multinomial(12, [1 / 12] * 12, RESAMPLES):
        sums = sum(n * np.array(counts[i], float) for i, n in enumerate(times))
        drawn.append(bleu_of_counts(sums, 2))
    assert bootstrap.interval(measure) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_resamples_without_a_question_of_a_kind_do_not_count():
    photographs = {1: "a", 2: "b", 3: "c"}
    assert Bootstrap(photographs).interval(Measure.mean({1: 0.5})) == (0.5, 0.5)
