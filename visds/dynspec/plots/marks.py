"""Marks on pictures: gaps, breaks, scan edges, detections, times and fluxes."""

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from astropy.table import Table
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP, TICKDOWN
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from visds.dynspec.cuts import is_candidate
from visds.dynspec.plots.cells import Edges
from visds.dynspec.plots.figure import LINE, Panel
from visds.dynspec.plots.frequency_axis import FrequencyAxis
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import SECONDS_BELOW, Tick, TimeAxis
from visds.dynspec.universal_time import UniversalTime

DETECTION = "#d81b60"
# Below the cells, so that a cell that is narrower than a pixel is not covered by a gap.
HATCH = {"facecolor": "white", "edgecolor": "#cccccc", "hatch": "/////", "linewidth": 0,
         "zorder": 0.5}


# Width of a letter of a time, in sizes of letters.
LETTER = 0.62
# Room in points between the frame and the centre of the first and the last point.
POINT_MARGIN = 3.0


def label_times(panels: Sequence[Panel], time_axis: TimeAxis, settings: PlotSettings, *,
                has_points: bool = False, column_length: int = 1) -> None:
    """Set range and ticks of panels above each other, and label the lowest one's time axis.

    Points at its ends get a small margin. The label says where columns of a picture hold more than
    one integration.
    """
    panel = panels[-1]
    width = panel.axes.figure.get_size_inches()[0]
    ticks = _time_ticks(time_axis, panel.width, settings,
                        beyond_inches=width * (1 - panel.axes.get_position().x1))
    margin = 0.0
    if has_points:
        ends = time_axis.end_cells
        margin = max(0.0, POINT_MARGIN / 72 * time_axis.length / panel.width - min(ends) / 2)
    panel.axes.set_xlim(-margin, time_axis.length + margin)
    panel.axes.set_xticks(time_axis.place([tick.time for tick in ticks]),
                          [tick.label for tick in ticks], rotation=settings.tick_rotation)
    label = time_axis.label
    if column_length > 1:
        columns = f"columns of {column_length} integrations"
        label += f"\n{columns}" if settings.is_narrow else f", {columns}"
    panel.axes.set_xlabel(label)
    minor = time_axis.place(time_axis.minor_times(ticks))
    style = matplotlib.rcParams
    for one in panels:
        # One line: matplotlib's own minor ticks are five artists each.
        one.axes.add_artist(Line2D(
            minor, np.zeros(len(minor)), transform=one.axes.get_xaxis_transform(),
            linestyle="none", marker=TICKDOWN, markersize=style["xtick.minor.size"],
            markeredgewidth=style["xtick.minor.width"], color=style["xtick.color"],
            clip_on=False, zorder=2.01))
        if one is not panel:
            one.axes.tick_params(axis="x", labelbottom=False)


def extra_lines(time_axis: TimeAxis, width: float, settings: PlotSettings) -> float:
    """Return how many lines more the labels of a time axis take because they are turned."""
    angle = np.radians(settings.tick_rotation)
    labels = [tick.label.split("\n") for tick in _time_ticks(time_axis, width, settings)]
    return float(max(max(map(len, label)) * LETTER * settings.points / 72
                     / (settings.points * LINE) * abs(np.sin(angle))
                     + len(label) * (np.cos(angle) - 1) for label in labels))


def _time_ticks(time_axis: TimeAxis, width: float, settings: PlotSettings, *,
                beyond_inches: float = np.inf) -> list[Tick]:
    """Return the labelled ticks of a time axis of `width` in inches."""
    is_short = time_axis.length > SECONDS_BELOW and not time_axis.spans_years
    letters = 5 if is_short else 8
    return time_axis.ticks(width, LETTER * letters * settings.points / 72,
                           beyond_inches=beyond_inches)


def mark_gaps(axes: Axes, time_axis: TimeAxis, *, is_picture: bool) -> None:
    """Leave long gaps in time blank: hatched in pictures if to scale, else with break marks."""
    gaps = [tuple(time_axis.place([before.stop, after.start]))
            for before, after in itertools.pairwise(time_axis.runs)]
    shortened = time_axis.breaks
    if is_picture:
        _span(axes, [(low, high) for low, high in gaps
                     if high > low and (low, high) not in shortened], **HATCH)
    _span(axes, shortened, facecolor="white", linewidth=0, zorder=0.5 if is_picture else 3)
    _break_frame(axes, shortened, is_vertical=True)


