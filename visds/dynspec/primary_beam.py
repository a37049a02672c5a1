"""The dynamic spectrum of a target away from the pointing, corrected for the primary beam."""

import numpy as np

from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

# A visibility V of weight w becomes V / A of weight w A^2: so many powers of A come to each sum.
_POWERS = {"sum_w": 2, "sum_wv": 1, "sum_w2": 4, "sum_w2v": 3, "sum_w2v2": 2, "sum_w2_cross": 2,
           "sum_w2_covariance": 2}


def correct_primary_beam(spectrum: DynamicSpectrum, power: np.ndarray) -> DynamicSpectrum:
    """Return the spectrum of flux densities as they are on the sky, not as they are attenuated.

    It is that of visibilities divided by the power, their weights multiplied with its square:
    flux densities, imaginary parts and errors are divided by it, in each channel, and channels
    with more power weigh more in a band. So it is exact for a factor that differs between
    channels only, whether it is put to visibilities or to their sums.

    Parameters
    ----------
    spectrum : DynamicSpectrum
        Not corrected yet.
    power : (F) float64
        Of the primary beam at the target, from 0 to 1; a channel where it is 0 becomes EMPTY.

    Raises
    ------
    ValueError
        If the spectrum was corrected before.
    """
    if np.any(spectrum.primary_beam != 1):
        raise ValueError("the spectrum is corrected for the primary beam already")
    power = np.asarray(power, float)
    changes = {}
    for name, exponent in _POWERS.items():
        values = getattr(spectrum, name)
        factor = power**exponent
        changes[name] = values * (factor if values.ndim == 2 else factor[:, np.newaxis])
    is_lost = power == 0
    count, flags = spectrum.count.copy(), spectrum.flags.copy()
    count[:, is_lost] = 0
    flags[:, is_lost] |= np.uint16(Flag.EMPTY | Flag.ZERO_WEIGHT)
    return spectrum.replace(primary_beam=power, count=count, flags=flags, **changes)
