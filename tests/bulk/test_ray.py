"""`captioner bulk --engine ray` on a cluster of two machines, both of which are this one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet
from skimage import data

ROOT = Path(__file__).parents[2]
COUNT, BROKEN = 300, {7, 150, 299}


@pytest.fixture
def photographs(tmp_path):
    """Crops of photographs, each of its own; three of them are broken."""
    source, rng = data.astronaut(), np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i in range(COUNT):
        top, left = rng.integers(0, 256, 2)
        image = Image.fromarray(source[top : top + 256, left : left + 256])
        image.save(folder / f"{i:03}.jpg")
    for i in BROKEN:
        (folder / f"{i:03}.jpg").write_bytes(b"no photograph")
    return folder


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    yield cluster
    cluster.shutdown()


def start(photographs, output, *options, **variables):
    command = [sys.executable, "-m", "captioner", "bulk", photographs.name, "--output", output]
    return subprocess.Popen(
        [*command, "--part-size", "10", *options],
        cwd=photographs.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    _, err = process.communicate(timeout=300)  # on stdout Ray tells of lost machines
    assert process.returncode == 1, err
    return err.splitlines()


def table(folder):
    return sorted(parquet.read_table(folder).to_pylist(), key=lambda record: record["row"])


def works(node):
    """Whether an actor runs on a node: it is a child of its raylet."""
    raylet = node.all_processes["raylet"][0].process.pid
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return any(b"MapWorker" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)


@pytest.mark.slow
def test_a_machine_that_is_lost_while_it_works_loses_no_photograph(photographs, cluster):
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    output = photographs.parent / "out"
    process = start(photographs, "out", "--engine", "ray", RAY_ADDRESS=cluster.address)
    deadline = time.monotonic() + 200
    while len(list(output.glob("part-*"))) < 5 or not works(node):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    cluster.remove_node(node, allow_graceful=False)
    assert len(list(output.glob("part-*"))) < COUNT / 10, "it was done before the machine was lost"
    assert finished(process)[-1] == "captioner: out: 3 of 300 photographs failed; see column error"

    records = table(output)
    assert [record["row"] for record in records] == list(range(COUNT))
    assert {record["row"] for record in records if record["error"]} == BROKEN
    assert not list(output.glob(".unfinished-*"))

    finished(start(photographs, "embedded"))
    for found, expected in zip(records, table(photographs.parent / "embedded"), strict=True):
        assert found["score"] == pytest.approx(expected["score"], abs=1e-4)
        for name in ("row", "path", "caption", "error"):
            assert found[name] == expected[name]
