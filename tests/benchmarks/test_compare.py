import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks import compare
from captioner.models.captioner import Captioner
from captioner.training.run import TrainingError


@pytest.fixture
def dataset(tmp_path):
    """Six grey pictures with a caption each, four to learn from."""
    folder = tmp_path / "data"
    (folder / "Images").mkdir(parents=True)
    rows = []
    for i in range(6):
        Image.new("L", (64, 64), 40 * i).save(folder / "Images" / f"{i}.png")
        rows += [(f"{i}.png", "the dog sits on grass", "dev" if i > 3 else "train")] * 2
    with open(folder / "captions.txt", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption", "split"), *rows])
    return folder


@pytest.fixture
def small(toy, tmp_path, monkeypatch):
    """Compares small models, from the encoder of a preset in `toy`."""
    toy().save_to_preset(tmp_path / "toy")

    class Toy(Captioner):
        def __init__(self, vocabulary, config, **settings):
            sizes = {"annotation_size": 8, "embedding_size": 8, "units": 8, "max_words": 3}
            super().__init__(vocabulary, replace(config, **sizes), **settings)

    monkeypatch.setattr(compare, "Captioner", Toy)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file .*frozen.csv:ResourceWarning")  # by Keras
def test_an_interruption_changes_no_row(dataset, small, tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "VARIANTS", ({"cell": "gru"},))
    settings = {"weights": tmp_path / "toy", "epochs": 2}
    (expected,) = compare.compare("captions-csv", dataset, tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        score = compare.Timed.on_epoch_end
        patch.setattr(
            compare.Timed,
            "on_epoch_end",
            lambda self, epoch, logs: (interrupted if epoch else score)(self, epoch, logs),
        )
        with pytest.raises(KeyboardInterrupt):
            compare.compare("captions-csv", dataset, tmp_path / "out", **settings)
    (row,) = compare.compare("captions-csv", dataset, tmp_path / "out", **settings)
    speed = "photographs a second"
    assert row.pop(speed) > 0 and expected.pop(speed) > 0
    assert row == pytest.approx(expected)


def test_a_row_is_that_of_the_best_of_all_epochs(toy):
    history = [
        {"val_cider": 0.5, "val_bleu4": 0.2, "seconds": 9.0},
        {"val_cider": 0.7, "val_bleu4": 0.1, "seconds": 2.0},
        {"val_cider": 0.6, "val_bleu4": 0.3, "seconds": 4.0},
    ]
    row = compare._row(toy(), 10, history)
    assert row.pop("parameters") > 1000
    assert row == {"photographs a second": 5.0, "BLEU-4": 0.1, "CIDEr": 0.7, "epoch": 2}


@pytest.mark.slow
def test_variants_are_trained_once_and_compared_in_a_table(dataset, small, tmp_path, monkeypatch):
    transformer = {"decoder": "transformer", "layers": 1, "units": 256}
    variants = ({"cell": "gru"}, transformer)
    settings = {"weights": tmp_path / "toy", "epochs": 1}
    arguments = "captions-csv", dataset, tmp_path / "out"
    monkeypatch.setattr(compare, "VARIANTS", variants[:1])
    (first,) = compare.compare(*arguments, **settings)
    monkeypatch.setattr(compare, "VARIANTS", variants[::-1])
    results = compare.compare(*arguments, **settings)
    assert results[1] == first
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert [(row["cell"], row["attention"]) for row in results] == [
        ("transformer", "multi-head"),
        ("gru", "additive"),
    ]
    for row in results:
        assert row["layers"] == row["epoch"] == 1 and row["photographs a second"] > 0
        assert np.isfinite(row["CIDEr"]) and row["parameters"] > 1000

    with pytest.raises(TrainingError, match="holds a run with epochs 1, not 2"):
        compare.compare(*arguments, weights=tmp_path / "toy", epochs=2)
    Image.new("L", (64, 64), 255).save(dataset / "Images" / "new.png")
    with open(dataset / "captions.txt", "a", newline="") as file:
        csv.writer(file).writerow(("new.png", "the dog sits on grass", "train"))
    with pytest.raises(TrainingError, match="holds a run with other records"):
        compare.compare(*arguments, **settings)

    header, line, *rows = compare.table(results).splitlines()
    assert header.startswith("| cell | layers | attention | parameters | photographs a second |")
    assert line.count("---") == header.count(" | ") + 1 and len(rows) == 2
    assert rows[1].startswith("| gru | 1 | additive | ")


def test_a_data_set_of_questions_is_refused_in_a_line(dataset, toy, tmp_path):
    toy().save_to_preset(tmp_path / "toy")
    lines = [
        {"image": f"Images/{i}.png", "question": "what sits?", "answer": "dog", "split": split}
        for i in range(6)
        for split in ["dev" if i > 3 else "train"]
    ]
    (dataset / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    call = ["--dataset", "jsonl", "--root", str(dataset), "--epochs", "1"]
    call += ["--output", str(tmp_path / "out"), "--weights", str(tmp_path / "toy")]
    message = "^compare: jsonl: variants are compared by captions, and it has none$"
    with pytest.raises(SystemExit, match=message):
        compare.main(call)


def test_the_variants_are_every_cell_in_one_and_two_layers_every_attention_and_a_transformer():
    assert len(compare.VARIANTS) == 2 * len(compare.CELLS) + 3
    assert len({json.dumps(variant) for variant in compare.VARIANTS}) == 11


def test_the_command_prints_the_table(monkeypatch, capsys):
    asked = []

    def double(*arguments, **settings):
        asked.append((arguments, settings))
        row = {"cell": "rnn", "photographs a second": 99.7, "BLEU-4": 0.1234, "CIDEr": 0.5}
        return [row]

    monkeypatch.setattr(compare, "compare", double)
    call = "--dataset flickr8k --root data --output out --epochs 2 --weights mine"
    compare.main(call.split())
    assert asked == [(("flickr8k", "data", "out"), {"weights": "mine", "epochs": 2})]
    assert capsys.readouterr().out.splitlines() == [
        "| cell | photographs a second | BLEU-4 | CIDEr |",
        "| --- | --- | --- | --- |",
        "| rnn | 100 | 12.3 | 50.0 |",
    ]
