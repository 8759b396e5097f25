import csv
import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from captioner import presets
from captioner.layers.image_encoder import EncoderError
from captioner.models.captioner import Captioner
from captioner.training import dev_scores
from captioner.training.run import Run, TrainingError
from captioner.training.settings import RecipeError
from captioner.training.train import train

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}


@pytest.fixture
def dataset(tmp_path):
    """A folder of red and blue pictures with captions, in the form `captions-csv` reads."""
    folder = tmp_path / "data"
    (folder / "Images").mkdir(parents=True)
    rows = []
    for i in range(24):
        colour = ("red", "blue")[i % 2]
        Image.new("RGB", (70, 50), COLOURS[colour]).save(folder / "Images" / f"{i}.jpg")
        split = "dev" if i >= 16 else "train"
        rows += [(f"{i}.jpg", f"a picture all {colour}", split)] * 2
    with open(folder / "captions.txt", "w", newline="") as file:
        csv.writer(file).writerows([("image", "caption", "split"), *rows])
    return folder


@pytest.fixture
def encoder_weights(tmp_path, toy_encoder):
    """The file that the toy encoder is said to start from."""
    path = tmp_path / "encoder.weights.h5"
    h5py.File(path, "w").close()
    return path


SIZES = "image_size=64 annotation_size=16 embedding_size=16 units=16 attention_size=8 max_words=5"


