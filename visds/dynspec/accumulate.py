"""The compiled sums of `average`: one pass over the visibilities of a slab.

How it is fast: the visibilities of `ROWS` baselines and `BLOCK` channels are sorted into planes,
one for each real and imaginary part, that stay in the cache; there every loop runs along channels
and becomes vector code, and the sums are fetched and stored once for all rows. Where no row of a
block has a flag, the sums of the weights are the same for all channels and added once. Whether
a NaN or an infinity was among the unflagged is seen in the sums, which are then made again with an
eye on every value. Planes lie at constant distances, or the compiler would have to suspect that
they overlap.
"""

import numba
import numpy as np
from numba import boolean, float32, float64, int64, uint8, void

from visds.core.flags import Flag
from visds.core.vector import given, turn, vector_kernel
from visds.dynspec.accumulate_directions import (
    BLOCK,
    PANEL,
    ROWS,
    add_directions,
    panel_of,
    weigh,
)

# The sums of a pair: real and imaginary parts of its first and second correlation, ...
WV, W2V, W2V2, PRODUCT, W, W2, COVARIANCE, COUNT = 0, 4, 8, 10, 11, 12, 13, 14
SUMS = 15

_NOT_FINITE = np.uint8(Flag.NOT_FINITE)
_ZERO_WEIGHT = np.uint8(Flag.ZERO_WEIGHT)
_COUPLED = 256  # place among the counts of flag bytes
_EVERY_BYTE = np.uint64(0x0101010101010101)


@vector_kernel
def _sort(lanes, t, b, L, start, width, planes, r):
    """Write the lanes L * f + k of a row to planes k, channels f."""
    row = lanes[t, b, L * start:]
    out = planes[r * 8 * BLOCK:]
    if L == 8:
        for f in range(width):
            for k in range(8):
                out[k * BLOCK + f] = row[8 * f + k]
    elif L == 4:
        for f in range(width):
            for k in range(4):
                out[k * BLOCK + f] = row[4 * f + k]
    else:
        for f in range(width):
            for k in range(L):
                out[k * BLOCK + f] = row[L * f + k]


@vector_kernel
def _turn_row(planes, r, P, path, wavenumber, start, width, cosine, sine):
    """Multiply a row with exp(-2 pi i path wavenumber)."""
    wave = wavenumber[start:]
    for f in range(width):
        c, s = turn(path * wave[f])
        cosine[f], sine[f] = c, s
    for p in range(P):
        real = planes[(r * 8 + 2 * p) * BLOCK:]
        for f in range(width):
            x, y = real[f], real[BLOCK + f]
            real[f] = x * cosine[f] + y * sine[f]
            real[BLOCK + f] = y * cosine[f] - x * sine[f]


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _is_finite(lanes, t, b, start, width, P):
    """Return whether a row has no NaN and no infinity: zero times either is NaN."""
    row = lanes[t, b, 2 * P * start:]
    probe = np.float32(0)
    for k in range(2 * P * width):
        probe += row[k] * np.float32(0)
    return probe == 0


@vector_kernel
def _has_no_flag(bits, t, b, start, width, P):
    """Return whether no flag bit of a row is set."""
    row = bits[t, b, P * start:]
    found = np.uint8(0)
    for k in range(P * width):
        found |= row[k]
    return found == 0


@vector_kernel
def _pair_weight(w1, w2):
    """Return the pair's weight w and w^2 (1/w1 - 1/w2) / 4; zeros where there is no weight."""
    usable = (w1 > 0) & (w2 > 0) & (w1 < np.inf) & (w2 < np.inf)
    first, second = (np.float64(w1), np.float64(w2)) if usable else (0.0, 0.0)
    inverse = 1 / (first + second) if usable else 0.0
    w = 4 * first * second * inverse
    return w, w * (second - first) * inverse


@vector_kernel
def _pair_weights(planes, i, j, n, r, width, weights, covariances):
    """Fill the weights of a pair in one row from the planes of its correlations' weights.

    Returns in how many channels there is one.
    """
    first, second = planes[i * BLOCK:], planes[j * BLOCK:]
    w, covariance = weights[n, r * BLOCK:], covariances[n, r * BLOCK:]
    count = 0
    for f in range(width):
        w[f], covariance[f] = _pair_weight(first[f], second[f])
        count += 1 if w[f] > 0 else 0
    return count


