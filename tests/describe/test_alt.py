"""Images without alternative text, and what goes in there."""

import difflib
from pathlib import Path

import pytest

from captioner.describe.alt import PageError, filled, gaps_of
from captioner.describe.pages import parse_page
from captioner.describe.rendering import differ_only_in

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


def page_of(text, kind="md"):
    return parse_page(Path(f"site/page.{kind}"), text if isinstance(text, bytes) else text.encode())


def fill(page, text="A dog.", mark=False):
    """The text of a page with all its gaps filled."""
    return filled(page, [(gap, text) for gap in gaps_of(page)], mark).text


def paths(text, kind="md"):
    return [gap.path for gap in gaps_of(page_of(text, kind))]


def test_html():
    page = page_of(HTML.encode("latin-1"), "html")
    gaps = gaps_of(page)
    assert [gap.source for gap in gaps] == [
        *("a b.jpg", "d%20e.png", "https://x.org/f.png", "i.png"),
        "data:image/png;base64,xx",
    ]
    assert [gap.path for gap in gaps] == ["a b.jpg", "d e.png", None, "i.png", None]
    assert [gap.line for gap in gaps] == [4, 5, 5, 7, 10]
    mine = [gap for gap in gaps if gap.path]
    new = filled(page, [(gap, f'A "{i}" <café>') for i, gap in enumerate(mine)])
    said = 'alt="A &quot;{}&quot; &lt;caf&#233;&gt;" data-alt-by="captioner"'
    assert f"<IMG SRC='a b.jpg' {said.format(0)}>" in new.text
    assert f"<img class=x src=d%20e.png {said.format(1)} />" in new.text
    assert f"   width=3 {said.format(2)}\r\n>caf\xe9" in new.text
    # Nothing but the insertions has changed.
    without = new.text
    for i in range(3):
        without = without.replace(f" {said.format(i)}", "")
    assert without == HTML and new.content == new.text.encode("latin-1")
    assert [gap.source for gap in gaps_of(new)] == [gaps[2].source, gaps[4].source]


def test_markdown():
    page = page_of(MARKDOWN)
    gaps = gaps_of(page)
    names = [gap.path for gap in gaps]
    assert names == ["a.png", "c d.png", "e.png", "f g.png", "h.png", "k.png", "i.png", "j.png"]
    new = filled(page, [(gap, f"A [{name}] *dog*.") for gap, name in zip(gaps, names, strict=True)])
    mark = "<!-- alt by captioner -->"
    for line in (
        f"# A ![A \\[a.png\\] \\*dog\\*.](a.png){mark}",
        f'![ A \\[c d.png\\] \\*dog\\*.](c%20d.png "title"){mark} and `![](no.png)`',
        f"[![A \\[h.png\\] \\*dog\\*.](h.png){mark}](https://x.org)",
        f"![A \\[k.png\\] \\*dog\\*.][ref]{mark}",
        '<img src="i.png" alt="A [i.png] *dog*." data-alt-by="captioner">',
        '<p><img src="j.png" alt="A [j.png] *dog*." data-alt-by="captioner"></p>',
    ):
        assert line in new.text
    assert new.text.count("![](no.png)") == 4
    changed = [
        line
        for line in difflib.ndiff(MARKDOWN.splitlines(), new.text.splitlines())
        if line[0] == "-"
    ]
    assert len(changed) == 5
    assert gaps_of(new) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("![](photo(1).jpg)", "photo(1).jpg"),
        ("![](<a (1).jpg>)", "a (1).jpg"),
        (r"![](a\)\[.jpg)", "a)[.jpg"),
        ('![](a.jpg "a) title")', "a.jpg"),
        ("![](\n  a.jpg\n  'a ) title'\n)", "a.jpg"),
        ("![](café.jpg)", "café.jpg"),
        ("![](caf%C3%A9.jpg)", "café.jpg"),
        ("![](a%2520b.jpg)", "a%20b.jpg"),
        ("![](a&amp;b.jpg)", "a&b.jpg"),
        ("![](a&amp;amp;b.jpg)", "a&amp;b.jpg"),
        ("![](100%.jpg)", "100%.jpg"),
        ("![](a.jpg?size=3#x)", "a.jpg"),
        ("![][a ref]\n\n[A REF]: <x y.jpg> 'title'", "x y.jpg"),
        ("> - ![](\n>   a.jpg)", "a.jpg"),
        ("> <img\n> src=a.jpg>", "a.jpg"),
        ('- <div>\n  <img src="a.jpg"/>\n\n  </div>', "a.jpg"),
        ("<div>\n\n![](a.jpg)\n\n</div>", "a.jpg"),
    ],
)
def test_the_target_of_an_image_in_markdown(text, path):
    for end in ("\n", "\r\n", "\r"):
        page = page_of(text.replace("\n", end))
        assert [gap.path for gap in gaps_of(page)] == [path]
        new = fill(page)
        assert new.replace("A dog.", "").replace(' alt=""', "") == page.text
        assert ("![A dog.]" in new) == ("![]" in text)


