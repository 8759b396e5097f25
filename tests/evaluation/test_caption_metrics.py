import math
import random

import numpy as np
import pytest

from captioner.data.tokenizer import tokenize
from captioner.evaluation.caption_metrics import (
    CaptionScorer,
    Cider,
    attention_entropy,
    bleu,
    cider,
    entropy,
    rouge_l,
    wrong_gender,
)


def split(*sentences):
    return [sentence.split() for sentence in sentences]


def test_bleu_by_hand():
    # "a dog runs on grass" in "a dog runs on the grass": 5/5, 3/4, 2/3, 1/2; one word short of 6.
    penalty = math.exp(1 - 6 / 5)
    expected = [
        penalty * (5 / 5),
        penalty * (5 / 5 * 3 / 4) ** (1 / 2),
        penalty * (5 / 5 * 3 / 4 * 2 / 3) ** (1 / 3),
        penalty * (5 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4),
    ]
    hypotheses, references = split("a dog runs on grass"), [split("a dog runs on the grass")]
    assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-8)


def test_bleu_clips_counts_to_the_reference_that_has_most():
    # Papineni's own example: 2/7 and not 7/7.
    references = [split("the cat is on the mat", "there is a cat on the mat")]
    assert bleu(split("the the the the the the the"), references)[0] == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    ("lengths", "penalty"),
    [
        ([4, 8], 1.0),  # as far from 6 as each other: the shorter one
        ([2, 7], math.exp(1 - 7 / 6)),  # 7 is closer
        ([3, 5], 1.0),  # longer than its references: no reward
    ],
)
def test_bleu_compares_with_the_closest_reference_length(lengths, penalty):
    references = [["x"] * length for length in lengths]
    references[-1] = ["a"] * lengths[-1]
    matches = min(6, lengths[-1])
    assert bleu([["a"] * 6], [references])[0] == pytest.approx(penalty * matches / 6)


def test_bleu_sums_over_the_corpus_before_it_divides():
    # 1 of 1 and 0 of 3 words: 1/4, where the mean over captions would be 1/2.
    references = [split("a"), split("x y z")]
    assert bleu(split("a", "b c d"), references)[0] == pytest.approx(1 / 4)


def test_bleu_without_a_match_is_tiny_and_not_zero():
    assert bleu(split("a b c d"), [split("w x y z")])[0] == pytest.approx(1e-15 / 4, rel=1e-6)
    # Three of three words but no 4-gram: (1 * 1e-15 / 1e-9) ** 1/4, coco-caption's answer.
    assert bleu(split("a b c"), [split("a b c")])[3] == pytest.approx(1e-6 ** (1 / 4), rel=1e-6)


def test_rouge_l_by_hand():
    # The longest common subsequence is "a man a bike".
    precision, recall = 4 / 6, 4 / 5
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    score = rouge_l(split("a man rides a red bike"), [split("a man on a bike")])
    assert score == pytest.approx(expected)


def test_rouge_l_takes_precision_and_recall_from_different_references():
    precision, recall = 3 / 4, 2 / 2
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert rouge_l(split("a b c d"), [split("a b", "a b c x y z")]) == pytest.approx(expected)


def test_rouge_l_is_the_mean_over_images_and_heeds_the_order_of_words():
    assert rouge_l(split("a b", "c d"), [split("a b"), split("x y")]) == pytest.approx(0.5)
    assert rouge_l(split("a b c"), [split("c b a")]) == pytest.approx(1 / 3)
    assert rouge_l([[]], [split("a b")]) == 0


TWO_IMAGES = [split("a b c d e"), split("v w x y z")]


def test_cider_of_the_reference_itself_is_ten_and_without_overlap_zero():
    assert Cider(TWO_IMAGES).scores(split("a b c d e", "a b c d e")) == pytest.approx([10, 0])
    assert cider(split("a b c d e", "a b c d e"), TWO_IMAGES) == pytest.approx(5)


def test_cider_of_a_caption_one_word_short_by_hand():
    # Every n-gram is in one of two images, so that the weights log 2 cancel out of the cosines.
    cosines = [4 / math.sqrt(4 * 5), 3 / math.sqrt(3 * 4), 2 / math.sqrt(2 * 3), 1 / math.sqrt(2)]
    expected = 10 * sum(cosines) / 4 * math.exp(-(1**2) / (2 * 6**2))
    assert Cider(TWO_IMAGES).scores(split("a b c d", ""))[0] == pytest.approx(expected)


