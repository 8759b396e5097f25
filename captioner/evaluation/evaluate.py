"""Evaluation: what a model writes about a split into the field's results file, then that is scored.

The question-only baseline of `evaluate` is that of Antol et al., "VQA: Visual Question Answering",
2015, for a model that needs some photograph: it gets the mean one.
"""

import functools
import json
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import load_images
from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError
from captioner.evaluation.answer_metrics import AnswerScorer
from captioner.evaluation.caption_metrics import CaptionScorer, attention_entropy, entropy
from captioner.generation import loop
from captioner.models.captioner import Captioner

# The fields of a result: of what it is, and what was written.
FIELDS = {"captions": ("image_id", "caption"), "vqa": ("question_id", "answer")}


def evaluate(dataset, root, split, *, task="captions", weights, output=None, beam=3, record=False):
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
    asks = task == "vqa"
    if asks:
        presets.check_answers(model, weights)
    identity, text = FIELDS[task]
    examples = [e for e in load_dataset(dataset, root, split) if (e.question is not None) == asks]
    references = {getattr(example, identity): example.references for example in examples}
    if not examples:
        lacks = "questions" if asks else "captions, only questions: evaluate the task vqa"
        raise DatasetError(f"{root}: split {split!r} has no {lacks}")
    if len(references) < len(examples):
        raise DatasetError(f"{root}: split {split!r} has a {identity} more than once")
    groups = by_photograph(examples)

    if asks:
        score = AnswerScorer(references, kinds_of(examples)).score
        runs = {f"beam {beam}": (beam, encoded), "question only": (beam, encoded_mean)}
    else:
        score = functools.partial(CaptionScorer(references).score, java=True)
        runs = {f"beam {beam}": (beam, encoded), "greedy": (1, encoded)}
    output = Path(output or ".")
    output.mkdir(parents=True, exist_ok=True)
    scores = {}
    for name, (width, encode) in runs.items():
        written, looks = {}, []
        found = write(model, groups, encode, loop.Beam(width))
        for example, candidate in tqdm(found, name, len(examples), unit=text, disable=None):
            written[getattr(example, identity)] = candidate.text
            looks += [(word.word, entropy(word.attention)) for word in candidate.words]
        path = output / f"{task}_{dataset}_{split}_{name.replace(' ', '')}_results.json"
        presets.write_json(path, [{identity: key, text: written[key]} for key in references])
        results = json.loads(path.read_text(encoding="utf-8"))
        scores[name] = score({result[identity]: result[text] for result in results})
        if not asks:
            scores[name] |= attention_entropy(looks)
    if record:
        # DIR: where the data lies on this machine says nothing to anybody else.
        command = f"--dataset {dataset} --root DIR --split {split} --beam {beam}"
        command, key = (f"--task vqa {command}", " vqa") if asks else (command, "")
        metadata = presets.read_metadata(weights)
        metadata.setdefault("scores", {})[f"{dataset} {split}{key}"] = {
            "command": f"python -m captioner evaluate {command}",
            "photographs": len(groups),
            **({"questions": len(examples)} if asks else {}),
            **scores,
        }
        presets.write_json(presets.find(weights) / presets.METADATA, metadata)
    return scores


def by_photograph(examples):
    """Examples in lists, one for each photograph, the shortest first: the photographs of a batch
    should have about as many questions each."""
    groups = {}
    for example in examples:
        groups.setdefault(example.image, []).append(example)
    return sorted(groups.values(), key=len)


def kinds_of(examples):
    """The kind of each question by its id; None if some have none."""
    kinds = {example.question_id: example.kind for example in examples}
    return kinds if all(kinds.values()) else None


def write(model, groups, encode, method):
    """Caption photographs, or answer the questions about them.

    Args:
        model: the model that writes.
        groups: a list of examples for each photograph.
        encode: `encoded` or `encoded_mean`.
        method: a `Beam`.

    Yields:
        Each example with its best `Candidate`.
    """
    start = 0
    for features in encode(model, [group[0].image for group in groups]):
        batch = groups[start : start + len(features)]
        questions = [[example.question for example in group] for group in batch]
        found = loop.respond(model, features, questions, method)
        for example, candidates in zip(chain(*batch), chain(*found), strict=True):
            yield example, candidates[0]
        start += len(features)


def encoded(model, paths):
    """The features `float[B, R, C]` of photographs, batch by batch."""
    for _, photographs in loop.batches(load_images(paths, model.config.image_size)):
        yield loop.encode(model, photographs)


def encoded_mean(model, paths):
    """As `encoded`, with the mean of all photographs, pixel by pixel, in the place of each."""
    total = np.zeros((model.config.image_size, model.config.image_size, 3))
    for _, photographs in loop.batches(load_images(paths, model.config.image_size)):
        total += photographs.sum(axis=0, dtype=float)
    features = loop.encode(model, total[None] / len(paths))
    for start in range(0, len(paths), loop.BATCH):
        yield np.repeat(features, min(loop.BATCH, len(paths) - start), axis=0)


def table(scores):
    """Scores as text: a row for each measure, a column for each search."""
    rows = [f"{'':26}" + "".join(f"{name:>15}" for name in scores)]
    for measure in dict.fromkeys(chain(*scores.values())):
        values = (column.get(measure) for column in scores.values())
        cells = ("-" if value is None else f"{value:.4f}" for value in values)
        rows.append(f"{measure:26}" + "".join(f"{cell:>15}" for cell in cells))
    return "\n".join(rows)
