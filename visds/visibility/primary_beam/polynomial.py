"""Primary beams as observatories publish them: polynomials fitted to what they measured.

The tables are in the folder ``coefficients``, one a telescope, each with its source.
"""

import csv
import functools
import importlib.resources
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.visibility.primary_beam.beam import offset_arcmin

_NOWHERE = 1e9
_TERMS = ("c1", "c2", "c3", "c4")


@dataclass(frozen=True, eq=False)
class PolynomialBeam:
    """Power as 1 + c1 x + c2 x^2 + ..., or one over that, x = (offset times frequency)^2.

    Offsets are in arcmin and frequencies in GHz. Between the frequencies N at which a band was
    measured the coefficients are monotone cubics (Fritsch & Butland 1984, SIAM J. Sci. Stat.
    Comput. 5, 300); beyond them in the band the nearest hold. Beyond the place where the power
    first is zero or turns to rise, it is 0.

    Attributes
    ----------
    name, source : str
    is_reciprocal : bool
    band : (N) str
        Names of the receivers' bands.
    edges : (N,2) float64
        Edges of the band, Hz.
    frequency : (N) float64
        Hz, ascending in a band.
    coefficients : (N,4) float64
        In (arcmin GHz)^-2, ^-4, ...
    """

    name: str
    source: str
    is_reciprocal: bool
    band: tuple[str, ...]
    edges: np.ndarray
    frequency: np.ndarray
    coefficients: np.ndarray

    def __call__(self, cosines: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the power (...,F) at l, m (...,2) about the pointing; see `PrimaryBeam`.

        A channel between two bands is taken as in the nearer one.
        """
        coefficients, farthest = self._at(np.asarray(frequency, float))
        x = (offset_arcmin(cosines)[..., np.newaxis] * np.asarray(frequency, float) / 1e9) ** 2
        value = np.zeros_like(x)
        for term in coefficients[::-1]:
            value = (value + term) * x
        value += 1
        power = 1 / value if self.is_reciprocal else np.maximum(value, 0)
        return np.where(x <= farthest, power, 0)

    def describe(self) -> str:
        """Return in words which beam it is, and its source."""
        return f"{self.name} ({self.source})"

    def holds(self, lowest: float, highest: float) -> bool:
        """Return whether both frequencies (Hz) are in bands that were measured."""
        return all(np.any((self.edges[:, 0] <= hertz) & (hertz <= self.edges[:, 1]))
                   for hertz in (lowest, highest))

    def bands(self) -> str:
        """Return the bands in words, neighbours joined, such as 224-480 and 1000-50000 MHz."""
        joined: list[list[float]] = []
        for low, high in sorted({tuple(edges) for edges in self.edges.tolist()}):
            if joined and low <= joined[-1][1]:
                joined[-1][1] = max(high, joined[-1][1])
            else:
                joined.append([low, high])
        texts = [f"{low / 1e6:g}-{high / 1e6:g}" for low, high in joined]
        return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1]))) + " MHz"

    def _at(self, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coefficients (4,F) and the farthest x (F) at frequencies (F)."""
        away = np.maximum(self.edges[:, 0] - frequency[:, np.newaxis],
                          frequency[:, np.newaxis] - self.edges[:, 1])
        nearest = np.argmin(np.maximum(away, 0), axis=1)
        values = np.empty((5, len(frequency)))
        for band in {self.band[n] for n in nearest}:
            channels = np.array([self.band[n] == band for n in nearest])
            values[:, channels] = self._splines[band](frequency[channels])
        return values[:-1], values[-1]

    @functools.cached_property
    def _splines(self) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
        """By band, functions from frequencies (F) to coefficients and farthest x (5,F)."""
        nodes = np.column_stack([self.coefficients, self._farthest])
        return {band: _spline(*(values[[name == band for name in self.band]]
                                for values in (self.frequency, nodes)))
                for band in set(self.band)}

    @functools.cached_property
    def _farthest(self) -> np.ndarray:
        """The x (N) at which a polynomial turns to rise, or none at all."""
        return np.array([_first_root(terms * np.arange(1, len(terms) + 1))
                         for terms in self.coefficients])

    def __getstate__(self):
        # Another rank finds the rest itself.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _spline(frequency: np.ndarray, nodes: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function through nodes (N,5) that is constant outside of them."""
    if len(frequency) == 1:
        return lambda wanted: np.repeat(nodes.T, len(wanted), axis=1)
    from scipy.interpolate import PchipInterpolator

    spline = PchipInterpolator(frequency, nodes)
    return lambda wanted: spline(np.clip(wanted, frequency[0], frequency[-1])).T


def _first_root(terms: np.ndarray) -> float:
    """Return the smallest positive x of c0 + c1 x + c2 x^2 + ... = 0, or one beyond all beams."""
    roots = np.roots(terms[::-1])
    real = roots[(np.abs(roots.imag) < 1e-6 * np.abs(roots)) & (roots.real > 0)].real
    return float(real.min(initial=_NOWHERE))


@functools.cache
def published_beam(table: str) -> PolynomialBeam:
    """Return the beam of a table in the folder ``coefficients``, named without its ending."""
    folder = importlib.resources.files("visds.visibility.primary_beam") / "coefficients"
    lines = (folder / f"{table}.csv").read_text().splitlines()
    facts = dict(match.groups() for line in lines
                 if (match := re.fullmatch(r"# (name|source|form): (.*)", line)))
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    numbers = {name: np.array([float(row[name]) for row in rows])
               for name in rows[0] if name != "band"}
    return PolynomialBeam(
        facts["name"], facts["source"], facts["form"] == "reciprocal",
        tuple(row["band"] for row in rows),
        1e6 * np.column_stack([numbers["low_mhz"], numbers["high_mhz"]]),
        1e6 * numbers["frequency_mhz"],
        np.column_stack([numbers[term] for term in _TERMS]))


def beam_in_band(table: str, option: str, lowest: float, highest: float) -> PolynomialBeam:
    """Return a published beam for data between two frequencies (Hz).

    Raises
    ------
    SettingsError
        If nothing is published at one of them.
    """
    beam = published_beam(table)
    if not beam.holds(lowest, highest):
        raise SettingsError(
            f"--primary-beam {option}: the data are at {lowest / 1e6:.6g} to {highest / 1e6:.6g} "
            f"MHz, the beam of the {beam.name} is known at {beam.bands()} ({beam.source})")
    return beam
