"""Measurement sets that are written: copies of rows, and new ones.

With `measurement_set` the only module that knows python-casacore; what exists is never changed.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from casacore import tables

from visds.core.errors import MeasurementSetError, OutputError
from visds.core.files import output_error, sync
from visds.core.version import __version__
from visds.visibility.measurement_set import no_lock_files

_TILE_BYTES = 2**20
_MJD_OF_UNIX_EPOCH = 40587
_CHANNEL_COLUMNS = {"DATA": 0j, "WEIGHT_SPECTRUM": 0.0}


class NewMeasurementSet:
    """A measurement set that is being written; `path` is where it is meanwhile."""

    def __init__(self, table, path: Path):
        self._table = table
        self.path = path

    def put(self, column: str, first: int, values: np.ndarray) -> None:
        """Write the cells of consecutive rows from `first` on, one for each entry of axis 0."""
        self._table.putcol(column, values, first, len(values))

    def append(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add rows: columns by name, of equal length; what is not named is zero."""
        first, count = self._table.nrows(), len(next(iter(columns.values())))
        self._table.addrows(count)
        for name, values in columns.items():
            self.put(name, first, values)

    def add_row(self, subtable: str, cells: Mapping[str, Any]) -> None:
        """Add a row to a subtable: cells by column."""
        with tables.table(str(self.path / subtable), readonly=False, ack=False) as table:
            row = table.nrows()
            table.addrows(1)
            for column, value in cells.items():
                table.putcell(column, row, value)

    def add_history(self, message: str, command: Sequence[str]) -> None:
        """Add a row to the HISTORY table; nothing where there is no such table."""
        if (self.path / "HISTORY" / "table.dat").is_file():
            self.add_row("HISTORY", {
                "TIME": time.time() + _MJD_OF_UNIX_EPOCH * 86400, "OBSERVATION_ID": -1,
                "MESSAGE": message, "PRIORITY": "INFO", "ORIGIN": "visds", "OBJECT_ID": -1,
                "APPLICATION": f"visds {__version__}", "CLI_COMMAND": [" ".join(command)],
                "APP_PARAMS": [""]})


@contextlib.contextmanager
def copied_rows(source: str | os.PathLike, path: str | os.PathLike, rows: np.ndarray, column: str,
                left_out: Sequence[str]) -> Iterator[NewMeasurementSet]:
    """Yield a copy of rows (R) of a measurement set, which appears as `path` at the end.

    The copy has the rows in the order given, all subtables and all columns but `left_out`; its
    DATA are the cells of `column`. After an error nothing is left of it.

    Raises
    ------
    OutputError
        If `path` exists or cannot be written.
    MeasurementSetError
        If the source cannot be read.
    """
    with _whole_set(path) as part, no_lock_files():
        try:
            main = tables.table(os.path.realpath(source), readonly=True,
                                lockoptions="usernoread", ack=False)
        except RuntimeError as error:
            raise MeasurementSetError(f"{source} cannot be opened: "
                                      f"{str(error).splitlines()[0]}") from error
        with main, main.selectrows(rows) as chosen:
            names = [name for name in main.colnames() if name not in (*left_out, "DATA", column)]
            with chosen.query(columns=",".join([*names, f"{column} AS DATA"])) as view:
                view.copy(str(part), deep=True, valuecopy=True).close()
        with tables.table(str(part), readonly=False, ack=False) as copy:
            yield NewMeasurementSet(copy, part)


@contextlib.contextmanager
def new_measurement_set(path: str | os.PathLike,
                        subtables: Mapping[str, Sequence[Mapping[str, Any]]], *,
                        channels: int, correlations: int) -> Iterator[NewMeasurementSet]:
    """Yield a measurement set without rows, which appears as `path` at the end.

    It has the columns DATA and WEIGHT_SPECTRUM in tiles for rows of so many `channels` and
    `correlations`. `subtables` are rows by table, each a mapping from column to cell.

    Raises
    ------
    OutputError
        If `path` exists or cannot be written.
    """
    rows = max(1, _TILE_BYTES // (8 * channels * correlations))
    tile = [correlations, channels, rows]
    columns, managers = [], {}
    for number, (name, value) in enumerate(_CHANNEL_COLUMNS.items()):
        kind = "complex" if isinstance(value, complex) else "float"
        columns.append(tables.makearrcoldesc(name, value, ndim=2, valuetype=kind,
                                             datamanagertype="TiledShapeStMan",
                                             datamanagergroup=f"Tiled{name}"))
        managers[f"*{number + 1}"] = {"NAME": f"Tiled{name}", "TYPE": "TiledShapeStMan",
                                      "COLUMNS": [name], "SPEC": {"DEFAULTTILESHAPE": tile}}
    with _whole_set(path) as part, no_lock_files():
        with tables.default_ms(str(part), tables.maketabdesc(columns), managers) as main:
            made = NewMeasurementSet(main, part)
            for name, entries in subtables.items():
                for cells in entries:
                    made.add_row(name, cells)
            yield made


@contextlib.contextmanager
def _whole_set(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder name beside `path`, renamed to it when all is on the disk."""
    path = Path(path)
    if os.path.lexists(path):
        raise OutputError(f"{path} exists, and is not replaced")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
        part.rmdir()
        yield part
        for folder, _, files in os.walk(part):
            for name in files:
                sync(Path(folder, name))
        if os.path.lexists(path):
            raise OutputError(f"{path} exists, and is not replaced")
        os.rename(part, path)
        sync(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    except RuntimeError as error:
        raise OutputError(f"cannot write {path}: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
