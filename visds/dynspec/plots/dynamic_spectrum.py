"""The picture of one quantity against time and frequency."""

import numpy as np
from astropy.table import Table
from matplotlib.cm import ScalarMappable
from matplotlib.patches import Patch

from visds.core.errors import SettingsError
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
    NOT_GIVEN,
    colour_map,
    colour_norm,
    extension,
    fraction_limit,
    log_ticks,
    robust_limits,
)
from visds.dynspec.plots.figure import Panel, leave_empty, write_in
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
from visds.dynspec.plots.quantity import Quantity, Unit, base_unit, check_held
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import TimeAxis


def draw_dynamic_spectrum(panel: Panel, spectrum: DynamicSpectrum, quantity: Quantity,
                          time_axis: TimeAxis, settings: PlotSettings,
                          detections: Table | None = None, *, is_top: bool = True) -> list[Patch]:
    """Draw one quantity of a spectrum; return what a legend has to explain.

    Large spectra are summed to the pixels first. Flagged cells are grey, those that a mask of the
    settings hides darker, and those of a fraction where I < 5 sigma lighter; gaps stay blank.

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

    hidden, mask = _mask(spectrum, quantity, settings)
    samples, spectrum = spectrum, summed(spectrum)
    flagged = flagged_cells(quantity, spectrum)
    if hidden.any():
        spectrum = summed(samples.flag_cells(hidden))
    values = quantity.values(spectrum)
    masked = flagged_cells(quantity, spectrum) & ~flagged
    base = unit_of(quantity, spectrum, settings)
    limits = _limits(quantity, values * base.factor, base, settings)
    unit = base.scaled(max(map(abs, limits)), settings.flux_unit)
    limits = tuple(limit * unit.per_base for limit in limits)
    values = values * unit.factor
    norm = colour_norm(limits, is_signed=quantity.is_signed, scale=settings.colour_scale,
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
        legend.append(Patch(facecolor=MASKED, label=f"masked: {mask}"))
    faint = np.isnan(values) & ~flagged & ~masked
    if quantity.kind == "fraction" and faint.any():
        shades[NOT_GIVEN] = faint
        legend.append(faint_patch())
    if shades:
        shade_cells(axes, x, y, shades)
    axes.set_ylim(*frequency_axis.ends)
    axes.set_ylabel(frequency_axis.label)
    if frequency_axis.breaks:
        axes.set_yticks(*frequency_axis.ticks(panel.height, settings.points / 72))
    if flagged.all():
        write_in(panel, "no unflagged data", settings.points)
    elif quantity.kind == "fraction" and (faint | flagged).all():
        write_in(panel, "I < 5σ throughout", settings.points)
    if np.isfinite(values).any():
        _draw_bar(panel, cells, quantity, values, unit, settings)
    else:
        leave_empty(panel.bar, quantity.label)
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
    if settings.colour_scale == "log":
        bar.set_ticks(log_ticks(cells.norm, 1.2 * settings.points / 72 / panel.height))
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.minorticks_off()
    bar.set_label(f"{quantity.label} ({unit.label})" if unit.label else quantity.label)
    bar.outline.set_linewidth(0.6)
    if settings.invert_v and quantity.polarization == "V" and quantity.is_signed:
        panel.bar.invert_yaxis()


def faint_patch() -> Patch:
    """Return what a legend has for cells and points where a fraction is not given."""
    return Patch(facecolor=NOT_GIVEN, edgecolor="#999999", linewidth=0.4, label="I < 5σ")


def unit_of(quantity: Quantity, spectrum: DynamicSpectrum, settings: PlotSettings) -> Unit:
    """Return the unit, without a prefix, for drawing a quantity of a spectrum."""
    return base_unit(quantity, flux_unit=settings.flux_unit, frequency=spectrum.frequency,
                     radius_solar=settings.stellar_radius,
                     distance_pc=settings.stellar_distance)


def flagged_cells(quantity: Quantity, spectrum: DynamicSpectrum) -> np.ndarray:
    """Return which cells (T,F) have no value because of flags."""
    flux = spectrum.values(quantity.polarization)
    if quantity.kind == "fraction":
        return np.isnan(flux) | np.isnan(spectrum.values("I"))
    return np.isnan(quantity.values(spectrum))


def chosen_level(levels: tuple[Level, ...], quantity: Quantity) -> Level | None:
    """Return the last level that names the quantity, else the last that names none."""
    named = [level for level in levels if level.name == quantity.name]
    unnamed = [level for level in levels if level.name is None
               and quantity.kind in ("flux", "imaginary")]
    return named[-1] if named else unnamed[-1] if unnamed else None


def _limits(quantity: Quantity, values: np.ndarray, unit: Unit,
            settings: PlotSettings) -> tuple[float, float]:
    low, high = robust_limits(values, is_signed=quantity.is_signed)
    if quantity.kind == "fraction":
        high = fraction_limit(values)
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
    errors = (spectrum.fraction(quantity.polarization)[1] if quantity.kind == "fraction"
              else spectrum.errors(quantity.polarization)) * unit.factor
    errors = errors[np.isfinite(errors)]
    return float(np.median(errors)) if len(errors) else 0.0


def _mask(spectrum: DynamicSpectrum, quantity: Quantity,
          settings: PlotSettings) -> tuple[np.ndarray, str]:
    """Return the samples (T,F; bool) that the settings' masks hide in this picture, and why."""
    hidden = np.zeros(spectrum.flags.shape[:2], bool)
    words = []
    if settings.expected_sign and quantity.polarization == "V" and quantity.kind in (
            "flux", "fraction"):
        hidden |= spectrum.values("V") * settings.expected_sign < -settings.sign_tolerance
        words.append("V < 0" if settings.expected_sign > 0 else "V > 0")
    level = chosen_level(settings.mask_above, quantity)
    if level is not None:
        base = unit_of(quantity, spectrum, settings)
        unit = base.scaled(base.convert(level, "--mask-above"), settings.flux_unit)
        limit = unit.convert(level, "--mask-above")
        hidden |= np.abs(quantity.values(spectrum) * unit.factor) > limit
        words.append(f"|{quantity.name}| > {limit:.4g} {unit.label}")
    return hidden, ", ".join(words)
