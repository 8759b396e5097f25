import json

import pytest
from PIL import Image

from captioner import metrics, presets
from captioner.evaluation import evaluate, table
from captioner.metrics import caption_scores
from captioner.model import Captioner


@pytest.fixture
def split(tmp_path):
    """Three dev photographs as Flickr8k lists them."""
    folder = tmp_path / "data"
    (folder / "Images").mkdir(parents=True)
    names = [f"{i}.jpg" for i in range(3)]
    for i, name in enumerate(names):
        Image.new("RGB", (30, 20), (80 * i, 40, 90)).save(folder / "Images" / name)
    captions = [f"{name}#{k}\ta dog runs on the grass {k} ." for name in names for k in range(2)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(captions))
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(names))
    return folder


def test_the_results_file_is_written_and_it_is_what_is_scored(toy, split, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "meteor_spice", lambda *args: ({}, {}))
    toy().save_to_preset(tmp_path / "toy")
    output = tmp_path / "results"
    scores = evaluate(
        "flickr8k", split, "dev", weights=tmp_path / "toy", output=output, beam=2, record=True
    )
    assert list(scores) == ["beam 2", "greedy"]
    for name, width in (("beam2", 2), ("greedy", 1)):
        results = json.loads((output / f"captions_flickr8k_dev_{name}_results.json").read_text())
        assert [result["image_id"] for result in results] == ["0", "1", "2"]
        model = Captioner.from_preset(tmp_path / "toy")
        written = model.caption([split / "Images" / f"{i}.jpg" for i in range(3)], width)
        assert [result["caption"] for result in results] == [c.text for c in written]
        references = {str(i): [f"a dog runs on the grass {k}" for k in range(2)] for i in range(3)}
        captions = {result["image_id"]: result["caption"] for result in results}
        expected = caption_scores(captions, references)
        assert scores[name.replace("beam2", "beam 2")] == pytest.approx(expected)
    recorded = presets.read_metadata(tmp_path / "toy")["scores"]["flickr8k dev"]
    assert recorded["photographs"] == 3 and recorded["greedy"] == pytest.approx(scores["greedy"])
    assert str(tmp_path) not in recorded["command"]
    Captioner.from_preset(tmp_path / "toy")  # recording leaves the preset whole


def test_the_table_has_a_row_for_each_measure():
    lines = table({"beam 3": {"cider": 0.51234}, "greedy": {"cider": 0.4}}).splitlines()
    assert lines[0].split() == ["beam", "3", "greedy"]
    assert lines[1].split() == ["cider", "0.5123", "0.4000"]
