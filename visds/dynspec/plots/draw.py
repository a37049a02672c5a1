"""Pictures of dynamic spectra and light curves, from products alone."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from visds.core.errors import SettingsError
from visds.core.files import make_folder
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve
from visds.dynspec.plots.cells import column_length
from visds.dynspec.plots.curve_band import CurveBand
from visds.dynspec.plots.dynamic_spectrum import draw_dynamic_spectrum
from visds.dynspec.plots.figure import (
    LEGEND,
    LINE,
    Panel,
    fit_margins,
    inner_width,
    picture_style,
    save_figure,
    stacked_panels,
)
from visds.dynspec.plots.frequency_axis import frequency_unit
from visds.dynspec.plots.light_curve import draw_light_curve, draw_single_integration, has_bar
from visds.dynspec.plots.marks import extra_lines, label_times
from visds.dynspec.plots.pictured import Pictured, overview_pictures, time_axis
from visds.dynspec.plots.quantity import Quantity, check_held, quantity, usual_curves
from visds.dynspec.plots.settings import OTHER_PLOTS, PlotSettings, plot_settings
from visds.dynspec.plots.time_axis import TimeAxis


def plot_figure(spectrum: DynamicSpectrum, plot: str = "I", *, detections: Table | None = None,
                **options: Any) -> Figure:
    """Return the figure of a plot of a dynamic spectrum; see `DynamicSpectrum.plot`."""
    name = plot if plot in OTHER_PLOTS else quantity(plot).name
    settings = plot_settings(**options)
    return _figure(picture(spectrum, (name,), settings), name, settings, detections)


def curve_figure(light_curve: LightCurve, *, detections: Table | None = None,
                 **options: Any) -> Figure:
    """Return the figure of a light curve; see `LightCurve.plot`."""
    settings = plot_settings(**{"curve_bin": "none"} | options)
    if settings.curve_bin != "none":
        raise SettingsError("curve_bin: a light curve holds no sums that could be binned; rebin "
                            "its dynamic spectrum")
    if not len(light_curve.time):
        raise SettingsError("the light curve has no integration to draw")
    band = CurveBand(light_curve)
    with picture_style(settings.points):
        return _curves_figure(band, _curves(band, settings), settings, detections,
                              [_band_text(*light_curve.band)])


def available_plots(spectrum: DynamicSpectrum) -> tuple[str, ...]:
    """Return the usual plots that a spectrum can give: I, V, V/I, lightcurve and overview."""
    plots = [one.name for one in overview_pictures(spectrum.polarizations)]
    plots.append("lightcurve")
    if len(spectrum.time) > 1 and len(spectrum.frequency) > 1:
        plots.append("overview")
    return tuple(plots)


def draw_products(spectrum: DynamicSpectrum, detections: Table | None, settings: PlotSettings,
                  folder: str | os.PathLike) -> list[Path]:
    """Draw the plots that the settings ask for into a folder; return the files, in that order.

    The folder is made if it is missing. The same spectrum gives the same bytes on every run.

    Raises
    ------
    SettingsError
        If the spectrum does not hold what a plot needs.
    OutputError
        If a file cannot be written.
    """
    plots = tuple(dict.fromkeys(settings.plots or available_plots(spectrum)))
    pictured = picture(spectrum, plots, settings)
    return [path for plot in plots
            for path in draw_plot(pictured, plot, detections, settings, folder)]


def picture(spectrum: DynamicSpectrum, plots: Sequence[str], settings: PlotSettings) -> Pictured:
    """Return what `draw_plot` needs of a spectrum for some plots, summed once for all of them.

    Raises
    ------
    SettingsError
        If the spectrum does not hold what a plot needs, or is empty.
    """
    if not spectrum.flags.size:
        raise SettingsError("the dynamic spectrum has no integration or no channel to draw")
    shown = [quantity(plot) for plot in plots if plot not in OTHER_PLOTS]
    for one in shown:
        check_held(one.name, one.polarization, spectrum)
    if "overview" in plots:
        shown += overview_pictures(spectrum.polarizations)
    return Pictured.of(spectrum, shown, settings)


def integrations_in_column(spectrum: DynamicSpectrum, settings: PlotSettings) -> int:
    """Return how many integrations pictures of a spectrum sum, where they are finer than pixels."""
    return column_length(spectrum, time_axis(spectrum, settings),
                         width=inner_width(settings.picture_width, settings.points),
                         resolution=settings.picture_resolution)


def draw_plot(pictured: Pictured, plot: str, detections: Table | None, settings: PlotSettings,
              folder: str | os.PathLike) -> list[Path]:
    """Draw one of the plots of `picture` into a folder, which is made if it is missing.

    Return its files, one for each format. Errors as `draw_products`.
    """
    figure = _figure(pictured, plot, settings, detections)
    stem = plot if plot in OTHER_PLOTS else quantity(plot).file_name
    tag = f"_{settings.plot_tag}" if settings.plot_tag else ""
    paths = [make_folder(folder) / f"{stem}{tag}.{kind}" for kind in settings.picture_format]
    for path in paths:
        with picture_style(settings.points):
            save_figure(figure, path, settings.picture_resolution)
    return paths


def _figure(pictured: Pictured, plot: str, settings: PlotSettings,
            detections: Table | None) -> Figure:
    band, channels = pictured.band, len(pictured.columns.frequency)
    if plot == "overview" and len(band.time) == 1:
        raise SettingsError("an overview needs more than one integration")
    with picture_style(settings.points):
        if plot == "lightcurve" or (channels == 1 and len(band.time) > 1):
            drawn = _curves(band, settings) if plot in OTHER_PLOTS else [quantity(plot)]
            return _curves_figure(band, drawn, settings, detections, _title(pictured.columns))
        if plot == "overview":
            return _overview_figure(pictured, settings, detections)
        return _spectrum_figure(pictured, quantity(plot), settings, detections)


def _spectrum_figure(pictured: Pictured, drawn: Quantity, settings: PlotSettings,
                     detections: Table | None) -> Figure:
    spectrum = pictured.columns
    height = settings.picture_height or (2.5 if settings.is_narrow else 3.1)
    if len(pictured.band.time) == 1:
        figure, panels = _panels(settings, [1.0], height, None, has_bars=[False])
        draw_single_integration(panels[0], spectrum, drawn, settings)
        panels = fit_margins(panels, settings.points)
        _write_title(figure, panels[0], _title(spectrum), settings, [])
        return figure
    axis = time_axis(pictured.band, settings)
    column = integrations_in_column(pictured.band, settings)
    figure, panels = _panels(settings, [1.0], height, axis, has_bars=[True], column_length=column)
    legend = draw_dynamic_spectrum(panels[0], spectrum, drawn, axis, settings, detections)
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, column_length=column)
    _write_title(figure, panels[0], _title(spectrum), settings, legend)
    return figure


def _curves_figure(band: DynamicSpectrum | CurveBand, drawn: list[Quantity],
                   settings: PlotSettings, detections: Table | None, title: list[str]) -> Figure:
    each = 1.2 if settings.is_narrow else 1.5
    height = settings.picture_height or each * (len(drawn) + 0.35)
    axis = time_axis(band, settings)
    figure, panels = _panels(settings, [1.0] * len(drawn), height, axis, has_bars=[
        has_bar(one, band.polarizations, settings) for one in drawn])
    legend = []
    for number, (panel, one) in enumerate(zip(panels, drawn, strict=True)):
        legend += draw_light_curve(panel, band, one, axis, settings, detections,
                                   is_top=number == 0)
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, has_points=True)
    _write_title(figure, panels[0], title, settings, legend)
    return figure


def _overview_figure(pictured: Pictured, settings: PlotSettings,
                     detections: Table | None) -> Figure:
    band = pictured.band
    curves = _curves(band, settings)
    pictures = overview_pictures(band.polarizations)
    parts = [1.5] * len(pictures) + [1.0] * len(curves)
    size = 0.8 if settings.is_narrow else 1.0
    height = settings.picture_height or size * (sum(parts) + 0.7)
    axis = time_axis(band, settings)
    column = integrations_in_column(band, settings)
    figure, panels = _panels(
        settings, parts, height, axis, column_length=column, has_bars=[True] * len(pictures) + [
            has_bar(one, band.polarizations, settings) for one in curves])
    legend = []
    for number, one in enumerate(pictures):
        legend += draw_dynamic_spectrum(panels[number], pictured.columns, one, axis, settings,
                                        detections, is_top=number == 0)
    for panel, one in zip(panels[len(pictures):], curves, strict=True):
        legend += draw_light_curve(panel, band, one, axis, settings, detections, is_top=False)
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, column_length=column)
    _write_title(figure, panels[0], _title(pictured.columns), settings, legend)
    return figure


def _curves(band: DynamicSpectrum | CurveBand, settings: PlotSettings) -> list[Quantity]:
    curves = [quantity(name) for name in settings.curves or usual_curves(band.polarizations)]
    for curve in curves:
        check_held("lightcurve", curve.polarization, band)
    return curves


def _panels(settings: PlotSettings, parts: list[float], height: float,
            axis: TimeAxis | None, *, has_bars: list[bool],
            column_length: int = 1) -> tuple[Figure, list[Panel]]:
    """Return a figure of the settings' width and `height` with panels in these proportions."""
    line = settings.points * LINE
    bottom = 2.9 + (1.0 if axis is not None and axis.spans_days else 0.0)
    bottom += 1.2 if column_length > 1 and settings.is_narrow else 0.0
    if axis is not None and settings.tick_rotation:
        bottom += extra_lines(axis, inner_width(settings.picture_width, settings.points,
                                                has_bars=any(has_bars)), settings)
    top, space = 2.6, 1.0 * line
    room = height - (bottom + top) * line - space * (len(parts) - 1)
    if room < 0.3 * len(parts):
        raise SettingsError(f"a picture of {settings.picture_width:g} x {height:g} inches has no "
                            f"room for {len(parts)} panels with letters of {settings.points:g} "
                            "points: give a larger --picture-height")
    return stacked_panels(settings.picture_width,
                          [room * part / sum(parts) for part in parts],
                          label_size=settings.points, bottom_lines=bottom, top_lines=top,
                          space=space, has_bars=has_bars)


