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
        total, sums = _scan_sums(values, weight, np.array([scan.start for scan in self.scans]),
                                 np.array([scan.stop for scan in self.scans]))
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
        shared = np.zeros((0, 0)) if coherent is None else coherent
        self._sums = [_running_weights(weight[scan], shared[scan]) for scan in boxes.scans]

    def extremes(self, values: np.ndarray, matter: tuple[float, float] = (0.0, 0.0)
                 ) -> tuple[np.ndarray, np.ndarray]:
        """Return the highest and lowest signal to noise (K,K) of all boxes in data (K,T,F).

        In Jy, finite wherever the weight is positive; the quiescent level still in them. At least
        and at most what `matter` says, the highest and lowest that are worth to look for: boxes
        that cannot lie beyond them are passed over. NaN if there is no box that counts.
        """
        highest, lowest = (np.full(len(values), limit, float) for limit in matter)
        counted = self._search(values, highest, lowest, _nothing((0, 0)))
        return np.where(counted, highest, np.nan), np.where(counted, lowest, np.nan)

    def best_boxes(self, values: np.ndarray, threshold: float) -> Found:
        """Return the best box centred on each cell of data (T,F), above a positive threshold."""
        found = _nothing(self._weight.shape)
        self._search(values[None], np.array([threshold]), np.array([-np.inf]), found)
        return found

    def _search(self, values: np.ndarray, highest: np.ndarray, lowest: np.ndarray,
                found: Found) -> bool:
        """Raise `highest` and `lowest` (K,K), or fill `found`; return whether any box counts."""
        counted = False
        levels = [self._boxes.levels(v, self._weight)[0] for v in values]
        channel_widths = self._boxes.channel_widths()
        report = found.snr.size > 0
        for i, scan in enumerate(self._boxes.scans):
            time_widths = self._boxes.time_widths(scan)
            factors = self._scatter[np.ix_([width_class(x) for x in time_widths],
                                           [width_class(x) for x in channel_widths])]
            if factors.size == 0:
                continue
            sums = _running_values(values[:, scan], self._weight[scan],
                                   np.array([level[i] for level in levels]))
            kept = scan if report else slice(0, 0)
            counted |= _search_scan(
                sums, *self._sums[i], self._inverse[i], time_widths, channel_widths, factors,
                self._boxes.good_fraction, highest, lowest, found.snr[kept],
                found.time_width[kept], found.channel_width[kept])
        return counted


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


def _nothing(shape: tuple[int, int]) -> Found:
    """Return the best boxes of a search that has not found any."""
    return Found(np.full(shape, -np.inf), np.zeros(shape, np.int32), np.zeros(shape, np.int32))


