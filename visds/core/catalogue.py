"""Catalogues of sources: one schema for every survey and for detections."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import FK4, Galactic, SkyCoord
from astropy.table import Table

from visds.core.astrometry import moved, wrapped
from visds.core.catalogue_columns import Columns
from visds.core.catalogue_files import read_table
from visds.core.catalogue_mapping import column_mapping
from visds.core.errors import CatalogueError
from visds.core.plural import counted

_EPOCHS = (1800.0, 2200.0)
_TOLD = 5
# Barnard's star, the fastest, has 10393 mas/yr.
_FASTEST_MAS = 10400.0
_FRAME_WORDS = {"galactic": "galactic", "fk4": "B1950 (FK4)"}


def _column(unit: str | None, description: str) -> dict:
    return {"unit": unit, "description": description}


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Sources with positions; every other column may be unknown (NaN).

    Columns not given are made: names from the positions, NaN for numbers, the declared columns
    for `table`. All are (N) arrays in the same order. `epoch_doubt` says which epoch of the file
    was not understood.

    Raises
    ------
    ValueError
        If columns differ in length.
    CatalogueError
        If a position is not finite, or outside 0..360 and -90..90 deg.
    """

    ra: np.ndarray = field(metadata=_column("deg", "right ascension, ICRS, at the epoch"))
    dec: np.ndarray = field(metadata=_column("deg", "declination, ICRS, at the epoch"))
    name: np.ndarray = field(default=None, metadata=_column(None, "name of the source"))
    ra_error: np.ndarray = field(
        default=None, metadata=_column("arcsec", "1 sigma in right ascension, with cos(dec)"))
    dec_error: np.ndarray = field(
        default=None, metadata=_column("arcsec", "1 sigma in declination"))
    pm_ra: np.ndarray = field(
        default=None,
        metadata=_column("mas/yr", "proper motion in right ascension, with cos(dec)"))
    pm_dec: np.ndarray = field(
        default=None, metadata=_column("mas/yr", "proper motion in declination"))
    parallax: np.ndarray = field(
        default=None, metadata=_column("mas", "annual parallax"))
    parallax_error: np.ndarray = field(
        default=None, metadata=_column("mas", "1 sigma of the parallax"))
    distance: np.ndarray = field(default=None, metadata=_column("pc", "distance"))
    radius: np.ndarray = field(
        default=None, metadata=_column("solRad", "radius of the star"))
    epoch: np.ndarray = field(
        default=None, metadata=_column("yr", "Julian year of the position"))
    flux_density: np.ndarray = field(
        default=None, metadata=_column("Jy", "flux density (or peak flux density per beam)"))
    flux_density_error: np.ndarray = field(
        default=None, metadata=_column("Jy", "1 sigma of the flux density"))
    row: np.ndarray = field(
        default=None, metadata=_column(None, "row in the file, counted from 0"))
    table: Table = None
    source: str = "catalogue"
    notes: tuple[str, ...] = ()
    epoch_doubt: str = ""

    def __post_init__(self):
        size = len(self.ra)
        for column in declared_columns():
            values = getattr(self, column.name)
            if values is None:
                values = _unknown(column.name)(self.ra, self.dec)
            kind = {"name": str, "row": int}.get(column.name, float)
            values = np.array(values, dtype=kind, ndmin=1)
            if values.shape != (size,):
                raise ValueError(f"column {column.name} has shape {values.shape}, "
                                 f"expected ({size},) as ra")
            values.flags.writeable = False
            object.__setattr__(self, column.name, values)
        _check_positions(self.ra, self.dec, self.row, self.source)
        if self.table is None:
            object.__setattr__(self, "table", self.to_table())
        if len(self.table) != size:
            raise ValueError(f"table has {len(self.table)} rows, expected {size} as ra")

    def __len__(self):
        return len(self.ra)

    @classmethod
    def read(cls, path: str | os.PathLike, columns: str | None = None) -> "Catalogue":
        """Return the catalogue in a VOTable, FITS, ECSV or CSV file, told by its content.

        Parameters
        ----------
        path : path
            May be compressed with gzip.
        columns : str, optional
            Column mapping, ``ra=RA,dec=DEC,ra_error=E_RA:arcsec,epoch=2016.0,frame=fk4``; what is
            not mapped is found by the usual names. Declared names: ra, dec, name, ra_error,
            dec_error, position_error (for both axes), pm_ra, pm_dec, parallax, parallax_error,
            distance, radius, epoch, flux_density, flux_density_error; see
            `visds.core.catalogue_mapping`.

        Returns
        -------
        Catalogue
            Rows without a position are dropped; `notes` says how many, and what was assumed.

        Raises
        ------
        CatalogueError
            If the file or a column cannot be used: which, and what there is instead.
        """
        path = Path(path)
        return cls.from_table(read_table(path), columns, source=str(path))

    @classmethod
    def from_table(cls, table: Table, columns: str | None = None, *,
                   source: str = "table") -> "Catalogue":
        """Return the catalogue in a table, as `read` does; `source` is what messages call it."""
        found = Columns(table, column_mapping(columns), source)
        ra, dec, frame = found.position()
        keep = np.isfinite(ra) & np.isfinite(dec)
        if not keep.any():
            raise CatalogueError(f"{source} has no row with a position")
        dropped = int(np.sum(~keep))
        _check_positions(ra[keep], dec[keep], np.flatnonzero(keep), source)
        values = {key: found.values(key) for key in (
            "ra_error", "dec_error", "position_error", "pm_ra", "pm_dec", "parallax",
            "parallax_error", "distance", "radius", "flux_density", "flux_density_error")}
        values |= _position_errors(values, dec, found)
        values["epoch"], doubt = _epochs(found, len(table), source)
        values["name"] = found.names()
        notes = found.notes() + _motion_notes(found, values, keep)
        if dropped:
            notes.append(f"{dropped} of {len(table)} rows have no position and are dropped: "
                         + _rows(np.flatnonzero(~keep), values["name"]))
        ra, dec = ra[keep], dec[keep]
        if frame != "icrs":
            notes.append(f"positions are converted from {_FRAME_WORDS[frame]} to ICRS")
            ra, dec = _to_icrs(ra, dec, frame)
            if values["pm_ra"] is not None:
                notes.append(f"proper motions are {_FRAME_WORDS[frame]} and are not used")
                values["pm_ra"] = values["pm_dec"] = None
        kept = {key: None if array is None else array[keep] for key, array in values.items()
                if key != "position_error"}
        if kept["name"] is not None:
            kept["name"] = np.where(kept["name"] == "", position_names(ra, dec), kept["name"])
        return cls(ra=wrapped(ra), dec=dec, row=np.flatnonzero(keep), table=table[keep],
                   source=source, notes=tuple(notes), epoch_doubt=doubt, **kept)

    def select(self, chosen: np.ndarray) -> "Catalogue":
        """Return the sources of an index or mask (N)."""
        columns = {column.name: getattr(self, column.name)[chosen] for column in declared_columns()}
        return dataclasses.replace(self, table=self.table[chosen], **columns)

    def at_epoch(self, epoch: float, observer: np.ndarray | None = None) -> "Catalogue":
        """Return the catalogue with each source moved to a Julian year by its proper motion.

        Sources without a known proper motion keep their own epoch. Where the `observer` is given
        (3; au from the barycentre) positions are as seen from there: moved by their parallax too.

        Raises
        ------
        CatalogueError
            If a source has a proper motion but the epoch of its position is not known.
        """
        moves = (np.nan_to_num(self.pm_ra) != 0) | (np.nan_to_num(self.pm_dec) != 0)
        moves &= np.isfinite(self.pm_ra) & np.isfinite(self.pm_dec)
        if not moves.any() and (observer is None or not np.any(np.nan_to_num(self.parallax) > 0)):
            return self
        without = np.flatnonzero(moves & np.isnan(self.epoch))
        if len(without):
            raise CatalogueError(
                f"{self.source} has proper motions but no epoch for {len(without)} of its "
                f"positions (first: {self.name[without[0]]})"
                + (f"; {self.epoch_doubt}" if self.epoch_doubt else "")
                + "; map it, e.g. epoch=2016.0")
        ra, dec = moved(self.ra, self.dec, pm_ra=self.pm_ra, pm_dec=self.pm_dec,
                        years=epoch - self.epoch, parallax=self.parallax, observer=observer)
        return dataclasses.replace(self, ra=ra, dec=dec,
                                   epoch=np.where(moves, epoch, self.epoch))

    def named(self, name: str) -> np.ndarray:
        """Return the places (N) of the sources of a name, capitals and blanks not regarded."""
        return np.flatnonzero([same_name(own, name) for own in self.name])

    def to_table(self) -> Table:
        """Return the declared columns as a table with units and descriptions."""
        table = Table({column.name: getattr(self, column.name) for column in declared_columns()})
        for column in declared_columns():
            table[column.name].unit = column.metadata["unit"]
            table[column.name].description = column.metadata["description"]
        return table


