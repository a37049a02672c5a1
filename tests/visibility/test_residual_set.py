"""What is left after the sky model, as a measurement set for other programs."""

import hashlib

import numpy as np
import pytest
from casacore import tables
from rooms import plan, writable

from visds.core.casa import load_casatools
from visds.core.errors import OutputError
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.read import ChunkReader
from visds.visibility.residual_set import write_residual

MODEL = 0.25 - 0.5j


def residual_slabs(path):
    """Return what gives the slabs of a task with a constant subtracted as the model's."""
    def slabs_of(task):
        with MeasurementSet(path) as measurement_set:
            for slab in ChunkReader(measurement_set, task).slabs():
                slab.visibility[...] -= np.complex64(MODEL)
                yield slab
    return slabs_of


def write(path, new, *options):
    planned = plan(path, *options)
    write_residual(new, planned.tasks, residual_slabs(path))
    return planned


def column(path, name, rows=None):
    with tables.table(str(path), ack=False) as table:
        values = table.getcol(name)
    return values if rows is None else values[rows]


def state(path):
    """Return names and hashes of all files of a folder."""
    return {file: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.fixture
def observed_set(simulated):
    return simulated(sources=2, noise=0.01, autocorrelations=True, corrected=True, model=True,
                     calibrator=True, channels=4, flagged=0.1, dropped=0.1,
                     spectral_windows=2).measurement_set


def test_data_are_what_is_left_in_the_rows_of_the_field_and_all_else_is_as_it_was(
        observed_set, tmp_path):
    before = state(observed_set)
    new = tmp_path / "left.ms"
    planned = write(observed_set, new)
    assert state(observed_set) == before
    rows = np.flatnonzero(column(observed_set, "FIELD_ID") == planned.field_number)
    assert len(rows) < len(column(observed_set, "TIME"))
    expected = column(observed_set, "CORRECTED_DATA", rows).copy()
    cross = column(observed_set, "ANTENNA1", rows) != column(observed_set, "ANTENNA2", rows)
    assert 0 < cross.sum() < len(rows)
    expected[cross] -= np.complex64(MODEL)
    np.testing.assert_array_equal(column(new, "DATA"), expected)
    with tables.table(str(new), ack=False) as table:
        names = table.colnames()
        assert not {"CORRECTED_DATA", "MODEL_DATA"} & set(names)
    for name in set(names) - {"DATA", "FLAG_CATEGORY"}:
        np.testing.assert_array_equal(column(new, name), column(observed_set, name, rows), name)
    for name in ("FIELD", "SPECTRAL_WINDOW", "ANTENNA"):
        np.testing.assert_array_equal(column(new / name, "NAME"), column(observed_set / name,
                                                                         "NAME"))


def test_data_are_in_the_convention_of_the_original_whatever_was_settled(observed_set, tmp_path):
    options = ("--handedness", "scale=2", "negate=QU", "--column", "DATA")
    new = tmp_path / "left.ms"
    planned = plan(observed_set, *options)
    assert {2.0, -2.0} == set(planned.tasks[0].source.factors)
    write(observed_set, new, *options)
    rows = np.flatnonzero(column(observed_set, "FIELD_ID") == planned.field_number)
    cross = column(observed_set, "ANTENNA1", rows) != column(observed_set, "ANTENNA2", rows)
    factors = np.array(planned.tasks[0].source.factors)
    difference = (column(observed_set, "DATA", rows) - column(new, "DATA"))[cross]
    bad = column(observed_set, "FLAG", rows)[cross]  # holds 1000 Jy, and no digits of the model
    expected = np.broadcast_to(MODEL / factors, difference.shape)
    np.testing.assert_allclose(difference[~bad], expected[~bad], atol=1e-6)


def test_rows_in_any_order_keep_their_place(observed_set, tmp_path):
    mixed = tmp_path / "mixed.ms"
    with tables.table(str(observed_set), ack=False) as main:
        order = np.random.default_rng(3).permutation(main.nrows())
        with main.selectrows(order) as chosen:
            chosen.copy(str(mixed), deep=True).close()
    new = tmp_path / "left.ms"
    planned = write(mixed, new, "--spw", "1")
    # Autocorrelations that stand alone between rows of other times are in no chunk.
    first, second = (column(mixed, name) for name in ("ANTENNA1", "ANTENNA2"))
    rows = np.flatnonzero((column(mixed, "FIELD_ID") == planned.field_number)
                          & (column(mixed, "DATA_DESC_ID") == 1) & (first != second))
    cross = column(new, "ANTENNA1") != column(new, "ANTENNA2")
    np.testing.assert_array_equal(column(new, "UVW", cross), column(mixed, "UVW", rows))
    np.testing.assert_array_equal(column(new, "DATA", cross),
                                  column(mixed, "CORRECTED_DATA", rows) - np.complex64(MODEL))


def test_casa_opens_the_set_and_its_history_says_where_it_comes_from(observed_set, tmp_path):
    new = tmp_path / "left.ms"
    write(observed_set, new)
    metadata = load_casatools().msmetadata()
    metadata.open(str(new))
    try:
        assert metadata.nspw() == 2
        assert metadata.nantennas() == 6
        assert len(metadata.fieldsforscans(metadata.scannumbers())) == 1
    finally:
        metadata.close()
    assert "the sky model subtracted" in column(new / "HISTORY", "MESSAGE")[-1]


def test_what_exists_is_never_replaced(observed_set, tmp_path):
    new = tmp_path / "left.ms"
    write(observed_set, new)
    before = state(new)
    with pytest.raises(OutputError, match=r"left\.ms exists, and is not replaced"):
        write(observed_set, new)
    assert state(new) == before


def test_an_error_half_way_leaves_nothing(observed_set, tmp_path):
    def slabs_of(task):
        yield from ()

    with pytest.raises(ValueError, match="has 0 integrations"):
        write_residual(tmp_path / "left.ms", plan(observed_set).tasks, slabs_of)
    assert not list(tmp_path.iterdir())


def test_a_column_of_any_name_becomes_data(simulated, tmp_path):
    made = simulated(corrected=True, copy_to=tmp_path / "own").measurement_set
    with writable(made) as table:
        table.renamecol("CORRECTED_DATA", "CALIBRATED")
        table.removecols(["DATA"])
    new = tmp_path / "left.ms"
    write(made, new, "--column", "CALIBRATED")
    np.testing.assert_array_equal(column(new, "DATA"),
                                  column(made, "CALIBRATED") - np.complex64(MODEL))
