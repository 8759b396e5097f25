"""Training: a frozen encoder first, then, if asked, the encoder as well.

The defaults are the recipe of the weights that ship. Everything lies in the output folder, which
is a preset from the first epoch on, always of the best scores so far; a run that was interrupted
goes on where it stopped when the same command is given again.
"""

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageEnhance
from tqdm import tqdm

from captioner import presets, search
from captioner.datasets import load_dataset
from captioner.images import load_images, open_image, squash
from captioner.metrics import CaptionScorer
from captioner.model import Captioner
from captioner.text import PAD, Vocabulary

CAPTIONS = 5  # captions of a photograph in a batch, K


class TrainingError(ValueError):
    """Settings that do not fit the run in the output folder, or data with nothing to learn."""


@dataclass(frozen=True)
class Phase:
    """One call of `fit`.

    Attributes:
        name: "frozen" reads features cached once, "fine-tune" trains the encoder as well.
        epochs: the most epochs; early stopping may end the phase before.
        learning_rate: at its height, after a linear warm-up and before a cosine down to 0.
    """

    name: str
    epochs: int
    learning_rate: float


FROZEN = Phase("frozen", epochs=12, learning_rate=1e-3)
FINE_TUNE = Phase("fine-tune", epochs=3, learning_rate=1e-4)
WARM_UP = 0.05  # share of the steps
WEIGHT_DECAY = 0.01
CLIP_NORM = 5.0
PATIENCE = 5  # epochs without a better CIDEr; fewer would stop before the rate has come down


class Batches(keras.utils.PyDataset):
    """Shuffled batches of photographs, each with its captions, half of them mirrored.

    A batch is `({"features" or "photographs": [B, ...], "tokens": int[B, K, T]}, int[B, K, T])`.
    What it draws depends on the seed, the epoch and the number of the batch alone, so that a
    resumed run sees what an uninterrupted one would.

    Args:
        examples: records with captions.
        read: a function of an index, whether to mirror, and a random generator, that returns
            the array of one photograph.
        key: "features" or "photographs".
        vocabulary: turns captions into token ids.
        steps: T.
        batch_size: photographs in a batch.
        seed: an integer.
    """

    def __init__(self, examples, read, key, vocabulary, steps, batch_size, seed, **kwargs):
        super().__init__(**kwargs)
        self.read, self.key = read, key
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        self.captions = [
            np.stack([vocabulary.encode(caption, steps) for caption in example.references])
            for example in examples
        ]
        self.mirror = mirrored_words(vocabulary)

    def __len__(self):
        return -(-len(self.captions) // self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.captions))
        rng = np.random.default_rng((self.seed, self.epoch, index))
        arrays, tokens = [], []
        for i in order[index * self.batch_size : (index + 1) * self.batch_size]:
            mirror = bool(rng.integers(2))
            arrays.append(self.read(i, mirror, rng))
            chosen = rng.permutation(len(self.captions[i]))[:CAPTIONS]
            rows = self.captions[i][chosen]
            if len(rows) < CAPTIONS:  # all padding costs nothing in the loss
                rows = np.pad(rows, ((0, CAPTIONS - len(rows)), (0, 0)), constant_values=PAD)
            tokens.append(self.mirror[rows] if mirror else rows)
        tokens = np.stack(tokens)
        return {self.key: np.stack(arrays), "tokens": tokens[..., :-1]}, tokens[..., 1:]


def mirrored_words(vocabulary):
    """`int32[V]`: the ids of words for a mirrored photograph, "left" and "right" exchanged."""
    words = {word: i for i, word in enumerate(vocabulary.words)}
    ids = np.arange(len(vocabulary), dtype="int32")
    if "left" in words and "right" in words:
        ids[[words["left"], words["right"]]] = words["right"], words["left"]
    return ids


def augmented(path, size, mirror, rng):
    """A photograph `uint8[S, S, 3]`, cut a little at the edges and lit a little differently."""
    image = open_image(path)
    width, height = image.size
    shares = rng.uniform(0.85, 1.0, 2)
    left, top = rng.uniform(0, 1 - shares) * (width, height)
    image = image.crop(
        (round(left), round(top), round(left + shares[0] * width), round(top + shares[1] * height))
    )
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.2))
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.8, 1.2))
    if mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return squash(image, size)


