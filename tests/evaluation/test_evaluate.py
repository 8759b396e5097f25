import json

import numpy as np
import pytest
from PIL import Image

from captioner import presets
from captioner.data.records import DatasetError, Example
from captioner.evaluation import caption_metrics
from captioner.evaluation.answer_metrics import AnswerScorer
from captioner.evaluation.caption_metrics import CaptionScorer
from captioner.evaluation.evaluate import compare, evaluate, scorer_of
from captioner.models.captioner import Captioner
from captioner.presets import PresetError


def values(report):
    """The scores of a report without their intervals."""
    return {
        search: {measure: score.value for measure, score in scores.items()}
        for search, scores in report.scores.items()
    }


@pytest.fixture
def split(tmp_path):
    """Three dev photographs as Flickr8k lists them."""
    folder = tmp_path / "data"
    (folder / "Images").mkdir(parents=True)
    names = [f"{i}.jpg" for i in range(3)]
    for i, name in enumerate(names):
        Image.new("RGB", (30, 20), (80 * i, 40, 90)).save(folder / "Images" / name)
    captions = [f"{name}#{k}\ta dog runs on the grass {k} ." for name in names for k in range(2)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(captions))
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(names))
    return folder


def test_the_results_file_is_written_and_it_is_what_is_scored(toy, split, tmp_path, monkeypatch):
    monkeypatch.setattr(caption_metrics, "meteor_spice", lambda *args: ({}, {}))
    toy().save_to_preset(tmp_path / "toy")
    output = tmp_path / "results"
    others = [{"image_id": i, "caption": f"a dog runs on the grass {i}"} for i in ("0", "1")]
    (tmp_path / "others.json").write_text(json.dumps(others))
    report = evaluate(
        "flickr8k",
        split,
        "dev",
        weights=tmp_path / "toy",
        output=output,
        beam=2,
        against=tmp_path / "others.json",
        record=True,
    )
    scores = values(report)
    assert list(scores) == ["beam 2", "greedy"]
    for name, width in (("beam2", 2), ("greedy", 1)):
        results = json.loads((output / f"captions_flickr8k_dev_{name}_results.json").read_text())
        assert [result["image_id"] for result in results] == ["0", "1", "2"]
        model = Captioner.from_preset(tmp_path / "toy")
        written = model.caption([split / "Images" / f"{i}.jpg" for i in range(3)], width)
        assert [result["caption"] for result in results] == [c.text for c in written]
        references = {str(i): [f"a dog runs on the grass {k}" for k in range(2)] for i in range(3)}
        captions = {result["image_id"]: result["caption"] for result in results}
        expected = CaptionScorer(references).score(captions)
        looks = {
            i: [(word.word, caption_metrics.entropy(word.attention)) for word in caption.words]
            for i, caption in enumerate(written)
        }
        entropies = caption_metrics.attention_entropy(looks)
        assert entropies
        expected |= {measure: found.value for measure, found in entropies.items()}
        assert scores[name.replace("beam2", "beam 2")] == pytest.approx(expected)
    recorded = presets.read_metadata(tmp_path / "toy")["scores"]["flickr8k dev"]
    assert recorded["photographs"] == 3 and recorded["greedy"] == pytest.approx(scores["greedy"])
    assert report.comparison.photographs == 2
    assert report.comparison.gains["bleu1"].interval[1] < 0  # others know the captions by heart
    intervals = recorded["intervals"]["beam 2"]
    assert set(intervals) == set(scores["beam 2"]) - {"distinct"}
    for measure, (low, high) in intervals.items():
        assert low <= scores["beam 2"][measure] <= high
    assert str(tmp_path) not in recorded["command"]
    Captioner.from_preset(tmp_path / "toy")  # recording leaves the preset whole


QUESTIONS = (
    {"image": "0.png", "question": "what runs ?", "answer": "a dog", "kind": "what"},
    {"image": "0.png", "question": "the cat ?", "answers": ["red", "red", "left"], "kind": "how"},
    {"image": "1.png", "question": "red ?", "answer": "left", "question_id": "r", "kind": "what"},
    {"image": "0.png", "question": "left or right", "answer": "left", "kind": "how"},
    {"image": "2.png", "question": "a man ?", "answer": "a man", "kind": "what"},
    {"image": "2.png", "question": "what ?", "answer": "grass", "question_id": 70, "kind": "what"},
)
IDS = [1, 2, "r", 4, 5, 70]
REDS = (0, 80, 100)


