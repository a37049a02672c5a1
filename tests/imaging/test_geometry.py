"""Pixels and positions of images against astropy's coordinates."""

import numpy as np
import pytest
from astropy.wcs import WCS

from visds.core.sky import Direction
from visds.imaging.geometry import (
    Geometry,
    automatic_cell,
    automatic_size,
    good_size,
    turn_to,
)


@pytest.mark.parametrize("centre", [Direction(83.0, 22.0), Direction(0.1, -89.5),
                                    Direction(359.9, 0.0)])
def test_positions_and_pixels_are_those_of_astropy(centre):
    geometry = Geometry(centre, 10 / 3600, 2048)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [centre.ra, centre.dec]
    wcs.wcs.crpix = [1025, 1025]
    wcs.wcs.cdelt = [-geometry.cell, geometry.cell]
    for x, y in ((1024, 1024), (3.5, 2000), (1500.25, 7)):
        ra, dec = wcs.wcs_pix2world(x, y, 0)
        there = geometry.direction(x, y)
        assert there.dec == pytest.approx(float(dec), abs=1e-9)
        assert there.ra == pytest.approx(float(ra), abs=1e-8)
        assert geometry.pixel(there) == pytest.approx((x, y), abs=1e-6)


def test_what_is_off_the_image_or_off_the_sky_is_said():
    geometry = Geometry(Direction(83.0, 22.0), 1 / 60, 64)
    assert geometry.holds(Direction(83.0, 22.5))
    assert not geometry.holds(Direction(83.0, 22.6))
    assert not geometry.holds(Direction(263.0, -22.0))
    assert np.isnan(geometry.pixel(Direction(263.0, -22.0))).all()
    with pytest.raises(ValueError, match="off the sky"):
        Geometry(Direction(0, 0), 1.0, 256).direction(0, 0)


def test_uvw_turned_to_another_place_are_those_of_an_array_seen_from_there():
    old, new = Direction(83.0, 22.0), Direction(86.0, 20.0)
    baseline = np.array([100.0, -200.0, 50.0])  # celestial axes

    def axes(place):
        ra, dec = np.radians([place.ra, place.dec])
        return np.array([[-np.sin(ra), np.cos(ra), 0],
                         [-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)],
                         [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]])

    turn = turn_to(new, old)
    uvw = axes(old) @ baseline
    np.testing.assert_allclose(turn.axes @ uvw, axes(new) @ baseline, atol=1e-9)
    # The path to the new centre is the difference of the two w.
    assert uvw @ turn.offset == pytest.approx((axes(new) @ baseline)[2] - uvw[2], abs=1e-9)


def test_the_axes_of_b1950_are_turned_by_precession():
    centre = Direction(187.0, 2.0, "B1950")
    turn = turn_to(centre.to("ICRS"), centre)
    np.testing.assert_allclose(turn.axes @ turn.axes.T, np.eye(3), atol=1e-9)
    assert np.all(turn.offset == 0)
    # Greenwich of 1950 and 2000: by 50 years of precession, sin(ra) tan... a few arcminutes.
    angle = np.degrees(np.arctan2(turn.axes[0, 1], turn.axes[0, 0]))
    from astropy.coordinates import SkyCoord

    here = SkyCoord(187.0, 2.0, unit="deg", frame="fk4")
    north = here.directional_offset_by(0, 0.01 * 3600 * here.ra.unit / 3600)
    expected = here.icrs.position_angle(north.icrs).deg
    assert angle == pytest.approx((expected + 180) % 360 - 180, abs=1e-3)


def test_automatic_pixels_are_a_fifth_of_wavelength_over_the_longest_baseline():
    uvw = np.array([[300.0, 400.0, 900.0], [1.0, 0, 0]])
    assert automatic_cell(uvw, 299792458.0) == pytest.approx(np.degrees(1 / 500) / 5)


def test_automatic_sizes_cover_the_field_within_limits():
    assert automatic_size(1.0, 10.0) == 256
    assert automatic_size(1.0, 1e5) == 2048
    assert 1000 <= automatic_size(0.01, 10.0) < 1100
    assert good_size(31) == 32
    assert all(good_size(n) % 2 == 0 and good_size(n) >= n for n in range(32, 400))