@vector_kernel
def _find_reasons(planes, r, reasons, weights, P, width):
    """Add to the flag bits of a row's correlations those of its values and weights."""
    for p in range(P):
        real = planes[(r * 8 + 2 * p) * BLOCK:]
        w, reason = weights[p * BLOCK:], reasons[p * BLOCK:]
        for f in range(width):
            finite = real[f] * np.float32(0) + real[BLOCK + f] * np.float32(0) == 0
            weighted = (w[f] > 0) & (w[f] < np.inf)
            reason[f] |= ((np.uint8(0) if finite else _NOT_FINITE)
                          | (np.uint8(0) if weighted else _ZERO_WEIGHT))


@vector_kernel
def _leave_out(planes, r, reasons, n, i, j, weights, covariances, left_out, width):
    """Set to zero a pair's values and weights where one of its correlations has a reason."""
    first, second = reasons[i * BLOCK:], reasons[j * BLOCK:]
    w, covariance = weights[n, r * BLOCK:], covariances[n, r * BLOCK:]
    for f in range(width):
        reason = first[f] | second[f]
        left_out[f] |= reason
        w[f] = 0.0 if reason else w[f]
        covariance[f] = 0.0 if reason else covariance[f]
    for p in (i, j):
        real = planes[(r * 8 + 2 * p) * BLOCK:]
        for f in range(width):
            used = (first[f] | second[f]) == 0
            real[f] = real[f] if used else np.float32(0)
            real[BLOCK + f] = real[BLOCK + f] if used else np.float32(0)


