"""The compiled search of a scan with templates that are a profile in time times one in frequency.

With g the profile in time, G that in frequency, and per channel d = sum g w (value - level), the
variance is e = sum g^2 w - (sum g w)^2 / U on a level of weight U, and the signal to noise
sum G d / sqrt(sum G^2 e). For boxes these are the sums of `search`. For data of two components,
Stokes Q and U, it is the root of the sum of the squares of both.
"""

import numba
import numpy as np

from visds.core.usual_types import compiled_for

# Templates beside each other that are bounded, and summed, together.
TOGETHER = 8
# More steps than a profile has.
PAD = 40


@numba.njit(nogil=True, error_model="numpy")
def _steps(running, step, summed):
    """Fill in the sums (N,F) over steps of integrations, of running sums (T+1,F)."""
    T, F = running.shape[0] - 1, running.shape[1]
    for n in range(summed.shape[0]):
        before, after = n * step, min((n + 1) * step, T)
        for f in range(F):
            summed[n, f] = running[after, f] - running[before, f]


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _weighted(summed, heights, first, number, power, result):
    """Fill in sum h^power x (F) over steps from `first` on, of `summed` (N,F)."""
    result[:] = 0.0
    for n in range(max(first, 0), min(first + number, summed.shape[0])):
        h = heights[n - first]
        if power == 2:
            h *= h
        for f in range(len(result)):
            result[f] += h * summed[n, f]


@numba.njit(nogil=True, error_model="numpy")
def _whole(heights, number, step):
    """Return the sum of h^2 over the samples of a profile."""
    total = 0.0
    for n in range(number):
        total += heights[n] * heights[n]
    return total * step


@numba.njit(nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "reassoc", "contract"})
def _bounds(d, inverse):
    """Return the sums of d^2 / e over the channels where d is above zero, and over all."""
    above, both = 0.0, 0.0
    for f in range(len(d)):
        square = d[f] * d[f] * inverse[f]
        above += square if d[f] > 0 else 0.0
        both += square
    return above, both