def cache_features(model, examples, path, batch_size):
    """Run the frozen encoder once over all photographs and their mirror images.

    Args:
        path: of a NumPy file `float16[2, N, R, C]`, plain and mirrored; used as it is if it is
            there already.

    Returns:
        The array, mapped from the file.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = model.encoder.output_shape[-1]
        unfinished = path.with_suffix(".part")
        shape = (2, len(examples), model.regions, channels)
        cache = np.lib.format.open_memmap(unfinished, "w+", "float16", shape)
        encoder = keras.Sequential([model.encoder])
        encoder.jit_compile = search.jit_compile()
        paths = [example.image for example in examples]
        with tqdm(total=len(paths), desc=f"encoding {path.stem}", unit="photo") as bar:
            loaded = load_images(paths, model.image_size)
            for start, batch in search.batches(loaded, batch_size):
                rows = slice(start, start + len(batch))
                for side, view in enumerate((batch, batch[:, :, ::-1])):
                    maps = encoder.predict_on_batch(view.astype("float32"))
                    cache[side, rows] = maps.reshape(len(batch), -1, channels)
                bar.update(len(batch))
        cache.flush()
        unfinished.rename(path)
    return np.load(path, mmap_mode="r")


class DevScores(keras.callbacks.Callback):
    """Captions the dev photographs by beam search after every epoch, and scores the captions.

    Adds `val_cider` and `val_bleu4` to the logs, and writes the preset when CIDEr is the best
    so far.

    Args:
        examples: the dev records.
        inputs: a function without arguments that yields batches of inputs for `generate`.
        output: the folder of the preset.
        metadata: the story of the weights, as a dict.
        best: the CIDEr that must be exceeded.
    """

    def __init__(self, examples, inputs, output, metadata, best):
        super().__init__()
        self.scorer = CaptionScorer(dict(enumerate(e.references for e in examples)))
        self.inputs, self.output = inputs, output
        self.metadata, self.best = metadata, best

    def on_epoch_end(self, epoch, logs=None):
        captions = []
        for batch in self.inputs():
            found = search.generate(self.model, batch, search.Beam())
            captions += [candidates[0].text for candidates in found]
        scores = self.scorer.score(dict(enumerate(captions)))
        logs["val_cider"], logs["val_bleu4"] = scores["cider"], scores["bleu4"]
        if scores["cider"] > self.best:
            self.best = scores["cider"]
            self.metadata["training"]["phases"][-1]["chosen_epoch"] = epoch + 1
            metadata = {**self.metadata, "dev_scores_in_training": scores}
            self.model.save_to_preset(self.output, metadata)


def train(
    dataset,
    root,
    output,
    *,
    encoder="MobileNetV2",
    encoder_weights="imagenet",
    fine_tune=False,
    epochs=FROZEN.epochs,
    fine_tune_epochs=FINE_TUNE.epochs,
    batch_size=32,
    seed=0,
):
    """Train a captioner on the train split of a data set, and choose it by its dev split.

    Args:
        dataset: the name of a reader, see `captioner.datasets`.
        root: the folder of the data set.
        output: the folder of the preset, of the logs, and of what a resumed run needs.
        encoder: a network of `keras.applications` by name.
        encoder_weights: "imagenet" or a weights file.
        fine_tune: whether a phase trains the encoder as well.
        epochs: of the first phase.
        fine_tune_epochs: of the phase with the encoder.
        batch_size: photographs in a batch, each with five captions.
        seed: of the initial weights, the order and the augmentation.

    Raises:
        TrainingError: the output folder holds a run with other settings.
        DatasetError: the data cannot be read, or too much of it is broken.
    """
    output = Path(output)
    settings = {
        "dataset": dataset,
        "encoder": encoder,
        "encoder_weights": Path(encoder_weights).name,
        "batch_size": batch_size,
        "seed": seed,
    }
    examples, dev = (load_dataset(dataset, root, split) for split in ("train", "dev"))
    run = Run(output, settings)
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary.from_sentences(text for e in examples for text in e.references)
    model = Captioner(vocabulary, encoder=encoder, encoder_weights=encoder_weights)
    origin = {"name": encoder, "weights": settings["encoder_weights"]}
    if encoder_weights != "imagenet":
        origin["sha256"] = presets.sha256(encoder_weights)
    story = {
        "dataset": dataset,
        "photographs": {"train": len(examples), "dev": len(dev)},
        "encoder_started_from": origin,
        "seed": seed,
        "batch_size": batch_size,
        "weight_decay": WEIGHT_DECAY,
        "clip_norm": CLIP_NORM,
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend()},
        "phases": [],
    }

    phases = [replace(FROZEN, epochs=epochs)]
    if fine_tune:
        phases.append(replace(FINE_TUNE, epochs=fine_tune_epochs))
    for phase in phases:
        story["phases"].append(asdict(phase))
        if phase.name in run.finished:
            story["phases"][-1]["chosen_epoch"] = run.finished[phase.name]
            continue
        if phase != phases[0]:
            model = Captioner.from_preset(output)  # the best of the phases before
        if phase.name == "fine-tune":
            read, dev_inputs = photographs_of(examples, dev, model.image_size)
            key = "photographs"
        else:
            read, dev_inputs = features_of(model, examples, dev, output / "cache", batch_size)
            key, model.encoder.trainable = "features", False
        data = Batches(
            examples, read, key, model.vocabulary, model.steps, batch_size, seed, workers=1
        )
        scores = DevScores(dev, dev_inputs, output, {"training": story}, run.best())
        fit(model, phase, data, scores, output)
        run.finish(phase.name)
        story["phases"][-1]["chosen_epoch"] = run.finished[phase.name]
    shutil.rmtree(output / "cache", ignore_errors=True)  # gigabytes that nobody needs any more


def photographs_of(examples, dev, size):
    """How `Batches` reads augmented photographs, and the dev photographs batch by batch."""

    def read(i, mirror, rng):
        return augmented(examples[i].image, size, mirror, rng)

    def dev_inputs():
        paths = [example.image for example in dev]
        for _, batch in search.batches(load_images(paths, size)):
            yield {"photographs": batch}

    return read, dev_inputs


def features_of(model, examples, dev, folder, batch_size):
    """How `Batches` reads cached features, and those of the dev photographs batch by batch."""
    cached = cache_features(model, examples, folder / "train.npy", batch_size)
    cached_dev = cache_features(model, dev, folder / "dev.npy", batch_size)

    def read(i, mirror, rng):
        return cached[int(mirror), i]

    def dev_inputs():
        for start in range(0, len(dev), search.BATCH):
            yield {"features": cached_dev[0, start : start + search.BATCH]}

    return read, dev_inputs


def fit(model, phase, data, scores, output):
    """One phase: `compile`, `fit`, and the callbacks that log, stop and resume."""
    steps = phase.epochs * len(data)
    warm_up = max(1, round(WARM_UP * steps))
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, steps - warm_up),
            warmup_target=phase.learning_rate,
            warmup_steps=warm_up,
        ),
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=CLIP_NORM,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD),
        jit_compile=search.jit_compile(),
    )
    model.fit(
        data,
        epochs=phase.epochs,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch)
            ),
            scores,
            keras.callbacks.EarlyStopping("val_cider", patience=PATIENCE, mode="max"),
            keras.callbacks.CSVLogger(output / "logs" / f"{phase.name}.csv", append=True),
            keras.callbacks.TensorBoard(output / "logs" / phase.name),
            keras.callbacks.TerminateOnNaN(),
            # Last, so that an epoch counts as done only when it has been scored and logged.
            keras.callbacks.BackupAndRestore(output / "backup" / phase.name),
        ],
    )


class Run:
    """What the output folder says of a run.

    Attributes:
        finished: phase -> the epoch chosen, None if all were worse than the phase before.
    """

    def __init__(self, output, settings):
        self.output = output
        self.path = output / "run.json"
        if self.path.exists():
            self.state = json.loads(self.path.read_text(encoding="utf-8"))
            for name, value in settings.items():
                if self.state["settings"][name] != value:
                    raise TrainingError(
                        f"{output}: holds a run with {name} {self.state['settings'][name]}, not "
                        f"{value}; give the same settings to resume it, or another folder"
                    )
        else:
            (output / "logs").mkdir(parents=True, exist_ok=True)
            self.state = {"settings": settings, "finished": {}}
            presets.write_json(self.path, self.state)

    @property
    def finished(self):
        return self.state["finished"]

    def finish(self, phase):
        """Note that a phase is finished, and which epoch of it the preset comes from."""
        phases = presets.read_metadata(self.output)["training"]["phases"]
        chosen = {entry["name"]: entry["chosen_epoch"] for entry in phases}
        self.finished[phase] = chosen.get(phase)
        presets.write_json(self.path, self.state)

    def best(self):
        """The best dev CIDEr so far; -1 before the first epoch, which any score exceeds."""
        if not (self.output / presets.METADATA).exists():
            return -1.0
        return presets.read_metadata(self.output)["dev_scores_in_training"]["cider"]
