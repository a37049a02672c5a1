"""The time axis: where a time lies on the paper, gaps to scale or shortened, honest labels."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.ticks import choose_ticks, decimals, round_steps
from visds.dynspec.universal_time import date_text

DAY = 86400.0
STEPS = np.array([1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120,
                  300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000,
                  864000])
UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": DAY}
BREAK = 0.025  # width of a shortened gap as a fraction of the time that holds data
SECONDS_BELOW = 600.0  # s: shorter axes have labels with seconds
WORTH_SECONDS = 1.25  # times as many labelled panels make seconds worth it on longer ones
LONG_GAP = 3.01  # times the usual spacing: a run ends there; rounded times may make 3 a bit more
SPARSE = 10.0  # times the integration: samples spaced wider do not stand for the time between


@dataclass(frozen=True)
class Run:
    """Integrations without a long gap: both edges (MJD of the axis) and the scan's number."""

    start: float
    stop: float
    scan: int


@dataclass(frozen=True)
class Tick:
    """A labelled place: `time` is the MJD of the axis."""

    time: float
    label: str
    step: float = 60.0


class TimeAxis:
    """The map from time to a coordinate along the paper, in seconds with shortened gaps.

    Parameters
    ----------
    spectrum : DynamicSpectrum
        Or a light curve: what has time, time_barycentre (T, d), integration (T, s) and scan (T).
    kind : str
        ``ut`` (MJD UTC), ``elapsed`` (since the first edge) or ``barycentre`` (MJD TDB).
    compress : bool
        Whether long gaps are shortened.
    unit : str
        Of elapsed time: s, min, h, d or auto.

    Attributes
    ----------
    runs : list of Run
        In order of time.
    breaks : list of pairs
        The shortened gaps, as coordinates of their two sides.
    end_cells : pair of float
        The drawn widths in s of the first and the last integration.
    zero : float
        The MJD of the axis from which elapsed time counts.
    unit_length : float
        The unit of elapsed time in s.

    Raises
    ------
    SettingsError
        If the times at the barycentre are asked for and not known.
    """

    def __init__(self, spectrum: DynamicSpectrum, *, kind: str = "ut", compress: bool = True,
                 unit: str = "auto"):
        if kind == "barycentre" and not np.isfinite(spectrum.time_barycentre).all():
            raise SettingsError("times at the barycentre are not known for this spectrum")
        self.kind = kind
        order = np.argsort(spectrum.time, kind="stable")
        widths = cell_widths(spectrum)[order]
        self.end_cells = float(widths[0]), float(widths[-1])
        self._utc = spectrum.time[order]
        self._shift = (spectrum.time_barycentre - spectrum.time)[order]
        time = self.from_utc(self._utc)
        self.runs = _runs(time, widths / DAY, spectrum.scan[order])
        self.start, self.stop = self.runs[0].start, max(run.stop for run in self.runs)
        self._day = np.floor(self.start)
        length = self.stop - self.start
        self.unit = unit if unit != "auto" else _elapsed_unit(length * DAY)
        self.zero, self.unit_length = self.start, UNITS[self.unit]
        self.breaks: list[tuple[float, float]] = []
        self._lay_out(compress)

    def from_utc(self, mjd: np.ndarray | float) -> np.ndarray:
        """Return times of this axis (MJD) from MJD UTC."""
        if self.kind != "barycentre":
            return np.asarray(mjd, float)
        return mjd + np.interp(mjd, self._utc, self._shift)

    def place(self, time: np.ndarray | float) -> np.ndarray:
        """Return the coordinate of times of this axis (MJD); NaN outside the data's range."""
        return np.interp(time, self._time_knots, self._place_knots, left=np.nan, right=np.nan)

    @property
    def length(self) -> float:
        """The whole coordinate's length in s."""
        return float(self._place_knots[-1])

    @property
    def label(self) -> str:
        """What stands under the axis."""
        if self.kind == "elapsed":
            return f"Time since {date_text(self.start)} {_clock(self.start, 1.0)} UTC ({self.unit})"
        frame = "UTC" if self.kind == "ut" else "TDB at the barycentre"
        if self.spans_days:
            return f"Time in {'–'.join(self._years)} ({frame})"
        return f"Time on {date_text(self.start)} ({frame})"

    @property
    def spans_years(self) -> bool:
        """Whether the dates of the labels have their year."""
        return self.spans_days and len(self._years) > 1

    @property
    def _years(self) -> list[str]:
        """The years of the first and the last day, which are one or two."""
        return list(dict.fromkeys(date_text(day)[:4] for day in (self.start, self.stop - 1e-9)))

    @property
    def spans_days(self) -> bool:
        """Whether the labels need dates."""
        return self.kind != "elapsed" and np.floor(self.stop - 1e-9) > self._day

    def ticks(self, inches: float, label_inches: float, *,
              beyond_inches: float = np.inf) -> list[Tick]:
        """Return the ticks for an axis of `inches` whose labels are some `label_inches` wide.

        No label reaches more than `beyond_inches` beyond the end of the axis.

        Ticks have one step, the finest for which no two labels touch, and one format. A panel
        between shortened gaps that is too short for two of them gets two times of a finer step, or
        else its roundest time, if there is room. A long axis has labels with seconds, which need
        half as much room again, only if many more of its panels get a label then.
        """
        room = 1.6 * label_inches * self.length / inches
        steps = STEPS if self.kind != "elapsed" else round_steps(1e-4, 1e5) * self.unit_length
        tries = [(steps, room)]
        if self.kind != "elapsed" and self.length > SECONDS_BELOW:
            tries = [(steps[steps >= 60], room), (steps[steps >= 1], 1.5 * room)]
        panels = self._panels()
        per_inch = self.length / inches
        chosen_ticks = [choose_ticks(
            panels, some, each, place=self._within, multiples=self._multiples_before(
                self.length + beyond_inches * per_inch - label_inches * per_inch / 2 * each / room))
            for some, each in tries]
        number = [sum(map(bool, labelled)) for _, labelled in chosen_ticks]
        usual, labelled = chosen_ticks[-1 if number[-1] >= WORTH_SECONDS * number[0] else 0]
        chosen = [one for panel in labelled for one in panel]
        # Shorter than any step: the beginning alone.
        chosen = chosen or [(self.start, float(steps[0]))]
        finest = min(step for _, step in chosen)
        ticks: list[Tick] = []
        dated = -np.inf
        for time, _ in chosen:
            ticks.append(Tick(time, self._tick_label(time, finest, dated), usual))
            dated = np.floor(time + 1e-9)
        return ticks

    def _panels(self) -> list[tuple[float, float]]:
        """Return the two ends (MJD) of every stretch of the axis between shortened gaps."""
        sides = [self.start]
        for before, after in itertools.pairwise(self.runs):
            if tuple(self.place([before.stop, after.start])) in self.breaks:
                sides += [before.stop, after.start]
        sides.append(self.stop)
        return list(zip(sides[::2], sides[1::2], strict=True))

    def _within(self, time: float) -> float:
        return float(self.place(np.clip(time, self.start, self.stop)))

    def _multiples(self, step: float, start: float, stop: float) -> np.ndarray:
        """Return the times (MJD) from start to stop that are multiples of a step in s."""
        zero = self.zero if self.kind == "elapsed" else self._day
        first = np.ceil((start - zero) * DAY / step - 1e-6)
        last = np.floor((stop - zero) * DAY / step + 1e-6)
        return zero + np.arange(first, last + 1) * step / DAY

    def _multiples_before(self, last: float) -> Callable[[float, float, float], np.ndarray]:
        """Return `_multiples` without the times placed beyond the coordinate `last`."""
        def multiples(step: float, start: float, stop: float) -> np.ndarray:
            times = self._multiples(step, start, stop)
            places = self.place(np.clip(times, self.start, self.stop))
            return times[places <= last]
        return multiples

    def minor_times(self, ticks: Sequence[Tick]) -> np.ndarray:
        """Return times between the labelled ticks, within runs, for unlabelled ticks."""
        if len(ticks) < 2:
            return np.array([])
        step = ticks[0].step
        parts = {1: 5, 2: 4, 5: 5, 15: 3, 3: 3, 6: 6}.get(_leading(step), 5)
        fine = step / parts / DAY
        return np.concatenate([self._multiples(fine * DAY, *panel) for panel in self._panels()])

    def _tick_label(self, time: float, step: float, dated: float) -> str:
        if self.kind == "elapsed":
            digits = decimals(step / self.unit_length)
            # Zero is never written as -0.
            since = np.round((time - self.zero) * DAY / self.unit_length, digits) + 0.0
            return f"{since:.{digits}f}"
        clock = _clock(time, step)
        if self.spans_days and np.floor(time + 1e-9) > dated:
            return f"{clock}\n{date_text(time + 1e-9, year=self.spans_years)}"
        return clock

    def _lay_out(self, compress: bool) -> None:
        gaps = [(a.stop, b.start) for a, b in itertools.pairwise(self.runs)
                if b.start > a.stop]
        data = (self.stop - self.start) - sum(after - before for before, after in gaps)
        short = min(BREAK, 0.3 / max(len(gaps), 1)) * data
        times, places = [self.start], [0.0]
        for before, after in gaps:
            shortened = compress and after - before > 1.5 * short
            width = short if shortened else after - before
            times += [before, after]
            places.append(places[-1] + (before - times[-3]))
            places.append(places[-1] + width)
            if shortened:
                self.breaks.append((places[-2] * DAY, places[-1] * DAY))
        times.append(self.stop)
        places.append(places[-1] + (self.stop - times[-2]))
        self._time_knots, self._place_knots = np.array(times), np.array(places) * DAY


