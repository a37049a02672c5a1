"""The arithmetic of a dynamic spectrum's sums: what a cell says, and what cells say together.

Compiled, so that every sum is read once and no array is made but the results. The formulas are
those of docs/conventions.md.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from visds.core.flags import CELL_MASK, Flag
from visds.core.usual_types import compiled_for
from visds.dynspec.binning import Groups
from visds.dynspec.cuts import CUTS

_MASK, _REGION, _EMPTY = int(CELL_MASK), int(Flag.REGION), int(Flag.EMPTY)
_ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class Estimates:
    """What the cells of a dynamic spectrum say, (T,F,P) in Jy; NaN where masked.

    The arrays are shared by all who ask the spectrum for them, and therefore read-only.
    """

    flux_density: np.ndarray
    residual: np.ndarray
    sigma_formal: np.ndarray
    sigma_empirical: np.ndarray


def estimates(spectrum: Any) -> Estimates:
    """Return the estimates of all cells of a `DynamicSpectrum`."""
    results = _estimates(*_moments(spectrum))
    for values in results:
        values.flags.writeable = False
    return Estimates(*results)


def variance_ratio(spectrum: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean ratio (P) of empirical to formal variance, and its degrees of freedom (P).

    Weighted by the degrees of freedom N - 1 of the cells; NaN where no cell has any.
    """
    total, freedom = _variance_ratios(*_moments(spectrum))
    return np.divide(total, freedom, out=np.full(len(total), np.nan), where=freedom > 0), freedom


def empirical_covariance(spectrum: Any, i: int, p: int) -> np.ndarray:
    """Return the covariance (T,F) in Jy^2 of polarizations `i` and `p`; NaN where masked."""
    return _covariances(*_moments(spectrum), np.ascontiguousarray(spectrum.sum_w2_cross), i, p)


def summed(spectrum: Any, groups: Groups, axis: int, pair: tuple[int, int]) -> dict[str, Any]:
    """Return the sums and flags of groups of cells along the time (0) or channel (1) axis.

    Masked cells add nothing. A bin is EMPTY where no visibility is left, and a region that the
    user flagged stays marked where it made the bin empty. Cuts leave nothing out, and a bin has
    none. The variance of a bin is that of the mean of its cells, sum W^2 var / (sum W)^2 with
    W = sum w of a cell: what differs between cells, a spectrum or a burst, is not noise. A cell
    without a scatter, as that of one visibility, has its formal variance, brought to the scale of
    the others. The second moments are written so that they say this variance, and the covariance
    of the two polarizations of `pair`,
    whose places are -1 where the spectrum does not hold both.
    """
    T, F, P = spectrum.flags.shape
    before, after = ((1,), (F,)) if axis == 0 else ((T,), (1,))
    cells = (*before, T if axis == 0 else F, *after)
    *moments, flags = _moments(spectrum)
    moments.append(flags & np.uint16(~int(CUTS) & 0xFFFF))
    named = _summed(*(values.reshape(*cells, P) for values in moments),
                    np.ascontiguousarray(spectrum.sum_w2_cross).reshape(cells),
                    np.ascontiguousarray(spectrum.sum_w2_covariance).reshape(cells),
                    groups.start, groups.length, *pair, spectrum.weight_scale)
    shape = (len(groups.start), F) if axis == 0 else (T, len(groups.start))
    names = ("sum_w", "sum_wv", "sum_w2", "sum_w2v", "sum_w2v2", "count", "flags",
             "sum_w2_cross", "sum_w2_covariance")
    return {name: values.reshape(*shape, *values.shape[3:])
            for name, values in zip(names, named, strict=True)}


def _moments(spectrum: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.ascontiguousarray(getattr(spectrum, name)) for name in (
        "sum_w", "sum_wv", "sum_w2", "sum_w2v", "sum_w2v2", "count", "flags"))


@numba.njit(nogil=True, error_model="numpy")
def _variance(w, wv, w2, w2v, w2v2):
    """Return the empirical variance of a cell's mean; NaN where there is none."""
    freedom = w * w - w2
    if not freedom > 0:
        return np.nan
    real, imag = wv.real / w, wv.imag / w
    scatter = w2v2 - 2 * (real * w2v.real + imag * w2v.imag) + (real * real + imag * imag) * w2
    # What rounding leaves of equal numbers is no scatter; the formal error stands in for it.
    return scatter / (2 * freedom) if not scatter < _ROUNDING * w2v2 else np.nan


