"""The noise of visibilities from their second differences in time.

A constant source at the phase centre leaves nothing in differences of successive integrations,
one whose fringes turn slowly next to nothing in second differences, V2 - a V1 - b V3, where a and
b interpolate between the neighbours: noise is left, of which both the real and the imaginary part
tell. How it is fast: a baseline's squared differences are kept for some channels and all times,
which the processor's caches hold, and every loop runs along channels and correlations.
"""

import numba
import numpy as np
from numba import float32, float64, int64, uint8, void

from visds.core.vector import given, vector_kernel

# A square counts where it is less than so many times their mean: of noise, whose squares are
# distributed exponentially, all but e^-6. The first steps, from a mean that outliers may have
# raised, are more cautious. The means of what is left, for squares whose mean is 1:
_LIMIT, _CAUTIOUS_LIMIT, _CAUTIOUS_STEPS = 6.0, 3.0, 2
_KEPT_MEAN = 1 - _LIMIT / np.expm1(_LIMIT)
_CAUTIOUS_KEPT_MEAN = 1 - _CAUTIOUS_LIMIT / np.expm1(_CAUTIOUS_LIMIT)
_KEPT_SHARE = -np.expm1(-_LIMIT)
_MEAN_LOGARITHM = -0.8903  # binary, as `_add_logarithms` makes it
_INFINITE = np.int32(0x7F800000)
# Differences that small beside the visibilities are of rounding.
_ROUNDING = np.float32(1e-12)
_LONGEST = 6.0
"""From the first to the last of three integrations, in units of the usual distance of two."""
_BUFFER = 1 << 19
_BLOCK = 256


@vector_kernel
def _square_differences(before, middle, after, first, second, third, a, b, scale, squares):
    """Write the scaled squares of second differences; zero where one of the three is flagged.

    And where there is no difference but that of rounding.
    """
    for k in range(len(first)):
        x = middle[2 * k] - a * before[2 * k] - b * after[2 * k]
        y = middle[2 * k + 1] - a * before[2 * k + 1] - b * after[2 * k + 1]
        square = x * x + y * y
        whole = middle[2 * k] * middle[2 * k] + middle[2 * k + 1] * middle[2 * k + 1]
        is_clean = ((first[k] | second[k] | third[k]) == 0) & (square > _ROUNDING * whole)
        squares[k] = square * scale if is_clean else np.float32(0)


@vector_kernel
def _add_logarithms(patterns, total, number):
    """Add the binary logarithms, within 0.09, of what is positive and finite.

    The bits of a float32, read as a whole number, are its logarithm, piecewise linear.
    """
    for k in range(len(total)):
        is_used = (patterns[k] > 0) & (patterns[k] < _INFINITE)
        value = np.float32(patterns[k]) * np.float32(2.0**-23) - np.float32(127)
        total[k] += value if is_used else np.float32(0)
        number[k] += np.float32(1) if is_used else np.float32(0)


@numba.njit(nogil=True, error_model="numpy")
def _power(logarithm):
    """Return the number whose binary logarithm, as in `_add_logarithms`, this is."""
    return np.int32(max(0.0, (logarithm + 127) * 2.0**23)).view(np.float32)


@vector_kernel
def _add_below(squares, limit, total, number):
    """Add what is positive and below a limit."""
    for k in range(len(total)):
        is_used = (squares[k] > 0) & (squares[k] < limit[k])
        total[k] += squares[k] if is_used else np.float32(0)
        number[k] += np.float32(1) if is_used else np.float32(0)