def cell_widths(spectrum: DynamicSpectrum) -> np.ndarray:
    """Return the widths in s (T) at which the integrations of a spectrum are drawn.

    An integration is as wide as it is long. Where a scan's integrations are regularly spaced
    wider than they are long, as where a correlator idles or samples were thinned out, each is
    widened about its centre by the usual ratio of the two, so that dead time within a scan leaves
    no stripes. Beyond a ratio of 10 the samples do not stand for the time between: they keep
    their length.
    """
    widths = np.array(spectrum.integration, float)
    for scan in np.unique(spectrum.scan):
        member = np.flatnonzero(spectrum.scan == scan)
        member = member[np.argsort(spectrum.time[member], kind="stable")]
        if len(member) < 2:
            continue
        length = widths[member]
        ratio = np.diff(spectrum.time[member]) * DAY / ((length[1:] + length[:-1]) / 2)
        usual = float(np.quantile(ratio, 0.5, method="lower"))
        # Recorded lengths and spacings differ a little.
        if 1.5 < usual <= SPARSE:
            widths[member] *= usual
    return widths


def run_ends(time: np.ndarray, width: np.ndarray, scan: np.ndarray) -> np.ndarray:
    """Return where (T-1) a run of ordered times (T, d) with drawn widths (T, d) ends.

    That is at the end of a scan, and at gaps longer than three times the usual spacing.
    """
    long = np.diff(time) > LONG_GAP * (width[1:] + width[:-1]) / 2
    return long | (np.diff(scan) != 0)


