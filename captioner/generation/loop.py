"""The compiled loop: greedy search, beam search and sampling, for captions and for answers.

All choices of a call are inputs, including the random numbers and the beam width. So one
compilation serves all calls, and one exported graph (`captioner.export`) replaces the loop without
Keras. `expand_dims` adds axes, because LiteRT does not support slices that add one.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from captioner.data.vocabulary import END, PAD, START, UNKNOWN
from captioner.layers.tensor import Tensor

IMPOSSIBLE = -1e9  # a log-probability; finite, because 0 * inf is NaN


class Generator(keras.Model):
    """The loop over `AttentionDecoder.step`. A `keras.Model`, so every backend can compile it.

    Args:
        model: a `captioner.models.base.ConditionalLanguageModel`.
    """

    def __init__(self, model: keras.Model, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.jit_compile = jit_compile()
        self.built = True

    def call(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Search for captions or answers for every row of a batch.

        Args:
            inputs: the inputs of the model's `memory`, such as "features" `float[B, R, C]`; for
                answers also "questions" `int[B, M, Q]`, M for every row; and the inputs of a
                sampler: "uniform" `float[T, G, K]`, "temperature" and "top_p" `float[]`. G is
                B x M, or B without questions. K is the beam width.

        Returns:
            A dict of "tokens" `int[G, K, T]` padded with 0, "log_probs" `float[G, K, T]` and
            "attention" `float[G, K, T, R]`. The beams are not sorted. A model with concepts adds
            the most probable "concepts" `int[B, C]` and their logits "odds" `float[B, C]`; the
            graphs of all presets use this name.
        """
        model, decoder, rules = self.model, self.model.decoder, self.model.rules
        uniform, temperature, top_p = inputs["uniform"], inputs["temperature"], inputs["top_p"]
        memory = model.memory(inputs)
        each = ops.shape(inputs["questions"])[1] if "questions" in inputs else 1
        groups, beams = ops.shape(uniform)[1], ops.shape(uniform)[2]
        regions, steps, size = math.prod(model.grid), model.steps, decoder.vocabulary_size
        condition = model.condition(inputs, groups, memory)
        if condition is not None:
            condition = ops.repeat(condition, beams, axis=0)
        ids, positions = ops.arange(size), ops.arange(steps)
        banned = [ids == token for token in (PAD, START, UNKNOWN)]
        banned = ops.where(functools.reduce(ops.logical_or, banned), IMPOSSIBLE, 0.0)
        # An empty sentence is not allowed: the first token is a word.
        banned_first = ops.where(ids == END, IMPOSSIBLE, 0.0)
        # A finished beam only continues with padding, at no cost.
        frozen = ops.where(ids == PAD, 0.0, IMPOSSIBLE)
        has_question = ops.zeros((groups,), "bool")
        if "questions" in inputs:
            questions = ops.reshape(inputs["questions"], (groups, inputs["questions"].shape[-1]))
            has_question = ops.any(questions != PAD, axis=-1)

        def unfinished(step: Tensor, last: Tensor, *_: Any) -> Tensor:
            return ops.logical_and(step < steps, ops.any(~is_finished(last)))

        def advance(
            step: Tensor,
            last: Tensor,
            tokens: Tensor,
            log_probs: Tensor,
            attention: Tensor,
            scores: Tensor,
            states: Sequence[Tensor],
            history: Any,
        ) -> tuple[Any, ...]:
            finished = is_finished(last)
            words = decoder.embedding(ops.reshape(last, (-1,)))
            output, context, weights, states = decoder.step(words, list(states), memory, condition)
            logits = ops.cast(decoder.logits(words, output, context, condition), "float32")
            following = ops.reshape(ops.log_softmax(logits), (groups, beams, size)) + banned
            following = following + ops.where(step == 0, banned_first, 0.0)
            if rules is not None:
                used, recent = history
                broken = rules.broken_by(used, recent, step == steps - 1, has_question)
                ruled = ops.where(broken, IMPOSSIBLE, following)
                # If the rules exclude every token, they are ignored.
                stuck = ops.max(ruled, axis=-1, keepdims=True) <= IMPOSSIBLE / 2
                following = ops.where(stuck, following, ruled)
            following = ops.where(ops.expand_dims(finished, -1), frozen, following)

            length = ops.cast(ops.sum(ops.cast(tokens != PAD, "int32"), axis=-1), "float32")
            lengths = ops.where(finished, length, length + 1)
            # The mean, because the sum would always prefer shorter captions.
            mean_scores = (ops.expand_dims(scores, -1) + following) / ops.expand_dims(lengths, -1)
            drawn = uniform[step]
            parents, last = ops.cond(
                temperature > 0,
                lambda: draw(following, drawn, temperature, top_p),
                lambda: best(mean_scores, drawn),
            )
            rows = ops.arange(groups)[:, None] * beams + parents
            gained = ops.take(ops.reshape(following, (-1,)), rows * size + last)

            def inherit(x: Tensor) -> Tensor:
                return ops.take(ops.reshape(x, (-1, *x.shape[2:])), rows, axis=0)

            now = positions == step
            weights = ops.reshape(weights, (groups, beams, 1, regions))
            weights = ops.where(ops.expand_dims(finished, (-2, -1)), 0.0, weights)
            attention = ops.where(now[:, None], weights, attention)
            tokens = ops.where(now, ops.expand_dims(last, -1), inherit(tokens))
            log_probs = ops.where(now, ops.expand_dims(gained, -1), inherit(log_probs))
            states = [ops.take(state, ops.reshape(rows, (-1,)), axis=0) for state in states]
            scores = inherit(scores) + gained
            if rules is not None:
                used, recent = map(inherit, history)
                history = (
                    rules.mark_used(used, last),
                    ops.concatenate([recent[..., 1:], ops.expand_dims(last, -1)], axis=-1),
                )
            attention = inherit(attention)
            return step + 1, last, tokens, log_probs, attention, scores, states, history

        # All beams start equal, so only the first one branches at first. Samples are independent.
        handicap = ops.where(temperature > 0, 0.0, IMPOSSIBLE)
        scores = ops.where(ops.arange(beams) == 0, 0.0, handicap)
        history = () if rules is None else rules.nothing_said(groups, beams)
        _, _, tokens, log_probs, attention, *_ = ops.while_loop(
            unfinished,
            advance,
            (
                0,
                ops.full((groups, beams), START, "int32"),
                ops.full((groups, beams, steps), PAD, "int32"),
                ops.zeros((groups, beams, steps)),
                ops.zeros((groups, beams, steps, regions)),
                ops.broadcast_to(scores, (groups, beams)),
                decoder.initial_states(memory, each * beams, condition),
                history,
            ),
        )
        outputs = {"tokens": tokens, "log_probs": log_probs, "attention": attention}
        if memory.concepts is not None:
            outputs["concepts"] = ops.cast(memory.concepts.ids, "int32")
            outputs["odds"] = ops.cast(memory.concepts.logits, "float32")
        return outputs


