"""Weights measured on the visibilities are those of their noise, whatever else is in them."""

import dataclasses
import importlib

import numpy as np
import pytest

from visds.core.flags import Flag
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measured_weights import measure_weights

PAIR = ("RR", "LL")


def noisy(T=100, F=16, antennas=10, ratio=4.0, seed=0, integration=10.0, level=0.0, time=None):
    """Return a chunk of unequal antennas, channels and hands, and sigma (B,F,P) of its noise.

    sigma^2 is the product of two antennas' system temperatures, `ratio` apart at most. `level`
    (Jy; broadcast to T,B,F,P) is added.
    """
    rng = np.random.default_rng(seed)
    pairs = np.array([(i, j) for i in range(antennas) for j in range(i + 1, antennas)])
    system = rng.permutation(np.linspace(1, ratio, antennas))
    sigma = (np.sqrt(system[pairs].prod(axis=1))[:, None, None]
             * np.geomspace(1, 2, F)[:, None] * np.array([1, 1.5]))
    shape = (T, len(pairs), F, 2)
    length = np.broadcast_to(np.asarray(integration, float), (T,))
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    noise *= sigma * np.sqrt(10 / length)[:, None, None, None]
    return VisibilityChunk(
        visibility=noise + level, flags=np.zeros(shape), weight=np.ones((T, len(pairs), 1, 2)),
        uvw=np.zeros((T, len(pairs), 3)), antennas=pairs,
        time=59000 + (np.arange(T) * 10 if time is None else time) / 86400, integration=length,
        feed_angle=np.zeros(T), frequency=1e9 + 1e6 * np.arange(F), channel_width=np.full(F, 1e6),
        correlations=PAIR, phase_centre=(10.0, 20.0), frame="ICRS", field="a star", scan=1,
        spectral_window=0), sigma


def mean_over_baselines(chunk, weight):
    """Return the weighted mean (T,F,P) of the real part, and its formal error."""
    total = np.broadcast_to(weight, chunk.visibility.shape).sum(axis=1)
    return (weight * chunk.visibility.real).sum(axis=1) / total, total**-0.5


@pytest.mark.parametrize(("T", "F", "scatter"), [
    (200, 16, 0.05), (24, 32, 0.1), (10, 256, 0.1), (6, 64, 0.2), (300, 1, 0.1), (12, 1, 0.4)])
def test_weights_are_one_over_sigma_squared_of_unequal_antennas(T, F, scatter):
    chunk, sigma = noisy(T, F)
    ratio = measure_weights(chunk).weight * sigma**2
    assert np.mean(ratio) == pytest.approx(1, abs=0.02 + scatter / 10)
    assert np.std(ratio) < scatter


@pytest.mark.parametrize(("T", "F"), [(60, 16), (12, 64)])
def test_pulls_have_mean_0_and_scatter_1_and_the_gain_is_that_of_theory(T, F):
    pulls, measured, equal, ideal, flat = [], [], [], [], []
    for seed in range(4):
        chunk, sigma = noisy(T, F, seed=seed, level=3.0)
        value, error = mean_over_baselines(chunk, measure_weights(chunk).weight)
        pulls.append((value - 3) / error)
        measured.append((value - 3) * np.sqrt((1 / sigma**2).sum(axis=0)))
        equal.append((chunk.visibility.real.mean(axis=1) - 3)
                     * np.sqrt((1 / sigma**2).sum(axis=0)))
        ideal.append(np.sqrt((1 / sigma**2).sum(axis=0)))
        flat.append(len(sigma) / np.sqrt((sigma**2).sum(axis=0)))
    number = np.size(pulls)
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(number))
    assert np.std(pulls) == pytest.approx(1, abs=0.01 + 4 / np.sqrt(2 * number))
    # As sensitive as the true weights: by a sixth more than equal ones here.
    assert np.std(measured) == pytest.approx(1, abs=0.01 + 4 / np.sqrt(2 * number))
    gain = np.mean(np.divide(ideal, flat))
    assert gain > 1.15
    assert np.std(equal) / np.std(measured) == pytest.approx(gain, rel=0.01 + 4 / np.sqrt(number))


