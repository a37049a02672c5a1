"""The scatter of numbers of mean zero, in which outliers weigh little, and whether it is excess."""

import numpy as np

from visds.core.usual_types import compiled_for

# Squares count up to (3 sigma)^2, whose mean is then 0.9950 sigma^2 for Gaussian numbers; the
# standard error of the scatter of n of them is 0.69 / sqrt(n).
CLIP, CLIPPED_MEAN, SCATTER_ERROR = 3.0, 0.9950, 0.69
# How many of its own errors an excess of scatter must have to be taken for real.
EXCESS = 2.5


def scatter_of(values: np.ndarray) -> float:
    """Return the scatter of numbers of mean zero (any shape); NaN left out, NaN of nothing."""
    return float(scatters(values.reshape(1, -1) ** 2)[0][0])


@compiled_for(
    "(float64[:, ::1],)",
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz"})
def scatters(squares):
    """Return scatter and number (N,N) of numbers of mean zero whose squares (N,M) are given.

    The root of the mean of the squares, of which none counts for more than that of 3 times the
    scatter itself: a few outliers weigh little. NaN left out, NaN of nothing.
    """
    N, M = squares.shape
    scatter, number = np.full(N, np.nan), np.zeros(N, np.int64)
    kept = np.zeros(M)
    for n in range(N):
        count = 0
        for m in range(M):
            # What is left out adds nothing to a sum; without a branch the loop is vectorized.
            is_known = squares[n, m] < np.inf
            kept[m] = squares[n, m] if is_known else 0.0
            count += 1 if is_known else 0
        number[n] = count
        if count == 0:
            continue
        variance = 1.0
        # Grows by a factor of up to nine a step from where it starts, which is near one as a rule.
        for _ in range(10):
            limit, total = CLIP**2 * variance, 0.0
            for m in range(M):
                total += kept[m] if kept[m] < limit else limit
            before, variance = variance, total / count / CLIPPED_MEAN
            if abs(variance - before) <= 1e-12 * before:
                break
        scatter[n] = np.sqrt(variance)
    return scatter, number


def significant(scatter: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the scatters of `number` values each, as 1 where that is within their error.

    NaN, the scatter of nothing, becomes 1.
    """
    error = SCATTER_ERROR / np.sqrt(np.maximum(number, 1))
    return np.where(np.abs(np.nan_to_num(scatter, nan=1.0) - 1) > EXCESS * error, scatter, 1.0)
