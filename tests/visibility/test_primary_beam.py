"""Primary beams: widths that observatories publish, and what every beam has in common."""

import pickle

import numpy as np
import pytest
from scipy.optimize import brentq

from visds.core.errors import SettingsError
from visds.core.provenance import key
from visds.core.settings import Parser
from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.visibility.primary_beam.airy import AiryBeam
from visds.visibility.primary_beam.beam import cosines_about, outside
from visds.visibility.primary_beam.choose import choose_beam
from visds.visibility.primary_beam.cosine_taper import MEERKAT, cosine_taper
from visds.visibility.primary_beam.pointed import PointedBeam
from visds.visibility.primary_beam.polynomial import published_beam
from visds.visibility.primary_beam.settings import PrimaryBeamSettings
from visds.visibility.primary_beam.squint import squint_share

BEAMS = {"airy": AiryBeam(25.0), "blocked": AiryBeam(25.0, 3.0), "VLA": published_beam("VLA"),
         "VLA-old": published_beam("VLA-old"), "uGMRT": published_beam("uGMRT"),
         "ATCA": published_beam("ATCA"), "MeerKAT": MEERKAT}


def at(arcmin, angle=0.0):
    """Return l and m of offsets in arcmin at a position angle in rad, north through east."""
    sine = np.sin(np.radians(np.asarray(arcmin, float) / 60))
    return np.stack([sine * np.sin(angle), sine * np.cos(angle)], axis=-1)


def power(beam, arcmin, frequency, angle=0.0):
    return beam(at(arcmin, angle), np.array([frequency]))[..., 0]


def half_power_width(beam, frequency):
    """Return in arcmin twice the offset at which the power is a half, found by bisection."""
    widest = 4000 / (frequency / 1e9)
    first = np.linspace(0, widest, 4000)
    beyond = first[np.argmax(power(beam, first, frequency) < 0.5)]
    return 2 * brentq(lambda offset: float(power(beam, offset, frequency)) - 0.5, 0, beyond)


@pytest.mark.parametrize(("telescope", "megahertz", "arcmin", "tolerance"), [
    # Perley 2016: half-power widths of 42 arcmin GHz within 3 % at L to Q band.
    *(("EVLA", megahertz, 42.0 * 1e3 / megahertz, 0.04)
      for megahertz in (1424, 3052, 6052, 10052, 15052, 22000, 33000, 43308)),
    # VLA Observational Status Summary of the time: 45 arcmin GHz of the Gaussian that fits best.
    ("VLA", 1465, 30, 0.03), ("VLA", 8435, 5.4, 0.04),
    # GMRT Observer's Manual: 75, 43 (38) and 23 arcmin at 400, 650 (750) and 1300 MHz.
    ("GMRT", 400, 75, 0.05), ("GMRT", 650, 43, 0.02), ("GMRT", 750, 38, 0.02),
    ("GMRT", 1300, 23, 0.06),
    # ATCA Users Guide: 47.9, 48.3 and 50.6 arcmin GHz at 20, 6 and 3 cm.
    ("ATCA", 1412, 33.9, 0.02), ("ATCA", 5500, 48.3e3 / 5500, 0.02),
    ("ATCA", 8600, 50.6e3 / 8600, 0.02),
    # Mauch et al. 2020: 67 arcmin at 1.28 GHz.
    ("MeerKAT", 1280, 67.4, 0.001)])
def test_half_power_widths_are_the_published_ones(telescope, megahertz, arcmin, tolerance):
    hertz = megahertz * 1e6
    beam = choose_beam("auto", telescope, 0.0, lowest=hertz, highest=hertz)
    assert half_power_width(beam, hertz) == pytest.approx(arcmin, rel=tolerance)


def test_an_evenly_lit_dish_has_an_airy_pattern():
    """Width 1.029 lambda/D, first null at 1.2197 lambda/D, first side lobe of 1.75 %."""
    beam, hertz = BEAMS["airy"], 1e9
    ratio = np.degrees(LIGHT_SPEED / hertz / 25.0) * 60
    assert half_power_width(beam, hertz) == pytest.approx(1.029 * ratio, rel=1e-3)
    assert power(beam, 1.2197 * ratio, hertz) < 1e-6
    lobe = power(beam, np.linspace(1.3, 2.2, 2000) * ratio, hertz).max()
    assert lobe == pytest.approx(0.01750, abs=1e-4)


