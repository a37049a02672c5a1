"""SumThreshold and the scale-invariant rank operator on planes of normalized amplitudes."""

import numba
import numpy as np
from numba import float32, int64, void

from visds.core.vector import given, vector_kernel

# Longest window, in samples; each is twice the one before.
LONGEST = 32
# The threshold of a window of M samples is FIRST / RATIO**log2(M), in sigma: the choice of
# Offringa et al. 2010.
FIRST = 6.0
RATIO = 1.45
# The rank operator flags what lies in a run of which no more than a fifth is unflagged: a
# flagged sample counts for 1, an unflagged one for -4.
_UNFLAGGED = -4

THRESHOLDS = np.concatenate([[np.inf], FIRST / RATIO ** np.log2(
    np.arange(1, LONGEST + 1))]).astype(np.float32)


@vector_kernel
def _slide(values, used, present, n, L, length, total, number, held):
    """Move the window of `length` rows on, so that it ends with row n - 1."""
    end = n - 1
    begin = end - length
    first, use, there = values[end], used[end], present[end]
    for i in range(L):
        total[i] += first[i] * use[i]
        number[i] += use[i]
        held[i] += there[i]
    if begin >= 0:
        last, use, there = values[begin], used[begin], present[begin]
        for i in range(L):
            total[i] -= last[i] * use[i]
            number[i] -= use[i]
            held[i] -= there[i]


@vector_kernel
def _any_above(total, number, L, threshold):
    """Whether the sum of any lane is above so many thresholds."""
    found = 0
    for i in range(L):
        found |= 1 if total[i] > threshold * number[i] else 0
    return found != 0


@numba.njit(
    void(float32[:, ::1], float32[:, ::1], given(float32, 1), float32[:, ::1], float32[:, ::1],
         float32[::1], float32[::1], float32[::1], int64[::1]),
    cache=True, nogil=True, error_model="numpy")
def sum_threshold(values, present, thresholds, used, marked, total, number, held, until):
    """Set `used` (N,L) to 0 where a run of values along axis 0 is too high in the mean.

    Offringa et al. 2010 (MNRAS 405, 155): windows of 1, 2, 4, ... samples, each flagged whole
    where the mean of its samples is above the threshold of its length; samples that a shorter
    window flagged count as the threshold. Samples that are not `present` (0 or 1) do not count:
    a window with gaps has the threshold of the samples that it holds. All arrays are float32,
    `marked` and the others workspace; `until` (L) int64.
    """
    N, L = values.shape
    for n in range(N):
        for i in range(L):
            used[n, i] = present[n, i] if values[n, i] <= thresholds[1] else np.float32(0)
    length = 2
    while length <= min(N, len(thresholds) - 1):
        total[:L], number[:L], held[:L], until[:L] = 0, 0, 0, 0
        any_marked = False
        # Of windows with gaps thresholds are higher: the one without is passed by all others.
        lowest = thresholds[length]
        for n in range(1, N + 1):
            _slide(values, used, present, n, L, length, total, number, held)
            if n < length or not _any_above(total, number, L, lowest):
                continue
            for i in range(L):
                if number[i] > 0 and total[i] > thresholds[int(held[i])] * number[i]:
                    if not any_marked:
                        marked[:N, :L] = 0
                        any_marked = True
                    for k in range(max(n - length, until[i]), n):
                        marked[k, i] = 1
                    until[i] = n
        if any_marked:
            for n in range(N):
                for i in range(L):
                    used[n, i] *= 1 - marked[n, i]
        length *= 2


@numba.njit(void(float32[:, ::1], float32[:, ::1], int64[::1]), cache=True, nogil=True,
            error_model="numpy")
def extend_flags(used, present, sums):
    """Set `used` (L,N) to 0 in every run along axis 1 of which a fifth or less is unflagged.

    The scale-invariant rank operator (Offringa et al. 2012, A&A 539, A95) with eta = 0.2. Samples
    that are not `present` are passed over. `sums` (N + 1) int64 is workspace.
    """
    L, N = used.shape
    for row in range(L):
        flagged = 0
        for n in range(N):
            flagged += 1 if present[row, n] > used[row, n] else 0
        # Fewer than four flagged samples are less than four fifths of five.
        if flagged < -_UNFLAGGED:
            continue
        total = lowest = 0
        # sums[n]: the running sum less its lowest value up to the sample n.
        sums[0] = 0
        for n in range(N):
            lowest = min(lowest, total)
            sums[n] = lowest
            if present[row, n] > 0:
                total += _UNFLAGGED if used[row, n] > 0 else 1
        highest = total
        for n in range(N - 1, -1, -1):
            # `total` is the sum of all before the next sample, `highest` its highest value from
            # there on.
            highest = max(highest, total)
            if present[row, n] > 0:
                total -= _UNFLAGGED if used[row, n] > 0 else 1
                if highest - sums[n] >= 0:
                    used[row, n] = -used[row, n]
        for n in range(N):
            used[row, n] = max(used[row, n], np.float32(0))
