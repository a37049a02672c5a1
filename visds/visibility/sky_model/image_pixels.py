"""Pixels of an image as points, for the direct sum."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction, convert_positions, direction_cosines
from visds.visibility.sky_model.image_spectrum import spectral_basis


@dataclass(frozen=True, eq=False)
class ImagePixels:
    """Points with the spectra of an image; what the direct sum asks of a ComponentModel.

    Axis S counts the points, K the basis functions of their spectra.

    Attributes
    ----------
    ra, dec : (S) float64
        ICRS position, deg.
    terms : (K,4,S) float64
        I, Q, U, V of each basis function, Jy.
    reference_frequency : float
        nu0 of Taylor terms, Hz.
    plane_frequency : (K) float64
        Frequencies of the planes of a cube, Hz; empty for Taylor terms.
    """

    ra: np.ndarray
    dec: np.ndarray
    terms: np.ndarray
    reference_frequency: float
    plane_frequency: np.ndarray

    def __len__(self):
        return len(self.ra)

    @property
    def stokes(self) -> np.ndarray:
        """The largest modulus of I, Q, U, V (S,4) among the basis functions, Jy."""
        return np.abs(self.terms).max(axis=0).T

    @property
    def shape(self) -> np.ndarray:
        """Zeros (S,3): points."""
        return np.zeros((len(self), 3))

    def select(self, chosen: np.ndarray) -> "ImagePixels":
        """Return the points of an index or mask on axis S."""
        return ImagePixels(self.ra[chosen], self.dec[chosen], self.terms[..., chosen],
                           self.reference_frequency, self.plane_frequency)

    def flux_density(self, frequency: np.ndarray) -> np.ndarray:
        """Return I, Q, U, V (4,S,F) in Jy at frequencies (F) in Hz."""
        basis = spectral_basis(frequency, len(self.terms), self.reference_frequency,
                               self.plane_frequency)
        return np.tensordot(self.terms, basis, axes=(0, 0))

    def cosines(self, centre: Direction) -> np.ndarray:
        """Return l, m and n - 1 (S,3) about a phase centre, along the axes of its frame."""
        ra, dec = convert_positions(self.ra, self.dec, "ICRS", centre.frame)
        return direction_cosines(ra, dec, centre)