def test_a_blocked_dish_has_a_narrower_beam_with_higher_side_lobes():
    open_width, blocked_width = (half_power_width(BEAMS[name], 1e9) for name in ("airy", "blocked"))
    assert blocked_width < open_width
    ring = np.linspace(53, 90, 500)
    assert power(BEAMS["blocked"], ring, 1e9).max() > power(BEAMS["airy"], ring, 1e9).max()


@pytest.mark.parametrize(("megahertz", "arcmin", "expected"), [
    (1423.944, 12.0, 0.6389), (1423.944, 15.0, 0.4870), (1423.944, 24.0, 0.1236),
    (3051.879, 5.6, 0.6360), (3051.879, 11.2, 0.1138),
    # CASA takes the nearest row of the table, between rows this is interpolated.
    (1399.944, 15.0, 0.4997), (1399.944, 24.0, 0.1352)])
def test_the_vla_is_attenuated_as_in_casa(megahertz, arcmin, expected):
    """Images .pb that tclean of casatasks 6.7.0 made of data of an EVLA."""
    assert power(BEAMS["VLA"], arcmin, megahertz * 1e6) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("beam", BEAMS.values(), ids=BEAMS)
def test_every_beam_is_one_at_the_pointing_round_and_narrows_with_frequency(beam):
    frequency = np.array([1.1e9, 1.3e9, 1.45e9])
    np.testing.assert_allclose(beam(np.zeros(2), frequency), 1, rtol=1e-12)
    around = beam(at(9.0, np.linspace(0, 2 * np.pi, 7)), frequency)
    assert around.shape == (7, 3)
    np.testing.assert_allclose(around, np.broadcast_to(around[0], (7, 3)), rtol=1e-9)
    assert np.all(np.diff(around[0]) < 0) and np.all(around < 1)


@pytest.mark.parametrize("beam", BEAMS.values(), ids=BEAMS)
def test_every_beam_is_from_0_to_1_anywhere_falls_in_its_main_lobe_and_goes_to_other_ranks(beam):
    frequency = np.array([1.3e9, 1.4e9])
    offsets = np.linspace(0, 3000, 4000)
    values = beam(at(offsets), frequency)
    assert np.all((values >= 0) & (values <= 1 + 1e-12))
    main = values[:, 0] > 0.1
    main = np.arange(len(offsets)) < np.argmin(main)
    assert np.all(np.diff(values[main], axis=0) < 0)
    again = pickle.loads(pickle.dumps(beam))
    np.testing.assert_array_equal(again(at(offsets), frequency), values)
    assert key(again) == key(beam) and again.describe() == beam.describe()


@pytest.mark.parametrize("name", ["VLA", "VLA-old", "uGMRT", "ATCA"])
def test_a_polynomial_never_rises_again_and_sources_beyond_it_are_known(name):
    beam = BEAMS[name]
    frequency = np.array([0.13e9, 0.4e9, 0.7e9, 1.3e9, 3e9, 20e9])
    offsets = np.concatenate([np.linspace(0, 800, 8001), [2000.0, 5000.0]])
    values = beam(at(offsets), frequency)
    assert np.all(np.diff(values, axis=0) <= 0) and np.all(values[-2:] < 1e-4)
    is_outside = outside(beam, at(offsets), frequency[3:4])
    first = np.argmax(is_outside)
    assert 20 < offsets[first] < 36 and is_outside[first:].all()
    assert values[first - 1, 3] > 0.05 > values[first, 3]


def test_the_beam_changes_smoothly_in_a_band_and_jumps_between_receivers():
    """Memo 195 has rows at 1360 and 1424 MHz (L), and at 2000 (L) and 2052 MHz (S)."""
    beam = BEAMS["VLA"]

    def scaled(megahertz):
        return float(power(beam, 20.0 / (megahertz / 1e3), megahertz * 1e6))

    row = 1 - 1.462e-3 * 400 + 8.23e-7 * 400**2 - 1.83e-10 * 400**3
    assert scaled(1424) == pytest.approx(row, abs=1e-5)
    assert scaled(1392) == pytest.approx((scaled(1360) + scaled(1424)) / 2, abs=2e-3)
    slope = np.diff([scaled(megahertz) for megahertz in (1359, 1360, 1361)])
    assert slope[0] == pytest.approx(slope[1], abs=0.1 * abs(slope[0]) + 1e-6)
    assert scaled(1005) == pytest.approx(scaled(1040), abs=1e-5)
    assert scaled(2000) == pytest.approx(scaled(1999.9), abs=1e-4)
    assert abs(scaled(2000.1) - scaled(1999.9)) > 0.01
    np.testing.assert_allclose(beam(at(10.0), np.array([1.5e9, 1.36e9])),
                               [power(beam, 10.0, 1.5e9), power(beam, 10.0, 1.36e9)])


