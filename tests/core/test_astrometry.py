"""Places on the sphere agree with astropy to a microarcsecond, poles included."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import (
    GCRS,
    ICRS,
    EarthLocation,
    SkyCoord,
    get_body_barycentric,
)
from astropy.time import Time

from visds.core.astrometry import (
    moved,
    position_angle_deg,
    ra_dec,
    separation_arcsec,
    unit_vectors,
    wrapped,
)
from visds.core.sky import barycentric_position

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


@pytest.mark.parametrize(("ra", "dec", "pm_ra", "pm_dec", "mas"), [
    (217.42893801, -62.67949189, -3781.741, 769.465, 768.0665),  # Proxima, Gaia DR3, 2016.0
    (311.28968847, -31.34244831, 281.319, -360.148, 102.943),    # AU Mic
    (20.0, 89.9999, 3000.0, -2000.0, 500.0), (20.0, -66.56, 0.0, 0.0, 300.0)])
def test_proper_motion_and_parallax_are_those_of_astropy_to_a_tenth_of_a_mas(ra, dec, pm_ra,
                                                                            pm_dec, mas):
    """Seen from the observatory, apparent places turned back to those among the stars."""
    vla = np.array([-1601185.4, -5041977.5, 3554875.9])
    for mjd in (58340.1, 58431.6, 60310.9):
        utc = Time(mjd, format="mjd", scale="utc")
        # With UT1 = UTC and no polar motion, 0.4 km that no parallax tells.
        utc.delta_ut1_utc = 0.0
        observer = barycentric_position(np.array([mjd]), vla)[0]
        star = SkyCoord(ra * u.deg, dec * u.deg, distance=(mas * u.mas).to(u.pc, u.parallax()),
                        pm_ra_cosdec=pm_ra * u.mas / u.yr, pm_dec=pm_dec * u.mas / u.yr,
                        radial_velocity=0 * u.km / u.s, obstime=Time("J2016.0"))
        then = star.apply_space_motion(new_obstime=utc)
        geocentre = EarthLocation.from_geocentric(*vla, unit="m").get_gcrs_posvel(utc)
        frame = GCRS(obstime=utc, obsgeoloc=geocentre[0], obsgeovel=geocentre[1])
        apparent = SkyCoord(then.ra, then.dec, distance=then.distance).transform_to(frame)
        expected = SkyCoord(apparent.ra, apparent.dec, frame=frame).transform_to(ICRS())
        year = 2000 + (mjd - 51544.5) / 365.25
        found = moved(np.array([ra]), np.array([dec]), pm_ra=np.array([pm_ra]),
                      pm_dec=np.array([pm_dec]), years=year - 2016.0, parallax=np.array([mas]),
                      observer=observer / u.au.to(u.m))
        away = separation_arcsec(unit_vectors(*found), unit_vectors(
            np.array([expected.ra.deg]), np.array([expected.dec.deg])))
        assert away[0] < 1e-4


def test_over_a_year_a_star_at_the_pole_of_the_ecliptic_goes_round_a_circle_of_its_parallax():
    times = 59000 + np.arange(0, 365.25, 15)
    pole = SkyCoord(0 * u.deg, 90 * u.deg, frame="barycentrictrueecliptic").icrs
    places = unit_vectors(*(np.concatenate(axis) for axis in zip(*(
        moved([pole.ra.deg], [pole.dec.deg], pm_ra=[np.nan], pm_dec=[np.nan], years=0.0,
              parallax=[100.0], observer=r / u.au.to(u.m))
        for r in barycentric_position(times, np.zeros(3))), strict=True)))
    centre = unit_vectors(np.array([pole.ra.deg]), np.array([pole.dec.deg]))
    # The barycentre is up to 0.01 au from the Sun, and the Earth's orbit 0.017 eccentric.
    np.testing.assert_allclose(separation_arcsec(places, centre), 0.1, rtol=0.03)
    # It is displaced away from where the Earth is.
    earth = get_body_barycentric("earth", Time(times, format="mjd"), ephemeris="builtin")
    shift = places - centre
    assert np.all(np.sum(shift * earth.xyz.to_value(u.au).T, axis=1) < 0)


@pytest.mark.parametrize("parallax", [np.nan, 0.0, -3.0])
def test_a_star_without_a_positive_parallax_stays(parallax):
    assert moved([10.0], [20.0], pm_ra=[np.nan], pm_dec=[np.nan], years=1.0,
                 parallax=[parallax], observer=np.array([1.0, 0, 0]))[0][0] == 10.0
