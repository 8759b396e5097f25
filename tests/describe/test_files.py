"""Files are replaced as a whole, with all that belongs to them, or not at all."""

import errno
import os
import stat

import pytest

from captioner.describe import files
from captioner.describe.files import replace_file


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    return path


def replaced(path, **options):
    replace_file(path, b"new", path.read_bytes() if path.is_file() else b"", **options)
    return path.read_text()


def test_rights_and_links_stay(file):
    file.chmod(0o640)
    link = file.with_name("link.txt")
    link.symlink_to(file)
    assert replaced(link) == "new"
    assert link.is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["a.txt", "link.txt"]


def test_the_owner_stays(file):
    # Only root may give files away, others may choose among their groups.
    owner = (1234, 1235) if os.geteuid() == 0 else (os.geteuid(), os.getgroups()[-1])
    os.chown(file, *owner)
    replaced(file)
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_another_owner_who_would_lose_it(file, monkeypatch):
    before = file.stat()
    values = [*before]
    values[stat.ST_UID] += 1
    real = files.Path.stat
    monkeypatch.setattr(
        files.Path,
        "stat",
        lambda path: os.stat_result(values) if path == file else real(path),
    )

    def refuse(*owner):
        raise PermissionError

    monkeypatch.setattr(files.os, "chown", refuse)
    with pytest.raises(OSError, match="belongs to another user"):
        replaced(file)
    monkeypatch.undo()
    assert file.read_text() == "old" and len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_the_time_stays_if_asked(file, keep):
    os.utime(file, ns=(10**18, 10**18 + 1))
    replaced(file, keep_time=keep)
    assert (file.stat().st_mtime_ns == 10**18 + 1) == keep


def test_extended_attributes_stay(file, monkeypatch):
    try:
        os.setxattr(file, "user.tags", b"beach")
    except OSError as error:
        assert error.errno == errno.ENOTSUP
        pytest.skip("the file system has no extended attributes")
    replaced(file)
    assert os.getxattr(file, "user.tags") == b"beach"
    monkeypatch.setattr(files.shutil, "copystat", files.shutil.copymode)
    with pytest.raises(OSError, match="extended attributes that cannot be kept"):
        replaced(file)


def test_hard_links_are_not_parted(file):
    os.link(file, file.with_name("b.txt"))
    with pytest.raises(OSError, match="several hard links"):
        replaced(file)
    assert file.read_text() == "old" and file.stat().st_nlink == 2


def test_what_is_read_only_stays(file):
    file.chmod(0o444)
    with pytest.raises(OSError, match="is read-only; make it writable first"):
        replaced(file)
    assert file.read_text() == "old"


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a regular file"):
        replaced(tmp_path / "pipe")


def test_a_new_file_gets_the_rights_of_another(file):
    file.chmod(0o640)
    new = file.with_name("b.txt")
    assert replaced(new, mode_of=file) == "new"
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_file_that_changed_meanwhile_is_not_replaced(file):
    with pytest.raises(OSError, match="was changed meanwhile by another program"):
        replace_file(file, b"new", b"older")
    with pytest.raises(OSError, match="was changed meanwhile"):
        replace_file(file.with_name("b.txt"), b"new", b"older")
    with pytest.raises(OSError, match="was changed meanwhile"):
        replace_file(file, b"", b"older")
    assert file.read_text() == "old" and os.listdir(file.parent) == ["a.txt"]


def test_an_empty_file_is_removed(file):
    replace_file(file, b"", b"old")
    assert not file.exists()
