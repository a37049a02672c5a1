"""Interference is flagged, bursts of the targets are not."""

import numpy as np
import pytest
from ground import CENTRE, STAR, quiet_scan, with_burst, with_emitter

from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.interference import describe_flagger, flag_interference

LIGHT = FlagSettings(flagger="light")


def found(scan, settings=LIGHT, targets=(STAR,)):
    """Return which visibilities (T,B,F) are flagged as interference, in all correlations alike."""
    flags = (flag_interference(scan, targets, settings).flags & int(Flag.RFI)) > 0
    assert np.all(flags == flags[..., :1])
    return flags[..., 0]


def box(scan, times, channels, value):
    """Return `value` in a box of integrations and channels (T,F), zero elsewhere."""
    cells = np.zeros((len(scan.time), len(scan.frequency)))
    cells[times, channels] = value
    return cells


def test_a_burst_survives_only_if_its_target_is_protected():
    scan = quiet_scan()
    cells = box(scan, slice(20, 22), slice(None), 5.0) + box(scan, slice(30, 45), slice(5, 9), 5.0)
    burst = with_burst(scan, cells)
    assert found(burst)[:, :][np.repeat(cells[:, None] > 0, 66, axis=1)].mean() < 0.005
    bare = found(burst, FlagSettings(flagger="light", protect_bursts=False))
    assert bare[np.repeat(cells[:, None] > 0, 66, axis=1)].mean() > 0.95
    # A burst elsewhere than in the targets is not protected.
    other = found(burst, targets=(Direction(79.5, 32.5),))
    assert other[np.repeat(cells[:, None] > 0, 66, axis=1)].mean() > 0.8


def test_flagging_leaves_the_flux_density_of_a_burst_unbiased():
    scan = quiet_scan()
    cells = box(scan, slice(20, 30), slice(10, 30), 3.0)
    burst = with_emitter(with_burst(scan, cells), box(scan, slice(None), 20, 30.0),
                         baselines=slice(0, 20))
    clean = make_block([with_burst(scan, cells)], STAR, ("I",), scan.correlations).values("I")
    flagged = make_block([flag_interference(burst, [STAR], LIGHT)], STAR, ("I",),
                         scan.correlations).values("I")
    assert np.isfinite(flagged[cells > 0]).all()
    change = (flagged - clean)[cells > 0]
    assert abs(change.mean()) < 0.01


@pytest.mark.parametrize("kind", ["steady", "short", "intermittent", "sweeping"])
def test_interference_of_every_kind_is_caught_beside_a_burst(kind):
    scan = quiet_scan()
    cells = {"steady": box(scan, slice(None), 17, 8.0),
             "short": box(scan, 30, slice(None), 8.0),
             "intermittent": sum(box(scan, slice(k, k + 3), 33, 8.0) for k in (2, 13, 40)),
             "sweeping": box(scan, np.arange(40), np.arange(40) + 4, 8.0)}[kind]
    burst = with_burst(scan, box(scan, slice(20, 26), slice(10, 40), 3.0))
    flags = found(with_emitter(burst, cells))
    there = np.repeat(cells[:, None] > 0, 66, axis=1)
    assert flags[there].mean() > 0.99
    assert flags[~there].mean() < 0.01


def test_strong_interference_on_short_baselines_is_not_spread_over_the_others():
    scan = quiet_scan()
    cells = box(scan, slice(10, 30), slice(20, 24), 300.0)
    flags = found(with_emitter(scan, cells, baselines=slice(0, 20)))
    there = cells > 0
    assert flags[:, :20].swapaxes(1, 2)[there].mean() > 0.99
    assert flags[:, 20:].swapaxes(1, 2)[there].mean() < 0.02


def test_noise_is_hardly_flagged():
    assert found(quiet_scan(T=100, F=100)).mean() < 5e-4


@pytest.mark.parametrize(("T", "F"), [(60, 1), (1, 64), (4, 4), (2, 40), (3, 1), (1, 1)])
def test_noise_of_one_channel_or_few_integrations_is_hardly_flagged(T, F):
    assert found(quiet_scan(T=T, F=F)).mean() < 5e-3


@pytest.mark.parametrize(("T", "F"), [(60, 1), (1, 64)])
def test_one_channel_or_one_integration_can_hold_interference(T, F):
    scan = quiet_scan(T=T, F=F)
    cells = np.zeros((T, F))
    cells.ravel()[20:23] = 20
    flags = found(with_emitter(scan, cells))
    assert flags.swapaxes(1, 2)[cells > 0].mean() > 0.95


