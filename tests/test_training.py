import csv
import json

import numpy as np
import pytest
from PIL import Image

from captioner import presets, training
from captioner.datasets import Example
from captioner.model import Captioner
from captioner.text import PAD, Vocabulary
from captioner.training import Batches, TrainingError, augmented, mirrored_words, train

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
def encoder_weights(tmp_path, monkeypatch, toy_encoder):
    """The file that the toy encoder is said to start from; toy sizes for the rest of the model."""

    class Toy(Captioner):
        def __init__(self, vocabulary, **settings):
            sizes = {"annotation_size": 16, "embedding_size": 16, "units": 16, "max_words": 5}
            super().__init__(vocabulary, **{**settings, **sizes, "image_size": 64})

    monkeypatch.setattr(training, "Captioner", Toy)
    path = tmp_path / "encoder.weights.h5"
    path.write_bytes(b"weights")
    return path


def run(dataset, output, encoder_weights, **settings):
    train(
        "captions-csv",
        dataset,
        output,
        encoder="toy",
        encoder_weights=encoder_weights,
        batch_size=8,
        **{"epochs": 1, "fine_tune_epochs": 1, **settings},
    )


def log(output, phase):
    with open(output / "logs" / f"{phase}.csv") as file:
        return list(csv.DictReader(file))


def test_two_phases_end_in_a_preset(dataset, tmp_path, encoder_weights):
    output = tmp_path / "run"
    run(dataset, output, encoder_weights, fine_tune=True)
    phases = ["frozen", "fine-tune"]
    story = presets.read_metadata(output)["training"]
    # The last phase may not have been the best; these are the names of those that led there.
    assert [phase["name"] for phase in story["phases"]] == phases[: len(story["phases"])]
    finished = json.loads((output / "run.json").read_text())["finished"]
    assert finished["frozen"] == 1 and list(finished) == phases
    assert [phase["chosen_epoch"] for phase in story["phases"]] == [1] * len(story["phases"])
    assert not (output / "cache").exists()
    assert story["photographs"] == {"train": 16, "dev": 8}
    assert story["encoder_started_from"]["sha256"] == presets.sha256(encoder_weights)
    words = Captioner.from_preset(output).vocabulary.words
    assert words[4:] == ["a", "all", "picture", "blue", "red"]
    for phase in phases:
        (row,) = log(output, phase)
        assert float(row["val_cider"]) >= 0 and np.isfinite(float(row["loss"]))
        assert list((output / "logs" / phase).rglob("events.out.tfevents*"))


