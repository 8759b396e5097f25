"""The notebooks run from start to end, and are committed with what they printed and drew.

The test trains every network for three steps only, on little data. After a change to a notebook,
`jupyter nbconvert --to notebook --execute --inplace notebooks/NAME.ipynb` runs it in full.
"""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HOURGLASS = 900  # seconds that a cell may take on a busy machine
# Of a person's machine: what begins with a slash at the root of a file system, or with a drive.
ABSOLUTE = re.compile(r"(?<![\w./:])/(?:[A-Za-z]\w*/)+|\b[A-Z]:\\")
# Before so few steps, TensorFlow would trace small networks for longer than it trains them.
SHORTER = """
import keras
from examples import characters, numbers, stories, tagging
fit = keras.Model.fit
def fit_shortly(model, *args, **settings):
    model.run_eagerly = not type(model).__module__.startswith("captioner.")
    return fit(model, *args, **{**settings, "epochs": 1, "steps_per_epoch": 3})
keras.Model.fit = fit_shortly
numbers.TRAIN, numbers.UNSEEN = stories.TRAIN, stories.UNSEEN = 600, 30
characters.UNSEEN, tagging.OPENINGS = 5_000, [""]
"""


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def cells_of(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.slow
def test_a_notebook_runs_in_a_clean_kernel(notebook):
    content = nbformat.read(notebook, as_version=4)
    content.cells.insert(0, nbformat.v4.new_code_cell(SHORTER))
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
    nowhere = "http://127.0.0.1:9"  # a download would fail
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
    }
    resources = {"metadata": {"path": str(notebook.parent)}}
    client = nbclient.NotebookClient(content, timeout=HOURGLASS, resources=resources)
    client.execute(env=environment)  # raises with the cell and its traceback
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def test_a_notebook_is_committed_as_it_ran(notebook):
    cells = cells_of(notebook, "code")
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any(kind.startswith("image/") for o in outputs for kind in o.get("data", ()))
    assert not any(output.output_type == "error" for output in outputs)
    assert notebook.stat().st_size < 2e6


def test_a_notebook_names_no_path_of_a_machine(notebook):
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        for output in cell.get("outputs", ()):
            for kind in [kind for kind in output.get("data", ()) if kind.startswith("image/")]:
                del output.data[kind]  # in Base64 every path may occur
    assert ABSOLUTE.findall(nbformat.writes(content)) == []


def test_a_notebook_says_first_what_it_needs_and_how_long_it_takes(notebook):
    first = nbformat.read(notebook, as_version=4).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert "**Needs:**" in first.source and "**Takes:**" in first.source


def test_code_comes_in_small_pieces(notebook):
    for cell in cells_of(notebook, "code"):
        assert cell.source.count("\n") < 45
