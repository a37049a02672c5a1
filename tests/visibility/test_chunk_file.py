"""A chunk file gives back every bit, in slabs of any size, and is whole or not there."""

import itertools

import h5py
import numpy as np
import pytest

from visds.core.arrays import stored_key
from visds.core.errors import FormatError
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.chunk_file import read_slabs, write_slabs

T, B, F = 11, 6, 5


def ramp(correlations=("RR", "RL", "LR", "LL"), channel_weights=True, T=T):
    """Return a chunk in which every value tells its index."""
    P = len(correlations)
    t, b, f, p = np.ogrid[:T, :B, :F, :P]
    number = ((t * B + b) * F + f) * P + p
    return VisibilityChunk(
        visibility=number + 0.5j, flags=number % 256,
        weight=(number if channel_weights else number[:, :, :1]) + 1, uvw=np.arange(
            T * B * 3).reshape(T, B, 3) * np.pi, antennas=np.arange(2 * B).reshape(B, 2),
        time=59000 + np.arange(T) / 7, integration=np.full(T, 9.9), feed_angle=np.arange(T) / 3,
        frequency=1e9 - 1e6 * np.arange(F), channel_width=np.full(F, 1e6),
        correlations=correlations, phase_centre=(10.0, -20.0), frame="J2000", field="a star",
        scan=3, spectral_window=2, meta={"note": "x"})


def cut(chunk, sizes):
    edges = np.cumsum([0, *sizes])
    for begin, end in itertools.pairwise(edges):
        yield chunk.select_times(int(begin), int(end))


def assert_equal(slabs, chunk):
    begin = 0
    for slab in slabs:
        end = begin + len(slab.time)
        expected = chunk.select_times(begin, end)
        for name in VisibilityChunk.array_specs():
            found = getattr(slab, name)
            np.testing.assert_array_equal(found, getattr(expected, name))
            assert found.dtype == getattr(chunk, name).dtype
        for name in VisibilityChunk.attribute_names():
            assert getattr(slab, name) == getattr(chunk, name)
        begin = end
    assert begin == len(chunk.time)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (3, 9), (5, 6), (10, 11), (2, 99), (4, 4)])
@pytest.mark.parametrize("nbytes", [1, 3000, 10**9])
def test_some_integrations_are_read_alone(tmp_path, start, stop, nbytes):
    chunk = ramp()
    path = tmp_path / "a.visibility.h5"
    list(write_slabs(path, cut(chunk, [4, 4, 3]), T, "key"))
    assert_equal(read_slabs(path, nbytes, start, stop), chunk.select_times(start, min(stop, T)))


def test_a_chunk_is_read_and_written_whole(tmp_path):
    path = tmp_path / "a.visibility.h5"
    list(write_slabs(path, cut(ramp(), [4, 4, 3]), T, "key"))
    assert_equal([VisibilityChunk.read(path)], ramp())
    ramp().write(path, "other")
    assert_equal(read_slabs(path, 3000), ramp())
    assert stored_key(path, VisibilityChunk) == "other"


@pytest.mark.parametrize("sizes", [[11], [4, 4, 3], [1] * 11])
@pytest.mark.parametrize("nbytes", [1, 3000, 10**9])
@pytest.mark.parametrize("correlations", [("RR", "RL", "LR", "LL"), ("YY", "XX")])
@pytest.mark.parametrize("channel_weights", [True, False])
def test_slabs_of_any_size_are_read_again_in_slabs_of_any_size(
        tmp_path, sizes, nbytes, correlations, channel_weights):
    chunk = ramp(correlations, channel_weights)
    path = tmp_path / "a.visibility.h5"
    assert_equal(write_slabs(path, cut(chunk, sizes), T, "key"), chunk)
    assert_equal(read_slabs(path, nbytes), chunk)
    assert stored_key(path, VisibilityChunk) == "key"
    assert [place.name for place in tmp_path.iterdir()] == [path.name]


def test_each_correlation_is_a_dataset_of_its_own(tmp_path):
    for _ in write_slabs(tmp_path / "a.h5", cut(ramp(), [11]), T, ""):
        pass
    with h5py.File(tmp_path / "a.h5") as file:
        assert sorted(file["visibility"]) == ["LL", "LR", "RL", "RR"]
        assert file["visibility/LR"].shape == (T, B, F)
        assert file["visibility/LR"].attrs["unit"] == "Jy"
        assert file["weight/RR"].shape == (T, B, F)


def test_a_writer_that_is_left_before_the_end_leaves_nothing(tmp_path):
    slabs = write_slabs(tmp_path / "a.h5", cut(ramp(), [4, 4, 3]), T, "")
    next(slabs)
    slabs.close()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_reader_is_not_called_an_error_of_the_writer(tmp_path):
    def broken():
        yield from cut(ramp(), [4])
        raise FormatError("the data are bad")

    with pytest.raises(FormatError, match="the data are bad"):
        for _ in write_slabs(tmp_path / "a.h5", broken(), T, ""):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_slab_changed_after_it_was_yielded_is_stored_as_it_was(tmp_path):
    # The clips set flags in place; they are settings of the averaging, not of the file.
    for slab in write_slabs(tmp_path / "a.h5", cut(ramp(), [11]), T, ""):
        slab.flags[...] = 255
    assert_equal(read_slabs(tmp_path / "a.h5", 10**9), ramp())


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    for _ in write_slabs(path, cut(ramp(), [11]), T, ""):
        pass
    data = bytearray(path.read_bytes())
    place = data.index(ramp().visibility[0, :, :, 0].tobytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        list(read_slabs(path, 10**9))
    path.write_text("nothing")
    with pytest.raises(FormatError, match="not a readable HDF5 file"):
        list(read_slabs(path, 10**9))
