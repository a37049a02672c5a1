"""A measurement set, opened for reading only: what it describes, and its rows.

The one module that knows python-casacore.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from casacore import tables

from visds.core.errors import MeasurementSetError
from visds.core.polarization import CORRELATIONS
from visds.core.sky import FRAMES, Direction
from visds.visibility.description import Description, Field, SpectralWindow
from visds.visibility.feed_table import FeedTable
from visds.visibility.tiled_column import TiledColumn

SUBTABLES = ("ANTENNA", "DATA_DESCRIPTION", "FIELD", "OBSERVATION", "POLARIZATION",
             "SPECTRAL_WINDOW")
COLUMNS = ("ANTENNA1", "ANTENNA2", "DATA_DESC_ID", "FIELD_ID", "FLAG", "FLAG_ROW", "INTERVAL",
           "SCAN_NUMBER", "TIME", "UVW", "WEIGHT")
FREQUENCY_FRAMES = ("REST", "LSRK", "LSRD", "BARY", "GEO", "TOPO", "GALACTO", "LGROUP", "CMB")
_CASACORE_SETTINGS = Path(__file__).with_name("casacore.rc")
_ROWS_AT_ONCE = 1_000_000
_TILED_TYPES = {"boolean": np.dtype(bool), "complex": np.dtype(np.complex64),
                "float": np.dtype(np.float32), "double": np.dtype(np.float64)}


@dataclass(frozen=True, eq=False)
class RowRuns:
    """Runs of consecutive rows with the same time, field, scan, data description and feed.

    One entry a run: first row, number of rows, number of cross-correlations among them, TIME (s,
    as stored), INTERVAL (s), FIELD_ID, DATA_DESC_ID, SCAN_NUMBER, and FEED1 if FEED2 is the same:
    -1 where different feeds are correlated, 0 where the measurement set has no such columns.
    """

    start: np.ndarray
    length: np.ndarray
    cross: np.ndarray
    time: np.ndarray
    interval: np.ndarray
    field: np.ndarray
    data_description: np.ndarray
    scan: np.ndarray
    feed: np.ndarray

    def select(self, chosen: np.ndarray) -> "RowRuns":
        """Return some of the runs: a mask or indices."""
        return RowRuns(**{name: values[chosen] for name, values in vars(self).items()})


def _reported(method: Callable) -> Callable:
    """Let a method raise MeasurementSetError for what casacore cannot read."""
    @functools.wraps(method)
    def reading(self, *arguments):
        try:
            return method(self, *arguments)
        except (RuntimeError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0]
            raise MeasurementSetError(f"{self.path} cannot be read: {reason}") from error
    return reading


class MeasurementSet:
    """A measurement set, open for reading; nothing in its folder is written or locked.

    Raises
    ------
    MeasurementSetError
        If the folder is not a measurement set, or a table or column is missing.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = str(path)
        if not Path(path).exists():
            raise MeasurementSetError(f"{path} does not exist (expected a measurement set)")
        if not (Path(path) / "table.dat").is_file():
            raise MeasurementSetError(f"{path} is not a measurement set: it has no table.dat")
        self._main = self._open()
        self._tiled: dict[str, TiledColumn | None] = {}
        names = self._main.colnames()
        for name in COLUMNS:
            if name not in names:
                self.close()
                raise MeasurementSetError(f"{path} has no column {name}: not a measurement set")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the table."""
        for tiled in filter(None, self._tiled.values()):
            tiled.close()
        self._main.close()

    @_reported
    def describe(self) -> Description:
        """Return the description in the subtables.

        Raises
        ------
        MeasurementSetError
            If a subtable is missing or empty, or says what cannot be used.
        """
        sub = {name: self._open(name) for name in SUBTABLES}
        for name, table in sub.items():
            if table.nrows() == 0:
                raise MeasurementSetError(f"{self.path}: subtable {name} has no rows")
        correlations = tuple(
            tuple(CORRELATIONS.get(int(code), f"type{code}") for code in
                  sub["POLARIZATION"].getcell("CORR_TYPE", row))
            for row in range(sub["POLARIZATION"].nrows()))
        data_descriptions = tuple(zip(
            map(int, sub["DATA_DESCRIPTION"].getcol("SPECTRAL_WINDOW_ID")),
            map(int, sub["DATA_DESCRIPTION"].getcol("POLARIZATION_ID")), strict=True))
        for window, setup in data_descriptions:
            if window >= sub["SPECTRAL_WINDOW"].nrows() or setup >= len(correlations):
                raise MeasurementSetError(
                    f"{self.path}: DATA_DESCRIPTION names spectral window {window} and "
                    f"polarization {setup}, but SPECTRAL_WINDOW has "
                    f"{sub['SPECTRAL_WINDOW'].nrows()} rows and POLARIZATION {len(correlations)}")
        windows = tuple(self._spectral_window(sub["SPECTRAL_WINDOW"], row)
                        for row in range(sub["SPECTRAL_WINDOW"].nrows()))
        antenna = sub["ANTENNA"]
        description = Description(
            path=self.path, parts=self._parts(),
            telescope=str(sub["OBSERVATION"].getcell("TELESCOPE_NAME", 0)),
            fields=self._fields(sub["FIELD"]), spectral_windows=windows,
            data_descriptions=data_descriptions, correlations=correlations,
            antenna_names=tuple(antenna.getcol("NAME")),
            antenna_position=antenna.getcol("POSITION"),
            dish_diameter=antenna.getcol("DISH_DIAMETER"),
            mounts=tuple(mount.strip().lower() for mount in antenna.getcol("MOUNT")),
            feeds=self._feeds(),
            time_scale=self._main.getcolkeywords("TIME").get("MEASINFO", {}).get("Ref", "UTC"),
            columns=tuple(self._main.colnames()),
            data_columns=tuple(name for name in self._main.colnames()
                               if self._main.coldatatype(name) in ("complex", "dcomplex")))
        for table in sub.values():
            table.close()
        return description

    @_reported
    def row_runs(self) -> RowRuns:
        """Return the runs of all rows, read some rows at a time."""
        has_feeds = {"FEED1", "FEED2"} <= set(self._main.colnames())
        parts: dict[str, list[np.ndarray]] = {}
        for first in range(0, self._main.nrows(), _ROWS_AT_ONCE):
            number = min(_ROWS_AT_ONCE, self._main.nrows() - first)
            rows = {name: self._main.getcol(name, first, number) for name in
                    ("TIME", "FIELD_ID", "DATA_DESC_ID", "SCAN_NUMBER", "INTERVAL",
                     "ANTENNA1", "ANTENNA2")}
            rows["FEED"] = self._feed_of_rows(first, number) if has_feeds else np.zeros(number, int)
            begins = np.zeros(number, bool)
            begins[0] = True
            for name in ("TIME", "FIELD_ID", "DATA_DESC_ID", "SCAN_NUMBER", "FEED"):
                begins[1:] |= np.diff(rows[name]) != 0
            start = np.flatnonzero(begins)
            cross = np.add.reduceat((rows["ANTENNA1"] != rows["ANTENNA2"]).astype(int), start)
            for name, values in (
                    ("start", start + first), ("length", np.diff(np.append(start, number))),
                    ("cross", cross), ("time", rows["TIME"][start]),
                    ("interval", rows["INTERVAL"][start]), ("field", rows["FIELD_ID"][start]),
                    ("data_description", rows["DATA_DESC_ID"][start]),
                    ("scan", rows["SCAN_NUMBER"][start]), ("feed", rows["FEED"][start])):
                parts.setdefault(name, []).append(values)
        if not parts:
            raise MeasurementSetError(f"{self.path} has no rows")
        return RowRuns(**{name: np.concatenate(values) for name, values in parts.items()})

    @_reported
    def cell_shape(self, column: str, row: int) -> tuple[int, ...] | None:
        """Return the shape of a cell, or None if the column is not there or the cell is empty."""
        if column not in self._main.colnames() or not self._main.iscelldefined(column, int(row)):
            return None
        return tuple(np.shape(self._main.getcell(column, int(row))))

    @_reported
    def antennas(self, runs: RowRuns) -> np.ndarray:
        """Return the numbers of the antennas that the cross-correlations of runs of rows are of."""
        first, second = (self.rows(name, runs.start, runs.length)
                         for name in ("ANTENNA1", "ANTENNA2"))
        cross = first != second
        return np.flatnonzero(np.bincount(np.concatenate([first[cross], second[cross]])))

    def rows(self, column: str, start: np.ndarray, length: np.ndarray,
             out: np.ndarray | None = None) -> np.ndarray:
        """Return the cells of runs of rows, one after the other, in `out` where given.

        Raises
        ------
        MeasurementSetError
            If the cells of the rows differ in shape or type from `out`.
        """
        try:
            if len(start) > 64 and np.mean(length) < 8:
                rows = np.concatenate([np.arange(s, s + n)
                                       for s, n in zip(start, length, strict=True)])
                with self._main.selectrows(rows) as selection:
                    values = selection.getcol(column)
                if out is None:
                    return values
                out[...] = values
                return out
            tiled = self._tiled_column(column)
            if out is None:
                if tiled is None:
                    parts = [self._main.getcol(column, first, number)
                             for first, number in _joined(start, length)]
                    return parts[0] if len(parts) == 1 else np.concatenate(parts)
                out = np.empty((int(np.sum(length)), *tiled.cell), tiled.dtype)
            filled = 0
            for first, number in _joined(start, length):
                part = out[filled:filled + number]
                if tiled is None:
                    self._main.getcolnp(column, part, first, number)
                else:
                    tiled.read(first, part)
                filled += number
            return out
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MeasurementSetError(
                f"{self.path}: column {column}, rows {int(start[0])} to "
                f"{int(start[-1] + length[-1]) - 1} cannot be read: {reason}") from error

    def _tiled_column(self, column: str) -> TiledColumn | None:
        if column not in self._tiled:
            dtype = _TILED_TYPES.get(self._main.coldatatype(column))
            tiled = dtype and TiledColumn.find(self.path, self._managers, column, dtype,
                                               self._main.nrows())
            if tiled and not self._is_confirmed(column, tiled):
                tiled.close()
                tiled = None
            self._tiled[column] = tiled
        return self._tiled[column]

    def _is_confirmed(self, column: str, tiled: TiledColumn) -> bool:
        """Whether the first and the last row are what casacore reads."""
        for row in (0, tiled.rows - 1):
            cell = np.empty((1, *tiled.cell), tiled.dtype)
            tiled.read(row, cell)
            if cell.tobytes() != self._main.getcol(column, row, 1).tobytes():
                return False
        return True

    @functools.cached_property
    def _managers(self) -> dict:
        return self._main.getdminfo()

    def _parts(self) -> tuple[str, ...]:
        """Return the tables that hold the rows: concatenated, referred to or forwarded to."""
        found = [os.path.abspath(self.path)]
        waiting = _used_tables(self._main)
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.append(path)
                # These are open for the main table already, which cannot read them if they are
                # now said to be locked by the user.
                with _open_table(path, "autonoread") as table:
                    waiting += _used_tables(table)
        return tuple(found)

    def _open(self, subtable: str = ""):
        path = os.path.join(self.path, subtable) if subtable else self.path
        if subtable and not os.path.isfile(os.path.join(path, "table.dat")):
            raise MeasurementSetError(f"{self.path}: subtable {subtable} is missing")
        # The default locking waits for ever on a writer.
        return _open_table(path, "usernoread")

    def _fields(self, table) -> tuple[Field, ...]:
        names = table.getcol("NAME")
        info = table.getcolkeywords("PHASE_DIR").get("MEASINFO", {})
        frame = info.get("Ref", "J2000")
        fields = []
        for row, name in enumerate(names):
            own = frame
            if "VarRefCol" in info:
                codes = dict(zip(map(int, info.get("TabRefCodes", [])),
                                 info.get("TabRefTypes", []), strict=False))
                code = table.getcell(info["VarRefCol"], row)
                own = code if isinstance(code, str) else codes.get(int(code), str(code))
            ra, dec = np.degrees(np.asarray(table.getcell("PHASE_DIR", row))[0])
            fields.append(Field(str(name), Direction(float(ra) % 360, float(dec), str(own))))
        return tuple(fields)

    def _spectral_window(self, table, row: int) -> SpectralWindow:
        info = table.getcolkeywords("CHAN_FREQ").get("MEASINFO", {})
        if "Ref" in info and "VarRefCol" not in info:
            frame = str(info["Ref"])
        else:
            code = int(table.getcell("MEAS_FREQ_REF", row))
            frame = FREQUENCY_FRAMES[code] if 0 <= code < len(FREQUENCY_FRAMES) else "undefined"
        return SpectralWindow(
            np.asarray(table.getcell("CHAN_FREQ", row), float),
            np.abs(np.asarray(table.getcell("CHAN_WIDTH", row), float)), frame)

    def _feed_of_rows(self, first: int, number: int) -> np.ndarray:
        feed, other = (self._main.getcol(name, first, number) for name in ("FEED1", "FEED2"))
        return np.where(feed == other, feed, -1)

    def _feeds(self) -> FeedTable:
        if not os.path.isfile(os.path.join(self.path, "FEED", "table.dat")):
            return FeedTable(*np.zeros((7, 0)))
        with self._open("FEED") as feed:
            antenna, number, window, time, interval = (np.asarray(feed.getcol(name)) for name in (
                "ANTENNA_ID", "FEED_ID", "SPECTRAL_WINDOW_ID", "TIME", "INTERVAL"))
            half = np.where(interval > 0, interval / 2, np.inf)
            return FeedTable(
                antenna, number, window, time - half, time + half,
                angle=_first_numbers(feed, "RECEPTOR_ANGLE", 1)[:, 0],
                offset=np.hypot(*_first_numbers(feed, "BEAM_OFFSET", 2).T))


def usable_frame(field: Field, path: str) -> None:
    """Check that a field's phase centre is in a frame fixed to the stars.

    Raises
    ------
    MeasurementSetError
        If it moves with the Earth or a planet.
    """
    if field.phase_centre.frame not in FRAMES:
        raise MeasurementSetError(
            f"{path}: field {field.name} has its phase centre in {field.phase_centre.frame}; "
            f"expected one of {', '.join(FRAMES)}")


def _open_table(path: str, locking: str):
    try:
        # Parts of a concatenation are found from where it is, not from a link to it.
        with no_lock_files():
            return tables.table(os.path.realpath(path), readonly=True, lockoptions=locking,
                                ack=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise MeasurementSetError(f"{path} cannot be opened: {reason}") from error


@contextlib.contextmanager
def no_lock_files() -> Iterator[None]:
    """Keep casacore from making a lock file in every table that has none.

    It reads its settings when the first table is opened; other processes do not get them.
    """
    own = os.environ.get("CASARCFILES")
    files = [own] if own else []
    os.environ["CASARCFILES"] = os.pathsep.join([*files, str(_CASACORE_SETTINGS)])
    try:
        yield
    finally:
        if own is None:
            del os.environ["CASARCFILES"]
        else:
            os.environ["CASARCFILES"] = own


def _used_tables(table) -> list[str]:
    """Return the tables that a table puts together, refers to or forwards columns to."""
    forwarded = [manager["SPEC"]["FORWARDTABLE"] for manager in table.getdminfo().values()
                 if "FORWARDTABLE" in manager["SPEC"]]
    return [os.path.abspath(path) for path in (*table.partnames(), *forwarded)]


def _first_numbers(table, column: str, number: int) -> np.ndarray:
    """Return the first numbers (row, `number`) of the arrays in a column; NaN where none are."""
    found = np.full((table.nrows(), number), np.nan)
    if column in table.colnames():
        for row, cell in table.getvarcol(column).items():
            if np.size(cell) >= number and cell is not False:
                found[int(row[1:]) - 1] = np.ravel(cell)[:number]
    return found


def _joined(start: np.ndarray, length: np.ndarray) -> list[tuple[int, int]]:
    """Return runs with those that follow each other joined to one."""
    if len(start) == 1:
        return [(int(start[0]), int(length[0]))]
    breaks = np.flatnonzero(start[1:] != start[:-1] + length[:-1]) + 1
    if not len(breaks):
        return [(int(start[0]), int(length.sum()))]
    first = np.append(0, breaks)
    return list(zip(start[first].tolist(), np.add.reduceat(length, first).tolist(), strict=True))
