"""A model in several processes: forked, spawned, sent."""

import multiprocessing
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.data.images import open_image
from captioner.presets import DEFAULT_PRESET
from captioner.runtime.onnx_captioner import OnnxCaptioner

# A pool sends the model to its processes, and the captions back.
PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from captioner.runtime.onnx_captioner import OnnxCaptioner

def in_child(photographs):
    return model.caption(photographs)  # the one that was forked

if __name__ == "__main__":
    photographs = [np.full((60, 80, 3), tone, "uint8") for tone in (0, 120)]
    model = OnnxCaptioner.from_preset(sys.argv[2])
    expected = model.caption(photographs)
    ask = {"fork": lambda pool: pool.submit(in_child, photographs),
           "spawn": lambda pool: pool.submit(model.caption, photographs)}[sys.argv[1]]
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = ask(pool).result()
    assert [c.text for c in found] == [c.text for c in expected]
    assert [c.text for c in model.caption(photographs)] == [c.text for c in expected]
"""


@pytest.mark.parametrize("start", multiprocessing.get_all_start_methods()[:2])
def test_a_model_in_use_writes_in_other_processes_too(start, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "error", str(tmp_path / "program.py"), start, DEFAULT_PRESET]
    root = Path(__file__).parents[2]
    subprocess.run(command, check=True, timeout=300, cwd=root, env={"PYTHONPATH": str(root)})


def test_a_model_is_pickled_as_the_folder_of_its_preset(tmp_path, monkeypatch):
    model = OnnxCaptioner.from_preset(DEFAULT_PRESET, threads=3)
    content = pickle.dumps(model)
    assert len(content) < 20_000  # its calibration, and no weights
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(content)
    photograph = np.full((60, 80, 3), 90, "uint8")
    assert again.caption(photograph).text == model.caption(photograph).text
    assert again.calibration == model.calibration


def test_a_caption_of_an_open_file_or_a_large_array_can_be_sent(tmp_path):
    model = OnnxCaptioner.from_preset(DEFAULT_PRESET)
    large = np.full((3000, 4000, 3), 120, "uint8")
    Image.fromarray(large[:60, :80]).save(tmp_path / "a.png")
    with open(tmp_path / "a.png", "rb") as file:
        captions = model.caption([large, file, tmp_path / "a.png"])
    for caption, size in zip(captions, [(480, 360), (80, 60), (80, 60)], strict=True):
        content = pickle.dumps(caption)
        assert len(content) < 60_000
        again = pickle.loads(content)
        assert (again.text, again.score) == (caption.text, caption.score)
        assert open_image(again.photograph, at_least=480).size == size
        assert "data:image/jpeg" in again._repr_html_()


def test_a_caption_keeps_no_array_alive():
    model = OnnxCaptioner.from_preset(DEFAULT_PRESET)
    array = np.full((60, 80, 3), 120, "uint8")
    reference = weakref.ref(array)
    caption = model.caption(array)
    del array
    assert reference() is None and caption.photograph is not None
    assert all(word.attention.base is None for word in caption.words)