def _pairs(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the sums of neighbours, two and two, along an axis; an odd last one is dropped."""
    even = values.shape[axis] // 2 * 2
    index = [slice(None)] * values.ndim
    index[axis] = slice(0, even, 2)
    first = values[tuple(index)]
    index[axis] = slice(1, even, 2)
    second = values[tuple(index)]
    return first.astype(np.int32) + second if values.dtype == bool else first + second


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _scan_sums(values, weight, start, stop):
    """Return the sums (S,F) of w and of w values (T,F) over the integrations of each scan."""
    total = np.zeros((len(start), weight.shape[1]))
    sums = np.zeros(total.shape)
    for i in range(len(start)):
        for t in range(start[i], stop[i]):
            for f in range(weight.shape[1]):
                total[i, f] += weight[t, f]
                sums[i, f] += weight[t, f] * values[t, f]
    return total, sums


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _running_weights(weight, coherent):
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _running_values(values, weight, level):
    """Return the sums (K,T+1,F) of w (values - level) over the integrations before each."""
    K, T, F = values.shape
    result = np.zeros((K, T + 1, F))
    for k in range(K):
        for t in range(T):
            for f in range(F):
                result[k, t + 1, f] = (result[k, t, f]
                                       + weight[t, f] * (values[k, t, f] - level[k, f]))
    return result


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def clipped_rows(squares, clip, clipped_mean):
    """Return scatter and number (N,N) of the squares (N,M) that are not NaN.

    None counts for more than that of `clip` times the scatter; `clipped_mean` is the mean of such
    squares of Gaussian numbers. Here, where the kernels are, for `noise.clipped_scatter`.
    """
    N, M = squares.shape
    scatter, number = np.full(N, np.nan), np.zeros(N, np.int64)
    kept = np.zeros(M)
    for n in range(N):
        count = 0
        for m in range(M):
            if np.isfinite(squares[n, m]):
                kept[count] = squares[n, m]
                count += 1
        number[n] = count
        if count == 0:
            continue
        variance = 1.0
        # Grows by a factor of up to nine a step from where it starts, which is near one as a rule.
        for _ in range(10):
            limit, total = clip**2 * variance, 0.0
            for m in range(count):
                total += kept[m] if kept[m] < limit else limit
            variance = total / count / clipped_mean
        scatter[n] = np.sqrt(variance)
    return scatter, number


@numba.njit(cache=True, nogil=True, fastmath={"reassoc"})
def _total(values):
    """Return the sum of values (F), in whatever order is fastest."""
    total = 0.0
    for value in values:
        total += value
    return total


# Without NaN and signed zeros several channels are worked on at once.
@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _search_scan(sum_wd, sum_w, sum_good, sum_shared, inverse, time_widths, channel_widths,
                 factors, good_fraction, highest, lowest, snr, time_width, channel_width):
    """Raise `highest` and lower `lowest` (K) to those of all boxes; return whether any counts.

    Or, where `snr` has integrations, fill in the best boxes of the first data above its highest.

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
    free, single, one_e = np.zeros(F), np.zeros(F), np.zeros(F)
    one_d, one_up, one_down = np.zeros(F), np.zeros(F), np.zeros(F)
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
            # One array filled a loop, which then is compiled to several channels at once.
            before, after = sum_w[t], sum_w[t + wt]
            for f in range(F):
                left = 1 - (after[f] - before[f]) * inverse[f]
                free[f] = left if left > 1e-9 else 0.0
            for f in range(F):
                one_e[f] = (after[f] - before[f]) * free[f]
            for f in range(F):
                single[f] = 1 / one_e[f] if one_e[f] > 0 else 0.0
            summed = False
            for k in range(K):
                before, after = sum_wd[k, t], sum_wd[k, t + wt]
                for f in range(F):
                    one_d[f] = after[f] - before[f] if free[f] > 0 else 0.0
                for f in range(F):
                    one_up[f] = one_d[f] * one_d[f] * single[f] if one_d[f] > 0 else 0.0
                for f in range(F):
                    one_down[f] = one_d[f] * one_d[f] * single[f] if one_d[f] < 0 else 0.0
                all_up, all_down = _total(one_up), _total(one_down)
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
                        variance += one_e[f]
                        e[f + 1] = variance
                    for f in range(F):
                        number += sum_good[t + wt, f] - sum_good[t, f] if free[f] > 0 else 0
                        good[f + 1] = number
                    if has_shared:
                        for f in range(F):
                            shared += free[f] * (sum_shared[t + wt, f] - sum_shared[t, f])
                            c[f + 1] = shared
                # What the subtraction of two running sums leaves of an empty box.
                least = 1e-10 * e[F]
                inside, above, below = 0.0, 0.0, 0.0
                for f in range(F):
                    inside += one_d[f]
                    above += one_up[f]
                    below += one_down[f]
                    d[f + 1], up[f + 1], down[f + 1] = inside, above, below
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
                            elif value >= high and value > snr[t + wt // 2, f + wf // 2]:
                                snr[t + wt // 2, f + wf // 2] = value
                                time_width[t + wt // 2, f + wf // 2] = wt
                                channel_width[t + wt // 2, f + wf // 2] = wf
                highest[k], lowest[k] = high, low
    return counted
