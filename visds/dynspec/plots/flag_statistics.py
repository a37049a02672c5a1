"""Pictures of what is flagged: by time, channel, antenna and baseline."""

import math
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from visds.core.errors import SettingsError
from visds.dynspec.flagging.counts import FlagCounts
from visds.dynspec.plots.figure import LEGEND, LINE, NotebookFigure, Panel, picture_style, write_in
from visds.dynspec.plots.frequency_axis import frequency_unit
from visds.dynspec.plots.marks import LETTER, label_times, mark_gaps
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import DAY, TimeAxis, cell_widths, run_ends

_COLOURS = {"any": "black", "MEASUREMENT_SET": "#0072b2", "NOT_FINITE": "#999999",
            "ZERO_WEIGHT": "#e69f00", "ABSENT": "#56b4e9", "UV_RANGE": "#b5a000",
            "CLIP_I": "#cc79a7", "CLIP_V": "#009e73", "RFI": "#d55e00"}
_NAMES = {"any": "any reason", "MEASUREMENT_SET": "measurement set", "NOT_FINITE": "not finite",
          "ZERO_WEIGHT": "no weight", "ABSENT": "absent", "UV_RANGE": "uv range",
          "CLIP_I": "clip I", "CLIP_V": "clip V", "RFI": "RFI"}


def flag_figure(counts: FlagCounts, settings: PlotSettings, *, title: str = "",
                antenna_names: Mapping[int, str] | None = None) -> Figure:
    """Return the figure of the fractions of visibilities that are flagged, and why.

    By time, channel and antenna there is a line for each reason that occurs and one, black, for any
    of them; by baseline a picture of any reason. Antennas are named by `antenna_names`, or else by
    their numbers. Where nothing is flagged the picture says so.

    Raises
    ------
    SettingsError
        If nothing was counted.
    """
    if not counts.by_time.sum():
        raise SettingsError("there is no visibility of which flags could be drawn")
    reasons = (*counts.occurring, "any")
    with picture_style(settings.points):
        times = _time_axis(counts, settings)
        figure, panels = _panels(settings, spans_days=times.spans_days)
        names = antenna_names or {}
        _draw_times(panels["time"], counts, reasons, times, settings)
        _draw_channels(panels["channel"].axes, counts, reasons)
        _draw_antennas(panels["antenna"], counts, reasons, names, settings)
        _draw_baselines(panels["baseline"], counts, names, settings)
        line = settings.points * LINE / figure.get_size_inches()[1]
        left = panels["time"].axes.get_position().x0
        figure.text(left, 1 - 0.4 * line, title, ha="left", va="top")
        if not counts.occurring:
            write_in(panels["time"], "nothing is flagged", settings.points)
            return figure
        handles, labels = panels["channel"].axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(left, 1 - 1.8 * line),
                      ncols=3 if settings.is_narrow else len(labels), **LEGEND)
    return figure


def _panels(settings: PlotSettings, *, spans_days: bool) -> tuple[Figure, dict[str, Panel]]:
    """Return a figure with panels for times, channels, antennas and, square, baselines.

    The square is beside the channels and antennas, or below them in a narrow figure.
    """
    line, width = settings.points * LINE, settings.picture_width
    left, right, space = 4.4 * line, 5.2 * line, 3.3 * line
    top, inner = (5.2 if settings.is_narrow else 3.6) * line, width - left - right
    square = 0.85 * inner if settings.is_narrow else 0.36 * inner
    below = space + (1.0 if spans_days else 0.0) * line
    used = top + below + space + space + (square + space if settings.is_narrow else 0.0)
    total = settings.picture_height or (used + 3 * (0.75 if settings.is_narrow else 0.9))
    high = (total - used) / 3
    if high < 0.3:
        raise SettingsError(f"a picture of {width:g} x {total:g} inches has no room for the flags "
                            f"with letters of {settings.points:g} points: give a larger "
                            "--picture-height")
    if not settings.is_narrow:
        square = min(square, 2 * high + space)
    short = inner if settings.is_narrow else inner - square - 4.8 * line
    figure = NotebookFigure(figsize=(width, total))

    def panel(x: float, y: float, w: float, h: float, *, has_bar: bool = False) -> Panel:
        axes = figure.add_axes([x / width, y / total, w / width, h / total])
        bar = figure.add_axes([(x + w + 0.5 * line) / width, y / total, 0.8 * line / width,
                               h / total]) if has_bar else None
        return Panel(axes, bar, w, h)

    low = total - top - high
    panels = {"time": panel(left, low, inner, high)}
    low -= below + high
    panels["channel"] = panel(left, low, short, high)
    low -= space + high
    panels["antenna"] = panel(left, low, short, high)
    panels["baseline"] = (
        panel(left, low - space - square, square, square, has_bar=True) if settings.is_narrow
        else panel(left + inner - square, low + 2 * high + space - square, square, square,
                   has_bar=True))
    return figure, panels


