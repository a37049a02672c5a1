"""Visibilities without some sources: those that change, whatever they do, and bright constant ones.

The flux densities S of sources at known places are those of least squares: S solves A S = r with
A_pq = sum w cos(phi_p - phi_q) and r_p = sum w Re(V exp(-i phi_p)). Of a source that changes there
is one S in each integration and channel, the sums being over its baselines; of a constant one there
is an S in each channel, the sums being over all integrations of a group too. Less the sum of
S exp(i phi) nothing of them is left in an image, nor are their sidelobes. The response of an image
would leave some, being that of no flare which is shorter or in some channels only, and, without w,
that of no source where w (n - 1) differs by a good part of a turn. Another source loses the mean
square of the responses: for each about one part in as many as there are visibilities for an S.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.imaging.stokes_visibility import StokesVisibilities

FEWEST_BASELINES = 3
"""Visibilities for each flux density that an integration and channel needs to be of use."""
_NUMBERS = 250_000


@dataclass(frozen=True)
class KnownSources:
    """Places (ICRS) of sources that are taken out: those that change, and those that do not."""

    changing: tuple[Direction, ...] = ()
    constant: tuple[Direction, ...] = ()

    @property
    def places(self) -> tuple[Direction, ...]:
        """All places, those of changing sources first."""
        return (*self.changing, *self.constant)


class Removal:
    """Takes sources out of the visibilities of an image about a centre."""

    def __init__(self, sources: KnownSources, centre: Direction):
        self._offsets = np.array([direction_cosines(place.ra, place.dec, centre)
                                  for place in sources.places])
        self._changing = len(sources.changing)
        self._sums: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def without(self, groups: Iterable[StokesVisibilities]) -> Iterator[StokesVisibilities]:
        """Yield groups of visibilities without the sources.

        Integrations and channels with fewer than 3 baselines for each changing source, and channels
        with fewer than 3 visibilities for each source, get no weight.
        """
        self._sums = {}
        for group in groups:
            yield self._left_of(group)

    def flux_densities(self, stokes: str) -> tuple[float, ...]:
        """Return those of the sources in a Stokes parameter, Jy, by order of the places.

        Solved for all at once over all visibilities that `without` has seen, each taken as
        constant.
        """
        normal, right = self._sums[stokes]
        return tuple((np.linalg.pinv(normal, rcond=1e-6, hermitian=True) @ right).tolist())

    def _left_of(self, group: StokesVisibilities) -> StokesVisibilities:
        visibility, weight = group.visibility.copy(), group.weight.copy()
        turns = self._offsets @ group.uvw.T
        channels = max(1, _NUMBERS // (len(turns) * group.baselines))
        for first in range(0, len(group.frequency), channels):
            part = slice(first, first + channels)
            wavenumber = group.frequency[part] / LIGHT_SPEED
            for k in range(len(weight)):
                own = [s for s, place in enumerate(group.weight_of) if place == k]
                moments = [_Moment(turns[:, rows], wavenumber, visibility[own, rows, part],
                                   weight[k, rows, part])
                           for rows in (slice(begin, begin + group.baselines) for begin in
                                        range(0, len(group.uvw), group.baselines))]
                left = self._left(moments, [group.stokes[s] for s in own])
                visibility[own, :, part] = np.concatenate(left, axis=1)
        # Where there is no weight there is no visibility.
        visibility *= weight[list(group.weight_of)] > 0
        return dataclasses.replace(group, visibility=visibility, weight=weight)

    def _left(self, moments: list["_Moment"], stokes: list[str]) -> list[np.ndarray]:
        """Return what is left of the visibilities (S,B,F) of moments; mend their weights."""
        C, P = self._changing, len(self._offsets)
        counts = [(moment.weight > 0).sum(axis=0) for moment in moments]
        few = np.sum(counts, axis=0) < FEWEST_BASELINES * P
        sums_a, sums_r = 0.0, 0.0
        schur_a, schur_r = 0.0, 0.0
        for moment, count in zip(moments, counts, strict=True):
            moment.weight[:, few | (count < FEWEST_BASELINES * C)] = 0
            normal, right = moment.equations(moment.waves())
            sums_a, sums_r = sums_a + normal.sum(axis=0), sums_r + right.sum(axis=0)
            across = normal[:, C:, :C] @ _inverse(normal[:, :C, :C])
            schur_a = schur_a + normal[:, C:, C:] - across @ normal[:, :C, C:]
            schur_r = schur_r + right[:, C:] - across @ right[:, :C]
        for number, name in enumerate(stokes):
            normal, right = self._sums.get(name, (0.0, 0.0))
            self._sums[name] = normal + sums_a, right + sums_r[:, number]
        constant = _inverse(schur_a) @ schur_r
        left = []
        for moment in moments:
            waves = moment.waves()
            normal, right = moment.equations(waves)
            changing = _inverse(normal[:, :C, :C]) @ (
                right[:, :C] - normal[:, :C, C:] @ constant)
            left.append(moment.less(np.concatenate([changing, constant], axis=1), waves))
        return left


@dataclass(frozen=True, eq=False)
class _Moment:
    """Visibilities (S,B,F) of an integration, their weights (B,F), and turns (P,B) of sources, m.

    Equations are of real numbers: real and imaginary parts are one axis, 2B.
    """

    turns: np.ndarray
    wavenumber: np.ndarray
    visibility: np.ndarray
    weight: np.ndarray

    def waves(self) -> np.ndarray:
        """Return the visibilities (F,P,2B) of 1 Jy at each place."""
        turns = self.wavenumber[:, None, None] * self.turns
        phase = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
        return np.concatenate([np.cos(phase), np.sin(phase)], axis=-1)

    def equations(self, waves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal equations by channel: (F,P,P) and right sides (F,P,S)."""
        weighted = waves * np.tile(self.weight.T, 2)[:, None]
        values = np.moveaxis(self.visibility, 2, 0)
        parts = np.concatenate([values.real, values.imag], axis=-1)
        both = weighted @ np.concatenate([waves, parts], axis=1).swapaxes(1, 2)
        return tuple(np.split(both.astype(float), [waves.shape[1]], axis=2))

    def less(self, flux: np.ndarray, waves: np.ndarray) -> np.ndarray:
        """Return the visibilities less sources of flux densities (F,P,S)."""
        real, imaginary = np.split(flux.swapaxes(1, 2).astype(np.float32) @ waves, 2, axis=-1)
        return self.visibility - np.moveaxis(real + np.complex64(1j) * imaginary, 0, 2)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    if not matrix.shape[-1]:
        return matrix
    return np.linalg.pinv(matrix, rcond=1e-6, hermitian=True)
