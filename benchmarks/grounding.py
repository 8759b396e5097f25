"""Pointing: whether a noun's attention falls on its object.

    python -m benchmarks.grounding --weights everyday --record
    python -m benchmarks.grounding --instances instances_val2017.json --images val2017

A scene consists of one or two objects before a background, all from the samples of scikit-image, so
their places are known. If the caption names an object, the share of the word's attention within the
object's box is divided by the share of the box in the picture, which is that of even attention.
For photographs, the boxes come from COCO; the boxes of all objects with one name are united.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.instances import Box, Located, read_instances
from captioner import presets
from captioner.data.image_checks import check_images
from captioner.data.images import ImageError, open_image
from captioner.data.records import DatasetError, Example
from captioner.generation.batching import batched
from captioner.models.captioner import Captioner

# For each object: its photograph, its box there (left, top, right, bottom), and its names.
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
    """A picture `uint8[S, S, 3]`, and the names and the box of each object, in shares of S."""

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


def covered(boxes: Sequence[Box], shape: tuple[int, ...]) -> np.ndarray:
    """The fraction of each region of a grid `(h, w)` within the union of boxes, `float[h, w]`."""
    # The edges of regions and boxes cut the picture into pieces. Each piece lies inside or outside
    # of each box and region. So the union is exact, and the overlap of boxes counts once.
    pieces, owners, middles = [], [], []
    for axis, count in ((1, shape[0]), (0, shape[1])):
        edges = [edge for box in boxes for edge in (box[axis], box[axis + 2])]
        cuts = np.unique(np.clip(np.concatenate([np.linspace(0, 1, count + 1), edges]), 0, 1))
        middle = (cuts[1:] + cuts[:-1]) / 2
        middles.append(middle)
        pieces.append(np.diff(cuts) * count)
        owners.append(np.arange(count)[:, None] == (middle * count).astype(int))
    rows, columns = middles
    within = np.zeros((len(rows), len(columns)), bool)
    for left, top, right, bottom in boxes:
        within |= np.outer((top < rows) & (rows < bottom), (left < columns) & (columns < right))
    return (owners[0] * pieces[0]) @ within @ (owners[1] * pieces[1]).T


def share_within(attention: np.ndarray, *boxes: Box) -> float:
    """The fraction of attention `float[h, w]` within the union of boxes, weighted by the overlap of
    each region."""
    return float((attention * covered(boxes, attention.shape)).sum())


def area(*boxes: Box) -> float:
    """The share of the union of boxes in the picture, which is the fraction of even attention."""
    return float(covered(boxes, (1, 1))[0, 0])


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
        command = "python -m benchmarks.grounding --record"
        metadata["pointing"] = {"command": command, **scores}
        with presets.replacement(presets.find(weights)) as new:
            presets.write_json(new / presets.METADATA, metadata)
    return scores


def pointing_on_photographs(
    weights: str | PathLike[str],
    instances: str | PathLike[str],
    images: str | PathLike[str],
    limit: int | None = None,
) -> dict[str, float]:
    """Measure a preset on photographs with boxes from COCO.

    Args:
        weights: a preset by name or folder.
        instances: COCO's `instances_*.json`, see `benchmarks.instances`.
        images: the folder of the photographs.
        limit: how many of the photographs that hold any category, from the first; by default all.

    Returns:
        A dict: "named", the share of photographs of which a category is named that is there; and
        "pointing", the mean over the nouns that name one of the share of attention within the
        union of its boxes by that of an even look; NaN if there are none.

    Raises:
        DatasetError: the file is malformed, too many photographs are missing or broken, or one is
            not of the size that the file says.
        PresetError: the weights cannot be read.
    """
    located = read_instances(instances, images)[:limit]
    examples = [Example(p.path, i, ()) for i, p in enumerate(located)]
    located = [located[int(example.image_id)] for example in check_images(examples)]
    if not located:
        raise DatasetError(f"{instances}: no photograph holds any category")
    model = Captioner.from_preset(weights)
    ratios: list[float] = []
    named = 0
    with tqdm(total=len(located), unit="photo", disable=None) as bar:
        for some in batched(located):
            captions = model.caption([_picture(photograph) for photograph in some])
            for photograph, caption in zip(some, captions, strict=True):
                words = [word for word in caption.words if word.word in photograph.boxes]
                named += bool(words)
                for word in words:
                    boxes = photograph.boxes[word.word]
                    ratios.append(share_within(word.attention, *boxes) / area(*boxes))
            bar.update(len(some))
    found = float(np.mean(ratios)) if ratios else float("nan")
    return {"named": named / len(located), "pointing": found}


def _picture(photograph: Located) -> np.ndarray:
    """A photograph `uint8[H, W, 3]`, checked against its boxes: a turned or cropped one would be
    measured in the wrong places."""
    picture = open_image(photograph.path)
    if picture.size != photograph.size:
        (width, height), (expected, high) = picture.size, photograph.size
        raise DatasetError(
            f"{photograph.path}: is {width} x {height} pixels, but {expected} x {high} where its "
            "boxes are; get the photograph that belongs to them"
        )
    return np.asarray(picture)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the pointing scores of a preset."""
    parser = argparse.ArgumentParser(description="Whether a noun's attention falls on its object.")
    parser.add_argument("--weights", default=presets.DEFAULT_PRESET)
    parser.add_argument("--record", action="store_true", help="write it into the metadata")
    parser.add_argument("--instances", metavar="FILE", help="COCO's, for photographs")
    parser.add_argument("--images", metavar="DIR", help="the photographs")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N of them")
    args = parser.parse_args(argv)
    if (args.instances is None) != (args.images is None):
        parser.error("--instances and --images go together")
    if args.instances is None and args.limit is not None:
        parser.error("--limit is of the photographs of --instances")
    if args.limit is not None and args.limit < 1:
        parser.error(f"--limit {args.limit}: at least 1")
    if args.instances is not None and args.record:
        parser.error("--record is of the composed scenes; leave out --instances")
    try:
        if args.instances is None:
            scores = pointing(args.weights, args.record)
        else:
            scores = pointing_on_photographs(args.weights, args.instances, args.images, args.limit)
    except (DatasetError, ImageError, presets.PresetError) as error:
        sys.exit(str(error))
    for name, value in scores.items():
        print(f"{name:18}{value:>8.3f}")


if __name__ == "__main__":
    main()
