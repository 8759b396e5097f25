"""Compares recurrent cells, numbers of layers, kinds of attention and a Transformer.

    python -m benchmarks.compare --dataset flickr8k --root DIR --output runs/comparison --epochs 2

It trains the caption recipe with each of them, on the same features of a frozen CNN, and prints a
table of the scores on dev. Started again, it continues after the last finished variant.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from captioner import presets
from captioner.cli.arguments import positive
from captioner.data.image_checks import Checks
from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError
from captioner.data.vocabulary import Vocabulary
from captioner.generation.batching import BATCH
from captioner.layers.cells import CELLS
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.training.batches import Batches, photographs_of
from captioner.training.dev_scores import DevScores
from captioner.training.features import cached_readers
from captioner.training.fit import fit
from captioner.training.recipe import FROZEN
from captioner.training.run import Run, TrainingError, digest
from captioner.training.trainer import Trainer, new_optimizer

# Other settings are those of the recipe: an LSTM, one layer, additive attention.
VARIANTS: tuple[dict[str, Any], ...] = (
    *({"cell": cell, "layers": layers} for layers in (1, 2) for cell in CELLS),
    {"attention": "dot"},
    {"attention": "mean"},
    # About as many parameters as the others; each of its many sub-layers drops something out.
    {"decoder": "transformer", "layers": 3, "units": 256, "dropout": 0.2},
)
SEED = 0
SECONDS = "seconds"  # of an epoch, in its logs


class Timed(DevScores):
    """`DevScores` that also adds to the logs the seconds that the epoch trained."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None  # as Keras calls it
        logs[SECONDS] = time.perf_counter() - self.began
        super().on_epoch_end(epoch, logs)


def compare(
    dataset: str,
    root: str | PathLike[str],
    output: str | PathLike[str],
    *,
    weights: str | PathLike[str],
    epochs: int,
) -> list[dict[str, Any]]:
    """Train every variant alike, on features of a frozen CNN that are computed once.

    Args:
        dataset: the name of a reader, see `captioner.data.readers`.
        root: the folder of the data set.
        output: for the features and the results; variants found there are not trained again.
        weights: the preset, by name or folder, that the CNN is taken from. One that was fine-tuned
            suits the decoder that it was fine-tuned with.
        epochs: of each variant.

    Returns:
        A list of dicts, a row of `table` each: the scores of the epoch with the best CIDEr on dev,
        and the trainable parameters and the speed of training.

    Raises:
        DatasetError, PresetError: the data or the weights cannot be read.
        TrainingError: data without captions, or an output folder of another comparison.
    """
    output = Path(output)
    source = Captioner.from_preset(weights)
    checks = Checks(output / "cache" / "checks.json")
    data, dev = (
        {dataset: load_dataset(dataset, root, split, checks=checks)} for split in ("train", "dev")
    )
    photographs, dev_photographs = photographs_of(data), photographs_of(dev)
    if not all(photograph.captions for photograph in dev_photographs):
        raise TrainingError(f"{dataset}: variants are compared by captions, and it has none")
    hashed = presets.sha256(presets.find(weights) / presets.WEIGHTS)
    records = digest([photographs, dev_photographs])
    Run(output, {"dataset": dataset, "weights": hashed, "epochs": epochs, "records": records})
    checks.save()
    results_path = output / "results.json"
    known = json.loads(results_path.read_text()) if results_path.exists() else []
    results = []
    read, read_dev = cached_readers(source, photographs, dev_photographs, output / "cache", BATCH)
    vocabulary = Vocabulary.from_sentences(text for p in photographs for text in p.captions)
    phase = replace(FROZEN, epochs=epochs)
    for variant in VARIANTS:
        size = source.config.image_size
        config = CaptionerConfig(encoder=source.config.encoder, image_size=size, **variant)
        kind = _kind(config)
        if found := [row for row in known if kind.items() <= row.items()]:
            results += found
            _write(results_path, results)
            continue
        keras.utils.set_random_seed(SEED)
        model = Captioner(vocabulary, config)
        model.encoder.trainable = False  # and never run: its features are cached
        batches = Batches(photographs, read, "features", model, BATCH, SEED, workers=1)
        scores = Timed(model, dev, dev_photographs, read_dev)
        folder = output / "-".join(map(str, kind.values()))
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        trainer = Trainer(model, batches[0][1], new_optimizer(phase, len(batches)))
        history = fit(trainer, phase, batches, folder, [scores])
        results.append({**kind, **_row(model, len(photographs), history)})
        _write(results_path, results)
        keras.backend.clear_session()
    return results


def _row(
    model: Captioner, photographs: int, history: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """The columns of a variant, from the logs of its epochs."""
    epoch, best = max(enumerate(history, start=1), key=lambda item: item[1]["val_cider"])
    return {
        "parameters": model.count_params() - model.encoder.count_params(),
        # The first epoch also compiles.
        "photographs a second": photographs / min(logs[SECONDS] for logs in history),
        "BLEU-4": best["val_bleu4"],
        "CIDEr": best["val_cider"],
        "epoch": epoch,
    }


def _write(path: Path, results: list[dict[str, Any]]) -> None:
    """Write the results as a whole or not at all."""
    unfinished = path.with_suffix(".part")
    presets.write_json(unfinished, results)
    unfinished.replace(path)


def _kind(config: CaptionerConfig) -> dict[str, Any]:
    """The columns of a decoder."""
    if config.decoder == "transformer":
        return {"cell": "transformer", "layers": config.layers, "attention": "multi-head"}
    return {"cell": config.cell, "layers": config.layers, "attention": config.attention}


def table(results: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown, scores x100."""
    rows = [list(results[0]), ["---"] * len(results[0])]
    for row in results:
        scores = {name: f"{100 * row[name]:.1f}" for name in ("BLEU-4", "CIDEr")}
        speed = {"photographs a second": f"{row['photographs a second']:.0f}"}
        rows.append([str(value) for value in {**row, **scores, **speed}.values()])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Train the variants of the decoder alike, and print the table."""
    parser = argparse.ArgumentParser(description="Compare cells, attentions and a Transformer.")
    parser.add_argument("--dataset", required=True, metavar="NAME", help="for example flickr8k")
    parser.add_argument("--root", required=True, metavar="DIR", help="its folder")
    parser.add_argument("--output", required=True, metavar="DIR", help="for features and results")
    parser.add_argument("--epochs", type=positive, required=True, metavar="N", help="of a variant")
    parser.add_argument("--weights", default=presets.DEFAULT_PRESET, metavar="NAME_OR_DIR")
    args = parser.parse_args(argv)
    try:
        results = compare(
            args.dataset, args.root, args.output, weights=args.weights, epochs=args.epochs
        )
    except (OSError, DatasetError, presets.PresetError, TrainingError) as error:
        sys.exit(f"compare: {error}")
    print(table(results))


if __name__ == "__main__":
    main()
