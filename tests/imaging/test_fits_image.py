"""Images on disk: what astropy reads of them."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from point_sources import PHASE_CENTRE, chunk

from visds.core.errors import OutputError
from visds.core.version import __version__
from visds.imaging.dirty import Gridding, difference, make_dirty
from visds.imaging.fits_image import response_image, write_image
from visds.imaging.geometry import Geometry
from visds.imaging.image import Content
from visds.imaging.stokes_visibility import gather
from visds.imaging.weighting import Weighting

GEOMETRY = Geometry(PHASE_CENTRE, 12 / 3600, 128)
SOURCE = GEOMETRY.direction(90, 40)
CONTENT = Content("scan00003", 59000.0, 59000.5, 59000.2, 1200.0, 1.39e9, 1.43e9, "LSRK")


@pytest.fixture(scope="module")
def image():
    made = chunk([(SOURCE, (1, 0, 0, 0.5))], noise=0.1, extent=250.0)
    _, image = make_dirty(lambda: gather([made], ("I", "V"), PHASE_CENTRE), GEOMETRY, CONTENT,
                          Gridding(Weighting("uniform"), whole_response=True))
    return image.replace(meta={"OBJECT": "GJ 65 ä", "TELESCOP": "EVLA"})


@pytest.fixture(scope="module")
def read(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("image") / "an image.fits"
    write_image(image, path)
    with fits.open(path) as opened:
        return opened[0].header, opened[0].data.copy()


def test_the_source_is_at_its_position_by_astropys_coordinates(read):
    header, data = read
    assert data.shape == (1, 1, 128, 128) and data.dtype.kind == "f"
    row, column = np.unravel_index(data[0, 0].argmax(), data.shape[2:])
    wcs = WCS(header)
    ra, dec, frequency, stokes = wcs.wcs_pix2world(column, row, 0, 0, 0)
    assert (ra, dec) == pytest.approx((SOURCE.ra, SOURCE.dec), abs=1e-6)
    assert (frequency, stokes) == (1.41e9, 4)
    assert wcs.celestial.wcs.radesys == "ICRS"


def test_the_header_says_what_was_observed_when_and_how(read, image):
    header, _ = read
    assert header["BUNIT"] == "Jy/beam"
    assert [header["BMAJ"], header["BMIN"], header["BPA"]] == pytest.approx(
        [image.beam.major, image.beam.minor, image.beam.position_angle], rel=1e-12)
    assert header["CDELT3"] == pytest.approx(4e7) and header["SPECSYS"] == "LSRK"
    assert Time(header["DATE-OBS"], scale="utc").mjd == header["MJD-OBS"] == 59000.0
    assert Time(header["DATE-AVG"], scale="utc").mjd == pytest.approx(header["MJD-AVG"])
    assert header["MJD-END"] == 59000.5 and header["EXPTIME"] == 1200
    assert header["OBJECT"] == "GJ 65 ?" and header["TELESCOP"] == "EVLA"
    assert header["WEIGHTNG"] == "uniform" and header["ORIGIN"] == f"visds {__version__}"
    assert header["EXPRMS"] > header["NATRMS"]
    assert header["IMAGETYP"] == "dirty"


def test_images_of_any_kind_are_written_in_single_precision_under_the_name_of_the_kind(
        image, tmp_path):
    path = tmp_path / "image.fits"
    double = image.replace(values=image.values.astype(float), kind="cleaned")
    for made, kind in ((double, "cleaned"), (difference(image, image, "burst"), "difference"),
                       (response_image(image), "response")):
        write_image(made, path)
        header = fits.getheader(path)
        assert (header["BITPIX"], header["IMAGETYP"]) == (-32, kind)


def test_an_image_is_written_whole_or_not_at_all(image, tmp_path, monkeypatch):
    path = tmp_path / "an image.fits"
    write_image(image, path)
    before = path.read_bytes()
    write_image(image, path)
    assert path.read_bytes() == before

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match="no space left on the disk"):
        write_image(image, path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_response_to_a_point_source_is_an_image_of_1_jy_in_the_middle(image):
    response = response_image(image)
    assert response.values[64, 64] == pytest.approx(1, abs=1e-4)
    assert response.values.argmax() == 64 * 128 + 64
    with pytest.raises(ValueError, match="was not made"):
        response_image(image.replace(response=None))
