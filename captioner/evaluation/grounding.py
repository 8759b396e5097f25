"""Pointing: whether a noun's attention falls on its object.

    python -m captioner.evaluation.grounding --weights everyday --record

Scenes are composed of photographs that scikit-image ships, an object or two before one of some
backgrounds, so that nobody need annotate where they are. Where the caption names an object, the
share of that word's attention within the object's box is compared with that of an even look, which
is the box's share of the picture.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike

import numpy as np
from PIL import Image

from captioner import presets
from captioner.models.captioner import Captioner

Box = tuple[float, ...]  # left, top, right, bottom

# Of each object the photograph, the box that shows it (left, top, right, bottom), and its names.
OBJECTS = {
    "chelsea": ((110, 0, 400, 290), ("cat", "cats", "kitten")),
    "coffee": ((140, 40, 460, 340), ("cup", "coffee", "mug", "bowl", "plate")),
    "astronaut": ((0, 0, 512, 512), ("woman", "man", "person", "astronaut", "girl", "boy", "lady")),
}
BACKGROUNDS = ("grass", "gravel", "brick")
SIDE, PART = 384, 0.45  # pixels of a scene; the share of its side that an object takes
PLACES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Scene:
    """A picture, `uint8[S, S, 3]`, and of each of its objects the names and the box, as shares of
    the side."""

    picture: np.ndarray
    objects: tuple[tuple[tuple[str, ...], Box], ...]


def scenes() -> Iterator[Scene]:
    """All objects before all backgrounds at all places, then all pairs of them in the corners."""
    for background in BACKGROUNDS:
        for name in OBJECTS:
            for place in itertools.product(PLACES, PLACES):
                yield compose(background, {name: place})
        for one, other in itertools.permutations(OBJECTS, 2):
            yield compose(background, {one: (0.0, 0.0), other: (1.0, 1.0)})
            yield compose(background, {one: (0.0, 1.0), other: (1.0, 0.0)})


def compose(background: str, places: dict[str, tuple[float, float]]) -> Scene:
    """The scene of objects at places, each a row and a column from 0 to 1."""
    from skimage import data

    picture = Image.fromarray(getattr(data, background)()).convert("RGB").resize((SIDE, SIDE))
    objects = []
    for name, (row, column) in places.items():
        crop, names = OBJECTS[name]
        thing = Image.fromarray(getattr(data, name)()).crop(crop).resize((round(PART * SIDE),) * 2)
        left, top = (round(place * (1 - PART) * SIDE) for place in (column, row))
        picture.paste(thing, (left, top))
        box = (left, top, left + thing.width, top + thing.height)
        objects.append((names, tuple(edge / SIDE for edge in box)))
    return Scene(np.asarray(picture), tuple(objects))


def share_within(attention: np.ndarray, box: Box) -> float:
    """How much of attention `float[h, w]` falls within a box, a region counting by its overlap."""
    left, top, right, bottom = box
    rows, columns = (
        np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * count
        for low, high, count in ((top, bottom, len(attention)), (left, right, attention.shape[1]))
        for edges in [np.linspace(0, 1, count + 1)]
    )
    return float(rows @ attention @ columns)


def area(box: Box) -> float:
    """The share of the picture that a box takes: that of an even look."""
    left, top, right, bottom = box
    return (right - left) * (bottom - top)


def pointing(weights: str | PathLike[str], record: bool = False) -> dict[str, float]:
    """Measure a preset.

    Args:
        weights: a preset by name or folder.
        record: whether to write the scores into the preset's metadata.

    Returns:
        A dict: "named", the share of scenes of which an object is named; "pointing", the mean over
        the nouns that name the only object of the share of attention on it by that of an even look;
        "pointing of two", the same where there is another object; and "other of two", how much of
        the same nouns' attention falls on that other one.

    Raises:
        PresetError: the weights cannot be read.
    """
    found = list(scenes())
    captions = Captioner.from_preset(weights).caption([scene.picture for scene in found])
    ratios: dict[str, list[float]] = {"pointing": [], "pointing of two": [], "other of two": []}
    named = 0
    for scene, caption in zip(found, captions, strict=True):
        hits = 0
        for (names, box), other in zip(scene.objects, scene.objects[::-1], strict=True):
            for word in (word for word in caption.words if word.word in names):
                hits += 1
                on_it = share_within(word.attention, box) / area(box)
                if len(scene.objects) == 1:
                    ratios["pointing"].append(on_it)
                else:
                    ratios["pointing of two"].append(on_it)
                    _, elsewhere = other
                    on_other = share_within(word.attention, elsewhere) / area(elsewhere)
                    ratios["other of two"].append(on_other)
        named += hits > 0
    scores = {"named": named / len(found)}
    scores |= {name: float(np.mean(values)) for name, values in ratios.items()}
    if record:
        metadata = presets.read_metadata(weights)
        command = "python -m captioner.evaluation.grounding --record"
        metadata["pointing"] = {"command": command, **scores}
        with presets.replacement(presets.find(weights)) as new:
            presets.write_json(new / presets.METADATA, metadata)
    return scores


def main() -> None:
    """Print how well a preset points."""
    parser = argparse.ArgumentParser(description="Whether a noun's attention falls on its object.")
    parser.add_argument("--weights", default=presets.DEFAULT_PRESET)
    parser.add_argument("--record", action="store_true", help="write it into the metadata")
    args = parser.parse_args()
    for name, value in pointing(args.weights, args.record).items():
        print(f"{name:18}{value:>8.3f}")


if __name__ == "__main__":
    main()
