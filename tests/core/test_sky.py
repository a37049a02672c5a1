"""Directions and times agree with casatools measures and with astropy, whose code is not ours."""

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time

from visds.core.casa import load_casatools
from visds.core.errors import SettingsError
from visds.core.sky import (
    Direction,
    angle_text,
    barycentric_time,
    direction_cosines,
    elevation,
    parallactic_angle,
    parse_direction,
    separation,
)
from visds.visibility.simulation.sky_geometry import bundled_earth_orientation

VLA = np.array([-1601185.4, -5041977.5, 3554875.9])
ATCA = np.array([-4750915.8, 2792906.2, -3200483.7])
GMRT = np.array([1656342.3, 5797947.8, 2073243.2])
TIMES = np.array([49820.43, 55312.14, 58656.9, 60462.25])


def measures_at(position, mjd):
    """Return casatools' measures, told where and when."""
    tools = load_casatools()
    measures = tools.measures()
    measures.doframe(measures.position("ITRF", *_geodetic(position)))
    measures.doframe(measures.epoch("UTC", f"{float(mjd)!r}d"))
    return measures


def _geodetic(position):
    place = EarthLocation.from_geocentric(*position, unit="m")
    # casacore's ITRF wants geocentric latitude and radius with longitude.
    radius = np.linalg.norm(position)
    latitude = np.degrees(np.arcsin(position[2] / radius))
    return f"{float(place.lon.deg)!r}deg", f"{float(latitude)!r}deg", f"{float(radius)!r}m"


@pytest.mark.parametrize(("text", "ra", "dec"), [
    ("05:31:58.7 +33:08:52.5", 82.99458333333333, 33.14791666666667),
    ("05h31m58.7s +33d08m52.5s", 82.99458333333333, 33.14791666666667),
    ("83.1deg -5.2deg", 83.1, -5.2),
    ("83.1deg -5.2", 83.1, -5.2),
    ("00:00:00 -00:30:00", 0.0, -0.5),
])
def test_a_position_is_read_in_the_units_that_it_is_written_in(text, ra, dec):
    found = parse_direction(text)
    assert (found.ra, found.dec) == pytest.approx((ra, dec), abs=1e-10)


@pytest.mark.parametrize("text", ["1055+018", "1253-055", "B1957+20", "400deg 0deg",
                                  "24:00:00 +1d"])
def test_names_and_right_ascensions_beyond_the_circle_are_not_wrapped_to_a_position(text):
    with pytest.raises(SettingsError, match="is not a position") as error:
        parse_direction(text)
    assert text in str(error.value)


@pytest.mark.parametrize("text", ["83.1 -5.2", "83.1,-5.2", "10 20"])
def test_a_pair_of_plain_numbers_is_refused_for_it_could_be_hours_or_degrees(text):
    with pytest.raises(SettingsError, match="no unit"):
        parse_direction(text)


@pytest.mark.parametrize(("text", "declination"), [
    ("10:08:00 +97:30:16", r"\+97"), ("10h08m00s -91d30m", "-91"), ("83deg 100deg", "100")])
def test_a_declination_beyond_the_pole_is_said_to_be_one(text, declination):
    with pytest.raises(SettingsError, match=f"a declination of {declination} degrees is not betw"):
        parse_direction(text)


@pytest.mark.parametrize(("degrees", "text"), [
    (0.02, "1.2 arcmin"), (0.00301, "10.8 arcsec"), (0.0999, "5.99 arcmin"), (0.1, "0.10 deg"),
    (12.345, "12.35 deg"), (0.0, "0 arcsec")])
def test_a_small_angle_is_written_in_minutes_or_seconds_of_arc(degrees, text):
    assert angle_text(degrees) == text


@pytest.mark.parametrize("text", ["", "nonsense", "25:00:00 +10:00:00", "12:00:00 +95:00:00",
                                  "12:00:00", "12:00:00 +10:00:00 +20:00:00", "nan nan"])
def test_what_is_no_position_is_one_line_that_quotes_it(text):
    with pytest.raises(SettingsError, match="is not a position") as caught:
        parse_direction(text)
    assert "\n" not in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(("ra0", "dec0"), [(0.0, 0.0), (359.99, 45.0), (128.8, -45.2),
                                           (10.0, 89.9), (200.0, -90.0)])
