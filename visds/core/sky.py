"""Directions: positions as users write them, direction cosines, angles at the horizon, arrival.

Positions are ICRS; a measurement set's J2000 is read as ICRS (they differ by some 20 mas).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError

ICRS_NAMES = ("ICRS", "J2000")
FK4_NAMES = ("B1950", "B1950_VLA")
FRAMES = ICRS_NAMES + FK4_NAMES

LIGHT_SPEED = 299792458.0
"""Speed of light in m/s."""


@dataclass(frozen=True)
class Direction:
    """A position on the sky: `ra`, `dec` in degrees, in `frame` (a name of FRAMES)."""

    ra: float
    dec: float
    frame: str = "ICRS"

    def to(self, frame: str) -> "Direction":
        """Return the same position in another frame."""
        ra, dec = convert_positions(self.ra, self.dec, self.frame, frame)
        return Direction(float(ra), float(dec), frame)

    def __str__(self):
        """Return hours and degrees, as in 05:31:58.700 +33:08:52.50."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(self.ra, self.dec, unit="deg").to_string(
            "hmsdms", sep=":", precision=3)


def parse_direction(text: str) -> Direction:
    """Return the ICRS position that a user wrote.

    ``"05:31:58.7 +33:08:52.5"`` has the right ascension in hours, ``"83.1deg -5.2deg"`` in
    degrees; anything else that astropy's SkyCoord reads with its units is taken too.

    Raises
    ------
    SettingsError
        If it cannot be read, or is a pair of plain decimal numbers, whose unit is not known.
    """
    from astropy.coordinates import SkyCoord

    if re.fullmatch(r"\s*[+-]?\d+(\.\d*)?[\s,]+[+-]?\d+(\.\d*)?\s*", text):
        raise SettingsError(f"position '{text}' has no unit: write 83.1deg -5.2deg, or hours and "
                            "degrees as 05:31:58.7 +33:08:52.5")
    if re.fullmatch(r"\s*(B[\d.]+|\d{3,5})[+-]\d+(\.\d*)?[A-Za-z]?\s*", text):
        raise SettingsError(f"'{text}' is not a position but a name, of too few digits or B1950")
    first = re.match(r"\s*(\d+(?:\.\d*)?)\s*(deg|d|h|:|\s)", text)
    if first and float(first[1]) >= (360 if first[2].startswith("d") else 24):
        raise SettingsError(f"'{text}' is not a position: a right ascension of {first[1]} is not "
                            "below 24 hours or 360 degrees")
    try:
        coordinate = SkyCoord(text, unit=("hourangle", "deg"))
    except (ValueError, TypeError) as error:
        last = re.search(r"[\s,]([+-]?\d+(?:\.\d*)?)[:d°][^\s,]*\s*$", text)
        if last and abs(float(last[1])) >= 90:
            raise SettingsError(f"'{text}' is not a position: a declination of {last[1]} degrees "
                                "is not between -90 and 90") from error
        raise SettingsError(
            f"'{text}' is not a position: expected hours and degrees as 05:31:58.7 +33:08:52.5, or "
            "83.1deg -5.2deg") from error
    if text.strip().startswith("-") and re.match(r"\s*-\d+[:\s]", text):
        raise SettingsError(f"position '{text}' begins with a negative right ascension in hours: "
                            "expected right ascension, then declination")
    coordinate = coordinate.icrs
    if coordinate.size != 1:
        raise SettingsError(f"position '{text}' is not one position")
    return Direction(float(np.ravel(coordinate.ra.deg)[0]), float(np.ravel(coordinate.dec.deg)[0]))


def convert_positions(ra: np.ndarray, dec: np.ndarray, frame: str,
                      to: str) -> tuple[np.ndarray, np.ndarray]:
    """Return right ascensions and declinations (deg) of positions in `frame` in the frame `to`."""
    if _family(to) == _family(frame):
        return ra, dec
    from astropy.coordinates import SkyCoord

    places = SkyCoord(ra, dec, unit="deg", frame=_astropy_frame(frame))
    places = places.transform_to(_astropy_frame(to))
    return places.ra.deg, places.dec.deg


