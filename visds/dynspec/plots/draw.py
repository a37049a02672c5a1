"""Pictures of dynamic spectra and light curves, from products alone."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure

from visds.core.errors import SettingsError
from visds.core.files import make_folder
from visds.core.settings import stage_settings
from visds.dynspec.cuts import CUT_OPTIONS, CutSettings, cut_cells
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve
from visds.dynspec.plots.cells import column_length
from visds.dynspec.plots.curve_band import CurveBand
from visds.dynspec.plots.dynamic_spectrum import draw_dynamic_spectrum
from visds.dynspec.plots.faraday import faraday_figure, faraday_spectra
from visds.dynspec.plots.figure import fit_margins, inner_width, picture_style, save_figure
from visds.dynspec.plots.layout import band_text, panels_of, title_words, write_title
from visds.dynspec.plots.light_curve import draw_light_curve, draw_single_integration, has_bar
from visds.dynspec.plots.marks import label_times
from visds.dynspec.plots.pictured import Pictured, overview_pictures, time_axis
from visds.dynspec.plots.quantity import Quantity, check_held, quantity, usual_curves
from visds.dynspec.plots.settings import OTHER_PLOTS, PlotSettings, plot_settings
from visds.dynspec.plots.variability import variability_figure
from visds.dynspec.variability.measure import measure
from visds.dynspec.variability.settings import (
    MEASURE_OPTIONS,
    MEASURES,
    VariabilitySettings,
    variability_settings,
)


def plot_figure(spectrum: DynamicSpectrum, plot: str = "I", *, detections: Table | None = None,
                **options: Any) -> Figure:
    """Return the figure of a plot of a dynamic spectrum; see `DynamicSpectrum.plot`."""
    name = plot if plot in OTHER_PLOTS else quantity(plot).name
    measured = {option: options.pop(option) for option in MEASURE_OPTIONS & options.keys()}
    cuts = {option: options.pop(option) for option in CUT_OPTIONS & options.keys()}
    if cuts:
        spectrum = cut_cells(spectrum, stage_settings(CutSettings, "the cuts", cuts))
    settings = plot_settings(**options)
    pictured = picture(spectrum, (name,), settings, detections, variability_settings(**measured))
    return _figure(pictured, name, settings, detections)


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
                              [band_text(*light_curve.band)])


def available_plots(spectrum: DynamicSpectrum) -> tuple[str, ...]:
    """Return the usual plots that a spectrum can give: I, V, V/I, lightcurve and overview."""
    plots = [one.name for one in overview_pictures(spectrum.polarizations)]
    plots.append("lightcurve")
    if len(spectrum.time) > 1 and len(spectrum.frequency) > 1:
        plots.append("overview")
    return tuple(plots)


def draw_products(spectrum: DynamicSpectrum, detections: Table | None, settings: PlotSettings,
                  folder: str | os.PathLike,
                  variability: VariabilitySettings | None = None) -> list[Path]:
    """Draw the plots that the settings ask for into a folder; return the files, in that order.

    Where the settings of drawing name no plot, those of `variability` may add some, as far as they
    can be measured. The folder is made if it is missing. The same spectrum gives the same bytes on
    every run.

    Raises
    ------
    SettingsError
        If the spectrum does not hold what a plot needs.
    OutputError
        If a file cannot be written.
    """
    variability = variability or VariabilitySettings()
    plots = tuple(dict.fromkeys(
        settings.plots or (*available_plots(spectrum), *variability.variability)))
    pictured = picture(spectrum, plots, settings, detections, variability)
    if not settings.plots and pictured.variability is not None:
        plots = tuple(plot for plot in plots if plot not in pictured.variability.notes)
    return [path for plot in plots
            for path in draw_plot(pictured, plot, detections, settings, folder)]


def picture(spectrum: DynamicSpectrum, plots: Sequence[str], settings: PlotSettings,
            detections: Table | None = None,
            variability: VariabilitySettings | None = None) -> Pictured:
    """Return what `draw_plot` needs of a spectrum for some plots, summed once for all of them.

    `detections` are for those that look at bursts apart from the rest (faraday); `variability` says
    how those that measure it do.

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
    pictured = Pictured.of(spectrum, shown, settings)
    if "faraday" in plots:
        found = tuple(faraday_spectra(spectrum, detections, settings))
        pictured = dataclasses.replace(pictured, faraday=found)
    measures = [plot for plot in plots if plot in MEASURES]
    if measures:
        found = measure(spectrum, variability or VariabilitySettings(), measures)
        pictured = dataclasses.replace(pictured, variability=found)
    return pictured


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
    stem = plot if plot in OTHER_PLOTS else quantity(plot).file_name
    return save_pictures(_figure(pictured, plot, settings, detections), folder, stem, settings)


