"""Features of photographs: cached while the encoder is frozen, computed while it is trained."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner import presets
from captioner.data.images import sound_images
from captioner.generation.batching import batched
from captioner.models.captioner import Captioner
from captioner.training.batches import Photograph, ReadOne, augmented

SHARD = 256  # photographs in a file of features; a choice: a killed run repeats at most one file

# From a slice of photographs to their features `float[B, R, C]`.
ReadRows = Callable[[slice], np.ndarray]


@dataclass(frozen=True)
class Features:
    """Features of photographs, cached in files of `SHARD` photographs each.

    The files are read, not mapped: pages of a mapped file count as memory of the process, and an
    error of the disk ends the process without a message.

    Args:
        shards: the files, each `float16[sides, n, R, C]` without a header.
        shape: `(sides, N, R, C)`; sides are 1, or 2 with the mirror images.
    """

    shards: Sequence[Path]
    shape: tuple[int, int, int, int]

    def size(self, shard: int) -> int:
        """The number of photographs in a shard."""
        return min(SHARD, self.shape[1] - shard * SHARD)

    def one(self, i: int, side: int = 0) -> np.ndarray:
        """`float16[R, C]` of photograph i, mirrored if `side` is 1."""
        _, _, regions, channels = self.shape
        shard, row = divmod(int(i), SHARD)
        length = regions * channels
        offset = (side * self.size(shard) + row) * length * np.dtype("float16").itemsize
        numbers = np.fromfile(self.shards[shard], "float16", length, offset=offset)
        return numbers.reshape(regions, channels)

    def rows(self, rows: slice) -> np.ndarray:
        """`float16[B, R, C]` of several, not mirrored."""
        return np.stack([self.one(i) for i in range(self.shape[1])[rows]])

    def whole(self, shard: int) -> bool:
        """Whether a shard is complete."""
        sides, _, regions, channels = self.shape
        path, numbers = self.shards[shard], sides * self.size(shard) * regions * channels
        return path.exists() and path.stat().st_size == numbers * np.dtype("float16").itemsize


def expected_features(
    model: Captioner, photographs: Sequence[Photograph], folder: Path, name: str, sides: int
) -> Features:
    """The files for the features of these photographs by this encoder, computed or not.

    The name of a shard contains a hash of the encoder and of the path, size and time of each
    photograph. So features of other photographs are never read by mistake.

    Args:
        model: the `Captioner`.
        photographs: a list of `Photograph`, whose files must exist.
        folder: the folder of the cache.
        name: of the split, such as "train".
        sides: 2 with the mirror images, else 1.
    """
    encoder = hashlib.sha256(json.dumps(model.config.image_size).encode())
    for weights in model.encoder.get_weights():
        encoder.update(np.ascontiguousarray(weights).tobytes())
    shards = []
    for number, shard in enumerate(batched(photographs, SHARD)):
        stats = [(str(p.image), p.image.stat()) for p in shard]
        digest = encoder.copy()
        digest.update(json.dumps([(path, s.st_size, s.st_mtime_ns) for path, s in stats]).encode())
        shards.append(folder / f"{name}-{number:05}-{digest.hexdigest()[:16]}.f16")
    shape = (sides, len(photographs), model.regions, model.encoder.output_shape[-1])
    return Features(shards, shape)


def cache_features(
    model: Captioner,
    photographs: Sequence[Photograph],
    folder: Path,
    name: str,
    batch_size: int,
    mirrored: bool = True,
) -> Features:
    """Run the frozen encoder once over all photographs, and over their mirror images.

    Complete shards are kept. Shards of other photographs or of another encoder are removed.

    Args:
        model: the `Captioner`.
        photographs: a list of `Photograph`.
        folder: the folder of the cache.
        name: of the split, such as "train".
        batch_size: photographs encoded together.
        mirrored: whether to encode the mirror images too.
    """
    sides = 2 if mirrored else 1
    features = expected_features(model, photographs, folder, name, sides)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.glob(f"{name}-*")) - set(features.shards):
        stale.unlink()
    missing = [shard for shard in range(len(features.shards)) if not features.whole(shard)]
    _, _, regions, channels = features.shape
    paths = [p.image for shard in missing for p in photographs[shard * SHARD :][:SHARD]]
    presets.require_space(folder, 2 * sides * len(paths) * regions * channels)
    images = sound_images(paths, model.config.image_size)
    with tqdm(total=len(paths), desc=f"encoding {name}", unit="photo", disable=not paths) as bar:
        for shard in missing:
            numbers = np.empty((sides, features.size(shard), regions, channels), "float16")
            for rows in batched(range(features.size(shard)), batch_size):
                batch = np.stack(list(itertools.islice(images, len(rows))))
                for side, view in enumerate((batch, batch[:, :, ::-1])[:sides]):
                    numbers[side, list(rows)] = model.encode(view)
                bar.update(len(batch))
            # A shard is replaced as a whole, even if the run is killed.
            unfinished = features.shards[shard].with_suffix(".part")
            unfinished.write_bytes(numbers.data)
            unfinished.replace(features.shards[shard])
    return features


def cached_readers(
    model: Captioner,
    photographs: Sequence[Photograph],
    dev: Sequence[Photograph],
    folder: Path,
    batch_size: int,
    mirrored: bool = True,
) -> tuple[ReadOne, ReadRows]:
    """Readers of cached features: one for `Batches`, one for `DevScores`."""
    features = cache_features(model, photographs, folder, "train", batch_size, mirrored)
    dev_features = cache_features(model, dev, folder, "dev", batch_size, mirrored=False)
    return lambda i, mirror, rng: features.one(i, int(mirror)), dev_features.rows


def photograph_readers(
    model: Captioner, photographs: Sequence[Photograph], dev: Sequence[Photograph]
) -> tuple[ReadOne, ReadRows]:
    """Readers of augmented photographs for `Batches`, and of features for `DevScores`."""

    def read(i: int, mirror: bool, rng: np.random.Generator) -> np.ndarray:
        return augmented(photographs[i].image, model.config.image_size, mirror, rng)

    def read_dev(rows: slice) -> np.ndarray:
        paths = [photograph.image for photograph in dev[rows]]
        return model.encode(np.stack(list(sound_images(paths, model.config.image_size))))

    return read, read_dev


def mean_features(model: Captioner, images: Sequence[Path]) -> np.ndarray:
    """`float32[N, C]`: the mean over regions of the features of photographs."""
    means = []
    bar = tqdm(total=len(images), desc="encoding", unit="photo", disable=None)
    for batch in batched(sound_images(images, model.config.image_size)):
        means.append(model.encode(np.stack(batch)).mean(axis=1))
        bar.update(len(batch))
    bar.close()
    return np.concatenate(means)
