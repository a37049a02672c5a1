"""Quick-look pictures of images; with dynspec.plots the only place that draws."""

import io
import itertools
import math

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle

from visds.core.flux_text import flux_text, flux_unit
from visds.core.sky import Direction
from visds.imaging.caption import (
    content_text,
    duration_text,
    span_text,
    utc,
)
from visds.imaging.image import Beam, Image

_DOTS = 110
_PANEL, _LEFT, _RIGHT, _BELOW, _ABOVE = 4.4, 0.95, 1.15, 0.6, 0.8
"""Side of a square panel of an image and what is around it, inches."""
_NEAR_BEAMS = 20
_ALL_OF_IT = 0.8
"""An area about the target of so much of the image's width is not drawn beside it."""
_KINDS = {"difference": "difference of dirty images", "residual": "residual of clean",
          "model": "model of clean"}
_MOST_PIXELS = 512
_ANGLES = (1.0, "deg"), (1 / 60, "arcmin"), (1 / 3600, "arcsec"), (1 / 3.6e6, "mas")
_MOST_LABELS = 9
_GAP = 2.0
"""Width of a shortened gap between snapshots, in usual spacings of them."""


def quick_look(image: Image, target: Direction, rms: float, *, mark: str = "target") -> bytes:
    """Return a PNG of an image, as `image_figure` draws it."""
    return _png(image_figure(image, target, rms, mark=mark))


def image_figure(image: Image, target: Direction, rms: float, *, mark: str = "target") -> Figure:
    """Return a picture of an image: all of it, and 20 beams about the target.

    The colours of the first reach from -5 to 20 times the scatter of all its pixels (1.4826 times
    their median modulus), about zero over 10 times to both sides for Q, U, V, differences and
    where the strongest is negative; but not beyond the brightest. Those of the second reach over
    what is there. A small image is drawn once, as the second. The target is marked by four
    strokes, whose meaning is `mark` in the title, and the beam drawn on a white patch. East is
    left. Units follow the values. What is too large is drawn in blocks of pixels: of each the
    strongest.
    """
    size = image.geometry.size
    half = size // 2
    if image.beam is not None:
        half = max(round(_NEAR_BEAMS / 2 * image.beam.major / image.geometry.cell), 16)
    is_inside = image.geometry.holds(target)
    x, y = image.geometry.pixel(target) if is_inside else (size / 2, size / 2)
    x0, y0 = (max(round(c) - half, 0) for c in (x, y))
    x1, y1 = (min(round(c) + half + 1, size) for c in (x, y))
    whole = (0, size, 0, size)
    near = (x0, x1, y0, y1)
    beside = min(x1 - x0, y1 - y0) < _ALL_OF_IT * size
    figure, panels = _image_panels(2 if beside else 1)
    where = f"{mark} (strokes) at {target}" if is_inside else \
        f"the {mark}, {target}, is outside"
    if beside:
        scatter = 1.4826 * float(np.nanmedian(np.abs(image.values))) or math.inf
        units = [_draw(*panels[0], image, whole, (5 * scatter, 20 * scatter, 10 * scatter)),
                 _draw(*panels[1], image, near, (math.inf,) * 3)]
        side = _blocks(image.values)
        drawn = f", the strongest of {side} x {side} pixels" if side > 1 else ""
        panels[0][0].set_title(f"all of the image{drawn}, about {image.geometry.centre} ICRS",
                               fontsize=9)
        panels[1][0].set_title(f"{_NEAR_BEAMS} beams about the {where}" if is_inside
                               else f"its middle; {where}", fontsize=9)
    else:
        units = [_draw(*panels[0], image, whole, (math.inf,) * 3)]
        panels[0][0].set_title(where, fontsize=9)
    for (axes, _), unit, share in zip(panels, units, (60, 20) if beside else (20,), strict=True):
        left, right = axes.get_xlim()
        if is_inside:
            _mark(axes, _offset(image, x, y, unit), (left - right) / share)
        if image.beam is not None:
            _draw_beam(axes, image.beam, unit)
    _set_title(figure, _title(image, rms, mark == "target"))
    return figure


def light_curves(curves: dict[str, Table], *, title: str = "", apparent: bool = False) -> bytes:
    """Return a PNG of light curves, as `light_curve_figure` draws it."""
    return _png(light_curve_figure(curves, title=title, apparent=apparent))


