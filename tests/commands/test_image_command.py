"""visds-image as a user starts it: its images, its table, its errors."""

import json
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from launch import RANKS, on_ranks, run
from products import contents

from visds.commands.image import main
from visds.commands.run import main as run_main
from visds.core.casa import TaskError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

TARGET = "01:39:01.6 -17:57:02.0"


@pytest.fixture(scope="module")
def observation(simulated):
    """Return a star with two bursts, its noise known."""
    return simulated(antennas=12, scans=2, scan_length="4min", channels=8, noise="20mJy",
                     flares=True, weight_spectrum=True)


@pytest.fixture(scope="module")
def products(observation, tmp_path_factory):
    """Return the folder of a finished visds-run."""
    out = tmp_path_factory.mktemp("run") / "star"
    assert run_main([str(observation.measurement_set), "-o", str(out), "--snapshots", "2",
                     "--plots", "lightcurve"]) == 0
    return out


def images(out):
    """Return the table of the images, and the hash of each file by name."""
    return Table.read(out / "images.ecsv"), json.loads(
        (out / "provenance.json").read_text())["image_products"]


def test_a_measurement_set_gives_images_pictures_and_a_table(observation, tmp_path, capsys):
    before = contents(observation.measurement_set)
    out = tmp_path / "pictures of it"
    assert main([str(observation.measurement_set), "-o", str(out), "--stokes", "IV", "--size",
                 "256"]) == 0
    assert contents(observation.measurement_set) == before
    table, files = images(out)
    assert table["file"].tolist() == ["all_I.fits", "all_V.fits"]
    assert set(files) == {"images.ecsv", "all_I.fits", "all_V.fits", "all_I.png", "all_V.png"}
    assert {path.name for path in out.iterdir()} == {*files, "log.txt", "settings.toml",
                                                    "provenance.json"}
    assert fits.getdata(out / "all_I.fits").shape == (1, 1, 256, 256)
    assert table["rms"][0] == pytest.approx(table["expected_rms"][0], rel=0.2)
    assert "2 images and images.ecsv" in capsys.readouterr().out


def test_snapshots_have_at_the_target_what_the_spectrum_has(products, tmp_path):
    assert main([str(products), "-o", str(tmp_path), "--interval", "10s", "--stokes", "IV",
                 "--size", "128", "--no-pictures", "--epsilon", "1e-5"]) == 0
    table, _ = images(tmp_path)
    spectrum = DynamicSpectrum.read(products / "dynspec.h5")
    assert len(table) == 2 * len(spectrum.time)
    for name in "IV":
        made, p = table[table["stokes"] == name], spectrum.polarizations.index(name)
        np.testing.assert_allclose(made["middle"], spectrum.time, atol=1e-8)
        mean = spectrum.sum_wv[..., p].real.sum(axis=1) / spectrum.sum_w[..., p].sum(axis=1)
        np.testing.assert_allclose(made["target_flux_density"], mean, atol=2e-5)


def test_a_burst_is_in_the_difference_of_its_images_where_the_star_is(products, tmp_path):
    assert main([str(products), "-o", str(tmp_path), "--interval", "detections", "--size", "256",
                 "--no-pictures"]) == 0
    table, _ = images(tmp_path)
    detections = Table.read(products / "detections.ecsv")
    assert len(detections) >= 1
    for number, row in enumerate(detections, start=1):
        for name in "IV":
            made, = table[(table["name"] == f"detection{number:03d}_difference")
                          & (table["stokes"] == name)]
            error = np.hypot(made["fit_flux_density_error"], row[f"flux_density_{name}_error"])
            assert abs(made["fit_flux_density"] - row[f"flux_density_{name}"]) < 5 * error
            if abs(row[f"snr_{name}"]) > 10:
                assert made["fit_offset"] < 4 * np.hypot(made["fit_ra_error"],
                                                         made["fit_dec_error"])


def test_what_a_run_left_is_as_it_was(products, tmp_path):
    before = contents(products)
    assert main([str(products), "-o", str(tmp_path), "--size", "64"]) == 0
    assert contents(products) == before


