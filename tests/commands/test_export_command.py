"""visds-export: what is asked for comes out in the format named, or one line says why not."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.timeseries import TimeSeries
from spectra import spectrum

from visds.commands.export import main
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.spectra_file import write_spectra


@pytest.fixture
def products(tmp_path):
    """Return a folder with the spectra of two directions, V of the second positive."""
    truth = np.zeros((12, 4, 4))
    truth[..., 0], truth[..., 3] = 2.0, -1.0
    other = truth * [1, 1, 1, -1]
    write_spectra(tmp_path / "dynspec.h5",
                  [spectrum(truth, sigma=0.01, meta={"target": "UV Cet"}),
                   spectrum(other, sigma=0.01, meta={"target": "AD Leo"})])
    return tmp_path


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_files_are_named_after_target_product_and_format(products, capsys):
    for arguments, name in (
            (["--to", "csv"], "UV_Cet.dynspec.csv"),
            (["--to", "votable", "--light-curve"], "UV_Cet.lightcurve.vot"),
            (["--to", "ecsv", "--target", "ad leo"], "AD_Leo.dynspec.ecsv"),
            (["--to", "dstools"], "UV_Cet.dynspec.h5"),
            (["--to", "timeseries"], "UV_Cet.lightcurve.timeseries.ecsv")):
        code, out, _ = run(capsys, products, *arguments)
        assert code == 0 and out.split("\n")[0] == str(products / "exports" / name)
        assert (products / "exports" / name).stat().st_size > 0
    assert not list((products / "exports").glob(".*"))


def test_the_name_of_the_file_tells_the_format(products, capsys):
    assert run(capsys, products, "-o", products / "a.CSV")[0] == 0
    assert (products / "a.CSV").read_text().startswith("time_mjd_utc,")
    assert run(capsys, products, "-o", products / "a.timeseries.ecsv")[0] == 0
    assert "flux_err" in TimeSeries.read(products / "a.timeseries.ecsv").colnames
    assert run(capsys, products, "--to", "csv", "-o", products / "a.ecsv")[0] == 0
    assert (products / "a.ecsv").read_bytes() == (products / "a.CSV").read_bytes()


def test_the_first_of_several_directions_is_said_to_be_that(products, capsys):
    _, _, err = run(capsys, products, "--to", "csv")
    assert "UV Cet, the first of 2 directions; --target names another" in err


def test_bins_and_bands_are_those_of_the_spectrum(products, capsys):
    code, _, _ = run(capsys, products, "--to", "ecsv", "--time-bin", "40s", "--channel-bin", "2",
                     "--target", "AD Leo", "-o", products / "exports.ecsv")
    table = Table.read(products / "exports.ecsv")
    expected = DynamicSpectrum.read(products, "AD Leo").rebin(time="40s", channel="2")
    assert code == 0 and len(table) == 3 * 2
    np.testing.assert_array_equal(table["V"], expected.values("V").ravel())
    run(capsys, products, "--to", "timeseries", "--polarization", "V", "--band", "549-550.5MHz",
        "--barycentre", "-o", products / "v.ecsv")
    series = TimeSeries.read(products / "v.ecsv")
    curve = DynamicSpectrum.read(products).light_curve("549-550.5MHz")
    np.testing.assert_array_equal(series["flux"].value, curve.flux_density[:, 3])
    assert series.time.scale == "tdb" and series.meta["target"] == "UV Cet"


def test_fits_holds_all_directions_or_the_one_that_is_named(products, capsys):
    run(capsys, products, "--to", "fits", "-o", products / "all.fits")
    with fits.open(products / "all.fits") as hdus:
        assert hdus["FLUX", 2].header["OBJECT"] == "AD Leo"
    run(capsys, products, "--to", "fits", "--target", "AD Leo", "-o", products / "one.fits")
    with fits.open(products / "one.fits") as hdus:
        assert hdus[0].header["OBJECT"] == "AD Leo" and len(hdus) == 7
    run(capsys, products, "--to", "fits", "--light-curve", "-o", products / "curve.fits")
    with fits.open(products / "curve.fits") as hdus:
        assert np.mean(hdus["LIGHTCURVE"].data["V"]) == pytest.approx(-1, abs=0.02)


def test_dstools_finds_the_sign_of_v_of_the_direction_that_is_named(products, capsys):
    run(capsys, products, "--to", "dstools", "--target", "AD Leo", "-o", products / "d.h5")
    with h5py.File(products / "d.h5") as file:
        assert np.mean(file["flux"][0, ..., 0] - file["flux"][0, ..., 3]).real / 2 > 0.9


@pytest.mark.parametrize(("arguments", "reason"), [
    ([], "--to is missing: one of fits, ecsv, votable, csv, timeseries, dstools; or -o FILE"),
    (["-o", "x.txt"], "cannot tell the format of x.txt: give --to, or a name that ends in .fits"),
    (["--to", "xls"], "'xls' is not one of fits"),
    (["--to", "csv", "--target", "Proxima"], "has no direction 'Proxima'; it has UV Cet, AD Leo"),
    (["--to", "dstools", "--light-curve"], "dstools has no files of light curves"),
    (["--to", "csv", "--band", "1-2GHz"], "--band: no channel between 1000 and 2000 MHz"),
    (["--to", "csv", "-o", "nowhere/x.csv"], "there is no folder nowhere"),
])
def test_what_cannot_be_exported_is_said_in_a_line(products, capsys, arguments, reason):
    code, out, err = run(capsys, products, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("visds-export: error: ") and reason in err and err.count("\n") == 1
    assert not (products / "exports").exists()


def test_products_are_not_overwritten_by_what_is_made_of_them(products, capsys):
    before = (products / "dynspec.h5").read_bytes()
    code, _, err = run(capsys, products, "--to", "dstools", "-o", products / "dynspec.h5")
    assert code == 2 and "among the products that it is made of" in err
    assert (products / "dynspec.h5").read_bytes() == before


def test_a_folder_without_a_spectrum_is_one_line(tmp_path, capsys):
    code, _, err = run(capsys, tmp_path, "--to", "csv")
    assert code == 2 and "dynspec.h5 does not exist" in err


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "visds-export OUT --to votable --light-curve" in capsys.readouterr().out
