"""The main table of a measurement set: columns stored so that they are fast to read."""

import os
import shutil

import numpy as np

from visds.core.casa import load_casatools
from visds.visibility.simulation.schedule import Schedule
from visds.visibility.simulation.skeleton import Rows

_TILE_BYTES = 2**20
_NARROW_TILE_ROWS = 4096
_DAY = 86400.0
_SPARE = ("MODEL_DATA", "CORRECTED_DATA")


def create_table(skeleton: str, path: str, *, rows: int, channels: int, correlations: int,
                 columns: tuple[str, ...]) -> None:
    """Copy a skeleton to `path` with that many rows, to be filled, in storage that reads fast.

    Data, flags, uvw and weights are tiled in about a megabyte of consecutive rows, where the
    simulator's own tiles hold 100 rows and its uvw lies scattered among the scalars.

    Parameters
    ----------
    skeleton, path : str
        Measurement sets: to be read and to be made.
    rows, channels, correlations : int
    columns : tuple of str
        Those wanted of MODEL_DATA, CORRECTED_DATA and WEIGHT_SPECTRUM.
    """
    table = load_casatools().table()
    table.open(skeleton)
    try:
        managers = _tiled(table.getdminfo(), channels, correlations)
        subtables = [name for name, value in table.getkeywords().items()
                     if str(value).startswith("Table: ")]
        # Copied without rows, here and in the subtables, which therefore follow as files.
        table.copy(path, deep=True, valuecopy=True, dminfo=managers, norows=True).close()
    finally:
        table.close()
    for name in subtables:
        shutil.copytree(os.path.join(skeleton, name), os.path.join(path, name),
                        dirs_exist_ok=True)
    table.open(path, nomodify=False)
    try:
        table.removecols([name for name in _SPARE if name not in columns])
        if "WEIGHT_SPECTRUM" in columns:
            table.addcols({"WEIGHT_SPECTRUM": {
                "valueType": "float", "ndim": 2, "option": 0, "maxlen": 0, "keywords": {},
                "comment": "Weight of each channel", "dataManagerType": "TiledShapeStMan",
                "dataManagerGroup": "WeightSpectrumColumn"}}, {"*1": {
                    "NAME": "WeightSpectrumColumn", "TYPE": "TiledShapeStMan",
                    "COLUMNS": ["WEIGHT_SPECTRUM"],
                    "SPEC": {"DEFAULTTILESHAPE": _tile(channels, correlations)}}})
        table.addrows(rows)
    finally:
        table.close()


def _tiled(managers: dict, channels: int, correlations: int) -> dict:
    result = {}
    for number, manager in managers.items():
        columns = [name for name in manager["COLUMNS"] if name != "UVW"]
        spec = manager["SPEC"]
        if columns[0] in ("DATA", "FLAG", *_SPARE):
            spec = {"DEFAULTTILESHAPE": _tile(channels, correlations)}
        elif columns[0] in ("WEIGHT", "SIGMA"):
            spec = {"DEFAULTTILESHAPE": [correlations, _NARROW_TILE_ROWS]}
        result[number] = {"NAME": manager["NAME"], "TYPE": manager["TYPE"], "SPEC": spec,
                          "COLUMNS": np.array(columns), "SEQNR": len(result)}
    result[f"*{len(result) + 1}"] = {
        "NAME": "UVWColumn", "TYPE": "TiledColumnStMan", "COLUMNS": np.array(["UVW"]),
        "SPEC": {"DEFAULTTILESHAPE": [3, _NARROW_TILE_ROWS]}, "SEQNR": len(result)}
    return result


def _tile(channels: int, correlations: int) -> list[int]:
    rows = max(1, _TILE_BYTES // (8 * channels * correlations))
    return [correlations, channels, min(rows, _NARROW_TILE_ROWS)]


def write_coordinates(table, rows: Rows, schedule: Schedule) -> None:
    """Write what is known of every row but its data: times, numbers of all kinds, uvw.

    Parameters
    ----------
    table : casatools.table
        Open for writing.
    rows : Rows
    schedule : Schedule
    """
    time = schedule.time[rows.integration] * _DAY
    field = schedule.field[rows.integration]
    count = len(rows)
    zeros = np.zeros(count, dtype=np.int32)
    length = np.full(count, schedule.integration)
    columns = {
        "TIME": time, "TIME_CENTROID": time, "INTERVAL": length, "EXPOSURE": length,
        "ANTENNA1": rows.antenna1, "ANTENNA2": rows.antenna2, "UVW": rows.uvw.T,
        "DATA_DESC_ID": rows.window, "FIELD_ID": field, "STATE_ID": rows.state,
        "SCAN_NUMBER": schedule.scan_number[rows.integration],
        "FLAG_ROW": np.zeros(count, dtype=bool),
        **dict.fromkeys(("ARRAY_ID", "FEED1", "FEED2", "OBSERVATION_ID", "PROCESSOR_ID"), zeros)}
    for name, values in columns.items():
        table.putcol(name, values)
