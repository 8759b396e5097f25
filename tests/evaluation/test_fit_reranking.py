import numpy as np

from captioner.evaluation.fit_reranking import fit, gains


def searches(count, noise):
    """Candidates whose CIDEr is a feature, beside what all candidates of a photograph share."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        features = rng.normal(size=(4, 3)) + 10 * rng.normal(size=3)
        cider = 2 * features[:, 1] + noise * rng.normal(size=4)
        found.append((features, cider))
    return found


def test_the_weights_are_those_of_what_decides():
    weights = np.array(fit(searches(400, noise=0.1)))
    assert abs(weights[1] / np.abs(weights).sum()) > 0.95 and weights[1] > 0


def test_gains_are_measured_out_of_fold():
    known = gains(searches(200, noise=0.1))
    assert known.shape == (200,) and known.mean() > 1
    rng = np.random.default_rng(1)
    chance = [(rng.normal(size=(4, 9)), rng.normal(size=4)) for _ in range(200)]
    assert abs(gains(chance).mean()) < 0.3  # 0 but for chance, whose standard error is 0.1