def test_direction_cosines_are_those_of_the_tangent_frame(ra0, dec0):
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    found = direction_cosines(ra, dec, Direction(ra0, dec0))
    a, d, a0, d0 = (np.radians(angle) for angle in (ra, dec, ra0, dec0))
    target = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    axes = np.array([[-np.sin(a0), np.cos(a0), 0],
                     [-np.sin(d0) * np.cos(a0), -np.sin(d0) * np.sin(a0), np.cos(d0)],
                     [np.cos(d0) * np.cos(a0), np.cos(d0) * np.sin(a0), np.sin(d0)]])
    np.testing.assert_allclose(found, target @ axes.T - [0, 0, 1], rtol=0, atol=1e-14)


def test_n_minus_1_keeps_its_digits_a_milliarcsecond_from_the_centre():
    angle = np.radians(1e-3 / 3600)
    for shift in ((0, 1e-3 / 3600), (1e-3 / 3600 / np.cos(np.radians(60)), 0)):
        l, m, n_minus_1 = direction_cosines(  # noqa: E741
            30 + shift[0], 60 + shift[1], Direction(30, 60))
        assert np.hypot(l, m) == pytest.approx(angle, rel=1e-5)
        assert n_minus_1 == pytest.approx(-angle**2 / 2, rel=1e-5)


def test_east_is_positive_l_and_north_positive_m():
    east, north = Direction(100.1, 20), Direction(100, 20.1)
    assert direction_cosines(east.ra, east.dec, Direction(100, 20))[0] > 0
    assert direction_cosines(north.ra, north.dec, Direction(100, 20))[1] > 0


def test_separations_go_up_to_180_degrees():
    for angle in (1e-7, 1.0, 90.0, 179.0):
        assert separation(Direction(5, 90), Direction(123, 90 - angle)) == pytest.approx(angle)


@pytest.mark.parametrize("frame", ["B1950", "B1950_VLA"])
@pytest.mark.parametrize(("ra", "dec"), [(186.6416667, 2.3286914), (10.0, 80.0), (300.0, -60.0)])
def test_b1950_is_turned_to_j2000_as_casa_does(frame, ra, dec):
    measures = load_casatools().measures()
    # casacore takes B1950 at the epoch of its frame, B1950_VLA always at 1979.9.
    measures.doframe(measures.epoch("UTC", "33281.92d"))
    there = measures.measure(measures.direction(frame, f"{ra}deg", f"{dec}deg"), "J2000")
    expected = SkyCoord(there["m0"]["value"], there["m1"]["value"], unit="rad")
    found = Direction(ra, dec, frame).to("ICRS")
    # J2000 and ICRS differ by 0.023 arcsec; a frame mistaken for the other by 0.13.
    assert SkyCoord(found.ra, found.dec, unit="deg").separation(expected).arcsec < 0.04


def test_3c273_of_1989_is_where_vlbi_finds_it():
    # Phase centre of the observed set, B1950_VLA; ICRF: 12h29m06.69970s +02d03m08.5982s.
    there = Direction(*np.degrees([2 * np.pi - 3.0257283894255504, 0.0406433368471458]),
                      "B1950_VLA").to("ICRS")
    vlbi = Direction(187.27791535, 2.05238839)
    assert 3600 * separation(there, vlbi) < 0.03


def test_a_frame_and_back_is_the_same_position():
    for frame in ("J2000", "ICRS", "B1950", "B1950_VLA"):
        start = Direction(123.4, -56.7, "ICRS")
        back = start.to(frame).to("ICRS")
        assert 3600 * separation(start, back) < 1e-3


