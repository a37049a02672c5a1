"""Flares as they are put in: fluence, drift, band; the same in sums and in visibilities."""

import math

import noisy
import numpy as np
import pytest

from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.primary_beam import correct_primary_beam
from visds.injection.flare import Flare, peak_of
from visds.injection.sums import add_flares
from visds.injection.visibilities import with_flares

TIME = 59000 + np.arange(100) * 10 / 86400
INTEGRATION = np.full(100, 10.0)
FREQUENCY = 1e9 + 1e6 * np.arange(32)
WIDTH = np.full(32, 1e6)
STOKES = ("I", "Q", "U", "V")


def profile(flare):
    return flare.profile(TIME, INTEGRATION, FREQUENCY, WIDTH)


@pytest.mark.parametrize("shape", ["gaussian", "box"])
@pytest.mark.parametrize("duration", [1.0, 13.0, 100.0])
def test_cells_sum_to_the_fluence_wherever_the_flare_lies_in_an_integration(shape, duration):
    for shift in (0.0, 1.7, 5.0, 8.1):
        flare = Flare(TIME[50] + shift / 86400, duration, 1e9,
                      (peak_of(3.0, duration, shape), 0, 0, 0), shape=shape)
        fluence = flare.stokes[0] * (profile(flare) * INTEGRATION[:, None]).sum(0)
        np.testing.assert_allclose(fluence, 3.0, rtol=1e-6)
        assert flare.fluence == pytest.approx(3.0)


def test_a_flare_of_positive_drift_is_later_at_higher_frequency():
    flare = Flare(TIME[40], 20.0, FREQUENCY[0], (1, 0, 0, 0), drift=0.1e6)
    brightest = profile(flare).argmax(axis=0)
    assert brightest[0] == 40 and brightest[30] == 40 + 30  # 30 MHz at 0.1 MHz/s are 300 s


def test_a_box_in_frequency_is_in_its_band_and_shares_the_channels_at_its_edges():
    flare = Flare(TIME[40], 50.0, 1.010e9, (1, 0, 0, 0), bandwidth=5e6, shape="box")
    band = profile(flare)[40]
    np.testing.assert_allclose(band[8:13], 1)
    assert band[7] == band[13] == 0
    shifted = Flare(TIME[40], 50.0, 1.0103e9, (1, 0, 0, 0), bandwidth=5e6, shape="box")
    assert profile(shifted)[40, 13] == pytest.approx(0.3)


def test_what_a_flare_reaches_is_all_of_it():
    for flare in (Flare(TIME[40], 30.0, 1.01e9, (1, 0, 0, 0), drift=-0.3e6, bandwidth=8e6),
                  Flare(TIME[40], 30.0, 1.01e9, (1, 0, 0, 0), shape="box")):
        times = flare.reach(TIME, INTEGRATION, FREQUENCY)
        rest = np.setdiff1d(np.arange(100), times)
        assert profile(flare)[rest].max() < 1e-7


def observed(labels, feed_angle=0.0):
    """Return a chunk of unequal antennas and baselines of some length, flags in some cells."""
    rng = np.random.default_rng(3)
    T, B, F = 40, 12, 4
    flags = (rng.random((T, B, F, len(labels))) < 0.1).astype("u1")
    made = noisy.chunk(labels, noisy.unequal(B, labels), T=T, F=F, feed_angle=feed_angle,
                       flags=flags)
    return made.replace(uvw=rng.normal(0, 300, (T, B, 3)))


DIRECTION = Direction(10.05, 19.96)
FLARES = (Flare(59000 + 100 / 86400, 25.0, 1.001e9, (2.0, 0.3, -0.5, -1.1), drift=1e5),
          Flare(59000 + 290 / 86400, 60.0, 1.002e9, (0.7, 0.0, 0.1, 0.4), bandwidth=2e6,
                shape="box"))


@pytest.mark.parametrize(("labels", "stokes"), [
    (noisy.CIRCULAR, STOKES), (noisy.LINEAR, STOKES), (("RR", "LL"), ("I", "V"))])
