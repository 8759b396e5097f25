"""Measures the speed of training: `python benchmarks/training.py`."""

import argparse
import functools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import keras
import numpy as np
from speed import photographs

from captioner.data.records import Example
from captioner.data.vocabulary import PAD
from captioner.models.captioner import Captioner
from captioner.models.config import CaptionerConfig
from captioner.presets import find, read_config
from captioner.training import sequences
from captioner.training.batches import Batches, Photograph
from captioner.training.features import photograph_readers
from captioner.training.recipe import FINE_TUNE
from captioner.training.trainer import Trainer, new_optimizer

BATCH = 32
STEPS = 8  # a measurement


def records(folder: Path, words: list[str], count: int) -> list[Photograph]:
    """Photographs with five captions, as long as those of COCO, and four questions."""
    rng = np.random.default_rng(0)

    def text(length: int) -> str:
        return " ".join(rng.choice(words, length))

    return [
        Photograph(
            Path(path),
            tuple(text(length) for length in np.clip(rng.poisson(2.3, 5) + 8, 8, 18)),
            tuple(Example(Path(path), i, (text(1),), text(6)) for i in range(4)),
        )
        for path in photographs(folder, count)
    ]


def rate(model: Captioner, data: Batches, **settings: bool) -> float:
    """Photographs per second of `fit`, without compilation."""
    trainer = Trainer(model, data[0][1], new_optimizer(FINE_TUNE, len(data)), **settings)
    seconds: list[float] = []
    timer = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seconds.append(time.perf_counter())
    )
    while len(seconds) < STEPS + 2:
        trainer.fit(data, callbacks=[timer], verbose=0)
    return BATCH * STEPS / (seconds[STEPS + 1] - seconds[1])


def useful(data: Batches) -> tuple[float, float]:
    """The words of a photograph to learn, and their share of all positions that are computed."""
    targets = data[0][1].values()
    words = sum(int((tokens != PAD).sum()) for tokens in targets)
    return words / BATCH, words / sum(tokens.size for tokens in targets)


def rows(folder: Path) -> Iterator[tuple[str, float]]:
    """Names and photographs a second, as they are measured."""
    preset = find("everyday")
    shipped = Captioner.from_preset(preset)
    vocabulary, config = shipped.vocabulary, read_config(preset, CaptionerConfig.from_json)
    words = vocabulary.words[10:2000]
    several = records(folder, words, BATCH * (STEPS + 4))
    features = np.random.default_rng(0).normal(
        size=(shipped.regions, shipped.encoder.output_shape[-1])
    )

    def frozen(policy: str = "float32") -> tuple[Captioner, Batches]:
        keras.config.set_dtype_policy(policy)
        model = Captioner(vocabulary, config)
        keras.config.set_dtype_policy("float32")
        model.encoder.trainable = False
        cached = features.astype("float16")
        read = functools.partial(lambda array, *_: array, cached)
        return model, Batches(several, read, "features", model, BATCH, 0, workers=1)

    model, data = frozen()
    start = time.perf_counter()
    for index in range(STEPS):
        data[index]
    yield "frozen: the loader alone", BATCH * STEPS / (time.perf_counter() - start)
    words_each, share = useful(data)
    print(f"{words_each:.1f} words a photograph, {share:.0%} of the positions are words")
    yield "frozen", rate(model, data)
    with mock.patch.object(sequences, "STEPS", ()):
        print(f"padded to one length, {useful(data)[1]:.0%} of the positions are words")
        yield "frozen, padded to one length", rate(*frozen())
    yield "frozen, XLA", rate(*frozen(), jit_compile=True)
    yield "frozen, mixed_bfloat16", rate(*frozen("mixed_bfloat16"))
    for workers in (1, os.cpu_count() or 1):
        model = Captioner(vocabulary, config)
        read, _ = photograph_readers(model, several, several)
        data = Batches(several, read, "photographs", model, BATCH, 0, workers=workers)
        if workers == 1:
            start = time.perf_counter()
            for index in range(2):
                data[index]
            yield "fine-tuning: the loader alone", 2 * BATCH / (time.perf_counter() - start)
        yield f"fine-tuning, {workers} loading", rate(model, data)


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(f"{os.cpu_count()} cores, {keras.backend.backend()}, batches of {BATCH}")
    with tempfile.TemporaryDirectory() as folder:
        for name, figure in rows(Path(folder)):
            print(f"{name:36}{figure:>12.1f} photographs/s", flush=True)


if __name__ == "__main__":
    main()
