"""Words as people write them."""

import pytest

from captioner.data.tokenizer import tokenize
from captioner.generation.prose import text_of, with_articles, with_commas


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a airplane", "an airplane"),
        ("an old airplane and a umbrella", "an old airplane and an umbrella"),
        ("an dog", "a dog"),
        ("an urinal", "a urinal"),
        ("an uniform", "a uniform"),
        ("an unicycle", "a unicycle"),
        ("a unidentified man", "an unidentified man"),
        ("a umpire", "an umpire"),
        ("an used car", "a used car"),
        ("an one way street", "a one way street"),
        ("a onion", "an onion"),
        ("an ups truck", "a ups truck"),
        ("an us flag", "a us flag"),
        ("an european train", "a european train"),
        ("a hour", "an hour"),
        ("a suv", "an suv"),
        ("a x-ray", "an x-ray"),
        ("an u-shaped desk", "a u-shaped desk"),
        ("a 8 ball", "an 8 ball"),
        ("a 18 wheeler", "an 18 wheeler"),
        ("an 180", "a 180"),
    ],
)
def test_an_article_agrees_with_the_sound_after_it(given, expected):
    assert " ".join(with_articles(given.split())) == expected
    assert " ".join(with_articles(expected.split())) == expected


@pytest.mark.parametrize("text", ["a", "an", "", "a historic clock", "an historic clock", "a is"])
def test_an_article_stays_where_nothing_is_known(text):
    assert with_articles(text.split()) == text.split()


@pytest.mark.parametrize(
    "text",
    [
        "a stove , oven and a fridge",
        "a kitchen with a stove , sink and refrigerator in it",
        "a kitchen with a stove , microwave , sink and dishwasher",
        "a living room with a couch , a table and a tv",
        "a room with couches , a small table and two lamps",
        "a red , white and blue plane",
        "a cat that is black , white and brown",
        "a plate of rice , broccoli and carrots",
        "cows , sheep and two horses",
        "a desk with a keyboard , a mouse and a black monitor",
        "the batter , catcher and umpire",
    ],
)
def test_a_list_has_commas(text):
    words = text.split()
    assert with_commas([word for word in words if word != ","]) == words


@pytest.mark.parametrize(
    "text",
    [
        "a toilet and a sink",
        "a man holds a bowl and a spoon",
        "a man gives a dog a bowl and a cup",
        "a microwave oven and a sink",
        "a desk chair and a lamp",
        "a black and white cat and a dog",
        "a table with a red chair and a lamp",
        "a woman with a laptop a man and a dog",
        "a man in a red shirt and blue hat",
        "a white refrigerator and a stove and a sink",
        "and and",
        "and",
        "a sink toilet and",
        "a sink toilet and a man",
        "",
    ],
)
def test_where_it_is_not_sure_that_there_is_a_list_nothing_changes(text):
    assert with_commas(text.split()) == text.split()


def test_the_text_of_words():
    words = "a airplane 's sink toilet and a mirror".split()
    assert text_of(words, is_answer=False) == "An airplane's sink, toilet and a mirror."
    assert text_of("a orange".split(), is_answer=True) == "an orange"
    assert text_of([], is_answer=False) == ""


def test_commas_do_not_change_the_words():
    words = "a kitchen with a stove sink and a refrigerator".split()
    assert tokenize(text_of(words, is_answer=False)) == words
