"""What one image is of: some integrations of some chunks, in one band."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.errors import SettingsError
from visds.core.quantities import SECONDS, parse
from visds.imaging.image import Content
from visds.imaging.settings import DETECTIONS, SCANS, WHOLE

DAY = 86400.0
_ROUNDING = 1e-6  # of an interval


@dataclass(frozen=True, eq=False)
class ImagedChunk:
    """Integrations and channels of one chunk, wherever its visibilities are.

    `origin` is a chunk file, a task to be read from the measurement set, or what has a `task`,
    `select_times` as a task has, and gives `slabs`.
    """

    origin: Any
    scan: int
    time: np.ndarray
    integration: np.ndarray
    frequency: np.ndarray
    channel_width: np.ndarray
    nbytes: int


@dataclass(frozen=True, eq=False)
class Interval:
    """Time ranges (MJD UTC, start and stop) under a name, and a band (Hz) or None for all.

    An integration is in it if its middle is. `off` is the interval whose image is taken from this
    one's for a difference.
    """

    name: str
    ranges: tuple[tuple[float, float], ...]
    scans: tuple[int, ...] | None = None
    band: tuple[float, float] | None = None
    off: "Interval | None" = None


@dataclass(frozen=True, eq=False)
class Piece:
    """Integrations `begin` to before `end` of a chunk."""

    origin: Any
    begin: int
    end: int
    nbytes: int


def intervals(chunks: Sequence[ImagedChunk], text: str,
              detections: Table | None = None) -> list[Interval]:
    """Return the intervals that a user asks for: all, scan, a duration, or detections.

    Durations count from the start of each scan, so that none reaches over a gap between scans;
    a rest of less than half of one belongs to the last of a scan, and a longer one is the last. Of
    a detection there is its best box in time and frequency, with the rest of the scans in which
    it is, its event, as much to both sides and the other events of its target left out, as the
    interval to be subtracted; of all scans where none is left.

    Raises
    ------
    SettingsError
        If detections are asked for and there is no table of them.
    """
    scans = sorted({chunk.scan for chunk in chunks})
    if text == WHOLE:
        return [Interval("all", (_span(chunks),))]
    if text == SCANS:
        return [Interval(f"scan{scan:05d}", (_span(_of(chunks, scan)),), (scan,))
                for scan in scans]
    if text == DETECTIONS:
        if detections is None:
            raise SettingsError("--interval detections needs the folder of a finished visds-run, "
                                "with its detections.ecsv")
        return [_around(row, number, chunks, _others(number, detections))
                for number, row in enumerate(detections, start=1)]
    length = parse(text, SECONDS) / DAY
    found = []
    for scan in scans:
        start, stop = _span(_of(chunks, scan))
        number = max(1, math.floor((stop - start) / length + 0.5 + _ROUNDING))
        edges = [*(start + k * length for k in range(number)), stop]
        found += [Interval(f"scan{scan:05d}_{k:05d}", (edge,), (scan,))
                  for k, edge in enumerate(itertools.pairwise(edges))]
    return found


def bands(chunks: Sequence[ImagedChunk], number: int) -> list[tuple[float, float] | None]:
    """Return the bands, of as many channels each as can be; None for all channels in one.

    Raises
    ------
    SettingsError
        If there are fewer channels.
    """
    if number == 1:
        return [None]
    frequency = np.unique(np.concatenate([chunk.frequency for chunk in chunks]))
    if number > len(frequency):
        raise SettingsError(f"--bands: there are {len(frequency)} channels, not {number}")
    return [(float(part[0]), float(part[-1])) for part in np.array_split(frequency, number)]


def pieces(chunks: Sequence[ImagedChunk], interval: Interval) -> list[Piece]:
    """Return the parts of chunks that are in an interval and its band."""
    found = []
    for chunk in chunks:
        if interval.scans is not None and chunk.scan not in interval.scans:
            continue
        if not _in_band(chunk, interval.band).any():
            continue
        inside = _inside(chunk, interval)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            share = (end - begin) / len(chunk.time)
            found.append(Piece(chunk.origin, int(begin), int(end), int(share * chunk.nbytes)))
    return found


def content(chunks: Sequence[ImagedChunk], interval: Interval, frame: str) -> Content:
    """Return what an image of an interval is made of; flags are not looked at."""
    times, lengths, low, high = [], [], [], []
    for chunk in chunks:
        inside = _inside(chunk, interval)
        channels = _in_band(chunk, interval.band)
        if interval.scans is not None and chunk.scan not in interval.scans:
            continue
        if inside.any() and channels.any():
            times.append(chunk.time[inside])
            lengths.append(chunk.integration[inside])
            low.append(np.min((chunk.frequency - chunk.channel_width / 2)[channels]))
            high.append(np.max((chunk.frequency + chunk.channel_width / 2)[channels]))
    time, first = np.unique(np.concatenate(times), return_index=True)
    length = np.concatenate(lengths)[first]
    return Content(interval.name, float(np.min(time - length / 2 / DAY)),
                   float(np.max(time + length / 2 / DAY)),
                   float(np.average(time, weights=length)), float(length.sum()),
                   float(min(low)), float(max(high)), frame)


def _inside(chunk: ImagedChunk, interval: Interval) -> np.ndarray:
    inside = np.zeros(len(chunk.time), bool)
    for start, stop in interval.ranges:
        inside |= (chunk.time >= start) & (chunk.time < stop)
    return inside


def _in_band(chunk: ImagedChunk, band: tuple[float, float] | None) -> np.ndarray:
    if band is None:
        return np.ones(len(chunk.frequency), bool)
    return (chunk.frequency >= band[0]) & (chunk.frequency <= band[1])


def _of(chunks: Sequence[ImagedChunk], scan: int) -> list[ImagedChunk]:
    return [chunk for chunk in chunks if chunk.scan == scan]


def _span(chunks: Sequence[ImagedChunk]) -> tuple[float, float]:
    """Return the edges of the first and last integration, MJD."""
    return (min(float(np.min(chunk.time - chunk.integration / 2 / DAY)) for chunk in chunks),
            max(float(np.max(chunk.time + chunk.integration / 2 / DAY)) for chunk in chunks))


def _others(number: int, detections: Table) -> list[tuple[float, float]]:
    """Return when other events of the target of a detection are, MJD."""
    mine = (detections["target"] == detections["target"][number - 1]
            if "target" in detections.colnames else np.ones(len(detections), bool))
    mine[number - 1] = False
    return [(float(other["start"]), float(other["stop"])) for other in detections[mine]]


def _around(row: Any, number: int, chunks: Sequence[ImagedChunk],
            others: Sequence[tuple[float, float]]) -> Interval:
    start, stop = float(row["box_start"]), float(row["box_stop"])
    event = float(row["start"]), float(row["stop"])
    band = float(row["box_low"]), float(row["box_high"])
    margin = event[1] - event[0]
    left_out = event[0] - margin, event[1] + margin
    here = tuple(sorted({chunk.scan for chunk in chunks
                         if np.any((chunk.time >= start) & (chunk.time < stop))}))
    name = f"detection{number:03d}"
    for scans in (here, None):
        for out in (left_out, event):
            off = Interval(f"{name}_off", _between(_span(chunks), [out, *others]), scans, band)
            if pieces(chunks, off):
                return Interval(f"{name}_on", ((start, stop),), None, band, off)
    return Interval(f"{name}_on", ((start, stop),), None, band)


def _between(whole: tuple[float, float], left_out: Sequence[tuple[float, float]]
             ) -> tuple[tuple[float, float], ...]:
    """Return what is left of a range without others."""
    found, begin = [], whole[0]
    for start, stop in sorted(left_out):
        if start > begin:
            found.append((begin, min(start, whole[1])))
        begin = max(begin, stop)
    return (*found, (begin, whole[1])) if begin < whole[1] else tuple(found)
