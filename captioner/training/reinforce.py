"""Self-critical sequence training (Rennie et al., 2017): sampled captions with a high reward become
more probable.

The reward is CIDEr-D against the captions of people, with the end of the sentence as a word, so
that captions do not break off ("a man on a"). The baseline of a caption is the mean reward of the
other samples for the photograph (Luo, 2020). A part of the loss is cross-entropy on supervised
batches, since answers have no such reward, and captions would lose words.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from captioner.data.tokenizer import tokenize
from captioner.data.vocabulary import END, PAD, START
from captioner.evaluation.caption_metrics import Cider
from captioner.generation.samplers import Sampling
from captioner.models.captioner import Captioner
from captioner.training.batches import Batches, Photograph
from captioner.training.recipe import Phase
from captioner.training.sequences import Arrays, TokenSequence, grouped
from captioner.training.trainer import SAMPLED

BATCH = 40  # photographs with sampled captions in a batch; a choice, not measured

# From the index of a photograph and the token ids of a caption, with its end, to its reward.
Reward = Callable[[int, Sequence[int]], float]


def rewards(model: Captioner, photographs: Sequence[Photograph], object_reward: float) -> Reward:
    """The reward of captions: CIDEr-D, and more for a caption that names an object.

    Args:
        model: the `Captioner`, for its vocabulary.
        photographs: the photographs of the captions.
        object_reward: is added if a caption names an object of its photograph.
    """
    vocabulary, top = model.vocabulary, model.config.caption_words
    references = [
        [[*vocabulary.ids(caption, top), END] for caption in p.captions] for p in photographs
    ]
    cider = Cider(references)
    words = {word: i for i, word in enumerate(vocabulary.words)}
    objects = [
        {
            words[form]
            for label in p.objects
            for word in tokenize(label)
            for form in (word, f"{word}s", f"{word}es")
            if form in words
        }
        for p in photographs
    ]

    def reward(photograph: int, tokens: Sequence[int]) -> float:
        bonus = object_reward if not objects[photograph].isdisjoint(tokens) else 0.0
        return photographs[photograph].weight * cider.score(tokens, photograph) + bonus

    return reward


class SampledBatches:
    """Batches for a `Trainer`: captions sampled now, with their advantages, and supervised ones.

    Args:
        model: the `Captioner` that samples.
        photographs: those to sample captions for.
        read: from the index of one to its features `float[R, C]`.
        reward: see `rewards`.
        supervised: `Batches` on features.
        phase: the `Phase`.
        seed: an integer; the same model samples the same captions.
    """

    def __init__(
        self,
        model: Captioner,
        photographs: Sequence[Photograph],
        read: Callable[[int], np.ndarray],
        reward: Reward,
        supervised: Batches,
        phase: Phase,
        seed: int,
    ) -> None:
        self.model, self.read, self.reward, self.supervised = model, read, reward, supervised
        self.phase, self.seed, self.epoch = phase, seed, 0
        self.indices = np.repeat(np.arange(len(photographs)), [p.times for p in photographs])

    @property
    def batches(self) -> int:
        """The number of batches of all photographs."""
        return math.ceil(len(self.indices) / BATCH)

    def __len__(self) -> int:
        return math.ceil(self.phase.share * self.batches)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        rows = self.rows(index)
        features = np.stack([self.read(i) for i in rows]).astype("float32")
        tokens = self._sample(features, np.random.default_rng((self.seed, self.epoch, index)))
        gained = np.array(
            [
                [self.reward(i, [t for t in caption if t != PAD]) for caption in captions]
                for i, captions in zip(rows, tokens, strict=True)
            ]
        )
        others = gained.shape[1] - 1
        advantage = gained - (gained.sum(1, keepdims=True) - gained) / others
        # The supervised batches have epochs of their own length.
        self.supervised.epoch, step = divmod(self.epoch * len(self) + index, len(self.supervised))
        inputs, targets, weights = self.supervised[step]
        weights = {name: self.phase.cross_entropy * shares for name, shares in weights.items()}
        sequences = [
            TokenSequence(np.concatenate([[START], tokens[row, k]]), row, advantage=factor)
            for (row, k), factor in np.ndenumerate(advantage)
        ]
        count = BATCH * self.phase.samples
        parts = grouped("captions", sequences, self.model.steps, count)
        sampled = ({SAMPLED + name: array for name, array in part.items()} for part in parts)
        new_inputs, new_targets, new_weights = sampled
        inputs = inputs | new_inputs | {SAMPLED + "features": features}
        return inputs, targets | new_targets, weights | new_weights

    def rows(self, index: int) -> np.ndarray:
        """The photographs of a batch. A short epoch continues where the one before ended."""
        turn, number = divmod(self.epoch * len(self) + index, self.batches)
        order = np.random.default_rng((self.seed, turn)).permutation(self.indices)
        return order[number * BATCH : (number + 1) * BATCH]

    def _sample(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`int[B, K, T]`: captions with their ends, then padding."""
        sampling = Sampling(width=self.phase.samples)
        inputs: dict[str, np.ndarray] = {"features": features}
        if self.model.answers:
            length = self.model.config.max_question_words
            inputs["questions"] = np.full((len(features), 1, length), PAD, "int32")
        sampled = sampling.inputs(self.model.steps, len(features), rng)
        return self.model.search({**inputs, **sampled})["tokens"]


def loop(
    trainer: keras.Model,
    batches: SampledBatches,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """`keras.Model.fit` without its preparation of batches ahead: the current model must sample.

    Args:
        trainer: a compiled `Trainer`.
        batches: its batches.
        epochs: the numbers of the remaining epochs.
        callbacks: as of `fit`.
    """
    every = keras.callbacks.CallbackList(list(callbacks), model=trainer)
    every.on_train_begin()
    for epoch in epochs:
        every.on_epoch_begin(epoch)
        batches.epoch = epoch
        trainer.reset_metrics()
        logs: dict[str, Any] = {}
        steps = tqdm(range(len(batches)), f"self-critical, epoch {epoch + 1}", disable=None)
        for step in steps:
            batch: tuple[Arrays, ...] = batches[step]
            if step == 1:
                batch = with_padding_row(*batch)
            logs = trainer.train_on_batch(*batch, return_dict=True)
            steps.set_postfix(logs)
        logs = {name: float(value) for name, value in logs.items()}
        every.on_epoch_end(epoch, logs)
        if trainer.stop_training or not np.isfinite(logs["loss"]):
            break
    every.on_train_end()


def with_padding_row(*batch: Arrays) -> tuple[Arrays, ...]:
    """A batch with another row of padding in every group of sequences.

    TensorFlow compiles for the shapes of the first batch. For the second batch it compiles once
    more, for any size of each dimension that differs. Without this function it would compile anew,
    for half a minute, whenever a rare group (captions of two words) has a new size.
    """
    groups = set(batch[1])
    longer = {
        name
        for part in batch
        for name in part
        if any(name == group or name.startswith(f"{group}_") for group in groups)
    }
    return tuple(
        {
            name: np.concatenate([array, np.zeros_like(array[:1])]) if name in longer else array
            for name, array in part.items()
        }
        for part in batch
    )


def can_be_judged(photograph: Photograph) -> bool:
    """Whether a photograph has enough references: two captions, or a caption and a label."""
    return len(photograph.captions) > 1 or bool(photograph.captions and photograph.objects)