def best(mean_scores: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Choose the best continuations of all beams together.

    Args:
        mean_scores: `float[G, K, V]`, mean log-probabilities.
        drawn: `float[G, K]`; only its shape is used.

    Returns:
        The parents `int[G, K]` and tokens `int[G, K]` of the new beams.
    """
    (groups, beams), size = ops.shape(drawn), mean_scores.shape[-1]
    _, chosen = ops.top_k(ops.reshape(mean_scores, (groups, beams * size)), beams)
    chosen = ops.reshape(ops.cast(chosen, "int32"), (groups, beams))
    return chosen // size, chosen % size


def draw(
    log_probs: Tensor, drawn: Tensor, temperature: Tensor, top_p: Tensor
) -> tuple[Tensor, Tensor]:
    """Sample a token for every sequence; see `best`.

    Args:
        log_probs: `float[G, K, V]` of the next token.
        drawn: `float[G, K]`, random numbers in [0, 1).
        temperature: `float[]`, above 0.
        top_p: `float[]`, above 0 and up to 1.
    """
    (groups, beams), size = ops.shape(drawn), log_probs.shape[-1]
    # In rows, because converters to other formats lose static shapes inside a branch.
    logits = ops.reshape(log_probs, (groups * beams, size)) / temperature
    # Sorting all words is slow, and unnecessary if top_p is 1.
    logits = ops.cond(top_p < 1, lambda: nucleus(logits, top_p), lambda: logits)
    cumulative = ops.cumsum(ops.softmax(logits), axis=-1)
    drawn = ops.reshape(drawn, (groups * beams, 1))
    below = cumulative <= drawn * ops.max(cumulative, axis=-1, keepdims=True)
    tokens = ops.sum(ops.cast(below, "int32"), axis=-1)
    parents = ops.broadcast_to(ops.arange(beams), (groups, beams))
    return parents, ops.reshape(ops.minimum(tokens, size - 1), (groups, beams))


def nucleus(logits: Tensor, top_p: Tensor | float) -> Tensor:
    """Keep the most probable tokens of `float[N, V]` that together reach `top_p` < 1 (Holtzman et
    al., 2020)."""
    probabilities = ops.softmax(logits)
    ordered, _ = ops.top_k(probabilities, probabilities.shape[-1])
    # A token stays if the tokens before it do not reach top_p. The first always stays.
    before = ops.cumsum(ordered, axis=-1) - ordered
    smallest = ops.min(ops.where(before < top_p, ordered, 1.0), axis=-1, keepdims=True)
    return ops.where(probabilities >= smallest, logits, IMPOSSIBLE)


def is_finished(tokens: Tensor) -> Tensor:
    """Whether sequences with these last tokens have ended."""
    return ops.logical_or(tokens == END, tokens == PAD)


def jit_compile() -> bool:
    """Whether to compile with XLA. JAX needs it. On a CPU, TensorFlow's own convolutions are much
    faster than those of XLA."""
    return keras.backend.backend() == "jax"
