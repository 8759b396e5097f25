"""Questions asked about photographs."""

import json
from pathlib import Path

import pytest
from cli.double import HOW, WHAT, Double, paint, records, usage_error

from captioner.cli import main

# Questions


def test_one_question_about_one_photograph_is_its_answer_alone(photos, capsys):
    assert main(["caption", "a.png", "--question", WHAT]) == 0
    assert capsys.readouterr() == ("what: red 10, take 1\n", "")
    assert Double.asked == [[[WHAT]]]


def test_several_photographs_and_questions_are_told_apart(photos, capsys):
    assert main(["caption", "a.png", "--question", WHAT, "--question", HOW]) == 0
    expected = f"{WHAT}\twhat: red 10, take 1\n{HOW}\tHow: red 10, take 1\n"
    assert capsys.readouterr().out == expected
    assert main(["caption", "a.png", "--question", WHAT, "b.png"]) == 0
    expected = "a.png\twhat: red 10, take 1\nb.png\twhat: red 20, take 1\n"
    assert capsys.readouterr().out == expected
    asked = ["--question", HOW, "--question", WHAT, "--top", "2"]
    assert main(["caption", "a.png", "missing.png", "b.png", *asked]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{name}\t{question}\t{question.split()[0]}: red {red}, take {take}"
        for name, red in (("a.png", 10), ("b.png", 20))
        for question in (HOW, WHAT)
        for take in (1, 2)
    ]
    assert err.startswith("captioner: missing.png: ") and err.count("\n") == 1
    assert Double.calls[-1] == (2, 3) and Double.asked[-1] == [[HOW, WHAT], [HOW, WHAT]]


