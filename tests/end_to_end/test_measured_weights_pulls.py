"""Pulls with measured weights: simulated stars whose truth is known, empty places observed."""

import numpy as np
import pytest
from noisy import TRUTH
from rooms import plan

from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.dynspec.robust_error import error_inflation
from visds.dynspec.stitch import common_axes, stitch
from visds.visibility.chunk import join
from visds.visibility.measured_weights import measure_weights
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.read import ChunkReader
from visds.visibility.simulation.truth import read_truth


def spectra(path, directions, *options):
    """Return the stitched spectra of a measurement set in some directions.

    With `directions` a number, these are that many 3 to 10 beams off the phase centre.
    """
    planned = plan(path, *options)
    chunks = []
    with MeasurementSet(path) as measurement_set:
        for task in planned.tasks:
            chunk = join(ChunkReader(measurement_set, task).slabs(), len(task.time))
            chunks.append(measure_weights(chunk) if planned.weights == "measured" else chunk)
    if isinstance(directions, int):
        directions = beside(Direction(*planned.phase_centre, planned.frame).to("ICRS"), chunks,
                            directions)
    axes = common_axes((task.time, task.integration, task.scan, task.source.frequency,
                        task.source.channel_width, task.source.spectral_window)
                       for task in planned.tasks)
    return [stitch([make_block([chunk], place, planned.stokes,
                               planned.tasks[0].source.correlations) for chunk in chunks],
                   axes, {"weights_calibrated": planned.weights_calibrated})
            for place in directions]


def beside(centre, chunks, number):
    longest = max(np.hypot(chunk.uvw[..., 0], chunk.uvw[..., 1]).max() for chunk in chunks)
    beam = np.degrees(1.02 * 2.998e8 / min(chunk.frequency.min() for chunk in chunks) / longest)
    distance, angle = beam * np.linspace(3, 10, number), 2.4 * np.arange(number)
    return [Direction(centre.ra + east / np.cos(np.radians(centre.dec)), centre.dec + north)
            for east, north in zip(distance * np.sin(angle), distance * np.cos(angle),
                                   strict=True)]


def pulls(found, sigma, stokes):
    """Return flux density over an error, of all unflagged cells of all directions."""
    p = found[0].index(stokes)
    return np.concatenate([(one.flux_density / getattr(one, sigma))[..., p] for one in found])


def robust(values):
    return 1.4826 * np.nanmedian(np.abs(values))


@pytest.mark.parametrize("options", [
    {"array": "VLA", "antenna_ratio": 4, "receptor_ratio": 2, "target_offset": (600, -400)},
    {"array": "MeerKAT", "feeds": "linear", "antenna_ratio": 4, "receptor_ratio": 2,
     "hour_angle": 3}], ids=["circular", "linear"])
def test_unequal_antennas_4_to_1_have_pulls_of_1_and_the_sensitivity_of_theory(simulated, options):
    quiescent = {"quiescent": ("1Jy", "100mJy", "200mJy", "-300mJy")}
    products = simulated(**quiescent, antennas=10, scan_length="4min", channels=32,
                         noise="500mJy", **options)
    truth = read_truth(products.truth)
    star = Direction(truth.ra, truth.dec)
    found = {kind: spectra(products.measurement_set, [star], "--weights", kind)[0]
             for kind in ("measured", "row", "flat")}
    made = found["measured"]
    cells = made.flux_density[..., 0].size
    for p, name in enumerate(made.polarizations):
        off = {kind: one.flux_density[..., p] - TRUTH["IQUV".index(name)]
               for kind, one in found.items()}
        values = off["measured"] / made.sigma_formal[..., p]
        assert np.mean(values) == pytest.approx(0, abs=4 / np.sqrt(cells))
        assert np.std(values) == pytest.approx(1, abs=0.01 + 4 / np.sqrt(2 * cells))
        # The simulation's own weights are the true ones.
        assert np.std(off["measured"]) < 1.03 * np.std(off["row"])
        theory = np.median(found["row"].sigma_formal[..., p] / made.sigma_formal[..., p])
        assert theory == pytest.approx(1, abs=0.01)
        gain = np.std(off["flat"]) / np.std(off["measured"])
        assert gain == pytest.approx(np.median(found["flat"].sigma_empirical[..., p])
                                     / np.median(found["row"].sigma_formal[..., p]), rel=0.05)
        assert gain > 1.1


def test_empty_places_of_the_vla_have_pulls_of_1_and_an_antenna_without_gain_is_left_out(observed):
    """Antenna 6 has visibilities of a micro-Jansky in the first hand of one spectral window."""
    path = observed("evla_J1008_Ka_2spw")
    measured, row = (spectra(path, 4, "--weights", kind) for kind in ("measured", "row"))
    for p, stokes in enumerate("IQUV"):
        assert robust(pulls(measured, "sigma_formal", stokes)) == pytest.approx(1, abs=0.04)
        gain = np.nanmedian(row[0].sigma[..., p] / measured[0].sigma[..., p])
        assert gain > 1.03
    share = measured[0].count.sum((0, 2)) / row[0].count.sum((0, 2))
    assert np.sum(share == 1) == 64 and np.all(share[share < 1] == pytest.approx(0.89, abs=0.01))


@pytest.mark.parametrize(("name", "noise_only"), [
    ("gmrt_J1543+480", "V"), ("vla_NGC5921_cal", "V"), ("vlba_mojave_M87", "QUV")])
def test_beside_bright_sources_noise_is_right_in_what_has_none_and_the_third_error_covers_the_rest(
        observed, name, noise_only):
    """Stokes I holds sidelobes, of which weights know nothing and the baselines not all."""
    found = spectra(observed(name), 6, "--weights", "measured")
    for stokes in noise_only:
        assert robust(pulls(found, "sigma_formal", stokes)) == pytest.approx(1, abs=0.1)
    assert robust(pulls(found, "sigma_formal", "I")) > 1.7
    factor = error_inflation(found[0], found[1:])[..., found[0].index("I")]
    assert robust(pulls(found[1:], "sigma", "I") / factor) < 1.1