def test_a_second_set_of_images_takes_the_place_of_the_first(products, tmp_path):
    keep = tmp_path / "mine.fits"
    keep.write_bytes(b"not a product")
    for option in ("scan", "all"):
        assert main([str(products), "-o", str(tmp_path), "--size", "64", "--no-pictures",
                     "--interval", option, "--stokes", "I"]) == 0
    assert {path.name for path in tmp_path.glob("*.fits")} == {"all_I.fits", "mine.fits"}


def test_bands_and_the_response(products, tmp_path):
    assert main([str(products), "-o", str(tmp_path), "--size", "64", "--no-pictures", "--bands",
                 "2", "--psf", "--stokes", "I", "--weighting", "uniform"]) == 0
    table, files = images(tmp_path)
    assert table["name"].tolist() == ["all_band000", "all_band001"]
    assert table["band_high"][0] == pytest.approx(table["band_low"][1])
    assert fits.getdata(tmp_path / "all_band000_I.psf.fits").max() == pytest.approx(1, abs=1e-3)
    assert "all_band001_I.psf.fits" in files


@pytest.mark.mpi
def test_any_number_of_ranks_makes_the_same_images_bit_by_bit(observation, tmp_path):
    arguments = [str(observation.measurement_set), "--size", "128", "--interval", "scan"]
    assert main([*arguments, "-o", str(tmp_path / "one")]) == 0
    ended = run(on_ranks(RANKS, [sys.executable, "-m", "visds.commands.image", *arguments, "-o",
                                 str(tmp_path / "many")]))
    assert ended.returncode == 0, ended.stderr
    assert images(tmp_path / "many")[1] == images(tmp_path / "one")[1]


@pytest.mark.parametrize(("options", "message"), [
    (["--interval", "-5s"], "--interval: an interval must be longer than zero"),
    (["--interval", "weekly"], "--interval: 'weekly' is not a number with a unit"),
    (["--robust", "3"], "--robust: Briggs' robustness is from -2 to 2"),
    (["--cell", "2"], "--cell: '2' needs a unit"),
    (["--size", "10"], "--size: '10' is not a number of pixels"),
    (["--bands", "9"], "--bands: there are 8 channels, not 9"),
    (["--cell", "1deg", "--size", "512"], "images would be 512 deg wide"),
    (["--interval", "detections"], "--interval detections needs the folder of a finished"),
    (["--target", "12:00:00 +80:00:00", "--centre", "target"], "expected a position in the field")])
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(observation, tmp_path, capsys, options,
                                                            message):
    out = tmp_path / "out"
    assert main([str(observation.measurement_set), "-o", str(out), *options]) == 2
    line, = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("visds-image: error: ") and message in line
    assert not out.exists()


def test_options_that_a_run_has_settled_are_refused(products, tmp_path, capsys):
    assert main([str(products), "-o", str(tmp_path / "out"), "--column", "DATA"]) == 2
    assert "--column is of no use with" in capsys.readouterr().err


def test_a_target_outside_the_images_is_a_warning(observation, tmp_path, capsys):
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--size", "64",
                 "--no-pictures", "--target", "01:39:30 -17:57:02", "--stokes", "I"]) == 0
    assert "the target is outside the images" in capsys.readouterr().out
    assert np.isnan(images(tmp_path)[0]["target_flux_density"][0])


@pytest.fixture(scope="module")
def flare(simulated):
    """Return a star 4.5 arcmin off the phase centre that flares once, V negative, and a field."""
    return simulated(array="VLA-C", antennas=14, scans=2, scan_length="4min", channels=4,
                     noise="60mJy", sources=4, brightest="60mJy", radius="3arcmin",
                     target_offset=(-150, 220), quiescent=(0, 0, 0, 0), flares=True,
                     flare=["time=40%,duration=60s,I=120mJy,V=-70%"])


