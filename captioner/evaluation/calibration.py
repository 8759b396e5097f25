"""Fits the confidence of a preset, and measures its calibration error.

A caption counts as right if at least half of its content words are in a reference, in the singular
or the plural. An answer is right if it equals a reference. A second regression separates
photographs from other pictures; it is fitted to random drawings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tqdm import tqdm

from captioner import presets
from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.images import sound_images
from captioner.data.readers import load_dataset
from captioner.data.records import Example
from captioner.data.tokenizer import tokenize
from captioner.evaluation import fit_reranking
from captioner.evaluation.caption_metrics import Cider
from captioner.evaluation.drawings import drawings
from captioner.evaluation.evaluate import by_photograph, write
from captioner.generation.batching import batched
from captioner.generation.confidence import Calibration, features, logistic
from captioner.generation.reranking import features as candidate_features
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner

BINS = 10
FOLDS = 5
RIGHT = 1 / 2  # of the content words of a caption
RIDGE = 1e-3  # keeps the weights finite if all captions are right, or all wrong
THRESHOLD = 0.4  # the documentation recommends it for --min-confidence
DRAWINGS, SEED = 480, 0  # but not more drawings than photographs
# There are about as many features as pictures. Without a strong ridge the weights would overfit.
RIDGE_OF_PHOTOGRAPHS = 10.0


def is_right(caption: Caption, example: Example) -> bool:
    """Whether a caption or an answer is right, as defined above."""
    if example.question is not None:
        return tokenize(caption.text) in [tokenize(answer) for answer in example.references]
    content = [word for word in tokenize(caption.text) if word not in FUNCTION_WORDS]
    words = {word for reference in example.references for word in tokenize(reference)}
    agreed = [word for word in content if {word, f"{word}s", word.removesuffix("s")} & words]
    return len(agreed) >= RIGHT * len(content)


def fit(inputs: np.ndarray, right: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """The weights `float[F]` of a logistic regression, by Newton's method.

    Args:
        inputs: `float[N, F]`.
        right: `bool[N]`.
        ridge: the weight of the L2 penalty.
    """
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        p = logistic(inputs @ weights)
        gradient = inputs.T @ (p - right) + ridge * weights
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + ridge * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def out_of_fold(
    inputs: np.ndarray, right: np.ndarray, groups: np.ndarray, ridge: float = RIDGE
) -> np.ndarray:
    """Confidences `float[N]` by cross-validation: the weights are fitted to the other groups.

    Args:
        inputs: `float[N, F]`.
        right: `bool[N]`.
        groups: `int[N]`, equal for rows that belong together, such as the questions about one
            photograph.
        ridge: as for `fit`.
    """
    found = np.empty(len(inputs))
    for fold in range(FOLDS):
        held = groups % FOLDS == fold
        found[held] = logistic(inputs[held] @ fit(inputs[~held], right[~held], ridge))
    return found


def fit_photographs(
    photographs: np.ndarray, others: np.ndarray
) -> tuple[tuple[float, ...], np.ndarray]:
    """Fit the regression that separates photographs from other pictures.

    Args:
        photographs: `float[P, C]`, the mean features of each.
        others: `float[D, C]`, the same of other pictures.

    Returns:
        The weights for `Calibration.photograph`, and the cross-validated probability `float[P]`
        that each photograph is one.
    """
    pictures = np.concatenate([photographs, others])
    center, scale = pictures.mean(axis=0), pictures.std(axis=0) + 1e-3  # some features are constant
    inputs = np.pad((pictures - center) / scale, ((0, 0), (1, 0)), constant_values=1.0)
    is_one = np.arange(len(pictures)) < len(photographs)
    numbers = np.concatenate([np.arange(len(photographs)), np.arange(len(others))])
    likely = out_of_fold(inputs, is_one, numbers, RIDGE_OF_PHOTOGRAPHS)
    constant, *weights = fit(inputs, is_one, RIDGE_OF_PHOTOGRAPHS)
    weights = np.array(weights) / scale
    return (float(constant - weights @ center), *weights.tolist()), likely[is_one]


Bins = Sequence[tuple[float, float, int]]


def bins(confidence: np.ndarray, right: np.ndarray) -> Bins:
    """Bins of equal width: the mean confidence, the share of right captions, and the count of
    each. Empty bins are left out."""
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [which == number for number in range(BINS)]
    return [
        (float(confidence[m].mean()), float(right[m].mean()), int(m.sum()))
        for m in members
        if m.any()
    ]


def expected_calibration_error(found: Bins) -> float:
    """The mean difference of confidence and accuracy, weighted by bin size (Guo et al., 2017)."""
    total = sum(count for _, _, count in found)
    return sum(abs(c - share) * count for c, share, count in found) / total


def reliability_diagram(found: Mapping[str, Bins]) -> Figure:
    """Plot accuracy against confidence. A calibrated model lies on the diagonal.

    Args:
        found: the `bins` of each task. The counts are written next to the points.
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
        axes.set_ylabel("accuracy")
    return figure


