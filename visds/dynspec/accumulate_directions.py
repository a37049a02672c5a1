"""The compiled sums of `average` in further directions of the same visibilities.

Of all sums over baselines only those of w V and w^2 V differ between directions. How they are fast:
w V and w^2 V of a panel of rows and a block of channels are kept in the cache, as planes of
float32, while all directions pass over them, two at once. Cosine and sine are computed once for all
correlations of a row and, where channels are evenly spaced, for `_STEP` of them, from which the
others follow by a few angles more. The rows of a panel are summed in float32, by four, and panels
in float64: the error stays below 1e-6 of the sum of |w V|, whatever else is in the data.

Weights are divided by a power of two near the largest of their rows, so that their squares are in
the range of float32: weights 2^60 times less than others of the same panel count as zero in w^2 V.
"""

import math

import numba
import numpy as np

from visds.core.vector import turn, vector_kernel

ROWS = 4
BLOCK = 128
PANEL = 4 * ROWS
_STEP = 32
_STEPS = BLOCK // _STEP
_VECTOR = 16
_ANGLES = _STEP + _VECTOR // 2  # whole vectors of float64
# Rows at a power of two from each other would fall on the same lines of the cache.
_ROW = 8 * BLOCK + _VECTOR
_AT_ONCE = 2
_SUMS = 8 * BLOCK


