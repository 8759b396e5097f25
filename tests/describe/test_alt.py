"""Images without alternative text, and what goes in there."""

import difflib
from pathlib import Path

import pytest

from captioner.describe.alt import PageError, filled, gaps_of, read_page

HTML = """<!DOCTYPE html>\r
<html><!-- <img src="no.png"> --><head><script>let x = '<img src="no.png">';</script>\r
<body>\r
<IMG SRC='a b.jpg'><img src="b.png" alt=""><img alt src="c.png">\r
<p><img class=x src=d%20e.png /> <img src="https://x.org/f.png">\r
<img src="g.png" alt="A person's"><img role="presentation" src="h.png">\r
<img\r
   src="i.png"\r
   width=3\r
>caf\xe9 <img aria-hidden="true" src="j.png"><img><img src="data:image/png;base64,xx">\r
"""

MARKDOWN = """# A ![](a.png)

![A person's](b.png) and ![ ](c%20d.png "title") and `![](no.png)` and \\![](no.png)

    ![](no.png)

```
![](no.png)
```

| x | y |
|---|---|
| ![](e.png) | ![](<f g.png>) |

[![](h.png)](https://x.org) ![][ref] <img src="i.png">

<p><img src="j.png"></p>

[ref]: k.png
"""


def test_html(tmp_path):
    page = tmp_path / "page.html"
    page.write_bytes(HTML.encode("latin-1"))
    text = read_page(page)
    gaps = gaps_of(page, text)
    assert [gap.source for gap in gaps] == [
        *("a b.jpg", "d%20e.png", "https://x.org/f.png", "i.png"),
        "data:image/png;base64,xx",
    ]
    files = [gap.file(page) for gap in gaps]
    assert files == [tmp_path / "a b.jpg", tmp_path / "d e.png", None, tmp_path / "i.png", None]
    assert [gap.line for gap in gaps] == [4, 5, 5, 7, 10]
    mine = [gap for gap, file in zip(gaps, files, strict=True) if file]
    new = filled(text, [(gap, f'A "{i}" <café>') for i, gap in enumerate(mine)])
    said = 'alt="A &quot;{}&quot; &lt;caf&#233;&gt;" data-alt-by="captioner"'
    assert f"<IMG SRC='a b.jpg' {said.format(0)}>" in new
    assert f"<img class=x src=d%20e.png {said.format(1)} />" in new
    assert f"   width=3 {said.format(2)}\r\n>caf\xe9" in new
    # Nothing but what went in has changed.
    without = new
    for i in range(3):
        without = without.replace(f" {said.format(i)}", "")
    assert without == text
    page.write_bytes(new.encode("latin-1"))
    assert [gap.source for gap in gaps_of(page, read_page(page))] == [
        gaps[2].source,
        gaps[4].source,
    ]


def test_markdown(tmp_path):
    page = tmp_path / "notes.md"
    page.write_text(MARKDOWN)
    text = read_page(page)
    gaps = gaps_of(page, text)
    names = [gap.file(page).name for gap in gaps]
    assert names == ["a.png", "c d.png", "e.png", "f g.png", "h.png", "k.png", "i.png", "j.png"]
    new = filled(text, [(gap, f"A [{name}] *dog*.") for gap, name in zip(gaps, names, strict=True)])
    mark = "<!-- alt by captioner -->"
    for line in (
        f"# A ![A \\[a.png\\] \\*dog\\*.](a.png){mark}",
        f'![ A \\[c d.png\\] \\*dog\\*.](c%20d.png "title"){mark} and `![](no.png)`',
        f"[![A \\[h.png\\] \\*dog\\*.](h.png){mark}](https://x.org)",
        f"![A \\[k.png\\] \\*dog\\*.][ref]{mark}",
        '<img src="i.png" alt="A [i.png] *dog*." data-alt-by="captioner">',
        '<p><img src="j.png" alt="A [j.png] *dog*." data-alt-by="captioner"></p>',
    ):
        assert line in new
    assert new.count("![](no.png)") == 4
    changed = [
        line for line in difflib.ndiff(text.splitlines(), new.splitlines()) if line[0] == "-"
    ]
    assert len(changed) == 5
    page.write_text(new)
    assert gaps_of(page, read_page(page)) == []


def test_a_page_in_utf8_keeps_its_bytes(tmp_path):
    page = tmp_path / "page.htm"
    page.write_bytes('\ufeff<p>日本<img src="犬.png">'.encode())
    (gap,) = gaps_of(page, read_page(page))
    assert gap.file(page) == tmp_path / "犬.png"
    new = filled(read_page(page), [(gap, "A dog.")]).encode("latin-1").decode()
    assert new == '\ufeff<p>日本<img src="犬.png" alt="A dog." data-alt-by="captioner">'


def test_what_is_no_page_is_named(tmp_path):
    with pytest.raises(PageError, match=r"a\.txt: no page; give one of \.html"):
        read_page(Path("a.txt"))
    (tmp_path / "a.html").write_text("<p>", encoding="utf-16")
    with pytest.raises(PageError, match=r"a\.html: not in an encoding that extends ASCII"):
        read_page(tmp_path / "a.html")
