"""What is read straight from tiles is what casacore reads; where it could not be, it is not."""

import contextlib

import numpy as np
import pytest
from casacore import tables
from rooms import with_rows_in_order, writable

from visds.core.errors import MeasurementSetError
from visds.visibility.bits import unpack
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.tiled_column import TiledColumn

COLUMNS = ("DATA", "CORRECTED_DATA", "FLAG", "WEIGHT", "WEIGHT_SPECTRUM", "UVW")
TYPES = {"complex": "c8", "float": "f4", "double": "f8", "boolean": "?"}


def tiled_columns(path):
    """Return the columns of a table that are read straight from their tiles."""
    found = {}
    with tables.table(str(path), ack=False, lockoptions="usernoread") as main:
        managers = main.getdminfo()
        for column in COLUMNS:
            if column in main.colnames() and main.coldatatype(column) in TYPES:
                tiled = TiledColumn.find(path, managers, column,
                                         np.dtype(TYPES[main.coldatatype(column)]), main.nrows())
                if tiled is not None:
                    found[column] = tiled
    return found


def check_rows(path, column, tiled):
    """Check some ranges of rows against casacore, to the last bit."""
    with (tables.table(str(path), ack=False, lockoptions="usernoread") as main,
          contextlib.closing(tiled)):
        rows = main.nrows()
        for first, number in {(0, rows), (rows - 1, 1), (rows // 3, max(rows // 2, 1)), (1, 1),
                              (min(7, rows - 1), max(rows // 5, 1))}:
            expected = main.getcol(column, first, number)
            read = np.empty((number, *tiled.cell), tiled.dtype)
            tiled.read(first, read)
            assert read.tobytes() == expected.tobytes()


ALL = {"DATA", "FLAG", "WEIGHT", "WEIGHT_SPECTRUM", "UVW"}


@pytest.mark.parametrize(("name", "columns"), [
    ("askap_vela_pol-60", {"DATA", "FLAG"}),  # WEIGHT and SIGMA share their tiles
    ("atca_1934_cabb", ALL),
    ("evla_J1008_Ka_2spw", ALL),
    ("gmrt_J1543+480", set()),  # not tiled
    ("lofar_msss_corrected", set()),  # big-endian
    ("meerkat_cdfs_allflagged", ALL),
    ("vla_3C273_1989", ALL),
    ("vla_NGC5921_cal", ALL | {"CORRECTED_DATA"}),
    ("wsrt_3C343", {"UVW"}),  # the others have tiles of half the channels
])
def test_tiles_of_observed_sets_hold_what_casacore_reads(observed, name, columns):
    path = observed(name)
    found = tiled_columns(path)
    assert set(found) == columns
    for column, tiled in found.items():
        check_rows(path, column, tiled)


@pytest.mark.parametrize("channels", [8, 5])
def test_bits_that_begin_within_a_byte_are_read(simulated, channels):
    path = simulated(channels=channels, feeds="circular", flagged=0.3,
                     noise="50mJy").measurement_set
    found = tiled_columns(path)
    assert {"DATA", "FLAG"} <= set(found)
    for column, tiled in found.items():
        check_rows(path, column, tiled)


def test_bits_are_unpacked_from_anywhere_within_a_byte():
    bits = np.random.default_rng(0).integers(0, 2, 100).astype(np.uint8)
    packed = np.packbits(bits, bitorder="little")
    for skip, length in ((0, 96), (0, 99), (3, 40), (7, 93)):
        out = np.empty(length, np.uint8)
        unpack(packed[:-(-(skip + length) // 8)], skip, out)
        np.testing.assert_array_equal(out, bits[skip:skip + length])


def tiled_table(path, cells, order):
    """Make a table of cells in tiles, given their values in some order of the rows."""
    description = tables.maketabdesc(
        tables.makearrcoldesc("DATA", 0j, valuetype="complex", ndim=2,
                              datamanagertype="TiledShapeStMan", datamanagergroup="TiledData"))
    with tables.table(str(path), description, nrow=len(cells), ack=False,
                      dminfo={"*1": {"TYPE": "TiledShapeStMan", "NAME": "TiledData",
                                     "COLUMNS": ["DATA"], "SEQNR": 0,
                                     "SPEC": {"DEFAULTTILESHAPE": [4, 8, 2]}}}) as table:
        for row in order:
            table.putcell("DATA", row, cells[row])
    return path


def test_cells_of_several_shapes_or_out_of_order_are_left_to_casacore(tmp_path):
    cells = [np.full((8, 4), row + 1j, np.complex64) for row in range(6)]
    path = tiled_table(tmp_path / "in order", cells, range(6))
    check_rows(path, "DATA", tiled_columns(path)["DATA"])
    assert not tiled_columns(tiled_table(tmp_path / "backwards", cells, reversed(range(6))))
    assert not tiled_columns(tiled_table(tmp_path / "swapped", cells, [0, 1, 3, 2, 4, 5]))
    cells[2] = np.full((4, 4), 1j, np.complex64)
    assert not tiled_columns(tiled_table(tmp_path / "two shapes", cells, range(6)))


def test_rows_in_another_order_are_read_in_theirs(simulated, tmp_path):
    path = with_rows_in_order(simulated(noise="50mJy").measurement_set, "ANTENNA2,ANTENNA1,TIME",
                              tmp_path / "sorted.ms")
    check_rows(path, "DATA", tiled_columns(path)["DATA"])


def test_tiles_that_casacore_contradicts_are_left_to_it(simulated, monkeypatch):
    path = simulated(noise="50mJy").measurement_set
    tiled = tiled_columns(path)["DATA"]
    first, number = np.array([0]), np.array([5])
    with MeasurementSet(path) as measurement_set:
        expected = measurement_set.rows("DATA", first, number)
    read = TiledColumn.read
    monkeypatch.setattr(TiledColumn, "read", lambda self, row, out: read(
        self, (row + 1) % tiled.rows, out))
    with MeasurementSet(path) as measurement_set:
        np.testing.assert_array_equal(measurement_set.rows("DATA", first, number), expected)


def test_a_reference_to_another_table_is_left_to_casacore(simulated, tmp_path):
    source = simulated(noise="50mJy").measurement_set
    with tables.table(str(source), ack=False) as main, main.query("ANTENNA1 == 1") as chosen:
        chosen.copy(str(tmp_path / "reference.ms")).close()
    assert not tiled_columns(tmp_path / "reference.ms")


def test_a_file_that_ends_too_early_is_one_line_of_error(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    tiled = tiled_columns(path)["DATA"]
    with MeasurementSet(path) as measurement_set:
        out = np.empty((1, *tiled.cell), np.complex64)
        last = np.array([tiled.rows - 1])
        measurement_set.rows("DATA", last, np.array([1]), out=out)
        with open(tiled.path, "r+b") as file:
            file.truncate(100)
        with pytest.raises(MeasurementSetError, match=r"DATA.*cannot be read.*ends at byte") as one:
            measurement_set.rows("DATA", last, np.array([1]), out=out)
        assert "\n" not in str(one.value)


def test_what_is_written_later_is_read(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        main.putcell("DATA", 3, np.full_like(main.getcell("DATA", 3), 7 - 2j))
    check_rows(path, "DATA", tiled_columns(path)["DATA"])
