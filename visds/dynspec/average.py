"""The estimator: visibilities turned to the target and summed over baselines, in one pass.

For each integration and channel the sums over unflagged cross-correlations of w, w V, w^2, w^2 V
and w^2 |V|^2 are accumulated in float64. Correlations are used in pairs (RR and LL, RL and LR;
XX and YY, XY and YX): both or none, with the one weight w = 4 / (1/w1 + 1/w2) that belongs to half
their sum and half their difference. So the two Stokes parameters of a pair always come from the
same samples with the same weights, and neither a flag nor a weight in one hand can fake the other.

How it is fast: the visibilities of `_ROWS` baselines and `_BLOCK` channels are sorted into planes,
one for each real and imaginary part, that stay in the first-level cache together with the sums;
on planes every loop runs along channels and the compiler makes vector code of it. Distances
between planes are constants: otherwise the compiler would have to suspect that they overlap.
"""

from dataclasses import dataclass

import numba
import numpy as np

from visds.core.flags import Flag
from visds.core.phase import turn

LIGHT_SPEED = 299792458.0
"""Speed of light in m/s."""

_ROWS = 4
_BLOCK = 64
# The sums of a pair: real and imaginary parts of its first and second correlation, ...
_WV, _W2V, _W2V2, _PRODUCT, _W, _W2, _COVARIANCE, _COUNT = 0, 4, 8, 10, 11, 12, 13, 14
_SUMS = 15