def run(datasets, output, encoder_weights, changes=(), **options):
    """Train a toy. `datasets` is a folder of captions, or a list of pairs."""
    if not isinstance(datasets, list):
        datasets = [("captions-csv", datasets)]
    train(
        datasets,
        output,
        encoder="toy",
        encoder_weights=encoder_weights,
        changes=[*(f"model.{size}" for size in SIZES.split()), *changes],
        **{"epochs": 1, "batch_size": 8, **options},
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return tmp_path_factory.mktemp("archive")


@pytest.fixture
def finished(dataset, encoder_weights, tmp_path, archive):
    """The folder of a finished run of one epoch. It is trained once and then copied."""
    if not archive.joinpath("run").exists():
        run(dataset, archive / "run", encoder_weights)
    return shutil.copytree(archive / "run", tmp_path / "run")


def log(output, phase):
    with open(output / "logs" / f"{phase}.csv") as file:
        return list(csv.DictReader(file))


def test_where_there_is_no_such_encoder_the_folder_stays_free(dataset, tmp_path):
    output = tmp_path / "run"
    with pytest.raises(EncoderError, match="unknown encoder 'MobileNetV9'"):
        train([("captions-csv", dataset)], output, encoder="MobileNetV9")
    assert not output.exists()


@pytest.mark.slow
def test_two_phases_end_in_a_preset(dataset, tmp_path, encoder_weights):
    output = tmp_path / "run"
    run(dataset, output, encoder_weights, fine_tune_epochs=1)
    phases = ["frozen", "fine-tune"]
    provenance = presets.read_metadata(output)["training"]
    finished = json.loads((output / "run.json").read_text())["finished"]
    assert finished["frozen"]["epoch"] == 1 and list(finished) == phases
    # The last phase may not have been the best.
    assert {p["name"]: p["chosen_epoch"] for p in provenance["phases"]} == {
        name: chosen["epoch"] for name, chosen in finished.items()
    }
    assert [len(phase["log"]) for phase in provenance["phases"]] == [1, 1]
    assert not (output / "cache").exists()
    assert provenance["data"] == {
        "captions-csv": {
            "train": {"photographs": 16, "captions": 32, "questions": 0},
            "dev": {"photographs": 8, "captions": 16, "questions": 0},
            "times": 1,
        }
    }
    assert provenance["encoder_started_from"]["sha256"] == presets.sha256(encoder_weights)
    words = Captioner.from_preset(output).vocabulary.words
    assert words[4:] == ["a", "all", "picture", "blue", "red"]
    for phase in phases:
        (row,) = log(output, phase)
        assert float(row["val_cider"]) >= 0 and np.isfinite(float(row["loss"]))
        # One loss for the captions of all lengths. The rest of the loss is the attention penalty.
        assert [name for name in row if "loss" in name] == ["captions_loss", "loss"]
        assert float(row["captions_loss"]) == pytest.approx(float(row["loss"]), rel=0.2)
        assert list((output / "logs" / phase).rglob("events.out.tfevents*"))


def test_encoder_weights_are_nothing_but_weights(dataset, tmp_path, encoder_weights):
    with h5py.File(encoder_weights, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(presets.PresetError, match="layers is a link to another place; do not use"):
        run(dataset, tmp_path / "run", encoder_weights)


# Keras leaves its CSV file open when `fit` is interrupted.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_a_resumed_run_goes_on_and_keeps_its_best(dataset, tmp_path, encoder_weights, monkeypatch):
    output = tmp_path / "run"
    save = dev_scores.DevScores.on_epoch_end

    def interrupt(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(dev_scores.DevScores, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, output, encoder_weights, epochs=3)
    monkeypatch.setattr(dev_scores.DevScores, "on_epoch_end", save)
    first = [row["epoch"] for row in log(output, "frozen")]
    run(dataset, output, encoder_weights, epochs=3)
    assert first == ["0"]
    # Epoch 1 was interrupted before its checkpoint, so it is done again.
    assert [row["epoch"] for row in log(output, "frozen")] == ["0", "1", "2"]
    before = (output / "model.weights.h5").read_bytes()
    run(dataset, output, encoder_weights, epochs=3)  # finished: nothing to do
    assert (output / "model.weights.h5").read_bytes() == before
    assert len(log(output, "frozen")) == 3


def test_other_settings_in_the_same_folder_are_refused(dataset, tmp_path, encoder_weights):
    output = tmp_path / "run"
    Run(output, {"datasets": {"captions-csv": 1}, "seed": 0})
    with pytest.raises(TrainingError, match="seed 0, not 1"):
        Run(output, {"datasets": {"captions-csv": 1}, "seed": 1})


def test_other_weights_are_needed_for_another_network(dataset, tmp_path, toy_encoder):
    with pytest.raises(TrainingError, match=r'everyday: .*leave out the settings.*weights = ""'):
        train([("captions-csv", dataset)], tmp_path / "run", changes=["model.units=16"])
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_by_default_the_weights_that_ship_learn_new_words(dataset, tmp_path):
    captions_of(dataset, lambda rows: [[i, f"{c} zzyzx", s] for i, c, s in rows])
    output = tmp_path / "run"
    train([("captions-csv", dataset)], output, epochs=1)
    shipped, mine = (Captioner.from_preset(name) for name in ("everyday", output))
    assert set(mine.vocabulary.words) - set(shipped.vocabulary.words) == {"zzyzx"}
    assert mine.config.concepts == shipped.config.concepts
    for kept, new in zip(shipped.encoder.weights, mine.encoder.weights, strict=True):
        np.testing.assert_array_equal(kept, new)
    assert mine.answer(Image.new("RGB", (64, 64)), "what color is it?").text
    provenance = presets.read_metadata(output)["training"]
    assert provenance["started_from"]["preset"] == "everyday"


def test_dev_scores_come_from_decoding_not_from_teacher_forcing(finished):
    (row,) = log(finished, "frozen")
    metadata = presets.read_metadata(finished)
    assert metadata["dev_scores_in_training"]["cider"] == pytest.approx(float(row["val_cider"]))
    json.dumps(metadata)


@pytest.mark.slow
def test_captions_and_questions_are_learned_together(dataset, tmp_path, encoder_weights):
    for split, numbers in {"train": range(16), "dev": range(16, 24)}.items():
        lines = [
            {
                "image": f"Images/{i}.jpg",
                "question": "what color is it ?",
                "answer": ("red", "blue")[i % 2],
            }
            for i in numbers
        ]
        (dataset / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    output = tmp_path / "run"
    both = [("captions-csv", dataset), ("jsonl", dataset)]
    rate = ["phases.frozen.learning_rate=0.02"]
    run(both, output, encoder_weights, rate, batch_size=4, epochs=12)
    model = Captioner.from_preset(output)
    pictures = [Image.new("RGB", (64, 64), COLOURS[colour]) for colour in ("red", "blue")]
    answers = [a.text for a in model.answer(pictures, "what color is it ?")]
    captions = {c.text for c in model.caption(pictures)}
    assert answers == ["red", "blue"]
    # Of few epochs: it tells the pictures apart, though not always in a whole sentence.
    assert len(captions) == 2
    metadata = presets.read_metadata(output)
    assert metadata["training"]["data"]["jsonl"]["dev"] == {
        "photographs": 8,
        "captions": 0,
        "questions": 8,
    }
    scores = metadata["dev_scores_in_training"]
    assert scores["score"] == pytest.approx(scores["cider"] + scores["accuracy/jsonl"])
    assert float(log(output, "frozen")[-1]["val_accuracy"]) == scores["accuracy/jsonl"] == 1


@pytest.mark.slow
def test_the_encoder_of_a_preset_goes_on_learning(dataset, tmp_path, encoder_weights):
    first, second = tmp_path / "first", tmp_path / "second"
    run(dataset, first, encoder_weights, fine_tune_epochs=1)
    run(dataset, second, first)
    kept, new = (Captioner.from_preset(folder).encoder.get_weights() for folder in (first, second))
    for one, other in zip(kept, new, strict=True):
        np.testing.assert_array_equal(one, other)
    origin = presets.read_metadata(second)["training"]["encoder_started_from"]
    assert origin["preset"] == presets.read_metadata(first)
    with pytest.raises(presets.PresetError, match="nowhere"):
        run(dataset, tmp_path / "third", tmp_path / "nowhere")


def test_one_format_in_two_folders_is_refused(dataset, tmp_path):
    with pytest.raises(RecipeError, match="one format, two folders"):
        train([("jsonl", "one"), ("jsonl", "two")], tmp_path / "run")


def captions_of(dataset, change):
    """Change the rows of the table of captions."""
    path = dataset / "captions.txt"
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *change(rows)])


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[2:],  # a photograph less
        lambda rows: rows[2:4] + rows[:2] + rows[4:],  # in another order
        lambda rows: [[i, c.replace("red", "crimson"), s] for i, c, s in rows],
    ],
)
def test_a_run_does_not_go_on_with_other_records(dataset, finished, encoder_weights, change):
    captions_of(dataset, change)
    with pytest.raises(TrainingError, match="holds a run with other records.*another folder"):
        run(dataset, finished, encoder_weights)


