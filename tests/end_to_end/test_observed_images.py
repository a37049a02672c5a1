"""Images of observed measurement sets: flux densities that are known, where they are known."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from visds.commands.image import main


@pytest.fixture(scope="module")
def imaged(observed, tmp_path_factory):
    """Return a function from the name of an observed set and options to the images' folder."""
    made = {}

    def images(name, *options):
        if (name, *options) not in made:
            out = tmp_path_factory.mktemp("images")
            assert main([str(observed(name)), "-o", str(out), "--no-pictures", *options]) == 0
            made[(name, *options)] = out
        return made[(name, *options)]

    return images


def rows(out):
    """Return the rows of the images by Stokes parameter."""
    return {row["stokes"]: row for row in Table.read(out / "images.ecsv")}


def test_vela_has_the_peaks_that_askapsofts_imager_finds(imaged):
    out = imaged("askap_vela_pol-60", "--handedness", "swap=yes", "--uv-min", "500m",
                 "--receptor-angle", "-105", "--size", "512")
    found = rows(out)
    assert found["I"]["peak"] == pytest.approx(2.65, abs=0.01)
    assert found["U"]["peak"] == pytest.approx(1.89, abs=0.01)
    assert found["V"]["peak"] == pytest.approx(0.11, abs=0.01)
    # Its |Q| of 0.28 is of other weights; the spectrum has 0.309 (test_observed).
    assert found["Q"]["peak"] == pytest.approx(0.309, abs=0.001)
    assert np.hypot(found["Q"]["peak"], found["U"]["peak"]) == pytest.approx(
        np.hypot(0.28, 1.89), abs=0.01)
    for row in found.values():
        assert row["fit_offset"] < 0.15 * row["beam_minor"]
        assert abs(row["target_flux_density"]) <= abs(row["peak"])


@pytest.mark.parametrize(("field", "flux_density"), [("0", 14.76), ("1", 2.484)])
@pytest.mark.parametrize("weighting", ["natural", "briggs"])
def test_the_calibrators_of_ngc5921_have_their_flux_densities_at_their_places(
        imaged, field, flux_density, weighting):
    found = rows(imaged("vla_NGC5921_cal", "--field", field, "--weighting", weighting))
    assert found["I"]["target_flux_density"] == pytest.approx(flux_density, rel=1e-3)
    assert found["I"]["fit_flux_density"] == pytest.approx(flux_density, rel=2e-3)
    assert found["I"]["fit_offset"] < 0.002 * found["I"]["beam_minor"]
    assert found["I"]["peak"] == pytest.approx(flux_density, rel=1e-3)
    assert abs(found["V"]["target_flux_density"]) < 5 * found["V"]["rms"]


def test_3c273_of_1989_is_a_constant_source_of_30_jy(imaged):
    out = imaged("vla_3C273_1989", "--interval", "scan", "--size", "512")
    table = Table.read(out / "images.ecsv")
    found = table[table["stokes"] == "I"]
    assert len(found) == 3
    # Half the sum of the hands of each scan, used in pairs (test_observed).
    assert found["target_flux_density"].tolist() == pytest.approx(
        [29.790, 29.770, 29.786], abs=0.002)
    assert np.all(found["fit_offset"] < 0.01 * found["beam_minor"])
    v = table[table["stokes"] == "V"]
    assert np.all(np.abs(v["target_flux_density"]) < 0.011)
    header = fits.getheader(out / "scan00001_I.fits")
    # The phase centre is B1950; the image is ICRS, at 3C 273 within the VLA's calibrator list.
    assert (header["CRVAL1"], header["CRVAL2"]) == pytest.approx((187.27792, 2.05239), abs=1e-4)
    assert header["DATE-OBS"].startswith("1989-06-27") and header["RADESYS"] == "ICRS"


def test_what_is_flagged_throughout_is_one_line(observed, tmp_path, capsys):
    assert main([str(observed("meerkat_cdfs_allflagged")), "-o", str(tmp_path / "out"),
                 "--no-pictures"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("visds-image: error: ") and error.endswith("flagged")


def test_a_snapshot_of_an_east_west_array_has_an_image_and_a_long_beam(imaged):
    found = rows(imaged("wsrt_3C343", "--scan", "2", "--size", "512", "--stokes", "I"))
    assert found["I"]["beam_major"] > 3 * found["I"]["beam_minor"]
    assert np.isfinite(found["I"]["rms"])


def test_the_whole_sky_of_a_dipole_station_is_one_image(imaged):
    header = fits.getheader(imaged("lwasv_nan", "--stokes", "I", "--parallactic", "no")
                            / "all_I.fits")
    assert header["CDELT2"] * header["NAXIS2"] < 114
