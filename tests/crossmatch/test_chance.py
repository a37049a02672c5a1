"""The chance of alignment is what happens to sources at random places."""

import dataclasses
import functools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from visds.core.astrometry import moved, unit_vectors
from visds.core.catalogue import Catalogue
from visds.crossmatch.chance import Surroundings, surroundings
from visds.crossmatch.match import match
from visds.crossmatch.settings import MatchSettings


def patch(density_per_square_deg, half_width, seed, declination=0.0):
    """Return sources at random in a square on the sky."""
    rng = np.random.default_rng(seed)
    edges = np.sin(np.radians([declination - half_width, declination + half_width]))
    area = np.degrees(2 * half_width * np.diff(edges)[0])
    count = rng.poisson(density_per_square_deg * area)
    return (rng.uniform(-half_width, half_width, count) % 360,
            np.degrees(np.arcsin(rng.uniform(*edges, count))))


def density_at(ra, dec, sources, neighbours=50):
    tree = cKDTree(unit_vectors(*sources))
    found = surroundings(np.array(ra), np.array(dec), tree, radius_arcsec=15.0,
                         pair_count=np.zeros(len(ra), int), neighbours=neighbours)
    return found.density * 3600**2


def test_chance_is_the_share_of_the_sky_within_reach_of_a_source():
    # NVSS has 53 sources a square degree, so 0.00289 within 15 arcsec, and a quarter within half.
    # Were each of them double, half of a wide disc would be the other's.
    around = Surroundings(np.array([53.0, 53.0, np.nan]) / 3600**2, np.array([0.0, 7.5, 15.0]),
                          np.array([[1, 1, 1], [1, 0.75, 0.5], [1, 1, 1]]))
    found = around.chance_probability(np.array([0, 0, 1, 1, 2]), np.array([15, 7.5, 15, 7.5, 9]))
    assert found[:4] == pytest.approx(0.0028907 * np.array([1, 0.25, 0.5, 0.1875]), rel=1e-4)
    assert np.isnan(found[4])


@pytest.mark.parametrize("radius", [10.0, 60.0, 200.0])
def test_the_chance_in_a_poisson_field_is_that_of_no_empty_disc(radius):
    """P = 1 - exp(-pi r^2 rho), from a few in a thousand to one half and more."""
    rng = np.random.default_rng(0)
    right = Catalogue(*patch(100, 5.0, 1))
    left = Catalogue(ra=rng.uniform(-3, 3, 2000), dec=rng.uniform(-3, 3, 2000))
    expected = -np.expm1(-np.pi * radius**2 * len(right) / (10.0 * 3600)**2)
    found = match(left, right, MatchSettings(radius=radius))
    assert np.mean(found.chance_within_radius) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("apart", "radius"), [(20.0, 60.0), (40.0, 60.0), (100.0, 60.0)])
def test_a_catalogue_of_doubles_is_matched_by_chance_less_often_than_one_of_singles(apart, radius):
    """Both components of a resolved double are near the same places of the sky."""
    rng = np.random.default_rng(3)
    ra, dec = patch(30, 3.0, 2)
    turn = rng.uniform(0, 2 * np.pi, len(ra))
    other = moved(ra, dec, pm_ra=1e3 * apart * np.cos(turn), pm_dec=1e3 * apart * np.sin(turn),
                  years=1.0)
    doubles = Catalogue(*np.concatenate([(ra, dec), other], axis=1))
    left = Catalogue(*patch(3000, 2.0, 4))
    found = match(left, doubles, MatchSettings(radius=radius))
    expected = found.chance_within_radius.sum()
    assert expected > 1000
    assert found.best.sum() == pytest.approx(expected, abs=3 * np.sqrt(expected))


def test_inside_a_footprint_the_density_of_a_poisson_field_comes_out():
    rng = np.random.default_rng(0)
    for neighbours in (20, 50, 100):
        ratios = [np.mean(density_at(rng.uniform(-3, 3, 500), rng.uniform(-3, 3, 500),
                                     patch(40, 5.0, seed), neighbours)) / 40 for seed in range(20)]
        assert np.mean(ratios) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("corner", [False, True])
