"""Paragraphs: a network that says what each sentence is about, over the decoder that writes it.

python -m examples.paragraphs --root DIR [--output FOLDER]

A sentence network (Krause et al., 2017) reads the mean region once a sentence, and gives the topic
of each, and when to stop; the decoder of the captioner writes each about its topic, looking at the
regions. It is compared with a flat decoder: the same network with a single topic, which writes the
paragraph in one go. DIR holds `captions.jsonl`, a JSON object a line: `image`, and as paragraphs
`descriptions`, a list of sentences in order, or, of the kind "human_narrative", `captions`. The
regions are those of the weights that ship, computed once.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from captioner.data.records import DatasetError, is_set_aside, read_text
from captioner.data.tokenizer import phrase, tokenize
from captioner.data.vocabulary import PAD, Vocabulary
from captioner.evaluation.caption_metrics import bleu, cider
from captioner.generation.batching import BATCH, batched
from captioner.generation.captions import caption_of
from captioner.generation.results import OUTPUTS, Caption
from captioner.generation.samplers import Beam
from captioner.layers.cells import recurrent_cell
from captioner.layers.memory import Memory
from captioner.layers.tensor import Shape, Tensor
from captioner.models.base import ConditionalLanguageModel, Inputs
from captioner.models.captioner import Captioner
from captioner.models.config import Config
from captioner.training.batches import Photograph
from captioner.training.features import cache_features
from examples import SEED, learn

SENTENCES, WORDS = 5, 20  # of a paragraph, and of a sentence
ONE_IN = 8  # photographs are scored
NEXT = "nextsentence"  # a word between the sentences of a flat paragraph
BEAM_WIDTH = 3
EPOCHS = 12

Paragraph = list[str]  # its sentences


class TopicNetwork(keras.layers.Layer):
    """The sentence network: what each sentence is about, and which one is the last.

    Args:
        units: H, the size of its state.
        topic_size: C, the size of a topic.
        sentences: M, the most sentences of a paragraph.
        cell: the recurrent cell, see `captioner.layers.cells`.
    """

    def __init__(
        self, units: int, topic_size: int, sentences: int, cell: str = "lstm", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sentences = sentences
        self.recurrent = keras.layers.RNN(
            recurrent_cell(cell, units), return_sequences=True, unroll=True
        )
        self.hidden = keras.layers.Dense(topic_size, activation="tanh", name="hidden")
        self.topic = keras.layers.Dense(topic_size, name="topic")
        self.last = keras.layers.Dense(1, name="last")

    def build(self, shape: Shape) -> None:
        outputs = (None, self.sentences, self.recurrent.cell.units)
        self.recurrent.build((None, self.sentences, shape[-1]))
        self.hidden.build(outputs)
        self.topic.build((None, self.sentences, self.hidden.units))
        self.last.build(outputs)
        self.built = True

    def call(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Read the same vectors `float[B, D]` once for every sentence.

        Returns:
            Topics `float[B, M, C]`, and the logits `float[B, M]` that a sentence is the last.
        """
        outputs = self.recurrent(ops.repeat(vectors[:, None], self.sentences, axis=1))
        return self.topic(self.hidden(outputs)), self.last(outputs)[..., 0]


@dataclass(frozen=True, kw_only=True)
class ParagraphConfig(Config):
    """The settings of a `ParagraphModel`; those of a captioner are described there."""

    model: ClassVar[str] = "ParagraphModel"

    regions: int
    channels: int
    sentences: int
    max_words: int
    annotation_size: int = 256
    embedding_size: int = 128
    units: int = 256
    attention_size: int = 128
    attention: str = "additive"
    decoder: str = "recurrent"
    cell: str = "lstm"
    layers: int = 1
    dropout: float = 0.4
    question_units: int = 128  # the size of a topic, which the decoder is conditioned on


