"""The search over any number of items. All commands use `stream`."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from captioner.data.vocabulary import PAD
from captioner.generation.captions import caption_of, concepts_of
from captioner.generation.model import CaptionModel
from captioner.generation.results import OUTPUTS, Caption, Concept
from captioner.generation.samplers import Beam, Sampling, Seed

BATCH = 32  # maximum of items in a batch
GROUPS = 10 * BATCH  # maximum of questions in a search

Item = TypeVar("Item")
Failure = TypeVar("Failure", bound=Exception)
Questions = Sequence[str | None]  # about one item; None asks for a caption


def stream(
    model: CaptionModel,
    items: Iterable[tuple[np.ndarray | Failure, Questions]],
    *,
    sampler: Beam | Sampling,
    seed: Seed = None,
) -> Iterator[list[Caption] | Failure]:
    """Caption any number of items, or answer questions about them, in batches and in order.

    Args:
        model: the model that writes.
        items: pairs of an array for `model.search_inputs`, such as a photograph, and the questions
            about it. If an item could not be read, its error replaces the array.
        sampler: a `Beam` or `Sampling`.
        seed: an integer, None for new random numbers each time, or a NumPy generator.

    Yields:
        For each item its error, or a `Caption` for each question. An answer is a phrase, a caption
        is a sentence.
    """
    rng = np.random.default_rng(seed)
    for batch in _batches(items):
        arrays = [array for array, _ in batch if not isinstance(array, Exception)]
        questions = [asked for array, asked in batch if not isinstance(array, Exception)]
        found: Iterator[list[Caption]] = iter(())
        if arrays:
            inputs = model.search_inputs(arrays)
            found = iter(generate(model, inputs, questions, sampler=sampler, seed=rng))
        for array, _ in batch:
            yield array if isinstance(array, Exception) else next(found)


def batched(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Split an iterable into lists of up to `size` items."""
    items = iter(items)
    while batch := list(itertools.islice(items, size)):
        yield batch


def generate(
    model: CaptionModel,
    inputs: Mapping[str, np.ndarray],
    questions: Sequence[Questions],
    *,
    sampler: Beam | Sampling,
    seed: Seed,
) -> list[list[Caption]]:
    """Search for one batch of `stream`.

    Args:
        model: the model that writes.
        inputs: its `search_inputs` of B items.
        questions: B lists, which may be empty.
        sampler: as for `stream`.
        seed: as for `stream`.
    """
    rows = len(next(iter(inputs.values())))
    rng = np.random.default_rng(seed)
    found: list[list[Caption]] = [[] for _ in questions]
    width = max(1, GROUPS // rows)
    for start in range(0, max(map(len, questions), default=0), width):
        chunk = [row[start : start + width] for row in questions]
        left = [i for i, row in enumerate(chunk) if row]
        most = max(map(len, chunk))
        # Fill up with questions, because padding means captions, which take more steps.
        full = [[*chunk[i], *[chunk[i][-1]] * (most - len(chunk[i]))] for i in left]
        batch = {name: array[left] for name, array in inputs.items()}
        captions = _search(model, batch, full, sampler, rng)
        for position, i in enumerate(left):
            found[i] += captions[position * most :][: len(chunk[i])]
    return found


def _batches(items: Iterable[tuple[Item, Questions]]) -> Iterator[list[tuple[Item, Questions]]]:
    """Split items into lists of up to `BATCH` items and about `GROUPS` questions."""
    batch: list[tuple[Item, Questions]] = []
    asked = 0
    for item in items:
        batch.append(item)
        asked += len(item[1])
        if len(batch) == BATCH or asked >= GROUPS:
            yield batch
            batch, asked = [], 0
    if batch:
        yield batch


def _search(
    model: CaptionModel,
    inputs: dict[str, np.ndarray],
    questions: Sequence[Questions],
    sampler: Beam | Sampling,
    rng: np.random.Generator,
) -> list[Caption]:
    """A `Caption` for each question. All rows have the same number of questions."""
    groups = sum(map(len, questions))
    has_question = np.zeros(groups, bool)
    if model.answers:
        encode, length = model.vocabulary.encode_question, model.config.max_question_words
        ids = np.array([[encode(question or "", length) for question in row] for row in questions])
        inputs = {**inputs, "questions": ids}
        has_question = (ids != PAD).any(axis=-1).ravel()
    outputs = model.search({**inputs, **sampler.inputs(model.steps, groups, rng)})
    rows = range(len(questions))
    concepts: list[tuple[Concept, ...]] = [() for _ in rows]
    if "concepts" in outputs:
        concepts = [concepts_of(model, outputs["concepts"][i], outputs["odds"][i]) for i in rows]
    likely = np.ones(len(rows))
    if model.calibration is not None:
        likely = model.calibration.is_photograph(inputs["features"])
    each = groups // len(rows)
    return [
        caption_of(
            model,
            has_question[i],
            **{name: outputs[name][i] for name in OUTPUTS},
            concepts=concepts[i // each],
            photograph=likely[i // each],
        )
        for i in range(groups)
    ]
