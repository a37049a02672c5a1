"""Components out of a table: ECSV, CSV, VOTable or FITS."""

import os

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.catalogue_files import read_table
from visds.core.errors import CatalogueError, SkyModelError
from visds.visibility.sky_model.components import ComponentModel

_UNITS = {"ra": units.deg, "dec": units.deg, "I": units.Jy, "Q": units.Jy, "U": units.Jy,
          "V": units.Jy, "reference_frequency": units.Hz,
          "spectral_index": units.dimensionless_unscaled}
_LOWEST = 1e6
_OPTIONAL = ("Q", "U", "V", "spectral_index")


def read_components(path: str | os.PathLike) -> ComponentModel:
    """Return the components in a table, ECSV or CSV.

    Columns: ra, dec (deg), I and optionally Q, U, V (Jy), reference_frequency (Hz), and
    optionally spectral_index (0 if absent). Units that the file gives are converted.

    Raises
    ------
    SkyModelError
        If the file is not a table, is empty, lacks a column, or holds values that cannot be.
    """
    try:
        table = read_table(path)
    except CatalogueError as error:
        raise SkyModelError(f"sky model: {error}") from error
    missing = [name for name in _UNITS if name not in table.colnames and name not in _OPTIONAL]
    if missing:
        raise SkyModelError(f"sky model {path} has no column {', '.join(missing)}; it has "
                            f"{', '.join(table.colnames)}")
    column = {name: _column(table, name, path) for name in _UNITS}
    _check(np.abs(column["dec"]) <= 90, column["dec"], "dec", "from -90 to 90 deg", path)
    _check(column["reference_frequency"] >= _LOWEST, column["reference_frequency"],
           "reference_frequency", f"at least {_LOWEST / 1e6:g} MHz, in Hz where the "
           "file has no unit", path)
    return ComponentModel(
        ra=column["ra"] % 360, dec=column["dec"],
        stokes=np.stack([column[name] for name in "IQUV"], axis=-1),
        reference_frequency=column["reference_frequency"],
        spectral_terms=column["spectral_index"])


def _column(table: Table, name: str, path: str | os.PathLike) -> np.ndarray:
    """Return the values of a column in the model's unit, zeros for an optional one not there."""
    if name not in table.colnames:
        return np.zeros(len(table))
    column, unit = table[name], _UNITS[name]
    try:
        values = np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)
    except (TypeError, ValueError):
        raise SkyModelError(f"sky model {path}: column {name} holds '{column[0]}', expected "
                            f"numbers in {unit or 'no unit'}") from None
    if values.ndim != 1:
        raise SkyModelError(f"sky model {path}: column {name} holds arrays, expected numbers")
    if column.unit is not None:
        try:
            values = values * units.Unit(column.unit).to(unit)
        except (units.UnitConversionError, TypeError, ValueError):
            raise SkyModelError(f"sky model {path}: column {name} has the unit '{column.unit}', "
                                f"expected one of {unit or 'no unit'}") from None
    _check(np.isfinite(values), values, name, "a finite number", path)
    return values


def _check(good: np.ndarray, values: np.ndarray, name: str, expected: str,
           path: str | os.PathLike) -> None:
    if not np.all(good):
        row = int(np.argmin(good))
        raise SkyModelError(f"sky model {path}: {name} of component {row + 1} is {values[row]:g}, "
                            f"expected {expected}")
