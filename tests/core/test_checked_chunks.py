"""Chunks written ready-made are those that HDF5 would have written, checksum and all."""

import h5py
import numpy as np
import pytest

from visds.core.checked_chunks import read_array, write_array, write_chunk
from visds.core.fletcher import fletcher32


def hdf5_checksum(data, path):
    """Return the checksum that HDF5 itself stores for some bytes."""
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=data, chunks=data.shape, fletcher32=True)
    with h5py.File(path) as file:
        _, stored = file["x"].id.read_direct_chunk((0,))
    return int.from_bytes(stored[-4:], "little")


@pytest.mark.parametrize("length", [2, 510, 512, 514, 720, 100_000])
@pytest.mark.parametrize("kind", ["random", "zeros", "ones", "sum of 65535"])
def test_the_checksum_is_hdf5s(tmp_path, length, kind):
    data = np.zeros(length, np.uint8)
    if kind == "random":
        data = np.random.default_rng(length).integers(0, 256, length).astype(np.uint8)
    elif kind == "ones":
        data[:] = 255
    elif kind == "sum of 65535":
        data[:2] = 255
    assert fletcher32(data) == hdf5_checksum(data, tmp_path / "x.h5")


@pytest.mark.parametrize(("shape", "chunks", "dtype"), [
    ((7, 5, 3), (2, 5, 3), "c16"), ((4, 3), (4, 3), "f4"), ((5, 3, 3), (3, 2, 2), "u1"),
    ((9,), (9,), "u1"), ((1, 1), (1, 1), "i8"), ((6, 4), (6, 4), "?")])
def test_what_was_written_is_read_and_checked_by_hdf5_and_here(tmp_path, shape, chunks, dtype):
    values = (np.random.default_rng(0).standard_normal((*shape, 2)) * 50).astype(dtype)[..., 0]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        write_array(file.create_dataset("x", shape, dtype, chunks=chunks, fletcher32=True), values)
    with h5py.File(tmp_path / "x.h5") as file:
        for read in (file["x"][()], read_array(file["x"])):
            assert read.dtype == values.dtype
            np.testing.assert_array_equal(read, values)
        offset, size = (getattr(file["x"].id.get_chunk_info(0), name)
                        for name in ("byte_offset", "size"))
    with open(tmp_path / "x.h5", "r+b") as file:
        file.seek(offset + size // 2)
        byte = file.read(1)[0]
        file.seek(offset + size // 2)
        file.write(bytes([byte ^ 16]))
    with h5py.File(tmp_path / "x.h5") as file:
        with pytest.raises(OSError, match="read"):
            file["x"][()]
        with pytest.raises(OSError, match="/x: the checksum of a chunk does not agree"):
            read_array(file["x"])


@pytest.mark.parametrize("keywords", [
    {}, {"chunks": (2, 3)}, {"chunks": (2, 3), "fletcher32": True},
    {"chunks": (2, 3), "compression": "gzip", "fletcher32": True},
    {"chunks": (2, 3), "compression": "gzip"}, {"chunks": (2, 3), "shuffle": True}])
@pytest.mark.parametrize("dtype", ["<f8", ">f8"])
def test_what_another_program_wrote_is_read(tmp_path, keywords, dtype):
    """As h5repack leaves it, for instance: compressed, or without checksums."""
    values = np.random.default_rng(0).standard_normal((5, 7)).astype(dtype)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=values, **keywords)
    with h5py.File(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(read_array(file["x"]), values)


def test_a_chunk_that_is_lost_is_not_read_as_zeros(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("x", (4, 3), "f8", chunks=(2, 3), fletcher32=True)
        write_chunk(dataset, (2, 0), np.ones((2, 3)))
        with pytest.raises(OSError, match="has 1 chunks, expected 2"):
            read_array(dataset)


def test_the_part_of_a_chunk_beyond_the_array_is_zero(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("x", (3,), "f8", chunks=(4,), maxshape=(4,), fletcher32=True)
        write_chunk(dataset, (0,), np.arange(1.0, 4.0))
        dataset.resize((4,))
        np.testing.assert_array_equal(dataset[()], [1, 2, 3, 0])


def test_a_chunk_of_another_size_is_not_taken_for_the_one_before(tmp_path):
    """Its bytes would be those that the memory of the chunk before still holds."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("x", (4, 3), "f8", chunks=(2, 3), fletcher32=True)
        write_chunk(dataset, (0, 0), np.ones((2, 3)))
        dataset.id.write_direct_chunk((2, 0), b"less")
        with pytest.raises(OSError, match="does not agree"):
            read_array(dataset)
