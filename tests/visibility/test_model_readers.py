"""A sky model of everything that is named: told apart by content, nothing taken twice."""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from visds.core.casa import load_casatools
from visds.core.errors import SkyModelError
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.readers.read import read_sky_model

COLUMNS = ("DATA", "MODEL_DATA", "FIELD_MODEL")
SOURCES = "Format = Name, Type, Ra, Dec, I\nstar,POINT,01:39:00,-17.57.00,1.5\n"
OWN = "ra,dec,I,reference_frequency\n24.75,-17.95,1.5,1e9\n"


def fits_image(path, frequency=1e9, value=1.0, stokes=1, **header):
    """Write a FITS image with one pixel that is not zero."""
    pixels = np.zeros((1, 1, 32, 32), np.float32)
    pixels[0, 0, 16, 16] = value
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.update({
        "BUNIT": "JY/PIXEL", "RADESYS": "ICRS",
        "CTYPE1": "RA---SIN", "CRVAL1": 24.75, "CRPIX1": 17.0, "CDELT1": -0.01, "CUNIT1": "deg",
        "CTYPE2": "DEC--SIN", "CRVAL2": -17.95, "CRPIX2": 17.0, "CDELT2": 0.01, "CUNIT2": "deg",
        "CTYPE3": "FREQ", "CRVAL3": frequency, "CRPIX3": 1.0, "CDELT3": 1e6, "CUNIT3": "Hz",
        "CTYPE4": "STOKES", "CRVAL4": stokes, "CRPIX4": 1.0, "CDELT4": 1.0} | header)
    hdu.writeto(path)
    return str(path)


@pytest.fixture
def files(tmp_path, simulated):
    """One file of each kind, by what it is; their names say nothing."""
    made = {"list": tmp_path / "a", "table": tmp_path / "b", "fits table": tmp_path / "c",
            "fits image": tmp_path / "d", "casa components": tmp_path / "e"}
    made["list"].write_text(SOURCES)
    made["table"].write_text(OWN)
    Table.read(OWN, format="ascii.csv").write(made["fits table"], format="fits")
    fits_image(made["fits image"])
    tool = load_casatools().componentlist()
    tool.addcomponent(flux=1.5, dir="J2000 24.75deg -17.95deg", shape="point")
    tool.rename(str(made["casa components"]))
    tool.close()
    images = simulated(sources=3, taylor_terms=2).images
    made["casa image"] = tmp_path / "f.tt0"
    for term, image in enumerate(images):
        shutil.copytree(image, tmp_path / f"f.tt{term}")
    return {kind: str(path) for kind, path in made.items()}


def test_each_kind_is_told_by_its_content(files):
    parts = read_sky_model(list(files.values()), COLUMNS).parts
    assert [part.origin for part in parts] == list(files.values())
    for kind, part in zip(files, parts, strict=True):
        assert isinstance(part.content, ImageModel if "image" in kind else ComponentModel), kind
        if kind == "casa image":
            assert len(part.content.pixels) == 2
            continue
        frequency = np.array([1e9])
        flux = part.content.flux_density(frequency)
        np.testing.assert_allclose(flux[0].sum(), 1.0 if "image" in kind else 1.5, err_msg=kind)


def test_terms_of_an_image_are_one_part_however_many_are_named(files):
    first = files["casa image"]
    second = first.replace("tt0", "tt1")
    for names in ([first], [second], [first, second], [second, first], [first[:-4]],
                  [first[:-4], first]):
        parts = read_sky_model(names, COLUMNS).parts
        assert len(parts) == 1, names
        assert len(parts[0].content.pixels) == 2


def test_terms_of_a_fits_image_are_one_part(tmp_path):
    names = [fits_image(tmp_path / f"field.tt{term}.fits") for term in range(2)]
    for given in (names, names[1:], [str(tmp_path / "field.fits")]):
        (part,) = read_sky_model(given, COLUMNS).parts
        assert len(part.content.pixels) == 2
        assert not len(part.content.plane_frequency)


def test_images_of_output_channels_are_planes_of_one_cube_not_summed(tmp_path):
    names = [fits_image(tmp_path / f"field-{n:04d}-model.fits", 1e9 + n * 1e7, 2.0 - n)
             for n in (1, 0)]
    (part,) = read_sky_model(names, COLUMNS).parts
    assert part.origin == f"{names[0]} to {names[1]}"
    assert part.content.plane_frequency.tolist() == [1e9, 1.01e9]
    np.testing.assert_allclose(part.content.flux_density(np.array([1e9, 1.01e9])), [[2, 1]])


