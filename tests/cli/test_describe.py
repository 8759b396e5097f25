"""`captioner describe`, with a small double in the place of the model."""

import os
from pathlib import Path

import pytest
from describe.samples import languages, lightroom_faces, png, png_xmp, xmp
from PIL import Image

from captioner.cli import main
from captioner.data.metadata import xmp_of
from captioner.describe.plan import sidecar_of
from captioner.describe.xmp import ALT, Packet

NAMES = ("dc:description", "Iptc4xmpCore:AltTextAccessibility")


class Caption:
    def __init__(self, red):
        self.text, self.confidence = f"Red {red}.", red / 255


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of a bright and a dark photograph and a broken one."""
    from cli.double import Double

    class Calibrated(Double):
        calibration = True

    def generate(model, inputs, questions, *, sampler, seed):
        return [[Caption(int(image[0, 0, 0]))] for image in inputs["photographs"]]

    monkeypatch.setattr("captioner.generation.batching.generate", generate)
    monkeypatch.setattr("captioner.cli.models.load_captioner", lambda _: ("toy", Calibrated()))
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, red in (("bright.png", 204), ("dark.png", 51)):
        Image.new("RGB", (8, 8), (red, 0, 0)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"none")
    return folder


def alt(path):
    packet = path.read_bytes() if path.suffix == ".xmp" else xmp_of(path.read_bytes())
    return Packet(packet).texts(ALT).get("x-default") if packet else None


def run(capsys, *arguments):
    status = main(["describe", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err.splitlines()


def test_photographs_are_described_and_the_broken_one_is_named(photos, capsys):
    status, out, err = run(capsys, photos)
    bright, dark = photos / "bright.png", photos / "dark.png"
    assert status == 1
    assert out == [f"{bright}\tRed 204.", f"{dark}\tRed 51."]
    assert "broken.jpg: empty or not an image" in err[0] and err[1] == "captioner: 2 described"
    assert (alt(bright), alt(dark)) == ("Red 204.", "Red 51.")
    status, out, err = run(capsys, bright, dark, "--undo")
    assert (status, out, err) == (0, [], ["captioner: 2 removed"])
    assert alt(bright) is None


def test_the_unsure_are_left_out(photos, capsys):
    bright, dark = photos / "bright.png", photos / "dark.png"
    status, out, err = run(capsys, bright, dark, "--min-confidence", "0.5")
    assert (status, out) == (0, [f"{bright}\tRed 204."])
    assert err == ["captioner: 1 described, 1 skipped: confidence below --min-confidence"]
    assert alt(dark) is None


def test_a_dry_run_writes_nothing(photos, capsys):
    path = photos / "bright.png"
    before = path.read_bytes()
    said = ["captioner: dry run, nothing written: 1 described"]
    assert run(capsys, path, "--dry-run") == (0, [f"{path}\tRed 204."], said)
    assert path.read_bytes() == before


def test_a_dry_run_says_what_a_run_would_do(photos, capsys):
    described(photos / "bright.png", "Mine")
    photos.joinpath("dark.png").chmod(0o444)
    (photos / "same.png").write_bytes((photos / "bright.png").read_bytes())
    described(photos / "same.png")
    run(capsys, photos / "same.png")
    dry = run(capsys, photos, "--dry-run")
    real = run(capsys, photos)
    assert dry[:2] == real[:2] == (1, [])
    assert [line.replace("dry run, nothing written: ", "") for line in dry[2]] == real[2]
    assert real[2][1:] == [
        f"captioner: {photos / 'dark.png'}: is read-only; make it writable first",
        "captioner: 1 already described by a person, 1 already described in the same words",
    ]


def described(path, text=None):
    """Write what a person has written, or nothing, into a photograph."""
    mine = [languages(name, default=text) for name in NAMES] if text else []
    with Image.open(path) as image:
        path.write_bytes(png(png_xmp(xmp("".join(mine))), image=image.copy()))


def test_a_name_that_is_not_utf_8(photos, capfdbinary):
    path = photos / os.fsdecode(b"caf\xe9.png")
    (photos / "bright.png").rename(path)
    assert main(["describe", str(path)]) == 0
    assert capfdbinary.readouterr().out == os.fsencode(path) + b"\tRed 204.\n"
    assert alt(path) == "Red 204."


def test_a_part_that_a_person_has_written_is_told(photos, capsys):
    path = photos / "bright.png"
    exif = Image.Exif()
    exif[0x010E] = "Mine"
    with Image.open(path) as image:
        image.save(path, exif=exif)
    status, out, err = run(capsys, path)
    assert (status, out) == (0, [f"{path}\tRed 204."])
    assert err == ["captioner: 1 described in part (a person wrote the rest)"]


def test_sidecars_and_what_a_person_wrote(photos, capsys):
    path = photos / "bright.png"
    assert run(capsys, path, "--sidecar")[0] == 0
    assert alt(path) is None and alt(sidecar_of(path)) == "Red 204."
    described(path, "Mine")
    status, out, err = run(capsys, path)
    assert (status, out) == (0, []) and err == ["captioner: 1 already described by a person"]
    run(capsys, path, "--overwrite")
    assert alt(path) == "Red 204."


@pytest.mark.parametrize("wrong", [["--undo", "--dry-run"], ["--undo", "--names"], ["-"], []])
def test_wrong_calls(photos, capsys, wrong):
    arguments = [str(photos / "bright.png"), *wrong] if wrong[:1] == ["--undo"] else wrong
    with pytest.raises(SystemExit) as left:
        main(["describe", *arguments])
    assert left.value.code == 2


def test_the_double_is_not_needed_to_undo(photos, capsys, monkeypatch):
    monkeypatch.setattr("captioner.cli.models.load_captioner", None)
    assert run(capsys, Path(photos / "bright.png"), "--undo")[2] == [
        "captioner: 1 without a description by captioner"
    ]


def test_names_are_written_and_shown(photos, capsys, monkeypatch):
    path = photos / "bright.png"
    monkeypatch.setattr(Caption, "__init__", lambda self, red: vars(self).update(text="A man is."))
    with Image.open(path) as image:
        faces = lightroom_faces(("Ann\tB", 0.5, 0.5))
        path.write_bytes(png(png_xmp(xmp(faces)), image=image.copy()))
    assert run(capsys, path, "--dry-run")[1] == [f"{path}\tA man is."]
    assert run(capsys, path, "--names")[:2] == (0, [f"{path}\tAnn B is."])
    assert alt(path) == "Ann B is."
