"""The fit of a sky model to the data tells a right one from a wrong one, whatever else is there."""

import re

import numpy as np
import pytest
from astropy.table import QTable
from astropy.units import Quantity
from casacore.tables import table

from visds.commands.run import main
from visds.core.sky import LIGHT_SPEED, Direction
from visds.imaging.geometry import Geometry
from visds.model_fit import ModelFit

PLACES = (120.0, 60.0), (-90.0, 150.0)  # arcsec to the east and to the north
FIELD = (0.1, 0.05)
ELSEWHERE = (200.0, -100.0)


def observed(simulated, folder, *sources):
    """Return a measurement set of noise and of sources (place, Jy), and its phase centre."""
    made = simulated(copy_to=folder, array="VLA-C", antennas=14, scans=2, scan_length="150s",
                     channels=4, channel_width="16MHz", noise="60mJy", flares=False, sources=0,
                     quiescent=(0, 0, 0, 0), calibrator=False).measurement_set
    with table(str(made / "SPECTRAL_WINDOW"), ack=False) as windows:
        frequency = windows.getcol("CHAN_FREQ")[0]
    with table(str(made / "FIELD"), ack=False) as fields:
        centre = Direction(*np.degrees(fields.getcol("PHASE_DIR")[0, 0]))
    with table(str(made), readonly=False, ack=False) as rows:
        uvw, data = rows.getcol("UVW"), rows.getcol("DATA")
        for place, flux_density in sources:
            l, m = np.radians(np.array(place) / 3600)  # noqa: E741
            path = uvw @ [l, m, np.sqrt(1 - l**2 - m**2) - 1]
            turn = np.exp(2j * np.pi * path[:, None] * frequency / LIGHT_SPEED)
            data[..., 0] += flux_density * turn
            data[..., -1] += flux_density * turn
        rows.putcol("DATA", data)
    return made, centre


def fitted(simulated, folder, capsys, sources, model, *options):
    """Return scale and error that a run says of a model (place, Jy), and whether it warns."""
    measurement_set, centre = observed(simulated, folder, *sources)
    geometry = Geometry(centre, 1 / 3600, 2)
    directions = [geometry.direction(1 - east, 1 + north) for (east, north), _ in model]
    QTable({"ra": Quantity([direction.ra for direction in directions], "deg"),
            "dec": Quantity([direction.dec for direction in directions], "deg"),
            "I": Quantity([flux_density for _, flux_density in model], "Jy")}).write(
        folder / "model.ecsv")
    assert main([str(measurement_set), "-o", str(folder / "out"), "--no-images", "--plots",
                 "lightcurve", "--model", f"{folder / 'model.ecsv'}:reference_frequency=1.4GHz",
                 "--model-flux", "apparent", *options]) == 0
    said = capsys.readouterr()
    scale, error = map(float, re.search(r"the data hold (\S+) \+- (\S+) of", said.out).groups())
    return scale, error, "warning: the data hold" in said.out + said.err


@pytest.mark.parametrize("options", [(), ("--stream",)])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_factor_of_a_model_is_found_beside_a_star_20_times_as_bright(simulated, tmp_path,
                                                                         capsys, factor, options):
    field = list(zip(PLACES, FIELD, strict=True))
    scale, error, is_doubted = fitted(
        simulated, tmp_path, capsys,
        [((0.0, 0.0), 2.0), *((place, factor * flux) for place, flux in field)], field, *options)
    assert scale == pytest.approx(factor, abs=5 * error)
    assert error < 0.02
    assert is_doubted == (factor != 1)


def test_a_source_that_a_right_model_lacks_is_in_the_error_of_its_factor(simulated, tmp_path,
                                                                        capsys):
    faint = [(place, flux / 20) for place, flux in zip(PLACES, FIELD, strict=True)]
    scale, error, is_doubted = fitted(simulated, tmp_path, capsys, [*faint, (ELSEWHERE, 0.1)],
                                      faint)
    assert abs(scale - 1) < 3 * error
    assert error > 0.2
    assert not is_doubted


def test_a_model_at_another_place_is_not_held_by_the_data(simulated, tmp_path, capsys):
    field = list(zip(PLACES, FIELD, strict=True))
    moved = [((east + 40, north), flux) for (east, north), flux in field]
    scale, error, is_doubted = fitted(simulated, tmp_path, capsys, field, moved)
    assert abs(scale) < 0.3
    assert error < 0.15
    assert is_doubted


def test_of_a_model_at_the_target_alone_nothing_is_told(simulated, tmp_path, capsys):
    measurement_set, centre = observed(simulated, tmp_path, (PLACES[0], 0.1))
    QTable({"ra": Quantity([centre.ra], "deg"), "dec": Quantity([centre.dec], "deg"),
            "I": Quantity([1], "Jy")}).write(tmp_path / "model.ecsv")
    assert main([str(measurement_set), "-o", str(tmp_path / "out"), "--no-images", "--plots",
                 "lightcurve", "--model", f"{tmp_path / 'model.ecsv'}:reference_frequency=1.4GHz",
                 "--model-flux", "apparent", "--keep-target"]) == 0
    said = capsys.readouterr()
    assert "the data hold cannot be told: all of it is at the target" in said.out
    assert "its constant flux density is lost" in said.out + said.err


def test_a_model_that_noise_hides_is_called_too_weak():
    assert "it is too weak beside their noise (9.2 +- 3.2 of it)" in str(ModelFit(9.19, 3.22))
    assert not ModelFit(9.19, 3.22).warning()
    assert "the data hold 9.190 +- 0.620" in ModelFit(9.19, 0.62).warning()
