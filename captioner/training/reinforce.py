"""Self-critical sequence training (Rennie et al., 2017): captions are drawn, and the good ones
become likelier.

The reward is CIDEr-D against what people say of the photograph, the end of the sentence counted as
a word, so that captions do not break off ("a man on a"). The baseline of a caption is the mean
reward of the others drawn for the photograph (Luo, 2020). Some cross-entropy is mixed in, from the
batches of the phase before, since answers have no such reward, and captions would forget words.
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
from captioner.layers.tensor import Tensor
from captioner.models.captioner import Captioner
from captioner.training.batches import Batches, Photograph
from captioner.training.recipe import Phase
from captioner.training.sequences import Arrays, TokenSequence, grouped

BATCH = 40  # photographs that captions are drawn for
SAMPLED = "sampled_"  # prefix of the names of their inputs and targets

# Of the number of a photograph and the token ids of a caption, its end included.
Reward = Callable[[int, Sequence[int]], float]


class Trainer(keras.Model):
    """A captioner as it is trained here: the drawn captions beside a batch of what is known.

    Dropout is for the latter only: drawn captions are learned as they were drawn.

    Args:
        captioner: the `Captioner`.
        cross_entropy: the share of the loss of what is known, its attention penalty included.
    """

    def __init__(self, captioner: Captioner, cross_entropy: float) -> None:
        super().__init__()
        self.captioner = captioner
        captioner.attention_penalty *= cross_entropy
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Tensor]:
        """The logits of a `Captioner`, those of drawn captions by names such as "sampled_12"."""
        supervised = {k: v for k, v in inputs.items() if not k.startswith(SAMPLED)}
        sampled = {k.removeprefix(SAMPLED): v for k, v in inputs.items() if k.startswith(SAMPLED)}
        found = self.captioner(supervised, training=training)
        return found | {
            SAMPLED + name: logits
            for name, logits in self.captioner(sampled, training=False).items()
        }


def rewards(model: Captioner, photographs: Sequence[Photograph], object_reward: float) -> Reward:
    """The reward of captions of photographs: CIDEr-D, and more for one that names an object.

    Args:
        model: the `Captioner`, whose words captions are made of.
        photographs: those that the captions are of.
        object_reward: what is added where a caption names an object of its photograph.
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
        gained = object_reward if not objects[photograph].isdisjoint(tokens) else 0.0
        return photographs[photograph].weight * cider.score(tokens, photograph) + gained

    return reward


class SampledBatches:
    """Batches for a `Trainer`: captions drawn now, with what they are worth, and known ones.

    Args:
        model: the `Captioner` that draws.
        photographs: those to draw for.
        read: of the number of one, its features.
        reward: see `rewards`.
        supervised: the `Batches` of the phase before, on features as well.
        phase: the `Phase`.
        seed: an integer; a batch draws the same as long as the model is the same.
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
        """The batches of all photographs."""
        return math.ceil(len(self.indices) / BATCH)

    def __len__(self) -> int:
        return math.ceil(self.phase.share * self.batches)

    def __getitem__(self, index: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        rows = self.rows(index)
        features = np.stack([self.read(i) for i in rows]).astype("float32")
        tokens = self._draw(features, np.random.default_rng((self.seed, self.epoch, index)))
        worth = np.array(
            [
                [self.reward(i, [t for t in caption if t != PAD]) for caption in captions]
                for i, captions in zip(rows, tokens, strict=True)
            ]
        )
        others = worth.shape[1] - 1
        advantage = worth - (worth.sum(1, keepdims=True) - worth) / others
        # How long an epoch of known captions is need not be known here.
        self.supervised.epoch, step = divmod(self.epoch * len(self) + index, len(self.supervised))
        inputs, targets, weights = self.supervised[step]
        weights = {name: self.phase.cross_entropy * shares for name, shares in weights.items()}
        sequences = [
            TokenSequence(np.concatenate([[START], tokens[row, k]]), row, advantage=gain)
            for (row, k), gain in np.ndenumerate(advantage)
        ]
        count = BATCH * self.phase.samples
        parts = grouped("captions", sequences, self.model.steps, count)
        sampled = ({SAMPLED + name: array for name, array in part.items()} for part in parts)
        new_inputs, new_targets, new_weights = sampled
        inputs = inputs | new_inputs | {SAMPLED + "features": features}
        return inputs, targets | new_targets, weights | new_weights

    def rows(self, index: int) -> np.ndarray:
        """The photographs of a batch. Epochs go on where the one before has stopped."""
        turn, number = divmod(self.epoch * len(self) + index, self.batches)
        order = np.random.default_rng((self.seed, turn)).permutation(self.indices)
        return order[number * BATCH : (number + 1) * BATCH]

    def _draw(self, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`int[B, K, T]`: captions, their ends included, then padding."""
        sampling = Sampling(width=self.phase.samples)
        inputs: dict[str, np.ndarray] = {"features": features}
        if self.model.answers:
            length = self.model.config.max_question_words
            inputs["questions"] = np.full((len(features), 1, length), PAD, "int32")
        sampled = sampling.inputs(self.model.steps, len(features), rng)
        return self.model.search({**inputs, **sampled})["tokens"]


def fit(
    trainer: Trainer,
    data: SampledBatches,
    epochs: range,
    callbacks: Sequence[keras.callbacks.Callback],
) -> list[float]:
    """As `keras.Model.fit`, which would prepare batches ahead: but what is drawn is drawn by the
    model as it is now.

    Args:
        trainer: compiled.
        data: its batches.
        epochs: the numbers of those that are left.
        callbacks: as of `fit`.

    Returns:
        The losses of the epochs.
    """
    every = keras.callbacks.CallbackList(list(callbacks), model=trainer)
    every.on_train_begin()
    losses: list[float] = []
    for epoch in epochs:
        every.on_epoch_begin(epoch)
        data.epoch = epoch
        trainer.reset_metrics()
        steps = tqdm(range(len(data)), f"self-critical, epoch {epoch + 1}", disable=None)
        logs: dict[str, Any] = {}
        for step in steps:
            inputs, targets, weights = data[step]
            if step == 1:
                inputs, targets, weights = with_more_rows(inputs, targets, weights)
            logs = trainer.train_on_batch(inputs, targets, weights, return_dict=True)
        logs = {name: float(value) for name, value in logs.items()}
        every.on_epoch_end(epoch, logs)
        losses.append(logs["loss"])  # which a callback may have found to be none
        if trainer.stop_training or not np.isfinite(losses[-1]):
            break
    every.on_train_end()
    return losses


def with_more_rows(*batch: Arrays) -> tuple[Arrays, ...]:
    """A batch with a row of padding more in every group of sequences.

    TensorFlow compiles for the shapes of the first batch, and then for any size in each dimension
    that differs in the second. Without this it would compile anew, for half a minute, whenever a
    rare group (captions of two words) has another size for the first time.
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
    """Whether there is enough to judge captions by: two, or one and a label."""
    return len(photograph.captions) > 1 or bool(photograph.captions and photograph.objects)
