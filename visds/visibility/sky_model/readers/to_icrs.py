"""Positions and position angles of another frame, in the ICRS."""

import numpy as np

from visds.core.sky import Direction, convert_positions, direction_cosines

_STEP = 1e-4


def to_icrs(ra: np.ndarray, dec: np.ndarray, shape: np.ndarray,
            frame: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return positions (S) and shapes (S,3) of components, given in a frame of FRAMES, in the ICRS.

    Shapes are those of `ComponentModel`. The north of a frame is not that of another: position
    angles turn by what is between them at their place.
    """
    new_ra, new_dec = convert_positions(ra, dec, frame, "ICRS")
    shape = np.array(shape, float)
    wide = np.flatnonzero(shape[:, 0] != shape[:, 1])
    if len(wide):
        ahead = convert_positions(*_shifted(ra[wide], dec[wide], shape[wide, 2]), frame, "ICRS")
        shape[wide, 2] = [_angle(Direction(new_ra[row], new_dec[row]), *place)
                          for row, place in zip(wide, zip(*ahead, strict=True), strict=True)]
    return new_ra % 360, new_dec, shape


def _shifted(ra: np.ndarray, dec: np.ndarray,
             position_angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places a small step away along position angles, exact at the poles too."""
    a, d, angle = np.radians(ra), np.radians(dec), np.radians(position_angle)
    place = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    east = np.array([-np.sin(a), np.cos(a), np.zeros_like(a)])
    x, y, z = place + _STEP * (north * np.cos(angle) + east * np.sin(angle))
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _angle(start: Direction, ra: float, dec: float) -> float:
    l, m, _ = direction_cosines(ra, dec, start)  # noqa: E741  the field's letter
    return float(np.degrees(np.arctan2(l, m)) % 180)
