"""Stokes parameters and their errors from sums over baselines, against draws of the noise."""

import numpy as np
import pytest
from noisy import CIRCULAR, LINEAR, TRUTH, chunk, spectrum, unequal

from visds.core.flags import Flag
from visds.core.polarization import PAIRS

T = 4000
# Four standard deviations of a mean, and of a standard deviation, of T draws.
MEAN, SCATTER = 4 / np.sqrt(T), 4 / np.sqrt(2 * T)


def check_pulls(values, truth, sigma, scatter=1.0):
    pulls = (values - truth) / sigma
    assert np.mean(pulls) == pytest.approx(0, abs=MEAN)
    assert np.std(pulls) == pytest.approx(scatter, abs=SCATTER)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR, ("LL", "RR"), ("YY", "XX", "YX", "XY")])
@pytest.mark.parametrize("feed_angle", [0.0, 0.7])
def test_the_truth_is_within_the_formal_and_the_empirical_error(labels, feed_angle):
    B = 20
    made = spectrum(chunk(labels, unequal(B, labels), T, feed_angle=feed_angle if len(labels) == 4
                          else 0.0))
    for name in made.polarizations:
        p = made.polarizations.index(name)
        truth = TRUTH["IQUV".index(name)]
        values = made.flux_density[:, 0, p]
        check_pulls(values, truth, made.sigma_formal[:, 0, p])
        check_pulls(made.residual[:, 0, p], 0, made.sigma_formal[:, 0, p])
        # The empirical variance is unbiased, whatever the weights.
        ratio = np.mean(made.sigma_empirical[:, 0, p] ** 2) / np.mean(
            made.sigma_formal[:, 0, p] ** 2)
        assert ratio == pytest.approx(1, abs=0.02)
        assert np.std(values) == pytest.approx(
            np.sqrt(np.mean(made.sigma_empirical[:, 0, p] ** 2)), rel=SCATTER)


@pytest.mark.parametrize("B", [2, 3, 5])
def test_the_empirical_variance_is_unbiased_for_few_baselines(B):
    made = spectrum(chunk(("RR", "LL"), unequal(B, ("RR", "LL")), T=20000))
    ratio = np.mean(made.sigma_empirical**2, axis=0) / np.mean(made.sigma_formal**2, axis=0)
    np.testing.assert_allclose(ratio, 1, atol=0.06)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
@pytest.mark.parametrize("feed_angle", [0.0, 0.3, 1.2, "turning"])
def test_the_covariance_of_the_parallel_hands_is_that_of_the_draws(labels, feed_angle):
    B = 20
    angle = np.linspace(0, 3, T) if feed_angle == "turning" else feed_angle
    made = spectrum(chunk(labels, unequal(B, labels, second=3.0), T, feed_angle=angle))
    partner = "V" if "RR" in labels else "Q"
    i, p = made.values("I")[:, 0], made.values(partner)[:, 0]
    drawn = (i - TRUTH[0]) * (p - TRUTH["IQUV".index(partner)])
    spread = np.std(i) * np.std(p)
    for calibrated in (True, False):
        found = made.replace(meta=made.meta | {"weights_calibrated": calibrated}).covariance[:, 0]
        assert np.mean(drawn - found) == pytest.approx(0, abs=4.5 * spread / np.sqrt(T))
    # It is not small: three times the noise in one hand.
    if feed_angle == 0.0:
        assert abs(np.mean(drawn)) > 0.5 * spread


def test_covariance_of_circular_feeds_is_a_quarter_of_the_difference_of_the_hands_variances():
    sigma = np.tile([1.0, 2.0], (10, 1))
    made = spectrum(chunk(("RR", "LL"), sigma, T=2)).replace(meta={})
    formal = made.sum_w2_covariance / made.sum_w[..., 0] ** 2
    np.testing.assert_allclose(formal, (1.0 - 4.0) / 4 / 10, rtol=1e-6)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
def test_the_error_of_a_hand_follows_from_those_of_its_stokes_parameters(labels):
    sigma = np.tile([0.5, 1, 1, 1.5], (25, 1))
    made = spectrum(chunk(labels, sigma, T))
    for hand, own in ((labels[0], 0.5), (labels[3], 1.5)):
        values = made.values(hand)[:, 0]
        assert np.std(values) == pytest.approx(own / 5, rel=SCATTER)
        assert np.sqrt(np.mean(made.errors(hand)[:, 0] ** 2)) == pytest.approx(own / 5, rel=0.01)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
@pytest.mark.parametrize("angle", [0.0, 0.4, -1.3, np.pi])
def test_feeds_turned_on_the_sky_are_turned_back(labels, angle):
    made = spectrum(chunk(labels, np.full((5, 4), 1e-6), T=3, feed_angle=angle))
    np.testing.assert_allclose(made.flux_density[:, 0], np.tile(TRUTH, (3, 1)), atol=1e-5)


