"""A target is named by its position, its field, or a catalogue that was given, in this order."""

import numpy as np
import pytest
from rooms import plan

from visds.core.astrometry import moved
from visds.core.catalogue import Catalogue
from visds.core.errors import CatalogueError, SettingsError
from visds.core.settings import Parser
from visds.core.sky import Direction, separation
from visds.run_settings import TargetSettings
from visds.target import find_target


@pytest.fixture(scope="module")
def planned(simulated):
    """Return the plan of an observation of 2024 with the fields target and calibrator."""
    return plan(simulated(scans=2, noise="20mJy", calibrator=True).measurement_set)


def find(planned, *options, **catalogues):
    settings = Parser("visds-test", "", {"target": TargetSettings}).parse(list(options))[1]
    return find_target(planned, settings["target"], catalogues)


def stars(**columns):
    """Return a catalogue of AU Mic in 2000, and another star, near the simulated phase centre."""
    return Catalogue(**{
        "ra": np.array([24.757, 24.76]), "dec": np.array([-17.951, -17.95]),
        "name": np.array(["AU Mic", "bystander"]), "pm_ra": np.array([281.0, np.nan]),
        "pm_dec": np.array([-360.0, np.nan]), "epoch": np.array([2000.0, 2000.0])} | columns)


def arcsec(one, other):
    return 3600 * separation(one, other)


@pytest.mark.parametrize("text", ["AU Mic", "aumic", " Au  MIC"])
def test_a_source_of_a_catalogue_is_where_its_proper_motion_has_brought_it(planned, text):
    found = find(planned, "--target", text, stars=stars())
    ra, dec = moved([24.757], [-17.951], pm_ra=[281.0], pm_dec=[-360.0],
                    years=planned.epoch - 2000)
    assert arcsec(found.direction, Direction(ra[0], dec[0])) < 1e-6
    # 0.457 arcsec a year for 24.4 years.
    assert arcsec(found.direction, Direction(24.757, -17.951)) == pytest.approx(11.15, abs=0.05)
    assert found.name == "AU Mic"
    for part in ("AU Mic of catalogue stars, moved 11.1", "281 mas/yr east and -360 north",
                 "from 2000.000 to 2024.417"):
        assert part in found.origin


def test_a_source_without_a_known_proper_motion_stays_and_says_so(planned):
    found = find(planned, "--target", "bystander", stars=stars())
    assert found.direction == Direction(24.76, -17.95)
    assert "whose proper motion is not known" in found.origin


def test_a_position_comes_before_a_field_and_a_field_before_a_source(planned):
    catalogue = stars(name=np.array(["target", "01:39:02 -17:57:00"]))
    assert find(planned, "--target", "01:39:02 -17:57:00", stars=catalogue).direction \
        == Direction(pytest.approx(24.7583333), pytest.approx(-17.95))
    centre = Direction(*planned.phase_centre)
    found = find(planned, "--target", "target", stars=catalogue)
    assert arcsec(found.direction, centre) < 1e-3
    warning, = found.warnings
    assert "the target is the phase centre of field target; target of catalogue stars" in warning
    assert "13.1 arcsec away: give its position if it is meant" in warning
    assert arcsec(find(planned, "--target", "Calibrator").direction, centre) > 3600


def test_a_name_made_of_a_position_is_a_name_first(planned):
    """Its digits are cut off: the source is up to a second of time and more from them."""
    catalogue = stars(name=np.array(["J013901.6-175703", "other"]), pm_ra=np.full(2, np.nan))
    assert find(planned, "--target", "J013901.6-175703", stars=catalogue).direction \
        == Direction(24.757, -17.951)
    without = find(planned, "--target", "J013901.6-175703")
    assert arcsec(without.direction, Direction(24.7566667, -17.9508333)) < 0.01
    assert without.origin == "read from the digits of its name"


def test_a_name_that_could_be_two_places_is_refused_with_both(planned):
    other = stars(ra=np.array([24.758, 24.76]))
    with pytest.raises(SettingsError, match=r"'AU Mic' could be AU Mic of catalogue a at "
                       r"01:39:02\.\d+ .* or AU Mic of catalogue b at .*give its position") as said:
        find(planned, "--target", "AU Mic", a=stars(), b=other)
    assert "\n" not in str(said.value)
    with pytest.raises(SettingsError, match="'star' could be Star of"):
        find(planned, "--target", "star", a=stars(name=np.array(["Star", "STAR"])))


def test_one_star_in_two_catalogues_is_one_place(planned):
    assert find(planned, "--target", "AU Mic", a=stars(), b=stars()).name == "AU Mic"


def test_a_name_that_nothing_has_is_refused_with_all_that_was_tried(planned):
    with pytest.raises(SettingsError, match=r"--target: 'AD Leo' is not a position.*; nor is it a "
                       r"field \(target, calibrator\), nor a source of catalogue a \(2 sources\) "
                       r"or catalogue b \(2 sources\)$") as caught:
        find(planned, "--target", "AD Leo", a=stars(), b=stars())
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"\(target, calibrator\); to look a name up, give "
                       "--catalogue FILE"):
        find(planned, "--target", "AD Leo")


def test_a_source_is_not_moved_twice(planned):
    with pytest.raises(SettingsError, match="--proper-motion: 'AU Mic' is a source of a catalogue"):
        find(planned, "--target", "AU Mic", "--proper-motion", "281 -360", stars=stars())


def test_a_source_that_moves_from_an_unknown_epoch_is_refused(planned):
    with pytest.raises(CatalogueError, match="proper motions but no epoch"):
        find(planned, "--target", "AU Mic", stars=stars(epoch=np.full(2, np.nan)))


def test_without_a_target_it_is_the_phase_centre(planned):
    found = find(planned)
    assert arcsec(found.direction, Direction(*planned.phase_centre)) < 1e-3
    assert found.name == "target"


@pytest.mark.parametrize("name", ["1055+018", "0003-066", "J0139-1757"])
def test_a_name_of_digits_is_the_source_of_that_name_and_no_position(planned, name):
    found = find(planned, "--target", name, stars=stars(name=np.array([name, "bystander"])))
    assert found.name == name and "of catalogue stars" in found.origin
    assert arcsec(found.direction, Direction(24.757, -17.951)) < 15
