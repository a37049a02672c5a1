"""Flux densities of boxes on a quiescent level, with errors that know of the level's noise."""

from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.boxes import Boxes, dyadic_widths, width_class
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.noise import Plane
from visds.dynspec.detection.profiles import REACH, gaussian_noise_width


@dataclass(frozen=True)
class Level:
    """The quiescent level (T,F) in Jy at each cell and its weight (T,F) in Jy-2.

    Without subtraction the weight is infinite; it is zero where the level is not known.
    """

    value: np.ndarray
    weight: np.ndarray


def quiescent_level(plane: Plane, boxes: Boxes, events: np.ndarray, tiles: np.ndarray) -> Level:
    """Return the level of a plane outside all `events` (T,F; bool).

    In a channel that is inside events all the time, the level outside their `tiles` (T,F; bool).
    """
    value, weight = np.zeros(plane.weight.shape), np.zeros(plane.weight.shape)
    outside, outside_weight = boxes.levels(plane.values, np.where(events, 0, plane.weight))
    between, between_weight = boxes.levels(plane.values, np.where(tiles, 0, plane.weight))
    for i, scan in enumerate(boxes.scans):
        known = outside_weight[i] > 0
        value[scan] = np.where(known, outside[i], between[i])
        weight[scan] = np.where(known, outside_weight[i], between_weight[i])
    return Level(value, weight)


def mean_flux_density(plane: Plane, tile: Tile, level: Level) -> tuple[float, float]:
    """Return the mean flux density of a box above the level, and its error, in Jy.

    Each channel counts with 1 / (1/W + 1/U), the inverse variance of the difference between its
    means in the box and on the level. NaN where no channel has both. The ratio of the two is the
    signal to noise of `MatchedFilter`, for a level outside the box.
    """
    w = plane.weight[tile.cells]
    inside = w.sum(0)
    inverse_level = _inverse(level.weight[tile.start, tile.low:tile.high])
    usable = (inside > 0) & np.isfinite(inverse_level)
    if not usable.any():
        return np.nan, np.nan
    difference = (w * (plane.values[tile.cells] - level.value[tile.cells])).sum(0)
    shared = (w * plane.coherent[tile.cells]).sum(0)
    share = 1 / (1 + inside[usable] * inverse_level[usable])
    total = (inside[usable] * share).sum()
    variance = total + (shared[usable] * share).sum() ** 2
    error = np.sqrt(variance) / total * _scatter(plane, *_size(tile))
    return float((difference[usable] * share).sum() / total), float(error)


def flux_density(plane: Plane, tile: Tile, level: Level) -> tuple[float, float]:
    """Return the mean flux density of a box above the level without bias, and its error, in Jy.

    As `mean_flux_density`, but the cells of a channel count by its usual error: where baselines
    see different amplitudes, by errors of gains or a source beside the target, the scatter grows
    with the flux density, and weights by the error of each cell would favour the faint ones. The
    error is that of this mean.
    """
    a, w = plane.even[tile.cells], plane.weight[tile.cells]
    inside = a.sum(0)
    inverse_level = _inverse(level.weight[tile.start, tile.low:tile.high])
    usable = (inside > 0) & np.isfinite(inverse_level)
    if not usable.any():
        return np.nan, np.nan
    a, w, inside = a[:, usable], w[:, usable], inside[usable]
    channels = np.arange(tile.low, tile.high)[usable]
    times = slice(tile.start, tile.stop)
    above = plane.values[times, channels] - level.value[times, channels]
    difference = (a * above).sum(0) / inside
    variance = np.divide(a**2, w, out=np.zeros(a.shape), where=w > 0).sum(0) / inside**2
    shared = (a * plane.coherent[times, channels]).sum(0) / inside
    share = 1 / (1 / inside + inverse_level[usable])
    share /= share.sum()
    error = np.sqrt(np.sum(share**2 * (variance + inverse_level[usable]))
                    + np.sum(share * shared) ** 2)
    return float(share @ difference), float(error * _scatter(plane, *_size(tile)))


def amplitude(plane: Plane, tile: Tile, level: Level, boxes: Boxes) -> tuple[float, float]:
    """Return the height of the template of a tile above the level, and its error, in Jy.

    Of a box that is `mean_flux_density`; of a Gaussian the height of its peak, by least squares.
    The ratio of the two is the signal to noise of `MatchedFilter`.
    """
    if tile.gaussian is None:
        return mean_flux_density(plane, tile, level)
    scan = next(scan for scan in boxes.scans if scan.start <= tile.start < scan.stop)
    cells = tile.gaussian.cells(REACH, (scan, slice(0, boxes.channels)))
    in_time, in_frequency = tile.gaussian.shape(cells)
    w = plane.weight[cells] * in_time[:, None]
    first, second = w.sum(0), (w * in_time[:, None]).sum(0)
    known = level.weight[tile.start, cells[1]]
    inverse_level = _inverse(known)
    usable = (second > 0) & np.isfinite(inverse_level)
    if not usable.any():
        return np.nan, np.nan
    difference = (w * (plane.values[cells] - level.value[tile.start, cells[1]])).sum(0)
    shared = (w * plane.coherent[cells]).sum(0)
    # Of each channel the height is difference / (second in_frequency), of this variance:
    variance = second[usable] + first[usable] ** 2 * inverse_level[usable]
    share = in_frequency[usable] * second[usable] / variance
    total = (share * in_frequency[usable] * second[usable]).sum()
    error = np.sqrt(total + (share * shared[usable]).sum() ** 2) / total
    in_samples = (tile.gaussian.time_sigma, tile.gaussian.channel_sigma)
    widths = [gaussian_noise_width(sigma) if np.isfinite(sigma) else boxes.channels
              for sigma in in_samples]
    return (float((share * difference[usable]).sum() / total),
            float(error * _scatter(plane, *widths)))