@numba.njit(nogil=True, error_model="numpy")
def _covariance(w, wv_i, wv_p, w2, w2v_i, w2v_p, cross):
    """Return the empirical covariance of the means of two polarizations of the same weights."""
    freedom = w * w - w2
    if not freedom > 0:
        return np.nan
    i, p = wv_i / w, wv_p / w
    return (cross - (i.conjugate() * w2v_p).real - (p.conjugate() * w2v_i).real
            + (i.conjugate() * p).real * w2) / (2 * freedom)


@compiled_for(
    "(float64[:, :, ::1], complex128[:, :, ::1], float64[:, :, ::1], "
    "complex128[:, :, ::1], float64[:, :, ::1], int64[:, :, ::1], uint16[:, :, ::1])",
    cache=True, nogil=True, error_model="numpy")
def _estimates(sum_w, sum_wv, sum_w2, sum_w2v, sum_w2v2, count, flags):
    shape = sum_w.shape
    real, imag = np.empty(shape), np.empty(shape)
    formal, empirical = np.empty(shape), np.empty(shape)
    for t in range(shape[0]):
        for f in range(shape[1]):
            for p in range(shape[2]):
                w = sum_w[t, f, p]
                if flags[t, f, p] & _MASK or not w > 0:
                    real[t, f, p] = imag[t, f, p] = np.nan
                    formal[t, f, p] = empirical[t, f, p] = np.nan
                    continue
                real[t, f, p] = sum_wv[t, f, p].real / w
                imag[t, f, p] = sum_wv[t, f, p].imag / w
                formal[t, f, p] = 1 / np.sqrt(w)
                empirical[t, f, p] = np.sqrt(_variance(
                    w, sum_wv[t, f, p], sum_w2[t, f, p], sum_w2v[t, f, p], sum_w2v2[t, f, p])
                    ) if count[t, f, p] > 1 else np.nan
    return real, imag, formal, empirical


@compiled_for(
    "(float64[:, :, ::1], complex128[:, :, ::1], float64[:, :, ::1], "
    "complex128[:, :, ::1], float64[:, :, ::1], int64[:, :, ::1], uint16[:, :, ::1])",
    cache=True, nogil=True, error_model="numpy")
def _variance_ratios(sum_w, sum_wv, sum_w2, sum_w2v, sum_w2v2, count, flags):
    T, F, P = sum_w.shape
    total, freedom = np.zeros(P), np.zeros(P)
    for t in range(T):
        for f in range(F):
            for p in range(P):
                w, n = sum_w[t, f, p], count[t, f, p]
                if flags[t, f, p] & _MASK or not w > 0 or n < 2:
                    continue
                ratio = w * _variance(w, sum_wv[t, f, p], sum_w2[t, f, p], sum_w2v[t, f, p],
                                      sum_w2v2[t, f, p])
                if np.isfinite(ratio):
                    total[p] += (n - 1) * ratio
                    freedom[p] += n - 1
    return total, freedom


@compiled_for(
    "(float64[:, :, ::1], complex128[:, :, ::1], float64[:, :, ::1], "
    "complex128[:, :, ::1], float64[:, :, ::1], int64[:, :, ::1], uint16[:, :, ::1], "
    "float64[:, ::1], int64, int64)",
    cache=True, nogil=True, error_model="numpy")
def _covariances(sum_w, sum_wv, sum_w2, sum_w2v, sum_w2v2, count, flags, cross, i, p):
    T, F, _ = sum_w.shape
    result = np.full((T, F), np.nan)
    for t in range(T):
        for f in range(F):
            if not (flags[t, f, i] & _MASK or flags[t, f, p] & _MASK or count[t, f, i] < 2):
                result[t, f] = _covariance(sum_w[t, f, i], sum_wv[t, f, i], sum_wv[t, f, p],
                                           sum_w2[t, f, i], sum_w2v[t, f, i], sum_w2v[t, f, p],
                                           cross[t, f])
    return result


