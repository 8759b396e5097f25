import numpy as np

from captioner.training.retrieval import retrieve

CONCEPTS = ("dog", "cat", "bed", "grass", "red")
CAPTIONS = [
    "a dog is running on the grass there",
    "A dog is running on the grass there .",  # the same again
    "a cat is sleeping on a red bed",
    "a cat on a bed",  # too short
    "a cat and a unicorn and a dragon on a bed",  # what nobody looks for
    "a cat is somewhere in the room there",  # says too little
]


def test_captions_fit_what_is_known_and_found():
    known, common = np.zeros((3, 5)), np.full(5, 0.01)
    known[0, 0] = known[1, 1] = known[1, 2] = 0.8
    logits = np.full((3, 5), -6.0)
    logits[0, 3] = logits[1, 4] = 2.0
    dog, cat, nothing = retrieve(CAPTIONS, known, logits, common, CONCEPTS)
    assert [c.lower().strip(" .") for c in dog] == ["a dog is running on the grass there"]
    assert cat == ("a cat is sleeping on a red bed",)
    assert nothing == ()


def test_nothing_is_retrieved_from_nothing():
    assert retrieve(["a dog"], np.ones((2, 5)), np.ones((2, 5)), np.ones(5), CONCEPTS) == [(), ()]
