"""Picture of how many injected flares are found, and of how well their fluences are measured."""

import os

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from visds.core.flux_text import flux_unit
from visds.dynspec.plots.figure import (
    LEGEND,
    LINE,
    fit_margins,
    picture_style,
    save_figure,
    stacked_panels,
)
from visds.dynspec.plots.marks import mark_beyond

_POINTS, _WIDTH, _HEIGHTS, _RESOLUTION = 8, 5.2, (2.0, 1.1), 200
_COLOURS = "#0b5fa5", "#c8501e", "#2f8f4e", "#7a4fa3", "#8a6d1d", "#5b5b5b"
_MARKERS = "osD^vP"
_FAINT, _GREY = "#b0b0b0", "#555555"
_NAMED = 0.5, 0.9
_DECADES = 4
"""So many decades of fluence have more ticks than the powers of ten."""
_NARROWEST = 4.0
"""The last fluence of an axis over its first, at least."""
_BESIDE = 0.02
"""From kind to kind of mark of one fluence, of the axis; less where fluences are close."""
_SHARES = 0, 0.25, 0.5, 0.75, 0.9, 1


def completeness_picture(completeness: Table, path: str | os.PathLike) -> None:
    """Write `completeness_figure` as a PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with picture_style(_POINTS):
        save_figure(completeness_figure(completeness), path, _RESOLUTION)


def completeness_figure(completeness: Table) -> Figure:
    """Return a picture of a table of completeness: what is found in any polarization.

    For the target and for the field two panels each. In the upper the share of flares that are
    found against their fluence, with its 68 % interval, a colour for each duration and
    polarization. In the lower the mean ratio of measured to true fluence with its standard error:
    filled, of the events found; open, fitted to all flares, found or not; an arrow at the border
    stands for a ratio or an error beyond the axis. Fluences of zero are drawn at the left edge.
    Marks of one fluence stand a little beside each other.
    """
    with picture_style(_POINTS):
        line = _POINTS * LINE
        rows = completeness[completeness["searched"] == "any"]
        kinds = list(dict.fromkeys((float(row["duration"]), str(row["polarized"]))
                                   for row in rows))
        places = list(dict.fromkeys(rows["place"]))
        figure, panels = stacked_panels(
            _WIDTH, _HEIGHTS * len(places), label_size=_POINTS, bottom_lines=2.9,
            top_lines=2.8 + 1.3 * -(-len(kinds) // 3), space=line,
            has_bars=[False] * 2 * len(places))
        fluence = np.asarray(rows["fluence"], float)
        name, unit, least = _fluence_axis(fluence)
        ends, step = _along(np.maximum(fluence / unit, least), len(kinds))
        ticks = _fluence_ticks(fluence / unit, least)
        handles, marks = {}, _mark_handles()
        for place, share, ratio in zip(places, panels[::2], panels[1::2], strict=True):
            here = rows[rows["place"] == place]
            drawn = []
            for number, (duration, polarized) in enumerate(kinds):
                one = here[(here["duration"] == duration) & (here["polarized"] == polarized)]
                style = {"color": _COLOURS[number % len(_COLOURS)], "markersize": 3.2,
                         "marker": _MARKERS[number % len(_MARKERS)], "linewidth": 0.8,
                         "elinewidth": 0.6, "markeredgewidth": 0.6}
                at = (np.maximum(np.asarray(one["fluence"], float) / unit, least)
                      * step ** (number - (len(kinds) - 1) / 2))
                handles[number] = _draw_share(share.axes, at, one, style)
                handles[number].set_label(f"{duration:g} s, {polarization_text(polarized)}")
                drawn.append((at, one, style))
            share.axes.set_ylabel("Found at the target" if place == "target"
                                  else "Found in the field")
            share.axes.set_ylim(-0.03, 1.03)
            share.axes.set_yticks(_SHARES, [f"{share:g}" for share in _SHARES])
            for level in _NAMED:
                share.axes.axhline(level, color=_FAINT, linewidth=0.5, zorder=0)
            ratio.axes.axhline(1, color=_FAINT, linewidth=0.5, zorder=0)
            ratio.axes.set_ylabel("Fluence,\nmeasured / true")
            ratio.axes.set_ylim(*_limits(here))
            for at, one, style in drawn:
                marks += _draw_ratios(ratio.axes, at, one, style, step**0.25)
        for panel in panels:
            panel.axes.set_xscale("log")
            panel.axes.set_xlim(ends)
            panel.axes.xaxis.set_minor_locator(NullLocator())
            panel.axes.set_xticks(list(ticks), list(ticks.values()))
            panel.axes.tick_params(labelbottom=panel is panels[-1])
        panels[-1].axes.set_xlabel(f"Fluence of the flare, Stokes I ({name} s)")
        top = fit_margins(panels, _POINTS)[0].axes.get_position()
        height = figure.get_size_inches()[1]
        for lines, shown in ((1.5, handles), (0.2, {
                handle.get_label(): handle for handle in marks})):
            figure.legend(handles=list(shown.values()), loc="lower left", ncols=3,
                          bbox_to_anchor=(top.x0, top.y1 + lines * line / height), **LEGEND)
        figure.text(top.x0, 1 - 0.3 * line / height,
                    f"{completeness.meta.get('target', '')}: search at S/N of "
                    f"{completeness.meta.get('threshold', np.nan):.2f}", ha="left", va="top")
    return figure


def _fluence_axis(fluence: np.ndarray) -> tuple[str, float, float]:
    """Return the unit of the axis, its size in Jy, and where on it a fluence of 0 is drawn."""
    positive = fluence[fluence > 0]
    if not len(positive):
        return "Jy", 1.0, 0.1
    name, unit = flux_unit(float(np.sqrt(positive.min() * positive.max())))
    return name, unit, float(positive.min()) / 1.5 / unit


def _along(places: np.ndarray, kinds: int) -> tuple[tuple[float, float], float]:
    """Return the ends of the axis of these fluences, and the factor from kind to kind of mark.

    The ends are `_NARROWEST` apart or more, so that one fluence stands in the middle.
    """
    places = np.unique(places)
    length = np.log(places[-1] / places[0])
    margin = max(0.06 * length, (np.log(_NARROWEST) - length) / 2)
    apart = np.diff(np.log(places)).min(initial=np.inf)
    step = min(_BESIDE * (length + 2 * margin), 0.6 * apart / kinds)
    return (float(places[0] / np.exp(margin)), float(places[-1] * np.exp(margin))), float(
        np.exp(step))


def _fluence_ticks(fluence: np.ndarray, least: float) -> dict[float, str]:
    """Return the ticks of an axis of fluences with their labels; that of 0 is at `least`.

    Where no round number lies in their range the fluences have ticks themselves.
    """
    positive = fluence[fluence > 0]
    ticks = {least: "0"} if (fluence <= 0).any() else {}
    if not len(positive):
        return ticks
    low, high = positive.min() / 1.1, positive.max() * 1.1
    powers = np.arange(np.floor(np.log10(low)), np.log10(high))
    times = (1, 2, 5) if len(powers) <= _DECADES else (1,)
    round_numbers = {float(tick): f"{tick:g}" for power in powers for tick in
                     np.array(times) * 10.0**power if low <= tick <= high}
    # One fluence, or several that are close: the first and last are enough to tell them.
    return ticks | (round_numbers or {float(tick): f"{tick:.3g}" for tick in
                                      (positive.min(), positive.max())})


def polarization_text(polarized: str) -> str:
    """Return how a flare is polarized in words, of what `polarized` of the table says: V/I or not.

    Without a sign it is either at random: the modulus is given.
    """
    return (f"V/I {polarized}" if polarized[0] in "+-" else f"|V/I| {polarized}").replace("-", "−")


def _draw_share(axes: Axes, fluence: np.ndarray, rows: Table, style: dict):
    share = np.asarray(rows["completeness"], float)
    return axes.errorbar(
        fluence, share, [np.maximum(share - rows["completeness_low"], 0),
                         np.maximum(rows["completeness_high"] - share, 0)], **style)


def _draw_ratios(axes: Axes, fluence: np.ndarray, rows: Table, style: dict,
                 shift: float) -> list[Line2D]:
    """Draw both ratios, a factor beside the fluences; return what a legend has to explain."""
    beyond: list[Line2D] = []
    for name, fill, beside in (("forced_ratio", "white", 1 / shift),
                               ("fluence_ratio", style["color"], shift)):
        values = np.asarray(rows[name], float)
        errors = np.asarray(rows[f"{name}_error"], float)
        told = np.isfinite(values)
        at, values, errors = beside * fluence[told], values[told], errors[told]
        axes.errorbar(at, values, errors,
                      **style | {"linestyle": "none", "markerfacecolor": fill})
        reach = np.nan_to_num(errors)
        beyond += mark_beyond(axes, np.tile(at, 2), np.append(values - reach, values + reach),
                              style["color"])
    return beyond


def _mark_handles() -> list[Line2D]:
    """Return what a legend says of filled and open marks."""
    style = {"linestyle": "none", "marker": "o", "markersize": 3.2, "markeredgewidth": 0.6,
             "color": _GREY}
    return [Line2D([], [], **style, label="ratio, of those found"),
            Line2D([], [], **style, markerfacecolor="white", label="of all, fitted where put in")]


def _limits(rows: Table) -> tuple[float, float]:
    """Return the ends of the axis of ratios: those of the values, and not all of wide errors."""
    values = np.concatenate([np.asarray(rows[name], float)
                             for name in ("fluence_ratio", "forced_ratio")])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.5, 1.5)
    return min(0.6, max(low - 0.1, -1.0)), max(1.4, min(high + 0.1, 3.0))
