"""Stokes spectra of sources at known Faraday depths."""

import numpy as np

from visds.dynspec.polarimetry.rm_synthesis import wavelength_squared
from visds.dynspec.polarimetry.stokes_spectrum import StokesSpectrum


def rotated(rm, frequency, channel_width, sigma, *, flux_density=1.0, chi=0.0, seed=0):
    """Return Q and U of sources of `rm` (one or several) with noise `sigma` (one or F) in Jy."""
    squared, _ = wavelength_squared(frequency, channel_width)
    sigma = np.broadcast_to(sigma, frequency.shape)
    depth, size = np.broadcast_arrays(np.atleast_1d(rm), np.atleast_1d(flux_density))
    p = np.sum(size * np.exp(2j * (chi + depth * squared[:, None])), axis=1)
    noise = np.random.default_rng(seed).standard_normal((2, len(frequency)))
    values = np.stack([p.real, p.imag], axis=1) + sigma[:, None] * noise.T
    return StokesSpectrum(frequency, channel_width, values, np.stack([sigma, sigma], axis=1),
                          np.zeros(len(frequency)), ("Q", "U"), "V")


def faraday_source(rm, *, snr, flux_density=1.0, chi=0.0, seed=0, unequal=False):
    """Return 128 channels of 700 to 956 MHz with a source of `snr` in all of them together."""
    frequency, width = 701e6 + 2e6 * np.arange(128), np.full(128, 2e6)
    sigma = np.full(128, np.sqrt(128) / snr)
    if unequal:
        sigma = sigma * np.random.default_rng(9).uniform(0.6, 2, 128)
    return rotated(rm, frequency, width, sigma, flux_density=flux_density, chi=chi, seed=seed)
