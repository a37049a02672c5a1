"""Flux densities of events without each antenna, from visibilities."""

import itertools

import numpy as np
import pytest
from noisy import CIRCULAR, chunk

from visds.core.sky import Direction
from visds.dynspec.detection.jackknife import columns_of, jackknife

ANTENNAS = 8
BASELINES = np.array(list(itertools.combinations(range(ANTENNAS), 2)))
DAY = 10 / 86400
EVENT = {"box_start": 59000 + 19.5 * DAY, "box_stop": 59000 + 29.5 * DAY, "box_low": 1.0015e9,
         "box_high": 1.0055e9, "polarization": "I"}


def slabs(stokes, *, polarization="I", extra=None, seed=0):
    """Return slabs of 60 integrations with a burst of `stokes` in the box of the event.

    `extra` (B) Jy is added to what the baselines see in the box, in the first and last hand.
    """
    sigma = np.full((len(BASELINES), 4), 2.0)
    made = chunk(CIRCULAR, sigma, T=60, stokes=(2.0, 0, 0, 0), F=8, seed=seed)
    burst = chunk(CIRCULAR, sigma * 0, T=60, stokes=stokes, F=8)
    visibility = made.visibility.copy()
    visibility[20:30, :, 2:6] += burst.visibility[20:30, :, 2:6]
    if extra is not None:
        visibility[20:30, :, 2:6, ::3] += extra[:, None, None]
    made = made.replace(visibility=visibility, antennas=BASELINES)
    parts = [made.select_times(0, 25), made.select_times(25, 60)]
    return parts, Direction(*made.phase_centre), CIRCULAR, EVENT | {"polarization": polarization}


@pytest.fixture(autouse=True)
def weights_of_noise_free_chunks():
    with np.errstate(divide="ignore"):
        yield


def test_burst_of_the_sky_is_as_bright_without_any_antenna():
    found = jackknife(*slabs((3.0, 0, 0, 0)))
    assert found.whole == pytest.approx(3.0, abs=4 * found.whole_sigma)
    assert found.antennas.tolist() == list(range(ANTENNAS))
    assert found.part == pytest.approx(2 / ANTENNAS)
    pull = (found.flux_density - found.whole) / (found.sigma * np.sqrt(found.part))
    assert np.abs(pull).max() < 4
    assert found.sigma == pytest.approx(found.whole_sigma / np.sqrt(1 - 2 / ANTENNAS), rel=0.1)
    columns = columns_of(found)
    assert columns["antenna_share"] < 0.3 and not columns["veto_antenna"]


def test_what_one_antenna_alone_sees_is_gone_without_it():
    with_five = np.any(BASELINES == 5, axis=1)
    found = jackknife(*slabs((0.0, 0, 0, 0), extra=np.where(with_five, 12.0, 0.0)))
    # A quarter of the baselines see 12 Jy.
    assert found.whole == pytest.approx(3.0, abs=4 * found.whole_sigma)
    assert found.flux_density[5] == pytest.approx(0, abs=4 * found.sigma[5])
    columns = columns_of(found)
    assert columns["antenna"] == 5 and columns["veto_antenna"]
    assert columns["antenna_share"] == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(("polarization", "stokes", "height"), [
    ("-V", (3.0, 0, 0, -2.5), -2.5), ("L", (3.0, 1.5, -2.0, 0), 2.5)])
def test_polarization_of_the_event_is_the_one_that_is_looked_at(polarization, stokes, height):
    found = jackknife(*slabs(stokes, polarization=polarization))
    assert found.whole == pytest.approx(height, abs=4 * found.whole_sigma)
    assert found.flux_density == pytest.approx(height, abs=0.4)


def test_slabs_without_the_box_are_refused():
    parts, *rest = slabs((3.0, 0, 0, 0))
    with pytest.raises(ValueError, match="no visibilities of the box"):
        jackknife(parts[1:], *rest[:2], rest[2] | {"box_start": 1.0, "box_stop": 2.0})
