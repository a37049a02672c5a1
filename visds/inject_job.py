"""Searches of data with flares and without: a worker's share of visds-inject."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.spectra_file import read_spectrum
from visds.dynspec.stitch import Axes
from visds.injected_data import InjectedData
from visds.injection.placement import Search
from visds.injection.recovery import cells_of, edges, false_events, rows
from visds.injection.reliability import imaginary, sign_flipped
from visds.injection.settings import VISIBILITIES
from visds.injection.sums import add_flares
from visds.run_settings import AverageSettings

_KEPT = ("start", "stop", "band_low", "band_high", "polarization", "snr")
# The noise is known from the search without flares.
_REALIZATIONS = 8


@dataclass(frozen=True, eq=False)
class Quiet:
    """What the search finds at a place without flares.

    `threshold` is NaN where there is nothing to search; `events` are those of the data as they
    are, `flipped` and `imaginary` the numbers of events in data that can have none: Stokes I with
    its sign flipped, and the imaginary part. `coherent` is the error (Jy) that all channels have
    together, by polarization searched.
    """

    threshold: float
    false_alarm_rate: float
    events: Table
    coherent: dict[str, float]
    flipped: int = 0
    imaginary: int = 0


@dataclass(frozen=True, eq=False)
class QuietJob:
    """Searches the spectra without flares."""

    data: InjectedData
    detect: DetectSettings
    average: AverageSettings

    def __call__(self, place: int) -> Quiet:
        """Return what is found at a place, by its number."""
        spectrum = binned(read_spectrum(self.data.spectra, place), self.average)
        controls = [one for one in self.data.run.off_source()
                    if one.flags.shape == spectrum.flags.shape]
        table = detect(spectrum, self.detect, controls)
        events = Table(table[_KEPT], meta={})
        threshold = float(table.meta["threshold"])
        rate = float(table.meta["false_alarm_rate"])
        coherent = dict(table.meta.get("coherent_error_Jy", {}))
        if not np.isfinite(threshold):
            return Quiet(threshold, rate, events, coherent)
        settings = known_threshold(self.detect, threshold)
        flipped = 0
        if "I" in self.detect.detection_polarizations:
            found = detect(sign_flipped(spectrum), settings)
            flipped = int(np.sum(found["polarization"] == "I"))
        return Quiet(threshold, rate, events, coherent, flipped,
                     len(detect(imaginary(spectrum), settings)))


@dataclass(frozen=True, eq=False)
class InjectJob:
    """Puts the flares of a search into the data and searches these.

    `pieces` are those of the axes, a tuple a chunk; `quiet` is what is found without flares.
    """

    data: InjectedData
    detect: DetectSettings
    average: AverageSettings
    through: str
    axes: Axes
    pieces: Sequence[tuple]
    quiet: Sequence[Quiet]

    def __call__(self, search: Search) -> tuple[list[dict], int]:
        """Return the rows of the flares, and how many events are false."""
        place, quiet = search.direction, self.quiet[search.direction]
        if self.through == VISIBILITIES:
            spectrum = self.data.through_visibilities(place, search.flares, self.axes, self.pieces)
        else:
            spectrum = add_flares(_spectrum(self.data.spectra, place), search.flares)
        spectrum = binned(spectrum, self.average)
        events = detect(spectrum, known_threshold(self.detect, quiet.threshold))
        return (rows(search, spectrum, events, cells_of(quiet.events, spectrum),
                     self.detect.detection_polarizations, quiet.threshold,
                     self.detect.quiescent != "none"),
                false_events(search, events, quiet.events, edges(spectrum)))


def binned(spectrum: DynamicSpectrum, average: AverageSettings) -> DynamicSpectrum:
    """Return the spectrum in the bins that are searched."""
    return spectrum.rebin(time=average.time_bin, channel=average.channel_bin)


def known_threshold(settings: DetectSettings, threshold: float) -> DetectSettings:
    """Return the settings of a search whose threshold needs not be calibrated again.

    That of linear polarization is told by its noise realizations: there the number stays.
    """
    realizations = settings.realizations if "L" in settings.detection_polarizations \
        else _REALIZATIONS
    return dataclasses.replace(settings, detection_threshold=threshold, realizations=realizations)


@functools.lru_cache(maxsize=1)
def _spectrum(path: Path, place: int) -> DynamicSpectrum:
    return read_spectrum(path, place)
