"""Training: a frozen encoder first, then, if asked, the encoder as well.

The defaults are the recipe of the weights that ship. Everything lies in the output folder, which
is a preset from the first epoch on, always of the best scores so far; a run that was interrupted
goes on where it stopped when the same command is given again.
"""

import itertools
import json
import os
import shutil
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageEnhance
from tqdm import tqdm

from captioner import presets, search
from captioner.answer_metrics import AnswerScorer, items
from captioner.datasets import Example, load_dataset
from captioner.images import load_images, open_image, squash
from captioner.metrics import CaptionScorer
from captioner.model import Captioner
from captioner.text import PAD, Vocabulary

CAPTIONS = 5  # captions of a photograph in a batch, K
QUESTIONS = 6  # questions about a photograph in a batch, M
QUESTION_UNITS = 256  # of a model that is trained on questions
LOSS_WEIGHTS = {"captions": 1.0, "answers": 1.0}


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


FROZEN = Phase("frozen", epochs=8, learning_rate=1e-3)
FINE_TUNE = Phase("fine-tune", epochs=3, learning_rate=1e-4)
WARM_UP = 0.05  # share of the steps
WEIGHT_DECAY = 0.01
CLIP_NORM = 5.0
PATIENCE = 5  # epochs without a better score; fewer would stop before the rate has come down


@dataclass(frozen=True)
class Photograph:
    """All that the data sets say of one photograph."""

    image: Path
    captions: tuple[str, ...]
    questions: tuple[Example, ...]
    times: int = 1  # that it is seen in an epoch


def photographs_of(data, times=None):
    """The `Photograph` of every image, in the order of the first example of each.

    Args:
        data: a dict of the examples by their data set.
        times: how often an epoch goes through each data set; once by default.
    """
    captions, questions, often = defaultdict(list), defaultdict(list), defaultdict(int)
    for name, examples in data.items():
        for example in examples:
            path = Path(os.path.realpath(example.image))  # data sets may name it in several ways
            captions[path] += example.references if example.question is None else ()
            questions[path] += [] if example.question is None else [example]
            often[path] = max(often[path], times[name] if times else 1)
    return [
        Photograph(path, tuple(captions[path]), tuple(questions[path]), often[path])
        for path in captions
    ]


class Batches(keras.utils.PyDataset):
    """Shuffled batches of photographs with what is written about each, half of them mirrored.

    A batch is `(inputs, targets)`, the inputs as for `Captioner.call`, the targets as what that
    returns: "captions" `int[B, K, T]` if any photograph has captions, "answers" `int[B, M, U]` if
    any has questions. What a batch draws depends on the seed, the epoch and its number alone, so
    that a resumed run sees what an uninterrupted one would.

    Args:
        photographs: a list of `Photograph`.
        read: a function of an index, whether to mirror, and a random generator, that returns
            the array of one photograph.
        key: "features" or "photographs".
        model: the `Captioner`, for its vocabulary and the lengths of what it reads and writes.
        batch_size: photographs in a batch.
        seed: an integer.
    """

    def __init__(self, photographs, read, key, model, batch_size, seed, **kwargs):
        super().__init__(**kwargs)
        self.read, self.key = read, key
        self.indices = np.repeat(np.arange(len(photographs)), [p.times for p in photographs])
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        vocabulary = model.vocabulary
        self.mirror = mirrored_words(vocabulary)
        self.captions = [
            [vocabulary.encode(caption, model.steps) for caption in photograph.captions]
            for photograph in photographs
        ]
        said = (a for p in photographs for question in p.questions for a in answers_of(question))
        # Answers are shorter than captions, and every step costs time.
        self.answer_steps = 1 + min(
            max((len(vocabulary.ids(answer)) for answer in said), default=0), model.max_words
        )
        self.caption_steps, self.question_words = model.steps, model.max_question_words
        self.questions = [
            [
                (
                    vocabulary.encode_question(question.question, self.question_words),
                    [vocabulary.encode(a, self.answer_steps) for a in answers_of(question)],
                )
                for question in photograph.questions
            ]
            for photograph in photographs
        ]

    def __len__(self):
        return -(-len(self.indices) // self.batch_size)

    def __getitem__(self, index):
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.indices)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        arrays, captions, questions, answers = [], [], [], []
        for i in order[index * self.batch_size : (index + 1) * self.batch_size]:
            mirror = bool(rng.integers(2))
            arrays.append(self.read(i, mirror, rng))
            words = self.mirror if mirror else np.arange(len(self.mirror))
            drawn = rng.permutation(len(self.captions[i]))[:CAPTIONS]
            captions.append([words[self.captions[i][j]] for j in drawn])
            drawn = [self.questions[i][j] for j in rng.permutation(len(self.questions[i]))]
            questions.append([words[question] for question, _ in drawn[:QUESTIONS]])
            answers.append([words[rng.choice(said)] for _, said in drawn[:QUESTIONS]])
        inputs, targets = {self.key: np.stack(arrays)}, {}
        if any(self.captions):
            tokens = filled(captions, CAPTIONS, self.caption_steps + 1)
            inputs["captions"], targets["captions"] = tokens[..., :-1], tokens[..., 1:]
        if any(self.questions):
            inputs["questions"] = filled(questions, QUESTIONS, self.question_words)
            tokens = filled(answers, QUESTIONS, self.answer_steps + 1)
            inputs["answers"], targets["answers"] = tokens[..., :-1], tokens[..., 1:]
        return inputs, targets


