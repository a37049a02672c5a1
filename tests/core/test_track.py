"""A track gives the places of a body between its times, and none beyond them."""

import numpy as np
import pytest

from visds.core.astrometry import separation_arcsec, unit_vectors
from visds.core.track import Track

STEP = 300 / 86400


def circling(time):
    """Return where a body is on a circle of 57 arcmin, once round a day, over RA 0 at the pole."""
    turn = 2 * np.pi * (np.asarray(time) - 60000.0)
    radius = np.radians(57 / 60)
    vectors = np.stack([np.sin(radius) * np.cos(turn), np.sin(radius) * np.sin(turn),
                        np.full_like(turn, np.cos(radius))], axis=-1)
    ra = np.degrees(np.arctan2(vectors[..., 1], vectors[..., 0])) % 360
    return ra, np.degrees(np.arcsin(vectors[..., 2]))


def track(nodes=20, start=60000.0):
    time = start + STEP * np.arange(nodes)
    return Track(time, *circling(time))


def test_between_its_times_a_body_that_circles_like_the_moon_is_right_to_a_tenth_of_a_mas():
    time = np.linspace(60000.0, 60000.0 + 19 * STEP, 997)
    away = separation_arcsec(unit_vectors(*track().at(time)), unit_vectors(*circling(time)))
    assert away.max() < 1e-4


def test_at_its_own_times_it_is_where_it_was_given():
    made = track()
    ra, dec = made.at(made.time)
    np.testing.assert_allclose(ra, made.ra, rtol=0, atol=1e-10)
    np.testing.assert_allclose(dec, made.dec, rtol=0, atol=1e-10)


def test_ra_360_and_the_pole_are_places_like_any_other():
    time = 60000.0 + STEP * np.arange(6)
    over_zero = Track(time, (359.99 + 0.004 * np.arange(6)) % 360, np.full(6, -30.0))
    assert over_zero.middle.ra == pytest.approx(0.0, abs=1e-9)
    over_pole = Track(time, [10, 10, 10, 190, 190, 190], [89.5, 89.7, 89.9, 89.9, 89.7, 89.5])
    assert over_pole.middle.dec == pytest.approx(90.0, abs=1e-9)


def test_a_time_outside_is_refused_and_both_ends_are_inside():
    made = track()
    made.at(made.time[[0, -1]])
    for time in (made.time[0] - 1e-6, made.time[-1] + 1e-6, np.nan):
        with pytest.raises(ValueError, match=r"outside the track, .* from 60000\.0+ to"):
            made.at(np.array([60000.01, time]))


def test_the_times_of_a_part_of_the_chunks_give_the_same_places():
    made, time = track(), 60000.0 + np.linspace(0.001, 0.06, 50)
    ra, _ = made.at(time)
    assert made.at(time[7:9])[0].tolist() == ra[7:9].tolist()


@pytest.mark.parametrize(("time", "ra", "message"), [
    ([0, 1, 2], [0, 0, 0], "needs 4 times or more"),
    ([0, 1, 1, 2], [0, 0, 0, 0], "which ascend"),
    ([0, 1, 2, 3], [0, 0, 0], "right ascensions")])
def test_what_is_no_track_is_refused(time, ra, message):
    with pytest.raises(ValueError, match=message):
        Track(np.array(time), np.array(ra), np.zeros(len(time)))