def test_a_flare_of_a_star_that_nobody_listed_is_found_and_matched(flare, tmp_path):
    out = tmp_path / "searched"
    before = contents(flare.measurement_set)
    assert main([str(flare.measurement_set), "-o", str(out), "--interval", "60s", "--find",
                 "--stokes", "IV", "--size", "256", "--no-pictures", "--catalogue",
                 f"stars={flare.catalogue}"]) == 0
    assert contents(flare.measurement_set) == before
    found, matches = (Table.read(out / f"{name}.ecsv") for name in ("found", "matches"))
    first = found[0]
    assert first["brightest"] and first["false_alarm_probability"] < 1e-9
    rows = found[found["name"] == first["name"]]
    signs = {(row["stokes"], bool(row["flux_density"] > 0)) for row in rows}
    assert signs == {("I", True), ("V", False)}
    certain = found[found["false_alarm_probability"] < 0.01]
    assert set(certain["name"]) == {first["name"]}
    match = matches[(matches["left_name"] == first["name"]) & matches["best"]]
    assert match["right_name"].tolist() == ["simulated star"]
    assert match["normalized_separation"][0] < 4 and match["chance_probability"][0] < 0.01
    assert {"found.ecsv", "matches.ecsv"} < set(images(out)[1])
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert not list(out.glob("*.psf.fits"))


@pytest.fixture(scope="module")
def two_flares(simulated):
    """Return a star with flares of 300 and 200 mJy, 70 and -90 % in V, and a field."""
    return simulated(array="VLA-C", antennas=12, scans=2, scan_length="5min", channels=8,
                     channel_width="4MHz", noise="30mJy", dropped=0.01, flagged=0.01, flares=True,
                     sources=4, brightest="5mJy", radius="2arcmin")


def test_two_strong_flares_are_one_candidate_alone_and_leave_no_echo(two_flares, tmp_path,
                                                                    capsys):
    assert main([str(two_flares.measurement_set), "-o", str(tmp_path), "--interval", "60s",
                 "--find", "--stokes", "IV", "--size", "128", "--no-pictures"]) == 0
    said = capsys.readouterr().out
    assert ("1 changing source of more than 20 sigma of a snapshot, imaged again without: J0139"
            in said)
    assert "sidelobes of sources outside of them may be taken for sources" in said
    found = Table.read(tmp_path / "found.ecsv")
    certain = found[found["false_alarm_probability"] < 0.01]
    assert len(set(certain["name"])) == 1 and len(set(found["name"])) <= 2
    star = found[found["name"] == certain["name"][0]]
    assert (star["flux_density"][star["stokes"] == "I"] > 0).all()
    assert {bool(flux > 0) for flux in star["flux_density"][star["stokes"] == "V"]} == {True, False}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_where_there_are_no_detections_images_stay_as_they_are(products, tmp_path, capsys,
                                                                monkeypatch):
    arguments = [str(products), "-o", str(tmp_path), "--size", "64", "--no-pictures"]
    assert main([*arguments, "--stokes", "I"]) == 0
    before = images(tmp_path)[1]
    monkeypatch.setattr("visds.imaging_pipeline.plan_images", lambda *arguments: [])
    assert main([*arguments, "--interval", "detections"]) == 0
    assert "has no detections: no images are made" in capsys.readouterr().out
    assert images(tmp_path)[1] == before
    assert set(before) <= {path.name for path in tmp_path.iterdir()}


def test_the_folder_of_another_program_is_refused(observation, tmp_path, capsys):
    (tmp_path / "provenance.json").write_text('{"command": ["visds-model", "star.ms"]}')
    assert main([str(observation.measurement_set), "-o", str(tmp_path), "--size", "64"]) == 2
    assert "holds the products of visds-model" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.fits"))


@pytest.mark.parametrize("options", [[], ["-o", "out"]])
def test_what_is_neither_a_set_nor_a_run_is_called_so(tmp_path, capsys, options):
    (tmp_path / "folder").mkdir()
    assert main([str(tmp_path / "folder"), *options]) == 2
    assert "neither a measurement set nor the folder of a finished visds-run" in \
        capsys.readouterr().err


