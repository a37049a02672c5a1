"""The third error: what is found where nothing should be, beyond what the standard errors say.

The imaginary part holds no flux density of a point source at the target, and directions beside it
hold none at all. What is there all the same, sidelobes of the target itself and of sources left in
the field, leakage, interference, calibration errors, is in the target's flux density too, whether
weights and baselines know of it or not: a floor under the errors.
"""

from collections.abc import Iterable

import numpy as np

from visds.dynspec.detection.noise import channel_inflation, steady_errors
from visds.dynspec.dynamic_spectrum import DynamicSpectrum


def error_inflation(spectrum: DynamicSpectrum,
                    off_source: Iterable[DynamicSpectrum] = ()) -> np.ndarray:
    """Return the factor (F,P) by which standard errors are to be enlarged; at least 1.

    It is max(1, sigma_3 / sigma_1), where sigma_1 is `DynamicSpectrum.sigma` freed of its own noise
    and sigma_3 the robust scatter about zero, in each channel, of the imaginary part at the target,
    of the real or of the imaginary part in the `off_source` directions, whichever is largest, in
    units of the sigma_1 of their own cells. A channel has a factor of its own only where it differs
    significantly from the part of the band that it is in (`channel_inflation`), so that a few
    cells do not make errors of their noise. What is the same in many cells, as the sidelobe of a
    constant source, does not average down over them.

    Raises
    ------
    ValueError
        If polarizations or channels are not the same.
    """
    own = imaginary_inflation(spectrum)
    off = off_source_inflation(off_source)
    if off is None:
        return own
    if off.shape != own.shape:
        raise ValueError(f"off-source spectra have {off.shape[0]} channels and {off.shape[1]} "
                         f"polarizations, the target's {own.shape[0]} and {own.shape[1]}")
    return np.maximum(own, off)


def imaginary_inflation(spectrum: DynamicSpectrum) -> np.ndarray:
    """Return the factor (F,P), at least 1, that the imaginary part of a spectrum asks for."""
    return _inflation([spectrum.residual / _steady(spectrum)])


def off_source_inflation(off_source: Iterable[DynamicSpectrum]) -> np.ndarray | None:
    """Return the factor (F,P), at least 1, that off-source directions ask for; None without any.

    They are taken one after the other.

    Raises
    ------
    ValueError
        If polarizations or channels are not the same.
    """
    real, imaginary, first = [], [], None
    for other in off_source:
        kind = other.polarizations, other.sum_w.shape[1:]
        if kind != (first or kind):
            raise ValueError(f"an off-source spectrum has {kind[0]} in {kind[1][0]} channels, "
                             f"another {first[0]} in {first[1][0]}")
        first = kind
        sigma = _steady(other)
        real.append(other.flux_density / sigma)
        imaginary.append(other.residual / sigma)
    return np.maximum(_inflation(real), _inflation(imaginary)) if real else None


def _inflation(parts: list[np.ndarray]) -> np.ndarray:
    """Return factors (F,P) from parts (T,F,P) in units of their errors."""
    noise = np.concatenate(parts)
    return np.stack([channel_inflation(noise[..., p]) for p in range(noise.shape[2])], axis=-1)


def _steady(spectrum: DynamicSpectrum) -> np.ndarray:
    """Return the standard errors (T,F,P) freed of their own noise; NaN where there is none."""
    sigma = np.stack([
        steady_errors(spectrum.sigma[..., p], spectrum.sigma_formal[..., p],
                      spectrum.count[..., p], spectrum.residual[..., p])
        for p in range(len(spectrum.polarizations))], axis=-1)
    return np.where(sigma > 0, sigma, np.nan)
