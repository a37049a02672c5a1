"""A dynamic spectrum as the page holds it: binned to what a screen shows, with its events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.plural import counted
from visds.core.quantities import Bin
from visds.dynspec import binning
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import frequency_edges, time_edges
from visds.dynspec.plots.colour import robust_limits
from visds.dynspec.plots.frequency_axis import FrequencyAxis
from visds.dynspec.plots.quantity import quantity
from visds.dynspec.plots.time_axis import DAY, TimeAxis
from visds.dynspec.report import quantised
from visds.dynspec.report.events import ReportEvent, position_texts, report_events

MOST_CELLS = 2**20
"""Time x frequency x Stokes: some 7 MB of a page."""
_MOST_INTEGRATIONS, _MOST_CHANNELS = 2048, 512


@dataclass(frozen=True, eq=False)
class ReportSpectrum:
    """The spectrum of one direction with its events, as the page shows it.

    `start`, `stop` (T) MJD UTC and `low`, `high` (F) Hz are the edges of the cells as drawn,
    `runs` and `windows` the stretches of time and frequency without a wide gap. `flux_density`,
    `sigma` (T,F,P) in Jy, NaN where flagged; `weight` (T,F,P) is sum w in Jy-2, 0 where flagged.
    `limits` are the ends of the colour scale (Jy) of each Stokes parameter. `position` is empty
    where it is not known.
    """

    name: str
    role: str
    telescope: str
    position: dict[str, str]
    polarizations: tuple[str, ...]
    start: np.ndarray
    stop: np.ndarray
    scan: np.ndarray
    runs: list[tuple[float, float]]
    low: np.ndarray
    high: np.ndarray
    windows: list[tuple[float, float]]
    flux_density: np.ndarray
    sigma: np.ndarray
    weight: np.ndarray
    limits: dict[str, tuple[float, float]]
    note: str
    events: tuple[ReportEvent, ...]

    @classmethod
    def of(cls, spectrum: DynamicSpectrum, *, detections: Table | None = None,
           matches: Table | None = None,
           pictures: Mapping[int, Mapping[str, Path]] | None = None,
           numbers: Sequence[int] | None = None,
           most_cells: int = MOST_CELLS) -> "ReportSpectrum":
        """Return what the page holds of a spectrum and of the detections in its direction.

        Parameters
        ----------
        spectrum : DynamicSpectrum
            Of one direction. Where it has more integrations, channels or cells than a page is to
            hold, these are summed to bins of as few as can be, which never hold two scans.
        detections : Table, optional
            Those in it, with all columns of ``detections.ecsv``.
        matches : Table, optional
            Matches of these by `left_name`, as in ``matches.ecsv``.
        pictures : dict, optional
            Number of a detection to caption to file; see `detection_pictures`.
        numbers : sequence of int, optional
            By which the detections are called, as those of all directions are counted; from 1 on.
        most_cells : int
            Time x frequency x Stokes parameters.
        """
        bins = _bins(spectrum, most_cells)
        binned = spectrum.sum_times(_times(spectrum, bins[0])).sum_channels(
            _channels(spectrum, bins[1]))
        binned = binned.select_times(np.argsort(binned.time, kind="stable"))
        axis = TimeAxis(binned, compress=False)
        start, stop = (axis.start + place / DAY for place in time_edges(binned, axis))
        low, high = frequency_edges(binned)
        seen = np.isfinite(binned.flux_density)
        ra, dec = (spectrum.meta.get(f"{key}_deg") for key in ("ra", "dec"))
        return cls(
            name=str(spectrum.meta.get("target", "")) or "target",
            role=str(spectrum.meta.get("role", "target")),
            telescope=str(spectrum.meta.get("telescope", "")),
            position={} if ra is None or dec is None else position_texts(float(ra), float(dec)),
            polarizations=binned.polarizations, start=start, stop=stop, scan=binned.scan,
            runs=[(run.start, run.stop) for run in axis.runs], low=low, high=high,
            windows=FrequencyAxis(binned).windows, flux_density=binned.flux_density,
            sigma=binned.sigma, weight=np.where(seen, binned.sum_w, 0.0),
            limits={label: robust_limits(binned.values(label),
                                         is_signed=quantity(label).is_signed)
                    for label in binned.polarizations},
            note=_note(spectrum, bins), events=() if detections is None else report_events(
                detections, numbers or range(1, len(detections) + 1), matches, pictures or {},
                [_observed(spectrum, row) for row in detections]))

    def to_json(self, picture_name: Any) -> str:
        """Return all of it as JSON: times in seconds since the day of its beginning.

        `picture_name` gives the identifier of the element that shows a file.
        """
        day = int(np.floor(self.start[0]))

        def seconds(mjd: Any) -> Any:
            return np.round((np.asarray(mjd) - day) * DAY, 5).tolist()

        planes = [np.ascontiguousarray(self.weight[..., p])
                  for p in range(len(self.polarizations))]
        # Both Stokes parameters of a pair of correlations have the same weights.
        of = [next(q for q in range(p + 1) if np.array_equal(planes[q], plane))
              for p, plane in enumerate(planes)]
        return json.dumps({
            "name": self.name, "role": self.role, "telescope": self.telescope,
            "position": self.position, "note": self.note, "day": day,
            "start": seconds(self.start), "stop": seconds(self.stop), "scan": self.scan.tolist(),
            "runs": [seconds(run) for run in self.runs],
            "low": self.low.tolist(), "high": self.high.tolist(), "windows": self.windows,
            "polarizations": list(self.polarizations),
            "limits": [list(self.limits[label]) for label in self.polarizations],
            "flux": [quantised.linear(self.flux_density[..., p], _noise(self.sigma[..., p]))
                     for p in range(len(self.polarizations))],
            "sigma": [quantised.positive(self.sigma[..., p])
                      for p in range(len(self.polarizations))],
            "weight": [quantised.positive(planes[p]) if of[p] == p else of[p]
                       for p in range(len(self.polarizations))],
            "events": [{
                "number": event.number, "name": event.name,
                "start": seconds(event.start), "stop": seconds(event.stop),
                "low": event.low, "high": event.high,
                "box": [*seconds(event.box[:2]), *event.box[2:]],
                "stokes": event.stokes, "sign": event.sign, "summary": event.summary,
                "numbers": event.numbers, "position": event.position, "matches": event.matches,
                "pictures": [[picture_name(Path(file)), caption]
                             for caption, file in event.pictures.items()],
            } for event in self.events],
        }, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _observed(spectrum: DynamicSpectrum, event: Table.Row) -> float:
    """Return how many seconds from start to stop of an event were observed and are not flagged.

    In any channel from its lowest to its highest frequency.
    """
    inside = (spectrum.frequency > event["band_low"]) & (spectrum.frequency < event["band_high"])
    good = np.isfinite(spectrum.flux_density[:, inside]).any(axis=(1, 2))
    half = spectrum.integration / DAY / 2
    shared = (np.minimum(spectrum.time + half, event["stop"])
              - np.maximum(spectrum.time - half, event["start"]))
    return float(DAY * np.sum(np.maximum(shared, 0.0)[good]))


def _bins(spectrum: DynamicSpectrum, most_cells: int) -> tuple[int, int]:
    """Return how many integrations and channels a cell of the page sums, as few as can be."""
    T, F, P = spectrum.flags.shape
    time, channel = max(1, -(-T // _MOST_INTEGRATIONS)), max(1, -(-F // _MOST_CHANNELS))
    while time < T or channel < F:
        times = len(_times(spectrum, time).start)
        channels = len(_channels(spectrum, channel).start)
        if times <= _MOST_INTEGRATIONS and times * channels * P <= most_cells:
            break
        # A picture on a screen has some four times as many columns as rows.
        if channel >= F or (time < T and times >= 4 * channels):
            time += max(1, time // 10)
        else:
            channel += max(1, channel // 10)
    return time, channel


def _times(spectrum: DynamicSpectrum, count: int) -> binning.Groups:
    return binning.time_groups(spectrum.time, spectrum.integration, spectrum.scan,
                               Bin(count=count))


def _channels(spectrum: DynamicSpectrum, count: int) -> binning.Groups:
    return binning.channel_groups(spectrum.frequency, spectrum.channel_width, Bin(count=count))


def _noise(sigma: np.ndarray) -> float:
    """Return the error of the best cells, by which all are told."""
    known = sigma[np.isfinite(sigma)]
    return float(np.percentile(known, 5)) if len(known) else 0.0


def _note(spectrum: DynamicSpectrum, bins: tuple[int, int]) -> str:
    T, F = spectrum.flags.shape[:2]
    words = []
    if bins != (1, 1):
        words.append(f"The page holds means of {counted(bins[0], 'integration')} by "
                     f"{counted(bins[1], 'channel')}; dynspec.h5 has all {T} by {F}.")
    if (spectrum.primary_beam != 1).any():
        words.append("Flux densities are corrected for the primary beam.")
    return " ".join(words)
