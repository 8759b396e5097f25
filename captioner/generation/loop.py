"""Writing: greedy search, beam search and sampling, one compiled loop for all of them."""

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from captioner.data.images import load_images
from captioner.data.vocabulary import END, PAD, START, UNKNOWN

BATCH = 32  # photographs encoded together
ROWS = 10 * BATCH  # sequences of a beam decoded together, at most
OUTPUTS = ("tokens", "log_probs", "attention")
# Between the sum (0), which favours short captions, and the mean (1); chosen on Flickr8k's dev.
LENGTH_EXPONENT = 0.7
IMPOSSIBLE = -1e9  # a log-probability; finite, because 0 * inf is no number


class Word(NamedTuple):
    """A word, the probability the model gave it, and where it looked (`float[h, w]`)."""

    word: str
    probability: float
    attention: np.ndarray


class Candidate(NamedTuple):
    """A sentence, its score (the mean log-probability of its tokens) and its words.

    The tokens are the words and, where the sentence has ended, its end. The search ranks by
    `length_normalised` instead, so the scores of ranked candidates need not fall.
    """

    text: str
    score: float
    words: list[Word]


class Caption(NamedTuple):
    """The best candidate, and all of them, best first."""

    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]


@dataclass(frozen=True)
class Beam:
    """Beam search: the `width` best beginnings go on; 1 is greedy search."""

    width: int = 3

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"a beam is 1 wide or more, not {self.width}")

    def choose(self, scores, log_probs, finished, length, uniform):
        """Choose the beams of the next step.

        Beams are compared by their length-normalised log-probability, a finished one by that
        which it finished with.

        Args:
            scores: `float[B, K]`, summed log-probabilities so far.
            log_probs: `float[B, K, V]` of the next token.
            finished: `bool[B, K]`.
            length: `float[B, K]`, tokens so far.
            uniform: `float[B, K]`, random numbers in [0, 1), which only `Sampling` needs.

        Returns:
            The parents `int[B, K]` and tokens `int[B, K]` of the new beams.
        """
        size = log_probs.shape[-1]
        lengths = ops.where(finished, length, length + 1)[..., None]
        merits = length_normalised(scores[..., None] + log_probs, lengths)
        _, best = ops.top_k(ops.reshape(merits, (-1, self.width * size)), self.width)
        return best // size, best % size


@dataclass(frozen=True)
class Sampling:
    """`width` sequences drawn word by word, each on its own."""

    temperature: float = 1.0
    top_p: float = 1.0
    width: int = 1

    def __post_init__(self):
        if self.temperature <= 0 or not 0 < self.top_p <= 1 or self.width < 1:
            raise ValueError(
                "sampling takes a temperature above 0, a top_p above 0 and up to 1, and 1 or more "
                f"samples, not {self.temperature}, {self.top_p} and {self.width}"
            )

    def choose(self, scores, log_probs, finished, length, uniform):
        """Draw a token for every sequence; see `Beam.choose`."""
        logits = log_probs / self.temperature
        if self.top_p < 1.0:
            logits = nucleus(logits, self.top_p)
        cumulative = ops.cumsum(ops.softmax(logits), axis=-1)
        below = cumulative <= uniform[..., None] * cumulative[..., -1:]
        tokens = ops.sum(ops.cast(below, "int32"), axis=-1)
        parents = ops.broadcast_to(ops.arange(self.width), ops.shape(scores))
        return parents, ops.minimum(tokens, log_probs.shape[-1] - 1)


def length_normalised(log_probs, lengths):
    """Summed log-probabilities on a scale on which longer sequences are not worse (Wu et al.,
    2016, eq. 14, with the simpler denominator length ** exponent)."""
    return log_probs / lengths**LENGTH_EXPONENT


def nucleus(logits, top_p):
    """Keep of `float[..., V]` the likeliest tokens that together reach `top_p`."""
    probabilities = ops.softmax(logits)
    ordered = ops.flip(ops.sort(probabilities, axis=-1), axis=-1)
    # A token stays if those before it do not reach top_p by themselves; the first always does.
    before = ops.cumsum(ordered, axis=-1) - ordered
    smallest = ops.min(ops.where(before < top_p, ordered, 1.0), axis=-1, keepdims=True)
    return ops.where(probabilities >= smallest, logits, IMPOSSIBLE)


