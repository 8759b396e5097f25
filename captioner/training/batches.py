"""What a model learns from, batch by batch: photographs, and all that is written about each."""

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image, ImageEnhance

from captioner.data.images import open_image, squash
from captioner.data.records import Example
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.evaluation.answer_metrics import items
from captioner.models.captioner import Captioner
from captioner.training.texts import Sentences

CAPTIONS = 5  # captions of a photograph in a batch, K
QUESTIONS = 6  # questions about a photograph in a batch, M

Arrays = dict[str, np.ndarray]
# Of the number of a photograph, whether to mirror it, and a generator.
ReadOne = Callable[[int, bool, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Photograph:
    """All that the data sets say of one photograph."""

    image: Path
    captions: tuple[str, ...]
    questions: tuple[Example, ...]
    times: int = 1  # that it is seen in an epoch
    objects: tuple[str, ...] = ()  # names of what is known to be in it
    weight: float = 1.0  # of its captions in the loss; less where they are another photograph's


def photographs_of(
    data: Mapping[str, Sequence[Example]], times: Mapping[str, int] | None = None
) -> list[Photograph]:
    """The `Photograph` of every image, in the order of the first example of each.

    Args:
        data: a dict of the examples by their data set.
        times: how often an epoch goes through each data set; once by default.
    """
    captions: dict[Path, list[str]] = defaultdict(list)
    questions: dict[Path, list[Example]] = defaultdict(list)
    objects: dict[Path, list[str]] = defaultdict(list)
    often: dict[Path, int] = defaultdict(int)
    real = functools.cache(Path.resolve)
    for name, examples in data.items():
        for example in examples:
            # Data sets may name it in several ways. What the folder leads to is looked up once.
            path = example.image
            path = real(path) if path.is_symlink() else real(path.parent) / path.name
            captions[path] += example.references if example.question is None else ()
            questions[path] += [] if example.question is None else [example]
            objects[path] += example.objects
            often[path] = max(often[path], times[name] if times else 1)
    return [
        Photograph(
            *(path, tuple(captions[path]), tuple(questions[path]), often[path]),
            objects=tuple(dict.fromkeys(objects[path])),
        )
        for path in captions
    ]


class Batches(keras.utils.PyDataset):
    """Shuffled batches of photographs with what is written about each, half of them mirrored.

    A batch is `(inputs, targets)`, the inputs as for `Captioner.call`, the targets as what that
    returns: "captions" `int[B, K, T]` if any photograph has captions, "answers" `int[B, M, U]` if
    any has questions, "texts" `int[GROUPS, EACH, T]` where there are sentences without photographs.
    Where captions of some photographs weigh less it is `(inputs, targets, weights)`, these as the
    targets. What a batch draws depends on the seed, the epoch and its number alone, so
    that a resumed run sees what an uninterrupted one would. On JAX all batches have as many
    rows: the last is filled up with such as cost nothing.

    Args:
        photographs: a list of `Photograph`.
        read: a function of an index, whether to mirror, and a random generator, that returns
            the array of one photograph.
        key: "features" or "photographs".
        model: the `Captioner`, for its vocabulary and the lengths of what it reads and writes.
        batch_size: photographs in a batch.
        seed: an integer.
        texts: `Sentences` without photographs, or None.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph],
        read: ReadOne,
        key: str,
        model: Captioner,
        batch_size: int,
        seed: int,
        texts: Sentences | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.read, self.key = read, key
        self.indices = np.repeat(np.arange(len(photographs)), [p.times for p in photographs])
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0
        # JAX compiles for each shape anew, and several devices share a batch evenly.
        self.rows = batch_size if keras.backend.backend() == "jax" else 1
        self.texts = texts
        self.weights = np.array([photograph.weight for photograph in photographs], "float32")
        vocabulary = model.vocabulary
        self.mirror = mirrored_words(vocabulary)
        # Encoded when they are drawn: as arrays, those of COCO take 200 MB and ten seconds.
        self.encode = functools.partial(
            vocabulary.encode, length=model.steps, top=model.config.caption_words
        )
        self.captions = [photograph.captions for photograph in photographs]
        said = (a for p in photographs for question in p.questions for a in answers_of(question))
        # Answers are shorter than captions, and every step costs time.
        self.answer_steps = 1 + min(
            max((len(vocabulary.ids(answer)) for answer in said), default=0), model.config.max_words
        )
        self.caption_steps, self.question_words = model.steps, model.config.max_question_words
        self.questions = [
            [
                (
                    vocabulary.encode_question(question.question or "", self.question_words),
                    [vocabulary.encode(a, self.answer_steps) for a in answers_of(question)],
                )
                for question in photograph.questions
            ]
            for photograph in photographs
        ]

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], ...]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.indices)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        arrays, captions, questions, answers = [], [], [], []
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        for i in rows:
            mirror = bool(rng.integers(2))
            arrays.append(self.read(i, mirror, rng))
            words = self.mirror if mirror else np.arange(len(self.mirror))
            drawn = rng.permutation(len(self.captions[i]))[:CAPTIONS]
            captions.append([words[self.encode(self.captions[i][j])] for j in drawn])
            asked = [self.questions[i][j] for j in rng.permutation(len(self.questions[i]))]
            questions.append([words[question] for question, _ in asked[:QUESTIONS]])
            answers.append([words[rng.choice(said)] for _, said in asked[:QUESTIONS]])
        inputs, targets = {self.key: np.stack(arrays)}, {}
        if any(self.captions):
            tokens = filled(captions, CAPTIONS, self.caption_steps + 1)
            inputs["captions"], targets["captions"] = tokens[..., :-1], tokens[..., 1:]
        if any(self.questions):
            inputs["questions"] = filled(questions, QUESTIONS, self.question_words)
            tokens = filled(answers, QUESTIONS, self.answer_steps + 1)
            inputs["answers"], targets["answers"] = tokens[..., :-1], tokens[..., 1:]
        if lacking := -len(rows) % self.rows:
            inputs = filled_up(inputs, targets, lacking)
            targets = filled_up(targets, targets, lacking)
        if self.texts is not None:
            inputs |= self.texts.batch(rng)
            tokens = inputs["texts"]
            inputs["texts"], targets["texts"] = tokens[..., :-1], tokens[..., 1:]
        if (self.weights == 1).all():
            return inputs, targets
        weights = {name: np.ones(tokens.shape, "float32") for name, tokens in targets.items()}
        weights["captions"][: len(rows)] *= self.weights[rows][:, None, None]
        return inputs, targets, weights


def answers_of(question: Example) -> list[str]:
    """What may be learned as the answer to an `Example`: each item of each reference by itself,
    since a list that is right as a whole ("book, lamp") is beyond a model that names one thing."""
    return [item for reference in question.references for item in items(reference) or [reference]]


def filled(rows: Sequence[Sequence[np.ndarray]], count: int, length: int) -> np.ndarray:
    """`int32[B, count, length]` of B lists of `int[length]`: padding, which costs nothing in the
    loss, where a list is shorter."""
    tokens = np.full((len(rows), count, length), PAD, "int32")
    for filling, row in zip(tokens, rows, strict=True):
        filling[: len(row)] = row or filling[:0]
    return tokens


def filled_up(arrays: Arrays, targets: Arrays, lacking: int) -> Arrays:
    """Inputs or targets of a batch with so many rows more, which cost nothing in the loss: of
    padding where something is said, and else repeated, since nothing may have no features."""
    return {
        name: np.concatenate(
            [a, *lacking * [np.full_like(a[:1], PAD) if name in targets else a[-1:]]]
        )
        for name, a in arrays.items()
    }


def mirrored_words(vocabulary: Vocabulary) -> np.ndarray:
    """`int32[V]`: the ids of words for a mirrored photograph, "left" and "right" exchanged."""
    words = {word: i for i, word in enumerate(vocabulary.words)}
    ids = np.arange(len(vocabulary), dtype="int32")
    if "left" in words and "right" in words:
        ids[[words["left"], words["right"]]] = words["right"], words["left"]
    return ids


def augmented(
    path: str | PathLike[str], size: int, mirror: bool, rng: np.random.Generator
) -> np.ndarray:
    """A photograph `uint8[S, S, 3]`, cut a little at the edges and lit a little differently."""
    image = open_image(path, at_least=2 * size)
    width, height = image.size
    shares = rng.uniform(0.85, 1.0, 2)
    left, top = rng.uniform(0, 1 - shares) * (width, height)
    image = image.crop(
        (round(left), round(top), round(left + shares[0] * width), round(top + shares[1] * height))
    )
    image = Image.fromarray(squash(image, size))  # first: the rest takes longer on more
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.2))
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.8, 1.2))
    if mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.array(image)