def _runs(time: np.ndarray, width: np.ndarray, scan: np.ndarray) -> list[Run]:
    """Return the runs of ordered times (T, MJD) with drawn widths (T, d)."""
    start, stop = time - width / 2, time + width / 2
    # Recorded lengths and spacings differ a little; less than half an integration is no gap.
    gap = start[1:] - stop[:-1] > 0.5 * np.minimum(width[1:], width[:-1])
    first = np.append(0, np.flatnonzero(run_ends(time, width, scan)) + 1)
    last = np.append(first[1:], len(time)) - 1
    runs: list[Run] = []
    for i, j in zip(first, last, strict=True):
        touches = runs and not gap[i - 1]
        begin = runs[-1].stop if touches else start[i]
        runs.append(Run(float(begin), float(max(stop[j], begin)), int(scan[i])))
    return runs


def _clock(mjd: float, step: float) -> str:
    digits = decimals(step)
    seconds = np.round((mjd - np.floor(mjd + 1e-9)) * DAY, digits)
    hour, rest = divmod(max(seconds, 0.0), 3600)
    minute, second = divmod(rest, 60)
    if step >= 60:
        return f"{int(hour):02d}:{round(minute + second / 60):02d}"
    width = 2 if not digits else 3 + digits
    return f"{int(hour):02d}:{int(minute):02d}:{second:0{width}.{digits}f}"


def _elapsed_unit(seconds: float) -> str:
    return "s" if seconds < 600 else "min" if seconds < 3 * 3600 else "h" if seconds < 3 * DAY \
        else "d"


def _leading(step: float) -> int:
    """Return the number of seconds, minutes, hours or days of a step, 1, 2, 5, 15 ... ."""
    for unit in (DAY, 3600.0, 60.0, 1.0):
        if step >= unit * 0.999:
            return round(float(step / unit))
    return round(float(step / 10 ** np.floor(np.log10(step))))
