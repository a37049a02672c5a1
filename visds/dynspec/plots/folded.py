"""The figure of a folded spectrum: phase-frequency planes above folded light curves."""

from collections.abc import Sequence

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

from visds.core.errors import SettingsError
from visds.dynspec.plots.cells import draw_cells, frequency_edges
from visds.dynspec.plots.colour import (
    FLAGGED,
    colour_map,
    colour_norm,
    extension,
    robust_limits,
)
from visds.dynspec.plots.figure import (
    LINE,
    Panel,
    fit_margins,
    leave_out,
    stacked_panels,
    write_in,
)
from visds.dynspec.plots.frequency_axis import FrequencyAxis
from visds.dynspec.plots.light_curve import COLOURS
from visds.dynspec.plots.quantity import Unit, quantity
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.variability.fold import Ephemeris, FoldedSpectrum


def folded_figure(folded: FoldedSpectrum, curve: Table, polarizations: Sequence[str], title: str,
                  settings: PlotSettings) -> Figure:
    """Return the figure of a folded spectrum, over two cycles.

    A plane of phase and frequency for each polarization if there is more than one channel, and
    below them their light curves. Phases without data are grey.
    """
    line = settings.points * LINE
    planes = list(polarizations) if len(folded.spectrum.frequency) > 1 else []
    parts = [1.5] * len(planes) + [1.0] * len(polarizations)
    size = 0.8 if settings.is_narrow else 1.0
    height = settings.picture_height or size * (sum(parts) + 0.7)
    bottom = 3.9 if settings.is_narrow else 2.9
    room = height - (bottom + 1.9) * line - line * (len(parts) - 1)
    if room < 0.3 * len(parts):
        raise SettingsError(f"--picture-height {height:g} has no room for {len(parts)} panels")
    figure, panels = stacked_panels(
        settings.picture_width, [room * part / sum(parts) for part in parts],
        label_size=settings.points, bottom_lines=bottom, top_lines=1.9, space=line,
        has_bars=[True] * len(planes) + [False] * len(polarizations))
    for panel, label in zip(panels, planes, strict=False):
        _draw_plane(panel, folded, label, settings)
    for panel, label in zip(panels[len(planes):], polarizations, strict=True):
        _draw_curve(panel, curve, label, settings)
    for panel in panels:
        panel.axes.set_xlim(0, 2)
        panel.axes.tick_params(labelbottom=panel is panels[-1])
    panels[-1].axes.set_xticks(np.arange(0, 2.01, 0.25))
    panels[-1].axes.set_xlabel(_phase_label(folded.ephemeris, settings.is_narrow))
    panels = fit_margins(panels, settings.points)
    box = panels[0].axes.get_position()
    figure.text(box.x0, box.y1 + 0.6 * line / height, settings.plot_title or title, ha="left",
                va="bottom")
    return figure


def chance_text(probability: float) -> str:
    """Return a probability in words."""
    return f"{probability:.2g}" if probability > 1e-99 else "below 1e-99"


def _phase_label(ephemeris: Ephemeris, is_narrow: bool) -> str:
    end = "\n" if is_narrow else " "
    return (f"Phase, P = {ephemeris.period:.9g} s{end}from MJD "
            f"{ephemeris.epoch:.6f} TDB at the barycentre")


def _draw_plane(panel: Panel, folded: FoldedSpectrum, label: str,
                settings: PlotSettings) -> None:
    axes, drawn = panel.axes, quantity(label)
    values = folded.spectrum.values(label)
    unit = Unit("Jy", 1.0, "Jy")
    frequency_axis = FrequencyAxis(folded.spectrum,
                                   compress=settings.frequency_gaps == "compressed")
    axes.set_ylim(*frequency_axis.ends)
    axes.set_ylabel(frequency_axis.label)
    if frequency_axis.breaks:
        axes.set_yticks(*frequency_axis.ticks(panel.height, settings.points / 72))
    axes.set_facecolor(FLAGGED)
    if not np.isfinite(values).any():
        write_in(panel, f"{drawn.label}: no unflagged data", settings.points)
        leave_out(panel.bar)
        return
    limits = robust_limits(values, is_signed=drawn.is_signed)
    unit = unit.scaled(max(map(abs, limits)),
                       settings.flux_unit if settings.flux_unit != "K" else "auto")
    values, limits = values * unit.factor, tuple(limit * unit.per_base for limit in limits)
    norm = colour_norm(limits, is_signed=drawn.is_signed, scale="linear", power=1.0, noise=0.0)
    low = np.concatenate([folded.place, folded.place + folded.number]) / folded.number
    y = tuple(frequency_axis.place(edges) for edges in frequency_edges(folded.spectrum))
    cells = draw_cells(axes, (low, low + 1 / folded.number), y, np.concatenate([values, values]),
                       colour_map=colour_map(drawn, settings.colour_map), norm=norm)
    bar = axes.figure.colorbar(cells, cax=panel.bar, extend=extension(values, limits))
    bar.set_label(f"{drawn.label} ({unit.label})")
    bar.outline.set_linewidth(0.6)


def _draw_curve(panel: Panel, curve: Table, label: str, settings: PlotSettings) -> None:
    axes = panel.axes
    values, errors = np.asarray(curve[label]), np.asarray(curve[f"{label}_sigma"])
    held = np.isfinite(values)
    largest = float(np.max(np.abs(values[held]))) if held.any() else 1.0
    unit = Unit("Jy", 1.0, "Jy").scaled(
        largest, settings.flux_unit if settings.flux_unit != "K" else "auto")
    axes.set_ylabel(f"Stokes {label} ({unit.label})")
    if not held.any():
        axes.set_yticks([])
        write_in(panel, "no unflagged data", settings.points)
        return
    phase = np.concatenate([curve["phase"], curve["phase"] + 1])
    axes.errorbar(phase, np.tile(values, 2) * unit.factor, np.tile(errors, 2) * unit.factor,
                  linestyle="none", marker="o", markersize=2.6, markeredgewidth=0, elinewidth=0.6,
                  color=COLOURS[label])
    low, high = np.nanmin(values - errors) * unit.factor, np.nanmax(values + errors) * unit.factor
    if low < 0 < high:
        axes.axhline(0, color="black", linewidth=0.4)
    axes.set_ylim(low - 0.08 * (high - low), high + 0.3 * (high - low))
    write_in(panel, "probability of a constant source "
             + chance_text(curve.meta["probability"][label]), settings.points)