def _time_axis(counts: FlagCounts, settings: PlotSettings) -> TimeAxis:
    """Return the time axis; in UTC where the settings ask for times at the barycentre."""
    return TimeAxis(SimpleNamespace(time=counts.time, integration=counts.integration,
                                    scan=counts.scan,
                                    time_barycentre=np.full(len(counts.time), np.nan)),
                    kind="elapsed" if settings.time_axis == "elapsed" else "ut",
                    compress=settings.gaps == "compressed", unit=settings.time_unit)


def _draw_times(panel: Panel, counts: FlagCounts, reasons: tuple[str, ...], axis: TimeAxis,
                settings: PlotSettings) -> None:
    """Draw the fractions by time; a gap interrupts the lines."""
    half = cell_widths(counts) / DAY / 2
    low, high = (axis.place(np.clip(counts.time + sign * half, axis.start, axis.stop))
                 for sign in (-1, 1))
    _draw_steps(panel.axes, counts, "time", reasons, low, high,
                run_ends(counts.time, 2 * half, counts.scan))
    mark_gaps(panel.axes, axis, is_picture=False)
    label_times([panel], axis, settings)
    _label_fractions(panel.axes)


def _draw_steps(axes: Axes, counts: FlagCounts, kind: str, reasons: tuple[str, ...],
                low: np.ndarray, high: np.ndarray, ends: np.ndarray) -> None:
    """Draw the fractions on an axis of the counts between edges; interrupted where a run `ends`."""
    x = np.stack([low, high, high], axis=1).ravel()
    for reason in reasons:
        fraction = 100 * counts.fraction(kind, reason)
        y = np.stack([fraction, fraction, np.where(np.append(ends, False), np.nan, fraction)],
                     axis=1).ravel()
        is_any = reason == "any"
        axes.plot(x, y, color=_COLOURS[reason], label=_NAMES[reason], linewidth=1.0,
                  linestyle=(0, (4, 2)) if is_any else "-", zorder=3 if is_any else 3.5)


def _draw_channels(axes: Axes, counts: FlagCounts, reasons: tuple[str, ...]) -> None:
    """Draw the fractions by channel; each channel is as wide as it is."""
    unit, scale = frequency_unit(counts.frequency[-1])
    low = (counts.frequency - counts.channel_width / 2) / scale
    high = (counts.frequency + counts.channel_width / 2) / scale
    _draw_steps(axes, counts, "channel", reasons, low, high,
                low[1:] - high[:-1] > 0.01 * (high - low)[:-1])
    axes.set_xlim(low.min(), high.max())
    axes.set_xlabel(f"Frequency ({unit})")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _label_fractions(axes)


def _draw_antennas(panel: Panel, counts: FlagCounts, reasons: tuple[str, ...],
                   names: Mapping[int, str], settings: PlotSettings) -> None:
    """Draw the fractions by antenna, as steps in the order of their numbers."""
    axes = panel.axes
    antennas = counts.antenna_numbers
    edges = np.arange(len(antennas) + 1) - 0.5
    _draw_steps(axes, counts, "antenna", reasons, edges[:-1], edges[1:],
                np.zeros(len(antennas) - 1, bool))
    axes.set_xlim(-0.5, len(antennas) - 0.5)
    _name_antennas(axes.set_xticks, panel.width, antennas, names, settings)
    axes.set_xlabel("Antenna")
    _label_fractions(axes)


def _draw_baselines(panel: Panel, counts: FlagCounts, names: Mapping[int, str],
                    settings: PlotSettings) -> None:
    """Draw the fraction of any flag of each baseline as a square of two antennas."""
    axes = panel.axes
    antennas = counts.antenna_numbers
    square = np.full((len(antennas), len(antennas)), np.nan)
    first, second = np.searchsorted(antennas, counts.antennas).T
    fraction = 100 * counts.fraction("baseline")
    square[first, second] = square[second, first] = fraction
    colours = matplotlib.colormaps["viridis"].with_extremes(bad="white")
    highest = float(np.nanmax(fraction)) if np.isfinite(fraction).any() else 0.0
    image = axes.imshow(square, cmap=colours, norm=Normalize(0, highest or 100.0), origin="lower",
                        interpolation="nearest", aspect="auto")
    _name_antennas(axes.set_xticks, panel.width, antennas, names, settings)
    _name_antennas(axes.set_yticks, panel.height, antennas, names, settings)
    axes.set_xlabel("Antenna")
    axes.set_ylabel("Antenna")
    axes.figure.colorbar(image, cax=panel.bar).set_label("Flagged (%)")


def _name_antennas(set_ticks: Callable, inches: float, antennas: np.ndarray,
                   names: Mapping[int, str], settings: PlotSettings) -> None:
    """Label as many antennas as there is room for on an axis of `inches`, evenly."""
    labels = [names.get(int(number), str(number)) for number in antennas]
    room = (max(map(len, labels)) + 1) * LETTER * settings.points / 72
    step = max(1, math.ceil(room * len(antennas) / inches))
    set_ticks(np.arange(0, len(antennas), step), labels[::step])


def _label_fractions(axes: Axes) -> None:
    highest = max(1e-3, axes.dataLim.y1) if axes.dataLim.y1 else 100.0
    # A line at zero is seen above the frame.
    axes.set_ylim(bottom=-0.04 * highest, top=1.06 * highest)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.set_ylabel("Flagged (%)")
