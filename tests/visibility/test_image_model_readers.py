"""Images of sky models read from CASA's and FITS files, and all that is refused in them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from casacore import images, tables

from visds.core.errors import SkyModelError
from visds.visibility.measurement_set import no_lock_files
from visds.visibility.sky_model.images import to_components
from visds.visibility.sky_model.readers.casa_image import read_casa_image
from visds.visibility.sky_model.readers.fits_image import read_fits_image
from visds.visibility.sky_model.readers.image_file import join_planes

ARCMIN = np.radians(1 / 60)
HEADER = {"BUNIT": "Jy/pixel", "CTYPE1": "RA---SIN", "CRVAL1": 150.0, "CDELT1": -0.1, "CRPIX1": 4.0,
          "CTYPE2": "DEC--SIN", "CRVAL2": -30.0, "CDELT2": 0.1, "CRPIX2": 3.0, "CTYPE3": "FREQ",
          "CRVAL3": 1.4e9, "CDELT3": 1e7, "CRPIX3": 1.0, "CTYPE4": "STOKES", "CRVAL4": 1.0,
          "CDELT4": 1.0, "CRPIX4": 1.0, "RADESYS": "FK5", "EQUINOX": 2000.0}


def pixels_of(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 1, shape).astype(np.float32)


def write_fits(path, pixels, **changes):
    header = fits.Header()
    for key, value in (HEADER | changes).items():
        if value is not None:
            header[key] = value
    fits.PrimaryHDU(pixels, header).writeto(path)
    return path


def coordinates_of(**changes):
    direction = {
        "axes": ["Right Ascension", "Declination"], "units": ["'", "'"],
        "crval": np.array([150.0, -30.0]) * 60, "crpix": np.array([3.0, 2.0]),
        "cdelt": np.array([-6.0, 6.0]), "pc": np.eye(2), "projection": "SIN",
        "projection_parameters": np.zeros(2), "system": "J2000", "conversionSystem": "J2000",
        "longpole": 180.0, "latpole": -30.0}
    wcs = {"crval": 1.4e9, "cdelt": 1e7, "crpix": 0.0, "pc": 1.0, "ctype": "FREQ"}
    spectral = {"wcs": wcs, "version": 2, "system": "TOPO", "restfreq": 1.4e9, "velType": 0,
                "restfreqs": np.array([1.4e9]), "nativeType": 0, "velUnit": "km/s",
                "waveUnit": "mm", "formatUnit": "", "unit": "Hz", "name": "Frequency"}
    stokes = {"axes": ["Stokes"], "cdelt": np.ones(1), "crpix": np.zeros(1), "crval": np.ones(1),
              "pc": np.eye(1), "stokes": ["I"]}
    spectral["wcs"] |= changes.pop("wcs", {})
    stokes |= changes.pop("stokes", {})
    direction |= changes
    return {"direction0": direction, "stokes1": stokes, "spectral2": spectral}


def write_casa(path, pixels, *, order=("y", "x"), unit="Jy/pixel", mask=None, **changes):
    """Write pixels (F,P,Y,X) as a CASA image; `order` are its slow axes, then y and x."""
    arrays = coordinates_of(**changes)
    axes = (["spectral2", "stokes1"] if order == ("y", "x") else list(order))
    arranged = pixels if axes[0] == "spectral2" else pixels.swapaxes(0, 1)
    numbers = {name: [3 - place] for place, name in enumerate(axes)} | {"direction0": [0, 1]}
    system = dict(arrays)
    for name in arrays:
        number = name[-1]
        system[f"worldmap{number}"] = np.array(numbers[name], np.int32)
        system[f"pixelmap{number}"] = np.array(numbers[name], np.int32)
        system[f"worldreplace{number}"] = np.zeros(len(numbers[name]))
        system[f"pixelreplace{number}"] = np.zeros(len(numbers[name]))
    system |= {"obsdate": {"m0": {"unit": "d", "value": 5e4}, "refer": "UTC", "type": "epoch"},
               "observer": "", "telescope": "VLA"}
    # casacore keeps the locking of the first table that a process opens.
    with no_lock_files():
        image = images.image(str(path), shape=arranged.shape,
                             maskname="" if mask is None else "mask0")
    image.putdata(arranged)
    if mask is not None:
        image.putmask(mask)
    del image
    with tables.table(str(path), readonly=False, ack=False) as table:
        table.putkeyword("coords", system)
        table.putkeyword("units", unit)
    return path


WRITE = {"casa": write_casa, "fits": write_fits}
READ = {"casa": read_casa_image, "fits": read_fits_image}
both = pytest.mark.parametrize("kind", ["casa", "fits"])


def name_of(kind, stem):
    return f"{stem}.fits" if kind == "fits" else stem


def refused(kind, path):
    with pytest.raises(SkyModelError) as caught:
        READ[kind](path)
    message = str(caught.value)
    assert "\n" not in message and message.startswith("sky model")
    return message


@both
def test_a_plain_image_is_one_plane_at_its_frequency(kind, tmp_path):
    pixels = pixels_of(1, 1, 6, 8)
    path = WRITE[kind](tmp_path / name_of(kind, "sky.model"),
                       pixels if kind == "casa" else pixels.swapaxes(0, 1))
    model, is_intrinsic = READ[kind](path)
    np.testing.assert_array_equal(model.pixels, pixels)
    assert model.pixels.dtype == np.float32
    assert model.polarizations == ("I",)
    assert model.reference_frequency == 1.4e9
    assert len(model.plane_frequency) == 0
    assert (model.projection, model.tangent.frame) == ("SIN", "J2000")
    assert is_intrinsic is None
    place = to_components(model).select([2 * 8 + 3])
    assert (place.ra[0], place.dec[0]) == pytest.approx((150.0, -30.0), abs=1e-10)
    east = to_components(model).select([2 * 8 + 2])
    assert east.ra[0] - 150.0 == pytest.approx(0.1 / np.cos(np.radians(30)), rel=1e-4)


@both
@pytest.mark.parametrize("named", ["sky.model.tt0", "sky.model.tt2", "sky.model"])
def test_any_name_of_a_family_reads_all_its_terms(kind, named, tmp_path):
    terms = [pixels_of(1, 1, 6, 8, seed=k) for k in range(3)]
    for k, pixels in enumerate(terms):
        WRITE[kind](tmp_path / name_of(kind, f"sky.model.tt{k}"), pixels)
    WRITE[kind](tmp_path / name_of(kind, "other.model.tt0"), terms[0])
    model, _ = READ[kind](tmp_path / name_of(kind, named))
    np.testing.assert_array_equal(model.pixels, np.concatenate(terms))
    x = 1.5e9 / 1.4e9 - 1
    np.testing.assert_allclose(
        model.flux_density([1.5e9])[0, 0],
        sum(term.sum() * x**k for k, term in enumerate(terms)), rtol=1e-6)


@both
def test_terms_of_a_corrected_image_are_a_family_of_their_own(kind, tmp_path):
    for end in ("", ".pbcor"):
        for k in range(2):
            WRITE[kind](tmp_path / name_of(kind, f"sky.model.tt{k}{end}"), pixels_of(1, 1, 6, 8))
    shutil.rmtree(tmp_path / "sky.model.tt1") if kind == "casa" else (
        tmp_path / "sky.model.tt1.fits").unlink()
    assert len(READ[kind](tmp_path / name_of(kind, "sky.model.tt0"))[0].pixels) == 1
    assert len(READ[kind](tmp_path / name_of(kind, "sky.model.tt0.pbcor"))[0].pixels) == 2


@both
def test_a_missing_term_is_named(kind, tmp_path):
    for k in (0, 1, 3):
        WRITE[kind](tmp_path / name_of(kind, f"sky.tt{k}"), pixels_of(1, 1, 6, 8))
    assert name_of(kind, "sky.tt2") + " is missing" in refused(
        kind, tmp_path / name_of(kind, "sky.tt0"))


@both
def test_a_last_term_is_missed_where_its_residual_image_is_there(kind, tmp_path):
    for name in ("sky.model.tt0", "sky.residual.tt0", "sky.residual.tt1"):
        WRITE[kind](tmp_path / name_of(kind, name), pixels_of(1, 1, 6, 8))
    said = refused(kind, tmp_path / name_of(kind, "sky.model.tt0"))
    assert name_of(kind, "sky.model.tt1") + " is missing; there is " + name_of(
        kind, "sky.residual.tt1") in said


@both
def test_terms_that_do_not_belong_together_are_refused(kind, tmp_path):
    def family(name, **changes):
        size = changes.pop("size", (6, 8))
        WRITE[kind](tmp_path / name_of(kind, f"{name}.tt0"), pixels_of(1, 1, 6, 8))
        WRITE[kind](tmp_path / name_of(kind, f"{name}.tt1"), pixels_of(1, 1, *size), **changes)
        return refused(kind, tmp_path / name_of(kind, f"{name}.tt0"))

    assert "shape (1, 1, 6, 9)" in family("shape", size=(6, 9))
    other = {"wcs": {"crval": 1.5e9}} if kind == "casa" else {"CRVAL3": 1.5e9}
    assert "frequency 1500 MHz" in family("frequency", **other)
    other = {"crval": np.array([149.0, -30]) * 60} if kind == "casa" else {"CRVAL1": 149.0}
    assert "another" in family("place", **other)


@both
def test_a_cube_has_its_planes_in_ascending_order_of_frequency(kind, tmp_path):
    pixels = pixels_of(3, 1, 6, 8)
    if kind == "casa":
        path = write_casa(tmp_path / "cube", pixels, wcs={"cdelt": -1e7})
    else:
        path = write_fits(tmp_path / "cube.fits", pixels.swapaxes(0, 1), CDELT3=-10.0,
                          CUNIT3="MHz", CRVAL3=1400.0)
    model, _ = READ[kind](path)
    np.testing.assert_allclose(model.plane_frequency, [1.38e9, 1.39e9, 1.4e9], rtol=1e-12)
    np.testing.assert_array_equal(model.pixels, pixels[::-1])


@both
@pytest.mark.parametrize("swapped", [False, True])
def test_stokes_and_frequency_axes_come_in_any_order(kind, swapped, tmp_path):
    pixels = pixels_of(2, 3, 6, 8)
    if kind == "casa":
        order = ("stokes1", "spectral2") if swapped else ("spectral2", "stokes1")
        path = write_casa(tmp_path / "cube", pixels, order=order,
                          stokes={"stokes": ["I", "V", "Q"]})
        names = ("I", "V", "Q")
    else:
        moved = {key[:-1] + {"3": "4", "4": "3"}.get(key[-1], key[-1]): value
                 for key, value in HEADER.items()} if swapped else {}
        array = pixels if swapped else pixels.swapaxes(0, 1)
        path = write_fits(tmp_path / "cube.fits", array,
                          **moved | {"CRVAL3" if swapped else "CRVAL4": 2.0})
        names = ("Q", "U", "V")
    model, _ = READ[kind](path)
    assert model.polarizations == names
    np.testing.assert_array_equal(model.pixels, pixels)


def test_a_fits_image_without_stokes_and_with_frequency_outside_its_axes_is_stokes_i(tmp_path):
    without = dict.fromkeys(["CTYPE4", "CRVAL4", "CDELT4", "CRPIX4"])
    pixels = pixels_of(6, 8)
    model, _ = read_fits_image(write_fits(tmp_path / "sky.fits", pixels, **without))
    np.testing.assert_array_equal(model.pixels[0, 0], pixels)
    assert (model.polarizations, model.reference_frequency) == (("I",), 1.4e9)


def test_a_fits_image_is_rotated_by_either_form_of_header(tmp_path):
    old, _ = read_fits_image(write_fits(tmp_path / "old.fits", pixels_of(1, 1, 6, 8), CROTA2=30.0))
    turned = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)],
                       [np.sin(np.pi / 6), np.cos(np.pi / 6)]]) * [-0.1, 0.1]
    new, _ = read_fits_image(write_fits(
        tmp_path / "new.fits", pixels_of(1, 1, 6, 8), CDELT1=None, CDELT2=None,
        CD1_1=turned[0, 0], CD1_2=turned[0, 1], CD2_1=turned[1, 0], CD2_2=turned[1, 1],
        CDELT3=None, CD3_3=1e7, CDELT4=None, CD4_4=1.0))
    for model in (old, new):
        assert model.rotation == pytest.approx(30.0)
        assert model.cell == pytest.approx((-0.1, 0.1))


def test_both_kinds_of_file_put_a_slanted_image_at_the_same_place(tmp_path):
    fits_model, _ = read_fits_image(write_fits(
        tmp_path / "sky.fits", pixels_of(1, 1, 6, 8), CTYPE1="RA---NCP", CTYPE2="DEC--NCP"))
    casa_model, _ = read_casa_image(write_casa(
        tmp_path / "sky", pixels_of(1, 1, 6, 8),
        projection_parameters=np.array([0, 1 / np.tan(np.radians(-30))])))
    assert not fits_model.is_orthographic
    ours, theirs = to_components(fits_model), to_components(casa_model)
    np.testing.assert_allclose(ours.ra, theirs.ra, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.dec, theirs.dec, rtol=0, atol=1e-10)


def test_the_pole_of_a_published_sample_is_where_its_header_says(shared_data, tmp_path):
    path = shared_data / "images" / "southpole_1904-66_SIN.fits"
    header = {card.keyword: card.value for card in fits.getheader(path).cards
              if re.fullmatch("(CTYPE|CRVAL|CDELT|CRPIX)[12]|L(ON|AT)POLE", card.keyword)}
    pixels = np.zeros((1, 1, 192, 192), np.float32)
    pixels[0, 0, 0, 0] = 1
    model, _ = read_fits_image(write_fits(tmp_path / "pole.fits", pixels, **header))
    assert model.tangent.dec == -90
    assert model.pole == (180, -90)


@both
def test_milli_and_microjansky_are_converted(kind, tmp_path):
    pixels = pixels_of(1, 1, 6, 8)
    key = "unit" if kind == "casa" else "BUNIT"
    for unit, factor in (("mJy/pixel", 1e-3), ("uJy/pix", 1e-6), ("JY/PIXEL", 1)):
        path = WRITE[kind](tmp_path / name_of(kind, f"sky{factor}"), pixels, **{key: unit})
        np.testing.assert_allclose(READ[kind](path)[0].pixels, factor * pixels, rtol=1e-6)


@both
@pytest.mark.parametrize(("unit", "message"), [
    ("Jy/beam", "restored image is convolved with the beam"), ("JY/BEAM", "no model; give"),
    ("K", "is in 'K': expected Jy/pixel"), ("", "has no unit: expected Jy/pixel")])
def test_other_units_are_refused_with_the_reason(kind, unit, message, tmp_path):
    key = "unit" if kind == "casa" else "BUNIT"
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), pixels_of(1, 1, 6, 8), **{key: unit})
    assert message in refused(kind, path)


@both
@pytest.mark.parametrize(("name", "advice"), [
    ("sky.model", "set them to 0"), ("sky.model.pbcor", "divided by the primary beam: give")])
def test_pixels_that_are_not_numbers_are_counted_and_refused(kind, name, advice, tmp_path):
    pixels = pixels_of(1, 1, 6, 8)
    pixels[0, 0, :2, 1] = np.nan
    path = WRITE[kind](tmp_path / name_of(kind, name), pixels)
    message = refused(kind, path)
    assert "2 of 48 pixels are not numbers" in message and advice in message


def test_masked_pixels_are_refused_unless_they_are_zero(tmp_path):
    pixels = pixels_of(1, 1, 6, 8)
    mask = np.zeros(pixels.shape, bool)
    mask[0, 0, 1, 2:5] = True
    assert "3 of 48 pixels are not numbers or are masked" in refused(
        "casa", write_casa(tmp_path / "masked", pixels, mask=mask))
    pixels[mask] = 0
    model, _ = read_casa_image(write_casa(tmp_path / "zero", pixels, mask=mask))
    np.testing.assert_array_equal(model.pixels, pixels)


@both
def test_an_image_without_flux_is_refused(kind, tmp_path):
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), np.zeros((1, 1, 6, 8), np.float32))
    assert "all pixels are zero" in refused(kind, path)


@both
def test_a_frequency_that_cannot_be_is_refused(kind, tmp_path):
    changes = {"wcs": {"crval": 1.4}} if kind == "casa" else {"CRVAL3": 1.4}
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), pixels_of(1, 1, 6, 8), **changes)
    assert "at a frequency of 1.4 Hz" in refused(kind, path)


@both
def test_other_coordinates_than_right_ascension_and_declination_are_refused(kind, tmp_path):
    changes = ({"system": "GALACTIC"} if kind == "casa"
               else {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN"})
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), pixels_of(1, 1, 6, 8), **changes)
    assert "expected right ascension and declination" in refused(kind, path)


@both
def test_pixels_with_flux_outside_of_the_sky_are_refused(kind, tmp_path):
    changes = ({"cdelt": np.array([-6.0, 6.0]) * 300} if kind == "casa"
               else {"CDELT1": -30.0, "CDELT2": 30.0})
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), pixels_of(1, 1, 6, 8), **changes)
    assert "lie outside of the sky" in refused(kind, path)


@both
def test_correlations_are_no_stokes_parameters(kind, tmp_path):
    changes = {"stokes": {"stokes": ["RR"]}} if kind == "casa" else {"CRVAL4": -1.0}
    path = WRITE[kind](tmp_path / name_of(kind, "sky"), pixels_of(1, 1, 6, 8), **changes)
    assert "expected Stokes I, Q, U or V" in refused(kind, path)


@pytest.mark.parametrize(("changes", "message"), [
    ({"CTYPE3": None, "CRVAL3": None, "CDELT3": None, "CRPIX3": None}, "no frequency axis"),
    ({"CTYPE3": "VRAD", "CUNIT3": "m/s"}, "no frequency axis"),
    ({"CTYPE1": "XX", "CTYPE2": "YY"}, "no celestial axes"),
    ({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "A_2_0": 1e-4,
      "B_ORDER": 2, "B_0_2": 1e-4}, "distortion"),
    ({"EQUINOX": 1975.0}, "FK5 of the equinox 1975"),
    ({"PC1_1": 1.0, "PC1_2": 0.3, "PC2_2": 1.0}, "not perpendicular")], ids=str)
def test_headers_that_say_too_little_or_too_much_are_refused(changes, message, tmp_path):
    path = write_fits(tmp_path / "sky.fits", pixels_of(1, 1, 6, 8), **changes)
    assert message in refused("fits", path)


def test_what_is_no_image_is_refused(tmp_path):
    assert "does not exist" in refused("casa", tmp_path / "nothing")
    (tmp_path / "folder").mkdir()
    assert "is not a CASA image" in refused("casa", tmp_path / "folder")
    text = tmp_path / "text.fits"
    text.write_text("no image")
    assert "cannot be read as a FITS image" in refused("fits", text)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([])]).writeto(
        tmp_path / "table.fits")
    assert "holds no image" in refused("fits", tmp_path / "table.fits")


def test_wsclean_says_in_its_header_that_a_model_is_apparent(tmp_path):
    pixels = pixels_of(1, 1, 6, 8)
    for name, expected in (("w-model.fits", False), ("w-model-pb.fits", None)):
        path = write_fits(tmp_path / name, pixels, ORIGIN="WSClean", BUNIT="JY/PIXEL")
        assert read_fits_image(path)[1] is expected


def test_planes_in_files_of_their_own_are_joined_to_a_cube(tmp_path):
    models = []
    for k, frequency in enumerate((1.5e9, 1.4e9)):
        path = write_fits(tmp_path / f"w-{k:04d}-model.fits", pixels_of(1, 1, 6, 8, seed=k),
                          CRVAL3=frequency)
        models.append(read_fits_image(path)[0])
    cube = join_planes(models)
    assert cube.plane_frequency.tolist() == [1.4e9, 1.5e9]
    np.testing.assert_array_equal(cube.pixels[0], models[1].pixels[0])
    other = write_fits(tmp_path / "elsewhere.fits", pixels_of(1, 1, 6, 8), CRVAL1=151.0)
    assert join_planes([*models, read_fits_image(other)[0]]) is None
    assert join_planes([models[0], models[0]]) is None


def test_reading_leaves_the_files_as_they_are(tmp_path):
    path = Path(write_casa(tmp_path / "sky", pixels_of(1, 1, 6, 8)))
    (path / "table.lock").unlink(missing_ok=True)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    command = f"from {read_casa_image.__module__} import *; read_casa_image({str(path)!r})"
    subprocess.run([sys.executable, "-c", command], check=True)
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before
