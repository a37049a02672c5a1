"""The matched filter: signal to noise of templates of many widths in time and frequency.

For data d with weights w = 1/sigma^2 and a template T, the signal to noise on a zero level is
sum(w d T) / sqrt(sum(w T^2)). On an unknown quiescent level, taken off as the weighted mean of each
channel, a template holds part of that mean: the variance of a channel's sum is then
E = sum(w T^2) - sum(w T)^2 / U, with U all weight of the channel, and sum(w d T) / sqrt(sum E) is
the likelihood ratio of the template on that level. Of a box (T one inside, zero outside, and W the
weight inside) that is E = W (1 - W/U). Templates are boxes, of all dyadic widths, and Gaussians in
time times Gaussians in frequency, of widths by factors of root two: see `profiles`. Those with
weight in few of their cells are not looked at.

Linear polarization is a signal of two components, Q and U, at an angle that is not known: the
likelihood ratio is then the root of the sum of the squares of both, which of noise has a Rayleigh
distribution.
"""

from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.boxes import Boxes, width_class
from visds.dynspec.detection.profiles import BOX_WIDTH, packed
from visds.dynspec.detection.search import running_values, running_weights, search_scan
from visds.dynspec.detection.search_profiles import search_profiles

# Numbers of the best templates: below this Gaussians, from it on boxes laid as profiles.
BOXES = 1024**2


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian template: centre and sigma in samples, in time and in frequency.

    The sigma in frequency is infinite where the template is flat over the band.
    """

    time: float
    time_sigma: float
    channel: float
    channel_sigma: float

    def shape(self, cells: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Return the profiles in time (T) and in frequency (F) in some cells."""
        profiles = []
        for part, centre, sigma in zip(cells, (self.time, self.channel),
                                       (self.time_sigma, self.channel_sigma), strict=True):
            offset = np.arange(part.start, part.stop) - centre
            profiles.append(np.exp(-(offset / sigma) ** 2 / 2))
        return profiles[0], profiles[1]

    def cells(self, reach: float, within: tuple[slice, slice]) -> tuple[slice, slice]:
        """Return the cells (T,F) whose centres are within `reach` sigma of the centre."""
        parts = []
        for part, centre, sigma in zip(within, (self.time, self.channel),
                                       (self.time_sigma, self.channel_sigma), strict=True):
            half = max(reach * sigma, 0.5)
            start = part.start if np.isinf(half) else max(part.start, int(np.ceil(centre - half)))
            stop = part.stop if np.isinf(half) else min(part.stop, int(centre + half) + 1)
            parts.append(slice(start, stop))
        return parts[0], parts[1]