_NOT_FINITE = np.uint8(Flag.NOT_FINITE)
_ZERO_WEIGHT = np.uint8(Flag.ZERO_WEIGHT)
# The bits of a float32 without its sign, and those of infinity: NaN and infinity are not below.
_MAGNITUDE = np.uint32(0x7FFFFFFF)
_INFINITE = np.uint32(0x7F800000)
_EVERY_BYTE = np.uint64(0x0101010101010101)


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over baselines of the correlations of each pair; axis N counts the pairs.

    With w the pair's weight: `sum_w`, `sum_w2` (T,F,N) in Jy-2, Jy-4; `count` (T,F,N);
    `sum_wv`, `sum_w2v` (T,F,N,2) complex in Jy-1, Jy-3 and `sum_w2v2` (T,F,N,2) in Jy-2 of the
    pair's two correlations; `sum_w2_product` (T,F,N), sum of w^2 V1 V2* (real part), Jy-2;
    `sum_w2_covariance` (T,F,N), sum of w^2 (1/w1 - 1/w2) / 4, Jy-2; `flags` (T,F,N), the union
    of the bits of what was left out; `flag_counts` (256), visibilities by flag byte.
    """

    sum_w: np.ndarray
    sum_wv: np.ndarray
    sum_w2: np.ndarray
    sum_w2v: np.ndarray
    sum_w2v2: np.ndarray
    sum_w2_product: np.ndarray
    sum_w2_covariance: np.ndarray
    count: np.ndarray
    flags: np.ndarray
    flag_counts: np.ndarray


def average(visibility: np.ndarray, flags: np.ndarray, weight: np.ndarray, pairs: np.ndarray,
            path: np.ndarray | None, frequency: np.ndarray) -> PairSums:
    """Return the sums over baselines of visibilities turned to a target.

    Parameters
    ----------
    visibility : (T,B,F,P) complex64, Jy
        Up to four correlations. A NaN or an infinity is left out, in both correlations of its
        pair.
    flags : (T,B,F,P) uint8
        Bits of `visds.core.flags`; any bit leaves the visibility out.
    weight : (T,B,F,P) or (T,B,1,P) float32, Jy-2
        1/sigma^2 of the real part. Zero, negative or not finite leaves the visibility out.
    pairs : (N,2) int
        Places on axis P of the two correlations of each pair.
    path : (T,B) float64, m, or None
        u l + v m + w (n - 1) of the target; the visibilities are multiplied with
        exp(-2 pi i path nu / c). None where the target is the phase centre.
    frequency : (F) float64, Hz
        Channel centres; need not be equidistant.
    """
    T, B, F, P = visibility.shape
    lanes = np.ascontiguousarray(visibility).view(np.float32).reshape(T, B, F * P * 2)
    bits = np.ascontiguousarray(flags, np.uint8).reshape(T, B, F * P)
    paths = np.zeros((0, B)) if path is None else np.ascontiguousarray(path, np.float64)
    wavenumber = np.asarray(frequency, np.float64) / LIGHT_SPEED
    pairs = np.ascontiguousarray(pairs, np.int64)
    sums = np.empty((T, len(pairs), _SUMS, F))
    left_out = np.zeros((T, len(pairs), F), np.uint8)
    flag_counts = np.zeros(256, np.int64)
    weights = np.ascontiguousarray(weight, np.float32).reshape(T, B, -1)
    accumulate(lanes, bits, weights, pairs, paths, wavenumber, sums, left_out, flag_counts)
    # From (T,N,sums,F) to (sums,T,F,N).
    sums = np.moveaxis(sums, (2, 3), (0, 2))
    first = np.moveaxis(sums[_WV:_W2V:2] + 1j * sums[_WV + 1:_W2V:2], 0, -1)
    second = np.moveaxis(sums[_W2V:_W2V2:2] + 1j * sums[_W2V + 1:_W2V2:2], 0, -1)
    return PairSums(sum_w=sums[_W], sum_wv=first, sum_w2=sums[_W2], sum_w2v=second,
                    sum_w2v2=np.moveaxis(sums[_W2V2:_PRODUCT], 0, -1),
                    sum_w2_product=sums[_PRODUCT], sum_w2_covariance=sums[_COVARIANCE],
                    count=sums[_COUNT].astype(np.int64), flags=np.swapaxes(left_out, 1, 2),
                    flag_counts=flag_counts)


_helper = numba.njit(nogil=True, error_model="numpy", forceinline=True,
                     fastmath={"contract", "nsz"})


@_helper
def _sort(lanes, L, width, planes, r):
    """Write lanes[f * L + k] to planes[r, k, f].

    Written out, with loads before stores, it becomes wide loads and shuffles.
    """
    if L == 8:
        for f in range(width):
            a, b, c, d = lanes[8 * f], lanes[8 * f + 1], lanes[8 * f + 2], lanes[8 * f + 3]
            p, q, s, t = lanes[8 * f + 4], lanes[8 * f + 5], lanes[8 * f + 6], lanes[8 * f + 7]
            planes[r, 0, f], planes[r, 1, f], planes[r, 2, f], planes[r, 3, f] = a, b, c, d
            planes[r, 4, f], planes[r, 5, f], planes[r, 6, f], planes[r, 7, f] = p, q, s, t
    elif L == 4:
        for f in range(width):
            a, b, c, d = lanes[4 * f], lanes[4 * f + 1], lanes[4 * f + 2], lanes[4 * f + 3]
            planes[r, 0, f], planes[r, 1, f], planes[r, 2, f], planes[r, 3, f] = a, b, c, d
    elif L == 2:
        for f in range(width):
            a, b = lanes[2 * f], lanes[2 * f + 1]
            planes[r, 0, f], planes[r, 1, f] = a, b
    else:
        for f in range(width):
            for k in range(L):
                planes[r, k, f] = lanes[L * f + k]


@_helper
def _turn_row(planes, r, P, path, wavenumber, start, width, cosine, sine):
    """Multiply a row with exp(-2 pi i path wavenumber)."""
    for f in range(width):
        c, s = turn(path * wavenumber[start + f])
        cosine[f], sine[f] = c, s
    for p in range(P):
        for f in range(width):
            x, y = planes[r, 2 * p, f], planes[r, 2 * p + 1, f]
            planes[r, 2 * p, f] = x * cosine[f] + y * sine[f]
            planes[r, 2 * p + 1, f] = y * cosine[f] - x * sine[f]


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _all_finite(values):
    """Return whether there is no NaN and no infinity: zero times either is NaN."""
    probe = np.float32(0)
    for k in range(values.shape[0]):
        probe += values[k] * np.float32(0)
    return probe == 0


@_helper
def _any(words):
    found = np.uint64(0)
    for k in range(words.shape[0]):
        found |= words[k]
    return found != 0


@_helper
def _pair_weight(w1, w2):
    """Return the pair's weight w and w^2 (1/w1 - 1/w2) / 4; zeros where there is no weight."""
    usable = (w1 > 0) & (w2 > 0) & (w1 < np.inf) & (w2 < np.inf)
    first, second = (np.float64(w1), np.float64(w2)) if usable else (0.0, 0.0)
    inverse = 1 / (first + second) if usable else 0.0
    w = 4 * first * second * inverse
    return w, w * (second - first) * inverse


