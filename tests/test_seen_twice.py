"""A burst at two targets that the beam does not tell apart is one burst, and that is said."""

import pytest
from astropy.table import Table

from visds.core.sky import Direction
from visds.seen_twice import seen_twice

PLACES = {"A": Direction(10, 5), "B": Direction(10, 5 + 3 / 3600), "far": Direction(10, 5.1)}


def events(*rows):
    """Return detections of (target, start, snr), a minute long, in one band."""
    return Table({"target": [row[0] for row in rows],
                  "name": [f"{row[0]} 2024-06-01T16:00:{n:02d}" for n, row in enumerate(rows)],
                  "start": [row[1] for row in rows], "stop": [row[1] + 1.0 for row in rows],
                  "band_low": [1e9] * len(rows), "band_high": [2e9] * len(rows),
                  "snr": [row[2] for row in rows]})


def test_events_of_one_time_at_targets_within_a_beam_are_told_with_the_stronger_one():
    line, = seen_twice(events(("A", 0.0, 9.0), ("B", 0.5, 20.0), ("far", 0.0, 30.0)), PLACES, 6.0)
    assert line.startswith("detection A 2024-06-01T16:00:00 may be B 2024-06-01T16:00:01 (the ")
    assert "A and B are 3 arcsec apart, within a beam of 6 arcsec" in line


@pytest.mark.parametrize(("found", "beam"), [
    ((("A", 0.0, 9.0), ("B", 1.0, 20.0)), 6.0), ((("A", 0.0, 9.0), ("B", 0.0, 20.0)), 2.9),
    ((("A", 0.0, 9.0), ("A", 0.5, 20.0)), 6.0), ((), 6.0)])
def test_events_of_other_times_or_places_are_not_told(found, beam):
    assert seen_twice(events(*found), PLACES, beam) == []


def test_events_of_another_band_are_not_told():
    found = events(("A", 0.0, 9.0), ("B", 0.0, 20.0))
    found["band_low"][1], found["band_high"][1] = 2e9, 3e9
    assert seen_twice(found, PLACES, 6.0) == []
