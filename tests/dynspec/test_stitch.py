"""Blocks are put on common axes: nothing is lost, added twice, or moved to another scan."""

import itertools

import numpy as np
import pytest
from noisy import chunk, spectrum

from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stitch import common_axes, flag_statistics, stitch


def block(time, frequency, scan=1, window=0, seed=0, width=1e6, integration=10.0):
    """Return a block at times (s) and frequencies (Hz)."""
    made = spectrum(chunk(("RR", "LL"), np.full((11, 2), 0.3), T=len(time), F=len(frequency),
                          seed=seed))
    return made.replace(time=59000 + np.asarray(time, float) / 86400, frequency=frequency,
                        scan=np.full(len(time), scan), channel_width=np.full(len(frequency), width),
                        integration=np.full(len(time), integration),
                        spectral_window=np.full(len(frequency), window))


def stitched(*blocks):
    axes = common_axes((b.time, b.integration, int(b.scan[0]), b.frequency, b.channel_width,
                        int(b.spectral_window[0])) for b in blocks)
    return stitch(blocks, axes, {"name": "x"})


def whole():
    return block(np.arange(12) * 10.0, 1e9 + 1e6 * np.arange(6))


def pieces(full, edges):
    for begin, end in itertools.pairwise(edges):
        yield full.select_times(np.arange(begin, end))


@pytest.mark.parametrize("edges", [[0, 12], [0, 5, 12], [0, 1, 2, 3, 7, 8, 11, 12]])
@pytest.mark.parametrize("backwards", [False, True])
def test_one_two_or_seven_blocks_give_the_same_spectrum_in_any_order(edges, backwards):
    parts = list(pieces(whole(), edges))
    found = stitched(*(parts[::-1] if backwards else parts))
    for name in DynamicSpectrum.array_specs():
        if name != "time_barycentre":
            np.testing.assert_array_equal(getattr(found, name), getattr(whole(), name))
    assert np.isnan(found.time_barycentre).all()
    assert found.meta["name"] == "x"


def test_two_spectral_windows_side_by_side_ascend_whatever_their_numbers():
    high = block([0, 10], 1.2e9 + 1e6 * np.arange(3), window=0, seed=1)
    low = block([0, 10], 1.0e9 + 1e6 * np.arange(4), window=1, seed=2)
    found = stitched(high, low)
    assert np.all(np.diff(found.frequency) > 0)
    assert found.spectral_window.tolist() == [1] * 4 + [0] * 3
    np.testing.assert_array_equal(found.sum_wv[:, :4], low.sum_wv)
    np.testing.assert_array_equal(found.sum_wv[:, 4:], high.sum_wv)
    assert not found.flags.any()


def test_integrations_of_two_windows_that_overlap_by_half_are_one():
    first = block([0, 10, 20], [1e9], window=0)
    near, far = (block(np.array([0, 10, 20]) + shift, [1.1e9], window=1) for shift in (5.0, 5.1))
    assert stitched(first, near).time.shape == (3,)
    assert stitched(first, far).time.shape == (4,)
    assert stitched(first, far).flags[0, 1].all() and stitched(first, far).flags[3, 0].all()
    assert not stitched(first, far).flags[1:3].any()


def test_a_window_that_missed_an_integration_is_empty_there():
    first, second = block([0, 10, 20], [1e9], window=0), block([0, 20], [1.1e9], window=1)
    found = stitched(first, second)
    assert (found.flags[1, 1] == Flag.EMPTY).all() and not found.flags[1, 0].any()
    assert np.isnan(found.flux_density[1, 1]).all()
    np.testing.assert_array_equal(found.sum_wv[[0, 2], 1], second.sum_wv[:, 0])


def test_the_same_channels_in_two_scans_are_one_axis():
    found = stitched(block([0, 10], [1e9, 1.001e9], scan=3), block([500], [1e9, 1.001e9], scan=4))
    assert found.flux_density.shape == (3, 2, 2)
    assert found.scan.tolist() == [3, 3, 4]
    assert not found.flags.any()


def test_cells_that_two_blocks_hold_are_summed():
    first, second = (block([0, 10], [1e9], seed=seed) for seed in (1, 2))
    found = stitched(first, second)
    np.testing.assert_array_equal(found.sum_wv, first.sum_wv + second.sum_wv)
    np.testing.assert_array_equal(found.count, 22)


def test_scans_that_overlap_in_time_keep_their_own_rows():
    # Two spectral windows whose scan numbers differ, as of two subarrays.
    first = block([0, 10, 20], [1e9], scan=1, window=0, seed=1)
    second = block([0, 10, 20], [1.1e9], scan=2, window=1, seed=2)
    found = stitched(first, second)
    for scan, part, f in ((1, first, 0), (2, second, 1)):
        rows = found.scan == scan
        np.testing.assert_array_equal(found.sum_wv[rows][:, f], part.sum_wv[:, 0])
        assert (found.count[rows][:, 1 - f] == 0).all()


def test_a_block_that_is_not_on_the_axes_is_refused():
    first = block([0, 10], [1e9])
    axes = common_axes([(first.time, first.integration, 1, first.frequency, first.channel_width,
                         0)])
    for wrong in (block([15.5], [1e9]), block([0], [1.0005e9])):
        with pytest.raises(ValueError, match="lies outside the common axes"):
            stitch([wrong], axes, {})
    with pytest.raises(ValueError, match="scan 9 of a block"):
        stitch([block([0], [1e9], scan=9)], axes, {})
    with pytest.raises(ValueError, match="no blocks"):
        stitch([], axes, {})


def test_flag_statistics_are_fractions_of_all_visibilities():
    assert flag_statistics({0: 60, 1: 20, 3: 10, 8 | 4: 10}) == {
        "visibilities": 100, "used": 0.6, "measurement_set": 0.3, "not_finite": 0.1,
        "absent": 0.1}
    assert flag_statistics({})["used"] == 0


def test_what_the_flagger_found_is_told_from_what_is_left_out_with_its_partner():
    statistics = flag_statistics({0: 70, Flag.RFI: 10, Flag.RFI | 1: 5, Flag.COUPLED: 15})
    assert (statistics["rfi"], statistics["coupled"]) == (0.15, 0.15)
    assert statistics["measurement_set"] == 0.05


def test_statistics_of_blocks_add_up():
    parts = list(pieces(whole(), [0, 4, 12]))
    parts = [part.replace(meta={"flag_counts": {"0": 10 * n, "1": n},
                                "longest_baseline_m": 100.0 * n})
             for n, part in enumerate(parts, 1)]
    meta = stitched(*parts).meta
    assert meta["flag_statistics"] == {"visibilities": 33, "used": 30 / 33,
                                       "measurement_set": 3 / 33}
    assert meta["longest_baseline_m"] == 200
