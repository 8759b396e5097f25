"""Captions scored as the field scores them, without Java.

The numbers are those of coco-caption (https://github.com/tylin/coco-caption), the code behind the
published tables, with its quirks: a comment names each. Scores are fractions (BLEU-4 0.21).

- BLEU: Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002
- ROUGE-L: Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004
- CIDEr-D: Vedantam et al., "CIDEr: Consensus-based Image Description Evaluation", 2015
"""

import importlib.util
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np

from captioner.data.tokenizer import tokenize

Tokens = Sequence[str]
References = Sequence[Sequence[Tokens]]  # of each image one or more
Symbols = Sequence[Hashable]  # where words may as well be their ids

# Words that cannot end an English sentence, or all but never do. Left out on purpose: adverbial
# particles ("standing up", "looking on", "walks by", "sits outside") and "her" ("next to her").
FUNCTION_WORDS = frozenset(
    "a an the every my your his its our their 's "
    "and or but nor while as than because if although unless whose which who "
    "of with without in at to from for into onto upon between among against toward towards during "
    "am is are was were be been being has have had".split()
)

_MAX_N = 4

logger = logging.getLogger("captioner.evaluation.caption_metrics")


def _ngrams(tokens: Symbols) -> Counter[tuple[Hashable, ...]]:
    """Counts of the n-grams of every order from 1 to 4 in one counter."""
    return Counter(
        tuple(tokens[i : i + n]) for n in range(1, _MAX_N + 1) for i in range(len(tokens) - n + 1)
    )


def bleu(hypotheses: Sequence[Tokens], references: References) -> tuple[float, ...]:
    """Corpus BLEU-1 to BLEU-4 of N tokenised captions against N lists of tokenised references.

    Counts are clipped to the most one reference has and summed over the corpus; the brevity penalty
    takes for each caption the reference length closest to its own, the shorter one on a tie.

    Raises:
        ValueError: if the lengths differ or an image has no reference.
    """
    correct, guessed = [0] * _MAX_N, [0] * _MAX_N
    hypothesis_length = reference_length = 0
    for tokens, image_references in zip(hypotheses, references, strict=True):
        most: Counter[tuple[Hashable, ...]] = Counter()
        for reference in image_references:
            most |= _ngrams(reference)  # the larger count of each n-gram
        for gram, count in (_ngrams(tokens) & most).items():
            correct[len(gram) - 1] += count
        for n in range(_MAX_N):
            guessed[n] += max(0, len(tokens) - n)
        hypothesis_length += len(tokens)
        reference_length += min((abs(len(r) - len(tokens)), len(r)) for r in image_references)[1]

    # coco-caption's constants: with no n-gram of some order in common the score is tiny but not 0,
    # which nltk's corpus_bleu, with or without its smoothing functions, does not reproduce.
    tiny, small = 1e-15, 1e-9
    ratio = (hypothesis_length + tiny) / (reference_length + small)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    product, scores = 1.0, []
    for n in range(_MAX_N):
        product *= (correct[n] + tiny) / (guessed[n] + small)
        scores.append(penalty * product ** (1 / (n + 1)))
    return tuple(scores)


def _longest_common_subsequence(a: Tokens, b: Tokens) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0  # row[j - 1] as it was before this x
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], diagonal + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def rouge_l(hypotheses: Sequence[Tokens], references: References) -> float:
    """Mean ROUGE-L (F with beta 1.2) of N tokenised captions; precision and recall are each the
    best over the references, so they may come from different ones.

    Raises ValueError as `bleu` does, and if nothing is given.
    """
    beta2 = 1.2**2
    scores = []
    for tokens, image_references in zip(hypotheses, references, strict=True):
        tokens = tokens or [""]  # coco-caption splits "" into one empty word
        image_references = [reference or [""] for reference in image_references]
        common = [_longest_common_subsequence(tokens, r) for r in image_references]
        precision = max(common) / len(tokens)
        recall = max(c / len(r) for c, r in zip(common, image_references, strict=True))
        denominator = recall + beta2 * precision
        scores.append((1 + beta2) * precision * recall / denominator if recall else 0.0)
    return fmean(scores)


