"""Arrays sorted into planes, one for each place on the last axis, as vector code."""

import numba
from numba import uint8, uint32, uint64, void

from visds.core.vector import given, vector_kernel


@vector_kernel
def _two(words, first, second, length):
    for n in range(length):
        first[n] = words[2 * n]
        second[n] = words[2 * n + 1]


@vector_kernel
def _four(words, first, second, third, fourth, length):
    for n in range(length):
        first[n] = words[4 * n]
        second[n] = words[4 * n + 1]
        third[n] = words[4 * n + 2]
        fourth[n] = words[4 * n + 3]


@numba.njit([void(given(kind, 2), kind[:, ::1]) for kind in (uint8, uint32, uint64)], cache=True,
            nogil=True)
def to_planes(values, planes):
    """Copy words (N,P) to planes (P,N or longer)."""
    N, P = values.shape
    words = values.reshape(N * P)
    if P == 4:
        _four(words, planes[0], planes[1], planes[2], planes[3], N)
    elif P == 2:
        _two(words, planes[0], planes[1], N)
    else:
        for p in range(P):
            for n in range(N):
                planes[p, n] = words[P * n + p]
