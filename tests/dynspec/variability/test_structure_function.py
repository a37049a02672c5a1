"""The structure function of noise, of sinusoids and of random walks."""

import numpy as np
import pytest
from light_curves import measured

from visds.dynspec.variability.structure_function import structure_function


def test_noise_has_none_whatever_the_sampling_and_its_scatter_is_the_error():
    rng = np.random.default_rng(0)
    seconds = np.sort(rng.uniform(0, 3000, 150))
    seconds = seconds[(seconds < 800) | (seconds > 1700)]
    sigma = rng.uniform(0.05, 0.3, len(seconds))
    found = [structure_function(measured(
        seconds, 1 + sigma * rng.standard_normal(len(seconds)), sigma)) for _ in range(200)]
    values = np.array([one.value for one in found])
    error = np.mean([one.noise_error for one in found], axis=0)
    assert np.abs(values.mean(0) / error).max() < 4 / np.sqrt(200)
    # Errors are at least those of a constant source, and so a little too large for one.
    np.testing.assert_array_less(values.std(0), 1.1 * error)
    np.testing.assert_array_less(0.75 * error, values.std(0))


def test_the_noise_error_of_a_varying_source_is_its_scatter_from_noise_to_noise():
    rng = np.random.default_rng(1)
    seconds = 10.0 * np.arange(120)
    curve = np.sin(seconds / 150)
    found = [structure_function(measured(seconds, curve + rng.normal(0, 0.2, 120), 0.2))
             for _ in range(200)]
    scatter = np.std([one.value for one in found], axis=0)
    error = np.mean([one.noise_error for one in found], axis=0)
    np.testing.assert_allclose(error, scatter, rtol=0.25)


def test_a_sinusoid_has_the_square_of_its_amplitude_times_one_less_the_cosine_of_the_lag():
    rng = np.random.default_rng(2)
    seconds = 10.0 * np.arange(3000)
    found = structure_function(measured(
        seconds, 5 + 0.4 * np.sin(2 * np.pi * seconds / 500) + rng.normal(0, 0.2, 3000), 0.2))
    short = found.longest - found.shortest < 50
    expected = 0.4**2 * (1 - np.cos(2 * np.pi * found.lag / 500))
    assert short.sum() > 5
    assert np.all(np.abs(found.value - expected)[short]
                  < 4 * found.noise_error[short] + 0.02 * expected[short])


def test_a_random_walk_has_the_slope_one_within_the_error_and_the_level_of_its_steps():
    rng = np.random.default_rng(3)
    seconds = 10.0 * np.arange(500)
    found = [structure_function(measured(
        seconds, np.cumsum(rng.normal(0, 0.05, 500)) + rng.normal(0, 0.1, 500), 0.1))
        for _ in range(80)]
    slopes = np.array([(one.slope, one.slope_error) for one in found])
    assert slopes[:, 0].mean() == pytest.approx(1, abs=0.08)
    assert ((slopes[:, 0] - 1) / slopes[:, 1]).std() == pytest.approx(1, abs=0.25)
    level = np.mean([one.value for one in found], axis=0) / (0.05**2 * found[0].lag / 10)
    np.testing.assert_allclose(level[:8], 1, atol=0.1)
    error = np.mean([np.hypot(one.noise_error, one.sampling_error) for one in found], axis=0)
    ratio = np.std([one.value for one in found], axis=0) / error
    assert 0.6 < ratio.min()
    assert ratio.max() < 1.5


def test_lags_that_no_pair_has_have_no_bin():
    seconds = np.append(10.0 * np.arange(10), 100_000 + 10.0 * np.arange(10))
    found = structure_function(measured(seconds, np.ones(20), 0.1))
    assert found.pairs.sum() == 20 * 19 // 2
    between = (found.lag > 100) & (found.lag < 99_000)
    assert not between.any()
    assert np.isnan(found.slope)


def test_of_one_measurement_there_is_none():
    assert len(structure_function(measured([0.0], [1.0], 0.1)).lag) == 0
    assert len(structure_function(measured([], [], 0.1)).lag) == 0
