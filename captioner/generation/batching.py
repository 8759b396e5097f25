"""The one batched call: whoever writes about many things at once goes through here.

It runs on anything that searches: a Keras model, or an exported graph without Keras.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from captioner.data.vocabulary import PAD
from captioner.generation.captions import caption_of, concepts_of
from captioner.generation.model import CaptionModel
from captioner.generation.results import OUTPUTS, Caption, Concept
from captioner.generation.samplers import Beam, Sampling, Seed

BATCH = 32  # photographs written about together
GROUPS = 10 * BATCH  # or questions answered, at most

Item = TypeVar("Item")
Questions = Sequence[Sequence[str | None]]  # of each row; None asks for a caption


def generate(
    model: CaptionModel,
    inputs: Mapping[str, np.ndarray],
    questions: Questions | None = None,
    *,
    sampler: Beam | Sampling,
    seed: Seed = None,
) -> list[list[Caption]]:
    """Write about a batch of rows, each of which is encoded once, whatever is asked about it.

    Args:
        model: what writes.
        inputs: a dict of arrays of B rows: "photographs" `uint8[B, S, S, 3]`, "features"
            `float[B, R, C]` where they are encoded already, or what else the model reads.
        questions: for each row the list of what is asked about it, which may be empty, and in
            which None asks for a caption; by default nothing but that.
        sampler: a `Beam` or `Sampling`.
        seed: of what is drawn: an integer, None for others each time, or a generator of NumPy.

    Returns:
        For each row a list with a `Caption` for each question. What answers a question is a
        phrase; a caption, also where a question is nothing but padding, is a sentence.
    """
    rows = len(next(iter(inputs.values())))
    questions = [[None]] * rows if questions is None else questions
    rng = np.random.default_rng(seed)
    if "photographs" in inputs:
        inputs = {"features": model.encode(inputs["photographs"])}
    found: list[list[Caption]] = [[] for _ in questions]
    width = max(1, GROUPS // rows)
    for start in range(0, max(map(len, questions), default=0), width):
        chunk = [row[start : start + width] for row in questions]
        left = [i for i, row in enumerate(chunk) if row]
        most = max(map(len, chunk))
        # Filled up with questions, not padding: captions would take more steps than answers.
        full = [[*chunk[i], *[chunk[i][-1]] * (most - len(chunk[i]))] for i in left]
        batch = {name: array[left] for name, array in inputs.items()}
        captions = _search(model, batch, full, sampler, rng)
        for position, i in enumerate(left):
            found[i] += captions[position * most :][: len(chunk[i])]
    return found


def stream(
    model: CaptionModel,
    rows: Iterable[tuple[np.ndarray, Sequence[str | None]]],
    *,
    sampler: Beam | Sampling,
    seed: Seed = None,
) -> Iterator[list[Caption]]:
    """Write about any number of photographs, in order, `BATCH` at a time.

    Args:
        model: as for `generate`.
        rows: an iterable of pairs: a photograph `uint8[S, S, 3]`, or its features `float[R, C]`;
            and the list of what is asked about it.
        sampler: a `Beam` or `Sampling`.
        seed: as for `generate`.

    Yields:
        For each row the list of its `Caption`s.
    """
    rng = np.random.default_rng(seed)
    for batch in batched(rows):
        arrays, questions = zip(*batch, strict=True)
        name = "photographs" if arrays[0].ndim == 3 else "features"
        inputs = {name: np.stack(arrays)}
        yield from generate(model, inputs, list(questions), sampler=sampler, seed=rng)


def batched(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Lists of up to `size` items of an iterable."""
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def _search(
    model: CaptionModel,
    inputs: dict[str, np.ndarray],
    questions: Questions,
    sampler: Beam | Sampling,
    rng: np.random.Generator,
) -> list[Caption]:
    """A `Caption` for each question, of which every row has as many."""
    groups = sum(map(len, questions))
    has_question = np.zeros(groups, bool)
    if model.answers:
        encode, length = model.vocabulary.encode_question, model.config.max_question_words
        ids = np.array([[encode(question or "", length) for question in row] for row in questions])
        inputs = {**inputs, "questions": ids}
        has_question = (ids != PAD).any(axis=-1).ravel()
    outputs = model.search({**inputs, **sampler.inputs(model.steps, groups, rng)})
    concepts: list[tuple[Concept, ...]] = [()] * len(questions)
    if "concepts" in outputs:
        named = zip(outputs["concepts"], outputs["odds"], strict=True)
        concepts = [concepts_of(model, *row) for row in named]
    likely = np.ones(len(questions))
    if model.calibration is not None:
        likely = model.calibration.is_photograph(inputs["features"])
    each = groups // len(questions)
    concepts = [row for row in concepts for _ in range(each)]
    return [
        caption_of(model, *found)
        for found in zip(
            has_question,
            *(outputs[name] for name in OUTPUTS),
            concepts,
            np.repeat(likely, each),
            strict=True,
        )
    ]
