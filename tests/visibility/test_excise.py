"""The target taken out of sky models of every form."""

import numpy as np
import pytest

from visds.core.sky import Direction
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.excise import excise, flux_density_inside
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import Part, SkyModel

TARGET = Direction(150.0, 40.0)
ARCSEC = 1 / 3600
RADIUS = 15 * ARCSEC


def at(*offsets, flux=1.0):
    """Return components at offsets (east, north) in arcsec from the target, and their number."""
    east, north = np.array(offsets, float).T * ARCSEC
    count = len(east)
    return ComponentModel(
        TARGET.ra + east / np.cos(np.radians(TARGET.dec)), TARGET.dec + north,
        np.tile([flux, 0, 0, 0], (count, 1)), np.full(count, 1e9), np.full(count, -1.0))


def image(pixels, tangent=TARGET, cell=5.0):
    values = np.zeros((2, 1, 64, 64))
    for (x, y), flux in pixels.items():
        values[:, 0, y, x] = flux
    return ImageModel(values, ("I",), 1e9, np.zeros(0), tangent, "SIN",
                      (-cell * ARCSEC, cell * ARCSEC), (32.0, 32.0))


def model(*contents):
    return SkyModel(tuple(Part(content, f"part {n}", False, "") for n, content
                          in enumerate(contents)), ("MODEL_DATA",))


def test_components_within_the_disc_go_and_all_others_stay():
    components = at((0, 0), (14, 0), (0, -14.9), (15.1, 0), (-300, 200))
    rest, _, removed = excise(model(components), TARGET, RADIUS, 2e9)
    assert len(rest.parts[0].content) == 2
    assert rest.columns == ("MODEL_DATA",)
    # Three of 1 Jy at 1 GHz with the index -1.
    assert [(what.origin, what.content) for what in removed] == [("part 0", "3 components")]
    assert removed[0].flux_density == pytest.approx(1.5)


def test_pixels_within_the_disc_go_and_all_others_stay():
    # Pixels of 5 arcsec: 2 from the target is inside of 15 arcsec, 4 is outside.
    picture = image({(32, 32): (1, 0), (34, 32): (2, 1), (32, 28): (4, 0), (50, 50): (8, 0)})
    rest, _, removed = excise(model(picture), TARGET, RADIUS, 1.5e9)
    assert removed[0].content == "2 pixels"
    assert removed[0].flux_density == pytest.approx(1 + 2 + 0.5)
    assert rest.parts[0].content.pixels[0].sum() == 12
    assert picture.pixels[0].sum() == 15, "the model that was given is another's"


def test_the_disc_is_on_the_sky_wherever_the_image_has_its_centre():
    away = Direction(TARGET.ra, TARGET.dec + 100 * ARCSEC)
    picture = image({(32, 12): (1, 0), (32, 32): (2, 0)}, tangent=away)
    rest, _, removed = excise(model(picture), TARGET, RADIUS, 1e9)
    assert removed[0].flux_density == pytest.approx(1)
    assert rest.parts[0].content.pixels[0].sum() == 2


def test_a_disc_over_right_ascension_zero():
    target = Direction(0.0, 10.0)
    components = ComponentModel(np.array([359.999, 0.001, 180.0]), np.array([10.0, 10.0, 10.0]),
                                np.tile([1.0, 0, 0, 0], (3, 1)), np.full(3, 1e9), np.zeros(3))
    rest, _, removed = excise(model(components), target, RADIUS, 1e9)
    assert removed[0].content == "2 components"
    assert rest.parts[0].content.ra.tolist() == [180]


def test_a_part_that_was_the_target_alone_is_gone():
    rest, _, removed = excise(model(at((1, 1)), image({(32, 32): (1, 0)})), TARGET, RADIUS, 1e9)
    assert rest.parts == ()
    assert len(removed) == 2


def test_where_nothing_is_near_nothing_changes():
    components = at((60, 0))
    rest, _, removed = excise(model(components), TARGET, RADIUS, 1e9)
    assert removed == ()
    assert rest.parts[0].content is components


def gaussian(east, north, flux, major, minor=None, angle=0.0):
    made = at((east, north), flux=flux)
    return ComponentModel(made.ra, made.dec, made.stokes, made.reference_frequency,
                          np.zeros(1), shape=np.array([[major, minor or major, angle]]))


def test_what_a_gaussian_beside_the_disc_has_inside_it_is_told():
    # Far wider than the disc: its flux density times the ratio of the two areas.
    wide = gaussian(60, 0, 2.0, 400)
    area = np.pi * 15**2 / (np.pi * 400**2 / (4 * np.log(2)))
    expected = 2.0 * area * np.exp(-4 * np.log(2) * (60 / 400) ** 2)
    assert flux_density_inside(wide, TARGET, RADIUS, 1e9) == pytest.approx(expected, rel=0.02)
    # Narrow and long, to the east, 30 arcsec away: only one that points to the target reaches it.
    to_target, across = (gaussian(30, 0, 1.0, 60, 4, angle) for angle in (90, 0))
    assert flux_density_inside(to_target, TARGET, RADIUS, 1e9) > 0.15
    assert flux_density_inside(across, TARGET, RADIUS, 1e9) < 1e-3
    assert flux_density_inside(at((30, 0)), TARGET, RADIUS, 1e9) == 0
    assert flux_density_inside(gaussian(3, 0, 1.0, 60), TARGET, RADIUS, 1e9) == 0, "is taken out"