class Cider:
    """CIDEr-D against fixed references, whose weights are computed once.

    An n-gram weighs its count times log(N / images that have it in a reference): with one image
    every weight, and so every score, is 0.

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
        """CIDEr-D, 0 to 10, of a tokenised caption of the image of that number."""
        vector = self._vector(_ngrams(tokens))
        return 10 * fmean(self._similarity(vector, r) for r in self._references[image])

    def _similarity(self, hypothesis: tuple, reference: tuple) -> float:
        """Mean over n of the clipped cosines, less where the lengths differ."""
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
    """Mean CIDEr-D of N tokenised captions, document frequencies from their own references.

    Raises ValueError as `bleu` does, and if nothing is given.
    """
    return fmean(Cider(references).scores(hypotheses))


# Run in a process of its own: pycocoevalcap and the Java under it print to stdout, may download
# models at first use (SPICE), and break in many ways, of which none may cost the other scores.
JAVA_SECONDS = 300  # and one for each caption, or what hangs is left out
_JAVA_SCORER = """
import importlib, json, socket, sys
socket.setdefaulttimeout(30)
name, references, captions = json.load(sys.stdin)
module = importlib.import_module(f"pycocoevalcap.{name}.{name}")
print(getattr(module, name.capitalize())().compute_score(references, captions)[0])
"""


def meteor_spice(
    hypotheses: Sequence[Tokens], references: References
) -> tuple[dict[str, float], dict[str, str]]:
    """METEOR and SPICE of N tokenised captions through pycocoevalcap, as far as it and Java work.

    Returns:
        The scores, and for each score left out the reason in one line.
    """
    names = ("meteor", "spice")
    if importlib.util.find_spec("pycocoevalcap") is None:
        return {}, dict.fromkeys(names, "pycocoevalcap is not installed")
    if shutil.which("java") is None:
        return {}, dict.fromkeys(names, "there is no Java")
    captions = {str(i): [" ".join(tokens)] for i, tokens in enumerate(hypotheses)}
    known = {str(i): [" ".join(tokens) for tokens in r] for i, r in enumerate(references)}
    scores, left_out = {}, {}
    for name in names:
        limit = JAVA_SECONDS + len(hypotheses)
        # A session of its own, to end it together with the Java that it starts.
        with subprocess.Popen(
            [sys.executable, "-c", _JAVA_SCORER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as run:
            try:
                out, err = run.communicate(json.dumps([name, known, captions]), timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                left_out[name] = f"no answer in {limit} s"
                continue
        if run.returncode == 0:
            scores[name] = float(out.split()[-1])
        else:
            left_out[name] = (err.strip() or f"exit {run.returncode}").splitlines()[-1]
    return scores, left_out


def caption_statistics(hypotheses: Sequence[Tokens]) -> dict[str, float]:
    """`mean_length` in words, and the rates of `distinct` captions and of `function_word_endings`
    ("a man on a").
    """
    # "a.": to the tokeniser a single letter with its period is an abbreviation.
    endings = sum(bool(t) and t[-1].rstrip(".") in FUNCTION_WORDS for t in hypotheses)
    return {
        "mean_length": fmean(map(len, hypotheses)),
        "distinct": len(set(map(tuple, hypotheses))) / len(hypotheses),
        "function_word_endings": endings / len(hypotheses),
    }


def entropy(attention: np.ndarray) -> float:
    """The entropy in bits of weights `float[...]` that sum to 1: log2 of the number of regions if
    all are looked at alike, 0 for a look at a single one."""
    weights = attention[attention > 0].astype(float)
    return float(-(weights * np.log2(weights)).sum())


def attention_entropy(looks: Iterable[tuple[str, float]]) -> dict[str, float]:
    """`attention_entropy/content` and `attention_entropy/function`: the mean `entropy`, in bits,
    where content words looked and where function words did; without a word of either, not there.

    Function words are `FUNCTION_WORDS`: a preposition that may be a particle ("on") is content.

    Args:
        looks: each word, in lower case, with the entropy of its attention.
    """
    found: dict[str, list[float]] = {"content": [], "function": []}
    for word, bits in looks:
        found["function" if word in FUNCTION_WORDS else "content"].append(bits)
    return {f"attention_entropy/{kind}": fmean(bits) for kind, bits in found.items() if bits}


class CaptionScorer:
    """Scores captions of fixed images: references are tokenised and weighed once.

    Args:
        references: for each image id its reference sentences, one or more.

    Raises:
        ValueError: if there is no image, or an image has no reference.
    """

    def __init__(self, references: Mapping[Hashable, Sequence[str]]):
        if not references:
            raise ValueError("nothing to score: there are no references")
        if bare := [i for i, r in references.items() if not r or isinstance(r, str)]:
            raise ValueError(f"{len(bare)} images have no list of references: {bare[:3]}")
        self.references = {i: [tokenize(s) for s in r] for i, r in references.items()}
        self._cider = Cider(list(self.references.values()))

    def score(self, captions: Mapping[Hashable, str], java: bool = False) -> dict[str, float]:
        """The scores of one caption per image; see `caption_scores`."""
        if missing := [i for i in self.references if i not in captions]:
            raise ValueError(f"{len(missing)} images have no caption: {missing[:3]}")
        if unknown := [i for i in captions if i not in self.references]:
            raise ValueError(f"{len(unknown)} captions have no references: {unknown[:3]}")
        hypotheses = [tokenize(captions[i]) for i in self.references]
        references = list(self.references.values())
        names = [f"bleu{n}" for n in range(1, _MAX_N + 1)]
        scores = dict(zip(names, bleu(hypotheses, references), strict=True))
        scores["rouge_l"] = rouge_l(hypotheses, references)
        scores["cider"] = fmean(self._cider.scores(hypotheses))
        if java:
            java_scores, left_out = meteor_spice(hypotheses, references)
            scores |= java_scores
            for name, reason in left_out.items():
                logger.warning("%s left out: %s", name, reason)
        return scores | caption_statistics(hypotheses)


def caption_scores(
    captions: Mapping[Hashable, str],
    references: Mapping[Hashable, Sequence[str]],
    java: bool = False,
) -> dict[str, float]:
    """Scores one caption per image against the references of the same images.

    Args:
        captions: for each image id the caption.
        references: for each image id its reference sentences, one or more.
        java: also METEOR and SPICE, where pycocoevalcap and Java are there; the log says
            why one is left out.

    Returns:
        `bleu1` to `bleu4`, `rouge_l`, `cider`, with `java` also `meteor` and `spice`, then
        `mean_length`, `distinct` and `function_word_endings`.

    Raises:
        ValueError: if the ids differ, there is nothing to score, or an image has no reference.
    """
    return CaptionScorer(references).score(captions, java)
