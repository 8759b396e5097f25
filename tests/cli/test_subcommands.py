"""The other subcommands, and defects."""

import inspect
from pathlib import Path

import pytest
from cli.double import Double, stub

import captioner.evaluation
import captioner.training
from captioner.cli import main
from captioner.data.records import DatasetError
from captioner.errors import UserError
from captioner.presets import DEFAULT_PRESET
from captioner.training.recipe import Source

# The other subcommands


@pytest.fixture
def training(monkeypatch):
    """The arguments that `captioner.training.train.carry_out` was called with."""
    calls = []

    def carry_out(recipe, output, workers):
        calls.append((recipe, output, workers))
        if "unknown" in recipe.data:
            raise DatasetError("no data set format 'unknown'")
        if output == Path("taken"):
            raise UserError("taken: holds another run")

    module = stub(monkeypatch.setitem, "training.train", carry_out=carry_out)
    monkeypatch.setattr(captioner.training, "train", module, raising=False)
    return calls


REQUIRED = ["--dataset", "flickr8k", "--root", "data"]


def test_the_options_of_train_are_settings_of_the_recipe(training, capsys):
    every = "--encoder VGG16 --encoder-weights vgg.h5 --epochs 2 --fine-tune-epochs 1"
    every += " --batch-size 8 --seed 5 --workers 2 --set model.cell=gru"
    assert main(["train", *REQUIRED, "--output", "new"]) == 0
    assert main(["train", *REQUIRED, "--output", "new", *every.split()]) == 0
    (plain, output, workers), (changed, _, two) = training
    assert (output, workers, two) == (Path("new"), 1, 2)
    assert plain.data == {"flickr8k": Source(format="flickr8k", root=Path("data"))}
    assert plain.weights == DEFAULT_PRESET
    assert (changed.weights, changed.encoder_weights) == ("", "vgg.h5")
    assert (changed.model.encoder, changed.model.cell) == ("VGG16", "gru")
    assert [(phase.name, phase.epochs) for phase in changed.phases] == [
        ("frozen", 2),
        ("fine-tune", 1),
    ]
    assert (changed.batch_size, changed.seed) == (8, 5)
    assert capsys.readouterr() == ("", "")


def test_train_takes_several_datasets_each_with_its_root(training, capsys):
    second = ["--dataset", "daquar", "--root", "more"]
    assert main(["train", *REQUIRED, *second, "--output", "new"]) == 0
    roots = {name: source.root for name, source in training[0][0].data.items()}
    assert roots == {"flickr8k": Path("data"), "daquar": Path("more")}
    with pytest.raises(SystemExit) as left:
        main(["train", *REQUIRED, "--dataset", "daquar", "--output", "new"])
    assert left.value.code == 2
    assert "or --dataset with its --root, in the same order" in capsys.readouterr().err


def test_train_reports_errors_in_one_line(training, capsys):
    assert main(["train", "--dataset", "unknown", "--root", "data", "--output", "new"]) == 1
    assert capsys.readouterr() == ("", "captioner: no data set format 'unknown'\n")
    assert main(["train", *REQUIRED, "--output", "taken"]) == 1
    assert capsys.readouterr() == ("", "captioner: taken: holds another run\n")
    assert main(["train", *REQUIRED, "--output", "new", "--set", "seed=x"]) == 1
    assert capsys.readouterr().err.endswith("default.toml: seed is 'x', which is no int\n")


def test_evaluate_passes_its_arguments_on_and_prints_the_report(monkeypatch, capsys):
    calls = []

    def evaluate(*split, **settings):
        calls.append((*split, settings))
        return "scores"

    module = stub(monkeypatch.setitem, "evaluation.evaluate", evaluate=evaluate)
    monkeypatch.setattr(captioner.evaluation, "evaluate", module, raising=False)
    options = ["--weights", "mine", "--output", "results", "--beam", "5", "--record"]
    options += ["--task", "vqa", "--against", "old.json"]
    assert main(["evaluate", *REQUIRED, "--split", "dev"]) == 0
    assert capsys.readouterr() == ("scores\n", "")
    assert main(["evaluate", *REQUIRED, "--split", "test", *options]) == 0
    plain = {"weights": DEFAULT_PRESET, "output": None, "beam": 3}
    plain |= {"against": None, "record": False}
    given = {"weights": "mine", "output": Path("results"), "beam": 5}
    given |= {"against": Path("old.json"), "record": True}
    assert calls == [
        ("flickr8k", Path("data"), "dev", {"task": "captions", **plain}),
        ("flickr8k", Path("data"), "test", {"task": "vqa", **given}),
    ]


def test_train_and_evaluate_take_these_arguments():
    """The stubs above would accept anything."""
    from captioner.evaluation.evaluate import evaluate
    from captioner.training.train import carry_out

    inspect.signature(carry_out).bind("recipe", "output", 1)
    names = "task weights output beam record"
    inspect.signature(evaluate).bind("flickr8k", "data", "dev", **dict.fromkeys(names.split()))


def wrong_call(capsys, *call):
    """The last line of stderr."""
    with pytest.raises(SystemExit) as left:
        main(call)
    assert left.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "call",
    [
        "caption a.png",
        "describe a.png",
        "alt a.html",
        "serve",
        "watch photos",
        "bulk a.png --output out",
        "evaluate --dataset d --root r --split dev",
        "calibrate --dataset d --root r",
        "export --output out",
    ],
)
@pytest.mark.parametrize("name", ["", " "])
def test_weights_of_no_name_are_a_wrong_call(capsys, call, name):
    """And not the preset that ships."""
    said = wrong_call(capsys, *call.split(), "--weights", name)
    assert said.endswith("argument --weights: is empty; give the name or the folder of a preset")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("export", "writes into a preset; give --weights, or --output DIR"),
        (
            "evaluate --dataset d --root r --split dev --record",
            "--record writes into a preset; give --weights",
        ),
        ("calibrate --dataset d --root r", "required: --weights"),
    ],
)
def test_what_writes_into_a_preset_asks_which(capsys, call, says):
    """It does not change the preset that ships unasked."""
    assert wrong_call(capsys, *call.split()).endswith(says)


def test_a_defect_keeps_its_traceback(photos, monkeypatch):
    monkeypatch.setattr(Double, "about", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["caption", "a.png"])
