"""Fletcher's checksum as HDF5 computes it, as vector code."""

import numba
import numpy as np
from numba import boolean, types, uint16, uint64

from visds.core.vector import given

# So many words that their sum, each times its place, is held by 32 bits.
_WORDS = 256


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
