"""Protection of bursts: the dynamic spectra of the targets taken out before flagging."""

import warnings
from collections.abc import Iterator, Sequence

import numba
import numpy as np
from numba import complex64, complex128, float32, float64, int64, uint8, void

from visds.core.polarization import pairs_of
from visds.core.sky import LIGHT_SPEED, Direction
from visds.core.track import Track
from visds.core.vector import given, turn
from visds.dynspec.average import pair_sums, sum_up
from visds.dynspec.block import paths_to
from visds.dynspec.flagging.background import select
from visds.visibility.chunk import VisibilityChunk

_SLAB_BYTES = 4e6
# A mean beyond so many sigma is taken robustly.
_SIGNIFICANT = 3.0
# Each direction that is taken out of a cell takes one of its baselines' degrees of freedom: where
# that would be more than a third of them, only what is significant is taken out.
_MOST_OF_BASELINES = 1 / 3
# A visibility is within so many sigma of the median, or left out of the robust mean.
_CLIP = 4.0
# Integrations and channels whose differences tell the scale of the weights.
_CELLS = 16, 32
# Median of the squared modulus of a complex Gaussian variate whose parts have variance 1.
_MEDIAN = 2 * np.log(2)


def without_bursts(chunk: VisibilityChunk, directions: Sequence[Direction | Track],
                   significant_only: bool = False) -> np.ndarray:
    """Return the visibilities (T,B,F,P; Jy) less what comes from some directions.

    Taken out is, for each integration, channel and correlation of a pair, the mean over baselines
    of the visibilities turned to the direction, turned back to each baseline: a burst is the same
    on all of them, interference is not. A mean beyond three sigma could also be interference on
    some baselines, and would then be spread over all: there it is the mean of the baselines within
    four robust sigma of the median of all. Flagged, NaN and unweighted visibilities do not count,
    in both correlations of their pair.

    One direction after the other is taken out; where there are several, twice, so that what one
    is in the sidelobes of the other is put back. Where they are more than a third of the baselines
    only means beyond three sigma are taken out, and so they are with `significant_only`, for what
    measures the noise: each mean takes one of a cell's B degrees of freedom. The chunk is not
    modified.
    """
    residual = np.array(chunk.visibility, order="C")
    places = np.array([[chunk.correlations.index(label) for label in pair.correlations]
                       for pair in pairs_of(chunk.correlations)]).reshape(-1, 2)
    if not len(places) or not residual.size:
        return residual
    everywhere = not significant_only and (
        len(directions) <= _MOST_OF_BASELINES * residual.shape[1])
    scale = _weight_scale(chunk, places)
    for times in _slabs(residual):
        slab = chunk.select_times(times.start, times.stop)
        slab = slab.replace(visibility=residual[times], flags=np.ascontiguousarray(slab.flags),
                            weight=np.ascontiguousarray(slab.weight))
        paths = [paths_to(direction, slab) for direction in directions]
        for _ in range(min(len(paths), 2)):
            for path in paths:
                _take_out(slab, places, path, scale, everywhere)
    return residual


def _slabs(residual: np.ndarray) -> Iterator[slice]:
    step = max(1, int(_SLAB_BYTES * len(residual) / residual.nbytes))
    for begin in range(0, len(residual), step):
        yield slice(begin, min(begin + step, len(residual)))


def _take_out(slab: VisibilityChunk, places: np.ndarray, path: np.ndarray | None,
              scale: float, everywhere: bool) -> None:
    """Take one direction out of the slab's visibilities, in place."""
    sums = pair_sums([sum_up(slab.visibility, slab.flags, slab.weight, places, path,
                             slab.frequency)])
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(sums.sum_w[..., None] > 0, sums.sum_wv / sums.sum_w[..., None], 0)
    mean = np.ascontiguousarray(mean)
    with np.errstate(divide="ignore"):
        # The variance of the mean of one correlation is twice that of half the pair's sum.
        limit = _SIGNIFICANT ** 2 * scale * 2 / sums.sum_w
    doubtful = np.ascontiguousarray((np.abs(mean) ** 2).max(axis=-1) > limit, np.uint8)
    if path is None:
        path = np.zeros(slab.uvw.shape[:2])
    path = np.ascontiguousarray(path)
    wavenumber = np.ascontiguousarray(slab.frequency / LIGHT_SPEED)
    if doubtful.any():
        _fill_robust(slab.visibility, slab.flags, slab.weight, places, path, wavenumber, doubtful,
                     mean)
    if not everywhere:
        mean = np.where(doubtful[..., None], mean, 0)
    if np.any(mean):
        _subtract(slab.visibility, places, path, wavenumber, mean)