@numba.njit(nogil=True, error_model="numpy")
def _robust_means(squares, rows, lanes, group, P, mean, count):
    """Fill `mean` and `count` (G,P) of squares, rows and lanes of a buffer, in groups of channels.

    The mean of what is below six times the mean, until that holds; from the mean logarithm on,
    which outliers raise little.
    """
    total, number = np.zeros(lanes, np.float32), np.zeros(lanes, np.float32)
    limit = np.zeros(lanes, np.float32)
    patterns = squares.view(np.int32)
    for step in range(30):
        total[:], number[:] = 0, 0
        kept_mean = _CAUTIOUS_KEPT_MEAN if step <= _CAUTIOUS_STEPS else _KEPT_MEAN
        next_limit = _CAUTIOUS_LIMIT if step < _CAUTIOUS_STEPS else _LIMIT
        for k in range(rows):
            if step == 0:
                _add_logarithms(patterns[k], total, number)
            else:
                _add_below(squares[k], limit, total, number)
        change = 0.0
        for g in range(len(mean)):
            for p in range(P):
                first, last = g * group * P + p, min((g + 1) * group * P, lanes)
                sums = numbers = 0.0
                for k in range(first, last, P):
                    sums += np.float64(total[k])
                    numbers += np.float64(number[k])
                now = sums / numbers if numbers > 0 else 0.0
                now = _power(now - _MEAN_LOGARITHM) if step == 0 else now / kept_mean
                if now > 0:
                    change = max(change, abs(now - mean[g, p]) / now)
                mean[g, p], count[g, p] = now, numbers
                for k in range(first, last, P):
                    limit[k] = np.float32(next_limit * now)
        if step > _CAUTIOUS_STEPS and change < 1e-2:
            break


@numba.njit(nogil=True, error_model="numpy")
def _coefficients(time, length, t0, t1, t2):
    """Return a and b, and the mean squared difference of noise whose sigma is 1 at length 1."""
    b = (time[t1] - time[t0]) / (time[t2] - time[t0])
    a = 1 - b
    return a, b, 2 * (1 / length[t1] + a * a / length[t0] + b * b / length[t2])


@numba.njit(
    void(given(float32, 3), given(uint8, 3), given(float64, 1), given(float64, 1), int64, int64,
         float64[:, :, ::1], float64[:, :, ::1]),
    cache=True, nogil=True, error_model="numpy")
def second_difference_variances(lanes, bits, time, length, P, group, variance, number):
    """Fill the variance of the real part per baseline, group of channels and correlation.

    `lanes` (T,B,F*P*2) are real and imaginary parts, `bits` (T,B,F*P) their flags; `time` (T)
    ascends, in units of the usual distance, and `length` (T) is in units of the usual length, to
    which `variance` (B,G,P) belongs; zero where there is nothing. `number` (B,G,P) is that of the
    differences. Rows of which all is flagged are passed over, so the neighbours of an
    integration are those that the baseline has.
    """
    T, B, L = bits.shape
    G = variance.shape[1]
    groups = max(1, min(_BLOCK // (group * P), _BUFFER // max(1, T * group * P)))
    width = min(groups * group * P, L)
    buffer = np.zeros((max(T, 1), width), np.float32)
    rows = np.zeros(T, np.int64)
    for b in range(B):
        held = 0
        for t in range(T):
            for k in range(L):
                if bits[t, b, k] == 0:
                    rows[held] = t
                    held += 1
                    break
        for first in range(0, G, groups):
            last = min(first + groups, G)
            start, stop = first * group * P, min(last * group * P, L)
            used = 0
            for k in range(1, held - 1):
                t0, t1, t2 = rows[k - 1], rows[k], rows[k + 1]
                if not time[t2] - time[t0] <= _LONGEST:
                    continue
                before, after, norm = _coefficients(time, length, t0, t1, t2)
                _square_differences(
                    lanes[t0, b, 2 * start:2 * stop], lanes[t1, b, 2 * start:2 * stop],
                    lanes[t2, b, 2 * start:2 * stop], bits[t0, b, start:stop],
                    bits[t1, b, start:stop], bits[t2, b, start:stop], np.float32(before),
                    np.float32(after), np.float32(1 / norm), buffer[used])
                used += 1
            _robust_means(buffer, used, stop - start, group, P, variance[b, first:last],
                          number[b, first:last])
            number[b, first:last] /= _KEPT_SHARE