def same_name(one: str, other: str) -> bool:
    """Return whether two names are the same but for capitals and blanks, as AU Mic and aumic."""
    return _plain_name(one) == _plain_name(other)


def _plain_name(name: str) -> str:
    return "".join(str(name).split()).casefold()


def declared_columns() -> list[dataclasses.Field]:
    """Return the declared columns of a catalogue; their metadata hold unit and description."""
    return [column for column in dataclasses.fields(Catalogue) if "unit" in column.metadata]


def _unknown(column: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return what makes a column that is not given from ra and dec."""
    if column == "name":
        return position_names
    if column == "row":
        return lambda ra, dec: np.arange(len(ra))
    return lambda ra, dec: np.full(len(ra), np.nan)


def position_names(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return names JHHMMSS.s+DDMMSS (N) of positions in deg, cut and not rounded (IAU rule)."""
    # The small number keeps 12h00m00.0s, a product with 15 away, from being cut to 11:59:59.9.
    tenths = np.floor(np.asarray(ra, float) / 15 * 36000 + 1e-6).astype(int) % 864000
    arcseconds = np.floor(np.abs(np.asarray(dec, float)) * 3600 + 1e-6).astype(int)
    return np.array([
        f"J{t // 36000:02d}{t // 600 % 60:02d}{t // 10 % 60:02d}.{t % 10}"
        f"{'-' if south else '+'}{a // 3600:02d}{a // 60 % 60:02d}{a % 60:02d}"
        for t, a, south in zip(tenths, arcseconds, np.signbit(dec), strict=True)], dtype=str)


def _check_positions(ra: np.ndarray, dec: np.ndarray, row: np.ndarray, source: str) -> None:
    for axis, values, low, high in (("ra", ra, -180.0, 360.0), ("dec", dec, -90.0, 90.0)):
        wrong = np.flatnonzero(~((values >= low) & (values <= high)))
        if len(wrong):
            raise CatalogueError(f"{source}: {axis} {values[wrong[0]]:g} deg in row "
                                 f"{row[wrong[0]] + 1} is not between {low:g} and {high:g}"
                                 + (f" ({len(wrong)} such rows)" if len(wrong) > 1 else ""))


def _rows(rows: np.ndarray, names: np.ndarray | None) -> str:
    """Return the first rows in words, counted from 1, with their names if there are."""
    told = [f"row {row + 1}" + (f" ({names[row]})" if names is not None and names[row] else "")
            for row in rows[:_TOLD]]
    return ", ".join(told) + (f" and {len(rows) - _TOLD} more" if len(rows) > _TOLD else "")


def _position_errors(values: dict, dec: np.ndarray, found: Columns) -> dict:
    """Return ra_error and dec_error in arcsec on the sky; what is not positive is unknown."""
    ra_error, dec_error = values["ra_error"], values["dec_error"]
    if ra_error is not None and found.is_seconds_of_time("ra_error"):
        ra_error = ra_error * np.cos(np.radians(dec))
    both = values["position_error"]
    result = {"ra_error": both if ra_error is None else ra_error,
              "dec_error": both if dec_error is None else dec_error,
              "flux_density_error": values["flux_density_error"]}
    return {key: None if array is None else np.where(array > 0, array, np.nan)
            for key, array in result.items()}


def _motion_notes(found: Columns, values: dict, keep: np.ndarray) -> list[str]:
    """Return what is odd with proper motions (mas/yr); one without its other half is taken out."""
    half, notes = found.half_motion(), []
    if half:
        column, missing = half
        values["pm_ra"] = values["pm_dec"] = None
        notes.append(f"column '{column}' is half a proper motion and not used, for no column is "
                     f"known as {missing}; map it as {missing}=COLUMN")
    if values["pm_ra"] is None or values["pm_dec"] is None:
        return notes
    halves = keep & (np.isfinite(values["pm_ra"]) != np.isfinite(values["pm_dec"]))
    if halves.any():
        notes.append(f"{counted(int(halves.sum()), 'position')} with pm_ra or pm_dec alone, which "
                     "is not used: " + _rows(np.flatnonzero(halves), values["name"]))
    motion = np.hypot(values["pm_ra"], values["pm_dec"])
    fast = np.flatnonzero(keep & (motion > _FASTEST_MAS))
    if len(fast):
        notes.append(f"a proper motion of {motion[fast[0]]:.6g} mas/yr is more than that of any "
                     "known star, 10393 of Barnard's: check the unit of "
                     + _rows(fast, values["name"]))
    return notes


def _epochs(found: Columns, size: int, source: str) -> tuple[np.ndarray | None, str]:
    """Return the epochs, None if they are not known, and what of the file is not understood."""
    explicit = "epoch" in found.mapping.columns
    epochs, doubt = found.epochs()
    if doubt and explicit:
        raise CatalogueError(f"{source}: {doubt}")
    if epochs is not None:
        outside = np.flatnonzero((epochs < _EPOCHS[0]) | (epochs > _EPOCHS[1]))
        if not len(outside) and np.isfinite(epochs).any():
            return epochs, doubt
        if len(outside):
            first = epochs[outside[0]]
            if explicit:
                raise CatalogueError(f"{source}: epoch {first:g} is not a Julian year between "
                                     f"{_EPOCHS[0]:g} and {_EPOCHS[1]:g}")
            # A survey's own count of its epochs, such as 1.2, has the same column name.
            doubt = (f"epoch '{first:.10g}' of row {outside[0] + 1} is not understood: expected a "
                     f"Julian year between {_EPOCHS[0]:g} and {_EPOCHS[1]:g}")
    stated = found.stated_epoch()
    return None if stated is None else np.full(size, stated), doubt


def _to_icrs(ra: np.ndarray, dec: np.ndarray, frame: str) -> tuple[np.ndarray, np.ndarray]:
    if frame == "galactic":
        given = SkyCoord(ra * u.deg, dec * u.deg, frame=Galactic())
    else:
        given = SkyCoord(ra * u.deg, dec * u.deg, frame=FK4(equinox="B1950", obstime="B1950"))
    return given.icrs.ra.deg, given.icrs.dec.deg
