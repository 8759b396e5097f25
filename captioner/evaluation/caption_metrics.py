"""The usual scores of captions, without Java.

The scores equal those of coco-caption (https://github.com/tylin/coco-caption), the code of the
published tables. Comments name its peculiarities. Scores are fractions (BLEU-4 0.21).

- BLEU: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002
- ROUGE-L: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004
- CIDEr-D: Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation", 2015
"""

import functools
import logging
import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean

import numpy as np

from captioner.data.function_words import FUNCTION_WORDS
from captioner.data.tokenizer import tokenize
from captioner.data.word_lists import FEMALE, MALE
from captioner.evaluation.intervals import Measure
from captioner.evaluation.java_metrics import meteor_spice

Tokens = Sequence[str]
References = Sequence[Sequence[Tokens]]  # one or more for each image
Symbols = Sequence[Hashable]  # words or their ids

_MAX_N = 4

logger = logging.getLogger("captioner.evaluation.caption_metrics")


def _ngrams(tokens: Symbols) -> Counter[tuple[Hashable, ...]]:
    """Counts of the n-grams of every order from 1 to 4 in one counter."""
    return Counter(
        tuple(tokens[i : i + n]) for n in range(1, _MAX_N + 1) for i in range(len(tokens) - n + 1)
    )


def bleu(hypotheses: Sequence[Tokens], references: References) -> tuple[float, ...]:
    """Corpus BLEU-1 to BLEU-4 of N tokenised captions against N lists of tokenised references.

    Counts are clipped to the greatest count in one reference and summed over the corpus. The
    brevity penalty uses the closest reference length for each caption, the shorter one on a tie.

    Raises:
        ValueError: the lengths differ, or an image has no reference.
    """
    rows = [bleu_counts(*pair) for pair in zip(hypotheses, references, strict=True)]
    sums = np.sum(np.reshape(rows, (-1, 2 * _MAX_N + 2)), axis=0)
    return tuple(float(bleu_of_counts(sums, n)) for n in range(1, _MAX_N + 1))


def bleu_counts(tokens: Tokens, references: Sequence[Tokens]) -> list[int]:
    """The terms of BLEU for a caption: for each order the correct n-grams and all n-grams, then the
    length of the caption and of the reference."""
    correct = [0] * _MAX_N
    most: Counter[tuple[Hashable, ...]] = Counter()
    for reference in references:
        most |= _ngrams(reference)  # the larger count of each n-gram
    for gram, count in (_ngrams(tokens) & most).items():
        correct[len(gram) - 1] += count
    guessed = [max(0, len(tokens) - n) for n in range(_MAX_N)]
    closest = min((abs(len(r) - len(tokens)), len(r)) for r in references)[1]
    return [*correct, *guessed, len(tokens), closest]


def bleu_of_counts(sums: np.ndarray, order: int) -> np.ndarray:
    """BLEU of an order, `float[...]`, of sums `float[..., 10]` of `bleu_counts`."""
    # The constants of coco-caption: without common n-grams of an order, the score is almost 0. No
    # smoothing function of nltk's corpus_bleu gives the same scores.
    tiny, small = 1e-15, 1e-9
    precision = (sums[..., :order] + tiny) / (sums[..., _MAX_N : _MAX_N + order] + small)
    lengths = (sums[..., -2] + tiny) / (sums[..., -1] + small)
    penalty = np.exp(np.minimum(0, 1 - 1 / lengths))
    return penalty * np.prod(precision, axis=-1) ** (1 / order)


def _longest_common_subsequence(a: Tokens, b: Tokens) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0  # row[j - 1] as it was before this x
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], diagonal + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def rouge_l(hypotheses: Sequence[Tokens], references: References) -> float:
    """Mean ROUGE-L (F with beta 1.2) of N tokenised captions. Precision and recall are each the
    best of all references.

    Raises:
        ValueError: as for `bleu`, or there are no captions.
    """
    return fmean(_rouge_l(*pair) for pair in zip(hypotheses, references, strict=True))


