"""A primary beam of antennas that point elsewhere than at the phase centre."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction
from visds.visibility.primary_beam.beam import PrimaryBeam


@dataclass(frozen=True)
class PointedBeam:
    """A beam as a function of direction cosines about the phase centre.

    Attributes
    ----------
    beam : PrimaryBeam
        About its own pointing.
    pointing, phase_centre : Direction
    """

    beam: PrimaryBeam
    pointing: Direction
    phase_centre: Direction

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the phase centre; see `PrimaryBeam`."""
        pointing = self.pointing.to(self.phase_centre.frame)
        if pointing == self.phase_centre:
            return self.beam(cosines, frequency)
        l, m = cosines[..., 0], cosines[..., 1]  # noqa: E741
        n = np.sqrt(np.maximum(1 - l**2 - m**2, 0))
        there = np.stack([l, m, n], axis=-1) @ (_axes(self.phase_centre) @ _axes(pointing).T)
        power = self.beam(there[..., :2], frequency)
        return np.where(there[..., 2:] > 0, power, 0)

    def describe(self) -> str:
        """Return in words which beam it is, its source and where it points."""
        return f"{self.beam.describe()}, pointed at {self.pointing}"


def _axes(direction: Direction) -> np.ndarray:
    """Return the unit vectors (3,3) to the east, the north and the direction itself, as rows."""
    ra, dec = np.radians(direction.ra), np.radians(direction.dec)
    return np.array([[-np.sin(ra), np.cos(ra), 0],
                     [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)],
                     [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]])