def test_the_cosine_taper_is_smooth_where_its_formula_is_zero_by_zero():
    r = np.linspace(0.3, 0.6, 301)
    q = 1.18896478 * r
    with np.errstate(all="ignore"):
        formula = np.cos(np.pi * q) / (1 - 4 * q**2)
    np.testing.assert_allclose(cosine_taper(r), formula, rtol=1e-6)
    assert cosine_taper(0.5 / 1.18896478) == pytest.approx(np.pi / 4)
    assert cosine_taper(0.5) ** 2 == pytest.approx(0.5, abs=1e-7)


def test_meerkat_has_the_widths_that_holography_found():
    """Means of the cuts that katbeam 0.1 tabulates: 88.0, 65.7 and 57.9 arcmin."""
    for megahertz, arcmin in ((1000, 88.0), (1300, 65.7), (1500, 57.9)):
        assert half_power_width(MEERKAT, megahertz * 1e6) == pytest.approx(arcmin, rel=0.025)


def test_katbeam_is_used_where_it_is_installed():
    pytest.importorskip("katbeam")
    beam = choose_beam("katbeam", "MeerKAT", 13.5, lowest=1.0e9, highest=1.6e9)
    assert half_power_width(beam, 1.3e9) == pytest.approx(65.3, rel=0.01)
    np.testing.assert_allclose(beam(np.zeros((4, 2)), np.array([1.0e9, 1.5e9])), 1)
    assert power(beam, 200.0, 1.3e9) == 0
    np.testing.assert_allclose(power(beam, 30.0, 1.3e9, np.radians([0, 15, 90])),
                               np.full(3, power(beam, 30.0, 1.3e9)))
    assert pickle.loads(pickle.dumps(beam)) == beam
    with pytest.raises(SettingsError, match="2000 MHz are in none of its bands"):
        choose_beam("katbeam", "MeerKAT", 13.5, lowest=1e9, highest=2e9)


def test_without_katbeam_its_name_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "katbeam", None)
    from visds.visibility.primary_beam import kat_beam

    kat_beam._load.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install visds\[meerkat\]"):
        choose_beam("katbeam", "MeerKAT", 13.5, lowest=1e9, highest=1.1e9)


def test_a_beam_pointed_elsewhere_is_the_same_beam_about_another_place():
    """A source half a degree north of the pointing is seen alike, whatever the phase centre is."""
    centre, pointing = Direction(83.0, 62.0), Direction(85.5, 61.0)
    beam = PointedBeam(BEAMS["airy"], pointing, centre)
    frequency = np.array([1e9])
    source = Direction(85.5, 61.5)
    cosines = direction_cosines(np.array([source.ra]), np.array([source.dec]), centre)
    np.testing.assert_allclose(beam(cosines, frequency), power(beam.beam, [30.0], 1e9)[:, None],
                               rtol=1e-9)
    there = direction_cosines(pointing.ra, pointing.dec, centre)
    assert beam(there, frequency)[0] == pytest.approx(1, abs=1e-9)
    at_centre = PointedBeam(BEAMS["airy"], centre, centre)
    np.testing.assert_array_equal(at_centre(at(30.0), frequency), beam.beam(at(30.0), frequency))
    assert "pointed at" in beam.describe()


def test_east_and_north_of_the_pointing_are_where_the_sky_has_them():
    pointing = Direction(10.0, 40.0)
    east, north = (cosines_about(pointing, place)
                   for place in (Direction(10.1, 40.0), Direction(10.0, 40.1)))
    assert east[0] > 1e-3 and abs(east[1]) < 1e-5 and north[1] > 1e-3 and abs(north[0]) < 1e-9
    with pytest.raises(ValueError, match="90 deg or more"):
        cosines_about(pointing, Direction(190.0, 0.0))


