"""Directions off source stand around the targets where there is nothing, always the same ones."""

import numpy as np
import pytest
from rooms import plan

from visds.core.catalogue import Catalogue
from visds.core.settings import Parser
from visds.core.sky import Direction, separation
from visds.core.track import Track
from visds.find_targets import find_targets
from visds.off_source import known_sources, off_source_directions, place_off_source
from visds.subtraction import coarsest_beam, prepare_subtraction
from visds.target import Target
from visds.target_settings import TargetSettings
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import ImageModel, to_components
from visds.visibility.sky_model.model import Part
from visds.visibility.sky_model.settings import ModelSettings

BEAM = 5 / 3600
CENTRE = Direction(359.999, 30.0)


def directions(targets=(CENTRE,), sources=((359.999, 30.0, 0.0),), number=8, limit=0.5, beam=BEAM):
    ra, dec, radius = np.array(sources, float).T
    return off_source_directions(targets, ra, dec, radius, beam=beam, number=number, centre=CENTRE,
                                 limit=limit)


def beams(one, other):
    return separation(one, other) / BEAM


def components(places, shape=None):
    ra, dec = np.array(places, float).T
    stokes = np.zeros((len(ra), 4))
    stokes[:, 0] = 0.1
    return ComponentModel(ra, dec, stokes, np.full(len(ra), 1e9), np.zeros(len(ra)), shape=shape)


def test_they_are_3_to_10_beams_from_the_target_and_apart_from_each_other():
    found = directions(number=30)
    assert len(found) == 30
    away = [beams(direction, CENTRE) for direction, _ in found]
    assert min(away) == pytest.approx(3) and max(away) == pytest.approx(10)
    # The first few are near and far, and on all sides.
    assert sorted(away[:5]) == pytest.approx([3, 4.75, 6.5, 8.25, 10])
    assert len({(d.ra + 180) % 360 > 179.999 for d, _ in found[:4]}) == 2
    assert min(beams(one, other) for n, (one, _) in enumerate(found)
               for other, _ in found[:n]) >= 1.5


def test_they_are_the_same_for_the_same_arguments_and_fewer_are_the_first_of_more():
    assert directions() == directions()
    assert directions(number=3) == directions(number=8)[:3]


def test_they_stay_2_beams_clear_of_what_is_known_and_of_how_far_it_reaches():
    free = directions(number=8)
    source = free[0][0]
    clear = directions(sources=[(359.999, 30, 0), (source.ra, source.dec, 3 * BEAM)])
    assert all(beams(direction, source) >= 5 for direction, _ in clear)
    assert len(clear) == 8


def test_several_targets_are_surrounded_in_turn_and_none_is_in_the_way():
    others = [Direction(0.002, 30.0), Direction(0.005, 30.001)]
    targets = [CENTRE, *others]
    found = directions(targets, [(t.ra, t.dec, 0) for t in targets], number=9)
    assert [place for _, place in found] == [0, 1, 2] * 3
    assert all(beams(direction, target) >= 2 for direction, _ in found for target in targets)


def test_where_there_is_no_room_there_are_as_many_as_there_are():
    assert len(directions(number=10000)) > 60
    # A field full of sources, one a beam.
    grid = [(359.999 + x * BEAM / np.cos(np.radians(30)), 30 + y * BEAM, 0.0)
            for x in range(-15, 16) for y in range(-15, 16)]
    assert directions(sources=grid) == []


def test_they_stay_inside_the_field_or_as_near_to_its_middle_as_their_target_is():
    assert {round(beams(direction, CENTRE), 2) for direction, _ in directions(limit=4 * BEAM)} \
        == {3}
    outside = Direction(359.999, 30 + 20 * BEAM)
    found = directions([outside], [(outside.ra, outside.dec, 0)], limit=4 * BEAM)
    assert len(found) == 8
    assert all(beams(direction, CENTRE) <= 20.0001 for direction, _ in found)