def light_curve_figure(curves: dict[str, Table], *, title: str = "",
                       apparent: bool = False) -> Figure:
    """Return a picture of flux densities from snapshots and from visibilities, by polarization.

    Both are drawn at the middle of the snapshot: the former as open squares, the latter as points.
    Gaps longer than usual between snapshots are shortened and dotted.

    Parameters
    ----------
    curves : dict of Table
        By Stokes parameter; columns `time` (MJD UTC), `image`, `visibility` and their errors
        `..._error`, Jy.
    title : str
        What was observed, where, in which band.
    apparent : bool
        Whether the flux densities are not corrected for the primary beam: the axes say so.
    """
    figure = _figure(9, 1.4 + 2.4 * len(curves), layout="constrained")
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    time = np.unique(np.concatenate([np.asarray(table["time"]) for table in curves.values()]))
    places, gaps = _shortened(time)
    for axes, (name, table) in zip(panels, curves.items(), strict=True):
        columns = np.array([table["visibility"], table["image"]], float)
        errors = np.array([table["visibility_error"], table["image_error"]], float)
        reach = np.abs(columns) + np.nan_to_num(errors)
        unit, scale = flux_unit(float(np.nanmax(reach)) if np.isfinite(reach).any() else 0.0)
        at = np.interp(table["time"], time, places)
        for k, (label, style) in enumerate((
                ("from visibilities (error: scatter of the spectrum)",
                 {"fmt": "o", "ms": 4, "capsize": 4, "color": "tab:blue"}),
                ("from images (error: rms of the image)",
                 {"fmt": "s", "ms": 8, "mfc": "none", "capsize": 2, "color": "tab:orange",
                  "elinewidth": 2.5, "alpha": 0.7}))):
            axes.errorbar(at, columns[k] / scale, errors[k] / scale, label=label, zorder=3 - k,
                          **{"lw": 1, **style})
        low, high = axes.get_ylim()
        if low < 0 < high:
            axes.axhline(0, color="0.7", lw=0.8, zorder=0)
        axes.ticklabel_format(axis="y", useOffset=False)
        for place in gaps:
            axes.axvline(place, color="0.7", lw=0.8, ls=":", zorder=0)
        axes.set_ylabel(f"Stokes {name}{', apparent' if apparent else ''} ({_greek(unit)})")
    panels[0].legend(ncols=2, fontsize=8)
    _label_times(panels[-1], time, places)
    if title:
        _set_title(figure, [title])
    return figure