def test_a_match_at_the_edge_of_a_footprint_has_the_density_of_the_inside(corner):
    rng = np.random.default_rng(0)
    ratios = []
    for seed in range(200):
        x, y = rng.uniform(1.9, 2.0), rng.uniform(1.9, 2.0) if corner else rng.uniform(-1, 1)
        # The match itself is a source at the place; without the correction the ratio would be
        # 0.54 at an edge and 0.3 in a corner.
        sources = np.concatenate([patch(100, 2.0, seed), [[x], [y]]], axis=1)
        found = surroundings(np.array([x]), np.array([y]), cKDTree(unit_vectors(*sources)),
                             radius_arcsec=15.0, pair_count=np.array([1]), neighbours=50)
        ratios.append(found.density[0] * 3600**2 / 100)
    assert np.mean(ratios) == pytest.approx(1, abs=0.25 if corner else 0.06)


def test_the_edge_of_a_footprint_is_found_where_it_is():
    rng = np.random.default_rng(0)
    # Half of these places are outside, where nothing can be matched.
    ratios = [np.mean(density_at(rng.uniform(4.6, 5.4, 500), rng.uniform(-3, 3, 500),
                                 patch(40, 5.0, seed))) / 40 for seed in range(20)]
    assert np.mean(ratios) == pytest.approx(0.5, abs=0.05)


def test_outside_the_footprint_there_is_no_chance_of_a_match():
    assert density_at([20.0, 180.0, 0.0], [0.0, 0.0, 60.0], patch(40, 5.0, 1)).max() == 0.0


def test_the_density_is_local():
    dense, sparse = patch(400, 2.0, 1), patch(20, 8.0, 2, declination=30.0)
    both = np.concatenate([dense, sparse], axis=1)
    found = density_at([0.0, 0.0], [0.0, 30.0], both)
    assert found == pytest.approx([400, 20], rel=0.4)


@pytest.mark.parametrize("pole", [-90.0, 90.0])
def test_the_density_at_a_pole_is_that_of_the_sky(pole):
    rng = np.random.default_rng(4)
    count = 200_000
    sky = rng.uniform(0, 360, count), np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    assert density_at([0.0], [pole], sky, neighbours=1000)[0] == pytest.approx(
        count / 41252.96, rel=0.1)


def test_the_match_itself_does_not_raise_the_density():
    right = Catalogue(*patch(40, 5.0, 1))
    on_top = dataclasses.replace(right, table=None)
    beside = Catalogue(*moved(right.ra, right.dec, pm_ra=np.full(len(right), 1e5),
                              pm_dec=np.zeros(len(right)), years=1.0))
    assert match(on_top, right).chance_within_radius.sum() == pytest.approx(
        match(beside, right).chance_within_radius.sum(), rel=0.05)


def test_three_sources_beyond_the_radius_are_needed_for_a_density():
    left = Catalogue(ra=[10.0], dec=[0.0])
    right = Catalogue(ra=[10.0, 10.1, 10.2], dec=[0.001, 0.0, 0.0])
    assert np.isnan(match(left, right).chance_probability).all()


@pytest.mark.parametrize(("declination", "density"), [(0.0, 500), (84.0, 2000)])
def test_random_places_match_as_often_as_predicted(declination, density):
    right = Catalogue(*patch(300, 3.0, 1, declination))
    left = Catalogue(*patch(density, 3.3, 2, declination))
    found = match(left, right, MatchSettings(radius=60.0))
    expected = found.chance_within_radius.sum()
    # Left sources share the right ones, so that the scatter is a little above Poisson's.
    assert found.best.sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert expected > 1000
    # Of those matched by chance, the nearest has a uniform P between 0 and its largest value.
    nearest = match(left, right, MatchSettings(radius=60.0, best_by="separation", best_only=True))
    share = nearest.chance_probability / nearest.chance_within_radius[nearest.left]
    assert np.mean(share) == pytest.approx(0.5, abs=4 / np.sqrt(12 * len(share)))


