"""Imaging weights: natural, uniform and Briggs, with a Gaussian taper.

Briggs (1995, PhD thesis, New Mexico Tech, chapter 3) in the form of CASA: a visibility of weight w
in a cell of the uv plane that holds W in all has w / (1 + W f^2), with
f^2 = (5 10^-R)^2 / (sum of W^2 over cells / sum of W over cells), the robustness R from -2 (nearly
uniform) to 2 (nearly natural). Uniform is w / W. Cells are 1 / (width of the image) wide, begin
at u = v = 0 as in CASA, and hold both halves of the plane. The density is that of Stokes I's
weights for every Stokes parameter.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
from numba import float32, float64, void

from visds.core.sky import LIGHT_SPEED
from visds.core.vector import given
from visds.imaging.geometry import Geometry
from visds.imaging.stokes_visibility import StokesVisibilities

SCHEMES = ("natural", "uniform", "briggs")


@dataclass(frozen=True)
class Weighting:
    """A scheme of `SCHEMES`, Briggs' `robust`, and the FWHM in degrees of the taper's beam."""

    scheme: str = "natural"
    robust: float = 0.0
    taper: float | None = None

    def __str__(self):
        """Return the words of a FITS header."""
        name = f"briggs {self.robust:g}" if self.scheme == "briggs" else self.scheme
        return name + (f", taper {3600 * self.taper:g} arcsec" if self.taper else "")


NATURAL = Weighting()


@dataclass(frozen=True, eq=False)
class Density:
    """The density of weights over the uv plane, and what follows from it for one weighting.

    A weight in a cell that holds W is divided by `constant` + `factor` * W.
    """

    grid: np.ndarray
    cell: float
    constant: float
    factor: float

    def divide(self, visibilities: StokesVisibilities, weight: np.ndarray) -> None:
        """Divide weights (K,N,F) by what their cells of the plane ask for, in place."""
        for values in weight:
            _divide(visibilities.uvw, visibilities.frequency / LIGHT_SPEED / self.cell, values,
                    self.grid, self.constant, self.factor)


def needs_density(weighting: Weighting) -> bool:
    """Whether all visibilities have to be seen before the first is weighted."""
    return weighting.scheme != "natural"


def measure_density(groups: Iterable[StokesVisibilities], weighting: Weighting,
                    geometry: Geometry) -> Density:
    """Return the density of the first Stokes parameter's weights on the uv grid of the image."""
    cell = 1 / math.radians(geometry.width)
    grid = np.zeros((geometry.size, geometry.size))
    for group in groups:
        _add(group.uvw, group.frequency / LIGHT_SPEED / cell, group.weight[group.weight_of[0]],
             grid)
    if weighting.scheme == "uniform":
        return Density(grid, cell, 0.0, 1.0)
    total = float(grid.sum())
    squares = float((grid**2).sum())
    factor = (5 * 10**-weighting.robust) ** 2 * total / squares if squares else 0.0
    return Density(grid, cell, 1.0, factor)


def imaging_weights(visibilities: StokesVisibilities, weighting: Weighting,
                    density: Density | None) -> np.ndarray:
    """Return the imaging weights (K,N,F) float32 of the visibilities.

    Natural weights without a taper are the very array of the visibilities.
    """
    if density is None and not weighting.taper:
        return visibilities.weight
    weight = visibilities.weight.copy()
    if density is not None:
        density.divide(visibilities, weight)
    if weighting.taper:
        weight *= _taper(visibilities, math.radians(weighting.taper))
    return weight


def _taper(visibilities: StokesVisibilities, width: float) -> np.ndarray:
    """Return the transform (N,F) of a Gaussian of unit peak with a FWHM of `width` rad."""
    square = (visibilities.uvw[:, :2] ** 2).sum(axis=1)[:, None]
    turns = (visibilities.frequency / LIGHT_SPEED) ** 2
    exponent = square * (turns * (math.pi * width) ** 2 / (4 * math.log(2)))
    return np.exp(-exponent).astype(np.float32)


@numba.njit(inline="always")
def _cell(u, v, size):
    """Return the column and row of the grid in which a point is; cells begin at whole numbers."""
    return int(np.floor(u)) + size // 2, int(np.floor(v)) + size // 2


@numba.njit(void(float64[:, :], given(float64, 1), float32[:, :], float64[:, ::1]),
            cache=True, nogil=True)
def _add(uvw, scale, weight, grid):
    """Add weights (N,F) and their mirror images to the grid."""
    size = grid.shape[0]
    for row in range(weight.shape[0]):
        for f in range(weight.shape[1]):
            if weight[row, f] > 0:
                u, v = uvw[row, 0] * scale[f], uvw[row, 1] * scale[f]
                for sign in (1.0, -1.0):
                    x, y = _cell(sign * u, sign * v, size)
                    if 0 <= x < size and 0 <= y < size:
                        grid[y, x] += weight[row, f]


@numba.njit(void(float64[:, :], given(float64, 1), float32[:, :], float64[:, ::1], float64,
                 float64), cache=True, nogil=True)
def _divide(uvw, scale, weight, grid, constant, factor):
    """Divide weights (N,F) by constant + factor * density; 0 off the grid, as in CASA."""
    size = grid.shape[0]
    for row in range(weight.shape[0]):
        for f in range(weight.shape[1]):
            if weight[row, f] > 0:
                x, y = _cell(uvw[row, 0] * scale[f], uvw[row, 1] * scale[f], size)
                inside = 0 <= x < size and 0 <= y < size
                held = grid[y, x] if inside else 0.0
                weight[row, f] = weight[row, f] / (constant + factor * held) if inside and (
                    held > 0) else 0.0
