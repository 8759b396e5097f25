"""What kinds of decoders are worth: the caption recipe with each of them, in one table."""

import json
import time
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from captioner import presets
from captioner.data.check import Checks
from captioner.data.readers import load_dataset
from captioner.data.vocabulary import Vocabulary
from captioner.generation.batching import BATCH
from captioner.layers.cells import CELLS
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.training.batches import Batches, photographs_of
from captioner.training.dev_scores import DevScores
from captioner.training.features import cached_readers
from captioner.training.fit import Progress, compile_model, fit, new_optimizer
from captioner.training.recipe import FROZEN
from captioner.training.run import Run, TrainingError, digest

# What is not named is as in the recipe: an LSTM, one layer, additive attention.
VARIANTS: tuple[dict[str, Any], ...] = (
    *({"cell": cell, "layers": layers} for layers in (1, 2) for cell in CELLS),
    {"attention": "dot"},
    {"attention": "mean"},
    # About as many parameters as the others; each of its many sub-layers drops something out.
    {"decoder": "transformer", "layers": 3, "units": 256, "dropout": 0.2},
)
SEED = 0


class Timed(DevScores):
    """`DevScores` that keeps what it logged, and the seconds that each epoch trained."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.seconds: list[float] = []
        self.scores: list[dict[str, Any]] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None  # as Keras calls it
        self.seconds.append(time.perf_counter() - self.began)
        super().on_epoch_end(epoch, logs)
        self.scores.append(
            {"BLEU-4": logs["val_bleu4"], "CIDEr": logs["val_cider"], "epoch": epoch + 1}
        )


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
    settings = {
        "dataset": dataset,
        "weights": presets.sha256(presets.find(weights) / presets.WEIGHTS),
        "epochs": epochs,
        "records": digest([photographs, dev_photographs]),
    }
    Run(output, settings)
    checks.save()
    results_path = output / "results.json"
    results = json.loads(results_path.read_text()) if results_path.exists() else []
    read, read_dev = cached_readers(source, photographs, dev_photographs, output / "cache", BATCH)
    vocabulary = Vocabulary.from_sentences(text for p in photographs for text in p.captions)
    phase = replace(FROZEN, epochs=epochs)
    for variant in VARIANTS[len(results) :]:
        keras.utils.set_random_seed(SEED)
        config = CaptionerConfig(
            encoder=source.config.encoder, image_size=source.config.image_size, **variant
        )
        model = Captioner(vocabulary, config)
        model.encoder.trainable = False  # and never run: its features are cached
        batches = Batches(photographs, read, "features", model, BATCH, SEED, workers=1)
        # No score is infinite, so that no preset is written.
        scores = Timed(model, dev, dev_photographs, read_dev, None, {}, best=float("inf"))
        folder = output / str(len(results))
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        compile_model(model, new_optimizer(phase, len(batches)), batches[0][1])
        fit(model, phase, batches, Progress(phase, folder, scores))
        results.append(
            {
                **_kind(config),
                "parameters": model.count_params() - model.encoder.count_params(),
                # The first epoch also compiles.
                "photographs a second": len(photographs) / min(scores.seconds),
                **max(scores.scores, key=lambda row: row["CIDEr"]),
            }
        )
        presets.write_json(results_path, results)
        keras.backend.clear_session()
    return results


def _kind(config: CaptionerConfig) -> dict[str, Any]:
    """What a row says of the decoder."""
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
