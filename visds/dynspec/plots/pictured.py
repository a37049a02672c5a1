"""What pictures are drawn from: a spectrum summed once for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.dynspec import binning
from visds.dynspec.cuts import has_cuts
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.cells import rebin_times
from visds.dynspec.plots.faraday import NamedFaraday
from visds.dynspec.plots.figure import inner_width
from visds.dynspec.plots.quantity import Quantity, quantity
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.time_axis import TimeAxis
from visds.dynspec.variability.measure import Variability


@dataclass(frozen=True, eq=False)
class Pictured:
    """A dynamic spectrum as its pictures need it, small enough to be sent to other ranks.

    `columns` are the polarizations that the pictures show, in integrations of at least a pixel, or
    all as it was where samples are cut. `band` (T,1,P) is the whole band in every integration,
    `faraday` what the picture of that name shows, `variability` what those of its measures do.
    """

    columns: DynamicSpectrum
    band: DynamicSpectrum
    faraday: tuple[NamedFaraday, ...] = ()
    variability: Variability | None = None

    @classmethod
    def of(cls, spectrum: DynamicSpectrum, pictures: Sequence[Quantity],
           settings: PlotSettings) -> "Pictured":
        """Return what the `pictures` of quantities and all light curves of a spectrum need."""
        band = spectrum.sum_channels(binning.whole(len(spectrum.frequency)))
        band = band.select_times(np.argsort(band.time, kind="stable"))
        if has_cuts(spectrum):
            # Cuts are of samples, and come before all sums.
            return cls(spectrum, band)
        needed = [label for one in pictures for label in one.needed]
        columns = rebin_times(spectrum.select_polarizations(needed or spectrum.polarizations[:1]),
                              time_axis(band, settings),
                              width=inner_width(settings.picture_width, settings.points),
                              resolution=settings.picture_resolution)
        return cls(columns, band)


def time_axis(band: DynamicSpectrum, settings: PlotSettings) -> TimeAxis:
    """Return the time axis that the settings ask for."""
    return TimeAxis(band, kind=settings.time_axis, compress=settings.gaps == "compressed",
                    unit=settings.time_unit)


def overview_pictures(polarizations: Sequence[str]) -> list[Quantity]:
    """Return the quantities that an overview shows against frequency: I, V and V/I, if held."""
    held = [name for name in ("I", "V") if name in polarizations]
    return [quantity(name) for name in ([*held, "V/I"] if len(held) == 2 else held)]
