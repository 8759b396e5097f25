"""Shards of WebDataset."""

import io
import tarfile


def write_shard(path, members, mode="w"):
    """Write a tar file of members with these names and bytes."""
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