def correlation(first: Plane, second: Plane, covariance: np.ndarray, tile: Tile) -> float:
    """Return the correlation of the errors of two planes' means in a box.

    `covariance` in Jy^2 is that of the cells of the box; NaN counts as zero.
    """
    a, b = first.weight[tile.cells], second.weight[tile.cells]
    total = np.sum(a * b * np.nan_to_num(covariance))
    size = np.sqrt(a.sum() * b.sum())
    return float(np.clip(total / size, -1, 1)) if size > 0 else 0.0


def fluence(plane: Plane, box: Tile, level: Level, integration: np.ndarray
            ) -> tuple[float, float]:
    """Return the flux density of a box averaged over its band and summed over time, in Jy s.

    The band average of an integration is the weighted mean of its unflagged channels; an
    integration without any adds nothing, to the fluence or to its error. Also the standard error.
    """
    w = plane.weight[box.cells]
    inverse_level = _inverse(level.weight[box.cells])
    w = np.where(np.isfinite(inverse_level), w, 0)
    per_time = w.sum(1, keepdims=True)
    share = np.divide(w, per_time, out=np.zeros(w.shape), where=per_time > 0)
    share *= integration[box.start:box.stop, None]
    if not share.any():
        return np.nan, np.nan
    total = np.sum(share * (plane.values[box.cells] - level.value[box.cells]))
    inverse_level = np.where(w > 0, inverse_level, 0).max(0)
    variance = (np.sum(np.divide(share**2, w, out=np.zeros(w.shape), where=w > 0))
                + np.sum(share.sum(0) ** 2 * inverse_level)
                + np.sum(share * plane.coherent[box.cells]) ** 2)
    return float(total), float(np.sqrt(variance) * _scatter(plane, *_size(box)))


def brightest(plane: Plane, sign: int, box: Tile, level: Level, least_snr: float) -> Tile | None:
    """Return the box of highest mean flux density inside a box, among those above `least_snr`.

    Boxes of all dyadic widths at all places; `sign` is that of the flux density looked for.
    """
    w = plane.weight[box.cells]
    wd = sign * w * (plane.values[box.cells] - level.value[box.cells])
    sums, weights = _table(wd), _table(w)
    best, found = -np.inf, None
    for wt in dyadic_widths(w.shape[0]):
        for wf in dyadic_widths(w.shape[1]):
            total, weight = _box_sums(sums, wt, wf), _box_sums(weights, wt, wf)
            usable = weight > 1e-10 * weights[-1, -1]
            root = np.sqrt(np.where(usable, weight, np.inf))
            mean = np.where(usable & (total / root >= least_snr), total / root**2, -np.inf)
            place = np.unravel_index(np.argmax(mean), mean.shape)
            if mean[place] > best:
                best = mean[place]
                start, low = box.start + int(place[0]), box.low + int(place[1])
                found = Tile(box.search, float((total / root)[place]), start, start + int(wt),
                             low, low + int(wf))
    return found


def _inverse(weight: np.ndarray) -> np.ndarray:
    """Return 1/weight: zero of an infinite weight, infinite of none."""
    return np.divide(1, weight, out=np.full(weight.shape, np.inf), where=weight > 0)


def _size(tile: Tile) -> tuple[int, int]:
    return tile.stop - tile.start, tile.high - tile.low


def _scatter(plane: Plane, times: int, channels: int) -> float:
    # An event over several scans, or a Gaussian, is longer than any box whose scatter is known.
    last = np.array(plane.scatter.shape) - 1
    return float(plane.scatter[min(width_class(times), last[0]),
                               min(width_class(channels), last[1])])


def _table(values: np.ndarray) -> np.ndarray:
    """Return the summed-area table (T+1,F+1)."""
    result = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    result[1:, 1:] = values.cumsum(0).cumsum(1)
    return result


def _box_sums(table: np.ndarray, wt: int, wf: int) -> np.ndarray:
    return table[wt:, wf:] - table[:-wt, wf:] - table[wt:, :-wf] + table[:-wt, :-wf]