def mark_missing(axes: Axes, time_axis: TimeAxis, x: Edges) -> None:
    """Hatch missing integrations within runs, between cells with edges `x` (T)."""
    low, high = x[1][:-1], x[0][1:]
    ends = np.sort(time_axis.place([run.stop for run in time_axis.runs]))
    between = np.searchsorted(ends, high + 1e-6, "right") > np.searchsorted(ends, low - 1e-6)
    missing = (high > low) & ~between
    _span(axes, list(zip(low[missing], high[missing], strict=True)), **HATCH)


def mark_frequency_gaps(axes: Axes, frequency_axis: FrequencyAxis, *,
                        is_vertical: bool = False) -> None:
    """Hatch the gaps between channels that are to scale, and break the frame at the others.

    `is_vertical` where the gaps run from bottom to top: the frequency axis is the horizontal one.
    """
    _span(axes, [tuple(frequency_axis.place(gap)) for gap in frequency_axis.gaps
                 if gap not in frequency_axis.breaks], is_vertical=is_vertical, **HATCH)
    shortened = [tuple(frequency_axis.place(gap)) for gap in frequency_axis.breaks]
    for side in np.ravel(shortened):
        (axes.axvline if is_vertical else axes.axhline)(side, color="black", linewidth=0.5,
                                                        zorder=3.5)
    _break_frame(axes, shortened, is_vertical=is_vertical)


def _break_frame(axes: Axes, gaps: Sequence[tuple[float, float]], *,
                 is_vertical: bool) -> None:
    """Leave a gap in the frame, with a slanted mark at both sides, for each shortened gap."""
    if not gaps:
        return
    along = np.ravel([(*gap, np.nan) for gap in gaps] * 2)
    across = np.repeat([0.0, 1.0], 3 * len(gaps))
    x, y = (along, across) if is_vertical else (across, along)
    slant = (0.4, 1) if is_vertical else (1, 0.4)
    frame = {"clip_on": False, "transform": axes.get_xaxis_transform() if is_vertical
             else axes.get_yaxis_transform()}
    axes.add_artist(Line2D(x, y, color="white", linewidth=2, zorder=5, solid_capstyle="butt",
                           **frame))
    axes.add_artist(Line2D(x, y, color="black", linestyle="none", markersize=5,
                           marker=[(-slant[0], -slant[1]), slant], markeredgewidth=0.6, zorder=6,
                           **frame))


def mark_scans(panel: Panel, time_axis: TimeAxis, settings: PlotSettings, *, is_picture: bool,
               is_top: bool) -> None:
    """Draw a line at scan edges that no gap shows, and number the scans above the top panel."""
    if settings.scan_edges == "none":
        return
    runs, axes = time_axis.runs, panel.axes
    groups: list[list] = [[runs[0]]]
    for run in runs[1:]:
        if run.scan == groups[-1][0].scan and settings.scan_edges == "scans":
            groups[-1].append(run)
        else:
            groups.append([run])
    colour = "black" if is_picture else "#aaaaaa"
    # Frames around many short scans would hide them.
    crowded = panel.width < 0.12 * len(groups)
    edges = [] if crowded else [time_axis.place([before[-1].stop, after[0].start])
                                for before, after in itertools.pairwise(groups)]
    # A frame where a gap is seen anyway, dashes where two scans touch.
    for style, sides in (("solid", [side for low, high in edges if high > low
                                    for side in (low, high)]),
                         ((0, (4, 3)), [low for low, high in edges if high <= low])):
        axes.add_collection(LineCollection(
            [[(side, 0), (side, 1)] for side in sides], transform=axes.get_xaxis_transform(),
            colors=colour, linewidths=0.5, linestyles=[style], zorder=3.5), autolim=False)
    if not is_top or (len(groups) == 1 and settings.scan_edges == "scans"):
        return
    last = -np.inf
    per_inch = time_axis.length / panel.width
    for number, group in enumerate(groups):
        low, high = time_axis.place([group[0].start, group[-1].stop])
        text = f"scan {group[0].scan}" if number == 0 else str(group[0].scan)
        half = 0.33 * len(text) * settings.points / 72 * per_inch
        centre = (low + high) / 2
        if number == 0:
            centre = max(centre, half)
        if centre - half < last:
            continue
        last = centre + half
        axes.annotate(text, (centre, 1), xycoords=axes.get_xaxis_transform(),
                      xytext=(0, 2), textcoords="offset points", ha="center", va="bottom",
                      fontsize=0.9 * settings.points, color="#555555", annotation_clip=False)


