"""Which boxes in time and frequency are searched, and the quiescent level that they stand on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.usual_types import compiled_for
from visds.dynspec.detection.profiles import (
    Profile,
    box_profiles,
    flat_profile,
    gaussian_profiles,
)


@dataclass(frozen=True)
class Boxes:
    """Which boxes are searched: limits in samples, and between which samples they lie.

    `scans` are the slices of integrations that no box crosses. A box counts if at least
    `good_fraction` of its cells have weight. With `quiescent` "observation" or "scan" the boxes
    stand on the weighted mean in time of each channel, with "none" on zero. `templates` are the
    shapes: "box" and "gaussian", the limits of which are those of the boxes that suit them best.
    """

    scans: tuple[slice, ...]
    channels: int
    minimum: tuple[int, int] = (1, 1)
    maximum: tuple[int | None, int | None] = (None, None)
    good_fraction: float = 0.5
    quiescent: str = "observation"
    templates: tuple[str, ...] = ("box",)

    def time_widths(self, scan: slice) -> np.ndarray:
        """Return the widths in integrations of the boxes in one scan."""
        return dyadic_widths(scan.stop - scan.start, self.minimum[0], self.maximum[0])

    def channel_widths(self) -> np.ndarray:
        """Return the widths in channels of the boxes."""
        return dyadic_widths(self.channels, self.minimum[1], self.maximum[1])

    def gaussians(self, scan: slice) -> tuple[tuple[Profile, ...], tuple[Profile, ...]]:
        """Return the profiles in time, in one scan, and in frequency of the Gaussian templates.

        Their products are the templates. The last in frequency is flat over the band.
        """
        if "gaussian" not in self.templates:
            return (), ()
        in_time = gaussian_profiles(scan.stop - scan.start, self.minimum[0], self.maximum[0],
                                    between=True)
        band = self.maximum[1] is None or self.maximum[1] >= self.channels
        return in_time, (*gaussian_profiles(self.channels, self.minimum[1], self.maximum[1]),
                         *((flat_profile(self.channels),) if band else ()))

    def boxes_as_profiles(self, scan: slice) -> tuple[tuple[Profile, ...], tuple[Profile, ...]]:
        """Return the profiles in time, in one scan, and in frequency of the boxes."""
        if "box" not in self.templates:
            return (), ()
        return box_profiles(self.time_widths(scan)), box_profiles(self.channel_widths())

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


def scan_slices(scan: Sequence[int], across_scans: bool = False) -> tuple[slice, ...]:
    """Return the slices of consecutive integrations of one scan, or one slice of all."""
    scan = np.asarray(scan)
    if len(scan) == 0:
        return ()
    edges = [0] if across_scans else [0, *(np.flatnonzero(np.diff(scan)) + 1)]
    return tuple(slice(int(a), int(b)) for a, b in zip(edges, [*edges[1:], len(scan)],
                                                      strict=True))


@compiled_for(
    "(float64[:, ::1], float64[:, ::1], int64[::1], int64[::1])",
    "(float64[:, :], float64[:, :], int64[::1], int64[::1])",
    cache=True, nogil=True, error_model="numpy")
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
