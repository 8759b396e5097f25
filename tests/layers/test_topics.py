"""Topics of the sentences of a paragraph."""

import numpy as np

from captioner.layers.topics import TopicNetwork


def test_every_sentence_has_a_topic_and_may_be_the_last():
    layer = TopicNetwork(units=6, topic_size=3, sentences=4, cell="gru")
    vectors = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    topics, last = map(np.array, layer(vectors))
    assert topics.shape == (2, 4, 3) and last.shape == (2, 4)
    # One vector, read again and again: what differs is how often it was read.
    assert len(np.unique(topics[0].round(6), axis=0)) == 4
    np.testing.assert_allclose(np.array(layer(vectors[1:])[0]), topics[1:], atol=1e-6)


def test_it_is_rebuilt_from_its_configuration():
    layer = TopicNetwork(units=6, topic_size=3, sentences=4, cell="gru", name="topics")
    assert TopicNetwork.from_config(layer.get_config()).get_config() == layer.get_config()