@numba.njit(nogil=True)
def panel_of(pairs):
    """Return room for w V and w^2 V of a panel of rows (pairs, PANEL * row), and the units of w."""
    return np.zeros((pairs, PANEL * _ROW), np.float32), np.zeros((pairs, PANEL // ROWS))


@vector_kernel
def _largest(weights, row_weights, varying, width):
    largest = 0.0
    for r in range(ROWS):
        if varying:
            w = weights[r * BLOCK:]
            for f in range(min(width, BLOCK)):
                largest = w[f] if w[f] > largest else largest
        elif row_weights[r] > largest:
            largest = row_weights[r]
    return largest


@vector_kernel
def _weigh(planes, i, j, weights, row_weights, varying, scale, panel, n, place, width):
    inverse = 1 / scale
    for r in range(ROWS):
        first, second = planes[(r * 8 + 2 * i) * BLOCK:], planes[(r * 8 + 2 * j) * BLOCK:]
        w_row, out = weights[r * BLOCK:], panel[n, (place * ROWS + r) * _ROW:]
        for f in range(min(width, BLOCK)):
            w = np.float32((w_row[f] if varying else row_weights[r]) * inverse)
            a, b, c, d = (w * first[f], w * first[BLOCK + f],
                          w * second[f], w * second[BLOCK + f])
            out[f], out[BLOCK + f], out[2 * BLOCK + f], out[3 * BLOCK + f] = a, b, c, d
            out[4 * BLOCK + f], out[5 * BLOCK + f] = w * a, w * b
            out[6 * BLOCK + f], out[7 * BLOCK + f] = w * c, w * d


@numba.njit(nogil=True, error_model="numpy")
def weigh(planes, i, j, weights, row_weights, varying, panel, n, place, width):
    """Write w V and w^2 V of the correlations i and j of `ROWS` rows; return the unit of w.

    They are the rows at `place` in the panel, of its pair n. The weights are `weights`, per row
    and channel; or, if not `varying`, `row_weights`. The unit is 0 where all weights are.
    """
    largest = _largest(weights, row_weights, varying, width)
    scale = math.ldexp(1.0, math.frexp(largest)[1])
    _weigh(planes, i, j, weights, row_weights, varying, scale, panel, n, place, width)
    return scale if largest > 0 else 0.0


# `min(width, BLOCK)` tells the compiler that no index wraps around, or it would gather.


@vector_kernel
def _turn_rows(paths, direction, t, first, rows, wave, start, width, k, cosine, sine):
    """Write cosine and sine of 2 pi path wavenumber of the rows, as those of direction k."""
    waves = wave[start:]
    for r in range(rows):
        path = paths[direction, t, first + r]
        co, si = cosine[(k * ROWS + r) * BLOCK:], sine[(k * ROWS + r) * BLOCK:]
        for f in range(min(width, BLOCK)):
            co[f], si[f] = turn(path * waves[f])


@vector_kernel
def _turn_even_rows(paths, direction, t, first, rows, steps, angles, k, cosine, sine):
    """Write cosine and sine of 2 pi path wavenumber of evenly spaced wavenumbers.

    `steps` are `_STEP` wavenumbers, and how much further `_STEPS` such stretches are.
    """
    second = angles[_ANGLES:]
    for r in range(rows):
        path = paths[direction, t, first + r]
        for f in range(_ANGLES):
            angles[f], second[f] = turn(path * steps[f])
        co, si = cosine[(k * ROWS + r) * BLOCK:], sine[(k * ROWS + r) * BLOCK:]
        for m in range(_STEPS):
            p, q = angles[_STEP + m], second[_STEP + m]
            for f in range(_STEP):
                co[m * _STEP + f] = angles[f] * p - second[f] * q
                si[m * _STEP + f] = second[f] * p + angles[f] * q


@vector_kernel
def _add_rows(panel, n, place, part, cosine, sine, ratio, sums, width):
    """Add to the sums of two directions `ROWS` rows of the panel, times cosine - i sine.

    Of the pair n, w V (part 0) or w^2 V (part 1); they are multiplied by the ratio.
    """
    data = panel[n, place * ROWS * _ROW + part * 4 * BLOCK:]
    out, out2 = sums[n, part * 4 * BLOCK:], sums[n, _SUMS + part * 4 * BLOCK:]
    cosine2, sine2 = cosine[ROWS * BLOCK:], sine[ROWS * BLOCK:]
    for f in range(min(width, BLOCK)):
        a = b = c = d = a2 = b2 = c2 = d2 = np.float32(0)
        for r in range(ROWS):
            co, si = cosine[r * BLOCK + f], sine[r * BLOCK + f]
            co2, si2 = cosine2[r * BLOCK + f], sine2[r * BLOCK + f]
            k = r * _ROW + f
            x, y = data[k], data[k + BLOCK]
            a, b = (a + x * co) + y * si, (b + y * co) - x * si
            a2, b2 = (a2 + x * co2) + y * si2, (b2 + y * co2) - x * si2
            x, y = data[k + 2 * BLOCK], data[k + 3 * BLOCK]
            c, d = (c + x * co) + y * si, (d + y * co) - x * si
            c2, d2 = (c2 + x * co2) + y * si2, (d2 + y * co2) - x * si2
        out[f] += ratio * a
        out[BLOCK + f] += ratio * b
        out[2 * BLOCK + f] += ratio * c
        out[3 * BLOCK + f] += ratio * d
        out2[f] += ratio * a2
        out2[BLOCK + f] += ratio * b2
        out2[2 * BLOCK + f] += ratio * c2
        out2[3 * BLOCK + f] += ratio * d2


@vector_kernel
def _empty(sums, n, k, unit, turned, direction, t, F, start, width):
    """Add the sums of direction k to those of the whole observation, and make them zero."""
    for plane in range(8):
        source = sums[n, k * _SUMS + plane * BLOCK:]
        out = turned[direction, t, n, plane * F + start:]
        factor = unit if plane < 4 else unit * unit
        for f in range(min(width, BLOCK)):
            out[f] += factor * np.float64(source[f])
        for f in range(BLOCK):
            source[f] = 0


@numba.njit(nogil=True, error_model="numpy")
def add_directions(panel, units, paths, t, first, rows, wave, start, width, even, turned):
    """Add a turned panel to the sums of all directions.

    `panel` (N, ...) are the planes of the rows from `first` of the integration `t`, `units`
    (N, PANEL / ROWS) those of their weights; `paths` (D,T,B) in m; `wave` (F) in turns per m. The
    sums are `turned` (D,T,N,8*F), of which the channels from `start` are added to.
    """
    D, N, F = len(paths), len(panel), len(wave)
    # Whole vectors: what lies beyond the width is not added.
    whole = (width + _VECTOR - 1) // _VECTOR * _VECTOR
    cosine = np.zeros(_AT_ONCE * ROWS * BLOCK, np.float32)
    sine = np.zeros(_AT_ONCE * ROWS * BLOCK, np.float32)
    sums = np.zeros((N, _AT_ONCE * _SUMS), np.float32)
    angles = np.zeros(2 * _ANGLES, np.float32)
    steps = np.zeros(_ANGLES)
    for f in range(min(width, _STEP)):
        steps[f] = wave[start + f]
    for f in range(_STEP, width, _STEP):
        steps[_STEP + f // _STEP] = wave[start + f] - wave[start]
    for direction in range(0, D, _AT_ONCE):
        together = min(_AT_ONCE, D - direction)
        for place in range((rows + ROWS - 1) // ROWS):
            b = first + place * ROWS
            held = min(ROWS, rows - place * ROWS)
            for k in range(together):
                if even:
                    _turn_even_rows(paths, direction + k, t, b, held, steps, angles, k, cosine,
                                    sine)
                else:
                    _turn_rows(paths, direction + k, t, b, held, wave, start, width, k, cosine,
                               sine)
            for n in range(N):
                largest = _largest_unit(units, n)
                if largest > 0:
                    ratio = np.float32(units[n, place] / largest)
                    _add_rows(panel, n, place, 0, cosine, sine, ratio, sums, whole)
                    _add_rows(panel, n, place, 1, cosine, sine, ratio * ratio, sums, whole)
        for k in range(together):
            for n in range(N):
                _empty(sums, n, k, _largest_unit(units, n), turned, direction + k, t, F, start,
                       width)


@numba.njit(nogil=True, error_model="numpy")
def _largest_unit(units, n):
    largest = 0.0
    for place in range(PANEL // ROWS):
        largest = max(largest, units[n, place])
    return largest
