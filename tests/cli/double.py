"""The command line with a small double in the place of the model, where that says enough."""

import json
import os
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from captioner.cli import main, models
from captioner.data.vocabulary import SPECIAL, Vocabulary
from captioner.generation import batching
from captioner.models.config import CaptionerConfig
from captioner.presets import DEFAULT_PRESET, PresetError

ROOT = Path(__file__).parents[2]
HEAVY = {"tensorflow", "keras", "numpy", "PIL", "matplotlib", "nltk", "h5py", "tqdm"}
WHAT, HOW = "what is red?", "How red is it?"


class Word(NamedTuple):
    word: str
    probability: float
    attention: np.ndarray = np.full((2, 2), 0.25)


class Candidate(NamedTuple):
    text: str
    score: float


class Caption(NamedTuple):
    text: str
    score: float
    words: list[Word]
    candidates: list[Candidate]
    confidence: float | None = None
    concepts: tuple = ()


class Double:
    """Captions a photograph by the red value of its first pixel, and answers questions by it."""

    config = CaptionerConfig(image_size=8, question_units=8, max_question_words=6)
    vocabulary = Vocabulary([*SPECIAL, "what", "is", "how", "red", "where"])
    grid = (2, 2)
    calls: list[tuple[int, int]] = []  # (photographs, beam width)
    asked: list[list[list[str | None]]] = []  # the questions of each call
    encoded: list[int] = []  # photographs
    preset = None
    calibration = None

    @classmethod
    def from_preset(cls, preset):
        if preset == "missing":
            raise PresetError("missing: no preset of that name")
        cls.preset = preset
        double = cls()
        if preset == "captions":
            double.config = replace(cls.config, question_units=0)
        return double

    @property
    def answers(self):
        return bool(self.config.question_units)

    @classmethod
    def load(cls, preset, threads=None):
        return preset or DEFAULT_PRESET, cls.from_preset(preset or DEFAULT_PRESET)

    def encode(self, photographs):
        self.encoded.append(len(photographs))
        return photographs

    def search_inputs(self, arrays):
        return {"photographs": np.stack(arrays)}

    def generate(self, inputs, questions, *, sampler, seed):
        photographs = inputs["photographs"]
        assert photographs.shape[1:] == (8, 8, 3) and photographs.dtype == "uint8"
        self.calls.append((len(photographs), sampler.width))
        self.asked.append(questions)
        if len(self.calls) == 2 and "HOLD" in os.environ:  # a second batch that takes its time
            deadline = time.monotonic() + 30
            while not os.path.exists(os.environ["HOLD"]):
                assert time.monotonic() < deadline, "nobody read the first batch"
                time.sleep(0.01)
        captions = [self.about(int(photo[0, 0, 0]), sampler.width) for photo in photographs]
        return [
            [caption if q is None else self.answered(q, caption) for q in row]
            for row, caption in zip(questions, captions, strict=True)
        ]

    @staticmethod
    def answered(question, caption):
        """The caption in lower case behind the first word of the question."""
        candidates = [
            Candidate(f"{question.split()[0]}: {c.text.lower()[:-1]}", c.score)
            for c in caption.candidates
        ]
        return Caption(candidates[0].text, caption.score, caption.words, candidates)

    @staticmethod
    def about(red, top):
        candidates = [Candidate(f"Red {red}, take {n}.", -0.5 * n) for n in range(1, top + 1)]
        words = [Word("red", 0.75), Word(str(red), 0.5)]
        return Caption(candidates[0].text, candidates[0].score, words, candidates)


def stub(setitem, name, **attributes):
    """Put a module in the place of `captioner.<name>`."""
    module = types.ModuleType(f"captioner.{name}")
    vars(module).update(attributes)
    setitem(sys.modules, module.__name__, module)
    return module


def put_in_place(setitem):
    """Let the command line write with the double."""
    setitem(vars(models), "load_captioner", Double.load)
    setitem(vars(batching), "generate", Double.generate)


def main_with_double():
    """The program of the tests that need a process of their own."""
    put_in_place(dict.__setitem__)
    sys.exit(main())


def command(*args):
    """The command line that runs `main_with_double`."""
    start = "from cli.double import main_with_double; main_with_double()"
    return [sys.executable, "-c", start, *map(os.fsencode, args)]


def environment(**variables):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    # PYTHONUNBUFFERED would hide a flush that is missing.
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "", **variables}


def run(*args, **options):
    """Run the program with a double to its end."""
    options.setdefault("env", environment())
    return subprocess.run(command(*args), capture_output=True, timeout=60, **options)


def paint(path, red):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 7), (red, 0, 0)).save(path)


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def usage_error(capsys, *args):
    """The last line of a wrong call."""
    with pytest.raises(SystemExit) as exit:
        main(["caption", *args])
    assert exit.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: captioner")
    return err.splitlines()[-1]
