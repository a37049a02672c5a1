"""Thermal noise, and the weights that belong to it."""

from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.visibility.simulation.settings import NoiseSettings


@dataclass(frozen=True)
class NoiseLevel:
    """Sigma of the real part of each visibility, as a product of factors.

    Attributes
    ----------
    sigma : float
        Of the best antennas, first receptor, mean channel, Jy.
    antennas : ndarray (A)
        Relative noise of an antenna; a baseline has the geometric mean of two.
    correlations : ndarray (P)
        Relative noise of a correlation.
    channels : ndarray (W, F)
        Relative noise of a channel of a spectral window.
    """

    sigma: float
    antennas: np.ndarray
    correlations: np.ndarray
    channels: np.ndarray

    def of_baselines(self, antenna1: np.ndarray, antenna2: np.ndarray) -> np.ndarray:
        """Return sigma in Jy (N, P) on baselines (N), at a relative channel noise of 1."""
        baselines = np.sqrt(self.antennas[antenna1] * self.antennas[antenna2])
        return self.sigma * baselines[:, np.newaxis] * self.correlations

    def weights(self, antenna1: np.ndarray, antenna2: np.ndarray,
                window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights 1/sigma^2 in Jy-2 of rows: of channels (N, F, P) and their mean (N, P).

        Without noise all weights are 1.
        """
        relative = self.channels[window]**-2.0
        sigma = self.of_baselines(antenna1, antenna2)
        row = sigma**-2.0 if self.sigma > 0 else np.ones_like(sigma)
        spectrum = row[:, np.newaxis, :] * relative[:, :, np.newaxis]
        return spectrum, spectrum.mean(axis=1)


def make_noise_level(settings: NoiseSettings, *, antennas: int, correlations: tuple[str, ...],
                     frequency: np.ndarray, channel_width: float, integration: float,
                     random: np.random.Generator) -> NoiseLevel:
    """Return the noise of every visibility.

    From a system equivalent flux density, sigma = SEFD / sqrt(2 dnu dt) (Wrobel & Walker 1999,
    eq. 9-14, system efficiency 1): the real part of a visibility in one correlation.

    Parameters
    ----------
    settings : NoiseSettings
    antennas : int
        Number of them: their relative noise is spread evenly from 1 to `antenna_ratio`, in random
        order.
    correlations : tuple of str
        Such as RR; the second receptor is L or Y.
    frequency : ndarray (W, F)
        Hz.
    channel_width, integration : float
        Hz and s.
    random : numpy.random.Generator

    Raises
    ------
    SettingsError
        If sigma is not finite.
    """
    sigma = settings.noise
    if settings.sefd is not None:
        sigma = settings.sefd / np.sqrt(2 * abs(channel_width) * integration)
    if not np.isfinite(sigma):
        raise SettingsError(f"--noise must be finite, not {sigma}")
    levels = random.permutation(np.linspace(1, settings.antenna_ratio, antennas))
    receptors = {"R": 1.0, "X": 1.0, "L": settings.receptor_ratio, "Y": settings.receptor_ratio}
    products = np.sqrt([receptors[name[0]] * receptors[name[1]] for name in correlations])
    low, high = frequency.min(), frequency.max()
    place = (frequency - low) / (high - low) - 0.5 if high > low else np.zeros_like(frequency)
    return NoiseLevel(float(sigma), levels, products, settings.channel_ratio**place)
