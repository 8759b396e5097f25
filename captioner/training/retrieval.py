"""Captions for photographs of which only labels are known: those of others that fit them best.

They are somebody's words, but of another photograph, and may say what is not there: so they weigh
half in training. The idea is that of Ordonez, Kulkarni and Berg (2011), who captioned by retrieval.
"""

from collections.abc import Sequence

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize

WEIGHT = 0.5  # of such a caption in the loss
MOST = 6  # captions of a photograph
SHORTEST, LONGEST = 6, 16  # words of a caption that is taken
FLOOR, RARITY, PRICE = 0.004, 0.55, 0.15  # of a concept; see `retrieve`
FOREIGN = 1.2  # what a content word costs that is no concept
LEAST = 1.5  # the score of a caption that is taken


def retrieve(
    captions: Sequence[str],
    labels: np.ndarray,
    logits: np.ndarray,
    common: np.ndarray,
    concepts: Sequence[str],
) -> list[tuple[str, ...]]:
    """The best captions of each photograph, none where none fits.

    A caption scores the sum over its concepts of log p - RARITY log q - PRICE, where p is how
    likely the concept is in the photograph and q how common it is: what is there and rare counts
    most.

    Args:
        captions: of other photographs.
        labels: `float[N, C]`, how sure it is that a photograph shows a concept; 0 where unknown.
        logits: `float[N, C]`, what the head finds.
        common: `float[C]`, the share of photographs that show each concept.
        concepts: the C words.

    Returns:
        A tuple of up to `MOST` captions for each of the N photographs.
    """
    places = {word: i for i, word in enumerate(concepts)}
    kept: list[str] = []
    rows: list[int] = []
    columns: list[int] = []
    foreign: list[int] = []
    for caption in captions:
        words = tokenize(caption)
        if not SHORTEST <= len(words) <= LONGEST:
            continue
        places_named = {places[word] for word in words if word in places}
        others = sum(word not in places and word not in FUNCTION_WORDS for word in set(words))
        if len(places_named) < 2 or others > 1:
            continue
        rows += [len(kept)] * len(places_named)
        columns += sorted(places_named)
        foreign.append(others)
        kept.append(caption)
    if not kept:
        return [()] * len(labels)
    names = np.zeros((len(kept), len(concepts)), "float32")
    names[rows, columns] = 1
    found = 1 / (1 + np.exp(-logits))
    likely = np.where(labels > 0, np.maximum(labels, 0.5), np.minimum(found, 0.6))
    gains = np.log(likely + FLOOR) - RARITY * np.log(common + FLOOR) - PRICE
    chosen = []
    for start in range(0, len(labels), 200):
        scores = names @ gains[start : start + 200].T.astype("float32")
        scores -= FOREIGN * np.array(foreign, "float32")[:, None]
        for column in scores.T:
            best = np.argpartition(-column, min(2 * MOST, len(column) - 1))[: 2 * MOST]
            best = best[np.argsort(-column[best])]
            fitting = {kept[i].lower().strip(" ."): kept[i] for i in best if column[i] > LEAST}
            chosen.append(tuple(fitting.values())[:MOST])
    return chosen
