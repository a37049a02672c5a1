"""Which samples share a bin: consecutive groups of integrations or of channels."""

from dataclasses import dataclass

import numpy as np

from visds.core.plural import counted
from visds.core.quantities import Bin

_GAP = 5.0
"""A gap in time: so many times the usual step from integration to integration."""
_SPARSE = 10.0
"""Integrations spaced so many times wider than they are long, or less, are spaced regularly."""


@dataclass(frozen=True)
class Groups:
    """Consecutive, complete groups of samples: first sample and number of samples of each."""

    start: np.ndarray
    length: np.ndarray

    def sum(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Return the sums over the groups along an axis."""
        if len(self.start) == 1:
            return values.sum(axis, keepdims=True)
        return np.add.reduceat(values, self.start, axis=axis)


def time_groups(time: np.ndarray, integration: np.ndarray, scan: np.ndarray, bin: Bin) -> Groups:
    """Return the groups of integrations: bins start with a scan and never hold two scans.

    `time` (T) in d and `integration` (T) in s. A sample belongs to the bin that holds its centre.
    Bins of a count of integrations end at a gap in time too, some integrations long: where a
    whole night has one scan number they would reach over it.
    """
    new_scan = np.append(True, np.diff(scan) != 0)
    if bin.count:
        step = np.diff(time)
        within = step[~new_scan[1:]]
        usual = np.median(within) if len(within) else np.inf
        new_scan[1:] |= step > _GAP * usual
    begins = np.flatnonzero(new_scan)
    first = np.repeat(begins, np.diff(np.append(begins, len(scan))))
    if bin.count:
        place = (np.arange(len(time)) - first) // bin.count
    else:
        since = (time - time[first]) * 86400 + integration[first] / 2
        # Times are good to a microsecond or two (they were seconds of MJD): a centre that falls
        # on an edge stays in the later bin.
        place = np.floor((since + 1e-5) / bin.width).astype(int)
    return _groups(first, place)


def channel_groups(frequency: np.ndarray, channel_width: np.ndarray, bin: Bin) -> Groups:
    """Return the groups of channels, from the lowest frequency (Hz) on.

    Bins of a count of channels end at a gap in frequency; bins of a width are on one grid.
    """
    if bin.count:
        gap = np.diff(frequency) > 1.5 * np.maximum(channel_width[1:], channel_width[:-1])
        begins = np.append(0, np.flatnonzero(gap) + 1)
        first = np.repeat(begins, np.diff(np.append(begins, len(frequency))))
        place = (np.arange(len(frequency)) - first) // bin.count
    else:
        first = np.zeros(len(frequency), int)
        since = frequency - (frequency[0] - channel_width[0] / 2)
        place = np.floor((since + 1e-3) / bin.width).astype(int)
    return _groups(first, place)


def time_bin_text(bin: Bin, time: np.ndarray, integration: np.ndarray,
                  made: np.ndarray | None = None) -> str:
    """Return in a line what a bin of integrations is; see `channel_bin_text`.

    `time` in d, `integration` and `made` in s. Where integrations are spaced regularly wider than
    they are long, that is said, and a bin is as long as the time that it spans.
    """
    step = np.diff(time) * 86400
    # What runs back is another window or scan; so much wider is a gap, not the spacing.
    step = step[(step > 0) & (step <= _SPARSE * np.median(integration))]
    return _bin_text("time", "integration", bin, integration, made, ("s", 1.0),
                     float(np.median(step)) if len(step) else 0.0)


def channel_bin_text(bin: Bin, channel_width: np.ndarray, made: np.ndarray | None = None) -> str:
    """Return in a line what a bin of channels is, in counts and in units.

    `channel_width` (Hz) is that of all channels before they are binned, and `made`, if they have
    been, that of the bins: where most are not as wide as was asked, the line says how wide.
    """
    return _bin_text("channel", "channel", bin, channel_width, made, ("MHz", 1e6))


def _bin_text(axis: str, sample: str, bin: Bin, widths: np.ndarray, made: np.ndarray | None,
              unit: tuple[str, float], spacing: float = 0.0) -> str:
    def measure(width: float) -> str:
        return f"{width / unit[1]:.4g} {unit[0]}"

    one = float(np.median(widths))
    # Recorded lengths and spacings differ a little.
    is_spaced = spacing > 1.1 * one
    step = spacing if is_spaced else one
    count = bin.count or bin.width / step
    asked = count * step
    samples = f"{counted(count, sample)} of {measure(one)}"
    if is_spaced:
        samples += f" every {measure(step)}"
    line = (f"{axis} bins of {samples} ({measure(asked)})" if bin.count
            else f"{axis} bins of {measure(asked)} ({samples})")
    if count < 1:
        return f"{line}: nothing is averaged"
    most = asked if made is None else float(np.median(made)) * step / one
    # A bin holds whole samples, and the last of a scan or a window what remains.
    return f"{line}, most of {measure(most)}" if abs(most - asked) > 0.01 * asked else line


def whole(length: int) -> Groups:
    """Return the one group that holds all samples."""
    return Groups(np.array([0]), np.array([length]))


def _groups(first: np.ndarray, place: np.ndarray) -> Groups:
    begins = np.append(True, (np.diff(first) != 0) | (np.diff(place) != 0))
    start = np.flatnonzero(begins)
    return Groups(start, np.diff(np.append(start, len(first))))
