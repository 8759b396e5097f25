import nltk
import pytest
from nltk.corpus import wordnet as installed_wordnet
from nltk.corpus.reader import WordNetCorpusReader
from nltk.corpus.util import LazyCorpusLoader

from captioner.evaluation import answer_metrics
from captioner.evaluation.answer_metrics import (
    AnswerScorer,
    answer_type,
    normalize,
    vqa_accuracy,
    wups,
)


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Yes", "yes"),
        ("", ""),
        # Punctuation becomes a space, or nothing where it is next to one.
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("[red];{blue}", "red blue"),
        ("really?!", "really"),
        ("night_stand", "night stand"),
        ("it's 10:30", "it's 10:30"),  # neither the apostrophe nor the colon is in the list
        # A mark next to a space in one place is taken out without a space in every place.
        ("t-shirt - red", "tshirt red"),
        ("red,blue, green", "redblue green"),
        ("half -open t-shirt", "half open tshirt"),
        # A comma between digits: every mark goes without a space, the hyphen too.
        ("1,000", "1000"),
        ("1,000 t-shirts", "1000 tshirts"),
        ("red,blue", "red blue"),
        # Periods: the mistyped look-behind spares none that follows a digit.
        ("u.s.", "us"),
        ("1.5", "1.5"),
        (".5", ".5"),
        ("v.2", "v.2"),
        ("1. floor", "1 floor"),
        ("3.", "3"),
        (33 * "." + "x", ".x"),  # only the first 32
        # Number words, up to ten.
        ("none", "0"),
        ("zero", "0"),
        ("One", "1"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("no one", "no 1"),
        ("someone", "someone"),
        # Articles.
        ("a man and the dog", "man and dog"),
        ("An apple", "apple"),
        ("A", ""),
        # Contractions: those that lack one apostrophe.
        ("dont know", "don't know"),
        ("don't", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("couldntve", "couldntve"),
        ("'ow'sat", "'ow's'at"),
        ("twas", "'twas"),
        ("YALL'D'VE", "y'all'd've"),
        ("somebody'd", "somebodyd"),  # the wrong way round
        ("somebodyd", "somebodyd"),
        ("somebodyd've", "somebody'd've"),
        ("Im", "im"),  # in capitals in the list, which is searched in lower case
        ("lets", "lets"),
        ("shes", "shes"),
        # White space.
        (" two\nof\tthem  ", "2 of them"),
        ("red\n,blue,green", "red bluegreen"),  # the line break counts as a space
    ],
)
def test_normalize(answer, normal):
    assert normalize(answer) == normal


def test_normalize_has_every_number_word():
    words = "zero one two three four five six seven eight nine ten".split()
    assert [normalize(word) for word in words] == [str(number) for number in range(11)]


@pytest.mark.parametrize(
    ("matches", "accuracy"),
    [
        (0, 0),
        (1, (9 * 1 / 3 + 1 * 0) / 10),  # 0.3: nine sets have the match, one is without it
        (2, (8 * 2 / 3 + 2 * 1 / 3) / 10),  # 0.6
        (3, (7 * 1 + 3 * 2 / 3) / 10),  # 0.9
        (4, 1),  # three matches are left whichever is left out
        (5, 1),
        (6, 1),
        (7, 1),
        (8, 1),
        (9, 1),
        (10, 1),
    ],
)
def test_vqa_accuracy_leaves_out_one_of_ten(matches, accuracy):
    ground_truths = ["red"] * matches + ["blue"] * (10 - matches)
    assert vqa_accuracy("red", ground_truths) == pytest.approx(accuracy)
    assert vqa_accuracy("red", ground_truths[::-1]) == pytest.approx(accuracy)


@pytest.mark.parametrize(
    ("number", "accuracy"), [(1, 1), (2, 1 / 3), (3, 2 / 3), (4, 1), (5, 1), (11, 1)]
)
def test_vqa_accuracy_of_any_number_of_ground_truths(number, accuracy):
    assert vqa_accuracy("red", ["red"] * number) == pytest.approx(accuracy)
    assert vqa_accuracy("blue", ["red"] * number) == 0


