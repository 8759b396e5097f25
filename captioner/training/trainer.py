"""The captioner with its loss and its optimizer."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from captioner.generation.loop import jit_compile as xla_is_faster
from captioner.layers.tensor import Tensor
from captioner.models.captioner import Captioner
from captioner.training.recipe import Phase
from captioner.training.sequences import kind_of

SAMPLED = "sampled_"  # prefix of the inputs and targets that belong to sampled captions

# AdamW and the clipped norm are those of the first recipe of this repository. They are choices that
# gave good captions; other values were not compared.
WARM_UP = 0.05  # share of the steps of a phase
WEIGHT_DECAY = 0.01
CLIP_NORM = 5.0


def new_optimizer(phase: Phase, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up, a cosine decay to 0, and clipped gradients."""
    steps = phase.epochs * steps_per_epoch
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=phase.learning_rate, warmup_steps=warm_up
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=WEIGHT_DECAY,
        global_clipnorm=CLIP_NORM,
        use_ema=phase.ema_momentum > 0,
        ema_momentum=phase.ema_momentum or 0.99,  # Keras checks the value even if it is not used
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class Trainer(keras.Model):
    """A captioner with its loss: the weighted sum of the cross-entropy of all target words.

    The weights of a batch contain the share of each word, see `captioner.training.sequences`. The
    logs have one loss for each kind, such as `captions_loss`: the sum over its groups.

    Args:
        captioner: the `Captioner`. The trainer shares its weights.
        targets: the names of the targets of a batch, such as "captions_12".
        optimizer: see `new_optimizer`.
        supervised: factor of the supervised loss, the attention penalty included. The weights of
            the batches must contain it already.
        jit_compile: whether XLA compiles the step; by default where it is faster.
    """

    def __init__(
        self,
        captioner: Captioner,
        targets: Iterable[str],
        optimizer: keras.optimizers.Optimizer,
        supervised: float = 1.0,
        jit_compile: bool | None = None,
    ) -> None:
        super().__init__()
        self.captioner = captioner
        captioner.attention_penalty *= supervised
        kinds = dict.fromkeys(map(kind_of, targets))
        self.kind_losses = {kind: keras.metrics.Mean(f"{kind}_loss") for kind in kinds}
        self.built = True
        self.compile(optimizer, jit_compile=xla_is_faster() if jit_compile is None else jit_compile)

    def call(self, inputs: dict[str, Any], training: bool = False) -> dict[str, Tensor]:
        """The logits of a `Captioner`, with names as "sampled_captions_12" for sampled captions.

        Dropout is for supervised sequences only: the probability of a sampled caption is that with
        which it was sampled.
        """
        supervised = {k: v for k, v in inputs.items() if not k.startswith(SAMPLED)}
        logits = self.captioner(supervised, training=training)
        sampled = {k.removeprefix(SAMPLED): v for k, v in inputs.items() if k.startswith(SAMPLED)}
        if sampled:
            found = self.captioner(sampled, training=False)
            logits |= {SAMPLED + name: value for name, value in found.items()}
        return logits

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        losses: dict[str, Any] = defaultdict(float)
        for name, logits in y_pred.items():
            logits = ops.cast(logits, "float32")
            words = ops.sparse_categorical_crossentropy(y[name], logits, from_logits=True)
            losses[kind_of(name)] += ops.sum(words * sample_weight[name])
        for kind, loss in losses.items():
            self.kind_losses[kind].update_state(loss)
        return sum(losses.values()) + sum(self.losses)
