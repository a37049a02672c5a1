"""Truth values packed eight to a byte, the first in the lowest bit."""

import numba
import numpy as np
from numba import uint8, void

from visds.core.vector import given


def unpack(packed: np.ndarray, skip: int, out: np.ndarray) -> None:
    """Write bits, one a byte, to `out` (uint8), leaving out the first `skip`, fewer than eight."""
    if skip or len(out) % 8:
        out[:] = np.unpackbits(packed, bitorder="little")[skip:skip + len(out)]
    else:
        unpack_bytes(packed, out)


@numba.njit(void(given(uint8, 1), uint8[::1]), cache=True, nogil=True)
def unpack_bytes(packed, out):
    """Write the bits of whole bytes, one a byte, to `out`."""
    for i in range(len(packed)):
        byte = packed[i]
        for k in range(8):
            out[8 * i + k] = (byte >> np.uint8(k)) & np.uint8(1)
