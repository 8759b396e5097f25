import keras
import numpy as np
import pytest
from keras import ops

from captioner.attention import ATTENTIONS
from captioner.cells import CELLS
from captioner.search import Beam, generate
from captioner.text import SPECIAL, START, Vocabulary
from captioner.translator import Translator

PAIRS = [("a dog", "un chien"), ("a red cat", "un chat rouge"), ("the man sits", "il est assis")]


def translator(seed=0, **settings):
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary.from_sentences((text for pair in PAIRS for text in pair), 1)
    sizes = {"embedding_size": 8, "units": 8, "attention_size": 8, "max_words": 4}
    return Translator(vocabulary, **{**sizes, "max_source_words": 5, **settings})


@pytest.fixture(scope="module")
def learned():
    model = translator(units=16)
    model.compile(
        keras.optimizers.Adam(0.03),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
    )
    x, y = model.encode_pairs(PAIRS)
    model.fit(x, y, batch_size=3, epochs=60, verbose=0)
    return model


def test_it_learns_three_sentences_by_heart(learned):
    found = learned.translate([source for source, _ in PAIRS])
    assert [candidate.text for candidate in found] == [target for _, target in PAIRS]


def test_attention_beyond_the_sentence_is_zero(learned):
    for (source, _), found in zip(PAIRS, learned.translate([s for s, _ in PAIRS]), strict=True):
        words = len(source.split())
        for word in found.words:
            assert word.attention.shape == learned.grid == (5,)
            assert (word.attention[words:] == 0).all()
            assert word.attention.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("attention", sorted(ATTENTIONS))
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_a_model_comes_back_from_its_file_and_writes_the_same(cell, attention, tmp_path):
    model = translator(cell=cell, layers=2, attention=attention, bidirectional=False)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    x, _ = model.encode_pairs(PAIRS)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("width", [1, 4])
def test_the_search_scores_as_teacher_forcing_does(width):
    model = translator(seed=3)
    sources = model.encode_sources(["a dog", "the red man sits"])
    for i, candidates in enumerate(generate(model, {"sources": sources}, Beam(width))):
        assert len(candidates) == width
        ids = [model.vocabulary.words.index(word.word) for word in candidates[0].words]
        inputs = {"sources": sources[i : i + 1], "tokens": np.array([[START, *ids]])}
        probabilities = ops.convert_to_numpy(ops.softmax(model(inputs)))[0]
        for t, word in enumerate(candidates[0].words):
            assert word.probability == pytest.approx(probabilities[t, ids[t]], rel=1e-3)


def test_a_sentence_is_translated_the_same_alone_and_among_longer_ones():
    model = translator()
    together = model.translate(["a dog", "the red man sits", "unheard of"])
    (alone,) = model.translate(["a dog"])
    assert alone.text == together[0].text
    assert alone.score == pytest.approx(together[0].score, abs=1e-5)


def test_pairs_are_encoded_for_teacher_forcing():
    model = translator()
    x, y = model.encode_pairs([("a dog", "un chien")])
    assert x["sources"].shape == (1, 5) and x["tokens"].shape == y.shape == (1, model.steps)
    assert x["tokens"][0, 0] == START
    np.testing.assert_array_equal(x["tokens"][:, 1:], y[:, :-1])
    assert model.vocabulary.decode(y[0]) == ["un", "chien"]
    assert tuple(model.vocabulary.words[:4]) == SPECIAL


def test_a_sentence_without_words_is_refused():
    with pytest.raises(ValueError, match="a sentence has words, not '...'"):
        translator().translate(["a dog", "..."])
