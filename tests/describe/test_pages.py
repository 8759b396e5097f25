"""Pages as files: what is refused, and what stays byte for byte."""

import os
from pathlib import Path

import pytest

from captioner.describe.pages import PageError, parse_page, read_page


def test_what_is_no_page_is_named(tmp_path):
    with pytest.raises(PageError, match=r"a\.txt: no page; give one of \.html"):
        read_page(Path("a.txt"))
    (tmp_path / "a.html").write_text("<p>", encoding="utf-16")
    with pytest.raises(PageError, match=r"a\.html: not in an encoding that extends ASCII"):
        read_page(tmp_path / "a.html")
    (tmp_path / "b.html").write_text("<p>日本", encoding="iso2022_jp")
    with pytest.raises(PageError, match=r"b\.html: not in an encoding that extends ASCII"):
        read_page(tmp_path / "b.html")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_folder_is_refused_at_once(tmp_path, make):
    make(tmp_path / "a.md")
    with pytest.raises(PageError, match=r"a\.md: not a regular file"):
        read_page(tmp_path / "a.md")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "front", ["---\nx: ![](a)\n---", "---\nx: 1\n... ", "+++\nx = 1\n+++", "---\n---"]
)
def test_front_matter_is_apart(mark, end, front):
    text = f"{mark}{front}\n![](b)\n---\n".replace("\n", end)
    page = parse_page(Path("a.md"), text.encode())
    assert page.head.decode().replace("\r\n", "\n").rstrip("\r") == mark + front
    assert page.position(page.body.index(b"(b")) == (front.count("\n") + 2, 4)


@pytest.mark.parametrize("text", ["", "text\n---\n![](a)\n---\n", "---\n![](a)\n", "----\n\n---\n"])
def test_what_is_not_front_matter_is_not_apart(text):
    page = parse_page(Path("a.md"), text.encode())
    assert (page.head, page.body) == (b"", text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1251", "gb18030"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_insertions_change_nothing_else(encoding, end):
    text = {"latin-1": "é|", "cp1251": "Ж|"}.get(encoding, "日|")
    content = (f"---{end}x: é{end}---{end}".encode(encoding, "replace")) + text.encode(encoding)
    page = parse_page(Path("a.html"), content)
    place = page.body.index(b"|")
    new = page.inserted([(place, b"<2>"), (0, b"<1>")])
    assert new.content.replace(b"<1>", b"").replace(b"<2>", b"") == content
    assert new.content.endswith(b"<2>|")