def mark_times(axes: Axes, time_axis: TimeAxis, times: Sequence[UniversalTime]) -> None:
    """Draw a vertical line at each time (UTC) that lies in the data's range."""
    for moment in times:
        for place in _places(moment, time_axis):
            axes.axvline(place, color="black", linewidth=0.8, linestyle=(0, (1, 1.2)),
                         zorder=4, path_effects=_outline(1.8))


def times_outside(spectrum, times: Sequence[UniversalTime]) -> list[UniversalTime]:
    """Return those of the times (UTC) that lie outside the range of a spectrum's data."""
    if not times:
        return []
    time_axis = TimeAxis(spectrum)
    return [moment for moment in times if not _places(moment, time_axis)]


def _places(moment: UniversalTime, time_axis: TimeAxis) -> list[float]:
    margin = 1.0
    utc = moment.between(time_axis.start - margin, time_axis.stop + margin)
    places = time_axis.place(time_axis.from_utc(np.array(utc)))
    return [float(place) for place in places if np.isfinite(place)]


def mark_beyond(axes: Axes, x: np.ndarray, values: np.ndarray, colour: str) -> list[Line2D]:
    """Draw an arrow at the border for each point (T) above or below the axis, whose ends are set.

    Return what a legend has to explain.
    """
    bottom, top = axes.get_ylim()
    height = (values - bottom) / (top - bottom)
    is_marked = False
    for beyond, border, marker in ((height > 1, 1, CARETUP), (height < 0, 0, CARETDOWN)):
        if beyond.any():
            is_marked = True
            axes.add_artist(Line2D(
                x[beyond], np.full(int(beyond.sum()), border), linestyle="none", marker=marker,
                markersize=3.5, markeredgewidth=0, color=colour, zorder=2.6,
                transform=axes.get_xaxis_transform()))
    return [Line2D([], [], linestyle="none", marker=CARETUP, markersize=4, markeredgewidth=0,
                   color="#555555", label="beyond the axis")] * is_marked


def outline_detections(panel: Panel, time_axis: TimeAxis, frequency_axis: FrequencyAxis,
                       detections: Table, polarization: str, points: float) -> None:
    """Draw a numbered box around each detection of a polarization, open where there are gaps."""
    axes, per_inch = panel.axes, time_axis.length / panel.width
    lowest, highest = frequency_axis.ends
    for number, low, high, row in _placed(detections, time_axis):
        if not is_found_in(row["polarization"], polarization):
            continue
        if row["band_low"] >= frequency_axis.windows[-1][1] or (
                row["band_high"] <= frequency_axis.windows[0][0]):
            continue
        bottom, top = frequency_axis.place([row["band_low"], row["band_high"]])
        bands = _inside([tuple(frequency_axis.place(window)) for window in frequency_axis.windows],
                        bottom, top)
        sides = [((left, y), (right, y)) for y in (bottom, top)
                 for left, right in _inside(_observed(time_axis), low, high)]
        sides += [((x, lower), (x, upper)) for x in (low, high) for lower, upper in bands]
        axes.add_patch(PathPatch(Path([place for side in sides for place in side],
                                      [Path.MOVETO, Path.LINETO] * len(sides)),
                                 fill=False, edgecolor="black", linewidth=0.8, zorder=4,
                                 capstyle="projecting", path_effects=_outline(1.8)))
        if len(detections) <= 50:
            # Beside the box, and within it at the end of the panel; of one at the bottom above it.
            has_room = time_axis.length - high > 1.2 * points / 72 * per_inch
            is_low = top - lowest < 1.2 * points / 72 / panel.height * (highest - lowest)
            axes.annotate(str(number), (high, top), xytext=(2 if has_room else -2, 1 if is_low else
                                                            -1),
                          textcoords="offset points", ha="left" if has_room else "right",
                          va="bottom" if is_low else "top", fontsize=0.9 * points, zorder=5,
                          annotation_clip=False, path_effects=_outline(1.4))


