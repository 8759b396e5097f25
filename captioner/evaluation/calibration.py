"""How sure the model may be: its confidence, fitted to what was right, and how far that is off.

A caption counts as right here if two thirds of what it says is said by people as well: of its words
that are no function words, as many are in a reference, be it in the singular or in the plural. An
answer is right if it is one of the references.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from captioner import presets
from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.readers import load_dataset
from captioner.data.records import Example
from captioner.data.tokenizer import tokenize
from captioner.evaluation.evaluate import by_photograph, each, write
from captioner.generation.confidence import Calibration, features
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner

BINS = 10
FOLDS = 5
RIGHT = 2 / 3  # of the words of a caption
RIDGE = 1e-3  # keeps the weights finite where all is right, or all wrong


def is_right(caption: Caption, example: Example) -> bool:
    """Whether a caption or an answer is right, in the sense above."""
    if example.question is not None:
        return tokenize(caption.text) in [tokenize(answer) for answer in example.references]
    said = [word for word in tokenize(caption.text) if word not in FUNCTION_WORDS]
    words = {word for reference in example.references for word in tokenize(reference)}
    agreed = [word for word in said if {word, f"{word}s", word.removesuffix("s")} & words]
    return len(agreed) >= RIGHT * len(said)


def fit(inputs: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The weights `float[F]` of a logistic regression, by Newton's method.

    Args:
        inputs: `float[N, F]`.
        right: `bool[N]`.
    """
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (p - right) + RIDGE * weights
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def out_of_fold(inputs: np.ndarray, right: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Confidences `float[N]`, each by weights that were fitted to the other groups.

    Args:
        inputs: `float[N, F]`.
        right: `bool[N]`.
        groups: `int[N]`, what belongs together, as the questions about a photograph do.
    """
    found = np.empty(len(inputs))
    for fold in range(FOLDS):
        held = groups % FOLDS == fold
        found[held] = 1 / (1 + np.exp(-inputs[held] @ fit(inputs[~held], right[~held])))
    return found


Bins = Sequence[tuple[float, float, int]]


def bins(confidence: np.ndarray, right: np.ndarray) -> Bins:
    """Of each of `BINS` bins of equal width that holds any: the mean confidence, the share that is
    right, and how many there are."""
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [which == number for number in range(BINS)]
    return [
        (float(confidence[m].mean()), float(right[m].mean()), int(m.sum()))
        for m in members
        if m.any()
    ]


def expected_calibration_error(found: Bins) -> float:
    """The mean distance of confidence and share, weighed by the bins' sizes (Guo et al., 2017)."""
    total = sum(count for _, _, count in found)
    return sum(abs(c - share) * count for c, share, count in found) / total


def reliability_diagram(found: Mapping[str, Bins]) -> Figure:
    """The share that is right against the confidence: a diagonal where it can be trusted.

    Args:
        found: the `bins` of each task; beside each point stands how many there are.
    """
    figure = Figure(figsize=(4 * len(found), 4), layout="constrained")
    for axes, (task, points) in zip(
        figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True
    ):
        means, shares, _ = zip(*points, strict=True)
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
        axes.plot(means, shares, marker="o")
        for mean, share, count in points:
            axes.annotate(str(count), (mean, share), textcoords="offset points", xytext=(6, -10))
        axes.set(xlim=(0, 1), ylim=(0, 1), title=task, xlabel="confidence")
        axes.set_ylabel("share that is right")
    return figure


def calibrate(
    weights: str | PathLike[str], datasets: Sequence[tuple[str, str | PathLike[str]]], split: str
) -> list[dict[str, Any]]:
    """Fit the confidence of a preset to splits of data sets, and write it into the preset.

    Args:
        weights: a preset by name or folder.
        datasets: pairs of the name of a reader and the folder of the data set; those with questions
            calibrate answers, the others captions.
        split: which the model has not learned from.

    Returns:
        Of captions, and of answers, if there are any, a row: how many, the share that is right, and
        out of fold the expected calibration error, the share that is right of the surer half, and
        the `bins`.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read.
    """
    model = Captioner.from_preset(weights)
    inputs: dict[str, list[np.ndarray]] = {"captions": [], "answers": []}
    right: dict[str, list[bool]] = {"captions": [], "answers": []}
    photographs: dict[str, list[int]] = {"captions": [], "answers": []}
    for dataset, root in datasets:
        groups = by_photograph(load_dataset(dataset, root, split))
        number = {group[0].image: i for i, group in enumerate(groups)}
        found = write(model, groups, each, Beam())
        total = sum(map(len, groups))
        for example, caption in tqdm(found, dataset, total, disable=None):
            task = "captions" if example.question is None else "answers"
            inputs[task].append(features(caption))
            right[task].append(is_right(caption, example))
            photographs[task].append(number[example.image])
    fitted: dict[str, tuple[float, ...]] = {}
    rows: list[dict[str, Any]] = []
    for task in (task for task in inputs if inputs[task]):
        x, y = np.array(inputs[task]), np.array(right[task])
        confidence = out_of_fold(x, y, np.array(photographs[task]))
        fitted[task] = tuple(fit(x, y).tolist())
        found_bins = bins(confidence, y)
        rows.append(
            {
                "task": task,
                "count": len(y),
                "right": float(y.mean()),
                "expected calibration error": expected_calibration_error(found_bins),
                "right of the surer half": float(y[confidence >= np.median(confidence)].mean()),
                "bins": found_bins,
            }
        )
    presets.write_calibration(weights, Calibration(**fitted), {split: rows})
    return rows
