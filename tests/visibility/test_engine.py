"""Which engine predicts a part of a sky model, and why."""

from dataclasses import replace

import numpy as np
import pytest

from visds.core.errors import SettingsError
from visds.core.sky import Direction
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.engine import Calibration, Problem, calibrate, choose_engines
from visds.visibility.sky_model.images import ImageModel, to_components

CENTRE = Direction(83.6, 22.0, "J2000")
# 1e9 visibility-components/s, 5e6 visibilities/s, 1e9 pixels/s of a plane.
CALIBRATION = Calibration(direct=1e-9, gridding=2e-7, transform=1e-9)
PROBLEM = Problem(rows=100_000, batch=50_000, frequency=1e9 + 1e6 * np.arange(64), longest=1e4,
                  centre=CENTRE)


def image_of(number, *, size=512, cell=1 / 3600, polarizations=("I",), **more):
    """Return an image with flux in some of its pixels, in two corners among others."""
    pixels = np.zeros((1, len(polarizations), size, size), np.float32)
    places = np.linspace(0, size * size - 1, number).astype(int)
    pixels.reshape(len(polarizations), -1)[:, places] = 1
    return ImageModel(pixels, polarizations, 1e9, np.empty(0), CENTRE, "SIN", (-cell, cell),
                      (size / 2, size / 2), **more)


def components_of(number):
    return ComponentModel(np.full(number, 83.6), np.full(number, 22.0),
                          np.tile([1.0, 0, 0, 0], (number, 1)), np.full(number, 1e9),
                          np.zeros(number))


def choose(part, requested="auto", *, problem=PROBLEM, calibration=CALIBRATION, epsilon=1e-5,
           smeared=False, attenuated=False):
    choice, = choose_engines(requested, [part], problem, calibration, epsilon=epsilon,
                             smeared=[smeared], attenuated=[attenuated])
    return choice


def test_few_pixels_are_summed_and_many_are_gridded():
    assert choose(image_of(20)).engine == "direct"
    assert choose(image_of(20_000)).engine == "gridded"


def test_the_choice_is_the_cheaper_by_the_calibration():
    for number in (10, 100, 1000, 10_000):
        image = image_of(number)
        costs = {name: choose(image, name).seconds for name in ("direct", "gridded")}
        choice = choose(image)
        assert choice.seconds == min(costs.values()) == costs[choice.engine]
    slow = replace(CALIBRATION, gridding=1.0)
    assert choose(image_of(20_000), calibration=slow).engine == "direct"


def test_the_direct_sum_costs_visibilities_times_components():
    assert choose(components_of(35)).seconds == pytest.approx(100_000 * 64 * 35 * 1e-9)
    assert choose(image_of(35), "direct").seconds == pytest.approx(100_000 * 64 * 35 * 1e-9)


def test_gridding_costs_more_for_more_rows_terms_polarizations_pixels_and_batches():
    image = image_of(1000)
    cost = choose(image, "gridded").seconds
    twice = choose(image_of(1000, polarizations=("I", "V")), "gridded").seconds
    assert twice == pytest.approx(2 * cost)
    terms = replace(image, pixels=np.repeat(image.pixels, 2, axis=0))
    # The second term is zero at the first channel.
    assert choose(terms, "gridded").seconds == pytest.approx(2 * cost, rel=0.01)
    for more in ({"rows": 200_000}, {"batch": 5000}, {"longest": 1e6}):
        assert choose(image, "gridded", problem=replace(PROBLEM, **more)).seconds > cost
    assert choose(image_of(1000, size=1024), "gridded").seconds > cost
    assert choose(image, "gridded", attenuated=True).seconds > 3 * cost


def test_a_plane_of_a_cube_costs_for_the_channels_where_it_is_used():
    image = image_of(1000)
    planes = PROBLEM.frequency[::8]
    cube = replace(image, pixels=np.repeat(image.pixels, 8, axis=0), plane_frequency=planes)
    many = replace(PROBLEM, rows=1_000_000, batch=1_000_000)
    ratio = choose(cube, "gridded", problem=many).seconds / choose(
        image, "gridded", problem=many).seconds
    assert 1.5 < ratio < 2.5


def test_components_are_summed_whatever_is_asked_for_but_a_gpu():
    for part in (components_of(3), to_components(image_of(3))):
        assert choose(part).engine == choose(part, "gridded").engine == "direct"
        assert choose(part, "gpu").engine == "gpu"
    assert choose(image_of(3), "gpu").engine == "gpu"


@pytest.mark.parametrize(("image", "smeared", "reason"), [
    (image_of(9000, projection_parameters=(0.0, 2.5)), False, "projection SIN with a slant"),
    (replace(image_of(9000), projection="TAN"), False, "projection TAN is no grid"),
    (image_of(9000), True, "predicts no smearing"),
    (replace(image_of(9000, cell=10 / 3600), tangent=CENTRE.to("B1950")), False,
     "B1950 is bent against J2000")], ids=["slant", "TAN", "smeared", "B1950"])
def test_what_the_gridder_cannot_predict_is_summed_and_said(image, smeared, reason):
    problem = replace(PROBLEM, longest=1e5)
    choice = choose(image, problem=problem, smeared=smeared)
    assert choice.engine == "direct" and reason in choice.reason
    with pytest.raises(SettingsError, match=reason):
        choose(image, "gridded", problem=problem, smeared=smeared)


def test_another_equinox_is_gridded_where_it_is_bent_by_less_than_counts():
    image = replace(image_of(9000), tangent=CENTRE.to("B1950"))
    assert choose(image, problem=replace(PROBLEM, longest=1e3)).engine == "gridded"


def test_the_reason_tells_both_costs():
    choice = choose(image_of(20))
    assert str(choice) == ("direct: 20 pixels cost 0.13 s; gridded: 512 x 512 x 1 plane cost "
                           f"{choose(image_of(20), 'gridded').seconds:.2g} s")
    assert str(choose(components_of(1))) == "direct: 1 component cost 0.0064 s"


def test_each_part_has_its_own_choice():
    parts = [components_of(5), image_of(20_000)]
    choices = choose_engines("auto", parts, PROBLEM, CALIBRATION, epsilon=1e-5,
                             smeared=[False, False], attenuated=[False, False])
    assert [choice.engine for choice in choices] == ["direct", "gridded"]


def test_the_machine_is_timed_once():
    calibration = calibrate(1e-4)
    assert min(calibration.direct, calibration.gridding, calibration.transform) > 0
    assert calibration is calibrate(1e-4)