@compiled_for(
    "(float64[:, :, :, ::1], complex128[:, :, :, ::1], float64[:, :, :, ::1], "
    "complex128[:, :, :, ::1], float64[:, :, :, ::1], int64[:, :, :, ::1], "
    "uint16[:, :, :, ::1], float64[:, :, ::1], float64[:, :, ::1], int64[::1], int64[::1], "
    "int64, int64, float64[::1])",
    cache=True, nogil=True, error_model="numpy")
def _summed(sum_w, sum_wv, sum_w2, sum_w2v, sum_w2v2, count, flags, cross, shared,
            start, length, i, p, scale):
    """Sum the second axis of cells (A,M,C,P) and (A,M,C) to groups (G)."""
    A, _, C, P = sum_w.shape
    shape = (A, len(start), C, P)
    w, wv, w2 = np.zeros(shape), np.zeros(shape, np.complex128), np.zeros(shape)
    w2v, w2v2 = np.zeros(shape, np.complex128), np.zeros(shape)
    number, bits = np.zeros(shape, np.int64), np.zeros(shape, np.uint16)
    both, common = np.zeros(shape[:3]), np.zeros(shape[:3])
    for a in range(A):
        for g in range(len(start)):
            for m in range(start[g], start[g] + length[g]):
                for c in range(C):
                    for q in range(P):
                        bits[a, g, c, q] |= flags[a, m, c, q]
                        if flags[a, m, c, q] & _MASK:
                            continue
                        weight = sum_w[a, m, c, q]
                        w[a, g, c, q] += weight
                        wv[a, g, c, q] += sum_wv[a, m, c, q]
                        w2[a, g, c, q] += sum_w2[a, m, c, q]
                        number[a, g, c, q] += count[a, m, c, q]
                        variance = _variance(
                            weight, sum_wv[a, m, c, q], sum_w2[a, m, c, q], sum_w2v[a, m, c, q],
                            sum_w2v2[a, m, c, q]) if count[a, m, c, q] > 1 else np.nan
                        if not np.isfinite(variance):
                            variance = scale[q] ** 2 / weight
                        # The variances are collected where what follows from them will stand.
                        w2v2[a, g, c, q] += weight**2 * variance
                    if flags[a, m, c, max(i, 0)] & _MASK:
                        continue
                    common[a, g, c] += shared[a, m, c]
                    if i < 0 or flags[a, m, c, p] & _MASK:
                        continue
                    weight = sum_w[a, m, c, i]
                    added = weight**2 * _covariance(
                        weight, sum_wv[a, m, c, i], sum_wv[a, m, c, p], sum_w2[a, m, c, i],
                        sum_w2v[a, m, c, i], sum_w2v[a, m, c, p], cross[a, m, c]
                        ) if count[a, m, c, i] > 1 else np.nan
                    if not np.isfinite(added):
                        added = shared[a, m, c] * scale[i] * scale[p]
                    both[a, g, c] += added
            for c in range(C):
                for q in range(P):
                    weight = w[a, g, c, q]
                    mean = wv[a, g, c, q] / weight if number[a, g, c, q] > 0 else 0j
                    # 2 var ((sum w)^2 - sum w^2) is the scatter that gives the variance again.
                    scatter = 2 * w2v2[a, g, c, q] * (1 - w2[a, g, c, q] / weight**2)
                    w2v[a, g, c, q] = w2[a, g, c, q] * mean
                    w2v2[a, g, c, q] = (scatter + w2[a, g, c, q] * (mean.real**2 + mean.imag**2)
                                        if number[a, g, c, q] > 0 else 0.0)
                    reasons = bits[a, g, c, q] & ~_MASK
                    if number[a, g, c, q] == 0:
                        reasons |= _EMPTY | bits[a, g, c, q] & _REGION
                    bits[a, g, c, q] = reasons
                if i >= 0:
                    scatter = 2 * both[a, g, c] * (1 - w2[a, g, c, i] / w[a, g, c, i] ** 2)
                    both[a, g, c] = scatter if number[a, g, c, i] > 0 else 0.0
                    if number[a, g, c, i] > 0 and number[a, g, c, p] > 0:
                        both[a, g, c] += w2[a, g, c, p] * (
                            (wv[a, g, c, i] / w[a, g, c, i]).conjugate()
                            * wv[a, g, c, p] / w[a, g, c, p]).real
    return w, wv, w2, w2v, w2v2, number, bits, both, common
