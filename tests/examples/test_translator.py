import keras
import numpy as np
import pytest
from keras import ops
from searches import candidates_of

from captioner.data.vocabulary import SPECIAL, START, Vocabulary
from captioner.generation.samplers import Beam
from captioner.layers.cells import CELLS
from examples.translator import Translator, TranslatorConfig

SOURCES = ["a dog", "a red cat", "the man sits"]
TARGETS = ["un chien", "un chat rouge", "il est assis"]


def translator(seed=0, **settings):
    keras.utils.set_random_seed(seed)
    vocabulary = Vocabulary.from_sentences([*SOURCES, *TARGETS], 1)
    sizes = {"embedding_size": 8, "units": 8, "attention_size": 8, "max_words": 3}
    return Translator(vocabulary, TranslatorConfig(**{**sizes, "max_source_words": 5, **settings}))


@pytest.fixture(scope="module")
def learned():
    model = translator(units=16, cell="gru", bidirectional=False)
    model.compile(
        keras.optimizers.Adam(0.03),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
    )
    x, y = model.batch_of(SOURCES, TARGETS)
    model.fit(x, y, batch_size=3, epochs=60, verbose=0)
    return model


def test_it_learns_three_sentences_by_heart(learned):
    assert [found.text for found in learned.translate(SOURCES)] == TARGETS


def test_attention_beyond_the_sentence_is_zero(learned):
    for source, found in zip(SOURCES, learned.translate(SOURCES), strict=True):
        words = len(source.split())
        for word in found.words:
            assert word.attention.shape == learned.grid == (5,)
            assert (word.attention[words:] == 0).all()
            assert word.attention.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("cell", "layers"),
    [
        *((cell, 1) for cell in sorted(CELLS)),
        pytest.param("lstm", 4, marks=pytest.mark.slow),
    ],
)
def test_every_cell_trains_saves_loads_and_decodes(cell, layers, tmp_path):
    model = translator(cell=cell, layers=layers, attention="dot")
    before = model.get_weights()
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        run_eagerly=True,
    )
    x, y = model.batch_of(SOURCES, TARGETS)
    model.train_on_batch(x, y)
    for weight, old in zip(model.weights, before, strict=True):
        assert np.abs(ops.convert_to_numpy(weight) - old).max() > 0, weight.path
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_allclose(again(x), model(x), rtol=1e-4, atol=1e-6)
    asked = {"sources": x["sources"], **Beam(2).inputs(model.steps, groups=3)}
    tokens, others = (reader.search(asked)["tokens"] for reader in (model, again))
    np.testing.assert_array_equal(tokens, others)
    assert tokens.shape == (3, 2, model.steps) and tokens[..., 0].min() > 3


def test_the_search_scores_as_teacher_forcing_does(learned):
    inputs = learned.inputs_of(["a dog", "the red man sits"])
    for i, candidates in enumerate(candidates_of(learned, inputs, Beam(3))):
        assert len(candidates) == 3
        ids = [learned.vocabulary.words.index(word.word) for word in candidates[0].words]
        source = inputs["sources"][i : i + 1]
        logits = learned({"sources": source, "tokens": np.array([[START, *ids]])})
        probabilities = ops.convert_to_numpy(ops.softmax(logits))[0]
        for t, word in enumerate(candidates[0].words):
            assert word.probability == pytest.approx(probabilities[t, ids[t]], rel=1e-3)


def test_a_sentence_is_translated_the_same_alone_and_among_longer_ones(learned):
    together = learned.translate(["a dog", "the red man sits", "unheard of"])
    (alone,) = learned.translate(["a dog"])
    assert alone.text == together[0].text
    assert alone.score == pytest.approx(together[0].score, abs=1e-5)


def test_pairs_are_encoded_for_teacher_forcing():
    model = translator()
    x, y = model.batch_of(["a dog"], ["un chien"])
    assert x["sources"].shape == (1, 5) and x["tokens"].shape == y.shape == (1, model.steps)
    assert x["tokens"][0, 0] == START
    np.testing.assert_array_equal(x["tokens"][:, 1:], y[:, :-1])
    assert model.vocabulary.decode(y[0]) == ["un", "chien"]
    assert tuple(model.vocabulary.words[:4]) == SPECIAL


def test_the_question_changes_what_is_written_about_a_sentence():
    model = translator(question_units=4, max_question_words=3)
    x, _ = model.batch_of(SOURCES, TARGETS, ["red", "a dog", "the cat sits there"])
    assert x["questions"].shape == (3, 1, 3)
    again, _ = model.batch_of(SOURCES, TARGETS, ["red", "a cat", "the cat sits here"])
    changed = np.abs(model(x) - model(again)).max((1, 2))
    assert changed[1] > 1e-4 and changed[0] == changed[2] == 0


def test_a_sentence_without_words_is_refused():
    with pytest.raises(ValueError, match="a sentence has words, not '...'"):
        translator().translate(["a dog", "..."])
