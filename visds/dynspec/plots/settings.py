"""How pictures look: the settings of all drawing."""

import dataclasses
import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from visds.core.errors import SettingsError
from visds.core.quantities import bare_number, time_bin
from visds.core.settings import setting, stage_settings
from visds.dynspec.plots.levels import SYNTAX as LEVEL_SYNTAX
from visds.dynspec.plots.levels import Level, level
from visds.dynspec.plots.quantity import SYNTAX as QUANTITY_SYNTAX
from visds.dynspec.plots.quantity import asked_range, base_unit, parts_of, quantity, usual_curves
from visds.dynspec.universal_time import SYNTAX as TIME_SYNTAX
from visds.dynspec.universal_time import UniversalTime, universal_time
from visds.dynspec.variability.settings import MEASURES

WIDTHS = {"single": 3.5, "double": 7.0}
OTHER_PLOTS = ("lightcurve", "overview", "faraday", *MEASURES)


def _plot(text: str) -> str:
    if text in OTHER_PLOTS:
        return text
    try:
        return quantity(text).name
    except SettingsError:
        near = difflib.get_close_matches(text, OTHER_PLOTS, n=1)
        raise SettingsError(f"'{text}' is not a plot, which is {QUANTITY_SYNTAX}, "
                            f"{' or '.join(OTHER_PLOTS)}"
                            + (f"; did you mean '{near[0]}'?" if near else "")) from None


def _width(text: Any) -> float:
    if text in WIDTHS:
        return WIDTHS[text]
    return _between(text, 2.0, 40.0, "a width in inches from 2 to 40, or single or double")


def _positive(text: Any) -> float:
    return _between(text, math.ulp(0.0), math.inf, "a number above zero")


def _resolution(text: Any) -> int:
    return int(_between(text, 30, 1200, "pixels per inch from 30 to 1200"))


def _level(text: Any) -> Level:
    found = level(text)
    if found.name is None:
        return found
    of = quantity(found.name)
    if of.kind == "fraction" and abs(found.value) > 1 and not found.unit:
        raise SettingsError(f"'{text}' is {100 * found.value:g} %, and a fraction is at most "
                            f"100 %: written {of.name}=80% or {of.name}=0.8")
    return dataclasses.replace(found, name=of.name)


def _label_size(text: Any) -> float:
    return _between(text, 3, 30, "a size in points from 3 to 30")


def _rotation(text: Any) -> float:
    return _between(text, -90, 90, "an angle from -90 to 90 degrees")