def direction_cosines(ra: np.ndarray, dec: np.ndarray, centre: Direction) -> np.ndarray:
    """Return (...,3): l, m and n - 1 of positions (deg) about a phase centre in the same frame.

    Exact on the whole sphere; n - 1 keeps its digits near the centre. A position more than 90
    degrees away has n < 0, that is n - 1 < -1.
    """
    ra, dec = np.radians(ra), np.radians(dec)
    ra0, dec0 = np.radians(centre.ra), np.radians(centre.dec)
    half = np.sin((ra - ra0) / 2)
    l = np.cos(dec) * np.sin(ra - ra0)  # noqa: E741  the field's letter
    m = np.sin(dec - dec0) + 2 * np.cos(dec) * np.sin(dec0) * half**2
    n_minus_1 = -2 * np.sin((dec - dec0) / 2) ** 2 - 2 * np.cos(dec) * np.cos(dec0) * half**2
    return np.stack([l, m, n_minus_1], axis=-1)


def separation(first: Direction, second: Direction) -> float:
    """Return the angle between two positions of one frame in degrees."""
    l, m, n_minus_1 = direction_cosines(first.ra, first.dec, second)  # noqa: E741
    return float(np.degrees(np.arctan2(np.hypot(l, m), 1 + n_minus_1)))


def angle_text(degrees: float) -> str:
    """Return an angle in degrees, below 0.1 deg in arcmin and below 1 arcmin in arcsec."""
    for unit, factor in (("arcsec", 3600), ("arcmin", 60)):
        if degrees * factor < (60 if unit == "arcsec" else 6):
            return f"{degrees * factor:.3g} {unit}"
    return f"{degrees:.2f} deg"


def parallactic_angle(time: np.ndarray, direction: Direction, position: np.ndarray) -> np.ndarray:
    """Return the position angle (T; rad, north through east) of the zenith as seen at the target.

    The north is that of the ICRS, as it is for Q and U of a catalogue: the north of date differs
    by a tenth of a degree in the 2020s, and by more near the poles. Thompson, Moran & Swenson
    2017, sec. 4.7. Aberration is left out, and UT1 taken for UTC: together 0.01 degrees, except
    within some degrees of the zenith.

    Parameters
    ----------
    time : (T) MJD UTC, d
    direction : Direction
    position : (3) ITRF position of the observatory, m
    """
    zenith = _zenith(time, position)
    _, east, north = _axes(direction)
    return np.arctan2(zenith @ east, zenith @ north)


def elevation(time: np.ndarray, direction: Direction, position: np.ndarray) -> np.ndarray:
    """Return the elevation (T; rad) of a position on the sky above the observatory's horizon.

    Refraction is left out (0.02 degrees at an elevation of 45, 0.1 at 10), and what is left out of
    `parallactic_angle`.

    Parameters
    ----------
    time : (T) MJD UTC, d
    direction : Direction
    position : (3) ITRF position of the observatory, m
    """
    zenith = _zenith(time, position)
    source, east, north = _axes(direction)
    return np.arctan2(zenith @ source, np.hypot(zenith @ east, zenith @ north))


def barycentric_time(time: np.ndarray, direction: Direction, position: np.ndarray) -> np.ndarray:
    """Return the MJD TDB (T; d) at which the wavefront of `time` (MJD UTC) passes the barycentre.

    The light travel time is that of a plane wave over the observatory's position from the
    barycentre (ephemeris of Bretagnon & Francou 1988, in ERFA's epv00: good to 40 microseconds);
    UT1 is taken for UTC, which is good to 2 microseconds.

    Parameters
    ----------
    time : (T) MJD UTC, d
    direction : Direction
    position : (3) ITRF position of the observatory, m
    """
    tt = _tt(_julian(time))
    delay = _interpolated(lambda nodes: _delay(nodes, direction, position), np.asarray(time, float))
    return tt[0] - 2400000.5 + tt[1] + delay / 86400


