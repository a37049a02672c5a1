"""Fieller intervals of V/I: how often they hold the truth, and what they look like."""

import numpy as np
import pytest

from visds.dynspec.polarimetry.ratio import SIGMA, fieller_interval

N = 4000


def pairs(part, whole, covariance, seed=2):
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal((part, whole), [[1, covariance], [covariance, 1]], N)


@pytest.mark.parametrize("snr", [0.5, 1, 2, 4, 20])
@pytest.mark.parametrize("fraction", [0.8, -0.3])
@pytest.mark.parametrize("covariance", [0.0, 0.6])
def test_the_interval_holds_the_truth_in_68_per_cent_of_draws_at_any_signal_to_noise(
        snr, fraction, covariance):
    held = np.mean([fieller_interval(v, i, 1.0, 1.0, covariance).holds(fraction)
                    for v, i in pairs(fraction * snr, snr, covariance)])
    assert held == pytest.approx(SIGMA, abs=4 * np.sqrt(SIGMA * (1 - SIGMA) / N))


def test_the_standard_error_of_a_ratio_fails_where_i_is_weak():
    v, i = pairs(0.8, 1.0, 0.0).T
    ratio = v / i
    error = np.sqrt(1 + ratio**2) / np.abs(i)
    assert abs(np.mean(np.abs(ratio - 0.8) < error) - SIGMA) > 0.08


def test_where_i_is_strong_the_interval_is_the_standard_error():
    found = fieller_interval(30.0, 100.0, 1.0, 1.0, 0.4)
    error = np.sqrt(1 + 0.3**2 - 2 * 0.3 * 0.4) / 100
    assert (found.low, found.high) == pytest.approx((0.3 - error, 0.3 + error), abs=1e-4)
    assert found.kind == "bounded"


def test_unbounded_intervals_say_so():
    outside = fieller_interval(5.0, 0.5, 1.0, 1.0)
    assert outside.kind == "outside" and outside.low < 0 < outside.high
    assert outside.holds(10.0) and outside.holds(-1e9) and not outside.holds(0.0)
    everything = fieller_interval(0.1, 0.2, 1.0, 1.0)
    assert (everything.kind, everything.low, everything.high) == ("all", -np.inf, np.inf)
    assert everything.holds(1e9)


@pytest.mark.parametrize("values", [(np.nan, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, np.nan)])
def test_what_is_not_known_has_no_interval(values):
    found = fieller_interval(*values)
    assert found.kind == "" and np.isnan([found.low, found.high]).all()
    assert not found.holds(0.5)