def test_at_the_pole_they_stand_around_it():
    pole = Direction(0.0, 90.0)
    found = off_source_directions([pole], np.array([0.0]), np.array([90.0]), np.zeros(1),
                                  beam=BEAM, number=12, centre=pole, limit=1.0)
    assert all(2.99 < beams(direction, pole) < 10.01 for direction, _ in found)
    assert np.ptp([direction.ra for direction, _ in found]) > 200


def test_what_is_known_are_targets_catalogues_components_and_bright_pixels():
    pixels = np.zeros((1, 1, 8, 8), np.float32)
    pixels[0, 0, 2, 3], pixels[0, 0, 5, 5], pixels[0, 0, 6, 6] = -2.0, 0.03, 0.01
    image = ImageModel(pixels, ("I",), 1e9, np.empty(0), Direction(10.0, 20.0), "SIN",
                       (-1e-3, 1e-3), (3.0, 2.0))
    gaussian = components([(40.0, 5.0)], shape=np.array([[60.0, 30.0, 0.0]]))
    parts = [Part(content, "model", False, "so") for content in (
        image, to_components(image), gaussian)]
    catalogue = Catalogue(ra=[50.0], dec=[6.0], pm_ra=[0.0], pm_dec=[3.6e5], epoch=[2000.0])
    ra, dec, radius = known_sources([Target(Direction(1.0, 2.0), "t")], {"c": catalogue}, parts,
                                    epoch=2010.0, beam=BEAM)
    assert len(ra) == 1 + 1 + 2 + 2 + 1
    np.testing.assert_allclose((ra[:2], dec[:2]), ([1, 50], [2, 7]), atol=1e-3)
    for first in (2, 4):
        assert (ra[first], dec[first]) == (pytest.approx(10), pytest.approx(20))
        assert dec[first + 1] == pytest.approx(20.003, abs=1e-6)
    assert radius.tolist() == [0] * 6 + [30 / 3600]


def test_a_body_that_moves_is_kept_clear_of_along_its_whole_path():
    time = 60000 + np.arange(5) * 300 / 86400
    track = Track(time, np.zeros(5), 0.1 * np.arange(5))
    ra, dec, _ = known_sources([Target(track.middle, "moon", track=track)], {}, [], epoch=2024.0,
                               beam=BEAM)
    assert (dec[0], dec[-1]) == (0, pytest.approx(0.4)) and np.abs(ra).max() < 1e-9
    assert np.diff(dec).max() <= BEAM / 2 * 1.001


def test_of_an_observation_they_are_named_and_what_lacks_is_told(simulated):
    planned = plan(simulated(scans=2, noise="20mJy", calibrator=True).measurement_set)

    def placed(*options, **catalogues):
        settings = Parser("visds-test", "", {"target": TargetSettings}).parse(list(options))[1]
        targets = find_targets(planned, settings["target"], {}, 0.5)
        subtraction = prepare_subtraction(planned, ModelSettings(), targets, field_width=0.5,
                                          beam=None, powers=[1.0])
        return place_off_source(planned, settings["target"], targets, catalogues, subtraction, 0.5)

    assert placed() == ((), [])
    found, lacking = placed("--offsets", "6")
    assert [target.name for target in found] == [f"off_{n:03d}" for n in range(1, 7)]
    assert {target.role for target in found} == {"off source"} and not lacking
    centre = Direction(*planned.phase_centre)
    away = separation(found[0].direction, centre) / coarsest_beam(planned)
    assert away == pytest.approx(3, abs=1e-3) and found[0].origin == "3.00 beams from target"
    steps = coarsest_beam(planned) * np.arange(-14, 15)
    full = Catalogue(ra=centre.ra + np.repeat(steps, 29), dec=centre.dec + np.tile(steps, 29))
    none, (line,) = placed("--offsets", "6", full=full)
    assert none == () and "--offsets 6: there is room for 0 directions off source only" in line
