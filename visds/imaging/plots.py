"""Quick-look pictures of images; with dynspec.plots the only place that draws."""

import io
import math

import numpy as np
from astropy.table import Table
from astropy.time import Time
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from visds.core.sky import Direction
from visds.imaging.image import Image

_DOTS = 110


def quick_look(image: Image, target: Direction, rms: float) -> bytes:
    """Return a PNG of an image: all of it, and 20 beams about the target, in mJy/beam.

    The colours of the first reach from -5 to 20 times the scatter of all its pixels (1.4826 times
    their median modulus), about zero over 10 times to both sides for Q, U, V and differences;
    those of the second over what is there. The target is marked by four strokes,
    the beam drawn in the corner. East is left.
    """
    figure = Figure(figsize=(12.6, 5.4), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    whole, near = figure.subplots(1, 2)
    half = image.geometry.size // 2
    if image.beam is not None:
        half = max(round(10 * image.beam.major / image.geometry.cell), 16)
    x, y = image.geometry.pixel(target)
    if not image.geometry.holds(target):
        x = y = image.geometry.size / 2
    signed = image.stokes != "I" or image.content.name.endswith("difference")
    scatter = 1.4826 * float(np.median(np.abs(image.values))) or 1.0
    _draw(figure, whole, image, 0, image.geometry.size, 0, image.geometry.size,
          (-10 * scatter, 10 * scatter) if signed else (-5 * scatter, 20 * scatter), signed)
    x0, y0 = (max(round(c) - half, 0) for c in (x, y))
    x1, y1 = (min(round(c) + half + 1, image.geometry.size) for c in (x, y))
    inside = image.values[y0:y1, x0:x1]
    largest = float(np.nanmax(np.abs(inside)))
    limits = (-largest, largest) if signed else (float(np.nanmin(inside)), largest)
    _draw(figure, near, image, x0, x1, y0, y1, limits, signed)
    place = _offset(image, x, y)
    for axes, gap in ((whole, image.geometry.size / 60), (near, half / 10)):
        _mark(axes, place, gap * image.geometry.cell * 3600)
    if image.beam is not None:
        corner = _offset(image, x0 + 0.12 * (x1 - x0), y0 + 0.12 * (y1 - y0))
        # A position angle is from the north (up) to the east (left).
        near.add_patch(Ellipse(corner, 3600 * image.beam.minor, 3600 * image.beam.major,
                               angle=-image.beam.position_angle, facecolor="none",
                               edgecolor="black" if signed else "white"))
    content = image.content
    figure.suptitle(
        f"{image.meta.get('OBJECT', '')}  {content.name}  Stokes {image.stokes}  "
        f"{content.frequency / 1e6:.5g} MHz  {content.exposure:.5g} s  "
        f"rms {1e3 * rms:.3g} mJy/beam",
        fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def light_curves(curves: dict[str, Table]) -> bytes:
    """Return a PNG of flux densities from snapshots and from visibilities, by polarization.

    Columns of the tables: `time` (MJD UTC), `image`, `visibility` and their errors `..._error`, Jy.
    """
    figure = Figure(figsize=(9, 1.2 + 2.4 * len(curves)), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    day = int(min(float(np.min(table["time"])) for table in curves.values()))
    for axes, (name, table) in zip(panels, curves.items(), strict=True):
        hours = 24 * (np.asarray(table["time"]) - day)
        shift = 0.004 * max(float(np.ptp(hours)), 0.01)
        for column, place, marker in (("visibility", hours - shift, "o"),
                                      ("image", hours + shift, "s")):
            axes.errorbar(place, 1e3 * table[column], 1e3 * table[f"{column}_error"],
                          fmt=marker, ms=4, capsize=2, lw=1, label={
                              "visibility": "from visibilities", "image": "from images"}[column])
        axes.axhline(0, color="0.7", lw=0.8, zorder=0)
        axes.set_ylabel(f"Stokes {name} at the target (mJy)")
    panels[0].legend(ncols=2, fontsize=8)
    date = Time(day, format="mjd", scale="tai").strftime("%Y-%m-%d")
    panels[-1].set_xlabel(f"UTC (hours from {date} 00:00)")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw(figure: Figure, axes, image: Image, x0: int, x1: int, y0: int, y1: int,
          limits: tuple[float, float], signed: bool) -> None:
    first, last = _offset(image, x0 - 0.5, y0 - 0.5), _offset(image, x1 - 0.5, y1 - 0.5)
    shown = axes.imshow(
        1e3 * image.values[y0:y1, x0:x1], origin="lower", interpolation="nearest",
        extent=(first[0], last[0], first[1], last[1]), aspect="equal",
        cmap="RdBu_r" if signed else "inferno", vmin=1e3 * limits[0], vmax=1e3 * limits[1])
    figure.colorbar(shown, ax=axes, label="mJy/beam", shrink=0.9, extend="both")
    axes.set_xlabel("l to the east of the image's centre (arcsec)")
    axes.set_ylabel("m to the north (arcsec)")


def _offset(image: Image, x: float, y: float) -> tuple[float, float]:
    """Return l and m of a pixel in arcsec."""
    step = 3600 * image.geometry.cell
    return (image.geometry.size / 2 - x) * step, (y - image.geometry.size / 2) * step


def _mark(axes, place: tuple[float, float], gap: float) -> None:
    for angle in (0, 90, 180, 270):
        sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
        axes.plot([place[0] + gap * cosine, place[0] + 2 * gap * cosine],
                  [place[1] + gap * sine, place[1] + 2 * gap * sine], color="tab:green", lw=1.2)
