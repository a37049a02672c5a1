"""Regions to flag, as a user writes them."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.dynspec.flag_region import channel_range, flag_region, flag_regions, usable_cells
from visds.dynspec.plots.levels import level
from visds.dynspec.universal_time import universal_time


def example():
    """Return 12 integrations of 10 s from 12:00 UTC in two scans, and 5 channels from 550 MHz."""
    truth = np.zeros((12, 5, 4))
    truth[2, 3, 3] = -5.0
    return spectrum(truth, sigma=1e-3, scans=(3, 13), start_mjd=59000.5)


def test_a_region_is_the_cells_that_fulfil_all_its_conditions():
    mask = flag_region("scan=3,time=12:00:09-12:00:31,channels=1-2").mask(example())
    expected = np.zeros((12, 5), bool)
    expected[1:4, 1:3] = True
    np.testing.assert_array_equal(mask, expected)


def test_scan_3_is_not_scan_13():
    assert flag_region("scan=3").mask(example())[:6].all()
    assert not flag_region("scan=3").mask(example())[6:].any()


def test_a_limit_on_v_takes_either_sign():
    mask = flag_region("v=2Jy").mask(example())
    assert mask.sum() == 1 and mask[2, 3]


def test_channels_in_hertz_are_all_that_the_range_touches():
    np.testing.assert_array_equal(channel_range("550.6-552MHz").mask(example()),
                                  [False, True, True, False, False])
    np.testing.assert_array_equal(channel_range("4").mask(example()), [False] * 4 + [True])


def test_a_range_of_times_of_day_may_go_over_midnight():
    data = spectrum(np.zeros((4, 1, 4)), integration=3600.0, start_mjd=58999.95)
    mask = flag_region("time=23:30-00:30").mask(data)[:, 0]
    np.testing.assert_array_equal(mask, [False, True, False, False])


def test_a_range_with_dates_holds_on_these_days_only():
    data = spectrum(np.zeros((48, 1, 4)), integration=3600.0, start_mjd=59000.0)
    dated = flag_region("time=2020-05-31T05:30/2020-05-31T07:30").mask(data)[:, 0]
    np.testing.assert_array_equal(np.flatnonzero(dated), [6, 7])
    np.testing.assert_array_equal(
        np.flatnonzero(flag_region("time=05:30-07:30").mask(data)[:, 0]), [6, 7, 30, 31])


def test_flagged_regions_are_marked_as_the_users_and_leave_the_rest_as_it_was():
    before = example()
    after, _ = flag_regions(before, (flag_region("scan=3"), flag_region("channels=4")))
    assert (after.flags[:6] == Flag.REGION).all() and (after.flags[6:, :4] == 0).all()
    assert np.isnan(after.flux_density[:6]).all()
    np.testing.assert_array_equal(after.flux_density[6:, :4], before.flux_density[6:, :4])


def test_cells_are_counted_that_had_a_value_and_regions_named_that_hold_none():
    data, first = flag_regions(example(), (flag_region("scan=3,channels=0-1"),))
    assert (first.number, first.usable, first.idle) == (12, 60, ())
    data, second = flag_regions(data, (flag_region("scan=3"), flag_region("time=05:10-05:20")))
    assert (second.number, second.usable) == (18, 48)
    assert [region.text for region in second.idle] == ["time=05:10-05:20"]
    assert usable_cells(data).sum() == 30


def test_a_cell_with_one_polarization_left_still_has_a_value():
    data = example()
    empty = np.zeros((12, 5, 4), bool)
    empty[0, 0], empty[0, 1, :3] = True, True
    assert usable_cells(data.flag_cells(empty, Flag.EMPTY)).sum() == 59


def test_a_range_that_ends_before_it_begins_is_refused_where_there_is_no_midnight():
    with pytest.raises(SettingsError, match=r"'time=03:31-03:30': 03:31:00.000 is after "
                       r"03:30:00.000, and no midnight lies between 2020-05-31T12:00:00.000 and"):
        flag_region("time=03:31-03:30").mask(example())
    with pytest.raises(SettingsError, match="ends before it begins"):
        flag_region("time=2020-05-31T05:30/2020-05-31T05:29")


@pytest.mark.parametrize(("text", "match"), [
    ("scan=3,tme=05:10-05:20", ": 'tme' is none of scan, time, channels, v"),
    ("scn=3", "'scn=3' is not a region, written scan=3,time="),
    ("scan=three", "scan=three of"), ("scan", "is not a region"),
    ("time=05:10", "is not a range of times"), ("time=25:00-26:00", "is not a time in UTC"),
    ("time=2020-05-31T05:30/06:00", "date at one end only"),
    ("channels=20-10", "end before they begin"), ("channels=a-b", "is not a range, written 12"),
    ("v=5", "needs a unit")])
def test_a_region_that_cannot_be_read_is_one_line_with_the_syntax(text, match):
    with pytest.raises(SettingsError, match=match) as caught:
        flag_region(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "match"), [
    ("scan=5", r"scan 5 is not in the spectrum \(scans 3, 13\)"),
    ("channels=7-9", "5 channels, 550.000 to 554.000 MHz"),
    ("channels=1-2GHz", "1000-2000 MHz are not in the spectrum")])
def test_a_region_outside_the_spectrum_is_an_error(text, match):
    with pytest.raises(SettingsError, match=match):
        flag_region(text).mask(example())


def test_a_region_of_v_needs_v():
    data = spectrum(np.zeros((2, 2, 1)), polarizations=("I",))
    with pytest.raises(SettingsError, match="needs Stokes V"):
        flag_region("v=1mJy").mask(data)


@pytest.mark.parametrize(("text", "name", "value", "unit"), [
    ("5mJy", None, 5e-3, "Jy"), ("V=-3mJy", "V", -3e-3, "Jy"), ("V/I=80%", "V/I", 0.8, ""),
    ("snr:I=10", "snr:I", 10, ""), ("I=2e3MK", "I", 2e9, "K")])
def test_levels_have_a_quantity_a_value_and_a_unit(text, name, value, unit):
    found = level(text)
    assert (found.name, found.unit) == (name, unit) and found.value == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "=5mJy", "V=", "V=5m", "five"])
def test_a_level_that_cannot_be_read_is_an_error(text):
    with pytest.raises(SettingsError, match=r"is not a level|names no quantity"):
        level(text)


def test_a_date_is_the_day_that_mjd_counts():
    found = universal_time("2000-01-01T12:00")
    assert (found.day, found.day_fraction) == (51544, 0.5)
    assert universal_time("06:00").between(51544.0, 51546.0) == [51544.25, 51545.25]
