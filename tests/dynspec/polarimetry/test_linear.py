"""Linear polarization of draws of known truth: bias, errors and masks."""

import numpy as np
import pytest

from visds.dynspec.polarimetry.linear import (
    ellipticity,
    polarization_angle,
    polarized_flux_density,
)

N = 200_000


def draws(snr, angle=0.4, ratio=1.0, seed=1):
    """Return Q, U and their errors: L is `snr` sigma of Q, that of U is `ratio` times as large."""
    rng = np.random.default_rng(seed)
    sigma_q, sigma_u = np.ones(N), np.full(N, ratio)
    q = snr * np.cos(2 * angle) + sigma_q * rng.standard_normal(N)
    u = snr * np.sin(2 * angle) + sigma_u * rng.standard_normal(N)
    return q, u, sigma_q, sigma_u


@pytest.mark.parametrize("snr", [2, 3, 5, 10])
def test_the_bias_of_l_is_taken_off(snr):
    q, u, sigma_q, sigma_u = draws(snr)
    found, sigma = polarized_flux_density(q, u, sigma_q, sigma_u)
    raw = np.hypot(q, u).mean() - snr
    assert raw > 0.8 / (2 * snr)
    assert abs(found.mean() - snr) < {2: 0.05, 3: 0.04, 5: 0.02, 10: 0.01}[snr]
    assert np.std(found[found > 0]) == pytest.approx(1, abs=0.1)
    assert sigma == pytest.approx(1)


def test_other_estimators_are_more_biased_where_l_is_two_sigma():
    q, u, sigma_q, sigma_u = draws(2)
    raw = np.hypot(q, u)
    own = abs(polarized_flux_density(q, u, sigma_q, sigma_u)[0].mean() - 2)
    # Simmons & Stewart (1985): K = 1 of the maximum likelihood, sqrt 2; taking off both variances.
    others = [raw, np.sqrt(np.maximum(raw**2 - 2, 0))]
    assert all(abs(other.mean() - 2) > 3 * own for other in others)
    # To give no value where noise is larger is a choice of the upward fluctuations.
    assert np.mean(raw[raw > 1]) - 2 > 3 * own


def test_noise_alone_averages_to_three_quarters_of_sigma_so_l_is_not_to_be_averaged():
    q, u, sigma_q, sigma_u = draws(0)
    found, _ = polarized_flux_density(q, u, sigma_q, sigma_u)
    assert found.mean() == pytest.approx(np.sqrt(np.pi / 2 / np.e), abs=0.01)
    assert np.mean(found == 0) == pytest.approx(1 - np.exp(-0.5), abs=0.005)


@pytest.mark.parametrize("angle", [0.0, np.pi / 4, 0.4])
def test_the_bias_is_that_of_the_error_across_and_the_error_that_along(angle):
    q, u, sigma_q, sigma_u = draws(20, angle, ratio=3.0)
    found, sigma = polarized_flux_density(q, u, sigma_q, sigma_u)
    assert angle > 0 or np.hypot(q, u).mean() > 20.2
    assert found.mean() == pytest.approx(20, abs=0.02)
    along = np.hypot(np.cos(2 * angle), 3 * np.sin(2 * angle))
    assert np.std((found - 20) / along) == pytest.approx(1, abs=0.06)
    assert np.median(sigma) == pytest.approx(along, rel=0.05)


@pytest.mark.parametrize(("snr", "ratio"), [(4, 1.0), (8, 1.0), (15, 3.0)])
@pytest.mark.parametrize("angle", [0.3, 1.5, -0.8])
def test_the_position_angle_is_within_its_error(snr, ratio, angle):
    q, u, sigma_q, sigma_u = draws(snr, angle, ratio)
    found, error = polarization_angle(q, u, sigma_q, sigma_u)
    pulls = ((found - angle + np.pi / 2) % np.pi - np.pi / 2) / error
    pulls = pulls[np.isfinite(pulls)]
    # Unequal errors of Q and U draw the angle towards the axis of the larger, to second order.
    assert np.mean(pulls) == pytest.approx(0, abs=0.02 if ratio == 1 else 0.12)
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.683, abs=0.03)


def test_angles_of_noise_are_not_given():
    q, u, sigma_q, sigma_u = draws(0)
    found, error = polarization_angle(q, u, sigma_q, sigma_u)
    # L above 3 sigma is Q^2 + U^2 above 10: a chance of exp(-5).
    assert np.mean(np.isfinite(found)) == pytest.approx(np.exp(-5), rel=0.1)
    assert np.array_equal(np.isnan(found), np.isnan(error))
    assert np.isfinite(polarization_angle(q, u, sigma_q, sigma_u, 1.0)[0]).mean() > 0.3


@pytest.mark.parametrize(("q", "u", "degrees"), [(1, 0, 0), (0, 1, 45), (-1, 0, 90), (0, -1, -45)])
def test_the_position_angle_is_half_that_of_q_and_u(q, u, degrees):
    found, _ = polarization_angle(*np.array([[q], [u], [0.1], [0.1]], float))
    assert np.degrees(found) == pytest.approx(degrees)


@pytest.mark.parametrize(("linear", "v", "degrees"), [(5.0, 5.0, 22.5), (8.0, -3.0, -10.28),
                                                      (10.0, 0.0, 0.0)])
def test_the_ellipticity_has_the_sign_of_v_and_is_within_its_error(linear, v, degrees):
    q, u, sigma_q, sigma_u = draws(linear)
    sigma_v = np.full(N, 0.5)
    noisy = v + sigma_v * np.random.default_rng(3).standard_normal(N)
    found, error = ellipticity(q, u, noisy, sigma_q, sigma_u, sigma_v)
    assert np.degrees(np.median(found)) == pytest.approx(degrees, abs=0.3)
    pulls = (found - np.radians(degrees)) / error
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.683, abs=0.03)


def test_pure_circular_polarization_is_45_degrees_and_noise_has_none():
    one = np.ones(1)
    found, _ = ellipticity(0.2 * one, 0.1 * one, -20 * one, one, one, one)
    assert np.degrees(found) == pytest.approx(-45)
    assert np.isnan(ellipticity(0.2 * one, 0.1 * one, 2 * one, one, one, one)[0])


def test_what_is_flagged_in_q_or_u_is_in_all_that_follows():
    q, u, sigma = np.array([np.nan, 5.0, 5.0]), np.array([5.0, np.nan, 5.0]), np.ones(3)
    for made in (polarized_flux_density(q, u, sigma, sigma),
                 polarization_angle(q, u, sigma, sigma),
                 ellipticity(q, u, q, sigma, sigma, sigma)):
        for values in made:
            assert np.isnan(values).tolist() == [True, True, False]
