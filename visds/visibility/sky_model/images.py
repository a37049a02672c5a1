"""Images of a sky model: flux densities of pixels, whose spectra are sums over basis functions."""

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from visds.core.errors import SkyModelError
from visds.core.sky import Direction, convert_positions, direction_cosines
from visds.visibility.sky_model.image_pixels import ImagePixels
from visds.visibility.sky_model.image_spectrum import spectral_basis

if TYPE_CHECKING:
    from astropy.wcs import WCS

_OCTAVE = 2.0


@dataclass(frozen=True, eq=False)
class ImageModel:
    """One facet: I(nu) = sum over k of b_k(nu) pixels_k; axis K counts the basis functions.

    Taylor terms have b_k = ((nu - nu0) / nu0)^k; planes of a cube have hat functions
    (`image_spectrum.spectral_basis`). A single plane without a spectrum holds at all frequencies.
    World coordinates are those of the FITS standard (Calabretta & Greisen 2002).

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
        Reference direction of the projection (CRVAL).
    projection : str
        FITS code such as SIN.
    cell : (2) float64
        Increments of the world coordinates along X and Y, deg; the first usually negative.
    reference_pixel : (2) float64
        Zero-based pixel (x, y) of the reference direction.
    rotation : float
        CROTA2, deg.
    projection_parameters : tuple of float
        PV2_1, PV2_2, ... of the projection.
    pole : (2) float64 or None
        LONPOLE and LATPOLE, deg; by default what the standard has for the projection.
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
    projection_parameters: tuple[float, ...] = ()
    pole: tuple[float, float] | None = None

    def basis(self, frequency: np.ndarray) -> np.ndarray:
        """Return b_k (K,F) at frequencies (F) in Hz."""
        return spectral_basis(frequency, len(self.pixels), self.reference_frequency,
                              self.plane_frequency)

    def flux_density(self, frequency: np.ndarray) -> np.ndarray:
        """Return the sums over all pixels (P,F) in Jy at frequencies (F) in Hz."""
        return self.pixels.sum(axis=(2, 3), dtype=float).T @ self.basis(frequency)

    def pixel_matrix(self) -> np.ndarray:
        """Return the CD matrix (2,2), deg: from pixels (x, y) to the plane of the projection."""
        cosine, sine = np.cos(np.radians(self.rotation)), np.sin(np.radians(self.rotation))
        return np.array([[cosine, -sine], [sine, cosine]]) * np.asarray(self.cell)

    def wcs(self) -> "WCS":
        """Return the celestial coordinates of pixels (x, y)."""
        from astropy.wcs import WCS

        wcs = WCS(naxis=2)
        wcs.wcs.ctype = [f"RA---{self.projection}", f"DEC--{self.projection}"]
        wcs.wcs.cunit = ["deg", "deg"]
        wcs.wcs.crval = self.tangent.ra, self.tangent.dec
        wcs.wcs.crpix = np.asarray(self.reference_pixel) + 1
        wcs.wcs.cdelt = 1, 1
        wcs.wcs.pc = self.pixel_matrix()
        wcs.wcs.set_pv([(2, number, value)
                        for number, value in enumerate(self.projection_parameters, start=1)])
        if self.pole is not None:
            wcs.wcs.lonpole, wcs.wcs.latpole = self.pole
        wcs.wcs.set()
        return wcs

    def positions(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return right ascensions and declinations of pixels, deg, in the frame of `tangent`.

        They are NaN where a pixel is not on the sky.
        """
        return self.wcs().wcs_pix2world(x, y, 0)

    def cosine_matrix(self) -> np.ndarray:
        """Return the matrix (2,2), rad: pixels about the reference pixel to l, m about the tangent.

        Raises
        ------
        ValueError
            If the projection is not the orthographic one, SIN, where these are proportional.
        """
        if not self.is_orthographic:
            raise ValueError(f"pixels in the projection {self.projection} are not on a grid of "
                             "direction cosines: expected SIN without a slant")
        pole = np.radians(self.wcs().wcs.lonpole)
        to_cosines = np.array([[-np.cos(pole), -np.sin(pole)], [np.sin(pole), -np.cos(pole)]])
        return np.radians(to_cosines @ self.pixel_matrix())

    @functools.cached_property
    def nonzero(self) -> tuple[np.ndarray, np.ndarray]:
        """The x and y (S) of the pixels with flux in any plane."""
        y, x = np.nonzero(self.pixels.any(axis=(0, 1)))
        return x, y

    @property
    def is_orthographic(self) -> bool:
        """Whether pixels are a regular grid of direction cosines about the tangent."""
        return self.projection == "SIN" and not any(self.projection_parameters)


def to_components(model: ImageModel) -> ImagePixels:
    """Return the pixels with flux as points at their places on the sky, with the same spectra."""
    x, y = model.nonzero
    ra, dec = convert_positions(*model.positions(x, y), model.tangent.frame, "ICRS")
    terms = np.zeros((len(model.pixels), 4, len(x)))
    terms[:, ["IQUV".index(name) for name in model.polarizations]] = model.pixels[:, :, y, x]
    return ImagePixels(ra, dec, terms, model.reference_frequency, model.plane_frequency)


def without_disc(model: ImageModel, direction: Direction, radius_deg: float,
                 frequency: float) -> tuple[ImageModel, int, float]:
    """Return an image without the pixels whose centres are in a disc, and what was in these.

    That is the number of pixels with flux and their flux density of Stokes I in Jy at a frequency
    in Hz. An image with no flux there is returned as it is.
    """
    x, y = model.nonzero
    cosines = direction_cosines(*model.positions(x, y), direction.to(model.tangent.frame))
    distance = np.degrees(np.arctan2(np.hypot(cosines[:, 0], cosines[:, 1]), 1 + cosines[:, 2]))
    inside = distance < radius_deg
    if not inside.any():
        return model, 0, 0.0
    x, y = x[inside], y[inside]
    removed = 0.0
    if "I" in model.polarizations:
        intensity = model.pixels[:, model.polarizations.index("I"), y, x].sum(axis=1, dtype=float)
        removed = float(intensity @ model.basis([frequency])[:, 0])
    pixels = model.pixels.copy()
    pixels[:, :, y, x] = 0
    return replace(model, pixels=pixels), len(x), removed


def check_frequency(model: ImageModel, lowest: float, highest: float, origin: str = "") -> None:
    """Check that an image holds at the frequencies of the data, Hz.

    Raises
    ------
    SkyModelError
        If they are outside of the range of a cube by more than a channel, or more than an octave
        from the frequency of a plane or of Taylor terms. `origin` is named.
    """
    name = f"image {origin}" if origin else "the image"
    planes = model.plane_frequency
    if len(planes):
        channel = np.diff(planes).max(initial=0) if len(planes) > 1 else np.inf
        if lowest < planes[0] - channel or highest > planes[-1] + channel:
            raise SkyModelError(
                f"sky model: the planes of {name} are from {planes[0] / 1e6:.6g} to "
                f"{planes[-1] / 1e6:.6g} MHz, but the data from {lowest / 1e6:.6g} to "
                f"{highest / 1e6:.6g} MHz: a cube has to cover them")
        return
    reference = model.reference_frequency
    if highest > _OCTAVE * reference or lowest < reference / _OCTAVE:
        raise SkyModelError(
            f"sky model: {name} is at {reference / 1e6:.6g} MHz, more than an octave from data at "
            f"{lowest / 1e6:.6g} to {highest / 1e6:.6g} MHz")