def save_pictures(figure: Figure, folder: str | os.PathLike, stem: str,
                  settings: PlotSettings) -> list[Path]:
    """Write a figure into a folder, which is made if it is missing; return its files.

    One for each format that the settings ask for.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
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
        title = ", ".join(title_words(pictured.columns))
        if plot == "faraday":
            return faraday_figure(pictured.faraday, title, settings)
        if plot in MEASURES:
            labels = [curve.polarization for curve in _curves(band, settings)]
            return variability_figure(plot, pictured.variability, labels, band,
                                      title, settings)
        if plot == "lightcurve" or (channels == 1 and len(band.time) > 1):
            drawn = (_curves(band, settings) if plot in OTHER_PLOTS
                     else [quantity(plot, settings.mask_angles_below)])
            return _curves_figure(band, drawn, settings, detections, title_words(pictured.columns))
        if plot == "overview":
            return _overview_figure(pictured, settings, detections)
        return _spectrum_figure(pictured, quantity(plot, settings.mask_angles_below), settings,
                                detections)


def _spectrum_figure(pictured: Pictured, drawn: Quantity, settings: PlotSettings,
                     detections: Table | None) -> Figure:
    spectrum = pictured.columns
    height = settings.picture_height or (2.5 if settings.is_narrow else 3.1)
    if len(pictured.band.time) == 1:
        figure, panels = panels_of(settings, [1.0], height, None, has_bars=[False])
        legend = draw_single_integration(panels[0], spectrum, drawn, settings)
        panels = fit_margins(panels, settings.points)
        write_title(figure, panels[0], title_words(spectrum), settings, legend)
        return figure
    axis = time_axis(pictured.band, settings)
    column = integrations_in_column(pictured.band, settings)
    figure, panels = panels_of(settings, [1.0], height, axis, has_bars=[True], column_length=column)
    legend = draw_dynamic_spectrum(panels[0], spectrum, drawn, axis, settings, detections)
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, column_length=column)
    write_title(figure, panels[0], title_words(spectrum), settings, legend)
    return figure


def _curves_figure(band: DynamicSpectrum | CurveBand, drawn: list[Quantity],
                   settings: PlotSettings, detections: Table | None, title: list[str]) -> Figure:
    each = 1.2 if settings.is_narrow else 1.5
    height = settings.picture_height or each * (len(drawn) + 0.35)
    axis = time_axis(band, settings)
    figure, panels = panels_of(settings, [1.0] * len(drawn), height, axis, has_bars=[
        has_bar(one, band.polarizations, settings) for one in drawn])
    legend = []
    for number, (panel, one) in enumerate(zip(panels, drawn, strict=True)):
        legend += draw_light_curve(panel, band, one, axis, settings, detections,
                                   is_top=number == 0)
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, has_points=True)
    write_title(figure, panels[0], title, settings, legend)
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
    figure, panels = panels_of(
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
    write_title(figure, panels[0], title_words(pictured.columns), settings, legend)
    return figure


def _curves(band: DynamicSpectrum | CurveBand, settings: PlotSettings) -> list[Quantity]:
    curves = [quantity(name) for name in settings.curves or usual_curves(band.polarizations)]
    for curve in curves:
        check_held("lightcurve", curve.polarization, band)
    return curves


__all__ = ["PlotSettings", "available_plots", "curve_figure", "draw_plot", "draw_products",
           "integrations_in_column", "picture", "plot_figure", "plot_settings"]
