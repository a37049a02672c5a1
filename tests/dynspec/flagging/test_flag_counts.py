"""Statistics of flags count every visibility once, and add up."""

import numpy as np
import pytest
from ground import quiet_scan

from visds.core.flags import Flag
from visds.dynspec.flagging.counts import FlagCounts, add_counts, count_flags


@pytest.fixture(scope="module")
def scan():
    made = quiet_scan(T=6, A=4, F=8)
    made.flags[2] |= np.uint8(Flag.MEASUREMENT_SET)
    made.flags[:, :, 5] |= np.uint8(Flag.RFI)
    made.flags[:, (made.antennas == 3).any(axis=1)] |= np.uint8(Flag.ABSENT)
    made.visibility[0, 0, 0, 0] = np.nan
    made.weight[:, 1, :, 2] = 0
    return made


def test_counts_are_those_of_the_bits(scan):
    counts = count_flags(scan)
    bits = scan.flags.astype(int)
    bits[0, 0, 0, 0] |= Flag.NOT_FINITE
    bits[:, 1, :, 2] |= Flag.ZERO_WEIGHT
    for name in counts.reasons:
        carries = (bits & Flag[name]) > 0
        column = counts.column(name)
        np.testing.assert_array_equal(counts.by_time[:, column], carries.sum(axis=(1, 2, 3)))
        np.testing.assert_array_equal(counts.by_channel[:, column], carries.sum(axis=(0, 1, 3)))
        np.testing.assert_array_equal(counts.by_baseline[:, column], carries.sum(axis=(0, 2, 3)))
    np.testing.assert_array_equal(counts.by_channel[:, counts.column("any")],
                                  (bits > 0).sum(axis=(0, 1, 3)))
    assert counts.by_time[:, 0].tolist() == [6 * 8 * 4] * 6
    assert counts.occurring == ("MEASUREMENT_SET", "NOT_FINITE", "ZERO_WEIGHT", "ABSENT", "RFI")
    assert counts.fraction("antenna", "ABSENT").tolist() == pytest.approx([1 / 3] * 3 + [1])
    assert counts.fraction("channel", "RFI").tolist() == [0] * 5 + [1] + [0] * 2


def test_slabs_in_any_order_add_up_to_the_chunk(scan):
    whole = count_flags(scan)
    parts = [count_flags(scan.select_times(start, start + 2)) for start in (4, 0, 2)]
    added = add_counts(parts)
    for name in FlagCounts.array_specs():
        np.testing.assert_array_equal(getattr(added, name), getattr(whole, name))


def test_spectral_windows_share_times_and_baselines_but_not_channels(scan):
    other = scan.replace(frequency=scan.frequency[::-1] + 100e6, visibility=scan.visibility * 1)
    added = add_counts([count_flags(scan), count_flags(other)])
    assert added.by_channel.shape[0] == 16 and added.by_time.shape[0] == 6
    assert np.all(np.diff(added.frequency) > 0)
    assert added.fraction("channel", "RFI").tolist() == [0] * 5 + [1] + [0] * 4 + [1] + [0] * 5
    assert added.by_time[:, 0].tolist() == [2 * 6 * 8 * 4] * 6


def test_counts_are_a_product(scan, tmp_path):
    counts = count_flags(scan)
    counts.write(tmp_path / "flags.h5")
    read = FlagCounts.read(tmp_path / "flags.h5")
    np.testing.assert_array_equal(read.by_baseline, counts.by_baseline)
    assert read.reasons == counts.reasons
