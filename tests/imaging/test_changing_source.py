"""Sources that change leave nothing in an image, and nearly all of every other source."""

import numpy as np
import pytest
from point_sources import PHASE_CENTRE, chunk

from visds.core.sky import Direction
from visds.imaging.changing_source import KnownSources, Removal
from visds.imaging.dirty import Gridding, make_dirty
from visds.imaging.find import find_in
from visds.imaging.found_table import light_curve_rows
from visds.imaging.geometry import Geometry
from visds.imaging.image import Content
from visds.imaging.stokes_visibility import gather

GEOMETRY = Geometry(PHASE_CENTRE, 8 / 3600, 256)
CONTENT = Content("snapshot", 59000.0, 59000.1, 59000.05, 60.0, 1.398e9, 1.43e9)
NOISE = 4.0
BASELINES = 14 * 13 / 2
SIGMA = NOISE / np.sqrt(BASELINES * 4 * 2 * 2)
FLARE = GEOMETRY.direction(100.3, 90.6)
OTHER = GEOMETRY.direction(180.2, 170.4)


def image(flare, other, *, stokes="I", noise=NOISE, away=(), constant=()):
    """Return an image of 4 integrations, of a flare in the last alone and of another source."""
    parts = [chunk([(OTHER, other), *(((FLARE, flare),) if part else ())], noise=noise,
                   seed=5 + part, integrations=count, channels=2, extent=250.0, number=14,
                   weight=1 / NOISE**2)
             for part, count in ((0, 3), (1, 1))]

    def groups():
        found = gather(parts, (stokes,), PHASE_CENTRE)
        known = KnownSources(away, constant)
        return Removal(known, PHASE_CENTRE).without(found) if known.places else found

    made, = make_dirty(groups, GEOMETRY, CONTENT, Gridding(wide_response=True, epsilon=1e-6))
    return made


def test_nothing_is_left_of_a_flare_shorter_than_the_image():
    left = image((1.0, 0, 0, 0), (0, 0, 0, 0), noise=0.0, away=(FLARE,))
    assert np.abs(left.values).max() < 1e-6


def test_two_sources_are_taken_out_together():
    left = image((1.0, 0, 0, 0.4), (3.0, 0, 0, -2.0), stokes="V", noise=0.0, away=(FLARE, OTHER))
    assert np.abs(left.values).max() < 1e-6


@pytest.mark.parametrize("away", [(), (FLARE,)])
def test_a_constant_source_is_taken_out_beside_one_that_changes_in_the_image(away):
    left = image((1.0 if away else 0, 0, 0, 0), (3.0, 0, 0, 0), noise=0.0, away=away,
                 constant=(OTHER,))
    assert np.abs(left.values).max() < 1e-6


def test_flux_densities_are_those_of_the_mean_over_all_visibilities():
    parts = [chunk([(FLARE, (flare, 0, 0, 0.5)), (OTHER, (2.0, 0, 0, 0))], integrations=count,
                   channels=2, number=14) for flare, count in ((0.0, 3), (1.0, 1))]
    removal = Removal(KnownSources((FLARE,), (OTHER,)), PHASE_CENTRE)
    for _ in removal.without(gather(parts, ("I", "V"), PHASE_CENTRE)):
        pass
    assert removal.flux_densities("I") == pytest.approx((0.25, 2.0), abs=0.01)
    assert removal.flux_densities("V") == pytest.approx((0.5, 0.0), abs=1e-6)


def test_another_source_keeps_all_but_one_part_in_the_number_of_baselines():
    left = image((1.0, 0, 0, 0), (1.0, 0, 0, 0), noise=0.0, away=(FLARE,))
    x, y = (round(c) for c in GEOMETRY.pixel(OTHER))
    whole = image((0, 0, 0, 0), (1.0, 0, 0, 0), noise=0.0)
    assert left.values[y, x] / whole.values[y, x] == pytest.approx(1, abs=4 / BASELINES)


@pytest.mark.parametrize("sign", [1, -1])
def test_beside_a_flare_of_1000_sigma_one_of_8_is_found_and_no_sidelobe(sign):
    flare, other = (0, 0, 0, 4000 * SIGMA), (0, 0, 0, sign * 8.5 * SIGMA)
    false = find_in(image(flare, other, stokes="V")).sources
    assert len(false) > 3  # the response of the image is not that of the flare
    source, = find_in(image(flare, other, stokes="V", away=(FLARE,))).sources
    x, y = GEOMETRY.pixel(Direction(source.fit.ra, source.fit.dec))
    assert np.hypot(x - 180.2, y - 170.4) < 1.5
    assert source.fit.flux_density == pytest.approx(sign * 8.5 * SIGMA, abs=4 * SIGMA)


def test_moments_with_too_few_baselines_are_not_used():
    parts = chunk([(FLARE, (1.0, 0, 0, 0))], integrations=2, channels=2, number=14)
    parts.flags[0, 2:] = 1
    removal = Removal(KnownSources((FLARE,)), PHASE_CENTRE)
    group, = removal.without(gather([parts], ("I",), PHASE_CENTRE))
    weight = group.weight[0].reshape(2, -1, 2)
    assert not weight[0].any() and weight[1].all()


def rows(*fluxes, rms=0.001):
    """Return what is measured of one source in snapshots, Jy."""
    return [{"place": FLARE, "peak": flux, "flux_density": flux, "flux_density_error": rms,
             "snr": abs(flux) / rms, "rms": rms, "stokes": "I", "band_low": 1.0, "band_high": 2.0,
             "beam": 0.002, "image": f"scan{number}"} for number, flux in enumerate(fluxes)]


def test_several_flares_of_a_source_leave_no_echo_in_other_snapshots():
    """The mean of these is 42 mJy, at which the fourth is, above which the quiet ones are not."""
    found = light_curve_rows(rows(.01, .2, .0105, .042, .0095, .1, .01, .009, .0105, .0225, .01),
                             5.5)
    assert [row["image"] for row in found] == ["scan1", "scan3", "scan5", "scan9"]
    assert [row["flux_density"] for row in found] == pytest.approx(
        [.19, .032, .09, .0125], abs=6e-4)


def test_of_two_snapshots_the_fainter_is_the_quiet_one():
    found, = light_curve_rows(rows(-0.01, -0.3), 5.5)
    assert found["image"] == "scan1" and found["flux_density"] == pytest.approx(-0.29)


def test_a_light_curve_that_scatters_has_that_noise():
    scatter = np.array([-4, 3, -2, 5, -3, 4, -5, 2, 0, 60, 3, -4]) * 1e-3
    found, = light_curve_rows(rows(*scatter, rms=1e-4), 5.5)
    assert found["image"] == "scan9" and found["rms"] > 3e-3