class ParagraphModel(ConditionalLanguageModel):
    """Writes M sentences about the regions of a photograph, each about a topic of its own."""

    config_class = ParagraphConfig
    config: ParagraphConfig

    def __init__(self, vocabulary: Vocabulary, config: ParagraphConfig, **kwargs: Any) -> None:
        super().__init__(vocabulary, config, **kwargs)
        size = config.annotation_size
        self.project = keras.layers.Dense(size, name="project")
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.drop = keras.layers.Dropout(config.dropout, name="drop")
        self.topics = TopicNetwork(
            config.units, config.question_units, config.sentences, config.cell, name="topics"
        )
        self.decoder = self.new_decoder()
        self.project.build((None, config.regions, config.channels))
        self.norm.build((None, config.regions, size))
        self.topics.build((None, size))
        self.decoder.build((None, self.steps), (None, config.regions, size))
        self.built = True

    @property
    def grid(self) -> tuple[int, ...]:
        """`(R,)`."""
        return (self.config.regions,)

    def memory(self, inputs: Inputs, training: bool = False) -> Memory:
        """The `Memory` of the "features" `float[B, R, C]`."""
        features = ops.cast(inputs["features"], self.compute_dtype)
        return self.decoder.memory(self.drop(self.norm(self.project(features)), training=training))

    def condition(
        self, inputs: Inputs, sequences: int, memory: Memory, training: bool = False
    ) -> Tensor:
        """The topics `float[B x M, C]` of the sentences."""
        topics, _ = self.topics(memory.mean)
        return ops.reshape(topics, (-1, self.config.question_units))

    def call(self, inputs: Inputs, training: bool = False) -> Tensor:
        """Teacher-forced logits `float[B, M, T, V]`, of "features" and "tokens" `int[B, M, T]`.

        A sentence that a paragraph lacks is padding.
        """
        memory, tokens = self.memory(inputs, training), inputs["tokens"]
        topics, last = self.topics(memory.mean)
        there = ops.cast(tokens[:, :, 0] != PAD, "float32")
        followed = ops.concatenate([there[:, 1:], ops.zeros_like(there[:, :1])], axis=1)
        wrong = ops.binary_crossentropy(1 - followed, ops.cast(last, "float32"), from_logits=True)
        self.add_loss(ops.sum(wrong * there) / ops.sum(there))
        steps = tokens.shape[-1]
        topics = ops.reshape(topics, (-1, topics.shape[-1]))
        logits, _ = self.decoder(
            ops.reshape(tokens, (-1, steps)), memory, topics, training=training
        )
        return ops.reshape(logits, (-1, *tokens.shape[1:], logits.shape[-1]))

    def batch_of(self, paragraphs: Sequence[Paragraph]) -> np.ndarray:
        """`int32[N, M, T + 1]`: the start, the words and the end of each sentence."""
        tokens = np.full((len(paragraphs), self.config.sentences, self.steps + 1), PAD, "int32")
        for row, paragraph in zip(tokens, paragraphs, strict=True):
            for line, text in zip(row, paragraph, strict=False):
                line[:] = self.vocabulary.encode(text, self.steps)
        return tokens

    def write(self, features: np.ndarray) -> list[list[Caption]]:
        """The sentences about each of `float[N, R, C]`, up to the one that is last."""
        found, sentences = [], self.config.sentences
        for batch in batched(features):
            inputs = {"features": np.stack(batch).astype("float32")}
            _, last = self.topics(self.memory(inputs).mean)
            # One group of beams for each sentence, as for each of several questions.
            inputs["questions"] = np.ones((len(batch), sentences, 1), "int32")
            sampler = Beam(BEAM_WIDTH).inputs(self.steps, len(batch) * sentences)
            outputs = self.search({**inputs, **sampler})
            searches = zip(*(outputs[name] for name in OUTPUTS), strict=True)
            written = [caption_of(self, True, *search) for search in searches]
            for i, ends in enumerate(ops.convert_to_numpy(last) > 0):
                count = int(ends.argmax()) + 1 if ends.any() else sentences
                found.append(written[i * sentences :][:count])
        return found

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words written."""
        return phrase(words)


def read(root: Path) -> dict[Path, list[Paragraph]]:
    """The paragraphs of each photograph, of two sentences or more.

    Raises:
        DatasetError: a file cannot be read, or a line has a wrong form.
    """
    path, found = root / "captions.jsonl", {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            entry = json.loads(line)
            told = entry["captions"] if entry["kind"] == "human_narrative" else []
            every = [re.split(r"(?<=[.!?])\s+", text) for text in told]
            every.append(entry.get("descriptions") or [])
            kept = [[text for text in texts if tokenize(text)] for texts in every]
            paragraphs = [texts[:SENTENCES] for texts in kept if len(texts) > 1]
            if paragraphs:
                found[root / entry["image"]] = paragraphs
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}:{number}: no photograph with texts ({error!r})") from error
    if not found:
        raise DatasetError(f"{path}: none of its photographs has a paragraph")
    return found


def texts_of(written: Sequence[Sequence[Caption]]) -> list[Paragraph]:
    """What a model wrote, as text."""
    return [[sentence.text for sentence in sentences] for sentences in written]


def flat(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """Each paragraph as a single sentence."""
    return [[f" {NEXT} ".join(texts)] for texts in paragraphs]


def unflat(paragraphs: Sequence[Paragraph]) -> list[Paragraph]:
    """The sentences of paragraphs that `flat` made one."""
    return [[text.strip() for text in texts[0].split(NEXT) if text.strip()] for texts in paragraphs]


def learned(
    vocabulary: Vocabulary,
    sizes: dict[str, Any],
    features: np.ndarray,
    paragraphs: Sequence[Paragraph],
    epochs: int = EPOCHS,
) -> ParagraphModel:
    """A model of given sizes that has learned from `float[N, R, C]` and their paragraphs."""
    keras.utils.set_random_seed(SEED)
    regions, channels = features.shape[1:]
    config = ParagraphConfig(regions=regions, channels=channels, **sizes)
    model = ParagraphModel(vocabulary, config)
    tokens = model.batch_of(paragraphs)
    x = {"features": features, "tokens": tokens[..., :-1]}
    return learn(model, x, tokens[..., 1:], epochs=epochs, learning_rate=0.002, batch_size=BATCH)


def repeated(words: Sequence[str], n: int = 3) -> float:
    """The rate of n-grams that stood before in the same text."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def scores(found: Sequence[Paragraph], true: Sequence[Sequence[Paragraph]]) -> dict[str, float]:
    """BLEU-1, BLEU-4 and CIDEr of whole paragraphs, repeated trigrams, sentences and words."""
    written = [tokenize(" ".join(texts)) for texts in found]
    known = [[tokenize(" ".join(texts)) for texts in each] for each in true]
    rates = bleu(written, known)
    return {
        "BLEU-1": 100 * rates[0],
        "BLEU-4": 100 * rates[3],
        "CIDEr": 100 * cider(written, known),
        "repeated %": 100 * float(np.mean([repeated(words) for words in written])),
        "sentences": float(np.mean([len(texts) for texts in found])),
        "words": float(np.mean([len(words) for words in written])),
        "distinct": len({tuple(words) for words in written}),
    }