class Generator(keras.Model):
    """The loop over `AttentionDecoder.step`; a `keras.Model`, so that any backend compiles it.

    Args:
        captioner: the model that writes, a `Captioner` or what has the same `memory`,
            `condition`, `detokenize`, `grid`, `steps`, `decoder` and `vocabulary`.
        method: a `Beam` or `Sampling`.
    """

    def __init__(self, captioner, method, **kwargs):
        super().__init__(**kwargs)
        self.captioner = captioner
        self.method = method
        self.seed_generator = keras.random.SeedGenerator(0)
        self.jit_compile = jit_compile()
        self.built = True

    def call(self, inputs):
        """Write about every photograph.

        Args:
            inputs: "photographs" or "features", as for `Captioner.call`; for answers also
                "questions" `int[B, M, Q]`, of which M are asked about every photograph.

        Returns:
            A dict of "tokens" `int[G, K, T]` padded with 0, "log_probs" `float[G, K, T]` of
            these tokens and "attention" `float[G, K, T, R]`, where G = B x M, or B without
            questions; the beams are in no order.
        """
        decoder, method = self.captioner.decoder, self.method
        memory = self.captioner.memory(inputs)
        asked = ops.shape(inputs["questions"])[1] if "questions" in inputs else 1
        groups, regions = ops.shape(memory.mean)[0] * asked, math.prod(self.captioner.grid)
        beams, steps, size = method.width, self.captioner.steps, decoder.vocabulary_size
        condition = self.captioner.condition(inputs, groups)
        if condition is not None:
            condition = ops.repeat(condition, beams, axis=0)
        vocabulary, positions = ops.arange(size), ops.arange(steps)
        banned = [vocabulary == token for token in (PAD, START, UNKNOWN)]
        banned = ops.where(functools.reduce(ops.logical_or, banned), IMPOSSIBLE, 0.0)
        # Nothing at all is no sentence: the first token is a word.
        banned_first = ops.where(vocabulary == END, IMPOSSIBLE, 0.0)
        # Drawn before the loop, since JAX lets no loop advance the state of a seed generator.
        uniform = keras.random.uniform((steps, groups, beams), seed=self.seed_generator)
        # A finished beam is frozen: its only continuation is padding, at no cost.
        frozen = ops.where(vocabulary == PAD, 0.0, IMPOSSIBLE)
        rules, answered = self.captioner.rules, ops.zeros((groups,), "bool")
        if "questions" in inputs:
            questions = ops.reshape(inputs["questions"], (groups, inputs["questions"].shape[-1]))
            answered = ops.any(questions != PAD, axis=-1)

        def unfinished(step, last, *_):
            return ops.logical_and(step < steps, ops.any(~is_finished(last)))

        def advance(step, last, tokens, log_probs, attention, scores, states, history):
            finished = is_finished(last)
            words = decoder.embedding(ops.reshape(last, (-1,)))
            output, context, weights, states = decoder.step(words, list(states), memory, condition)
            logits = ops.cast(decoder.logits(words, output, context, condition), "float32")
            following = ops.reshape(ops.log_softmax(logits), (-1, beams, size)) + banned
            following = following + ops.where(step == 0, banned_first, 0.0)
            if rules is not None:
                broken = rules.broken_by(*history, step == steps - 1, answered)
                ruled = ops.where(broken, IMPOSSIBLE, following)
                # A rule that leaves nothing to say does not hold.
                stuck = ops.max(ruled, axis=-1, keepdims=True) <= IMPOSSIBLE / 2
                following = ops.where(stuck, following, ruled)
            following = ops.where(finished[..., None], frozen, following)

            length = ops.cast(ops.sum(tokens != PAD, axis=-1), "float32")
            parents, last = method.choose(scores, following, finished, length, uniform[step])
            rows = ops.arange(groups)[:, None] * beams + parents
            gained = ops.take(ops.reshape(following, (-1,)), rows * size + last)

            def inherit(x):
                return ops.take(ops.reshape(x, (-1, *x.shape[2:])), rows, axis=0)

            now = positions == step
            weights = ops.reshape(weights, (-1, beams, 1, regions))
            weights = ops.where(finished[..., None, None], 0.0, weights)
            attention = ops.where(now[:, None], weights, attention)
            tokens = ops.where(now, last[..., None], inherit(tokens))
            log_probs = ops.where(now, gained[..., None], inherit(log_probs))
            states = [ops.take(state, ops.reshape(rows, (-1,)), axis=0) for state in states]
            scores = inherit(scores) + gained
            if rules is not None:
                said, recent = map(inherit, history)
                said = ops.logical_or(said, vocabulary == last[..., None])
                history = said, ops.concatenate([recent[..., 1:], last[..., None]], axis=-1)
            attention = inherit(attention)
            return step + 1, last, tokens, log_probs, attention, scores, states, history

        # All beams begin alike: only the first may branch at the first step. Samples all may.
        handicap = 0.0 if isinstance(method, Sampling) else IMPOSSIBLE
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
                decoder.initial_states(memory, asked * beams, condition),
                history,
            ),
        )
        return {"tokens": tokens, "log_probs": log_probs, "attention": attention}


def is_finished(tokens):
    """Whether sequences whose last tokens are these have ended."""
    return ops.logical_or(tokens == END, tokens == PAD)


def jit_compile():
    """Whether to compile with XLA: JAX needs it; for TensorFlow on a CPU, XLA's convolutions are
    much slower than TensorFlow's own."""
    return keras.backend.backend() == "jax"


@functools.lru_cache(maxsize=8)
def generator(captioner, method):
    """The compiled loop, kept, because compiling takes longer than captioning."""
    return Generator(captioner, method)


