"""Images cleaned by tclean have the flux densities of the sky, in any Stokes parameter."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from rooms import chunks, plan

from visds.core.errors import ImagingError
from visds.core.sky import Direction
from visds.imaging.clean import clean_image, needs_w
from visds.imaging.clean_settings import CleanSettings
from visds.imaging.geometry import Geometry
from visds.imaging.image import Content, Image
from visds.imaging.scratch_set import Observatory, ScratchSet
from visds.imaging.source_fit import fit_point
from visds.imaging.stokes_visibility import gather
from visds.imaging.weighting import Weighting

CELL = 1 / 3600
BRIGGS = Weighting("briggs", 0.0)
STAR = (20.0, -31.0)  # arcsec east and north


def cleaned(path, folder, stokes, *options, size=256, cell=CELL, change=None,
            weighting=BRIGGS, **settings):
    planned = plan(path, *options)
    centre = Direction(*planned.phase_centre, planned.frame).to("ICRS")
    slabs = chunks(path, *options)
    if change is not None:
        slabs = [change(slab) for slab in slabs]
    return clean_image(
        gather(slabs, (stokes,), centre), Geometry(centre, cell, size), weighting,
        dataclasses.replace(CleanSettings(), **settings),
        observatory=Observatory.of(planned.description), mjd=float(planned.tasks[0].time[0]),
        frame="TOPO", scratch=folder)


@pytest.fixture(scope="module")
def star(simulated):
    """Return a measurement set of one star of I = 100 mJy, V = -40 mJy."""
    return simulated(antennas=14, quiescent=(0.1, 0, 0, -0.04), noise=0.002, scans=1,
                     target_offset=STAR, channels=4).measurement_set


@pytest.mark.parametrize(("stokes", "flux_density"), [("I", 0.1), ("V", -0.04)])
def test_a_source_of_either_sign_has_its_flux_density_and_place(star, tmp_path, stokes,
                                                                flux_density):
    made = cleaned(star, tmp_path, stokes, size=128)
    y, x = np.unravel_index(np.argmax(np.abs(made.image)), made.image.shape)
    assert (x, y) == (64 - 20, 64 - 31)
    assert made.image[y, x] == pytest.approx(flux_density, rel=0.01)
    assert made.model.sum() == pytest.approx(flux_density, rel=0.01)
    assert np.abs(made.residual).max() < 0.01 * abs(flux_density)
    assert np.argmax(made.response) == 64 * 128 + 64
    assert 3600 * made.beam.major < 10
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheme", [pytest.param("natural", marks=pytest.mark.long), "briggs"])
def test_few_antennas_of_the_south_keep_flux_density_and_place_off_centre(simulated, tmp_path,
                                                                          scheme):
    """Sidelobes beyond the reach of the response are as high as the source, and no source."""
    path = simulated(array="MeerKAT", antennas=10, scans=2, hour_angle=1, noise=0.01,
                     field_position="23h59m58s -45d00m00s", target_offset=(60, 40),
                     quiescent=(1, 0, 0, 0), channel_width="1MHz").measurement_set
    cell = 2.56 / 3600
    made = cleaned(path, tmp_path, "I", cell=cell, weighting=Weighting(scheme, 0.0))
    geometry = Geometry(Direction(*plan(path).phase_centre).to("ICRS"), cell, 256)
    x, y = geometry.size / 2 - 60 / 2.56, geometry.size / 2 + 40 / 2.56
    image = Image(made.image, geometry, "I", Content("all", 0.0, 0.0, 0.0, 0.0, 1e9, 1e9),
                  made.beam, None)
    beam = math.sqrt(made.beam.major * made.beam.minor)
    fitted = fit_point(image, geometry.direction(x, y), 1.5 * beam, 0.005)
    assert fitted.flux_density == pytest.approx(1, rel=0.02)
    assert math.dist(geometry.pixel(Direction(fitted.ra, fitted.dec)), (x, y)) < 0.1 * beam / cell
    assert made.model[abs(np.arange(256) - y) > 40].sum() == pytest.approx(0, abs=0.02)


def test_a_main_lobe_without_an_end_is_an_error(simulated, tmp_path):
    """Minutes of an array along a line: no flux density can be placed along the lobe."""
    path = simulated(array="ATCA", scans=1, noise=0.01, hour_angle=1,
                     field_position="23h59m58s -45d00m00s", target_offset=(60, 40),
                     quiescent=(1, 0, 0, 0), channel_width="1MHz").measurement_set
    with pytest.raises(ImagingError, match="main lobe longer than half the image"):
        cleaned(path, tmp_path, "I", size=128)
    assert not list(tmp_path.iterdir())


def test_what_a_model_has_taken_out_is_not_in_the_image(star, tmp_path):
    def without(slab):
        return slab.replace(visibility=np.zeros_like(slab.visibility))

    made = cleaned(star, tmp_path, "I", size=64, change=without)
    assert not made.image.any()
    assert made.summary.startswith("0 iterations: ")


def test_what_masks_leave_is_cleaned_in_the_end(simulated, tmp_path):
    path = simulated(antennas=27, sources=3, brightest="1Jy", faintest="100mJy",
                     radius="2arcmin", quiescent=(0.04, 0, 0, 0), noise=0.002, scans=1,
                     channels=8, channel_width="4MHz").measurement_set
    made = cleaned(path, tmp_path, "I", size=200, cell=2 * CELL, weighting=Weighting("natural"))
    assert "reached 5 rms" in made.summary
    assert np.abs(made.residual).max() < 5.2 * 1.4826 * np.median(np.abs(made.residual))


@pytest.mark.parametrize(("settings", "reason"), [
    ({"niter": 0}, "no iterations were asked for"),
    ({"niter": 3, "clean_mask": "none"}, "all 3 iterations were made"),
    ({"clean_threshold": 0.03, "clean_mask": "none"}, "reached 30 mJy"),
    ({"clean_sigma": 6.0, "clean_mask": "none"}, "reached 6 rms")])
def test_why_clean_stopped_is_said_in_words(star, tmp_path, settings, reason):
    assert f": {reason}; " in cleaned(star, tmp_path, "I", size=64, **settings).summary


def test_nothing_to_image_is_said(star, tmp_path):
    def flagged(slab):
        return slab.replace(flags=np.ones_like(slab.flags))

    with pytest.raises(ImagingError, match="every visibility of this selection is flagged"):
        cleaned(star, tmp_path, "I", change=flagged)
    assert not list(tmp_path.iterdir())


def test_w_counts_where_it_turns_phases_at_the_edge():
    data = ScratchSet(Path(), "I", longest=1e4, highest_w=1e4, band=(1e9, 1e9), frame="TOPO",
                      sum_of_weights=1.0, diameter=25.0)
    centre = Direction(10.0, 20.0)
    edge = math.degrees(math.sqrt(0.1 / math.pi / 1e4))
    for factor, answer in ((0.99, False), (1.01, True)):
        assert needs_w(data, Geometry(centre, 2 * factor * edge / 256, 256)) is answer
