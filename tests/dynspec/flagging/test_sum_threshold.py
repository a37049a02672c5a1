"""SumThreshold and the rank operator against slow ones, written as the papers say."""

import numpy as np
import pytest

from visds.dynspec.flagging.sum_threshold import THRESHOLDS, extend_flags, sum_threshold


def slow_sum_threshold(line, present):
    used = present & (line <= THRESHOLDS[1])
    length = 2
    while length <= min(len(line), len(THRESHOLDS) - 1):
        found = np.zeros(len(line), bool)
        for start in range(len(line) - length + 1):
            window = slice(start, start + length)
            count, held = used[window].sum(), present[window].sum()
            total = line[window][used[window]].sum()
            if count and total > THRESHOLDS[held] * count:
                found[window] = True
        used &= ~found
        length *= 2
    return used


def slow_extension(flagged, present):
    held = np.flatnonzero(present)
    result = flagged & present
    states = result[held]
    for start in range(len(held)):
        for end in range(start + 1, len(held) + 1):
            if 5 * np.sum(~states[start:end]) <= end - start:
                result[held[start:end]] = True
    return result


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("length", [1, 2, 5, 64, 150])
def test_sum_threshold_is_that_of_single_windows(length, gaps):
    rng = np.random.default_rng(length)
    L = 40
    values = rng.standard_normal((length, L)).astype(np.float32)
    for lane in range(0, L, 2):
        start = rng.integers(length)
        values[start:start + rng.integers(1, 40), lane] += rng.uniform(0.5, 8)
    present = np.ones((length, L), bool)
    if gaps:
        present = rng.random((length, L)) < 0.7
        present[:, 7], present[length // 3] = False, False
    used, marked = np.empty((2, length, L), np.float32)
    total, number, held = np.empty((3, L), np.float32)
    sum_threshold(values, present.astype(np.float32), THRESHOLDS, used, marked, total, number,
                  held, np.empty(L, np.int64))
    expected = np.stack([slow_sum_threshold(values[:, lane].astype(float), present[:, lane])
                         for lane in range(L)], axis=1)
    assert (used > 0).tolist() == expected.tolist()
    if length > 5:
        assert expected.sum() < present.sum()


def test_a_window_with_gaps_is_held_to_the_threshold_of_what_it_holds():
    """Two samples of 2 sigma in a row of 32 are no more than two samples of 2 sigma."""
    values = np.full((64, 1), 2, np.float32)
    present = np.zeros((64, 1), np.float32)
    present[[10, 20]] = 1
    used, marked = np.empty((2, 64, 1), np.float32)
    total, number, held = np.empty((3, 1), np.float32)
    sum_threshold(values, present, THRESHOLDS, used, marked, total, number, held,
                  np.empty(1, np.int64))
    assert used.sum() == 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_rank_operator_flags_runs_of_which_a_fifth_is_left(share):
    rng = np.random.default_rng(int(10 * share))
    flagged, present = rng.random((30, 37)) < share, rng.random((30, 37)) < 0.9
    used = (present & ~flagged).astype(np.float32)
    extend_flags(used, present.astype(np.float32), np.empty(38, np.int64))
    for row in range(30):
        expected = slow_extension(flagged[row], present[row])
        assert ((used[row] == 0) & present[row]).tolist() == expected.tolist()
