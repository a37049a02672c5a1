"""A file is there whole or not at all."""

import errno
import os
import stat

import pytest

from visds.core.errors import OutputError
from visds.core.files import make_folder, output_error, whole_file


def test_a_file_appears_only_when_all_is_written(tmp_path):
    path = tmp_path / "product.txt"
    with whole_file(path) as part:
        part.write_text("first half")
        assert not path.exists()
        assert part.parent == tmp_path and part.suffix == ".txt"
    assert path.read_text() == "first half"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_writer_leaves_the_old_file_and_no_rest(tmp_path, error):
    path = tmp_path / "product.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as part:
        part.write_text("new")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    path = tmp_path / "product.txt"
    with pytest.raises(OutputError, match=r"cannot write .*product.txt: no space left"), \
            whole_file(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_number_still_says_something():
    assert str(output_error("a.h5", OSError("HDF5 says no"))) == "cannot write a.h5: HDF5 says no"


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*: No such file"), \
            whole_file(tmp_path / "missing" / "a.txt"):
        pass


def test_the_usual_permissions_are_given_although_temporary_files_are_private(tmp_path):
    mask = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a.txt") as part:
            part.write_text("")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


def test_a_folder_is_made_with_its_parents_and_may_be_there_already(tmp_path):
    for _ in range(2):
        assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_a_clear_error(tmp_path):
    (tmp_path / "a").write_text("")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OutputError, match="cannot write"):
            make_folder(path)
