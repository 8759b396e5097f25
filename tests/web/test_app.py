"""The paths, with a small double in the place of the model."""

import asyncio
import base64
import io
import json
import re
import struct
import threading
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from cli.double import Caption, Double
from PIL import Image
from starlette.testclient import TestClient

from captioner import __version__
from captioner.cli.serve import LOCAL
from captioner.export.page_files import SITE
from captioner.generation import batching
from captioner.generation.results import Candidate, Word
from captioner.web import app, uploads
from captioner.web.app import new_app
from captioner.web.batcher import WAITING, Batcher, Busy
from captioner.web.page import HERE, TYPES

JSON = {"content-type": "application/json"}
LONELY = b'{"photo": "aaaa", "question": "is it \\ud83d?"}'  # half of a surrogate pair
FORM = {"content-type": "multipart/form-data; boundary=x; charset=punycode"}
PUNYCODE = b'--x\r\nContent-Disposition: form-data; name="question"\r\n\r\n..\r\n--x--\r\n'
OPENAPI = json.loads((HERE / "openapi.json").read_text())


def photo(red=200, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size, (red, 0, 0)).save(file, "PNG")
    return file.getvalue()


def written(red, question):
    text = f"{'yes' if question else 'A picture'} <{red}>"
    words = [Word("red", 0.5, np.full((2, 2), 0.25))]
    candidates = [Candidate(text, -0.5, words), Candidate("other", -0.9, words)]
    return Caption(text, -0.5, words, candidates, confidence=0.62)


@pytest.fixture
def calls(monkeypatch):
    """The numbers of photographs written about together."""
    made = []

    def generate(model, inputs, questions, *, sampler, seed):
        pixels = inputs["photographs"]
        made.append(len(pixels))
        if (pixels[:, 0, 0, 0] == 13).any():
            raise RuntimeError("a defect")
        rows = zip(pixels[:, 0, 0, 0], questions, strict=True)
        return [[written(red, q) for q in asked] for red, asked in rows]

    monkeypatch.setattr(batching, "generate", generate)
    return made


