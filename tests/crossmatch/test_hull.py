"""Inside the hull of its sources a catalogue has its density, wherever its footprint ends."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from visds.crossmatch.hull import _vertices, inside_hull
from visds.crossmatch.spiral import vogel_spiral

NODES = vogel_spiral(2000)


def measured(east, north, used=None, hole=0.0, deep=np.inf, small=0.0):
    """Return number, area, clumps, strip and weight of one position."""
    east, north = np.array([east], float), np.array([north], float)
    used = np.ones(east.shape, bool) if used is None else np.array([used])
    return [found[0] for found in inside_hull(
        east, north, used, hole, np.array([deep]), np.array([small]), NODES)]


# A square of side 4 about the position, with sources in it that are far from its corners.
SQUARE = [-2, 2, 2, -2], [-2, -2, 2, 2]
INNER = np.array([[0.2, -0.2, 0, 0.1, 0], [0.1, 0, -0.3, 0.3, 0.2]])


def square_about(x, y):
    return np.append(SQUARE[0], INNER[0]) + x, np.append(SQUARE[1], INNER[1]) + y


def test_sources_inside_are_counted_and_vertices_with_what_is_near_them_are_not():
    number, area, _, strip, _ = measured(*square_about(0, 0))
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
    assert measured(east, north, deep=depth - 1e-9) == pytest.approx([0, 0, 0, strip, 0])


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
    assert measured(np.full(30, 2.0), np.full(30, 1.0)) == [0, 0, 0, 0, 0]


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


def test_the_hull_of_a_grid_is_that_of_qhull():
    """Sources of the same coordinate, in any order, as of rounded positions."""
    rng = np.random.default_rng(2)
    for _ in range(300):
        points = rng.integers(0, 6, (2, rng.integers(4, 30)))
        if np.linalg.matrix_rank(np.diff(points)) < 2:
            continue
        corners = points[:, _vertices(*points.astype(float))].T
        assert ConvexHull(corners).volume == pytest.approx(ConvexHull(points.T).volume)
        # Each is a corner, once and in turn.
        edge = np.roll(corners, -1, axis=0) - corners
        following = np.roll(edge, -1, axis=0)
        assert (edge[:, 0] * following[:, 1] > edge[:, 1] * following[:, 0]).all()
        x, y = corners.T
        assert np.sum(np.roll(x, 1) * y - np.roll(y, 1) * x) / 2 == pytest.approx(
            ConvexHull(points.T).volume)


@pytest.mark.parametrize("turn", [0.0, 0.7, np.pi / 2])
@pytest.mark.parametrize("across", [0.01, 1.0])
def test_the_area_of_a_thin_hull_is_counted_like_that_of_a_square(across, turn):
    """Without a quarter of the disc of one source at each of its corners."""
    rng = np.random.default_rng(3)
    along = np.concatenate([[-8, 8, 8, -8], rng.uniform(-7, 7, 400)])
    wide = across * np.concatenate([[-1, -1, 1, 1], rng.uniform(-0.9, 0.9, 400)])
    number, area, *_, weight = measured(along * np.cos(turn) - wide * np.sin(turn),
                                        along * np.sin(turn) + wide * np.cos(turn))
    near = np.sqrt(32 * across * 404 / 400 / np.pi / 404)
    places = np.abs(rng.uniform([[-8], [-across]], [[8], [across]], (2, 100_000)))
    free = np.mean(np.hypot(8 - places[0], across - places[1]) > near)
    assert area == pytest.approx(32 * across * free, rel=0.01)
    assert number == np.sum(np.hypot(8 - np.abs(along), across - np.abs(wide)) > near)
    assert weight == pytest.approx(np.clip(4 * across / near - 1, 0, 1))


def test_the_weight_of_a_hull_rises_steadily_with_its_width():
    """From nothing, of sources on a line, to all where it is wider than they are apart."""
    rng = np.random.default_rng(5)
    along, across = np.sort(rng.uniform(-30, 30, 60)), rng.uniform(-1, 1, 60)
    found = np.array([measured(along, width * across) for width in np.geomspace(1e-9, 10, 400)])
    area, weight = found[:, 1], found[:, 4]
    assert weight[0] == 0
    assert weight[-1] == 1
    assert (np.diff(weight) >= 0).all()
    assert np.diff(weight).max() < 0.07
    assert (area[weight == 0] == 0).all()
    assert (area[weight > 0] > 0).all()


def test_only_a_small_hull_is_measured_whatever_the_depth():
    east, north = square_about(0, 0)
    assert measured(east, north, deep=1.0, small=15.9)[1] == 0
    assert measured(east, north, deep=1.0, small=16.1)[1] > 0
