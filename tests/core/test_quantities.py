"""Quantities as users write them: the unit is part of the number, and nonsense is named."""

import pytest

from visds.core.errors import SettingsError
from visds.core.quantities import (
    Bin,
    UVDistance,
    byte_count,
    channel_bin,
    degrees,
    seconds,
    time_bin,
    uv_distance,
)


@pytest.mark.parametrize(("text", "expected"), [
    ("10s", 10), ("10", 10), (10, 10), ("2.5min", 150), ("1e-3h", 3.6), ("-2.7255s", -2.7255),
    (" 3 ms ", 0.003), (".5d", 43200), ("2m", 120)])
def test_durations_are_seconds_unless_they_say_otherwise(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [
    ("256MB", 256_000_000), ("1GiB", 2**30), ("4096", 4096), ("1.5kB", 1500)])
def test_sizes_tell_decimal_from_binary_prefixes(text, expected):
    assert byte_count(text) == expected


def test_an_angle_is_degrees_unless_it_says_radians():
    assert degrees("-105") == degrees("-105deg") == -105
    assert degrees("1rad") == pytest.approx(57.29577951308232)


@pytest.mark.parametrize(("text", "expected"), [
    ("500m", UVDistance(500, False)), ("2km", UVDistance(2000, False)),
    ("2klambda", UVDistance(2000, True)), ("3 lambda", UVDistance(3, True)),
    ("1Mlambda", UVDistance(1e6, True)), ("0m", UVDistance(0, False))])
def test_a_baseline_length_is_in_metres_or_in_wavelengths(text, expected):
    assert uv_distance(text) == expected


@pytest.mark.parametrize(("function", "text", "expected"), [
    (time_bin, "5", Bin(count=5)), (time_bin, 5, Bin(count=5)), (time_bin, "10s", Bin(width=10)),
    (time_bin, "2min", Bin(width=120)), (channel_bin, "8", Bin(count=8)),
    (channel_bin, "4MHz", Bin(width=4e6)), (channel_bin, "1.5 kHz", Bin(width=1500))])
def test_a_bin_is_a_count_or_a_width(function, text, expected):
    assert function(text) == expected


@pytest.mark.parametrize(("function", "text", "message"), [
    (seconds, "10parsec", "unit 'parsec' of '10parsec' is unknown"),
    (seconds, "ten", "'ten' is not a number"), (seconds, "", "'' is not a number"),
    (seconds, "1e999s", "not a finite number"), (seconds, "nan", "not a number"),
    (seconds, "1,5s", "not a number"), (seconds, "5 s 3", "not a number"),
    (byte_count, "0", "must be positive"), (byte_count, "-1MB", "must be positive"),
    (byte_count, "0.3", "must be positive"), (byte_count, "1e999", "not a finite number"),
    (byte_count, "1mb", "unit 'mb'"), (uv_distance, "500", "needs a unit"),
    (uv_distance, "-5m", "cannot be negative"), (time_bin, "0", "wider than zero, not '0'"),
    (time_bin, "-1", "wider than zero, not '-1'"),
    (time_bin, "-5s", "wider than zero"), (time_bin, "0s", "wider than zero"),
    (time_bin, "2.5", "needs a unit.*a duration such as 10s or a count of integrations"),
    (time_bin, "20MHz", "unit 'MHz'.*or a count of integrations"),
    (channel_bin, "4Mhz", "unit 'Mhz'.*a bandwidth such as 4MHz or a count of channels"),
    (channel_bin, "4s", "unit 's'")])
def test_what_is_no_quantity_is_refused_by_name(function, text, message):
    with pytest.raises(SettingsError, match=message) as caught:
        function(text)
    assert "\n" not in str(caught.value)
