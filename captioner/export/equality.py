"""Compares the captions of an exported captioner with those of the Keras model."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from captioner.errors import UserError
from captioner.generation.samplers import Beam, Sampling

if TYPE_CHECKING:
    from captioner.models.captioner import Captioner

# Of log-probabilities, in nats. Rounding of float32 in another order of sums causes less.
TOLERANCE = 1e-3
QUESTIONS = ("what color is the hat?", "how many people are there?", "what is on the table?")


class ExportError(UserError):
    """An exported graph does not agree with the model."""


def photographs(size: int, count: int = 6) -> np.ndarray:
    """Random pictures for the comparison, `uint8[count, size, size, 3]`."""
    rng = np.random.default_rng(0)
    pictures = []
    for side in np.linspace(2, 24, count).astype(int):
        spots = Image.fromarray(rng.integers(0, 256, (side, side, 3), "uint8"))
        pictures.append(np.asarray(spots.resize((size, size), Image.Resampling.BICUBIC)))
    return np.stack(pictures)


def agree(
    model: "Captioner",
    encode: Callable[[np.ndarray], np.ndarray],
    search: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
) -> float:
    """Compare an exported model with the Keras model, on captions and answers by greedy search,
    beam search and sampling.

    Args:
        model: the Keras model.
        encode: the exported encoder; see `Captioner.encode`.
        search: the exported search; see `Captioner.search`.

    Returns:
        The greatest difference of a log-probability.

    Raises:
        ExportError: a token differs, or a log-probability or an attention weight differs by more
            than `TOLERANCE`.
    """
    pictures, worst = photographs(model.config.image_size), 0.0
    features = model.encode(pictures)
    if not np.allclose(encode(pictures), features, rtol=1e-3, atol=1e-3):
        raise ExportError("its encoder gives other features; nothing is written")
    questions = [None, *QUESTIONS] if model.answers else [None]
    for sampler in (Beam(1), Beam(3), Beam(5), Sampling(temperature=0.8, top_p=0.9, width=2)):
        inputs = {"features": features}
        if model.answers:
            length = model.config.max_question_words
            ids = [model.vocabulary.encode_question(text or "", length) for text in questions]
            inputs["questions"] = np.repeat(np.stack(ids)[None], len(features), axis=0)
        inputs |= sampler.inputs(model.steps, len(features) * len(questions), seed=0)
        expected, found = model.search(inputs), search(inputs)
        if not np.array_equal(expected["tokens"], found["tokens"]):
            raise ExportError(f"it writes other words by {sampler}; nothing is written")
        if model.config.concepts and not np.array_equal(expected["concepts"], found["concepts"]):
            raise ExportError("it finds other concepts; nothing is written")
        for name in ("log_probs", "attention"):
            difference = float(np.abs(expected[name] - found[name]).max())
            if difference > TOLERANCE:
                raise ExportError(f"its {name} differ by {difference:.2g}; nothing is written")
            worst = max(worst, difference)
    return worst
