"""The compiled search of a scan: running sums, and all boxes at all places made from them."""

import numba
import numpy as np

from visds.core.usual_types import compiled_for

# Boxes start at every eighth of their width: a burst between two starts loses 6 % at most.
STARTS_PER_WIDTH = 8


@compiled_for(
    "(float64[:, ::1], float64[:, ::1])",
    "(float64[:, :], float64[:, ::1])",
    cache=True, nogil=True, error_model="numpy")
def running_weights(weight, coherent):
    """Return the sums (T+1,F) over the integrations before each: of w, of w > 0, of w coherent.

    The last without integrations if `coherent` has none.
    """
    T, F = weight.shape
    sum_w, good = np.zeros((T + 1, F)), np.zeros((T + 1, F), np.int32)
    shared = np.zeros((T + 1 if coherent.size else 0, F))
    for t in range(T):
        for f in range(F):
            sum_w[t + 1, f] = sum_w[t, f] + weight[t, f]
            good[t + 1, f] = good[t, f] + (weight[t, f] > 0)
        if coherent.size:
            for f in range(F):
                shared[t + 1, f] = shared[t, f] + weight[t, f] * coherent[t, f]
    return sum_w, good, shared


@compiled_for(
    "(float64[:, :, ::1], float64[:, ::1], float64[:, ::1])",
    "(float64[:, :, :], float64[:, ::1], float64[:, ::1])",
    cache=True, nogil=True, error_model="numpy")
def running_values(values, weight, level):
    """Return the sums (K,T+1,F) of w (values - level) over the integrations before each."""
    K, T, F = values.shape
    result = np.zeros((K, T + 1, F))
    for k in range(K):
        for t in range(T):
            for f in range(F):
                result[k, t + 1, f] = (result[k, t, f]
                                       + weight[t, f] * (values[k, t, f] - level[k, f]))
    return result


# Without NaN and signed zeros, in whatever order of sums, several channels are worked on at once.
@numba.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc", "contract"})
def _one_over_variance(before, after, inverse, single):
    """Fill in 1/e (F) of the sums between two integrations, zero where nothing is free."""
    for f in range(len(inverse)):
        w = after[f] - before[f]
        free = 1 - w * inverse[f]
        e = w * free if free > 1e-9 else 0.0
        single[f] = 1 / e if e > 0 else 0.0


@numba.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc", "contract"})
def _bounds(before, after, single):
    """Return the sums of d^2/e over the channels of d above and below zero."""
    above, both = 0.0, 0.0
    for f in range(len(single)):
        d = after[f] - before[f]
        square = d * d * single[f]
        above += square if d > 0 else 0.0
        both += square
    return above, max(both - above, 0.0)


