"""Bins of time begin with scans, bins of frequency with the band; a gap stays a gap."""

import numpy as np
import pytest

from visds.core.quantities import channel_bin, time_bin
from visds.dynspec.binning import channel_groups, time_bin_text, time_groups, whole


def times(*scans, integration=10.0, start=59000.0):
    """Return time, integration and scan of scans given as (begin in s, number)."""
    time = np.concatenate([begin + integration * (np.arange(n) + 0.5) for begin, n in scans])
    scan = np.repeat(np.arange(len(scans)) + 1, [n for _, n in scans])
    # As a measurement set stores them: seconds of MJD, to a microsecond.
    return (start * 86400 + time) / 86400, np.full(len(time), integration), scan


@pytest.mark.parametrize(("text", "expected"), [
    ("1", [1] * 10), ("3", [3, 3, 1, 3]), ("100", [7, 3]), ("30s", [3, 3, 1, 3]),
    ("10s", [1] * 10), ("25s", [2, 3, 2, 2, 1]), ("1h", [7, 3])])
def test_a_bin_begins_with_a_scan_and_ends_with_it(text, expected):
    groups = time_groups(*times((0, 7), (100, 3)), time_bin(text))
    assert groups.length.tolist() == expected
    assert groups.start.tolist() == np.cumsum([0, *expected[:-1]]).tolist()


@pytest.mark.parametrize("start", [41000.0, 59000.0, 60462.37, 75000.123])
@pytest.mark.parametrize(("text", "per_bin"), [("15s", [1, 2] * 6), ("5s", [1] * 18),
                                               ("20s", [2] * 9)])
def test_a_centre_on_the_edge_of_a_bin_is_in_the_later_one_whatever_the_date(
        start, text, per_bin):
    # Centres at 5, 15, 25 ... s: with bins of 15 s every third lies on an edge; the rounding of
    # seconds since 1858 must not decide.
    groups = time_groups(*times((0, 18), start=start), time_bin(text))
    assert groups.length.tolist() == per_bin


@pytest.mark.parametrize(("text", "expected"), [("60s", [6, 6]), ("4", [4, 2, 4, 2]),
                                                ("100", [6, 6])])
def test_a_gap_within_a_scan_is_not_filled_by_a_bin(text, expected):
    time, integration, _ = times((0, 6), (600, 6))
    groups = time_groups(time, integration, np.ones(12, int), time_bin(text))
    assert groups.length.tolist() == expected


def test_a_lost_integration_is_no_gap_for_a_bin_of_a_count():
    time, integration, scan = (values[np.arange(12) != 4] for values in times((0, 12)))
    assert time_groups(time, integration, scan, time_bin("4")).length.tolist() == [4, 4, 3]


def test_a_scan_number_that_comes_again_is_another_scan():
    time, integration, _scan = times((0, 2), (100, 2), (200, 2))
    groups = time_groups(time, integration, np.array([1, 1, 2, 2, 1, 1]), time_bin("10"))
    assert groups.length.tolist() == [2, 2, 2]


@pytest.mark.parametrize(("text", "expected"), [
    ("4", [4, 2, 4, 1]), ("4MHz", [4, 2, 2, 3]), ("1", [1] * 11), ("1MHz", [1] * 11),
    ("100", [6, 5]), ("1GHz", [11])])
def test_bins_of_a_count_end_at_a_gap_in_frequency_and_those_of_a_width_are_on_one_grid(
        text, expected):
    frequency = 1e9 + 1e6 * np.concatenate([np.arange(6), 10 + np.arange(5)])
    groups = channel_groups(frequency, np.full(11, 1e6), channel_bin(text))
    assert groups.length.tolist() == expected


def test_channels_of_unequal_width_side_by_side_are_no_gap():
    width = np.array([1e6, 1e6, 2e6, 2e6])
    frequency = 1e9 + np.cumsum(width) - width / 2
    assert channel_groups(frequency, width, channel_bin("4")).length.tolist() == [4]
    assert channel_groups(frequency, width, channel_bin("2MHz")).length.tolist() == [2, 1, 1]


def test_sums_are_over_each_group():
    groups = time_groups(*times((0, 3), (100, 2)), time_bin("2"))
    values = np.arange(5)
    assert groups.sum(values, 0).tolist() == [1, 2, 7]
    assert whole(5).sum(values, 0).tolist() == [10]


@pytest.mark.parametrize(("bin", "text"), [
    ("2min", "time bins of 120 s (2 integrations of 30 s every 60 s)"),
    ("3", "time bins of 3 integrations of 30 s every 60 s (180 s)"),
    ("150s", "time bins of 150 s (2.5 integrations of 30 s every 60 s)"),
    ("40s", "time bins of 40 s (0.6667 integrations of 30 s every 60 s): nothing is averaged")])
def test_bins_of_integrations_with_dead_time_between_are_told_by_what_they_hold(bin, text):
    """Two scans of integrations of 30 s that begin every 60 s, 1 h apart."""
    time, integration, _ = times((0, 18), (3600, 18), integration=60.0)
    assert time_bin_text(time_bin(bin), time, integration / 2) == text


def test_the_length_of_most_bins_is_that_which_they_span():
    time, integration, scan = times((0, 18), (3600, 18), integration=60.0)
    for bin, said in (("2min", ""), ("3", ""), ("150s", ", most of 180 s"),
                      ("1h", ", most of 1080 s")):
        groups = time_groups(time, integration / 2, scan, time_bin(bin))
        text = time_bin_text(time_bin(bin), time, integration / 2,
                             groups.sum(integration / 2, 0))
        assert said in text and ("most" in text) == bool(said)


def test_windows_one_after_another_do_not_look_like_dead_time():
    time, integration, _ = times((0, 6), (0, 6), (3600, 6), (3600, 6))
    assert time_bin_text(time_bin("3"), time, integration) == (
        "time bins of 3 integrations of 10 s (30 s)")
