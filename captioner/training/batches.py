"""Batches of photographs with their captions and questions."""

import functools
import math
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
from captioner.data.vocabulary import Vocabulary
from captioner.models.captioner import Captioner
from captioner.training.answers import answer_steps, encode_questions
from captioner.training.recipe import FROZEN, Phase
from captioner.training.sequences import Arrays, Kind, TokenSequence, grouped
from captioner.training.texts import Sentences

CAPTIONS = 5  # K, the most captions of a photograph in a batch; Flickr8k and COCO have five
QUESTIONS = 6  # M, the most questions about a photograph in a batch; a choice, not measured

# From the index of a photograph, whether to mirror it, and a random generator to its array.
ReadOne = Callable[[int, bool, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Photograph:
    """The annotations of one photograph, from all data sets.

    Attributes:
        image: its file.
        captions: its captions.
        questions: its questions with their answers.
        times: how often an epoch uses it.
        objects: names of objects in it.
        weight: of its captions in the loss; below 1 for captions of other photographs.
    """

    image: Path
    captions: tuple[str, ...]
    questions: tuple[Example, ...]
    times: int = 1
    objects: tuple[str, ...] = ()
    weight: float = 1.0


def photographs_of(
    data: Mapping[str, Sequence[Example]], times: Mapping[str, int] | None = None
) -> list[Photograph]:
    """The `Photograph` of every image, in the order of the first example of each.

    Args:
        data: a dict of the examples by their data set.
        times: how often an epoch uses each data set; once by default.
    """
    captions: dict[Path, list[str]] = defaultdict(list)
    questions: dict[Path, list[Example]] = defaultdict(list)
    objects: dict[Path, list[str]] = defaultdict(list)
    often: dict[Path, int] = defaultdict(int)
    real = functools.cache(Path.resolve)
    for name, examples in data.items():
        for example in examples:
            # Data sets may name one file in several ways. Each folder is resolved only once.
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


class ShuffledPhotographs(keras.utils.PyDataset):
    """Indices of photographs in batches, in another order in each epoch.

    Args:
        photographs: a list of `Photograph`.
        batch_size: photographs in a batch.
        seed: an integer.
        **kwargs: of `PyDataset`.

    Attributes:
        epoch: the number of the epoch; `fit` sets it.
    """

    def __init__(
        self, photographs: Sequence[Photograph], batch_size: int, seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.indices = np.repeat(np.arange(len(photographs)), [p.times for p in photographs])
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def __len__(self) -> int:
        return math.ceil(len(self.indices) / self.batch_size)

    def rows(self, index: int) -> tuple[np.ndarray, np.random.Generator]:
        """The photographs of a batch `int[B]`, and the generator of its random numbers."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.indices)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        return order[index * self.batch_size : (index + 1) * self.batch_size], rng


class Batches(ShuffledPhotographs):
    """Shuffled batches of photographs with their captions and questions.

    A batch is `(inputs, targets, weights)` of a `Captioner`: the photographs, and groups of
    captions, of answers, and of sentences without photographs, see
    `captioner.training.sequences.grouped`. The random numbers of a batch depend only on the seed,
    the epoch and the index. So a resumed run sees the batches of an uninterrupted run. On JAX all
    batches have the same number of rows: the last one is filled up with rows of weight 0.

    Args:
        photographs: a list of `Photograph`.
        read: returns the array of one photograph, see `ReadOne`.
        key: "features" or "photographs".
        model: the `Captioner`, for its vocabulary and the lengths of its sequences.
        batch_size: photographs in a batch.
        seed: an integer.
        phase: the weights of answers and texts in the loss.
        texts: `Sentences` without photographs, or None.
        mirrored: whether half of the photographs are mirrored.
    """

    def __init__(
        self,
        photographs: Sequence[Photograph],
        read: ReadOne,
        key: str,
        model: Captioner,
        batch_size: int,
        seed: int,
        phase: Phase = FROZEN,
        texts: Sentences | None = None,
        mirrored: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(photographs, batch_size, seed, **kwargs)
        self.read, self.key, self.phase, self.texts = read, key, phase, texts
        self.mirrored = mirrored
        # JAX compiles anew for each shape, and several devices need equal parts of a batch.
        self.multiple = batch_size if keras.backend.backend() == "jax" else 1
        self.weights = [photograph.weight for photograph in photographs]
        vocabulary = model.vocabulary
        self.mirror = mirrored_words(vocabulary)
        # Captions are encoded for each batch: all of COCO as arrays take 200 MB and ten seconds.
        self.encode = functools.partial(
            vocabulary.encode, length=model.steps, top=model.config.caption_words
        )
        self.captions = [photograph.captions for photograph in photographs]
        self.caption_steps = model.steps
        self.answer_steps = answer_steps(model)
        self.questions = [
            encode_questions(
                ((q.question or "", q.references) for q in photograph.questions),
                *(model, self.answer_steps),
            )
            for photograph in photographs
        ]

    def __getitem__(self, index: int) -> tuple[Arrays, Arrays, Arrays]:
        photographs, rng = self.rows(index)
        arrays, captions, answers = [], [], []
        for row, i in enumerate(photographs):
            mirror = self.mirrored and bool(rng.integers(2))
            arrays.append(self.read(i, mirror, rng))
            words = self.mirror if mirror else np.arange(len(self.mirror))
            for j in rng.permutation(len(self.captions[i]))[:CAPTIONS]:
                tokens = words[self.encode(self.captions[i][j])]
                captions.append(TokenSequence(tokens, row, self.weights[i]))
            for j in rng.permutation(len(self.questions[i]))[:QUESTIONS]:
                question, tokens = self.questions[i][j]
                answers.append(
                    TokenSequence(words[rng.choice(tokens)], row, question=words[question])
                )
        arrays += [arrays[-1]] * (-len(arrays) % self.multiple)
        groups: list[Kind] = []
        if any(self.captions):
            groups.append(("captions", captions, self.caption_steps, CAPTIONS * self.batch_size))
        if any(self.questions):
            groups.append(("answers", answers, self.answer_steps, QUESTIONS * self.batch_size))
        inputs: Arrays = {self.key: np.stack(arrays)}
        if self.texts is not None:
            found, sentences = self.texts.batch(rng)
            inputs |= found
            groups += sentences
        targets: Arrays = {}
        weights: Arrays = {}
        for name, sequences, steps, count in groups:
            parts = grouped(name, sequences, steps, count)
            for whole, part in zip((inputs, targets, weights), parts, strict=True):
                whole |= part
            for key in parts[1]:
                weights[key] = weights[key] * loss_weight(name, self.phase)
        return inputs, targets, weights


def loss_weight(name: str, phase: Phase) -> float:
    """The factor of the loss of a kind of sequences; captions have 1."""
    answers = phase.answers if "answers" in name else 1.0
    return answers * phase.texts if name.startswith("text") else answers


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
    """A photograph `uint8[S, S, 3]` with slightly cropped edges, brightness and colour.

    The ranges are usual ones; they are choices, not measured.
    """
    image = open_image(path, at_least=2 * size)
    width, height = image.size
    shares = rng.uniform(0.85, 1.0, 2)
    left, top = rng.uniform(0, 1 - shares) * (width, height)
    image = image.crop(
        (round(left), round(top), round(left + shares[0] * width), round(top + shares[1] * height))
    )
    image = Image.fromarray(squash(image, size))  # first: the rest is faster on fewer pixels
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.2))
    image = ImageEnhance.Color(image).enhance(rng.uniform(0.8, 1.2))
    if mirror:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.array(image)