@_helper
def _find_reasons(planes, r, reasons, weights, P, width):
    """Add to the flag bits of a row's correlations those of its values and weights."""
    for p in range(P):
        for f in range(width):
            x = abs(planes[r, 2 * p, f]) + abs(planes[r, 2 * p + 1, f])
            w = weights[0, p, f]
            bit = np.uint8(0) if (planes[r, 2 * p, f] * np.float32(0) + planes[r, 2 * p + 1, f] * np.float32(0) == 0)  else _NOT_FINITE
            no_weight = np.uint8(0) if (w > 0) & (w < np.inf) else _ZERO_WEIGHT
            reasons[0, p, f] |= bit | no_weight


@_helper
def _leave_out(planes, r, reasons, n, i, j, w, covariance, left_out, t, start, width):
    """Set to zero a pair's values and weights where one of its correlations has a reason."""
    for f in range(width):
        reason = reasons[0, i, f] | reasons[0, j, f]
        left_out[t, n, start + f] |= reason
    for f in range(width):
        reason = reasons[0, i, f] | reasons[0, j, f]
        w[n, r, f] = 0.0 if reason else w[n, r, f]
        covariance[n, r, f] = 0.0 if reason else covariance[n, r, f]
    for p in (i, j):
        for k in (2 * p, 2 * p + 1):
            for f in range(width):
                used = (reasons[0, i, f] | reasons[0, j, f]) == 0
                planes[r, k, f] = planes[r, k, f] if used else np.float32(0)


