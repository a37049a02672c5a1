"""Flux densities of flares where and as they were put in, whether they are found or not."""

from collections.abc import Sequence

import numpy as np

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.injection.flare import Flare


class ForcedPhotometry:
    """Fits the known profiles of flares to one polarization of a spectrum.

    The least squares fit of a flare's height and, with `has_level`, of a level in each channel:
    unbiased whatever the noise did, because nothing is chosen by it.

    Parameters
    ----------
    spectrum : DynamicSpectrum
    polarization : str
        I, Q, U or V.
    flares : sequence of Flare
        All that are in the spectrum: each is left out of the level of the others.
    events : (T,F) bool
        Cells to leave out.
    has_level : bool
    """

    def __init__(self, spectrum: DynamicSpectrum, polarization: str, flares: Sequence[Flare],
                 events: np.ndarray, has_level: bool = True):
        self._spectrum, self._has_level = spectrum, has_level
        errors = spectrum.errors(polarization)
        self._values = spectrum.values(polarization)
        used = np.isfinite(self._values) & (errors > 0) & ~events
        self._weight = np.divide(1, errors**2, out=np.zeros(errors.shape), where=used)
        self._values = np.where(used, self._values, 0)
        quiet = np.ones(len(spectrum.time), bool)
        for flare in flares:
            quiet[self._times(flare)] = False
        self._level = self._moments(quiet)

    def height(self, flare: Flare) -> tuple[float, float]:
        """Return the fitted flux density at a flare's peak and its standard error, Jy.

        NaN and infinity where no data tell.
        """
        times, profile = self._seen(flare)
        weight, values = self._weight[times], self._values[times]
        own, cross = (weight * profile**2).sum(0), (weight * profile * values).sum(0)
        if self._has_level:
            total, weighted = (quiet + here for quiet, here in zip(
                self._level, self._moments(times), strict=True))
            mean = np.divide((weight * profile).sum(0), total, out=np.zeros(len(total)),
                             where=total > 0)
            own, cross = own - mean**2 * total, cross - mean * weighted
        norm = float(own.sum())
        # A flare that fills all of the time is its own level.
        if not norm > 1e-9 * float((weight * profile**2).sum()):
            return np.nan, np.inf
        return float(cross.sum()) / norm, norm**-0.5

    def _seen(self, flare: Flare) -> tuple[np.ndarray, np.ndarray]:
        times = self._times(flare)
        return times, flare.profile(
            self._spectrum.time[times], self._spectrum.integration[times],
            self._spectrum.frequency, self._spectrum.channel_width)

    def _moments(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (self._weight[times].sum(0),
                (self._weight[times] * self._values[times]).sum(0))

    def _times(self, flare: Flare) -> np.ndarray:
        return flare.reach(self._spectrum.time, self._spectrum.integration,
                           self._spectrum.frequency)
