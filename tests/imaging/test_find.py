"""A blind search finds what is there, and of noise as much as it says."""

import dataclasses

import numpy as np
import pytest
from point_sources import PHASE_CENTRE, chunk
from scipy import ndimage

from visds.core.sky import Direction, direction_cosines
from visds.imaging.dirty import Gridding, make_dirty
from visds.imaging.find import THRESHOLD, find_in
from visds.imaging.found_table import (
    COLUMNS,
    candidates,
    found_rows,
    found_table,
    without_echoes,
)
from visds.imaging.geometry import Geometry
from visds.imaging.image import Beam, Content, Image
from visds.imaging.local_noise import expected_peaks, independent_beams, local_noise
from visds.imaging.quiet_level import changes
from visds.imaging.snapshot_difference import less_the_others, mean_image, weight_of
from visds.imaging.spread_response import SpreadResponse
from visds.imaging.stokes_visibility import gather

SIZE = 256
GEOMETRY = Geometry(PHASE_CENTRE, 8 / 3600, SIZE)
CONTENT = Content("snapshot", 59000.0, 59000.1, 59000.05, 60.0, 1.398e9, 1.43e9)
NOISE = 4.0
SIGMA = NOISE / np.sqrt(14 * 13 / 2 * 4 * 2 * 2)
"""Of an image in I or V, natural weights: 4 integrations, 2 channels, 2 correlations."""


def image(sources=(), *, seed=1, stokes="I", noise=NOISE, content=CONTENT, **options):
    """Return a dirty image of (x, y, (I, Q, U, V)) with its response wherever it reaches."""
    placed = [(GEOMETRY.direction(x, y), flux) for x, y, flux in sources]
    settings = {"integrations": 4, "channels": 2, "extent": 250.0, "number": 14} | options
    made = chunk(placed, noise=noise, seed=seed, **settings)
    made, = make_dirty(lambda: gather([made], (stokes,), PHASE_CENTRE), GEOMETRY, content,
                       Gridding(wide_response=True))
    return made


def offset(source, x, y):
    """Return east and north of a source from a pixel, in its errors."""
    l, m, _ = 3600 * np.degrees(direction_cosines(  # noqa: E741
        source.fit.ra, source.fit.dec, GEOMETRY.direction(x, y)))
    return l / source.fit.ra_error, m / source.fit.dec_error


@pytest.fixture(scope="module")
def searches():
    """Return the searches of 100 images of noise down to 4.5 sigma, in both signs."""
    return [find_in(image(seed=seed), 4.5, both_signs=True) for seed in range(100)]


def test_noise_has_as_many_false_sources_as_expected(searches):
    found = sum(len(search.sources) for search in searches)
    expected = sum(expected_peaks(search.beams, 4.5, both_signs=True) for search in searches)
    assert expected > 20
    assert abs(found - expected) < 3 * np.sqrt(expected)


@pytest.mark.long
def test_noise_of_few_baselines_has_as_many_too():
    """Of 91 visibilities a peak of noise is a tenth of all noise with its sidelobes."""
    found = [find_in(image(seed=seed, integrations=1, channels=1), 4.5, both_signs=True)
             for seed in range(200)]
    snr = np.array([source.snr for search in found for source in search.sources])
    for threshold in (4.5, 4.7):
        expected = sum(expected_peaks(search.beams, threshold, both_signs=True)
                       for search in found)
        assert expected > 20
        assert abs((snr >= threshold).sum() - expected) < 3 * np.sqrt(expected)


def test_images_with_their_sign_turned_have_as_many(searches):
    positive = sum(source.peak > 0 for search in searches for source in search.sources)
    negative = sum(source.peak < 0 for search in searches for source in search.sources)
    assert abs(positive - negative) < 3 * np.sqrt(positive + negative)


def test_by_default_fewer_than_one_in_ten_large_images_has_a_false_source():
    beams = 1024**2 / 5**2
    assert expected_peaks(beams, THRESHOLD, both_signs=True) < 0.1


@pytest.mark.parametrize("fwhm", [5.0, 8.0])
def test_independent_beams_are_those_of_the_correlation(fwhm):
    values = np.random.default_rng(1).normal(size=(512, 512))
    # The correlation of smoothed noise is wider than what smoothed it by the root of 2.
    smooth = ndimage.gaussian_filter(values, fwhm / np.sqrt(16 * np.log(2)))
    assert independent_beams(smooth / smooth.std()) == pytest.approx(512**2 / fwhm**2, rel=0.06)


