"""Tagged sentences, their published format and their scores."""

import sys

import numpy as np
import pytest

from captioner.data.records import DatasetError
from examples import tagging

FILE = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
New JJ I-NP I-LOC
York NNP I-NP I-LOC
Paris NNP I-NP B-LOC
Peter NNP I-NP I-PER

It PRP I-NP O
"""


def test_every_entity_of_a_corpus_begins_with_b(tmp_path):
    path = tmp_path / "eng.train"
    path.write_text(FILE)
    assert tagging.read_conll2003(path) == [
        (
            ["EU", "rejects", "New", "York", "Paris", "Peter"],
            ["B-ORG", "O", "B-LOC", "I-LOC", "B-LOC", "B-PER"],
        ),
        (["It"], ["O"]),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("EU NNP I-NP I-ORG\nrejects\n", ":2: expected a word"),
        ("EU NNP I-NP ORG\n", ":1: expected a word"),
        ("-DOCSTART- -X- O O\n\n", ": no sentence"),
    ],
)
def test_what_is_no_corpus_is_refused_in_one_line(tmp_path, monkeypatch, text, said):
    path = tmp_path / "eng.train"
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        tagging.read_conll2003(path)
    monkeypatch.setattr(sys, "argv", ["tagging", "x.png", str(path), str(path)])
    with pytest.raises(SystemExit, match=f"tagging: .*eng.train{said}"):
        tagging.main()
    assert not (tmp_path / "x.png").exists()


def test_sentences_to_score_hold_a_name_where_it_was_never_learned():
    train, unseen = tagging.sentences()
    assert not {" ".join(words) for words, _ in train} & {" ".join(words) for words, _ in unseen}
    assert all(len(words) == len(labels) for words, labels in train + unseen)
    texts = {" ".join(words): labels for words, labels in unseen}
    assert texts["i like eating apple"] == ["O"] * 4
    assert texts["the apple is a great company"] == ["O", "B-ORG", *["O"] * 4]
    assert texts["the washington post is a great company"][1:3] == ["B-ORG", "I-ORG"]


def test_ambiguous_are_the_names_and_not_what_is_always_the_same():
    of = tagging.ambiguous(tagging.sentences()[0])
    assert {"apple", "jaguar", "washington", "paris"} <= of
    assert not {"peach", "the", "company", "smith"} & of


def test_scores_of_words_of_ambiguous_words_and_of_whole_entities():
    test = [("The Washington Post met Paris".split(), ["O", "B-ORG", "I-ORG", "O", "B-PER"])]
    found = [["O", "B-ORG", "O", "O", "B-PER"]]
    # One word of five is wrong, one of the two ambiguous ones right; of two entities one is whole.
    assert tagging.scores(test, found, {"paris", "post"}) == pytest.approx((0.8, 0.5, 0.5))


@pytest.mark.slow
@pytest.mark.parametrize("context", tagging.CONTEXTS)
def test_a_network_sees_what_it_is_told_to_see(context):
    train = [(["a", "x", "b"], ["O", "B-ORG", "O"]), (["b", "x"], ["O", "O"])] * 5
    model = tagging.tagger(train, context, epochs=1, units=4)
    (first, second, third) = model.probabilities([["a", "x", "b"], ["b", "x", "b"], ["a", "x"]])
    assert first.shape == (3, 2) and np.allclose(first.sum(-1), 1, atol=1e-5)
    assert np.allclose(first[1], second[1], atol=1e-6) == (context == "the word alone")
    assert np.allclose(first[1], third[1], atol=1e-6) == (context != "both sides")
    assert [len(labels) for labels in model.tag([["A", "zzz"], ["x"]])] == [2, 1]


@pytest.mark.slow
def test_context_tells_fruit_from_company():
    train, unseen = tagging.sentences()
    accuracy = {}
    for context in tagging.CONTEXTS:
        model = tagging.tagger(train, context, tagging.EPOCHS)
        found = model.tag([words for words, _ in unseen])
        accuracy[context] = tagging.scores(unseen, found, tagging.ambiguous(train))[1]
    assert accuracy["the word alone"] < 0.7 < accuracy["what came before"]
    assert accuracy["both sides"] > 0.95
    assert model.tag(tagging.SHOWN)[1] == ["O", "B-ORG", "O", "O", "O", "O"]
    eaten, company = model.probabilities(tagging.SHOWN)[[0, 1], [3, 1]]
    assert eaten[model.labels.index("O")] > 10 * company[model.labels.index("O")]
    figure = tagging.draw({"both sides": model})
    assert [axes.get_title() for axes in figure.axes] == ["both sides"] * 2