def _rouge_l(tokens: Tokens, references: Sequence[Tokens]) -> float:
    beta2 = 1.2**2
    tokens = tokens or [""]  # coco-caption splits "" into one empty word
    references = [reference or [""] for reference in references]
    common = [_longest_common_subsequence(tokens, reference) for reference in references]
    precision = max(common) / len(tokens)
    recall = max(c / len(r) for c, r in zip(common, references, strict=True))
    return (1 + beta2) * precision * recall / (recall + beta2 * precision) if recall else 0.0


class Cider:
    """CIDEr-D against fixed references. Their weights are computed once.

    The weight of an n-gram is its count times log(N / number of images with it in a reference).
    With one image, all weights and scores are 0.

    Args:
        references: the tokenised references of each of N images.
    """

    sigma = 6.0

    def __init__(self, references: Sequence[Sequence[Symbols]]):
        counts = [[_ngrams(tokens) for tokens in image] for image in references]
        frequency = Counter(gram for image in counts for gram in set().union(*image))
        self._unseen = math.log(max(1, len(counts)))
        self._idf = {gram: self._unseen - math.log(df) for gram, df in frequency.items()}
        self._references = [[self._vector(grams) for grams in image] for image in counts]

    def _vector(self, grams: Counter) -> tuple[dict, list[float], int]:
        """Weights of the n-grams, their norm for each n, and the length."""
        weights = {gram: tf * self._idf.get(gram, self._unseen) for gram, tf in grams.items()}
        squares = [0.0] * _MAX_N
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight * weight
        length = sum(tf for gram, tf in grams.items() if len(gram) == 1)
        return weights, [math.sqrt(square) for square in squares], length

    def scores(self, hypotheses: Sequence[Symbols]) -> list[float]:
        """CIDEr-D, 0 to 10, of one tokenised caption for each of the N images."""
        if len(hypotheses) != len(self._references):
            raise ValueError(f"{len(hypotheses)} captions of {len(self._references)} images")
        return [self.score(tokens, image) for image, tokens in enumerate(hypotheses)]

    def score(self, tokens: Symbols, image: int) -> float:
        """CIDEr-D, 0 to 10, of a tokenised caption of image number `image`."""
        vector = self._vector(_ngrams(tokens))
        return 10 * fmean(self._similarity(vector, r) for r in self._references[image])

    def _similarity(self, hypothesis: tuple, reference: tuple) -> float:
        """The mean over n of the clipped cosines, with a penalty for different lengths."""
        weights, norms, length = hypothesis
        others, other_norms, other_length = reference
        products = [0.0] * _MAX_N
        for gram, weight in weights.items():
            if other := others.get(gram):
                products[len(gram) - 1] += min(weight, other) * other
        cosines = (
            product / (norm * other_norm) if product else 0.0
            for product, norm, other_norm in zip(products, norms, other_norms, strict=True)
        )
        return fmean(cosines) * math.exp(-((length - other_length) ** 2) / (2 * self.sigma**2))


def cider(hypotheses: Sequence[Tokens], references: References) -> float:
    """Mean CIDEr-D of N tokenised captions. Document frequencies come from their references.

    Raises:
        ValueError: as for `bleu`, or there are no captions.
    """
    return fmean(Cider(references).scores(hypotheses))


def entropy(attention: np.ndarray) -> float:
    """The entropy in bits of weights `float[...]` that sum to 1: log2 of the number of regions for
    equal weights, 0 for a single region."""
    weights = attention[attention > 0].astype(float)
    return float(-(weights * np.log2(weights)).sum())


def attention_entropy(looks: Mapping[Hashable, Sequence[tuple[str, float]]]) -> dict[str, Measure]:
    """`attention_entropy/content` and `attention_entropy/function`: the mean `entropy`, in bits,
    of the attention of content words and of function words. Missing without such words.

    Args:
        looks: by the id of each caption its words, in lower case, each with the entropy of its
            attention.
    """
    measures = {}
    for kind, wanted in (("content", False), ("function", True)):
        found = {
            i: [bits for word, bits in words if (word in FUNCTION_WORDS) == wanted]
            for i, words in looks.items()
        }
        if any(found.values()):
            rows = {i: (sum(bits), len(bits)) for i, bits in found.items()}
            measures[f"attention_entropy/{kind}"] = Measure(rows)
    return measures


