"""Boxes that share no cell, size by size: independent samples of the noise."""

from collections.abc import Iterator

import numpy as np

from visds.core.usual_types import compiled_for
from visds.dynspec.detection.boxes import Boxes


def disjoint(values: np.ndarray, weight: np.ndarray, boxes: Boxes
             ) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the signal to noise (N) of boxes side by side, which share no cell, size by size.

    Values (T,F) in Jy and weight (T,F) in Jy-2 as in `MatchedFilter`. With it come a and b: the
    boxes are of 2^a integrations and 2^b channels. Boxes that do not count are left out.
    """
    level, total = boxes.levels(values, weight)
    inverse = np.divide(1, total, out=np.zeros(total.shape), where=total > 0)
    scans = [_weighted(values[scan], weight[scan], level[i])
             for i, scan in enumerate(boxes.scans)]
    classes, channel_classes = boxes.scatter_shape()
    for a in range(classes):
        if a:
            scans = [tuple(_pairs_in_time(x) for x in sums) for sums in scans]
        rows = [_on_level(*sums, one) for sums, one in zip(scans, inverse, strict=True)]
        sums, free, good = (np.concatenate(x) for x in zip(*rows, strict=True))
        for b in range(channel_classes):
            if b:
                sums, free, good = (_pairs_in_frequency(x) for x in (sums, free, good))
            yield a, b, _signal_to_noise(sums, free, good, boxes.good_fraction * 2 ** (a + b))


@compiled_for(
    "(float64[:, ::1], float64[:, ::1], float64[::1])",
    cache=True, nogil=True, error_model="numpy")
def _weighted(values, weight, level):
    """Return w (values - level), w, and one where w > 0, of cells (T,F)."""
    sums, good = np.zeros(weight.shape), np.zeros(weight.shape)
    for t in range(weight.shape[0]):
        for f in range(weight.shape[1]):
            sums[t, f] = weight[t, f] * (values[t, f] - level[f])
            good[t, f] = 1.0 if weight[t, f] > 0 else 0.0
    return sums, weight, good


@compiled_for(
    "(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1])",
    cache=True, nogil=True, error_model="numpy")
def _on_level(sums, inside, good, inverse):
    """Return sums, their variance and good cells (T,F); zero where the level is all inside."""
    result = np.zeros((3, *sums.shape))
    for t in range(sums.shape[0]):
        for f in range(sums.shape[1]):
            share = inside[t, f] * inverse[f]
            free = inside[t, f] * (1 - share) if share <= 1 - 1e-9 else 0.0
            result[0, t, f] = sums[t, f] if free > 0 else 0.0
            result[1, t, f] = free
            result[2, t, f] = good[t, f] if free > 0 else 0.0
    return result[0], result[1], result[2]


@compiled_for(
    "(float64[:, ::1],)",
    cache=True, nogil=True, error_model="numpy")
def _pairs_in_time(values):
    """Return the sums of neighbours in time, two and two; an odd last one is dropped."""
    result = np.zeros((values.shape[0] // 2, values.shape[1]))
    for t in range(result.shape[0]):
        for f in range(result.shape[1]):
            result[t, f] = values[2 * t, f] + values[2 * t + 1, f]
    return result


@compiled_for(
    "(float64[:, ::1],)",
    cache=True, nogil=True, error_model="numpy")
def _pairs_in_frequency(values):
    """Return the sums of neighbouring channels, two and two; an odd last one is dropped."""
    result = np.zeros((values.shape[0], values.shape[1] // 2))
    for t in range(result.shape[0]):
        for f in range(result.shape[1]):
            result[t, f] = values[t, 2 * f] + values[t, 2 * f + 1]
    return result


@compiled_for(
    "(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64)",
    cache=True, nogil=True, error_model="numpy")
def _signal_to_noise(sums, free, good, enough):
    """Return the signal to noise (N) of the boxes that have weight in `enough` of their cells."""
    result = np.zeros(sums.size)
    number = 0
    for t in range(sums.shape[0]):
        for f in range(sums.shape[1]):
            if good[t, f] >= enough and free[t, f] > 0:
                result[number] = sums[t, f] / np.sqrt(free[t, f])
                number += 1
    return result[:number]
