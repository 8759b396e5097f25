import os
import shutil

import numpy as np
import pytest
from PIL import Image

from captioner.training.batches import Photograph
from captioner.training.features import cache_features, expected_features


@pytest.fixture
def records(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for i in range(3):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), "uint8")).save(path)
        found.append(Photograph(path, ("a dog",), ()))
    return found


@pytest.fixture(autouse=True)
def shards_of_two(monkeypatch):
    monkeypatch.setattr("captioner.training.features.SHARD", 2)


def everything(features):
    """`float16[sides, N, R, C]` of all shards."""
    sides, count, _, _ = features.shape
    return np.stack([[features.one(i, side) for i in range(count)] for side in range(sides)])


def test_cached_features_are_those_of_the_encoder_and_its_mirror(toy, tmp_path, records):
    model = toy()
    cache = cache_features(model, records, tmp_path / "cache", "toy", 2)
    assert cache.shape == (2, 3, model.regions, 12)
    for i, record in enumerate(records):
        photograph = np.asarray(Image.open(record.image))[None]
        for side, view in enumerate((photograph, photograph[:, :, ::-1])):
            found, expected = cache.one(i, side), model.features(view)[0]
            assert found.dtype == "float16"
            np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(cache.rows(slice(1, 9)), everything(cache)[0, 1:])


def test_features_of_other_photographs_are_never_taken_for_these(toy, tmp_path, records):
    """A photograph gone, the order turned, one replaced: no shard of the others is left."""
    model, folder = toy(), tmp_path / "cache"
    first = everything(cache_features(model, records, folder, "train", 2))
    for changed in (records[1:], records[::-1]):
        cache = everything(cache_features(model, changed, folder, "train", 2))
        for i, record in enumerate(changed):
            np.testing.assert_array_equal(cache[:, i], first[:, records.index(record)])
        assert len(list(folder.iterdir())) == len(changed) // 2 + len(changed) % 2
    Image.new("RGB", (64, 64), "red").save(records[0].image)
    again = cache_features(model, records, folder, "train", 2)
    assert np.abs(again.one(0) - first[0, 0]).max() > 0


def test_only_shards_that_are_not_whole_are_written_again(toy, tmp_path, records, monkeypatch):
    model, folder = toy(), tmp_path / "cache"
    cache = cache_features(model, records, folder, "train", 2)
    first = everything(cache)
    content = cache.shards[1].read_bytes()
    cache.shards[1].write_bytes(content[:-1])
    encoded, encode = [], type(model).encode

    def counted(self, photographs):
        encoded.append(len(photographs))
        return encode(self, photographs)

    monkeypatch.setattr(type(model), "encode", counted)
    for _ in range(2):
        again = cache_features(model, records, folder, "train", 2)
        np.testing.assert_array_equal(everything(again), first)
    assert encoded == [1, 1]  # one photograph and its mirror image, once


def test_a_start_that_was_interrupted_leaves_whole_shards(toy, tmp_path, records, monkeypatch):
    model, folder, encode = toy(), tmp_path / "cache", type(toy()).encode

    def interrupted(self, photographs):
        if len(photographs) == 1:  # of the last shard
            raise KeyboardInterrupt
        return encode(self, photographs)

    monkeypatch.setattr(type(model), "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache_features(model, records, folder, "train", 2)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(type(model), "encode", encode)
    whole = everything(cache_features(model, records, folder, "train", 2))
    fresh = everything(cache_features(model, records, tmp_path / "fresh", "train", 2))
    np.testing.assert_array_equal(whole, fresh)


def test_names_tell_encoders_sizes_and_files_apart(toy, tmp_path, records):
    def names(model):
        return tuple(expected_features(model, records, tmp_path, "train", 2).shards)

    found = {names(toy()), names(toy(seed=1)), names(toy(image_size=96))}
    os.utime(records[0].image, ns=(1, 1))
    found.add(names(toy()))
    assert len(found) == 4
    assert names(toy()) in found


def test_a_cache_that_the_disk_has_no_room_for_is_not_begun(toy, tmp_path, records, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 0, 10**3))
    with pytest.raises(OSError, match="no space for"):
        cache_features(toy(), records, tmp_path / "cache", "train", 2)
    assert list((tmp_path / "cache").iterdir()) == []
