"""Figures of how light curves vary: blocks, structure functions, periodograms."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from visds.core.error_text import value_with_error
from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.autocorrelation import autocorrelation_figure
from visds.dynspec.plots.figure import LINE, Panel, fit_margins, stacked_panels, write_in
from visds.dynspec.plots.folded import chance_text, folded_figure
from visds.dynspec.plots.light_curve import COLOURS
from visds.dynspec.plots.marks import extra_lines, label_times, mark_beyond, mark_gaps
from visds.dynspec.plots.pictured import time_axis
from visds.dynspec.plots.quantity import Unit
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.variability.measure import Variability
from visds.dynspec.variability.periodogram import Periodogram
from visds.dynspec.variability.structure_function import StructureFunction

FAINT = "#b0b0b0"
_POINTS = "#777777"
_LEVEL = 0.01
_WINDOW = 0.4
"""Height of a window of 1, drawn below zero, as a share of the highest power."""
_TIMES = (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0))


def variability_figure(plot: str, variability: Variability, polarizations: Sequence[str],
                       band: DynamicSpectrum, title: str, settings: PlotSettings) -> Figure:
    """Return the figure of one of the `MEASURES` of some polarizations.

    `band` (T,1,P) is the whole band in every integration, in time order.

    Raises
    ------
    SettingsError
        If it could not be measured: why.
    """
    if plot == "folded" and variability.folded is not None:
        return folded_figure(variability.folded, variability.folded_curve, polarizations,
                             title, settings)
    made = {"bayesian_blocks": variability.blocks,
            "structure_function": variability.structure_functions,
            "periodogram": variability.periodograms,
            "autocorrelation": variability.autocorrelations}.get(plot, {})
    made = {label: made[label] for label in polarizations if label in made}
    if not made:
        raise SettingsError(f"'{plot}' cannot be drawn: "
                            + variability.notes.get(plot, "no Stokes parameter has it"))
    if plot == "autocorrelation":
        return autocorrelation_figure(made, title, settings)
    axis = time_axis(band, settings) if plot == "bayesian_blocks" else None
    figure, panels = _stacked(len(made), settings, axis)
    for panel, (label, one) in zip(panels, made.items(), strict=True):
        if plot == "structure_function":
            _draw_structure(panel, label, one, settings)
        elif plot == "periodogram":
            _draw_powers(panel, label, one, settings)
        else:
            _draw_blocks(panel, label, one, band, axis, settings)
        panel.axes.tick_params(labelbottom=panel is panels[-1])
    if plot == "periodogram":
        _label_frequencies(panels, list(made.values()))
    elif plot == "structure_function":
        panels[-1].axes.set_xlabel("Time lag (s)")
    panels = fit_margins(panels, settings.points)
    if axis is not None:
        label_times(panels, axis, settings, has_points=True)
    write_title(figure, panels[0], title, settings)
    return figure


def write_title(figure: Figure, panel: Panel, title: str, settings: PlotSettings) -> None:
    """Write the title, or the user's, above the uppermost panel."""
    box = panel.axes.get_position()
    figure.text(box.x0, box.y1 + 0.6 * settings.points * LINE / figure.get_size_inches()[1],
                settings.plot_title or title, ha="left", va="bottom")


def time_unit(seconds: float) -> tuple[str, float]:
    """Return the unit, and what it is in s, in which a time is 2 or more; seconds below."""
    return next(((name, unit) for name, unit in reversed(_TIMES) if seconds >= 2 * unit),
                _TIMES[0])


def _stacked(number: int, settings: PlotSettings, axis) -> tuple[Figure, list[Panel]]:
    line = settings.points * LINE
    each = 1.2 if settings.is_narrow else 1.5
    bottom = 2.9 + (1.0 if axis is not None and axis.spans_days else 0.0)
    if axis is not None and settings.tick_rotation:
        bottom += extra_lines(axis, settings.picture_width, settings)
    if settings.picture_height:
        each = (settings.picture_height - (bottom + 1.9) * line - line * (number - 1)) / number
        if each < 0.3:
            raise SettingsError(f"--picture-height {settings.picture_height:g} has no room for "
                                f"{number} panels")
    return stacked_panels(settings.picture_width, [each] * number, label_size=settings.points,
                          bottom_lines=bottom, top_lines=1.9, space=line,
                          has_bars=[False] * number)


