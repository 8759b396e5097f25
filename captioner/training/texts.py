"""Sentences without photographs, from which a decoder that reads concepts learns to write.

A file has a JSON object a line, and may be compressed by gzip: what people said of something, and
what was in it, if that is known.

    {"captions": ["A cat on a couch .", "A sleeping cat ."], "objects": ["cat", "couch"]}

The decoder reads concepts instead of regions (as DeCap and ViECap read embeddings of the text
instead of those of images; Li et al., 2023, Fei et al., 2023). What the head over the encoder would
have found is imagined: the predictions for a photograph of much the same, in which what is said is
there and what only that photograph shows is not.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from captioner.data.records import DatasetError
from captioner.data.vocabulary import PAD
from captioner.models.captioner import Captioner

VERSIONS = 3  # imagined for each group of sentences
LIKE = 6  # photographs, of which one is drawn
NOISE, SPREAD = 0.5, 1.7  # standard deviations of log-odds that are found, and of imagined ones
EMPTY = 0.1  # share of slots that are left empty
GROUPS, EACH = 48, 2  # groups in a batch, and sentences of each


@dataclass(frozen=True)
class Text:
    """What was said of something that nobody shows, and what was in it."""

    captions: tuple[str, ...]
    objects: tuple[str, ...] = ()


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
            if not all(isinstance(text, str) for text in (*captions, *objects)):
                raise TypeError("captions and objects are lists of texts")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DatasetError(f"{path}:{number}: no captions ({error!r})") from error
        if spoken := tuple(text for text in captions if text.strip()):
            texts.append(Text(spoken, tuple(objects)))
    if not texts:
        raise DatasetError(f"{path}: no captions")
    return texts


@dataclass(frozen=True)
class Sentences:
    """Sentences as a decoder learns from them.

    Attributes:
        tokens: of each of G groups its sentences, `int32[T + 1]` each.
        concepts: `int32[G, VERSIONS, K]`, words of the vocabulary.
        odds: `float16[G, VERSIONS, K]`, log-odds of these.
    """

    tokens: Sequence[Sequence[np.ndarray]]
    concepts: np.ndarray
    odds: np.ndarray

    def batch(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Some of them: "concepts" `int32[GROUPS, K]`, "odds" `float32[GROUPS, K]`, and "texts"
        `int32[GROUPS, EACH, T + 1]`."""
        groups = rng.integers(0, len(self.tokens), GROUPS)
        versions = rng.integers(0, VERSIONS, GROUPS)
        concepts = self.concepts[groups, versions]
        drawn = [[self.tokens[g][i] for i in rng.choice(len(self.tokens[g]), EACH)] for g in groups]
        return {
            "concepts": np.where(rng.random(concepts.shape) < EMPTY, PAD, concepts),
            "odds": self.odds[groups, versions].astype("float32"),
            "texts": np.array(drawn),
        }


def imagined(
    said: np.ndarray, shown: np.ndarray, odds: np.ndarray, slots: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The concepts that a head might have found, had there been photographs.

    Args:
        said: `float[G, C]`, the share of the sentences of a group that name each concept.
        shown: `float[N, C]`, the same of photographs that there are.
        odds: `float[N, C]`, what the head finds in these.
        slots: K, how many of the likeliest are wanted.
        rng: a generator.

    Returns:
        Indices of concepts `int16[G, VERSIONS, K]`, and their log-odds `float16[G, VERSIONS, K]`.
    """
    # Rare concepts say more about what a photograph is like.
    weights = np.log(1 / np.clip((shown > 0).mean(0), 1e-3, 1))
    vectors = shown * weights
    vectors = (vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1)).astype("float32")
    clear = shown > 0.3
    middle = odds[clear].mean() if clear.any() else 0.0
    typical = (np.where(clear, odds, 0).sum(0) + 5 * middle) / (clear.sum(0) + 5)
    ids = np.zeros((len(said), VERSIONS, slots), "int16")
    found = np.zeros((len(said), VERSIONS, slots), "float16")
    for start in range(0, len(said), 500):
        rows = slice(start, start + 500)
        share = said[rows]
        near = np.argsort(-(share * weights) @ vectors.T, axis=1)[:, :LIKE]
        for version in range(VERSIONS):
            like = near[np.arange(len(near)), rng.integers(0, near.shape[1], len(near))]
            there, alike = share > 0, shown[like] > 0
            guessed = odds[like] + rng.normal(0, NOISE, share.shape)
            imagined = typical + rng.normal(0, SPREAD, share.shape)
            imagined = imagined + 0.7 * np.log(np.clip(share, 0.1, 1))
            kept = alike & (rng.random(share.shape) < 0.6)
            false = alike & (rng.random(share.shape) > 0.15)
            guessed = np.where(there, np.where(kept, guessed, imagined), guessed)
            guessed = np.where(~there & false, -20.0, guessed)
            best = np.argsort(-guessed, axis=1)[:, :slots]
            ids[rows, version] = best
            found[rows, version] = np.take_along_axis(guessed, best, axis=1)
    return ids, found


def sentences(
    texts: Sequence[Text], model: Captioner, found: tuple[np.ndarray, np.ndarray]
) -> Sentences:
    """Texts, encoded for a model, with what is `imagined` for them."""
    ids, odds = found
    encode = model.vocabulary.encode
    tokens = [
        [encode(caption, model.steps, model.config.caption_words) for caption in text.captions]
        for text in texts
    ]
    return Sentences(tokens, model.concept_ids[ids], odds)
