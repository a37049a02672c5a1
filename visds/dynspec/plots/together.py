"""Figures of several spectra on one time axis: targets of an observation, epochs, bands."""

import copy
import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.table import Table
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from visds.core.errors import SettingsError
from visds.core.files import make_folder
from visds.dynspec import binning
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import column_length
from visds.dynspec.plots.draw import available_plots
from visds.dynspec.plots.dynamic_spectrum import draw_dynamic_spectrum
from visds.dynspec.plots.figure import Panel, fit_margins, inner_width, picture_style, save_figure
from visds.dynspec.plots.layout import band_text, panels_of, write_title
from visds.dynspec.plots.light_curve import draw_light_curve, draw_overlaid, has_bar
from visds.dynspec.plots.marks import label_times
from visds.dynspec.plots.quantity import Quantity, check_held, quantity, usual_curves
from visds.dynspec.plots.settings import OTHER_PLOTS, PlotSettings
from visds.dynspec.plots.time_axis import DAY, TimeAxis, cell_widths
from visds.dynspec.plots.together_settings import TogetherSettings
from visds.dynspec.universal_time import date_text

COLOURS = ("black", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MOST_PANELS = 24


@dataclass(frozen=True, eq=False)
class Part:
    """One of several spectra in a figure, with its detections and what tells it from the others."""

    spectrum: DynamicSpectrum
    detections: Table | None
    label: str = ""


class SharedAxis(TimeAxis):
    """The time axis of several spectra; elapsed time may have a zero, unit and label of its own.

    Parameters
    ----------
    spectra : sequence of DynamicSpectrum
        Their `time` is that of the axis, whatever its kind: UTC, or times that were moved.
    kind, compress, unit
        As of `TimeAxis`.
    zero, unit_length, label
        MJD of the axis, s and text, in place of those that follow from these.
    """

    def __init__(self, spectra: Sequence[DynamicSpectrum], *, kind: str, compress: bool,
                 unit: str = "auto", zero: float | None = None, unit_length: float | None = None,
                 label: str | None = None):
        super().__init__(_all_integrations(spectra), kind=kind, compress=compress, unit=unit)
        self.zero = self.zero if zero is None else zero
        self.unit_length = self.unit_length if unit_length is None else unit_length
        self._label = label

    def of(self, spectrum: DynamicSpectrum) -> "SharedAxis":
        """Return the axis with the runs, and so the gaps, of one of the spectra."""
        own = copy.copy(self)
        own.runs = TimeAxis(spectrum, kind=self.kind).runs
        return own

    @property
    def label(self) -> str:
        """What stands under the axis."""
        return self._label.format(unit=self.unit) if self._label else super().label


def draw_together(parts: Sequence[Part], settings: PlotSettings, together: TogetherSettings,
                  folder: str | os.PathLike, *, period: float | None = None,
                  epoch: float | None = None) -> list[Path]:
    """Draw the plots that the settings ask for of several spectra, a figure each; return the files.

    Parameters
    ----------
    parts : sequence of Part
        In their order from top to bottom.
    period, epoch : float, optional
        Period in s and time of phase 0, MJD TDB at the barycentre, to align in phase.

    Raises
    ------
    SettingsError
        If a spectrum does not hold what a plot needs, or a plot is not one of several spectra.
    OutputError
        If a file cannot be written.
    """
    plots = settings.plots or [
        plot for plot in available_plots(parts[0].spectrum) if plot != "overview"
        and all(plot in available_plots(part.spectrum) for part in parts)]
    figures = [(plot, together_figure(parts, plot, settings, together, period=period, epoch=epoch))
               for plot in dict.fromkeys(plots)]
    tag = f"_{settings.plot_tag}" if settings.plot_tag else ""
    paths = []
    for plot, figure in figures:
        stem = plot if plot in OTHER_PLOTS else quantity(plot).file_name
        for kind in settings.picture_format:
            paths.append(make_folder(folder) / f"{stem}{tag}.{kind}")
            with picture_style(settings.points):
                save_figure(figure, paths[-1], settings.picture_resolution)
    return paths


def together_figure(parts: Sequence[Part], plot: str, settings: PlotSettings,
                    together: TogetherSettings, *, period: float | None = None,
                    epoch: float | None = None) -> Figure:
    """Return the figure of a plot of several spectra; parameters and errors as `draw_together`."""
    if plot in OTHER_PLOTS and plot != "lightcurve":
        raise SettingsError(f"--plots {plot} is of one spectrum, and {len(parts)} are given")
    if settings.mark_time and (together.align != "time" or settings.time_axis == "barycentre"):
        raise SettingsError("--mark-time: times in UTC cannot be marked on this axis of several "
                            "spectra (--align time --time-axis ut)")
    # Numbers of scans of several observations would not say of which.
    settings = dataclasses.replace(settings, scan_edges="none")
    parts, axis = _aligned(_labelled(parts), settings, together, period, epoch)
    with picture_style(settings.points):
        if plot == "lightcurve":
            curves = [quantity(name) for name in settings.curves or usual_curves(
                [label for label in parts[0].spectrum.polarizations
                 if all(label in part.spectrum.polarizations for part in parts)])]
            return _curves_figure(parts, curves, axis, settings, together)
        return _spectra_figure(parts, quantity(plot, settings.mask_angles_below), axis, settings)


def _spectra_figure(parts: Sequence[Part], drawn: Quantity, axis: SharedAxis,
                    settings: PlotSettings) -> Figure:
    is_curve = [len(part.spectrum.frequency) == 1 for part in parts]
    column = max(column_length(part.spectrum, axis, width=inner_width(
        settings.picture_width, settings.points), resolution=settings.picture_resolution)
        for part in parts)
    figure, panels = _stacked(len(parts), 1.2 if settings.is_narrow else 1.6, axis, settings,
                              [not one for one in is_curve], column)
    legend: list[Artist] = []
    for panel, part, curve in zip(panels, parts, is_curve, strict=True):
        check_held(drawn.name, drawn.polarization, part.spectrum)
        if curve:
            legend += draw_light_curve(panel, _band(part), drawn, axis.of(part.spectrum), settings,
                                       part.detections, is_top=False)
        else:
            legend += draw_dynamic_spectrum(panel, part.spectrum, drawn, axis.of(part.spectrum),
                                            settings, part.detections, is_top=False)
        _name(panel, part.label, settings)
    return _finished(figure, panels, parts, axis, settings, legend, column=column)


def _curves_figure(parts: Sequence[Part], curves: Sequence[Quantity], axis: SharedAxis,
                   settings: PlotSettings, together: TogetherSettings) -> Figure:
    for curve in curves:
        for part in parts:
            check_held("lightcurve", curve.polarization, part.spectrum)
    size = 1.0 if settings.is_narrow else 1.2
    legend: list[Artist] = []
    if together.light_curves == "overlaid":
        if len(parts) > len(COLOURS):
            raise SettingsError(f"--light-curves overlaid: {len(parts)} curves in one panel cannot "
                                f"be told apart, at most {len(COLOURS)} can (stacked)")
        figure, panels = _stacked(len(curves), 1.3 * size, axis, settings, [False] * len(curves))
        bands = [_band(part) for part in parts]
        legend += [Line2D([], [], color=colour, marker="o", markersize=3, linewidth=0.8,
                          label=part.label + " (no unflagged data)" * (not any(
                              np.isfinite(curve.values(band)).any() for curve in curves)))
                   for part, band, colour in zip(parts, bands, COLOURS, strict=False)]
        for panel, curve in zip(panels, curves, strict=True):
            legend += draw_overlaid(panel, bands, COLOURS[:len(parts)], curve, axis, settings)
    else:
        figure, panels = _stacked(len(parts) * len(curves), size, axis, settings, [
            has_bar(curve, part.spectrum.polarizations, settings)
            for part in parts for curve in curves])
        for number, (part, curve) in enumerate((part, curve) for part in parts for curve in curves):
            legend += draw_light_curve(panels[number], _band(part), curve, axis.of(part.spectrum),
                                       settings, part.detections, is_top=False)
            if number % len(curves) == 0:
                _name(panels[number], part.label, settings)
    return _finished(figure, panels, parts, axis, settings, legend, has_points=True)


def _stacked(number: int, each: float, axis: SharedAxis, settings: PlotSettings,
             has_bars: list[bool], column: int = 1) -> tuple[Figure, list[Panel]]:
    if number > MOST_PANELS:
        raise SettingsError(f"a figure of {number} panels is not one to read: at most "
                            f"{MOST_PANELS} (fewer OUT, --target or --curves)")
    return panels_of(settings, [1.0] * number, settings.picture_height or each * number + 0.7,
                     axis, has_bars=has_bars, column_length=column, space_lines=1.4)


def _finished(figure: Figure, panels: Sequence[Panel], parts: Sequence[Part], axis: SharedAxis,
              settings: PlotSettings, legend: Sequence[Artist], *, has_points: bool = False,
              column: int = 1) -> Figure:
    panels = fit_margins(panels, settings.points)
    label_times(panels, axis, settings, has_points=has_points, column_length=column)
    common = [words.pop() for words in map(set, zip(*map(_facts, parts), strict=True))
              if len(words) == 1]
    write_title(figure, panels[0], [words for words in common if words], settings, legend)
    return figure


def _name(panel: Panel, label: str, settings: PlotSettings) -> None:
    """Write what a panel is of above its left end."""
    panel.axes.annotate(label, (0, 1), xycoords="axes fraction", xytext=(0, 4),
                        textcoords="offset points", ha="left", va="bottom",
                        fontsize=0.9 * settings.points, color="#555555", annotation_clip=False)


def _band(part: Part) -> DynamicSpectrum:
    spectrum = part.spectrum
    band = spectrum.sum_channels(binning.whole(len(spectrum.frequency)))
    return band.select_times(np.argsort(band.time, kind="stable"))


def _facts(part: Part) -> tuple[str, ...]:
    """Return target, telescope and band of a spectrum, in words."""
    spectrum = part.spectrum
    low, high = (spectrum.frequency + sign * spectrum.channel_width / 2 for sign in (-1, 1))
    return (str(spectrum.meta.get("target", "")), str(spectrum.meta.get("telescope", "")),
            band_text(low.min(), high.max()))


def _labelled(parts: Sequence[Part]) -> list[Part]:
    """Return the parts labelled by what tells them apart: target, telescope, band, date.

    The label that a part came with is added where that is nothing.
    """
    for part in parts:
        if not part.spectrum.flags.size:
            raise SettingsError(f"{part.label}: there is no integration or no channel to draw")
    facts = [(*_facts(part), date_text(float(part.spectrum.time.min()))) for part in parts]
    differing = [len(set(words)) > 1 for words in zip(*facts, strict=True)]
    labels = [", ".join(word for word, differs in zip(words, differing, strict=True)
                        if differs and word) for words in facts]
    return [dataclasses.replace(part, label=label if labels.count(label) == 1 and label
                                else ", ".join(filter(None, (label, part.label))))
            for part, label in zip(parts, labels, strict=True)]


def _aligned(parts: Sequence[Part], settings: PlotSettings, together: TogetherSettings,
             period: float | None, epoch: float | None) -> tuple[list[Part], SharedAxis]:
    """Return the parts with the times of the common axis, and that axis."""
    kind, compress = settings.time_axis, settings.gaps == "compressed"
    own: dict = {"unit": settings.time_unit}
    if together.align == "start":
        starts = [float(np.min(part.spectrum.time - cell_widths(part.spectrum) / DAY / 2))
                  for part in parts]
        moved = [_moved(part, back=start - starts[0])
                 for part, start in zip(parts, starts, strict=True)]
        kind, own["label"] = "elapsed", "Time since the start of each ({unit})"
    elif together.align == "phase":
        if period is None:
            raise SettingsError("--align phase needs a --period to fold on")
        first = [float(_barycentric(part.spectrum).min()) for part in parts]
        epoch = min(first) if epoch is None else epoch
        days = period / DAY
        moved = [_moved(part, is_barycentric=True, back=np.floor((start - epoch) / days) * days)
                 for part, start in zip(parts, first, strict=True)]
        kind = "elapsed"
        end = "\n" if settings.is_narrow else " "
        own = {"zero": epoch, "unit_length": period, "label": (
            f"Phase, P = {period:.9g} s{end}from MJD {epoch:.6f} TDB at the barycentre")}
    else:
        moved = [_moved(part, is_barycentric=kind == "barycentre") for part in parts]
    return moved, SharedAxis([part.spectrum for part in moved], kind=kind, compress=compress, **own)


def _barycentric(spectrum: DynamicSpectrum) -> np.ndarray:
    if not np.isfinite(spectrum.time_barycentre).all():
        raise SettingsError("times at the barycentre are not known for this spectrum")
    return spectrum.time_barycentre


def _moved(part: Part, *, is_barycentric: bool = False, back: float = 0.0) -> Part:
    """Return a part with times at the barycentre, if so, and earlier by some days."""
    spectrum, detections = part.spectrum, part.detections
    delay = _barycentric(spectrum) - spectrum.time if is_barycentric \
        else np.zeros(len(spectrum.time))
    time = spectrum.time + delay - back
    if detections is not None:
        order = np.argsort(spectrum.time)
        detections = detections.copy()
        for name in ("start", "stop"):
            moments = np.asarray(detections[name], float)
            detections[name] = moments - back + np.interp(
                moments, spectrum.time[order], delay[order])
    return dataclasses.replace(part, detections=detections,
                               spectrum=spectrum.replace(time=time, time_barycentre=time))


def _all_integrations(spectra: Sequence[DynamicSpectrum]) -> SimpleNamespace:
    """Return the integrations of several spectra as those of one; scans that overlap are one scan.

    An integration is as long as it is drawn in its own spectrum.
    """
    pieces = []
    for spectrum in spectra:
        widths = cell_widths(spectrum)
        for number in np.unique(spectrum.scan):
            member = spectrum.scan == number
            time, width = spectrum.time[member], widths[member]
            half = width / DAY / 2
            pieces.append((float((time - half).min()), float((time + half).max()), time, width))
    pieces.sort(key=lambda piece: piece[:2])
    numbers, stop = [], -np.inf
    for begin, end, _, _ in pieces:
        numbers.append((numbers[-1] if numbers else 0) + (begin >= stop - 1e-9))
        stop = max(stop, end)
    time = np.concatenate([piece[2] for piece in pieces])
    return SimpleNamespace(
        time=time, time_barycentre=time, integration=np.concatenate([piece[3] for piece in pieces]),
        scan=np.concatenate([np.full(len(piece[2]), number)
                             for number, piece in zip(numbers, pieces, strict=True)]))
