"""Flux densities of bursts where the error grows with the flux density, as gain errors make it."""

import numpy as np
import pytest

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.measure import flux_density, mean_flux_density, quiescent_level
from visds.dynspec.detection.noise import Plane

T, F, SIGMA, GAIN = 60, 8, 0.01, 0.05
BOXES = Boxes((slice(0, T),), F)
BOX = Tile("I", 50.0, 20, 36, 0, F)


def burst(rng, peak=1.0):
    """Return the plane of a Gaussian burst whose cells have errors of 5 % of it, and its mean."""
    profile = peak * np.exp(-0.5 * ((np.arange(T) - 27.5) / 4) ** 2)[:, None] * np.ones(F)
    error = np.hypot(SIGMA, GAIN * profile)
    values = profile + error * rng.standard_normal((T, F))
    nothing = np.zeros((T, F))
    plane = Plane(values, nothing, 1 / error**2, nothing, np.ones(BOXES.scatter_shape()),
                  np.ones(F), np.full((T, F), SIGMA**-2))
    return plane, profile[BOX.cells].mean()


def measured(function, trials=300):
    pulls, ratios = [], []
    events = np.zeros((T, F), bool)
    events[12:44] = True
    for seed in range(trials):
        plane, truth = burst(np.random.default_rng(seed))
        value, error = function(plane, BOX, quiescent_level(plane, BOXES, events, events))
        pulls.append((value - truth) / error)
        ratios.append(value / truth)
    return np.array(pulls), np.mean(ratios)


def test_a_burst_is_measured_without_bias_and_with_the_error_that_it_scatters_by():
    pulls, ratio = measured(flux_density)
    assert ratio == pytest.approx(1, abs=0.002)
    assert abs(pulls.mean()) < 0.2
    assert pulls.std() == pytest.approx(1, abs=0.12)


def test_the_mean_of_least_error_favours_faint_cells():
    _, ratio = measured(mean_flux_density)
    assert ratio < 0.8
