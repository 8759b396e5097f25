"""Fits the reranking of candidates to CIDEr, on photographs outside the training data."""

from collections.abc import Sequence

import numpy as np

from captioner.generation.reranking import order

FOLDS = 5
RIDGE = 1.0  # times the variance of a feature; keeps weights small where candidates hardly differ

# Of one photograph, the features `float[K, F]` of its candidates and the CIDEr `float[K]` of each.
Search = tuple[np.ndarray, np.ndarray]


def fit(searches: Sequence[Search]) -> tuple[float, ...]:
    """Weights `float[F]` whose scores differ as CIDEr does between the candidates of a search.

    Least squares on the differences from the mean of the candidates: what all candidates of a
    photograph share decides nothing.

    Args:
        searches: of each photograph.
    """
    inputs = np.concatenate([features - features.mean(0) for features, _ in searches])
    gains = np.concatenate([cider - cider.mean() for _, cider in searches])
    scale = inputs.std(axis=0) + 1e-9
    inputs = inputs / scale
    penalty = RIDGE * len(searches) ** 0.5 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ gains)
    return tuple((weights / scale).tolist())


def gains(searches: Sequence[Search]) -> np.ndarray:
    """The gain `float[N]` in CIDEr of each photograph over the first candidate, out of fold."""
    found = np.empty(len(searches))
    for fold in range(FOLDS):
        weights = fit([search for i, search in enumerate(searches) if i % FOLDS != fold])
        for i in range(fold, len(searches), FOLDS):
            features, cider = searches[i]
            found[i] = cider[order(weights, features)[0]] - cider[0]
    return found
