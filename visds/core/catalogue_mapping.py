"""The words in which a user says which column is what, and units as files spell them.

A column mapping is written ``ra=RA,dec=DEC,ra_error=E_RA:arcsec,epoch=2016.0``: the declared name,
the table's column or a number for all rows, and the unit where the table has none or a wrong one.
A number may have its unit: ``reference_frequency=1.4GHz``. ``frame=icrs``, ``galactic`` or ``fk4``
says what ra and dec are.
"""

import contextlib
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from visds.core.epoch import julian_year
from visds.core.errors import CatalogueError, SettingsError

FRAMES = ("icrs", "galactic", "fk4")

UNITS = {
    "ra": {"deg": 1.0, "h": 15.0, "rad": np.degrees(1.0)},
    "dec": {"deg": 1.0, "rad": np.degrees(1.0)},
    "error": {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0, "mas": 1e-3, "uas": 1e-6, "s": 15.0,
              "rad": np.degrees(1.0) * 3600},
    "motion": {"mas/yr": 1.0, "arcsec/yr": 1e3, "uas/yr": 1e-3, "deg/yr": 3.6e6},
    "parallax": {"mas": 1.0, "arcsec": 1e3, "uas": 1e-3},
    "distance": {"pc": 1.0, "kpc": 1e3, "lyr": 0.306601394},
    "radius": {"solRad": 1.0, "km": 1 / 695700},
    "epoch": {"yr": 1.0},
    "flux": {"Jy": 1.0, "mJy": 1e-3, "uJy": 1e-6, "nJy": 1e-9},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9},
    "size": {"arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0, "mas": 1e-3},
    "angle": {"deg": 1.0, "rad": np.degrees(1.0)},
}
KINDS = {"ra": "ra", "dec": "dec", "ra_error": "error", "dec_error": "error",
          "position_error": "error", "pm_ra": "motion", "pm_dec": "motion",
          "parallax": "parallax", "parallax_error": "parallax", "distance": "distance",
          "radius": "radius", "epoch": "epoch",
          "flux_density": "flux", "flux_density_error": "flux", "name": "name"}
"""The columns of a catalogue and the kinds of their units."""
BARE_UNIT = {"ra": "deg", "dec": "deg", "motion": "mas/yr", "parallax": "mas", "epoch": "yr"}
_UNIT_WORDS = {
    "deg": r"deg(r?e+s?)?", "arcsec": r"arcsec(ond)?s?|asec|as|\"", "arcmin": r"arcmin(ute)?s?|'",
    "mas": r"mas|milliarcsec(ond)?s?", "uas": r"uas|µas|microarcsec(ond)?s?",
    "rad": r"rad(ian)?s?", "s": r"s(ec)?", "yr": r"y(ea)?rs?",
    "h": r"h(ours?)?|hr|hourangle", "Jy": r"jy|jansky", "mJy": "mjy", "uJy": "ujy|µjy",
    "nJy": "njy", "pc": r"pc|parsecs?", "kpc": "kpc", "lyr": "ly|lyr|light-?years?",
    "solRad": "solrad|r_?sun|r_?sol|solarradi(us|i)", "km": "km", "Hz": "hz|hertz",
    "kHz": "khz", "MHz": "mhz", "GHz": "ghz"}
_NUMBER_WITH_UNIT = re.compile(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*([A-Za-zµ].*)")


@dataclass(frozen=True)
class Mapped:
    """Where one declared column comes from: a `column` or a `number`, and its `unit` if given."""

    column: str | None = None
    number: float | None = None
    unit: str | None = None


@dataclass(frozen=True)
class ColumnMapping:
    """A user's own choice of columns, by declared name, and the frame of the positions."""

    columns: Mapping[str, Mapped] = field(default_factory=dict)
    frame: str | None = None


def column_mapping(written: str | None, kinds: Mapping[str, str] = KINDS) -> ColumnMapping:
    """Return the mapping of ``ra=RA,dec=DEC,ra_error=E_RA:arcsec,epoch=2016.0,frame=fk4``.

    `kinds` are the declared names and the kinds of their units.

    Raises
    ------
    CatalogueError
        If an item is not of this form, or its name is not a declared one (the nearest is named).
    """
    columns, frame = {}, None
    for item in filter(None, (part.strip() for part in (written or "").split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not value:
            raise CatalogueError(f"column mapping '{item}' is not of the form ra=RA or "
                                 "ra_error=E_RA:arcsec")
        if key == "frame":
            if value not in FRAMES:
                raise CatalogueError(f"frame '{value}' is not one of {', '.join(FRAMES)}")
            frame = value
        elif key in kinds:
            columns[key] = _mapped(key, value, kinds[key])
        else:
            raise CatalogueError(f"column mapping '{item}': no '{key}'"
                                 + nearest(key, [*kinds, "frame"]))
    if ("ra" in columns) != ("dec" in columns):
        raise CatalogueError("a column mapping must name both ra and dec, or neither")
    return ColumnMapping(columns, frame)


def check_column_mapping(option: str, written: str | None) -> None:
    """Raise CatalogueError, with the name of the option, if a mapping cannot be used."""
    try:
        column_mapping(written)
    except CatalogueError as error:
        raise CatalogueError(f"{option}: {error}") from error


def _mapped(key: str, value: str, kind: str) -> Mapped:
    column, colon, unit = value.rpartition(":")
    if colon and unit_factor(unit, kind) is not None:
        value = column.strip()
    elif colon and plain_unit(unit) in {u for units in UNITS.values() for u in units}:
        raise CatalogueError(f"unit '{unit}' is not one for {key}: expected one of "
                             + ", ".join(UNITS.get(kind, {})))
    else:
        unit = None
    if key not in ("ra", "dec", "name"):
        try:
            return Mapped(number=float(value), unit=unit)
        except ValueError:
            pass
        if key == "epoch":
            with contextlib.suppress(SettingsError):
                return Mapped(number=julian_year(value), unit=unit)
        match = _NUMBER_WITH_UNIT.fullmatch(value)
        if match and unit is None and unit_factor(match[2], kind) is not None:
            return Mapped(number=float(match[1]), unit=match[2])
    return Mapped(column=value, unit=unit)


def unit_factor(text: str, kind: str) -> float | None:
    """Return the factor from a unit as files spell it to the house's; None if it is not known.

    Flux densities per beam are taken as Jy. 'DEGREE', 'DEGREEE', 'JY/BEAM', 'mas.yr-1' are known.
    """
    return UNITS.get(kind, {}).get(plain_unit(text))


def plain_unit(text: str) -> str:
    """Return a unit in its plain spelling (deg, mas/yr, mJy), or as it is where it is unknown."""
    unit = re.sub(r"[\s.*]", "", str(text).replace("_per_", "/"))
    unit = re.sub(r"(?i)/?(beam|bm)(-1)?$", "", unit)
    base, rate = re.fullmatch(r"(?i)(.*?)(/(?:years?|yr|a)|(?:year|yr)-1)?", unit).groups()
    # Of the prefixes only mega and milli differ by their case alone, and not in all-capital files.
    if base.startswith("MJy"):
        return unit
    for plain, words in _UNIT_WORDS.items():
        if re.fullmatch(words, base.lower()):
            return plain + ("/yr" if rate else "")
    return unit


def nearest(name: str, known: list[str]) -> str:
    """Return the end of an error message: the nearest known name, or all of them."""
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{next(k for k in known if k.lower() == close[0])}'?"
    return f"; there are {', '.join(known)}"
