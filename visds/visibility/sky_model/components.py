"""A sky model of point components with power-law spectra, read from a table."""

import os
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.catalogue_files import read_table
from visds.core.errors import CatalogueError, SkyModelError
from visds.core.sky import Direction, direction_cosines, separation

_UNITS = {"ra": units.deg, "dec": units.deg, "I": units.Jy, "Q": units.Jy, "U": units.Jy,
          "V": units.Jy, "reference_frequency": units.Hz,
          "spectral_index": units.dimensionless_unscaled}
_LOWEST = 1e6
_OPTIONAL = ("Q", "U", "V", "spectral_index")


@dataclass(frozen=True, eq=False)
class ComponentModel:
    """Point components; axis S counts them.

    Attributes
    ----------
    ra, dec : (S) float64
        ICRS position, deg.
    stokes : (S,4) float64
        I, Q, U, V at the reference frequency, Jy.
    reference_frequency : (S) float64
        Hz.
    spectral_index : (S) float64
        alpha of S(nu) = S0 (nu / nu0)^alpha, which holds for I, Q, U and V alike.
    """

    ra: np.ndarray
    dec: np.ndarray
    stokes: np.ndarray
    reference_frequency: np.ndarray
    spectral_index: np.ndarray

    def spectrum(self, frequency: np.ndarray) -> np.ndarray:
        """Return (nu / nu0)^alpha (S,F) at frequencies (F) in Hz."""
        ratio = np.asarray(frequency) / self.reference_frequency[:, np.newaxis]
        return ratio ** self.spectral_index[:, np.newaxis]

    def cosines(self, centre: Direction) -> np.ndarray:
        """Return l, m and n - 1 (S,3) about a phase centre, along the axes of its frame."""
        places = [Direction(ra, dec).to(centre.frame)
                  for ra, dec in zip(self.ra, self.dec, strict=True)]
        return direction_cosines(np.array([place.ra for place in places]),
                                 np.array([place.dec for place in places]), centre)


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
        spectral_index=column["spectral_index"])


def check_on_field(model: ComponentModel, phase_centre: Direction, limit_deg: float) -> None:
    """Check that a model belongs to a field.

    Raises
    ------
    SkyModelError
        If no component is within `limit_deg` of the phase centre, or one is 90 degrees away or
        more, where it has no place in the plane of the field (n <= 0).
    """
    centre = phase_centre.to("ICRS")
    distances = np.array([separation(Direction(ra, dec), centre)
                          for ra, dec in zip(model.ra, model.dec, strict=True)])
    if distances.min() > limit_deg:
        raise SkyModelError(f"the sky model is off the field: its nearest component is "
                            f"{distances.min():.3g} deg from the phase centre {centre}, more than "
                            f"{limit_deg:.3g} deg")
    if distances.max() >= 90:
        worst = int(np.argmax(distances))
        raise SkyModelError(f"component {worst + 1} of the sky model is {distances[worst]:.4g} deg "
                            f"from the phase centre {centre}: below its horizon (90 deg)")


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
