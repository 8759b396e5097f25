"""Evaluation: a model writes a results file for a split, and the file is scored.

The question-only baseline follows Antol et al., "VQA: Visual Question Answering", 2015. Since the
model needs a photograph, it gets the mean of all photographs.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from os import PathLike
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import sound_images
from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError, Example
from captioner.evaluation.answer_metrics import AnswerScorer, answer_type
from captioner.evaluation.caption_metrics import CaptionScorer, attention_entropy, entropy
from captioner.evaluation.intervals import Bootstrap
from captioner.evaluation.report import Comparison, Report, Score
from captioner.evaluation.results_files import FIELDS, others_of, read_results, write_results
from captioner.generation import BEAM_WIDTH
from captioner.generation.batching import stream
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner

# Reads the photographs `uint8[S, S, 3]` of a split, or features that replace them.
FeatureReader = Callable[[Captioner, Sequence[Path]], Iterator[np.ndarray]]


def evaluate(
    dataset: str,
    root: str | PathLike[str],
    split: str,
    *,
    task: str = "captions",
    weights: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    beam: int = BEAM_WIDTH,
    against: str | PathLike[str] | None = None,
    record: bool = False,
) -> Report:
    """Caption the photographs of a split or answer its questions, and score the results.

    Captions are written by beam search and by greedy search. Questions are answered by beam search,
    once with each photograph and once with the mean photograph (the question-only baseline).

    Writes for both `<task>_<dataset>_<split>_<search>_results.json`, in the official format
    `[{"image_id", "caption"}]` (COCO) or `[{"question_id", "answer"}]` (VQA), and scores the
    content of these files.

    Args:
        dataset: the name of a reader, see `captioner.data.readers`.
        root: the folder of the data set.
        split: "train", "dev" or "test".
        task: "captions" or "vqa"; examples of the other task are skipped.
        weights: a preset by name or folder.
        output: the folder of the results files; by default the current one.
        beam: beam width.
        against: another results file of the same task, for a comparison with the first search.
        record: whether to write the scores into the metadata of the preset.

    Returns:
        The scores of "beam 3" and of "greedy" or "question only", with their intervals.

    Raises:
        DatasetError, PresetError: the data, the weights or the other results cannot be read, or do
            not suit the task.
    """
    model = Captioner.from_preset(weights)
    if task == "vqa":
        presets.check_answers(model, weights)
    examples = examples_of(task, dataset, root, split)
    identity, _ = FIELDS[task]
    photographs: dict[Hashable, Hashable] = {getattr(e, identity): e.image for e in examples}
    other = None if against is None else others_of(Path(against), task, photographs)
    scorer, bootstrap = scorer_of(task, examples), Bootstrap(photographs)
    folder = Path(output or ".")
    folder.mkdir(parents=True, exist_ok=True)
    report = Report({})
    baseline = ("question only", beam, mean_features) if task == "vqa" else ("greedy", 1, each)
    for name, width, see in ((f"beam {beam}", beam, each), baseline):
        found = write(model, by_photograph(examples), see, Beam(width))
        written: dict[Example, Caption] = {}
        for example, best in tqdm(found, name, len(examples), unit=FIELDS[task][1], disable=None):
            written[example] = best._replace(candidates=[])
        path = folder / f"{task}_{dataset}_{split}_{name.replace(' ', '')}_results.json"
        write_results(path, task, {example: written[example].text for example in examples})
        results = read_results(path, task)
        report.scores[name] = scores_of(scorer, bootstrap, results, written)
        if other is not None and report.comparison is None:
            report.comparison = compare(name, str(against), scorer, results, other, photographs)
    if record:
        record_scores(weights, task, dataset, split, beam, examples, report)
    return report


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


def scorer_of(task: str, examples: Sequence[Example]) -> CaptionScorer | AnswerScorer:
    """The scorer of a task. The kind of a question is its kind in the data, or the type of its
    answers."""
    if task == "captions":
        return CaptionScorer({e.image_id: e.references for e in examples})
    kinds: dict[Hashable, str] = {
        e.question_id: e.kind or answer_type(e.references) for e in examples
    }
    return AnswerScorer({e.question_id: e.references for e in examples}, kinds)


def scores_of(
    scorer: CaptionScorer | AnswerScorer,
    bootstrap: Bootstrap,
    results: dict[Hashable, str],
    written: Mapping[Example, Caption],
) -> dict[str, Score]:
    """The scores of results. For captions, also the entropy of the attention."""
    measures = scorer.measures(results)
    if isinstance(scorer, CaptionScorer):
        measures |= attention_entropy(
            {
                example.image_id: [(word.word, entropy(word.attention)) for word in caption.words]
                for example, caption in written.items()
            }
        )
    scores = {name: Score(of.value, bootstrap.interval(of)) for name, of in measures.items()}
    if isinstance(scorer, CaptionScorer):
        whole = scorer.of_all(results, java=True)
        scores |= {name: Score(value) for name, value in whole.items()}
    return scores


def compare(
    search: str,
    against: str,
    scorer: CaptionScorer | AnswerScorer,
    results: Mapping[Hashable, str],
    other: Mapping[Hashable, str],
    photographs: Mapping[Hashable, Hashable],
) -> Comparison:
    """The paired difference of two results, over the examples that both contain."""
    common = {i: photograph for i, photograph in photographs.items() if i in other}
    bootstrap = Bootstrap(common)
    ours = scorer.measures({i: results[i] for i in common})
    theirs = scorer.measures({i: other[i] for i in common})
    gains = {
        name: Score(of.value - theirs[name].value, bootstrap.difference(of, theirs[name]))
        for name, of in ours.items()
    }
    return Comparison(search, against, bootstrap.count, gains)


def record_scores(
    weights: str | PathLike[str],
    task: str,
    dataset: str,
    split: str,
    beam: int,
    examples: Sequence[Example],
    report: Report,
) -> None:
    """Write scores into the metadata of a preset, with the command that measured them."""
    # The path of the data on this machine is of no use to others.
    command = f"--dataset {dataset} --root DIR --split {split} --beam {beam}"
    counts = {"photographs": len({example.image for example in examples})}
    key = f"{dataset} {split}"
    if task == "vqa":
        command, key = f"--task vqa {command}", f"{key} vqa"
        counts["questions"] = len(examples)
    metadata = presets.read_metadata(weights)
    command = f"python -m captioner evaluate {command}"
    scores = {
        search: {measure: score.value for measure, score in found.items()}
        for search, found in report.scores.items()
    }
    intervals = {
        search: {measure: score.interval for measure, score in found.items() if score.interval}
        for search, found in report.scores.items()
    }
    metadata.setdefault("scores", {})[key] = {
        "command": command,
        **counts,
        **scores,
        "intervals": intervals,
    }
    with presets.replacement(presets.find(weights)) as new:
        presets.write_json(new / presets.METADATA, metadata)


def by_photograph(examples: Iterable[Example]) -> list[list[Example]]:
    """Group examples by photograph, the shortest group first.

    So the photographs of a batch have similar numbers of questions.
    """
    groups: dict[Path, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.image, []).append(example)
    return sorted(groups.values(), key=len)


def write(
    model: Captioner, groups: list[list[Example]], read: FeatureReader, sampler: Beam
) -> Iterator[tuple[Example, Caption]]:
    """Caption photographs, or answer the questions about them.

    Args:
        model: the model that writes.
        groups: a list of examples for each photograph.
        read: `each` or `mean_features`.
        sampler: a `Beam`.

    Yields:
        Each example with the `Caption` written for it.

    Raises:
        ImageError: a photograph that cannot be read.
    """
    questions = [[example.question for example in group] for group in groups]
    seen = read(model, [group[0].image for group in groups])
    found = stream(model, zip(seen, questions, strict=True), sampler=sampler)
    for group, row in zip(groups, found, strict=True):
        yield from zip(group, row, strict=True)


def each(model: Captioner, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """The photographs, `uint8[S, S, 3]`."""
    return sound_images(paths, model.config.image_size)


def mean_features(model: Captioner, paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """For every photograph, the features `float[R, C]` of the mean of all photographs."""
    total = np.zeros((model.config.image_size, model.config.image_size, 3))
    for photograph in sound_images(paths, model.config.image_size):
        total += photograph
    return repeat(model.encode(total[None] / len(paths))[0], len(paths))
