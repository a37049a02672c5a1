"""The integrations of a scan: their times and lengths, and how they are packed into chunks."""

import numpy as np

from visds.core.errors import MeasurementSetError

_SCALES = {"TAI": "tai", "IAT": "tai", "TT": "tt", "TDT": "tt", "ET": "tt", "TDB": "tdb",
           "TCG": "tcg", "TCB": "tcb"}

_LAST_DIGITS = 5e-5  # s; MJD in seconds is good to a microsecond


class IntervalDoubts:
    """Where INTERVAL does not agree with the spacing of the times: (scan, INTERVAL, spacing)."""

    def __init__(self):
        self.wrong: list[tuple[int, float, float]] = []
        self.short: list[tuple[int, float, float]] = []

    def warnings(self, path: str) -> list[str]:
        """Return one line for all scans where it is wrong, one where it leaves dead time."""
        return [f"{path}: INTERVAL says {_span(stated)} s but integrations are {_span(spacing)} s "
                f"apart (scan {ranges(sorted(set(scans)))}); {consequence}"
                for found, consequence in (
                    (self.wrong, "integrations are taken to reach half-way to their neighbours"),
                    (self.short, "INTERVAL is believed: there is dead time between them")) if found
                for scans, stated, spacing in [zip(*found, strict=True)]]


def _span(values: tuple[float, ...]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low} to {high}"


def integration_times(time: np.ndarray, interval: np.ndarray, scan: int,
                       doubts: IntervalDoubts) -> np.ndarray:
    """Return the integration times (s), INTERVAL held against the spacing of the times.

    Where they contradict each other, an integration reaches half-way to its neighbours, and no
    further than half the usual spacing: so integrations never overlap.
    """
    if len(time) < 2:
        return interval.astype(float)
    spacing = usual_spacing(time)
    stated = float(np.median(interval))
    if stated <= 0 or stated < 0.1 * spacing or stated > 1.1 * spacing:
        doubts.wrong.append((scan, stated, spacing))
        reach = np.minimum(np.diff(time), spacing)
        return (np.append(spacing, reach) + np.append(reach, spacing)) / 2
    if stated < 0.9 * spacing:
        doubts.short.append((scan, stated, spacing))
    return interval.astype(float)


def group_times(time: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the integration of each run of rows and the times of the integrations.

    Parameters
    ----------
    time : array
        Ascending times (s) of runs of rows.
    rows : array
        Number of rows of each run.

    Runs nearer to each other than a tenth of the usual spacing belong to one integration: rows of
    one integration may differ in the last digits of their time, or in their share of flags. Its
    time is the mean over its rows. INTERVAL is not asked, it may be wrong.
    """
    distinct = np.unique(time)
    distinct = distinct[np.append(True, np.diff(distinct) > _LAST_DIGITS)]
    near = 0.1 * usual_spacing(distinct) if len(distinct) > 1 else _LAST_DIGITS
    integration = np.cumsum(np.append(False, np.diff(time) > near))
    first = time[np.flatnonzero(np.diff(integration, prepend=-1))]
    late = np.bincount(integration, rows * (time - first[integration])) / np.bincount(
        integration, rows)
    return integration, first + late


def usual_spacing(time: np.ndarray) -> float:
    """Return the spacing (s) of ascending times in which most of the time is spent.

    Stray times between two integrations do not count, nor do gaps longer than five times the
    third quartile.
    """
    spacing = np.sort(np.diff(time))
    spacing = spacing[spacing <= 5 * spacing[3 * len(spacing) // 4]]
    return float(spacing[np.searchsorted(np.cumsum(spacing), spacing.sum() / 2)])


def pack(sizes: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """Return ranges of integrations whose sizes add up to at most `limit`, of equal counts."""
    largest = int(sizes.max())
    per_chunk = max(1, limit // max(largest, 1))
    parts = -(-len(sizes) // per_chunk)
    edges = np.linspace(0, len(sizes), parts + 1).round().astype(int)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def mjd_utc(seconds_mjd: np.ndarray, scale: str) -> np.ndarray:
    """Return MJD UTC (d) of TIME (s) in the scale that its column names.

    Raises
    ------
    MeasurementSetError
        For a scale that is not UTC or tied to TAI: UT1 needs tables of the Earth's rotation.
    """
    days = np.asarray(seconds_mjd, float) / 86400
    if scale == "UTC":
        return days
    if scale not in _SCALES:
        raise MeasurementSetError(f"TIME is in scale {scale}; expected UTC or one of "
                                  f"{', '.join(_SCALES)}")
    from astropy.time import Time

    return Time(days, format="mjd", scale=_SCALES[scale]).utc.mjd


def ranges(numbers: list[int]) -> str:
    """Return ascending numbers as text, such as 1~3, 7."""
    parts = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}~{b}" for a, b in parts)
