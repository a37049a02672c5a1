"""Images made by visds-run: they confirm detections, and say where they are."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from rooms import plan

from visds.commands.image import main as image_main
from visds.commands.run import main
from visds.core.sky import Direction, separation
from visds.detection_positions import with_positions
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.run_settings import RUN_IMAGES
from visds.snapshot_curves import snapshot_curves

OPTIONS = {"antennas": 10, "scans": 2, "scan_length": "5min", "channels": 16,
           "channel_width": "8MHz", "noise": "3mJy", "sources": 3, "quiescent": (0.003, 0, 0, 0),
           "flares": True, "flare": ["time=100s,duration=80s,I=60mJy,V=-60%"]}


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**OPTIONS)


@pytest.fixture(scope="module")
def star(observation):
    return Direction(*plan(observation.measurement_set).phase_centre)


def run(observation, folder, *options):
    code = main([str(observation.measurement_set), "-o", str(folder), "--plots", "lightcurve",
                 "--snapshots", "2", "--model", str(observation.components), *options])
    assert code == 0
    return Table.read(folder / "detections.ecsv")


def away(star, arcsec):
    """Return the position so many arcsec north of a star, as a user writes it."""
    return f"{star.ra!r}deg {star.dec + arcsec / 3600!r}deg"


@pytest.fixture(scope="module")
def beside(observation, star, tmp_path_factory):
    """Return the products of a run whose target is 1.5 arcsec (a third of a beam) off the star.

    A second one is the brightest source of the sky model.
    """
    folder = tmp_path_factory.mktemp("run images") / "out"
    model = Table.read(observation.components)
    brightest = model[np.argmax(model["I"])]
    run(observation, folder, "--target", away(star, 1.5), "--target",
        f"{float(brightest['ra'])!r}deg {float(brightest['dec'])!r}deg", "--snapshots", "6")
    return folder


def test_a_detection_is_where_its_image_shows_it(beside, star):
    row = Table.read(beside / "detections.ecsv")[0]
    assert row["position"] == "image"
    assert row["image_snr"] > 10
    offset = 3600 * separation(Direction(row["ra"], row["dec"]), star)
    assert offset < 4 * np.hypot(row["ra_error"], row["dec_error"])
    assert offset < 0.4 < 1.5
    assert 0 < row["dec_error"] < 0.3
    assert row["image_offset"] == pytest.approx(1.5, abs=0.4)
    # At the target, a third of a beam off, the spectrum has less.
    at_target = row["flux_density_I" if row["polarization"] == "I" else "flux_density_V"]
    assert 0.8 < at_target / row["image_flux_density"] < 0.95
    assert 0 < row["image_flux_density_error"] < abs(row["image_flux_density"]) / 10


def test_a_burst_beside_the_target_is_said_to_be_there(observation, star, tmp_path, caplog):
    row = run(observation, tmp_path, "--target", away(star, -5.5))[0]
    assert row["position"] == "image"
    assert 3600 * separation(Direction(row["ra"], row["dec"]), star) < 1
    assert row["image_offset"] == pytest.approx(5.5, abs=0.6)
    assert f"detection {row['name']} comes from " in caplog.text
    assert "another source has burst, or the target is there" in caplog.text


@pytest.mark.parametrize(("sidelobe", "snr", "is_located"), [
    (0.2, 4.5, True), (0.8, 5.0, False), (0.8, 9.0, True), (0.97, 9.0, False), (1.0, 50.0, False)])
def test_a_source_that_a_sidelobe_could_be_is_not_located(sidelobe, snr, is_located):
    detections = Table({"name": ["burst"], "polarization": ["-V"], "position": ["assumed"],
                        "image_snr": [np.nan], "image_offset": [np.nan],
                        "image_flux_density": [np.nan], "image_flux_density_error": [np.nan],
                        "ra": [1.0], "dec": [2.0], "ra_error": [3.0],
                        "dec_error": [4.0]})
    image = Table({"name": ["detection001_difference"], "stokes": ["V"], "sidelobe": [sidelobe],
                   "fit_flux_density": [-snr * 1e-3], "fit_flux_density_error": [1e-3],
                   "fit_ra": [5.0], "fit_dec": [6.0], "fit_ra_error": [7.0],
                   "fit_dec_error": [8.0], "fit_offset": [9.0],
                   "target_flux_density": [-snr * 1e-3]})
    located, doubts = with_positions(detections, image)
    assert located["image_snr"][0] == pytest.approx(snr)
    assert located["image_offset"][0] == 9.0
    assert located["ra"][0] == (5.0 if is_located else 1.0)
    assert located["dec_error"][0] == (8.0 if is_located else 4.0)
    assert ["is not located" in line for line in doubts] == ([] if is_located else [True])


def test_two_antennas_locate_nothing(simulated, tmp_path, caplog):
    pair = simulated(antennas=2, channels=8, scan_length="120s", noise="1mJy", sources=2,
                     flares=True, flare=["time=50s,duration=30s,I=500mJy,V=-60%"])
    detections = run(pair, tmp_path / "out")
    assert len(detections) > 0
    assert set(detections["position"]) == {"assumed"}
    assert "cannot be told: all of it is at the target, or there is one baseline" in caplog.text
    assert "is not located: the baselines of its time are too few" in caplog.text


def test_the_measured_position_is_what_is_matched(observation, star, tmp_path):
    # A catalogue of the star alone: 1.5 arcsec from the target, within 0.4 arcsec of the burst.
    catalogue = tmp_path / "stars.csv"
    catalogue.write_text(f"name,ra,dec\nstar,{star.ra!r},{star.dec!r}\n")
    run(observation, tmp_path / "out", "--target", away(star, 1.5), "--catalogue", str(catalogue),
        "--radius", "0.8arcsec")
    assert list(Table.read(tmp_path / "out/matches.ecsv")["right_name"])[:1] == ["star"]


def test_a_burst_of_another_star_is_not_taken_for_the_target(observation, star, tmp_path, caplog):
    # 30 arcsec off the star its sidelobes come and go with the burst.
    detections = run(observation, tmp_path / "out", "--target", away(star, 30.0))
    assert len(detections)
    assert set(detections["position"]) == {"assumed"}
    assert np.all(detections["image_snr"] < 4)
    assert "no source at the target" in caplog.text


def test_snapshots_have_the_light_curve_of_the_visibilities(beside):
    images = Table.read(beside / RUN_IMAGES / "images.ecsv")
    rows = images[[str(name).startswith("scan") for name in images["name"]]]
    assert len(set(rows["name"])) == 6
    curves = snapshot_curves(DynamicSpectrum.read(beside), rows)
    for name in "IV":
        table = curves[name]
        np.testing.assert_allclose(table["image"], table["visibility"], atol=2e-5)
        assert np.ptp(table["visibility"]) > 5 * table["visibility_error"].max()
        assert np.all(table["image_error"] > 0)


def test_the_field_is_the_mean_of_its_snapshots_and_shows_what_was_not_subtracted(
        observation, tmp_path):
    code = main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--plots", "I"])
    assert code == 0
    folder = tmp_path / "out" / RUN_IMAGES
    with fits.open(folder / "field_I.fits") as file:
        header, values = file[0].header, np.squeeze(file[0].data)
    source = Table.read(observation.components)
    source.sort("I")
    brightest = source[-1]
    x, y = WCS(header).celestial.world_to_pixel_values(brightest["ra"], brightest["dec"])
    assert values[round(float(y)), round(float(x))] == pytest.approx(brightest["I"], rel=0.15)
    assert header["BUNIT"] == "Jy/beam"
    assert header["BMAJ"] > 0
    products = json.loads((tmp_path / "out/provenance.json").read_text())["products"]
    assert f"{RUN_IMAGES}/field_I.fits" in products
    assert "Residual image of the field" in (tmp_path / "out/report.html").read_text()


def test_without_images_positions_are_assumed(observation, tmp_path):
    detections = run(observation, tmp_path / "out", "--no-images")
    assert set(detections["position"]) == {"assumed"}
    assert np.all(np.isnan(detections["image_snr"]))
    assert not (tmp_path / "out" / RUN_IMAGES).exists()


def images_of(folder):
    """Return the hashes of the images among the products of a run."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (folder / RUN_IMAGES).glob("*.fits")}


