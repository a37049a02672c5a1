"""Chunks hold every cross-correlation at its place, and say what is not there."""

import numpy as np
import pytest
from casacore import tables
from rooms import chunks, plan, with_rows_in_order, writable

from visds.core.ahead import ahead
from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, parallactic_angle
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.read import ChunkReader

COLUMNS = ("DATA", "FLAG", "WEIGHT", "UVW", "TIME", "ANTENNA1", "ANTENNA2", "FLAG_ROW")


def rows_of(path, *more):
    with tables.table(str(path), ack=False, lockoptions="usernoread") as main:
        return {name: main.getcol(name) for name in (*COLUMNS, *more)}


def check_grid(chunk, rows, scale=1.0):
    """Check a chunk against the rows of its measurement set, one by one."""
    times = np.unique(rows["TIME"])
    cross = np.flatnonzero(rows["ANTENNA1"] != rows["ANTENNA2"])
    place = {tuple(pair): b for b, pair in enumerate(chunk.antennas.tolist())}
    held = np.zeros(chunk.flags.shape[:2], bool)
    for row in cross:
        t = int(np.searchsorted(times, rows["TIME"][row]))
        b = place[(rows["ANTENNA1"][row], rows["ANTENNA2"][row])]
        held[t, b] = True
        np.testing.assert_allclose(chunk.visibility[t, b], scale * rows["DATA"][row], rtol=1e-6)
        flagged = rows["FLAG"][row] | rows["FLAG_ROW"][row]
        np.testing.assert_array_equal(chunk.flags[t, b] == Flag.MEASUREMENT_SET, flagged)
        np.testing.assert_array_equal(chunk.uvw[t, b], rows["UVW"][row])
        np.testing.assert_allclose(chunk.weight[t, b, 0], rows["WEIGHT"][row] / scale**2,
                                   rtol=1e-6)
    assert held.sum() == len(cross)
    assert np.all(chunk.flags[~held] == Flag.ABSENT)
    assert np.all(chunk.weight[~held] == 0) and np.all(chunk.visibility[~held] == 0)


@pytest.mark.parametrize("options", [
    {}, {"autocorrelations": True}, {"dropped": 0.2}, {"flagged": 0.2},
    {"autocorrelations": True, "dropped": 0.2, "flagged": 0.2, "feeds": "linear"}])
@pytest.mark.parametrize("order", [None, "ANTENNA2,ANTENNA1,TIME", "TIME,ANTENNA2 DESC"])
def test_every_row_is_at_its_time_and_baseline_whatever_their_order(
        simulated, tmp_path, options, order):
    path = simulated(noise="50mJy", antenna_ratio=3, **options).measurement_set
    if order == "TIME,ANTENNA2 DESC":
        with tables.taql(f"SELECT FROM '{path}' ORDERBY TIME, ANTENNA2 DESC") as ordered:
            ordered.copy(str(tmp_path / "ordered.ms"), deep=True).close()
        path = tmp_path / "ordered.ms"
    elif order:
        path = with_rows_in_order(path, order, tmp_path / "ordered.ms")
    chunk, = chunks(path)
    check_grid(chunk, rows_of(path))
    assert np.all(chunk.antennas[:, 0] != chunk.antennas[:, 1])


def test_a_flagged_row_flags_all_its_visibilities(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, autocorrelations=True).measurement_set
    with writable(path) as main:
        flags = np.zeros(main.nrows(), bool)
        flags[3:40:2] = True
        main.putcol("FLAG_ROW", flags)
    chunk, = chunks(path)
    check_grid(chunk, rows_of(path))
    assert (chunk.flags == Flag.MEASUREMENT_SET).any()


