"""Gaussians on the sky, and what their Fourier transform is on a baseline."""

import numpy as np

from visds.core.sky import Direction, convert_positions, direction_cosines
from visds.visibility.sky_model.components import ComponentModel

# A Gaussian of full width 1 at half maximum has the transform exp(-(pi u)^2 / (4 ln 2)).
_WIDTH = np.pi / np.sqrt(4 * np.log(2))
_STEP = 1 / 60


def gaussian_axes(model: ComponentModel, centre: Direction) -> np.ndarray:
    """Return vectors a (S,2,3), so that a Gaussian's visibility is damped by exp(-|a uvw|^2 k^2).

    k = nu / c. Offsets from a component along its local east and north change u l + v m + w (n - 1)
    by the components of uvw along these two directions: the envelope is that of a Gaussian on the
    plane tangent to the sky at the component, with the position angle counted from the component's
    own north of the ICRS. So it holds at any distance from the phase centre, and in any frame.
    Points have zeros.
    """
    axes = np.zeros((len(model), 2, 3))
    extended = np.any(model.shape[:, :2] != 0, axis=1)
    if not extended.any():
        return axes
    east, north = _east_and_north(model.ra[extended], model.dec[extended], centre)
    width = np.radians(model.shape[extended, :2] / 3600) * _WIDTH
    angle = np.radians(model.shape[extended, 2])[:, np.newaxis]
    axes[extended, 0] = width[:, :1] * (np.sin(angle) * east + np.cos(angle) * north)
    axes[extended, 1] = width[:, 1:] * (np.cos(angle) * east - np.sin(angle) * north)
    return axes


def _east_and_north(ra: np.ndarray, dec: np.ndarray,
                    centre: Direction) -> tuple[np.ndarray, np.ndarray]:
    """Return the east and north (S,3) of the ICRS at positions, along the axes of a centre.

    North points to a place a step along the meridian, seen in the centre's frame.
    """
    towards = np.where(dec > 0, -1, 1)
    here, there = (_unit_vector(ra, place, centre) for place in (dec, dec + towards * _STEP))
    north = towards[:, np.newaxis] * (there - here * np.sum(here * there, axis=1, keepdims=True))
    north /= np.linalg.norm(north, axis=1, keepdims=True)
    return np.cross(north, here), north


def _unit_vector(ra: np.ndarray, dec: np.ndarray, centre: Direction) -> np.ndarray:
    """Return l, m and n (S,3) of ICRS positions about a centre."""
    cosines = direction_cosines(*convert_positions(ra, dec, "ICRS", centre.frame), centre)
    return cosines + np.array([0, 0, 1])
