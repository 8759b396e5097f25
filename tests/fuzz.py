"""Broken input by the thousand: `python tests/fuzz.py --minutes 10`; see README.md beside it.

Valid files are changed at random. Each result must be read, or refused with the error that the
caller expects.
"""

import argparse
import base64
import functools
import io
import json
import logging
import re
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import h5py
import numpy as np
import pyarrow
from describe.samples import folder as described_folder
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet
from starlette.testclient import TestClient

from captioner import presets
from captioner.bulk.shards import is_shard, rows_of_shard
from captioner.bulk.sources import list_source
from captioner.cli.requests import requests_of
from captioner.data.image_checks import check_images
from captioner.data.images import ImageError, load_image
from captioner.data.metadata import pages_of
from captioner.data.readers import READERS
from captioner.data.records import DatasetError
from captioner.data.vocabulary import SPECIAL, Vocabulary
from captioner.describe.alt import filled, gaps_of
from captioner.describe.errors import DescriptionError
from captioner.describe.pages import PageError, parse_page
from captioner.describe.plan import plan, plan_undo
from captioner.generation.results import Candidate, Caption, Word
from captioner.models.config import CaptionerConfig
from captioner.presets import PresetError
from captioner.training.recipe import Recipe
from captioner.training.run import Run, TrainingError
from captioner.training.settings import RecipeError
from captioner.web import batcher
from captioner.web.app import new_app

EXAMPLES = 200  # between two looks at the clock
# Replacements of whole values, which no change of few bytes would produce.
VALUES = [
    *(b"null", b"-1", b"3", b"1e999", b"NaN", b'""', b'"."', b'".."', b'"a\\u0000b"', b"{}"),
    *(b"[" * 5000, b"9" * 5000, b'"' + b"a" * 300 + b'.jpg"', b'{"a": ' * 3000),
]
TOKEN = re.compile(rb'"[^"]*"|-?\d+|\[|\{')


@st.composite
def changed(draw: st.DrawFn, originals: dict[str, bytes]) -> tuple[str, bytes]:
    """One of some files, with values or bytes replaced, left out or put in, or cut short."""
    name = draw(st.sampled_from(sorted(originals)))
    content = bytearray(originals[name])
    tokens = list(TOKEN.finditer(originals[name])) if draw(st.booleans()) else []
    if tokens:
        start, end = draw(st.sampled_from(tokens)).span()
        content[start:end] = draw(st.sampled_from(VALUES))
        return name, bytes(content)
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 8))
        content[place : place + length] = draw(st.binary(max_size=8))
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return name, bytes(content)


def image_files() -> dict[str, bytes]:
    """A small picture in every format that Pillow writes."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), "uint8")
    files = {}
    for format in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format)
        files[format] = file.getvalue()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0].astype("uint16") * 257).save(file, "TIFF")
    files["TIFF of 16 bits"] = file.getvalue()
    return files


def read_image(name: str, content: bytes) -> None:
    """A photograph, or ImageError."""
    try:
        assert load_image(io.BytesIO(content), 16).shape == (16, 16, 3)
    except ImageError:
        pass


REQUESTS = {
    "requests": b'{"image": "a.png"}\n{"image": "b.png", "question": "what is it?"}\n\n["x"]\n{}\n',
}


class Answers:
    """The parts of a model that the reader of requests uses."""

    vocabulary = Vocabulary([*SPECIAL, "what", "is", "it"])
    config = CaptionerConfig(question_units=8)
    answers = True
    grid = (2, 2)


def read_requests(name: str, content: bytes) -> None:
    """Items, whatever the lines are."""
    for item in requests_of(io.BytesIO(content), "r.jsonl", Answers(), "toy"):
        assert item.error is not None or item.source


DATASETS = {
    "captions-csv captions.csv": b"image,caption,split\na.jpg,A dog,train\nb.jpg,A cat,dev\n",
    "flickr30k results.csv": b"image_name| comment_number| comment\na.jpg| 0| A dog .\n",
    "jsonl train.jsonl": b'{"image": "a.jpg", "question": "what?", "answers": ["it"]}\n',
    "coco captions_train2017.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg"}],
            "annotations": [{"image_id": 1, "caption": "A dog"}],
        }
    ).encode(),
    "karpathy dataset_toy.json": json.dumps(
        {"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A dog"}]}]}
    ).encode(),
    "daquar qa.894.raw.train.txt": b"what is on the desk in the image1 ?\nlamp\n",
    "flickr8k Flickr8k.token.txt": b"a.jpg#0\tA dog .\n",
}


def read_dataset(name: str, content: bytes) -> None:
    """Examples, or DatasetError."""
    reader, file = name.split()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        if reader == "flickr8k":
            (Path(folder) / "Flickr_8k.trainImages.txt").write_text("a.jpg\n")
        (Path(folder) / file).write_bytes(content)
        try:
            examples = READERS[reader](Path(folder), "train")
            check_images(examples, max_missing=1.0)
        except DatasetError:
            pass


def preset_files() -> dict[str, bytes]:
    """The files of a preset that hold no network."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.ones((4, 4), "float16")
    calibration = {"captions": [0.0] * 5, "answers": None}
    return {
        presets.CONFIG: json.dumps(CaptionerConfig().to_json()).encode(),
        presets.VOCABULARY: json.dumps([*SPECIAL, "dog"]).encode(),
        presets.CALIBRATION: json.dumps(calibration).encode(),
        presets.WEIGHTS: weights.getvalue(),
        presets.METADATA: b'{"sha256": {}, "training": {}}',
    }