def span_detections(axes: Axes, time_axis: TimeAxis, detections: Table, polarization: str,
                    points: float) -> None:
    """Shade the time of each detection of a polarization in a light curve, and number it.

    Gaps are not shaded; the number stands in the longest part.
    """
    for number, low, high, row in _placed(detections, time_axis):
        if not is_found_in(row["polarization"], polarization):
            continue
        parts = _inside(_observed(time_axis), low, high)
        for start, stop in parts:
            axes.axvspan(start, stop, facecolor=DETECTION, alpha=0.15, linewidth=0, zorder=0.5)
        if len(detections) <= 50:
            start, stop = max(parts, key=lambda part: part[1] - part[0])
            axes.annotate(str(number), ((start + stop) / 2, 0),
                          xycoords=axes.get_xaxis_transform(), xytext=(0, 1.5),
                          textcoords="offset points", ha="center", va="bottom",
                          fontsize=0.9 * points, color=DETECTION)


def _observed(time_axis: TimeAxis) -> list[tuple[float, float]]:
    """Return the two sides along the paper of every stretch of time without a gap."""
    stretches: list[tuple[float, float]] = []
    for run in time_axis.runs:
        start, stop = map(float, time_axis.place([run.start, run.stop]))
        if stretches and start <= stretches[-1][1]:
            start = stretches.pop()[0]
        stretches.append((start, stop))
    return stretches


def _inside(stretches: Sequence[tuple[float, float]], low: float,
            high: float) -> list[tuple[float, float]]:
    """Return the parts of stretches between two places; all between them if that is a gap."""
    parts = [(max(low, start), min(high, stop)) for start, stop in stretches
             if start < high and stop > low]
    return parts or [(low, high)]


def is_found_in(search: str, polarization: str) -> bool:
    """Return whether a detection's `search` (I, +V or -V) is one in a polarization."""
    return str(search).lstrip("+-") == polarization


def _span(axes: Axes, spans: Sequence[tuple[float, float]], *, is_vertical: bool = True,
          **style: Any) -> None:
    """Fill the whole height (or width) of a panel between the two sides of each span."""
    corners = [[(low, 0), (low, 1), (high, 1), (high, 0)] for low, high in spans]
    axes.add_collection(PolyCollection(
        corners if is_vertical else [[(x, y) for y, x in four] for four in corners],
        transform=axes.get_xaxis_transform() if is_vertical else axes.get_yaxis_transform(),
        **style), autolim=False)


def _placed(detections: Table, time_axis: TimeAxis):
    """Yield number, both sides along the paper, and row of the candidates within the axis."""
    for number, (row, shown) in enumerate(zip(detections, is_candidate(detections), strict=True),
                                          start=1):
        ends = time_axis.from_utc(np.array([float(row["start"]), float(row["stop"])]))
        if not shown or ends[1] < time_axis.start or ends[0] > time_axis.stop:
            continue
        low, high = time_axis.place(np.clip(ends, time_axis.start, time_axis.stop))
        yield number, float(low), float(high), row


def _outline(width: float) -> list:
    return [patheffects.withStroke(linewidth=width, foreground="white")]


def duration_text(seconds: float) -> str:
    """Return a duration in words for a label: ``10 s``, ``2 min`` or ``1.5 h``."""
    for size, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if seconds >= 1.5 * size or unit == "ms" or (
                seconds >= size and abs(seconds / size - round(seconds / size)) < 1e-6):
            return f"{seconds / size:.3g} {unit}"
