"""Paragraphs read from a file, made flat, scored, and learned from toy features."""

import json

import numpy as np
import pytest

from captioner.data.records import DatasetError
from captioner.data.vocabulary import Vocabulary
from examples import paragraphs


def test_narratives_and_descriptions_are_paragraphs(tmp_path):
    lines = [
        {"image": "a.jpg", "kind": "human_narrative", "captions": ["A bed. A lamp! It glows."]},
        {
            "image": "b.jpg",
            "kind": "human",
            "captions": ["No. No."],
            "descriptions": ["A tub", "."],
        },
        {"image": "c.jpg", "kind": "human", "captions": [], "descriptions": ["A tub", "A sink"]},
    ]
    path = tmp_path / "captions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    assert paragraphs.read(tmp_path) == {
        tmp_path / "a.jpg": [["A bed.", "A lamp!", "It glows."]],
        tmp_path / "c.jpg": [["A tub", "A sink"]],
    }
    path.write_text('{"image": "a.jpg"}')
    with pytest.raises(DatasetError, match=r"captions.jsonl:1: no photograph with texts"):
        paragraphs.read(tmp_path)


def test_a_flat_paragraph_is_one_sentence():
    texts = [["a bed", "a lamp"], ["a tub"]]
    assert [len(each) for each in paragraphs.flat(texts)] == [1, 1]
    assert paragraphs.unflat(paragraphs.flat(texts)) == texts


def test_what_stood_before_is_repeated():
    assert paragraphs.repeated("a b c d".split()) == 0
    assert paragraphs.repeated("a b c a b c".split()) == pytest.approx(1 / 4)
    assert paragraphs.repeated(["a"]) == 0


def test_the_right_paragraph_scores_best():
    true = [[["A bed here.", "A lamp there."]], [["A tub.", "A white sink."]]]
    found = paragraphs.scores([each[0] for each in true], true)
    assert found["BLEU-4"] == pytest.approx(100) and found["CIDEr"] == pytest.approx(1000)
    assert (found["sentences"], found["words"], found["distinct"]) == (2, 5.5, 2)


@pytest.mark.slow
def test_each_sentence_has_its_topic_and_the_last_is_known():
    texts = [["a bed", "a red lamp", "a rug"], ["a tub", "a sink"]]
    vocabulary = Vocabulary.from_sentences([text for each in texts for text in each], min_count=1)
    features = np.eye(2, dtype="float16")[:, None].repeat(4, axis=1)  # [2, R, C]
    sizes = {"annotation_size": 8, "embedding_size": 16, "units": 32, "question_units": 16}
    sizes |= {"sentences": 4, "max_words": 4, "dropout": 0.0}
    model = paragraphs.learned(
        vocabulary, sizes, features.repeat(16, axis=0), texts[:1] * 16 + texts[1:] * 16, 300
    )
    assert paragraphs.texts_of(model.write(features)) == texts


def test_every_sentence_has_a_topic_and_may_be_the_last():
    layer = paragraphs.TopicNetwork(units=6, topic_size=3, sentences=4, cell="gru")
    vectors = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    topics, last = map(np.array, layer(vectors))
    assert topics.shape == (2, 4, 3) and last.shape == (2, 4)
    # The vector is the same for every sentence; the topics differ by the state.
    assert len(np.unique(topics[0].round(6), axis=0)) == 4
    np.testing.assert_allclose(np.array(layer(vectors[1:])[0]), topics[1:], atol=1e-6)
