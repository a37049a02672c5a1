"""Bayesian blocks: how often noise is divided, and where a light curve that changes is."""

import itertools

import numpy as np
import pytest
from light_curves import measured

from visds.dynspec.variability.bayesian_blocks import bayesian_blocks, block_starts, price


@pytest.mark.parametrize(("number", "probability"), [(8, 0.1), (60, 0.05), (400, 0.1)])
def test_a_constant_source_is_divided_as_often_as_asked(number, probability):
    rng = np.random.default_rng(number)
    looks = 1500
    divided = sum(len(block_starts(rng.normal(3, 0.1, number), np.full(number, 0.1),
                                   probability)) > 1 for _ in range(looks))
    expected = probability * looks
    assert divided == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.1 * expected)


def test_unequal_errors_do_not_make_blocks():
    rng = np.random.default_rng(1)
    divided = 0
    for _ in range(500):
        sigma = rng.uniform(0.05, 0.5, 60)
        divided += len(block_starts(1 + sigma * rng.standard_normal(60), sigma, 0.1)) > 1
    assert divided < 500 * 0.1 + 4 * np.sqrt(50)


def test_the_division_is_the_best_of_all():
    rng = np.random.default_rng(2)
    for _ in range(20):
        values, sigma = rng.normal(0, 2, 8), rng.uniform(0.3, 1, 8)
        values = values - np.average(values, weights=sigma**-2)

        def worth(starts, values=values, sigma=sigma):
            ends = (*starts[1:], 8)
            return sum(np.sum((values / sigma**2)[a:b]) ** 2 / (2 * np.sum(sigma[a:b] ** -2))
                       - price(8, 0.05) for a, b in zip(starts, ends, strict=True))

        best = max(((0, *inner) for n in range(8)
                    for inner in itertools.combinations(range(1, 8), n)), key=worth)
        assert tuple(block_starts(values, sigma, 0.05)) == best


def test_a_flare_is_a_block_of_its_own_with_its_flux_density_and_error():
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(60):
        values = np.where((np.arange(100) >= 40) & (np.arange(100) < 55), 2.0, 1.0)
        found = bayesian_blocks(measured(10.0 * np.arange(100), values + rng.normal(0, 0.1, 100),
                                         0.1), 0.01)
        flare = int(np.argmax(found.flux_density))
        assert found.first[flare] == 40
        assert found.number[flare] == 15
        assert (found.start[flare] - 59000) * 86400 == pytest.approx(395, abs=1e-3)
        assert (found.stop[flare] - 59000) * 86400 == pytest.approx(545, abs=1e-3)
        assert found.error[flare] == pytest.approx(0.1 / np.sqrt(15))
        pulls.append((found.flux_density[flare] - 2) / found.error[flare])
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(60))
    assert np.std(pulls) == pytest.approx(1, abs=0.3)


def test_a_gap_between_two_blocks_belongs_to_neither():
    seconds = np.append(10.0 * np.arange(20), 5000 + 10.0 * np.arange(20))
    found = bayesian_blocks(measured(seconds, np.repeat([1.0, 2.0], 20), 0.1))
    assert len(found) == 2
    assert (found.start[1] - found.stop[0]) * 86400 == pytest.approx(5000 - 200, abs=1e-3)


def test_of_no_measurement_there_is_no_block_and_of_one_there_is_one():
    assert len(bayesian_blocks(measured([], [], 0.1))) == 0
    one = bayesian_blocks(measured([0.0], [2.0], 0.1))
    assert one.flux_density.tolist() == [2.0]
    assert np.isnan(one.reduced_chi_squared[0])