def _figure(width: float, height: float, layout: str | None = None) -> Figure:
    figure = Figure(figsize=(width, height), dpi=_DOTS, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def _image_panels(number: int) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Return a figure of square panels side by side, and each with the axes of its colour bar.

    All is of the same size in all of them: matplotlib's layouts take as long as the drawing.
    """
    step = _LEFT + _PANEL + _RIGHT
    width, height = number * step, _BELOW + _PANEL + _ABOVE
    figure = _figure(width, height)
    panels = [tuple(figure.add_axes(((k * step + left) / width, (_BELOW + below) / height,
                                     wide / width, high / height))
                    for left, below, wide, high in (
                        (_LEFT, 0.0, _PANEL, _PANEL),
                        (_LEFT + _PANEL + 0.15, 0.05 * _PANEL, 0.2, 0.9 * _PANEL)))
              for k in range(number)]
    return figure, panels


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _set_title(figure: Figure, lines: list[str]) -> None:
    """Write a title, in smaller letters where it is wide."""
    points = 0.95 * 72 * figure.get_figwidth() / (0.54 * max(map(len, lines)))
    figure.suptitle("\n".join(lines), fontsize=min(10, points))


def _title(image: Image, rms: float, is_of_target: bool) -> list[str]:
    content, meta = image.content, image.meta
    kind = _KINDS.get(image.kind, image.kind)
    if meta.get("SUBTRACT", "none") != "none":
        kind += ", sky model subtracted"
    band = max(content.band_high - content.band_low, 0.0) / 1e6
    what = "rms without the source at the target" if is_of_target else "rms"
    noise = f"{what} {_greek(flux_text(rms))}/beam" if math.isfinite(rms) else "rms not known"
    return [" · ".join(filter(None, (
        meta.get("OBJECT", ""), content_text(content.name), f"Stokes {image.stokes}",
        f"{content.frequency / 1e6:.5g} MHz ({_digits(band)} MHz wide)", kind))),
        f"{span_text(content)} · exposure {duration_text(content.exposure)} · {noise}"]


def _greek(text: str) -> str:
    return text.replace("uJy", "µJy")


def _digits(value: float) -> str:
    """Return a number to three digits, or as a whole number where that has more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _draw(axes: Axes, colour_bar: Axes, image: Image, area: tuple[int, int, int, int],
          reach: tuple[float, float, float]) -> float:
    """Draw a part of an image and return the unit of its axes, deg.

    `reach` is how far colours go at most, Jy: below and above zero, and to both sides where they
    are those of either sign.
    """
    x0, x1, y0, y1 = area
    values = image.values[y0:y1, x0:x1]
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    largest = max(-lowest, highest)
    if image.stokes != "I" or image.kind == "difference" or -lowest > highest:
        colours, high = "RdBu_r", min(reach[2], largest)
        low = -high
    else:
        colours, low, high = "inferno", max(-reach[0], lowest), min(reach[1], highest)
    unit, scale = flux_unit(max(-low, high))
    angle, angle_name = _angle_unit((x1 - x0) * image.geometry.cell)
    first, last = (_offset(image, x - 0.5, y - 0.5, angle) for x, y in ((x0, y0), (x1, y1)))
    blocks = _blocks(values)
    drawn = _strongest(values, blocks)
    end = _offset(image, x0 - 0.5 + blocks * drawn.shape[1],
                  y0 - 0.5 + blocks * drawn.shape[0], angle)
    shown = axes.imshow(
        drawn / scale, origin="lower", interpolation="nearest",
        extent=(first[0], end[0], first[1], end[1]), aspect="equal",
        cmap=colours, vmin=low / scale, vmax=high / scale)
    axes.set_xlim(first[0], last[0])
    axes.set_ylim(first[1], last[1])
    beyond = {(False, False): "neither", (True, False): "min", (False, True): "max",
              (True, True): "both"}[lowest < low, highest > high]
    per = "pixel" if image.kind == "model" else "beam"
    axes.figure.colorbar(shown, cax=colour_bar, label=f"{_greek(unit)}/{per}", extend=beyond)
    axes.set_xlabel(f"l to the east of the image's centre ({angle_name})")
    axes.set_ylabel(f"m to the north ({angle_name})")
    return angle


def _angle_unit(width: float) -> tuple[float, str]:
    """Return the unit (deg) that suits the axes of a panel of some width (deg), and its name."""
    return next((unit, name) for unit, name in _ANGLES if width >= 10 * unit or name == "mas")


def _blocks(values: np.ndarray) -> int:
    """Return the side of the blocks of pixels of which one is drawn."""
    return -(-max(values.shape) // _MOST_PIXELS)


def _strongest(values: np.ndarray, side: int) -> np.ndarray:
    """Return the pixel of largest modulus in each block of `side` x `side`, with its sign.

    What is drawn smaller than it is would lose point sources if pixels were left out or averaged.
    """
    if side == 1:
        return values
    rows, columns = (-(-length // side) for length in values.shape)
    padded = np.zeros((rows * side, columns * side), values.dtype)
    padded[:values.shape[0], :values.shape[1]] = values
    blocks = padded.reshape(rows, side, columns, side)
    highest, lowest = (most.reduce(blocks, axis=(1, 3)) for most in (np.fmax, np.fmin))
    return np.where(highest >= -lowest, highest, lowest)


def _draw_beam(axes, beam: Beam, unit: float) -> None:
    """Draw the beam on a white patch in the lower left corner, as far as it is not too long."""
    minor, major = beam.minor / unit, beam.major / unit
    (left, right), low = axes.get_xlim(), axes.get_ylim()[0]
    side = min(max(1.4 * major, 0.05 * (left - right)), 0.18 * (left - right))
    edge = 0.015 * (left - right)
    corner = left - edge - side, low + edge
    patch = axes.add_patch(Rectangle(corner, side, side, facecolor="white", edgecolor="0.4",
                                     lw=0.6))
    # A position angle is from the north (up) to the east (left).
    axes.add_patch(Ellipse((corner[0] + side / 2, corner[1] + side / 2), minor, major,
                           angle=-beam.position_angle, facecolor="0.3",
                           edgecolor="black")).set_clip_path(patch)


def _offset(image: Image, x: float, y: float, unit: float) -> tuple[float, float]:
    """Return l and m of a pixel in a unit (deg)."""
    step = image.geometry.cell / unit
    return (image.geometry.size / 2 - x) * step, (y - image.geometry.size / 2) * step


def _mark(axes, place: tuple[float, float], gap: float) -> None:
    for angle in (0, 90, 180, 270):
        sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        axes.plot([place[0] + gap * cosine, place[0] + 2 * gap * cosine],
                  [place[1] + gap * sine, place[1] + 2 * gap * sine], color="tab:green", lw=1.4,
                  scalex=False, scaley=False)


def _shortened(time: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Return the places of times (T, d) along an axis, long gaps shortened, and where those are."""
    if len(time) < 2:
        return np.zeros(len(time)), []
    step = np.diff(time)
    usual = float(np.median(step))
    is_long = step > 1.5 * _GAP * usual
    width = np.where(is_long, _GAP * usual, step)
    places = np.concatenate([[0.0], np.cumsum(width)]) / usual
    return places, [float(places[k] + width[k] / usual / 2) for k in np.flatnonzero(is_long)]


def _label_times(axes, time: np.ndarray, places: np.ndarray) -> None:
    """Label snapshots with their times, those at the beginning of a run first."""
    spacing = np.diff(places, prepend=-math.inf)
    room = max(float(np.ptp(places)) / _MOST_LABELS, 1e-6)
    labelled: list[int] = []
    for k in sorted(range(len(time)), key=lambda k: (spacing[k] <= 1.5, k)):
        if all(abs(places[k] - places[other]) >= room for other in labelled):
            labelled.append(k)
    labelled.sort()
    moments = [utc(float(time[k])) for k in labelled]
    days = [True, *(a.date() != b.date() for a, b in itertools.pairwise(moments))]
    several = sum(days) > 1
    axes.set_xticks(places[labelled], [
        f"{moment:%H:%M:%S}" + (f"\n{moment:%Y-%m-%d}" if several and is_new else "")
        for moment, is_new in zip(moments, days, strict=True)])
    axes.set_xticks(places, minor=True)
    axes.set_xlabel("Middle of the snapshot, UTC" if several
                    else f"Middle of the snapshot, UTC on {moments[0]:%Y-%m-%d}")
