"""The calibration of the confidence."""

import json

import numpy as np
import pytest
from PIL import Image

from captioner import presets
from captioner.cli import main
from captioner.data.records import Example
from captioner.evaluation import calibration
from captioner.evaluation.calibration import (
    best,
    bins,
    expected_calibration_error,
    fit,
    fit_photographs,
    is_right,
    lost,
    out_of_fold,
    reliability_diagram,
    searches,
)
from captioner.generation import reranking
from captioner.generation.captions import caption_of
from captioner.generation.confidence import Calibration, features
from captioner.generation.reranking import UNSEEN
from captioner.generation.results import Candidate, Caption, Concept, Word
from captioner.models.captioner import Captioner


def written(text):
    return Caption(text, -1.0, [], [])


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("A dog on the grass.", True),
        ("Two dogs running on a road.", False),  # one of three
        ("A cat on the grass.", True),  # one of two
        ("A cat sleeps on a road.", False),
    ],
)
def test_a_caption_is_right_if_people_say_half_of_it(text, right):
    example = Example("a.jpg", "a", ("a dog runs", "brown animal in the grass"))
    assert is_right(written(text), example) is right


def test_an_answer_is_right_if_it_is_a_reference():
    example = Example("a.jpg", "a", ("Red", "dark red"), question="what color?")
    assert is_right(written("red"), example) and is_right(written("dark red"), example)
    assert not is_right(written("dark"), example)


@pytest.fixture
def drawn():
    """Answers whose chance of being right is known."""
    rng = np.random.default_rng(0)
    x = np.stack([np.ones(4000), rng.normal(size=4000)], axis=1)
    true = 1 / (1 + np.exp(-(0.5 + 1.5 * x[:, 1])))
    return x, rng.random(4000) < true, true


def test_the_fit_finds_the_weights_that_made_the_answers(drawn):
    x, right, _ = drawn
    np.testing.assert_allclose(fit(x, right), [0.5, 1.5], atol=0.15)


def test_where_all_is_right_the_weights_are_finite():
    assert np.isfinite(fit(np.ones((5, 2)), np.ones(5, bool))).all()


def test_confidences_out_of_fold_are_calibrated_and_overconfident_ones_are_not(drawn):
    x, right, true = drawn
    found = out_of_fold(x, right, np.arange(len(x)))
    assert np.abs(found - true).mean() < 0.02
    assert expected_calibration_error(bins(found, right)) < 0.04
    overconfident = np.where(true > 0.5, 0.99, 0.01)
    assert expected_calibration_error(bins(overconfident, right)) > 0.15


def test_no_fold_learns_from_its_own_photographs():
    groups = np.repeat(np.arange(50), 4)  # four questions about each, right or wrong together
    right = np.random.default_rng(0).random(50)[groups] < 0.5
    inputs = np.eye(50)[groups]  # which photograph it is says all, if one has seen it
    assert np.abs(out_of_fold(inputs, right, groups) - 0.5).max() < 1e-6


def test_the_error_by_hand():
    confidence, right = np.array([0.1, 0.15, 0.95, 1.0]), np.array([0, 1, 1, 1], bool)
    found = bins(confidence, right)
    assert [(round(c, 3), s, n) for c, s, n in found] == [
        (0.125, 0.5, 2),
        (0.975, 1.0, 2),
    ]
    assert expected_calibration_error(found) == pytest.approx((0.375 + 0.025) / 2)
    one, other = reliability_diagram({"captions": found, "answers": found[:1]}).axes
    np.testing.assert_allclose(one.lines[1].get_xydata(), [(0.125, 0.5), (0.975, 1.0)])
    assert other.get_title() == "answers" and [text.get_text() for text in other.texts] == ["2"]


