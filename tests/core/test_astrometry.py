"""Places on the sphere agree with astropy to a microarcsecond, poles included."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from visds.core.astrometry import (
    moved,
    position_angle_deg,
    ra_dec,
    separation_arcsec,
    unit_vectors,
    wrapped,
)

PLACES = [(0.0, 0.0), (359.9999999, 12.0), (90.0, -30.0), (270.0, 45.0), (123.0, 90.0),
          (10.0, -90.0), (200.0, 89.99999), (80.0, -89.99999)]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_separations_and_position_angles_are_those_of_astropy(ra, dec):
    start = SkyCoord(ra * u.deg, dec * u.deg)
    angles = np.linspace(0, 350, 36)
    for distance in (1e-3, 1.0, 15.0, 3600.0, 90 * 3600.0):
        ends = start.directional_offset_by(angles * u.deg, distance * u.arcsec)
        vectors = unit_vectors(ends.ra.deg, ends.dec.deg)
        here = unit_vectors(np.full(36, ra), np.full(36, dec))
        expected = start.separation(ends).arcsec
        np.testing.assert_allclose(separation_arcsec(here, vectors), expected, rtol=0, atol=1e-6)
        found = position_angle_deg(np.full(36, ra), np.full(36, dec), vectors)
        across = np.radians(found - start.position_angle(ends).deg)
        assert np.max(np.abs(np.sin(across)) * expected) < 1e-6


def test_vectors_go_back_to_the_positions_they_came_from():
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, 1000), np.degrees(np.arcsin(rng.uniform(-1, 1, 1000)))
    np.testing.assert_allclose(ra_dec(unit_vectors(ra, dec)), (ra, dec), rtol=0, atol=1e-11)


def test_a_hair_below_ra_zero_is_not_360():
    assert wrapped(np.array([-1e-17, 360.0, -1.0])).tolist() == [0.0, 0.0, 359.0]


def test_barnards_star_moves_310_arcsec_in_30_years():
    # Hipparcos: 17h57m48.50s +04d41m36.2s, epoch and proper motion as in SIMBAD.
    start = ([269.45207], [4.69339])
    ra, dec = moved(*start, pm_ra=[-801.551], pm_dec=[10362.394], years=30.0)
    total = separation_arcsec(unit_vectors(*start), unit_vectors(ra, dec))[0]
    # 10.3933 arcsec/yr; the arc is shorter than its tangent by 2e-4 arcsec only.
    assert total == pytest.approx(30 * 10.39335, abs=1e-3)
    assert dec[0] - 4.69339 == pytest.approx(30 * 10.362394 / 3600, abs=1e-6)


@pytest.mark.parametrize(("ra", "dec"), [*PLACES, (269.45207, 4.69339)])
@pytest.mark.parametrize("years", [30.0, -100.0])
def test_proper_motion_is_that_of_astropy(ra, dec, years):
    pm_ra, pm_dec = -801.551, 10362.394
    star = SkyCoord(ra * u.deg, dec * u.deg, pm_ra_cosdec=pm_ra * u.mas / u.yr,
                    pm_dec=pm_dec * u.mas / u.yr, distance=2 * u.pc,
                    obstime=Time(2000.0, format="jyear", scale="tdb"))
    expected = star.apply_space_motion(dt=years * u.yr)
    found = SkyCoord(*moved([ra], [dec], pm_ra=[pm_ra], pm_dec=[pm_dec], years=years), unit="deg")
    assert found.separation(expected).arcsec[0] < 1e-6


def test_an_unknown_proper_motion_leaves_the_very_same_position():
    ra, dec = moved([10.1, 20.2], [89.9, -3.3], pm_ra=[np.nan, 5.0], pm_dec=[7.0, np.nan],
                    years=50.0)
    assert (ra.tolist(), dec.tolist()) == ([10.1, 20.2], [89.9, -3.3])