def _draw_structure(panel: Panel, label: str, found: StructureFunction,
                    settings: PlotSettings) -> None:
    axes, colour = panel.axes, COLOURS[label]
    axes.set_ylabel(f"D, Stokes {label} (Jy²)")
    if not len(found.lag):
        axes.set_yticks([])
        write_in(panel, "no pair of measurements", settings.points)
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    error = np.hypot(found.noise_error, found.sampling_error)
    seen = found.value > 2 * found.noise_error
    axes.errorbar(found.lag[seen], found.value[seen],
                  [np.minimum(error, 0.999 * found.value)[seen], error[seen]], linestyle="none",
                  marker="o", markersize=2.6, markeredgewidth=0, elinewidth=0.5, color=colour)
    limits = np.maximum(found.value, 0) + 2 * found.noise_error
    axes.plot(found.lag[~seen], limits[~seen], linestyle="none", marker="v", markersize=3,
              markerfacecolor="white", markeredgewidth=0.5, color=colour)
    words = "" if seen.all() else "triangles: limits of 2σ"
    if np.isfinite(found.slope):
        fitted = seen & (found.lag < found.lag[-1] / 4)
        weight = 1 / (error[fitted] / found.value[fitted]) ** 2
        middle = np.average(np.log(found.lag[fitted]), weights=weight)
        level = np.average(np.log(found.value[fitted]), weights=weight)
        axes.plot(found.lag, np.exp(level + found.slope * (np.log(found.lag) - middle)),
                  color=FAINT, linewidth=0.8, zorder=1)
        words = f"slope {value_with_error(found.slope, found.slope_error)}" + (f", {words}" if words
                                                                       else "")
    low = np.concatenate([found.value[seen], limits[~seen]]).min()
    high = np.concatenate([(found.value + error)[seen], limits[~seen]]).max()
    # Whole decades: each has its number.
    axes.set_ylim(10 ** np.floor(np.log10(low / 1.2)), 10 ** np.ceil(np.log10(2 * high)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    if words:
        write_in(panel, words, settings.points)


def _draw_powers(panel: Panel, label: str, found: Periodogram, settings: PlotSettings) -> None:
    axes = panel.axes
    axes.set_ylabel(f"Power, Stokes {label}")
    if not len(found.power) or not np.isfinite(found.power).all():
        axes.set_yticks([])
        write_in(panel, "too few measurements", settings.points)
        return
    high = found.power.max()
    axes.set_xscale("log")
    axes.plot(found.frequency, found.power, color=COLOURS[label], linewidth=0.6)
    axes.plot(found.frequency, -_WINDOW * high * found.window, color=FAINT, linewidth=0.6)
    axes.axhline(0, color="black", linewidth=0.4)
    level = found.levels[_LEVEL]
    top = 1.5 * max(high, level)
    axes.axhline(level, color="black", linewidth=0.5, linestyle=(0, (4, 2)))
    axes.set_ylim(-1.1 * _WINDOW * high, top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    write_in(panel, period_text(found, settings.is_narrow), settings.points)


def period_text(found: Periodogram, is_short: bool) -> str:
    """Return the highest peak's period with its error and false-alarm probability in words.

    A peak that noise makes more often than in one of a hundred is no period.
    """
    if not found.false_alarm_probability <= _LEVEL:
        return f"no period: probability {chance_text(found.false_alarm_probability)} of noise"
    unit, seconds = time_unit(found.period)
    period, error = found.period / seconds, found.period_error / seconds
    chance = (f"{'by noise' if is_short else 'false-alarm probability'} "
              f"{chance_text(found.false_alarm_probability)}")
    if not np.isfinite(error):
        return f"highest at an end of the range, {period:.4g} {unit}, {chance}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 9)) if error > 0 else 4
    return f"P = {period:.{digits}f} ± {error:.{digits}f} {unit}, {chance}"


def _label_frequencies(panels: Sequence[Panel], found: Sequence[Periodogram]) -> None:
    """Label the frequencies, of 1/d, in the unit in which they are handy."""
    ends = [(one.frequency[0], one.frequency[-1]) for one in found if len(one.frequency)]
    axes = panels[-1].axes
    if not ends:
        axes.set_xlabel("Frequency")
        return
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    unit, seconds = next(((name, unit) for name, unit in _TIMES if unit >= 86400 / low), _TIMES[-1])
    per_day = 86400 / seconds
    axes.set_xlim(low, high)
    powers = 10.0 ** np.arange(np.floor(np.log10(low / per_day)), np.log10(high / per_day))
    ticks = np.array([times * power for power in powers for times in (1, 2, 5)])
    ticks = ticks[(ticks >= low / per_day) & (ticks <= high / per_day)]
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks * per_day, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(f"Frequency (1/{unit}); dashed: false alarms of 1 %; grey: window")


def _draw_blocks(panel: Panel, label: str, blocks, band: DynamicSpectrum, axis,
                 settings: PlotSettings) -> None:
    axes = panel.axes
    values, errors = band.values(label)[:, 0], band.errors(label)[:, 0]
    good = np.isfinite(values) & np.isfinite(errors)
    largest = float(np.max(np.abs(values[good]))) if good.any() else 1.0
    unit = Unit("Jy", 1.0, "Jy").scaled(
        largest, settings.flux_unit if settings.flux_unit != "K" else "auto")
    axes.set_ylabel(f"Stokes {label} ({unit.label})")
    mark_gaps(axes, axis, is_picture=False)
    if not good.any():
        axes.set_yticks([])
        write_in(panel, "no unflagged data", settings.points)
        return
    place = axis.place(np.clip(axis.from_utc(band.time), axis.start, axis.stop))
    axes.errorbar(place[good], values[good] * unit.factor, errors[good] * unit.factor,
                  linestyle="none", marker="o", markersize=1.8, markeredgewidth=0, elinewidth=0.5,
                  color=_POINTS, zorder=1.5)
    for start, stop, mean, error in zip(blocks.start, blocks.stop, blocks.flux_density,
                                        blocks.error, strict=True):
        ends = axis.place(np.clip(axis.from_utc(np.array([start, stop])), axis.start, axis.stop))
        axes.fill_between(ends, (mean - error) * unit.factor, (mean + error) * unit.factor,
                          color=COLOURS[label], alpha=0.25, linewidth=0, zorder=2)
        axes.plot(ends, [mean * unit.factor] * 2, color=COLOURS[label], linewidth=1.0,
                  solid_capstyle="butt", zorder=2.5)
    usual = good & (errors <= 5 * np.median(errors[good]))
    low = np.min((values - errors)[usual]) * unit.factor
    high = np.max((values + errors)[usual]) * unit.factor
    axes.set_ylim(low - 0.08 * (high - low), high + 0.25 * (high - low))
    words = f"{len(blocks)} blocks" if len(blocks) > 1 else "one block: constant"
    if mark_beyond(axes, place[good], values[good] * unit.factor, _POINTS):
        words += "; arrows: points beyond the axis"
    write_in(panel, words, settings.points)
