"""The matched filter against a slow sum over the cells of every box."""

import numpy as np
import pytest

from visds.dynspec.detection.boxes import Boxes, dyadic_widths, scan_slices
from visds.dynspec.detection.disjoint import disjoint
from visds.dynspec.detection.false_alarm import FalseAlarms, gumbel
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.search import STARTS_PER_WIDTH


def noise(shape=(12, 10), seed=0, flagged=0.2):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.2, 5, shape) * (rng.random(shape) > flagged)
    return rng.normal(0.3, 1, shape), weight


def slow_snr(values, weight, boxes, coherent):
    """Return the signal to noise of every box, from all its cells and those of its channels."""
    result = {}
    for scan in boxes.scans:
        reference = range(len(values)) if boxes.quiescent == "observation" else \
            range(scan.start, scan.stop)
        for wt in boxes.time_widths(scan):
            for wf in boxes.channel_widths():
                for t in range(scan.start, scan.stop - wt + 1):
                    for f in range(values.shape[1] - wf + 1):
                        numerator = variance = shared = 0.0
                        good = 0
                        for channel in range(f, f + wf):
                            w = weight[t:t + wt, channel]
                            d = values[t:t + wt, channel]
                            if boxes.quiescent == "none":
                                level, left = 0.0, 1.0
                            else:
                                all_w = weight[list(reference), channel]
                                if all_w.sum() == 0 or w.sum() >= all_w.sum() * (1 - 1e-9):
                                    continue
                                all_d = values[list(reference), channel]
                                level = np.sum(all_w * all_d) / np.sum(all_w)
                                left = 1 - w.sum() / all_w.sum()
                            numerator += np.sum(w * (d - level))
                            variance += w.sum() * left
                            shared += left * np.sum(w * coherent[t:t + wt, channel])
                            good += np.sum(w > 0)
                        if variance > 0 and good >= boxes.good_fraction * wt * wf:
                            result[t, f, wt, wf] = numerator / np.sqrt(variance + shared**2)
    return result


@pytest.mark.parametrize("quiescent", ["observation", "scan", "none"])
def test_signal_to_noise_of_every_box_is_that_of_the_sum_over_its_cells(quiescent):
    values, weight = noise()
    coherent = np.full(values.shape, 0.1)
    boxes = Boxes((slice(0, 5), slice(5, 12)), 10, quiescent=quiescent)
    expected = slow_snr(values, weight, boxes, coherent)
    matched_filter = MatchedFilter(weight, boxes, coherent=coherent)
    highest, lowest = matched_filter.extremes(values[None])
    assert highest[0] == pytest.approx(max(expected.values()), rel=1e-12)
    assert lowest[0] == pytest.approx(min(expected.values()), rel=1e-12)
    found = matched_filter.best(values, 0.5)
    best = {}
    for (t, f, wt, wf), snr in expected.items():
        centre = t + wt // 2, f + wf // 2
        best[centre] = max(best.get(centre, -np.inf), snr)
    for centre, snr in best.items():
        if snr >= 0.5:
            assert found.snr[centre] == pytest.approx(snr, rel=1e-12)
        else:
            assert found.snr[centre] == -np.inf


@pytest.mark.parametrize("quiescent", ["observation", "scan", "none"])
def test_cells_taken_out_of_a_filter_are_cells_that_never_had_weight(quiescent):
    values, weight = noise()
    boxes = Boxes((slice(0, 5), slice(5, 12)), 10, quiescent=quiescent)
    coherent = np.full(values.shape, 0.1)
    cells = np.zeros(values.shape, bool)
    cells[3:7, 4:6] = cells[9, 8] = True
    changed = MatchedFilter(weight.copy(), boxes, coherent=coherent)
    changed.take_out(cells)
    made = MatchedFilter(np.where(cells, 0, weight), boxes, coherent=coherent)
    assert changed.extremes(values[None]) == made.extremes(values[None])
    found, expected = (one.best(values, 0.5) for one in (changed, made))
    np.testing.assert_array_equal(found.snr, expected.snr)


def test_several_realizations_at_once_are_the_same_as_one_by_one():
    values = np.array([noise(seed=seed)[0] for seed in range(3)])
    matched_filter = MatchedFilter(noise()[1], Boxes((slice(0, 12),), 10))
    together = np.array(matched_filter.extremes(values))
    single = np.array([matched_filter.extremes(one[None]) for one in values])[..., 0].T
    assert np.array_equal(together, single)


