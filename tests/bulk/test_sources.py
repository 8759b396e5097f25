"""The names and the photographs of sources."""

import fsspec
import pyarrow
import pytest
from pyarrow import parquet

from captioner.bulk.shards import Row
from captioner.bulk.sources import list_source, parts_of, read, rows_of
from captioner.data.images import ImageError
from captioner.data.records import DatasetError

NAMES = ["b.jpg", "a, b.png", "memory://bucket/ü.jpg"]


def names(source, column="path"):
    return list_source(str(source), column)[0]


def test_a_folder_names_its_photographs_sorted_and_counts_the_rest(tmp_path):
    for name in ("z.jpg", "sub/a.PNG", ".hidden.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, passed_over = list_source(str(tmp_path), "path")
    assert found == [f"{tmp_path}/sub/a.PNG", f"{tmp_path}/z.jpg"]
    assert passed_over == {".txt": 1}


def test_lists_and_tables_name_what_they_hold_in_their_order(tmp_path):
    (tmp_path / "list.txt").write_text("\n".join(["", *NAMES, ""]))
    quoted = "".join(f'x,"{name}"\r\n' for name in NAMES)
    (tmp_path / "t.csv").write_text(f"\ufeffid,url\r\n{quoted}")
    parquet.write_table(pyarrow.table({"url": [*NAMES, None]}), tmp_path / "t.parquet")
    assert names(tmp_path / "list.txt") == NAMES
    assert names(tmp_path / "t.csv", "url") == NAMES
    assert names(tmp_path / "t.parquet", "url") == [*NAMES, ""]


def test_a_pattern_is_all_that_it_matches(tmp_path):
    for name in ("1.tar", "0.tar", "2.jpg", "x[1].jpg"):
        (tmp_path / name).touch()
    assert names(tmp_path / "*.tar") == [f"{tmp_path}/{n}.tar" for n in "01"]
    assert names(tmp_path / "x[1].jpg") == [f"{tmp_path}/x[1].jpg"]


def test_other_file_systems_name_urls(tmp_path):
    files = fsspec.filesystem("memory")
    files.pipe({"/bulk/a.jpg": b"a", "/bulk/deep/b.jpg": b"b", "/bulk/c.txt": b"c"})
    found, passed_over = list_source("memory://bulk", "path")
    assert found == ["memory:///bulk/a.jpg", "memory:///bulk/deep/b.jpg"]
    assert passed_over == {"of any suffix": 1}
    assert read(found[1]) == b"b"
    with pytest.raises(ImageError, match=r"^memory://none.jpg: cannot be read \(no such file\)$"):
        read("memory://none.jpg")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file or folder"),
        ("empty", "folder", "has no photographs; for shards"),
        ("empty.txt", b"\n", "names no photograph"),
        ("t.csv", b"a,b\n1,2\n", "no column 'path'; --column names one of a, b"),
        ("list.txt", b"\xff\n", "not a list with a path a line"),
        ("t.parquet", b"PAR1", "not a table with paths"),
        ("t.parquet", b"PAR1\xff" + b"\1\0\0\0PAR1", "not a table with paths"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_names_it(tmp_path, name, content, message):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        names(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_file_system_that_is_not_known_is_named_before_anything_is_done(tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg\nnowhere://x\n")
    for source in ("nowhere://x", tmp_path / "list.txt"):
        with pytest.raises(DatasetError, match="nowhere://x: Protocol not known: nowhere"):
            names(source)


def test_parts_hold_every_name_once_and_a_shard_alone():
    parts = list(parts_of([*"abcde", "0.tar", "1.tgz", "f"], 2))
    expected = [["a", "b"], ["c", "d"], ["e"], ["0.tar"], ["1.tgz"], ["f"]]
    assert [part.names for part in parts] == expected
    assert [part.number for part in parts] == list(range(6))
    assert [part.first for part in parts] == [0, 2, 4, 5, 6, 7]
    assert list(rows_of(parts[1])) == [Row(2, "c"), Row(3, "d")]