@pytest.mark.parametrize("size", [0.5, 2.0, 8.0])
def test_a_burst_is_not_weighted_down_by_itself(size):
    """What a burst of one integration loses is less than a hundredth of it."""
    lost = []
    for seed in range(12):
        chunk, sigma = noisy(40, 8, seed=seed)
        visibility = chunk.visibility.copy()
        visibility[20] += size * np.median(sigma)
        chunk = chunk.replace(visibility=visibility)
        value, _ = mean_over_baselines(chunk, measure_weights(chunk).weight)
        best, _ = mean_over_baselines(chunk, sigma**-2.0)
        lost.append(np.mean(best[20] - value[20]) / (size * np.median(sigma)))
    assert np.mean(lost) < 0.01
    assert np.mean(lost) > -4 * np.std(lost) / np.sqrt(len(lost))


def test_interference_in_some_integrations_is_not_noise():
    chunk, sigma = noisy(100, 16)
    spoiled = chunk.visibility.copy()
    spoiled[np.random.default_rng(1).random(100) < 0.04] += 1000
    spoiled[::20, 3, 5] += 50j
    ratio = measure_weights(chunk.replace(visibility=spoiled)).weight[0] * sigma**2
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)
    assert ratio[3, 5] == pytest.approx(1, abs=0.15)


def test_what_is_really_noisier_keeps_its_own_noise():
    """A bad channel of one baseline, an antenna that is bad in one hand, a bad channel of all."""
    chunk, sigma = noisy(100, 16)
    worse = np.ones(sigma.shape)
    worse[7, 4] = 3
    worse[(chunk.antennas == 2).any(axis=1), :, 1] *= 4
    worse[:, 9] *= 5
    visibility = chunk.visibility * worse
    ratio = measure_weights(chunk.replace(visibility=visibility)).weight[0] * (sigma * worse)**2
    assert np.all(np.abs(ratio[7, 4] - 1) < 0.5)
    assert np.mean(ratio[(chunk.antennas == 2).any(axis=1), :, 1]) == pytest.approx(1, abs=0.03)
    assert np.mean(ratio[:, 9]) == pytest.approx(1, abs=0.03)


def test_an_antenna_without_gain_is_left_out_and_not_the_best_of_all():
    """Zeros with little noise would have all the weight, and the source would be gone."""
    chunk, sigma = noisy(60, 8, level=3.0)
    silent = (chunk.antennas == 4).any(axis=1)
    visibility = chunk.visibility * np.where(silent, 1e-6, 1)[:, None, None]
    measured = measure_weights(chunk.replace(visibility=visibility))
    assert np.all(measured.weight[:, silent] == 0)
    assert np.mean((measured.weight[0] * sigma**2)[~silent]) == pytest.approx(1, abs=0.02)
    value, error = mean_over_baselines(measured, measured.weight)
    assert np.mean(value) == pytest.approx(3, abs=4 * np.mean(error) / np.sqrt(value.size))


def test_antennas_of_very_different_size_are_all_used():
    chunk, sigma = noisy(60, 8, ratio=200.0)
    assert np.mean(measure_weights(chunk).weight[0] * sigma**2) == pytest.approx(1, abs=0.02)


def test_sources_off_the_phase_centre_are_not_noise_as_long_as_their_fringes_turn_slowly():
    """0.3 rad an integration at 3 sigma: first differences would have a fifth more variance."""
    chunk, sigma = noisy(200, 4)
    turned = np.exp(0.3j * np.arange(200))[:, None, None, None]
    added = measure_weights(chunk.replace(visibility=chunk.visibility + 3 * sigma * turned))
    assert np.mean(added.weight[0] * sigma**2) == pytest.approx(1, abs=0.03)


def test_flags_gaps_and_rows_that_are_not_there_are_passed_over():
    chunk, sigma = noisy(200, 8, time=np.arange(200) * 10 + 3600 * (np.arange(200) > 90))
    flags, visibility = chunk.flags.copy(), chunk.visibility.copy()
    flags[::2, 5] = Flag.ABSENT
    visibility[::2, 5] = 0
    bad = np.random.default_rng(2).random(flags.shape) < 0.2
    flags[bad] |= np.uint8(Flag.MEASUREMENT_SET)
    visibility[bad] = 1e4
    visibility[11, 7, 3] = np.nan
    visibility[17, 7, 3] = np.inf
    flags[:, 8] = Flag.MEASUREMENT_SET  # of which nothing is known but what its antennas are
    ratio = measure_weights(chunk.replace(flags=flags, visibility=visibility)).weight[0] * sigma**2
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)
    assert np.std(ratio) < 0.1
    assert np.mean(ratio[8]) == pytest.approx(1, abs=0.1)