@pytest.mark.parametrize(
    "attributes",
    ["{width=50%}", "{: .class}", '{title="}"}', "{#id .a\nwidth=3}", "", " {x}", "{{ x }}", "{ x"],
)
def test_attributes_stay_beside_their_image(attributes):
    page = page_of(f"![](a.jpg){attributes} text")
    behind = attributes if attributes[:1] == "{" and attributes not in ("{{ x }}", "{ x") else ""
    mark = "<!-- alt by captioner -->"
    rest = attributes.removeprefix(behind) if behind else attributes
    assert fill(page, mark=True) == f"![A dog.](a.jpg){behind}{mark}{rest} text"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('<img src="a&amp;b.jpg">', "a&b.jpg"),
        ('<img src="a&amp;amp;b.jpg">', "a&amp;b.jpg"),
        ('<img src="a&para1.jpg">', "a&para1.jpg"),
        ('<img src="a%2520b.jpg">', "a%20b.jpg"),
        ("<img src=' a.jpg\n'>", "a.jpg"),
        ("<img src=a.jpg/>", "a.jpg/"),
        ("<img src=a.jpg src=b.jpg>", "a.jpg"),
        ("<p>1 < 2 and {% if a < b %} <img src=a.jpg>", "a.jpg"),
        ("<![ endif]><img src=a.jpg>", "a.jpg"),
        ("<table><img src=a.jpg><tr>", "a.jpg"),
        ("<img data-captioner-probe=x src=a.jpg>", "a.jpg"),
        ("<base href=img/x><img src=a.jpg>", "img/a.jpg"),
        ("<base><base href=../><base href=y/><img src=a.jpg>", "../a.jpg"),
        ("<base href=/img/><img src=a.jpg>", "/img/a.jpg"),
        ("<base href=img/><img src=/a.jpg>", "/a.jpg"),
        ("<base href=https://x.org/><img src=a.jpg>", None),
        ("<base href=//[x><img src=a.jpg>", None),
        ("<img src='//[x'>", None),
        ("<img src='//x.org/a.jpg'>", None),
        ("<img src='file:///a.jpg'>", None),
        ("<img src='a%00.jpg'>", None),
        ("<img src='#a'>", None),
    ],
)
def test_the_target_of_an_image_in_html(text, path):
    page = page_of(text, "html")
    assert [gap.path for gap in gaps_of(page)] == [path]
    assert fill(page).replace(' alt="A dog."', "") == text


def test_a_name_is_in_the_encoding_of_the_page():
    (gap,) = gaps_of(page_of("<img src=é.jpg>".encode("latin-1"), "html"))
    assert gap.file(Path("a/b.html")) == Path("a/é.jpg")
    (gap,) = gaps_of(page_of("\ufeff<p>日本<img src=犬.png>", "html"))
    assert gap.file(Path("a/b.html")) == Path("a/犬.png")