@pytest.fixture
def questions(tmp_path):
    """Questions about three photographs, and a caption of a fourth."""
    folder = tmp_path / "questions"
    folder.mkdir()
    for i, red in enumerate((*REDS, 200)):
        Image.new("RGB", (64, 64), (red, 40, 90)).save(folder / f"{i}.png")
    lines = [*QUESTIONS, {"image": "3.png", "caption": "a dog runs"}]
    (folder / "dev.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def test_answers_and_those_to_the_question_alone(toy, questions, tmp_path, monkeypatch):
    encoded, encode = [], Captioner.encode

    def counted(captioner, photographs):
        encoded.append(photographs)
        return encode(captioner, photographs)

    toy(question_units=8, max_question_words=4).save_to_preset(tmp_path / "toy")
    output = tmp_path / "results"
    with monkeypatch.context() as patch:
        patch.setattr(Captioner, "encode", counted)
        report = evaluate(
            "jsonl",
            questions,
            "dev",
            task="vqa",
            weights=tmp_path / "toy",
            output=output,
            beam=2,
            record=True,
        )
    scores = values(report)
    # Every photograph once, then once the mean of them.
    assert [batch.shape for batch in encoded] == [(3, 64, 64, 3), (1, 64, 64, 3)]
    assert sorted(encoded[0][:, 0, 0, 0]) == sorted(REDS)
    assert (encoded[1] == (60, 40, 90)).all()

    model = Captioner.from_preset(tmp_path / "toy")
    references = {
        i: entry.get("answers") or [entry["answer"]]
        for i, entry in zip(IDS, QUESTIONS, strict=True)
    }
    kinds = {i: entry["kind"] for i, entry in zip(IDS, QUESTIONS, strict=True)}
    mean = np.full((64, 64, 3), (60, 40, 90), "uint8")
    assert list(scores) == ["beam 2", "question only"]
    for name in scores:
        file_name = f"vqa_jsonl_dev_{name.replace(' ', '')}_results.json"
        results = json.loads((output / file_name).read_text())
        assert [result["question_id"] for result in results] == IDS
        images = [mean if name == "question only" else questions / q["image"] for q in QUESTIONS]
        written = model.answer(images, [[q["question"]] for q in QUESTIONS], beam_width=2)
        assert [result["answer"] for result in results] == [row[0].text for row in written]
        answers = {result["question_id"]: result["answer"] for result in results}
        expected = AnswerScorer(references, kinds).score(answers)
        assert scores[name] == pytest.approx(expected)
        assert {"vqa", "vqa/what", "accuracy", "accuracy/what"} <= set(scores[name])
    recorded = presets.read_metadata(tmp_path / "toy")["scores"]["jsonl dev vqa"]
    assert (recorded["photographs"], recorded["questions"]) == (3, 6)
    assert recorded["question only"] == pytest.approx(scores["question only"])
    command = "evaluate --task vqa --dataset jsonl --root DIR --split dev --beam 2"
    assert recorded["command"] == f"python -m captioner {command}"


def test_what_cannot_be_evaluated_is_said(toy, split, questions, tmp_path):
    toy(question_units=8).save_to_preset(tmp_path / "toy")
    toy().save_to_preset(tmp_path / "captions")

    def wrong(data, task, weights="toy"):
        with pytest.raises((DatasetError, PresetError)) as error:
            evaluate(*data, "dev", task=task, weights=tmp_path / weights, output=tmp_path / "none")
        assert not (tmp_path / "none").exists()
        return str(error.value)

    assert "cannot answer questions" in wrong(("jsonl", questions), "vqa", "captions")
    assert wrong(("flickr8k", split), "vqa") == f"{split}: split 'dev' has no questions"
    lines = (questions / "dev.jsonl").read_text().splitlines()
    (questions / "dev.jsonl").write_text("\n".join([*lines, lines[2]]))
    assert "more than once" in wrong(("jsonl", questions), "vqa")
    (questions / "dev.jsonl").write_text("\n".join(lines[:-1]))
    assert "evaluate the task vqa" in wrong(("jsonl", questions), "captions")


def test_the_kind_of_a_question_is_that_of_its_answers_where_the_data_have_none():
    def example(number, kind, *answers):
        return Example("a.jpg", "a", answers, "what ?", number, kind)

    examples = [example(1, "color", "yes"), example(2, None, "no"), example(3, None, "four", "4")]
    assert scorer_of("vqa", examples).kinds == {1: "color", 2: "yes/no", 3: "number"}


def test_a_comparison_is_paired_over_the_photographs_in_common():
    references = {i: [f"a dog runs on the grass {i}", "an animal"] for i in range(20)}
    photographs = {i: f"{i}.jpg" for i in references}
    scorer = CaptionScorer(references)
    ours = {i: f"a dog runs on a road {i}" for i in references}
    same = compare("beam 3", "same.json", scorer, ours, ours, photographs)
    assert (same.search, same.against, same.photographs) == ("beam 3", "same.json", 20)
    assert all(gain == (0, (0, 0)) for gain in same.gains.values())
    # One caption is worse than theirs, and theirs are of half of the photographs.
    theirs = {i: ours[i] for i in range(10)} | {4: references[4][0]}
    found = compare("beam 3", "old.json", scorer, ours, theirs, photographs)
    assert found.photographs == 10
    each = [scorer.measures({i: said[i] for i in theirs})["cider"].value for said in (ours, theirs)]
    gain = found.gains["cider"]
    assert gain.value == pytest.approx(each[0] - each[1])
    assert gain.value < 0 and gain.interval[0] < gain.value < gain.interval[1] == 0


def test_results_that_cannot_be_compared_are_refused_before_anything_is_written(
    toy, split, tmp_path
):
    toy().save_to_preset(tmp_path / "toy")
    other = tmp_path / "other.json"
    other.write_text(json.dumps([{"image_id": "9", "caption": "a dog"}]))
    with pytest.raises(DatasetError, match="other.json: has no image_id of this split"):
        evaluate(
            "flickr8k",
            split,
            "dev",
            weights=tmp_path / "toy",
            output=tmp_path / "none",
            against=other,
        )
    assert not (tmp_path / "none").exists()
