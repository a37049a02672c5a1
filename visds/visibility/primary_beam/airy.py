"""The primary beam of a uniformly illuminated, round dish."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import LIGHT_SPEED


@dataclass(frozen=True)
class AiryBeam:
    """Airy pattern: the squared transform of a round aperture, with its side lobes.

    The voltage is 2 J1(x) / x with x = pi D sin(theta) / lambda (Born & Wolf, Principles of
    Optics, sec. 8.5.2), that of the blocked part taken away (sec. 8.6.2). The half-power width is
    1.029 lambda / D. Real dishes are lit less towards their rims, and have wider beams and other
    side lobes.

    Attributes
    ----------
    diameter : float
        Of the dish, m.
    blockage : float
        Diameter of what blocks its middle, m.
    """

    diameter: float
    blockage: float = 0.0

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the pointing; see `PrimaryBeam`."""
        sine = np.hypot(cosines[..., 0], cosines[..., 1])[..., np.newaxis]
        x = np.pi * sine * np.asarray(frequency, float) / LIGHT_SPEED
        voltage = self.diameter**2 * _voltage(x * self.diameter)
        if self.blockage:
            voltage -= self.blockage**2 * _voltage(x * self.blockage)
        return (voltage / (self.diameter**2 - self.blockage**2)) ** 2

    def describe(self) -> str:
        """Return in words which beam it is."""
        blocked = f", its middle blocked to {self.blockage:g} m" if self.blockage else ""
        return f"Airy pattern of a dish of {self.diameter:g} m{blocked}"


def _voltage(x: np.ndarray) -> np.ndarray:
    """Return 2 J1(x) / x."""
    from scipy.special import j1

    is_small = x < 1e-4
    safe = np.where(is_small, 1, x)
    return np.where(is_small, 1 - x**2 / 8, 2 * j1(safe) / safe)
