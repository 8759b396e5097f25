"""What the repository ships and says of it."""

from pathlib import Path

import pytest
from matplotlib.cbook import get_sample_data

from captioner import presets
from captioner.model import Captioner

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_exactly_the_test_command_of_the_readme():
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1]
    assert command.endswith("-m pytest") and f"\n{command}\n" in README


@pytest.mark.parametrize("column", ["beam 3", "greedy"])
def test_the_scores_of_the_readme_are_those_recorded_with_the_weights(column):
    scores = presets.read_metadata(presets.DEFAULT_PRESET)["scores"]["flickr8k dev"][column]
    names = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider")
    rates = [f"{100 * scores[name]:.1f}" for name in names]
    rates += [f"{scores['mean_length']:.1f}", f"{100 * scores['distinct']:.1f}"]
    assert f"| {column} | {' | '.join(rates)} |" in README


def test_the_weights_that_ship_are_small_and_tell_where_they_come_from():
    folder = presets.find(presets.DEFAULT_PRESET)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30e6
    story = presets.read_metadata(folder)["training"]
    assert story["encoder_started_from"]["licence"] == "Apache-2.0"
    assert {"command", "seed", "data", "phases", "trained_layers"} <= set(story)


def test_the_weights_that_ship_caption_a_photograph():
    model = Captioner.from_preset(presets.DEFAULT_PRESET)
    portrait = get_sample_data("grace_hopper.jpg", asfileobj=False)
    caption = model.caption(portrait, beam_width=3, top=3)
    assert "man" in caption.text.lower().rstrip(".").split()
    assert len({candidate.text for candidate in caption.candidates}) == 3
