"""Attention itself: a captioner that has learned looks at the thing that it names."""

import keras
import numpy as np
import pytest
from PIL import Image, ImageDraw

from captioner.data.images import load_image
from captioner.data.vocabulary import PAD

GRID = 7  # regions each way
CHANCE = 1 / GRID**2  # the share of every region when attention is even: 2 %
COLOURS = {"dog": (220, 40, 40), "cat": (40, 40, 220), "man": (230, 220, 40)}


def draw(thing, row, column, rng):
    """A wide photograph of noise with one thing within one region."""
    noise = rng.normal(125, 25, (210, 350, 3)).clip(0, 255)
    image = Image.fromarray(noise.astype("uint8"))
    width, height = image.width / GRID, image.height / GRID
    left, top = (column + 0.15) * width, (row + 0.15) * height
    box = (left, top, left + 0.7 * width, top + 0.7 * height)
    ImageDraw.Draw(image).ellipse(box, fill=COLOURS[thing])
    return image


def album(count, seed):
    """Photographs, the thing in each, and the `(row, column)` of its region."""
    rng = np.random.default_rng(seed)
    things = [str(rng.choice(list(COLOURS))) for _ in range(count)]
    places = [tuple(place) for place in rng.integers(0, GRID, (count, 2))]
    photographs = [draw(thing, *place, rng) for thing, place in zip(things, places, strict=True)]
    return photographs, things, places


def learn(model, photographs, things):
    """Teach the decoder to say "the dog sits" on features of the frozen encoder."""
    captions = [f"the {thing} sits" for thing in things]
    tokens = np.stack([model.vocabulary.encode(text, model.steps) for text in captions])[:, None]
    squares = np.stack(
        [load_image(photograph, model.config.image_size) for photograph in photographs]
    )
    features = keras.ops.convert_to_numpy(model.features(squares))
    model.encoder.trainable = False
    model.compile(
        keras.optimizers.Adam(0.002),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD),
        jit_compile=False,
    )
    inputs = {"features": features, "captions": tokens[..., :-1]}
    model.fit(inputs, {"captions": tokens[..., 1:]}, batch_size=16, epochs=60, verbose=0)


@pytest.mark.slow
def test_attention_lands_on_the_thing_that_a_word_names(toy):
    model = toy(
        seed=5,
        image_size=32 * GRID,
        annotation_size=64,
        units=32,
        embedding_size=16,
        attention_size=64,
        max_words=3,
        dropout=0.0,
        attention_penalty=0.0,  # which would ask for an even look
    )
    assert model.grid == (GRID, GRID)
    photographs, things, places = album(24, seed=1)

    # Before training no word looks there, not even the one that comes nearest to it.
    before = [
        max(word.attention[place] for word in caption.words)
        for caption, place in zip(model.caption(photographs), places, strict=True)
    ]
    assert np.mean(before) < 3 * CHANCE

    learn(model, *album(768, seed=3)[:2])
    shares, found = [], []
    for caption, thing, place in zip(model.caption(photographs), things, places, strict=True):
        assert caption.text == f"The {thing} sits."
        attention = caption.words[1].attention
        shares.append(attention[place])
        found.append(np.unravel_index(attention.argmax(), attention.shape) == place)
    # One of three things may be named without a look at it, when neither of the others is seen.
    assert np.mean(shares) > 10 * CHANCE
    assert np.mean(found) > 0.5