def test_a_pair_that_occurs_twice_at_a_time_is_read_twice(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        main.putcell("ANTENNA1", 1, main.getcell("ANTENNA1", 0))
        main.putcell("ANTENNA2", 1, main.getcell("ANTENNA2", 0))
    rows = rows_of(path)
    chunk, = chunks(path)
    assert (chunk.flags[..., 0, 0] != Flag.ABSENT).sum() == len(rows["TIME"])
    held = chunk.visibility[chunk.flags[..., 0, 0] != Flag.ABSENT]
    assert sorted(held.ravel().tolist(), key=lambda v: (v.real, v.imag)) == sorted(
        rows["DATA"].ravel().tolist(), key=lambda v: (v.real, v.imag))


def test_times_that_differ_in_their_last_digits_are_one_integration(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    rng = np.random.default_rng(0)
    with writable(path) as main:
        times = main.getcol("TIME")
        main.putcol("TIME", times + rng.uniform(-2e-6, 2e-6, len(times)))
    chunk, = chunks(path)
    assert chunk.flags.shape[:2] == (12, 15)
    assert not chunk.flags.any()


@pytest.mark.parametrize(("option", "length"), [("5km", 5000.0), ("20klambda", None)])
def test_baselines_are_cut_by_their_projected_length(simulated, option, length):
    path = simulated(autocorrelations=True).measurement_set
    (short,), (long_,) = chunks(path, "--uv-min", option), chunks(path, "--uv-max", option)
    u, v = short.uvw[..., 0], short.uvw[..., 1]
    projected = np.sqrt(u**2 + v**2)[..., None] * np.ones(len(short.frequency))
    if length is None:
        projected, length = projected * short.frequency / LIGHT_SPEED, 20e3
    for chunk, outside in ((short, projected < length), (long_, projected > length)):
        np.testing.assert_array_equal(chunk.flags == Flag.UV_RANGE,
                                      np.repeat(outside[..., None], 4, axis=-1))
    assert (short.flags != 0).any() and (short.flags == 0).any()


def test_askaps_scale_doubles_the_visibilities_and_quarters_their_weights(observed):
    path = observed("askap_vela_pol-60")
    chunk, = chunks(path)
    check_grid(chunk, rows_of(path), scale=2.0)


def test_settled_labels_go_with_the_data(observed):
    path = observed("askap_vela_pol-60")
    (plain,), (swapped,) = chunks(path), chunks(path, "--handedness", "swap=yes")
    assert plain.correlations == ("XX", "XY", "YX", "YY")
    assert swapped.correlations == ("YY", "YX", "XY", "XX")
    np.testing.assert_array_equal(plain.visibility, swapped.visibility)


@pytest.mark.parametrize("weights", ["spectrum", "row", "flat"])
def test_weights_are_those_of_the_column_that_was_asked_for(simulated, weights):
    path = simulated(weight_spectrum=True, channel_ratio=2, noise="50mJy",
                     autocorrelations=True).measurement_set
    rows = rows_of(path, "WEIGHT_SPECTRUM")
    chunk, = chunks(path, "--weights", weights)
    cross = rows["ANTENNA1"] != rows["ANTENNA2"]
    T, B = chunk.flags.shape[:2]
    expected = {"spectrum": rows["WEIGHT_SPECTRUM"][cross], "row": rows["WEIGHT"][cross][:, None],
                "flat": np.ones((T * B, 1, 4))}[weights]
    np.testing.assert_array_equal(chunk.weight.reshape(T * B, -1, 4), expected)


def test_the_model_column_is_subtracted(simulated):
    path = simulated(model=True, sources=5, autocorrelations=True).measurement_set
    rows = rows_of(path, "MODEL_DATA")
    chunk, = chunks(path, model_columns=("MODEL_DATA",))
    cross = rows["ANTENNA1"] != rows["ANTENNA2"]
    np.testing.assert_allclose(chunk.visibility.reshape(-1, 8, 4),
                               (rows["DATA"] - rows["MODEL_DATA"])[cross], atol=1e-7)


@pytest.mark.parametrize("options", [{}, {"autocorrelations": True, "dropped": 0.2},
                                     {"flagged": 0.1}])
@pytest.mark.parametrize("size", [1, 20_000, 30_000])
def test_slabs_put_together_are_the_chunk(simulated, monkeypatch, options, size):
    path = simulated(**options).measurement_set
    whole, = chunks(path)
    monkeypatch.setattr("visds.visibility.read.SLAB_BYTES", size)
    parts = []
    with MeasurementSet(path) as measurement_set:
        reader = ChunkReader(measurement_set, plan(path).tasks[0])
        for slab in ahead(reader.slabs()):
            parts.append({name: getattr(slab, name).copy() for name in
                          ("visibility", "flags", "weight", "uvw", "time", "integration")})
    assert len(parts) > 1
    for name in parts[0]:
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]),
                                      getattr(whole, name))


def test_the_feeds_angle_is_the_receptors_plus_the_parallactic_one(simulated):
    path = simulated(feeds="linear", array="ATCA", receptor_angle="30deg").measurement_set
    chunk, = chunks(path)
    planned = plan(path)
    expected = np.radians(30) + parallactic_angle(
        chunk.time, Direction(*planned.phase_centre), planned.description.position)
    np.testing.assert_allclose(chunk.feed_angle, expected, atol=1e-9)


def test_descending_channels_are_read_in_the_order_stored(observed):
    chunk, = chunks(observed("atca_1934_cabb"))
    assert np.all(np.diff(chunk.frequency) < 0)


def test_a_row_without_a_finite_uvw_is_left_out_and_no_other(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        uvw = main.getcol("UVW")
        uvw[3] = np.nan
        main.putcol("UVW", uvw)
    chunk, = chunks(path)
    lost = (chunk.flags & Flag.NOT_FINITE).any(axis=(2, 3))
    assert lost.sum() == 1
    assert np.isfinite(chunk.uvw).all()


def test_an_interval_that_is_far_too_long_merges_nothing(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        main.putcol("INTERVAL", 1000 * main.getcol("INTERVAL"))
    chunk, = chunks(path)
    assert len(chunk.time) == 12
    np.testing.assert_allclose(chunk.integration, 10, rtol=1e-6)


def test_rows_of_one_dump_with_times_of_their_own_are_one_integration(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(path) as main:
        time = main.getcol("TIME")
        time[::2] += 0.3
        main.putcol("TIME", time)
    chunk, = chunks(path)
    assert len(chunk.time) == 12
    np.testing.assert_allclose(chunk.integration, 10, rtol=0.05)
