"""Images made by visds-run: they confirm detections, and say where they are."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from rooms import plan

from visds.commands.run import main
from visds.core.sky import Direction, separation
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.run_images import snapshot_curves
from visds.run_settings import RUN_IMAGES

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
                 "--model", str(observation.components), *options])
    assert code == 0
    return Table.read(folder / "detections.ecsv")


def away(star, arcsec):
    """Return the position so many arcsec north of a star, as a user writes it."""
    return f"{star.ra!r}deg {star.dec + arcsec / 3600!r}deg"


@pytest.fixture(scope="module")
def beside(observation, star, tmp_path_factory):
    """Return the products of a run whose target is 1.5 arcsec (a third of a beam) off the star."""
    folder = tmp_path_factory.mktemp("run images") / "out"
    run(observation, folder, "--target", away(star, 1.5), "--snapshots", "6")
    return folder


def test_a_detection_is_where_its_image_shows_it(beside, star):
    row = Table.read(beside / "detections.ecsv")[0]
    assert row["position"] == "image"
    assert row["image_snr"] > 10
    offset = 3600 * separation(Direction(row["ra"], row["dec"]), star)
    assert offset < 4 * np.hypot(row["ra_error"], row["dec_error"])
    assert offset < 0.4 < 1.5
    assert 0 < row["dec_error"] < 0.3


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


@pytest.mark.parametrize(("option", "said"), [("--no-images", ""), ("--stream", "no images")])
def test_without_images_positions_are_assumed(observation, tmp_path, caplog, option, said):
    caplog.set_level("INFO")
    detections = run(observation, tmp_path / "out", option)
    assert set(detections["position"]) == {"assumed"}
    assert np.all(np.isnan(detections["image_snr"]))
    assert said in caplog.text
    assert not (tmp_path / "out" / RUN_IMAGES).exists()