def _write_title(figure: Figure, panel: Panel, words: Sequence[str], settings: PlotSettings,
                 legend: list[Patch]) -> None:
    """Write the title's words, or the user's, above the panel, and the legend at its right.

    Where there is no room for both, the legend is a column down to the panel, and the title loses
    what it says last.
    """
    line = settings.points * LINE
    width, height = figure.get_size_inches()
    box = panel.axes.get_position()
    above = box.y1 + 1.25 * line / height
    words = [settings.plot_title] if settings.plot_title else list(words)
    title = figure.text(box.x0, above, ", ".join(words), ha="left", va="bottom")
    handles = list({patch.get_label(): patch for patch in legend}.values())
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
    while len(words) > 1 and not has_room():
        words.pop()
        title.set_text(", ".join(words))


def _title(spectrum: DynamicSpectrum) -> list[str]:
    """Return target, telescope, band, and whether flux densities are corrected, if known."""
    words = [str(spectrum.meta[key]) for key in ("target", "telescope") if spectrum.meta.get(key)]
    low, high = (spectrum.frequency + sign * spectrum.channel_width / 2 for sign in (-1, 1))
    words.append(_band_text(low.min(), high.max()))
    return [*words, *["corrected for the primary beam"] * bool((spectrum.primary_beam != 1).any())]


def _band_text(low: float, high: float) -> str:
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


__all__ = ["PlotSettings", "available_plots", "curve_figure", "draw_plot", "draw_products",
           "integrations_in_column", "picture", "plot_figure", "plot_settings"]
