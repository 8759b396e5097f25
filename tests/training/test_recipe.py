from pathlib import Path
from typing import get_args

import pytest

from captioner.layers.attention import ATTENTIONS
from captioner.layers.cells import CELLS
from captioner.models.config import AttentionName, CaptionerConfig, CellName
from captioner.presets import DEFAULT_PRESET, find, read_config
from captioner.training.recipe import (
    CONCEPTS,
    FINE_TUNE,
    FROZEN,
    SELF_CRITICAL,
    Recipe,
    Source,
)
from captioner.training.settings import RecipeError

RECIPE = """
root = "photos"
encoder_weights = "w.weights.h5"
texts = "said.jsonl.gz"
concepts = 7

[model]
units = 64
dropout = 0

[data.flickr8k]

[data.mine]
format = "jsonl"
root = "~/mine.jsonl"
times = 3

[phases.concepts]
[phases.frozen]
epochs = 2
ema_momentum = 0.9
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "w.weights.h5").touch()
    (tmp_path / "mine.toml").write_text(RECIPE)
    return tmp_path / "mine.toml"


def test_a_recipe_is_read_with_its_defaults(path):
    root = path.parent / "photos"
    recipe = Recipe.read(path)
    assert recipe.data == {
        "flickr8k": Source(format="flickr8k", root=root / "flickr8k"),
        "mine": Source(format="jsonl", root=Path("/home/ann/mine.jsonl"), times=3),
    }
    assert [phase.name for phase in recipe.phases] == ["concepts", "frozen"]
    concepts, frozen = recipe.phases
    assert concepts == CONCEPTS
    assert (frozen.epochs, frozen.ema_momentum) == (2, 0.9)
    assert frozen.learning_rate == FROZEN.learning_rate
    assert (recipe.model.units, recipe.model.dropout, recipe.model.embedding_size) == (64, 0.0, 256)
    assert (recipe.concepts, recipe.texts) == (7, root / "said.jsonl.gz")
    assert recipe.encoder_weights == str(root / "w.weights.h5")
    assert (recipe.batch_size, recipe.seed, recipe.retrieve) == (32, 0, False)
    assert (recipe.weights, recipe.model.attention) == ("", "dot")  # a new model


def test_without_a_file_the_weights_that_ship_learn_from_the_given_data(tmp_path):
    recipe = Recipe.from_options([("captions-csv", tmp_path)] * 2, epochs=4, fine_tune=True)
    assert recipe.data == {"captions-csv": Source(format="captions-csv", root=tmp_path, times=2)}
    assert recipe.weights == DEFAULT_PRESET
    assert recipe.model == read_config(find(DEFAULT_PRESET), CaptionerConfig.from_json)
    assert [(phase.name, phase.epochs) for phase in recipe.phases] == [
        ("frozen", 4),
        ("fine-tune", FINE_TUNE.epochs),
    ]


@pytest.mark.parametrize("change", ["encoder_weights=imagenet", "model.encoder=VGG16"])
def test_another_encoder_is_that_of_a_new_model(change):
    recipe = Recipe.read(changes=[change], data={"mine": Source(format="jsonl", root=Path("a"))})
    assert recipe.weights == "" and not recipe.model.concepts
    assert recipe.model.encoder in ("EfficientNetLite2", "VGG16")


def test_the_settings_of_the_weights_can_be_changed(path):
    changes = ["weights=everyday", "model.dropout=0.5"]
    recipe = Recipe.read(path, changes)
    assert recipe.weights == "everyday" and recipe.model.dropout == 0.5
    assert recipe.model.units == 64  # of the file


def test_changes_take_the_place_of_what_the_file_says(path):
    changes = [
        "root=/data",
        "phases.frozen.epochs=5",
        "phases.self-critical.object_reward = 0.5",
        "model.cell=gru",
        "retrieve=true",
    ]
    recipe = Recipe.read(path, changes)
    assert recipe.data["flickr8k"].root == Path("/data/flickr8k")
    assert recipe.phases[1].epochs == 5
    assert recipe.phases[2].object_reward == 0.5 and recipe.phases[2].name == SELF_CRITICAL.name
    assert recipe.model.cell == "gru" and recipe.retrieve
    # No file of that name lies there: it is the name of a preset, or "imagenet".
    assert recipe.encoder_weights == "w.weights.h5"
    assert recipe.settings()["phases.frozen.epochs"] == 5
    assert recipe.settings()["data.mine.times"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("weights=nowhere", "nowhere: neither the name of a preset"),
        ("epochs=3", "no setting epochs; there are asked_min_count, batch_size"),
        (
            "phases.frozen.rate=3",
            r"no setting phases\.frozen\.rate; there are answers, cross_entropy",
        ),
        ("phases.thaw.epochs=3", "no phase 'thaw'; there are concepts, frozen, fine-tune"),
        ("phases.frozen.epochs=three", "epochs is 'three', which is no int"),
        ("phases.frozen.epochs=true", "epochs is True, which is no int"),
        ("phases.frozen.epochs=2.5", "epochs is 2.5, which is no int"),
        ("seed.a=1", "seed.a: seed is no table"),
        ("model.concepts=3", "no setting model.concepts"),
        ("data=3", r"data is no table; write \[data\]"),
        ("data.mine=3", r"data.mine is no table"),
        ("root=3", "root is 3, which is no str"),
        ("phases.frozen.epochs", "expected NAME=VALUE"),
        ("model.attention=dott", "model.attention is 'dott'; there are 'additive', 'dot', 'mean'"),
        ("model.units=0", "model.units is 0; give 1 or more"),
        ("data.mine.times=0", "data.mine.times is 0; give 1 or more"),
        ("phases.frozen.learning_rate=-1", "learning_rate is -1.0; give 1e-08 to 1"),
        ("model.dropout=2", "model.dropout is 2.0; give 0 to 0.95"),
        ("model.dropout=nan", "model.dropout is nan; give 0 to 0.95"),
        ("phases.frozen.epochs=0", "phases.frozen.epochs is 0; give 1 or more"),
        ("phases.self-critical.samples=1", "phases.self-critical.samples is 1; give 2 or more"),
        ("batch_size=0", "batch_size is 0; give 1 or more"),
        ("concepts=-1", "concepts is -1; give 0 or more"),
    ],
)
def test_a_wrong_setting_is_named(path, change, message):
    changes = ["seed=1", change] if change == "seed.a=1" else [change]
    with pytest.raises(RecipeError, match=message) as error:
        Recipe.read(path, changes)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_the_names_in_a_recipe_are_those_of_layers():
    assert set(get_args(AttentionName)) == set(ATTENTIONS)
    assert set(get_args(CellName)) == set(CELLS)


@pytest.mark.parametrize("text", ["[data", "", None, "data = []"])
def test_a_file_that_is_no_recipe_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "r.toml").write_text(text)
    with pytest.raises(RecipeError, match=r"r\.toml: (no recipe in TOML|no data; give|data is no)"):
        Recipe.read(tmp_path / "r.toml")


def test_the_recipes_of_the_repository_can_be_read():
    paths = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
    names = {path.name: [phase.name for phase in Recipe.read(path).phases] for path in paths}
    assert names["everyday.toml"] == ["concepts", "frozen", "self-critical"]
    assert len(names) == 2
