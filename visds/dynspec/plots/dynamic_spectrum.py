"""The picture of one quantity against time and frequency."""

import numpy as np
from astropy.table import Table
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Patch

from visds.core.errors import SettingsError
from visds.dynspec.cuts import cut_of
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import (
    draw_cells,
    frequency_edges,
    rebin_channels,
    rebin_times,
    shade_cells,
    time_edges,
    visible,
)
from visds.dynspec.plots.colour import (
    FLAGGED,
    MASKED,
    MASKED_BY,
    NOT_GIVEN,
    colour_map,
    colour_norm,
    extension,
    fraction_limit,
    log_ticks,
    robust_limits,
)
from visds.dynspec.plots.figure import Panel, leave_out, write_in
from visds.dynspec.plots.frequency_axis import FrequencyAxis
from visds.dynspec.plots.levels import Level
from visds.dynspec.plots.marks import (
    mark_frequency_gaps,
    mark_gaps,
    mark_missing,
    mark_scans,
    mark_times,
    outline_detections,
)
from visds.dynspec.plots.quantity import HANDS, Quantity, Unit, base_unit, check_held
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import TimeAxis


def draw_dynamic_spectrum(panel: Panel, spectrum: DynamicSpectrum, quantity: Quantity,
                          time_axis: TimeAxis, settings: PlotSettings,
                          detections: Table | None = None, *, is_top: bool = True) -> list[Patch]:
    """Draw one quantity of a spectrum; return what a legend has to explain.

    Large spectra are summed to the pixels first. Flagged cells are grey, those that a cut leaves
    out darker, and those where a fraction or angle is not given for its noise lighter; gaps stay
    blank.

    Raises
    ------
    SettingsError
        If the spectrum does not hold the quantity, or a setting does not fit it.
    """
    axes = panel.axes
    check_held(quantity.name, quantity.polarization, spectrum)
    resolution = settings.picture_resolution
    frequency_axis = FrequencyAxis(spectrum, compress=settings.frequency_gaps == "compressed")

    def summed(samples: DynamicSpectrum) -> DynamicSpectrum:
        cells = samples.select_polarizations(quantity.needed)
        cells = rebin_times(cells, time_axis, width=panel.width, resolution=resolution)
        cells = rebin_channels(cells, length=frequency_axis.length, height=panel.height,
                               resolution=resolution)
        return cells.select_times(np.argsort(cells.time, kind="stable"))

    hidden, cut = _cut(spectrum, quantity)
    samples, spectrum = spectrum, summed(spectrum)
    flagged = quantity.flagged(spectrum)
    if hidden.any():
        spectrum = summed(samples.flag_cells(hidden))
    values = quantity.values(spectrum)
    masked = quantity.flagged(spectrum) & ~flagged
    base = unit_of(quantity, spectrum, settings)
    limits = _limits(quantity, values * base.factor, base, settings)
    unit = base.scaled(max(map(abs, limits)), settings.flux_unit)
    limits = tuple(limit * unit.per_base for limit in limits)
    values = values * unit.factor
    norm = colour_norm(limits, is_signed=quantity.is_signed, scale=_scale(quantity, settings),
                       power=settings.colour_power, noise=_noise(quantity, spectrum, unit))
    pixel = time_axis.length / (panel.width * resolution)
    # Two pixels, so that a scan that short is seen in a copy of less resolution too.
    x = visible(time_edges(spectrum, time_axis), 2 * pixel)
    y = tuple(frequency_axis.place(edges) for edges in frequency_edges(spectrum))
    cells = draw_cells(axes, x, y, values, colour_map=colour_map(quantity, settings.colour_map),
                       norm=norm, interpolation=settings.interpolation)
    shades, legend = {}, []
    if flagged.any():
        shades[FLAGGED] = flagged
        legend.append(Patch(facecolor=FLAGGED, label="flagged"))
    if hidden.any():
        shades[MASKED] = masked
        legend.append(Patch(facecolor=MASKED, label=f"{MASKED_BY}{cut}"))
    faint = np.isnan(values) & ~flagged & ~masked
    if quantity.not_given and faint.any():
        shades[NOT_GIVEN] = faint
        legend.append(faint_patch(quantity))
    if shades:
        shade_cells(axes, x, y, shades)
    axes.set_ylim(*frequency_axis.ends)
    axes.set_ylabel(frequency_axis.label)
    if frequency_axis.breaks:
        axes.set_yticks(*frequency_axis.ticks(panel.height, settings.points / 72))
    if np.isfinite(values).any():
        _draw_bar(panel, cells, quantity, values, unit, settings)
    else:
        leave_out(panel.bar)
        reasons = [words for words, has_some in (
            (quantity.not_given, quantity.not_given and faint.any()),
            (f"masked ({cut})", masked.any())) if has_some]
        words = f"{' or '.join(reasons)} throughout" if reasons else "no unflagged data"
        write_in(panel, f"{quantity.label}: {words}", settings.points)
    mark_gaps(axes, time_axis, is_picture=True)
    mark_missing(axes, time_axis, x)
    mark_frequency_gaps(axes, frequency_axis)
    mark_scans(panel, time_axis, settings, is_picture=True, is_top=is_top)
    mark_times(axes, time_axis, settings.mark_time)
    if detections is not None and settings.mark_detections:
        outline_detections(panel, time_axis, frequency_axis, detections, quantity.polarization,
                           settings.points)
    return legend