def test_sigma_squared_goes_as_one_over_the_length_of_an_integration():
    length = np.where(np.arange(100) % 5 == 4, 2.5, 10.0)
    chunk, sigma = noisy(100, 8, integration=length)
    weight = measure_weights(chunk).weight
    assert np.mean(weight[0] * sigma**2) == pytest.approx(1, abs=0.02)
    np.testing.assert_allclose(weight[4], weight[0] / 4, rtol=1e-5)


def test_where_a_chunk_is_cut_changes_weights_by_their_own_error_only():
    chunk, _ = noisy(200, 8)
    whole = measure_weights(chunk).weight[0]
    # Of 50 integrations two channels, which differ by a fifth, are taken together.
    for part, scatter in ((chunk.select_times(0, 100), 0.1), (chunk.select_times(150, 200), 0.15)):
        ratio = measure_weights(part).weight[0] / whole
        assert np.mean(ratio) == pytest.approx(1, abs=0.02)
        assert np.std(ratio) < scatter


def test_the_order_of_channels_and_of_baselines_does_not_matter():
    chunk, _ = noisy(80, 8)
    there = measure_weights(chunk).weight
    back = measure_weights(chunk.replace(
        visibility=chunk.visibility[:, ::-1, ::-1], flags=chunk.flags[:, ::-1, ::-1],
        antennas=chunk.antennas[::-1])).weight
    np.testing.assert_allclose(back, there[:, ::-1, ::-1], rtol=1e-5)


def test_two_integrations_or_one_are_measured_on_neighbouring_channels():
    for T in (1, 2):
        chunk, sigma = noisy(T, 64, level=5.0)
        weight = measure_weights(chunk).weight
        assert weight.shape == (T, 45, 1, 2)
        # Channels are up to twice as noisy as others: their common variance is the mean.
        ratio = weight * np.mean(sigma**2, axis=1, keepdims=True)
        assert np.mean(ratio) == pytest.approx(1, abs=0.1)
        assert np.std(ratio) < 0.3


def test_what_has_neither_gets_the_scatter_of_all_and_what_has_no_noise_equal_weights():
    chunk, sigma = noisy(2, 2, ratio=1.0, level=5.0)
    weight = measure_weights(chunk).weight
    assert weight.shape == (2, 45, 1, 2)
    assert np.ptp(weight[..., 0]) == 0
    # The median of channels of which one has four times the variance is below the mean.
    assert weight[0, 0, 0] * np.mean(sigma[0]**2, axis=0) == pytest.approx([1.3, 1.3], rel=0.3)
    for T in (1, 5):
        none = dataclasses.replace(noisy(T, 4)[0], visibility=np.full((T, 45, 4, 2), 2 + 1j, "c8"))
        assert np.unique(measure_weights(none).weight).tolist() == [1]
        all_flagged = none.replace(flags=np.ones_like(none.flags))
        assert np.all(np.isfinite(measure_weights(all_flagged).weight))


def test_the_chunk_that_is_given_stays_as_it_is():
    chunk, _ = noisy(20, 4)
    before = {name: getattr(chunk, name).copy() for name in chunk.array_specs()}
    measured = measure_weights(chunk)
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(chunk, name), values)
    assert measured.visibility is chunk.visibility
    assert measured.weight.strides[0] == 0


@pytest.mark.parametrize("program", ["image", "model"])
def test_programs_that_measure_no_weights_refuse_to(program, observed, tmp_path, capsys):
    main = importlib.import_module(f"visds.commands.{program}").main
    assert main([str(observed("vla_NGC5921_cal")), "-o", str(tmp_path / "out"), "--weights",
                 "measured"]) == 2
    assert "--weights measured: visds-run measures them" in capsys.readouterr().err