def test_weights_without_scale_are_a_warning(simulated, tmp_path, capsys):
    made = simulated(antennas=10, scans=1, scan_length="2min", channels=4, noise="20mJy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("visds.imaging_pipeline._WEIGHTS_WRONG", 1.0001)
        assert main([str(made.measurement_set), "-o", str(tmp_path), "--size", "128",
                     "--no-pictures", "--stokes", "V"]) == 0
    assert "times that of their weights" in capsys.readouterr().out


def test_bursts_are_found_in_their_differences_and_nothing_constant_is(products, tmp_path):
    assert main([str(products), "-o", str(tmp_path), "--interval", "detections", "--find",
                 "--size", "256", "--no-pictures"]) == 0
    found = Table.read(tmp_path / "found.ecsv")
    assert set(found["image"]) == {"detection001_difference", "detection002_difference"}
    assert len(set(found[found["false_alarm_probability"] < 0.01]["name"])) == 1
    assert len(Table.read(tmp_path / "matches.ecsv")) == 0


def test_cleaned_images_have_the_sources_of_the_field_and_are_searched(flare, tmp_path):
    before = contents(flare.measurement_set)
    assert main([str(flare.measurement_set), "-o", str(tmp_path), "--clean", "--find", "--stokes",
                 "I", "--size", "256", "--no-pictures", "--weighting", "briggs"]) == 0
    assert contents(flare.measurement_set) == before
    table, files = images(tmp_path)
    assert set(files) == {"images.ecsv", "found.ecsv", "matches.ecsv", "all_I.fits",
                          "all_I.residual.fits", "all_I.model.fits"}
    assert {path.name for path in tmp_path.iterdir()} == {*files, "log.txt", "settings.toml",
                                                          "provenance.json"}
    restored = fits.getheader(tmp_path / "all_I.fits")
    assert restored["BUNIT"] == "Jy/beam" and 3600 * restored["BMAJ"] == pytest.approx(
        table["beam_major"][0])
    assert "iterations" in restored["CLEAN"]
    model = fits.getheader(tmp_path / "all_I.model.fits")
    assert model["BUNIT"] == "Jy/pixel" and "BMAJ" not in model
    found = Table.read(tmp_path / "found.ecsv")
    background = Table.read(flare.components)
    for source in background[background["I"] > 12 * table["rms"][0]]:
        apart = 3600 * np.hypot((found["ra"] - source["ra"]) * np.cos(np.radians(source["dec"])),
                                found["dec"] - source["dec"])
        row = found[np.argmin(apart)]
        assert apart.min() < 5 * max(row["ra_error"], row["dec_error"])
        assert row["flux_density"] == pytest.approx(
            source["I"], abs=4 * row["flux_density_error"] + 0.02 * source["I"])


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_any_number_of_ranks_cleans_and_finds_the_same(flare, tmp_path):
    arguments = [str(flare.measurement_set), "--size", "128", "--interval", "scan", "--stokes",
                 "I", "--clean", "--niter", "200", "--find", "--no-pictures"]
    assert main([*arguments, "-o", str(tmp_path / "one")]) == 0
    ended = run(on_ranks(RANKS, [sys.executable, "-m", "visds.commands.image", *arguments, "-o",
                                 str(tmp_path / "many")]))
    assert ended.returncode == 0, ended.stderr
    assert images(tmp_path / "many")[1] == images(tmp_path / "one")[1]


def test_what_cannot_be_cleaned_leaves_no_scratch_copy(flare, tmp_path, monkeypatch):
    monkeypatch.setattr("visds.imaging.clean.run_task", _fails)
    assert main([str(flare.measurement_set), "-o", str(tmp_path), "--clean", "--find", "--size",
                 "64", "--stokes", "I"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


def _fails(*arguments):
    raise TaskError("tclean: no")


def test_a_target_is_looked_up_in_the_catalogues(flare, tmp_path):
    assert main([str(flare.measurement_set), "-o", str(tmp_path), "--stokes", "I", "--size", "64",
                 "--no-pictures", "--centre", "target", "--target", "simulated star",
                 "--catalogue", str(flare.catalogue)]) == 0
    assert images(tmp_path)[0].meta["target"] == "simulated star"


def test_of_a_run_a_target_is_a_position(products, tmp_path, capsys):
    assert main([str(products), "-o", str(tmp_path / "out"), "--target", "UV Ceti"]) == 2
    assert "of the folder of a run it has to be a position" in capsys.readouterr().err
