"""Flags set on visibilities before they are averaged: the amplitude clips."""

import numba
import numpy as np

from visds.core.flags import Flag
from visds.core.polarization import pairs_of
from visds.dynspec.flag_settings import FlagSettings
from visds.visibility.chunk import VisibilityChunk


def clip(chunk: VisibilityChunk, settings: FlagSettings) -> VisibilityChunk:
    """Return the chunk with all correlations flagged where |I| or |V| is above its limit.

    The chunk's own flags get the bits CLIP_I or CLIP_V. A NaN is not above a limit.
    """
    if settings.clip_i is None and settings.clip_v is None:
        return chunk
    limits = {"I": (settings.clip_i, Flag.CLIP_I), "V": (settings.clip_v, Flag.CLIP_V)}
    for pair in pairs_of(chunk.correlations):
        i, j = (chunk.correlations.index(label) for label in pair.correlations)
        for stokes, sign in ((pair.sum_stokes, 1.0), (pair.difference_stokes, -1.0)):
            limit, bit = limits.get(stokes, (None, None))
            if limit is not None:
                _clip(chunk.visibility, chunk.flags, i, j, sign, limit, np.uint8(bit))
    return chunk


@numba.njit(
    "void(complex64[:,:,:,::1], uint8[:,:,:,::1], int64, int64, float64, float64, uint8)",
    cache=True, nogil=True)
def _clip(visibility, flags, i, j, sign, limit, bit):
    T, B, F, P = visibility.shape
    for t in range(T):
        for b in range(B):
            for f in range(F):
                half = (visibility[t, b, f, i] + sign * visibility[t, b, f, j]) / 2
                if half.real**2 + half.imag**2 > limit**2:
                    for p in range(P):
                        flags[t, b, f, p] |= bit
