"""Which column of a table is what, and its values in the units of the house.

What is not mapped by the user is found by the names that surveys use. A number without a unit is
not guessed, but that positions are deg, proper motions mas/yr and parallaxes mas; what is passed
over is noted.
"""

import re

import numpy as np
from astropy.table import Table

from visds.core.catalogue_files import without_names
from visds.core.catalogue_mapping import (
    BARE_UNIT,
    KINDS,
    UNITS,
    ColumnMapping,
    Mapped,
    nearest,
    plain_unit,
    unit_factor,
)
from visds.core.epoch import julian_year
from visds.core.errors import CatalogueError, SettingsError
from visds.core.sexagesimal import degrees, has_decimal_comma

# The usual names, lower case and without punctuation, best first.
_POSITIONS = (
    ("radeg", "decdeg"), ("radeg", "dedeg"), ("raicrs", "deicrs"), ("raicrs", "decicrs"),
    ("raj2000", "dej2000"), ("raj2000", "decj2000"), ("radegcont", "decdegcont"), ("ra", "dec"),
    ("ra", "de"), ("ra2000", "dec2000"), ("ra2000", "de2000"), ("alphaj2000", "deltaj2000"),
    ("rasource", "decsource"), ("rajd", "decjd"), ("raj", "decj"),
    ("rightascension", "declination"), ("rahms", "decdms"), ("rahmscont", "decdmscont"),
    ("rastr", "decstr"))
_GALACTIC = (("gl", "gb"), ("glon", "glat"), ("galacticlongitude", "galacticlatitude"))
_B1950 = (("rab1950", "deb1950"), ("rab1950", "decb1950"), ("ra1950", "dec1950"),
          ("ra1950", "de1950"), ("rafk4", "decfk4"))
_POSITION_ERRORS = (
    ("raerror", "decerror"), ("eraicrs", "edeicrs"), ("eraj2000", "edej2000"), ("era", "edec"),
    ("era", "ede"), ("eradeg", "ededeg"), ("raerr", "decerr"), ("errra", "errdec"),
    ("sigmara", "sigmadec"), ("sigra", "sigdec"))
_PROPER_MOTIONS = (("pmra", "pmdec"), ("pmra", "pmde"), ("pmracosdec", "pmdec"),
                   ("pmrastar", "pmdec"))
# Integrated before peak; each with the names that its error goes by.
_FLUXES = {
    "fluxdensity": ("fluxdensityerror", "efluxdensity"), "totalflux": ("etotalflux",),
    "intflux": ("errintflux",), "fluxint": ("fluxinterr",), "sint": ("esint",),
    "stotal": ("estotal",), "fint": ("efint",), "fintwide": ("efintwide",), "s14": ("es14",),
    "flux": ("eflux", "fluxerr", "fluxerror"), "peakflux": ("epeakflux", "errpeakflux"),
    "peakfluxdensity": ("peakfluxdensityerror",), "fluxpeak": ("fluxpeakerr",),
    "fpeak": ("rms",), "fpwide": ("lrmswide",),
    "peakint": ("irms",)}
_SINGLE = {
    "name": ("name", "componentname", "sourcename", "designation", "mainid", "psrj", "jname",
             "sourceid", "componentid", "source", "id"),
    "position_error": ("positionerror", "poserr", "epos", "poserror"),
    "parallax": ("parallax", "plx"),
    "parallax_error": ("parallaxerror", "eplx", "parallaxerr", "eparallax"),
    "distance": ("distance", "dist", "distancepc", "rgeo", "sydist"),
    "radius": ("radius", "stellarradius", "radiusrsun", "rstar", "strad", "rad"),
    "epoch": ("refepoch", "epoch", "epochjyear"),
}
# Columns of these names are as often of something else, which their unit tells.
_AMBIGUOUS = ("distance", "radius")
# A unit at the end of a name: ra_deg, "Flux (mJy)", ra_error_arcsec.
_SUFFIX = re.compile(r"(?P<base>.+?)[ _]*[_(\[]\s*(?P<unit>deg|arcsec|arcmin|mas|[munMU]?[Jj][Yy]|"
                     r"(?:mas|arcsec)(?:/|_per_)yr|hours?|(?<=[(\[])h|k?pc|lyr|[rR]_?[sS]un|[sS]ol_?[rR]ad)"
                     r"\s*[)\]]?")


