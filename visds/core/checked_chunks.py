"""HDF5 chunks handed over ready-made: laid out and checksummed in one go.

HDF5 computes Fletcher's checksum of a chunk at a GB/s and copies the chunk besides. Here it is
computed as vector code, so that chunks are written about as fast as the file takes them. Any
reader of HDF5 checks them as its own.
"""

import h5py
import numba
import numpy as np
from numba import boolean, types, uint16, uint64

from visds.core.vector import given

# So many words that their sum, each times its place, is held by 32 bits.
_WORDS = 256


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
    nbytes = int(np.prod(dataset.chunks)) * dataset.dtype.itemsize
    # An odd number of bytes is summed as if a zero came behind; see H5_checksum_fletcher32.
    stored = np.empty(nbytes + nbytes % 2 + 4, np.uint8)
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


def fletcher32(data: np.ndarray) -> int:
    """Return the checksum of an even number of bytes (uint8), as HDF5 computes it.

    Words are big-endian there; modulo 65535 that is a factor of 256. HDF5 folds sums such that
    only those of zeros alone are zero.
    """
    first, second, any_set = sum_words(data.view(np.uint16))
    folded = [total * 256 % 65535 or (65535 if any_set else 0) for total in (first, second)]
    return folded[1] << 16 | folded[0]


@numba.njit(types.Tuple((uint64, uint64, boolean))(given(uint16, 1)), cache=True, nogil=True)
def sum_words(words):
    """Return the sums of words and of its partial sums modulo 65535, and whether any is set."""
    first, second, any_set = np.uint64(0), np.uint64(0), False
    for start in range(0, len(words), _WORDS):
        part = words[start:start + _WORDS]
        count = len(part)
        plain, placed = np.uint32(0), np.uint32(0)
        for k in range(count):
            word = np.uint32(part[k])
            plain += word
            placed += word * np.uint32(count - k)
        any_set |= plain != 0
        second = (second + np.uint64(count) * first + np.uint64(placed)) % np.uint64(65535)
        first = (first + np.uint64(plain)) % np.uint64(65535)
    return first, second, any_set
