import keras
import numpy as np
import pytest
from keras import ops

from captioner.data.vocabulary import END, START
from examples.character_model import CharacterModel, CharacterModelConfig

TEXT = "hello world, hello there. " * 4


def character_model(streams=2, **settings):
    keras.utils.set_random_seed(0)
    vocabulary = CharacterModel.vocabulary_of(TEXT)
    sizes = {"embedding_size": 8, "units": 8, "max_characters": 12}
    return CharacterModel(
        vocabulary, CharacterModelConfig(streams=streams, **{**sizes, **settings})
    )


def test_windows_follow_one_another_in_every_stream():
    model = character_model()
    inputs, targets = model.windows("hello world!!"[:-1].replace("!", "."), 3)
    words = np.array(model.vocabulary.words)
    assert ["".join(row) for row in words[targets]] == ["hel", "wor", "lo ", "ld."]
    assert (inputs[:2, 0] == START).all()
    assert ["".join(row) for row in words[inputs[2:]]] == ["llo", "rld"]


def test_the_states_are_carried_from_window_to_window_until_a_text_begins():
    model = character_model()
    whole, _ = model.windows(TEXT, 12)
    whole = whole[:2]
    expected = ops.convert_to_numpy(model(whole))
    parts = [ops.convert_to_numpy(model(whole[:, t : t + 4])) for t in (0, 4, 8)]
    np.testing.assert_allclose(np.concatenate(parts, 1), expected, rtol=1e-4, atol=1e-6)
    again = ops.convert_to_numpy(model(whole))  # begins with the start token
    np.testing.assert_allclose(again, expected, rtol=1e-5)
    other = ops.convert_to_numpy(model(whole[:, 4:]))  # goes on from the end of the text
    assert np.abs(other[:, 0] - expected[:, 4]).max() > 1e-4


@pytest.mark.slow
def test_it_learns_hello_and_says_it():
    keras.utils.set_random_seed(0)
    model = CharacterModel(
        CharacterModel.vocabulary_of("hello"),
        CharacterModelConfig(embedding_size=8, units=16, streams=1, max_characters=8),
    )
    model.compile(
        keras.optimizers.Adam(0.03), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    ids = [model.vocabulary.words.index(character) for character in "hello"]
    model.fit(np.array([[START, *ids]]), np.array([[*ids, END]]), epochs=60, verbose=0)
    texts = [found.text for found in model.sample(temperature=0.1, samples=3, seed=0)]
    assert texts == ["hello"] * 3


def test_samples_repeat_with_a_seed_and_are_no_longer_than_asked():
    model = character_model()
    one, again, other = (
        [found.text for found in model.sample(1.5, samples=2, seed=seed)] for seed in (1, 1, 2)
    )
    assert one == again != other
    assert all(0 < len(text) <= model.steps for text in one)


def test_a_model_comes_back_from_its_file(tmp_path):
    model = character_model(cell="gru", layers=2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    window = model.windows(TEXT, 4)[0][:2]
    np.testing.assert_allclose(again(window), model(window), rtol=1e-4, atol=1e-6)