def test_flares_in_the_visibilities_and_in_the_sums_are_the_same(labels, stokes):
    angle = np.linspace(0, 0.7, 40) if labels == noisy.LINEAR else 0.0
    chunk = observed(labels, angle)
    slow = make_block([with_flares(chunk, DIRECTION, FLARES)], DIRECTION, stokes, labels)
    fast = add_flares(make_block([chunk], DIRECTION, stokes, labels), FLARES)
    for name in DynamicSpectrum.array_specs():
        expected, found = (np.asarray(getattr(one, name)) for one in (slow, fast))
        scale = np.nanmax(np.abs(expected)) if np.isfinite(expected).any() else 1
        np.testing.assert_allclose(found, expected, rtol=0, atol=3e-7 * scale, err_msg=name)


def test_a_flare_adds_its_flux_density_and_leaves_the_errors_and_the_imaginary_part():
    chunk = observed(noisy.CIRCULAR)
    before = make_block([chunk], DIRECTION, STOKES, noisy.CIRCULAR)
    after = add_flares(before, FLARES)
    added = sum(flare.profile(before.time, before.integration, before.frequency,
                              before.channel_width)[..., None] * flare.stokes for flare in FLARES)
    # Beyond three widths, where a Gaussian is below exp(-25), nothing is added.
    np.testing.assert_allclose(after.flux_density - before.flux_density, added, atol=4e-11)
    np.testing.assert_allclose(after.residual, before.residual, atol=1e-12)
    np.testing.assert_allclose(after.sigma, before.sigma, rtol=1e-9)
    np.testing.assert_allclose(after.covariance, before.covariance, rtol=1e-7, atol=1e-9)
    assert np.abs(added).max() > 1


def test_the_spectrum_given_stays_as_it_is():
    before = make_block([observed(noisy.CIRCULAR)], DIRECTION, STOKES, noisy.CIRCULAR)
    copies = {name: getattr(before, name).copy() for name in ("sum_wv", "sum_w2v2")}
    add_flares(before, FLARES)
    for name, copy in copies.items():
        np.testing.assert_array_equal(getattr(before, name), copy)


def test_an_attenuated_flare_in_the_visibilities_is_itself_after_the_correction():
    chunk, power = observed(noisy.CIRCULAR), np.array([0.9, 0.7, 0.5, 0.3])
    labels = noisy.CIRCULAR
    slow = correct_primary_beam(make_block(
        [with_flares(chunk, DIRECTION, FLARES, power)], DIRECTION, STOKES, labels), power)
    fast = add_flares(correct_primary_beam(
        make_block([chunk], DIRECTION, STOKES, labels), power), FLARES)
    np.testing.assert_allclose(fast.flux_density, slow.flux_density, atol=1e-6)
    np.testing.assert_allclose(fast.sigma_empirical, slow.sigma_empirical, rtol=1e-5)


def test_a_flare_looked_at_from_elsewhere_is_washed_out():
    chunk = observed(noisy.CIRCULAR)
    other = Direction(9.9, 20.1)
    flared = make_block([with_flares(chunk, DIRECTION, FLARES)], other, STOKES, noisy.CIRCULAR)
    plain = make_block([chunk], other, STOKES, noisy.CIRCULAR)
    change = np.abs((flared.flux_density - plain.flux_density)[..., 0])
    assert change.max() < 0.9 * 2.0 and change.mean() < 0.1


def test_fluence_in_a_band_is_the_mean_of_its_channels():
    flare = Flare(TIME[40], 30.0, 1.010e9, (2.0, 0, 0, -1.0), bandwidth=6e6)
    inside = (FREQUENCY >= 1.006e9) & (FREQUENCY <= 1.012e9)
    expected = -(profile(flare)[:, inside].mean(1) * 10).sum()
    assert flare.fluence_in("V", 1.006e9, 1.012e9, FREQUENCY, WIDTH) == pytest.approx(
        expected, rel=1e-6)
    assert math.isclose(flare.of("L"), 0.0)
