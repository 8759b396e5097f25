"""Sentences without photographs, as further training material for a decoder that reads concepts.

Each line of the file is a JSON object: captions of one photograph, questions about it, and names of
objects in it. The file may be compressed with gzip.

    {"captions": ["A cat on a couch .", "A sleeping cat ."], "objects": ["cat", "couch"],
     "questions": [{"question": "what is on the couch ?", "answers": ["cat"]}]}

The decoder reads concepts instead of regions, as DeCap and ViECap (Li et al., 2023, Fei et al.,
2023) read embeddings of text instead of those of images. The output of the head over the encoder is
imagined: it is that for a similar photograph, changed to fit the words of the sentences.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from captioner.data.records import DatasetError
from captioner.data.vocabulary import PAD
from captioner.models.captioner import Captioner
from captioner.training.answers import EncodedQuestion, answer_steps, encode_questions
from captioner.training.sequences import Arrays, Kind, TokenSequence

# All of these are choices, not measured.
VERSIONS = 3  # of the concepts of each group of sentences
SIMILAR = 6  # photographs, of which one is sampled
NOISE, SPREAD = 0.5, 1.7  # standard deviations of the logits of that photograph, and of others
KEPT, REMOVED = 0.6, 0.85  # probabilities for common concepts, and for those of the photograph only
SHOWN = 0.3  # a larger share of captions means that the photograph shows the concept
PRIOR = 5  # photographs that the mean logit of all concepts counts for in that of one
EMPTY = 0.1  # share of slots that are left empty
GROUPS, EACH = 64, 2  # groups in a batch, and captions and questions of each


@dataclass(frozen=True)
class Text:
    """Captions, names of objects, and pairs of a question and its answers, without a photograph."""

    captions: tuple[str, ...]
    objects: tuple[str, ...] = ()
    questions: tuple[tuple[str, tuple[str, ...]], ...] = ()


def read_texts(path: Path) -> list[Text]:
    """Read a file of sentences, see above.

    Raises:
        DatasetError: it cannot be read, or a line is malformed.
    """
    texts = []
    try:
        raw = path.read_bytes()
        content = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read as text ({error})") from error
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            captions, objects = entry["captions"], entry.get("objects", [])
            questions = [(q["question"], tuple(q["answers"])) for q in entry.get("questions", [])]
            question_texts = [
                text for question, answers in questions for text in (question, *answers)
            ]
            if not all(isinstance(text, str) for text in (*captions, *objects, *question_texts)):
                raise TypeError("captions, objects, questions and answers are texts")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{path}:{number}: no captions ({error!r})") from error
        captions = tuple(text for text in captions if text.strip())
        if captions or questions:
            texts.append(Text(captions, tuple(objects), tuple(questions)))
    if not texts:
        raise DatasetError(f"{path}: no captions")
    return texts


@dataclass(frozen=True)
class Sentences:
    """Encoded captions and questions without photographs.

    Attributes:
        captions: the captions of each of G groups, `int32[T + 1]` each.
        questions: the questions of each group, with answers of U steps.
        concepts: `int32[G, VERSIONS, K]`, words of the vocabulary.
        logits: `float16[G, VERSIONS, K]`, logits of these.
        steps: T, and U.
    """

    captions: Sequence[Sequence[np.ndarray]]
    questions: Sequence[Sequence[EncodedQuestion]]
    concepts: np.ndarray
    logits: np.ndarray
    steps: tuple[int, int]

    def batch(self, rng: np.random.Generator) -> tuple[Arrays, list[Kind]]:
        """A sample: "concepts" `int32[GROUPS, K]` and "logits" `float32[GROUPS, K]`, and their
        captions and answers for `captioner.training.sequences.grouped`."""
        groups = rng.integers(0, len(self.concepts), GROUPS)
        versions = rng.integers(0, VERSIONS, GROUPS)
        concepts = self.concepts[groups, versions]
        captions, answers = [], []
        for row, group in enumerate(groups):
            for tokens in sampled(self.captions[group], rng):
                captions.append(TokenSequence(tokens, row))
            for question, answer_choices in sampled(self.questions[group], rng):
                answers.append(TokenSequence(rng.choice(answer_choices), row, question=question))
        kinds: list[Kind] = [("texts", captions, self.steps[0], GROUPS * EACH)]
        if any(self.questions):
            kinds.append(("text_answers", answers, self.steps[1], GROUPS * EACH))
        inputs = {
            "concepts": np.where(rng.random(concepts.shape) < EMPTY, PAD, concepts),
            "logits": self.logits[groups, versions].astype("float32"),
        }
        return inputs, kinds


def sampled(choices: Sequence[Any], rng: np.random.Generator) -> list[Any]:
    """A sample of up to `EACH` of some choices."""
    return [choices[i] for i in rng.permutation(len(choices))[:EACH]]


def imagined(
    mentioned: np.ndarray,
    shown: np.ndarray,
    logits: np.ndarray,
    slots: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The concepts that the head might detect in photographs of some sentences.

    Args:
        mentioned: `float[G, C]`, the share of the sentences of a group that name each concept.
        shown: `float[N, C]`, the same for the captions of photographs.
        logits: `float[N, C]`, the output of the head for these.
        slots: K, the number of concepts to return.
        rng: a generator.

    Returns:
        Indices of the most probable concepts `int16[G, VERSIONS, K]`, and their logits
        `float16[G, VERSIONS, K]`.
    """
    # Photographs are similar if they share rare concepts.
    weights = np.log(1 / np.clip((shown > 0).mean(0), 1e-3, 1))
    vectors = shown * weights
    vectors = (vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1)).astype("float32")
    clear = shown > SHOWN
    middle = logits[clear].mean() if clear.any() else 0.0
    typical = (np.where(clear, logits, 0).sum(0) + PRIOR * middle) / (clear.sum(0) + PRIOR)
    ids = np.zeros((len(mentioned), VERSIONS, slots), "int16")
    found = np.zeros((len(mentioned), VERSIONS, slots), "float16")
    for start in range(0, len(mentioned), 500):
        rows = slice(start, start + 500)
        share = mentioned[rows]
        distances = -(share * weights) @ vectors.T
        nearest = np.argpartition(distances, min(SIMILAR, len(vectors) - 1), axis=1)[:, :SIMILAR]
        for version in range(VERSIONS):
            choice = rng.integers(0, nearest.shape[1], len(nearest))
            similar = nearest[np.arange(len(nearest)), choice]
            named, common = share > 0, shown[similar] > 0
            guessed = logits[similar] + rng.normal(0, NOISE, share.shape)
            new = typical + rng.normal(0, SPREAD, share.shape)
            new = new + 0.7 * np.log(np.clip(share, 0.1, 1))  # weaker if few sentences name it
            kept = common & (rng.random(share.shape) < KEPT)
            removed = common & (rng.random(share.shape) > 1 - REMOVED)
            guessed = np.where(named & ~kept, new, guessed)
            guessed = np.where(~named & removed, -20.0, guessed)
            best = np.argsort(-guessed, axis=1)[:, :slots]
            ids[rows, version] = best
            found[rows, version] = np.take_along_axis(guessed, best, axis=1)
    return ids, found


def sentences(
    texts: Sequence[Text], model: Captioner, found: tuple[np.ndarray, np.ndarray]
) -> Sentences:
    """Texts, encoded for a model, with their `imagined` concepts."""
    ids, logits = found
    encode = model.vocabulary.encode
    captions = [
        [encode(caption, model.steps, model.config.caption_words) for caption in text.captions]
        for text in texts
    ]
    steps = answer_steps(model)
    questions = [encode_questions(text.questions, model, steps) for text in texts]
    return Sentences(captions, questions, model.concept_ids[ids], logits, (model.steps, steps))
