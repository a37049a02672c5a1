"""The matched filter: signal to noise of boxes of all dyadic widths in time and frequency.

For data d with weights w = 1/sigma^2 and a box T (one inside, zero outside), the signal to noise
of a box on a zero level is sum(w d T) / sqrt(sum(w T^2)). On an unknown quiescent level, taken off
as the weighted mean of each channel, a box holds part of that mean: the variance of a channel's
sum over the box is then E = W (1 - W/U), with W the weight in the box and U all weight of the
channel, and sum(w d T) / sqrt(sum E) is the likelihood ratio of a box on that level. Boxes with
weight in few of their cells are not looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numba
import numpy as np

# Boxes start at every eighth of their width: a burst between two starts loses 6 % at most.
STARTS_PER_WIDTH = 8


@dataclass(frozen=True)
class Boxes:
    """Which boxes are searched: limits in samples, and between which samples they lie.

    `scans` are the slices of integrations that no box crosses. A box counts if at least
    `good_fraction` of its cells have weight. With `quiescent` "observation" or "scan" the boxes
    stand on the weighted mean in time of each channel, with "none" on zero.
    """

    scans: tuple[slice, ...]
    channels: int
    minimum: tuple[int, int] = (1, 1)
    maximum: tuple[int | None, int | None] = (None, None)
    good_fraction: float = 0.5
    quiescent: str = "observation"

    def time_widths(self, scan: slice) -> np.ndarray:
        """Return the widths in integrations of the boxes in one scan."""
        return dyadic_widths(scan.stop - scan.start, self.minimum[0], self.maximum[0])

    def channel_widths(self) -> np.ndarray:
        """Return the widths in channels of the boxes."""
        return dyadic_widths(self.channels, self.minimum[1], self.maximum[1])

    def scatter_shape(self) -> tuple[int, int]:
        """Return the shape of an array indexed by `width_class` of time and of channels."""
        longest = max((scan.stop - scan.start for scan in self.scans), default=1)
        return width_class(longest) + 1, width_class(self.channels) + 1

    def levels(self, values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the quiescent level (S,F) and its weight (S,F), a row for each scan.

        The weighted mean in time of the channel; zero, of infinite weight, without subtraction,
        and zero of zero weight where a channel has no weight.
        """
        shape = (len(self.scans), values.shape[1])
        if self.quiescent == "none":
            return np.zeros(shape), np.full(shape, np.inf)
        total = np.array([weight[scan].sum(0) for scan in self.scans])
        sums = np.array([(weight[scan] * values[scan]).sum(0) for scan in self.scans])
        if self.quiescent == "observation":
            total = np.broadcast_to(total.sum(0), shape)
            sums = np.broadcast_to(sums.sum(0), shape)
        return np.divide(sums, total, out=np.zeros(shape), where=total > 0), total


@dataclass(frozen=True)
class Found:
    """The best box centred on each cell (T,F): its signal to noise and its widths in samples.

    -inf where no box is above the threshold of the search.
    """

    snr: np.ndarray
    time_width: np.ndarray
    channel_width: np.ndarray


def dyadic_widths(length: int, minimum: int = 1, maximum: int | None = None) -> np.ndarray:
    """Return minimum, 2 minimum, 4 minimum ... not above `length` and `maximum`, and that end.

    The end itself, no power of two as a rule, is the box that covers everything.
    """
    last = min(length, maximum or length)
    if last < minimum:
        return np.zeros(0, np.int64)
    widths = [minimum]
    while widths[-1] * 2 <= last:
        widths.append(widths[-1] * 2)
    if widths[-1] != last:
        widths.append(last)
    return np.array(widths, np.int64)


def width_class(width: int) -> int:
    """Return floor(log2(width)): boxes of one class share what is known of their noise."""
    return int(width).bit_length() - 1


