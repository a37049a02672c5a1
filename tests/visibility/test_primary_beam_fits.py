"""Primary beams out of FITS files."""

import pickle

import numpy as np
import pytest
from astropy.io import fits

from visds.core.errors import SettingsError
from visds.core.provenance import key
from visds.visibility.primary_beam.airy import AiryBeam
from visds.visibility.primary_beam.choose import choose_beam
from visds.visibility.primary_beam.fits import read_fits_beam

AIRY = AiryBeam(25.0)
CELL = 1.5 / 60
SIZE = (57, 61)


def cosines_of_pixels():
    y, x = np.mgrid[:SIZE[0], :SIZE[1]]
    step = np.radians(CELL)
    return np.stack([-(x - 30) * step, (y - 28) * step], axis=-1)


def write(path, power=None, frequency=(1.4e9,), **header):
    """Write an Airy pattern, a plane for each frequency; `header` changes keys, None removes."""
    frequency = np.array(frequency)
    if power is None:
        power = np.moveaxis(AIRY(cosines_of_pixels(), frequency), -1, 0)
    step = frequency[1] - frequency[0] if len(frequency) > 1 else 1e6
    image = fits.PrimaryHDU(np.asarray(power))
    keys = {"CTYPE1": "RA---SIN", "CRPIX1": 31.0, "CDELT1": -CELL, "CRVAL1": 83.0, "CUNIT1": "deg",
            "CTYPE2": "DEC--SIN", "CRPIX2": 29.0, "CDELT2": CELL, "CRVAL2": -5.0, "CUNIT2": "deg",
            "CTYPE3": "FREQ", "CRPIX3": 1.0, "CDELT3": step, "CRVAL3": frequency[0],
            "CUNIT3": "Hz"}
    for name, value in (keys | header).items():
        if value is not None:
            image.header[name] = value
    image.writeto(path)
    return path


def directions():
    rng = np.random.default_rng(2)
    return rng.uniform(-1, 1, (200, 2)) * np.radians(0.6)


def test_a_sampled_airy_pattern_is_the_airy_pattern(tmp_path):
    beam = read_fits_beam(write(tmp_path / "beam.fits"))
    np.testing.assert_allclose(beam(directions(), np.array([1.4e9])),
                               AIRY(directions(), np.array([1.4e9])), atol=2e-4)


def test_one_plane_is_stretched_to_other_frequencies_as_the_wavelength(tmp_path):
    beam = read_fits_beam(write(tmp_path / "beam.fits"))
    frequency = np.array([1.1e9, 1.4e9, 1.6e9])
    near = directions() / 2
    np.testing.assert_allclose(beam(near, frequency), AIRY(near, frequency), atol=2e-4)


def test_planes_of_a_cube_hold_at_their_frequencies(tmp_path):
    """A beam that gets rounder: what differs between planes is not only their width."""
    frequency = np.array([1.0e9, 1.2e9, 1.4e9])
    l, m = np.moveaxis(cosines_of_pixels(), -1, 0)  # noqa: E741
    planes = np.array([np.exp(-(l / width) ** 2 - (m / 0.01) ** 2)
                       for width in (0.02, 0.015, 0.01)])
    beam = read_fits_beam(write(tmp_path / "cube.fits", planes, frequency))
    np.testing.assert_allclose(np.moveaxis(beam(cosines_of_pixels(), frequency), -1, 0), planes,
                               atol=1e-6)
    between = beam(np.array([0.008, 0.0]), np.array([1.1e9]))[0]
    both = [beam._stretched(n, np.array([0.008, 0.0]), 1.1e9) for n in (0, 1)]
    assert between == pytest.approx(np.mean(both)) and both[0] > between > both[1]
    backwards = read_fits_beam(write(tmp_path / "back.fits", planes[::-1], frequency[::-1]))
    np.testing.assert_allclose(backwards(directions(), frequency), beam(directions(), frequency))


def test_east_is_where_right_ascension_grows_whichever_way_pixels_go(tmp_path):
    l, m = np.moveaxis(cosines_of_pixels(), -1, 0)  # noqa: E741
    lopsided = np.exp(-((l - 0.002) / 0.005) ** 2 - (m / 0.005) ** 2) / np.exp(-0.16)
    power = np.minimum(lopsided, 1)[np.newaxis]
    offsets = np.array([[0.004, 0.0], [-0.004, 0.0]])
    beam = read_fits_beam(write(tmp_path / "a.fits", power))
    east, west = beam(offsets, np.array([1.4e9]))[:, 0]
    assert east > 2 * west
    flipped = read_fits_beam(write(tmp_path / "b.fits", power[..., ::-1], CDELT1=CELL,
                                   CTYPE1="L", CTYPE2="M"))
    np.testing.assert_allclose(flipped(offsets, np.array([1.4e9]))[:, 0], [east, west], rtol=1e-6)


