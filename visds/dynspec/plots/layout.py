"""How a figure is laid out: its panels above each other, and what is written above them."""

import math
import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.colour import MASKED, MASKED_BY
from visds.dynspec.plots.figure import LEGEND, LINE, Panel, inner_width, stacked_panels
from visds.dynspec.plots.frequency_axis import frequency_unit
from visds.dynspec.plots.marks import LETTER, extra_lines
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import TimeAxis


def panels_of(settings: PlotSettings, parts: list[float], height: float,
              axis: TimeAxis | None, *, has_bars: list[bool], column_length: int = 1,
              space_lines: float = 1.0) -> tuple[Figure, list[Panel]]:
    """Return a figure of the settings' width and `height` with panels in these proportions.

    Between them are so many lines; the lowest has room for the labels of a time axis.

    Raises
    ------
    SettingsError
        If the panels have no room.
    """
    line = settings.points * LINE
    bottom = 2.9 + (1.0 if axis is not None and axis.spans_days else 0.0)
    bottom += 1.2 if column_length > 1 and settings.is_narrow else 0.0
    if axis is not None and settings.tick_rotation:
        bottom += extra_lines(axis, inner_width(settings.picture_width, settings.points,
                                                has_bars=any(has_bars)), settings)
    top, space = 2.6, space_lines * line
    room = height - (bottom + top) * line - space * (len(parts) - 1)
    if room < 0.3 * len(parts):
        raise SettingsError(f"a picture of {settings.picture_width:g} x {height:g} inches has no "
                            f"room for {len(parts)} panels with letters of {settings.points:g} "
                            "points: give a larger --picture-height")
    return stacked_panels(settings.picture_width,
                          [room * part / sum(parts) for part in parts],
                          label_size=settings.points, bottom_lines=bottom, top_lines=top,
                          space=space, has_bars=has_bars)


def write_title(figure: Figure, panel: Panel, words: Sequence[str], settings: PlotSettings,
                legend: Sequence[Artist]) -> None:
    """Write the title's words, or the user's, above the panel, and the legend at its right.

    Where there is no room for both, the legend is a column down to the panel, and the title loses
    what it says last. The panels give up some of their height to a column that is high.
    """
    line = settings.points * LINE
    width, height = figure.get_size_inches()
    box = panel.axes.get_position()
    above = box.y1 + 1.25 * line / height
    words = [settings.plot_title] if settings.plot_title else list(words)
    title = figure.text(box.x0, above, ", ".join(words), ha="left", va="bottom")
    handles = _handles(legend, int(72 * width / (LETTER * settings.points)) - 3)
    if not handles:
        return
    style = {"handles": handles, "loc": "lower right", **LEGEND}
    right = 1 - 0.3 * line / width
    drawn = figure.legend(ncols=len(handles), **style,
                          bbox_to_anchor=(right, above - 0.35 * line / height))

    def has_room() -> bool:
        written, legend_box = title.get_window_extent(), drawn.get_window_extent()
        return (written.x1 + 0.5 * line * figure.dpi < legend_box.x0
                or written.y0 + 0.1 * line * figure.dpi > legend_box.y1)

    if not has_room():
        drawn.remove()
        drawn = figure.legend(ncols=1, labelspacing=0.1, **style,
                              bbox_to_anchor=(right, box.y1 + 0.28 * line / height))
        over = drawn.get_window_extent().height / figure.dpi + 0.4 * line - (1 - box.y1) * height
        if over > 0:
            _lower(figure, over / height)
            title.set_y(above - over / height)
            drawn.set_bbox_to_anchor((right, box.y1 + (0.28 * line - over) / height))
    while len(words) > 1 and not has_room():
        words.pop()
        title.set_text(", ".join(words))


def _handles(legend: Sequence[Artist], letters: int) -> list[Artist]:
    """Return what a legend shows: each entry once, and one of all masked cells, for one grey.

    Lines have so many letters at most.
    """
    entries = {entry.get_label(): entry for entry in legend}
    masked = [label for label in entries if label.startswith(MASKED_BY)]
    if not masked:
        return list(entries.values())
    cuts = dict.fromkeys(cut for label in masked for cut in label.removeprefix(
        MASKED_BY).split(", "))
    first = list(entries).index(masked[0])
    others = [entry for label, entry in entries.items() if label not in masked]
    others.insert(first, Patch(facecolor=MASKED, label=textwrap.fill(
        MASKED_BY + ", ".join(cuts), letters)))
    return others


def _lower(figure: Figure, share: float) -> None:
    """Move the top of the uppermost axes down by a share of the figure, and squeeze all others."""
    boxes = [axes.get_position(original=True) for axes in figure.axes]
    bottom, top = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    scale = 1 - share / (top - bottom)
    for axes, box in zip(figure.axes, boxes, strict=True):
        axes.set_position([box.x0, bottom + scale * (box.y0 - bottom), box.width,
                           scale * box.height])


def title_words(spectrum: DynamicSpectrum) -> list[str]:
    """Return target, telescope, band, and whether flux densities are corrected, if known."""
    words = [str(spectrum.meta[key]) for key in ("target", "telescope") if spectrum.meta.get(key)]
    low, high = (spectrum.frequency + sign * spectrum.channel_width / 2 for sign in (-1, 1))
    words.append(band_text(low.min(), high.max()))
    return [*words, *["corrected for the primary beam"] * bool((spectrum.primary_beam != 1).any())]


def band_text(low: float, high: float) -> str:
    """Return the ends (Hz) of a band in words."""
    unit, scale = frequency_unit(high)
    low, high = low / scale, high / scale
    # Five digits, and as many as tell both ends to a hundredth of the band.
    decimals = max(0, 4 - int(math.log10(high)), 2 - math.floor(math.log10(high - low)))
    return f"{_trimmed(low, decimals)}–{_trimmed(high, decimals)} {unit}"


def _trimmed(value: float, decimals: int) -> str:
    """Return a number to some decimals, without zeros at its end."""
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
