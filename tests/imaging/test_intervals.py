"""Which integrations and channels an image is of."""

import numpy as np
import pytest
from astropy.table import Table, vstack

from visds.core.errors import SettingsError
from visds.imaging.intervals import (
    ImagedChunk,
    bands,
    content,
    intervals,
    pieces,
)

DAY = 86400.0


def chunk(scan, start, count, frequency=(1.0e9, 1.1e9, 1.2e9), origin=None):
    """Return a chunk of integrations of 10 s, `start` in s after MJD 59000."""
    time = 59000 + (start + 10 * np.arange(count) + 5) / DAY
    frequency = np.array(frequency)
    return ImagedChunk(origin or f"scan {scan} at {start}", scan, time, np.full(count, 10.0),
                       frequency, np.full(len(frequency), 1e8), 1000 * count)


CHUNKS = [chunk(1, 0, 6), chunk(1, 60, 4), chunk(2, 200, 3)]


def held(interval, chunks=CHUNKS):
    """Return origin, begin and end of the pieces of an interval."""
    return [(piece.origin, piece.begin, piece.end) for piece in pieces(chunks, interval)]


def test_the_whole_observation_is_all_integrations():
    whole, = intervals(CHUNKS, "all")
    assert held(whole) == [("scan 1 at 0", 0, 6), ("scan 1 at 60", 0, 4), ("scan 2 at 200", 0, 3)]
    made = content(CHUNKS, whole, "LSRK")
    assert made.exposure == pytest.approx(130)
    assert (made.start - 59000) * DAY == pytest.approx(0, abs=1e-5)
    assert (made.stop - 59000) * DAY == pytest.approx(230, abs=1e-5)
    assert (made.middle - 59000) * DAY == pytest.approx((50 * 100 + 215 * 30) / 130, abs=1e-5)
    assert (made.band_low, made.band_high, made.frequency) == (0.95e9, 1.25e9, 1.1e9)


def test_each_scan_is_one_image():
    first, second = intervals(CHUNKS, "scan")
    assert [name for name, *_ in held(first)] == ["scan 1 at 0", "scan 1 at 60"]
    assert held(second) == [("scan 2 at 200", 0, 3)]


@pytest.mark.parametrize("length", ["10s", "20s", "30s", "70s", "1h"])
def test_durations_hold_every_integration_once_and_reach_over_no_gap(length):
    found = intervals(CHUNKS, length)
    taken = [(origin, k) for interval in found for origin, begin, end in held(interval)
             for k in range(begin, end)]
    assert len(taken) == len(set(taken)) == 13
    for interval in found:
        assert len({origin.split(" at")[0] for origin, *_ in held(interval)}) == 1
    assert len({interval.name for interval in found}) == len(found)
    assert len(found) == {"10s": 13, "20s": 7, "30s": 4, "70s": 2, "1h": 2}[length]


def test_a_rest_of_less_than_half_an_interval_is_in_the_one_before():
    assert [end - begin for interval in intervals(CHUNKS, "30s")
            for _, begin, end in held(interval)] == [3, 3, 4, 3]
    assert [sum(end - begin for _, begin, end in held(interval))
            for interval in intervals(CHUNKS, "60s")] == [6, 4, 3]


def detection(start, stop, box=None, band=(1.05e9, 1.15e9)):
    """Return a table of one detection, times in s after MJD 59000."""
    box = box or (start, stop)
    return Table({"start": [59000 + start / DAY], "stop": [59000 + stop / DAY],
                  "box_start": [59000 + box[0] / DAY], "box_stop": [59000 + box[1] / DAY],
                  "box_low": [band[0]], "box_high": [band[1]]})


def test_a_burst_is_held_against_the_rest_of_its_scan_in_its_band():
    on, = intervals(CHUNKS, "detections", detection(20, 40, (20, 30)))
    assert held(on) == [("scan 1 at 0", 2, 3)]
    # The event and as much to both sides are left out: 0 to 60 s.
    assert held(on.off) == [("scan 1 at 60", 0, 4)]
    assert content(CHUNKS, on, "").band_low == 1.05e9
    assert content(CHUNKS, on.off, "").band_high == 1.15e9


def test_other_bursts_of_its_target_are_no_quiet_time():
    events = vstack([detection(0, 10), detection(60, 80), detection(90, 100)])
    first, *_ = intervals(CHUNKS, "detections", events)
    assert held(first.off) == [("scan 1 at 0", 2, 6), ("scan 1 at 60", 2, 3)]
    events["target"] = ["AU Mic", "AU Mic", "another"]
    first, *_ = intervals(CHUNKS, "detections", events)
    assert held(first.off) == [("scan 1 at 0", 2, 6), ("scan 1 at 60", 2, 4)]


def test_a_burst_that_fills_its_scan_is_held_against_the_other_scans():
    on, = intervals(CHUNKS, "detections", detection(200, 230))
    assert {origin for origin, *_ in held(on.off)} == {"scan 1 at 0", "scan 1 at 60"}


def test_a_burst_that_fills_the_observation_has_nothing_to_be_held_against():
    on, = intervals(CHUNKS, "detections", detection(0, 230))
    assert on.off is None


def test_detections_need_a_table_of_them():
    with pytest.raises(SettingsError, match=r"needs the folder of a finished visds-run"):
        intervals(CHUNKS, "detections")


def test_bands_share_the_channels_and_no_more_of_them_than_there_are():
    assert bands(CHUNKS, 1) == [None]
    assert bands(CHUNKS, 2) == [(1.0e9, 1.1e9), (1.2e9, 1.2e9)]
    with pytest.raises(SettingsError, match="there are 3 channels, not 4"):
        bands(CHUNKS, 4)
