"""Sources nearer to each other than the mean spacing are a clump, and count once."""

import numpy as np
import pytest

from visds.crossmatch.clumps import companions


def clumped(east, north, used=None):
    """Return how many are near each of the sources about one position, in the order given."""
    east, north = np.array(east, float), np.array(north, float)
    distance = np.hypot(east, north)
    order = np.argsort(distance)
    used = np.ones(len(east), bool) if used is None else np.array(used)
    found = np.zeros(len(east), int)
    found[order] = companions(*(a[order][None] for a in (distance, east, north, used)))[0]
    return found


def test_both_of_a_double_are_near_each_other_and_a_single_is_alone():
    # Four sources as far as 10: the mean spacing is 5.
    assert clumped([10, 10, -9, 0], [0, 0.1, 0, 8]).tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize(("apart", "number"), [(4.9, 2), (5.1, 1)])
def test_near_is_what_is_within_the_mean_spacing(apart, number):
    half = apart / 2
    found = clumped([half, -half, 0, 0], [1, 1, 10, -9])
    assert found.tolist() == [number, number, 1, 1]


def test_sources_of_one_distance_on_two_sides_are_not_near():
    assert clumped([10, -10, 9.9, -9.9], [0, 0, 0, 0]).tolist() == [2, 2, 2, 2]


def test_what_is_not_used_is_near_nothing():
    found = clumped([1, 1, 10, 10, 7], [0, 0.1, 0, 0.1, -7], [False, True, True, False, True])
    assert found.tolist() == [0, 1, 1, 0, 1]
    assert clumped([1.0, 2.0], [0, 0], [False, False]).tolist() == [0, 0]


def test_the_numbers_are_those_of_all_distances():
    rng = np.random.default_rng(1)
    east, north = rng.normal(0, 1, (2, 40, 60))
    distance = np.hypot(east, north)
    order = np.argsort(distance, axis=1)
    east, north, distance = (np.take_along_axis(a, order, 1) for a in (east, north, distance))
    used = rng.uniform(size=(40, 60)) < 0.8
    rim = np.max(np.where(used, distance, 0), axis=1)
    near = rim / np.sqrt(used.sum(axis=1))
    apart = np.hypot(east[:, :, None] - east[:, None], north[:, :, None] - north[:, None])
    both = used[:, :, None] & used[:, None]
    expected = np.sum(both & (apart < near[:, None, None]), axis=2)
    np.testing.assert_array_equal(companions(distance, east, north, used), expected)
