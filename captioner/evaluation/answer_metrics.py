"""The usual scores of answers to questions.

Scores are fractions, 0 to 1.

- VQA accuracy: Antol et al., "VQA: Visual Question Answering", 2015. The numbers are those of the
  official evaluator (https://github.com/GT-Vision-Lab/VQA), with its quirks: a comment names each.
- Accuracy on sets of words and WUPS: Malinowski and Fritz, "A Multi-World Approach to Question
  Answering about Real-World Scenes based on Uncertain Input", 2014, as in DAQUAR's
  calculate_wups.py; the similarity is that of Wu and Palmer, "Verbs Semantics and Lexical
  Selection", 1994, through WordNet.
"""

import logging
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from statistics import fmean

from nltk.corpus import wordnet

from captioner.data.word_lists import NUMBERS
from captioner.evaluation.intervals import Measure

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # neither the colon nor the apostrophe
_THOUSANDS = re.compile(r"\d,\d")
# It should keep a period between digits, but its look-behind is mistyped and always true:
# "1. floor" loses the period, "1.5" and ".5" keep it.
_PERIOD = re.compile(r"(?!<=\d)\.(?!\d)")
_MOST_PERIODS = 32  # the evaluator passes the flag re.UNICODE where re.sub takes the count

_ARTICLES = frozenset(["a", "an", "the"])
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(NUMBERS)}
# The list of the evaluator, without entries that have no effect: those in capitals, "let's" and
# "she's".
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's
won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
# From each form without one of its apostrophes. So "couldntve" does not change.
_CONTRACTIONS = {
    word[: mark.start()] + word[mark.end() :]: word
    for word in _CONTRACTED.split()
    for mark in re.finditer("'", word)
}
_CONTRACTIONS["somebody'd"] = "somebodyd"  # the evaluator has this one the wrong way round

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WUPS_THRESHOLDS = (0.9, 0.0)

logger = logging.getLogger("captioner.evaluation.answer_metrics")


def _trim(answer: str) -> str:
    return answer.replace("\n", " ").replace("\t", " ").strip()


def normalize(answer: str) -> str:
    """The form of an answer that the VQA evaluator compares: lower case, without punctuation and
    articles, with digits for number words and apostrophes in contractions.

    Examples:
        >>> normalize("Two dogs, dont know the breed.")
        "2 dogs don't know breed"
    """
    answer = _trim(answer)
    text = answer
    for mark in _PUNCTUATION:
        # A mark that is next to a space anywhere in the answer is removed everywhere, as are all
        # marks if there is a number such as "1,000". Otherwise a space replaces the mark.
        beside_space = f"{mark} " in answer or f" {mark}" in answer
        text = text.replace(mark, "" if beside_space or _THOUSANDS.search(answer) else " ")
    text = _PERIOD.sub("", text, count=_MOST_PERIODS)
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def vqa_accuracy(answer: str, ground_truths: Sequence[str]) -> float:
    """VQA accuracy of an answer: min(1, matches / 3), averaged over all sets without one ground
    truth.

    VQA has ten ground truths. With two or three, the formula gives at most 1/3 or 2/3. With a
    single one, the accuracy is 1 if the answer matches.

    Raises:
        ValueError: there are no ground truths.
    """
    answer, ground_truths = _trim(answer), [_trim(truth) for truth in ground_truths]
    # If all people agree, the evaluator does not normalise: "Yes" is wrong for ten "yes".
    if len(set(ground_truths)) > 1:
        answer, ground_truths = normalize(answer), [normalize(truth) for truth in ground_truths]
    matches = [truth == answer for truth in ground_truths]
    if len(matches) == 1:
        return float(matches[0])
    return fmean(min(1, (sum(matches) - left_out) / 3) for left_out in matches)


@lru_cache(maxsize=2**16)
def _similarity(a: str, b: str) -> float:
    """Wu-Palmer similarity of the closest noun senses of two words; 0 for unknown words."""
    if a == b:
        return 1.0
    senses = product(wordnet.synsets(a, pos="n"), wordnet.synsets(b, pos="n"))
    return max((x.wup_similarity(y) or 0.0 for x, y in senses), default=0.0)


def wups(answer: str, truth: str, threshold: float) -> float:
    """WUPS of an answer. Answer and truth are comma-separated lists of items.

    The value of an item is its greatest similarity to an item of the other list. The score is the
    smaller one of the products over the two lists. A similarity below the threshold is multiplied
    by 0.1.

    Raises:
        LookupError: NLTK has no WordNet.
    """

    def coverage(items: list[str], others: list[str]) -> float:
        return prod(max(weighted(_similarity(item, o)) for o in others) for item in items)

    def weighted(similarity: float) -> float:
        return similarity if similarity >= threshold else 0.1 * similarity

    # WordNet and DAQUAR write "night_stand" for "night stand".
    items, truths = (["_".join(i.split()) for i in text.split(",")] for text in (answer, truth))
    return min(coverage(truths, items), coverage(items, truths))


