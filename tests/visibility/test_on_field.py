"""Whether a sky model belongs to a field."""

import numpy as np
import pytest

from visds.core.errors import SkyModelError
from visds.core.sky import Direction
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import Part
from visds.visibility.sky_model.on_field import check_on_field


def part_at(*places):
    ra, dec = np.array(places, float).T
    count = len(places)
    model = ComponentModel(ra, dec, np.tile([1.0, 0, 0, 0], (count, 1)), np.full(count, 1e9),
                           np.zeros(count))
    return Part(model, "field.txt", False, "")


def image_at(ra, dec, x, y):
    """Return an image of 1 degree about a tangent whose only flux is in one pixel."""
    pixels = np.zeros((1, 1, 60, 60), np.float32)
    pixels[0, 0, y, x] = 1
    image = ImageModel(pixels, ("I",), 1e9, np.empty(0), Direction(ra, dec), "SIN",
                       (-1 / 60, 1 / 60), (30.0, 30.0))
    return Part(image, "field.model", False, "")


def test_a_list_on_the_field_passes_across_0h_and_in_b1950():
    check_on_field(part_at((359.9, 0), (30, 0)), Direction(0.1, 0), 0.5)
    check_on_field(part_at((83.633, 22.014)), Direction(83.633, 22.014).to("B1950"), 0.01)


def test_a_list_off_the_field_says_which_and_how_far():
    with pytest.raises(SkyModelError, match=r"field.txt is off the field: its nearest component is "
                                            r"5.00 deg .* more than 2.00 deg"):
        check_on_field(part_at((10, 5), (10, 50)), Direction(10, 0), 2)


def test_a_component_below_the_horizon_of_the_field_is_refused():
    with pytest.raises(SkyModelError, match=r"component 2 of sky model field.txt, .* is 100 deg"):
        check_on_field(part_at((10, 1), (110, 0)), Direction(10, 0), 2)


def test_of_an_image_the_pixels_with_flux_count_not_its_tangent():
    # 20 arcmin east of a tangent 0.3 deg from the phase centre.
    check_on_field(image_at(10.3, 0, 10, 30), Direction(10.6, 0), 0.1)
    with pytest.raises(SkyModelError, match=r"field.model is off the field: its nearest pixel that "
                                            r"is not zero is 0.33 deg"):
        check_on_field(image_at(10.3, 0, 10, 30), Direction(10.3, 0), 0.1)


def test_an_image_below_the_horizon_of_the_field_is_refused():
    with pytest.raises(SkyModelError, match=r"a pixel of sky model field.model, .*: below its"):
        check_on_field(image_at(101, 0, 30, 30), Direction(10, 0), 180)
