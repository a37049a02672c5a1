"""visds-import: spectra of other programs become products, whole and known for what they are."""

import json

import numpy as np
import pytest
from astropy.io import fits
from spectra import spectrum

from visds.commands.export import main as export
from visds.commands.import_spectra import main
from visds.commands.plot import main as plot
from visds.core.provenance import file_hash
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.exchange.dstools import write_dstools
from visds.dynspec.spectra_file import directions_of


@pytest.fixture
def of_dstools(tmp_path):
    truth = np.zeros((24, 4, 4))
    truth[..., 0], truth[8:12, :, 3] = 1.0, -0.7
    write_dstools(spectrum(truth, sigma=0.02, meta={"target": "UV Cet", "telescope": "GMRT"}),
                  tmp_path / "star.h5")
    return tmp_path / "star.h5"


@pytest.fixture
def of_dynspecms(tmp_path):
    rng = np.random.default_rng(0)
    for part, kind, name in (("TARGET", "Star", "AD Leo"), ("OFF", "Off", "Off0001")):
        (tmp_path / "DynSpecs" / part).mkdir(parents=True)
        header = fits.Header({"CDELT1": 8.0, "FRQ-MIN": 120e6, "CHAN-WID": 2e5, "NAME": name,
                              "OBS-STAR": "2020-05-31T03:00:00.000", "RA_RAD": 2.7,
                              "OBS-STOP": "2020-05-31T03:03:04.000", "DEC_RAD": 0.35,
                              "SRC-TYPE": kind, "ORIGIN": "DynSpecMS"})
        fits.writeto(tmp_path / "DynSpecs" / part / f"{part}.fits",
                     rng.normal(size=(4, 3, 24)), header)
    return tmp_path / "DynSpecs"


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_an_import_is_a_product_that_can_be_drawn_and_exported(of_dstools, tmp_path, capsys):
    out = tmp_path / "out"
    code, said, err = run(capsys, of_dstools, "-o", out)
    assert (code, said) == (0, f"{out / 'dynspec.h5'}\n")
    assert "star.h5: UV Cet, I Q U V, 24 integrations in 1 scan, 4 channels" in err
    assert "dstools itself gives circular feeds' U the opposite sign" in err
    assert np.nanmean(DynamicSpectrum.read(out).values("V")[8:12]) == pytest.approx(-0.7, abs=0.05)
    assert plot([str(out), "--plots", "V", "--picture-resolution", "40"]) == 0
    assert export([str(out), "--to", "csv"]) == 0


def test_provenance_says_what_it_was_made_of(of_dstools, tmp_path, capsys):
    run(capsys, of_dstools, "-o", tmp_path / "out")
    said = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert said["inputs"] == {str(of_dstools): file_hash(of_dstools)}
    assert said["products"] == {"dynspec.h5": file_hash(tmp_path / "out" / "dynspec.h5")}
    assert said["target"]["name"] == "UV Cet" and said["target"]["ra_deg"] == pytest.approx(83)


def test_what_is_known_of_a_telescope_and_not_applied_is_a_warning(of_dstools, tmp_path, capsys):
    _, _, err = run(capsys, of_dstools, "-o", tmp_path / "out")
    assert "warning: nothing was corrected for GMRT: uGMRT band 4" in err
    assert "records Q and V with the wrong sign" in err


def test_a_folder_of_dynspecms_is_many_directions_targets_first(of_dynspecms, tmp_path, capsys):
    code, _, err = run(capsys, of_dynspecms, "-o", tmp_path / "out")
    said = directions_of(tmp_path / "out" / "dynspec.h5")
    assert code == 0 and [(one["target"], one["role"]) for one in said] == [
        ("AD Leo", "target"), ("Off0001", "off source")]
    assert "it has no imaginary part" in err


@pytest.mark.parametrize("name", ["text.h5", "image.fits"])
def test_other_files_are_refused_and_nothing_is_left(tmp_path, capsys, name):
    (tmp_path / name).write_text("no spectrum")
    code, _, err = run(capsys, tmp_path / name, "-o", tmp_path / "out")
    assert code == 2 and "is neither HDF5 of dstools nor FITS of DynSpecMS" in err
    assert not list(tmp_path.glob("out/*"))


def test_the_products_of_a_run_are_not_replaced(of_dstools, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "dynspec.h5").write_bytes(b"of a run")
    code, _, err = run(capsys, of_dstools, "-o", out)
    assert code == 2 and "holds an unfinished run" in err
    (out / "provenance.json").write_text(json.dumps({"command": ["visds-run", "a.ms"]}))
    code, _, err = run(capsys, of_dstools, "-o", out)
    assert code == 2 and "holds the products of visds-run" in err
    assert (out / "dynspec.h5").read_bytes() == b"of a run"


def test_an_import_can_be_made_again(of_dstools, tmp_path, capsys):
    for _ in range(2):
        assert run(capsys, of_dstools, "-o", tmp_path / "out")[0] == 0
