"""Flux densities in words have no digits that mean nothing, and numbers from 1 to 999."""

import math

import pytest

from visds.core.flux_text import flux_text, flux_with_error


@pytest.mark.parametrize(("flux_density", "error", "text"), [
    (0.0374, 5.6e-5, "37.400 +- 0.056 mJy"), (29.91, 0.0031, "29.9100 +- 0.0031 Jy"),
    (0.2696, 0.14, "270 +- 140 mJy"), (-0.0063, 8.7e-4, "-6.30 +- 0.87 mJy"),
    (1e-5, 2e-3, "0.0 +- 2.0 mJy"), (0.02, math.nan, "20 mJy")])
def test_a_flux_density_is_written_to_the_second_digit_of_its_error(flux_density, error, text):
    assert flux_with_error(flux_density, error) == text


def test_without_an_error_it_has_three_digits():
    assert flux_text(29.91) == "29.9 Jy"
    assert flux_text(-0.00123) == "-1.23 mJy"
    assert flux_text(0) == "0 Jy"
