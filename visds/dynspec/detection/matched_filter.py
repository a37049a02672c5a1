"""The matched filter: signal to noise of boxes of all dyadic widths in time and frequency.

For data d with weights w = 1/sigma^2 and a box T (one inside, zero outside), the signal to noise
of a box on a zero level is sum(w d T) / sqrt(sum(w T^2)). On an unknown quiescent level, taken off
as the weighted mean of each channel, a box holds part of that mean: the variance of a channel's
sum over the box is then E = W (1 - W/U), with W the weight in the box and U all weight of the
channel, and sum(w d T) / sqrt(sum E) is the likelihood ratio of a box on that level. Boxes with
weight in few of their cells are not looked at.
"""

from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.boxes import Boxes, width_class
from visds.dynspec.detection.search import running_values, running_weights, search_scan


@dataclass(frozen=True)
class Found:
    """The best box centred on each cell (T,F): its signal to noise and its widths in samples.

    -inf where no box is above the threshold of the search.
    """

    snr: np.ndarray
    time_width: np.ndarray
    channel_width: np.ndarray


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
        self._coherent = np.zeros((0, 0)) if coherent is None else coherent
        self._inverse, self._sums = self._summed(weight, self._coherent)

    def take_out(self, cells: np.ndarray) -> None:
        """Give the cells (T,F; bool) no weight from now on; the array of the weights is changed."""
        touched = np.flatnonzero(cells.any(0))
        if not len(touched):
            return
        self._weight[cells] = 0
        # Channels do not know of each other.
        channels = slice(touched[0], touched[-1] + 1)
        inverse, sums = self._summed(np.ascontiguousarray(self._weight[:, channels]),
                                     np.ascontiguousarray(self._coherent[:, channels]))
        self._inverse[:, channels] = inverse
        for of_scan, new_of_scan in zip(self._sums, sums, strict=True):
            for running, new in zip(of_scan, new_of_scan, strict=True):
                running[:, channels] = new

    def _summed(self, weight: np.ndarray, coherent: np.ndarray) -> tuple[np.ndarray, list[tuple]]:
        """Return 1 / weight of the level (S,F), and the running sums of each scan."""
        _, total = self._boxes.levels(weight, weight)
        inverse = np.divide(1, total, out=np.zeros(total.shape), where=total > 0)
        return inverse, [running_weights(weight[scan], coherent[scan])
                         for scan in self._boxes.scans]

    def extremes(self, values: np.ndarray, matter: tuple[float, float] = (0.0, 0.0)
                 ) -> tuple[np.ndarray, np.ndarray]:
        """Return the highest and lowest signal to noise (K,K) of all boxes in data (K,T,F).

        In Jy, finite wherever the weight is positive; the quiescent level still in them. At least
        and at most what `matter` says, the highest and lowest that are worth to look for: boxes
        that cannot lie beyond them are passed over. NaN if there is no box that counts.
        """
        highest, lowest = (np.full(len(values), limit, float) for limit in matter)
        counted = self._search(values, highest, lowest, nothing_found((0, 0)))
        return np.where(counted, highest, np.nan), np.where(counted, lowest, np.nan)

    def best_boxes(self, values: np.ndarray, threshold: float, comparable: float = 0.0) -> Found:
        """Return the best box centred on each cell of data (T,F), above a positive threshold.

        Boxes below the fraction `comparable` of the highest may be missing.
        """
        found = nothing_found(self._weight.shape)
        self._search(values[None], np.array([threshold]), np.array([-np.inf]), found, comparable)
        return found

    def _search(self, values: np.ndarray, highest: np.ndarray, lowest: np.ndarray,
                found: Found, comparable: float = 0.0) -> bool:
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
            sums = running_values(values[:, scan], self._weight[scan],
                                   np.array([level[i] for level in levels]))
            kept = scan if report else slice(0, 0)
            counted |= search_scan(
                sums, *self._sums[i], self._inverse[i], time_widths, channel_widths, factors,
                self._boxes.good_fraction, highest, lowest, comparable, found.snr[kept],
                found.time_width[kept], found.channel_width[kept])
        return counted


def nothing_found(shape: tuple[int, int]) -> Found:
    """Return the best boxes of a search that has not found any."""
    return Found(np.full(shape, -np.inf), np.zeros(shape, np.int32), np.zeros(shape, np.int32))