def read_preset(name: str, content: bytes) -> None:
    """Read a preset, or raise PresetError."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file, original in PRESET.items():
            (folder / file).write_bytes(content if file == name else original)
        if name != presets.METADATA:
            files = (*presets.FILES, presets.CALIBRATION)
            hashes = {file: presets.sha256(folder / file) for file in files}
            presets.write_json(folder / presets.METADATA, {"sha256": hashes})
        try:
            presets.verified(folder)
            presets.read_config(folder, CaptionerConfig.from_json)
            presets.read_vocabulary(folder)
            presets.read_calibration(folder)
        except PresetError:
            pass


PIXELS = base64.b64encode(image_files()["PNG"]).decode()
UPLOADS = {  # to a path, and of a content type
    "/v1/answer multipart/form-data; boundary=x": b"--x\r\nContent-Disposition: form-data; "
    b'name="question"\r\n\r\nwhat?\r\n--x\r\nContent-Disposition: form-data; name="photo"; '
    b'filename="a.png"\r\n\r\n' + image_files()["PNG"] + b"\r\n--x--\r\n",
    "/v1/caption application/json": json.dumps({"photo": PIXELS, "question": "what?"}).encode(),
    "/api/generate application/json": json.dumps(
        {"model": "toy", "prompt": "what?", "images": [PIXELS], "stream": False}
    ).encode(),
    "/v1/chat/completions application/json": json.dumps(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "See."},
                        {"type": "image_url", "image_url": {"url": f"data:a;base64,{PIXELS}"}},
                    ],
                }
            ]
        }
    ).encode(),
}


@functools.cache
def client() -> TestClient:
    """Of a server whose model writes the same of everything."""
    app = new_app("toy", Answers(), ["*"])  # type: ignore[arg-type]
    words = [Word("it", 0.5, np.full((2, 2), 0.25))]
    caption = Caption("It.", -0.5, words, [Candidate("It.", -0.5, words)])
    batcher.generate = lambda model, inputs, questions, sampler: [[caption]] * len(questions)
    client = TestClient(app)
    return client.__enter__()  # as long as the program runs


def send(name: str, content: bytes) -> None:
    """An answer, or an error of the client's in JSON."""
    path, kind = name.split(" ", 1)
    response = client().post(path, content=content, headers={"content-type": kind})
    assert response.status_code in (200, 400, 413, 415, 422), response.status_code
    assert response.status_code == 200 or response.json()["error"]


FINISHED = b'{"frozen": {"epoch": 2, "score": 0.5, "log": [{"loss": 1.5}]}}'
RUN = {"run.json": b'{"settings": {"seed": 0, "epochs": 3}, "finished": ' + FINISHED + b"}"}


def read_run(name: str, content: bytes) -> None:
    """Read a run, or raise TrainingError."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        try:
            run = Run(Path(folder), {"seed": 0, "epochs": 3})
            assert run.finished is not None
        except TrainingError:
            pass


def describe(name: str, content: bytes) -> None:
    """A description that is written and taken out again, or DescriptionError."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / name
        photograph = place.with_suffix("") if place.suffix == ".xmp" else place
        photograph.write_bytes(PHOTOGRAPHS.get(photograph.name, content))
        place.write_bytes(content)
        is_sidecar = place != photograph
        try:
            plan(photograph, "A dog.", is_sidecar).carry_out()
            pages = pages_of(content)
            assert pages_of(place.read_bytes()) == pages
            plan_undo(photograph, is_sidecar).carry_out()
            assert not place.exists() or pages_of(place.read_bytes()) == pages
        except DescriptionError:
            assert place.read_bytes() == content


PHOTOGRAPHS = described_folder()


