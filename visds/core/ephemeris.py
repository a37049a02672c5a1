"""Where bodies of the solar system are on the sky, from the ephemeris of ERFA or a file of the JPL.

Directions are astrometric: from the observatory at the time of observation to where the body was
when the light left it, along ICRS axes. That is where a star would stand that is seen beside it,
for the aberration of both is the same; so a measurement set whose phase centre is in ICRS or J2000
is turned there as to any star. The deflection of light by the Sun is left out: at 45 degrees from
the Sun a star moves by 10 mas, and a body nearer than that by less. UT1 is taken for UTC, which
turns the Earth by up to 0.42 km: 0.23 arcsec of the Moon, 1.5 mas at 0.4 au.
"""

import os
import struct
from typing import TYPE_CHECKING

import numpy as np

from visds.core.astrometry import ra_dec
from visds.core.errors import SettingsError
from visds.core.sky import LIGHT_SPEED, geocentric_position
from visds.core.track import Track

if TYPE_CHECKING:
    from astropy.time import Time

BUILTIN_ERROR_ARCSEC = {"sun": 0.02, "moon": 17.0, "mercury": 2.0, "venus": 11.0, "mars": 50.0,
                        "jupiter": 54.0, "saturn": 90.0, "uranus": 67.0, "neptune": 10.0}
"""The bodies, and by how much at most the built-in ephemeris is off DE421 from 1977 to 2026."""
# Segments of an SPK file that lead from the barycentre to a body; that of Mars and the planets
# beyond is the barycentre of planet and moons.
_SEGMENTS = {"sun": ((0, 10),), "earth": ((0, 3), (3, 399)), "moon": ((0, 3), (3, 301)),
             "mercury": ((0, 1), (1, 199)), "venus": ((0, 2), (2, 299)), "mars": ((0, 4),),
             "jupiter": ((0, 5),), "saturn": ((0, 6),), "uranus": ((0, 7),), "neptune": ((0, 8),)}
_STEP = 300 / 86400
# Times at which light left the body: each is better by the body's velocity in units of light's.
_LIGHT_TIMES = 4


def track(body: str, first: float, last: float, position: np.ndarray,
          ephemeris: str | os.PathLike | None = None) -> Track:
    """Return where a body is seen from an observatory, from `first` to `last` and a little beyond.

    Parameters
    ----------
    body : str
        One of BUILTIN_ERROR_ARCSEC.
    first, last : float
        MJD UTC, d.
    position : (3) ITRF position of the observatory, m
    ephemeris : path, optional
        SPK file (.bsp) of the JPL. By default the series that are in ERFA: the Earth of Bretagnon &
        Francou (1988; epv00), the planets of Simon et al. (1994; plan94) and the Moon of
        Meeus (1998; moon98), as good as BUILTIN_ERROR_ARCSEC says.

    Raises
    ------
    SettingsError
        If the file cannot be used, has not the body or not the time, or jplephem is not installed.
    """
    count = int(np.ceil((last - first) / _STEP)) + 5
    time = (first + last) / 2 + _STEP * (np.arange(count) - (count - 1) / 2)
    ra, dec = ra_dec(_astrometric(body, time, position, ephemeris))
    return Track(time, ra, dec)


def _astrometric(body: str, time: np.ndarray, position: np.ndarray,
                 ephemeris: str | os.PathLike | None) -> np.ndarray:
    """Return vectors (T,3) m from the observatory to where the light left the body."""
    from astropy.time import Time

    tdb = Time(time, format="mjd", scale="utc").tdb
    observatory = _barycentric("earth", tdb, ephemeris) + geocentric_position(time, position)
    travel = np.zeros(len(time))
    for _ in range(_LIGHT_TIMES):
        left = Time(tdb.jd1, tdb.jd2 - travel / 86400, format="jd", scale="tdb")
        there = _barycentric(body, left, ephemeris) - observatory
        travel = np.linalg.norm(there, axis=-1) / LIGHT_SPEED
    return there


def _barycentric(body: str, tdb: "Time", ephemeris: str | os.PathLike | None) -> np.ndarray:
    """Return the position (T,3) in m of a body from the barycentre."""
    from astropy.coordinates import get_body_barycentric

    if ephemeris is None:
        return get_body_barycentric(body, tdb, ephemeris="builtin").xyz.to_value("m").T
    try:
        from jplephem.daf import DAF
        from jplephem.spk import SPK
    except ImportError as error:
        raise SettingsError("--ephemeris needs jplephem, which is not installed: pip install "
                            "'visds[ephemeris]'") from error
    try:
        with open(ephemeris, "rb") as file:
            kernel = SPK(DAF(file))
            missing = [pair for pair in _SEGMENTS[body] if pair not in kernel.pairs]
            if missing:
                raise SettingsError(f"--ephemeris: {ephemeris} does not hold {body} (it has no "
                                    f"segment from {missing[0][0]} to {missing[0][1]})")
            return 1e3 * sum(kernel[pair].compute(tdb.jd1, tdb.jd2)[:3]
                             for pair in _SEGMENTS[body]).T
    except OSError as error:
        raise SettingsError(f"--ephemeris: cannot read {ephemeris}: {error.strerror}") from error
    except (ValueError, TypeError, IndexError, struct.error) as error:
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(f"--ephemeris: {ephemeris} cannot be used for {body} at MJD "
                            f"{float(tdb.mjd[0]):.1f}: {reason}") from error
