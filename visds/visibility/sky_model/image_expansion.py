"""The spectrum of an image, seen through a primary beam or not: few images times functions."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from visds.core.sky import Direction, convert_positions, direction_cosines
from visds.visibility.sky_model.images import ImageModel

_MOST_NODES = 12


@dataclass(frozen=True, eq=False)
class Term:
    """Pixels with flux that hold for a range of channels, times a function of frequency.

    Attributes
    ----------
    channels : slice
    values : (P,S) float64
        Jy, of the pixels `ImageModel.nonzero`.
    basis : (F) float64
        The function at the channels of the range.
    share : (P) float64
        Root mean square visibility that the term adds to the largest of the terms, at most: as
        much less accurately it may be predicted.
    """

    channels: slice
    values: np.ndarray
    basis: np.ndarray
    share: np.ndarray


def expand(model: ImageModel, frequency: tuple[float, ...], centre: Direction,
           beam: Callable | None, accuracy: float) -> Iterator[Term]:
    """Yield terms whose sum is an image at the channels of `frequency` (F), Hz.

    Without a beam these are the terms of the image's own spectrum, exactly; of a Taylor expansion
    they are taken about the middle of the band, where higher ones count least. PB(nu) I(nu) of an
    image with intrinsic flux densities is interpolated, for each pixel, by a polynomial through
    Chebyshev nodes of the band, of the lowest degree for which the moduli of all errors add up to
    less than `accuracy` of those of the flux densities; no visibility errs by more. The band is
    halved where no low degree is enough, until channels are nodes and the polynomial exact. The
    beam is a function of l, m (S,2) about `centre` and frequencies (F).
    """
    if beam is None:
        yield from _own_terms(model, np.array(frequency))
    else:
        yield from _attenuated_terms(model, frequency, centre, beam, accuracy)


def _own_terms(model: ImageModel, frequency: np.ndarray) -> Iterator[Term]:
    if len(model.plane_frequency):
        planes, functions = _values(model), model.basis(frequency)
        shares = np.ones(planes.shape[:2])
    else:
        planes, functions = _recentred(model, frequency)
        size = (np.sqrt(np.sum(planes**2, axis=-1))
                * np.abs(functions).max(axis=1)[:, np.newaxis])
        largest = size.max(axis=0)
        shares = size / np.where(largest > 0, largest, 1)
    for values, function, share in zip(planes, functions, shares, strict=True):
        used = np.flatnonzero(function)
        if len(used):
            channels = slice(int(used[0]), int(used[-1]) + 1)
            yield Term(channels, values, function[channels], share)


def _values(model: ImageModel) -> np.ndarray:
    """Return the pixels with flux (K,P,S) of each plane, Jy."""
    x, y = model.nonzero
    return model.pixels[:, :, y, x].astype(float)


def _recentred(model: ImageModel, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Taylor terms (K,P,S) about the middle of the band, and their functions (K,F)."""
    middle = 0.5 * (frequency.min() + frequency.max())
    shift = (middle - model.reference_frequency) / model.reference_frequency
    orders = range(len(model.pixels))
    # (x + shift)^j = sum over k of binomial(j, k) shift^(j - k) x^k
    matrix = np.array([[math.comb(j, k) * shift ** (j - k) if j >= k else 0.0 for j in orders]
                       for k in orders])
    x = (frequency - middle) / model.reference_frequency
    return (np.tensordot(matrix, _values(model), axes=(1, 0)),
            x ** np.arange(len(model.pixels))[:, np.newaxis])


@functools.lru_cache(maxsize=2)
def _attenuated_terms(model: ImageModel, frequency: tuple[float, ...], centre: Direction,
                      beam: Callable, accuracy: float) -> tuple[Term, ...]:
    # Kept for the next batch of rows: the beam is reckoned for each pixel.
    x, y = model.nonzero
    ra, dec = convert_positions(*model.positions(x, y), model.tangent.frame, centre.frame)
    cosines = direction_cosines(ra, dec, centre)[:, :2]
    pixels = _values(model)

    def apparent(nodes):
        """Return the flux densities (J,P,S) at frequencies (J)."""
        intrinsic = np.tensordot(model.basis(nodes), pixels, axes=(0, 0))
        return intrinsic * np.moveaxis(beam(cosines, nodes), -1, 0)[:, np.newaxis]

    frequency = np.array(frequency)
    pending = [slice(0, len(frequency))]
    terms = []
    while pending:
        channels = pending.pop()
        band = frequency[channels]
        found = _interpolation(apparent, band, accuracy)
        if found is None:
            middle = (channels.start + channels.stop) // 2
            pending += [slice(channels.start, middle), slice(middle, channels.stop)]
            continue
        terms += [Term(channels, values, function, np.ones(len(values)))
                  for values, function in zip(*found, strict=True)]
    return tuple(terms)


def _interpolation(apparent: Callable, band: np.ndarray,
                   accuracy: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Return values at nodes of a band (F) and their functions (J,F); None if there is none."""
    lowest, highest = band.min(), band.max()
    for number in range(1, min(len(band), _MOST_NODES + 1)):
        nodes, between = (_chebyshev(lowest, highest, count) for count in (number, number + 1))
        values, expected = apparent(nodes), apparent(between)
        error = np.tensordot(_lagrange(nodes, between), values, axes=(0, 0)) - expected
        sums = [np.abs(array).sum(axis=(1, 2)) for array in (error, expected)]
        if np.all(sums[0] <= accuracy * sums[1]):
            return values, _lagrange(nodes, band)
    if len(band) > _MOST_NODES:
        return None
    return apparent(band), np.eye(len(band))


def _chebyshev(lowest: float, highest: float, count: int) -> np.ndarray:
    """Return the zeros (J) of the Chebyshev polynomial of an interval."""
    angle = np.pi * (np.arange(count) + 0.5) / count
    return 0.5 * (lowest + highest) - 0.5 * (highest - lowest) * np.cos(angle)


def _lagrange(nodes: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Return the polynomials (J,F) that are 1 at one of the nodes (J) and 0 at the others."""
    basis = np.ones((len(nodes), len(frequency)))
    for j, node in enumerate(nodes):
        for other in np.delete(nodes, j):
            basis[j] *= (frequency - other) / (node - other)
    return basis
