"""Images as models of the sky: their pixels as points, their spectra, what is cut out of them."""

import numpy as np
import pytest
from astropy.wcs import WCS

from visds.core.errors import SkyModelError
from visds.core.sky import Direction
from visds.visibility.sky_model.images import (
    ImageModel,
    check_frequency,
    to_components,
    without_disc,
)

TANGENT = Direction(150.0, -30.0)


def image_of(pixels=None, *, projection="SIN", tangent=TANGENT, polarizations=("I",), planes=(),
             reference=1e9, **more):
    if pixels is None:
        pixels = np.random.default_rng(0).uniform(0.1, 1, (1, len(polarizations), 6, 8))
    return ImageModel(np.asarray(pixels, np.float32), polarizations, reference,
                      np.array(planes, float), tangent, projection, (-0.5, 0.4), (3.0, 2.0), **more)


@pytest.mark.parametrize("projection", ["SIN", "TAN", "ARC", "STG", "ZEA", "CAR"])
@pytest.mark.parametrize("rotation", [0.0, 25.0])
def test_pixels_become_points_at_their_places_on_the_sky(projection, rotation):
    image = image_of(projection=projection, rotation=rotation)
    header = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}", "CRVAL1": 150.0,
              "CRVAL2": -30.0, "CDELT1": -0.5, "CDELT2": 0.4, "CRPIX1": 4.0, "CRPIX2": 3.0,
              "CROTA2": rotation, "CUNIT1": "deg", "CUNIT2": "deg"}
    points = to_components(image)
    y, x = np.mgrid[:6, :8]
    ra, dec = WCS(header).wcs_pix2world(x.ravel(), y.ravel(), 0)
    np.testing.assert_allclose(points.ra, ra, rtol=0, atol=1e-10)
    np.testing.assert_allclose(points.dec, dec, rtol=0, atol=1e-10)
    np.testing.assert_allclose(points.flux_density([1.4e9])[0, :, 0], image.pixels[0, 0].ravel(),
                               rtol=1e-7)


def test_the_projection_with_a_slant_is_that_of_east_west_arrays():
    # NCP: (x, y) = (l, (cos dec0 - cos dec cos(ra - ra0)) / sin dec0).
    dec0 = np.radians(-30)
    image = image_of(projection_parameters=(0.0, 1 / np.tan(dec0)))
    points = to_components(image)
    y, x = (axis.ravel() for axis in np.mgrid[:6, :8])
    a, d = np.radians(points.ra - 150), np.radians(points.dec)
    np.testing.assert_allclose(np.degrees(np.cos(d) * np.sin(a)), -0.5 * (x - 3), atol=1e-10)
    np.testing.assert_allclose(np.degrees((np.cos(dec0) - np.cos(d) * np.cos(a)) / np.sin(dec0)),
                               0.4 * (y - 2), atol=1e-10)


def test_pixels_without_flux_become_no_points():
    pixels = np.zeros((2, 1, 6, 8))
    pixels[0, 0, 2, 3], pixels[1, 0, 5, 0] = 1.5, -0.5
    points = to_components(image_of(pixels))
    assert len(points) == 2
    place = int(np.argmin(np.abs(points.ra - 150)))
    assert (points.ra[place], points.dec[place]) == pytest.approx((150, -30), abs=1e-12)
    flux = points.flux_density([1e9, 1.1e9])
    np.testing.assert_allclose(flux[0, place], 1.5, rtol=1e-12)
    np.testing.assert_allclose(flux[0, 1 - place], [0, -0.05], rtol=1e-12)


