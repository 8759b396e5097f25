"""The shipped weights and the documents about them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from captioner import presets
from captioner.cli.requests import EXAMPLE
from captioner.models.captioner import Captioner

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = (presets.find(presets.DEFAULT_PRESET) / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped():
    return Captioner.from_preset(presets.DEFAULT_PRESET)


def printed(*arguments):
    """The output of `python caption.py`."""
    run = subprocess.run(
        [sys.executable, "caption.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return run.stdout.strip()


def test_ci_runs_exactly_the_test_command_of_the_readme():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    (command,) = [line for line in lines if "&& .venv/bin/python -m pytest" in line]
    assert f"\n{command}\n" in README


def test_the_weights_that_ship_are_small_and_tell_where_they_come_from():
    folder = presets.find(presets.DEFAULT_PRESET)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30e6
    story = presets.read_metadata(folder)["training"]
    assert story["encoder_started_from"]["licence"] == "Apache-2.0"
    assert {"data", "recipe", "phases", "seed", "started_from"} <= set(story)
    assert all(phase["log"] for phase in story["phases"])


def test_the_size_on_the_model_card(shipped):
    size = (presets.find(presets.DEFAULT_PRESET) / presets.WEIGHTS).stat().st_size
    assert f"{size / 1e6:.0f} MB, {shipped.count_params() / 1e6:.1f} million parameters" in CARD


def test_the_model_card_shows_captions_as_they_come(shipped):
    names = "astronaut camera chelsea clock coffee coins moon rocket".split()
    for name in names:
        (row,) = [row for row in CARD.splitlines() if row.startswith(f"| `{name}`")]
        caption = shipped.caption(getattr(skimage.data, name)())
        assert row.endswith(f" | {caption.confidence:.2f} | {caption.text} |")


def test_the_weights_that_ship_caption_a_photograph(shipped):
    caption = shipped.caption(EXAMPLE, beam_width=3, top=3)
    assert {"cup", "table"} < set(caption.text.lower().rstrip(".").split())
    assert len({candidate.text for candidate in caption.candidates}) == 3


def test_the_weights_that_ship_answer_questions(shipped):
    questions = ["what is the table made of?", "is this a dog?", "how many cups are there?"]
    material, dog, number = (answer.text for answer in shipped.answer(EXAMPLE, questions))
    assert (material, dog) == ("wood", "no")
    assert number in {"one", "two", "1", "2"}


@pytest.fixture
def coffee(tmp_path):
    """The photograph of the README."""
    path = tmp_path / "coffee.png"
    Image.fromarray(skimage.data.coffee()).save(path)
    return path


def test_the_readme_shows_the_output_of_the_program(coffee, tmp_path):
    shown, made = ROOT / "docs" / "overlay.jpg", tmp_path / "overlay.jpg"
    caption = printed(coffee, "--overlay", made)
    assert f"$ python caption.py coffee.png\n{caption}\n$" in README
    assert f"![{caption}](docs/overlay.jpg)" in README
    question = "what is the table made of?"
    answer = printed(coffee, "--question", question)
    assert f'$ python caption.py coffee.png --question "{question}"\n{answer}\n```' in README
    assert shown.stat().st_size < 300e3
    small = [Image.open(path).convert("RGB").resize((200, 120)) for path in (shown, made)]
    assert np.abs(np.subtract(*(np.asarray(image, float) for image in small))).mean() < 2


def test_the_readme_links_every_notebook():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"[{path.stem}](notebooks/{path.name})" in README
