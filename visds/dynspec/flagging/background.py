"""The smooth background and the noise of a plane of amplitudes: medians of tiles."""

import numba
import numpy as np

# Integrations and channels of a tile: more than interference in it fills, less than the sky and
# the bandpass vary over.
_TILE_TIMES, _TILE_CHANNELS = 24, 32
# Samples that a tile needs for a median of its own, and a plane to be looked at.
_LEAST, _LEAST_OF_ALL = 16, 32
# Standard deviation over the distance of median and lower quartile of the modulus of two complex
# Gaussian variates (chi, four degrees of freedom): 0.6824 / (1.8321 - 1.3866).
_PER_QUARTILE = 1.532
# Of N samples the noise is taken to be larger by this over sqrt(N): the quartile of few may by
# chance lie too near to their median.
_FEW = 2.5


@numba.njit(nogil=True, error_model="numpy")
def select(values, low, high, k):
    """Return what stands at place k of values[low:high] when sorted; they are partly sorted."""
    high -= 1
    while low < high:
        middle = (low + high) // 2
        if values[middle] < values[low]:
            values[low], values[middle] = values[middle], values[low]
        if values[high] < values[low]:
            values[low], values[high] = values[high], values[low]
        if values[high] < values[middle]:
            values[middle], values[high] = values[high], values[middle]
        pivot = values[middle]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return values[k]


@numba.njit(nogil=True, error_model="numpy")
def _places(length, tile):
    """Return the edges of tiles, and for each sample the tile before and its share."""
    number = max(1, int(length / tile + 0.5))
    edges = np.empty(number + 1, np.int64)
    for i in range(number + 1):
        edges[i] = i * length // number
    before, share = np.zeros(length, np.int64), np.ones(length, np.float32)
    for n in range(length):
        place = min(max((n + 0.5) * number / length - 0.5, 0.0), number - 1.0)
        before[n] = min(int(place), max(number - 2, 0))
        share[n] = 1 - (place - before[n])
    return edges, before, share


@numba.njit(nogil=True, error_model="numpy")
def normalize(amplitude, used, normalized):
    """Write amplitudes (T,F) less their background, in units of the noise, to `normalized`.

    The background is the median of the samples of a tile that are `used` (float32, 0 or 1), and
    runs linearly from the middle of one tile to that of the next; a tile with fewer than 16 has the
    median of the others. The noise is proportional to it: by how much the lower quartile lies below
    the median, in the median of all tiles, which interference does not reach. Return whether there
    are samples enough.
    """
    T, F = amplitude.shape
    times, before_t, share_t = _places(T, _TILE_TIMES)
    channels, before_f, share_f = _places(F, _TILE_CHANNELS)
    rows, columns = len(times) - 1, len(channels) - 1
    middle = np.full((rows, columns), np.nan, np.float32)
    ratios, medians = np.empty(rows * columns, np.float32), np.empty(rows * columns, np.float32)
    values = np.empty((T // rows + 1) * (F // columns + 1), np.float32)
    tiles = samples = 0
    for i in range(rows):
        for j in range(columns):
            number = 0
            for t in range(times[i], times[i + 1]):
                for f in range(channels[j], channels[j + 1]):
                    if used[t, f] > 0:
                        values[number] = amplitude[t, f]
                        number += 1
            if number >= _LEAST:
                median = select(values, 0, number, number // 2)
                quartile = select(values, 0, number // 2, number // 4)
                if median > 0:
                    middle[i, j] = medians[tiles] = median
                    ratios[tiles] = 1 - quartile / median
                    tiles += 1
                    samples += number
    if samples < _LEAST_OF_ALL:
        return False
    ratio = select(ratios, 0, tiles, tiles // 2)
    if not ratio > 0:
        return False
    usual = select(medians, 0, tiles, tiles // 2)
    for i in range(rows):
        for j in range(columns):
            if np.isnan(middle[i, j]):
                middle[i, j] = usual
    scale = np.float32(1 / (ratio * _PER_QUARTILE * (1 + _FEW / np.sqrt(samples))))
    line = np.empty(columns, np.float32)
    for t in range(T):
        i = before_t[t]
        for j in range(columns):
            line[j] = (share_t[t] * middle[i, j]
                       + (1 - share_t[t]) * middle[min(i + 1, rows - 1), j])
        for f in range(F):
            j = before_f[f]
            level = share_f[f] * line[j] + (1 - share_f[f]) * line[min(j + 1, columns - 1)]
            normalized[t, f] = (amplitude[t, f] / level - 1) * scale
    return True
