"""Visibilities of images by the gridder, against sums over unit vectors on the sphere."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import FK4, ICRS, SkyCoord
from double_sum import CIRCULAR, chunk_of

from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.sky_model.gridded import image_visibilities
from visds.visibility.sky_model.image_placement import misfit
from visds.visibility.sky_model.images import ImageModel, to_components
from visds.visibility.sky_model.predict import predict

CENTRE = Direction(83.6, 22.0)
FREQUENCY = 1e9 + 2e7 * np.arange(5)


def image_of(*, size=(200, 120), cell=0.02, tangent=CENTRE, rotation=0.0, pole=None, terms=1,
             planes=(), polarizations=("I",), reference=1e9, spread=1.0, seed=1):
    """Return an image of 30 random pixels; `spread` is the part of it in which they are."""
    rng = np.random.default_rng(seed)
    X, Y = size
    K = len(planes) or terms
    pixels = np.zeros((K, len(polarizations), Y, X))
    x = (X * (0.5 + spread * rng.uniform(-0.5, 0.5, 30))).astype(int)
    y = (Y * (0.5 + spread * rng.uniform(-0.5, 0.5, 30))).astype(int)
    pixels[:, :, y, x] = rng.uniform(-1, 3, (K, len(polarizations), 30))
    return ImageModel(pixels, polarizations, reference, np.array(planes, float), tangent, "SIN",
                      (-cell, 1.25 * cell), (X // 2 + 0.25, Y // 2 - 3), rotation, pole=pole)


def uvw_of(rows=40, longest=3000.0, seed=2):
    return np.random.default_rng(seed).uniform(-longest, longest, (rows, 3))


def unit_vector(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def vectors_of(image, centre):
    """Return unit vectors (S,3) of the pixels in the frame of a phase centre, and their fluxes.

    The pixels' places come from the definition of the orthographic projection (Calabretta &
    Greisen 2002, sec. 5.1.5), not from a library of coordinates.
    """
    x, y = image.nonzero
    dx = image.cell[0] * (x - image.reference_pixel[0])
    dy = image.cell[1] * (y - image.reference_pixel[1])
    turn = np.radians(image.rotation + (0 if image.pole is None else 180 - image.pole[0]))
    l = np.radians(dx * np.cos(turn) - dy * np.sin(turn))  # noqa: E741
    m = np.radians(dx * np.sin(turn) + dy * np.cos(turn))
    ra0 = np.radians(image.tangent.ra)
    towards = unit_vector(image.tangent.ra, image.tangent.dec)
    east = np.array([-np.sin(ra0), np.cos(ra0), 0])
    north = np.cross(towards, east)
    vectors = (l[:, np.newaxis] * east + m[:, np.newaxis] * north
               + np.sqrt(1 - l**2 - m**2)[:, np.newaxis] * towards)
    if (image.tangent.frame == "B1950") != (centre.frame == "B1950"):
        ra, dec = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])), np.degrees(
            np.arcsin(vectors[:, 2]))
        frames = {"B1950": FK4(equinox="B1950", obstime="B1950")}
        there = SkyCoord(ra, dec, unit="deg", frame=frames.get(image.tangent.frame, ICRS()))
        there = there.transform_to(frames.get(centre.frame, ICRS()))
        vectors = unit_vector(there.spherical.lon.deg, there.spherical.lat.deg).T
    return vectors, image.pixels[:, :, y, x]


def reference(uvw, frequency, centre, image, factor=None):
    vectors, pixels = vectors_of(image, centre)
    ra0 = np.radians(centre.ra)
    towards = unit_vector(centre.ra, centre.dec)
    east = np.array([-np.sin(ra0), np.cos(ra0), 0])
    axes = np.stack([east, np.cross(towards, east), towards])
    lmn = (vectors - towards) @ axes.T
    result = np.zeros((len(image.polarizations), len(uvw), len(frequency)), complex)
    for f, nu in enumerate(frequency):
        if len(image.plane_frequency):
            flux = sum(np.interp(nu, image.plane_frequency, hat) * plane for hat, plane
                       in zip(np.eye(len(pixels)), pixels, strict=True))
        else:
            x = nu / image.reference_frequency - 1
            flux = sum(plane * x**k for k, plane in enumerate(pixels))
        if factor is not None:
            flux = flux * factor(vectors, nu)
        result[..., f] = flux @ np.exp(2j * np.pi * nu / LIGHT_SPEED * (uvw @ lmn.T)).T
    return result


def assert_agree(image, *, centre=CENTRE, frequency=FREQUENCY, uvw=None, epsilon=1e-5):
    uvw = uvw_of() if uvw is None else uvw
    expected = reference(uvw, frequency, centre, image)
    values = image_visibilities(uvw, frequency, centre, image, epsilon=epsilon)
    assert values.shape == expected.shape and values.dtype == np.complex64
    np.testing.assert_allclose(values, expected, rtol=0, atol=epsilon * np.abs(expected).max())
    return values


def test_a_wide_field_far_out_of_the_plane_is_the_sum_over_its_pixels():
    assert_agree(image_of(cell=0.1, size=(300, 200)), uvw=uvw_of(longest=8000.0))


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 2e-5, 1e-6])
def test_the_accuracy_asked_for_is_kept(epsilon):
    assert_agree(image_of(), epsilon=epsilon)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-4, 5e-5, 1e-5, 1e-6])
def test_it_is_kept_in_the_corners_of_images_where_gridders_are_worst(epsilon):
    image = image_of(cell=0.01, size=(64, 80))
    image.pixels[:] = 0
    image.pixels[..., 0, 0] = image.pixels[..., -1, -1] = 1e-9
    image.pixels[..., 0, -1] = 1
    assert_agree(image, uvw=uvw_of(300, 8000.0), epsilon=epsilon)


@pytest.mark.parametrize("size", [(5, 3), (1, 1), (33, 71), (64, 250), (301, 40)])
@pytest.mark.parametrize("spread", [1.0, 0.2])
def test_images_of_any_size_and_pixels_in_any_part_of_them_agree(size, spread):
    assert_agree(image_of(size=size, spread=spread))


@pytest.mark.parametrize("tangent", [
    Direction(83.6, 22.0, "J2000"), Direction(85.1, 20.2), Direction(70.0, 40.0),
    Direction(200.0, 80.0)], ids=str)
def test_facets_have_tangents_of_their_own(tangent):
    assert_agree(image_of(tangent=tangent), uvw=uvw_of(longest=20000.0))


@pytest.mark.parametrize("dec", [-90.0, 90.0])
@pytest.mark.parametrize("pole", [180.0, 0.0, 75.0])
def test_fields_at_the_poles_and_poles_of_the_projection_agree(dec, pole):
    centre = Direction(40.0, dec)
    assert_agree(image_of(tangent=centre, pole=(pole, 0.0)), centre=centre)


@pytest.mark.parametrize("rotation", [30.0, -100.0, 180.0])
def test_images_may_be_rotated(rotation):
    assert_agree(image_of(rotation=rotation, tangent=Direction(82.0, 24.0)))


def test_an_image_in_the_axes_of_the_data_agrees_in_b1950():
    centre = Direction(83.6, 22.0, "B1950")
    assert_agree(image_of(tangent=Direction(83.0, 21.0, "B1950")), centre=centre)


@pytest.mark.parametrize("frames", [("B1950", "J2000"), ("ICRS", "B1950")], ids="-".join)
def test_an_image_of_another_equinox_is_turned_and_its_misfit_known(frames):
    image = image_of(cell=0.01, tangent=Direction(83.0, 21.5, frames[0]))
    centre = Direction(83.6, 22.0, frames[1])
    wrong = misfit(image, centre, *image.nonzero)
    assert 1e-12 < wrong < 5e-10
    assert_agree(image, centre=centre, uvw=uvw_of(longest=200.0))
    # Where the misfit counts it is the error, and is not hidden.
    uvw = uvw_of(longest=1e7)
    expected = reference(uvw, FREQUENCY[:1], centre, image)
    values = image_visibilities(uvw, FREQUENCY[:1], centre, image, epsilon=1e-5)
    error = np.abs(values - expected).max()
    turns = wrong * 3 * 1e7 * FREQUENCY[0] / LIGHT_SPEED
    assert error < 2 * np.pi * turns * np.abs(image.pixels).sum()


def test_within_one_equinox_there_is_no_misfit():
    image = image_of(tangent=Direction(70.0, 40.0, "J2000"))
    assert misfit(image, CENTRE, *image.nonzero) == 0


@pytest.mark.parametrize("terms", [1, 2, 4])
def test_taylor_terms_are_expanded_at_each_channel(terms):
    assert_agree(image_of(terms=terms, reference=1.3e9))


@pytest.mark.parametrize("planes", [
    FREQUENCY, [0.99e9, 1.05e9, 1.2e9], [0.9e9, 1.01e9, 1.03e9, 1.2e9], [1.02e9]], ids=len)
@pytest.mark.parametrize("step", [1, -1])
def test_planes_of_a_cube_are_interpolated_between_their_frequencies(planes, step):
    assert_agree(image_of(planes=planes), frequency=FREQUENCY[::step])


def test_each_polarization_has_its_own_pixels():
    assert_agree(image_of(polarizations=("V", "I", "Q"), terms=2))


def test_the_sum_over_the_pixels_as_points_is_the_same():
    image = image_of(terms=2, polarizations=("I", "V"), tangent=Direction(85.0, 23.0))
    uvw = uvw_of()
    points = to_components(image)
    flux = points.flux_density(FREQUENCY)
    fringes = np.exp(2j * np.pi * FREQUENCY / LIGHT_SPEED
                     * (uvw @ points.cosines(CENTRE).T)[..., np.newaxis])
    expected = np.einsum("psf,nsf->pnf", flux, fringes)[[0, 3]]
    values = image_visibilities(uvw, FREQUENCY, CENTRE, image, epsilon=1e-6)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_the_direct_sum_over_the_pixels_on_a_chunk_is_the_same():
    image = image_of(terms=3, polarizations=("I", "Q", "V"), tangent=Direction(83.0, 23.0))
    chunk = chunk_of(3, 20, FREQUENCY, correlations=CIRCULAR, centre=(CENTRE.ra, CENTRE.dec))
    chunk = chunk.replace(uvw=chunk.uvw / 10)
    points = predict(chunk, to_components(image)).reshape(60, len(FREQUENCY), 4)
    i, q, v = image_visibilities(chunk.uvw.reshape(-1, 3), FREQUENCY, CENTRE, image, epsilon=1e-6)
    expected = np.stack([i + v, q, q, i - v], axis=-1)
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_without_flux_or_rows_there_are_no_visibilities():
    image = image_of()
    assert image_visibilities(np.zeros((0, 3)), FREQUENCY, CENTRE, image, epsilon=1e-5).size == 0
    image.pixels[:] = 0
    assert not image_visibilities(uvw_of(), FREQUENCY, CENTRE, image, epsilon=1e-5).any()


def test_pixels_that_are_no_grid_of_direction_cosines_are_refused():
    image = image_of()
    for projection, parameters in (("TAN", ()), ("SIN", (0.0, 2.0))):
        other = replace(image, projection=projection, projection_parameters=parameters)
        with pytest.raises(ValueError, match="expected SIN"):
            image_visibilities(uvw_of(), FREQUENCY, CENTRE, other, epsilon=1e-5)


def gaussian_beam(cosines, frequency):
    """Return a beam of a full width of 2 deg at 1 GHz."""
    square = np.sum(np.asarray(cosines) ** 2, axis=-1)[..., np.newaxis]
    width = np.radians(2.0) * 1e9 / np.asarray(frequency)
    return np.exp(-4 * np.log(2) * square / width**2)


@pytest.mark.parametrize("frequency", [FREQUENCY, np.linspace(1e9, 2.2e9, 40), [1.3e9]],
                         ids=["narrow", "wide", "one"])
@pytest.mark.parametrize("planes", [(), (0.9e9, 1.5e9, 2.3e9)], ids=["Taylor", "cube"])
def test_intrinsic_flux_densities_are_seen_through_the_beam_of_each_frequency(frequency, planes):
    frequency = np.asarray(frequency)
    image = image_of(terms=2, planes=planes, tangent=Direction(84.5, 22.5, "J2000"), cell=0.01)
    uvw = uvw_of()

    def factor(vectors, nu):
        separation = 1 - (vectors @ unit_vector(CENTRE.ra, CENTRE.dec)) ** 2
        return np.exp(-4 * np.log(2) * separation / (np.radians(2.0) * 1e9 / nu) ** 2)

    expected = reference(uvw, frequency, CENTRE, image, factor)
    values = image_visibilities(uvw, frequency, CENTRE, image, epsilon=1e-5, beam=gaussian_beam)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_beam_that_ends_abruptly_is_exact_too():
    def cut(cosines, frequency):
        values = gaussian_beam(cosines, frequency)
        return np.where(values < 0.3, 0, values)

    def factor(vectors, nu):
        separation = 1 - (vectors @ unit_vector(CENTRE.ra, CENTRE.dec)) ** 2
        value = np.exp(-4 * np.log(2) * separation / (np.radians(2.0) * 1e9 / nu) ** 2)
        return np.where(value < 0.3, 0, value)

    image = image_of(cell=0.01, size=(160, 160))
    uvw, frequency = uvw_of(10), np.linspace(1e9, 1.5e9, 30)
    expected = reference(uvw, frequency, CENTRE, image, factor)
    values = image_visibilities(uvw, frequency, CENTRE, image, epsilon=1e-5, beam=cut)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