def test_cider_clips_repeated_words():
    # "a" weighs 5 in the caption and 1 in the reference: min(5, 1) * 1 over norms 5 and sqrt(5).
    expected = 10 * (1 / (5 * math.sqrt(5))) / 4
    assert Cider(TWO_IMAGES).scores(split("a a a a a", ""))[0] == pytest.approx(expected)


def test_cider_weighs_words_by_the_images_that_have_them():
    references = [split("the dog", "the hound"), split("the cat"), split("the dog")]
    # "the" is in all three images and weighs nothing, "dog" is in two: log(3/2); the pair "the dog"
    # is in two. The first reference gives cosine 1 for n = 1 and 2, the second nothing.
    assert Cider(references).scores(split("the dog", "the", ""))[:2] == pytest.approx(
        [10 * (2 / 4) / 2, 0]
    )
    # "dog cat": a word of log(3/2) and one of log(3), against "the dog".
    dog, cat = math.log(3 / 2), math.log(3)
    expected = 10 * (dog * dog / (math.hypot(dog, cat) * dog)) / 4
    assert Cider(references).scores(split("", "", "dog cat"))[2] == pytest.approx(expected)


def test_cider_of_a_single_image_is_zero():
    assert cider(split("a b c d e"), [split("a b c d e")]) == 0


def corpus():
    """Forty images with one to five references, and captions from exact to empty."""
    rng = random.Random(0)
    words = (
        "a the man dog woman in on with red blue shirt runs sits jumps over grass's snow".split()
    )

    def sentence():
        return " ".join(rng.choices(words, k=rng.randint(1, 14)))

    references = {f"image {i}": [sentence() for _ in range(1 + i % 5)] for i in range(40)}
    captions = {i: sentence() for i in references}
    for i, change in {
        "image 0": "",
        "image 1": "a",
        "image 2": "nothing here matches ever",
        "image 3": references["image 3"][0],
        "image 4": references["image 4"][2] + " " + references["image 4"][2],
        "image 5": "the the the the",
        "image 6": " ".join(references["image 6"][0].split()[:3]),
    }.items():
        captions[i] = change
    return captions, references


def test_equal_to_pycocoevalcap():
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider as TheirCider
    from pycocoevalcap.rouge.rouge import Rouge

    captions, references = corpus()
    hypotheses = [tokenize(caption) for caption in captions.values()]
    known = [[tokenize(r) for r in references[i]] for i in captions]
    res = {i: [" ".join(tokens)] for i, tokens in zip(captions, hypotheses, strict=True)}
    gts = {i: [" ".join(tokens) for tokens in r] for i, r in zip(captions, known, strict=True)}
    scores = CaptionScorer(references).score(captions)

    theirs = Bleu(4).compute_score(gts, res, verbose=0)[0]
    assert [scores[f"bleu{n}"] for n in (1, 2, 3, 4)] == pytest.approx(theirs, abs=1e-6)
    assert scores["rouge_l"] == pytest.approx(Rouge().compute_score(gts, res)[0], abs=1e-6)
    mean, each = TheirCider().compute_score(gts, res)
    assert scores["cider"] == pytest.approx(mean, abs=1e-6)
    assert Cider(known).scores(hypotheses) == pytest.approx(list(each), abs=1e-6)
    # One image alone, where no sum over the others hides a difference, its zero matches included.
    for i, tokens, own in zip(captions, hypotheses, known, strict=True):
        theirs = Bleu(4).compute_score({i: gts[i]}, {i: res[i]}, verbose=0)[0]
        assert bleu([tokens], [own]) == pytest.approx(theirs, abs=1e-6)
        theirs = Rouge().compute_score({i: gts[i]}, {i: res[i]})[0]
        assert rouge_l([tokens], [own]) == pytest.approx(theirs, abs=1e-6)


def test_the_order_of_images_and_of_references_does_not_matter():
    captions, references = corpus()
    scores = CaptionScorer(references).score(captions)
    turned = {i: references[i][::-1] for i in sorted(references, reverse=True)}
    assert CaptionScorer(turned).score(captions) == pytest.approx(scores, abs=1e-12)


def test_a_scorer_gives_the_same_scores_every_time():
    captions, references = corpus()
    scorer = CaptionScorer(references)
    first = scorer.score(captions)
    assert scorer.score({i: r[0] for i, r in references.items()})["bleu1"] > first["bleu1"]
    assert scorer.score(captions) == first