class Columns:
    """A table with its mapping: gives declared columns as arrays, collects notes on the way."""

    def __init__(self, table: Table, mapping: ColumnMapping, source: str):
        self.table, self.mapping, self.source = table, mapping, source
        self._passed_over: dict[str, str] = {}
        self._notes: list[str] = []
        self._plain: dict[str, str] = {}
        for name in table.colnames:
            base = _SUFFIX.fullmatch(name)
            for key in ([name, base["base"]] if base else [name]):
                # VizieR's own _RAJ2000 stands behind the catalogue's RAJ2000.
                if not name.startswith("_"):
                    self._plain.setdefault(_letters(key), name)
        for name in table.colnames:
            self._plain.setdefault(_letters(name), name)
        for mapped in mapping.columns.values():
            if mapped.column is not None and mapped.column not in table.colnames:
                raise CatalogueError(f"{source} has no column '{mapped.column}'"
                                     + nearest(mapped.column, table.colnames))

    def position(self) -> tuple[np.ndarray, np.ndarray, str]:
        """Return ra and dec (N) in deg, NaN where there is none, and the frame they are in."""
        ra, dec, frame = self._position_columns()
        return (self._degrees("ra", ra), self._degrees("dec", dec),
                self.mapping.frame or self._declared_frame(ra) or frame)

    def position_column(self) -> str:
        """Return the name of the column of right ascension."""
        return self._position_columns()[0].column

    def _position_columns(self) -> tuple[Mapped, Mapped, str]:
        if "ra" in self.mapping.columns:
            ra, dec = self.mapping.columns["ra"], self.mapping.columns["dec"]
            for frame, pairs in (("galactic", _GALACTIC), ("fk4", _B1950)):
                if (_letters(ra.column), _letters(dec.column)) in pairs:
                    return ra, dec, frame
            return ra, dec, "icrs"
        for frame, pairs in (("icrs", _POSITIONS), ("galactic", _GALACTIC), ("fk4", _B1950)):
            found = self._pair(pairs)
            if found is not None:
                return Mapped(found[0]), Mapped(found[1]), frame
        by_ucd = [self._with_ucd(f"pos.eq.{axis}") for axis in ("ra", "dec")]
        if None not in by_ucd:
            return Mapped(by_ucd[0]), Mapped(by_ucd[1]), "icrs"
        raise CatalogueError(
            f"{self.source} has no position columns that are known by name; map them "
            f"(ra=...,dec=...) from its columns {_listed(self.table)}"
            + without_names(self.table.colnames))

    def _pair(self, pairs) -> tuple[str, str] | None:
        for one, other in pairs:
            if one in self._plain and other in self._plain:
                return self._plain[one], self._plain[other]
        return None

    def _with_ucd(self, ucd: str) -> str | None:
        ucds = {name: str(self.table[name].info.meta.get("ucd", "") if self.table[name].info.meta
                          else "").lower() for name in self.table.colnames}
        for wanted in (f"{ucd};meta.main", ucd):
            for name, its in ucds.items():
                if its == wanted:
                    return name
        return None

    def _declared_frame(self, ra: Mapped) -> str | None:
        system = (_meta(self.table, ra.column).get("coordinate_system") or ("", None))[0] or ""
        for word, frame in (("FK4", "fk4"), ("galactic", "galactic")):
            if word.lower() in system.lower():
                return frame
        return None

    def _degrees(self, key: str, mapped: Mapped) -> np.ndarray:
        column = self.table[mapped.column]
        if column.ndim != 1:
            raise CatalogueError(f"{self.source}: column '{mapped.column}' holds arrays, "
                                 f"not one {key} a row")
        unit = mapped.unit or self._unit(mapped.column)
        if np.asarray(column).dtype.kind in "OSU":
            return degrees(_texts(column), key, unit_factor(unit or "deg", key),
                           f"{self.source}, column '{mapped.column}'")
        factor = unit_factor(unit or "deg", key)
        if factor is None:
            raise CatalogueError(f"{self.source}: column '{mapped.column}' has the unit '{unit}', "
                                 f"not one for {key}; give it as {key}={mapped.column}:deg")
        return _numbers(column) * factor

    def values(self, key: str) -> np.ndarray | None:
        """Return a declared column (N) in the house's unit; None if there is none.

        Masked values are NaN. A column in seconds of time is in units of 15 arcsec: the caller
        knows the declination.
        """
        mapped = self.mapping.columns.get(key)
        explicit = mapped is not None
        if not explicit:
            mapped = self._usual(key)
        if mapped is None:
            return None
        kind = KINDS[key]
        unit = mapped.unit or (self._unit(mapped.column) if mapped.column else None) \
            or BARE_UNIT.get(kind)
        factor = unit_factor(unit, kind) if unit else None
        shown = mapped.column if mapped.column else mapped.number
        if factor is None:
            reason = f"has the unit '{unit}'" if unit else "has no unit"
            advice = f"give it as {key}={shown}:{next(iter(UNITS[kind]))} or the like"
            if explicit:
                raise CatalogueError(f"{self.source}: {key} '{shown}' {reason}; {advice}")
            if unit and key not in _AMBIGUOUS:
                self._notes.append(f"column '{shown}' {reason} and is not used as {key}; {advice}")
            elif not unit:
                self._passed_over[shown] = advice
            return None
        if mapped.column is None:
            return np.full(len(self.table), mapped.number * factor)
        try:
            return _numbers(self.table[mapped.column]) * factor
        except (ValueError, TypeError):
            texts = _texts(self.table[mapped.column])
            comma = next((text for text in texts if has_decimal_comma(text)), None)
            if comma is not None:
                raise CatalogueError(f"{self.source}: column '{mapped.column}' has decimal commas, "
                                     f"as '{comma}': write points") from None
            message = f"column '{mapped.column}' is not of numbers"
            if explicit:
                raise CatalogueError(f"{self.source}: {message}, so it cannot be {key}") from None
            self._notes.append(f"{message} and is not used as {key}")
            return None

    def epochs(self) -> tuple[np.ndarray | None, str]:
        """Return the epochs (N) as Julian years, None of no column, and what of it is not known.

        They are Julian years, ``J2016.0`` or dates; those that are not understood are NaN, and the
        first of them is told.
        """
        mapped = self.mapping.columns.get("epoch") or self._usual("epoch")
        if mapped is None or mapped.column is None or np.asarray(
                self.table[mapped.column]).dtype.kind not in "OSU":
            return self.values("epoch"), ""
        epochs, doubt = np.full(len(self.table), np.nan), ""
        for row, text in enumerate(_texts(self.table[mapped.column])):
            try:
                epochs[row] = julian_year(text) if text else np.nan
            except SettingsError:
                doubt = doubt or (f"epoch '{text}' of row {row + 1} is not understood: expected a "
                                  "Julian year such as 2016.0 or a date such as 2016-01-01")
        return epochs, doubt

    def half_motion(self) -> tuple[str, str] | None:
        """Return the half of a proper motion that is there alone, and the key of the other."""
        there = {key: self.mapping.columns.get(key) or self._usual(key)
                 for key in ("pm_ra", "pm_dec")}
        missing = [key for key, mapped in there.items() if mapped is None]
        if len(missing) != 1:
            return None
        mapped = next(filter(None, there.values()))
        return str(mapped.column or mapped.number), missing[0]

    def notes(self) -> list[str]:
        """Return what was passed over so far, and how to have it used."""
        notes = list(self._notes)
        if self._passed_over:
            names = list(self._passed_over)
            notes.append(f"no unit, not used: {', '.join(names)}; {self._passed_over[names[0]]}")
        return notes

    def is_seconds_of_time(self, key: str) -> bool:
        """Return whether an error in right ascension is in seconds of time."""
        mapped = self.mapping.columns.get(key) or self._usual(key)
        unit = mapped and (mapped.unit or (mapped.column and self._unit(mapped.column)))
        return bool(unit) and plain_unit(unit) == "s"

    def names(self) -> np.ndarray | None:
        """Return the sources' names (N) as str, or None if no column has any."""
        mapped = self.mapping.columns.get("name") or self._usual("name")
        if mapped is None:
            by_ucd = self._with_ucd("meta.id") or self._with_ucd("id_main")
            mapped = Mapped(by_ucd) if by_ucd else None
        return None if mapped is None else np.array(_texts(self.table[mapped.column]), dtype=str)

    def stated_epoch(self) -> float | None:
        """Return the epoch that the table states for all its positions, if it does."""
        name = self.position_column()
        column = self.table[name]
        system = _meta(self.table, name).get("coordinate_system")
        described = re.search(r"\b[Ee]p(?:och)?[ =]*J?(\d{4}(?:\.\d+)?)",
                              str(column.info.description or ""))
        for text in (system and system[1], described and described[1],
                     # VizieR moves the positions of its own columns to J2000.
                     "2000" if name in ("_RAJ2000", "_RA.icrs") else None,
                     self.table.meta.get("epoch_jyear")):
            number = re.fullmatch(r"J?(\d{4}(?:\.\d*)?)", str(text or "").strip())
            if number:
                return float(number[1])
        return None

    def _usual(self, key: str) -> Mapped | None:
        if key in ("ra_error", "dec_error"):
            found = self._pair(_POSITION_ERRORS)
            return Mapped(found[key == "dec_error"]) if found else None
        if key in ("flux_density", "flux_density_error"):
            flux = next((name for name in _FLUXES if name in self._plain), None)
            names = () if flux is None else (flux,) if key == "flux_density" else _FLUXES[flux]
        elif key in ("pm_ra", "pm_dec"):
            names = [pair[key == "pm_dec"] for pair in _PROPER_MOTIONS]
        else:
            names = _SINGLE[key]
        name = next((name for name in names if name in self._plain), None)
        return Mapped(self._plain[name]) if name else None

    def _unit(self, name: str) -> str | None:
        unit = self.table[name].info.unit
        if unit is not None and str(unit).strip():
            return str(unit)
        suffix = _SUFFIX.fullmatch(name)
        return suffix["unit"] if suffix else None


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _listed(table: Table) -> str:
    shown = ", ".join(table.colnames[:30])
    return shown + (f" and {len(table.colnames) - 30} more" if len(table.colnames) > 30 else "")


def _meta(table: Table, name: str) -> dict:
    return table[name].info.meta or {}


def _texts(column) -> list[str]:
    """Return the values as stripped text, empty where masked."""
    masked = np.ma.getmaskarray(np.ma.asarray(column))
    return ["" if gone else (value.decode("utf-8", "replace") if isinstance(value, bytes)
                             else str(value)).strip()
            for value, gone in zip(np.asarray(column).tolist(), masked, strict=True)]


def _numbers(column) -> np.ndarray:
    """Return the values as float64, NaN where masked or blank."""
    values = np.ma.asarray(getattr(column, "value", column))
    if values.dtype.kind in "OSU":
        return np.array([float(text) if text else np.nan for text in _texts(column)])
    return np.ma.filled(values.astype(float), np.nan)