def answers_of(question):
    """What may be learned as the answer to an `Example`: each item of each reference by itself,
    since a list that is right as a whole ("book, lamp") is beyond a model that names one thing."""
    return [item for reference in question.references for item in items(reference) or [reference]]


def filled(rows, count, length):
    """`int32[B, count, length]` of B lists of `int[length]`: padding, which costs nothing in the
    loss, where a list is shorter."""
    tokens = np.full((len(rows), count, length), PAD, "int32")
    for filling, row in zip(tokens, rows, strict=True):
        filling[: len(row)] = row or filling[:0]
    return tokens


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


def encoding(model):
    """The encoder, compiled: a function of photographs `[B, S, S, 3]` that returns their features
    `float32[B, R, C]`."""
    encoder = keras.Sequential([model.encoder])
    encoder.jit_compile = search.jit_compile()

    def encode(photographs):
        maps = encoder.predict_on_batch(photographs.astype("float32"))
        return maps.reshape(len(photographs), model.regions, -1)

    return encode


def cache_features(model, photographs, path, batch_size):
    """Run the frozen encoder once over all photographs and their mirror images.

    Args:
        model: the `Captioner`.
        photographs: a list of `Photograph`.
        path: of a NumPy file `float16[2, N, R, C]`, plain and mirrored; used as it is if it is
            there already.
        batch_size: photographs encoded together.

    Returns:
        The array, mapped from the file.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        shape = (2, len(photographs), model.regions, model.encoder.output_shape[-1])
        cache = np.lib.format.open_memmap(unfinished, "w+", "float16", shape)
        encode = encoding(model)
        paths = [photograph.image for photograph in photographs]
        with tqdm(total=len(paths), desc=f"encoding {path.stem}", unit="photo") as bar:
            loaded = load_images(paths, model.image_size)
            for start, batch in search.batches(loaded, batch_size):
                for side, view in enumerate((batch, batch[:, :, ::-1])):
                    cache[side, start : start + len(batch)] = encode(view)
                bar.update(len(batch))
        cache.flush()
        unfinished.rename(path)
    return np.load(path, mmap_mode="r")


def cached_readers(model, photographs, dev, folder, batch_size):
    """Reads features from a cache: one for `Batches`, one for `DevScores`."""
    features = cache_features(model, photographs, folder / "train.npy", batch_size)
    dev_features = cache_features(model, dev, folder / "dev.npy", batch_size)
    return lambda i, mirror, rng: features[int(mirror), i], lambda rows: dev_features[0, rows]


def photograph_readers(model, photographs, dev):
    """Reads augmented photographs for `Batches`, and the features of others for `DevScores`."""
    encode = encoding(model)

    def read(i, mirror, rng):
        return augmented(photographs[i].image, model.image_size, mirror, rng)

    def read_dev(rows):
        paths = [photograph.image for photograph in dev[rows]]
        ((_, batch),) = search.batches(load_images(paths, model.image_size), len(paths))
        return encode(batch)

    return read, read_dev


class DevScores(keras.callbacks.Callback):
    """Writes about the dev photographs by beam search after every epoch, and scores it.

    Adds to the logs `val_cider`, `val_bleu4` and `val_accuracy`, the mean over the data sets of
    questions, and `val_score`, the sum of CIDEr and accuracy, as far as the data have captions
    and questions. Writes the preset when `val_score` is the best so far.

    Args:
        data: a dict of the dev records by their data set.
        photographs: the list of `Photograph` of these records.
        read: a function of a slice of that list that returns features `float[B, R, C]`.
        output: the folder of the preset.
        metadata: the story of the weights, as a dict.
        best: the score that must be exceeded.
    """

    def __init__(self, data, photographs, read, output, metadata, best):
        super().__init__()
        self.photographs, self.read = photographs, read
        captions = {i: p.captions for i, p in enumerate(photographs) if p.captions}
        self.captions = CaptionScorer(captions) if captions else None
        # Records are the keys: the ids of questions are unique only within a data set.
        asked = {name: [e for e in records if e.question] for name, records in data.items()}
        self.answers = {
            name: AnswerScorer({example: example.references for example in questions})
            for name, questions in asked.items()
            if questions
        }
        self.output, self.metadata, self.best = output, metadata, best

    def on_epoch_end(self, epoch, logs=None):
        captions, answers = self.write()
        scores = self.captions.score(captions) if captions else {}
        rates = []
        for name, scorer in self.answers.items():
            said = {example: answers[example] for example in scorer.references}
            rates.append(scorer.score(said, with_wups=False)["accuracy"])
            scores[f"accuracy/{name}"] = rates[-1]
        scores["score"] = scores.get("cider", 0.0) + (np.mean(rates) if rates else 0.0)
        if captions:
            logs["val_cider"], logs["val_bleu4"] = scores["cider"], scores["bleu4"]
        if rates:
            logs["val_accuracy"] = np.mean(rates)
        logs["val_score"] = scores["score"]
        if scores["score"] > self.best:
            self.best = scores["score"]
            self.metadata["training"]["phases"][-1]["chosen_epoch"] = epoch + 1
            metadata = {**self.metadata, "dev_scores_in_training": scores}
            self.model.save_to_preset(self.output, metadata)

    def write(self):
        """The captions by the numbers of their photographs, the answers by their records."""
        captions, answers = {}, {}
        vocabulary, length = self.model.vocabulary, self.model.max_question_words
        most = max(len(photograph.questions) for photograph in self.photographs)
        for start in range(0, len(self.photographs), search.BATCH):
            rows = slice(start, start + search.BATCH)
            batch, inputs = self.photographs[rows], {"features": self.read(rows)}
            if self.captions:
                found = search.generate(self.model, inputs, search.Beam())
                captions |= {
                    start + i: candidates[0].text
                    for i, candidates in enumerate(found)
                    if batch[i].captions
                }
            if self.answers:
                asked = [
                    [vocabulary.encode_question(e.question, length) for e in photograph.questions]
                    for photograph in batch
                ]
                inputs["questions"] = filled(asked, most, length)
                found = search.generate(self.model, inputs, search.Beam(1))
                for i, photograph in enumerate(batch):
                    said = zip(photograph.questions, found[i * most :], strict=False)
                    answers |= {example: candidates[0].text for example, candidates in said}
        return captions, answers


def train(
    datasets,
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
    """Train a captioner on the train splits of data sets, and choose it by their dev splits.

    Where the data have questions, the model learns to answer them as well as to caption.

    Args:
        datasets: pairs of the name of a reader, see `captioner.datasets`, and the folder of the
            data set. What several say of one photograph is learned together. One that is given
            twice is gone through twice in every epoch, as may help a small one.
        output: the folder of the preset, of the logs, and of what a resumed run needs.
        encoder: a network of `keras.applications` by name.
        encoder_weights: what the encoder starts from: "imagenet", a weights file, or a preset, by
            name or folder, whose encoder goes on learning.
        fine_tune: whether a phase trains the encoder as well.
        epochs: of the first phase.
        fine_tune_epochs: of the phase with the encoder.
        batch_size: photographs in a batch, each with up to five captions and six questions.
        seed: of the initial weights, the order and the augmentation.

    Raises:
        TrainingError: the output folder holds a run with other settings, or the preset has
            another encoder.
        PresetError: there is neither a file nor a preset of the name of the encoder's weights.
        DatasetError: the data cannot be read, or too much of it is broken.
    """
    output = Path(output)
    times = Counter(datasets)
    names = [name for name, _ in times]
    if len(set(names)) < len(names):
        raise TrainingError(f"one format, two folders: {', '.join(names)}; join them into one")
    times = {name: times[name, root] for name, root in times}
    settings = {
        "datasets": times,
        "encoder": encoder,
        "encoder_weights": Path(encoder_weights).name,
        "batch_size": batch_size,
        "seed": seed,
    }
    data, dev = (
        {name: load_dataset(name, root, split) for name, root in dict(datasets).items()}
        for split in ("train", "dev")
    )
    examples = list(itertools.chain(*data.values()))
    photographs, dev_photographs = photographs_of(data, times), photographs_of(dev)
    asked = [example.question for example in examples if example.question is not None]
    run = Run(output, settings)
    keras.utils.set_random_seed(seed)
    said = (text for example in examples for text in example.references)
    from_preset = encoder_weights != "imagenet" and not Path(encoder_weights).is_file()
    model = Captioner(
        Vocabulary.from_sentences(itertools.chain(said, asked)),
        encoder=encoder,
        encoder_weights=None if from_preset else encoder_weights,
        question_units=QUESTION_UNITS if asked else 0,
    )
    origin = {"name": encoder, "weights": settings["encoder_weights"]}
    if from_preset:
        source = Captioner.from_preset(encoder_weights)
        if source.encoder_name != encoder:
            raise TrainingError(f"{encoder_weights}: has {source.encoder_name}, not {encoder}")
        model.encoder.set_weights(source.encoder.get_weights())
        origin["preset"] = presets.read_metadata(encoder_weights)
    elif encoder_weights != "imagenet":
        origin["sha256"] = presets.sha256(encoder_weights)
    story = {
        "data": {
            name: {"train": counts(data[name]), "dev": counts(dev[name]), "times": times[name]}
            for name in names
        },
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
            key = "photographs"
            read, read_dev = photograph_readers(model, photographs, dev_photographs)
        else:
            key, model.encoder.trainable = "features", False
            read, read_dev = cached_readers(
                model, photographs, dev_photographs, output / "cache", batch_size
            )
        batches = Batches(photographs, read, key, model, batch_size, seed, workers=1)
        scores = DevScores(dev, dev_photographs, read_dev, output, {"training": story}, run.best())
        fit(model, phase, batches, scores, output)
        run.finish(phase.name)
        story["phases"][-1]["chosen_epoch"] = run.finished[phase.name]
    shutil.rmtree(output / "cache", ignore_errors=True)  # gigabytes that nobody needs any more


def counts(examples):
    """What a data set holds, for the story of the weights."""
    captioned = [example for example in examples if example.question is None]
    return {
        "photographs": len({example.image for example in examples}),
        "captions": sum(len(example.references) for example in captioned),
        "questions": len(examples) - len(captioned),
    }


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
    _, targets = data[0]
    model.compile(
        optimizer,
        {
            name: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)
            for name in targets
        },
        loss_weights={name: LOSS_WEIGHTS[name] for name in targets},
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
            keras.callbacks.EarlyStopping("val_score", patience=PATIENCE, mode="max"),
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
        """The best dev score so far; -1 before the first epoch, which any score exceeds."""
        if not (self.output / presets.METADATA).exists():
            return -1.0
        return presets.read_metadata(self.output)["dev_scores_in_training"]["score"]