def main() -> None:
    """Learn, and print what was measured."""
    parser = argparse.ArgumentParser(prog="paragraphs")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR")
    parser.add_argument("--output", type=Path, default=Path("runs/paragraphs"), metavar="FOLDER")
    args = parser.parse_args()
    try:
        told = read(args.root)
        photographs = [Photograph(path, (), ()) for path in told]
        captioner = Captioner.from_preset("everyday")
        cache = cache_features(captioner, photographs, args.output, "all", BATCH, mirrored=False)
    except (OSError, ValueError) as error:
        sys.exit(f"paragraphs: {error}")
    features = cache.rows(slice(None))
    aside = np.array([is_set_aside(path.name, ONE_IN) for path in told])
    pairs = [
        (i, paragraph) for i, each in enumerate(told.values()) for paragraph in each if not aside[i]
    ]
    rows, paragraphs = map(list, zip(*pairs, strict=True))
    true = [each for each, out in zip(told.values(), aside, strict=True) if out]
    known = Vocabulary.from_sentences(text for texts in paragraphs for text in texts)
    vocabulary = Vocabulary([*known, NEXT])
    print(f"{len(rows)} paragraphs learned, {aside.sum()} photographs scored")
    sizes = {"sentences": SENTENCES, "max_words": WORDS}
    whole = {"sentences": 1, "max_words": SENTENCES * (WORDS + 1)}
    written = {}
    model = learned(vocabulary, sizes, features[rows], paragraphs)
    written["hierarchical"] = texts_of(model.write(features[aside]))
    model = learned(vocabulary, whole, features[rows], flat(paragraphs))
    written["flat"] = unflat(texts_of(model.write(features[aside])))
    for name, found in written.items():
        row = scores(found, true)
        print(f"{name:14}" + "".join(f"  {what} {value:.1f}" for what, value in row.items()))
    for name, found in written.items():
        for texts in found[:3]:
            print(f"{name}: {'. '.join(texts)}.")


if __name__ == "__main__":
    main()
