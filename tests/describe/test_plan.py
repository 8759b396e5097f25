"""Plans: what a person wrote is kept, and nothing is written that does not change."""

import os

import pytest
from describe.samples import (
    DARKTABLE,
    encoded,
    exif,
    iptc,
    jpeg,
    languages,
    pages,
    picture,
    png,
    png_xmp,
    segment,
    xmp,
)
from PIL.PngImagePlugin import PngInfo

from captioner.data.metadata import pages_of
from captioner.describe import containers, files
from captioner.describe.containers import container_of
from captioner.describe.errors import DescriptionError
from captioner.describe.plan import Outcome, Skipped, plan, plan_undo, sidecar_of
from captioner.describe.xmp import ALT, DESCRIPTION, Packet

TEXT = "A dog runs on grass."


@pytest.fixture
def photo(tmp_path):
    def make(content, name="dog.jpg"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return make


def described(path, text=TEXT, **options):
    planned = plan(path, text, **options)
    planned.carry_out()
    return planned


def undone(path, **options):
    planned = plan_undo(path, **options)
    planned.carry_out()
    return planned.outcome


def packet_of(path):
    return Packet(container_of(path.read_bytes()).read(path.read_bytes()))


def texts(path):
    packet = packet_of(path)
    return packet.texts(DESCRIPTION), packet.texts(ALT)


def test_a_description_is_written_and_taken_out(photo):
    path = photo(jpeg("exif", "mpf"))
    before = path.read_bytes()
    planned = plan(path, TEXT)
    assert path.read_bytes() == before  # until it is carried out
    assert planned.texts == {DESCRIPTION: TEXT, ALT: TEXT}
    planned.carry_out()
    assert path.read_bytes() == planned.content
    assert texts(path) == ({"x-default": TEXT}, {"x-default": TEXT})
    assert described(path, "Another.").outcome is Outcome.WRITTEN  # it was ours
    assert undone(path) is Outcome.UNDONE
    assert path.read_bytes() == before
    assert undone(path) is Outcome.NOTHING


@pytest.mark.parametrize("sidecar", [False, True])
def test_the_same_text_is_not_written_again(photo, sidecar):
    path = photo(jpeg("exif", "xmp"))
    described(path, sidecar=sidecar)
    place = sidecar_of(path) if sidecar else path
    before = place.stat()  # reading changes the time of the last access
    again = described(path, sidecar=sidecar)
    assert again.outcome is Outcome.SAME and again.content is None
    assert again.texts == {DESCRIPTION: Skipped.SAME, ALT: Skipped.SAME}
    after = place.stat()
    assert (after.st_ino, after.st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def with_png_text(key):
    text = PngInfo()
    text.add_itxt(key, "My dog, café")
    return png(pnginfo=text)


MY_DOG = "My dog, café".encode()
PERSONS = {
    "EXIF": encoded("JPEG", exif=exif(tag10E="My dog")),
    "EXIF in a WebP": encoded("WEBP", exif=exif(tag10E="My dog")),
    "a user comment": encoded("JPEG", exif=exif(comment=b"ASCII\0\0\0My dog")),
    "a user comment in UTF-16": encoded(
        "JPEG", exif=exif(comment=b"UNICODE\0" + "Mój pies".encode("utf-16-be"))
    ),
    "a comment of Windows": encoded("JPEG", exif=exif(tag9C9C="My dog".encode("utf-16-le"))),
    "IPTC": jpeg("exif", more=iptc(MY_DOG)),
    "IPTC in Latin-1": jpeg("exif", more=iptc("Mein Hund, süß".encode("latin-1"))),
    "a comment of a JPEG": encoded("JPEG", comment=MY_DOG),
    "a description of a PNG": with_png_text("Description"),
    "tiff:ImageDescription": jpeg("xmp", packet=xmp(languages("tiff:ImageDescription", de="Hund"))),
    "a page of a TIFF": pages(2, tiffinfo={270: "My dog"}),
}


@pytest.mark.parametrize("content", PERSONS.values(), ids=PERSONS.keys())
@pytest.mark.parametrize("sidecar", [False, True])
def test_a_caption_outside_of_dc_description_is_a_persons(photo, content, sidecar):
    path = photo(content)
    planned = described(path, sidecar=sidecar)
    assert planned.outcome is Outcome.PARTLY
    assert planned.texts == {DESCRIPTION: Skipped.ELSEWHERE, ALT: TEXT}
    assert described(path, sidecar=sidecar, overwrite=True).texts[DESCRIPTION] == TEXT


NOBODYS = {
    "blank": encoded("JPEG", exif=exif(comment=b"ASCII\0\0\0" + b" " * 20)),
    "zeros": encoded("JPEG", exif=exif(comment=bytes(60))),
    "binary": encoded("JPEG", exif=exif(comment=bytes(range(120, 200)))),
    "a camera": encoded("JPEG", exif=exif(tag10E="OLYMPUS DIGITAL CAMERA         ")),
    "another camera": encoded("JPEG", exif=exif(tag10E="SONY DSC")),
    "a program": encoded("JPEG", comment=b"Created with GIMP"),
    "ImageJ": pages(2, tiffinfo={270: "ImageJ=1.53t\nimages=2"}),
}


@pytest.mark.parametrize("content", NOBODYS.values(), ids=NOBODYS.keys())
def test_a_text_of_a_camera_is_no_caption(photo, content):
    assert described(photo(content)).outcome is Outcome.WRITTEN


def test_what_a_person_wrote_is_kept(photo):
    mine = languages("dc:description", default="My dog")
    path = photo(
        jpeg("xmp", packet=xmp(mine + languages("Iptc4xmpCore:AltTextAccessibility", de="Hund")))
    )
    before = path.read_bytes()
    planned = described(path)
    assert planned.outcome is Outcome.KEPT and path.read_bytes() == before
    assert planned.texts == {DESCRIPTION: Skipped.PERSON, ALT: Skipped.PERSON}
    assert described(path, overwrite=True).outcome is Outcome.WRITTEN
    assert texts(path) == ({"x-default": TEXT}, {"x-default": TEXT, "de": "Hund"})


def test_what_lacks_is_added_to_what_a_person_wrote(photo):
    path = photo(jpeg("xmp", packet=xmp(languages("dc:description", default="My dog"))))
    assert described(path).texts == {DESCRIPTION: Skipped.PERSON, ALT: TEXT}
    # Later changes by a person are kept.
    changed = packet_of(path)
    changed.put(ALT, "Rex")
    path.write_bytes(jpeg("xmp", packet=changed.to_bytes()))
    assert described(path, "Another.").outcome is Outcome.KEPT
    assert undone(path) is Outcome.UNDONE
    assert texts(path) == ({"x-default": "My dog"}, {"x-default": "Rex"})


def test_a_language_that_a_person_has_added_stays(photo):
    path = photo(jpeg())
    described(path)
    content = path.read_bytes()
    ours = f'<rdf:li xml:lang="x-default">{TEXT}</rdf:li>'.encode()
    german = b'<rdf:li xml:lang="de">Ein Hund</rdf:li>'
    packet = packet_of(path).to_bytes().replace(ours, ours + german)
    path.write_bytes(container_of(content).write(content, packet))
    described(path, "Another.")
    assert texts(path)[0] == {"x-default": "Another.", "de": "Ein Hund"}
    undone(path)
    assert texts(path)[0] == {"de": "Ein Hund"}


@pytest.mark.parametrize("name", ["dog.jpg.xmp", "dog.jpg.XMP", "dog.xmp", "dog.XMP"])
@pytest.mark.parametrize("sidecar", [False, True])
def test_a_caption_in_any_sidecar_is_a_persons(photo, name, sidecar):
    path = photo(jpeg("exif"))
    mine = photo(xmp(languages("dc:description", default="My dog")), name)
    planned = described(path, sidecar=sidecar)
    assert planned.texts == {DESCRIPTION: Skipped.PERSON, ALT: TEXT}
    assert Packet(mine.read_bytes()).texts(DESCRIPTION) == {"x-default": "My dog"}
    written_into = {path.name} if not sidecar else {name if "jpg" in name else "dog.jpg.xmp"}
    assert {planned.place.name} == written_into


def test_a_caption_in_the_photograph_is_kept_by_a_sidecar(photo):
    path = photo(png(png_xmp(xmp(languages("dc:description", default="My dog")))), "dog.png")
    assert described(path, sidecar=True).texts == {DESCRIPTION: Skipped.PERSON, ALT: TEXT}


def test_a_copy_of_our_text_is_not_a_persons(photo):
    path = photo(encoded("JPEG", exif=exif(tag10E=TEXT)))
    described(path, overwrite=True)
    photo(xmp(languages("dc:description", default=TEXT)), "dog.jpg.xmp")  # as darktable copies it
    assert described(path, "Another.").texts == {DESCRIPTION: "Another.", ALT: "Another."}


def test_a_sidecar_leaves_the_photograph_alone(photo):
    path = photo(encoded("BMP"), "dog.bmp")
    with pytest.raises(DescriptionError, match=r"dog\.bmp: .* hold no XMP; try --sidecar"):
        plan(path, TEXT)
    before = path.read_bytes()
    assert described(path, sidecar=True).outcome is Outcome.WRITTEN
    assert path.read_bytes() == before and sidecar_of(path).name == "dog.bmp.xmp"
    assert undone(path, sidecar=True) is Outcome.UNDONE
    assert not sidecar_of(path).exists()
    assert undone(path, sidecar=True) is Outcome.NOTHING


def test_a_sidecar_of_a_person_is_added_to(photo):
    path = photo(encoded("JPEG"))
    sidecar = photo(DARKTABLE, "dog.jpg.xmp")
    described(path, sidecar=True)
    assert Packet(sidecar.read_bytes()).others() == Packet(DARKTABLE).others()
    undone(path, sidecar=True)
    assert Packet(sidecar.read_bytes()).others() == Packet(DARKTABLE).others()


BROKEN = xmp("<dc:title>R&D</dc:title>")


@pytest.mark.parametrize("options", [{}, {"overwrite": True}])
def test_broken_xmp_is_never_written_over(photo, options):
    path = photo(jpeg("xmp", packet=BROKEN))
    with pytest.raises(DescriptionError, match=r"dog\.jpg: .*its XMP is broken .*; try --sidecar"):
        plan(path, TEXT, **options)
    with pytest.raises(DescriptionError, match="its XMP is broken"):
        plan_undo(path)
    path.write_bytes(encoded("JPEG"))
    photo(BROKEN, "dog.jpg.xmp")
    with pytest.raises(DescriptionError, match=r"dog\.jpg\.xmp: .*its XMP is broken .*; repair it"):
        plan(path, TEXT, sidecar=True, **options)


def test_broken_xmp_elsewhere_may_be_a_persons_caption(photo):
    path = photo(jpeg("xmp", packet=BROKEN))
    with pytest.raises(DescriptionError, match=r"dog\.jpg: may contain .*--overwrite"):
        plan(path, TEXT, sidecar=True)
    assert described(path, sidecar=True, overwrite=True).outcome is Outcome.WRITTEN
    path = photo(encoded("PNG"), "cat.png")
    photo(BROKEN, "cat.xmp")
    with pytest.raises(DescriptionError, match=r"cat\.xmp: may contain .*--overwrite"):
        plan(path, TEXT)


def test_a_tag_in_latin_1_does_not_matter(photo):
    content = jpeg("exif").replace(b"Canon", b"Caf\xe9\xe9")
    path = photo(content)
    assert described(path).outcome is Outcome.WRITTEN
    assert undone(path) is Outcome.UNDONE and path.read_bytes() == content


def test_a_name_that_is_not_utf_8(photo, tmp_path):
    path = photo(jpeg("exif"), os.fsdecode(b"caf\xe9.jpg"))
    assert described(path).outcome is Outcome.WRITTEN
    assert described(path, sidecar=True, text="Another.").outcome is Outcome.WRITTEN


@pytest.mark.parametrize("sidecar", [False, True])
def test_a_change_by_another_program_is_not_lost(photo, sidecar):
    path = photo(jpeg("exif"))
    planned = plan(path, TEXT, sidecar=sidecar)
    place = photo(xmp(), sidecar_of(path).name) if sidecar else photo(jpeg("exif", "xmp"))
    before = place.read_bytes()
    with pytest.raises(OSError, match="was changed meanwhile"):
        planned.carry_out()
    assert place.read_bytes() == before


def test_a_sidecar_that_is_no_file(photo, tmp_path):
    path = photo(jpeg("exif"))
    os.mkfifo(tmp_path / "dog.xmp")  # whoever opens it waits forever
    assert described(path).outcome is Outcome.WRITTEN
    (tmp_path / "dog.jpg.xmp").mkdir()
    with pytest.raises(OSError, match="is not a regular file"):
        plan(path, TEXT, sidecar=True)


def test_a_change_that_is_found_to_do_damage_is_not_made(photo, monkeypatch):
    path = photo(pages(3), "dog.tif")
    before = path.read_bytes()
    sized = iter([[1], [2]])
    monkeypatch.setattr(containers, "pages_of", lambda content: next(sized))
    with pytest.raises(DescriptionError, match=r"dog\.tif: .* its pictures would change"):
        plan(path, TEXT)
    assert path.read_bytes() == before


def test_a_file_that_may_not_be_replaced_is_refused_by_the_plan(photo):
    path = photo(encoded("JPEG"))
    os.link(path, path.with_name("other.jpg"))
    with pytest.raises(OSError, match="hard links"):
        plan(path, TEXT)
    assert described(path, sidecar=True).outcome is Outcome.WRITTEN
    sidecar_of(path).chmod(0o444)
    with pytest.raises(OSError, match="read-only"):
        plan_undo(path, sidecar=True)
    assert plan(path, TEXT, sidecar=True).outcome is Outcome.SAME
    assert plan_undo(path).outcome is Outcome.NOTHING


def test_the_time_of_a_photograph_stays_and_that_of_a_sidecar_does_not(photo):
    path = photo(encoded("JPEG"))
    sidecar = photo(DARKTABLE, "dog.jpg.xmp")
    for place, options in ((path, {}), (sidecar, {"sidecar": True})):
        os.utime(place, ns=(10**18, 10**18 + 1))
        described(path, **options)
        assert (place.stat().st_mtime_ns == 10**18 + 1) == (place == path)


def test_an_interruption_loses_nothing(photo, monkeypatch):
    path = photo(encoded("JPEG"))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        described(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["dog.jpg"]


def test_a_damaged_file_is_named(photo, tmp_path):
    path = photo(b"\xff\xd8\xff\xe0 no more", "broken.jpg")
    with pytest.raises(DescriptionError, match=r"broken\.jpg: cannot be changed safely"):
        plan(path, TEXT)
    with pytest.raises(FileNotFoundError):
        plan(tmp_path / "none.jpg", TEXT)


def test_a_photograph_of_a_thousand_comments(photo):
    more = b"".join(segment(0xFE, b"binary comment") for _ in range(1000))
    path = photo(jpeg("exif", "mpf", more=more))
    assert described(path).outcome is Outcome.WRITTEN
    assert len(pages_of(path.read_bytes())) == len(pages_of(jpeg("mpf")))
    assert encoded("JPEG", picture(1, "L")) in path.read_bytes()
