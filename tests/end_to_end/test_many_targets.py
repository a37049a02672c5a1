"""A field full of stars in one run: each at its own flux density, in products of its own."""

import numpy as np
import pytest
from astropy.table import Table
from products import provenance, reused

from visds import DynamicSpectrum
from visds.commands.plot import main as plot
from visds.commands.run import main
from visds.dynspec.spectra_file import directions_of, read_spectrum

OPTIONS = {"scans": 2, "channels": 16, "channel_width": "8MHz", "sources": 12, "noise": "2mJy",
           "antennas": 8, "quiescent": (0.020, 0, 0, 0.005)}


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**OPTIONS)


@pytest.fixture(scope="module")
def model(observation, tmp_path_factory):
    """Return the sources of the field and the star, with its flux density, as one list."""
    table = Table.read(observation.components)
    star = Table.read(observation.catalogue)
    table.add_row(dict(table[0]) | {"ra": 24.7566667, "dec": -17.9505556, "I": 0.020,
                                    "spectral_index": 0.0})
    assert len(star) >= 1
    path = tmp_path_factory.mktemp("model") / "field.ecsv"
    table.write(path, format="ascii.ecsv")
    return path


@pytest.fixture(scope="module")
def out(observation, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("many") / "out"
    assert main([str(observation.measurement_set), "-o", str(folder), "--model", str(model),
                 "--targets", str(model), "--within", "30arcmin", "--offsets", "5",
                 "--no-images", "--plots", "lightcurve"]) == 0
    return folder


def mean(spectrum):
    """Return the mean Stokes I and its error, Jy, of integrations of one weight."""
    i = spectrum.index("I")
    weight = spectrum.sum_w[..., i].sum()
    return spectrum.sum_wv[..., i].real.sum() / weight, weight**-0.5


def test_every_source_of_the_field_has_its_flux_density_and_empty_places_have_none(out, model):
    truth = Table.read(model)
    pulls = []
    for number, meta in enumerate(directions_of(out / "dynspec.h5")):
        away = np.hypot((truth["ra"] - meta["ra_deg"]) * np.cos(np.radians(meta["dec_deg"])),
                        truth["dec"] - meta["dec_deg"])
        there = truth[away < 1 / 3600]
        assert len(there) == (1 if meta["role"] == "target" else 0)
        spectrum = read_spectrum(out / "dynspec.h5", number)
        ratio = spectrum.frequency / truth["reference_frequency"][0]
        expected = sum(np.mean(row["I"] * ratio ** row["spectral_index"]) for row in there)
        flux, error = mean(spectrum)
        pulls.append((flux - expected) / error)
    assert len(pulls) == 13 + 5
    # Smearing of sources far out, which the model does not have, is some 0.1 mJy of 200.
    assert np.abs(pulls).max() < 6 and np.std(pulls) < 2.5


def test_products_name_the_target_of_every_row(out, model):
    names = [meta["target"] for meta in directions_of(out / "dynspec.h5")
             if meta["role"] == "target"]
    for table in ("lightcurve", "variability", "polarization"):
        held = Table.read(out / f"{table}.ecsv")
        assert list(dict.fromkeys(held["target"])) == names
    assert [target["name"] for target in provenance(out)["targets"]] == names
    page = (out / "report.html").read_text()
    assert all(name in page for name in names)


def test_one_of_them_is_drawn_and_read_by_its_name(out, capsys):
    name = directions_of(out / "dynspec.h5")[3]["target"]
    assert plot([str(out), "--target", name, "--plots", "lightcurve"]) == 0
    assert name.replace(" ", "_") in capsys.readouterr().out
    assert DynamicSpectrum.read(out, target=name).meta["target"] == name
    assert plot([str(out), "--target", "nothing of that name"]) == 2
    assert "no direction 'nothing of that name'" in capsys.readouterr().err


def test_other_targets_are_made_of_the_chunk_files(observation, model, out, capsys):
    """With one target less the measurement set is not read again, and --replace is asked for."""
    fewer = out.parent / "fewer.ecsv"
    Table.read(model)[1:].write(fewer, format="ascii.ecsv")
    arguments = [str(observation.measurement_set), "-o", str(out), "--model", str(model),
                 "--targets", str(fewer), "--within", "30arcmin", "--no-images", "--plots",
                 "lightcurve"]
    gone = out / "plots" / "a target of before"
    gone.mkdir(exist_ok=True)
    (gone / "lightcurve.png").touch()
    assert main(arguments) == 2
    assert "--replace" in capsys.readouterr().err
    assert gone.is_dir()
    assert main([*arguments, "--replace"]) == 0
    assert "2 chunks averaged again from chunk files" in (out / "log.txt").read_text()
    assert len(directions_of(out / "dynspec.h5")) == 12
    assert reused(out).startswith("2 chunks, 0 of them")
    assert not gone.exists()
