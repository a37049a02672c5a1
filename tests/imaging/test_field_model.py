"""A field model made of the data themselves takes the field out of them."""

import contextlib
import hashlib
import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from launch import RANKS, on_ranks, run
from rooms import chunks

from visds.commands.model import main
from visds.commands.run import main as run_main
from visds.core.errors import SettingsError
from visds.core.sky import Direction
from visds.imaging.component_table import component_table
from visds.imaging.field_model import choose_geometry, choose_terms
from visds.imaging.geometry import Geometry
from visds.imaging.model_settings import ModelSettings
from visds.imaging.scratch_set import ScratchSet
from visds.visibility.sky_model.images import to_components
from visds.visibility.sky_model.predict import predict
from visds.visibility.sky_model.readers.read import read_sky_model
from visds.visibility.sky_model.readers.table import read_components

OPTIONS = ("--field-width", "5arcmin", "--clean-sigma", "5")


def state(path):
    """Return names, times of change and hashes of all files of a folder."""
    return {file: (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
            for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def field(simulated):
    """Return a simulation of some steep sources and no star, without noise to speak of."""
    return simulated(antennas=14, sources=5, brightest="300mJy", faintest="20mJy",
                     radius="1.5arcmin", noise=0.02, channels=8, channel_width="24MHz",
                     quiescent=(0, 0, 0, 0), seed=4)


@pytest.fixture(scope="module")
def made(field, tmp_path_factory):
    """Return the folder of the field's model, and what was said."""
    out = tmp_path_factory.mktemp("model") / "out"
    before = state(field.measurement_set)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main([str(field.measurement_set), "-o", str(out), *OPTIONS]) == 0
    assert state(field.measurement_set) == before
    return out, said.getvalue()


def test_every_source_is_in_the_model_with_its_flux_density_and_spectrum(field, made):
    model = read_components(made[0] / "field.components.ecsv")
    truth = read_components(field.components)
    assert len(truth) == 5
    for k in range(len(truth)):
        east = (model.ra - truth.ra[k]) * math.cos(math.radians(truth.dec[k]))
        near = np.hypot(east, model.dec - truth.dec[k]) * 3600 < 6
        flux_density = model.stokes[near, 0].sum()
        assert flux_density == pytest.approx(truth.stokes[k, 0], rel=0.02, abs=1e-3)
        if k == np.argmax(truth.stokes[:, 0]):
            index = model.spectral_terms[near, 0].sum() / flux_density
            assert index == pytest.approx(truth.spectral_terms[k, 0], abs=0.05)


def test_the_model_leaves_the_noise_of_the_visibilities(field, made):
    model = read_components(made[0] / "field.components.ecsv")
    for slab in chunks(field.measurement_set):
        used = slab.flags == 0
        left = (slab.visibility - predict(slab, model))[used]
        assert slab.visibility[used].real.std() > 0.08
        assert left.real.std() == pytest.approx(0.02, rel=0.1)
        # Over baselines, which turn it, nothing of the field is left.
        assert abs(left.mean()) < 5 * 0.02 / math.sqrt(left.size)


def test_the_table_is_the_model_of_the_images_at_all_frequencies(made):
    frequency = np.array([1.2e9, 1.3e9, 1.4e9])
    table = read_components(made[0] / "field.components.ecsv").flux_density(frequency)
    image = to_components(read_sky_model([str(made[0] / "field.model.tt0")], ()).parts[0].content)
    np.testing.assert_allclose(np.sort(table[0], axis=0),
                               np.sort(image.flux_density(frequency)[0], axis=0), atol=1e-6)


@pytest.mark.parametrize("name", ["field.model.tt0", "field.components.ecsv"])
def test_a_run_subtracts_the_images_or_the_table(field, made, tmp_path, capsys, name):
    assert run_main([str(field.measurement_set), "-o", str(tmp_path / "out"), "--no-images",
                     "--plots", "lightcurve", "--model", str(made[0] / name)]) == 0
    held, error = map(float, re.search(r"the data hold ([\d.]+) \+- ([\d.]+) of the sky model",
                                       capsys.readouterr().out).groups())
    assert held == pytest.approx(1, abs=4 * error)
    assert error < 0.01


def test_products_are_images_tables_and_a_record(made):
    out, said = made
    names = {path.name for path in out.iterdir()}
    assert names == {
        "casa.log", "field.components.ecsv", "field.image.fits", "field.mask", "field.png",
        "field.residual.fits", "log.txt", "provenance.json", "settings.toml",
        *(f"field.{kind}.tt{k}" for kind in ("model", "image", "residual", "psf")
          for k in (0, 1)), "field.model.tt0.fits", "field.model.tt1.fits"}
    assert "2 Taylor terms" in said
    assert "major cycle 2: " in said
    header = fits.getheader(out / "field.image.fits")
    assert header["BUNIT"] == "Jy/beam"
    assert header["BMAJ"] > header["BMIN"] > 0
    assert header["IMAGETYP"] == "cleaned"
    assert fits.getval(out / "field.residual.fits", "IMAGETYP") == "residual"
    with fits.open(out / "field.model.tt0.fits") as opened:
        assert opened[0].header["RADESYS"] == header["RADESYS"] == "ICRS"
        model = opened[0].data.sum(), opened[0].header["BUNIT"]
    total = np.asarray(QTable.read(out / "field.components.ecsv")["I"]).sum()
    assert model == (pytest.approx(total, rel=1e-5), "Jy/pixel")
    record = json.loads((out / "provenance.json").read_text())
    assert record["clean"]["terms"] == 2
    # That of --clean-sigma.
    assert record["clean"]["reason"].startswith("reached 5 rms")
    assert {"field.image.fits", "field.components.ecsv"} <= set(record["products"])


def test_a_model_is_replaced_only_where_that_is_said(field, made, capsys):
    out, _ = made
    before = state(out / "field.model.tt0")
    assert main([str(field.measurement_set), "-o", str(out)]) == 2
    assert "holds a field model; --replace makes it again" in capsys.readouterr().err
    assert main([str(field.measurement_set), "-o", str(out), "--replace", "--spw", "9"]) == 2
    assert state(out / "field.model.tt0") == before


def test_a_model_of_noise_is_doubted(simulated, tmp_path, capsys):
    empty = simulated(antennas=8, sources=0, flares=False, quiescent=(0, 0, 0, 0), channels=4,
                      noise=0.5, calibrator=False).measurement_set
    assert main([str(empty), "-o", str(tmp_path / "out"), "--size", "64", "--clean-mask", "none",
                 "--clean-sigma", "2.5", "--niter", "20", "--taylor-terms", "1",
                 "--stokes", "IV"]) == 0
    told = capsys.readouterr()
    assert "of no use to a field model, which is of Stokes I: --stokes" in told.out
    doubt = " times its noise: the model may be noise"
    assert doubt in told.out + told.err
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert any(doubt in line for line in record["warnings"])


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_of_several_ranks_one_makes_the_model(field, tmp_path):
    command = [sys.executable, "-m", "visds.commands.model", str(field.measurement_set), "-o",
               str(tmp_path / "out"), "--size", "64", "--niter", "5"]
    ended = run(on_ranks(RANKS, command))
    assert ended.returncode == 0, ended.stderr
    assert "tclean works in one process: 1 rank of 2 only wait" in ended.stderr
    assert (tmp_path / "out" / "field.model.tt0").is_dir()
    assert (tmp_path / "out" / "log.txt").read_text().count("field model: ") == 1


def test_the_model_of_the_vela_pulsar_has_the_scale_of_visds_run(observed, tmp_path):
    # The peak in ASKAPsoft's own image of these data; correlations as stored would give half.
    out = tmp_path / "out"
    (out / ".scratch-of-a-killed-run").mkdir(parents=True)
    assert main([str(observed("askap_vela_pol-60")), "-o", str(out), "--size", "256"]) == 0
    assert fits.getdata(out / "field.image.fits").max() == pytest.approx(2.65, rel=0.03)
    assert not list(out.glob(".*"))


def scratch_set(**changes):
    values = {"path": Path(), "stokes": "I", "longest": 1e4, "highest_w": 0.0,
              "band": (1e9, 1.1e9), "frame": "TOPO", "sum_of_weights": 1.0, "diameter": 25.0}
    return ScratchSet(**values | changes)


CENTRE = Direction(10.0, 20.0)


def test_images_reach_to_the_null_of_the_beam_with_four_pixels_a_fringe():
    geometry, doubts = choose_geometry(scratch_set(), CENTRE, ModelSettings())
    assert math.radians(geometry.cell) == pytest.approx(1 / 1e4 / 4)
    null = 1.22 * 299792458 / 1e9 / 25
    assert 2 * null <= math.radians(geometry.width) < 2.1 * null
    assert not doubts


def test_what_is_given_is_what_is_used():
    degree = 1 / 3600
    geometry, _ = choose_geometry(scratch_set(), CENTRE, ModelSettings(cell=degree, size=512))
    assert (geometry.cell, geometry.size) == (degree, 512)
    geometry, _ = choose_geometry(scratch_set(), CENTRE,
                                  ModelSettings(field_width=0.2, size=512))
    assert geometry.width == pytest.approx(0.2)


def test_images_that_cannot_be_are_refused_or_doubted():
    with pytest.raises(SettingsError, match="give --field-width or --size"):
        choose_geometry(scratch_set(diameter=0.0), CENTRE, ModelSettings())
    with pytest.raises(SettingsError, match="more than the half of the sky"):
        choose_geometry(scratch_set(), CENTRE, ModelSettings(cell=1.0, size=512))
    with pytest.raises(SettingsError, match="contradict one another"):
        choose_geometry(scratch_set(), CENTRE, ModelSettings(cell=1.0, size=512, field_width=1.0))
    _, doubts = choose_geometry(scratch_set(), CENTRE, ModelSettings(cell=0.01))
    assert "too large for these data" in doubts[0]
    geometry, doubts = choose_geometry(scratch_set(longest=1e6), CENTRE, ModelSettings())
    assert geometry.size == 4096
    assert "what is outside is not in the model" in doubts[0]


def test_a_narrow_band_has_one_term():
    assert choose_terms((1.00e9, 1.01e9), ModelSettings()) == 1
    assert choose_terms((1.00e9, 1.03e9), ModelSettings()) == 2
    assert choose_terms((1.00e9, 1.03e9), ModelSettings(taylor_terms=1)) == 1


def test_merged_components_keep_flux_density_slope_and_centroid():
    geometry = Geometry(CENTRE, 1 / 3600, 64)
    terms = np.zeros((2, 64, 64))
    terms[0, 40, 20:22] = 3.0, 1.0
    terms[1, 40, 20:22] = -3.0, 0.0
    terms[0, 10, 10] = 0.5
    table = component_table(terms, geometry, 1e9)
    assert np.asarray(table["I"]).tolist() == [3.0, 1.0, 0.5]
    assert np.asarray(table["taylor_1"]).tolist() == [-3.0, 0.0, 0.0]
    merged = component_table(terms, geometry, 1e9, merge=True)
    assert np.asarray(merged["I"]).tolist() == [4.0, 0.5]
    assert merged["taylor_1"][0].value == -3.0
    place = geometry.direction(20.25, 40)
    assert merged["ra"][0].value == pytest.approx(place.ra, abs=1e-9)
    assert merged["dec"][0].value == pytest.approx(place.dec, abs=1e-9)
