"""The frequency axis: edges of channels, gaps to scale or shortened."""

import itertools
from collections.abc import Sequence

import numpy as np

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import frequency_edges
from visds.dynspec.plots.ticks import choose_ticks, decimals, round_steps

WIDE_GAP = 0.1  # of the bandwidth that holds data: narrower gaps are to scale, as drifts are then
BREAK = 0.06  # width of a shortened gap as a fraction of the bandwidth that holds data


class FrequencyAxis:
    """The map from frequency to a coordinate along the paper, with wide gaps shortened.

    The coordinate is the frequency in `unit` up to the first shortened gap.

    Parameters
    ----------
    spectrum : DynamicSpectrum
        What has frequency and channel_width (F, Hz).
    compress : bool
        Whether wide gaps are shortened.

    Attributes
    ----------
    unit, scale
        MHz or GHz, and what that is in Hz.
    windows : list of pairs
        Lowest and highest edge (Hz) of every run of channels without a gap.
    breaks : list of pairs
        The two sides (Hz) of the shortened gaps.
    """

    def __init__(self, spectrum: DynamicSpectrum, *, compress: bool = True):
        low, high = frequency_edges(spectrum)
        self.unit, self.scale = frequency_unit(high[-1])
        ends = np.flatnonzero(low[1:] > high[:-1])
        starts = low[np.append(0, ends + 1)]
        stops = high[np.append(ends, len(high) - 1)]
        self.windows = list(zip(starts.tolist(), stops.tolist(), strict=True))
        gaps = np.array(self.gaps).reshape(-1, 2)
        width = np.diff(gaps, axis=1).ravel()
        data = float(np.sum(stops - starts))
        is_wide = compress & (width > WIDE_GAP * data)
        self.breaks = [gap for gap, wide in zip(self.gaps, is_wide, strict=True) if wide]
        drawn = np.where(is_wide, min(BREAK, 0.3 / max(len(self.breaks), 1)) * data, width)
        self._knots = np.stack([starts, stops], 1).ravel()
        steps = np.insert(stops - starts, np.arange(1, len(starts)), drawn)
        self._places = np.append(starts[0], starts[0] + np.cumsum(steps)) / self.scale

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """The two sides (Hz) of every gap between channels."""
        return [(one[1], other[0]) for one, other in itertools.pairwise(self.windows)]

    @property
    def length(self) -> float:
        """The whole coordinate's length, in Hz of what is to scale."""
        return float(self._places[-1] - self._places[0]) * self.scale

    @property
    def ends(self) -> tuple[float, float]:
        """The coordinates of the two ends of the axis."""
        return float(self._places[0]), float(self._places[-1])

    @property
    def label(self) -> str:
        """What stands beside the axis."""
        return f"Frequency ({self.unit})"

    def place(self, frequency: np.ndarray | float) -> np.ndarray:
        """Return the coordinate of frequencies (Hz), clipped to the ends of the axis."""
        return np.interp(frequency, self._knots, self._places)

    def ticks(self, inches: float, label_inches: float) -> tuple[Sequence[float], Sequence[str]]:
        """Return places and labels of ticks for an axis of `inches`, of one format.

        `label_inches` is what a label takes of the axis.
        """
        sides = [self.windows[0][0], *itertools.chain(*self.breaks), self.windows[-1][1]]
        room = 1.6 * label_inches * self.length / inches
        _, chosen = choose_ticks(
            list(zip(sides[::2], sides[1::2], strict=True)),
            round_steps(room / 1e3, max(room, self.length)), room,
            multiples=lambda step, low, high: step * np.arange(np.ceil(low / step - 1e-6),
                                                               np.floor(high / step + 1e-6) + 1),
            place=lambda frequency: float(self.place(frequency)) * self.scale)
        ticks = [one for panel in chosen for one in panel]
        if not ticks:
            return [], []
        digits = decimals(min(step for _, step in ticks) / self.scale)
        return ([float(self.place(value)) for value, _ in ticks],
                [f"{value / self.scale:.{digits}f}" for value, _ in ticks])


def frequency_unit(high: float) -> tuple[str, float]:
    """Return the unit for a band up to `high` (Hz), MHz or GHz, and what it is in Hz."""
    return ("GHz", 1e9) if high >= 3e9 else ("MHz", 1e6)
