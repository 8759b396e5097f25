"""Reranking: which candidate of a search is the best caption.

The most probable candidate of a search is often not the best one: another agrees with more
candidates, or names more probable concepts. A linear model scores the candidates (Och
and Ney, 2002). `captioner.evaluation.fit_reranking` fits its weights to CIDEr.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS
from captioner.generation.results import Candidate, Concept

UNSEEN = 0.1  # the probability of a word that is not among the likely concepts
LONGEST = 3  # n-grams that candidates share

# Names of the columns of `features`.
FEATURES = (
    "score",
    "words",
    "least likely word",
    "mean concept",
    "least concept",
    "concepts named",
    "concepts left out",
    *(f"shared {n}-grams" for n in range(1, LONGEST + 1)),
)


def features(candidates: Sequence[Candidate], concepts: Sequence[Concept]) -> np.ndarray:
    """`float[K, F]`: the columns `FEATURES` of K candidates.

    Args:
        candidates: all of one search.
        concepts: those that are likely to be in the photograph.
    """
    likely = {concept.word: concept.probability for concept in concepts}
    texts = [[word.word for word in candidate.words] for candidate in candidates]
    rows = []
    for candidate, words in zip(candidates, texts, strict=True):
        content = {word for word in words if word not in FUNCTION_WORDS}
        named = [likely.get(word, UNSEEN) for word in content] or [UNSEEN]
        rows.append(
            [
                candidate.score,
                len(words),
                np.log(min(word.probability for word in candidate.words)),
                np.mean(named),
                min(named),
                sum(likely.get(word, 0.0) for word in content),
                sum(p for word, p in likely.items() if word not in content),
            ]
        )
    return np.hstack([np.array(rows), _shared(texts, [c.score for c in candidates])])


def order(weights: Sequence[float], found: np.ndarray) -> np.ndarray:
    """The places `int[K]` of candidates with the features `float[K, F]`, the best first."""
    return np.argsort(-found @ np.array(weights), kind="stable")


def _shared(texts: Sequence[Sequence[str]], scores: Sequence[float]) -> np.ndarray:
    """`float[K, LONGEST]`: the share of n-grams that the other candidates have as well, weighted by
    their probabilities (minimum Bayes risk; Kumar and Byrne, 2004)."""
    likelihoods = np.exp(scores)
    shares = np.zeros((len(texts), LONGEST))
    for n in range(1, LONGEST + 1):
        grams = [Counter(zip(*(words[i:] for i in range(n)), strict=False)) for words in texts]
        for i, one in enumerate(grams):
            others = [j for j in range(len(grams)) if j != i]
            if others:
                each = [(one & grams[j]).total() / max(1, one.total()) for j in others]
                shares[i, n - 1] = np.average(each, weights=likelihoods[others])
    return shares
