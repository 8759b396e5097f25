"""Captions that are not sure enough to be shown."""

import pytest
from cli.double import Double, records, usage_error

from captioner.cli import main
from captioner.generation.results import Concept


@pytest.fixture
def unsure(photos, monkeypatch):
    """The redder a photograph, the surer: 0.1, 0.2, 0.3; concepts from 0.2 on."""
    about = Double.about

    def about_with_confidence(red, top):
        concepts = (Concept("cat", 0.9), Concept("sofa", 0.6)) if red >= 20 else ()
        return about(red, top)._replace(confidence=red / 100, concepts=concepts)

    monkeypatch.setattr(Double, "about", staticmethod(about_with_confidence))
    monkeypatch.setattr(Double, "calibration", object())


def test_what_is_unsure_is_replaced_by_what_is_probably_there(unsure, capsys):
    assert main(["caption", "a.png", "b.png", "c.png", "--min-confidence", "0.25"]) == 0
    out, err = capsys.readouterr()
    assert out == "b.png\tProbably: cat, sofa.\nc.png\tRed 30, take 1.\n"
    assert err.splitlines() == [
        "captioner: a.png: no caption: confidence 0.10 is below --min-confidence",
        "captioner: b.png: no caption: confidence 0.20 is below --min-confidence",
    ]


def test_json_of_what_is_unsure(unsure, capsys):
    call = ["caption", "--json", "b.png", "c.png", "--min-confidence", "0.25"]
    assert main(call) == 0
    unsure_one, sure = records(capsys.readouterr().out)
    assert unsure_one == {
        "image": "b.png",
        "caption": None,
        "confidence": 0.2,
        "probably": ["cat", "sofa"],
    }
    assert (sure["caption"], sure["confidence"]) == ("Red 30, take 1.", 0.3)
    assert sure["concepts"][0] == {"word": "cat", "probability": 0.9}


def test_a_preset_without_a_measured_confidence_says_so(photos, capsys):
    assert main(["caption", "a.png", "--min-confidence", "0.5"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "has no calibration; run `captioner calibrate` first" in err


@pytest.mark.parametrize("value", ["1.5", "-1", "high", "nan"])
def test_a_confidence_is_a_share(photos, capsys, value):
    line = usage_error(capsys, "a.png", f"--min-confidence={value}")
    assert line.endswith(f"must be a number from 0 to 1, not {value!r}")
