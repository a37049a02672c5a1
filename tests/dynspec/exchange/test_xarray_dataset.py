"""Datasets of xarray: coordinates with units, selection by value, the missing extra."""

import sys

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError


def example():
    truth = np.zeros((8, 4, 4))
    truth[..., 0], truth[..., 3] = 1.0, -0.5
    flagged = np.zeros((8, 4), bool)
    flagged[2, 1] = True
    return spectrum(truth, sigma=0.01, start_mjd=59000.123456789).flag_cells(flagged)


def test_cells_are_found_by_polarization_frequency_and_time():
    before = example()
    data = before.to_xarray()
    assert data["flux_density"].dims == ("time", "frequency", "polarization")
    cell = data.sel(polarization="V", frequency=before.frequency[2], time=before.time[5])
    assert float(cell["flux_density"]) == before.values("V")[5, 2]
    assert float(cell["sigma"]) == before.errors("V")[5, 2]
    assert np.isnan(data["flux_density"][2, 1]).all() and int(data["flags"][2, 1, 0]) == 512


def test_coordinates_have_units_and_time_of_day_to_a_microsecond():
    before = example()
    data = before.to_xarray()
    assert [data[name].attrs["units"] for name in ("time", "frequency", "integration",
                                                   "flux_density")] == ["d", "Hz", "s", "Jy"]
    since = (data["utc"].values - np.datetime64("2020-05-31")) / np.timedelta64(1, "D")
    assert np.max(np.abs(since + 59000 - before.time)) * 86400 < 1e-6
    np.testing.assert_array_equal(data["time_barycentre"], before.time_barycentre)
    assert data.attrs["target"] == "test star"


def test_a_light_curve_has_time_and_polarization():
    curve = example().light_curve()
    data = curve.to_xarray()
    assert data["flux_density"].dims == ("time", "polarization")
    np.testing.assert_array_equal(data["sigma"].sel(polarization="I"), curve.sigma[:, 0])
    np.testing.assert_array_equal(data["covariance"], curve.covariance)
    assert data.attrs["frequency_Hz"] == curve.frequency


def test_without_xarray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(SettingsError, match=r"pip install 'visds\[xarray\]'"):
        example().to_xarray()