@pytest.fixture(scope="module")
def transients():
    """Return what was found of 60 sources of 8 sigma anywhere: x, y and the sources."""
    places = np.random.default_rng(8).uniform(8, SIZE - 9, (60, 2))
    return [(x, y, find_in(image([(x, y, (8 * SIGMA, 0, 0, 0))], seed=seed)).sources)
            for seed, (x, y) in enumerate(places)]


def test_sources_of_8_sigma_are_found_and_nothing_else(transients):
    found = [sources for x, y, sources in transients
             if any(np.hypot(*offset(source, x, y)) < 5 for source in sources)]
    assert len(found) > 0.95 * len(transients)
    assert sum(len(sources) for *_, sources in transients) == len(found)


def test_they_are_where_and_as_bright_as_they_are_within_their_errors(transients):
    pulls = np.array([[*offset(source, x, y),
                       (source.fit.flux_density - 8 * SIGMA) / source.fit.flux_density_error]
                      for x, y, sources in transients for source in sources[:1]])
    assert np.std(pulls, axis=0) == pytest.approx(1, abs=0.3)
    assert np.abs(pulls.mean(axis=0)).max() < 0.5


@pytest.mark.parametrize("sign", [1, -1])
def test_v_of_either_sign_is_found_with_its_sign(sign):
    source, = find_in(image([(70, 180, (0, 0, 0, sign * 10 * SIGMA))], stokes="V")).sources
    assert source.fit.flux_density == pytest.approx(sign * 10 * SIGMA, abs=4 * SIGMA)
    assert np.hypot(*offset(source, 70, 180)) < 4


def test_a_negative_source_of_stokes_i_is_one_in_differences_only():
    made = image([(70, 180, (-20 * SIGMA, 0, 0, 0))])
    assert not any(source.peak < 0 for source in find_in(made).sources)
    changed = made.replace(content=dataclasses.replace(CONTENT, name="a_difference"))
    assert find_in(changed).sources[0].fit.flux_density < 0


def test_sidelobes_of_bright_sources_are_no_sources_and_hide_no_faint_ones():
    """The sidelobes of the first are as high as 60 sigma, all over the image."""
    bright, faint = (30.3, 40.6, (300 * SIGMA, 0, 0, 0)), (200.2, 190.7, (12 * SIGMA, 0, 0, 0))
    made = image([bright, faint])
    response = SpreadResponse(made)
    assert response.sidelobe * 300 > 40
    found = find_in(made).sources
    assert [round(source.snr) > 100 for source in found] == [True, False]
    assert np.hypot(*offset(found[1], *faint[:2])) < 5
    assert found[1].fit.flux_density == pytest.approx(12 * SIGMA, abs=4 * SIGMA)


def test_a_bright_source_does_not_raise_its_own_noise():
    values = np.random.default_rng(2).normal(size=(512, 512))
    before = local_noise(values, 5)
    rows, columns = np.indices(values.shape)
    after = local_noise(values + 1e4 * np.exp(
        -((rows - 250) ** 2 + (columns - 260) ** 2) / 9), 5)
    assert after[250, 260] == pytest.approx(before[250, 260], rel=0.05)


def test_noise_is_measured_where_it_is():
    values = np.random.default_rng(3).normal(size=(512, 512))
    values *= np.linspace(1, 3, 512)
    assert local_noise(values, 5)[:, [64, 256, 440]].mean(axis=0) == pytest.approx(
        1 + 2 * np.array([64, 256, 440]) / 511, rel=0.06)


def test_the_response_of_many_sources_is_the_sum_of_theirs_between_pixels_too():
    made = image(noise=1.0)
    response = SpreadResponse(made)
    flux, x, y = np.array([1.0, -0.5]), np.array([40.25, 200.5]), np.array([9.7, 130.1])
    total = np.zeros((SIZE, SIZE))
    for number in range(2):
        response.subtract(total, -flux[number], x[number], y[number])
    np.testing.assert_allclose(response.sum_over(flux, x, y), total, atol=1e-5)
    exact = image([(40.25, 9.7, (1, 0, 0, 0)), (200.5, 130.1, (-0.5, 0, 0, 0))], noise=0.0)
    np.testing.assert_allclose(total, exact.values, atol=0.02)  # w is left out


def test_a_restored_image_is_searched_with_its_beam():
    beam = Beam(0.02, 0.01, 30.0)
    a, b, c = np.array(beam.quadratic()) * GEOMETRY.cell**2
    rows, columns = np.indices((SIZE, SIZE))
    dx, dy = 100.3 - columns, rows - 60.2
    values = np.random.default_rng(4).normal(size=(SIZE, SIZE))
    values = ndimage.gaussian_filter(values, 1.5)
    values += 20 * values.std() * np.exp(-(a * dx**2 + b * dx * dy + c * dy**2))
    source, = find_in(Image(values, GEOMETRY, "I", CONTENT, beam, None)).sources
    assert GEOMETRY.pixel(Direction(source.fit.ra, source.fit.dec)) == pytest.approx(
        (100.3, 60.2), abs=0.3)