def barycentric_position(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return where the observatory is from the barycentre at times, (T,3) m along ICRS axes.

    The Earth is that of ERFA's epv00 (Bretagnon & Francou 1988), good to 13 km; the observatory
    stands on it as in `geocentric_position`.

    Parameters
    ----------
    time : (T) MJD UTC, d
    position : (3) ITRF position of the observatory, m
    """
    import erfa

    _, barycentric = erfa.epv00(*_tt(_julian(time)))
    return barycentric["p"] * erfa.DAU + geocentric_position(time, position)


def geocentric_position(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return where the observatory is from the centre of the Earth, (T,3) m along ICRS axes.

    UT1 is taken for UTC, which displaces it by at most 0.42 km along its circle, and polar motion
    is left out, 20 m.

    Parameters
    ----------
    time : (T) MJD UTC, d
    position : (3) ITRF position of the observatory, m
    """
    return _to_celestial(_julian(time)) @ np.asarray(position, float)


def _delay(time: np.ndarray, direction: Direction, position: np.ndarray) -> np.ndarray:
    """Return TDB at the barycentre less TT at the observatory (T; s)."""
    import erfa

    utc = _julian(time)
    tt = _tt(utc)
    longitude, _, _ = erfa.gc2gd(1, np.asarray(position, float))
    source, _, _ = _axes(direction)
    travel = barycentric_position(time, position) @ source / LIGHT_SPEED
    distance = np.hypot(position[0], position[1]) / 1e3
    return travel + erfa.dtdb(*tt, utc[1] % 1, longitude, distance, position[2] / 1e3)


def _interpolated(function: Callable[[np.ndarray], np.ndarray], time: np.ndarray) -> np.ndarray:
    """Return a function of time (T; d) that changes with the Earth's rotation and slower.

    Of many times it is computed every five minutes only. The cubic between four of these is wrong
    by (9/384) (omega h)^4, 5e-9, of the term that rotates: 0.1 ns of the 21 ms of a light travel
    time.
    """
    step = 300 / 86400
    if not len(time) or (np.ptp(time) / step) + 4 >= len(time):
        return function(time)
    first = time.min() - step
    nodes = first + step * np.arange(int(np.ptp(time) / step) + 4)
    values = function(nodes)
    place = (time - first) / step
    left = np.clip(place.astype(int), 1, len(nodes) - 3)
    u = place - left
    weights = (-u * (u - 1) * (u - 2) / 6, (u + 1) * (u - 1) * (u - 2) / 2,
               -(u + 1) * u * (u - 2) / 2, (u + 1) * u * (u - 1) / 6)
    # Differences from the first, so that no digits are lost: the delay is up to 500 s.
    return values[0] + sum(weight * (values[left + offset] - values[0])
                           for offset, weight in zip((-1, 0, 1, 2), weights, strict=True))


def _zenith(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the direction (T,3) of the zenith in celestial axes."""
    import erfa

    longitude, latitude, _ = erfa.gc2gd(1, np.asarray(position, float))
    return _to_celestial(_julian(time)) @ erfa.s2c(longitude, latitude)


def _axes(direction: Direction) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the unit vectors (3) to a position and, there, to the east and to the north."""
    icrs = direction.to("ICRS")
    ra, dec = np.radians(icrs.ra), np.radians(icrs.dec)
    return (np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]),
            np.array([-np.sin(ra), np.cos(ra), 0]),
            np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)]))


def _julian(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return MJD as ERFA's two-part Julian date."""
    time = np.asarray(time, float)
    return np.full(time.shape, 2400000.5), time


def _to_celestial(utc: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the matrices (T,3,3) from ITRF to celestial axes, UT1 taken for UTC."""
    import erfa

    return np.swapaxes(erfa.c2t06a(*_tt(utc), *utc, 0.0, 0.0), -1, -2)


def _tt(utc: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    import erfa

    return erfa.taitt(*erfa.utctai(*utc))


def _family(frame: str) -> str:
    return "ICRS" if frame in ICRS_NAMES else frame


def _astropy_frame(name: str):
    from astropy.coordinates import FK4, ICRS

    if name in ICRS_NAMES:
        return ICRS()
    # The VLA's B1950 is that of its calibrator list, epoch 1979.9.
    return FK4(equinox="B1950", obstime="J1979.9" if name == "B1950_VLA" else "B1950")
