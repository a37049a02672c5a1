"""What a primary beam is: power against direction and frequency, and where it was not measured."""

from typing import Protocol

import numpy as np

from visds.core.sky import Direction, direction_cosines

LEAST_POWER = 0.05
"""Below this share of the centre primary beams are not known: fits to measurements end near it."""


class PrimaryBeam(Protocol):
    """Power attenuation of Stokes I by the antennas, 1 at the pointing.

    It is that of an array of equal antennas, turned to no angle: all Stokes parameters are
    attenuated by it, and what squint and leakage make of I in Q, U and V away from the pointing
    is not known to it.
    """

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F), from 0 to 1.

        Parameters
        ----------
        cosines : (...,2)
            Direction cosines l, m about the pointing; a third of the last axis is not looked at.
        frequency : (F) Hz
            In any order.
        """

    def describe(self) -> str:
        """Return in words which beam it is, and its source."""


def outside(beam: PrimaryBeam, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return in which directions (...; bool) the power is below `LEAST_POWER` at some frequency.

    What is predicted there is no measurement: 0, or the side lobes of an ideal dish.
    """
    return np.any(beam(cosines, frequency) < LEAST_POWER, axis=-1)


def offset_arcmin(cosines: np.ndarray) -> np.ndarray:
    """Return the angles (...) in arcmin of direction cosines (...,2 or 3) from the pointing."""
    sine = np.hypot(cosines[..., 0], cosines[..., 1])
    return 60 * np.degrees(np.arcsin(np.minimum(sine, 1)))


def cosines_about(pointing: Direction, place: Direction) -> np.ndarray:
    """Return l and m (2) of a place about a pointing, in the pointing's frame.

    Raises
    ------
    ValueError
        If it is 90 degrees away or more, where l and m are those of another place.
    """
    there = place.to(pointing.frame)
    l, m, n_minus_1 = direction_cosines(there.ra, there.dec, pointing)  # noqa: E741
    if n_minus_1 <= -1:
        raise ValueError(f"{place} is 90 deg or more from the pointing {pointing}")
    return np.array([l, m])