@dataclass(frozen=True)
class Found:
    """The best template centred on each cell (T,F): its signal to noise, and which it is.

    A box has its widths in samples and -1 in `place`; any other has its number there. -inf where
    none is above the threshold of the search.
    """

    snr: np.ndarray
    time_width: np.ndarray
    channel_width: np.ndarray
    place: np.ndarray

    def box(self, row: int, column: int) -> tuple[slice, slice]:
        """Return the cells (T,F) of the box centred on a cell."""
        start = int(row - self.time_width[row, column] // 2)
        low = int(column - self.channel_width[row, column] // 2)
        return (slice(start, start + int(self.time_width[row, column])),
                slice(low, low + int(self.channel_width[row, column])))


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
        is_shared = coherent is not None and coherent.any()
        self._coherent = coherent if is_shared else np.zeros((0, 0))
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
        """Return the highest and lowest signal to noise (K,K) of all templates.

        Of data (K,T,F), or of two components (K,2,T,F), which have no lowest. In Jy, finite
        wherever the weight is positive; the quiescent level still in them. At least and at most
        what `matter` says, the highest and lowest that are worth to look for: templates that
        cannot lie beyond them are passed over. NaN if there is none that counts.
        """
        highest, lowest = (np.full(len(values), limit, float) for limit in matter)
        counted = self._search(values, highest, lowest, nothing_found((0, 0)))
        return np.where(counted, highest, np.nan), np.where(counted, lowest, np.nan)

    def best(self, values: np.ndarray, threshold: float, comparable: float = 0.0) -> Found:
        """Return the best template centred on each cell of data (T,F), above a threshold.

        Or of data of two components (2,T,F). The threshold is positive. Templates below the
        fraction `comparable` of the highest may be missing.
        """
        found = nothing_found(self._weight.shape)
        self._search(values[None], np.array([threshold]), np.array([-np.inf]), found, comparable)
        return found

    def template(self, found: Found, row: int, column: int
                 ) -> tuple[tuple[slice, slice], Gaussian | None]:
        """Return the cells (T,F) of the best template at a cell, and the Gaussian if it is one.

        Those of a Gaussian are the box that suits it best.
        """
        place = int(found.place[row, column])
        if place < 0:
            return found.box(row, column), None
        scan = next(s for s in self._boxes.scans if s.start <= row < s.stop)
        is_box, place = divmod(place, BOXES)
        in_time, in_frequency = (self._boxes.boxes_as_profiles(scan) if is_box
                                 else self._boxes.gaussians(scan))
        first, second = in_time[place // 1024], in_frequency[place % 1024]
        centre = scan.start + first.centre(row - scan.start)
        channel = second.centre(column)
        if is_box:
            start = round(centre - (first.width - 1) / 2)
            low = round(channel - (second.width - 1) / 2)
            return (slice(start, min(start + int(first.width), scan.stop)),
                    slice(low, min(low + int(second.width), self._boxes.channels))), None
        gaussian = Gaussian(centre, first.sigma, channel, second.sigma)
        return gaussian.cells(BOX_WIDTH / 2, (scan, slice(0, self._boxes.channels))), gaussian

    def _search(self, values: np.ndarray, highest: np.ndarray, lowest: np.ndarray,
                found: Found, comparable: float = 0.0) -> bool:
        """Raise `highest` and `lowest` (K,K), or fill `found`; return whether any counts."""
        counted = False
        components = 2 if values.ndim == 4 else 1
        values = values.reshape(-1, *values.shape[-2:])
        levels = [self._boxes.levels(v, self._weight)[0] for v in values]
        channel_widths = self._boxes.channel_widths()
        report = found.snr.size > 0
        for i, scan in enumerate(self._boxes.scans):
            sums = running_values(values[:, scan], self._weight[scan],
                                  np.array([level[i] for level in levels]))
            kept = scan if report else slice(0, 0)
            time_widths = self._boxes.time_widths(scan)
            if components == 1 and "box" in self._boxes.templates and (
                    len(time_widths) and len(channel_widths)):
                counted |= search_scan(
                    sums, *self._sums[i], self._inverse[i], time_widths, channel_widths,
                    self._factors(time_widths, channel_widths), self._boxes.good_fraction, highest,
                    lowest, comparable, found.snr[kept], found.time_width[kept],
                    found.channel_width[kept], found.place[kept])
            families = [(0, self._boxes.gaussians(scan))]
            if components == 2:
                families.insert(0, (BOXES, self._boxes.boxes_as_profiles(scan)))
            for offset, (in_time, in_frequency) in families:
                if not in_time or not in_frequency:
                    continue
                counted |= search_profiles(
                    sums, components, *self._sums[i], self._inverse[i], *packed(in_time),
                    *packed(in_frequency), self._factors(
                        [p.noise_width for p in in_time], [p.noise_width for p in in_frequency]),
                    self._boxes.good_fraction, counted, highest, lowest, comparable,
                    found.snr[kept], found.place[kept], offset)
        return counted

    def _factors(self, time_widths, channel_widths) -> np.ndarray:
        """Return the scatter of templates that average so many integrations and channels."""
        last = np.array(self._scatter.shape) - 1
        return self._scatter[np.ix_([min(width_class(x), last[0]) for x in time_widths],
                                    [min(width_class(x), last[1]) for x in channel_widths])]


def nothing_found(shape: tuple[int, int]) -> Found:
    """Return the best templates of a search that has not found any."""
    return Found(np.full(shape, -np.inf), np.zeros(shape, np.int32), np.zeros(shape, np.int32),
                 np.full(shape, -1, np.int32))
