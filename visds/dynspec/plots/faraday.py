"""Faraday spectra of the mean and of bursts: |F| against Faraday depth, beside the RMTF."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.figure import LEGEND, LINE, fit_margins, stacked_panels, write_in
from visds.dynspec.plots.quantity import Unit
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.polarimetry.rm_clean import clean
from visds.dynspec.polarimetry.rm_synthesis import FaradaySpectrum, faraday_spectrum
from visds.dynspec.polarimetry.stokes_spectrum import detection_spectrum, mean_spectrum

MOST_BURSTS = 3
_CHANCE = 1e-3
_CLEANED = "#d55e00"
_RESPONSE = "#b0b0b0"


@dataclass(frozen=True, eq=False)
class NamedFaraday:
    """A Faraday spectrum and the words for what it is of."""

    name: str
    spectrum: FaradaySpectrum


def faraday_spectra(spectrum: DynamicSpectrum, detections: Table | None,
                    settings: PlotSettings) -> list[NamedFaraday]:
    """Return the Faraday spectra of the mean and of the detections of highest signal to noise.

    Up to `MOST_BURSTS` of these, in the order of their numbers; those whose Q and U are flagged,
    or that leave no integration for the level below them, are left out.

    Raises
    ------
    SettingsError
        If the spectrum does not hold Q and U in three channels.
    """
    missing = {"Q", "U"} - set(spectrum.polarizations)
    if missing:
        raise SettingsError(f"'faraday' needs {min(missing)}, which is not in this spectrum (it "
                            f"holds {', '.join(spectrum.polarizations)})")
    try:
        found = [NamedFaraday("mean", faraday_spectrum(mean_spectrum(spectrum),
                                                       largest_rm=settings.largest_depth))]
    except ValueError as error:
        raise SettingsError(f"'faraday': {error}") from None
    if detections is None or not len(detections) or not settings.mark_detections:
        return found
    for number in np.sort(np.argsort(-np.asarray(detections["snr"]))[:MOST_BURSTS]):
        burst = detection_spectrum(spectrum, detections, int(number))
        try:
            found.append(NamedFaraday(f"detection {number + 1}, less the level around it",
                                      faraday_spectrum(burst, largest_rm=settings.largest_depth)))
        except ValueError:
            continue
    return found


def faraday_figure(drawn: Sequence[NamedFaraday], title: str, settings: PlotSettings) -> Figure:
    """Return the figure of Faraday spectra, a panel each, with the response at the peak's depth.

    The line across is the flux density that noise reaches with a probability of 1e-3 at any depth.
    """
    line = settings.points * LINE
    each = 1.2 if settings.is_narrow else 1.5
    heights = [each] * len(drawn)
    if settings.picture_height:
        room = settings.picture_height - 5.5 * line - line * (len(drawn) - 1)
        if room < 0.3 * len(drawn):
            raise SettingsError(f"--picture-height {settings.picture_height:g} has no room for "
                                f"{len(drawn)} panels")
        heights = [room / len(drawn)] * len(drawn)
    figure, panels = stacked_panels(
        settings.picture_width, heights, label_size=settings.points, bottom_lines=2.9,
        top_lines=2.6, space=line, has_bars=[False] * len(drawn))
    for panel, one in zip(panels, drawn, strict=True):
        found, axes = one.spectrum, panel.axes
        size = np.abs(found.dispersion)
        unit = Unit("Jy", 1.0, "Jy").scaled(float(size.max()), settings.flux_unit)
        axes.plot(found.rmtf_phi + found.rm, np.abs(found.rmtf) * size.max() * unit.factor,
                  color=_RESPONSE, linewidth=0.7, label="response (RMTF)")
        axes.plot(found.phi, size * unit.factor, color="black", linewidth=0.8, label="|F|")
        if settings.rm_clean:
            axes.plot(found.phi, np.abs(clean(found).restored) * unit.factor, color=_CLEANED,
                      linewidth=0.8, label="cleaned")
        axes.axhline(found.noise * found.snr_of(_CHANCE) * unit.factor, color="black",
                     linewidth=0.6, linestyle=(0, (4, 2)))
        axes.set_xlim(found.phi[0], found.phi[-1])
        axes.set_ylim(0, 1.3 * size.max() * unit.factor)
        axes.set_ylabel(f"L ({unit.label})")
        axes.tick_params(labelbottom=panel is panels[-1])
        write_in(panel, f"{one.name}: {peak_text(found)}", settings.points)
    panels[-1].axes.set_xlabel("Faraday depth (rad m$^{-2}$)")
    panels = fit_margins(panels, settings.points)
    box = panels[0].axes.get_position()
    width, height = figure.get_size_inches()
    above = box.y1 + 0.6 * line / height
    figure.text(box.x0, above, settings.plot_title or title, ha="left", va="bottom")
    figure.legend(*panels[0].axes.get_legend_handles_labels(), loc="lower right", ncols=3,
                  bbox_to_anchor=(1 - 0.3 * line / width, above - 0.2 * line / height), **LEGEND)
    return figure


def peak_text(found: FaradaySpectrum) -> str:
    """Return the rotation measure of the peak in words, or that it may be noise."""
    if found.probability > _CHANCE:
        return f"no peak above the noise (S/N {found.snr:.1f})"
    digits = max(0, 1 - int(np.floor(np.log10(found.rm_error))))
    return (f"RM = {found.rm:.{digits}f} ± {found.rm_error:.{digits}f} rad/m², "
            f"S/N {found.snr:.1f}")
