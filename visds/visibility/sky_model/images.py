"""Images of a sky model: flux densities of pixels, whose spectra are sums over basis functions."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction


@dataclass(frozen=True, eq=False)
class ImageModel:
    """One facet: I(nu) = sum over k of b_k(nu) pixels_k; axis K counts the basis functions.

    Taylor terms have b_k = ((nu - nu0) / nu0)^k (Rau & Cornwell 2011, eq. 1); planes of a cube
    have hat functions, so that a plane holds at its frequency and is interpolated linearly
    between two. A single plane without a spectrum holds at all frequencies.

    Attributes
    ----------
    pixels : (K,P,Y,X) float32 or float64
        Jy/pixel. X grows as the image's first axis does, Y as its second.
    polarizations : tuple of str
        Stokes parameters on axis P, of I, Q, U, V.
    reference_frequency : float
        nu0 of Taylor terms, Hz.
    plane_frequency : (K) float64
        Frequencies of the planes of a cube, ascending, Hz; empty for Taylor terms.
    tangent : Direction
        Reference direction of the projection.
    projection : str
        FITS code such as SIN.
    cell : (2) float64
        Increments of the world coordinates along X and Y, deg; the first usually negative.
    reference_pixel : (2) float64
        Zero-based pixel (x, y) of the reference direction.
    rotation : float
        CROTA2, deg.
    """

    pixels: np.ndarray
    polarizations: tuple[str, ...]
    reference_frequency: float
    plane_frequency: np.ndarray
    tangent: Direction
    projection: str
    cell: tuple[float, float]
    reference_pixel: tuple[float, float]
    rotation: float = 0.0

    def basis(self, frequency: np.ndarray) -> np.ndarray:
        """Return b_k (K,F) at frequencies (F) in Hz."""
        frequency = np.asarray(frequency, float)
        if len(self.plane_frequency):
            return np.array([np.interp(frequency, self.plane_frequency, hat)
                             for hat in np.eye(len(self.plane_frequency))])
        x = (frequency - self.reference_frequency) / self.reference_frequency
        return x ** np.arange(len(self.pixels))[:, np.newaxis]
