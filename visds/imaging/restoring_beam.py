"""The restoring beam: a Gaussian fitted to the main lobe of the response to a point source."""

import numpy as np
from scipy import ndimage
from scipy.optimize import least_squares

from visds.imaging.image import Beam

CUTOFF = 0.35
"""Of the peak: what of the main lobe is fitted, as in CASA."""
_FEWEST = 7


def fit_beam(response: np.ndarray, cell: float) -> Beam | None:
    """Return the Gaussian of unit peak nearest to the main lobe, or None where there is none.

    No axis is longer than the response is wide: baselines that all lie in one direction have a
    lobe without an end.

    Parameters
    ----------
    response : (Y,X)
        Of a point source of 1 Jy; its peak is in the middle, pixel size/2.
    cell : float
        Pixel in degrees.
    """
    middle = response.shape[0] // 2
    lobes, _ = ndimage.label(response > CUTOFF)
    inside = lobes == lobes[middle, middle]
    if not lobes[middle, middle]:
        return None
    if inside.sum() < _FEWEST:
        inside = ndimage.binary_dilation(inside)
    y, x = np.nonzero(inside)
    l, m = middle - x, y - middle  # noqa: E741  to the east, to the north
    values = response[inside].astype(float)
    # The logarithm makes the first guess linear.
    design = np.stack([l**2, l * m, m**2], axis=1).astype(float)
    positive = values > 0.05
    guess, *_ = np.linalg.lstsq(design[positive] * values[positive, None],
                                -np.log(values[positive]) * values[positive], rcond=None)
    fitted = least_squares(lambda shape: np.exp(-design @ shape) - values, guess,
                           jac=lambda shape: -design * np.exp(-design @ shape)[:, None],
                           x_scale="jac").x
    return _ellipse(fitted, cell, response.shape[0])


def highest_sidelobe(response: np.ndarray, within: float) -> float:
    """Return the highest sidelobe of a response (Y,X), of its peak, within some pixels of the peak.

    1 where the main lobe has no end: a source looks the same from one edge of it to the other.
    """
    middle = response.shape[0] // 2
    lobes, _ = ndimage.label(response > CUTOFF)
    main = lobes == lobes[middle, middle]
    if not lobes[middle, middle] or main[[0, -1]].any() or main[:, [0, -1]].any():
        return 1.0
    y, x = np.indices(response.shape) - middle
    highest = ndimage.maximum_filter(response, 3) == response
    beside = response[highest & ~main & (np.hypot(x, y) <= within)]
    return float(beside.max(initial=0.0) / response[middle, middle])


def _ellipse(shape: np.ndarray, cell: float, longest: int) -> Beam | None:
    a, b, c = shape
    inverse, axes = np.linalg.eigh([[a, b / 2], [b / 2, c]])
    least = 4 * np.log(2) / longest**2
    if inverse[1] < least:
        return None
    inverse = np.maximum(inverse, least)
    major, minor = np.sqrt(4 * np.log(2) / inverse) * cell
    angle = np.degrees(np.arctan2(axes[0, 0], axes[1, 0])) % 180
    return Beam(float(major), float(minor), float(angle))
