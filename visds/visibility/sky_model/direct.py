"""Visibilities of a sky model: the direct sum over its components.

V = sum S(nu) exp(+2 pi i (nu/c) (u l + v m + w (n - 1))), in float64, without approximation of
small angles. Bandwidth and time smearing are not applied.
"""

import functools

import numba
import numpy as np
from numba import boolean, complex64, complex128, float64, void

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction
from visds.core.vector import given, turn, vector_kernel
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.correlation_matrix import correlation_matrix

# Channels predicted at once, and of them those whose phase is computed by polynomials.
_BLOCK = 128
_DIRECT = 32
# Fluxes of all components are tabulated for a block of channels in no more than these bytes.
_TABLE_BYTES = 4e6


def add_components(visibility: np.ndarray, scale: float, chunk: VisibilityChunk,
                   model: ComponentModel) -> None:
    """Add `scale` times a model's visibilities to `visibility`, in place.

    Sums are float64, rounded when added to `visibility`. Memory taken is some megabytes, whatever
    the size of the chunk. Rows that the measurement set does not hold (flag ABSENT) stay as they
    are.

    Parameters
    ----------
    visibility : (T,B,F,P) complex64, Jy
        Modified. Its axes are those of `chunk`.
    scale : float
    chunk : VisibilityChunk
        Says where and how was observed; its own visibilities are not used.
    model : ComponentModel
    """
    polarized = np.any(model.stokes != 0, axis=0)
    if not polarized.any():
        return
    matrix = scale * correlation_matrix(chunk.correlations, chunk.feed_angle)
    matrix = np.ascontiguousarray(matrix[..., polarized])
    cosines = _cosines(model, Direction(*chunk.phase_centre, frame=chunk.frame))
    wavenumber = chunk.frequency / LIGHT_SPEED
    uvw = np.ascontiguousarray(chunk.uvw)
    farthest = np.abs(uvw).max(initial=0) * np.abs(cosines).sum(axis=1).max()
    equidistant = _is_equidistant(wavenumber, farthest)
    absent = (chunk.flags[:, :, 0, 0] & Flag.ABSENT) != 0
    width = min(max(int(_TABLE_BYTES / model.stokes.nbytes), 16), _BLOCK)
    for start in range(0, len(wavenumber), width):
        channels = slice(start, start + width)
        flux = model.flux_density(chunk.frequency[channels])[polarized]
        sum_components(visibility[:, :, channels], uvw, cosines, np.ascontiguousarray(flux),
                       wavenumber[channels], equidistant, matrix, absent)


@functools.lru_cache(maxsize=8)
def _cosines(model: ComponentModel, centre: Direction) -> np.ndarray:
    # Kept for the next chunk of the field: from ICRS to B1950 takes milliseconds a component.
    return model.cosines(centre)


def _is_equidistant(wavenumber: np.ndarray, farthest: float) -> bool:
    """Whether channels are so evenly spaced that no phase errs by 1e-9 turns."""
    even = np.linspace(wavenumber[0], wavenumber[-1], len(wavenumber))
    return bool(np.abs(wavenumber - even).max() * farthest < 1e-9)


@vector_kernel
def _phases(path, wavenumber, equidistant, cosine, sine):
    """Fill cosine and sine of 2 pi path wavenumber (F).

    Of equidistant channels only the first `_DIRECT` are computed one by one. They times a
    constant phase are the next as many, all these times another the next twice as many, and so
    on: products of few factors, so that errors do not pile up.
    """
    F = wavenumber.shape[0]
    done = min(F, _DIRECT) if equidistant else F
    for f in range(done):
        cosine[f], sine[f] = turn(path * wavenumber[f])
    if done == F:
        return
    step_cosine, step_sine = turn(path * (wavenumber[done] - wavenumber[0]))
    while done < F:
        _turn_on(cosine, sine, step_cosine, step_sine, cosine[done:], sine[done:],
                 min(done, F - done))
        done *= 2
        step_cosine, step_sine = (step_cosine * step_cosine - step_sine * step_sine,
                                  2 * step_cosine * step_sine)


@vector_kernel
def _turn_on(cosine, sine, step_cosine, step_sine, next_cosine, next_sine, count):
    for f in range(count):
        next_cosine[f] = cosine[f] * step_cosine - sine[f] * step_sine
        next_sine[f] = cosine[f] * step_sine + sine[f] * step_cosine


@vector_kernel
def _add_fringe(flux, s, cosine, sine, sums):
    """Add a component's fluxes times its fringe to the sums of each Stokes parameter."""
    for k in range(flux.shape[0]):
        real, imaginary = 2 * k * _BLOCK, (2 * k + 1) * _BLOCK
        for f in range(flux.shape[2]):
            sums[real + f] += flux[k, s, f] * cosine[f]
            sums[imaginary + f] += flux[k, s, f] * sine[f]


@numba.njit(
    void(complex64[:, :, :, :], given(float64, 3), given(float64, 2), given(float64, 3),
         given(float64, 1), boolean, given(complex128, 3), given(boolean, 2)),
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sum_components(visibility, uvw, cosines, flux, wavenumber, equidistant, matrix, absent):
    """Add the visibilities of components to `visibility` (T,B,F,P), F at most `_BLOCK`.

    `cosines` (S,3), `flux` (K,S,F) in Jy of K Stokes parameters, `wavenumber` (F) in turns per
    m, `matrix` (T,P,K) from Stokes parameters to correlations, `absent` (T,B) where not to add.
    """
    T, B, F, P = visibility.shape
    K, S = flux.shape[:2]
    cosine, sine = np.zeros(_BLOCK), np.zeros(_BLOCK)
    sums = np.zeros(K * 2 * _BLOCK)
    for t in range(T):
        for b in range(B):
            if absent[t, b]:
                continue
            sums[:] = 0
            u, v, w = uvw[t, b, 0], uvw[t, b, 1], uvw[t, b, 2]
            for s in range(S):
                path = u * cosines[s, 0] + v * cosines[s, 1] + w * cosines[s, 2]
                _phases(path, wavenumber, equidistant, cosine, sine)
                _add_fringe(flux, s, cosine, sine, sums)
            for p in range(P):
                for k in range(K):
                    factor = matrix[t, p, k]
                    if factor == 0:
                        continue
                    for f in range(F):
                        visibility[t, b, f, p] += factor * complex(
                            sums[2 * k * _BLOCK + f], sums[(2 * k + 1) * _BLOCK + f])
