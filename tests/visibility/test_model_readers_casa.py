"""CASA component lists: what casatools writes and predicts is what is read."""

import hashlib
import math

import numpy as np
import pytest
from casacore import tables

from visds.core.casa import load_casatools
from visds.core.errors import SkyModelError
from visds.core.sky import Direction
from visds.visibility.simulation.truth import read_truth
from visds.visibility.sky_model.readers.casa_components import read_casa_components

PLACE = "J2000 10h00m06s -30d00m18s"


def component_list(path, *components, change=None):
    """Write a component list with casatools; `change` is called with the tool before."""
    tool = load_casatools().componentlist()
    for component in components:
        tool.addcomponent(**({"flux": 1.0, "dir": PLACE, "shape": "point", "freq": "TOPO 1.4GHz"}
                             | component))
    if change:
        change(tool)
    tool.rename(str(path))
    tool.close()
    return path


def changed(path, column, value):
    with tables.table(str(path), readonly=False, ack=False) as table:
        table.putcell(column, 0, value)
    return path


def test_points_and_gaussians_of_a_list(tmp_path):
    model = read_casa_components(component_list(
        tmp_path / "field.cl",
        {"flux": [1.5, 0.1, -0.2, 0.3], "spectrumtype": "spectral index", "index": -0.7},
        {"flux": 2500.0, "fluxunit": "mJy", "dir": "ICRS 1h00m00s 45d00m00s", "shape": "Gaussian",
         "majoraxis": "2arcmin", "minoraxis": "20arcsec", "positionangle": "-30deg",
         "freq": "LSRK 900MHz"}))
    np.testing.assert_allclose(model.ra, [150.025, 15], rtol=1e-12)
    np.testing.assert_allclose(model.dec, [-30.005, 45], rtol=1e-12)
    np.testing.assert_allclose(model.stokes, [[1.5, 0.1, -0.2, 0.3], [2.5, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(model.reference_frequency, [1.4e9, 0.9e9])
    assert model.spectral_terms.tolist() == [[-0.7], [0]]
    np.testing.assert_allclose(model.shape, [[0, 0, 0], [120, 20, 150]])


@pytest.mark.parametrize("basis", ["linear", "circular"])
def test_flux_densities_as_correlations_are_turned_to_stokes(tmp_path, basis):
    path = component_list(tmp_path / "field.cl", {"flux": [1.5, 0.1, -0.2, 0.3]},
                          change=lambda tool: tool.convertfluxpol(0, basis))
    with tables.table(str(path), ack=False) as table:
        assert table.getcell("Flux_Polarisation", 0).lower() == basis
    np.testing.assert_allclose(read_casa_components(path).stokes, [[1.5, 0.1, -0.2, 0.3]],
                               rtol=1e-6)


def test_b1950_is_converted_with_the_position_angle(tmp_path):
    model = read_casa_components(component_list(
        tmp_path / "field.cl",
        {"dir": "B1950 10h00m00s 80d00m00s", "shape": "Gaussian", "majoraxis": "60arcsec",
         "minoraxis": "20arcsec", "positionangle": "10deg"}))
    there = Direction(150, 80, "B1950").to("ICRS")
    np.testing.assert_allclose([model.ra[0], model.dec[0]], [there.ra, there.dec])
    # The same Gaussian's end, half a degree along its axis, is on the same great circle.
    along = load_casatools().measures()
    end = along.shift(along.direction("B1950", "10h00m00s", "80d00m00s"), "0.5deg", "10deg")
    end = along.measure(end, "ICRS")
    here = along.direction("ICRS", f"{model.ra[0]}deg", f"{model.dec[0]}deg")
    angle = along.posangle(here, end)["value"]
    assert abs(angle - 10) > 0.5
    np.testing.assert_allclose(model.shape[0, 2], angle, atol=0.02)


@pytest.mark.parametrize("spectrum", [
    {}, {"spectrumtype": "spectral index", "index": -2.0},
    {"spectrumtype": "plp", "index": [-2.0, 0.5, 0.3]}])
def test_spectra_of_all_stokes_parameters_are_those_that_casa_predicts(simulated, tmp_path,
                                                                       spectrum):
    products = simulated(feeds="circular", copy_to=tmp_path / "set")
    truth = read_truth(products.truth)
    path = component_list(tmp_path / "field.cl", spectrum | {
        "flux": [1.0, 0.1, -0.2, 0.3], "freq": "TOPO 650MHz",
        "dir": f"J2000 {truth.ra!r}deg {truth.dec!r}deg"})
    with tables.table(str(products.measurement_set / "SPECTRAL_WINDOW"), ack=False) as window:
        frequency = window.getcol("CHAN_FREQ")[0]
    # Now and then CASA leaves NaN in the cross hands of what it predicts, and not the next time.
    for _ in range(5):
        simulator = load_casatools().simulator()
        simulator.openfromms(str(products.measurement_set))
        simulator.setvp(dovp=False)
        simulator.predict(complist=str(path))
        simulator.close()
        with tables.table(str(products.measurement_set), ack=False) as table:
            amplitude = np.abs(table.getcol("DATA")).mean(axis=0).T
        if np.isfinite(amplitude).all():
            break
    intensity, q, u, v = read_casa_components(path).flux_density(frequency)[:, 0]
    np.testing.assert_allclose(
        amplitude, [intensity + v, np.hypot(q, u), np.hypot(q, u), intensity - v], rtol=1e-5)


def test_reading_leaves_the_list_as_it_was(tmp_path):
    path = component_list(tmp_path / "field.cl", {})

    def state():
        return {file.name: hashlib.md5(file.read_bytes()).hexdigest()
                for file in path.iterdir() if file.name != "table.lock"}

    before = state()
    read_casa_components(path)
    assert state() == before


@pytest.mark.parametrize(("component", "message"), [
    ({"shape": "disk", "majoraxis": "20arcsec", "minoraxis": "10arcsec", "positionangle": "0deg"},
     "component 2 is a Disk, expected a Point or a Gaussian"),
    ({"dir": "GALACTIC 10deg 20deg"}, "component 2 has its position in GALACTIC, expected one of"),
    ({"flux": math.nan}, "component 2 holds a number that is not finite"),
])
def test_components_of_other_kinds_are_refused_with_one_line(tmp_path, component, message):
    path = component_list(tmp_path / "field.cl", {}, component)
    with pytest.raises(SkyModelError, match=f"field.cl: {message}") as caught:
        read_casa_components(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("column", "value", "message"), [
    ("Flux_Unit", "Jy/beam", "component 1 has the unit Jy/beam, expected one of Jy, mJy, uJy"),
    ("Spectrum_Shape", "Tabular Spectrum", "has a spectrum of the form Tabular Spectrum, expected"),
    ("Reference_Frequency", 0.0, "a reference frequency that is not above 0"),
    ("Flux_Polarisation", "Odd", "has its flux density as Odd, expected one of Stokes, Linear"),
])
def test_values_that_cannot_be_are_refused_with_one_line(tmp_path, column, value, message):
    path = changed(component_list(tmp_path / "field.cl", {}), column, value)
    with pytest.raises(SkyModelError, match=message):
        read_casa_components(path)


def test_spectral_indices_of_the_polarization_are_refused(tmp_path):
    path = component_list(
        tmp_path / "field.cl", {},
        change=lambda tool: tool.setstokesspectrum(0, "spectral index", [-1, 0.3, 0, 0]))
    with pytest.raises(SkyModelError, match="spectral indices of its polarization, expected one"):
        read_casa_components(path)


def test_an_empty_list_or_another_table_is_refused(tmp_path, simulated):
    path = component_list(tmp_path / "field.cl", {}, change=lambda tool: tool.remove(0))
    with pytest.raises(SkyModelError, match=r"field.cl has no components"):
        read_casa_components(path)
    with pytest.raises(SkyModelError, match="cannot be read as a CASA component list"):
        read_casa_components(simulated().measurement_set)
