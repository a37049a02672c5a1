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
# Noise does not compress: twice as fast as the usual level, and 8 % larger.
PNG_COMPRESSION = 3
# Height of a line of text in inches, per point of its letters.
LINE = 1.25 / 72
# Width of a colour bar in lines, and where its label stands in widths of the bar.
BAR, BAR_LABEL = 0.8, 5.2
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
    """Axes, those of its colour bar if it has one, and its size in inches."""

    axes: Axes
    bar: Axes | None
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
            "axes.unicode_minus": True,
            # Every number is whole: none is to be added or multiplied from the corner of an axis.
            "axes.formatter.useoffset": False, "axes.formatter.limits": (-15, 15)})
        yield


def inner_width(width: float, label_size: float, *, has_bars: bool = True) -> float:
    """Return the width in inches of the panels of a figure of `width`, before `fit_margins`."""
    return width - sum(_side_margins(label_size, has_bars))


def stacked_panels(width: float, heights: Sequence[float], *, label_size: float,
                   bottom_lines: float, top_lines: float, space: float,
                   has_bars: Sequence[bool]) -> tuple[NotebookFigure, list[Panel]]:
    """Return a figure of `width` with panels of `heights` (inches) above each other.

    The margins depend on the size of the letters only, so that panels and pictures line up;
    the right one is wide if any panel has a colour bar. `fit_margins` widens them for long labels.
    """
    line = label_size * LINE
    left, right = _side_margins(label_size, any(has_bars))
    bottom, top = bottom_lines * line, top_lines * line
    height = bottom + sum(heights) + space * (len(heights) - 1) + top
    figure = NotebookFigure(figsize=(width, height))
    panels = []
    high = height - top
    inner = width - left - right
    for size, has_bar in zip(heights, has_bars, strict=True):
        low = high - size
        box = [left / width, low / height, inner / width, size / height]
        axes = figure.add_axes(box, sharex=panels[0].axes if panels else None)
        bar = None
        if has_bar:
            bar = figure.add_axes([(width - right + 0.5 * line) / width, low / height,
                                   BAR * line / width, size / height])
            bar.yaxis.set_label_coords(BAR_LABEL, 0.5)
        panels.append(Panel(axes, bar, inner, size))
        high = low - space
    return figure, panels


def fit_margins(panels: Sequence[Panel], label_size: float) -> list[Panel]:
    """Put the labels of axes below each other, and widen the side margins where they need it.

    To be called when all is drawn but the labels of the time axis; return the panels anew.
    """
    figure = panels[0].axes.figure
    width, line = figure.get_size_inches()[0], label_size * LINE
    # All in inches, from the left side of the panels and from the right side of the bars.
    label = (max(_reach_of_numbers(panel.axes)[0] for panel in panels)
             + panels[0].axes.yaxis.labelpad / 72)
    thickness = max(panel.axes.yaxis.label.get_window_extent().width for panel in panels)
    left = max(0.0, label + thickness / figure.dpi + 0.3 * line
               - panels[0].axes.get_position().x0 * width)
    # Labels of bars stand centred at the same place; the numbers must end before them.
    right = max([0.0, *(_reach_of_numbers(panel.bar)[1] + BAR * line * (2 - BAR_LABEL)
                        for panel in panels if panel.bar)])
    inner = panels[0].width - left - right
    for panel in panels:
        box = panel.axes.get_position()
        panel.axes.set_position([box.x0 + left / width, box.y0, inner / width, box.height])
        panel.axes.yaxis.set_label_coords(-label / inner, 0.5)
        if panel.bar:
            box = panel.bar.get_position(original=True)
            panel.bar.set_position([box.x0 - right / width, box.y0, box.width, box.height])
            panel.bar.yaxis.set_label_coords(BAR_LABEL + right / width / box.width, 0.5)
    return [replace(panel, width=inner) for panel in panels]


def write_in(panel: Panel, words: str, points: float) -> None:
    """Write small words into the upper left corner of a panel."""
    panel.axes.annotate(words, (0, 1), xycoords="axes fraction", xytext=(3, -2),
                        textcoords="offset points", ha="left", va="top", fontsize=0.9 * points,
                        color="#444444", zorder=7,
                        bbox={"facecolor": "white", "linewidth": 0, "pad": 0.5})


def leave_out(bar: Axes) -> None:
    """Leave the place of a colour bar empty: a colour could stand for no value."""
    bar.set_yticks([])
    bar.set_axis_off()


def _side_margins(label_size: float, has_bars: bool) -> tuple[float, float]:
    """Return the left and the right margin in inches."""
    return 4.9 * label_size * LINE, (5.9 if has_bars else 1.2) * label_size * LINE


def _reach_of_numbers(axes: Axes) -> tuple[float, float]:
    """Return how far in inches the numbers of a vertical axis reach beyond its two sides."""
    low, high = sorted(axes.get_ylim())
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()
             if label.get_text() and low <= label.get_position()[1] <= high]
    return (max((axes.bbox.x0 - box.x0 for box in boxes), default=0.0) / axes.figure.dpi,
            max((box.x1 - axes.bbox.x1 for box in boxes), default=0.0) / axes.figure.dpi)


def save_figure(figure: Figure, path: str | os.PathLike, resolution: int) -> None:
    """Write a figure as png or pdf, by the suffix of `path`; the same figure gives the same bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    kind = str(path).rpartition(".")[2]
    with whole_file(path) as part:
        figure.savefig(part, format=kind, dpi=resolution, metadata=METADATA[kind], **(
            {"pil_kwargs": {"compress_level": PNG_COMPRESSION}} if kind == "png" else {}))