@compiled_for(
    "(float64[:, :, ::1], float64[:, ::1], int32[:, ::1], float64[:, ::1], float64[::1], "
    "int64[::1], int64[::1], float64[:, ::1], float64, float64[::1], float64[::1], "
    "float64, float64[:, ::1], int32[:, ::1], int32[:, ::1], int32[:, ::1])",
    cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def search_scan(sum_wd, sum_w, sum_good, sum_shared, inverse, time_widths, channel_widths,
                factors, good_fraction, highest, lowest, comparable, snr, time_width,
                channel_width, place):
    """Raise `highest` and lower `lowest` (K) to those of all boxes; return whether any counts.

    Or, where `snr` has integrations, fill in the best boxes of the first data above its `highest`,
    which is raised to the fraction `comparable` of the highest box.

    Running sums (K,T+1,F) and (T+1,F) over the integrations of a scan. With d the sum of a channel
    and e its variance, (sum d)^2 / sum e <= sum d^2/e (Cauchy and Schwarz), also if only the d of
    one sign are summed on the right: neighbouring boxes whose right hand sides together are too
    small are passed over.
    """
    K, T, F = sum_wd.shape[0], sum_w.shape[0] - 1, sum_w.shape[1]
    report = snr.shape[0] > 0
    has_shared = sum_shared.shape[0] > 0
    d, e, c = np.zeros(F + 1), np.zeros(F + 1), np.zeros(F + 1)
    up, down = np.zeros(F + 1), np.zeros(F + 1)
    good = np.zeros(F + 1, np.int64)
    single = np.zeros(F)
    counted = False
    narrow = 0
    while narrow < len(channel_widths) and channel_widths[narrow] <= STARTS_PER_WIDTH:
        narrow += 1
    for i in range(len(time_widths)):
        wt = time_widths[i]
        step = max(1, wt // STARTS_PER_WIDTH)
        least_factor = factors[i].min()
        for row in range((T - wt + step - 1) // step + 1):
            t = min(row * step, T - wt)
            _one_over_variance(sum_w[t], sum_w[t + wt], inverse, single)
            summed = False
            for k in range(K):
                before, after = sum_wd[k, t], sum_wd[k, t + wt]
                all_up, all_down = _bounds(before, after, single)
                # More than the rounding errors of the sums.
                slack = 1e-9 * (all_up + all_down)
                high, low = highest[k], lowest[k]
                if counted and (all_up + slack < (high * least_factor) ** 2
                                and all_down + slack < (low * least_factor) ** 2):
                    continue
                if not summed:
                    summed = True
                    variance, number, shared = 0.0, 0, 0.0
                    for f in range(F):
                        w = sum_w[t + wt, f] - sum_w[t, f]
                        free = 1 - w * inverse[f]
                        if free > 1e-9:
                            variance += w * free
                            number += sum_good[t + wt, f] - sum_good[t, f]
                            if has_shared:
                                shared += free * (sum_shared[t + wt, f] - sum_shared[t, f])
                        e[f + 1], good[f + 1], c[f + 1] = variance, number, shared
                # What the subtraction of two running sums leaves of an empty box.
                least = 1e-10 * e[F]
                # Two loops: the first has no branch and no sum, and is vectorized.
                for f in range(F):
                    one = after[f] - before[f]
                    one = one if single[f] > 0 else 0.0
                    square = one * one * single[f]
                    d[f + 1] = one
                    up[f + 1] = square if one > 0 else 0.0
                    down[f + 1] = square if one < 0 else 0.0
                for f in range(F):
                    d[f + 1] += d[f]
                    up[f + 1] += up[f]
                    down[f + 1] += down[f]
                begin = narrow if counted else 0
                for a in range(0, F if begin else 0, 8):
                    # All narrow boxes that start in eight channels lie in these.
                    b = min(F, a + 7 + channel_widths[narrow - 1])
                    if (up[b] - up[a] + slack >= (high * least_factor) ** 2
                            or down[b] - down[a] + slack >= (low * least_factor) ** 2):
                        begin = 0
                        break
                for j in range(begin, len(channel_widths)):
                    wf, factor = channel_widths[j], factors[i, j]
                    step_f = max(1, wf // STARTS_PER_WIDTH)
                    boxes = (F - wf + step_f - 1) // step_f + 1
                    enough = max(1, int(np.ceil(good_fraction * wt * wf)))
                    for first in range(0, boxes, 8):
                        last = min(first + 8, boxes)
                        a, b = min(first * step_f, F - wf), min((last - 1) * step_f, F - wf) + wf
                        if counted and (up[b] - up[a] + slack < (high * factor) ** 2
                                        and down[b] - down[a] + slack < (low * factor) ** 2):
                            continue
                        for m in range(first, last):
                            f = min(m * step_f, F - wf)
                            variance = e[f + wf] - e[f]
                            if good[f + wf] - good[f] < enough or variance <= least:
                                continue
                            counted = True
                            shared = c[f + wf] - c[f]
                            norm = 1 / (np.sqrt(variance + shared * shared) * factor)
                            value = (d[f + wf] - d[f]) * norm
                            if not report:
                                high, low = max(high, value), min(low, value)
                                continue
                            high = max(high, comparable * value)
                            if value >= high and value > snr[t + wt // 2, f + wf // 2]:
                                snr[t + wt // 2, f + wf // 2] = value
                                time_width[t + wt // 2, f + wf // 2] = wt
                                channel_width[t + wt // 2, f + wf // 2] = wf
                                place[t + wt // 2, f + wf // 2] = -1
                highest[k], lowest[k] = high, low
    return counted
