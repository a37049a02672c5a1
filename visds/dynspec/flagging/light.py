"""The light flagger: a sum-threshold on the amplitudes of each baseline and pair."""

import numba
import numpy as np
from numba import complex64, float32, int64, uint8, void

from visds.core.flags import Flag
from visds.core.vector import given
from visds.dynspec.flagging.background import normalize
from visds.dynspec.flagging.sum_threshold import THRESHOLDS, extend_flags, sum_threshold

_RFI = np.uint8(Flag.RFI)
# The background is made once more without what was found, where that is more than this.
_LARGE_FRACTION = 0.01


def flag_light(residual: np.ndarray, flags: np.ndarray, weight: np.ndarray, pairs: np.ndarray,
               order: np.ndarray, baselines: np.ndarray) -> None:
    """Set the bit RFI in the flags of some baselines where the residual holds interference.

    Looked at is, baseline by baseline and pair by pair, the plane of integrations and channels of
    the amplitude sqrt(w1 |V1|^2 + w2 |V2|^2), less a smooth background and in units of its noise:
    SumThreshold along time and along frequency, each for itself, then the scale-invariant rank
    operator. What is found in one pair is flagged in all correlations, and of any phase.

    Parameters
    ----------
    residual : (T,B,F,P) complex64, Jy
        Visibilities less the sky model and the bursts; NaN and infinity are not looked at.
    flags : (T,B,F,P) uint8
        Bits of `visds.core.flags`, changed in place; what has one is not looked at.
    weight : (T,B,F,P) or (T,B,1,P) float32, Jy-2
        1/sigma^2 of the real part, up to a factor; zero, negative or not finite: not looked at.
    pairs : (N,2) int
        Places on axis P of the two correlations of each pair.
    order : (F) int
        Channels in the order of their frequencies.
    baselines : int
        Which to look at.
    """
    _flag(np.ascontiguousarray(residual), flags, np.ascontiguousarray(weight),
          np.ascontiguousarray(pairs, np.int64), np.ascontiguousarray(order, np.int64),
          np.ascontiguousarray(baselines, np.int64), THRESHOLDS)


@numba.njit(nogil=True, error_model="numpy")
def _amplitudes(residual, flags, weight, b, i, j, order, amplitude, present):
    """Fill amplitudes and what of them is there (T,F; float32, 0 or 1) of one baseline and pair."""
    T, F = amplitude.shape
    one_weight = weight.shape[2] == 1
    for t in range(T):
        for place in range(F):
            f = order[place]
            g = 0 if one_weight else f
            u, v = residual[t, b, f, i], residual[t, b, f, j]
            w1, w2 = weight[t, b, g, i], weight[t, b, g, j]
            power = (w1 * (u.real * u.real + u.imag * u.imag)
                     + w2 * (v.real * v.real + v.imag * v.imag))
            usable = ((flags[t, b, f, i] | flags[t, b, f, j]) == 0 and w1 > 0 and w2 > 0
                      and power < np.inf)
            amplitude[t, place] = np.sqrt(power) if usable else np.float32(0)
            present[t, place] = 1 if usable else 0


@numba.njit(nogil=True, error_model="numpy")
def _turn_over(plane, out):
    """Write a plane (T,F) to `out` (F,T), in squares that stay in the cache."""
    T, F = plane.shape
    for t0 in range(0, T, 16):
        for f0 in range(0, F, 16):
            for f in range(f0, min(f0 + 16, F)):
                for t in range(t0, min(t0 + 16, T)):
                    out[f, t] = plane[t, f]


@numba.njit(
    void(given(complex64, 4), uint8[:, :, :, ::1], given(float32, 4), given(int64, 2),
         given(int64, 1), given(int64, 1), given(float32, 1)),
    cache=True, nogil=True, error_model="numpy")
def _flag(residual, flags, weight, pairs, order, baselines, thresholds):
    T, _, F, P = residual.shape
    amplitude, present = np.empty((T, F), np.float32), np.empty((T, F), np.float32)
    normalized, used = np.empty((T, F), np.float32), np.empty((T, F), np.float32)
    over, present_over = np.empty((F, T), np.float32), np.empty((F, T), np.float32)
    used_over, joined = np.empty((F, T), np.float32), np.empty((T, F), np.float32)
    marked = np.empty((T, F), np.float32)
    marked_over = marked.reshape(F, T)
    total, number = np.empty(max(T, F), np.float32), np.empty(max(T, F), np.float32)
    held, until = np.empty(max(T, F), np.float32), np.empty(max(T, F), np.int64)
    sums = np.empty(max(T, F) + 1, np.int64)
    found = np.empty((T, F), np.uint8)
    for b in baselines:
        found[:] = 0
        for n in range(len(pairs)):
            _amplitudes(residual, flags, weight, b, pairs[n, 0], pairs[n, 1], order, amplitude,
                        present)
            joined[:] = present
            _turn_over(present, present_over)
            for _ in range(2):
                if not normalize(amplitude, joined, normalized):
                    break
                _turn_over(normalized, over)
                sum_threshold(normalized, present, thresholds, used, marked, total, number, held,
                              until)
                sum_threshold(over, present_over, thresholds, used_over, marked_over, total,
                              number, held, until)
                _turn_over(used_over, joined)
                left = seen = 0.0
                for t in range(T):
                    for f in range(F):
                        joined[t, f] *= used[t, f]
                        left += joined[t, f]
                        seen += present[t, f]
                if seen - left <= _LARGE_FRACTION * seen:
                    break
            used[:] = joined
            _turn_over(joined, used_over)
            extend_flags(used, present, sums)
            extend_flags(used_over, present_over, sums)
            for t in range(T):
                for f in range(F):
                    if present[t, f] > used[t, f] or present[t, f] > used_over[f, t]:
                        found[t, f] = 1
        for t in range(T):
            for place in range(F):
                if found[t, place]:
                    for p in range(P):
                        flags[t, b, order[place], p] |= _RFI
