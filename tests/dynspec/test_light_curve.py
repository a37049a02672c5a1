"""A light curve is the spectrum of one band in one channel, and its table says so."""

import numpy as np
import pytest
from astropy import units
from noisy import CIRCULAR, chunk, spectrum, unequal

from visds.core.errors import SettingsError
from visds.dynspec.light_curve import LightCurve


def test_a_light_curve_is_the_spectrum_rebinned_to_one_channel():
    made = spectrum(chunk(CIRCULAR, unequal(12, CIRCULAR), T=20, F=7))
    curve, single = made.light_curve(), made.rebin(channel=7)
    for name in ("flux_density", "sigma", "sigma_formal", "residual", "count"):
        np.testing.assert_array_equal(getattr(curve, name), getattr(single, name)[:, 0])
    np.testing.assert_array_equal(curve.covariance, single.covariance[:, 0])
    assert curve.band == pytest.approx((1e9 - 0.5e6, 1e9 + 6.5e6))


def test_a_band_takes_the_channels_centred_in_it():
    made = spectrum(chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=7))
    curve = made.light_curve((1.002e9, 1.004e9))
    assert curve.band == pytest.approx((1.0015e9, 1.0045e9))
    np.testing.assert_array_equal(curve.count, 36)
    with pytest.raises(ValueError, match=r"no channel between 1\.000 and 2\.000 MHz; the spectrum "
                                         r"has 1000\.000 to 1006\.000 MHz"):
        made.light_curve((1e6, 2e6))


def test_an_integration_without_data_is_a_gap():
    made = chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=2)
    made.flags[1] = 1
    curve = spectrum(made).light_curve()
    assert np.isnan(curve.flux_density[1]).all() and np.isnan(curve.sigma[1]).all()
    assert np.isfinite(curve.flux_density[[0, 2]]).all()
    assert curve.count[1].tolist() == [0, 0]


def test_the_table_has_a_row_an_integration_and_units(tmp_path):
    curve = spectrum(chunk(CIRCULAR, unequal(12, CIRCULAR), T=4, F=2)).light_curve()
    table = curve.to_table()
    assert len(table) == 4
    for name, unit in (("I", "Jy"), ("V_sigma", "Jy"), ("Q_residual", "Jy"), ("time", "d"),
                       ("integration", "s"), ("covariance", "Jy2")):
        assert str(table[name].unit) == unit
    assert table["V_sigma"].description == "Stokes V: standard error of the flux density"
    assert all(table[name].description for name in table.colnames)
    np.testing.assert_array_equal(table["V"], curve.flux_density[:, 3])
    np.testing.assert_array_equal(table["U_count"], curve.count[:, 2])
    curve.write(tmp_path / "a.h5")
    np.testing.assert_array_equal(LightCurve.read(tmp_path / "a.h5").sigma, curve.sigma)
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")


def test_without_the_partner_of_i_there_is_no_covariance():
    made = spectrum(chunk(CIRCULAR, unequal(12, CIRCULAR), T=4), stokes=("I", "Q"))
    assert np.isnan(made.light_curve().covariance).all()


@pytest.mark.parametrize("band", [("1.002GHz", "1004MHz"), (1.002e9, "1.004GHz"),
                                  "1.002-1.004GHz", np.array([1.002e9, 1.004e9]),
                                  (1.002 * units.GHz, 1004 * units.MHz),
                                  [1.002, 1.004] * units.GHz])
def test_a_band_may_be_written_with_units(band):
    made = spectrum(chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=7))
    np.testing.assert_array_equal(made.light_curve(band).count, made.light_curve(
        (1.002e9, 1.004e9)).count)


def test_numbers_without_a_unit_are_hertz_and_said_to_be():
    made = spectrum(chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=7))
    with pytest.raises(ValueError, match=r"no channel between 1\.3 and 1\.4 Hz; the spectrum has"):
        made.light_curve((1.3, 1.4))


@pytest.mark.parametrize("band", ["V", 5, ("1.3parsec", "1.4GHz"), ("1.4GHz", "1.3GHz"), (1, 2, 3),
                                  (None, 1e9), (float("nan"), 1e9),
                                  (1 * units.m, 2 * units.m)])
def test_what_is_no_band_is_refused_with_what_is_expected(band):
    made = spectrum(chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=7))
    with pytest.raises(SettingsError, match=r'written \("1\.3GHz"') as caught:
        made.light_curve(band)
    assert "\n" not in str(caught.value)