def test_the_scores_have_the_names_and_values_of_each_measure():
    references = {"x": ["A man's dog runs on grass."], "y": ["Two cats sleep, curled up."]}
    scores = CaptionScorer(references).score({"y": "two cats sleep curled up", "x": "A boat on a"})
    # x: "on" of 4 words; y: 5 of 5. Lengths 9 against 7 and 5.
    assert scores["bleu1"] == pytest.approx(math.exp(1 - 12 / 9) * 7 / 9)
    assert scores["mean_length"] == 4.5
    assert scores["distinct"] == 1
    assert list(scores) == [
        *("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider"),
        *("mean_length", "distinct"),
    ]


def test_distinct_captions_and_mean_length():
    captions = ["A dog.", "a dog", "a cat runs", "a dog"]
    scores = CaptionScorer({i: ["a"] for i in range(4)}).score(dict(enumerate(captions)))
    assert scores["distinct"] == 2 / 4
    assert scores["mean_length"] == (2 + 2 + 3 + 2) / 4


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        ({}, {}, "nothing to score"),
        ({"x": "a"}, {"x": ["a"], "y": ["b"]}, r"1 images have no caption: \['y'\]"),
        ({}, {i: ["a"] for i in range(9)}, r"9 images have no caption: \[0, 1, 2\]"),
        ({"x": "a", "z": "b"}, {"x": ["a"]}, r"1 captions have no references: \['z'\]"),
        ({"x": "a"}, {"x": []}, r"1 images have no list of references: \['x'\]"),
        ({"x": "a"}, {"x": "a dog"}, r"1 images have no list of references: \['x'\]"),
    ],
)
def test_ids_that_do_not_match_are_named(captions, references, message):
    with pytest.raises(ValueError, match=message):
        CaptionScorer(references).score(captions)


@pytest.mark.parametrize("measure", [bleu, rouge_l, cider])
def test_measures_refuse_what_they_cannot_pair(measure):
    with pytest.raises(ValueError):
        measure(split("a", "b"), [split("a")])
    with pytest.raises(ValueError):
        measure(split("a"), [[]])


def test_entropy_by_hand():
    assert entropy(np.full((2, 2), 0.25, "float32")) == pytest.approx(2)
    assert entropy(np.array([[0.5, 0.25], [0.125, 0.125]])) == pytest.approx(1.75)
    assert entropy(np.array([[0, 1], [0, 0]], "float32")) == 0


def test_attention_entropy_is_the_mean_of_content_and_of_function_words():
    looks = {"x": [("a", 2.0), ("dog", 0.5), ("with", 3.0)], "y": [("a", 4.0), ("ball", 1.0)]}
    measures = attention_entropy(looks)
    assert {name: measure.value for name, measure in measures.items()} == {
        "attention_entropy/content": 0.75,
        "attention_entropy/function": 3.0,
    }
    (only,) = attention_entropy({"x": [("dog", 0.5)], "y": []}).items()
    assert only[0] == "attention_entropy/content" and only[1].value == 0.5


def test_scores_of_some_images_keep_the_document_frequencies_of_all():
    captions, references = corpus()
    scorer, some = CaptionScorer(references), list(captions)[:7]
    measures = scorer.measures({i: captions[i] for i in some})
    each = dict(
        zip(
            captions,
            Cider(list(scorer.references.values())).scores(
                [tokenize(caption) for caption in captions.values()]
            ),
            strict=True,
        )
    )
    assert measures["cider"].value == pytest.approx(np.mean([each[i] for i in some]))
    of_some = [tokenize(captions[i]) for i in some], [scorer.references[i] for i in some]
    assert [measures[f"bleu{n}"].value for n in (1, 2, 3, 4)] == pytest.approx(bleu(*of_some))
    assert measures["rouge_l"].value == pytest.approx(rouge_l(*of_some))


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a man on a bench", True),
        ("two boys and a woman", True),
        ("a woman on a bench", False),
        ("a person on a bench", None),
    ],
)
def test_a_gender_is_wrong_if_only_the_other_one_is_named(caption, expected):
    references = [["a", "person", "sits"], ["two", "women", "sit"]]
    assert wrong_gender(caption.split(), references) is expected
    assert not wrong_gender(caption.split(), references[:1])  # nobody names a gender


def test_the_rate_of_wrong_genders_is_that_of_the_captions_with_a_gender():
    references = {1: ["a woman sits"], 2: ["a man sits"], 3: ["a girl runs"]}
    captions = {1: "a man sits", 2: "men sit", 3: "someone runs"}
    assert CaptionScorer(references).score(captions)["wrong_gender"] == 0.5
    assert "wrong_gender" not in CaptionScorer({1: ["a dog"]}).score({1: "a dog"})
