"""Fits the reranking of candidates to CIDEr, on photographs outside the training data."""

from collections.abc import Sequence

import numpy as np

from captioner.generation.reranking import order

FOLDS = 5
RIDGE = 1.0  # relative to the variance of a feature; keeps weights of constant features small

# The features `float[K, F]` and the CIDEr `float[K]` of the candidates for one photograph.
Search = tuple[np.ndarray, np.ndarray]


def fit(searches: Sequence[Search]) -> tuple[float, ...]:
    """Fit weights `float[F]` that predict the differences in CIDEr between candidates.

    Ridge regression on the differences from the mean of the candidates of a photograph.

    Args:
        searches: one per photograph.
    """
    inputs = np.concatenate([features - features.mean(0) for features, _ in searches])
    gains = np.concatenate([cider - cider.mean() for _, cider in searches])
    scale = inputs.std(axis=0) + 1e-9
    inputs = inputs / scale
    penalty = RIDGE * len(searches) ** 0.5 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ gains)
    return tuple((weights / scale).tolist())


def gains(searches: Sequence[Search]) -> np.ndarray:
    """The cross-validated gain in CIDEr over the first candidate, `float[N]`."""
    found = np.empty(len(searches))
    for fold in range(FOLDS):
        weights = fit([search for i, search in enumerate(searches) if i % FOLDS != fold])
        for i in range(fold, len(searches), FOLDS):
            features, cider = searches[i]
            found[i] = cider[order(weights, features)[0]] - cider[0]
    return found