def test_paths_from_the_root_of_the_site():
    (gap,) = gaps_of(page_of('<img src="/img/%2e%2e/../../a.jpg">', "html"))
    assert gap.file(Path("site/x/page.html")) is None
    assert gap.file(Path("site/x/page.html"), Path("site")) == Path("site/a.jpg")
    (gap,) = gaps_of(page_of('<img src="../a.jpg">', "html"))
    assert gap.file(Path("x/page.html"), Path("site")) == Path("x/../a.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "---\nhero: <img src=a>\n---\n",
        "<textarea><img src=a></textarea>",
        "<title><img src=a></title><xmp><img src=a></xmp><iframe><img src=a></iframe>",
        "<script>x = `<img src=a>`</script><style><img src=a></style>",
        "<template><img src=a></template>",
        "<p title='<img src=a>' onclick=\"x = '<img src=a>'\">",
        "<!-- <img src=a> --><!--[if IE]><img src=a><![endif]--><b <img src=a>",
        "<p>{{ '<img src=a>' }} {% set x = '<img src=a>' %} {# <img src=a> #}",
        "<p><?= '<img src=a>' ?> <% x('<img src=a>') %> ${ y } x = `<img src=a>`",
        "<![CDATA[ <p><img src=a></p> ]]>",
        *(
            f"<p><img {attribute} src=a>"
            for attribute in (
                *(":alt=x", "v-bind:alt=x", "[alt]=x", "[attr.alt]=x", "th:alt=x", "alt.bind=x"),
                *("v-bind=x", "data-bind='attr: {alt: x}'", "{...props}", "{alt}", "alt={x}"),
                *(
                    "data-alt=x",
                    ":src=x",
                    "data-src=x",
                    "{{ attributes }}",
                    "{% if x %}alt=y{% endif %}",
                    "<?= $alt ?>",
                ),
                *("alt", "alt=''", "alt= ", "aria-label=x", "aria-labelledby=x", "title=x"),
                *("hidden", "aria-hidden=true", "role=none", "role='img presentation'"),
                *("style='DISPLAY: none'", "style=visibility:hidden"),
            )
        ),
        "<div hidden><p><img src=a></p></div><div aria-hidden=true><img src=a></div>",
        "<p style=display:none><span><img src=a></span>",
        "<img src='{{ url }}'><img src='a{{ x }}'><img src='{% url %}'><img src={x}>",
        "<img :src=a><img data-src=a><img srcset='a 2x'><img src><img src=''><img>",
    ],
)
def test_what_is_left_alone_in_html(text):
    assert paths(text, "html") == []


@pytest.mark.parametrize(
    "text",
    [
        '---\nhero: "![](a)"\n---\n',
        "+++\nx = '![](a)'\n+++\n",
        "`![](a)` ``` ` ![](a) ```",
        "    ![](a)\n\n~~~\n![](a)\n~~~\n",
        "x\r\r    ![](a)\r",
        r"\![](a) !\[](a) ![\](a)",
        "<!-- ![](a) -->\n\n<pre>\n![](a)\n</pre>",
        "<textarea>\n\n<img src=a>\n\n![](a)\n</textarea>",
        "<div hidden>\n\n![](a)\n\n</div>",
        "{{ '![](a)' }} {% x '![](a)' %} $![](a)$",
        "export const x = `\n<img src=a>\n`",
        '![](a){alt="x"} ![](a){.y aria-hidden=true}',
        "![](a b.jpg) ![][nowhere] ![]() ![]({{url}})",
        "![A dog](a) ![dog][] ![dog]\n\n[dog]: a",
        '<img src=a title="x">',
    ],
)
def test_what_is_left_alone_in_markdown(text):
    assert paths(text) == []


def test_without_marks():
    assert fill(page_of("![](a.jpg)\n")) == "![A dog.](a.jpg)\n"
    assert fill(page_of("<img src=a.jpg>", "html")) == '<img src=a.jpg alt="A dog.">'


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("html", "<img src=x>"),
        ("md", "<img src=x>"),
        ("md", "![](x)"),
        ("md", "> | ![](x) |\n> |-|"),
    ],
)
def test_signs_of_a_caption_say_nothing_else(kind, text):
    said = r"""A "dog" & <b>'s` *_[x](y)\ &amp; {{ z }} $a$ ~~b~~ | é 犬"""
    new = fill(page_of(text, kind), said)
    assert new.isascii() and gaps_of(page_of(new, kind)) == []


def test_a_change_of_anything_else_is_refused():
    page = page_of("![](a.jpg) ![](b.jpg)")
    gaps = gaps_of(page)
    with pytest.raises(PageError, match=r"page\.md: its markup cannot be changed safely"):
        filled(page, [(gaps[0], "A dog.\n\nA cat.")])
    for changed in (
        "![A dog.](a.jpg) ![](c.jpg)",
        "![A dog.](a.jpg) ![A dog.](b.jpg)",
        "![A dog.](a.jpg) ![A cat.](b.jpg)",
        "![A dog.](a.jpg)  text ![](b.jpg)",
        "![A dog.](a.jpg)<!-- x --> ![](b.jpg)",
        "![A dog.](a.jpg)",
        "![](a.jpg) ![](b.jpg)",
    ):
        assert not differ_only_in(page, page_of(changed), ["A dog."])
    assert differ_only_in(page, page_of("![A dog.](a.jpg) ![](b.jpg)"), ["A dog."])
