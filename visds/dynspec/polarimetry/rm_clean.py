"""RM-CLEAN of a Faraday dispersion function, by RM-Tools (the extra ``visds[rm]``)."""

from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.dynspec.polarimetry.rm_synthesis import FaradaySpectrum


@dataclass(frozen=True, eq=False)
class CleanedFaraday:
    """What CLEAN makes of a `FaradaySpectrum`, on its axis `phi`, complex (N) in Jy.

    `components` at single depths; `restored`: these, each a Gaussian of the resolution, and what is
    left of the dispersion function.
    """

    phi: np.ndarray
    components: np.ndarray
    restored: np.ndarray


def clean(faraday: FaradaySpectrum, *, threshold: float = 5.0, gain: float = 0.1,
          iterations: int = 1000) -> CleanedFaraday:
    """Return the dispersion function cleaned down to `threshold` times its noise.

    Heald (2009, IAU Symp. 259, 591) in the implementation of RM-Tools.

    Raises
    ------
    SettingsError
        If RM-Tools is not installed.
    """
    try:
        from RMutils.util_RM import do_rmclean_hogbom
    except ImportError:
        raise SettingsError("RM-CLEAN needs RM-Tools: pip install visds[rm]") from None
    # RM-Tools changes what it is given.
    found = do_rmclean_hogbom(
        faraday.dispersion.copy(), faraday.phi, faraday.rmtf.copy(), faraday.rmtf_phi,
        np.array(faraday.resolution), cutoff=threshold * faraday.noise, maxIter=iterations,
        gain=gain, nBits=64, log=lambda *words: None)
    return CleanedFaraday(faraday.phi, np.asarray(found.ccArr), np.asarray(found.cleanFDF))
