"""Stokes visibilities: what is gridded, formed of pairs of correlations row by row.

By the rules of the estimator: a pair of correlations is used or not used as one, with the weight
w = 4 / (1/w1 + 1/w2), which is 1/sigma^2 of half its sum and of half its difference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numba import complex64, complex128, float32, float64, int64, uint8, void

from visds.core.polarization import STOKES, pairs_of
from visds.core.quantities import UVDistance
from visds.core.sky import LIGHT_SPEED, Direction
from visds.core.vector import given, turn
from visds.imaging.geometry import turn_to
from visds.visibility.chunk import VisibilityChunk

GROUP_BYTES = 256_000_000
"""Memory of the visibilities that are taken at once, unless there are images to be made of them."""
_BYTES_A_PIXEL = 64
_FEWEST_BYTES, _MOST_BYTES = 16_000_000, 1_000_000_000
_BYTES = 48  # of four Stokes parameters, so that groups are the same whichever are made


@dataclass(frozen=True, eq=False)
class StokesVisibilities:
    """Rows of Stokes visibilities about the centre of an image.

    `uvw` (N,3) m; `frequency` (F) Hz, ascending; `visibility` (S,N,F) complex64 Jy of the Stokes
    parameters `stokes`; `weight` (K,N,F) float32 Jy-2, 1/sigma^2 of the real part, 0 where not to
    be used (the visibility is then 0 as well). `weight_of` says which of the K belongs to each
    Stokes parameter: those of one pair of correlations share one. Rows are whole integrations of
    so many `baselines`.
    """

    stokes: tuple[str, ...]
    uvw: np.ndarray
    frequency: np.ndarray
    visibility: np.ndarray
    weight: np.ndarray
    weight_of: tuple[int, ...]
    baselines: int


@dataclass(frozen=True)
class UVRange:
    """Projected baseline lengths that are used, both ends included; None for no limit."""

    shortest: UVDistance | None = None
    longest: UVDistance | None = None

    def limits(self, frequency: np.ndarray) -> np.ndarray:
        """Return (2,F): the shortest and the longest length in m by channel."""
        limits = np.empty((2, len(frequency)))
        for row, limit, missing in ((0, self.shortest, 0.0), (1, self.longest, np.inf)):
            scale = LIGHT_SPEED / frequency if limit and limit.in_wavelengths else 1.0
            limits[row] = missing if limit is None else limit.value * scale
        return limits


def gather(slabs: Iterable[VisibilityChunk], stokes: tuple[str, ...], centre: Direction,
           uv_range: UVRange | None = None, band: tuple[float, float] | None = None,
           nbytes: int = GROUP_BYTES) -> Iterator[StokesVisibilities]:
    """Yield the Stokes visibilities of slabs, as many rows at once as fit in some `nbytes`.

    Slabs that are not of the same channels and correlations are never in one group. The memory of
    a group is used again for the next.

    Parameters
    ----------
    slabs : iterable of VisibilityChunk
    stokes : Stokes parameters, which the correlations have to allow
    centre : of the image, ICRS; uvw and phases are turned to it
    uv_range : projected lengths to use, all where None
    band : lowest and highest channel centre to use, Hz, all where None
    nbytes : about the size of a group
    """
    group: _Group | None = None
    for slab in slabs:
        chosen = _channels(slab.frequency, band)
        if not len(chosen):
            continue
        done = 0
        rows = slab.uvw.shape[0]
        while done < rows:
            if group is None or not group.takes(slab, chosen):
                if group is not None and group.filled:
                    yield group.visibilities()
                group = _Group(slab, chosen, stokes, centre, uv_range or UVRange(), nbytes,
                               group)
            done += group.fill(slab, done)
            if done < rows:
                yield group.visibilities()
                group.filled = 0
    if group is not None and group.filled:
        yield group.visibilities()


def group_bytes(size: int) -> int:
    """Return the memory of visibilities that are gridded at once, into an image of so many pixels.

    About that of the image's transform, for that is what each group costs.
    """
    return min(max(_BYTES_A_PIXEL * size**2, _FEWEST_BYTES), _MOST_BYTES)


class _Group:
    """Rows of one kind being filled."""

    def __init__(self, slab, chosen, stokes, centre, uv_range, nbytes, before):
        self._channels = chosen
        self._kind = _kind(slab, chosen)
        self._frequency = np.ascontiguousarray(slab.frequency[chosen])
        self._limits = uv_range.limits(self._frequency)
        self._stokes = stokes
        self._turn = turn_to(centre, Direction(*slab.phase_centre, slab.frame))
        pairs = pairs_of(slab.correlations)
        self._pairs = np.array([[slab.correlations.index(name) for name in pair.correlations]
                                for pair in pairs])
        self._parts = np.array([[STOKES.index(pair.sum_stokes),
                                 STOKES.index(pair.difference_stokes)] for pair in pairs])
        self._factors = np.array([pair.difference_factor for pair in pairs], complex)
        made = {STOKES[part] for part in self._parts.ravel()}
        missing = [name for name in stokes if name not in made]
        if missing:
            raise ValueError(f"Stokes {', '.join(missing)} cannot be made of the correlations "
                             f"{', '.join(slab.correlations)}")
        self._slot = np.full(4, -1)
        self._slot[[STOKES.index(name) for name in stokes]] = np.arange(len(stokes))
        self._weight_of = _shared_weights(stokes, pairs)
        self._weight_slot = np.full(4, -1)
        for name, place in zip(stokes, self._weight_of, strict=True):
            self._weight_slot[STOKES.index(name)] = place
        S, K, F = len(stokes), max(self._weight_of) + 1, len(chosen)
        B = self._baselines = slab.uvw.shape[1]
        rows = max(B, nbytes // (F * _BYTES) // B * B)
        if before is not None and before._visibility.shape == (S, rows, F) \
                and before._weight.shape == (K, rows, F):
            self._visibility, self._weight = before._visibility, before._weight
            self._uvw = before._uvw
        else:
            # Pages that are never filled are never made.
            self._visibility = np.empty((S, rows, F), np.complex64)
            self._weight = np.empty((K, rows, F), np.float32)
            self._uvw = np.empty((rows, 3))
        self.filled = 0

    def takes(self, slab, chosen) -> bool:
        return self._kind == _kind(slab, chosen)

    def fill(self, slab: VisibilityChunk, begin: int) -> int:
        """Take integrations of a slab from `begin` on; return how many there was room for."""
        B = slab.uvw.shape[1]
        count = min((len(self._uvw) - self.filled) // B, len(slab.time) - begin)
        part = slab.select_times(begin, begin + count)
        rows = slice(self.filled, self.filled + count * B)
        uvw = part.uvw.reshape(-1, 3)
        path = uvw @ self._turn.offset if np.any(self._turn.offset) else np.zeros(0)
        form_stokes(np.ascontiguousarray(part.visibility), np.ascontiguousarray(part.flags),
                    np.ascontiguousarray(part.weight), np.ascontiguousarray(uvw), path,
                    np.ascontiguousarray(part.feed_angle), self._frequency / LIGHT_SPEED,
                    self._channels, self._limits, self._pairs, self._parts, self._factors,
                    self._slot, self._weight_slot, self._visibility[:, rows],
                    self._weight[:, rows])
        self._uvw[rows] = uvw @ self._turn.axes.T
        self.filled += count * B
        return count

    def visibilities(self) -> StokesVisibilities:
        return StokesVisibilities(self._stokes, self._uvw[:self.filled], self._frequency,
                                  self._visibility[:, :self.filled],
                                  self._weight[:, :self.filled], self._weight_of,
                                  self._baselines)


def _channels(frequency: np.ndarray, band: tuple[float, float] | None) -> np.ndarray:
    """Return the places of the channels in a band, in the order of frequency."""
    order = np.argsort(frequency)
    if band is None:
        return order
    return order[(frequency[order] >= band[0]) & (frequency[order] <= band[1])]


def _kind(slab: VisibilityChunk, chosen: np.ndarray) -> tuple:
    return (slab.correlations, slab.phase_centre, slab.frame, slab.uvw.shape[1],
            slab.frequency[chosen].tobytes(), slab.frequency.tobytes())


def _shared_weights(stokes: tuple[str, ...], pairs) -> tuple[int, ...]:
    """Return which array of weights each Stokes parameter has; those of one pair have the same.

    Q and U of linear feeds that turn are of both pairs, and have one each.
    """
    own = [frozenset((pair.sum_stokes, pair.difference_stokes)) for pair in pairs]
    mixed = {"Q", "U"} <= set().union(*own) and frozenset("QU") not in own
    sets = [name if mixed and name in "QU" else next(pair for pair in own if name in pair)
            for name in stokes]
    first = list(dict.fromkeys(sets))
    return tuple(first.index(item) for item in sets)


@numba.njit(
    void(given(complex64, 4), given(uint8, 4), given(float32, 4), given(float64, 2),
         given(float64, 1), given(float64, 1), given(float64, 1), given(int64, 1),
         given(float64, 2), given(int64, 2), given(int64, 2), given(complex128, 1),
         given(int64, 1), given(int64, 1), complex64[:, :, :], float32[:, :, :]),
    cache=True, nogil=True, error_model="numpy")
def form_stokes(visibility, flags, weight, uvw, path, feed_angle, wavenumber, channels, limits,
                pairs, parts, factors, slot, weight_slot, out, out_weight):
    """Form Stokes visibilities (S,T*B,F) and weights (K,T*B,F) of correlations (T,B,F,P).

    `path` (T*B or 0) m is that by which phases are turned; `wavenumber` (F) turns per m;
    `channels` (F) the places of the channels on axis F; `limits` (2,F) m; `pairs`, `parts`, (2,n)
    the places on axis P and the Stokes parameters (0 to 3) of each pair, with `factors` of the
    difference; `slot` and `weight_slot` (4) where each Stokes parameter goes, -1 for nowhere.
    """
    T, B = visibility.shape[:2]
    W = weight.shape[2]
    F, N = len(channels), len(pairs)
    value = np.zeros(4, np.complex128)
    known = np.zeros(4)
    for t in range(T):
        cosine, sine = np.cos(2 * feed_angle[t]), np.sin(2 * feed_angle[t])
        turned = feed_angle[t] != 0.0
        for b in range(B):
            row = t * B + b
            length = np.hypot(uvw[row, 0], uvw[row, 1])
            for f in range(F):
                k = channels[f]
                known[:] = 0
                used = limits[0, f] <= length <= limits[1, f]
                for n in range(N if used else 0):
                    i, j = pairs[n, 0], pairs[n, 1]
                    w1 = np.float64(weight[t, b, k if W > 1 else 0, i])
                    w2 = np.float64(weight[t, b, k if W > 1 else 0, j])
                    x, y = visibility[t, b, k, i], visibility[t, b, k, j]
                    finite = (x.real + x.imag + y.real + y.imag) * np.float32(0) == 0
                    if (flags[t, b, k, i] | flags[t, b, k, j]) or not finite or not (
                            0 < w1 < np.inf and 0 < w2 < np.inf):
                        continue
                    w = 4 * w1 * w2 / (w1 + w2)
                    value[parts[n, 0]] = (np.complex128(x) + y) / 2
                    value[parts[n, 1]] = factors[n] * ((np.complex128(x) - y) / 2)
                    known[parts[n, 0]] = w
                    known[parts[n, 1]] = w
                if turned:
                    if known[1] > 0 and known[2] > 0:
                        q, u, wq, wu = value[1], value[2], known[1], known[2]
                        value[1] = q * cosine - u * sine
                        value[2] = q * sine + u * cosine
                        known[1] = wq * wu / (cosine * cosine * wu + sine * sine * wq)
                        known[2] = wq * wu / (sine * sine * wu + cosine * cosine * wq)
                    elif N > 1:
                        known[1] = known[2] = 0
                real, imaginary = 1.0, 0.0
                if len(path):
                    real, imaginary = turn(-path[row] * wavenumber[f])
                phase = complex(real, imaginary)
                for s in range(4):
                    if slot[s] >= 0:
                        is_known = known[s] > 0
                        out[slot[s], row, f] = value[s] * phase if is_known else 0
                        out_weight[weight_slot[s], row, f] = known[s]