@pytest.fixture
def client(calls):
    served = new_app("toy", Double(), LOCAL)
    with TestClient(served, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def check(name, value):
    """Whether a value agrees with the description of the interface."""
    schemas = {"components": OPENAPI["components"]}
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", **schemas})


def test_a_photograph_is_captioned_as_a_form_and_as_json(client):
    form = client.post("/v1/caption", files={"photo": photo(77)})
    encoded = base64.b64encode(photo(77)).decode()
    plain = client.post("/v1/caption", json={"photo": encoded})
    assert form.status_code == plain.status_code == 200
    assert form.json() == plain.json()
    assert form.json()["caption"] == "A picture <77>"
    assert form.json()["candidates"][1] == {"caption": "other", "score": -0.9}
    check("Caption", form.json())


@pytest.mark.parametrize("wrapped", ["{}", "data:image/png;base64,{}", "DATA:;x=y;Base64,{}"])
@pytest.mark.parametrize("joint", ["", "\n", "\r\n", " "])
def test_base64_may_be_a_data_url_and_broken_into_lines(client, wrapped, joint):
    encoded = base64.b64encode(photo(78)).decode()
    lines = joint.join(encoded[i : i + 20] for i in range(0, len(encoded), 20))
    for text in (lines, lines.replace("=", "%3D")) if "," in wrapped else (lines,):
        answer = client.post("/v1/caption", json={"photo": wrapped.format(text)})
        assert answer.json()["caption"] == "A picture <78>"


def test_a_photograph_is_encoded_once(client, monkeypatch):
    monkeypatch.setattr(Double, "encoded", [])
    files, data = {"photo": photo(5)}, {"question": "is it red?"}
    assert client.post("/v1/caption", files=files).json()["caption"] == "A picture <5>"
    assert client.post("/v1/answer", files=files, data=data).json()["answer"] == "yes <5>"
    assert Double.encoded == [1]
    client.post("/v1/caption", files={"photo": photo(6)})
    assert Double.encoded == [1, 1]


def test_the_features_that_are_kept_are_limited(calls, tmp_path, monkeypatch):
    monkeypatch.setattr(app, "KNOWN", 2 * 8 * 8 * 3)  # those of two photographs
    monkeypatch.setattr(Double, "encoded", [])
    served = new_app("toy", Double(), LOCAL)
    with TestClient(served, base_url="http://localhost") as client:
        for red in (1, 2, 1, 3, 1, 2):
            found = client.post("/v1/caption", files={"photo": photo(red)}).json()
            assert found["caption"] == f"A picture <{red}>"
    assert len(Double.encoded) == 4  # 3 took the place of 2


def test_a_question_is_answered(client):
    files, data = {"photo": photo(5)}, {"question": "is it red?"}
    found = client.post("/v1/answer", files=files, data=data).json()
    assert (found["answer"], found["confidence"]) == ("yes <5>", 0.62)
    check("Answer", found)


@pytest.mark.parametrize(
    ("path", "sent", "status", "error"),
    [
        ("caption", {"files": {"photo": b"none"}}, 422, "the photograph: empty or not an image"),
        (
            "caption",
            {"files": {"photo": photo(size=(60, 60))[:70]}},
            422,
            "the photograph: damaged or cut",
        ),
        ("caption", {"files": {"photo": b""}}, 422, "photo is missing"),
        ("caption", {"data": {"photo": "text"}, "files": {"x": b"y"}}, 422, "photo is missing"),
        ("caption", {}, 415, "send multipart/form-data or application/json"),
        ("caption", {"json": {}}, 422, "photo is missing"),
        ("caption", {"json": []}, 400, "no JSON object"),
        ("caption", {"json": {"photo": "?"}}, 422, "photo is not base64"),
        ("caption", {"json": {"photo": 3}}, 422, "photo is not base64"),
        ("caption", {"json": {"photo": "data:image/png,aaaa"}}, 422, "photo is not base64"),
        ("caption", {"json": {"photo": "data:image/png;base64"}}, 422, "photo is missing"),
        ("answer", {"files": {"photo": photo()}}, 422, "question is missing"),
        ("answer", {"files": {"photo": photo()}, "data": {"question": "?!"}}, 422, "no words"),
        ("answer", {"files": {"photo": photo()}, "data": {"question": "a" * 501}}, 422, "at most"),
        ("answer", {"json": {"photo": "aaaa", "question": 3}}, 422, "question is no text"),
        ("answer", {"content": LONELY, "headers": JSON}, 422, "question is no text"),
        ("answer", {"content": PUNYCODE, "headers": FORM}, 400, "no form that can be read"),
        ("nothing", {}, 404, "Not Found"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_json(client, path, sent, status, error):
    response = client.post(f"/v1/{path}", **sent)
    assert response.status_code == status
    assert error in response.json()["error"]
    check("Error", response.json())
    assert client.post("/v1/caption", files={"photo": photo()}).status_code == 200  # it lives


def test_a_body_that_is_no_form_is_refused(client):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\nContent-Disposition: form-data; name=photo\r\n\r\nhalf", b"--y"):
        response = client.post("/v1/caption", content=body, headers=headers)
        assert response.status_code in (400, 422) and "error" in response.json()


def test_a_body_that_is_too_large_is_refused(client, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 2**20)
    for sent in ({"files": {"photo": bytes(2**21)}}, {"json": {"photo": "a" * 2**21}}):
        response = client.post("/v1/caption", **sent)
        assert (response.status_code, response.json()) == (413, {"error": "more than 1 MiB"})


def test_a_bomb_is_refused(client):
    small = photo()
    header = small[12:16] + struct.pack(">II", 40_000, 40_000) + small[24:29]
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    response = client.post("/v1/caption", files={"photo": bomb})
    assert response.status_code == 422 and "pixels" in response.json()["error"]


def test_bodies_that_are_too_many_together_are_refused(client, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_TOGETHER", 2**20)
    sent = {"files": {"photo": bytes(2**20)}}
    response = client.post("/v1/caption", **sent)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert client.post("/v1/caption", files={"photo": photo()}).status_code == 200  # none is held


def test_50_megapixels_are_the_most(client):
    file = io.BytesIO()
    Image.new("L", (7100, 7050), 200).save(file, "PNG", compress_level=1)
    response = client.post("/v1/caption", files={"photo": file.getvalue()})
    assert response.json()["error"].endswith("larger than 50,000,000 pixels; scale it down")


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "[::1]"])
def test_names_of_this_computer_are_answered_to(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::2]", "", "[::1"])
def test_other_names_are_not(client, host):
    assert client.get("/health", headers={"host": host}).status_code == 400


def test_the_page_and_its_files(client):
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "$" not in page.text and f"captioner {__version__}" in page.text
    left, seen = ["page.css", "look.css", "page.js", "service-worker.js"], set()
    while left:  # modules that import others
        name = left.pop()
        seen.add(name)
        file = client.get(f"/{name}")
        assert file.status_code == 200, name
        assert file.headers["content-type"].split(";")[0] == TYPES[Path(name).suffix]
        assert "http" not in file.text
        left += set(re.findall(r'(?m)^import .*"\./(.*)";$', file.text)) - seen
    assert "captioner.js" in seen and "model.js" not in seen
    assert client.get("/example.jpg").content == (SITE / "example.jpg").read_bytes()
    assert client.get("/about.json").json()["grid"] == [2, 2]


def test_the_page_is_told_where_each_word_looked(client):
    files, data = {"photo": photo(9)}, {"question": "is it red?"}
    shown = client.post("/view", files=files, data=data).json()
    assert (shown["text"], shown["confidence"], shown["concepts"]) == ("yes <9>", 0.62, [])
    word = {"word": "red", "probability": 0.5, "attention": [0.25] * 4}
    assert shown["words"] == shown["candidates"][1]["words"] == [word]
    assert shown["candidates"][1]["text"] == "other"


def test_a_photograph_is_shown_to_a_browser_that_does_not_read_it(client):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # lies on its side
    Image.new("RGB", (2000, 1000), "teal").save(file, "TIFF", exif=exif)
    picture = client.post("/picture", files={"photo": file.getvalue()})
    assert picture.headers["content-type"] == "image/jpeg"
    shown = Image.open(io.BytesIO(picture.content))
    assert shown.size == (500, 1000) and not shown.getexif()
    refused = client.post("/picture", files={"photo": b"none"})
    assert refused.status_code == 422 and "not an image" in refused.json()["error"]


def test_health_counts(client):
    client.post("/v1/caption", files={"photo": photo()})
    client.post("/v1/caption", files={"photo": b"?"})
    health = client.get("/health").json()
    check("Health", health)
    assert (health["captions"], health["refused"], health["preset"]) == (1, 1, "toy")


def test_a_defect_is_one_request_s_own(client):
    assert client.post("/v1/caption", files={"photo": photo(13)}).status_code == 500
    assert client.post("/v1/caption", files={"photo": photo(14)}).status_code == 200


def test_a_model_that_has_no_answers_says_so(calls, tmp_path):
    served = new_app("toy", Double.from_preset("captions"), LOCAL)
    with TestClient(served, base_url="http://localhost") as client:
        response = client.post("/v1/answer", files={"photo": photo()}, data={"question": "a?"})
    assert response.json() == {"error": "toy answers no questions"}


def test_what_waits_together_is_written_together(calls):
    async def ask():
        server = Batcher(Double())
        pixels = [np.full((8, 8, 3), i, "uint8") for i in range(20, 40)]
        waiting = [asyncio.create_task(server.write(p)) for p in pixels]
        await asyncio.sleep(0)
        waiting[3].cancel()  # left before its turn
        running = asyncio.create_task(server.run())
        captions = await asyncio.gather(*waiting, return_exceptions=True)
        running.cancel()
        return captions

    captions = asyncio.run(ask())
    assert [c.text for i, c in enumerate(captions) if i != 3] == [
        f"A picture <{20 + i}>" for i in range(20) if i != 3
    ]
    assert calls == [15, 4]


def test_more_than_can_wait_are_refused():
    async def ask():
        server = Batcher(Double())
        pixels = np.zeros((8, 8, 3), "uint8")
        waiting = [asyncio.create_task(server.write(pixels)) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await server.write(pixels)
        for task in waiting:
            task.cancel()

    asyncio.run(ask())


def test_answers_go_to_who_asked(client):
    found = {}

    def ask(red):
        found[red] = client.post("/v1/caption", files={"photo": photo(red)}).json()["caption"]

    threads = [threading.Thread(target=ask, args=(red,)) for red in range(40, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {red: f"A picture <{red}>" for red in range(40, 60)}