@pytest.mark.parametrize("position", [VLA, ATCA, GMRT], ids=["VLA", "ATCA", "GMRT"])
@pytest.mark.parametrize("mjd", TIMES)
def test_the_parallactic_angle_is_that_of_casa(position, mjd):
    here = EarthLocation.from_geocentric(*position, unit="m")
    with bundled_earth_orientation():
        zenith = SkyCoord(az=0, alt=90, unit="deg", frame=AltAz(
            obstime=Time(mjd, format="mjd"), location=here)).icrs
    measures = measures_at(position, mjd)
    for east, north in ((40, 10), (-40, 10), (5, -30), (-5, 25)):
        target = Direction(float(zenith.ra.deg + east) % 360, float(np.clip(zenith.dec.deg + north,
                                                                       -85, 85)))
        # The position angle, from the target, of casacore's zenith: AZEL to J2000.
        source = measures.direction("J2000", f"{target.ra!r}deg", f"{target.dec!r}deg")
        up = measures.measure(measures.direction("AZELGEO", "0deg", "90deg"), "J2000")
        expected = measures.posangle(source, up)["value"]
        found = np.degrees(parallactic_angle(np.array([mjd]), target, position)[0])
        assert (found - expected + 180) % 360 - 180 == pytest.approx(0, abs=0.02)


def test_west_of_the_meridian_the_zenith_is_to_the_east_of_north():
    # Thompson, Moran and Swenson 2017, eq. 4.41: positive for positive hour angle.
    with bundled_earth_orientation():
        sidereal = Time(58656.9, format="mjd").sidereal_time(
            "apparent", EarthLocation.from_geocentric(*VLA, unit="m").lon).deg
    for hour_angle in (-30.0, 30.0):
        angle = parallactic_angle(np.array([58656.9]), Direction(sidereal - hour_angle, 10.0), VLA)
        assert np.sign(angle[0]) == np.sign(hour_angle)


@pytest.mark.parametrize("position", [VLA, ATCA, GMRT], ids=["VLA", "ATCA", "GMRT"])
@pytest.mark.parametrize(("ra", "dec"), [(187.28, 2.05), (83.0, -89.0), (300.0, 60.0)])
def test_the_elevation_is_that_of_astropy(position, ra, dec):
    here = EarthLocation.from_geocentric(*position, unit="m")
    with bundled_earth_orientation():
        expected = SkyCoord(ra, dec, unit="deg").transform_to(
            AltAz(obstime=Time(TIMES, format="mjd"), location=here)).alt.deg
    found = np.degrees(elevation(TIMES, Direction(ra, dec), position))
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("position", [VLA, ATCA, GMRT], ids=["VLA", "ATCA", "GMRT"])
@pytest.mark.parametrize(("ra", "dec"), [(187.28, 2.05), (83.0, -5.0), (300.0, -60.0)])
def test_the_barycentric_time_is_that_of_astropy_to_a_few_microseconds(position, ra, dec):
    here = EarthLocation.from_geocentric(*position, unit="m")
    with bundled_earth_orientation():
        utc = Time(TIMES, format="mjd", scale="utc", location=here)
        expected = utc.tdb + utc.light_travel_time(
            SkyCoord(ra, dec, unit="deg"), kind="barycentric", ephemeris="builtin")
    found = Time(barycentric_time(TIMES, Direction(ra, dec), position), format="mjd", scale="tdb")
    assert np.max(np.abs((found - expected).to_value(units.us))) < 5


def test_the_barycentric_time_of_an_integration_does_not_depend_on_the_other_integrations():
    time = 58656.3 + np.arange(2000) * 10 / 86400
    direction = Direction(187.28, 2.05)
    together = barycentric_time(time, direction, VLA)
    for t in (0, 1, 977, 1998, 1999):
        alone = barycentric_time(time[t:t + 1], direction, VLA)[0]
        assert (together[t] - alone) * 86400 == pytest.approx(0, abs=2e-6)  # rounding of an MJD


def test_light_arrives_up_to_500_seconds_early_at_the_barycentre_and_tdb_is_ahead_of_utc():
    # At the June solstice of 2019, MJD 58656, the Sun is at a right ascension of 90 degrees.
    mjd = np.array([58656.0])
    behind_sun = barycentric_time(mjd, Direction(90.0, 23.4), VLA) - mjd
    opposite = barycentric_time(mjd, Direction(270.0, -23.4), VLA) - mjd
    offset = 37 + 32.184
    assert 86400 * behind_sun[0] - offset == pytest.approx(-506, abs=8)
    assert 86400 * opposite[0] - offset == pytest.approx(506, abs=8)