@pytest.mark.parametrize("survey", ["nvss", "first"])
def test_shifted_vlass_is_matched_as_often_as_predicted(shared_data, survey):
    folder = shared_data / "catalogues"
    vlass = Catalogue.read(folder / "vlass_cat_test_components.csv")
    right = Catalogue.read(folder / f"vlass_cat_test_{survey}.fits")
    matched, expected = np.zeros((2, 5, 12))
    for seed in range(5):
        rng = np.random.default_rng(seed)
        for place in range(12):
            # 20 arcmin: beyond all relation of the two surveys, but still the same sky.
            angle, shift = rng.uniform(0, 2 * np.pi), 1.2e6
            shifted = Catalogue(*moved(
                vlass.ra, vlass.dec, pm_ra=np.full(len(vlass), shift * np.sin(angle)),
                pm_dec=np.full(len(vlass), shift * np.cos(angle)), years=1.0))
            found = match(shifted, right, MatchSettings(radius=60.0))
            matched[seed, place] = found.best.sum()
            expected[seed, place] = found.chance_within_radius.sum()
    # Components come in clumps that are matched together, so that matches scatter by more than
    # Poisson's law has it: by what they do from shift to shift.
    scatter = np.std(matched - expected, ddof=1)
    assert 1 < scatter / np.sqrt(expected.mean()) < 2
    assert np.abs((matched - expected).sum(axis=1)).max() < 3 * scatter * np.sqrt(12)
    assert abs((matched - expected).sum()) < 3 * scatter * np.sqrt(60)


@pytest.fixture(scope="module")
def matched_by_chance(survey):
    """Return a function from seeds and a number to places and matches, each drawn once."""
    return functools.cache(functools.partial(_matched_by_chance, survey))


def _matched_by_chance(right, seeds, count):
    """Return right ascension and declination (N) of random places, whether matched, and chances.

    A little beyond the footprint of NVSS and FIRST on all sides.
    """
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        left = Catalogue(ra=rng.uniform(224.7, 230.3, count), dec=np.degrees(np.arcsin(
            rng.uniform(*np.sin(np.radians([44.8, 48.2])), count))))
        matches = match(left, right, MatchSettings(radius=60.0))
        is_matched = np.bincount(matches.left, minlength=count) > 0
        found.append([left.ra, left.dec, is_matched, matches.chance_within_radius])
    return np.concatenate(found, axis=1)


@pytest.fixture(scope="module", params=["nvss.fits", "first.fits", "components.csv"])
def survey(request, shared_data):
    """Return a survey whose beam leaves doubles single (NVSS), or not (FIRST, more so VLASS)."""
    return Catalogue.read(shared_data / f"catalogues/vlass_cat_test_{request.param}")


@pytest.mark.parametrize(("seeds", "count"), [
    ((0,), 40_000), pytest.param((1, 2), 200_000, marks=pytest.mark.long)])
def test_random_places_match_a_survey_as_often_as_predicted(matched_by_chance, seeds, count):
    _, _, matched, chance = matched_by_chance(seeds, count)
    assert chance.sum() > 1000
    assert matched.sum() == pytest.approx(chance.sum(), rel=0.05)


@pytest.mark.long
def test_random_places_inside_a_survey_match_as_often_as_predicted(matched_by_chance):
    ra, dec, matched, chance = matched_by_chance((1, 2), 200_000)
    inside = (ra > 225.8) & (ra < 229.2) & (dec > 45.55) & (dec < 47.45)
    assert chance[inside].sum() > 2000
    assert matched[inside].sum() == pytest.approx(chance[inside].sum(), rel=0.04)


DEPTH = {
    "square": lambda x, y: 1.5 - np.maximum(np.abs(x), np.abs(y)),
    "disc": lambda x, y: 1.5 - np.hypot(x, y),
    "two discs": lambda x, y: 0.9 - np.hypot(np.abs(x) - 0.8, y),
}
"""How deep in a footprint a place is, in deg; negative outside."""


