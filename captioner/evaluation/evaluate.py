"""Evaluation: what a model writes about a split into the field's results file, then that is scored.

The question-only baseline of `evaluate` is that of Antol et al., "VQA: Visual Question Answering",
2015, for a model that needs some photograph: it gets the mean one.
"""

import functools
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from os import PathLike
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import sound_images
from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError, Example
from captioner.evaluation.answer_metrics import AnswerScorer
from captioner.evaluation.caption_metrics import CaptionScorer, attention_entropy, entropy
from captioner.generation import BEAM_WIDTH
from captioner.generation.batching import stream
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner

# The fields of a result: of what it is, and what was written.
FIELDS = {"captions": ("image_id", "caption"), "vqa": ("question_id", "answer")}

Scores = dict[str, dict[str, float]]  # of each search its measures
# What a model sees of photographs: each of these, or in its place features.
See = Callable[[Captioner, Sequence[Path]], Iterator[np.ndarray]]


def evaluate(
    dataset: str,
    root: str | PathLike[str],
    split: str,
    *,
    task: str = "captions",
    weights: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    beam: int = BEAM_WIDTH,
    record: bool = False,
) -> Scores:
    """Caption the photographs of a split, or answer its questions, and score what was written.

    Captions are written by beam search and greedily. Questions are answered by beam search, and
    so again with the mean photograph in the place of each: what the question alone is worth.

    Writes for both `<task>_<dataset>_<split>_<search>_results.json`, in the official format
    `[{"image_id", "caption"}]` (COCO) or `[{"question_id", "answer"}]` (VQA), and scores what it
    reads back from these files.

    Args:
        dataset: the name of a reader, see `captioner.data.readers`.
        root: the folder of the data set.
        split: "train", "dev" or "test".
        task: "captions" or "vqa"; examples of the other are passed over.
        weights: a preset by name or folder.
        output: the folder of the results files; by default the current one.
        beam: beam width.
        record: whether to write the scores into the preset's metadata.

    Returns:
        A dict: "beam 3", say, and "greedy" or "question only", each with its dict of scores.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read, or do not suit the task.
    """
    model = Captioner.from_preset(weights)
    if task == "vqa":
        presets.check_answers(model, weights)
    examples = examples_of(task, dataset, root, split)
    score = scorer_of(task, examples)
    folder = Path(output or ".")
    folder.mkdir(parents=True, exist_ok=True)
    scores = {}
    for name, (width, see) in searches_of(task, beam).items():
        found = write(model, by_photograph(examples), see, Beam(width))
        written: dict[Example, str] = {}
        looks: list[tuple[str, float]] = []
        for example, best in tqdm(found, name, len(examples), unit=FIELDS[task][1], disable=None):
            written[example] = best.text
            looks += [(word.word, entropy(word.attention)) for word in best.words]
        path = folder / f"{task}_{dataset}_{split}_{name.replace(' ', '')}_results.json"
        write_results(path, task, {example: written[example] for example in examples})
        scores[name] = score(read_results(path, task))
        if task == "captions":
            scores[name] |= attention_entropy(looks)
    if record:
        record_scores(weights, task, dataset, split, beam, examples, scores)
    return scores


def examples_of(task: str, dataset: str, root: str | PathLike[str], split: str) -> list[Example]:
    """The examples of a split that a task is about.

    Raises:
        DatasetError: there are none, or two have the same id in a results file.
    """
    identity, _ = FIELDS[task]
    asks = task == "vqa"
    examples = [e for e in load_dataset(dataset, root, split) if (e.question is not None) == asks]
    if not examples:
        lacks = "questions" if asks else "captions, only questions: evaluate the task vqa"
        raise DatasetError(f"{root}: split {split!r} has no {lacks}")
    if len({getattr(example, identity) for example in examples}) < len(examples):
        raise DatasetError(f"{root}: split {split!r} has a {identity} more than once")
    return examples


def scorer_of(
    task: str, examples: Sequence[Example]
) -> Callable[[dict[Hashable, str]], dict[str, float]]:
    """The function of results, texts by their ids, that returns a dict of scores."""
    identity, _ = FIELDS[task]
    references = {getattr(example, identity): example.references for example in examples}
    if task == "vqa":
        return AnswerScorer(references, kinds_of(examples)).score
    return functools.partial(CaptionScorer(references).score, java=True)


