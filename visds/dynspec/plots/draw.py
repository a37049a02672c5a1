"""Pictures of dynamic spectra and light curves, from products alone."""

import os
from pathlib import Path
from typing import Any

from astropy.table import Table
from matplotlib.figure import Figure

from visds.core.errors import SettingsError
from visds.core.files import make_folder
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import rebin_to_pixels
from visds.dynspec.plots.dynamic_spectrum import draw_dynamic_spectrum
from visds.dynspec.plots.figure import (
    LEGEND,
    Panel,
    fit_margins,
    picture_style,
    save_figure,
    stacked_panels,
)
from visds.dynspec.plots.light_curve import draw_light_curve, draw_single_integration
from visds.dynspec.plots.marks import label_times
from visds.dynspec.plots.quantity import Quantity, check_held, quantity
from visds.dynspec.plots.settings import OTHER_PLOTS, PlotSettings, plot_settings
from visds.dynspec.plots.time_axis import TimeAxis


def plot_spectrum(spectrum: DynamicSpectrum, polarization: str = "I", *,
                  detections: Table | None = None, **options: Any) -> Figure:
    """Return the picture of a quantity of a dynamic spectrum against time and frequency.

    A spectrum of a single channel becomes a light curve, one of a single integration a line of
    flux density against frequency. A notebook shows the figure by itself.

    Parameters
    ----------
    spectrum : DynamicSpectrum
    polarization : str
        I, Q, U, V, RR, LL, XX, YY, V/I, ``imaginary:V``, ``sigma:V`` or ``snr:V``.
    detections : Table, optional
        To be outlined.
    **options
        Fields of `PlotSettings` as a user writes them, e.g. ``colour_limit="5mJy"``.

    Raises
    ------
    SettingsError
        If the spectrum does not hold the polarization, or for an option that cannot be used.
    """
    settings = plot_settings(**options)
    return _spectrum_figure(spectrum, quantity(polarization), settings, detections)


def plot_light_curve(spectrum: DynamicSpectrum, *, detections: Table | None = None,
                     **options: Any) -> Figure:
    """Return the light curves of a dynamic spectrum's whole band, one panel a polarization.

    Parameters
    ----------
    spectrum : DynamicSpectrum
    detections : Table, optional
        To be marked.
    **options
        Fields of `PlotSettings` as a user writes them, e.g. ``curves=["I", "V", "RR"]``.

    Raises
    ------
    SettingsError
        If the spectrum does not hold a polarization, or for an option that cannot be used.
    """
    return _light_curve_figure(spectrum, plot_settings(**options), detections)


def plot_overview(spectrum: DynamicSpectrum, *, detections: Table | None = None,
                  **options: Any) -> Figure:
    """Return the dynamic spectra of I, V and V/I above the light curves, on one time axis.

    Parameters and errors as `plot_light_curve`; also SettingsError for a single integration.
    """
    return _overview_figure(spectrum, plot_settings(**options), detections)


def available_plots(spectrum: DynamicSpectrum) -> tuple[str, ...]:
    """Return the usual plots that a spectrum can give: I, V, V/I, lightcurve and overview."""
    held = [name for name in ("I", "V") if name in spectrum.polarizations]
    plots = [*held, "V/I"] if len(held) == 2 else held
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
    plots = dict.fromkeys(settings.plots or available_plots(spectrum))
    for plot in plots:
        if plot not in OTHER_PLOTS:
            check_held(plot, quantity(plot).polarization, spectrum)
    folder = make_folder(folder)
    paths = []
    for plot in plots:
        if plot == "lightcurve":
            stem, figure = plot, _light_curve_figure(spectrum, settings, detections)
        elif plot == "overview":
            stem, figure = plot, _overview_figure(spectrum, settings, detections)
        else:
            drawn = quantity(plot)
            stem, figure = drawn.file_name, _spectrum_figure(spectrum, drawn, settings, detections)
        tag = f"_{settings.plot_tag}" if settings.plot_tag else ""
        for kind in settings.picture_format:
            path = folder / f"{stem}{tag}.{kind}"
            with picture_style(settings.points):
                save_figure(figure, path, settings.picture_resolution)
            paths.append(path)
    return paths


def _spectrum_figure(spectrum: DynamicSpectrum, drawn: Quantity, settings: PlotSettings,
                     detections: Table | None) -> Figure:
    _check(spectrum)
    if len(spectrum.time) > 1 and len(spectrum.frequency) == 1:
        return _curves_figure(spectrum, [drawn], settings, detections)
    height = settings.picture_height or (3.1 if settings.picture_width >= 5 else 2.5)
    with picture_style(settings.points):
        if len(spectrum.time) == 1:
            figure, panels = _panels(settings, [1.0], height, None, has_bars=False)
            draw_single_integration(panels[0], spectrum, drawn, settings)
            panels = fit_margins(panels, settings.points)
            _write_title(figure, panels[0], spectrum, settings, [])
            return figure
        time_axis = _time_axis(spectrum, settings)
        figure, panels = _panels(settings, [1.0], height, time_axis)
        legend = draw_dynamic_spectrum(panels[0], spectrum, drawn, time_axis, settings, detections)
        panels = fit_margins(panels, settings.points)
        label_times(panels[0], time_axis, settings)
        _write_title(figure, panels[0], spectrum, settings, legend)
    return figure


def _light_curve_figure(spectrum: DynamicSpectrum, settings: PlotSettings,
                        detections: Table | None) -> Figure:
    _check(spectrum)
    return _curves_figure(spectrum, _curves(spectrum, settings), settings, detections)


