"""A folder of photographs of every kind, before and after, as exiftool reads them."""

import json
import shutil
import subprocess

import pytest
from describe.samples import folder

from captioner.describe.plan import Outcome, plan, plan_undo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed"),
]
TEXT = 'A dog & a "cat" — café.'
# What is written, what the system says of a file, and the offsets of pictures that moved: their
# contents are compared.
OURS = {
    "XMP-captioner:Written",
    "XMP-dc:Description",
    "XMP-iptcCore:AltTextAccessibility",
    "XMP-x:XMPToolkit",
    "System:FileSize",
    "System:FileModifyDate",
    "System:FileAccessDate",
    "System:FileInodeChangeDate",
    "System:FilePermissions",
    "MPImage1:MPImageLength",
    "MPImage2:MPImageStart",
    "RIFF:WebP_Flags",
    "RIFF:ImageWidth",  # of a header that a WebP without metadata lacks
    "RIFF:ImageHeight",
    "RIFF:AlphaIsUsed",
    "File:FileType",  # "Extended WEBP"
}


def metadata(path):
    """All that exiftool finds in the files of a folder, pictures included, by their names."""
    command = ["exiftool", "-json", "-a", "-G1", "-struct", "-n", "-b", "-ee", path]
    run = subprocess.run(command, capture_output=True, check=True)
    return {
        found["SourceFile"]: {
            name: value for name, value in found.items() if name not in OURS and value != ""
        }
        for found in json.loads(run.stdout)
    }


def test_everything_but_our_properties_stays(tmp_path):
    files = folder()
    assert len(files) >= 60
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    before = metadata(tmp_path)
    assert any("MPImage2:MPImage2" in found for found in before.values())
    photographs = [tmp_path / name for name in files if not name.endswith(".xmp")]
    for path in photographs:
        planned = plan(path, TEXT, sidecar=path.suffix == ".bmp")
        assert planned.outcome is Outcome.WRITTEN
        planned.carry_out()
    assert metadata(tmp_path) == before
    for path in photographs:
        planned = plan_undo(path, sidecar=path.suffix == ".bmp")
        assert planned.outcome is Outcome.UNDONE
        planned.carry_out()
    assert metadata(tmp_path) == before
    for name in ("plain.jpg", "plain.png", "exif.png", "exif-mpf-iptc.jpg"):
        assert (tmp_path / name).read_bytes() == files[name]


def test_exiftool_reads_what_is_written(tmp_path):
    for name, content in folder().items():
        (tmp_path / name).write_bytes(content)
    for path in [path for path in tmp_path.iterdir() if path.suffix != ".xmp"]:
        plan(path, TEXT, sidecar=path.suffix == ".bmp").carry_out()
    command = ["exiftool", "-json", "-Description", "-AltTextAccessibility", "-Rating", tmp_path]
    run = subprocess.run(command, capture_output=True, check=True)
    found = [one for one in json.loads(run.stdout) if not one["SourceFile"].endswith(".bmp")]
    assert len(found) >= 57
    assert {(one["Description"], one["AltTextAccessibility"]) for one in found} == {(TEXT, TEXT)}
    assert sum("Rating" in one for one in found) > 30
