"""Errors in words have two digits, whatever their size."""

import math

import pytest

from visds.core.error_text import value_with_error


@pytest.mark.parametrize(("value", "error", "text"), [
    (40.3, 0.0123, "40.300 ± 0.012"), (40.3, 0.0996, "40.30 ± 0.10"), (1234.5, 56.7, "1234 ± 57"),
    (-3.0, 1234.0, "-3 ± 1234"), (0.5, 2e-5, "0.500000 ± 0.000020"), (0.25, math.nan, "0.25"),
    (0.25, 0.0, "0.25")])
def test_an_error_has_two_digits_and_the_value_as_many_decimals(value, error, text):
    assert value_with_error(value, error) == text