@numba.njit(nogil=True, error_model="numpy")
def _level(fine, levels, x, before, step, F):
    """Fill in level x of `levels` (L,F+2 PAD): sums of `fine` (F) over steps of channels.

    From the level before, whose step is `before`, if that is half of it. Zero around them.
    """
    M = (F + step - 1) // step
    if before > 0 and step == 2 * before:
        for m in range(M):
            levels[x, m + PAD] = levels[x - 1, 2 * m + PAD] + levels[x - 1, 2 * m + 1 + PAD]
    elif step == 1:
        for m in range(M):
            levels[x, m + PAD] = fine[m]
    else:
        for m in range(M):
            total = 0.0
            for f in range(m * step, min((m + 1) * step, F)):
                total += fine[f]
            levels[x, m + PAD] = total


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _correlated(heights, number, values, start, sums):
    """Fill in sum h x (8) of the eight templates from the step `start` on, of `values`.

    Which are zero `PAD` steps to either side.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    n = start + PAD
    for m in range(number):
        h = heights[m]
        s0 += h * values[n]
        s1 += h * values[n + 1]
        s2 += h * values[n + 2]
        s3 += h * values[n + 3]
        s4 += h * values[n + 4]
        s5 += h * values[n + 5]
        s6 += h * values[n + 6]
        s7 += h * values[n + 7]
        n += 1
    sums[0], sums[1], sums[2], sums[3] = s0, s1, s2, s3
    sums[4], sums[5], sums[6], sums[7] = s4, s5, s6, s7


@compiled_for(
    "(float64[:, :, ::1], int64, float64[:, ::1], int32[:, ::1], float64[:, ::1], "
    "float64[::1], int64[:, ::1], float64[:, ::1], int64[:, ::1], float64[:, ::1], "
    "float64[:, ::1], float64, boolean, float64[::1], float64[::1], float64, "
    "float64[:, ::1], int32[:, ::1], int64)",
    cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz", "contract"})
def search_profiles(sum_wd, components, sum_w, sum_good, sum_shared, inverse, time_shape,
                    time_heights, channel_shape, channel_heights, factors, good_fraction,
                    counted, highest, lowest, comparable, snr, place, offset):
    """Raise `highest` and lower `lowest` (K) to those of all templates; return whether any counts.

    Or, where `snr` has integrations, fill in the best templates of the first data above its
    `highest`, and in `place` their number: `offset` plus that of the profile in time times 1024
    plus that in frequency. As `search.search_scan`, whose running sums these are: (K C,T+1,F) of
    `components` C. Data of two components have no lowest. Templates count if `good_fraction` of
    the sum of their squares is over cells with weight; they may end with the data.

    Neighbours in frequency that together cannot lie beyond what is known are passed over, by
    the inequality of Cauchy and Schwarz.
    """
    C = components
    K, T, F = sum_wd.shape[0] // C, sum_w.shape[0] - 1, sum_w.shape[1]
    report = snr.shape[0] > 0
    has_shared = sum_shared.shape[0] > 0
    all_good = True
    for f in range(F):
        all_good = all_good and sum_good[T, f] == T
    s1, s2, shared, q = np.zeros(F), np.zeros(F), np.zeros(F), np.zeros(F)
    d, e, joint = np.zeros((K, C, F)), np.zeros(F), np.zeros(F)
    running_q, single = np.zeros(F + 1), np.zeros(F)
    up, down = np.zeros(F + 1), np.zeros(F + 1)
    # Profiles in frequency of one step follow each other: a level is these.
    J = channel_shape.shape[1]
    begins = [0]
    for j in range(1, J):
        if channel_shape[0, j] != channel_shape[0, j - 1]:
            begins.append(j)
    begins.append(J)
    L = len(begins) - 1 if J else 0
    E, S = np.zeros((L, F + 2 * PAD)), np.zeros((L, F + 2 * PAD))
    inverse_e = np.zeros((L, F))
    D = np.zeros((C, L, F + 2 * PAD))
    full_channels, channel_squares = np.zeros(J), channel_heights**2
    for j in range(J):
        full_channels[j] = _whole(channel_heights[j], channel_shape[2, j], channel_shape[0, j])
    totals, others = np.zeros(TOGETHER), np.zeros(TOGETHER)
    variances, shares = np.zeros(TOGETHER), np.zeros(TOGETHER)
    rows_w = np.zeros((0, 0))
    rows_good = np.zeros((0, 0))
    rows_shared = np.zeros((0, 0))
    rows_d = np.zeros((0, 0, 0))
    made = 0
    for i in range(time_shape.shape[1]):
        step, before, number, whole = time_shape[:, i]
        heights = time_heights[i]
        N = (T + step - 1) // step
        if step != made:
            made = step
            rows_w, rows_d = np.zeros((N, F)), np.zeros((K * C, N, F))
            _steps(sum_w, step, rows_w)
            for k in range(K * C):
                _steps(sum_wd[k], step, rows_d[k])
            if has_shared:
                rows_shared = np.zeros((N, F))
                _steps(sum_shared, step, rows_shared)
            if not all_good:
                rows_good = np.zeros((N, F))
                _steps(sum_good, step, rows_good)
        full_time = _whole(heights, number, step)
        for row in range(N):
            first = row - before
            if whole and (first < 0 or first + number > N):
                continue
            _weighted(rows_w, heights, first, number, 1, s1)
            _weighted(rows_w, heights, first, number, 2, s2)
            everything = 0.0
            for f in range(F):
                one = s2[f] - s1[f] * s1[f] * inverse[f]
                # Of channels that have nothing free, neither sums nor cells count.
                s1[f] = 1.0 if one > 1e-9 * s2[f] else 0.0
                e[f] = one if one > 1e-9 * s2[f] else 0.0
                everything += e[f]
            if everything <= 0:
                continue
            least = 1e-10 * everything
            for f in range(F):
                single[f] = 1 / e[f] if e[f] > 1e-3 * least else 0.0
            if has_shared:
                _weighted(rows_shared, heights, first, number, 1, shared)
                for f in range(F):
                    joint[f] = shared[f] * e[f] / s2[f] if e[f] > 0 else 0.0
            if all_good:
                inside = 0.0
                for n in range(max(first, 0), min(first + number, N)):
                    h = heights[n - first]
                    inside += h * h * (min((n + 1) * step, T) - n * step)
                for f in range(F):
                    running_q[f + 1] = inside * (f + 1)
            else:
                _weighted(rows_good, heights, first, number, 2, q)
                for f in range(F):
                    running_q[f + 1] = running_q[f] + q[f] * s1[f]
            for k in range(K):
                for c in range(C):
                    one_d = d[k, c]
                    _weighted(rows_d[k * C + c], heights, first, number, 1, one_d)
                    for f in range(F):
                        one_d[f] *= s1[f]
            least_factor = factors[i].min() if J else 1.0
            made_levels = False
            for k in range(K):
                high, low = highest[k], lowest[k]
                if counted:
                    # Of sums over channels the bound is lower: as in `search`.
                    all_up, all_both = _bounds(d[k, 0], single)
                    if C == 2:
                        all_up = all_both = all_both + _bounds(d[k, 1], single)[1]
                    slack = 1e-9 * all_both
                    if all_up + slack < (high * least_factor) ** 2 and (
                            C == 2 or report
                            or all_both - all_up + slack < (low * least_factor) ** 2):
                        continue
                if not made_levels:
                    made_levels = True
                    for x in range(L):
                        step_f = channel_shape[0, begins[x]]
                        fine = channel_shape[0, begins[x - 1]] if x else 0
                        _level(e, E, x, fine, step_f, F)
                        if has_shared:
                            _level(joint, S, x, fine, step_f, F)
                        for m in range((F + step_f - 1) // step_f):
                            inverse_e[x, m] = (1 / E[x, m + PAD]
                                               if E[x, m + PAD] > 1e-3 * least else 0.0)
                for x in range(L):
                    step_f = channel_shape[0, begins[x]]
                    fine = channel_shape[0, begins[x - 1]] if x else 0
                    M = (F + step_f - 1) // step_f
                    for c in range(C):
                        _level(d[k, c], D[c], x, fine, step_f, F)
                    for m in range(M):
                        square = D[0, x, m + PAD] * D[0, x, m + PAD] * inverse_e[x, m]
                        if C == 2:
                            square += D[1, x, m + PAD] * D[1, x, m + PAD] * inverse_e[x, m]
                        is_above = C == 2 or D[0, x, m + PAD] > 0
                        up[m + 1] = up[m] + (square if is_above else 0.0)
                        down[m + 1] = down[m] + (0.0 if is_above else square)
                    slack = 1e-9 * (up[M] + down[M])
                    if counted and up[M] + slack < (high * least_factor) ** 2 and (
                            C == 2 or report or down[M] + slack < (low * least_factor) ** 2):
                        continue
                    below, above = 0, 0
                    for j in range(begins[x], begins[x + 1]):
                        below = max(below, channel_shape[1, j])
                        above = max(above, channel_shape[2, j] - channel_shape[1, j])
                    for group in range(0, M, TOGETHER):
                        # All that any of the profiles reaches.
                        a, b = max(0, group - below), min(M, group + TOGETHER - 1 + above)
                        if begins[x + 1] - begins[x] > 1 and counted and (
                                up[b] - up[a] + slack < (high * least_factor) ** 2) and (
                                C == 2 or report
                                or down[b] - down[a] + slack < (low * least_factor) ** 2):
                            continue
                        for j in range(begins[x], begins[x + 1]):
                            before_f, number_f = channel_shape[1, j], channel_shape[2, j]
                            heights_f = channel_heights[j]
                            factor = factors[i, j]
                            begin, last = group, min(group + TOGETHER, M)
                            if channel_shape[3, j]:
                                begin = max(begin, before_f)
                                last = min(last, M - number_f + before_f + 1)
                                if begin >= last:
                                    continue
                            a, b = max(0, begin - before_f), min(M, last - 1 - before_f + number_f)
                            if counted and up[b] - up[a] + slack < (high * factor) ** 2 and (
                                    C == 2 or report
                                    or down[b] - down[a] + slack < (low * factor) ** 2):
                                continue
                            start = group - before_f
                            _correlated(heights_f, number_f, D[0, x], start, totals)
                            _correlated(channel_squares[j], number_f, E[x], start, variances)
                            if C == 2:
                                _correlated(heights_f, number_f, D[1, x], start, others)
                                for m in range(TOGETHER):
                                    totals[m] = np.sqrt(totals[m] ** 2 + others[m] ** 2)
                            if has_shared:
                                _correlated(heights_f, number_f, S[x], start, shares)
                            for m in range(begin, last):
                                variance = variances[m - group]
                                if variance <= least:
                                    continue
                                norm = np.sqrt(variance + shares[m - group] ** 2) * factor
                                value = totals[m - group] / norm
                                if counted and value < high and (
                                        value > low or C == 2 or report):
                                    continue
                                a, b = max(0, m - before_f), min(M, m - before_f + number_f)
                                good = 0.0
                                for n in range(a, b):
                                    h = heights_f[n - m + before_f]
                                    good += h * h * (running_q[min((n + 1) * step_f, F)]
                                                     - running_q[n * step_f])
                                if good < (good_fraction * full_time * full_channels[j]
                                           * (1 - 1e-9)):
                                    continue
                                counted = True
                                if not report:
                                    high = max(high, value)
                                    low = min(low, value) if C == 1 else low
                                    continue
                                high = max(high, comparable * value)
                                t = min(row * step + step // 2, T - 1)
                                f = min(m * step_f + step_f // 2, F - 1)
                                if value >= high and value > snr[t, f]:
                                    snr[t, f] = value
                                    place[t, f] = offset + i * 1024 + j
                highest[k], lowest[k] = high, low
    return counted