def _between(text: Any, low: float, high: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high or not math.isfinite(value):
        raise SettingsError(f"'{text}' is not {expected}")
    return value


def _colour_map(text: str) -> str:
    import matplotlib  # not needed to read any other option

    if text not in matplotlib.colormaps:
        near = difflib.get_close_matches(text, list(matplotlib.colormaps), n=1)
        raise SettingsError(f"'{text}' is not a matplotlib colour map"
                            + (f"; did you mean '{near[0]}'?" if near else ""))
    return text


def _curve(text: str) -> str:
    found = quantity(text)
    if found.kind != "flux":
        raise SettingsError(f"'{text}' is not a polarization (I, Q, U, V, L, RR, LL, XX, YY)")
    return found.name


def _tag(text: str) -> str:
    if "/" in text or not text.strip():
        raise SettingsError(f"'{text}' cannot be a part of a file name")
    return text


@bare_number("a count of integrations")
def _curve_bin(text: str) -> Any:
    return text if text in ("auto", "none") else time_bin(text)


@dataclass(frozen=True)
class PlotSettings:
    """How dynamic spectra and light curves are drawn."""

    plots: tuple[str, ...] = setting(
        None, f"pictures to draw: {QUANTITY_SYNTAX}, {', '.join(OTHER_PLOTS)} (default: I, V, V/I, "
        "lightcurve and overview, as far as the data hold them, and what --variability asks for)",
        parse=_plot, many=True, metavar="PLOT")
    picture_format: tuple[str, ...] = setting(
        ("png",), "files to write for each picture", many=True, choices=("png", "pdf"))
    picture_width: float = setting(
        "double", "width in inches, or single (3.5) or double (7): the columns of a journal",
        parse=_width, metavar="INCHES")
    picture_height: float | None = setting(
        None, "height in inches instead of the usual one", parse=_positive, metavar="INCHES")
    picture_resolution: int = setting(
        "200", "pixels per inch", parse=_resolution, metavar="DPI")
    label_size: float | None = setting(
        None, "size of the letters in points (default: 8, or 7 in a picture narrower than 5 "
        "inches)", parse=_label_size, metavar="POINTS")
    tick_rotation: float = setting(
        "0", "angle of the labels on the time axis in degrees", parse=_rotation,
        metavar="DEGREES")
    plot_title: str | None = setting(
        None, "text above the picture instead of target, telescope and band")
    plot_tag: str | None = setting(None, "text to append to the names of the files", parse=_tag)
    flux_unit: str = setting(
        "auto", "unit of flux density; K is brightness temperature",
        choices=("auto", "Jy", "mJy", "uJy", "K"))
    stellar_radius: float | None = setting(
        None, "radius of the star in solar radii, for brightness temperature", parse=_positive,
        metavar="RADIUS")
    stellar_distance: float | None = setting(
        None, "distance of the star in pc, for brightness temperature", parse=_positive,
        metavar="PC")
    time_axis: str = setting(
        "ut", "UTC, time since the first integration, or TDB at the barycentre",
        choices=("ut", "elapsed", "barycentre"))
    time_unit: str = setting(
        "auto", "unit of elapsed time", choices=("auto", "s", "min", "h", "d"))
    gaps: str = setting(
        "compressed", "gaps between scans shortened and marked, or drawn to scale",
        choices=("compressed", "scale"))
    frequency_gaps: str = setting(
        "compressed", "gaps between channels wider than a tenth of the bandwidth shortened and "
        "marked, or all drawn to scale", choices=("compressed", "scale"))
    scan_edges: str = setting(
        "scans", "which edges to mark and number: scans, every gap in the data too, or none",
        choices=("scans", "gaps", "none"))
    colour_scale: str = setting(
        "linear", "how colour follows the value; signed quantities are symmetric in all of them",
        choices=("linear", "power", "log"))
    colour_power: float = setting(
        "0.5", "exponent of the power scale", parse=_positive, metavar="EXPONENT")
    colour_limit: tuple[Level, ...] = setting(
        None, f"upper end of the colour scale (default: from percentiles), e.g. {LEVEL_SYNTAX}",
        parse=_level, many=True, metavar="LEVEL")
    colour_map: str | None = setting(
        None, "matplotlib colour map instead of the colour-blind-safe default",
        parse=_colour_map, metavar="NAME")
    interpolation: str = setting(
        "none", "interpolation of the picture between cells; none shows the cells",
        choices=("none", "bilinear", "bicubic", "gaussian"))
    invert_v: bool = setting(False, "draw negative V upwards, in light curve and colour bar")
    mask_angles_below: float = setting(
        "3", "signal to noise of L below which pictures of PA, and of sqrt(L^2 + V^2) below which "
        "those of the ellipticity, show no value", parse=_positive, metavar="SNR")
    largest_depth: float | None = setting(
        None, "ends of the axis of Faraday depth in rad/m2 (default: as far as the widest channel "
        "tells)", parse=_positive, metavar="DEPTH")
    rm_clean: bool = setting(
        False, "draw the Faraday spectrum cleaned by RM-Tools too, which must be installed "
        "(pip install visds[rm])")
    curves: tuple[str, ...] = setting(
        None, "polarizations of the light curve (default: I and V, as far as the data hold them)",
        parse=_curve, many=True, metavar="POL")
    curve_bin: Any = setting(
        "auto", "bin of the light curve: auto (where there are more than 40 points an inch of the "
        "picture, or the S/N of points is below 3 and no flare would be smeared), none, or a "
        "width such as 30s; a bin holds whole integrations, those centred in it",
        parse=_curve_bin, metavar="BIN")
    flux_range: tuple[Level, ...] = setting(
        None, "lower and upper end of the flux axis of light curves, e.g. 2.4Jy 2.6Jy (all "
        "curves) or V=-3mJy V=3mJy (default: from the data)", parse=_level, many=True,
        metavar="LEVEL")
    colour_by_polarization: bool = setting(False, "colour the light curve of I by V/I")
    mark_time: tuple[UniversalTime, ...] = setting(
        None, f"draw vertical lines at these times in UTC, e.g. {TIME_SYNTAX}",
        parse=universal_time, many=True, metavar="TIME")
    mark_flux: tuple[Level, ...] = setting(
        None, "draw horizontal lines at these flux densities in the light curve, e.g. 5mJy (in "
        "all curves) or V=-3mJy", parse=_level, many=True, metavar="LEVEL")
    mark_detections: bool = setting(
        True, "outline and number the detections, each in the pictures and the light curve of the "
        "polarization in which it has the highest signal to noise (V: in V/I too)")

    @property
    def points(self) -> float:
        """Size of the letters in points."""
        return self.label_size or (7.0 if self.is_narrow else 8.0)

    @property
    def is_narrow(self) -> bool:
        """Whether the picture is narrower than 5 inches, as the single column of a journal is."""
        return self.picture_width < 5


def plot_settings(**written: Any) -> PlotSettings:
    """Return settings from values as a user writes them, e.g. ``colour_limit="V=5mJy"``.

    Raises
    ------
    SettingsError
        For an unknown option (the nearest is named) or an unusable value.
    """
    return stage_settings(PlotSettings, "drawing", written)


def check_pictures(settings: PlotSettings, polarizations: Sequence[str],
                   parallel_hands: Sequence[str]) -> None:
    """Raise SettingsError for what pictures of these polarizations could not be drawn with.

    Known before there are any data: polarizations that will not be there, flux densities in units
    or of ends that do not fit.
    """
    held = (*polarizations, *parallel_hands)
    for option, names in (("--plots", settings.plots), ("--curves", settings.curves)):
        for name in names or ():
            needed = ("Q", "U") if name == "faraday" else (
                () if name in OTHER_PLOTS else parts_of(quantity(name).polarization))
            for part in needed:
                if part not in held:
                    raise SettingsError(f"{option}: '{name}' needs {part}; there will be "
                                        f"{', '.join(held)}")
    plots = settings.plots or OTHER_PLOTS
    curves = [quantity(name) for name in settings.curves or usual_curves(polarizations)]
    has_curves = any(name in ("lightcurve", "overview") for name in plots)
    pictures = [quantity(name) for name in plots if name not in OTHER_PLOTS]
    for one in pictures + curves * has_curves:
        unit = base_unit(one, flux_unit=settings.flux_unit, frequency=1e9,
                         radius_solar=settings.stellar_radius,
                         distance_pc=settings.stellar_distance)
        if has_curves and one in curves:
            asked_range(one, unit, settings.flux_range)
            for mark in settings.mark_flux:
                if mark.name in (None, one.name):
                    unit.convert(mark, "--mark-flux")
