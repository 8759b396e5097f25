"""Captions for photographs with labels only: the best fitting captions of other photographs.

Captioning by retrieval was proposed by Ordonez, Kulkarni and Berg (2011). A retrieved caption may
mention objects that the photograph does not show, so it has half the weight in the loss.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize
from captioner.training.batches import Photograph
from captioner.training.concepts import targets

# All of these are choices, not measured.
WEIGHT = 0.5  # of a retrieved caption in the loss
MOST = 6  # captions of a photograph
SHORTEST, LONGEST = 6, 16  # words of a caption
FLOOR, RARITY, PRICE = 0.004, 0.55, 0.15  # of a concept; see `retrieve`
FOREIGN = 1.2  # the cost of a content word that is not a concept
LEAST = 1.5  # the lowest score of a caption


def with_retrieved(
    photographs: Sequence[Photograph],
    corpus: Sequence[Sequence[str]],
    concepts: Sequence[str],
    logits: np.ndarray,
) -> list[Photograph]:
    """Photographs, with retrieved captions for those without captions if any fit.

    Args:
        photographs: N of them.
        corpus: lists of captions to choose from; if empty, the captions of the photographs.
        concepts: the C words of the head.
        logits: `float[N, C]`, its output for the photographs.
    """
    without = [i for i, p in enumerate(photographs) if not p.captions]
    captions = [caption for row in corpus for caption in row]
    captions = captions or [caption for p in photographs for caption in p.captions]
    labels = targets([()] * len(without), [photographs[i].objects for i in without], concepts)
    common = (1 / (1 + np.exp(-logits))).mean(axis=0)
    found = retrieve(captions, labels[..., 0], logits[without], common, concepts)
    retrieved = dict(zip(without, found, strict=True))
    return [
        replace(p, captions=retrieved[i], weight=WEIGHT) if retrieved.get(i) else p
        for i, p in enumerate(photographs)
    ]


def retrieve(
    captions: Sequence[str],
    labels: np.ndarray,
    logits: np.ndarray,
    common: np.ndarray,
    concepts: Sequence[str],
) -> list[tuple[str, ...]]:
    """The best captions for each photograph.

    The score of a caption is the sum over its concepts of log p - RARITY log q - PRICE. p is the
    probability of the concept in the photograph, q its mean over all photographs. So rare concepts
    that the photograph shows count most.

    Args:
        captions: of other photographs.
        labels: `float[N, C]`, the targets of labels; 0 where unknown.
        logits: `float[N, C]`, the output of the head.
        common: `float[C]`, the share of photographs that show each concept.
        concepts: the C words.

    Returns:
        A tuple of up to `MOST` captions for each of the N photographs; empty if none fits.
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
