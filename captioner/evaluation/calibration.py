"""How sure the model may be: its confidence, fitted to what was right, and how far that is off.

A caption counts as right here if people say half of it as well: of its words that are no function
words, as many are in a reference, in the singular or in the plural. An answer is right if it is one
of the references. Of pictures that are no photographs nothing is right: what tells them apart is
fitted to pictures drawn by chance.
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
from captioner.evaluation import reranking
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
RIGHT = 1 / 2  # of the words of a caption
RIDGE = 1e-3  # keeps the weights finite where all is right, or all wrong
THRESHOLD = 0.4  # the least confidence that the documentation recommends
DRAWINGS, SEED = 480, 0  # at most as many as there are photographs
# There are about as many features as pictures: without it the weights would learn them by heart.
RIDGE_OF_PHOTOGRAPHS = 10.0


def is_right(caption: Caption, example: Example) -> bool:
    """Whether a caption or an answer is right, in the sense above."""
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
        ridge: the weight of their squares.
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
    """Confidences `float[N]`, each by weights that were fitted to the other groups.

    Args:
        inputs: `float[N, F]`.
        right: `bool[N]`.
        groups: `int[N]`, what belongs together, as the questions about a photograph do.
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
    """Tell photographs from other pictures, by the mean features of all regions.

    Args:
        photographs: `float[P, C]`.
        others: `float[D, C]`.

    Returns:
        The weights for `Calibration.photograph`; and of each photograph, out of fold, how likely it
        is one, `float[P]`.
    """
    pictures = np.concatenate([photographs, others])
    center, scale = pictures.mean(axis=0), pictures.std(axis=0) + 1e-3  # some features never vary
    inputs = np.pad((pictures - center) / scale, ((0, 0), (1, 0)), constant_values=1.0)
    is_one = np.arange(len(pictures)) < len(photographs)
    numbers = np.concatenate([np.arange(len(photographs)), np.arange(len(others))])
    likely = out_of_fold(inputs, is_one, numbers, RIDGE_OF_PHOTOGRAPHS)
    constant, *weights = fit(inputs, is_one, RIDGE_OF_PHOTOGRAPHS)
    weights = np.array(weights) / scale
    return (float(constant - weights @ center), *weights.tolist()), likely[is_one]


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
        out of fold the expected calibration error, the share that is right of the surer half, the
        share of the right ones that a least confidence of `THRESHOLD` leaves out, and the `bins`.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read.
    """
    model = Captioner.from_preset(weights)
    model.calibration = None  # the candidates in the order of the search
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
            gained = reranking.gains(found)
            error = float(gained.std(ddof=1) / len(gained) ** 0.5)
            row["CIDEr gained by reranking"] = float(gained.mean())
            row["its standard error"] = error
            if gained.mean() > 2 * error:  # else the order of the search is as good
                fitted["ranking"] = reranking.fit(found)
                ranked = Calibration(ranking=fitted["ranking"])
                captions = tuple(best(caption, ranked) for caption in captions)
        x = np.array([features(caption) for caption in captions])
        y = np.array([is_right(*pair) for pair in zip(captions, examples, strict=True)])
        fitted[task] = tuple(fit(x, y).tolist())
        confidence = likely[list(of)] * out_of_fold(x, y, np.array(of))
        rows.append(row | measures(confidence, y))
    presets.write_calibration(weights, Calibration(**fitted), {split: rows})
    return rows


# An example, the caption or answer of the model, and the number of the photograph.
Observation = tuple[Example, Caption, int]


def observe(
    model: Captioner, datasets: Sequence[tuple[str, str | PathLike[str]]], split: str
) -> tuple[dict[str, list[Observation]], np.ndarray]:
    """Captions and answers of a model for splits of data sets.

    Returns:
        The observations of "captions" and of "answers", and of each photograph the mean features
        of its regions, `float[P, C]`.
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
    """The features and the CIDEr of all candidates of captions, as `reranking.fit` takes them."""
    cider = Cider([[tokenize(text) for text in example.references] for example in examples])
    return [
        (
            candidate_features(caption.candidates, caption.concepts),
            np.array([cider.score(tokenize(c.text), i) for c in caption.candidates]),
        )
        for i, caption in enumerate(captions)
    ]


def best(caption: Caption, calibration: Calibration) -> Caption:
    """A caption with its candidates in the order of a calibration."""
    candidates = calibration.ranked(caption.candidates, caption.concepts)
    return Caption(*candidates[0], candidates, None, caption.concepts)


def encoded(model: Captioner, pictures: Iterable[Any]) -> Iterator[np.ndarray]:
    """The features `float[R, C]` of each picture, a path or `uint8[H, W, 3]`."""
    for batch in batched(sound_images(pictures, model.config.image_size)):
        yield from model.encode(np.stack(batch))


def measures(confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """What `calibrate` returns of a task.

    Args:
        confidence: `float[N]`.
        right: `bool[N]`.
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
    """The share of what is right that has less confidence than `THRESHOLD`; NaN if nothing is."""
    below = confidence[right] < THRESHOLD
    return float(below.mean()) if len(below) else float("nan")