def calibrate(
    weights: str | PathLike[str], datasets: Sequence[tuple[str, str | PathLike[str]]], split: str
) -> list[dict[str, Any]]:
    """Fit the confidence to splits of data sets, and write it into the preset.

    Args:
        weights: a preset by name or folder.
        datasets: pairs of a reader's name and a folder. Examples with questions calibrate answers,
            the others captions.
        split: one that the model was not trained on.

    Returns:
        A row for captions and a row for answers, see `measures`. All confidences in them are
        cross-validated.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read.
    """
    model = Captioner.from_preset(weights)
    model.calibration = None  # keeps the candidates in the order of the search
    observed, means = observe(model, datasets, split)
    drawn = (picture for _, picture in drawings(min(DRAWINGS, len(means)), SEED))
    others = np.array([maps.mean(axis=0) for maps in encoded(model, drawn)])
    fitted: dict[str, tuple[float, ...]] = {}
    fitted["photograph"], likely = fit_photographs(means, others)
    rows: list[dict[str, Any]] = []
    for task in (task for task in observed if observed[task]):
        examples, captions, of = zip(*observed[task], strict=True)
        row: dict[str, Any] = {"task": task}
        if task == "captions":
            found = searches(captions, examples)
            gained = fit_reranking.gains(found)
            error = float(gained.std(ddof=1) / len(gained) ** 0.5)
            row["CIDEr gained by reranking"] = float(gained.mean())
            row["its standard error"] = error
            if gained.mean() > 2 * error:  # otherwise the order of the search is as good
                fitted["ranking"] = fit_reranking.fit(found)
                ranked = Calibration(ranking=fitted["ranking"])
                captions = tuple(best(caption, ranked) for caption in captions)
        x = np.array([features(caption) for caption in captions])
        y = np.array([is_right(*pair) for pair in zip(captions, examples, strict=True)])
        fitted[task] = tuple(fit(x, y).tolist())
        confidence = likely[list(of)] * out_of_fold(x, y, np.array(of))
        rows.append(row | measures(confidence, y))
    presets.write_calibration(weights, Calibration(**fitted), {split: rows})
    return rows


# An example, the caption or answer of the model, and the index of the photograph.
Observation = tuple[Example, Caption, int]


def observe(
    model: Captioner, datasets: Sequence[tuple[str, str | PathLike[str]]], split: str
) -> tuple[dict[str, list[Observation]], np.ndarray]:
    """Caption the photographs of splits, and answer their questions.

    Returns:
        The observations by task ("captions", "answers"), and the mean features `float[P, C]` of
        all photographs.
    """
    means: list[np.ndarray] = []
    observed: dict[str, list[Observation]] = {"captions": [], "answers": []}

    def see(model: Captioner, paths: Sequence[Path]) -> Iterator[np.ndarray]:
        for maps in encoded(model, paths):
            means.append(maps.mean(axis=0))
            yield maps

    for dataset, root in datasets:
        groups = by_photograph(load_dataset(dataset, root, split))
        number = {group[0].image: i for i, group in enumerate(groups, start=len(means))}
        found = write(model, groups, see, Beam())
        for example, caption in tqdm(found, dataset, sum(map(len, groups)), disable=None):
            task = "captions" if example.question is None else "answers"
            observed[task].append((example, caption, number[example.image]))
    return observed, np.array(means)


def searches(
    captions: Sequence[Caption], examples: Sequence[Example]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The features and the CIDEr of all candidates, for `fit_reranking.fit`."""
    cider = Cider([[tokenize(text) for text in example.references] for example in examples])
    return [
        (
            candidate_features(caption.candidates, caption.concepts),
            np.array([cider.score(tokenize(c.text), i) for c in caption.candidates]),
        )
        for i, caption in enumerate(captions)
    ]


def best(caption: Caption, calibration: Calibration) -> Caption:
    """The caption after reranking its candidates."""
    candidates = calibration.ranked(caption.candidates, caption.concepts)
    return Caption(*candidates[0], candidates, None, caption.concepts)


def encoded(model: Captioner, pictures: Iterable[Any]) -> Iterator[np.ndarray]:
    """Encode pictures, each a path or `uint8[H, W, 3]`, as features `float[R, C]`."""
    for batch in batched(sound_images(pictures, model.config.image_size)):
        yield from model.encode(np.stack(batch))


def measures(confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Measure the confidence of a task.

    Args:
        confidence: `float[N]`.
        right: `bool[N]`.

    Returns:
        The number of captions, the share of right ones, the expected calibration error, the share
        of right ones among the more confident half, the share of right ones with a confidence
        below `THRESHOLD`, and the `bins`.
    """
    found = bins(confidence, right)
    return {
        "count": len(right),
        "right": float(right.mean()),
        "expected calibration error": expected_calibration_error(found),
        "right of the surer half": float(right[confidence >= np.median(confidence)].mean()),
        f"right, below {THRESHOLD}": lost(confidence, right),
        "bins": found,
    }


def lost(confidence: np.ndarray, right: np.ndarray) -> float:
    """The share of right captions with a confidence below `THRESHOLD`. NaN if none is right."""
    below = confidence[right] < THRESHOLD
    return float(below.mean()) if len(below) else float("nan")
