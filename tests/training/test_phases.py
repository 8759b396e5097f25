"""A whole recipe, on pictures of one colour."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from captioner import presets
from captioner.data.image_checks import Checks
from captioner.models.captioner import Captioner
from captioner.training import dev_scores, phases, sequences
from captioner.training.recipe import (
    CONCEPTS,
    FINE_TUNE,
    FROZEN,
    SELF_CRITICAL,
    CaptionerConfig,
    Recipe,
    Source,
)
from captioner.training.retrieval import with_retrieved
from captioner.training.run import TrainingError
from captioner.training.train import carry_out

COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220), "green": (30, 220, 30)}


@pytest.fixture
def eager():
    """TensorFlow traces no graphs: for so few steps that takes longer than the training."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def recipe(tmp_path, toy_encoder, monkeypatch):
    """Pictures, of which those in green have labels only; captions of green that nobody shows."""
    monkeypatch.setattr(sequences, "STEPS", ())  # TensorFlow traces each group of lengths
    lines = []
    for i in range(36):
        name, split = list(COLOURS)[i % 3], "dev" if i >= 24 else "train"
        Image.new("RGB", (70, 50), COLOURS[name]).save(tmp_path / f"{i}.jpg")
        line = {"image": f"{i}.jpg", "split": split}
        spoken = name != "green" or split == "dev"
        captions = [f"a big picture all {name} here", f"a {name} picture"] if spoken else []
        lines.append({**line, "captions": captions, "objects": [] if spoken else ["green picture"]})
        lines.append({**line, "question": "what color is it ?", "answer": f"{name} 7"})
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = {"captions": ["a big picture all green here", "a green picture"], "objects": ["green"]}
    (tmp_path / "texts.jsonl").write_text((json.dumps(text) + "\n") * 6)
    h5py.File(tmp_path / "encoder.weights.h5", "w").close()
    sizes = {"annotation_size": 16, "embedding_size": 16, "units": 16, "attention_size": 8}
    sizes |= {"max_words": 6, "max_question_words": 5}
    return Recipe(
        data={"colours": Source(format="jsonl", root=tmp_path / "data.jsonl")},
        phases=(
            replace(CONCEPTS, epochs=2, learning_rate=0.01),
            replace(FROZEN, epochs=6, learning_rate=0.02, ema_momentum=0.5),
            replace(FINE_TUNE, epochs=1),
            replace(SELF_CRITICAL, epochs=2, object_reward=1.0),
        ),
        model=CaptionerConfig(
            encoder="toy", image_size=64, question_units=8, concept_slots=3, **sizes
        ),
        concepts=8,
        texts=tmp_path / "texts.jsonl",
        retrieve=True,
        encoder_weights=str(tmp_path / "encoder.weights.h5"),
        batch_size=8,
    )


@pytest.mark.filterwarnings("ignore:Even though the .tf.config.*run_functions_eagerly")
# Keras leaves its CSV file open when training is interrupted.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_a_recipe_is_carried_out_and_resumed(recipe, tmp_path, monkeypatch, eager):
    output = tmp_path / "run"
    scored = dev_scores.DevScores.on_epoch_end

    def interrupt(self, epoch, logs=None):
        scored(self, epoch, logs)
        if "sampled_captions_loss" in logs and epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(dev_scores.DevScores, "on_epoch_end", interrupt)
        carry_out(recipe, output)
    monkeypatch.delitem(phases.KINDS, "concepts")  # is finished
    carry_out(recipe, output)

    model = Captioner.from_preset(output)
    words = model.vocabulary.words[: model.config.caption_words]
    assert {"red", "blue", "green"} <= set(words) and "7" not in words
    assert "7" in model.vocabulary.words
    assert {"picture", "red", "blue", "green"} <= set(model.config.concepts)
    finished = json.loads((output / "run.json").read_text())["finished"]
    assert list(finished) == ["concepts", "frozen", "fine-tune", "self-critical"]
    provenance = presets.read_metadata(output)["training"]
    assert provenance["data"]["texts"] == {"captions": 12, "questions": 0}
    assert provenance["recipe"]["phases.self-critical.object_reward"] == 1.0
    rows = (output / "logs" / "self-critical.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1"]
    losses = "answers_loss,captions_loss,loss,sampled_captions_loss,texts_loss"
    assert rows[0].startswith(f"epoch,{losses},val_")
    precision = (output / "logs" / "concepts.csv").read_text().splitlines()
    assert precision[0] == "epoch,loss,val_average_precision,val_score"
    # No photograph in green had a caption of its own.
    pictures = [Image.new("RGB", (64, 64), colour) for colour in COLOURS.values()]
    said = [caption.text for caption in model.caption(pictures)]
    assert "green" in said[2].lower() and "7" not in "".join(said)


def test_a_recipe_begins_with_what_needs_no_decoder(recipe, tmp_path):
    found, _, *later = recipe.phases
    with pytest.raises(TrainingError, match=r"\[phases.fine-tune\] needs a trained decoder"):
        carry_out(replace(recipe, phases=(found, *later)), tmp_path / "run")


def test_a_recipe_that_contradicts_itself_is_refused(recipe, tmp_path):
    found, frozen, *_ = recipe.phases
    for changes, message in (
        ({"concepts": 0}, r"concepts = N and \[phases.concepts\] must be given together"),
        ({"phases": (frozen,)}, r"concepts = N and \[phases.concepts\] must be given together"),
        ({"weights": "everyday"}, "give weights or encoder_weights: weights contain an encoder"),
        ({"phases": (frozen,), "concepts": 0}, "texts and retrieve need a model with concepts"),
        ({"phases": (frozen, found)}, r"\[phases.concepts\] must be first"),
    ):
        with pytest.raises(TrainingError, match=message):
            carry_out(replace(recipe, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_data_set_may_be_all_train_if_another_has_dev(recipe, tmp_path):
    from captioner.training.data import Data

    line = {"image": "0.jpg", "split": "train", "caption": "a red picture"}
    (tmp_path / "more.jsonl").write_text(json.dumps(line) + "\n")
    more = {**recipe.data, "more": Source(format="jsonl", root=tmp_path / "more.jsonl")}
    data = Data.read(replace(recipe, data=more), Checks())
    assert not data.dev["more"] and len(data.dev["colours"]) == 24
    assert len(data.photographs) == 24  # one of them said of in both
    alone = {"more": more["more"]}
    with pytest.raises(ValueError, match="no photographs in split 'dev'"):
        Data.read(replace(recipe, data=alone), Checks())


def test_what_nobody_speaks_of_gets_the_captions_of_others(recipe):
    from captioner.training.data import Data

    data = Data.read(recipe, Checks())
    rare = replace(data, photographs=data.photographs + data.photographs[:2] * 100)
    logits = np.full((len(rare.photographs), len(rare.concepts)), -6.0)
    logits[[i for i, p in enumerate(rare.photographs) if p.objects]] = 3.0  # and else nothing
    corpus = [text.captions for text in rare.texts]
    found = with_retrieved(rare.photographs, corpus, rare.concepts, logits)
    green = [p for p in found if p.objects]
    assert len(green) == 8
    assert {p.captions for p in green} == {("a big picture all green here",)}
    assert {p.weight for p in green} == {0.5}
    assert all(p.weight == 1 for p in found if not p.objects)
    assert isinstance(green[0].image, Path)
