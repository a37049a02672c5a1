"""Stokes parameters against frequency: of the mean, and of a burst on its quiescent level."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from visds.dynspec import binning
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

_SAME_TIME = 1e-3 / 86400
"""Times (d) are rounded: a millisecond."""


@dataclass(frozen=True, eq=False)
class StokesSpectrum:
    """Stokes parameters of each channel, with their errors; NaN where there are no data.

    Attributes
    ----------
    frequency, channel_width : (F) arrays
        Centre and width of the channels in Hz, ascending.
    flux_density, sigma : (F,P) arrays
        In Jy.
    covariance : (F) array
        That of I and `partner` in Jy^2.
    polarizations : tuple of str
        Labels on axis P.
    partner : str
        The Stokes parameter that comes from the parallel hands with I: V or Q.
    """

    frequency: np.ndarray
    channel_width: np.ndarray
    flux_density: np.ndarray
    sigma: np.ndarray
    covariance: np.ndarray
    polarizations: tuple[str, ...]
    partner: str

    def values(self, polarization: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the flux density (F) of a Stokes parameter and its error; NaN if not held."""
        if polarization not in self.polarizations:
            return np.full((2, len(self.frequency)), np.nan)
        p = self.polarizations.index(polarization)
        return self.flux_density[:, p], self.sigma[:, p]

    @property
    def has_linear(self) -> bool:
        """Whether Q and U are both held."""
        return {"Q", "U"} <= set(self.polarizations)


def mean_spectrum(spectrum: DynamicSpectrum, times: np.ndarray | slice | None = None
                  ) -> StokesSpectrum:
    """Return the Stokes parameters of a time range: weighted means of each channel.

    `times` is a mask (T), indices or a slice; all integrations without it.
    """
    part = spectrum if times is None else spectrum.select_times(times)
    F, P = part.flags.shape[1:]
    partner = "V" if "RR" in part.parallel_hands else "Q"
    if not len(part.time):
        nothing = np.full((F, P), np.nan)
        return StokesSpectrum(part.frequency, part.channel_width, nothing, nothing, nothing[:, 0],
                              part.polarizations, partner)
    single = part.sum_times(binning.whole(len(part.time)))
    covariance = (single.covariance[0] if single.has_parallel_pair else np.full(F, np.nan))
    return StokesSpectrum(single.frequency, single.channel_width, single.flux_density[0],
                          single.sigma[0], covariance, single.polarizations, partner)


def burst_spectrum(spectrum: DynamicSpectrum, times: np.ndarray | slice,
                   quiescent: np.ndarray | slice,
                   channels: np.ndarray | slice = slice(None)) -> StokesSpectrum:
    """Return the Stokes parameters of a burst: the means in `times` less those in `quiescent`.

    Both are masks (T), indices or slices that share no integration, as the errors are added;
    `channels` likewise (F). So the polarization of a quiet star is not that of its burst, and what
    leaks from a steady source into Q, U and V is taken off.
    """
    spectrum = spectrum.select_channels(channels)
    inside, level = mean_spectrum(spectrum, times), mean_spectrum(spectrum, quiescent)
    return StokesSpectrum(
        inside.frequency, inside.channel_width, inside.flux_density - level.flux_density,
        np.hypot(inside.sigma, level.sigma), inside.covariance + level.covariance,
        inside.polarizations, inside.partner)


def detection_spectrum(spectrum: DynamicSpectrum, detections: Table, number: int
                       ) -> StokesSpectrum:
    """Return the Stokes parameters of the best box of row `number` of a table of detections.

    Less the level in the integrations in which nothing is detected; NaN where there are none.
    """
    seconds = spectrum.integration / 2 / 86400
    level = np.ones(len(spectrum.time), bool)
    for row in detections:
        level &= ((spectrum.time + seconds < row["start"] + _SAME_TIME)
                  | (spectrum.time - seconds > row["stop"] - _SAME_TIME))
    row = detections[number]
    times = (spectrum.time > row["box_start"]) & (spectrum.time < row["box_stop"])
    channels = (spectrum.frequency > row["box_low"]) & (spectrum.frequency < row["box_high"])
    return burst_spectrum(spectrum, times, level, channels)