def items(answer: str) -> list[str]:
    """The items of a comma-separated answer. The comma of "1,000" separates nothing."""
    return [item.strip() for item in re.split(r"(?<!\d),|,(?!\d)", answer) if item.strip()]


def _normalized_items(answer: str) -> frozenset[str]:
    # The answer "a" (a letter) is also an article, and would become an empty answer.
    return frozenset(normalize(item) or item.lower() for item in items(answer))


def _most_frequent(answers: Sequence[str]) -> str:
    """The most frequent answer after normalisation, the first one on a tie."""
    counts = Counter(map(_normalized_items, answers))
    return max(answers, key=lambda answer: counts[_normalized_items(answer)])


def answer_type(answers: Sequence[str]) -> str:
    """The type of a question in VQA: "yes/no", "number" or "other", by its most frequent answer."""
    answer = normalize(_most_frequent(answers))
    if answer in ("yes", "no"):
        return "yes/no"
    return "number" if _NUMBER.fullmatch(answer) else "other"


def _some(ids: Sequence[Hashable], problem: str) -> None:
    """Raise ValueError with the number of ids and some of them, if there are any."""
    if ids:
        raise ValueError(f"{len(ids)} {problem}: {ids[:3]}")


class AnswerScorer:
    """Scores answers to fixed questions.

    Args:
        references: one or more reference answers for each question id. An answer may be several
            items with commas between them.
        kinds: the kind of each question by id ("yes/no", "number", "colour").

    Raises:
        ValueError: there is no question, a question has no reference, or the ids of `kinds` differ
            from those of `references`.
    """

    def __init__(
        self,
        references: Mapping[Hashable, Sequence[str]],
        kinds: Mapping[Hashable, str] | None = None,
    ) -> None:
        if not references:
            raise ValueError("nothing to score: there are no references")
        bare = [i for i, r in references.items() if not r or isinstance(r, str)]
        _some(bare, "questions have no list of references")
        if kinds is not None:
            _some([i for i in references if i not in kinds], "questions have no kind")
            _some([i for i in kinds if i not in references], "kinds are of no question")
        self.references = dict(references)
        self.kinds = dict(kinds or {})
        self._truths = {i: _most_frequent(answers) for i, answers in references.items()}

    def score(self, answers: Mapping[Hashable, str], with_wups: bool = True) -> dict[str, float]:
        """The scores of one answer per question, see `measures`.

        Raises:
            ValueError: the ids differ from those of the references.
        """
        _some([i for i in self.references if i not in answers], "questions have no answer")
        _some([i for i in answers if i not in self.references], "answers have no references")
        return {name: found.value for name, found in self.measures(answers, with_wups).items()}

    def measures(
        self, answers: Mapping[Hashable, str], with_wups: bool = True
    ) -> dict[str, Measure]:
        """The scores of answers to some of the questions, or to all.

        Args:
            answers: by question ids.
            with_wups: whether to compute WUPS, which is slow.

        Returns:
            `vqa`: mean VQA accuracy, unless every question has a single reference.
            `accuracy`: the rate of answers with the same set of normalised items as the most
            frequent reference.
            `vqa/<kind>`, `accuracy/<kind>`: the same for each kind.
            `wups_0.9`, `wups_0.0`: mean WUPS against that reference. Without WordNet they are
            missing, and the log gives the reason.
        """
        found = {}
        if any(len(r) > 1 for r in self.references.values()):
            found["vqa"] = {
                i: vqa_accuracy(answer, self.references[i]) for i, answer in answers.items()
            }
        found["accuracy"] = {
            i: float(_normalized_items(answer) == _normalized_items(self._truths[i]))
            for i, answer in answers.items()
        }
        measures = {}
        for name, values in found.items():
            measures[name] = Measure.mean(values)
            for kind in sorted({self.kinds[i] for i in answers if i in self.kinds}):
                of_kind = {i: value for i, value in values.items() if self.kinds[i] == kind}
                measures[f"{name}/{kind}"] = Measure.mean(of_kind)
        return measures | (self._wups(answers) if with_wups else {})

    def _wups(self, answers: Mapping[Hashable, str]) -> dict[str, Measure]:
        try:
            wordnet.ensure_loaded()
        except LookupError:
            logger.warning("wups skipped: NLTK has no WordNet (python -m nltk.downloader wordnet)")
            return {}
        return {
            f"wups_{threshold}": Measure.mean(
                {i: wups(answer, self._truths[i], threshold) for i, answer in answers.items()}
            )
            for threshold in _WUPS_THRESHOLDS
        }