def _weight_scale(chunk: VisibilityChunk, places: np.ndarray) -> float:
    """Return the variance of noise in units of 1/weight, which interference does not reach.

    From differences of neighbouring channels, or of integrations where there is one channel: the
    median of w |difference|^2 over baselines, in the median over some hundreds of cells.
    """
    T, _, F, _ = chunk.visibility.shape
    axis = 2 if F > 1 else 0
    if max(T, F) == 1:
        return 1.0
    t = np.unique(np.linspace(0, T - (2 if axis == 0 else 1), _CELLS[0]).astype(int))
    f = np.unique(np.linspace(0, max(F - 2, 0), _CELLS[1]).astype(int))
    order = np.argsort(chunk.frequency, kind="stable")
    values = []
    for step in (0, 1):
        at = (t + step, order[f]) if axis == 0 else (t, order[f + step])
        weight = chunk.weight[at[0]][..., places.ravel()]
        weight = weight if weight.shape[2] == 1 else weight[:, :, at[1]]
        cells = np.ix_(at[0], range(chunk.visibility.shape[1]), at[1], places.ravel())
        usable = (chunk.flags[cells] == 0) & (weight > 0) & (weight < np.inf)
        values.append((np.where(usable, chunk.visibility[cells], np.nan), weight))
    (first, w1), (second, w2) = values
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scaled = np.abs(second - first) ** 2 / (1 / w1 + 1 / w2)
        scale = float(np.nanmedian(np.nanmedian(scaled, axis=1)) / _MEDIAN)
    return scale if scale > 0 else 1.0


@numba.njit(nogil=True, error_model="numpy")
def _scatter(values, copy, number, middle):
    """Return the robust standard deviation of values about their median."""
    for k in range(number):
        copy[k] = abs(values[k] - middle)
    return 1.4826 * select(copy, 0, number, number // 2)


@numba.njit(
    void(given(complex64, 4), given(uint8, 4), given(float32, 4), given(int64, 2),
         given(float64, 2), given(float64, 1), given(uint8, 3), complex128[:, :, :, ::1]),
    cache=True, nogil=True, error_model="numpy")
def _fill_robust(visibility, flags, weight, places, path, wavenumber, doubtful, mean):
    """Write robust means to `mean` (T,F,N,2) where a cell is `doubtful` (T,F,N)."""
    T, B, F, _ = visibility.shape
    real, imaginary, weights = np.empty((2, B)), np.empty((2, B)), np.empty(B)
    copy = np.empty(B)
    for t in range(T):
        for f in range(F):
            for n in range(len(places)):
                if not doubtful[t, f, n]:
                    continue
                i, j = places[n]
                number = 0
                for b in range(B):
                    g = 0 if weight.shape[2] == 1 else f
                    w1, w2 = np.float64(weight[t, b, g, i]), np.float64(weight[t, b, g, j])
                    u, v = visibility[t, b, f, i], visibility[t, b, f, j]
                    power = (u.real * u.real + u.imag * u.imag
                             + v.real * v.real + v.imag * v.imag)
                    if ((flags[t, b, f, i] | flags[t, b, f, j]) != 0 or not (
                            w1 > 0 and w2 > 0 and w1 < np.inf and w2 < np.inf
                            and power < np.inf)):
                        continue
                    c, s = turn(path[t, b] * wavenumber[f])
                    weights[number] = w1 * w2 / (w1 + w2)
                    real[0, number] = u.real * c + u.imag * s
                    imaginary[0, number] = u.imag * c - u.real * s
                    real[1, number] = v.real * c + v.imag * s
                    imaginary[1, number] = v.imag * c - v.real * s
                    number += 1
                for k in range(2):
                    copy[:number] = real[k, :number]
                    x = select(copy, 0, number, number // 2)
                    copy[:number] = imaginary[k, :number]
                    y = select(copy, 0, number, number // 2)
                    variance = (_scatter(real[k], copy, number, x) ** 2
                                + _scatter(imaginary[k], copy, number, y) ** 2) / 2
                    total = sum_x = sum_y = 0.0
                    for m in range(number):
                        off = (real[k, m] - x) ** 2 + (imaginary[k, m] - y) ** 2
                        w = weights[m] if off <= _CLIP ** 2 * variance else 0.0
                        total += w
                        sum_x += w * real[k, m]
                        sum_y += w * imaginary[k, m]
                    mean[t, f, n, k] = (complex(sum_x / total, sum_y / total) if total > 0
                                        else complex(x, y))


@numba.njit(
    void(complex64[:, :, :, ::1], given(int64, 2), given(float64, 2), given(float64, 1),
         given(complex128, 4)),
    cache=True, nogil=True, error_model="numpy")
def _subtract(visibility, places, path, wavenumber, mean):
    """Take means (T,F,N,2) turned back to each baseline out of the visibilities, in place."""
    T, B, F, _ = visibility.shape
    for t in range(T):
        for b in range(B):
            for f in range(F):
                c, s = turn(path[t, b] * wavenumber[f])
                for n in range(len(places)):
                    for k in range(2):
                        visibility[t, b, f, places[n, k]] -= np.complex64(
                            mean[t, f, n, k] * complex(c, s))
