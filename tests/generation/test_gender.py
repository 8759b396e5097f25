"""Genders that the photograph does not show."""

import pytest

from captioner.generation.gender import neutral

CONCEPTS = ("man", "woman", "dog")


@pytest.mark.parametrize(
    ("caption", "likely", "expected"),
    [
        ("a man walks his dog", {"dog"}, "a person walks their dog"),
        ("a man walks his dog", {"dog", "man"}, "a man walks his dog"),
        ("two girls and a lady", {"man"}, "two children and a person"),
        ("a man and a woman", set(), "a man and a woman"),  # the words distinguish them
        ("a man and a guy", set(), "a man and a guy"),  # "person" would occur twice
        ("a dog on a bench", set(), "a dog on a bench"),
    ],
)
def test_a_gender_that_no_likely_concept_confirms_is_replaced(caption, likely, expected):
    assert " ".join(neutral(caption.split(), CONCEPTS, likely)) == expected


def test_a_model_without_concepts_of_a_gender_keeps_it():
    assert neutral(["a", "man"], ("woman", "dog"), {"dog"}) == ["a", "man"]