def test_outside_the_image_and_where_it_is_masked_nothing_is_seen(tmp_path):
    power = AIRY(cosines_of_pixels(), np.array([1.4e9]))[..., 0]
    radius = np.hypot(*np.moveaxis(cosines_of_pixels(), -1, 0))
    power[radius > np.radians(0.5)] = np.nan
    beam = read_fits_beam(write(tmp_path / "beam.fits", power[np.newaxis], BUNIT="Jy/beam"))
    there = np.radians([[0.0, 0.65], [3.0, 0.0], [0.0, 80.0]])
    np.testing.assert_allclose(beam(there, np.array([1.4e9])), 0, atol=1e-3)
    assert beam(np.radians([0.1, 0.1]), np.array([1.4e9]))[0] == pytest.approx(
        AIRY(np.radians([0.1, 0.1]), np.array([1.4e9]))[0], abs=1e-3)


def test_it_goes_to_other_ranks_and_is_chosen_by_its_path(tmp_path):
    path = str(write(tmp_path / "beam.fits"))
    beam = choose_beam(path, "VLA", 25.0, lowest=1.3e9, highest=1.5e9)
    again = pickle.loads(pickle.dumps(beam))
    assert key(again) == key(beam)
    np.testing.assert_array_equal(again(directions(), np.array([1.4e9])),
                                  beam(directions(), np.array([1.4e9])))
    assert "fixed on the sky" in beam.describe()


def test_of_stokes_parameters_the_beam_of_i_is_used(tmp_path):
    i = AIRY(cosines_of_pixels(), np.array([1.4e9]))[..., 0]
    planes = np.stack([i, 0.1 * i])[:, np.newaxis]
    path = write(tmp_path / "beam.fits", planes, CTYPE4="STOKES", CRVAL4=1.0, CDELT4=1.0,
                 CRPIX4=1.0)
    np.testing.assert_allclose(read_fits_beam(path)(directions(), np.array([1.4e9])),
                               AIRY(directions(), np.array([1.4e9])), atol=2e-4)


@pytest.mark.parametrize(("changes", "message"), [
    ({"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR"}, "GLON-CAR, GLAT-CAR, expected RA---SIN"),
    ({"CTYPE1": None, "CTYPE2": None}, "expected RA---SIN"),
    ({"BUNIT": "V"}, "the unit 'V'"), ({"BUNIT": "dB"}, "the unit 'dB'"),
    ({"CUNIT1": "m"}, "axis 1 in M, expected deg"), ({"CDELT1": 0.0}, "no step CDELT1"),
    ({"PC1_2": 0.1}, "is rotated"), ({"CRVAL3": 0.0, "CDELT3": 0.0}, "at which frequency"),
    ({"CTYPE3": "TIME"}, "at which frequency"), ({"CRPIX1": 1.0}, "at its reference pixel"),
    ({"CUNIT3": "m"}, "its frequencies in M")])
def test_a_file_that_is_no_such_beam_is_refused(tmp_path, changes, message):
    with pytest.raises(SettingsError, match=message):
        read_fits_beam(write(tmp_path / "beam.fits", **changes))


def test_voltages_and_files_of_another_kind_are_refused(tmp_path):
    power = AIRY(cosines_of_pixels(), np.array([1.4e9]))[..., 0]
    radius = np.hypot(*np.moveaxis(cosines_of_pixels(), -1, 0))
    voltage = np.sqrt(power) * np.where(radius > 1.22 * 0.2142 / 25, -1, 1)
    with pytest.raises(SettingsError, match="not a voltage"):
        read_fits_beam(write(tmp_path / "voltage.fits", voltage[np.newaxis]))
    with pytest.raises(SettingsError, match="the unit"):
        read_fits_beam(write(tmp_path / "unit.fits", BUNIT="K"))
    (tmp_path / "text.fits").write_text("no FITS file")
    with pytest.raises(SettingsError, match=r"text\.fits cannot be read"):
        read_fits_beam(tmp_path / "text.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(
        [fits.Column("A", "D", array=np.zeros(3))])]).writeto(tmp_path / "table.fits")
    with pytest.raises(SettingsError, match="holds no image"):
        read_fits_beam(tmp_path / "table.fits")