def test_linear_feeds_at_90_degrees_see_q_and_u_with_the_other_sign():
    seen = chunk(LINEAR, np.full((5, 4), 1e-6), T=1, feed_angle=np.pi / 2)
    unturned = spectrum(seen.replace(feed_angle=[0.0]))
    np.testing.assert_allclose(unturned.flux_density[0, 0], [1, -0.1, -0.2, -0.3], atol=1e-5)


def test_feeds_at_45_degrees_measure_u_as_q():
    # X at position angle 45 degrees, north through east, is where U is positive.
    seen = chunk(LINEAR, np.full((5, 4), 1e-6), T=1, stokes=(1, 0, 0.5, 0),
                 feed_angle=np.pi / 4).replace(feed_angle=[0.0])
    np.testing.assert_allclose(spectrum(seen).flux_density[0, 0], [1, 0.5, 0, 0], atol=1e-5)


def test_circular_feeds_turned_by_alpha_turn_rl_by_minus_two_alpha():
    alpha = 0.3
    seen = chunk(CIRCULAR, np.full((5, 4), 1e-6), T=1, feed_angle=alpha)
    rl = seen.visibility[0, 0, 0, 1]
    assert rl == pytest.approx((0.1 + 0.2j) * np.exp(-2j * alpha), abs=1e-5)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "".join(pair.correlations))
def test_what_one_correlation_of_a_pair_misses_the_other_is_not_used_for_either(pair):
    labels = CIRCULAR if "R" in pair.correlations[0] else LINEAR
    made = chunk(labels, np.full((6, 4), 0.1), T=4)
    a, b = (labels.index(label) for label in pair.correlations)
    made.flags[0, 2, 0, a] = Flag.MEASUREMENT_SET
    made.visibility[1, 3, 0, b] = np.nan
    made.visibility[2, 4, 0, a] = np.inf
    weight = made.weight.copy()
    weight[3, 5, 0, b] = 0
    made = made.replace(weight=weight)
    found = spectrum(made)
    for name in "IQUV":
        p = "IQUV".index(name)
        concerned = name in (pair.sum_stokes, pair.difference_stokes)
        assert found.count[:, 0, p].tolist() == ([5] * 4 if concerned else [6] * 4)
        assert found.flags[:, 0, p].tolist() == ([
            Flag.MEASUREMENT_SET, Flag.NOT_FINITE, Flag.NOT_FINITE, Flag.ZERO_WEIGHT]
            if concerned else [0] * 4)
    # What is left is the plain mean over the other baselines.
    left = np.delete(made.visibility[0, :, 0], 2, axis=0)
    expected = (left[:, a] + left[:, b]).mean() / 2
    assert found.flux_density[0, 0, "IQUV".index(pair.sum_stokes)] == pytest.approx(
        expected.real, rel=1e-6)


def test_turned_q_and_u_are_empty_where_either_pair_is():
    made = chunk(LINEAR, np.full((6, 4), 0.1), T=2, feed_angle=0.3)
    made.flags[0, :, 0, 1] = 1
    found = spectrum(made)
    assert np.isnan(found.flux_density[0, 0, 1:]).all()
    assert not np.isnan(found.flux_density[0, 0, 0])
    assert found.flags[0, 0, 1] == Flag.EMPTY | Flag.MEASUREMENT_SET
    assert not np.isnan(found.flux_density[1, 0]).any()
    assert found.sum_w[0, 0, 1] == 0 and found.sum_wv[0, 0, 1] == 0


def test_flags_in_one_hand_do_not_fake_circular_polarization():
    # Gains differ from antenna to antenna by 10 %: a V made of different baselines in R and L
    # would be some percent of I; coupled it is exactly zero.
    B, T = 20, 50
    rng = np.random.default_rng(2)
    made = chunk(("RR", "LL"), np.full((B, 2), 1e-4), T, stokes=(10, 0, 0, 0))
    gains = 1 + 0.1 * rng.standard_normal((1, B, 1, 1))
    flags = np.zeros(made.flags.shape, np.uint8)
    flags[..., 0] = rng.uniform(size=(T, B, 1)) < 0.4
    made = made.replace(visibility=made.visibility * gains, flags=flags)
    found = spectrum(made)
    assert np.max(np.abs(found.values("V"))) < 5e-4
    uncoupled = [np.mean([made.visibility[t, flags[t, :, 0, 0] == 0, 0, 0].mean()
                          - made.visibility[t, :, 0, 1].mean()]).real for t in range(T)]
    assert np.std(uncoupled) > 0.05


def test_swapping_rr_and_ll_flips_v_and_leaves_i():
    made = chunk(("RR", "LL"), unequal(8, ("RR", "LL")), T=5)
    swapped = made.replace(correlations=("LL", "RR"))
    first, second = spectrum(made), spectrum(swapped)
    np.testing.assert_allclose(first.values("I"), second.values("I"), rtol=1e-12)
    np.testing.assert_allclose(first.values("V"), -second.values("V"), rtol=1e-12)
    np.testing.assert_allclose(first.sigma, second.sigma, rtol=1e-9)