def test_an_image_of_nothing_has_nothing():
    assert find_in(image(noise=0.0)).sources == ()


def snapshots(constant, flare, *, at=2, count=5, weights=None):
    """Return snapshots of constant sources, one with a flare, the array turned between them."""
    made = []
    for number in range(count):
        sources = [*constant, *((flare,) if number == at else ())]
        content = dataclasses.replace(CONTENT, name=f"scan{number}", start=59000.0 + number)
        noise = NOISE * (weights[number] ** -0.5 if weights else 1)
        made.append(image(sources, seed=number, noise=noise, content=content,
                          integrations=4 + number))
    return made


def searched(images):
    """Return the table of a search of snapshots of Stokes I, as visds-image makes it."""
    mean = mean_image(images, THRESHOLD)
    rows, beams = [], 0.0
    for made in images:
        changed, doubt = less_the_others(made, mean)
        found = find_in(changed, both_signs=True, doubt=doubt)
        rows += found_rows(changed, found, made.content.name, weight_of(made))
        beams += 2 * found.beams
    groups = candidates(rows)
    change = []
    for first, *_ in groups:
        place = Direction(first["ra"], first["dec"])
        curve = {made.content.name: float(*mean.flux_densities(made, [place])) for made in images}
        change.append({("I", CONTENT.band_low, CONTENT.band_high, name): flux
                       for name, flux in changes({"I": curve})["I"].items()})
    return found_table(without_echoes(groups, change, THRESHOLD), {"I": beams}, THRESHOLD)


def test_a_flare_is_the_only_source_among_constant_ones_and_leaves_no_echo():
    """Less the others, each of the other snapshots has a quarter of the flare: 15 sigma."""
    table = searched(snapshots([(60, 70, (200 * SIGMA, 0, 0, 0)), (180, 90, (30 * SIGMA, 0, 0, 0))],
                               (120.4, 200.3, (60 * SIGMA, 0, 0, 0))))
    assert table["image"].tolist() == ["scan2"]
    assert table["flux_density"][0] == pytest.approx(60 * SIGMA, abs=4 * SIGMA)
    assert table["false_alarm_probability"][0] < 1e-9
    assert table["name"][0].startswith("J0532") and table["brightest"].all()
    assert table.colnames == list(COLUMNS)


def test_what_brightens_twice_is_one_candidate():
    images = snapshots([], (120.4, 200.3, (60 * SIGMA, 0, 0, 0)))
    images[4] = snapshots([], (120.4, 200.3, (40 * SIGMA, 0, 0, 0)), at=4)[4]
    table = searched(images)
    assert table["image"].tolist() == ["scan2", "scan4"]
    assert len(set(table["name"])) == 1 and table["brightest"].tolist() == [True, False]


def test_a_mean_is_that_of_all_others_whatever_their_weights():
    images = snapshots([], (120, 200, (0, 0, 0, 0)), count=3, weights=[1, 2, 4])
    mean = mean_image(images, THRESHOLD)
    assert mean.total == pytest.approx(sum(map(weight_of, images)))
    weights = [weight_of(made) for made in images]
    others = (weights[0] * images[0].values + weights[2] * images[2].values) / (
        weights[0] + weights[2])
    changed, _ = less_the_others(images[1], mean)
    np.testing.assert_allclose(changed.values, images[1].values - others, atol=1e-4 * SIGMA)
    assert changed.expected_rms == pytest.approx(np.hypot(
        images[1].expected_rms, (weights[0] + weights[2]) ** -0.5))


def test_one_snapshot_alone_is_searched_as_it_is():
    made = image()
    alone, doubt = less_the_others(made, mean_image([made], THRESHOLD))
    assert alone is made and not doubt.any()


def test_a_positive_source_is_doubted_where_a_negative_one_is_as_strong():
    made = image([(60, 60, (30 * SIGMA, 0, 0, 0)), (190, 190, (-20 * SIGMA, 0, 0, 0)),
                  (60, 190, (10 * SIGMA, 0, 0, 0))])
    rows = found_rows(made, find_in(made, both_signs=True), "all", weight_of(made))
    table = found_table(rows, {"I": 1e4}, THRESHOLD)
    assert len(table) == 2 and table.meta["negative_in_I"] == 1
    bright, faint = table["false_alarm_probability"]
    assert 1e-3 < bright < 0.1 and faint > 0.6