def test_images_are_the_same_with_and_without_chunk_files(observation, star, beside, tmp_path):
    options = ("--target", away(star, 1.5), "--snapshots", "6")
    run(observation, tmp_path / "out", *options, "--stream")
    assert images_of(tmp_path / "out") == images_of(beside)
    # The blocks are used again; of the chunk files one is there.
    run(observation, tmp_path / "out", *options)
    assert images_of(tmp_path / "out") == images_of(beside)


def test_another_model_in_the_same_process_and_folder_is_another_image(observation, star, beside,
                                                                      tmp_path):
    """Neither chunk files nor a model kept in memory are taken for those of this run."""
    options = ("--target", away(star, 1.5), "--snapshots", "6", "--plots", "lightcurve")
    brighter = Table.read(observation.components)
    brighter["I"] *= 2
    brighter.write(tmp_path / "brighter.ecsv", format="ascii.ecsv")
    for model in (observation.components, tmp_path / "brighter.ecsv", observation.components):
        assert main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--model",
                     str(model), *options]) == 0
    assert images_of(tmp_path / "out") == images_of(beside)
    assert main([str(observation.measurement_set), "-o", str(tmp_path / "out"), "--model",
                 str(tmp_path / "brighter.ecsv"), "--stream", *options]) == 0
    assert images_of(tmp_path / "out") != images_of(beside)
    assert image_main([str(tmp_path / "out"), "-o", str(tmp_path / "images")]) == 2


def test_images_of_a_run_are_of_its_own_chunk_files(beside, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(beside, folder)
    assert image_main([str(folder), "-o", str(tmp_path / "images"), "--size", "64"]) == 0
    next((folder / "chunks").glob("*.visibility.h5")).unlink()
    assert image_main([str(folder), "-o", str(tmp_path / "images"), "--size", "64"]) == 2
    assert "1 of 2 chunk files are not there" in capsys.readouterr().err


def test_a_target_outside_of_the_field_has_images_of_its_own(observation, star, tmp_path):
    run(observation, tmp_path / "out", "--target", away(star, 700.0), "--snapshots", "2")
    images = Table.read(tmp_path / "out" / RUN_IMAGES / "images.ecsv")
    assert np.all(np.isfinite(images["target_flux_density"]))