def test_the_mean_over_channels_beside_them_is_refused(tmp_path):
    names = [fits_image(tmp_path / f"field-{n}-model.fits", frequency)
             for n, frequency in (("0000", 1e9), ("0001", 1.02e9), ("MFS", 1.01e9))]
    with pytest.raises(SkyModelError, match=r"field-MFS-model.fits is the mean of the other"):
        read_sky_model(names, COLUMNS)


def test_stokes_images_and_facets_stay_parts_of_their_own(tmp_path):
    names = [fits_image(tmp_path / "i.fits"), fits_image(tmp_path / "v.fits", stokes=4),
             fits_image(tmp_path / "facet.fits", CRVAL1=26.0)]
    parts = read_sky_model(names, COLUMNS).parts
    assert [part.origin for part in parts] == names
    assert parts[1].content.polarizations == ("V",)


def test_columns_are_named_or_model_data(files):
    model = read_sky_model(["column", "FIELD_MODEL", files["list"]], COLUMNS)
    assert model.columns == ("MODEL_DATA", "FIELD_MODEL")
    assert len(model.parts) == 1
    assert not read_sky_model([], COLUMNS)


def test_a_table_takes_a_mapping_behind_its_name(tmp_path):
    path = tmp_path / "odd:name.csv"
    path.write_text("RA,DEC,S\n24.75,-17.95,3\n")
    name = f"{path}:I=S:mJy,reference_frequency=1.4GHz"
    (part,) = read_sky_model([name], COLUMNS).parts
    assert part.origin == name
    np.testing.assert_allclose(part.content.stokes[0, 0], 3e-3)


@pytest.mark.parametrize(("name", "scale", "is_intrinsic", "reason"), [
    ("field-sources.txt", None, False, "nothing says otherwise"),
    ("field-sources-pb.txt", None, True, "its name says that it is corrected for the primary beam"),
    ("field.pbcor.txt", None, True, "its name says"),
    ("field-sources-pb.txt", "apparent", False, "as the user says"),
    ("field-sources.txt", "intrinsic", True, "as the user says"),
])
def test_whether_flux_densities_are_intrinsic_is_said_with_the_reason(tmp_path, name, scale,
                                                                      is_intrinsic, reason):
    path = tmp_path / name
    path.write_text(SOURCES)
    (part,) = read_sky_model([str(path)], COLUMNS, scale).parts
    assert part.is_intrinsic is is_intrinsic
    assert reason in part.scale_reason


def test_the_name_of_an_image_says_that_it_is_intrinsic(tmp_path):
    names = [fits_image(tmp_path / name) for name in ("a-pb.fits", "b.fits")]
    parts = read_sky_model(names, COLUMNS).parts
    assert [part.is_intrinsic for part in parts] == [True, False]
    assert "name" in parts[0].scale_reason


def test_what_is_named_twice_is_refused(files, tmp_path):
    with pytest.raises(SkyModelError, match="is named twice: it would be subtracted twice"):
        read_sky_model([files["list"], str(tmp_path / "." / "a")], COLUMNS)
    with pytest.raises(SkyModelError, match="is named twice"):
        read_sky_model([files["casa image"]] * 2, COLUMNS)
    with pytest.raises(SkyModelError, match="MODEL_DATA is named twice"):
        read_sky_model(["column", "MODEL_DATA"], COLUMNS)


def test_what_is_no_sky_model_is_refused_with_one_line(files, tmp_path, simulated):
    folder = tmp_path / "folder"
    folder.mkdir()
    measurement_set = str(simulated().measurement_set)
    for names, columns, message in (
            (["missing.txt"], COLUMNS, r"missing.txt: No such file, and no such data column of the "
                                       r"measurement set \(it has DATA, MODEL_DATA, FIELD_MODEL\)"),
            (["column"], ("DATA",), "the measurement set has no column MODEL_DATA; it has DATA"),
            ([str(folder)], COLUMNS, "is a folder, but neither a CASA image nor a component list"),
            ([measurement_set], COLUMNS, "is a folder, .*: it is a table of the type 'Measurement"),
            ([files["list"] + ":I=S:mJy"], COLUMNS, "is not a table: its columns cannot be mapped"),
            ([files["table"] + ":flux=S"], COLUMNS, "no 'flux'")):
        with pytest.raises(SkyModelError, match=message) as caught:
            read_sky_model(names, columns)
        assert "\n" not in str(caught.value)
    with pytest.raises(SkyModelError, match="apparent or intrinsic, not 'odd'"):
        read_sky_model([], COLUMNS, "odd")