PAGES = {
    "page.html": b"""---\nhero: <img src=a>\n---\n<!DOCTYPE html><base href=img/>
<!-- <img src=a> --><p title='<img src=b>'><img src="c.jpg" /><IMG SRC=d.jpg>
<textarea><img src=e></textarea><table hidden><tr><td><img src='f&amp;.jpg'></table>{{ x }}
<script>`<img src=g>`</script><p>caf\xc3\xa9 1 < 2 <a href=h><img src=h.jpg></a><svg><p>
<img src="i.jpg" alt=""><![ endif]>""",
    "page.md": b"""+++\nhero = "![](a)"\n+++\n# A ![](b.jpg)\n
> - ![](<c (1).jpg> "t)"){.x}\n>   <img\n>   src=d>\n
| ![](e\\|.jpg) | `![](f)` |\n|---|---|\n| [![][r]](g) | $![](h)$ |\n\n    ![](i)\n
<div hidden>\n<img src=j>\n\n*![ ](caf\xc3\xa9.jpg)*\n\n</div>\r\r```\n![](k)\n```\n
[r]: <l m.jpg> 'x'\n""",
}
INSERTED = re.compile(rb'( alt=")?A dog\.(" data-alt-by="captioner")?|<!-- alt by captioner -->')


def read_page(name: str, content: bytes) -> None:
    """A page in which nothing is changed but its alternative texts, or PageError."""
    try:
        page = parse_page(Path(name), content)
        changed = filled(page, [(gap, "A dog.") for gap in gaps_of(page)])
    except PageError:
        return
    assert INSERTED.sub(b"", changed.content) == content
    assert not gaps_of(changed)


def shard_files() -> dict[str, bytes]:
    """Two photographs in tar files and in a table."""
    photographs = {"0.jpg": b"x" * 40, "1.jpg": b"y" * 700}
    files = {}
    for name in ("s.tar", "s.tgz"):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz" if name == "s.tgz" else "w") as tar:
            for path, content in photographs.items():
                member = tarfile.TarInfo(path)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        files[name] = stream.getvalue()
    stream = io.BytesIO()
    images = [{"bytes": content, "path": path} for path, content in photographs.items()]
    parquet.write_table(pyarrow.table({"image": images}), stream)
    return files | {"t.parquet": stream.getvalue()}


def read_shard(name: str, content: bytes) -> None:
    """Photographs, and perhaps an error as the last row; or DatasetError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            names, _ = list_source(str(path), "image")
        except DatasetError:
            return
        for shard in filter(is_shard, names):
            rows = list(rows_of_shard(shard))
            assert [row.row for row in rows] == list(range(len(rows)))


RECIPE = b"""root = "data"
seed = 0
[model]
encoder = "VGG16"
dropout = 0.3
[data.flickr8k]
times = 3
[phases.frozen]
epochs = 8
learning_rate = 1e-3
"""


def read_recipe(name: str, content: bytes) -> None:
    """A recipe, or RecipeError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            Recipe.read(path, [])
        except RecipeError:
            pass


PRESET = preset_files()
TARGETS: dict[str, tuple[Callable[[str, bytes], None], dict[str, bytes]]] = {
    "images": (read_image, image_files()),
    "requests": (read_requests, REQUESTS),
    "data sets": (read_dataset, DATASETS),
    "presets": (read_preset, PRESET),
    "uploads": (send, UPLOADS),
    "runs": (read_run, RUN),
    "photographs and XMP": (describe, PHOTOGRAPHS),
    "pages": (read_page, PAGES),
    "shards": (read_shard, shard_files()),
    "recipes": (read_recipe, {"r.toml": RECIPE}),
}


def fuzzed(
    target: str,
    read: Callable[[str, bytes], None],
    originals: dict[str, bytes],
    counts: dict[str, int],
    turn: int,
) -> Callable[[], None]:
    """A function that reads `EXAMPLES` changed files; what is raised has the file in its notes."""

    @seed(turn)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(originals))
    def run(file: tuple[str, bytes]) -> None:
        counts[target] += 1
        read(*file)

    return run


def main() -> int:
    """Read broken input until the time is over; 1 if something was not refused as it should be."""
    parser = argparse.ArgumentParser(description="Read broken input.")
    parser.add_argument("--minutes", type=float, default=10.0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow warns of damage
    logging.disable()  # missing photographs are named there
    counts, findings = dict.fromkeys(TARGETS, 0), 0
    end, turn = time.monotonic() + 60 * args.minutes, 0
    while time.monotonic() < end:
        for target, (read, originals) in TARGETS.items():
            run = fuzzed(target, read, originals, counts, turn)
            try:
                run()
            except Exception as error:
                findings += 1
                notes = "\n".join(getattr(error, "__notes__", []))
                print(f"{target}: {type(error).__name__}: {error}", notes[:2000], sep="\n")
        turn += 1
    print(", ".join(f"{count:,} {target}" for target, count in counts.items()))
    print(f"{findings} findings")
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
