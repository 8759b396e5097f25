"""Faults of alternative texts."""

import pytest

from captioner.describe.review import Reviewer

SEEN = ["A dog is running.", "Dogs run in the snow.", "winter"]
KNOWN = ["a", "picture", "dog", "snow", "running", "winter", "person", "sitting", "bench", "red"]


@pytest.fixture(scope="module")
def reviewer():
    return Reviewer(KNOWN)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (None, ['no alternative text; perhaps "A dog is running."']),
        ("DSC_0042", ["name of a file"]),
        ("holiday.JPG", ["name of a file"]),
        ("https://x.org/a.png", ["name of a file"]),
        ("A decorative image", ["is read aloud; give decoration an empty text"]),
        ("spacer", ["is read aloud"]),
        ("Image of a dog", ['begins with "Image of"']),
        (
            "A photo showing a person sitting",
            ['begins with "A photo showing"', "nothing in common"],
        ),
        ("A dog. " * 22, ["154 characters; give at most 150"]),
        ("A person is sitting on a bench.", ['nothing in common with the photograph; perhaps "A']),
        ("A dog on a bench", []),
        ("Running", []),
        ("Snowy bench, red winters", []),  # a word of any sentence, also in another form
        ("A person in a boat", []),  # of which the model knows only one word
        ("Ein Hund auf einer Bank", []),
        ("A decorative bench", []),
        ("The image of Dorian Gray", ['begins with "The image of"']),
        ("Picture of a bench", ['begins with "Picture of"']),
        ("Imagery of snow", []),
        ("logo.png of the dog", []),
        ("Photography", []),
    ],
)
def test_faults(reviewer, text, faults):
    found = list(reviewer.faults(text, SEEN))
    assert len(found) == len(faults)
    assert all(fault in message for fault, message in zip(faults, found, strict=True))


def test_without_what_the_model_says_only_the_text_is_judged(reviewer):
    assert list(reviewer.faults(None, [])) == ["no alternative text"]
    assert list(reviewer.faults("A person is sitting on a bench.", [])) == []
    assert len(list(reviewer.faults("photo of a dog", []))) == 1
