"""Inside the hull of its sources a catalogue has its density, wherever its footprint ends."""

import numpy as np
import pytest

from visds.crossmatch.hull import inside_hull
from visds.crossmatch.spiral import vogel_spiral

NODES = vogel_spiral(2000)


def measured(east, north, used=None, hole=0.0, deep=np.inf):
    """Return number, area, clumps and strip of one position."""
    east, north = np.array([east], float), np.array([north], float)
    used = np.ones(east.shape, bool) if used is None else np.array([used])
    return [found[0] for found in inside_hull(
        east, north, used, hole, np.array([deep]), NODES)]


# A square of side 4 about the position, with sources in it that are far from its corners.
SQUARE = [-2, 2, 2, -2], [-2, -2, 2, 2]
INNER = np.array([[0.2, -0.2, 0, 0.1, 0], [0.1, 0, -0.3, 0.3, 0.2]])


def square_about(x, y):
    return np.append(SQUARE[0], INNER[0]) + x, np.append(SQUARE[1], INNER[1]) + y


def test_sources_inside_are_counted_and_vertices_with_what_is_near_them_are_not():
    number, area, _, strip = measured(*square_about(0, 0))
    assert number == 5
    # Near is the radius of the disc that holds one of the five on average; a quarter of that disc
    # lies inside each corner: one of five parts of the square.
    assert area == pytest.approx(16 * 4 / 5, rel=0.01)
    assert strip == 0


def test_companions_of_vertices_are_not_counted():
    east, north = square_about(0, 0)
    # 16 / (pi (10 - 4)) = 0.85, squared.
    number, *_ = measured(np.append(east, 1.5), np.append(north, 1.5))
    assert number == 5
    number, *_ = measured(np.append(east, 1.3), np.append(north, 1.3))
    assert number == 6


@pytest.mark.parametrize(("x", "y", "depth", "strip"), [
    (0.5, 0.0, 1.5, 0.0), (0.0, -1.75, 0.25, 0.0), (3.0, 0.0, -1.0, 4.0), (0.0, 2.5, -0.5, 2.0),
    (3.0, 5.0, -3.0, 12.0)])
def test_a_position_is_a_depth_inside_and_a_strip_outside_the_edge(x, y, depth, strip):
    """As wide as the edge is long: 4."""
    east, north = square_about(x, y)
    assert measured(east, north)[3] == pytest.approx(strip)
    # Only what is less deep is measured.
    assert measured(east, north, deep=depth + 1e-9)[1] > 0
    assert measured(east, north, deep=depth - 1e-9) == pytest.approx([0, 0, 0, strip])


def test_the_hole_about_the_position_is_no_part_of_the_area():
    _, whole, *_ = measured(*square_about(0, 0))
    _, without, *_ = measured(*square_about(0, 0), hole=1.0)
    assert whole - without == pytest.approx(np.pi, rel=0.03)
    _, outside, *_ = measured(*square_about(3.5, 0), hole=1.0)
    assert outside == pytest.approx(whole)


def test_what_is_not_used_changes_nothing():
    east, north = square_about(0, 0)
    used = [True] * 9 + [False]
    expected = measured(east, north)
    assert measured(np.append(east, 70), np.append(north, 80), used) == expected


@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_sources_on_a_line_have_no_area(count):
    along = np.arange(float(count))
    number, area, *_ = measured(along, 1 + along / 2)
    assert area == 0
    assert number <= count


def test_copies_of_a_source_have_neither_area_nor_edge():
    assert measured(np.full(30, 2.0), np.full(30, 1.0)) == [0, 0, 0, 0]


def strewn(shape, count, rng):
    """Return places at random in a footprint of area 1, some of it near the position, by shape."""
    x, y = rng.uniform(size=(2, count))
    if shape == "triangle":
        turned = x + y > 1
        x, y = np.where(turned, 1 - x, x), np.where(turned, 1 - y, y)
        return x * np.sqrt(2), y * np.sqrt(2)
    if shape == "disc":
        radius, angle = np.sqrt(x / np.pi), 2 * np.pi * y
        return radius * np.cos(angle), radius * np.sin(angle)
    return x * 4, y / 4


@pytest.mark.parametrize(("multiple", "least", "most"), [(1, 36, 40), (2, 20, 32), (10, 4, 8)])
def test_singles_are_as_many_clumps_however_many_of_them_happen_to_be_near(multiple, least, most):
    """Of 40 sources; of 20 doubles and of four clumps of ten there are fewer."""
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        east, north = np.repeat(rng.uniform(-1, 1, (2, 40 // multiple)), multiple, axis=1)
        east, north = (along + rng.normal(0, 0.001, 40) for along in (east, north))
        found.append(measured(east, north)[2])
    assert least < np.mean(found) < most


@pytest.mark.parametrize("shape", ["triangle", "disc", "strip"])
@pytest.mark.parametrize("multiple", [1, 2])
def test_the_density_inside_the_hull_is_that_of_the_footprint(shape, multiple):
    """Of singles and of close doubles, in whatever shape; a tenth of the area would show."""
    rng = np.random.default_rng(1)
    density = []
    for _ in range(1500):
        count = rng.poisson(60)
        east, north = (np.repeat(along, multiple) for along in strewn(shape, count, rng))
        east, north = (along + rng.normal(0, 0.001, len(along)) for along in (east, north))
        number, area, *_ = measured(east, north)
        density.append(number / area)
    error = np.std(density) / np.sqrt(len(density))
    assert error < 0.01 * 60 * multiple
    assert np.mean(density) == pytest.approx(60 * multiple, rel=0.015, abs=3 * error)