def test_vqa_accuracy_needs_a_ground_truth():
    with pytest.raises(ValueError):
        vqa_accuracy("red", [])


def test_vqa_accuracy_normalizes_only_where_the_ground_truths_differ():
    assert vqa_accuracy("The Cats.", ["cats"] * 10) == 0
    assert vqa_accuracy("The Cats.", ["cats"] * 9 + ["dog"]) == 1
    assert vqa_accuracy("The Cats.", ["The Cats."] * 10) == 1
    assert vqa_accuracy("cats", ["The Cats."] * 10) == 0
    assert vqa_accuracy("cats", ["The Cats."] * 9 + ["dog"]) == 1
    # Different as written, the same once normalised.
    assert vqa_accuracy("2", ["two"] * 5 + ["Two"] * 5) == 1


def test_vqa_accuracy_trims_before_it_asks_whether_they_differ():
    assert vqa_accuracy("cats", ["cats"] * 9 + [" cats\n"]) == 1
    assert vqa_accuracy("Cats", ["cats"] * 9 + [" cats\n"]) == 0
    assert vqa_accuracy("black\tcats ", ["black cats"] * 10) == 1


@pytest.fixture
def no_wordnet(monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [])
    loader = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
    monkeypatch.setattr(answer_metrics, "wordnet", loader)


class Sense:
    """A noun sense of a made-up WordNet, where the similarity of two senses is in a table."""

    table = {
        ("seat", "sofa"): 0.95,
        ("judge", "sofa"): 0.4,
        ("seat", "lamp"): 0.6,
        ("judge", "lamp"): 0.7,
        ("sofa", "lamp"): 0.5,
        ("seat", "night_stand"): 0.8,
        ("judge", "night_stand"): None,  # what NLTK returns of senses without a common ancestor
        ("sofa", "night_stand"): 0.9,
        ("lamp", "night_stand"): 0.2,
    }

    def __init__(self, name):
        self.name = name

    def wup_similarity(self, other):
        pair = (self.name, other.name)
        return self.table[pair] if pair in self.table else self.table[pair[::-1]]


class WordNet:
    senses = {
        "chair": ["judge", "seat"],
        "sofa": ["sofa"],
        "lamp": ["lamp"],
        "night_stand": ["night_stand"],
    }

    def ensure_loaded(self):
        pass

    def synsets(self, word, pos):
        assert pos == "n"
        return [Sense(name) for name in self.senses.get(word, [])]


@pytest.fixture
def small_wordnet(monkeypatch):
    monkeypatch.setattr(answer_metrics, "wordnet", WordNet())
    answer_metrics._similarity.cache_clear()
    yield
    answer_metrics._similarity.cache_clear()


@pytest.mark.parametrize(
    ("answer", "truth", "at_0_9", "at_0"),
    [
        ("sofa", "sofa", 1, 1),
        ("chair", "sofa", 0.95, 0.95),  # the closest of two senses, above the threshold
        ("sofa", "chair", 0.95, 0.95),
        ("chair", "lamp", 0.07, 0.7),  # below it: a tenth
        ("sofa", "night_stand", 0.9, 0.9),  # at the threshold
        ("chair", "night_stand", 0.08, 0.8),  # one of its senses has nothing in common
        # Unknown words are like themselves only.
        ("red", "red", 1, 1),
        ("red", "sofa", 0, 0),
        ("", "sofa", 0, 0),
        # The products over the answer's and over the truth's items; the smaller one counts.
        ("sofa, lamp", "lamp,sofa", 1, 1),
        ("sofa", "sofa, lamp", 0.05, 0.5),  # answer: 1; truth: 1 * 0.5
        ("sofa, lamp", "sofa", 0.05, 0.5),
        ("sofa, red", "sofa", 0, 0),
        ("chair, lamp", "sofa, lamp", 0.95, 0.95),
        ("chair, lamp", "sofa", 0.95 * 0.05, 0.95 * 0.5),  # answer: 0.95 * 0.5; truth: 0.95
        ("chair, chair", "sofa", 0.95**2, 0.95**2),  # a repeated item counts twice
        ("sofa, sofa", "sofa", 1, 1),
        # Underscores and spaces.
        ("night stand", "night_stand", 1, 1),
        (" night  stand ,lamp", "lamp, night_stand", 1, 1),
        ("night stand", "sofa", 0.9, 0.9),
    ],
)
def test_wups_by_hand(small_wordnet, answer, truth, at_0_9, at_0):
    assert wups(answer, truth, 0.9) == pytest.approx(at_0_9)
    assert wups(answer, truth, 0.0) == pytest.approx(at_0)