def predicted_and_true(shape, *, density, radius=60.0, fields, places):
    """Return sums over fields of the chance at random places, and of the area within reach.

    By region of the footprint: both are areas in square deg. Wide is the band along the edge in
    which the k nearest sources reach beyond it. The area is taken from places at random in the
    discs around all sources, each as its part of the discs it is in.
    """
    rng = np.random.default_rng(0)
    wide = np.sqrt(50 / np.pi / density)

    def regions(ra, dec):
        x = (ra + 180) % 360 - 180
        deep = DEPTH[shape](x, dec)
        in_corner = (shape == "square") & (np.minimum(np.abs(x), np.abs(dec)) > 1.5 - wide)
        yield "all", deep > -np.inf
        yield "inside", deep > 0
        yield "deep", deep > wide
        yield "edge", (deep < wide) & ~in_corner
        yield "inner edge", (deep > 0) & (deep < wide) & ~in_corner
        yield "corner", in_corner
        yield "beyond", deep < -wide / 4

    found = {}
    for _ in range(fields):
        ra, dec = rng.uniform(-2.2, 2.2, (2, rng.poisson(density * 4.4**2)))
        sources = np.stack([ra % 360, dec])[:, DEPTH[shape](ra, dec) > 0]
        ra, dec = rng.uniform(-2.2, 2.2, (2, places))
        chance = match(Catalogue(ra=ra % 360, dec=dec), Catalogue(*sources),
                       MatchSettings(radius=radius)).chance_within_radius * 4.4**2 / places
        near, area = disc_places(radius, sources, rng)
        for (name, here), (_, there) in zip(regions(ra, dec), regions(*near), strict=True):
            found.setdefault(name, []).append([chance[here].sum(), area[there].sum() / 3600**2])
    return {name: np.sum(sums, axis=0) for name, sums in found.items()}


