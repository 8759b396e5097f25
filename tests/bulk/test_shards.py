"""Shards: the photographs that are read, and the reports of losses."""

import gzip
import io
import tarfile

import pyarrow
import pytest
from bulk.shards import write_shard
from pyarrow import parquet

from captioner.bulk import shards
from captioner.bulk.shards import is_shard, rows_of_shard
from captioner.bulk.sources import list_source, read
from captioner.data.records import DatasetError

MEMBER = 512 + 1536  # bytes, of a header and a content of 1,500
SIX = {f"{i}.jpg": bytes([65 + i]) * 1500 for i in range(6)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tar", True),
        ("s3://b/a.tar.gz", True),
        ("a.tgz", True),
        ("column://image::a.parquet", True),
        ("a.jpg", False),
        ("tar://0.jpg::a.tar", False),
    ],
)
def test_what_a_shard_is_called(name, expected):
    assert is_shard(name) == expected


@pytest.mark.parametrize(("name", "mode"), [("s.tar", "w"), ("s.tar.gz", "w:gz")])
def test_a_shard_gives_its_photographs_with_their_bytes(tmp_path, name, mode):
    shard = str(tmp_path / name)
    write_shard(shard, {"0.jpg": b"x", "0.json": b"{}", "d/1.png": b"y", "d/._1.png": b"z"}, mode)
    rows = list(rows_of_shard(shard))
    assert [(row.row, row.path, row.data, row.error) for row in rows] == [
        (0, f"tar://0.jpg::{shard}", b"x", None),
        (1, f"tar://d/1.png::{shard}", b"y", None),
    ]
    if mode == "w":
        assert read(rows[1].path) == b"y"  # the path is one that fsspec opens


def test_a_member_that_would_fill_the_memory_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LARGEST", 2**20)
    shard = str(tmp_path / "s.tar.gz")
    write_shard(shard, {"0.jpg": bytes(2**20 + 1), "1.jpg": b"x"}, "w:gz")
    large, small = rows_of_shard(shard)
    assert str(large.error) == f"tar://0.jpg::{shard}: larger than 1 MiB" and large.data is None
    assert (small.row, small.data) == (1, b"x")


def cut(content):
    return content[: 2 * MEMBER + 900]


def cut_at_a_header(content):
    return content[: 2 * MEMBER]


def cut_in_a_header(content):
    return content[: 2 * MEMBER + 200]


def with_a_damaged_header(content):
    return content[: 2 * MEMBER] + b"x" * 512 + content[2 * MEMBER + 512 :]


def with_a_hole(content):
    return content[: 2 * MEMBER] + bytes(512) + content[2 * MEMBER + 512 :]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "damage", [cut, cut_at_a_header, cut_in_a_header, with_a_damaged_header, with_a_hole]
)
def test_a_damaged_shard_gives_what_it_has_and_an_error(tmp_path, damage, pack):
    path = tmp_path / ("s.tar" if pack is bytes else "s.tgz")
    write_shard(tmp_path / "whole.tar", SIX)
    path.write_bytes(pack(damage((tmp_path / "whole.tar").read_bytes())))
    *rows, last = rows_of_shard(str(path))
    assert [row.data for row in rows] == list(SIX.values())[:2]
    assert (last.row, last.path) == (2, str(path))
    assert str(last.error).startswith(f"{path}: cannot be read to its end (")


def test_what_follows_the_end_is_not_passed_over(tmp_path):
    path = tmp_path / "s.tar"
    write_shard(path, SIX)
    path.write_bytes(2 * path.read_bytes())  # as `cat` makes one of two
    *rows, last = rows_of_shard(str(path))
    assert len(rows) == 6 and "data behind the end" in str(last.error)


@pytest.mark.parametrize("place", [-6, -2])  # in the checksum, and in the size behind it
def test_the_checksum_of_gzip_is_checked(tmp_path, place):
    path = tmp_path / "s.tar.gz"
    write_shard(path, SIX, "w:gz")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    *rows, last = rows_of_shard(str(path))
    assert len(rows) >= 5 and "cannot be read to its end" in str(last.error)


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE])
def test_a_photograph_that_is_a_link_has_an_error(tmp_path, kind):
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        file, link, folder = map(tarfile.TarInfo, ("0.jpg", "1.jpg", "2.jpg"))
        file.size, link.type, link.linkname, folder.type = 1, kind, "0.jpg", tarfile.DIRTYPE
        tar.addfile(file, io.BytesIO(b"x"))
        tar.addfile(link)
        tar.addfile(folder)
    first, second = rows_of_shard(str(path))
    assert (first.data, first.error, second.row, second.data) == (b"x", None, 1, None)
    says = f"tar://1.jpg::{path}: a link or a device, and no file; pack the file itself"
    assert str(second.error) == says


IMAGES = [
    {"bytes": b"x", "path": "0.jpg"},
    {"bytes": b"y", "path": None},
    {"bytes": None, "path": "memory://2.jpg"},
    {"bytes": None, "path": None},
    None,
]


def test_a_column_of_photographs_is_a_shard(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"label": range(5), "image": IMAGES}), path)
    (name,), _ = list_source(str(path), "image")
    assert is_shard(name)
    rows = list(rows_of_shard(name))
    assert [(row.row, row.path, row.data) for row in rows] == [
        (0, f"{path}#0", b"x"),
        (1, f"{path}#1", b"y"),
        (2, "memory://2.jpg", None),
        (3, f"{path}#3", None),
        (4, f"{path}#4", None),
    ]
    assert [str(row.error) for row in rows[3:]] == [
        f"{path}#{i}: no photograph in this row" for i in (3, 4)
    ]
    assert not any(row.error for row in rows[:3])


def test_a_damaged_table_gives_what_it_has_and_an_error(tmp_path):
    path = tmp_path / "t.parquet"
    images = [{"bytes": bytes([i]) * 900, "path": None} for i in range(100)]
    table = pyarrow.table({"image": images})
    parquet.write_table(table, path, row_group_size=10, compression="none", use_dictionary=False)
    content = bytearray(path.read_bytes())
    place = content.index(bytes([55]) * 900) - 900 * 5  # in the sixth group
    content[place - 200 : place] = bytes(200)
    path.write_bytes(content)
    (name,), _ = list_source(str(path), "image")
    *rows, last = rows_of_shard(name)
    assert len(rows) <= 99
    assert str(last.error).startswith(f"{path}: cannot be read to its end (")


@pytest.mark.parametrize("values", [[[1, 2]], [{"a": "b"}], [{"url": b"x"}]])
def test_a_column_of_something_else_is_one_line(tmp_path, values):
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"path": values}), path)
    with pytest.raises(DatasetError, match="column 'path' holds .*, not paths") as error:
        list_source(str(path), "path")
    assert str(error.value).startswith(f"{path}: not a table with paths (")
