"""HDF5 chunks handed over ready-made: laid out and checksummed in one go.

HDF5 computes Fletcher's checksum of a chunk at a GB/s and copies the chunk besides. Here it is
computed as vector code, so that chunks are written about as fast as the file takes them. Any
reader of HDF5 checks them as its own.
"""

import threading

import h5py
import numpy as np

_own = threading.local()


def write_array(dataset: h5py.Dataset, values: np.ndarray) -> None:
    """Write a whole array to a dataset that is chunked along its leading axes and checksummed."""
    for place in np.ndindex(*(-(-n // c) for n, c in zip(values.shape, dataset.chunks,
                                                         strict=True))):
        start = tuple(p * c for p, c in zip(place, dataset.chunks, strict=True))
        part = values[tuple(slice(s, s + c) for s, c in zip(start, dataset.chunks, strict=True))]
        write_chunk(dataset, start, part)


def write_chunk(dataset: h5py.Dataset, start: tuple[int, ...], values: np.ndarray) -> None:
    """Write one chunk of a dataset that has Fletcher's checksum and no other filter.

    `start` is the chunk's first element; `values` may be shorter than a chunk at the end of the
    array, and strided.
    """
    from visds.core.fletcher import fletcher32  # kernels are compiled when they are wanted

    nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    # An odd number of bytes is summed as if a zero came behind; see H5_checksum_fletcher32.
    stored = _scratch(nbytes + nbytes % 2 + 4)
    stored[nbytes:] = 0
    chunk = stored[:nbytes].view(dataset.dtype).reshape(dataset.chunks)
    if values.shape == dataset.chunks:
        chunk[...] = values
    else:
        chunk[...] = 0
        chunk[tuple(map(slice, values.shape))] = values
    checksum = fletcher32(stored[:nbytes + nbytes % 2])
    stored[nbytes:nbytes + 4] = np.frombuffer(checksum.to_bytes(4, "little"), np.uint8)
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


def _scratch(nbytes: int) -> np.ndarray:
    """Return memory of this thread, used again: that fresh from the system costs more than a copy.

    Its contents are left over from before.
    """
    if len(getattr(_own, "scratch", ())) < nbytes:
        _own.scratch = np.empty(nbytes, np.uint8)
    return _own.scratch[:nbytes]
