"""Reranking: which candidate of a search is the best caption.

The search finds better captions than the likeliest: a caption that agrees with the others, or names
what is surely there, is often the better one. A linear model scores the candidates of one search
(Och and Ney, 2002); its weights are fitted to CIDEr by `captioner.evaluation.reranking`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS

UNSEEN = 0.02  # the probability of a word that is not among the concepts of the photograph
LONGEST = 4  # n-grams in which candidates agree

# Names of the columns of `features`.
FEATURES = (
    "score",
    "length",
    "least likely word",
    "mean concept",
    "least concept",
    "sum of concepts",
    "concepts left out",
    *(f"agreement in {n}-grams" for n in range(1, LONGEST + 1)),
)


def features(
    captions: Sequence[Sequence[str]],
    log_probs: Sequence[np.ndarray],
    concepts: Mapping[str, float],
) -> np.ndarray:
    """What speaks for each candidate, `float[K, F]`, see `FEATURES`.

    Args:
        captions: the words of K candidates.
        log_probs: of each its tokens, `float[T]`, the end token included.
        concepts: the probabilities of words that may be worth saying.
    """
    likelihoods = np.exp([float(np.mean(values)) for values in log_probs])
    rows = [
        [np.mean(values), len(words), np.min(values), *_named(words, concepts)]
        for words, values in zip(captions, log_probs, strict=True)
    ]
    return np.column_stack([np.array(rows, float), _agreement(captions, likelihoods)])


def ranked(weights: Sequence[float], found: np.ndarray) -> np.ndarray:
    """The order `int[K]` of candidates with these features, the best first."""
    return np.argsort(-found @ np.array(weights), kind="stable")


def _named(words: Sequence[str], concepts: Mapping[str, float]) -> list[float]:
    """How likely the content words are to be in the photograph: their mean, the least of them and
    their sum; and the sum of the concepts that are not named."""
    content = {word for word in words if word not in FUNCTION_WORDS}
    named = [concepts.get(word, UNSEEN) for word in content] or [UNSEEN]
    left_out = sum(p for word, p in concepts.items() if word not in content)
    return [float(np.mean(named)), min(named), sum(named), left_out]


def _agreement(captions: Sequence[Sequence[str]], likelihoods: np.ndarray) -> np.ndarray:
    """`float[K, LONGEST]`: the share of n-grams of a candidate that the others have as well, the
    likelier ones counting more (minimum Bayes risk; Kumar and Byrne, 2004)."""
    agreement = np.zeros((len(captions), LONGEST))
    if len(captions) == 1:
        return agreement
    for n in range(1, LONGEST + 1):
        grams = [Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in captions]
        for i, one in enumerate(grams):
            others = [j for j in range(len(grams)) if j != i]
            shared = [(one & grams[j]).total() / max(1, one.total()) for j in others]
            agreement[i, n - 1] = np.average(shared, weights=likelihoods[others])
    return agreement