def test_more_epochs_than_the_run_was_begun_with_are_refused(dataset, finished, encoder_weights):
    with pytest.raises(TrainingError, match="epochs 1, not 4; give the same settings"):
        run(dataset, finished, encoder_weights, epochs=4)


def test_a_preset_that_no_run_made_is_not_overwritten(dataset, finished, encoder_weights):
    (finished / "run.json").unlink()
    before = presets.sha256(finished / presets.WEIGHTS)
    with pytest.raises(TrainingError, match="run: holds a preset, but no run.json"):
        run(dataset, finished, encoder_weights)
    assert presets.sha256(finished / presets.WEIGHTS) == before


def test_a_record_of_the_run_that_was_cut_short_is_named(dataset, finished, encoder_weights):
    text = (finished / "run.json").read_text()
    for cut in ("", text[: len(text) // 2], "[]"):
        (finished / "run.json").write_text(cut)
        with pytest.raises(TrainingError, match="run.json: damaged or cut short; remove"):
            run(dataset, finished, encoder_weights)


def test_captions_in_which_no_word_returns_are_refused(dataset, tmp_path, encoder_weights):
    numbers = iter(range(1000))
    captions_of(dataset, lambda rows: [[i, f"word{next(numbers)}", s] for i, _, s in rows])
    with pytest.raises(TrainingError, match="captions-csv: no word occurs 5 times in captions"):
        run(dataset, tmp_path / "run", encoder_weights)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run_and_is_never_saved(
    dataset, tmp_path, encoder_weights, monkeypatch
):
    monkeypatch.setattr("captioner.training.trainer.WEIGHT_DECAY", float("nan"))
    with pytest.raises(TrainingError, match="the loss of epoch . is nan"):
        run(dataset, tmp_path / "run", encoder_weights, epochs=3)
    assert not (tmp_path / "run" / presets.METADATA).exists()


@pytest.mark.parametrize("name", ["./Images/../Images/3.jpg", "link.jpg"])
def test_a_photograph_in_train_and_dev_by_two_names_is_refused(
    dataset, tmp_path, encoder_weights, name
):
    (dataset / "Images" / "link.jpg").symlink_to(dataset / "Images" / "3.jpg")
    with open(dataset / "captions.txt", "a", newline="") as file:
        csv.writer(file).writerow([name, "a picture all blue", "dev"])
    with pytest.raises(TrainingError, match="in the split train and in dev"):
        run(dataset, tmp_path / "run", encoder_weights)
    assert not (tmp_path / "run").exists()