@pytest.mark.parametrize("density", [100, 1000])
@pytest.mark.parametrize("shape", ["square", "disc", "two discs"])
def test_the_chance_is_right_to_the_edges_and_corners_of_a_footprint(shape, density):
    found = predicted_and_true(shape, density=density, fields=2000 // density, places=6000)
    ratio = {name: predicted / true for name, (predicted, true) in found.items() if true > 0}
    # A union of two discs is not convex where they meet: there a little too much is taken in.
    assert ratio["all"] == pytest.approx(1, abs=0.025)
    assert ratio["deep"] == pytest.approx(1, abs=0.025)
    assert ratio["edge"] == pytest.approx(1, abs=0.04)
    # What is missed within a few hundredths of the band's width is found beyond the edge.
    assert ratio["inner edge"] == pytest.approx(1, abs=0.07)
    assert ratio["inside"] == pytest.approx(1, abs=0.05)
    if shape == "square":
        assert ratio["corner"] == pytest.approx(1, abs=0.08)
    if shape != "two discs":
        assert found["beyond"][0] < 0.002 * found["all"][1]


@pytest.mark.parametrize("number", [15, 30, 60])
def test_the_chance_of_a_match_in_a_small_catalogue_is_that_of_its_footprint(number):
    """All of it is around every position: its edges too."""
    rng = np.random.default_rng(number)
    chance = []
    for _ in range(300):
        ra, dec = rng.uniform(-1, 1, (2, rng.poisson(number)))
        found = match(Catalogue(ra=ra[:3] % 360, dec=dec[:3]), Catalogue(ra=ra % 360, dec=dec),
                      MatchSettings(radius=10.0))
        chance.append(np.mean(found.chance_within_radius))
    # Of a catalogue of N the others are the N - 1 around.
    expected = number * np.pi * (10 / 3600) ** 2 / 4
    assert np.mean(chance) == pytest.approx(expected, rel=0.12 if number < 20 else 0.06)


def clumps_of(numbers, density, half_width, rng):
    """Return sources of a square on the sky in clumps, of `numbers` chosen at random."""
    ra, dec = patch(density / np.mean(numbers), half_width, rng)
    each = rng.choice(numbers, len(ra))
    east, north = rng.normal(0, 15e3, (2, each.sum()))
    return moved(np.repeat(ra, each), np.repeat(dec, each), pm_ra=east, pm_dec=north, years=1.0)


def disc_places(radius, sources, rng):
    """Return places (2, N) at random within a radius of sources, and the square arcsec of each."""
    ra, dec = np.repeat(sources, 10, axis=1)
    distance = radius * np.sqrt(rng.uniform(size=len(ra))) * 1e3
    angle = rng.uniform(0, 2 * np.pi, len(ra))
    places = moved(ra, dec, pm_ra=distance * np.sin(angle), pm_dec=distance * np.cos(angle),
                   years=1.0)
    number = cKDTree(unit_vectors(*sources)).query_ball_point(
        unit_vectors(*places), np.radians((radius + 1e-6) / 3600), return_length=True)
    return np.stack(places), np.pi * radius**2 / 10 / number


def share_within(radius, sources, half_width, rng):
    """Return the fraction of a square that lies within a radius of any source."""
    (ra, dec), area = disc_places(radius, sources, rng)
    inside = (np.abs((ra + 180) % 360 - 180) < half_width) & (np.abs(dec) < half_width)
    return area[inside].sum() / (2 * half_width * 3600) ** 2


@pytest.mark.parametrize(("numbers", "tolerance"), [
    ([1], 0.015), ([1, 1, 1, 1, 1, 1, 1, 2, 3, 4], 0.03), ([2], 0.05), ([3], 0.08)])
@pytest.mark.parametrize(("density", "half_width"), [(10, 4.0), (100, 1.5), (1000, 0.5)])
def test_the_chance_is_right_at_any_density_and_of_sources_in_clumps(numbers, tolerance, density,
                                                                     half_width):
    rng = np.random.default_rng(density)
    predicted, true = np.zeros((2, 3, 12))
    for field in range(12):
        # Wide enough that no edge is near.
        sources = clumps_of(numbers, density, half_width + 12 / np.sqrt(density), rng)
        places = Catalogue(ra=rng.uniform(-half_width, half_width, 2000) % 360,
                           dec=rng.uniform(-half_width, half_width, 2000))
        for i, radius in enumerate((5.0, 20.0, 60.0)):
            found = match(places, Catalogue(*sources), MatchSettings(radius=radius))
            predicted[i, field] = found.chance_within_radius.mean()
            true[i, field] = share_within(radius, sources, half_width, rng)
    ratio = predicted.sum(axis=1) / true.sum(axis=1)
    error = np.std(predicted - ratio[:, None] * true, axis=1) * np.sqrt(12) / true.sum(axis=1)
    assert error.max() < 0.02
    np.testing.assert_array_less(np.abs(ratio - 1), tolerance + 2 * error)


def test_a_single_clump_far_away_is_no_certainty():
    """All sources beyond the match belong together: one of them is what the sky has by chance."""
    ra, dec = moved(np.full(20, 50.0), np.full(20, 3.0), pm_ra=np.arange(20) * 1e3,
                    pm_dec=np.zeros(20), years=1.0)
    right = Catalogue(ra=[*ra, 48.0], dec=[*dec, 3.0])
    found = match(Catalogue(ra=[48.0], dec=[3.001]), right, MatchSettings(radius=10.0))
    assert 0 < found.chance_probability[0] < 1e-4


def test_sources_in_clumps_leave_voids_that_are_no_holes_in_the_footprint():
    rng = np.random.default_rng(3)
    places = Catalogue(*patch(1000, 1.0, 5))
    right = Catalogue(*clumps_of([5], 100, 2.5, rng))
    found = match(places, right, MatchSettings(radius=20.0))
    assert np.mean(found.chance_within_radius == 0) < 0.02


@pytest.mark.parametrize("epochs", [1, 6, 10, pytest.param(50, marks=pytest.mark.long)])
@pytest.mark.parametrize("radius", [10.0, 60.0])
def test_the_chance_is_right_in_a_catalogue_of_many_epochs_at_places_matched_or_not(epochs, radius):
    """Rows of one source are one source, however many of them there are."""
    rng = np.random.default_rng(epochs)
    half_width = 1.5
    true, unmatched, matched = [], [], []
    for _ in range(4):
        ra, dec = once = patch(40, 3.0, rng)
        east, north = rng.normal(0, 300, (2, len(ra) * epochs))
        sources = moved(*np.repeat(once, epochs, axis=1), pm_ra=east, pm_dec=north, years=1.0)
        true.append(share_within(radius, sources, half_width, rng))
        is_inside = (np.abs((ra + 180) % 360 - 180) < half_width) & (np.abs(dec) < half_width)
        places = [(rng.uniform(-half_width, half_width, 500) % 360,
                   rng.uniform(-half_width, half_width, 500)), (ra[is_inside], dec[is_inside])]
        found = match(Catalogue(*np.concatenate(places, axis=1)), Catalogue(*sources),
                      MatchSettings(radius=radius))
        is_matched = np.bincount(found.left, minlength=len(found.chance_within_radius)) > 0
        unmatched.append(found.chance_within_radius[~is_matched])
        matched.append(found.chance_within_radius[is_matched])
    assert np.mean(np.concatenate(unmatched)) == pytest.approx(np.mean(true), rel=0.05)
    assert np.mean(np.concatenate(matched)) == pytest.approx(np.mean(true), rel=0.05)
    assert np.concatenate(unmatched).min() > 0.4 * np.mean(true)


@pytest.mark.parametrize("apart", [0.0, 30.0, 3600.0])
def test_many_copies_of_one_source_tell_of_no_density(apart):
    right = Catalogue(ra=np.full(500, 10.0), dec=np.full(500, 10.0))
    left = Catalogue(*moved(right.ra[:1], right.dec[:1], pm_ra=np.array([1e3 * apart]),
                            pm_dec=np.zeros(1), years=1.0))
    found = match(left, right, MatchSettings(radius=60.0))
    assert np.isnan(found.chance_within_radius).all()
    assert len(found) == (500 if apart < 60 else 0)
    assert "fewer than 3 places" in found.unknown_chance()


def test_copies_of_one_source_do_not_change_the_chance_around_it():
    once = patch(40, 3.0, 6)
    nearest = np.argmin(np.hypot((once[0] + 180) % 360 - 180, once[1]))
    often = [np.append(along, np.full(500, along[nearest])) for along in once]
    places = Catalogue(*patch(300, 0.5, 7))
    settings = MatchSettings(radius=60.0)
    assert match(places, Catalogue(*often), settings).chance_within_radius.mean() == pytest.approx(
        match(places, Catalogue(*once), settings).chance_within_radius.mean(), rel=0.05)


@pytest.mark.parametrize("epochs", [1, 30])
def test_no_position_is_outside_the_footprint_of_a_few_places(epochs):
    """Nine places with a gap around them, and a match at none of the positions."""
    angle = np.radians(np.arange(9) * 10.0)
    right = Catalogue(ra=np.repeat(50 + 0.5 * np.sin(angle), epochs),
                      dec=np.repeat(0.5 * np.cos(angle), epochs))
    found = match(Catalogue(ra=[50.0, 49.0, 40.0], dec=[0.0, -0.5, 0.0]), right)
    assert (found.chance_within_radius > 0).all()


def line(scatter_arcsec, turn_deg, rng):
    """Return 100 sources along 2 deg of a great circle about RA 10, Dec 0, turned from the west."""
    along = np.linspace(-1, 1, 100) * 3.6e6
    across = rng.normal(0, 1, 100) * scatter_arcsec * 1e3
    turn = np.radians(turn_deg)
    return moved(np.full(100, 10.0), np.zeros(100), years=1.0,
                 pm_ra=along * np.cos(turn) - across * np.sin(turn),
                 pm_dec=along * np.sin(turn) + across * np.cos(turn))


@pytest.mark.parametrize("scatter", [0.0, 1.0, 10.0, 100.0])
def test_the_chance_along_a_line_of_sources_is_even_and_the_same_after_a_turn(scatter):
    """A line has no area: its density is that of the disc that it crosses, or of its scatter."""
    chance = []
    for turn in (0.0, 90.0, 30.0):
        sources = line(scatter, turn, np.random.default_rng(1))
        angle = np.radians(turn)
        left = moved(*sources, pm_ra=np.full(100, -1e3 * np.sin(angle)),
                     pm_dec=np.full(100, 1e3 * np.cos(angle)), years=1.0)
        found = match(Catalogue(*left), Catalogue(*sources), MatchSettings(radius=15.0))
        chance.append(found.chance_probability[found.best])
        assert found.separation_arcsec[found.best] == pytest.approx(np.ones(100), rel=1e-3)
    middle = np.array(chance)[:, 25:75]
    assert middle.max() < 3 * middle.min()
    # Of 100 sources, the most are those in a band as wide as twice the scatter, and the fewest
    # those in a disc as wide as the line is long.
    assert middle.min() > 100 / 3600**2 / 2
    if scatter < 10:
        assert middle.max() < 100 / 3600**2 * 2
    else:
        assert middle.max() < np.pi * 100 / (7200 * 2 * scatter)
    # The area is counted by places that do not turn along.
    np.testing.assert_allclose(chance[1], chance[0], rtol=0.15)
    np.testing.assert_allclose(chance[2], chance[0], rtol=0.15)


def test_the_chance_at_an_edge_is_the_same_wherever_the_edge_is():
    """Rounded positions share a meridian, also with the places that are matched."""
    rng = np.random.default_rng(0)
    ra = np.append(np.zeros(15), rng.uniform(0.02, 1, 85))
    dec, places = rng.uniform(-0.5, 0.5, 100), np.linspace(-0.4, 0.4, 9)
    chance = [match(Catalogue(ra=np.full(9, west), dec=places), Catalogue(ra=west + ra, dec=dec),
                    MatchSettings(radius=60.0)).chance_within_radius
              for west in (0.0, 40.123456789)]
    # Of sources on one line rounding decides which are vertices.
    np.testing.assert_allclose(chance[0], chance[1], rtol=0.15)


@pytest.mark.parametrize(("length", "width", "number", "radius", "fields"), [
    (120.0, 2.0, 100, 3.0, 40), (4.0, 0.5, 62, 60.0, 60), (4.0, 0.1, 162, 60.0, 30)])
def test_the_chance_is_right_in_a_strip(length, width, number, radius, fields):
    """Where a disc with the sources around is mostly empty, at places with a match or without."""
    rng = np.random.default_rng(number)
    matched, everywhere, true = [], [], []
    for _ in range(fields):
        sources = np.stack([rng.uniform(50, 50 + length, number),
                            rng.uniform(-width / 2, width / 2, number)])
        places = rng.uniform([[49], [-width]], [[51 + length], [width]], (2, 4000))
        found = [match(Catalogue(*left), Catalogue(*sources),
                       MatchSettings(radius=radius)).chance_within_radius
                 for left in (sources, places)]
        matched.append(np.mean(found[0]) * length * width)
        everywhere.append(np.mean(found[1]) * (length + 2) * 2 * width)
        # The part of the discs beyond the edge is made up for by the chance there.
        true.append(disc_places(radius, sources, rng)[1].sum() / 3600**2)
    assert np.std(everywhere) / np.sqrt(fields) < 0.02 * np.mean(true)
    assert np.mean(matched) == pytest.approx(np.mean(true), rel=0.05)
    assert np.mean(everywhere) == pytest.approx(np.mean(true), rel=0.05)