def chosen(name, telescope="VLBA", diameter=25.0, lowest=1.3e9, highest=1.5e9):
    return choose_beam(name, telescope, diameter, lowest=lowest, highest=highest)


@pytest.mark.parametrize("name", [None, "none"])
def test_by_default_there_is_no_beam(name):
    assert chosen(name) is None


def test_auto_knows_telescopes_as_measurement_sets_name_them():
    assert chosen("auto", "EVLA") is published_beam("VLA")
    assert chosen("auto", "VLA") is published_beam("VLA-old")
    assert chosen("auto", "VLA", lowest=2.5e9, highest=3e9) is published_beam("VLA")
    assert chosen("auto", "GMRT", 45.0, 0.55e9, 0.75e9) is published_beam("uGMRT")
    assert chosen("auto", "ATCA", 0.0, 1.07e9, 3.13e9) is published_beam("ATCA")
    assert chosen("auto", "MeerKAT", 13.5) is MEERKAT


def test_auto_is_the_airy_pattern_of_the_dish_where_nothing_is_published():
    assert chosen("auto") == AiryBeam(25.0)
    assert chosen("auto", "MeerKAT", 13.5, 2e9, 3e9) == AiryBeam(13.5)
    assert chosen("airy", "VLA") == AiryBeam(25.0) and chosen("AIRY:64m") == AiryBeam(64.0)


@pytest.mark.parametrize(("keywords", "message"), [
    ({"name": "auto", "diameter": 0.0}, "does not say how large the dishes of VLBA are; give airy"),
    ({"name": "auto", "telescope": "LOFAR"}, "LOFAR has no dishes"),
    ({"name": "auto", "telescope": "ASKAP"}, "ASKAP forms several beams"),
    ({"name": "ugmrt", "lowest": 0.4e9, "highest": 0.52e9},
     "400 to 520 MHz, the beam of the uGMRT is known at 120-500, 550-900 and 980-1500 MHz"),
    ({"name": "vla", "lowest": 60e9, "highest": 61e9}, "known at 224-480 and 1000-50000 MHz"),
    ({"name": "meerkat", "highest": 3e9}, "known at 544-1712 MHz"),
    ({"name": "airy:25"}, "needs a unit"), ({"name": "airy:0m"}, "positive diameter"),
    ({"name": "vlba"}, "'vlba' is neither a file nor one of none, auto, vla")])
def test_what_is_not_known_is_refused_in_a_line(keywords, message):
    with pytest.raises(SettingsError, match=message):
        chosen(**keywords)


def test_the_options_are_those_of_a_user_and_a_pointing_that_is_none_is_refused():
    parser = Parser("program", "", {"beam": PrimaryBeamSettings})
    _, settings = parser.parse([])
    assert settings["beam"] == PrimaryBeamSettings("none", None, False)
    _, settings = parser.parse(["--primary-beam", "auto", "--pointing", "83.1deg -5.2deg",
                                "--correct-smearing"])
    assert settings["beam"] == PrimaryBeamSettings("auto", "83.1deg -5.2deg", True)
    with pytest.raises(SettingsError, match=r"--pointing: position '83\.1 -5\.2' has no unit"):
        parser.parse(["--pointing", "83.1 -5.2"])


def test_squint_fakes_circular_polarization_away_from_the_pointing():
    """At the VLA's half power, where the beam falls by 7 % an arcmin GHz: 8 % of I."""
    frequency = np.array([1.4e9])
    half = half_power_width(BEAMS["VLA"], 1.4e9) / 2
    share = squint_share("EVLA", BEAMS["VLA"], at(half, 0.7), frequency)
    r, s = half * 1.4, 1.21
    near, far = (power(BEAMS["VLA"], (r + sign * s) / 1.4, 1.4e9) for sign in (-1, 1))
    assert share == pytest.approx((near - far) / (near + far), rel=1e-4)
    assert share == pytest.approx(0.08, abs=0.01)
    assert squint_share("EVLA", BEAMS["VLA"], at(half / 4), frequency) < 0.02
    assert squint_share("EVLA", BEAMS["VLA"], np.zeros(2), frequency) == 0
    assert squint_share("GMRT", BEAMS["uGMRT"], at(10.0), frequency) == 0
