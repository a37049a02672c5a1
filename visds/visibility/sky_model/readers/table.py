"""Components out of a table: ECSV, CSV, VOTable or FITS, of the project or of a source finder."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.catalogue_columns import Columns
from visds.core.catalogue_files import read_table
from visds.core.catalogue_mapping import (
    UNITS,
    ColumnMapping,
    Mapped,
    column_mapping,
    unit_factor,
)
from visds.core.errors import CatalogueError, SkyModelError
from visds.core.sexagesimal import degrees
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.gaussian_deconvolution import deconvolved
from visds.visibility.sky_model.readers.to_icrs import to_icrs

MODEL_COLUMNS = {"ra": "ra", "dec": "dec", "I": "flux", "Q": "flux", "U": "flux", "V": "flux",
                 "reference_frequency": "frequency", "spectral_index": "number", "major": "size",
                 "minor": "size", "pa": "angle", "taylor_1": "flux", "taylor_2": "flux",
                 "taylor_3": "flux"}
"""What a column mapping can name, and the kinds of units."""

_UNITS = {"ra": units.deg, "dec": units.deg, "flux": units.Jy, "frequency": units.Hz,
          "number": units.dimensionless_unscaled, "size": units.arcsec, "angle": units.deg}
_TAYLOR = ("taylor_1", "taylor_2", "taylor_3")
_FRAMES = {"icrs": "ICRS", "fk4": "B1950"}
_LOWEST = 1e6
_REFERENCE_FREQUENCY = re.compile(r"Reference frequency.*?:\s*([\d.]+(?:e[+-]?\d+)?)\s*Hz",
                                  re.IGNORECASE)
_EQUINOX = re.compile(r"Equinox\s*:\s*([\d.]+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """Columns by which a kind of table is known, those that are used, and their units if bare."""

    needed: frozenset[str]
    columns: Mapping[str, str]
    units: Mapping[str, str]
    beam: tuple[str, str, str] | None = None


_OWN_UNITS = {"ra": "deg", "dec": "deg", "flux": "Jy", "frequency": "Hz", "number": "",
              "size": "arcsec", "angle": "deg"}
_OWN = _Layout(frozenset({"ra", "dec", "I"}), {name: name for name in MODEL_COLUMNS}, _OWN_UNITS)
_AEGEAN = _Layout(
    frozenset({"ra", "dec", "int_flux", "a", "b", "pa"}),
    {"ra": "ra", "dec": "dec", "I": "int_flux", "major": "a", "minor": "b", "pa": "pa"},
    _OWN_UNITS, beam=("psf_a", "psf_b", "psf_pa"))
_PYBDSF = _Layout(
    frozenset({"RA", "DEC", "Total_flux", "DC_Maj", "DC_Min", "DC_PA"}),
    {"ra": "RA", "dec": "DEC", "I": "Total_flux", "Q": "Total_Q", "U": "Total_U", "V": "Total_V",
     "spectral_index": "Spec_Indx", "major": "DC_Maj", "minor": "DC_Min", "pa": "DC_PA"},
    _OWN_UNITS | {"size": "deg"})


def read_components(path: str | os.PathLike, columns: str | None = None) -> ComponentModel:
    """Return the components in a table.

    Three kinds are known by their columns: the project's own, ra, dec (deg), I and optionally Q,
    U, V (Jy), reference_frequency (Hz), spectral_index or taylor_1, taylor_2, taylor_3 (Jy), major,
    minor (arcsec) and pa (deg); the catalogues of AegeanTools, whose fitted sizes are deconvolved
    with the psf; and those of PyBDSF, with the sizes that it has deconvolved itself. A table with
    a column reference_frequency is the project's, whatever else is mapped. Units that the file
    gives are converted.

    Parameters
    ----------
    path : path
    columns : str, optional
        Column mapping that goes before these names, as
        ``ra=RA,dec=DEC,I=S:mJy,reference_frequency=1.4GHz``.
        Names: ra, dec, I, Q, U, V, reference_frequency, spectral_index, taylor_1 to taylor_3,
        major, minor, pa (full widths at half maximum without the beam), and frame.

    Raises
    ------
    SkyModelError
        If the file is not a table, is empty, lacks a column, or holds values that cannot be.
    """
    try:
        reader = _Reader(path, read_table(path), column_mapping(columns, MODEL_COLUMNS))
        return reader.model()
    except CatalogueError as error:
        raise SkyModelError(f"sky model: {error}") from error


class _Reader:
    def __init__(self, path: str | os.PathLike, table: Table, mapping: ColumnMapping):
        self.path, self.table, self.mapping = path, table, mapping
        self.layout = next((layout for layout in (_OWN, _AEGEAN, _PYBDSF)
                            if layout.needed <= set(table.colnames)), None)
        if self.layout is None and "reference_frequency" in table.colnames:
            self.layout = _OWN
        usual = self.layout.columns if self.layout else {}
        self.columns = {key: Mapped(column) for key, column in usual.items()
                        if column in table.colnames} | dict(mapping.columns)

    def model(self) -> ComponentModel:
        ra, dec, frame = self._position()
        missing = [key for key in ("I", "reference_frequency") if key not in self.columns
                   and not (key == "reference_frequency" and self._stated_frequency())]
        if missing:
            raise SkyModelError(
                f"sky model {self.path} has no column {', '.join(missing)}; it has "
                f"{', '.join(self.table.colnames)}; say what is, as {self.path}:"
                f"{'I=FLUX:mJy' if missing[0] == 'I' else 'reference_frequency=1.4GHz'}")
        stokes = np.stack([self._values(key) for key in "IQUV"], axis=-1)
        frequency = self._values("reference_frequency") if "reference_frequency" in self.columns \
            else np.full(len(ra), self._stated_frequency())
        self._check(frequency >= _LOWEST, frequency, "reference_frequency",
                    f"at least {_LOWEST / 1e6:g} MHz, in Hz where the file has no unit")
        shape = self._shape()
        if frame != "ICRS":
            ra, dec, shape = to_icrs(ra, dec, shape, frame)
        terms, is_logarithmic = self._spectra()
        return ComponentModel(ra=ra % 360, dec=dec, stokes=stokes, reference_frequency=frequency,
                              spectral_terms=terms, is_logarithmic=is_logarithmic, shape=shape)

    def _spectra(self) -> tuple[np.ndarray, np.ndarray]:
        """Return spectral terms (S,K) and whether they are logarithmic (S)."""
        unknown = [name for name in self.table.colnames
                   if name.startswith("taylor_") and name not in _TAYLOR]
        if unknown:
            raise SkyModelError(f"sky model {self.path} has a column {unknown[0]}, expected at "
                                f"most {', '.join(_TAYLOR)}")
        taylor = [key for key in _TAYLOR if key in self.columns]
        if not taylor:
            return self._values("spectral_index"), np.ones(len(self.table), bool)
        if "spectral_index" in self.columns:
            raise SkyModelError(f"sky model {self.path} has spectral_index and {taylor[0]}, "
                                "expected one of the two")
        highest = _TAYLOR.index(taylor[-1]) + 1
        return (np.stack([self._values(key) for key in _TAYLOR[:highest]], axis=-1),
                np.zeros(len(self.table), bool))

    def _position(self) -> tuple[np.ndarray, np.ndarray, str]:
        found = Columns(self.table, self.mapping, str(self.path))
        frame = self.mapping.frame
        if not {"ra", "dec"} <= self.columns.keys() or "ra" in self.mapping.columns:
            ra, dec, frame = found.position()
            for name, values in (("ra", ra), ("dec", dec)):
                self._check(np.isfinite(values), values, name, "a finite number")
        else:
            ra, dec = self._values("ra"), self._values("dec")
        self._check(np.abs(dec) <= 90, dec, "dec", "from -90 to 90 deg")
        if frame and frame not in _FRAMES:
            raise SkyModelError(f"sky model {self.path} has its positions in {frame}, expected one "
                                f"of {', '.join(_FRAMES)}")
        return ra, dec, _FRAMES[frame] if frame else self._stated_frame()

    def _shape(self) -> np.ndarray:
        """Return widths and angles (S,3) without the beam."""
        given = [key for key in ("major", "minor", "pa") if key in self.columns]
        if not given:
            return np.zeros((len(self.table), 3))
        if not {"major", "minor"} <= set(given):
            raise SkyModelError(f"sky model {self.path} has a column for {', '.join(given)}, "
                                "expected major, minor and pa together")
        shape = np.stack([self._values(key) for key in ("major", "minor", "pa")], axis=-1)
        for axis, name in enumerate(("major", "minor")):
            self._check(shape[:, axis] >= 0, shape[:, axis], name, "not negative")
        if "pa" not in given:
            self._check(shape[:, 0] == shape[:, 1], shape[:, 0], "major",
                        "the same as minor where there is no column pa")
        if self.layout and self.layout.beam and "major" not in self.mapping.columns:
            return deconvolved(shape, self._beam(self.layout.beam))
        return shape

    def _beam(self, names: tuple[str, str, str]) -> np.ndarray:
        missing = [name for name in names if name not in self.table.colnames]
        if missing:
            raise SkyModelError(f"sky model {self.path} has no column {', '.join(missing)}: its "
                                "sizes are those in the image, and the beam is not known; for "
                                f"points write {self.path}:major=0arcsec,minor=0arcsec,pa=0deg")
        beam = np.stack([self._converted(name, Mapped(name), kind) for name, kind in zip(
            names, ("size", "size", "angle"), strict=True)], axis=-1)
        for axis in (0, 1):
            self._check(beam[:, axis] > 0, beam[:, axis], names[axis], "above 0")
        return beam

    def _stated_frequency(self) -> float | None:
        """Return the reference frequency (Hz) that the header of a PyBDSF catalogue states."""
        if self.layout is not _PYBDSF:
            return None
        stated = self.table.meta.get("FREQ0") or self._comment(_REFERENCE_FREQUENCY)
        return None if stated is None else float(stated)

    def _stated_frame(self) -> str:
        equinox = self.table.meta.get("EQUINOX") or self._comment(_EQUINOX)
        if self.layout is not _PYBDSF or equinox is None or float(equinox) == 2000:
            return "ICRS"
        if float(equinox) == 1950:
            return "B1950"
        raise SkyModelError(f"sky model {self.path} has the equinox {equinox}, expected 2000 or "
                            "1950")

    def _comment(self, pattern: re.Pattern) -> str | None:
        matches = map(pattern.search, map(str, self.table.meta.get("comments", [])))
        return next((match[1] for match in matches if match), None)

    def _values(self, key: str) -> np.ndarray:
        """Return the values (S) of a key in the model's unit, zeros for one that is not there."""
        if key not in self.columns:
            return np.zeros(len(self.table))
        return self._converted(key, self.columns[key], MODEL_COLUMNS[key])

    def _converted(self, key: str, mapped: Mapped, kind: str) -> np.ndarray:
        name = mapped.column if mapped.column is not None else key
        if key in ("ra", "dec") and mapped.column and self.table[name].dtype.kind in "OSU":
            return self._sexagesimal(key, name)
        if mapped.column is None:
            values, own_unit = np.full(len(self.table), mapped.number), None
        else:
            values, own_unit = self._numbers(name), self.table[name].unit
        if mapped.unit is not None:
            values = values * unit_factor(mapped.unit, kind)
        elif own_unit is not None:
            values = values * self._factor(name, own_unit, _UNITS[kind])
        elif key in self.mapping.columns and kind not in ("number", "angle"):
            shown = name if mapped.column is not None else f"{mapped.number:g}"
            raise SkyModelError(f"sky model {self.path}: {key} '{shown}' has no unit; give it as "
                                f"{key}={shown}:{next(iter(UNITS[kind]))} or the like")
        elif self.layout and key not in self.mapping.columns:
            values = values * _plain_factor(self.layout.units[kind], kind)
        self._check(np.isfinite(values), values, name, "a finite number")
        return values

    def _sexagesimal(self, key: str, name: str) -> np.ndarray:
        """Return positions (S) in deg that are written as text; right ascensions are in hours."""
        texts = [str(text).strip() for text in np.ma.filled(np.ma.asarray(self.table[name]), "")]
        try:
            values = degrees(texts, key, 1.0, f"sky model {self.path}, column {name}")
        except CatalogueError as error:
            raise SkyModelError(str(error)) from None
        self._check(np.isfinite(values), values, name, "a position")
        return values

    def _numbers(self, name: str) -> np.ndarray:
        column = self.table[name]
        try:
            values = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
        except (TypeError, ValueError):
            unit = next((_UNITS[kind] for key, kind in MODEL_COLUMNS.items()
                         if key in self.columns and self.columns[key].column == name), None)
            raise SkyModelError(f"sky model {self.path}: column {name} holds '{column[0]}', "
                                f"expected numbers in {unit or 'no unit'}") from None
        if values.ndim != 1:
            raise SkyModelError(f"sky model {self.path}: column {name} holds arrays, expected "
                                "numbers")
        return values

    def _factor(self, name: str, unit: units.Unit, expected: units.Unit) -> float:
        try:
            return units.Unit(unit).to(expected)
        except (units.UnitConversionError, TypeError, ValueError):
            raise SkyModelError(f"sky model {self.path}: column {name} has the unit '{unit}', "
                                f"expected one of {expected or 'no unit'}") from None

    def _check(self, good: np.ndarray, values: np.ndarray, name: str, expected: str) -> None:
        if not np.all(good):
            row = int(np.argmin(good))
            raise SkyModelError(f"sky model {self.path}: {name} of component {row + 1} is "
                                f"{values[row]:g}, expected {expected}")


def _plain_factor(unit: str, kind: str) -> float:
    return unit_factor(unit, kind) if unit else 1.0