@_helper
def _count_flags(reasons, words, p, width, flag_counts):
    """Count flag bytes other than zero, eight at once where they are equal."""
    for k in range((width + 7) // 8):
        word = words[0, p, k]
        if word == 0:
            continue
        first = reasons[0, p, 8 * k]
        if word == np.uint64(first) * _EVERY_BYTE:
            flag_counts[first] += 8
            continue
        for f in range(8 * k, 8 * k + 8):
            byte = reasons[0, p, f]
            flag_counts[byte] += 1 if byte else 0


@_helper
def _add(planes, n, i, j, weights, sums, width, row_weights, varying):
    """Add the correlations i and j of all rows to their pair's sums.

    The weights are those of `weights`, per row and channel; or, if not `varying`, those of
    `row_weights`.
    """
    for f in range(width):
        a = b = c = d = a2 = b2 = c2 = d2 = square1 = square2 = product = 0.0
        for r in range(_ROWS):
            w = weights[n, r, f] if varying else row_weights[n, r]
            wa = w * np.float64(planes[r, 2 * i, f])
            wb = w * np.float64(planes[r, 2 * i + 1, f])
            wc = w * np.float64(planes[r, 2 * j, f])
            wd = w * np.float64(planes[r, 2 * j + 1, f])
            a, b, c, d = a + wa, b + wb, c + wc, d + wd
            a2, b2, c2, d2 = a2 + w * wa, b2 + w * wb, c2 + w * wc, d2 + w * wd
            square1 += wa * wa + wb * wb
            square2 += wc * wc + wd * wd
            product += wa * wc + wb * wd
        sums[n, _WV, f] += a
        sums[n, _WV + 1, f] += b
        sums[n, _WV + 2, f] += c
        sums[n, _WV + 3, f] += d
        sums[n, _W2V, f] += a2
        sums[n, _W2V + 1, f] += b2
        sums[n, _W2V + 2, f] += c2
        sums[n, _W2V + 3, f] += d2
        sums[n, _W2V2, f] += square1
        sums[n, _W2V2 + 1, f] += square2
        sums[n, _PRODUCT, f] += product


@_helper
def _add_weights(n, weights, covariances, sums, width):
    """Add the weights of all rows to a pair's sums."""
    for f in range(width):
        total = squares = covariance = count = 0.0
        for r in range(_ROWS):
            w = weights[n, r, f]
            total += w
            squares += w * w
            covariance += covariances[n, r, f]
            count += 1.0 if w > 0 else 0.0
        sums[n, _W, f] += total
        sums[n, _W2, f] += squares
        sums[n, _COVARIANCE, f] += covariance
        sums[n, _COUNT, f] += count


@numba.njit(
    "void(float32[:,:,::1], uint8[:,:,::1], float32[:,:,::1], int64[:,::1], float64[:,::1],"
    "float64[::1], float64[:,:,:,::1], uint8[:,:,::1], int64[::1])",
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def accumulate(lanes, bits, weight, pairs, path, wavenumber, out, left_out, flag_counts):
    """Sum the visibilities of a chunk over baselines into `out` (T,N,sums,F); see `average`.

    `lanes` (T,B,F*P*2) are real and imaginary parts, `bits` (T,B,F*P) their flags, `weight`
    (T,B,F*P) or (T,B,P); `path` (T or 0,B); `wavenumber` (F) is in turns per m.
    """
    T, B, L = lanes.shape
    F, N = wavenumber.shape[0], pairs.shape[0]
    P = L // F // 2
    one_weight = weight.shape[2] == P
    planes = np.zeros((_ROWS, 8, _BLOCK), np.float32)
    reasons = np.zeros((1, 4, _BLOCK), np.uint8)
    reason_words = reasons.view(np.uint64)
    weight_planes = np.zeros((1, 4, _BLOCK), np.float32)
    weights, covariances = np.zeros((N, _ROWS, _BLOCK)), np.zeros((N, _ROWS, _BLOCK))
    row_weights, row_covariances = np.zeros((N, _ROWS)), np.zeros((N, _ROWS))
    cosine, sine = np.zeros(_BLOCK, np.float32), np.zeros(_BLOCK, np.float32)
    sums, steady = np.zeros((N, _SUMS, _BLOCK)), np.zeros((N, 4))
    clean = np.zeros(_ROWS, np.bool_)
    for t in range(T):
        for start in range(0, F, _BLOCK):
            stop = min(start + _BLOCK, F)
            width = stop - start
            sums[:] = 0
            steady[:] = 0
            for first in range(0, B, _ROWS):
                all_clean = True
                rows = min(_ROWS, B - first)
                if rows < _ROWS:
                    row_weights[:] = 0
                    planes[:] = 0
                for r in range(rows):
                    b = first + r
                    row = lanes[t, b, 2 * P * start:2 * P * stop]
                    _sort(row, 2 * P, width, planes, r)
                    row_bits = bits[t, b, P * start:P * stop]
                    found = np.uint8(0)
                    for k in range(row_bits.shape[0]):
                        found |= row_bits[k]
                    good = one_weight and found == 0 and _all_finite(row)
                    if one_weight:
                        for n in range(N):
                            w, covariance = _pair_weight(weight[t, b, pairs[n, 0]],
                                                         weight[t, b, pairs[n, 1]])
                            row_weights[n, r], row_covariances[n, r] = w, covariance
                            good &= w > 0
                    clean[r] = good
                    all_clean &= good
                if all_clean:
                    for n in range(N):
                        for r in range(rows):
                            w = row_weights[n, r]
                            steady[n, 0] += w
                            steady[n, 1] += w * w
                            steady[n, 2] += row_covariances[n, r]
                        steady[n, 3] += rows
                else:
                    if rows < _ROWS:
                        weights[:] = 0
                        covariances[:] = 0
                    for r in range(rows):
                        b = first + r
                        if one_weight:
                            for n in range(N):
                                for f in range(width):
                                    weights[n, r, f] = row_weights[n, r]
                                    covariances[n, r, f] = row_covariances[n, r]
                            if clean[r]:
                                continue
                            for p in range(P):
                                for f in range(width):
                                    weight_planes[0, p, f] = weight[t, b, p]
                        else:
                            _sort(weight[t, b, P * start:P * stop], P, width, weight_planes, 0)
                            for n in range(N):
                                i, j = pairs[n, 0], pairs[n, 1]
                                for f in range(width):
                                    w, covariance = _pair_weight(weight_planes[0, i, f], weight_planes[0, j, f])
                                    weights[n, r, f], covariances[n, r, f] = w, covariance
                        _sort(bits[t, b, P * start:P * stop], P, width, reasons, 0)
                        _find_reasons(planes, r, reasons, weight_planes, P, width)
                        for n in range(N):
                            i, j = pairs[n, 0], pairs[n, 1]
                            _leave_out(planes, r, reasons, n, i, j, weights,
                                       covariances, left_out, t, start, width)
                            _count_flags(reasons, reason_words, i, width, flag_counts)
                            _count_flags(reasons, reason_words, j, width, flag_counts)
                if path.shape[0]:
                    for r in range(rows):
                        _turn_row(planes, r, P, path[t, first + r], wavenumber, start, width,
                                  cosine, sine)
                for n in range(N):
                    i, j = pairs[n, 0], pairs[n, 1]
                    if all_clean:
                        _add(planes, n, i, j, weights, sums, width, row_weights, False)
                    else:
                        _add(planes, n, i, j, weights, sums, width, row_weights, True)
                        _add_weights(n, weights, covariances, sums, width)
            for n in range(N):
                for k in range(_SUMS):
                    extra = steady[n, k - _W] if k >= _W else 0.0
                    for f in range(width):
                        out[t, n, k, start + f] = sums[n, k, f] + extra
    flag_counts[0] = 2 * N * T * B * F - np.sum(flag_counts[1:])
