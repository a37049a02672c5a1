"""What protection takes out of the visibilities: bursts of the targets and no interference."""

import numpy as np
from ground import CENTRE, STAR, quiet_scan, with_burst, with_emitter

from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.flagging.protect import without_bursts


def scatter(values):
    return float(np.abs(values).std())


def test_a_burst_is_gone_to_the_error_of_the_mean():
    scan = quiet_scan(T=10, F=20)
    burst = with_burst(scan, np.full((10, 20), 50.0), sign=-0.5)
    before = burst.visibility.copy()
    left = without_bursts(burst, [STAR]) - without_bursts(scan, [STAR])
    # The robust mean leaves out a few more of the noise than the plain one: its error is 0.12 Jy.
    assert np.abs(left).std() < 0.05
    np.testing.assert_array_equal(burst.visibility, before)


def test_bursts_of_two_stars_at_once_are_both_gone():
    scan = quiet_scan(T=10, F=20)
    second = Direction(CENTRE.ra, CENTRE.dec)
    cells = np.full((10, 20), 20.0)
    left = without_bursts(with_burst(with_burst(scan, cells), cells, second), [STAR, second])
    assert np.abs(left - scan.visibility).std() < 1.0


def test_a_burst_of_a_body_that_moves_is_followed():
    scan = quiet_scan(T=20, F=10)
    time = np.linspace(scan.time[0] - 1e-3, scan.time[-1] + 1e-3, 5)
    track = Track(time, np.linspace(79.9, 80.1, 5), np.linspace(33.1, 32.9, 5))
    burst = scan
    for t in range(20):
        ra, dec = track.at(scan.time[t:t + 1])
        cells = np.zeros((20, 10))
        cells[t] = 30.0
        burst = with_burst(burst, cells, Direction(float(ra[0]), float(dec[0])))
    assert np.abs(without_bursts(burst, [track]) - scan.visibility).std() < 0.3


def test_interference_on_a_third_of_the_baselines_does_not_get_into_the_others():
    scan = quiet_scan(T=10, F=20)
    loud = with_emitter(scan, np.full((10, 20), 1000.0), baselines=slice(0, 20))
    left = without_bursts(loud, [STAR])[:, 20:] - scan.visibility[:, 20:]
    # The mean itself would put 1000 / sqrt(20) * 20 / 66 = 70 Jy on each.
    assert np.abs(left).max() < 1.5


def test_flagged_and_nan_visibilities_do_not_count():
    scan = quiet_scan(T=4, F=6)
    bad = with_burst(scan, np.full((4, 6), 20.0))
    bad.visibility[:, 10:20, :, 0] = 1e6
    bad.flags[:, 10:20, :, 0] = Flag.MEASUREMENT_SET
    bad.visibility[:, 30, 2, 3] = np.nan
    left = without_bursts(bad, [STAR])[:, 40:] - scan.visibility[:, 40:]
    assert np.abs(left).max() < 1.5


def test_faint_means_of_many_directions_are_left_in():
    scan = quiet_scan(A=5, T=6, F=10)
    targets = [Direction(79.5 + 0.05 * i, 32.6 + 0.07 * (i % 7)) for i in range(30)]
    left = without_bursts(scan, targets)
    assert scatter(left) > 0.8 * scatter(scan.visibility)