# Keras leaves its CSV file open when `fit` is interrupted.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_resumed_run_goes_on_and_keeps_its_best(dataset, tmp_path, encoder_weights, monkeypatch):
    output = tmp_path / "run"
    save = training.DevScores.on_epoch_end

    def interrupt(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(training.DevScores, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, output, encoder_weights, epochs=3)
    monkeypatch.setattr(training.DevScores, "on_epoch_end", save)
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
    training.Run(output, {"dataset": "captions-csv", "seed": 0})
    with pytest.raises(TrainingError, match="seed 0, not 1"):
        training.Run(output, {"dataset": "captions-csv", "seed": 1})


def examples(count, captions=2):
    texts = ("a dog on the left", "a cat on the right", "a man", "a dog", "a cat", "the grass")
    return [Example(f"{i}.jpg", str(i), texts[:captions]) for i in range(count)]


def make_batches(vocabulary, read, count=5, captions=2, seed=0):
    return Batches(
        examples(count, captions), read, "features", vocabulary, 6, batch_size=2, seed=seed
    )


def test_an_epoch_reads_every_photograph_once(vocabulary):
    seen = []

    def read(i, mirror, rng):
        seen.append(i)
        return np.zeros(3)

    data = make_batches(vocabulary, read)
    for b in range(len(data)):
        data[b]
    assert sorted(seen) == [0, 1, 2, 3, 4] and seen != [0, 1, 2, 3, 4]


def test_batches_depend_on_seed_epoch_and_number_alone(vocabulary):
    def read(i, mirror, rng):
        return np.array([i, mirror, rng.uniform()])

    data, again = make_batches(vocabulary, read), make_batches(vocabulary, read)
    again[0]  # what was read before does not matter
    np.testing.assert_array_equal(data[1][0]["features"], again[1][0]["features"])
    again.epoch = 1
    assert not np.array_equal(data[1][0]["features"], again[1][0]["features"])
    other = make_batches(vocabulary, read, seed=1)
    assert not np.array_equal(data[1][0]["features"], other[1][0]["features"])


def test_targets_are_the_inputs_one_step_on(vocabulary):
    data = make_batches(vocabulary, lambda i, mirror, rng: np.zeros(3))
    inputs, targets = data[0]
    assert inputs["tokens"].shape == targets.shape == (2, training.CAPTIONS, 6)
    np.testing.assert_array_equal(inputs["tokens"][:, :2, 1:], targets[:, :2, :-1])
    assert (targets[:, 2:] == PAD).all()  # two captions of five


def test_more_captions_than_fit_are_drawn_from(vocabulary):
    data = make_batches(vocabulary, lambda i, mirror, rng: np.zeros(3), captions=6)
    drawn = set()
    for epoch in range(10):
        data.epoch = epoch
        drawn |= {tuple(row) for row in data[0][1].reshape(-1, 6)}
    assert len(drawn) >= 6


def test_a_mirrored_photograph_exchanges_left_and_right(vocabulary):
    mirrored = []

    def read(i, mirror, rng):
        mirrored.append(mirror)
        return np.zeros(3)

    data = make_batches(vocabulary, read, count=40)
    left, right = (vocabulary.words.index(word) for word in ("left", "right"))
    dog = vocabulary.words.index("dog")
    for b in range(len(data)):
        mirrored.clear()
        _, targets = data[b]
        for mirror, rows in zip(mirrored, targets, strict=True):
            sides = {(dog in row, left in row, right in row) for row in rows if row.any()}
            assert sides == (
                {(True, False, True), (False, True, False)}
                if mirror
                else {(True, True, False), (False, False, True)}
            )
    assert mirrored_words(Vocabulary(vocabulary.words[:6])).tolist() == list(range(6))


def test_augmentation_is_light_repeats_and_mirrors(tmp_path):
    path = tmp_path / "half.png"
    image = Image.new("RGB", (80, 60), "black")
    image.paste("white", (40, 0, 80, 60))
    image.save(path)
    plain = augmented(path, 32, False, np.random.default_rng(3))
    again = augmented(path, 32, False, np.random.default_rng(3))
    np.testing.assert_array_equal(plain, again)
    assert plain[:, :8].mean() < 5 and plain[:, -8:].mean() > 150
    turned = augmented(path, 32, True, np.random.default_rng(3))
    np.testing.assert_array_equal(turned, plain[:, ::-1])


def test_cached_features_are_those_of_the_encoder_and_its_mirror(toy, tmp_path):
    model = toy()
    rng = np.random.default_rng(0)
    records = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), "uint8")).save(path)
        records.append(Example(path, str(i), ("a dog",)))
    cache = training.cache_features(model, records, tmp_path / "cache" / "toy.npy", 2)
    assert cache.shape == (2, 3, model.regions, 12) and cache.dtype == "float16"
    photograph = np.asarray(Image.open(records[2].image))[None]
    for side, view in enumerate((photograph, photograph[:, :, ::-1])):
        np.testing.assert_allclose(cache[side, 2], model.features(view)[0], rtol=1e-2, atol=1e-3)


def test_dev_scores_come_from_decoding_not_from_teacher_forcing(dataset, tmp_path, encoder_weights):
    output = tmp_path / "run"
    run(dataset, output, encoder_weights)
    (row,) = log(output, "frozen")
    metadata = presets.read_metadata(output)
    assert metadata["dev_scores_in_training"]["cider"] == pytest.approx(float(row["val_cider"]))
    json.dumps(metadata)
