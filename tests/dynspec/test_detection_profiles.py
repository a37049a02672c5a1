"""Gaussian templates against slow sums over cells, and against what is ideal for a burst."""

import numpy as np
import pytest

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.profiles import box_profiles, gaussian_profiles

GAUSSIAN = ("gaussian",)


def laid(profile, place, length):
    """Return the heights (length) of a profile whose centre is in the step of a sample."""
    result = np.zeros(length)
    first = place // profile.step - profile.before
    if profile.whole and (first < 0 or first + len(profile.heights) > -(-length // profile.step)):
        return result
    for n, height in enumerate(profile.heights):
        start = (first + n) * profile.step
        result[max(start, 0):max(start + profile.step, 0)] = height
    return result


def every_profile(profiles, length):
    """Return the heights (N,length) of profiles at all places, and the sum of squares (N)."""
    laid_out = [(laid(p, place, length), (p.heights**2).sum() * p.step)
                for p in profiles for place in range(0, length, p.step)]
    return np.array([heights for heights, _ in laid_out]), np.array([one for _, one in laid_out])


def slow_extremes(values, weight, boxes, coherent, families):
    """Return the highest signal to noise of values (C,T,F), and the lowest, from all cells."""
    found = []
    for i, scan in enumerate(boxes.scans):
        level = np.array([boxes.levels(v, weight)[0][i] for v in values])
        total = boxes.levels(values[0], weight)[1][i]
        w, d = weight[scan], values[:, scan] - level[:, None]
        for in_time, in_frequency in families(scan):
            G, whole_f = every_profile(in_frequency, values.shape[-1])
            for g, whole in zip(*every_profile(in_time, scan.stop - scan.start), strict=True):
                g = g[:, None]
                first, second = (w * g).sum(0), (w * g**2).sum(0)
                e = second - np.divide(first**2, total, out=np.zeros(len(first)), where=total > 0)
                free = e > 1e-9 * second
                share = np.divide(e, second, out=np.zeros(len(e)), where=free)
                variance = G**2 @ np.where(free, e, 0)
                shared = G @ ((w * g * coherent[scan]).sum(0) * share)
                good = G**2 @ (((w > 0) * g**2).sum(0) * free)
                counts = (variance > 0) & (
                    good >= boxes.good_fraction * whole * whole_f * (1 - 1e-9))
                sums = ((w * g * d).sum(1) * free) @ G[counts].T
                sums = sums / np.sqrt(variance + shared**2)[counts]
                found += list(sums[0] if len(sums) == 1 else np.hypot(*sums))
    return max(found), min(found)


def noise(seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.2, 5, (40, 30)) * (rng.random((40, 30)) > 0.2)
    return rng.normal(0.3, 1, (2, 40, 30)), weight, np.full((40, 30), 0.1)


@pytest.mark.parametrize("quiescent", ["observation", "scan", "none"])
def test_signal_to_noise_of_gaussians_is_that_of_the_sum_over_their_cells(quiescent):
    values, weight, coherent = noise()
    boxes = Boxes((slice(0, 12), slice(12, 40)), 30, quiescent=quiescent, templates=GAUSSIAN)
    highest, lowest = slow_extremes(values[:1], weight, boxes, coherent,
                                    lambda scan: [boxes.gaussians(scan)])
    matched_filter = MatchedFilter(weight, boxes, coherent=coherent)
    found = matched_filter.extremes(values[:1])
    assert (found[0][0], found[1][0]) == pytest.approx((highest, lowest), rel=1e-10)
    best = matched_filter.best(values[0], 1.0)
    assert best.snr.max() == pytest.approx(highest, rel=1e-10)


def test_signal_to_noise_of_linear_polarization_is_that_of_q_and_u_together():
    values, weight, coherent = noise(1)
    boxes = Boxes((slice(0, 40),), 30, templates=("box", "gaussian"))
    highest, _ = slow_extremes(
        values, weight, boxes, coherent,
        lambda scan: [boxes.gaussians(scan), boxes.boxes_as_profiles(scan)])
    matched_filter = MatchedFilter(weight, boxes, coherent=coherent)
    assert matched_filter.extremes(values[None])[0][0] == pytest.approx(highest, rel=1e-10)
    turned = np.array([values[0] * 0.6 - values[1] * 0.8, values[0] * 0.8 + values[1] * 0.6])
    assert matched_filter.extremes(turned[None])[0][0] == pytest.approx(highest, rel=1e-10)


@pytest.mark.parametrize("sigma", [(1.5, 1.5), (2.3, 9.0), (6.1, 3.4), (20.0, 16.0), (13.0, 5.0)])
def test_gaussian_bursts_have_nearly_the_signal_to_noise_of_their_own_shape(sigma):
    # Wherever its centre is between samples, and whatever its width between those of templates.
    shape = (160, 160)
    boxes = Boxes((slice(0, 160),), 160, quiescent="none", templates=("box", "gaussian"))
    matched_filter = MatchedFilter(np.ones(shape), boxes)
    rng = np.random.default_rng(0)
    t, f = np.arange(160)[:, None], np.arange(160)
    bursts = np.array([np.exp(-((t - rng.uniform(60, 100)) / sigma[0]) ** 2 / 2)
                       * np.exp(-((f - rng.uniform(60, 100)) / sigma[1]) ** 2 / 2)
                       for _ in range(4)])
    ideal = np.sqrt((bursts**2).sum((1, 2)))
    worth = 0.9 * ideal.min()
    loss = 1 - matched_filter.extremes(bursts, (worth, -worth))[0] / ideal
    assert loss.mean() < 0.03 and loss.max() < 0.045
    only = Boxes((slice(0, 160),), 160, quiescent="none")
    assert np.all(MatchedFilter(np.ones(shape), only).extremes(bursts)[0] < 0.93 * ideal)


def test_burst_that_fills_the_band_has_the_signal_to_noise_of_a_flat_template():
    t = np.arange(128)[:, None]
    burst = np.exp(-((t - 60.2) / 7.0) ** 2 / 2) * np.ones((128, 64))
    boxes = Boxes((slice(0, 128),), 64, quiescent="none", templates=GAUSSIAN)
    found = MatchedFilter(np.ones(burst.shape), boxes).extremes(burst[None], (1, -1))[0][0]
    assert found == pytest.approx(np.sqrt((burst**2).sum()), rel=0.015)


def test_best_gaussian_says_where_the_burst_is_and_how_wide():
    t, f = np.arange(128)[:, None], np.arange(64)
    burst = np.exp(-((t - 50) / 8) ** 2 / 2) * np.exp(-((f - 30) / 5.7) ** 2 / 2)
    boxes = Boxes((slice(0, 20), slice(20, 128)), 64, templates=GAUSSIAN)
    matched_filter = MatchedFilter(np.ones(burst.shape), boxes)
    found = matched_filter.best(burst, 0.5)
    place = np.unravel_index(np.argmax(found.snr), found.snr.shape)
    (times, channels), gaussian = matched_filter.template(found, *place)
    assert gaussian.time == pytest.approx(50, abs=1.1)
    assert gaussian.channel == pytest.approx(30, abs=0.8)
    assert gaussian.time_sigma == pytest.approx(8, rel=0.2)
    assert gaussian.channel_sigma == pytest.approx(5.7, rel=0.2)
    assert (times.stop - times.start) / 8 == pytest.approx(2.8, abs=0.6)
    assert (channels.start + channels.stop - 1) / 2 == pytest.approx(30, abs=1)


def test_profiles_are_of_few_steps_whatever_their_width():
    for profile in gaussian_profiles(5000):
        assert len(profile.heights) <= 27
        assert profile.heights.max() == pytest.approx(1, abs=0.01)
    assert [p.width for p in box_profiles([1, 4, 64])] == [1, 4, 64]
    assert [len(p.heights) for p in box_profiles([1, 4, 64])] == [1, 4, 8]
    assert gaussian_profiles(1) == ()
