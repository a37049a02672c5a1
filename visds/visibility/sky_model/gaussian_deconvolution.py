"""The size of a source, out of the size that it has in an image and the beam."""

import numpy as np

# Of the beam's variance: what is left below it is rounding of the catalogue's numbers.
_ROUNDING = 1e-6


def deconvolved(fitted: np.ndarray, beam: np.ndarray) -> np.ndarray:
    """Return the Gaussians (S,3) that, convolved with a beam, are those fitted to an image.

    Covariance matrices of Gaussians add in a convolution: that of the source is the fitted one less
    the beam's, and its eigenvectors are its axes. This is what the closed formulas of Wild (1970,
    Aust. J. Phys. 23, 113) and of CASA and AIPS say. An axis along which the fitted Gaussian is no
    wider than the beam is 0; a source without any wider one is a point.

    Parameters
    ----------
    fitted, beam : (S,3)
        Full widths at half maximum along the major and minor axis in one unit, and the position
        angle of the major axis, deg, north through east. `beam` may be one for all (3).
    """
    beam_covariance = covariance(beam)
    eigenvalues, axes = np.linalg.eigh(covariance(fitted) - beam_covariance)
    least = _ROUNDING * np.trace(beam_covariance, axis1=-2, axis2=-1)[..., np.newaxis]
    widths = np.sqrt(np.where(eigenvalues > least, eigenvalues, 0))
    # Eigenvalues ascend: the major axis is the last.
    east, north = axes[..., 0, 1], axes[..., 1, 1]
    angle = np.where(widths[..., 1] > 0, np.degrees(np.arctan2(east, north)) % 180, 0)
    return np.stack([widths[..., 1], widths[..., 0], angle], axis=-1)


def covariance(shape: np.ndarray) -> np.ndarray:
    """Return covariances (...,2,2) of Gaussians along east and north, in units of widths (...,3).

    They are those of the widths themselves: 8 ln 2 times those of the standard deviations.
    """
    major, minor, angle = np.moveaxis(np.asarray(shape, float), -1, 0)
    sine, cosine = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    along_east = (major * sine) ** 2 + (minor * cosine) ** 2
    along_north = (major * cosine) ** 2 + (minor * sine) ** 2
    mixed = (major ** 2 - minor ** 2) * sine * cosine
    return np.stack([np.stack([along_east, mixed], axis=-1),
                     np.stack([mixed, along_north], axis=-1)], axis=-2)
