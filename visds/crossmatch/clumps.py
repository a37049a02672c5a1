"""Which of the sources around a position are near each other: a clump of them counts once."""

import numba
import numpy as np
from numba import boolean, float64, int64


@numba.njit(int64[:, :](float64[:, :], float64[:, :], float64[:, :], boolean[:, :]), cache=True,
            nogil=True, error_model="numpy")
def companions(distance: np.ndarray, east: np.ndarray, north: np.ndarray,
               used: np.ndarray) -> np.ndarray:
    """Return how many sources (N,k) are near each of the sources around positions, itself too.

    Near is what lies within the mean spacing: in the disc that would hold one source on average,
    were all of them strewn evenly as far as the farthest. The inverse numbers add up to the number
    of clumps.

    Parameters
    ----------
    distance, east, north : (N, k) float
        Of the sources from each position, ascending, and their places about it.
    used : (N, k) bool
        The others are passed over, and theirs is 0.
    """
    number = np.zeros(distance.shape, np.int64)
    for n in range(distance.shape[0]):
        count, rim = 0, 0.0
        for i in range(distance.shape[1]):
            if used[n, i]:
                count += 1
                rim = distance[n, i]
        near = rim / np.sqrt(count) if count else 0.0
        for i in range(distance.shape[1]):
            if not used[n, i]:
                continue
            number[n, i] += 1
            for j in range(i - 1, -1, -1):
                if distance[n, i] - distance[n, j] > near:
                    break
                apart = (east[n, i] - east[n, j]) ** 2 + (north[n, i] - north[n, j]) ** 2
                if used[n, j] and apart < near**2:
                    number[n, i] += 1
                    number[n, j] += 1
    return number