def test_other_flags_and_the_visibilities_are_kept_and_nothing_is_modified():
    scan = with_emitter(quiet_scan(), box(quiet_scan(), slice(None), 17, 8.0))
    scan.flags[:, 3] = Flag.MEASUREMENT_SET
    scan.flags[5, :, 17, 0] = Flag.UV_RANGE
    before = scan.flags.copy(), scan.visibility.copy()
    scan.flags.flags.writeable = scan.visibility.flags.writeable = False
    made = flag_interference(scan, [STAR], LIGHT)
    np.testing.assert_array_equal(made.flags & ~np.uint8(Flag.RFI), before[0])
    np.testing.assert_array_equal(made.visibility, before[1])
    assert not (made.flags[:, 3] & int(Flag.RFI)).any()
    np.testing.assert_array_equal(scan.flags, before[0])


def test_what_is_flagged_nan_or_without_weight_does_not_matter():
    clean = quiet_scan()
    scan = with_emitter(clean, box(clean, slice(20, 24), slice(10, 14), 1e4))
    scan.flags[20:24, :, 10:14, 1] = Flag.MEASUREMENT_SET
    scan.flags[20:24, :, 10:14, 3] = Flag.MEASUREMENT_SET
    scan.visibility[:, 5, 3] = np.nan
    scan.visibility[7, 6, 4] = complex(np.inf, 0)
    scan.weight[:, 9] = 0
    flags = found(scan)
    assert not flags[20:24, :, 10:14].any()
    assert not flags[:, 5, 3].any() and not flags[:, 9].any()
    assert flags.mean() < 1e-3


def test_the_order_of_channels_does_not_matter():
    scan = with_emitter(quiet_scan(), box(quiet_scan(), slice(None, 30), 17, 6.0))
    order = np.random.default_rng(3).permutation(48)
    turned = scan.replace(visibility=scan.visibility[:, :, order], flags=scan.flags[:, :, order],
                          frequency=scan.frequency[order])
    np.testing.assert_array_equal(found(turned), found(scan)[:, :, order])


def test_weights_of_channels_and_unequal_noise_are_respected():
    scan = quiet_scan()
    noise = np.linspace(1, 6, 48)[:, None] * np.ones(4)
    scan = scan.replace(visibility=scan.visibility * noise, weight=np.broadcast_to(
        1 / noise**2, scan.visibility.shape))
    assert found(scan).mean() < 1e-3


def test_a_factor_in_the_weights_does_not_matter():
    scan = with_burst(with_emitter(quiet_scan(), box(quiet_scan(), slice(None, 30), 17, 6.0)),
                      box(quiet_scan(), slice(20, 22), slice(None), 5.0))
    np.testing.assert_array_equal(found(scan.replace(weight=scan.weight * 16)), found(scan))


@pytest.mark.parametrize("labels", [("YY", "XX"), ("RR", "LL"), ("XX", "XY", "YY"),
                                    ("LL", "LR", "RL", "RR")])
def test_correlations_may_be_two_or_three_and_in_any_order(labels):
    scan = quiet_scan(labels=labels)
    flags = found(with_emitter(scan, box(scan, slice(10, 40), 17, 10.0)))
    assert flags[10:40, :, 17].mean() > 0.99 and flags[:, :, :15].mean() < 1e-3


def test_a_single_correlation_of_a_pair_gives_nothing_and_is_left_alone():
    scan = quiet_scan(labels=("XX",))
    assert flag_interference(scan, [STAR], LIGHT) is scan


def test_bursts_of_one_hand_and_of_several_targets_survive():
    scan = quiet_scan()
    second = Direction(CENTRE.ra, CENTRE.dec)
    cells = box(scan, slice(20, 24), slice(None), 6.0)
    burst = with_burst(with_burst(scan, cells, sign=0.0), cells, direction=second)
    assert found(burst, targets=(STAR, second))[20:24].mean() < 0.01


def test_bursts_survive_in_many_directions_and_interference_is_still_caught():
    """More directions than baselines: without a threshold they would take everything out."""
    scan = quiet_scan(A=6, T=30, F=40)
    targets = [STAR, *(Direction(79.5 + 0.05 * i, 32.6 + 0.07 * (i % 7)) for i in range(30))]
    cells = box(scan, slice(20, 22), slice(None), 8.0)
    scan = with_emitter(with_burst(scan, cells), box(scan, slice(2, 18), 7, 30.0))
    flags = found(scan, targets=targets)
    assert flags[20:22].mean() < 0.05
    assert flags[2:18, :, 7].mean() > 0.5


def test_none_is_the_chunk_itself():
    scan = quiet_scan()
    assert flag_interference(scan, [STAR], FlagSettings()) is scan
    assert describe_flagger(FlagSettings()) == ""
    assert describe_flagger(LIGHT) == "light"


def test_the_same_chunk_gives_the_same_flags():
    scan = with_emitter(quiet_scan(), box(quiet_scan(), slice(None, 30), 17, 3.0))
    np.testing.assert_array_equal(found(scan), found(scan))