def test_a_question_is_one_field_of_a_line(photos, capsys):
    assert main(["caption", "sub", "a.png", "--question", "what\t is\nred", "--question", HOW]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "sub/deep/1.png\twhat is red\twhat: red 40, take 1"
    assert len(out) == 4


def test_json_of_answers(photos, capsys):
    asked = ["--question", WHAT, "--question", HOW]
    assert main(["caption", "--json", "a.png", "missing.png", *asked]) == 1
    out, err = capsys.readouterr()
    first, second, *bad = records(out)
    assert first == {
        "image": "a.png",
        "question": WHAT,
        "answer": "what: red 10, take 1",
        "score": -0.5,
        "words": [{"word": "red", "probability": 0.75}, {"word": "10", "probability": 0.5}],
        "candidates": [{"answer": "what: red 10, take 1", "score": -0.5}],
    }
    assert (second["question"], second["answer"]) == (HOW, "How: red 10, take 1")
    message = err.removeprefix("captioner: ").rstrip("\n")
    assert "\n" not in message
    assert bad == [{"image": "missing.png", "question": q, "error": message} for q in (WHAT, HOW)]


@pytest.mark.parametrize("question", ["", "  ", "???", "。！"])
def test_a_question_without_words_is_a_wrong_call(photos, capsys, question):
    line = usage_error(capsys, "a.png", "--question", WHAT, "--question", question)
    assert line.endswith(f"error: --question {question!r}: has no words; give a question")


def test_a_question_beside_requests_is_a_wrong_call(photos, capsys):
    line = usage_error(capsys, "a.png", "--question", WHAT, "--requests", "-")
    assert line.endswith(
        "--question applies to each PHOTO; put the question of a request into its line"
    )


@pytest.mark.parametrize(
    ("question", "note"),
    [
        ("red " * 10_000, "has 10000 words, but only the first 6 are used"),
        ("Где собака?", "the model knows none of its words, so the answer ignores it"),
        ("狗在哪里？", "the model knows none of its words, so the answer ignores it"),
    ],
)
def test_what_is_not_read_of_a_question_is_said_once(photos, capsys, question, note):
    assert main(["caption", "a.png", "b.png", "--question", question, "--question", "is it?"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert err.startswith(f"captioner: question '{question[:5]}")
    assert err.endswith(f"': {note}\n") and err.count("\n") == 1 and len(err) < 200


def test_what_stdout_cannot_encode_of_a_question_is_escaped(photos, capsys):
    Path("r.jsonl").write_text(r'{"image": "a.png", "question": "red \ud800 \u0447\u0442\u043e"}')
    assert main(["caption", "--requests", "r.jsonl"]) == 0
    assert capsys.readouterr().out == "a.png\tred \\ud800 что\tred: red 10, take 1\n"


def test_a_preset_that_only_captions_is_not_asked(photos, capsys):
    message = (
        "captions: cannot answer questions, because it was trained without them; "
        "choose a preset that answers them"
    )
    weights = ["--weights", "captions"]
    assert main(["caption", "a.png", "--question", WHAT, *weights]) == 1
    assert capsys.readouterr() == ("", f"captioner: {message}\n")
    request = {"image": "a.png", "question": WHAT}
    Path("r.jsonl").write_text(json.dumps(request) + '\n{"image": "b.png"}\n')
    assert main(["caption", "--requests", "r.jsonl", *weights]) == 1
    expected = ("b.png\tRed 20, take 1.\n", f"captioner: r.jsonl:1: {message}\n")
    assert capsys.readouterr() == expected


ASKING = (
    {"image": "a.png"},
    {"image": "a.png", "question": WHAT},
    {"image": "b.png", "question": HOW},
    {"image": "b.png", "question": "..."},
    {"image": "b.png", "question": "кто?"},
    {"image": "missing.png", "question": WHAT},
    {"image": "a.png", "question": 3},
    {"question": WHAT},
    {"image": "a.png", "question": None},
)


def test_requests_with_and_without_questions_are_answered_in_order(photos, capsys):
    Path("r.jsonl").write_text("".join(f"{json.dumps(request)}\n" for request in ASKING))
    assert main(["caption", "--requests", "r.jsonl"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "a.png\tRed 10, take 1.",
        f"a.png\t{WHAT}\twhat: red 10, take 1",
        f"b.png\t{HOW}\tHow: red 20, take 1",
        "b.png\tкто?\tкто?: red 20, take 1",
        "a.png\tRed 10, take 1.",
    ]
    lines = [line.removeprefix("captioner: ") for line in err.splitlines()]
    problems = [
        "r.jsonl:4: the question '...' has no words",
        "r.jsonl:5: question 'кто?': the model knows none of its words, so the answer ignores it",
        lines[2],
        'r.jsonl:7: "question" is not a string',
        'r.jsonl:8: not an object whose "image" is a path',
    ]
    assert lines == problems and lines[2].startswith("missing.png: ")

    # Neighbours about the same photograph are one photograph to the model.
    assert Double.asked == [[[None, WHAT], [HOW], ["кто?"], [None]]]

    assert main(["caption", "--json", "--requests", "r.jsonl"]) == 1
    answers = records(capsys.readouterr().out)
    assert [(a["image"], a.get("question")) for a in answers] == [
        (r.get("image"), q if isinstance(q := r.get("question"), str) else None) for r in ASKING
    ]
    kinds = [next(k for k in ("caption", "answer", "error") if k in answer) for answer in answers]
    expected = "caption answer answer error answer error error error caption"
    assert kinds == expected.split()
    assert [answer["error"] for answer in answers if "error" in answer] == [
        problems[0],
        *problems[2:],
    ]


def test_questions_go_in_batches_of_bounded_size(photos, monkeypatch, capsys):
    monkeypatch.setattr("captioner.generation.batching.GROUPS", 5)
    three = [arg for question in ("what", "how", "where") for arg in ("--question", question)]
    assert main(["caption", "a.png", "b.png", "c.png", *three]) == 0
    assert [len(call) for call in Double.asked] == [2, 1]
    assert len(capsys.readouterr().out.splitlines()) == 9
    # Also what is asked of one photograph.
    Double.asked.clear()
    assert main(["caption", "a.png", "b.png", *three, *three]) == 0
    assert [[len(row) for row in call] for call in Double.asked] == [[5], [1, 5], [1]]
    assert len(capsys.readouterr().out.splitlines()) == 12
    Double.asked.clear()
    requests = [{"image": "a.png", "question": f"what {n}"} for n in range(12)]
    Path("r.jsonl").write_text("".join(f"{json.dumps(request)}\n" for request in requests))
    assert main(["caption", "--json", "--requests", "r.jsonl"]) == 0
    assert [[len(row) for row in call] for call in Double.asked] == [[5], [5], [2]]
    answers = records(capsys.readouterr().out)
    assert [answer["question"] for answer in answers] == [f"what {n}" for n in range(12)]


def test_a_real_model_encodes_each_photograph_once(toy, tmp_path, monkeypatch, capsys):
    from captioner.models.captioner import Captioner

    encoded, encode = [], Captioner.encode

    def counted(captioner, photographs):
        encoded.append(len(photographs))
        return encode(captioner, photographs)

    monkeypatch.setattr(Captioner, "encode", counted)
    monkeypatch.chdir(tmp_path)
    model = toy(question_units=8, max_question_words=4)
    model.save_to_preset("toy")
    for red, name in ((10, "a.png"), (250, "b.png")):
        paint(name, red)
    words = ["dog", "cat", "man", "red", "left"] * 2
    asked = [arg for word in words for arg in ("--question", f"the {word}?")]
    assert main(["caption", "--json", "a.png", "b.png", *asked, "--weights", "toy"]) == 0
    out, err = capsys.readouterr()
    answers = records(out)
    note = "captioner: toy: uses Keras, which starts slowly: it has no graphs (`captioner export`"
    assert err.startswith(note) and err.count("\n") == 1
    assert (encoded, len(answers)) == ([2], 20)
    again = type(model).from_preset("toy").answer(["a.png", "b.png"], [f"the {w}?" for w in words])
    assert [answer["answer"] for answer in answers] == [a.text for row in again for a in row]
    scores = [a.score for row in again for a in row]
    assert [answer["score"] for answer in answers] == pytest.approx(scores)
