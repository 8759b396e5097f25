"""The element for other pages, `<photo-caption>`."""

import pytest
from pages import QUESTION
from selenium.webdriver.support.wait import WebDriverWait

pytestmark = pytest.mark.slow


@pytest.fixture
def element(page):
    """Puts an element into the page, and gives the details of its first event of a kind."""

    def put(kind, **attributes):
        return page.call(
            """
            await load("photo-caption.js");
            const made = document.createElement("photo-caption");
            const event = new Promise((resolve) => made.addEventListener(values[0], resolve));
            for (const [name, value] of Object.entries(values[1])) made.setAttribute(name, value);
            document.querySelector("main").append(made);
            const { detail } = await event;
            return detail.message ?? detail.text;
            """,
            kind,
            attributes,
        )

    return put


def shadow(page):
    return page.find("photo-caption").shadow_root


def test_a_photograph_of_any_page_is_captioned(page, element, axe, expected):
    caption = element("caption", src="example.jpg")
    status = shadow(page).find_element("css selector", "[role=status]")
    assert caption == status.text == expected[0]
    words = shadow(page).find_elements("css selector", ".words button")
    assert len(words) == len(caption.split())
    words[1].click()
    assert (
        shadow(page)
        .find_element("css selector", ".told")
        .text.startswith(f"{caption.split()[1]}: ")
    )
    asked = "return (await document.querySelector('photo-caption').answer(values[0])).text"
    assert page.call(asked, QUESTION) == expected[1]
    page.driver.execute_script(axe)
    assert page.call("return (await axe.run('photo-caption')).violations.map((v) => v.id);") == []
    page.driver.get_log("browser")  # where axe tells of styles that the page does not allow it


def test_a_photograph_that_is_missing_is_told(page, element):
    message = element("failure", src="missing.jpg")
    assert message == "missing.jpg cannot be fetched (404)."
    assert shadow(page).find_element("css selector", "[role=status]").text == message
    page.driver.get_log("browser")  # which has the 404


def test_without_a_source_nothing_is_shown(page, element):
    element("caption", src="example.jpg")
    page.call("document.querySelector('photo-caption').removeAttribute('src')")
    status = shadow(page).find_element("css selector", "[role=status]")
    WebDriverWait(page.driver, 10).until(lambda driver: status.text == "")
    assert not shadow(page).find_elements("css selector", ".look")


def test_an_author_chooses_elements_and_the_field_stays_theirs(page, element):
    page.call("document.querySelector('main').append(document.createElement('textarea'))")
    page.call("document.querySelector('textarea').id = 'alt'")
    caption = element("caption", src="example.jpg", **{"for": "alt"})
    assert page.find("#alt").get_property("value") == ""
    groups = shadow(page).find_elements("css selector", "[role=group][aria-label=Caption] button")
    assert [button.text for button in groups] == [caption]
    groups[0].click()
    assert page.find("#alt").get_property("value") == caption


CAPTION = {
    "text": "A red dog runs.",
    "candidates": [
        {"words": [{"word": word} for word in text.split()]}
        for text in ("a red dog runs", "two dog runs", "a dog sits")
    ],
    "concepts": [{"word": word, "probability": 0.5} for word in ("dog", "red", "two", "runs")],
}


def test_elements_are_colours_counts_and_what_else_is_there(page):
    found = page.call(
        """
        const { elementsOf } = await load("alternatives.js");
        const { about } = await (await fetch("model.json")).json();
        return elementsOf(values[0], about);
        """,
        CAPTION,
    )
    assert found["caption"] == "A red dog runs."
    assert found["colours"] == ["red"] and found["counts"] == ["two"]
    assert found["others"] == ["dog", "runs"]
    common = [[w["word"] for w in words if w["common"]] for words in found["variations"]]
    assert common == [["dog"], ["dog"], ["dog"]]