def searches_of(task: str, beam: int) -> dict[str, tuple[int, See]]:
    """What is compared, by name: the beam width, and what the model sees."""
    if task == "vqa":
        return {f"beam {beam}": (beam, each), "question only": (beam, the_mean)}
    return {f"beam {beam}": (beam, each), "greedy": (1, each)}


def write_results(path: Path, task: str, written: dict[Example, str]) -> None:
    """Write a results file in the field's format, of texts by their examples."""
    identity, text = FIELDS[task]
    results = [
        {identity: getattr(example, identity), text: said} for example, said in written.items()
    ]
    presets.write_json(path, results)


def read_results(path: Path, task: str) -> dict[Hashable, str]:
    """The texts of a results file by their ids."""
    identity, text = FIELDS[task]
    results = json.loads(path.read_text(encoding="utf-8"))
    return {result[identity]: result[text] for result in results}


def record_scores(
    weights: str | PathLike[str],
    task: str,
    dataset: str,
    split: str,
    beam: int,
    examples: Sequence[Example],
    scores: Scores,
) -> None:
    """Write scores into the metadata of a preset, with the command that measured them."""
    # DIR: where the data lies on this machine says nothing to anybody else.
    command = f"--dataset {dataset} --root DIR --split {split} --beam {beam}"
    counts = {"photographs": len({example.image for example in examples})}
    key = f"{dataset} {split}"
    if task == "vqa":
        command, key = f"--task vqa {command}", f"{key} vqa"
        counts["questions"] = len(examples)
    metadata = presets.read_metadata(weights)
    command = f"python -m captioner evaluate {command}"
    metadata.setdefault("scores", {})[key] = {"command": command, **counts, **scores}
    with presets.replacement(presets.find(weights)) as new:
        presets.write_json(new / presets.METADATA, metadata)


def by_photograph(examples: Iterable[Example]) -> list[list[Example]]:
    """Examples in lists, one for each photograph, the shortest first: the photographs of a batch
    should have about as many questions each."""
    groups: dict[Path, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.image, []).append(example)
    return sorted(groups.values(), key=len)


def kinds_of(examples: Iterable[Example]) -> dict[Hashable, str] | None:
    """The kind of each question by its id; None if some have none."""
    kinds: dict[Hashable, str] = {}
    for example in examples:
        if example.kind is None:
            return None
        kinds[example.question_id] = example.kind
    return kinds


def write(
    model: Captioner, groups: list[list[Example]], see: See, sampler: Beam
) -> Iterator[tuple[Example, Caption]]:
    """Caption photographs, or answer the questions about them.

    Args:
        model: the model that writes.
        groups: a list of examples for each photograph.
        see: `each` or `the_mean`.
        sampler: a `Beam`.

    Yields:
        Each example with the `Caption` written for it.

    Raises:
        ImageError: a photograph that cannot be read.
    """
    questions = [[example.question for example in group] for group in groups]
    seen = see(model, [group[0].image for group in groups])
    found = stream(model, zip(seen, questions, strict=True), sampler=sampler)
    for group, row in zip(groups, found, strict=True):
        yield from zip(group, row, strict=True)


def each(model: Captioner, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """The photographs, `uint8[S, S, 3]`."""
    return sound_images(paths, model.config.image_size)


def the_mean(model: Captioner, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """In the place of each photograph the features `float[R, C]` of their mean, pixel by pixel."""
    total = np.zeros((model.config.image_size, model.config.image_size, 3))
    for photograph in sound_images(paths, model.config.image_size):
        total += photograph
    return repeat(model.encode(total[None] / len(paths))[0], len(paths))


def table(scores: Scores) -> str:
    """Scores as text: a row for each measure, a column for each search."""
    rows = [f"{'':26}" + "".join(f"{name:>15}" for name in scores)]
    for measure in dict.fromkeys(chain(*scores.values())):
        values = (column.get(measure) for column in scores.values())
        cells = ("-" if value is None else f"{value:.4f}" for value in values)
        rows.append(f"{measure:26}" + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(rows)