@pytest.mark.needs_data
def test_wups_with_the_real_wordnet():
    try:
        installed_wordnet.ensure_loaded()
    except LookupError:
        pytest.skip("NLTK has no WordNet")
    assert wups("couch", "sofa", 0.9) == 1  # the same sense
    assert wups("xqzzt", "sofa", 0.0) == 0
    assert 0 < wups("elephant", "sofa", 0.0) < 0.9
    assert wups("elephant", "sofa", 0.9) == pytest.approx(0.1 * wups("elephant", "sofa", 0.0))


def test_single_references_are_compared_as_sets_of_items(no_wordnet):
    references = {
        1: ["sofa, night_stand"],
        2: ["two"],
        3: ["red, blue"],
        4: ["1,000"],
        5: ["a"],
        6: ["lamp"],
    }
    scorer = AnswerScorer(references)

    def right(question, answer):
        answers = {i: "something else" for i in references} | {question: answer}
        return scorer.score(answers)["accuracy"] * len(references) == pytest.approx(1)

    assert right(1, "Night stand,sofa.")
    assert not right(1, "sofa") and not right(1, "sofa, night_stand, lamp")
    assert not right(1, "sofa night_stand")
    assert right(2, "2")
    assert right(3, "blue, red") and right(3, "blue,red,blue") and right(3, "red, blue,")
    assert right(4, "1000") and right(4, "1,000") and not right(4, "1, 000")
    assert right(5, "A") and not right(5, "") and not right(5, "the")
    assert not right(6, "")


def test_several_references_are_compared_by_the_most_frequent_one(no_wordnet):
    references = {"x": ["Two", "blue", "2", "blue", "two."], "y": ["no", "yes"]}
    scorer = AnswerScorer(references)
    assert scorer.score({"x": "2", "y": "no"})["accuracy"] == 1  # the first one on a tie
    assert scorer.score({"x": "blue", "y": "yes"})["accuracy"] == 0


def test_vqa_is_the_mean_over_questions_that_have_several_references(no_wordnet):
    references = {"x": ["red"] * 2 + ["blue"] * 8, "y": ["no"] * 10}
    scores = AnswerScorer(references).score({"y": "no", "x": "red"})
    assert list(scores) == ["vqa", "accuracy"]
    assert scores["vqa"] == pytest.approx((0.6 + 1) / 2)
    assert scores["accuracy"] == 1 / 2
    # One question with several references is enough; without any there is no such score.
    references = {"x": ["red"] * 2 + ["blue"] * 8, "y": ["no"]}
    assert AnswerScorer(references).score({"x": "red", "y": "no"})["vqa"] == pytest.approx(0.8)
    assert AnswerScorer({"y": ["no", "yes"]}).score({"y": "no"})["vqa"] == pytest.approx(1 / 6)
    assert list(AnswerScorer({"y": ["no"]}).score({"y": "no"})) == ["accuracy"]


