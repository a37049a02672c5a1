"""Which rows are one integration, and how long it is."""

import numpy as np

from visds.visibility.integrations import IntervalDoubts, group_times, integration_times


def test_integrations_fill_no_more_than_the_scan_where_interval_is_wrong():
    time = np.array([0, 0.5, 10, 20, 20.1, 30, 40.0])
    integration, centre = group_times(time, np.array([3, 50, 53, 50, 3, 53, 53]))
    assert integration.tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert centre[0] == 0.5 * 50 / 53
    length = integration_times(centre, np.full(5, 0.04), 1, IntervalDoubts())
    assert np.all(length <= 10.01)
    assert length.sum() <= centre[-1] - centre[0] + 10.01


def test_a_gap_in_a_scan_does_not_lengthen_its_integrations():
    time = np.concatenate([np.arange(5) * 10.0, 3600 + np.arange(5) * 10.0])
    length = integration_times(time, np.full(10, 0.01), 1, IntervalDoubts())
    np.testing.assert_allclose(length, 10)
