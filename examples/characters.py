"""A language model over characters, by truncated back-propagation through time.

python -m examples.characters

First "hello", then the topics of Python's own help. Scored in bits per character on text that it
has not seen; samples are drawn at three temperatures.
"""

from pydoc_data.topics import topics

import keras
import numpy as np

from captioner.data.vocabulary import END, START
from examples import SEED, learn
from examples.character_model import CharacterModel, CharacterModelConfig

TRAIN, UNSEEN = 300_000, 30_000  # characters
WINDOW = 50  # characters that a gradient goes back through


def hello() -> CharacterModel:
    """A model that has learned a single word, without windows."""
    keras.utils.set_random_seed(SEED)
    vocabulary = CharacterModel.vocabulary_of("hello")
    model = CharacterModel(
        vocabulary,
        CharacterModelConfig(embedding_size=8, units=16, streams=1, max_characters=8),
    )
    ids = [vocabulary.words.index(character) for character in "hello"]
    x, y = np.array([[START, *ids]]), np.array([[*ids, END]])
    return learn(model, x, y, epochs=100, learning_rate=0.03, verbose=0)


def text() -> str:
    """The topics of Python's help."""
    return "\n".join(topics[name] for name in sorted(topics))


def model_of(characters: str, epochs: int, units: int = 256) -> CharacterModel:
    """A model that has learned to go on with a text."""
    keras.utils.set_random_seed(SEED)
    model = CharacterModel(CharacterModel.vocabulary_of(text()), CharacterModelConfig(units=units))
    x, y = model.windows(characters, WINDOW)
    # In their order: every window begins with the states that the one before it ended with.
    return learn(
        model,
        x,
        y,
        epochs=epochs,
        learning_rate=0.004,
        batch_size=model.config.streams,
        shuffle=False,
    )


def bits_per_character(model: CharacterModel, characters: str) -> float:
    """The mean of -log2 p over characters, each predicted from those before it."""
    x, y = model.windows(characters, WINDOW)
    return model.evaluate(x, y, batch_size=model.config.streams, verbose=0) / np.log(2)


def main() -> None:
    """Learn, and print what was measured."""
    print("hello:", [found.text for found in hello().sample(temperature=0.5, samples=3, seed=SEED)])
    whole = text()
    model = model_of(whole[:TRAIN], epochs=6)
    bits = bits_per_character(model, whole[TRAIN : TRAIN + UNSEEN])
    print(f"Python's help: {bits:.2f} bits per character of text not seen")
    for temperature in (0.3, 0.7, 1.0):
        print(f"\nat temperature {temperature}:")
        print(model.sample(temperature, seed=SEED)[0].text)


if __name__ == "__main__":
    main()
