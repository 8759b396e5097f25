import time
from pathlib import Path

import pytest

from captioner.evaluation import java_metrics
from captioner.evaluation.caption_metrics import CaptionScorer
from captioner.evaluation.java_metrics import meteor_spice


@pytest.fixture
def java(monkeypatch):
    """Makes the measures that need Java run another program in their process."""
    monkeypatch.setattr(java_metrics.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(java_metrics.importlib.util, "find_spec", lambda name: name)
    return lambda program: monkeypatch.setattr(java_metrics, "_JAVA_SCORER", program)


ONE = [["a", "dog"]], [[["a", "dog"], ["the", "dog"]]]


def test_the_last_line_printed_is_the_score_and_stdout_stays_clean(java, capfd):
    java("import json, sys; print('loading', json.load(sys.stdin)); print(0.25)")
    assert meteor_spice(*ONE) == ({"meteor": 0.25, "spice": 0.25}, {})
    assert capfd.readouterr().out == ""


def ends(pid):
    """Whether a process that was killed is gone, or waits to be collected, within ten seconds."""
    for _ in range(100):
        try:
            if "zombie" in Path(f"/proc/{pid}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_a_measure_that_hangs_is_left_out_and_ended(java, monkeypatch, tmp_path):
    pid = tmp_path / "pid"
    sleeper = "import time; time.sleep(60)"
    java(
        "import pathlib, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{sleeper}'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\n"
        "child.wait()"
    )
    monkeypatch.setattr(java_metrics, "JAVA_SECONDS", 1)
    reason = "no answer in 2 s"
    assert meteor_spice(*ONE) == ({}, {"meteor": reason, "spice": reason})
    assert ends(int(pid.read_text()))


def test_a_measure_that_breaks_hides_no_other(java, caplog):
    java(
        "import json, sys\n"
        "name, references, captions = json.load(sys.stdin)\n"
        "if name == 'spice': sys.exit('loading\\nno models')\n"
        "print(len(references['0']) + len(captions['0'][0]))"
    )
    assert meteor_spice(*ONE) == ({"meteor": 2 + len("a dog")}, {"spice": "no models"})
    scores = CaptionScorer({0: ["a dog", "the dog"]}).score({0: "a dog"}, java=True)
    assert "spice skipped: no models" in caplog.text
    assert scores["meteor"] == 7 and scores["bleu1"] == pytest.approx(1)
    assert "spice" not in scores


@pytest.mark.parametrize(
    ("tool", "reason"), [("which", "there is no Java"), ("find_spec", "pycocoevalcap is not")]
)
def test_without_java_or_the_extra_the_reason_is_given(java, monkeypatch, tool, reason):
    owner = {"which": java_metrics.shutil, "find_spec": java_metrics.importlib.util}[tool]
    monkeypatch.setattr(owner, tool, lambda name: None)
    scores, left_out = meteor_spice(*ONE)
    assert scores == {} and set(left_out) == {"meteor", "spice"}
    assert all(reason in line for line in left_out.values())