def _curves_figure(spectrum: DynamicSpectrum, drawn: list[Quantity], settings: PlotSettings,
                   detections: Table | None) -> Figure:
    each = 1.5 if settings.picture_width >= 5 else 1.2
    height = settings.picture_height or each * (len(drawn) + 0.35)
    with picture_style(settings.points):
        time_axis = _time_axis(spectrum, settings)
        figure, panels = _panels(settings, [1.0] * len(drawn), height, time_axis,
                                 has_bars=settings.colour_by_polarization)
        for number, (panel, one) in enumerate(zip(panels, drawn, strict=True)):
            draw_light_curve(panel, spectrum, one, time_axis, settings, detections,
                             is_top=number == 0)
        figure.align_ylabels([panel.axes for panel in panels])
        panels = fit_margins(panels, settings.points)
        _share_times(panels, time_axis, settings)
        _write_title(figure, panels[0], spectrum, settings, [])
    return figure


def _overview_figure(spectrum: DynamicSpectrum, settings: PlotSettings,
                     detections: Table | None) -> Figure:
    _check(spectrum)
    if len(spectrum.time) == 1:
        raise SettingsError("an overview needs more than one integration")
    curves = _curves(spectrum, settings)
    if len(spectrum.frequency) == 1:
        return _curves_figure(spectrum, curves, settings, detections)
    pictures = [quantity(name) for name in available_plots(spectrum)
                if name not in ("lightcurve", "overview")]
    parts = [1.5] * len(pictures) + [1.0] * len(curves)
    size = 1.0 if settings.picture_width >= 5 else 0.8
    height = settings.picture_height or size * (sum(parts) + 0.7)
    with picture_style(settings.points):
        time_axis = _time_axis(spectrum, settings)
        figure, panels = _panels(settings, parts, height, time_axis)
        legend = {}
        pictured = spectrum
        if not (settings.expected_sign or settings.mask_above):
            # Once for all panels; masks are of samples, so that they come before.
            needed = [label for one in pictures for label in one.needed]
            pictured = rebin_to_pixels(spectrum.select_polarizations(needed), time_axis,
                                       width=panels[0].width, height=panels[0].height,
                                       resolution=settings.picture_resolution)
        for number, one in enumerate(pictures):
            for patch in draw_dynamic_spectrum(panels[number], pictured, one, time_axis, settings,
                                               detections, is_top=number == 0):
                legend.setdefault(patch.get_label(), patch)
        for panel, one in zip(panels[len(pictures):], curves, strict=True):
            draw_light_curve(panel, spectrum, one, time_axis, settings, detections, is_top=False)
        figure.align_ylabels([panel.axes for panel in panels])
        panels = fit_margins(panels, settings.points)
        _share_times(panels, time_axis, settings)
        _write_title(figure, panels[0], spectrum, settings, list(legend.values()))
    return figure


def _check(spectrum: DynamicSpectrum) -> None:
    if not spectrum.flags.size:
        raise SettingsError("the dynamic spectrum has no integration or no channel to draw")


def _curves(spectrum: DynamicSpectrum, settings: PlotSettings) -> list[Quantity]:
    names = settings.curves or [name for name in ("I", "V") if name in spectrum.polarizations] \
        or spectrum.polarizations[:1]
    curves = [quantity(name) for name in names]
    for curve in curves:
        check_held("lightcurve", curve.polarization, spectrum)
    return curves


def _time_axis(spectrum: DynamicSpectrum, settings: PlotSettings) -> TimeAxis:
    return TimeAxis(spectrum, kind=settings.time_axis, compress=settings.gaps == "compressed",
                    unit=settings.time_unit)


def _panels(settings: PlotSettings, parts: list[float], height: float,
            time_axis: TimeAxis | None, *, has_bars: bool = True) -> tuple[Figure, list[Panel]]:
    """Return a figure of the settings' width and `height` with panels in these proportions."""
    line = settings.points * 1.25 / 72
    bottom = 2.9 + (1.0 if time_axis is not None and time_axis.spans_days else 0.0)
    if settings.tick_rotation:
        bottom += 1.8
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


def _share_times(panels: list[Panel], time_axis: TimeAxis, settings: PlotSettings) -> None:
    label_times(panels[-1], time_axis, settings, has_points=True)
    for panel in panels[:-1]:
        panel.axes.tick_params(axis="x", which="both", labelbottom=False)


def _write_title(figure: Figure, panel: Panel, spectrum: DynamicSpectrum,
                 settings: PlotSettings, legend: list) -> None:
    """Write target, telescope and band above the panel, and the legend at its right."""
    line = settings.points * 1.25 / 72
    width, height = figure.get_size_inches()
    box = panel.axes.get_position()
    above = box.y1 + 1.25 * line / height
    figure.text(box.x0, above, settings.plot_title or _title(spectrum), ha="left", va="bottom")
    if legend:
        figure.legend(handles=legend, loc="lower right", ncols=len(legend), **LEGEND,
                      bbox_to_anchor=(1 - 0.3 * line / width, above - 0.35 * line / height))


def _title(spectrum: DynamicSpectrum) -> str:
    low = (spectrum.frequency - spectrum.channel_width / 2).min() / 1e6
    high = (spectrum.frequency + spectrum.channel_width / 2).max() / 1e6
    words = [str(spectrum.meta[key]) for key in ("target", "telescope") if spectrum.meta.get(key)]
    return ", ".join([*words, f"{low:.5g}–{high:.5g} MHz"])


__all__ = ["PlotSettings", "available_plots", "draw_products", "plot_light_curve",
           "plot_overview", "plot_settings", "plot_spectrum"]
