"""The figure of a two-dimensional autocorrelation: the plane, and its cuts with their widths."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visds.core.errors import SettingsError
from visds.core.plural import counted
from visds.dynspec.plots.colour import FLAGGED, SIGNED_MAP
from visds.dynspec.plots.figure import LINE, NotebookFigure, Panel, write_in
from visds.dynspec.plots.light_curve import COLOURS
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.variability.autocorrelation import Autocorrelation, PeakShape

_SHOWN = 6.0
"""Widths of the peak to which lags are drawn, if they reach that far."""
_LEAST, _FEW = 5, 25
"""Lags below which a cut shows no width, and points below which they are drawn larger."""


def autocorrelation_figure(made: Mapping[str, tuple[Autocorrelation, PeakShape]], title: str,
                           settings: PlotSettings) -> Figure:
    """Return the figure of autocorrelations by polarization: a row of three panels each.

    The plane of both lags, and its cuts along time and along frequency with the Gaussian that was
    fitted. All are divided by the fitted amplitude, or by the highest value beside zero lag if
    there is no fit. The noise at zero lag is left out.
    """
    line = settings.points * LINE
    width = settings.picture_width
    rows = len(made)
    columns = 1 if settings.is_narrow else 3
    left, right, gap, bottom, top = 4.9 * line, 1.0 * line, 4.4 * line, 2.9 * line, 1.9 * line
    inner = (width - left - right - gap * (columns - 1)) / columns
    lines = rows * 3 // columns
    high = 0.5 * inner if settings.is_narrow else 0.8 * inner
    if settings.picture_height:
        high = (settings.picture_height - top - lines * bottom - (lines - 1) * 0.3 * line) / lines
        if high < 0.3:
            raise SettingsError(f"--picture-height {settings.picture_height:g} has no room for "
                                f"{lines} rows of panels")
    height = top + lines * (high + bottom) + (lines - 1) * 0.3 * line
    figure = NotebookFigure(figsize=(width, height))
    panels = []
    for number in range(rows * 3):
        row, column = divmod(number, columns)
        low = height - top - (row + 1) * high - row * (bottom + 0.3 * line)
        axes = figure.add_axes([(left + column * (inner + gap)) / width, low / height,
                                inner / width, high / height])
        panels.append(Panel(axes, None, inner, high))
    for row, (label, (found, shape)) in enumerate(made.items()):
        _draw_row(panels[3 * row:3 * row + 3], label, found, shape, settings)
    box = panels[0].axes.get_position()
    figure.text(box.x0, box.y1 + 0.6 * line / height, settings.plot_title or title, ha="left",
                va="bottom")
    return figure


def _draw_row(panels: list[Panel], label: str, found: Autocorrelation, shape: PeakShape,
              settings: PlotSettings) -> None:
    L, K = found.zero
    values = found.correlation.copy()
    values[L, K] = np.nan
    near = values[L - 1:L + 2, K - 1:K + 2]
    scale = shape.amplitude
    if not np.isfinite(scale):
        scale = np.nanmax(np.abs(near)) if np.isfinite(near).any() else 1.0
    values = values / scale
    reach = [_reach(found.time_lag, values[:, K], shape.time_width),
             _reach(found.frequency_lag, values[L], shape.frequency_width)]
    time_name, time = _unit(reach[0], (("s", 1.0), ("min", 60.0), ("h", 3600.0)))
    frequency_name, frequency = _unit(
        reach[1], (("Hz", 1.0), ("kHz", 1e3), ("MHz", 1e6), ("GHz", 1e9)))
    _draw_plane(panels[0].axes, found, values, shape, time, frequency, reach)
    panels[0].axes.set_xlabel(f"Time lag ({time_name})")
    panels[0].axes.set_ylabel(f"Frequency lag ({frequency_name})")
    write_in(panels[0], f"Stokes {label}", settings.points)
    has_fit = np.isfinite(shape.amplitude)
    for panel, lag, cut, pairs, unit, name, end, width, error, level in (
            (panels[1], found.time_lag, values[:, K], found.pairs[:, K], time, time_name,
             reach[0], shape.time_width, shape.time_width_error, np.exp(-1)),
            (panels[2], found.frequency_lag, values[L], found.pairs[L], frequency,
             frequency_name, reach[1], shape.frequency_width, shape.frequency_width_error, 0.5)):
        axes = panel.axes
        half = len(lag) // 2
        noise = found.noise / abs(scale) / np.sqrt(np.maximum(pairs, 1.0))
        axes.fill_between(lag / unit, -noise, noise, color="#dddddd", linewidth=0)
        shown = cut[(lag > 0) & (lag <= end) & np.isfinite(cut)]
        axes.plot(lag[half + 1:] / unit, cut[half + 1:], linestyle="none", marker="o",
                  markersize=3.0 if len(shown) < _FEW else 1.8, markeredgewidth=0,
                  color=COLOURS[label])
        axes.axhline(0, color="black", linewidth=0.4)
        axes.set_xlim(0, end / unit)
        axes.set_ylim(min(-0.3, 1.1 * shown.min(initial=0)), max(1.3, 1.2 * shown.max(initial=0)))
        axes.set_ylabel("Correlation / amplitude" if has_fit else "Correlation / highest")
        axes.set_xlabel(("Time" if panel is panels[1] else "Frequency") + f" lag ({name})")
        if np.isfinite(width):
            x = np.linspace(0, end, 200)
            axes.plot(x / unit, level ** ((x / width) ** 2), color="#888888", linewidth=0.8,
                      zorder=1)
            total = np.hypot(error, shape.finite_scintle_error * width)
            digits = int(np.clip(1 - np.floor(np.log10(total / unit)), 0, 6))
            write_in(panel, f"{'1/e' if panel is panels[1] else '1/2'} at "
                     f"{width / unit:.{digits}f} ± {total / unit:.{digits}f} {name}",
                     settings.points)
        else:
            write_in(panel, "wider than the lags" if has_fit else "no width: "
                     + ("no peak above the noise" if len(shown) >= _LEAST else
                        f"{counted(len(shown), 'lag')} with data"), settings.points)


def _draw_plane(axes: Axes, found: Autocorrelation, values: np.ndarray, shape: PeakShape,
                time: float, frequency: float, reach: list[float]) -> None:
    axes.set_facecolor(FLAGGED)
    steps = [lag[1] - lag[0] for lag in (found.time_lag, found.frequency_lag)]
    (t0, t1), (f0, f1) = ((lag[0] - step / 2, lag[-1] + step / 2) for lag, step in zip(
        (found.time_lag, found.frequency_lag), steps, strict=True))
    axes.imshow(values.T, origin="lower", aspect="auto", cmap=SIGNED_MAP, vmin=-1, vmax=1,
                interpolation="none", rasterized=True,
                extent=(t0 / time, t1 / time, f0 / frequency, f1 / frequency))
    if np.isfinite(shape.time_width + shape.frequency_width):
        t, f = np.meshgrid(np.linspace(-reach[0], reach[0], 201),
                           np.linspace(-reach[1], reach[1], 201))
        c1, c3 = np.log(2) / shape.frequency_width**2, shape.time_width**-2.0
        model = np.exp(-(c1 * f**2 - 2 * shape.time_slope * c3 * f * t + c3 * t**2))
        axes.contour(t / time, f / frequency, model, [np.exp(-1), 0.5], colors="black",
                     linewidths=0.5)
    axes.set_xlim(-reach[0] / time, reach[0] / time)
    axes.set_ylim(-reach[1] / frequency, reach[1] / frequency)


def _reach(lag: np.ndarray, cut: np.ndarray, width: float) -> float:
    """Return to what lag a cut is drawn: half a step beyond the last of which there are pairs."""
    held = lag[np.isfinite(cut) & (lag > 0)]
    longest = held.max() if len(held) else lag[-1]
    end = longest + (lag[1] - lag[0]) / 2
    return min(end, _SHOWN * width) if np.isfinite(width) else end


def _unit(largest: float, units: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    """Return the unit in which the largest is 2 or more."""
    return next(((name, unit) for name, unit in reversed(units) if largest >= 2 * unit), units[0])