class MatchedFilter:
    """The filter for data of one set of weights: what does not depend on the data made once.

    Parameters
    ----------
    weight : (T,F) array
        1/sigma^2 in Jy-2; zero where not to be used.
    boxes : Boxes
        The boxes.
    coherent : (T,F) array, optional
        Standard error in Jy that all cells of a box share, as a gain error: it does not average
        down. Its square is added to the variance of the box' mean.
    scatter : array, optional
        Factor by which the noise of boxes exceeds that of the weights, by `width_class` in time
        and channels; the signal to noise is divided by it.
    """

    def __init__(self, weight: np.ndarray, boxes: Boxes, *, coherent: np.ndarray | None = None,
                 scatter: np.ndarray | None = None):
        self._weight, self._boxes = weight, boxes
        self._scatter = np.ones(boxes.scatter_shape()) if scatter is None else scatter
        _, total = boxes.levels(weight, weight)
        self._inverse = np.divide(1, total, out=np.zeros(total.shape), where=total > 0)
        self._sums = [(_running(w), _running(w > 0),
                       _running(w * coherent[scan]) if coherent is not None else np.zeros((1, 1)))
                      for scan in boxes.scans for w in (weight[scan],)]

    def extremes(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the highest and lowest signal to noise (K,K) of all boxes in data (K,T,F).

        In Jy, finite wherever the weight is positive; the quiescent level still in them. At least
        and at most zero; NaN if there is no box that counts.
        """
        highest, lowest, _ = self._search(values, np.inf)
        return highest, lowest

    def best_boxes(self, values: np.ndarray, threshold: float) -> Found:
        """Return the best box centred on each cell of data (T,F), above a positive threshold."""
        _, _, found = self._search(values[None], threshold)
        return found

    def _search(self, values: np.ndarray, threshold: float
                ) -> tuple[np.ndarray, np.ndarray, Found]:
        report = np.isfinite(threshold)
        shape = self._weight.shape if report else (0, 0)
        found = Found(np.full(shape, -np.inf), np.zeros(shape, np.int32),
                      np.zeros(shape, np.int32))
        highest, lowest = np.full(len(values), -np.inf), np.full(len(values), np.inf)
        levels = [self._boxes.levels(v, self._weight)[0] for v in values]
        channel_widths = self._boxes.channel_widths()
        for i, scan in enumerate(self._boxes.scans):
            time_widths = self._boxes.time_widths(scan)
            factors = self._scatter[np.ix_([width_class(x) for x in time_widths],
                                           [width_class(x) for x in channel_widths])]
            if factors.size == 0:
                continue
            sums = np.stack([_running(self._weight[scan] * (v[scan] - level[i]))
                             for v, level in zip(values, levels, strict=True)])
            kept = scan if report else slice(0, 0)
            low, high, counted = _search_scan(
                sums, *self._sums[i], self._inverse[i], time_widths, channel_widths, factors,
                self._boxes.good_fraction, threshold, found.snr[kept], found.time_width[kept],
                found.channel_width[kept])
            if counted:
                highest, lowest = np.maximum(highest, high), np.minimum(lowest, low)
        none = highest < lowest
        return np.where(none, np.nan, highest), np.where(none, np.nan, lowest), found


def disjoint(values: np.ndarray, weight: np.ndarray, boxes: Boxes
             ) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield the signal to noise (N) of boxes side by side, which share no cell, size by size.

    Values (T,F) in Jy and weight (T,F) in Jy-2 as in `MatchedFilter`. With it come a and b: the
    boxes are of 2^a integrations and 2^b channels. Boxes that do not count are left out.
    """
    level, total = boxes.levels(values, weight)
    inverse = np.divide(1, total, out=np.zeros(total.shape), where=total > 0)
    scans = [(weight[scan] * (values[scan] - level[i]), weight[scan], weight[scan] > 0)
             for i, scan in enumerate(boxes.scans)]
    for a in range(boxes.scatter_shape()[0]):
        if a:
            scans = [tuple(_pairs(x, 0) for x in sums) for sums in scans]
        rows = []
        for (sums, inside, good), one in zip(scans, inverse, strict=True):
            free = inside * np.where(inside * one > 1 - 1e-9, 0, 1 - inside * one)
            rows.append((np.where(free > 0, sums, 0), free, np.where(free > 0, good, 0)))
        sums, free, good = (np.concatenate(x) for x in zip(*rows, strict=True))
        for b in range(boxes.scatter_shape()[1]):
            if b:
                sums, free, good = (_pairs(x, 1) for x in (sums, free, good))
            counts = (good >= boxes.good_fraction * 2 ** (a + b)) & (free > 0)
            yield a, b, sums[counts] / np.sqrt(free[counts])


def scan_slices(scan: Sequence[int], across_scans: bool = False) -> tuple[slice, ...]:
    """Return the slices of consecutive integrations of one scan, or one slice of all."""
    scan = np.asarray(scan)
    if len(scan) == 0:
        return ()
    edges = [0] if across_scans else [0, *(np.flatnonzero(np.diff(scan)) + 1)]
    return tuple(slice(int(a), int(b)) for a, b in zip(edges, [*edges[1:], len(scan)],
                                                      strict=True))


def _running(values: np.ndarray) -> np.ndarray:
    """Return the sums (T+1,F) of all integrations before each; of bool, how many are true."""
    kind = np.int32 if values.dtype == bool else values.dtype
    result = np.zeros((values.shape[0] + 1, values.shape[1]), kind)
    np.cumsum(values, axis=0, out=result[1:])
    return result


def _pairs(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the sums of neighbours, two and two, along an axis; an odd last one is dropped."""
    even = values.shape[axis] // 2 * 2
    index = [slice(None)] * values.ndim
    index[axis] = slice(0, even, 2)
    first = values[tuple(index)]
    index[axis] = slice(1, even, 2)
    second = values[tuple(index)]
    return first.astype(np.int32) + second if values.dtype == bool else first + second


# Without NaN and signed zeros the largest of a row is found on several boxes at once.
@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _search_scan(sum_wd, sum_w, sum_good, sum_shared, inverse, time_widths, channel_widths,
                 factors, good_fraction, threshold, snr, time_width, channel_width):
    """Return lowest (K), highest (K) and whether any box counts; fill the best boxes of the first.

    Running sums (K,T+1,F) and (T+1,F) over the integrations of a scan.
    """
    K, T, F = sum_wd.shape[0], sum_w.shape[0] - 1, sum_w.shape[1]
    report = snr.shape[0] > 0
    has_shared = sum_shared.shape[0] > 1
    d = np.zeros((K, F + 1))
    e = np.zeros(F + 1)
    c = np.zeros(F + 1)
    good = np.zeros(F + 1, np.int64)
    norm = np.zeros(F)
    free = np.zeros(F)
    highest, lowest = np.zeros(K), np.zeros(K)
    counted = False
    for i in range(len(time_widths)):
        wt = time_widths[i]
        step = max(1, wt // STARTS_PER_WIDTH)
        for row in range((T - wt + step - 1) // step + 1):
            t = min(row * step, T - wt)
            for f in range(F):
                inside = sum_w[t + wt, f] - sum_w[t, f]
                left = 1 - inside * inverse[f]
                free[f] = left if left > 1e-9 else 0.0
                e[f + 1] = e[f] + inside * free[f]
                number = sum_good[t + wt, f] - sum_good[t, f]
                good[f + 1] = good[f] + (number if free[f] > 0 else 0)
            if has_shared:
                for f in range(F):
                    c[f + 1] = c[f] + free[f] * (sum_shared[t + wt, f] - sum_shared[t, f])
            for k in range(K):
                for f in range(F):
                    inside = sum_wd[k, t + wt, f] - sum_wd[k, t, f]
                    d[k, f + 1] = d[k, f] + (inside if free[f] > 0 else 0.0)
            # What the subtraction of two running sums leaves of an empty box.
            least = 1e-10 * e[F]
            for j in range(len(channel_widths)):
                wf = channel_widths[j]
                step_f = max(1, wf // STARTS_PER_WIDTH)
                boxes = (F - wf + step_f - 1) // step_f + 1
                enough = max(1, int(np.ceil(good_fraction * wt * wf)))
                for m in range(boxes):
                    f = min(m * step_f, F - wf)
                    variance = e[f + wf] - e[f]
                    shared = c[f + wf] - c[f]
                    counts = (good[f + wf] - good[f] >= enough) & (variance > least)
                    root = np.sqrt(variance + shared * shared if counts else 1.0) * factors[i, j]
                    norm[m] = 1 / root if counts else 0.0
                    counted |= counts
                for k in range(K):
                    high, low = 0.0, 0.0
                    if step_f == 1:
                        for f in range(boxes):
                            value = (d[k, f + wf] - d[k, f]) * norm[f]
                            high, low = max(high, value), min(low, value)
                    else:
                        for m in range(boxes):
                            f = min(m * step_f, F - wf)
                            value = (d[k, f + wf] - d[k, f]) * norm[m]
                            high, low = max(high, value), min(low, value)
                    highest[k], lowest[k] = max(highest[k], high), min(lowest[k], low)
                    if report and k == 0 and high >= threshold:
                        for m in range(boxes):
                            f = min(m * step_f, F - wf)
                            value = (d[k, f + wf] - d[k, f]) * norm[m]
                            a, b = t + wt // 2, f + wf // 2
                            if value >= threshold and value > snr[a, b]:
                                snr[a, b] = value
                                time_width[a, b] = wt
                                channel_width[a, b] = wf
    return lowest, highest, counted
