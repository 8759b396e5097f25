"""Measures the rate of captions for pictures that are no photographs."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import sound_images
from captioner.data.readers import load_dataset
from captioner.evaluation.calibration import SEED, THRESHOLD, is_right, lost
from captioner.evaluation.drawings import drawings
from captioner.generation.batching import stream
from captioner.generation.samplers import Beam
from captioner.runtime.onnx_captioner import OnnxCaptioner

COUNT = 300
# Sample images of scikit-image that are no photographs, or photographs of text only.
SAMPLES = ("checkerboard", "colorwheel", "horse", "logo", "page", "shepp_logan_phantom", "text")


def samples() -> Iterator[tuple[str, np.ndarray]]:
    """The sample images of scikit-image, as `drawings` yields pictures."""
    from skimage import data, img_as_ubyte

    for name in SAMPLES:
        yield name, img_as_ubyte(getattr(data, name)())


def shown(model: OnnxCaptioner, pictures: Iterator[tuple[str, np.ndarray]]) -> dict[str, float]:
    """The share of pictures with a caption above the threshold, by kind and of all."""
    reached: dict[str, list[bool]] = defaultdict(list)
    for kind, picture in pictures:
        reached[kind].append(model.caption(picture).confidence >= THRESHOLD)
    every = [one for ones in reached.values() for one in ones]
    return {kind: float(np.mean(ones)) for kind, ones in (*reached.items(), ("all", every))}


def lost_of(model: OnnxCaptioner, dataset: str, root: str, split: str) -> tuple[int, float]:
    """The number of right captions of a split, and the share of them below the threshold."""
    examples = [e for e in load_dataset(dataset, root, split) if e.question is None]
    images = sound_images([example.image for example in examples], model.config.image_size)
    found = stream(model, ((image, [None]) for image in images), sampler=Beam())
    rows = [
        (caption.confidence, is_right(caption, example))
        for example, (caption,) in tqdm(zip(examples, found, strict=True), total=len(examples))
    ]
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    return int(right.sum()), lost(confidence, right)


def main() -> None:
    """Print both shares."""
    parser = argparse.ArgumentParser(description="Confidence where there is no photograph.")
    parser.add_argument("--weights", default=presets.DEFAULT_PRESET)
    parser.add_argument("--dataset", action="append", default=[], help="for lost captions")
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    model = OnnxCaptioner.from_preset(args.weights)
    if model.calibration is None:
        sys.exit(f"{args.weights}: its confidence was not measured; `captioner calibrate` does it")
    print(f"pictures that are no photographs, with a confidence of {THRESHOLD} or more:")
    for pictures in (drawings(COUNT, SEED + 1), samples()):
        for kind, share in shown(model, pictures).items():
            print(f"  {kind:20}{share:8.1%}")
    for dataset, root in zip(args.dataset, args.root, strict=True):
        count, share = lost_of(model, dataset, root, args.split)
        print(f"{dataset} {root}: of {count} captions that are right, with less {share:.1%}")


if __name__ == "__main__":
    main()
