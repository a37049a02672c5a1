"""HDF5 chunks handed over and fetched as they are stored, with their checksums.

HDF5 computes Fletcher's checksum of a chunk at a GB/s and copies the chunk besides. Here it is
computed as vector code, so that chunks are written and read about as fast as the file takes and
gives them. Any reader of HDF5 checks them as its own.
"""

import threading
from collections.abc import Iterator

import h5py
import numpy as np

_own = threading.local()


def write_array(dataset: h5py.Dataset, values: np.ndarray) -> None:
    """Write a whole array to a dataset that is chunked along its leading axes and checksummed."""
    for start, part in _chunks_of(dataset):
        write_chunk(dataset, start, values[part])


def read_array(dataset: h5py.Dataset) -> np.ndarray:
    """Return a whole array as `write_array` wrote it; other datasets as HDF5 reads them.

    Raises
    ------
    OSError
        If a chunk is lost or its checksum does not agree.
    """
    check_chunks(dataset)
    if not dataset.fletcher32 or dataset.id.get_create_plist().get_nfilters() != 1:
        return dataset[()]
    nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    whole = None if dataset.chunks == dataset.shape else np.empty(dataset.shape, dataset.dtype)
    for start, part in _chunks_of(dataset):
        size = _stored_bytes(nbytes)
        stored = np.empty(size, np.uint8) if whole is None else _scratch(size)
        unchecked, _ = dataset.id.read_direct_chunk(start, out=stored[:nbytes + 4])
        sealed = stored[nbytes:nbytes + 4].tobytes()
        if (unchecked or dataset.id.get_chunk_info_by_coord(start).size != nbytes + 4
                or _checksum(stored, nbytes) != sealed):
            raise OSError(f"{dataset.name}: the checksum of a chunk does not agree")
        chunk = stored[:nbytes].view(dataset.dtype).reshape(dataset.chunks)
        if whole is None:
            return chunk
        place = whole[part]
        place[...] = chunk[tuple(map(slice, place.shape))]
    return whole


def write_chunk(dataset: h5py.Dataset, start: tuple[int, ...], values: np.ndarray) -> None:
    """Write one chunk of a dataset that has Fletcher's checksum and no other filter.

    `start` is the chunk's first element; `values` may be shorter than a chunk at the end of the
    array, and strided.
    """
    nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    stored = _scratch(_stored_bytes(nbytes))
    chunk = stored[:nbytes].view(dataset.dtype).reshape(dataset.chunks)
    if values.shape == dataset.chunks:
        chunk[...] = values
    else:
        chunk[...] = 0
        chunk[tuple(map(slice, values.shape))] = values
    _seal(stored, nbytes)
    dataset.id.write_direct_chunk(start, stored[:nbytes + 4])


def lay_out_planes(values: np.ndarray, rows: int, memory: np.ndarray | None = None) -> np.ndarray:
    """Return the planes of an array (T,...,P), one for each place on axis P, as stored chunks.

    A chunk holds `rows` integrations, the last ones zero where the array has fewer. What is
    returned (P,bytes), for `write_plane`, is `memory` if that is as large.
    """
    from visds.core.planes import to_planes  # kernels are compiled when they are wanted

    T, P = len(values), values.shape[-1]
    nbytes = rows * (values[0].nbytes // P)
    shape = (P, _stored_bytes(nbytes))
    stored = memory if memory is not None and memory.shape == shape else np.empty(shape, np.uint8)
    word = np.dtype(f"u{values.itemsize}")
    if T < rows:
        stored[:, nbytes // rows * T:nbytes] = 0
    to_planes(np.ascontiguousarray(values).view(word).reshape(-1, P), stored.view(word))
    for plane in stored:
        _seal(plane, nbytes)
    return stored


def write_plane(dataset: h5py.Dataset, begin: int, stored: np.ndarray) -> None:
    """Write one of the planes of `lay_out_planes` to a dataset, from integration `begin` on."""
    nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    start = (begin,) + (0,) * (len(dataset.chunks) - 1)
    dataset.id.write_direct_chunk(start, stored[:nbytes + 4])


def check_chunks(dataset: h5py.Dataset, number: int | None = None) -> None:
    """Check that a dataset has as many chunks as given, by default all.

    One that is lost would be read as zeros.

    Raises
    ------
    OSError
        If there are more or fewer.
    """
    if dataset.chunks is None:
        return
    if number is None:
        number = int(np.prod([-(-n // c) for n, c in zip(dataset.shape, dataset.chunks,
                                                         strict=True)]))
    held = dataset.id.get_num_chunks()
    if held != number:
        raise OSError(f"{dataset.name} has {held} chunks, expected {number}")


def _stored_bytes(nbytes: int) -> int:
    """Return the memory for a chunk with its checksum, a multiple of eight bytes."""
    return -(-(nbytes + 5) // 8) * 8


def _seal(stored: np.ndarray, nbytes: int) -> None:
    """Put the checksum behind the bytes of a chunk."""
    stored[nbytes:nbytes + 4] = np.frombuffer(_checksum(stored, nbytes), np.uint8)


def _checksum(stored: np.ndarray, nbytes: int) -> bytes:
    """Return the checksum of the first bytes; the byte behind them is set to zero."""
    from visds.core.fletcher import fletcher32  # kernels are compiled when they are wanted

    # An odd number of bytes is summed as if a zero came behind; see H5_checksum_fletcher32.
    stored[nbytes] = 0
    return fletcher32(stored[:nbytes + nbytes % 2]).to_bytes(4, "little")


def _chunks_of(dataset: h5py.Dataset) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Yield the first element of each chunk and its place in the array."""
    for place in np.ndindex(*(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks,
                                                         strict=True))):
        start = tuple(p * c for p, c in zip(place, dataset.chunks, strict=True))
        yield start, tuple(slice(s, s + c) for s, c in zip(start, dataset.chunks, strict=True))


def _scratch(nbytes: int) -> np.ndarray:
    """Return memory of this thread, used again: that fresh from the system costs more than a copy.

    Its contents are left over from before.
    """
    if len(getattr(_own, "scratch", ())) < nbytes:
        _own.scratch = np.empty(nbytes, np.uint8)
    return _own.scratch[:nbytes]
