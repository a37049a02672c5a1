"""Directions on the sky as seen from a phase centre and from an array."""

import contextlib
from collections.abc import Iterator

import numpy as np
from astropy import units
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers

SIDEREAL_DAY = 0.9972695663  # mean solar days


def direction_cosines(ra: np.ndarray, dec: np.ndarray,
                      phase_centre: tuple[float, float]) -> np.ndarray:
    """Return (l, m, n - 1) of positions seen from the phase centre.

    Thompson, Moran & Swenson 2017, eq. 3.12-3.14 (l towards east, m towards north). n - 1 comes
    from l and m without the cancellation of 1 - 1 near the phase centre.

    Parameters
    ----------
    ra, dec : ndarray (K)
        Degrees.
    phase_centre : tuple of float
        Ra and dec, degrees.

    Returns
    -------
    ndarray (K, 3)
    """
    ra, dec = np.radians(np.atleast_1d(ra)), np.radians(np.atleast_1d(dec))
    ra0, dec0 = np.radians(phase_centre)
    east = np.cos(dec) * np.sin(ra - ra0)
    north = (np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra - ra0))
    towards = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    beyond = np.where(towards > 0, -(east**2 + north**2) / (1 + towards), towards - 1)
    return np.stack([east, north, beyond], axis=-1)


def position_of_cosines(east: np.ndarray, north: np.ndarray,
                        phase_centre: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return (ra, dec) in degrees of direction cosines l and m (K) from the phase centre."""
    ra0, dec0 = np.radians(phase_centre)
    towards = np.sqrt(1 - east**2 - north**2)
    dec = np.arcsin(north * np.cos(dec0) + towards * np.sin(dec0))
    ra = ra0 + np.arctan2(east, towards * np.cos(dec0) - north * np.sin(dec0))
    return np.degrees(ra) % 360, np.degrees(dec)


def offset_position(position: tuple[float, float], east: float,
                    north: float) -> tuple[float, float]:
    """Return the position at an offset along great circles, all in degrees."""
    moved = SkyCoord(*position, unit="deg").spherical_offsets_by(east * units.deg,
                                                                 north * units.deg)
    return float(moved.ra.deg), float(moved.dec.deg)


def array_location(positions: np.ndarray) -> EarthLocation:
    """Return the place of an array: the mean of its antennas (A, 3), ITRF m."""
    return EarthLocation.from_geocentric(*positions.mean(axis=0), unit=units.m)


def transit(day: float, ra: float, location: EarthLocation) -> float:
    """Return the first time (MJD UTC days) after `day` at which a ra in degrees is at transit."""
    with bundled_earth_orientation():
        sidereal = Time(day, format="mjd", scale="utc").sidereal_time("apparent", location.lon)
    return day + ((ra - sidereal.deg) % 360) / 360 * SIDEREAL_DAY


def elevation(time: np.ndarray, position: tuple[float, float],
              location: EarthLocation) -> np.ndarray:
    """Return the elevation in degrees (T) of a position at times (T) in MJD UTC days."""
    with bundled_earth_orientation():
        frame = AltAz(obstime=Time(time, format="mjd", scale="utc"), location=location)
        return SkyCoord(*position, unit="deg").transform_to(frame).alt.deg


def parallactic_angle(time: np.ndarray, position: tuple[float, float],
                      location: EarthLocation) -> np.ndarray:
    """Return the parallactic angle in radians (T) at times (T) in MJD UTC days.

    The position angle, from ICRS north through east, of the zenith at the position, with astropy:
    so that a receptor along the vertical has this position angle on the sky.
    """
    with bundled_earth_orientation():
        frame = AltAz(obstime=Time(time, format="mjd", scale="utc"), location=location)
        zeros = np.zeros(np.shape(time)) * units.deg
        zenith = SkyCoord(az=zeros, alt=zeros + 90 * units.deg, frame=frame).icrs
    return SkyCoord(*position, unit="deg").position_angle(zenith).wrap_at(180 * units.deg).rad


@contextlib.contextmanager
def bundled_earth_orientation() -> Iterator[None]:
    """Use astropy's bundled Earth orientation tables: no network, no complaint of their age."""
    with iers.conf.set_temp("auto_download", False), \
            iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        yield
