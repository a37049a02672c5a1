"""Where an image lies in the frame of a phase centre."""

from dataclasses import dataclass

import numpy as np

from visds.core.sky import FK4_NAMES, Direction, convert_positions, direction_cosines
from visds.visibility.sky_model.images import ImageModel

_STEP = 1e-3  # rad, over which axes of another frame are measured


@dataclass(frozen=True, eq=False)
class Placement:
    """How an orthographic image is turned and shifted against a phase centre.

    A pixel at p = (x, y) cells from the reference pixel is at a, b = cell p about the tangent, and
    a baseline uvw reaches it over the path ``(uvw @ axes) . (a, b, n - 1) + uvw @ tangent``.

    Attributes
    ----------
    cell : (2) float64
        Moduli of the pixel's sides as direction cosines, rad.
    axes : (3,3) float64
        Columns are the directions of a, b and of the tangent itself, in the axes of u, v, w.
    tangent : (3) float64
        l, m, n - 1 of the tangent about the phase centre; zeros where they are the same.
    """

    cell: np.ndarray
    axes: np.ndarray
    tangent: np.ndarray


def place(model: ImageModel, centre: Direction) -> Placement:
    """Return how an orthographic image lies in the frame of a phase centre.

    It is exact where both frames are turned against each other, as equatorial ones of one equinox
    are. Between B1950 and ICRS the aberration that is in FK4 stretches the sky besides: its scale
    at the tangent is in `axes`, and what it bends is told by `misfit`.

    Raises
    ------
    ValueError
        If the image is not orthographic.
    """
    matrix = model.cosine_matrix()
    cell = np.hypot(*matrix)
    axes = _axes_of_cosines(model.tangent, centre)
    axes[:, :2] = axes[:, :2] @ (matrix / cell)
    tangent = _cosines(np.zeros(2), model.tangent, centre)
    return Placement(cell, axes, tangent)


def misfit(model: ImageModel, centre: Direction, x: np.ndarray, y: np.ndarray) -> float:
    """Return the largest error (rad) of `place` among pixels: zero within one equinox."""
    if not _is_bent(model.tangent.frame, centre.frame) or not len(x):
        return 0.0
    placement = place(model, centre)
    ab = (np.stack([x, y], axis=-1) - model.reference_pixel) * placement.cell
    square = np.sum(ab**2, axis=-1, keepdims=True)
    offset = np.concatenate([ab, -square / (1 + np.sqrt(1 - square))], axis=-1)
    ra, dec = convert_positions(*model.positions(x, y), model.tangent.frame, centre.frame)
    exact = direction_cosines(ra, dec, centre)
    return float(np.abs(offset @ placement.axes.T + placement.tangent - exact).max())


def _is_bent(frame: str, other: str) -> bool:
    return frame != other and (frame in FK4_NAMES or other in FK4_NAMES)


def _axes_of_cosines(tangent: Direction, centre: Direction) -> np.ndarray:
    """Return the directions (3,3; columns) of l, m and the tangent in the frame of the centre."""
    if not _is_bent(tangent.frame, centre.frame):
        here, there = _unit_vectors(tangent), _unit_vectors(centre)
        return there.T @ here
    axes = np.empty((3, 3))
    for axis, step in enumerate(_STEP * np.eye(2)):
        axes[:, axis] = (_cosines(step, tangent, centre)
                         - _cosines(-step, tangent, centre)) / (2 * _STEP)
    axes[:, 2] = _cosines(np.zeros(2), tangent, centre)
    axes[2, 2] += 1
    return axes


def _cosines(offset: np.ndarray, tangent: Direction, centre: Direction) -> np.ndarray:
    """Return l, m, n - 1 about the centre of the place at l, m = `offset` about the tangent."""
    ra, dec = tangent.ra, tangent.dec
    if offset.any():
        east, north, towards = _unit_vectors(tangent).T
        x, y, z = (offset[0] * east + offset[1] * north
                   + np.sqrt(1 - offset @ offset) * towards)
        ra, dec = np.degrees([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))])
    ra, dec = convert_positions(ra, dec, tangent.frame, centre.frame)
    return direction_cosines(ra, dec, centre)


def _unit_vectors(direction: Direction) -> np.ndarray:
    """Return the vectors (3,3; columns) to the east, to the north and towards a direction."""
    ra, dec = np.radians(direction.ra), np.radians(direction.dec)
    return np.array([
        [-np.sin(ra), -np.sin(dec) * np.cos(ra), np.cos(dec) * np.cos(ra)],
        [np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec) * np.sin(ra)],
        [0, np.cos(dec), np.sin(dec)]])
