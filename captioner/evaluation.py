"""Evaluation: captions of a whole split into the field's results file, then that file is scored."""

import json
from pathlib import Path

from tqdm import tqdm

from captioner import presets, search
from captioner.datasets import load_dataset
from captioner.images import load_images
from captioner.metrics import CaptionScorer
from captioner.model import Captioner


def evaluate(dataset, root, split, *, weights, output=None, beam=3, record=False):
    """Caption a split, by beam search and greedily, and score the captions.

    Writes for both searches `captions_<dataset>_<split>_<search>_results.json`, in COCO's format
    `[{"image_id", "caption"}]`, and scores what it reads back from these files.

    Args:
        dataset: the name of a reader, see `captioner.datasets`.
        root: the folder of the data set.
        split: "train", "dev" or "test".
        weights: a preset by name or folder.
        output: the folder of the results files; by default the current one.
        beam: beam width.
        record: whether to write the scores into the preset's metadata.

    Returns:
        A dict: "beam 3", say, and "greedy", each with its dict of scores.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read.
    """
    model = Captioner.from_preset(weights)
    examples = load_dataset(dataset, root, split)
    output = Path(output or ".")
    output.mkdir(parents=True, exist_ok=True)
    scorer = CaptionScorer({example.image_id: example.references for example in examples})
    scores = {}
    for name, width in {f"beam {beam}": beam, "greedy": 1}.items():
        file_name = f"captions_{dataset}_{split}_{name.replace(' ', '')}_results.json"
        presets.write_json(output / file_name, write_captions(model, examples, width, name))
        results = json.loads((output / file_name).read_text(encoding="utf-8"))
        captions = {result["image_id"]: result["caption"] for result in results}
        scores[name] = scorer.score(captions, java=True)
    if record:
        # DIR: where the data lies on this machine says nothing to anybody else.
        command = f"evaluate --dataset {dataset} --root DIR --split {split} --beam {beam}"
        metadata = presets.read_metadata(weights)
        metadata.setdefault("scores", {})[f"{dataset} {split}"] = {
            "command": f"python -m captioner {command}",
            "photographs": len(examples),
            **scores,
        }
        presets.write_json(presets.find(weights) / presets.METADATA, metadata)
    return scores


def write_captions(model, examples, width, description):
    """The results `[{"image_id", "caption"}]` of beam search over all examples, in their order."""
    results = []
    loaded = load_images((example.image for example in examples), model.image_size)
    progress = tqdm(total=len(examples), desc=description, unit="photo", disable=None)
    with progress:
        for start, photographs in search.batches(loaded):
            found = search.generate(model, {"photographs": photographs}, search.Beam(width))
            for example, candidates in zip(examples[start:], found, strict=False):
                results.append({"image_id": example.image_id, "caption": candidates[0].text})
            progress.update(len(found))
    return results


def table(scores):
    """Scores as text: a row for each measure, a column for each search."""
    names = list(scores)
    rows = [f"{'':22}" + "".join(f"{name:>10}" for name in names)]
    for measure in scores[names[0]]:
        values = (scores[name][measure] for name in names)
        rows.append(f"{measure:22}" + "".join(f"{value:10.4f}" for value in values))
    return "\n".join(rows)