@vector_kernel
def _count_flags(reasons, words, p, width, flag_counts):
    """Count flag bytes other than zero, eight at once where they are equal."""
    for k in range(width // 8):
        word = words[p * (BLOCK // 8) + k]
        if word == 0:
            continue
        start = p * BLOCK + 8 * k
        if word == np.uint64(reasons[start]) * _EVERY_BYTE:
            flag_counts[reasons[start]] += 8
            continue
        for byte in reasons[start:start + 8]:
            flag_counts[byte] += 1 if byte else 0
    for byte in reasons[p * BLOCK + width // 8 * 8:p * BLOCK + width]:
        flag_counts[byte] += 1 if byte else 0


@vector_kernel
def _count_coupled(reasons, i, j, width):
    """Return how many visibilities have no reason of their own but a partner that has one."""
    first, second = reasons[i * BLOCK:], reasons[j * BLOCK:]
    count = 0
    for k in range(width):
        count += 1 if (first[k] == 0) != (second[k] == 0) else 0
    return count


@vector_kernel
def _add(planes, i, j, weights, row_weights, varying, sums, width):
    """Add the correlations i and j of all rows to their pair's sums.

    The weights are `weights`, per row and channel; or, if not `varying`, `row_weights`.
    """
    first, second = planes[2 * i * BLOCK:], planes[2 * j * BLOCK:]
    for f in range(width):
        a = b = c = d = a2 = b2 = c2 = d2 = square1 = square2 = product = 0.0
        for r in range(ROWS):
            k = r * 8 * BLOCK + f
            w = weights[r * BLOCK + f] if varying else row_weights[r]
            wa, wb = w * np.float64(first[k]), w * np.float64(first[k + BLOCK])
            wc, wd = w * np.float64(second[k]), w * np.float64(second[k + BLOCK])
            a, b, c, d = a + wa, b + wb, c + wc, d + wd
            a2, b2, c2, d2 = a2 + w * wa, b2 + w * wb, c2 + w * wc, d2 + w * wd
            square1 += wa * wa + wb * wb
            square2 += wc * wc + wd * wd
            product += wa * wc + wb * wd
        sums[WV * BLOCK + f] += a
        sums[(WV + 1) * BLOCK + f] += b
        sums[(WV + 2) * BLOCK + f] += c
        sums[(WV + 3) * BLOCK + f] += d
        sums[W2V * BLOCK + f] += a2
        sums[(W2V + 1) * BLOCK + f] += b2
        sums[(W2V + 2) * BLOCK + f] += c2
        sums[(W2V + 3) * BLOCK + f] += d2
        sums[W2V2 * BLOCK + f] += square1
        sums[(W2V2 + 1) * BLOCK + f] += square2
        sums[PRODUCT * BLOCK + f] += product


@vector_kernel
def _add_weights(weights, covariances, sums, width):
    """Add the weights of all rows to a pair's sums."""
    for f in range(width):
        total = squares = covariance = count = 0.0
        for r in range(ROWS):
            w = weights[r * BLOCK + f]
            total += w
            squares += w * w
            covariance += covariances[r * BLOCK + f]
            count += 1.0 if w > 0 else 0.0
        sums[W * BLOCK + f] += total
        sums[W2 * BLOCK + f] += squares
        sums[COVARIANCE * BLOCK + f] += covariance
        sums[COUNT * BLOCK + f] += count


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _add_integration(t, lanes, bits, weight, pairs, path, further, wavenumber, even, watched,
                     planes, reasons, words, weight_planes, weights, covariances, row_weights,
                     row_covariances, cosine, sine, clean, panel, units, sums, steady,
                     turned, left_out, flag_counts):
    """Add the rows of an integration to `sums` (blocks,N,sums) and `steady` (blocks,N,4).

    And to the sums in further directions, `turned` (D,T,N,8*F). Unless `watched`, no unflagged
    value is looked at for being a NaN or an infinity.
    """
    B, L = lanes.shape[1:]
    F, N = wavenumber.shape[0], pairs.shape[0]
    P = L // F // 2
    one_weight = weight.shape[2] == P
    at_once = PANEL if len(further) else ROWS
    for head in range(0, B, at_once):
        end = min(head + at_once, B)
        if end < head + at_once:
            panel[:], units[:] = 0, 0
        for block in range(len(sums)):
            start = block * BLOCK
            width = min(F - start, BLOCK)
            for first in range(head, end, ROWS):
                rows = min(ROWS, end - first)
                if rows < ROWS:
                    planes[:], weights[:], covariances[:] = 0, 0, 0
                    row_weights[:], row_covariances[:] = 0, 0
                all_clean = one_weight
                for r in range(rows):
                    b = first + r
                    clean[r] = _has_no_flag(bits, t, b, start, width, P) and not (
                        watched and not _is_finite(lanes, t, b, start, width, P))
                    _sort(lanes, t, b, 2 * P, start, width, planes, r)
                    if one_weight:
                        for n in range(N):
                            row_weights[n, r], row_covariances[n, r] = _pair_weight(
                                weight[t, b, pairs[n, 0]], weight[t, b, pairs[n, 1]])
                            clean[r] &= row_weights[n, r] > 0
                    all_clean &= clean[r]
                if not all_clean:
                    for r in range(rows):
                        b = first + r
                        if one_weight:
                            for p in range(P):
                                weight_planes[p * BLOCK:(p + 1) * BLOCK] = weight[t, b, p]
                        else:
                            _sort(weight, t, b, P, start, width, weight_planes, 0)
                        for n in range(N):
                            clean[r] &= width == _pair_weights(
                                weight_planes, pairs[n, 0], pairs[n, 1], n, r, width, weights,
                                covariances)
                        if clean[r]:
                            continue
                        _sort(bits, t, b, P, start, width, reasons, 0)
                        _find_reasons(planes, r, reasons, weight_planes, P, width)
                        for n in range(N):
                            i, j = pairs[n, 0], pairs[n, 1]
                            _leave_out(planes, r, reasons, n, i, j, weights, covariances,
                                       left_out[t, n, start:], width)
                            _count_flags(reasons, words, i, width, flag_counts)
                            _count_flags(reasons, words, j, width, flag_counts)
                            flag_counts[_COUPLED] += _count_coupled(reasons, i, j, width)
                if len(further):
                    place = (first - head) // ROWS
                    for n in range(N):
                        units[n, place] = weigh(planes, pairs[n, 0], pairs[n, 1], weights[n],
                                                row_weights[n], not all_clean, panel, n, place,
                                                width)
                if path.shape[0]:
                    for r in range(rows):
                        _turn_row(planes, r, P, path[t, first + r], wavenumber, start, width,
                                  cosine, sine)
                for n in range(N):
                    i, j = pairs[n, 0], pairs[n, 1]
                    if all_clean:
                        _add(planes, i, j, weights[n], row_weights[n], False, sums[block, n],
                             width)
                        for r in range(rows):
                            w = row_weights[n, r]
                            steady[block, n, 0] += w
                            steady[block, n, 1] += w * w
                            steady[block, n, 2] += row_covariances[n, r]
                            steady[block, n, 3] += 1
                    else:
                        _add(planes, i, j, weights[n], row_weights[n], True, sums[block, n],
                             width)
                        _add_weights(weights[n], covariances[n], sums[block, n], width)
            if len(further):
                add_directions(panel, units, further, t, head, end - head, wavenumber, start,
                               width, even, turned)


@numba.njit(
    void(given(float32, 3), given(uint8, 3), given(float32, 3), given(int64, 2),
         given(float64, 2), given(float64, 3), given(float64, 1), boolean,
         float64[:, :, :, ::1], float64[:, :, :, ::1], uint8[:, :, ::1], int64[::1]),
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def accumulate(lanes, bits, weight, pairs, path, further, wavenumber, even, out, turned, left_out,
               flag_counts):
    """Sum the visibilities of a chunk over baselines; see `average.sum_up_directions`.

    `lanes` (T,B,F*P*2) are real and imaginary parts, `bits` (T,B,F*P) their flags, `weight`
    (T,B,F*P) or (T,B,P); `path` (T or 0,B) in m, `further` (D,T,B) those of further directions;
    `wavenumber` (F) in turns per m, whether they are `even`ly spaced. Rows are read to their end,
    which memory likes; the sums of all channels of an integration wait meanwhile. They end up in
    `out` (T,N,sums,F), those of further directions in `turned` (D,T,N,8*F), the bits of what was
    left out in `left_out` (T,N,F); `flag_counts` (257) are visibilities by flag byte, the last
    those that are only coupled.
    """
    T, B = lanes.shape[:2]
    F, N = wavenumber.shape[0], pairs.shape[0]
    planes = np.zeros(ROWS * 8 * BLOCK, np.float32)
    reasons = np.zeros(4 * BLOCK, np.uint8)
    words = reasons.view(np.uint64)
    weight_planes = np.zeros(4 * BLOCK, np.float32)
    weights, covariances = np.zeros((N, ROWS * BLOCK)), np.zeros((N, ROWS * BLOCK))
    row_weights, row_covariances = np.zeros((N, ROWS)), np.zeros((N, ROWS))
    cosine, sine = np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.float32)
    clean = np.zeros(ROWS, np.bool_)
    panel, units = panel_of(N)
    blocks = (F + BLOCK - 1) // BLOCK
    sums, steady = np.zeros((blocks, N, SUMS * BLOCK)), np.zeros((blocks, N, 4))
    counted = np.zeros_like(flag_counts)
    for t in range(T):
        counted[:] = flag_counts
        watched = False
        while True:
            sums[:], steady[:], turned[:, t] = 0, 0, 0
            _add_integration(t, lanes, bits, weight, pairs, path, further, wavenumber, even,
                             watched, planes, reasons, words, weight_planes, weights, covariances,
                             row_weights, row_covariances, cosine, sine, clean, panel, units,
                             sums, steady, turned, left_out, flag_counts)
            if watched or np.all(np.isfinite(sums[:, :, W2V2 * BLOCK:PRODUCT * BLOCK])):
                break
            watched = True
            flag_counts[:] = counted
            left_out[t] = 0
        for n in range(N):
            for k in range(SUMS):
                for f in range(F):
                    block = f // BLOCK
                    out[t, n, k, f] = sums[block, n, k * BLOCK + f % BLOCK]
                    if k >= W:
                        out[t, n, k, f] += steady[block, n, k - W]
    flag_counts[0] = 2 * N * T * B * F - np.sum(flag_counts[1:])
