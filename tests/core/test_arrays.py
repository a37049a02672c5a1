"""Records: a swapped axis fails, and what is stored is what is read again."""

from dataclasses import dataclass
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest

from visds.core.arrays import Record, array, attribute, stored_key
from visds.core.errors import FormatError, OutputError


@dataclass(frozen=True, eq=False)
class Ramp(Record):
    """A record."""

    format_name: ClassVar[str] = "visds.ramp"
    format_version: ClassVar[int] = 3

    values: np.ndarray = array("TFP", "c16", "Jy", "values that tell their index")
    time: np.ndarray = array("T", "f8", "d", "times")
    places: np.ndarray = array("TX", "f4", "m", "vectors")
    labels: tuple[str, ...] = attribute("labels on axis P")
    meta: dict[str, Any] = attribute("more", {})


@dataclass(frozen=True, eq=False)
class Other(Ramp):
    """Another format."""

    format_name: ClassVar[str] = "visds.other"


def ramp(T=2, F=3, P=4, **changes):
    t, f, p = np.ogrid[:T, :F, :P]
    fields = {"values": 100 * t + 10 * f + p + 1j, "time": np.arange(T) + 59000.123456789,
              "places": np.zeros((T, 3)), "labels": ("I", "Q", "U", "V"),
              "meta": {"number": 1.5, "words": ["a", "b"], "none": None}}
    return Ramp(**(fields | changes))


def test_a_record_read_again_has_every_bit(tmp_path):
    first = ramp(values=ramp().values * np.pi)
    first.write(tmp_path / "a.h5", key="abc")
    again = Ramp.read(tmp_path / "a.h5")
    for name in Ramp.array_specs():
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
        assert getattr(again, name).dtype == getattr(first, name).dtype
    assert (again.labels, again.meta) == (first.labels, first.meta)
    assert stored_key(tmp_path / "a.h5", Ramp) == "abc"


@pytest.mark.parametrize(("changes", "message"), [
    ({"values": np.zeros((3, 2, 4))}, "axis T has length 2, elsewhere 3"),
    ({"values": np.zeros((2, 3))}, r"values has 2 axes, expected \(T,F,P\)"),
    ({"places": np.zeros((2, 2))}, "places: axis X has length 2, elsewhere 3"),
])
def test_a_swapped_axis_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ramp(**changes)


def test_arrays_become_what_is_declared_and_those_that_are_it_already_are_not_copied():
    values = np.zeros((2, 3, 4), np.complex128)
    record = ramp(values=values, places=np.zeros((2, 3), np.int64))
    assert record.values is values
    assert record.places.dtype == np.float32
    assert record.nbytes == 2 * 3 * 4 * 16 + 2 * 8 + 2 * 3 * 4


def test_empty_axes_can_be_stored(tmp_path):
    ramp(T=0).write(tmp_path / "a.h5")
    assert Ramp.read(tmp_path / "a.h5").values.shape == (0, 3, 4)


def test_the_file_says_axes_units_and_meaning(tmp_path):
    ramp().write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert dict(file["values"].attrs) == {"axes": "TFP", "unit": "Jy",
                                              "meaning": "values that tell their index"}


def test_two_records_do_not_share_their_default_mapping():
    first, second = (Ramp(values=np.zeros((1, 1, 1)), time=[0], places=np.zeros((1, 3)),
                          labels=("I",)) for _ in range(2))
    first.meta["x"] = 1
    assert second.meta == {}


def damaged(path, what):
    if what == "text":
        path.write_text("no HDF5")
    elif what == "cut short":
        path.write_bytes(path.read_bytes()[:2000])
    elif what == "one bit":
        data = bytearray(path.read_bytes())
        place = data.index(np.float64(59001.123456789).tobytes())
        data[place] ^= 1
        path.write_bytes(data)
    elif what == "missing":
        path.unlink()
    elif what == "version":
        with h5py.File(path, "r+") as file:
            file.attrs["version"] = 2
    elif what == "incomplete":
        with h5py.File(path, "r+") as file:
            del file.attrs["complete"]
    elif what == "dataset":
        with h5py.File(path, "r+") as file:
            del file["time"]


@pytest.mark.parametrize(("what", "message"), [
    ("text", "not a readable HDF5 file"), ("cut short", "not a readable HDF5 file"),
    ("one bit", "damaged"), ("missing", "does not exist"), ("dataset", "damaged"),
    ("version", "has format version 2, this release reads version 3"),
    ("incomplete", "was not written to its end")])
def test_what_is_not_the_whole_product_is_refused_in_one_line(tmp_path, what, message):
    path = tmp_path / "a.h5"
    ramp().write(path, key="abc")
    damaged(path, what)
    with pytest.raises(FormatError, match=message) as caught:
        Ramp.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["text", "cut short", "missing", "version", "incomplete"])
def test_a_product_that_cannot_be_used_has_no_key(tmp_path, what):
    path = tmp_path / "a.h5"
    ramp().write(path, key="abc")
    damaged(path, what)
    assert stored_key(path, Ramp) is None


def test_another_format_is_not_taken_for_this_one(tmp_path):
    ramp().write(tmp_path / "a.h5", key="abc")
    with pytest.raises(FormatError, match=r"holds 'visds\.ramp', expected 'visds\.other'"):
        Other.read(tmp_path / "a.h5")
    assert stored_key(tmp_path / "a.h5", Other) is None


def test_a_record_cannot_be_written_into_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        ramp().write(tmp_path / "missing" / "a.h5")


@pytest.mark.parametrize(("place", "beyond"), [
    (b"OHDR", 10), (b"OHDR", 40), (b"FAHD", 8), (b"FADB", 14), (b'"words"', 2)])
def test_a_flipped_bit_of_a_header_an_index_or_a_text_is_damage_in_one_line(tmp_path, place,
                                                                            beyond):
    """The arrays themselves are as they were."""
    path = tmp_path / "a.h5"
    ramp(T=40, F=5000, labels=("I",) * 4).write(path, key="abc")
    data = bytearray(path.read_bytes())
    data[data.index(place) + beyond] ^= 16
    path.write_bytes(data)
    with pytest.raises(FormatError, match=f"^{path} is .*damaged"):
        Ramp.read(path)


def test_attributes_that_were_written_without_a_hash_are_read(tmp_path):
    ramp().write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file.attrs["attributes_sha256"]
    assert Ramp.read(tmp_path / "a.h5").meta == ramp().meta


def test_large_arrays_are_stored_in_pieces_of_some_megabytes(tmp_path):
    ramp(T=40, F=5000, labels=("I",) * 4).write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.prod(file["values"].chunks) * 16 <= 4.1e6
        assert file["values"].fletcher32
