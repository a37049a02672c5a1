"""The primary beam of a dish whose illumination falls off as a cosine: MeerKAT's."""

from dataclasses import dataclass

import numpy as np

from visds.visibility.primary_beam.beam import offset_arcmin

_HALF_POWER = 1.18896478
"""Half of it is where the pattern has half its power."""
_FIRST_NULL = 1.5 / _HALF_POWER


def cosine_taper(r: np.ndarray) -> np.ndarray:
    """Return the voltage at distances in half-power widths, 0 from the first null on.

    cos(pi q) / (1 - 4 q^2), q = 1.189 r (Condon & Ransom 2016, Essential Radio Astronomy, eq.
    3.95; Mauch et al. 2020, ApJ 888, 61, eq. 3), written so that q = 1/2 is no singular place.
    """
    q = _HALF_POWER * np.asarray(r)
    return np.where(q < 1.5, np.pi / 4 * np.sinc(q - 0.5) / (q + 0.5), 0)


@dataclass(frozen=True)
class CosineTaperBeam:
    """Round main lobe whose half-power width goes as the wavelength; 0 beyond its first null.

    Attributes
    ----------
    name, source : str
    width : float
        Half-power width at 1 GHz, arcmin.
    """

    name: str
    source: str
    width: float

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the pointing; see `PrimaryBeam`."""
        giga = np.asarray(frequency, float) / 1e9
        return cosine_taper(offset_arcmin(cosines)[..., np.newaxis] * giga / self.width) ** 2

    def describe(self) -> str:
        """Return in words which beam it is, and its source."""
        return (f"{self.name} ({self.source}): cosine taper, {self.width:.5g} arcmin GHz wide, "
                "0 beyond the first null")


MEERKAT = CosineTaperBeam("MeerKAT", "Mauch et al. 2020, ApJ 888, 61, eq. 3 and 4", 57.5 * 1.5)
"""Measured in L band. katbeam's widths are within 3 % of it at 700 to 1600 MHz, and wider beyond:
by 6 % at 600 and 8 % at 1700 MHz.
"""
