"""Figures of fixed margins, shown by notebooks, and files that are the same on every run."""

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visds.core.files import whole_file

# Without these metadata the same picture has the same bytes, whatever the day or the host.
METADATA = {"png": {"Software": None},
            "pdf": {"CreationDate": None, "ModDate": None, "Creator": "visds", "Producer": None}}
# Where a colour bar's label stands, in widths of the bar: the same in all panels.
BAR_LABEL = 5.2
# A legend that takes no more room than a line of text.
LEGEND = {"frameon": False, "borderaxespad": 0, "borderpad": 0.1, "handlelength": 1.0,
          "handletextpad": 0.4, "columnspacing": 1.0}


class NotebookFigure(Figure):
    """A matplotlib figure that a notebook shows without pyplot."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        with picture_style(8):
            self.savefig(stream, format="png", dpi=150, metadata=METADATA["png"])
        return stream.getvalue()


@dataclass(frozen=True)
class Panel:
    """Axes, the room for its colour bar, and its size in inches."""

    axes: Axes
    bar: Axes
    width: float
    height: float


@contextlib.contextmanager
def picture_style(label_size: float) -> Iterator[None]:
    """Draw with the house's style, whatever the user's matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update({
            key: value for key, value in matplotlib.rcParamsDefault.items()
            if key.split(".")[0] in ("axes", "lines", "font", "xtick", "ytick", "figure", "text",
                                     "mathtext", "legend", "image", "hatch", "path", "patch",
                                     "savefig", "errorbar", "grid", "pcolormesh", "pdf")})
        matplotlib.rcParams.update({
            "font.size": label_size, "axes.labelsize": label_size,
            "axes.titlesize": label_size, "xtick.labelsize": label_size,
            "ytick.labelsize": label_size, "legend.fontsize": label_size,
            "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
            "xtick.minor.width": 0.4, "ytick.minor.width": 0.4, "xtick.major.size": 3,
            "ytick.major.size": 3, "xtick.minor.size": 1.8, "ytick.minor.size": 1.8,
            "hatch.linewidth": 0.4, "mathtext.default": "regular", "pdf.fonttype": 42,
            "axes.unicode_minus": True})
        yield


def stacked_panels(width: float, heights: Sequence[float], *, label_size: float,
                   bottom_lines: float, top_lines: float, space: float,
                   has_bars: bool) -> tuple[NotebookFigure, list[Panel]]:
    """Return a figure of `width` with panels of `heights` (inches) above each other.

    The margins depend on the size of the letters only, so that panels and pictures line up;
    the right one is wide if `has_bars`. `fit_margins` widens them for long labels.
    """
    line = label_size * 1.25 / 72
    left, right, bar = 4.9 * line, (5.9 if has_bars else 1.2) * line, 0.8 * line
    bottom, top = bottom_lines * line, top_lines * line
    height = bottom + sum(heights) + space * (len(heights) - 1) + top
    figure = NotebookFigure(figsize=(width, height))
    panels = []
    high = height - top
    inner = width - left - right
    for size in heights:
        low = high - size
        box = [left / width, low / height, inner / width, size / height]
        axes = figure.add_axes(box, sharex=panels[0].axes if panels else None)
        room = figure.add_axes([(width - right + 0.5 * line) / width, low / height, bar / width,
                                size / height])
        room.yaxis.set_label_coords(BAR_LABEL, 0.5)
        room.set_visible(has_bars)
        panels.append(Panel(axes, room, inner, size))
        high = low - space
    return figure, panels


def fit_margins(panels: Sequence[Panel], label_size: float) -> list[Panel]:
    """Widen the side margins where labels of axes and colour bars need it; return the panels anew.

    To be called when all is drawn but the labels of the time axis.
    """
    figure = panels[0].axes.figure
    width = figure.get_size_inches()[0]
    line = label_size * 1.25 / 72
    figure.draw_without_rendering()
    left = max(0.0, 0.3 * line
               - min(panel.axes.yaxis.get_tightbbox().x0 for panel in panels) / figure.dpi)
    bars = [panel.bar for panel in panels if panel.bar.get_visible()]
    # Labels of bars stand centred at the same place; the numbers must end before them.
    right = max((_end_of_numbers(bar) / figure.dpi + 0.8 * line
                 - bar.transAxes.transform((BAR_LABEL, 0.5))[0] / figure.dpi for bar in bars),
                default=0.0)
    right = max(0.0, right)
    if not left and not right:
        return list(panels)
    for panel in panels:
        box = panel.axes.get_position()
        panel.axes.set_position([box.x0 + left / width, box.y0,
                                 box.width - (left + right) / width, box.height])
        box = panel.bar.get_position(original=True)
        panel.bar.set_position([box.x0 - right / width, box.y0, box.width, box.height])
        panel.bar.yaxis.set_label_coords(BAR_LABEL + right / width / box.width, 0.5)
    return [replace(panel, width=panel.width - left - right) for panel in panels]


def _end_of_numbers(bar: Axes) -> float:
    """Return the right end in pixels of the numbers beside a drawn colour bar."""
    return max((label.get_window_extent().x1 for label in bar.get_yticklabels()
                if label.get_text()), default=0.0)


def save_figure(figure: Figure, path: str | os.PathLike, resolution: int) -> None:
    """Write a figure as png or pdf, by the suffix of `path`; the same figure gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    kind = str(path).rpartition(".")[2]
    with whole_file(path) as part:
        figure.savefig(part, format=kind, dpi=resolution, metadata=METADATA[kind])
