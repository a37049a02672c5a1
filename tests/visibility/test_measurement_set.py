"""A measurement set is described as its subtables say, and nothing in it is touched."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from casacore import tables
from products import contents
from rooms import writable

from visds.core.errors import MeasurementSetError
from visds.visibility.measurement_set import MeasurementSet, usable_frame


def described(path):
    with MeasurementSet(path) as measurement_set:
        return measurement_set.describe()


def test_a_description_is_what_the_simulation_was_told(simulated):
    products = simulated(spectral_windows=2, calibrator=True, feeds="linear", array="ATCA",
                         receptor_angle="30deg")
    found = described(products.measurement_set)
    assert set(found.correlations) == {("XX", "XY", "YX", "YY")}
    assert len(found.spectral_windows) == 2
    assert [window for window, _ in found.data_descriptions] == [0, 1]
    assert len(found.fields) == 2
    np.testing.assert_allclose(found.feeds.angle, np.radians(30))
    assert all(mount == "alt-az" for mount in found.mounts)
    assert found.time_scale == "UTC"
    place = EarthLocation.from_geocentric(*found.position, unit="m")
    assert place.lat.deg == pytest.approx(-30.31, abs=0.05)
    assert place.lon.deg == pytest.approx(149.56, abs=0.05)


@pytest.mark.parametrize(("name", "latitude"), [("evla_J1008_Ka_2spw", 34.07),
                                                ("wsrt_3C343", 52.91)])
def test_antennas_without_a_position_do_not_draw_the_observatory_to_the_earths_centre(
        observed, name, latitude):
    found = described(observed(name))
    assert (found.antenna_position == 0).all(axis=1).any()
    place = EarthLocation.from_geocentric(*found.position, unit="m")
    assert place.lat.deg == pytest.approx(latitude, abs=0.02)
    assert abs(place.height.value) < 3000


@pytest.mark.parametrize(("name", "frame"), [
    ("vla_NGC5921_cal", "LSRK"), ("vla_3C273_1989", "TOPO"), ("wsrt_3C343", "LSRK"),
    ("paper_XYonly", "LSRK"), ("lwasv_nan", "REST"), ("atca_1934_cabb", "TOPO")])
def test_the_frame_of_the_frequencies_is_that_of_their_own_column(observed, name, frame):
    # WSRT names it once for the whole column and leaves MEAS_FREQ_REF at another.
    assert {window.frame for window in described(observed(name)).spectral_windows} == {frame}


@pytest.mark.parametrize(("name", "scale"), [("vla_NGC5921_cal", "TAI"), ("vla_3C273_1989", "TAI"),
                                             ("evla_J1008_Ka_2spw", "UTC")])
def test_the_scale_of_time_is_that_of_the_column(observed, name, scale):
    assert described(observed(name)).time_scale == scale


def test_channel_widths_are_positive_where_channels_descend(observed):
    window = described(observed("atca_1934_cabb")).spectral_windows[0]
    assert np.all(np.diff(window.frequency) < 0) and np.all(window.channel_width > 0)
    assert len(window.frequency) == 2049


def test_3c273_of_1989_is_in_the_vlas_own_b1950(observed):
    field = described(observed("vla_3C273_1989")).fields[0]
    assert field.phase_centre.frame == "B1950_VLA"
    usable_frame(field, "x.ms")


def test_a_phase_centre_that_moves_is_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(f"{path}::FIELD") as table:
        info = table.getcolkeyword("PHASE_DIR", "MEASINFO")
        table.putcolkeyword("PHASE_DIR", "MEASINFO", info | {"Ref": "SUN"})
    with pytest.raises(MeasurementSetError, match=r"phase centre in SUN; expected one of ICRS"):
        usable_frame(described(path).fields[0], str(path))


def test_runs_of_rows_cover_every_row_once(observed):
    with MeasurementSet(observed("vla_NGC5921_cal")) as measurement_set:
        runs = measurement_set.row_runs()
    assert np.array_equal(runs.start, np.append(0, np.cumsum(runs.length)[:-1]))
    assert runs.length.sum() == 21034
    assert len(np.unique(runs.time)) == 60


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_runs_do_not_depend_on_how_many_rows_are_read_at_once(simulated, monkeypatch, rows):
    path = simulated(calibrator=True, autocorrelations=True).measurement_set
    with MeasurementSet(path) as measurement_set:
        whole = measurement_set.row_runs()
        monkeypatch.setattr("visds.visibility.measurement_set._ROWS_AT_ONCE", rows)
        pieces = measurement_set.row_runs()
    assert pieces.length.sum() == whole.length.sum()
    assert pieces.cross.sum() == whole.cross.sum()
    assert set(whole.start) <= set(pieces.start)


@pytest.mark.parametrize("runs", [
    (np.array([0, 40]), np.array([3, 5])), (np.arange(0, 160, 2), np.ones(80, int)),
    (np.array([5]), np.array([1]))])
def test_rows_are_those_that_were_asked_for(simulated, runs):
    path = simulated().measurement_set
    wanted = np.concatenate([np.arange(s, s + n) for s, n in zip(*runs, strict=True)])
    with tables.table(str(path), ack=False) as main:
        everything = {name: main.getcol(name) for name in ("DATA", "UVW", "TIME")}
    with MeasurementSet(path) as measurement_set:
        for name, values in everything.items():
            np.testing.assert_array_equal(measurement_set.rows(name, *runs), values[wanted])
            out = np.empty_like(values[wanted])
            assert measurement_set.rows(name, *runs, out=out) is out
            np.testing.assert_array_equal(out, values[wanted])
        with pytest.raises(MeasurementSetError, match=r"column DATA, rows .* cannot be read"):
            measurement_set.rows("DATA", *runs, out=np.empty((len(wanted), 3, 3), np.complex64))


def test_a_missing_cell_has_no_shape(simulated):
    with MeasurementSet(simulated().measurement_set) as measurement_set:
        assert measurement_set.cell_shape("DATA", 0) == (8, 4)
        assert measurement_set.cell_shape("NO_SUCH_DATA", 0) is None


def test_what_is_not_a_measurement_set_is_refused(tmp_path):
    with pytest.raises(MeasurementSetError, match=r"nothing.ms does not exist"):
        MeasurementSet(tmp_path / "nothing.ms")
    with pytest.raises(MeasurementSetError, match=r"no table.dat"):
        MeasurementSet(tmp_path)


def test_a_table_without_visibilities_is_refused(simulated):
    with pytest.raises(MeasurementSetError, match=r"has no column .*: not a measurement set"):
        MeasurementSet(simulated().measurement_set / "ANTENNA")


@pytest.mark.parametrize("name", ["POLARIZATION", "SPECTRAL_WINDOW", "ANTENNA", "FIELD"])
def test_a_missing_subtable_is_named(simulated, tmp_path, name):
    path = simulated(copy_to=tmp_path).measurement_set
    shutil.rmtree(path / name)
    with pytest.raises(MeasurementSetError, match=f"subtable {name} is missing"):
        described(path)


def test_a_subtable_without_rows_is_named(observed):
    with pytest.raises(MeasurementSetError, match="subtable POLARIZATION has no rows"):
        described(observed("wsrt_emptyPOLARIZATION"))


def test_a_data_description_that_leads_nowhere_is_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(f"{path}::DATA_DESCRIPTION") as table:
        table.putcell("SPECTRAL_WINDOW_ID", 0, 7)
    with pytest.raises(MeasurementSetError, match="names spectral window 7"):
        described(path)


def test_a_missing_feed_table_gives_no_receptor_angles(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, receptor_angle="30deg").measurement_set
    shutil.rmtree(path / "FEED")
    assert len(described(path).feeds.angle) == 0


READ = """
import sys
from visds.visibility.measurement_set import MeasurementSet
with MeasurementSet(sys.argv[1]) as measurement_set:
    measurement_set.describe()
    runs = measurement_set.row_runs()
    measurement_set.rows("DATA", runs.start[:2], runs.length[:2])
"""


def check_nothing_changes(path):
    """In a process of its own: who opens the first table of a process chooses for casacore."""
    before = contents(path)
    subprocess.run([sys.executable, "-c", READ, path], check=True, timeout=60)
    assert contents(path) == before


def test_reading_changes_no_file_not_even_a_lock(observed):
    check_nothing_changes(observed("vla_NGC5921_cal"))


def test_reading_makes_no_lock_where_there_is_none(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    for lock in path.rglob("table.lock"):
        lock.unlink()
    check_nothing_changes(path)