def test_box_on_an_unknown_level_is_the_difference_of_two_means_in_sigma():
    rng = np.random.default_rng(1)
    values, weight = rng.normal(5, 1, (32, 1)), np.ones((32, 1))
    values[8:12] += 3
    boxes = Boxes((slice(0, 32),), 1)
    inside, outside = values[8:12].mean(), np.delete(values, range(8, 12)).mean()
    snr = (inside - outside) / np.sqrt(1 / 4 + 1 / 28)
    found = MatchedFilter(weight, boxes).best(values, 3.0)
    assert found.snr[10, 0] == pytest.approx(snr, rel=1e-12)
    assert (found.time_width[10, 0], found.channel_width[10, 0]) == (4, 1)


def test_wide_boxes_between_two_starts_lose_at_most_an_eighth():
    values, weight = np.zeros((256, 1)), np.ones((256, 1))
    for start in range(64):
        values[:] = 0
        values[start + 30:start + 94] = 1
        highest, _ = MatchedFilter(weight, Boxes((slice(0, 256),), 1, quiescent="none")).extremes(
            values[None])
        assert highest[0] >= np.sqrt(64) * (1 - 1 / (2 * STARTS_PER_WIDTH))


def test_noise_of_boxes_is_of_unit_variance_for_unequal_weights_and_flags():
    rng = np.random.default_rng(2)
    weight = rng.uniform(0.1, 10, (48, 24)) * (rng.random((48, 24)) > 0.3)
    sigma = np.divide(1, np.sqrt(weight), out=np.zeros(weight.shape), where=weight > 0)
    boxes = Boxes((slice(0, 16), slice(16, 48)), 24)
    collected = {}
    for _ in range(60):
        values = rng.standard_normal(weight.shape) * sigma + 7
        for a, b, snr in disjoint(values, weight, boxes):
            collected.setdefault((a, b), []).append(snr)
    for parts in collected.values():
        snr = np.concatenate(parts)
        if len(snr) > 500:
            assert snr.var() == pytest.approx(1, abs=5 * np.sqrt(2 / len(snr)))


def test_disjoint_boxes_are_among_the_boxes_of_the_filter():
    values, weight = noise()
    boxes = Boxes((slice(0, 5), slice(5, 12)), 10)
    every = slow_snr(values, weight, boxes, np.zeros(values.shape))
    for a, b, snr in disjoint(values, weight, boxes):
        of_size = [s for (_, _, wt, wf), s in every.items() if (wt, wf) == (2**a, 2**b)]
        for one in snr:
            assert np.min(np.abs(np.array(of_size) - one)) < 1e-12


def test_widths_are_powers_of_two_times_the_least_and_end_with_the_whole():
    assert dyadic_widths(13).tolist() == [1, 2, 4, 8, 13]
    assert dyadic_widths(16).tolist() == [1, 2, 4, 8, 16]
    assert dyadic_widths(60, minimum=3, maximum=24).tolist() == [3, 6, 12, 24]
    assert dyadic_widths(2, minimum=3).tolist() == []


def test_boxes_end_with_a_scan_unless_they_may_reach_across():
    scan = [1, 1, 3, 3, 3, 1]
    assert scan_slices(scan) == (slice(0, 2), slice(2, 5), slice(5, 6))
    assert scan_slices(scan, across_scans=True) == (slice(0, 6),)


def test_flagged_data_have_no_box():
    matched_filter = MatchedFilter(np.zeros((4, 4)), Boxes((slice(0, 4),), 4))
    highest, lowest = matched_filter.extremes(np.zeros((1, 4, 4)))
    assert np.isnan(highest[0]) and np.isnan(lowest[0])


def test_boxes_with_too_few_good_cells_do_not_count():
    values, weight = np.zeros((8, 1)), np.ones((8, 1))
    weight[2:6:2] = 0
    values[3] = 1
    found = MatchedFilter(weight, Boxes((slice(0, 8),), 1, good_fraction=0.8)).best(
        values, 0.1)
    assert found.time_width[found.snr > 0].tolist() != []
    for t, width in zip(*np.nonzero(found.snr > 0), strict=True):
        wide = found.time_width[t, width]
        inside = weight[t - wide // 2:t - wide // 2 + wide, 0]
        assert np.mean(inside > 0) >= 0.8


def test_gumbel_parameters_come_back_from_a_sample():
    sample = np.random.default_rng(3).gumbel(5, 1.5, 100_000)
    location, scale = gumbel(sample)
    assert location == pytest.approx(5, abs=0.03)
    assert scale == pytest.approx(1.5, abs=0.02)


def test_false_alarm_rate_of_the_threshold_is_the_one_asked_for():
    alarms = FalseAlarms(location=7.0, scale=1.0, searches=3, realizations=100)
    for rate in (0.3, 0.01, 1e-4):
        assert alarms.rate(alarms.threshold(rate)) == pytest.approx(rate)
    assert alarms.probability(alarms.threshold(0.3)) == pytest.approx(1 - np.exp(-0.3))