def generate(captioner, inputs, method, seed=None):
    """Write about a batch of photographs.

    Args:
        captioner: the model that writes.
        inputs: a dict of arrays, "photographs" `[B, S, S, 3]` or "features" `[B, R, C]`, and for
            answers "questions" `int[B, M, Q]`.
        method: a `Beam` or `Sampling`.
        seed: of the samples; None for others each time.

    Returns:
        For each photograph, or each question about it, a list of K `Candidate`, best first. What
        answers a question is a phrase; a caption, also where a question is nothing but padding,
        is a sentence.
    """
    writer = generator(captioner, method)
    if seed is not None:
        writer.seed_generator.state.assign(keras.random.SeedGenerator(seed).state)
    outputs = writer.predict_on_batch(inputs)
    asked = np.zeros(len(outputs["tokens"]), bool)
    if "questions" in inputs:
        asked = (inputs["questions"] != PAD).any(axis=-1).ravel()
    found = []
    for group_asked, tokens, log_probs, attention in zip(
        asked, *(outputs[key] for key in OUTPUTS), strict=True
    ):
        candidates = [
            candidate(captioner, group_asked, *beam)
            for beam in zip(tokens, log_probs, attention, strict=True)
        ]
        lengths = (tokens != PAD).sum(axis=-1)
        best_first = np.argsort(-length_normalised(log_probs.sum(axis=-1), lengths), kind="stable")
        found.append([candidates[i] for i in best_first])
    return found


def candidate(captioner, asked, tokens, log_probs, attention):
    """Token ids `int[T]`, their log-probabilities and attention `float[T, R]` as a `Candidate`."""
    words = [
        Word(word, float(np.exp(log_prob)), weights.reshape(captioner.grid))
        for word, log_prob, weights in zip(
            captioner.vocabulary.decode(tokens), log_probs, attention, strict=False
        )
    ]
    score = float(log_probs[tokens != PAD].mean())
    text = captioner.detokenize([word.word for word in words], asked)
    return Candidate(text, score, words)


@functools.lru_cache(maxsize=8)
def encoder(captioner):
    """The compiled CNN, kept as `generator` is."""
    compiled = keras.Sequential([captioner.encoder])
    compiled.jit_compile = jit_compile()
    return compiled


def encode(captioner, photographs):
    """The features `float[B, R, C]` of photographs `[B, S, S, 3]` in 0..255."""
    maps = encoder(captioner).predict_on_batch(photographs.astype("float32"))
    return maps.reshape(len(maps), captioner.regions, -1)


def respond(captioner, features, questions, method, seed=None):
    """Write what is asked about photographs that have been encoded, once for all questions.

    Args:
        captioner: the model that writes.
        features: `float[B, R, C]`.
        questions: for each photograph the list of what is asked about it, which may be empty;
            None asks for a caption.
        method: a `Beam` or `Sampling`.
        seed: of the samples.

    Returns:
        For each photograph a list with, for each question, what `generate` finds.
    """
    encode_question = captioner.vocabulary.encode_question
    length = captioner.config.max_question_words
    found = [[] for _ in questions]
    width = max(1, ROWS // len(features))
    for start in range(0, max(map(len, questions)), width):
        asked = [row[start : start + width] for row in questions]
        left = [i for i, row in enumerate(asked) if row]
        most = max(map(len, asked))
        # Filled up with questions, not padding: captions would take more steps than answers.
        full = [asked[i] + asked[i][-1:] * (most - len(asked[i])) for i in left]
        ids = np.array([[encode_question(q or "", length) for q in row] for row in full])
        candidates = generate(
            captioner, {"features": features[left], "questions": ids}, method, seed
        )
        for position, i in enumerate(left):
            found[i] += candidates[position * most :][: len(asked[i])]
    return found


def batches(photographs, size=BATCH):
    """Group what `load_images` yields into batches.

    Yields:
        The number of photographs before, and `uint8[B, S, S, 3]`.

    Raises:
        ImageError: one of the photographs could not be read.
    """
    batch, start = [], 0
    for photograph in photographs:
        if isinstance(photograph, Exception):
            raise photograph
        batch.append(photograph)
        if len(batch) == size:
            yield start, np.stack(batch)
            start, batch = start + size, []
    if batch:
        yield start, np.stack(batch)


def write(captioner, images, method, top, seed=None, questions=None):
    """What `Captioner.caption`, `sample` and `answer` have in common.

    Args:
        images: a photograph, or a list of them.
        method: a `Beam` or `Sampling`.
        top: how many candidates to return.
        seed: of the samples.
        questions: for each photograph the list of what is asked about it, as for `respond`; by
            default one caption.

    Returns:
        For each photograph a list with a `Caption` for each question.
    """
    if not 1 <= top <= method.width:
        raise ValueError(f"top is {top}, but the search keeps {method.width} candidates")
    images = images if isinstance(images, list | tuple) else [images]
    questions = questions or [[None]] * len(images)
    rows = []
    for start, photographs in batches(load_images(images, captioner.config.image_size)):
        asked = questions[start : start + len(photographs)]
        for found in respond(captioner, encode(captioner, photographs), asked, method, seed):
            rows.append([Caption(*candidates[0], candidates[:top]) for candidates in found])
    return rows