def _draw_bar(panel: Panel, cells: ScalarMappable, quantity: Quantity, values: np.ndarray,
              unit: Unit, settings: PlotSettings) -> None:
    ends = float(cells.norm.vmin), float(cells.norm.vmax)
    bar = panel.axes.figure.colorbar(cells, cax=panel.bar, extend=extension(values, ends))
    if _scale(quantity, settings) == "log":
        bar.set_ticks(log_ticks(cells.norm, 1.2 * settings.points / 72 / panel.height))
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.minorticks_off()
    bar.set_label(f"{quantity.label} ({unit.label})" if unit.label else quantity.label)
    bar.outline.set_linewidth(0.6)
    if settings.invert_v and quantity.polarization == "V" and quantity.is_signed:
        panel.bar.invert_yaxis()


def faint_patch(quantity: Quantity) -> Patch:
    """Return what a legend has for cells and points where a fraction or angle is not given."""
    return Patch(facecolor=NOT_GIVEN, edgecolor="#999999", linewidth=0.4,
                 label=quantity.not_given)


def unit_of(quantity: Quantity, spectrum: DynamicSpectrum, settings: PlotSettings) -> Unit:
    """Return the unit, without a prefix, for drawing a quantity of a spectrum."""
    return base_unit(quantity, flux_unit=settings.flux_unit, frequency=spectrum.frequency,
                     radius_solar=settings.stellar_radius,
                     distance_pc=settings.stellar_distance)


def chosen_level(levels: tuple[Level, ...], quantity: Quantity) -> Level | None:
    """Return the last level that names the quantity, else the last that names none."""
    named = [level for level in levels if level.name == quantity.name]
    unnamed = [level for level in levels if level.name is None
               and quantity.kind in ("flux", "imaginary")]
    return named[-1] if named else unnamed[-1] if unnamed else None


def _scale(quantity: Quantity, settings: PlotSettings) -> str:
    """Return how colour follows the value: of angles always linearly."""
    return "linear" if quantity.kind == "angle" else settings.colour_scale


def _limits(quantity: Quantity, values: np.ndarray, unit: Unit,
            settings: PlotSettings) -> tuple[float, float]:
    low, high = robust_limits(values, is_signed=quantity.is_signed)
    if quantity.kind == "fraction":
        high = fraction_limit(values)
        low = -high if quantity.is_signed else 0.0
    if quantity.kind == "angle":
        high = 90.0 if quantity.polarization == "PA" else 45.0
        low = -high
    level = chosen_level(settings.colour_limit, quantity)
    if level is None:
        return low, high
    high = unit.convert(level, "--colour-limit")
    if not high > 0:
        raise SettingsError("--colour-limit: a colour limit must be above zero, not "
                            f"{high:g} {unit.label}")
    return (-high, high) if quantity.is_signed else (min(low, 0.0), high)


def _noise(quantity: Quantity, spectrum: DynamicSpectrum, unit: Unit) -> float:
    """Return the typical error of a drawn value, where a logarithm turns linear."""
    if quantity.kind == "snr":
        return 1.0
    errors = quantity.errors(spectrum)
    if errors is None:
        errors = quantity.values(spectrum)
    errors = (errors * unit.factor)[np.isfinite(errors)]
    return float(np.median(errors)) if len(errors) else 0.0


def _cut(spectrum: DynamicSpectrum, quantity: Quantity) -> tuple[np.ndarray, str]:
    """Return the cells (T,F; bool) that cuts leave out of a picture, and by what, in words.

    Errors and the imaginary part are of all data. A parallel hand is left out where I is: what is
    said of V alone would make it another one.
    """
    if quantity.kind not in ("flux", "fraction", "snr", "angle"):
        return cut_of(spectrum, ())
    return cut_of(spectrum, ("I",) if quantity.polarization in HANDS else quantity.needed)
