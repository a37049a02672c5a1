"""Values of the simulation's options as a user writes them: fluxes, angles, positions, dates."""

from typing import Any

from astropy import units
from astropy.coordinates import SkyCoord
from astropy.time import Time

from visds.core.errors import SettingsError
from visds.core.quantities import HERTZ, bare_number, parse, seconds

JANSKY = {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6, "kJy": 1e3}
DEGREES = {"deg": 1.0, "arcmin": 1 / 60, "arcsec": 1 / 3600}


@bare_number("Jy")
def flux_density(text: Any) -> float:
    """Return a flux density in Jy from ``20mJy``; a bare number is Jy."""
    return parse(text, JANSKY, bare=1.0)


@bare_number("Jy")
def positive_flux_density(text: Any) -> float:
    """Return a flux density in Jy that is not negative."""
    return _at_least(flux_density(text), 0.0, text)


@bare_number("Jy")
def stokes_parameters(text: Any) -> tuple[float, float, float, float]:
    """Return I, Q, U, V in Jy from ``10mJy 0 0 -2mJy``; what is left out is 0."""
    words = str(text).replace(",", " ").split()
    if not 1 <= len(words) <= 4:
        raise SettingsError(f"'{text}' is not up to four flux densities, I Q U V")
    intensity, q, u, v = (*(flux_density(word) for word in words), 0.0, 0.0, 0.0)[:4]
    return intensity, q, u, v


@bare_number("refused")
def hertz(text: Any) -> float:
    """Return a frequency in Hz from ``1.4GHz``."""
    return parse(text, HERTZ)


@bare_number("seconds")
def duration(text: Any) -> float:
    """Return a duration in s that is not negative."""
    return _at_least(seconds(text), 0.0, text)


@bare_number("refused")
def angle(text: Any) -> float:
    """Return an angle in degrees from ``30arcsec``."""
    return parse(text, DEGREES)


def number(text: Any) -> float:
    """Return a plain number."""
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"'{text}' is not a number") from None


def ratio(text: Any) -> float:
    """Return a number of at least 1."""
    return _at_least(number(text), 1.0, text)


def fraction(text: Any) -> float:
    """Return a number between 0 and 1."""
    value = _at_least(number(text), 0.0, text)
    if value > 1:
        raise SettingsError(f"must be between 0 and 1, not '{text}'")
    return value


def count(text: Any) -> int:
    """Return a whole number, 0 or more."""
    try:
        value = int(str(text))
    except ValueError:
        raise SettingsError(f"'{text}' is not a whole number") from None
    return int(_at_least(value, 0, text))


def counted(text: Any) -> int:
    """Return a whole number, 1 or more."""
    return int(_at_least(count(text), 1, text))


def sky_position(text: Any) -> tuple[float, float]:
    """Return (ra, dec) in degrees ICRS from ``01h39m01.6s -17d57m02s`` or ``24.7567 -17.9506``."""
    words = str(text).replace(",", " ").split()
    sexagesimal = any(mark in str(text) for mark in "hms:")
    try:
        position = SkyCoord(" ".join(words), frame="icrs",
                            unit=(units.hourangle if sexagesimal else units.deg, units.deg))
    except ValueError as error:
        raise SettingsError(f"'{text}' is not a position such as '01h39m01.6s -17d57m02s' or "
                            f"'24.7567 -17.9506' in degrees") from error
    return float(position.ra.deg), float(position.dec.deg)


def pair(text: Any) -> tuple[float, float]:
    """Return two numbers from ``30 -12``."""
    words = str(text).replace(",", " ").split()
    if len(words) != 2:
        raise SettingsError(f"'{text}' is not two numbers such as '30 -12'")
    return number(words[0]), number(words[1])


def date(text: Any) -> float:
    """Return MJD UTC days from ``2024-05-01T03:00:00`` or a bare MJD."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(Time(str(text), scale="utc").mjd)
    except ValueError as error:
        raise SettingsError(f"'{text}' is not a date such as 2024-05-01T03:00:00") from error


def _at_least(value: float, least: float, text: Any) -> float:
    if not value >= least:
        raise SettingsError(f"must be at least {least:g}, not '{text}'")
    return value
