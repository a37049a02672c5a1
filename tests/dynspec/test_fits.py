"""The FITS file of a dynamic spectrum: values, coordinates, flags, and its bytes."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from spectra import spectrum

from visds.core.errors import OutputError
from visds.core.flags import Flag
from visds.dynspec.fits import write_fits


def example(**keywords):
    rng = np.random.default_rng(3)
    shape = (12, 5, len(keywords.get("polarizations", "IQUV")))
    return spectrum(rng.normal(size=shape), **keywords)


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, memmap=False) as hdus:
            hdus.verify("exception")
            return fits.HDUList([hdu.copy() for hdu in hdus])


def world(hdus, pixels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return WCS(hdus[0].header, hdus).wcs_pix2world(np.asarray(pixels, float), 0)


def test_values_errors_flags_and_counts_come_back_from_the_file(tmp_path):
    flagged = np.zeros((12, 5), bool)
    flagged[3, 2] = True
    before = example().flag_cells(flagged)
    write_fits([before], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    for name, values in (("PRIMARY", before.flux_density), ("SIGMA", before.sigma),
                         ("RESIDUAL", before.residual)):
        image = hdus[name].data
        assert image.shape == (4, 5, 12)
        np.testing.assert_allclose(image, np.transpose(values, (2, 1, 0)), rtol=1e-6)
        assert np.isnan(image[:, 2, 3]).all() and np.isnan(image).sum() == 4
    np.testing.assert_array_equal(hdus["FLAGS"].data, np.transpose(before.flags, (2, 1, 0)))
    assert hdus["FLAGS"].data[0, 2, 3] == Flag.REGION
    assert hdus["FLAGS"].header["FLAG512"] == "REGION"
    np.testing.assert_array_equal(hdus["NVIS"].data, 50)
    np.testing.assert_array_equal(hdus["TIME"].data["TIME"], before.time)
    np.testing.assert_array_equal(hdus["TIME"].data["TIME_BARYCENTRE"], before.time_barycentre)
    np.testing.assert_array_equal(hdus["TIME"].data["INTEGRATION"], before.integration)
    np.testing.assert_array_equal(hdus["TIME"].data["SCAN"], before.scan)
    np.testing.assert_array_equal(hdus["FREQUENCY"].data["CHANNEL_WIDTH"], before.channel_width)


def test_the_header_names_target_position_telescope_unit_and_origin(tmp_path):
    write_fits([example(meta={"frequency_frame": "TOPO"})], tmp_path / "d.fits")
    header = opened(tmp_path / "d.fits")[0].header
    assert (header["OBJECT"], header["TELESCOP"], header["BUNIT"]) == ("test star", "VLA", "Jy")
    assert (header["RA"], header["DEC"], header["RADESYS"]) == (83.0, -5.0, "ICRS")
    assert header["ORIGIN"].startswith("visds ") and header["TIMESYS"] == "UTC"
    assert header["SPECSYS"] == "TOPOCENT"
    assert header["MJD-BEG"] == pytest.approx(59000 - 5 / 86400, abs=1e-9)


def test_equidistant_cells_have_linear_coordinates_that_are_their_centres(tmp_path):
    before = example(start_mjd=59000.25)
    write_fits([before], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert [hdus[0].header[f"CTYPE{n}"] for n in (1, 2, 3)] == ["TIME", "FREQ", "STOKES"]
    assert "WCS-TABLE" not in hdus
    seconds, hertz, stokes = world(hdus, [[7, 3, 1]])[0]
    assert hdus[0].header["MJDREF"] + seconds / 86400 == pytest.approx(before.time[7], abs=1e-9)
    assert hertz == pytest.approx(before.frequency[3]) and stokes == pytest.approx(2)


def test_gaps_in_time_and_frequency_have_the_coordinates_of_a_lookup_table(tmp_path):
    before = example(scans=(1, 2, 3), start_mjd=59000.9).select_channels(np.array([0, 1, 3, 4]))
    write_fits([before], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert hdus[0].header["CTYPE1"] == "TIME-TAB" and hdus[0].header["CTYPE2"] == "FREQ-TAB"
    pixels = [[t, f, 3] for t in range(12) for f in range(4)]
    found = world(hdus, pixels)
    seconds = np.repeat((before.time - 59000) * 86400, 4)
    np.testing.assert_allclose(found[:, 0], seconds, atol=1e-5)
    np.testing.assert_allclose(found[:, 1], np.tile(before.frequency, 12))
    np.testing.assert_allclose(found[:, 2], 4)


def test_i_and_v_alone_have_stokes_codes_one_and_four(tmp_path):
    before = example(polarizations=("I", "V"))
    write_fits([before], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert hdus[0].data.shape[0] == 2
    np.testing.assert_allclose(world(hdus, [[0, 0, 0], [0, 0, 1]])[:, 2], [1, 4])


def test_a_stokes_parameter_that_a_linear_axis_needs_but_the_data_lack_is_a_plane_of_nan(tmp_path):
    before = example(polarizations=("I", "Q", "V"), parallel_hands=("XX", "YY"))
    write_fits([before], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert hdus[0].data.shape[0] == 4
    assert np.isnan(hdus[0].data[2]).all() and np.isfinite(hdus[0].data[[0, 1, 3]]).all()
    assert (hdus["FLAGS"].data[2] == Flag.EMPTY).all() and (hdus["NVIS"].data[2] == 0).all()


def test_a_single_cell_makes_a_valid_file(tmp_path):
    write_fits([example().select_times([3]).select_channels([2])], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert hdus[0].data.shape == (4, 1, 1)
    assert hdus[0].header["CDELT1"] == 10 and hdus[0].header["CDELT2"] == 1e6


def test_the_same_spectrum_gives_the_same_bytes(tmp_path):
    before = example(scans=(1, 2))
    for name in ("a.fits", "b.fits"):
        before.to_fits(tmp_path / name)
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    assert "DATE" not in opened(tmp_path / "a.fits")[0].header


def test_a_target_with_letters_that_fits_cannot_hold_is_still_written(tmp_path):
    write_fits([example(meta={"target": "ε Eridani\n" + "x" * 100})], tmp_path / "d.fits")
    assert opened(tmp_path / "d.fits")[0].header["OBJECT"].startswith("? Eridani")


def test_a_folder_that_does_not_exist_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*nowhere/d\.fits"):
        write_fits([example()], tmp_path / "nowhere" / "d.fits")


def test_further_directions_are_extensions_of_their_own_version(tmp_path):
    first, second = example(), example(meta={"target": "other"}).select_times(
        [0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    write_fits([first, second], tmp_path / "d.fits")
    hdus = opened(tmp_path / "d.fits")
    assert hdus["FLUX", 2].header["OBJECT"] == "other"
    np.testing.assert_allclose(hdus["FLUX", 2].data, np.transpose(second.flux_density, (2, 1, 0)),
                               rtol=1e-6)
    np.testing.assert_allclose(hdus["SIGMA", 1].data, np.transpose(first.sigma, (2, 1, 0)),
                               rtol=1e-6)
    np.testing.assert_array_equal(hdus["TIME", 2].data["TIME"], second.time)
    header = hdus["FLUX", 2].header
    assert header["CTYPE1"] == "TIME-TAB" and header["PV1_1"] == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seconds = WCS(header, hdus).wcs_pix2world([[2.0, 0, 0]], 0)[0, 0]
    assert seconds == pytest.approx((second.time[2] - header["MJDREF"]) * 86400, abs=1e-4)