def test_the_command_writes_it_into_the_preset(toy, tmp_path, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = []
    for i in range(12):
        Image.new("RGB", (64, 64), (20 * i, 40, 90)).save(folder / f"{i}.png")
        lines.append({"image": f"{i}.png", "caption": "a dog runs on the grass"})
        lines.append({"image": f"{i}.png", "question": "a dog", "answer": "the red cat"})
    (folder / "dev.jsonl").write_text("\n".join(map(json.dumps, lines)))
    toy(question_units=8, max_question_words=4).save_to_preset(tmp_path / "toy")
    assert Captioner.from_preset(tmp_path / "toy").caption(np.zeros((64, 64, 3))).confidence is None
    call = ["calibrate", "--dataset", "jsonl", "--root", str(folder), "--weights"]
    assert main([*call, str(tmp_path / "toy")]) == 0
    out = capsys.readouterr().out
    assert "expected calibration error" in out and "with confidence" in out
    model = Captioner.from_preset(tmp_path / "toy")
    caption = model.caption(np.zeros((64, 64, 3), "uint8"))
    probability = min(word.probability for word in caption.words)
    weights = np.array(model.calibration.captions)
    seen = [1.0, caption.score, np.log(probability), UNSEEN, UNSEEN]  # without concepts
    maps = model.encode(np.zeros((1, 64, 64, 3), "uint8"))
    (photograph,) = model.calibration.is_photograph(maps)
    assert 0 < photograph < 1
    expected = photograph / (1 + np.exp(-weights @ seen))
    assert caption.confidence == pytest.approx(expected)
    assert model.answer(np.zeros((64, 64, 3), "uint8"), "a dog").confidence is not None
    rows = presets.read_metadata(tmp_path / "toy")["calibration"]["dev"]
    assert [(row["task"], row["count"]) for row in rows] == [("captions", 12), ("answers", 12)]
    assert len(model.calibration.photograph) == 1 + maps.shape[-1]
    assert calibration.BINS == 10
    assert [sum(count for _, _, count in row["bins"]) for row in rows] == [12, 12]


def test_photographs_are_told_from_other_pictures_by_their_features():
    rng = np.random.default_rng(0)
    photographs, others = rng.normal(1, 1, (200, 40)), rng.normal(0, 1, (100, 40))
    constant = np.full((300, 1), 7.0)  # a feature that never varies
    photographs = np.hstack([photographs, constant[:200]])
    others = np.hstack([others, constant[:100]])
    weights, likely = fit_photographs(photographs, others)
    assert (likely > 0.5).mean() > 0.97 and likely.shape == (200,)
    found = Calibration(photograph=weights)
    maps = np.stack([photographs[:100], others], axis=1).reshape(200, 1, 41).astype("float32")
    told = found.is_photograph(maps).reshape(100, 2)
    assert (told[:, 0] > 0.5).all() and (told[:, 1] < 0.5).all()
    # The mean over regions is what counts.
    spread = maps + np.array([[-1.0], [1.0]], "float32")
    np.testing.assert_allclose(found.is_photograph(spread), told.ravel(), rtol=1e-4)


def test_the_confidence_is_a_product():
    caption = Caption("A cat.", -0.7, [Word("cat", 0.5, None)], [])
    weights = (1.0, 0.0, 0.0, 0.0, 0.0)
    right = 1 / (1 + np.exp(-1))
    assert Calibration(weights).confidence(caption, False) == pytest.approx(right)
    assert Calibration(weights).confidence(caption, False, 0.25) == pytest.approx(right / 4)
    assert Calibration(weights).confidence(caption, True, 0.25) is None
    assert Calibration(weights).is_photograph(np.zeros((3, 4, 2))).tolist() == [1, 1, 1]


def test_the_share_of_right_ones_that_is_lost():
    confidence = np.array([0.1, 0.39, 0.4, 0.9, 0.2])
    assert lost(confidence, np.array([1, 1, 1, 1, 0], bool)) == 0.5
    assert np.isnan(lost(confidence, np.zeros(5, bool)))


def test_what_the_confidence_depends_on():
    words = [Word(word, p, None) for word, p in (("a", 0.9), ("cat", 0.5), ("runs", 0.25))]
    caption = Caption("A cat runs.", -0.7, words, [], None, (Concept("cat", 0.8),))
    np.testing.assert_allclose(
        features(caption), [1, -0.7, np.log(0.25), (0.8 + UNSEEN) / 2, UNSEEN]
    )


def test_a_ranking_chooses_another_candidate_for_captions_alone(toy):
    candidates = [
        Candidate("A dog.", -0.4, [Word("dog", 0.6, None)]),
        Candidate("A cat sits.", -0.5, [Word("cat", 0.5, None), Word("sits", 0.4, None)]),
    ]
    weights = [0.0] * len(reranking.FEATURES)
    weights[reranking.FEATURES.index("concepts named")] = 1.0
    calibration = Calibration(ranking=tuple(weights))
    concepts = (Concept("cat", 0.9),)
    assert [c.text for c in calibration.ranked(candidates, concepts)] == ["A cat sits.", "A dog."]
    assert calibration.ranked(candidates[:1], concepts) == candidates[:1]
    assert Calibration().ranked(candidates, concepts) == candidates
    caption = Caption(*candidates[0], candidates, None, concepts)
    assert best(caption, calibration).text == "A cat sits."
    tokens = np.array([[7, 2, 0], [6, 8, 2]])
    log_probs = np.log([[0.6, 0.9, 1], [0.5, 0.4, 0.9]])
    model = toy()
    model.calibration = calibration
    words = model.vocabulary.words
    cat = (Concept(words[6], 0.9),)
    for asked, first in ((False, 6), (True, 7)):
        found = caption_of(model, asked, tokens, log_probs, np.zeros((2, 3, model.regions)), cat)
        assert found.words[0].word == words[first]


def test_searches_have_the_cider_of_each_candidate():
    words = [Word("x", 0.5, None)]
    found = searches(
        [
            Caption("", 0, words, [Candidate(t, -0.5, words) for t in texts])
            for texts in (["A dog runs.", "A cat sits."], ["A cat sits."])
        ],
        [Example("", i, (text,)) for i, text in enumerate(["a dog runs", "a cat sits"])],
    )
    assert [inputs.shape for inputs, _ in found] == [(2, 10), (1, 10)]
    (right, wrong), (other,) = (cider for _, cider in found)
    assert right > 5 > wrong == 0 and other == pytest.approx(right)


def test_a_calibration_survives_json():
    given = Calibration((0.5, 1.0, 2.0, 3.0, 4.0), None, (0.5, -1.0))
    assert Calibration.from_json(json.loads(json.dumps(vars(given)))) == given


@pytest.mark.parametrize("content", [[], {"captions": [1.0, 2.0]}, {"captions": 3}])
def test_a_calibration_of_another_release_is_named(content, toy, tmp_path):
    toy().save_to_preset(tmp_path / "toy")
    presets.write_calibration(tmp_path / "toy", Calibration((0.5, 1.0, 2.0, 3.0, 4.0)), {})
    path = tmp_path / "toy" / presets.CALIBRATION
    presets.write_json(path, content)
    metadata = presets.read_metadata(tmp_path / "toy")
    metadata["sha256"][path.name] = presets.sha256(path)
    presets.write_json(tmp_path / "toy" / presets.METADATA, metadata)
    with pytest.raises(presets.PresetError, match="calibration.json: .*of one release"):
        Captioner.from_preset(tmp_path / "toy")
