"""Visibilities without sources that change, whatever these do in time and frequency.

In each integration and channel the flux densities S of the sources are those of least squares over
its baselines, sum_q A_pq S_q = sum_b w Re(V exp(-i phi_p)), A_pq = sum_b w cos(phi_p - phi_q).
Less S exp(i phi) nothing of them is left in an image, nor are their sidelobes: a flare shorter than
a snapshot, or in some of its channels, has a response that is not the snapshot's. Another source
loses the mean square of the response of one integration and channel at its distance: one part in
as many as there are baselines.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.imaging.stokes_visibility import StokesVisibilities

FEWEST_BASELINES = 3
"""Baselines for each source that an integration and channel needs to be of use."""


def without_sources(groups: Iterable[StokesVisibilities], places: Sequence[Direction],
                    centre: Direction) -> Iterator[StokesVisibilities]:
    """Yield groups of visibilities about an image's centre without the sources at places (ICRS).

    Integrations and channels with fewer than 3 baselines for each source get no weight.
    """
    offsets = np.array([direction_cosines(place.ra, place.dec, centre) for place in places])
    for group in groups:
        visibility, weight = group.visibility.copy(), group.weight.copy()
        for first in range(0, len(group.uvw), group.baselines):
            rows = slice(first, first + group.baselines)
            turns = offsets @ group.uvw[rows].T
            wave = np.exp(2j * np.pi * turns[..., None] * (group.frequency / LIGHT_SPEED))
            for k, used in enumerate(weight[:, rows]):
                own = [s for s, place in enumerate(group.weight_of) if place == k]
                enough = (used > 0).sum(axis=0) >= FEWEST_BASELINES * len(places)
                used[:, ~enough] = 0
                visibility[own, rows] -= _sources(visibility[own, rows], used, wave)
        # Where there is no weight there is no visibility.
        visibility *= weight[list(group.weight_of)] > 0
        yield dataclasses.replace(group, visibility=visibility, weight=weight)


def _sources(visibility: np.ndarray, weight: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Return what (S,B,F) sources of waves (P,B,F) contribute to the baselines of a moment."""
    weighted = wave * weight
    normal = np.einsum("pbf,qbf->fpq", weighted, wave.conj(), optimize=True).real
    right = np.einsum("sbf,pbf->fps", visibility, weighted.conj(), optimize=True).real
    flux = np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ right
    return np.einsum("fps,pbf->sbf", flux, wave, optimize=True).astype(np.complex64)
