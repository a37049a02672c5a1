"""Light curves, and spectra of a single integration: points with error bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib.artist import Artist
from matplotlib.colors import Normalize

from visds.core.quantities import Bin
from visds.dynspec import binning
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.colour import NOT_GIVEN, colour_map, extension, fraction_limit
from visds.dynspec.plots.dynamic_spectrum import faint_patch, unit_of
from visds.dynspec.plots.figure import Panel, leave_out, write_in
from visds.dynspec.plots.frequency_axis import FrequencyAxis
from visds.dynspec.plots.marks import (
    duration_text,
    is_found_in,
    mark_beyond,
    mark_frequency_gaps,
    mark_gaps,
    mark_scans,
    mark_times,
    span_detections,
)
from visds.dynspec.plots.quantity import Quantity, Unit, asked_range
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import DAY, TimeAxis, cell_widths, run_ends

COLOURS = {"I": "black", "V": "#0072b2", "Q": "#d55e00", "U": "#009e73", "L": "#e69f00",
           "RR": "#cc79a7", "LL": "#56b4e9", "XX": "#cc79a7", "YY": "#56b4e9", "PA": "#e69f00",
           "ellipticity": "#0072b2"}
POINTS_PER_INCH = 40
_DOTS = "#b0b0b0"
_FRACTION = Quantity("fraction", "V")


def draw_light_curve(panel: Panel, band: DynamicSpectrum, quantity: Quantity,
                     time_axis: TimeAxis, settings: PlotSettings,
                     detections: Table | None = None, *, is_top: bool = True) -> list[Artist]:
    """Draw the light curve of a quantity of a spectrum of one channel, the `band`, in time order.

    Return what a legend has to explain. The points are coloured by V/I if the panel has a colour
    bar. Where they are too many for the paper or their S/N is poor, wider bins are drawn over the
    faint unbinned points, and the label says so. An arrow stands for a point beyond the axis.

    Raises
    ------
    SettingsError
        If the spectrum does not hold the quantity.
    """
    axes = panel.axes
    needed = (*quantity.needed, "V") if panel.bar is not None else quantity.needed
    band = band.select_polarizations(needed)
    numbered = (detections is not None and settings.mark_detections
                and any(is_found_in(search, quantity.polarization)
                        for search in detections["polarization"]))
    legend: list[Artist] = []
    if np.isfinite(quantity.values(band)).any():
        legend = _draw_curve(panel, band, quantity, time_axis, settings, numbered=numbered)
    else:
        _say_empty(panel, quantity, band, settings)
    mark_gaps(axes, time_axis, is_picture=False)
    mark_scans(panel, time_axis, settings, is_picture=False, is_top=is_top)
    mark_times(axes, time_axis, settings.mark_time)
    if numbered:
        span_detections(axes, time_axis, detections, quantity.polarization, settings.points)
    return legend


def _draw_curve(panel: Panel, band: DynamicSpectrum, quantity: Quantity, time_axis: TimeAxis,
                settings: PlotSettings, *, numbered: bool) -> list[Artist]:
    """Draw the points and the vertical axis; return what a legend has to explain."""
    base = unit_of(quantity, band, settings)
    bin = _curve_bin(quantity, band, _own_width(panel, band, time_axis), settings.curve_bin)
    wide = _wide_groups(band, bin)
    fine, extent = band, [_extent(quantity, band, base)]
    words = ""
    if wide is not None:
        band = band.sum_times(wide)
        words = (f"{duration_text(_bin_length(fine, bin, wide))} bins "
                 f"(dots: {duration_text(float(np.median(fine.integration)))})")
        extent.append(_extent(quantity, band, base))
    if panel.bar is not None and not np.isfinite(_FRACTION.values(band)).any():
        words = ", ".join(filter(None, (words, f"{_FRACTION.label}: {_FRACTION.not_given} "
                                        "throughout")))
    unit = _finish(panel, quantity, base, np.concatenate(extent), words, settings,
                   numbered=numbered)
    legend: list[Artist] = []
    if wide is not None:
        place, dots = _places(fine, time_axis), (quantity.values(fine) * unit.factor)[:, 0]
        panel.axes.plot(place, dots, linestyle="none", marker=".", markersize=1.5, color=_DOTS,
                        zorder=1.5, rasterized=True)
        legend += mark_beyond(panel.axes, place, dots, _DOTS)
    return legend + _draw_points(panel, quantity, band, time_axis, unit)


def draw_overlaid(panel: Panel, bands: Sequence[DynamicSpectrum], colours: Sequence[str],
                  quantity: Quantity, time_axis: TimeAxis,
                  settings: PlotSettings) -> list[Artist]:
    """Draw the light curves of a quantity of several spectra of one channel, each in time order.

    Each has its own bins, as `draw_light_curve`, and one colour; unbinned points are not drawn.
    Return what a legend has to explain.

    Raises
    ------
    SettingsError
        If a spectrum does not hold the quantity.
    """
    drawn, extent, lengths = [], [], []
    legend: list[Artist] = []
    for band in bands:
        band = band.select_polarizations(quantity.needed)
        base = unit_of(quantity, band, settings)
        if not np.isfinite(quantity.values(band)).any():
            drawn.append(None)
            continue
        bin = _curve_bin(quantity, band, _own_width(panel, band, time_axis), settings.curve_bin)
        wide = _wide_groups(band, bin)
        if wide is not None:
            lengths.append(duration_text(_bin_length(band, bin, wide)))
            band = band.sum_times(wide)
        drawn.append((band, base))
        extent.append(_extent(quantity, band, base))
    held = [one for one in drawn if one is not None]
    if not held:
        _say_empty(panel, quantity, bands[0].select_polarizations(quantity.needed), settings)
    else:
        words = f"bins of {', '.join(dict.fromkeys(lengths))}" if lengths else ""
        words += f" ({len(held) - len(lengths)} of {len(held)} curves unbinned)" * (
            0 < len(lengths) < len(held))
        words += ", chosen automatically" * bool(lengths and settings.curve_bin == "auto")
        unit = _finish(panel, quantity, held[0][1], np.concatenate(extent), words, settings)
        for one, colour in zip(drawn, colours, strict=True):
            if one is not None:
                # Brightness temperature has another factor in each band.
                band, base = one
                legend += _draw_points(panel, quantity, band, time_axis, Unit(
                    unit.label, base.factor * unit.per_base / base.per_base, unit.base,
                    unit.per_base), colour)
    mark_gaps(panel.axes, time_axis, is_picture=False)
    mark_times(panel.axes, time_axis, settings.mark_time)
    return legend


def has_bar(quantity: Quantity, polarizations: Sequence[str], settings: PlotSettings) -> bool:
    """Return whether the light curve of a quantity has a colour bar: I coloured by V/I."""
    return settings.colour_by_polarization and quantity.name == "I" and "V" in polarizations


def draw_single_integration(panel: Panel, spectrum: DynamicSpectrum, quantity: Quantity,
                            settings: PlotSettings) -> list[Artist]:
    """Draw a quantity of the one integration of a spectrum against frequency.

    Return what a legend has to explain.

    Raises
    ------
    SettingsError
        If the spectrum does not hold the quantity.
    """
    axes = panel.axes
    base = unit_of(quantity, spectrum, settings)
    frequency_axis = FrequencyAxis(spectrum,
                                   compress=settings.frequency_gaps == "compressed")
    axes.set_xlim(*frequency_axis.ends)
    axes.set_xlabel(frequency_axis.label)
    if frequency_axis.breaks:
        axes.set_xticks(*frequency_axis.ticks(panel.width, 4.5 * settings.points / 72))
    mark_frequency_gaps(axes, frequency_axis, is_vertical=True)
    if not np.isfinite(quantity.values(spectrum)).any():
        _say_empty(panel, quantity, spectrum, settings)
        return []
    unit = _finish(panel, quantity, base, _extent(quantity, spectrum, base), "", settings)
    values = (quantity.values(spectrum) * unit.factor)[0]
    place, colour = frequency_axis.place(spectrum.frequency), COLOURS[quantity.polarization]
    errors = quantity.errors(spectrum)
    if errors is not None:
        errors = (errors * unit.factor)[0]
        axes.errorbar(place, values, errors, linestyle="none", elinewidth=0.5, color=colour)
    axes.plot(place, values, linestyle="none", marker="o", markeredgewidth=0, color=colour,
              markersize=_marker_size(panel, len(place), errors))
    return mark_beyond(axes, place, values, colour)


def _say_empty(panel: Panel, quantity: Quantity, spectrum: DynamicSpectrum,
               settings: PlotSettings) -> None:
    """Say why there are no values, and leave out the numbers that none of them have."""
    panel.axes.set_yticks([])
    panel.axes.set_ylabel(quantity.label)
    if panel.bar is not None:
        leave_out(panel.bar)
    words = ("no unflagged data" if quantity.flagged(spectrum).all()
             else f"{quantity.not_given} throughout")
    write_in(panel, words, settings.points)


def _curve_bin(quantity: Quantity, band: DynamicSpectrum, inches: float,
               asked: Any) -> Bin | None:
    """Return the bins of integrations that a readable light curve has, None for no bins."""
    if isinstance(asked, Bin):
        return asked
    if asked == "none":
        return None
    integration = float(np.median(cell_widths(band)))
    readable = _nice_count(int(np.ceil(len(band.time) / (inches * POINTS_PER_INCH))), integration)
    values, errors = quantity.values(band)[:, 0], quantity.errors(band)
    count = readable
    if errors is not None:
        errors = errors[:, 0]
        ratio = np.abs(values) / errors
        ratio = ratio[np.isfinite(ratio)]
        typical = max(float(np.median(ratio)), 0.5) if len(ratio) else 3.0
        if typical < 3:
            # A bin of n samples has sqrt(n) times the S/N; 24 bins still show a shape.
            wanted = min(int(np.ceil((5 / typical) ** 2)), len(band.time) // 24)
            while wanted > readable:
                count = _nice_count(wanted, integration)
                if not _hides_structure(_groups(band, Bin(count=count)), values, errors):
                    break
                wanted, count = wanted // 2, readable
    return Bin(count=count) if count > 1 else None


def _own_width(panel: Panel, band: DynamicSpectrum, time_axis: TimeAxis) -> float:
    """Return how many inches of a panel the integrations of a band reach over."""
    half = cell_widths(band) / DAY / 2
    time = time_axis.from_utc(band.time)
    low, high = time_axis.place(np.clip([(time - half).min(), (time + half).max()],
                                        time_axis.start, time_axis.stop))
    return panel.width * round(float((high - low) / time_axis.length), 6)


def _groups(band: DynamicSpectrum, bin: Bin) -> binning.Groups:
    return binning.time_groups(band.time, band.integration, band.scan, bin)


def _wide_groups(band: DynamicSpectrum, bin: Bin | None) -> binning.Groups | None:
    """Return the groups of integrations that the bins hold, None where each holds but one."""
    groups = None if bin is None else _groups(band, bin)
    return groups if groups is not None and len(groups.start) < len(band.time) else None


def _bin_length(band: DynamicSpectrum, bin: Bin, groups: binning.Groups) -> float:
    """Return the length of bins in s: what was asked for, or that of the longest if shorter.

    The last bin of a scan, of what remains, does not count; dead time within a scan does.
    """
    widths = cell_widths(band)
    # Widths from spacings are good to a microsecond or two.
    longest = round(float(groups.sum(widths, 0).max()), 4)
    return min(bin.width or bin.count * float(np.median(widths)), longest)


def _nice_count(count: int, integration: float) -> int:
    """Return a count of integrations of at least `count` that makes a round duration, if any."""
    if count <= 1:
        return count
    for duration in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200):
        samples = duration / integration
        if count <= samples + 1e-3 <= 2 * count and abs(samples - round(samples)) < 1e-3 * samples:
            return round(samples)
    return count


def _hides_structure(groups: binning.Groups, values: np.ndarray, errors: np.ndarray) -> bool:
    """Return whether samples (T) of some bin scatter by more than their errors: a smeared flare."""
    good = np.isfinite(values) & (errors > 0)
    weight = np.where(good, 1 / np.where(good, errors, 1.0) ** 2, 0.0)
    samples, sums = groups.sum(good.astype(int), 0), groups.sum(weight, 0)
    mean = groups.sum(weight * np.where(good, values, 0.0), 0) / np.where(sums > 0, sums, 1.0)
    away = np.where(good, values, 0.0) - np.repeat(mean, groups.length)
    scatter, freedom = groups.sum(weight * away**2, 0), np.maximum(samples - 1, 1)
    return bool(np.any(scatter - freedom > 5 * np.sqrt(2 * freedom)))


def _places(band: DynamicSpectrum, time_axis: TimeAxis) -> np.ndarray:
    return time_axis.place(np.clip(time_axis.from_utc(band.time), time_axis.start, time_axis.stop))


def _draw_points(panel: Panel, quantity: Quantity, band: DynamicSpectrum, time_axis: TimeAxis,
                 unit: Unit, colour: str | None = None) -> list[Artist]:
    """Draw the points with their errors; return what a legend has to explain."""
    axes, by_polarization = panel.axes, panel.bar is not None
    place, colour = _places(band, time_axis), colour or COLOURS[quantity.polarization]
    values = (quantity.values(band) * unit.factor)[:, 0]
    errors = quantity.errors(band)
    if errors is not None:
        errors = (errors * unit.factor)[:, 0]
        axes.errorbar(place, values, errors, linestyle="none",
                      elinewidth=0.5, color="#888888" if by_polarization else colour, zorder=2)
    legend = mark_beyond(axes, place, values, "#555555" if by_polarization else colour)
    apart = np.flatnonzero(run_ends(band.time, cell_widths(band) / DAY, band.scan)) + 1
    axes.plot(np.insert(place, apart, np.nan), np.insert(values, apart, np.nan), linewidth=0.5,
              color="#888888" if by_polarization else colour, alpha=0.6, zorder=2.2)
    if not by_polarization:
        axes.plot(place, values, linestyle="none", marker="o", markeredgewidth=0, color=colour,
                  markersize=_marker_size(panel, len(place), errors), zorder=2.5)
        return legend
    percent = 100 * _FRACTION.values(band)[:, 0]
    limit = fraction_limit(percent)
    cells = axes.scatter(place, values, c=percent, s=12, linewidths=0.3,
                         edgecolors="black", norm=Normalize(-limit, limit), zorder=2.5,
                         cmap=colour_map(_FRACTION, None).with_extremes(bad=NOT_GIVEN),
                         plotnonfinite=True)
    if np.isfinite(percent).any():
        bar = axes.figure.colorbar(cells, cax=panel.bar,
                                   extend=extension(percent, (-limit, limit)))
        bar.set_label(f"{_FRACTION.label} (%)")
        bar.outline.set_linewidth(0.6)
    else:
        leave_out(panel.bar)
    has_faint = (np.isnan(percent) & np.isfinite(values)).any()
    return legend + [faint_patch(_FRACTION)] * bool(has_faint)


def _marker_size(panel: Panel, number: int, errors: np.ndarray | None) -> float:
    """Return the size in points of the markers of `number` points with errors in drawn units."""
    size = 2.6 if number < 25 * panel.width else 1.8 if number < 60 * panel.width else 1.2
    if errors is not None and np.isfinite(errors).any():
        # A marker larger than its error bar would hide it.
        per_unit = 72 * panel.height / abs(np.subtract(*panel.axes.get_ylim()))
        size = float(np.clip(2 * np.nanmedian(errors) * per_unit, 1.2, size))
    return size


def _extent(quantity: Quantity, spectrum: DynamicSpectrum, unit: Unit) -> np.ndarray:
    """Return values that the vertical axis has to hold: all points, and usual error bars."""
    values = quantity.values(spectrum)
    errors = quantity.errors(spectrum)
    values = values * unit.factor
    if errors is None:
        kept = values[np.isfinite(values)]
        return kept if len(kept) else np.zeros(1)
    errors = errors * unit.factor
    good = np.isfinite(values) & np.isfinite(errors)
    values, errors = values[good], errors[good]
    if not len(values):
        return np.zeros(1)
    # A sample of very few visibilities must not squeeze all others.
    usual = errors <= 5 * np.median(errors)
    values, errors = values[usual], errors[usual]
    return np.concatenate([values - errors, values + errors])


def _finish(panel: Panel, quantity: Quantity, base: Unit, extent: np.ndarray, words: str,
            settings: PlotSettings, *, numbered: bool = False) -> Unit:
    """Set the vertical axis, draw zero and the marked fluxes, and write the label.

    `extent` is what the axis has to hold in the unit `base`; return the unit of the axis.
    """
    axes = panel.axes
    marks = [level for level in settings.mark_flux
             if level.name in (None, quantity.name) and quantity.kind == "flux"]
    places = [base.convert(level, "--mark-flux") for level in marks]
    low, high = float(np.min([*extent, *places])), float(np.max([*extent, *places]))
    if high - low >= max(abs(low), abs(high)) / 3 or high == low:
        # Zero is shown unless the variations of a steady source would vanish beside its level.
        low, high = min(low, 0.0), max(high, 0.0)
    size = (high - low) or 1.0
    # Room within the panel for the label above all points and detections' numbers below.
    line = settings.points * 1.4 / 72 / panel.height
    room = line / (1 - 2 * line) * size
    below, above = 0.06 * size + numbered * room, 0.06 * size + bool(words) * room
    is_inverted = settings.invert_v and quantity.polarization == "V"
    ends = (high + below, low - above) if is_inverted else (low - below, high + above)
    asked = asked_range(quantity, base, settings.flux_range)
    if asked is not None:
        ends = asked[::-1] if is_inverted else asked
    unit = base.scaled(max(map(abs, ends)), settings.flux_unit)
    axes.set_ylim(*(end * unit.per_base for end in ends))
    if min(ends) < 0 < max(ends):
        axes.axhline(0, color="#999999", linewidth=0.5, zorder=1)
    for place in places:
        axes.axhline(place * unit.per_base, color="black", linewidth=0.8, linestyle=(0, (4, 2)),
                     zorder=1.2)
    axes.set_ylabel(f"{quantity.label} ({unit.label})" if unit.label else quantity.label)
    if words:
        write_in(panel, words, settings.points)
    return unit
