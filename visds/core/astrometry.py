"""Places on the sphere: unit vectors, separations, position angles, proper motion.

All of it in Cartesian vectors, so that RA 0/360 and the poles are places like any other. Right
ascension and declination are ICRS degrees; separations are arcsec.
"""

import numpy as np

ARCSEC_PER_RADIAN = np.degrees(1.0) * 3600.0
MAS_PER_RADIAN = ARCSEC_PER_RADIAN * 1000.0


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return unit vectors (N, 3) from right ascensions and declinations (N) in deg."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def east_north(ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors (N, 3) to the east and to the north at positions (N) in deg.

    At a pole they are the limit along the meridian of the given right ascension.
    """
    ra, dec = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    return east, north


def ra_dec(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascension in [0, 360) and declination (N) in deg of vectors (N, 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    ra = wrapped(np.degrees(np.arctan2(y, x)))
    return ra, np.degrees(np.arctan2(z, np.hypot(x, y)))


def wrapped(ra: np.ndarray) -> np.ndarray:
    """Return right ascensions in deg brought into [0, 360)."""
    ra = np.mod(ra, 360.0)
    # A negative angle below the rounding of 360 comes out of the division as 360 itself.
    return np.where(ra >= 360.0, 0.0, ra)


def separation_arcsec(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angle (N) in arcsec between unit vectors (N, 3), exact from 0 to 180 deg.

    From the lengths of the cross and the scalar product: neither the arc cosine, which is lost
    below an arcsecond, nor the arc sine, which is lost near 90 deg.
    """
    cross = np.linalg.norm(np.cross(one, other), axis=-1)
    return np.arctan2(cross, np.sum(one * other, axis=-1)) * ARCSEC_PER_RADIAN


def position_angle_deg(ra: np.ndarray, dec: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return position angles (N) in [0, 360) deg, north through east, at (ra, dec) in deg.

    They point to the unit vectors `other` (N, 3); 0 where the two places are the same.
    """
    east, north = east_north(ra, dec)
    return wrapped(np.degrees(np.arctan2(np.sum(other * east, axis=-1),
                                         np.sum(other * north, axis=-1))))


def moved(ra: np.ndarray, dec: np.ndarray, *, pm_ra: np.ndarray, pm_dec: np.ndarray,
          years: np.ndarray | float, parallax: np.ndarray | None = None,
          observer: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (N) in deg after `years` Julian years of proper motion, and by parallax.

    The star moves uniformly on a straight line across the line of sight, and is seen from the
    observer, so its direction is that of p + t (pm_ra e + pm_dec n) - parallax r / au (ESA SP-1200,
    vol. 1, section 1.5.5 and eq. 1.2.16, without the radial terms): no declination in a
    denominator, and a star can pass over the pole. Perspective acceleration, which needs distance
    and radial velocity, is left out: 0.6 arcsec in 30 years for Barnard's star, far less for any
    other.

    Parameters
    ----------
    ra, dec : (N) float
        Position in deg at the start, as seen from the barycentre.
    pm_ra, pm_dec : (N) float
        Proper motion in mas/yr; pm_ra includes cos(dec). NaN means unknown: not moved.
    years : float or (N) float
        Julian years, negative to go back.
    parallax : (N) float, optional
        Annual parallax in mas. NaN, or what is not positive, is none.
    observer : (3) float, optional
        Where the observer is from the solar system's barycentre, au, along ICRS axes; at the
        barycentre itself if not given.

    Returns
    -------
    ra, dec : (N) float
        Position in deg; the very same numbers where nothing moves.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    known = np.isfinite(pm_ra) & np.isfinite(pm_dec) & np.isfinite(years)
    east_shift = np.where(known, pm_ra, 0.0) * np.where(known, years, 0.0) / MAS_PER_RADIAN
    north_shift = np.where(known, pm_dec, 0.0) * np.where(known, years, 0.0) / MAS_PER_RADIAN
    east, north = east_north(ra, dec)
    star = (unit_vectors(ra, dec) + east_shift[..., None] * east
            + north_shift[..., None] * north)
    moves = (east_shift != 0) | (north_shift != 0)
    if parallax is not None and observer is not None:
        near = np.nan_to_num(parallax) > 0
        star = star - np.where(near, parallax, 0.0)[..., None] / MAS_PER_RADIAN * observer
        moves |= near
    new_ra, new_dec = ra_dec(star)
    return np.where(moves, new_ra, ra), np.where(moves, new_dec, dec)
