"""Sky models of every form through visds-run: what is subtracted, and the target that is not."""

import json
import shutil

import numpy as np
import pytest
from astropy.table import Table, vstack
from casacore import tables
from rooms import plan, writable

from visds import DynamicSpectrum
from visds.commands.run import main
from visds.run_settings import RUN_IMAGES

STAR = 0.020
OPTIONS = {"scans": 2, "channels": 16, "channel_width": "8MHz", "sources": 15, "noise": "1mJy",
           "taylor_terms": 4, "model": True, "antennas": 8, "quiescent": (STAR, 0, 0, 0.005)}


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**OPTIONS)


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs visds-run: spectrum, provenance and what was said."""
    def call(observation, *models, options=(), out="out", images=False):
        folder = tmp_path / out
        code = main([str(observation.measurement_set), "-o", str(folder), "--plots", "I",
                     "--snapshots", "2", "--images" if images else "--no-images", *options,
                     *(["--model", *map(str, models)] if models else [])])
        assert code == 0, capsys.readouterr().err
        return (DynamicSpectrum.read(folder / "dynspec.h5"),
                json.loads((folder / "provenance.json").read_text())["sky_model"],
                (folder / "log.txt").read_text())

    return call


def mean(spectrum):
    """Return the mean Stokes I and its error, Jy."""
    place = spectrum.index("I")
    weight = spectrum.sum_w[..., place].sum()
    return spectrum.sum_wv[..., place].real.sum() / weight, weight**-0.5


def with_star(observation, tmp_path, away=0.0):
    """Return the table of the background with the star in it, so many arcsec from its place."""
    spectrum_table = Table.read(observation.components)
    ra, dec = plan(observation.measurement_set).phase_centre
    star = spectrum_table[:1].copy()
    star["ra"], star["dec"] = ra, dec + away / 3600
    star["I"], star["spectral_index"] = STAR, 0.0
    path = tmp_path / "with star.ecsv"
    vstack([spectrum_table, star]).write(path, format="ascii.ecsv")
    return path


def test_components_image_and_column_leave_the_same_star(observation, run, tmp_path):
    found = {}
    for name, model in (("list", observation.components), ("image", observation.images[0]),
                        ("column", "MODEL_DATA")):
        spectrum, _, _ = run(observation, model, out=name, images=True)
        found[name] = mean(spectrum)[0]
        flux, error = mean(spectrum)
        assert abs(flux - STAR) < 5 * error + 2e-4
        images = Table.read(tmp_path / name / RUN_IMAGES / "images.ecsv")
        imaged, = images[(images["name"] == "field") & (images["stokes"] == "I")]
        assert imaged["target_flux_density"] == pytest.approx(flux, abs=2e-5)
    assert np.ptp(list(found.values())) < 1e-4, found


def test_gridded_and_direct_give_the_same_spectrum(observation, run):
    spectra = [run(observation, observation.images[1], options=("--engine", engine), out=engine)[0]
               for engine in ("direct", "gridded")]
    values = [spectrum.values("I") for spectrum in spectra]
    # 1e-5 of the brightest, about 0.1 Jy.
    np.testing.assert_allclose(values[0], values[1], atol=1e-6)


def test_the_star_is_taken_out_of_the_model_and_stays_in_the_spectrum(observation, run, tmp_path):
    spectrum, entry, said = run(observation, with_star(observation, tmp_path, 0.7))
    flux, error = mean(spectrum)
    assert abs(flux - STAR) < 5 * error + 2e-4
    removed, = entry["excised"]["removed"]
    assert removed["content"] == "1 component"
    assert removed["flux_density"] == pytest.approx(STAR)
    assert "1 component of" in said
    assert "20 mJy" in said
    assert entry["self_subtraction"][0]["left"] == 0


def test_keep_target_subtracts_the_star_and_says_so(observation, run, tmp_path):
    spectrum, entry, said = run(observation, with_star(observation, tmp_path),
                                options=("--keep-target",))
    flux, error = mean(spectrum)
    assert abs(flux) < 5 * error + 4e-4
    assert entry["excised"]["removed"] == []
    assert entry["self_subtraction"][0]["left"] == pytest.approx(STAR)
    assert "its constant flux density is lost" in said


def test_a_star_in_the_model_column_is_told(observation, run, simulated, tmp_path):
    copy = simulated(**OPTIONS, copy_to=tmp_path / "copy")
    with writable(copy.measurement_set) as table:
        table.putcol("MODEL_DATA", table.getcol("DATA"))
    spectrum, entry, said = run(copy, "column")
    assert abs(mean(spectrum)[0]) < 1e-6
    nothing_subtracted, _, _ = run(observation, out="data")
    assert entry["self_subtraction"][0]["column"] == pytest.approx(mean(nothing_subtracted)[0])
    assert "its constant flux density is lost" in said


def test_several_models_are_subtracted_together(observation, run, tmp_path):
    table = Table.read(observation.components)
    for name, rows in (("one", table[:7]), ("other", table[7:])):
        rows.write(tmp_path / f"{name}.ecsv", format="ascii.ecsv")
    whole, _, _ = run(observation, observation.components, out="whole")
    halves, entry, _ = run(observation, tmp_path / "one.ecsv", tmp_path / "other.ecsv",
                           out="halves")
    assert len(entry["parts"]) == 2
    np.testing.assert_allclose(halves.values("I"), whole.values("I"), atol=1e-6)


def test_a_rerun_does_not_subtract_twice(observation, run):
    first, _, _ = run(observation, observation.images[0])
    again, _, said = run(observation, observation.images[0], options=("--time-bin", "1"))
    assert "2 of them from an earlier run" in said
    np.testing.assert_array_equal(first.values("I"), again.values("I"))


def test_intrinsic_flux_densities_need_a_beam_and_are_attenuated_by_it(observation, run, tmp_path,
                                                                       capsys):
    code = main([str(observation.measurement_set), "-o", str(tmp_path / "no"), "--model",
                 str(observation.components), "--model-flux", "intrinsic"])
    assert code == 2
    assert "--primary-beam" in capsys.readouterr().err
    table = Table.read(observation.components)
    wide, _, _ = run(observation, observation.components, out="apparent",
                     options=("--model-flux", "apparent"))
    # A beam of a very small dish attenuates nothing in the field.
    same, entry, _ = run(observation, observation.components, out="wide", options=(
        "--model-flux", "intrinsic", "--primary-beam", "airy:0.05m", "--smear-model", "no"))
    assert entry["parts"][0]["intrinsic"]
    np.testing.assert_allclose(same.values("I"), wide.values("I"), atol=1e-5)
    narrow, _, _ = run(observation, observation.components, out="narrow", options=(
        "--model-flux", "intrinsic", "--primary-beam", "airy:60m", "--smear-model", "no"))
    assert np.abs(narrow.values("I") - wide.values("I")).max() > 1e-4 * table["I"].max()


@pytest.mark.parametrize(("text", "said"), [
    ("", "is empty"),
    ("ra,dec,I,reference_frequency\n", "has no rows"),
    ("ra,dec,I,reference_frequency\nnan,1,1,1e9\n", "finite"),
    ("Format = Name, Type, Ra, Dec, I, SpectralIndex='[]', ReferenceFrequency='1e9'\n"
     "a,SHAPELET,01:39:00,-17.57.00,1,[0],1e9\n", "shapelets")])
def test_a_model_that_cannot_be_used_is_one_line(observation, tmp_path, capsys, text, said):
    path = tmp_path / "model.txt"
    path.write_text(text)
    code = main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--model",
                 str(path)])
    lines = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(lines) == 1
    assert said in lines[0]
    assert str(path) in lines[0]
    assert not (tmp_path / "out").exists()


def test_the_data_column_is_no_model_of_itself(observation, tmp_path, capsys):
    code = main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--model", "DATA"])
    assert code == 2
    assert "subtracted from itself" in capsys.readouterr().err


def test_the_data_hold_all_of_a_right_model_and_half_of_one_given_twice(observation, run,
                                                                        tmp_path):
    _, entry, said = run(observation, observation.components, out="right")
    assert abs(entry["fit"]["scale"] - 1) < 5 * entry["fit"]["error"] + 0.02
    assert "hold only" not in said and "given twice" not in said
    shutil.copy(observation.components, tmp_path / "again.ecsv")
    _, entry, said = run(observation, observation.components, tmp_path / "again.ecsv", out="twice")
    assert entry["fit"]["scale"] == pytest.approx(0.5, abs=0.02)
    assert "given twice" in said


def test_flux_densities_in_a_wrong_unit_are_told(observation, run, tmp_path):
    table = Table.read(observation.components)
    table["I"] *= 1000
    table.write(tmp_path / "millijansky.ecsv", format="ascii.ecsv")
    _, entry, said = run(observation, tmp_path / "millijansky.ecsv")
    assert entry["fit"]["scale"] == pytest.approx(1e-3, rel=0.05)
    assert "its unit, scale or place is wrong" in said


def test_a_residual_set_is_refused_before_the_run(observation, tmp_path, capsys):
    model = ("--model", str(observation.components))
    for path, options, said in (
            (tmp_path / "new.ms", (), "no --model to subtract"),
            (tmp_path / "none" / "new.ms", model, "there is no folder"),
            (observation.measurement_set / "new.ms", model, "is inside"),
            (observation.components, model, "exists already")):
        code = main([str(observation.measurement_set), "-o", str(tmp_path / "out"),
                     "--write-residual", str(path), *options])
        assert code == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_residual_set_is_the_data_less_the_model(observation, tmp_path):
    new = tmp_path / "new.ms"
    assert main([str(observation.measurement_set), "-o", str(tmp_path / "out"),
                 "--snapshots", "2", "--plots", "I", "--model", "MODEL_DATA", "--write-residual",
                 str(new)]) == 0
    with tables.table(str(observation.measurement_set), ack=False) as old, \
            old.query("FIELD_ID==0 AND ANTENNA1!=ANTENNA2") as rows:
        expected = rows.getcol("DATA") - rows.getcol("MODEL_DATA")
    with tables.table(str(new), ack=False) as made, \
            made.query("ANTENNA1!=ANTENNA2") as rows:
        np.testing.assert_allclose(rows.getcol("DATA"), expected, atol=1e-6)


def test_a_gaussian_that_covers_the_star_is_told(observation, run, tmp_path):
    ra, dec = plan(observation.measurement_set).phase_centre
    path = tmp_path / "wide.csv"
    path.write_text("ra,dec,I,reference_frequency,major,minor,pa\n"
                    f"{ra!r},{dec + 12 / 3600!r},1.0,1.4e9,40,40,0\n")
    _, entry, said = run(observation, observation.components, path)
    assert entry["excised"]["removed"] == []
    assert entry["self_subtraction"][0]["left"] > 0.02
    assert "its constant flux density is lost" in said


def test_the_check_of_the_star_is_in_apparent_flux_densities(observation, run, tmp_path):
    _, entry, said = run(observation, with_star(observation, tmp_path), options=(
        "--primary-beam", "airy:25m", "--pointing", pointing_off(observation)))
    assert "(apparent, not corrected for the primary beam)" in said
    check = entry["self_subtraction"][0]
    # The star is 20 mJy as it is seen, in the model and in the data alike.
    assert check["removed"] == pytest.approx(STAR)
    assert check["mean"] == pytest.approx(STAR, rel=0.05)


def test_another_beam_makes_no_chunk_again_where_the_model_is_apparent(observation, run):
    for beam in ("none", "airy:25m", "airy:20m"):
        _, _, said = run(observation, observation.components, options=("--primary-beam", beam))
    assert said.count("2 chunks, 2 of them from an earlier run") >= 1
    assert "2 chunks, 0 of them" not in said.split("airy:20m")[-1]


def pointing_off(observation):
    """Return a position 8 arcmin from the star, near half power of a 25 m dish at 1.4 GHz."""
    ra, dec = plan(observation.measurement_set).phase_centre
    return f"{ra!r}deg {dec + 8 / 60!r}deg"
