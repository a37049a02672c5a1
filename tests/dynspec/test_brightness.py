"""Brightness temperature against astropy's units and against scaling laws."""

import astropy.units as u
import numpy as np
import pytest
from astropy.constants import c, k_B

from visds.dynspec.brightness import brightness_temperature


@pytest.mark.parametrize(("flux", "frequency", "radius", "distance"), [
    (5e-3, 550e6, 0.41, 4.97), (0.2, 1.25e9, 1.0, 1.3), (1e-4, 3e9, 0.2, 12.0)])
def test_brightness_temperature_is_that_of_a_disc_in_the_rayleigh_jeans_limit(
        flux, frequency, radius, distance):
    solid_angle = np.pi * (radius * u.R_sun / (distance * u.pc)).to(1) ** 2
    expected = (flux * u.Jy * c**2 / (2 * k_B * (frequency * u.Hz) ** 2 * solid_angle)).to(u.K)
    found = brightness_temperature(flux, frequency, radius_solar=radius, distance_pc=distance)
    assert found == pytest.approx(expected.value, rel=1e-6)


def test_brightness_temperature_agrees_with_astropys_equivalency_of_a_beam():
    angle = (0.41 * u.R_sun / (4.97 * u.pc)).to(u.rad, u.dimensionless_angles())
    expected = (5e-3 * u.Jy).to(u.K, u.brightness_temperature(610 * u.MHz, np.pi * angle**2))
    found = brightness_temperature(5e-3, 610e6, radius_solar=0.41, distance_pc=4.97)
    assert found == pytest.approx(expected.value, rel=1e-6)


def test_a_mjy_of_a_solar_disc_at_a_parsec_is_2e7_kelvin_at_one_gigahertz():
    # By hand: 1e-29 * (2.998e8)^2 / (2 * 1.381e-23 * 1e18 * pi * (6.957e8 / 3.086e16)^2).
    assert brightness_temperature(1e-3, 1e9, radius_solar=1, distance_pc=1) == pytest.approx(
        2.0381e7, rel=1e-4)


def test_the_same_flux_density_is_cooler_at_the_higher_frequency_by_the_frequency_squared():
    low, high = brightness_temperature(1.0, np.array([550e6, 1.25e9]), radius_solar=1,
                                       distance_pc=10)
    assert low / high == pytest.approx((1.25 / 0.55) ** 2)


def test_negative_flux_density_gives_a_negative_temperature_and_nan_stays_nan():
    found = brightness_temperature(np.array([-1.0, np.nan, 1.0]), 1e9, radius_solar=1,
                                   distance_pc=1)
    assert found[0] == -found[2] and np.isnan(found[1])


@pytest.mark.parametrize(("radius", "distance"), [(0, 1), (1, -2), (np.nan, 1)])
def test_a_star_without_size_or_distance_is_an_error(radius, distance):
    with pytest.raises(ValueError, match="radius and distance must be positive"):
        brightness_temperature(1.0, 1e9, radius_solar=radius, distance_pc=distance)
