"""What the encoder makes of photographs: cached while it is frozen, computed while it learns."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import sound_images
from captioner.generation.batching import batched
from captioner.models.captioner import Captioner
from captioner.training.batches import Photograph, ReadOne, augmented

# Of a slice of photographs.
ReadRows = Callable[[slice], np.ndarray]


def fingerprint(model: Captioner, photographs: Sequence[Photograph]) -> str:
    """A name for the features of these photographs, in this order, by this encoder: 16 characters.

    Args:
        model: the `Captioner`.
        photographs: a list of `Photograph`, whose files must be there.
    """
    files = [
        (str(p.image), p.image.stat().st_size, p.image.stat().st_mtime_ns) for p in photographs
    ]
    digest = hashlib.sha256(json.dumps([model.config.image_size, files]).encode())
    for weights in model.encoder.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()[:16]


def cache_features(
    model: Captioner,
    photographs: Sequence[Photograph],
    folder: Path,
    name: str,
    batch_size: int,
    mirrored: bool = True,
) -> np.ndarray:
    """Run the frozen encoder once over all photographs, and over their mirror images.

    The file is named after what it was made of, so that the features of other photographs, or of
    another encoder, are never taken for these; what an older run of that name left is removed.

    Args:
        model: the `Captioner`.
        photographs: a list of `Photograph`.
        folder: where the cache lies.
        name: what it holds, such as "train".
        batch_size: photographs encoded together.
        mirrored: whether the mirror images are wanted, as what is learned from; of what is
            scored they are not.

    Returns:
        `float16[2, N, R, C]`, plain and mirrored, or `float16[1, N, R, C]`, mapped from the file.
    """
    path = folder / f"{name}-{fingerprint(model, photographs)}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(f"{name}-*"):
            stale.unlink()
        unfinished = path.with_suffix(".part")
        sides = 2 if mirrored else 1
        shape = (sides, len(photographs), model.regions, model.encoder.output_shape[-1])
        # A mapped file that the disk has no room for ends the process without a word.
        presets.require_space(folder, 2 * int(np.prod(shape)))
        cache = np.lib.format.open_memmap(unfinished, "w+", "float16", shape)
        paths = [photograph.image for photograph in photographs]
        with tqdm(total=len(paths), desc=f"encoding {name}", unit="photo") as bar:
            images = sound_images(paths, model.config.image_size)
            for images_of_batch in batched(images, batch_size):
                batch, rows = np.stack(images_of_batch), slice(bar.n, bar.n + batch_size)
                for side, view in enumerate((batch, batch[:, :, ::-1])[:sides]):
                    cache[side, rows] = model.encode(view)
                bar.update(len(batch))
        cache.flush()
        unfinished.rename(path)
    return np.load(path, mmap_mode="r")


def cached_readers(
    model: Captioner,
    photographs: Sequence[Photograph],
    dev: Sequence[Photograph],
    folder: Path,
    batch_size: int,
) -> tuple[ReadOne, ReadRows]:
    """Reads features from a cache: one for `Batches`, one for `DevScores`."""
    features = cache_features(model, photographs, folder, "train", batch_size)
    dev_features = cache_features(model, dev, folder, "dev", batch_size, mirrored=False)
    return lambda i, mirror, rng: features[int(mirror), i], lambda rows: dev_features[0, rows]


def photograph_readers(
    model: Captioner, photographs: Sequence[Photograph], dev: Sequence[Photograph]
) -> tuple[ReadOne, ReadRows]:
    """Reads augmented photographs for `Batches`, and the features of others for `DevScores`."""

    def read(i: int, mirror: bool, rng: np.random.Generator) -> np.ndarray:
        return augmented(photographs[i].image, model.config.image_size, mirror, rng)

    def read_dev(rows: slice) -> np.ndarray:
        paths = [photograph.image for photograph in dev[rows]]
        return model.encode(np.stack(list(sound_images(paths, model.config.image_size))))

    return read, read_dev