def wrong_gender(tokens: Tokens, references: Sequence[Tokens]) -> bool | None:
    """Whether a caption names a gender that no reference names, while one names the other gender.

    None for a caption without a gender.
    """
    named = [gender for gender in (MALE, FEMALE) if gender & set(tokens)]
    in_references = set().union(*references)
    wrong = (not gender & in_references for gender in named)
    return any(wrong) and bool((MALE | FEMALE) & in_references) if named else None


class CaptionScorer:
    """Scores captions of fixed images. References are tokenised and weighted once.

    Args:
        references: one or more reference sentences for each image id.

    Raises:
        ValueError: there is no image, or an image has no reference.
    """

    def __init__(self, references: Mapping[Hashable, Sequence[str]]):
        if not references:
            raise ValueError("nothing to score: there are no references")
        if bare := [i for i, r in references.items() if not r or isinstance(r, str)]:
            raise ValueError(f"{len(bare)} images have no list of references: {bare[:3]}")
        self.references = {i: [tokenize(s) for s in r] for i, r in references.items()}
        self._cider = Cider(list(self.references.values()))
        self._numbers = {i: number for number, i in enumerate(self.references)}

    def score(self, captions: Mapping[Hashable, str], java: bool = False) -> dict[str, float]:
        """The scores of one caption for each image, by its id.

        Args:
            captions: for each image id the caption.
            java: also METEOR and SPICE, if pycocoevalcap and Java are installed. The log gives the
                reason if one is skipped.

        Returns:
            `bleu1` to `bleu4`, `rouge_l`, `cider`, `mean_length` in words, `wrong_gender` if a
            caption names a gender, the rate of `distinct` captions, and with `java` also `meteor`
            and `spice`.

        Raises:
            ValueError: the ids differ from those of the references.
        """
        if missing := [i for i in self.references if i not in captions]:
            raise ValueError(f"{len(missing)} images have no caption: {missing[:3]}")
        if unknown := [i for i in captions if i not in self.references]:
            raise ValueError(f"{len(unknown)} captions have no references: {unknown[:3]}")
        scores = {name: measure.value for name, measure in self.measures(captions).items()}
        return scores | self.of_all(captions, java)

    def measures(self, captions: Mapping[Hashable, str]) -> dict[str, Measure]:
        """The scores that are functions of sums over captions of some or all images:
        `bleu1` to `bleu4`, `rouge_l`, `cider`, `mean_length`, and `wrong_gender`, the rate of
        captions with a gender for which the function of this name is true.

        The document frequencies of CIDEr are always those of all images.
        """
        tokenized = {i: tokenize(caption) for i, caption in captions.items()}
        counts = {i: bleu_counts(tokens, self.references[i]) for i, tokens in tokenized.items()}
        measures = {
            f"bleu{n}": Measure(counts, functools.partial(bleu_of_counts, order=n))
            for n in range(1, _MAX_N + 1)
        }
        for name, score in (
            ("rouge_l", lambda i: _rouge_l(tokenized[i], self.references[i])),
            ("cider", lambda i: self._cider.score(tokenized[i], self._numbers[i])),
            ("mean_length", lambda i: len(tokenized[i])),
        ):
            measures[name] = Measure.mean({i: score(i) for i in tokenized})
        genders = {i: wrong_gender(tokens, self.references[i]) for i, tokens in tokenized.items()}
        gendered = {i: float(wrong) for i, wrong in genders.items() if wrong is not None}
        if gendered:
            measures["wrong_gender"] = Measure.mean(gendered)
        return measures

    def of_all(self, captions: Mapping[Hashable, str], java: bool = False) -> dict[str, float]:
        """The other scores: `distinct`, and with `java` also `meteor` and `spice`."""
        hypotheses = {i: tokenize(captions[i]) for i in self.references}
        scores = {"distinct": len(set(map(tuple, hypotheses.values()))) / len(hypotheses)}
        if java:
            references = list(self.references.values())
            java_scores, left_out = meteor_spice(list(hypotheses.values()), references)
            scores |= java_scores
            for name, reason in left_out.items():
                logger.warning("%s skipped: %s", name, reason)
        return scores
