"""The command line on graphs: fast, because it imports little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.models.captioner import Captioner
from captioner.presets import DEFAULT_PRESET
from captioner.runtime.onnx_captioner import OnnxCaptioner

ROOT = Path(__file__).parents[2]
HEAVY = ("tensorflow", "keras", "matplotlib", "nltk", "scipy", "jax")
# Imports are most of the time to start.
PROGRAM = f"""
import sys
from captioner.cli import main
status = main(sys.argv[1:])
print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
sys.exit(status)
"""


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "caption", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **variables},
        timeout=60,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--example",),
        ("--example", "--question", "what is the table made of?"),
        ("--example", "--json", "--top", "3"),
    ],
)
def test_nothing_heavy_is_imported(arguments):
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "\n")
    assert result.stdout.strip()


def test_a_new_home_stays_empty(tmp_path):
    result = run("--example", HOME=str(tmp_path))
    assert (result.returncode, list(tmp_path.iterdir())) == (0, [])


@pytest.mark.parametrize(("given", "found"), [({}, "1"), ({"ORT_DISABLE_TELEMETRY": "0"}, "0")])
def test_telemetry_is_off_unless_the_user_has_set_it(given, found):
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"} | given
    program = "import os, captioner.runtime.graph; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert (said.stdout, said.stderr) == (f"{found}\n", "")


def test_an_overlay_needs_only_matplotlib(tmp_path):
    result = run("--example", "--overlay", str(tmp_path / "o.png"))
    assert (result.returncode, result.stderr) == (0, "matplotlib\n")
    assert (tmp_path / "o.png").stat().st_size > 10_000


def test_a_package_that_is_missing_is_told_once(tmp_path, monkeypatch, capsys):
    import importlib.util

    from captioner.cli.models import load_captioner

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name)
    )
    preset, model = load_captioner(None)
    assert preset == DEFAULT_PRESET and isinstance(model, Captioner)
    expected = "uses Keras, which starts slowly: onnxruntime is not installed"
    assert capsys.readouterr().err == f"captioner: {DEFAULT_PRESET}: {expected}\n"


def test_the_preset_that_ships_says_the_same_on_both():
    from skimage import data

    photographs = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]
    keras, onnx = (
        model.from_preset(DEFAULT_PRESET).answer(photographs, [None, "what is it?"], top=3)
        for model in (Captioner, OnnxCaptioner)
    )
    for expected, found in zip(keras, onnx, strict=True):
        for one, other in zip(expected, found, strict=True):
            assert [c.text for c in one.candidates] == [c.text for c in other.candidates]
            assert one.score == pytest.approx(other.score, abs=1e-4)
