"""Light curves and dynamic spectra as ECSV, VOTable, CSV and FITS: what is read is what was."""

import csv
import io

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.timeseries import TimeSeries
from spectra import spectrum

from visds.core.errors import OutputError
from visds.core.flags import Flag
from visds.dynspec.exchange.columns import light_curve_table, spectrum_table
from visds.dynspec.exchange.csv import write_csv
from visds.dynspec.exchange.ecsv import write_ecsv
from visds.dynspec.exchange.fits_table import write_fits_table
from visds.dynspec.exchange.votable import ucd, write_votable


def example(**keywords):
    """Return a spectrum of two scans, V negative, one cell flagged and one integration empty."""
    rng = np.random.default_rng(5)
    truth = rng.normal([3, 0.2, -0.4, -2], size=(6, 3, 4))
    cells = np.zeros((6, 3), bool)
    cells[2, 1] = cells[4] = True
    return spectrum(truth, scans=(3, 7), start_mjd=59000.123456789, **keywords).flag_cells(cells)


def test_a_row_of_a_long_table_is_the_cell_of_its_time_and_frequency():
    before = example()
    table = spectrum_table(before)
    assert len(table) == 18
    row = table[3 * 3 + 2]
    assert (row["time"], row["frequency"]) == (before.time[3], before.frequency[2])
    assert row["scan"] == 7 and row["V"] == before.values("V")[3, 2]
    assert row["V_sigma"] == before.errors("V")[3, 2]
    assert row["covariance"] == before.covariance[3, 2]
    flagged = table[2 * 3 + 1]
    assert np.isnan(flagged["I"]) and np.isnan(flagged["I_sigma"])
    assert flagged["I_flags"] == Flag.REGION == table.meta["flags"]["REGION"]


@pytest.mark.parametrize("make", [spectrum_table, light_curve_table])
def test_ecsv_gives_back_every_number_unit_and_what_is_said_of_the_target(tmp_path, make):
    before = make(example())
    write_ecsv(before, tmp_path / "t.ecsv")
    after = Table.read(tmp_path / "t.ecsv")
    for name in before.colnames:
        np.testing.assert_array_equal(after[name], before[name])
        assert (after[name].unit, after[name].description) == (before[name].unit,
                                                               before[name].description)
    assert after["I"].unit == u.Jy
    assert after.meta["target"] == "test star" and after.meta["ra_deg"] == 83.0


def test_a_light_curve_in_ecsv_is_a_time_series_of_astropy(tmp_path):
    before = example()
    write_ecsv(light_curve_table(before), tmp_path / "t.ecsv")
    series = TimeSeries.read(tmp_path / "t.ecsv", time_column="time", time_format="mjd",
                             time_scale="utc")
    assert np.max(np.abs(series.time.mjd - before.time)) * 86400 < 1e-6


@pytest.mark.parametrize("make", [spectrum_table, light_curve_table])
def test_a_votable_is_valid_and_gives_back_every_bit(tmp_path, make):
    before = make(example())
    write_votable(before, tmp_path / "t.vot")
    assert votable.validate(tmp_path / "t.vot", io.StringIO())
    document = votable.parse(tmp_path / "t.vot", verify="exception")
    after = document.get_first_table().to_table()
    for name in before.colnames:
        np.testing.assert_array_equal(np.ma.filled(after[name], np.nan)
                                      if after[name].dtype.kind == "f" else after[name],
                                      before[name])
        assert after[name].unit == before[name].unit


def test_a_votable_of_many_rows_is_written_in_parts_that_join(tmp_path, monkeypatch):
    monkeypatch.setattr("visds.dynspec.exchange.votable._ROWS_AT_ONCE", 57)
    before = spectrum_table(spectrum(np.random.default_rng(1).normal(size=(50, 3, 4))))
    write_votable(before, tmp_path / "t.vot")
    after = votable.parse_single_table(tmp_path / "t.vot").to_table()
    assert len(after) == 150
    np.testing.assert_array_equal(after["V"], before["V"])
    np.testing.assert_array_equal(after["frequency"], before["frequency"])


def test_a_votable_says_quantities_scales_of_time_and_position_to_programs(tmp_path):
    write_votable(spectrum_table(example()), tmp_path / "t.vot")
    document = votable.parse(tmp_path / "t.vot", verify="exception")
    table, systems = document.get_first_table(), document.resources[0].time_systems
    fields = {field.name: field for field in table.fields}
    assert {s.ID: (s.timescale, s.refposition, s.timeorigin) for s in systems} == {
        "utc": ("UTC", "TOPOCENTER", "MJD-origin"),
        "tdb": ("TDB", "BARYCENTER", "MJD-origin")}
    assert (fields["time"].ref, fields["time_barycentre"].ref) == ("utc", "tdb")
    assert fields["V"].ucd == "phot.flux.density;phys.polarization.stokes.V;em.radio"
    assert fields["V_sigma"].ucd == "stat.error;phot.flux.density;phys.polarization.stokes.V"
    assert fields["frequency"].ucd == "em.freq" and fields["frequency"].unit == u.Hz
    assert {p.name: p.value for p in table.params}["dec_deg"] == -5.0
    assert Table.read(tmp_path / "t.vot").meta["description"] == "spectrum of test star"


def test_every_ucd_is_of_the_controlled_vocabulary_and_every_number_has_one():
    names = set(spectrum_table(example()).colnames) | set(light_curve_table(example()).colnames)
    for name in names:
        assert check_ucd(ucd(name), check_controlled_vocabulary=True, has_colon=False), name
    assert all(ucd(name) for name in names)


def test_csv_has_units_in_the_names_and_no_digit_lost(tmp_path):
    before = example()
    write_csv(spectrum_table(before), tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:2] == ["time_mjd_utc", "integration_s"]
    assert {"frequency_Hz", "time_barycentre_mjd_tdb", "V_Jy", "V_sigma_Jy", "V_count",
            "covariance_Jy2"} <= set(rows[0])
    assert float(rows[10]["V_Jy"]) == before.values("V")[3, 1]
    assert float(rows[10]["time_mjd_utc"]) == before.time[3]
    assert np.isnan(float(rows[7]["I_Jy"]))
    assert list(rows[0])[-1] == "target" and {row["target"] for row in rows} == {"test star"}


def test_a_light_curve_in_fits_says_its_scale_of_time(tmp_path):
    before = light_curve_table(example())
    write_fits_table(before, tmp_path / "t.fits")
    with fits.open(tmp_path / "t.fits") as hdus:
        hdus.verify("exception")
        hdu = hdus["LIGHTCURVE"]
        np.testing.assert_array_equal(hdu.data["V"], before["V"])
        np.testing.assert_array_equal(hdu.data["TIME"], before["time"])
        assert hdu.columns["V_SIGMA"].unit == "Jy"
        assert (hdu.header["TIMESYS"], hdu.header["MJDREF"], hdu.header["TIMEUNIT"]) == (
            "UTC", 0, "d")
        assert (hdu.header["OBJECT"], hdu.header["RA"]) == ("test star", 83.0)


@pytest.mark.parametrize("write", [write_ecsv, write_votable, write_csv, write_fits_table])
def test_a_table_that_cannot_be_written_is_one_line(tmp_path, write):
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        write(light_curve_table(example()), tmp_path / "nowhere" / "t")


def test_v_of_the_pulsar_convention_is_said_to_be_that():
    meta = {"handedness": {"pulsar_convention": True}}
    assert light_curve_table(example(meta=meta)).meta["v_convention"] == "pulsar"
    assert light_curve_table(example()).meta["v_convention"] == "IAU"