def test_accuracy_of_each_kind(no_wordnet):
    references = {1: ["red"], 2: ["blue"], 3: ["two"], 4: ["table"]}
    kinds = {4: "object", 1: "colour", 2: "colour", 3: "number"}
    answers = {1: "red", 2: "green", 3: "2", 4: "chair"}
    assert AnswerScorer(references, kinds).score(answers) == {
        "accuracy": 2 / 4,
        "accuracy/colour": 1 / 2,
        "accuracy/number": 1,
        "accuracy/object": 0,
    }


def test_vqa_accuracy_of_each_kind(no_wordnet):
    references = {1: ["red"] * 10, 2: ["yes"] * 2 + ["no"] * 8, 3: ["no"] * 10, 4: ["3"] * 10}
    kinds = {1: "other", 2: "yes/no", 3: "yes/no", 4: "number"}
    scorer = AnswerScorer(references, kinds)
    scores = scorer.score({1: "red", 2: "yes", 3: "no", 4: "2"})
    assert scores["vqa/yes/no"] == pytest.approx((0.6 + 1) / 2)
    assert (scores["vqa/other"], scores["vqa/number"]) == (1, 0)
    assert list(scores)[:4] == ["vqa", "vqa/number", "vqa/other", "vqa/yes/no"]
    assert set(scorer.measures({2: "yes"})) == {"vqa", "vqa/yes/no", "accuracy", "accuracy/yes/no"}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["yes"] * 6 + ["no"] * 4, "yes/no"),
        (["Yes.", "no", "No"], "yes/no"),
        (["yes", "red", "red"], "other"),
        (["two", "2", "many"], "number"),
        (["1,000"], "number"),
        (["2.5"], "number"),
        (["2 dogs"], "other"),
        (["yes it is"], "other"),
        (["lamp, pillow"], "other"),
    ],
)
def test_the_type_of_the_most_frequent_answer(answers, expected):
    assert answer_type(answers) == expected


def test_wups_is_the_mean_over_questions_against_the_most_frequent_reference(small_wordnet):
    references = {1: ["lamp", "sofa", "Sofa"], 2: ["lamp"]}
    scores = AnswerScorer(references).score({1: "chair", 2: "chair"})
    assert scores["wups_0.9"] == pytest.approx((0.95 + 0.07) / 2)
    assert scores["wups_0.0"] == pytest.approx((0.95 + 0.7) / 2)
    assert list(scores) == ["vqa", "accuracy", "wups_0.9", "wups_0.0"]


def test_without_wordnet_wups_is_left_out_and_the_log_says_so(no_wordnet, caplog):
    assert AnswerScorer({1: ["lamp"]}).score({1: "sofa"}) == {"accuracy": 0}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "wups skipped: NLTK has no WordNet" in caplog.text


@pytest.mark.parametrize(
    ("answers", "references", "kinds", "message"),
    [
        ({}, {}, None, "nothing to score"),
        ({"x": "a"}, {"x": ["a"], "y": ["b"]}, None, r"1 questions have no answer: \['y'\]"),
        ({}, {i: ["a"] for i in range(9)}, None, r"9 questions have no answer: \[0, 1, 2\]"),
        ({"x": "a", "z": "b"}, {"x": ["a"]}, None, r"1 answers have no references: \['z'\]"),
        ({"x": "a"}, {"x": []}, None, r"1 questions have no list of references: \['x'\]"),
        ({"x": "a"}, {"x": "red"}, None, r"1 questions have no list of references: \['x'\]"),
        ({"x": "a"}, {"x": ["a"]}, {}, r"1 questions have no kind: \['x'\]"),
        ({"x": "a"}, {"x": ["a"]}, {"x": "k", "y": "k"}, r"1 kinds are of no question: \['y'\]"),
    ],
)
def test_ids_that_do_not_match_are_named(answers, references, kinds, message):
    with pytest.raises(ValueError, match=message):
        AnswerScorer(references, kinds).score(answers)
