"""Imaging weights: what uniform and Briggs weighting and a taper do, and CASA's own."""

import math

import numpy as np
import pytest
from astropy.io import fits
from point_sources import PHASE_CENTRE, chunk

from visds.commands.image import main
from visds.core.casa import load_casatasks, load_casatools
from visds.imaging.geometry import Geometry
from visds.imaging.stokes_visibility import gather
from visds.imaging.weighting import Weighting, imaging_weights, measure_density

GEOMETRY = Geometry(PHASE_CENTRE, 5 / 3600, 256)


@pytest.fixture(scope="module")
def group():
    weights = np.random.default_rng(2).uniform(1, 3, (6, 66, 1, 4)).astype("f4")
    made, = gather([chunk().replace(weight=weights)], ("I",), PHASE_CENTRE)
    return made


def weighted(group, weighting, geometry=GEOMETRY):
    """Return the imaging weights of Stokes I in float64."""
    density = None if weighting.scheme == "natural" else measure_density(
        [group], weighting, geometry)
    return imaging_weights(group, weighting, density)[0].astype(float)


def test_natural_weights_are_those_of_the_visibilities(group):
    assert imaging_weights(group, Weighting(), None) is group.weight


def test_each_cell_of_the_uv_plane_that_holds_data_counts_once_in_uniform_weighting(group):
    weight = weighted(group, Weighting("uniform"))
    place = group.uvw[:, None, :2] * group.frequency[:, None] / 299792458 * math.radians(
        GEOMETRY.width)
    cell = np.floor(place).astype(int)
    key = cell[..., 0] * 10_000 + cell[..., 1]
    mirror = set(np.unique(np.floor(-place).astype(int) @ [10_000, 1]))
    sums = {k: weight[key == k].sum() for k in np.unique(key)}
    alone = [value for k, value in sums.items() if k not in mirror]
    assert len(alone) > 100
    np.testing.assert_allclose(alone, 1, rtol=1e-4)


def test_briggs_weights_go_from_uniform_to_natural(group):
    natural, uniform = group.weight[0].astype(float), weighted(group, Weighting("uniform"))
    low, high = (weighted(group, Weighting("briggs", robust)) for robust in (-2, 2))
    np.testing.assert_allclose(high / high.max(), natural / natural.max(), rtol=0.05)
    np.testing.assert_allclose(low / low.max(), uniform / uniform.max(), rtol=0.05)
    between = [float((weighted(group, Weighting("briggs", robust)) ** 2 / natural).sum()
                     / weighted(group, Weighting("briggs", robust)).sum() ** 2)
               for robust in (-2, -1, 0, 1, 2)]
    assert np.all(np.diff(between) < 0)


def test_a_taper_is_the_transform_of_its_beam(group):
    taper = 60 / 3600
    ratio = weighted(group, Weighting("natural", taper=taper)) / group.weight[0]
    length = np.hypot(group.uvw[:, 0], group.uvw[:, 1])[:, None] * group.frequency / 299792458
    # A Gaussian of FWHM theta has the transform exp(-(pi theta q)^2 / (4 ln 2)).
    expected = np.exp(-(np.pi * math.radians(taper) * length) ** 2 / (4 * np.log(2)))
    np.testing.assert_allclose(ratio, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("robust", [-1, 1])
def test_the_response_of_briggs_weights_is_that_of_casa(simulated, tmp_path, robust):
    path = simulated(copy_to=tmp_path, antennas=15, scans=2, scan_length="3min",
                     channels=16).measurement_set
    load_casatasks().tclean(
        vis=str(path), imagename=str(tmp_path / "casa"), datacolumn="data", imsize=512,
        cell="1arcsec", stokes="I", weighting="briggs", robust=robust, niter=0,
        gridder="standard", restoration=False, parallel=False)
    image = load_casatools().image()
    image.open(str(tmp_path / "casa.psf"))
    expected = image.getchunk()[:, :, 0, 0].T
    image.close()
    assert main([str(path), "-o", str(tmp_path / "out"), "--cell", "1arcsec", "--size", "512",
                 "--weighting", "briggs", "--robust", str(robust), "--psf", "--stokes", "I",
                 "--no-pictures"]) == 0
    found = fits.getdata(tmp_path / "out" / "all_I.psf.fits")[0, 0]
    # CASA grids with a spheroidal of finite accuracy, and without w. Other cells than CASA's, half
    # a cell away, give sidelobes that differ by more than half of their scatter.
    inner = slice(192, 320)
    assert np.max(np.abs(found - expected)[inner, inner]) < 0.015
    assert np.std((found - expected)[inner, inner]) < 0.1 * np.std(expected[inner, inner])


def test_words_of_a_weighting():
    assert str(Weighting("briggs", 0.5, 10 / 3600)) == "briggs 0.5, taper 10 arcsec"
    assert str(Weighting()) == "natural"