def test_each_stokes_parameter_has_its_own_spectrum():
    pixels = np.zeros((3, 2, 6, 8))
    pixels[:, 0, 1, 1], pixels[:, 1, 1, 1] = (0, 0.2, 0.4), (1, 2, -3)
    points = to_components(image_of(pixels, polarizations=("V", "Q")))
    flux = points.flux_density([1.5e9])
    np.testing.assert_allclose(flux[:, 0, 0], [0, 1 + 2 * 0.5 - 3 * 0.25, 0, 0.1 + 0.1], rtol=1e-6)
    np.testing.assert_allclose(points.stokes, [[0, 3, 0, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(points.select([0]).flux_density([1.5e9]), flux)


def test_points_of_a_b1950_image_are_icrs():
    # 3C 286: 13 28 49.657 +30 45 58.64 and 13 31 08.288 +30 30 32.96.
    pixels = np.zeros((1, 1, 6, 8))
    pixels[0, 0, 2, 3] = 1
    points = to_components(image_of(pixels, tangent=Direction(202.206904, 30.766289, "B1950")))
    assert points.ra[0] == pytest.approx(202.784533, abs=1e-4)
    assert points.dec[0] == pytest.approx(30.509156, abs=1e-4)


def test_a_cube_is_interpolated_between_its_planes_and_held_beyond():
    pixels = np.array([1, 3, 2], float).reshape(3, 1, 1, 1) * np.ones((3, 1, 2, 2))
    image = image_of(pixels, planes=[1.0e9, 1.1e9, 1.3e9])
    flux = image.flux_density([0.99e9, 1e9, 1.05e9, 1.1e9, 1.2e9, 1.4e9])
    np.testing.assert_allclose(flux, 4 * np.array([[1, 1, 2, 3, 2.5, 2]]), rtol=1e-7)


def test_taylor_terms_of_a_power_law_add_up_to_it():
    coefficients = np.array([2, -1.4, 1.19, -1.0709999])
    pixels = coefficients[:, np.newaxis, np.newaxis, np.newaxis] * np.ones((4, 1, 1, 1))
    flux = image_of(pixels).flux_density([0.97e9, 1.02e9])
    np.testing.assert_allclose(flux[0], 2 * np.array([0.97, 1.02]) ** -0.7, rtol=3e-6)


def test_a_disc_is_cut_out_and_its_flux_density_told():
    pixels = np.zeros((2, 2, 6, 8))
    pixels[0, 0, 2, 3], pixels[1, 0, 2, 3] = 2, -1
    pixels[0, 0, 2, 4], pixels[0, 1, 2, 4] = 0.5, 0.1
    pixels[0, 0, 5, 7] = 7
    image = image_of(pixels, polarizations=("I", "V"))
    # Pixel (4, 2) is half a degree away, (7, 5) more than two.
    near, number, flux_density = without_disc(image, TANGENT, 0.49, 1.1e9)
    assert (number, flux_density) == (1, pytest.approx(1.9))
    rest, number, flux_density = without_disc(image, TANGENT, 0.51, 1.1e9)
    assert (number, flux_density) == (2, pytest.approx(2.4))
    assert rest.pixels.sum() == 7
    assert near.pixels[0, 1, 2, 4] == np.float32(0.1)
    assert image.pixels.sum() == pytest.approx(8.6)


def test_where_there_is_no_flux_nothing_is_cut_out():
    image = image_of()
    same, number, flux_density = without_disc(image, Direction(10.0, 30.0), 1.0, 1e9)
    assert same is image and (number, flux_density) == (0, 0.0)


def test_a_disc_is_given_in_any_frame():
    pixels = np.zeros((1, 1, 6, 8))
    pixels[0, 0, 2, 3] = 1
    image = image_of(pixels)
    _, number, _ = without_disc(image, TANGENT.to("B1950"), 1e-6, 1e9)
    assert number == 1


def test_flux_densities_are_sums_over_all_pixels():
    image = image_of(np.full((2, 1, 3, 5), 0.1))
    np.testing.assert_allclose(image.flux_density([1e9, 1.2e9]), [[1.5, 1.8]], rtol=1e-6)


def test_planes_hold_for_an_octave_either_way():
    check_frequency(image_of(), 0.6e9, 1.9e9)
    for band in ((2.1e9, 2.2e9), (0.4e9, 0.45e9), (1.9e9, 2.1e9)):
        with pytest.raises(SkyModelError, match=r"image sky\.tt0 is at 1000 MHz, more than an oct"):
            check_frequency(image_of(), *band, "sky.tt0")


def test_cubes_hold_a_channel_beyond_their_range():
    cube = image_of(np.ones((3, 1, 2, 2)), planes=[1e9, 1.01e9, 1.02e9])
    check_frequency(cube, 0.991e9, 1.029e9)
    for band in ((0.985e9, 1.01e9), (1e9, 1.04e9)):
        with pytest.raises(SkyModelError, match="from 1000 to 1020 MHz, but the data from"):
            check_frequency(cube, *band)
