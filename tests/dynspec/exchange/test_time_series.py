"""Light curves as astropy TimeSeries: scales of time, names, units."""

import astropy.units as u
import numpy as np
import pytest
from astropy.timeseries import LombScargle, TimeSeries
from spectra import spectrum

from visds.dynspec.exchange.time_series import write_time_series


def curve(**keywords):
    truth = np.zeros((40, 2, 4))
    truth[..., 0], truth[..., 3] = 2.0, -1.0
    return spectrum(truth, sigma=0.01, start_mjd=59000.123456789, **keywords).light_curve()


def test_time_is_utc_and_time_of_arrival_tdb():
    series = curve().to_time_series()
    assert (series.time.scale, series["time_barycentre"].scale) == ("utc", "tdb")
    assert np.max(np.abs(series.time.mjd - curve().time)) * 86400 < 1e-6
    assert np.max(np.abs(series["time_barycentre"].mjd - curve().time_barycentre)) * 86400 < 1e-6
    np.testing.assert_array_equal(series["V"].to_value(u.mJy), 1e3 * curve().flux_density[:, 3])


def test_one_stokes_parameter_has_the_names_that_lightkurve_looks_for():
    series = curve().to_time_series("V", barycentre=True)
    assert series.time.scale == "tdb" and series["time_observed"].scale == "utc"
    np.testing.assert_array_equal(series["flux"].to_value(u.Jy), curve().flux_density[:, 3])
    np.testing.assert_array_equal(series["flux_err"].to_value(u.Jy), curve().sigma[:, 3])
    assert np.mean(series["flux"].value) == pytest.approx(-1, abs=0.01)


def test_a_stokes_parameter_that_is_not_held_is_refused():
    with pytest.raises(ValueError, match="Stokes V is not in this light curve"):
        spectrum(np.zeros((4, 2, 1)), polarizations=("I",)).light_curve().to_time_series("V")


def test_the_file_is_read_as_a_time_series_without_being_told_anything(tmp_path):
    before = curve().to_time_series("I")
    write_time_series(before, {"target": "UV Cet", "telescope": "VLA"}, tmp_path / "t.ecsv")
    after = TimeSeries.read(tmp_path / "t.ecsv")
    assert after.time.scale == "utc"
    assert np.max(np.abs((after.time - before.time).sec)) < 1e-6
    np.testing.assert_array_equal(after["flux"], before["flux"])
    assert after.meta["target"] == "UV Cet"
    assert 0 <= (after.time[0].mjd - after.meta["mjdref"]) < 1


def test_astropy_finds_a_period_in_it():
    time = np.arange(200) * 10.0
    truth = np.zeros((200, 2, 4))
    truth[..., 0] = 1 + 0.5 * np.sin(2 * np.pi * time / 170)[:, None]
    series = spectrum(truth, sigma=0.05).light_curve().to_time_series("I")
    frequency, power = LombScargle.from_timeseries(series, "flux", "flux_err").autopower(
        maximum_frequency=4320 / u.day)  # of samples 10 s apart
    assert (1 / frequency[np.argmax(power)]).to_value(u.s) == pytest.approx(170, rel=0.02)
