"""Visibilities of a sky model: the direct sum over its components.

V = sum S(nu) exp(+2 pi i (nu/c) (u l + v m + w (n - 1))) E, in float64, without approximation of
small angles; E is the Fourier transform of a Gaussian's shape and what smearing leaves.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numba import boolean, complex64, complex128, float64, void

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction
from visds.core.vector import decay, given, turn, vector_kernel
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.correlation_matrix import correlation_matrix
from visds.visibility.sky_model.gaussian import gaussian_axes
from visds.visibility.sky_model.smearing import EARTH_RATE, TURNS

# Channels predicted at once, and of them those whose phase is computed by polynomials.
_BLOCK = 128
_DIRECT = 32
# Fluxes are tabulated for a block of channels of so many components that they stay in the cache.
_TABLE_BYTES = 5e5
# Gaussians resolved out beyond exp(-32), 1e-14, are left out.
_FAINTEST = 32.0


def add_components(visibility: np.ndarray, scale: float, chunk: VisibilityChunk,
                   model: ComponentModel, *,
                   beam: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
                   smearing: bool = False, threads: int = 1) -> None:
    """Add `scale` times a model's visibilities to `visibility`, in place.

    Sums of some hundreds of components are float64, rounded when added to `visibility`. Memory
    taken is some megabytes, whatever the size of the chunk. Rows that the measurement set does not
    hold (flag ABSENT) stay as they are.

    With `smearing`, visibilities are averages over channel and integration. Over a channel, of
    which all frequencies weigh alike, that is the factor sinc(dnu tau). An integration over which
    the phase may turn by more than a quarter (a factor below 0.9) is sampled so often, the
    baselines turned with the Earth, that between samples it does not; the factor sinc(f dt) stands
    for the rest. The pole of date is taken for that of the frame, and a spectrum for constant over
    a channel.

    Parameters
    ----------
    visibility : (T,B,F,P) complex64, Jy
        Modified. Its axes are those of `chunk`.
    scale : float
    chunk : VisibilityChunk
        Says where and how was observed; its own visibilities are not used.
    model : ComponentModel
    beam : callable, optional
        Primary beam that flux densities are multiplied with: from l and m (S,2) about the phase
        centre and frequencies (F) in Hz to (S,F).
    smearing : bool
    threads : int
    """
    polarized = np.any(model.stokes != 0, axis=0)
    if not polarized.any():
        return
    matrix = scale * correlation_matrix(chunk.correlations, chunk.feed_angle)
    matrix = np.ascontiguousarray(matrix[..., polarized])
    centre = Direction(*chunk.phase_centre, frame=chunk.frame)
    cosines, axes = _geometry(model, centre)
    wavenumber = chunk.frequency / LIGHT_SPEED
    farthest = np.abs(chunk.uvw).max(initial=0) * np.abs(cosines).sum(axis=1).max()
    equidistant = _is_equidistant(wavenumber, farthest)
    width, span = chunk.channel_width / LIGHT_SPEED, EARTH_RATE * chunk.integration
    declination = math.radians(centre.dec)
    absent = (chunk.flags[:, :, 0, 0] & Flag.ABSENT) != 0

    def add(components, channels, flux, part):
        times, baselines = part
        sum_components(
            visibility[times, baselines, channels], np.ascontiguousarray(chunk.uvw[part]),
            cosines[components], axes[components], flux, wavenumber[channels], equidistant,
            matrix[times], np.ascontiguousarray(absent[part]), smearing, width[channels],
            span[times], declination)

    parts = list(_parts(*absent.shape, threads))
    with ThreadPoolExecutor(threads) as pool:
        run = pool.map if len(parts) > 1 else map
        for table in _tables(model, polarized, cosines, chunk.frequency, beam):
            list(run(functools.partial(add, *table), parts))


@functools.lru_cache(maxsize=8)
def _geometry(model: ComponentModel, centre: Direction) -> tuple[np.ndarray, np.ndarray]:
    # Kept for the next slab of the field.
    return model.cosines(centre), gaussian_axes(model, centre)


def _parts(T: int, B: int, threads: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of integrations and baselines, one a thread."""
    count, axis = (T, 0) if T >= threads else (B, 1)
    edges = np.linspace(0, count, min(threads, count) + 1).astype(int)
    for part in itertools.starmap(slice, itertools.pairwise(edges)):
        yield (part, slice(None)) if axis == 0 else (slice(None), part)


def _tables(model: ComponentModel, polarized: np.ndarray, cosines: np.ndarray,
            frequency: np.ndarray, beam: Callable | None) -> Iterator[tuple[slice, slice,
                                                                            np.ndarray]]:
    """Yield blocks of components and of channels, and flux densities (K,S,F) of both in Jy."""
    count = max(int(_TABLE_BYTES / (8 * polarized.sum() * min(_BLOCK, len(frequency)))), 16)
    for first in range(0, len(model), count):
        components = slice(first, first + count)
        block = model.select(components)
        for start in range(0, len(frequency), _BLOCK):
            channels = slice(start, start + _BLOCK)
            flux = block.flux_density(frequency[channels])[polarized]
            if beam is not None:
                flux *= beam(cosines[components, :2], frequency[channels])
            yield components, channels, np.ascontiguousarray(flux)


def _is_equidistant(wavenumber: np.ndarray, farthest: float) -> bool:
    """Whether channels are so evenly spaced that no phase errs by 1e-9 turns."""
    even = np.linspace(wavenumber[0], wavenumber[-1], len(wavenumber))
    return bool(np.abs(wavenumber - even).max() * farthest < 1e-9)


@vector_kernel
def _phases(path, wavenumber, equidistant, cosine, sine):
    """Fill cosine and sine of 2 pi path wavenumber (F).

    Of equidistant channels only the first `_DIRECT` are computed one by one. They times a
    constant phase are the next as many, all these times another the next twice as many, and so
    on: products of few factors, so that errors do not pile up.
    """
    F = wavenumber.shape[0]
    done = min(F, _DIRECT) if equidistant else F
    for f in range(done):
        cosine[f], sine[f] = turn(path * wavenumber[f])
    if done == F:
        return
    step_cosine, step_sine = turn(path * (wavenumber[done] - wavenumber[0]))
    while done < F:
        _turn_on(cosine, sine, step_cosine, step_sine, cosine[done:], sine[done:],
                 min(done, F - done))
        done *= 2
        step_cosine, step_sine = (step_cosine * step_cosine - step_sine * step_sine,
                                  2 * step_cosine * step_sine)


@vector_kernel
def _turn_on(cosine, sine, step_cosine, step_sine, next_cosine, next_sine, count):
    for f in range(count):
        next_cosine[f] = cosine[f] * step_cosine - sine[f] * step_sine
        next_sine[f] = cosine[f] * step_sine + sine[f] * step_cosine


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def _shape(axes, s, u, v, w):
    """Return |a uvw|^2 of the axes a (S,2,3) of component s."""
    major = axes[s, 0, 0] * u + axes[s, 0, 1] * v + axes[s, 0, 2] * w
    minor = axes[s, 1, 0] * u + axes[s, 1, 1] * v + axes[s, 1, 2] * w
    return major * major + minor * minor


@vector_kernel
def _damp(amplitude, shape, turning, square, cosine, sine):
    """Multiply a fringe by what Gaussian shape and turning over a sub-sample leave of it.

    That is amplitude exp(-shape k^2) sinc(z / pi), z^2 = turning k^2, for `square` k^2 (F) of the
    wavenumbers; log sinc(z / pi) = -z^2/6 - z^4/180 - z^6/2835 - z^8/37800, to 2e-7 where z < 0.8.
    """
    first, second = shape + turning / 6, turning * turning / 180
    third, fourth = turning * turning * turning / 2835, turning**4 / 37800
    for f in range(square.shape[0]):
        x = square[f]
        factor = amplitude * decay(x * (first + x * (second + x * (third + x * fourth))))
        cosine[f] *= factor
        sine[f] *= factor


@vector_kernel
def _average_channels(path, width, cosine, sine):
    """Multiply a fringe by sinc(path width), what averages over channels leave of it."""
    for f in range(width.shape[0]):
        turns = path * width[f]
        _, value = turn(0.5 * turns)
        factor = value / (math.pi * turns) if abs(turns) > 1e-6 else 1.0
        cosine[f] *= factor
        sine[f] *= factor


@vector_kernel
def _add_fringe(flux, s, cosine, sine, sums):
    """Add a component's fluxes times its fringe to the sums of each Stokes parameter."""
    for k in range(flux.shape[0]):
        real, imaginary = 2 * k * _BLOCK, (2 * k + 1) * _BLOCK
        for f in range(flux.shape[2]):
            sums[real + f] += flux[k, s, f] * cosine[f]
            sums[imaginary + f] += flux[k, s, f] * sine[f]


@numba.njit(
    void(complex64[:, :, :, :], given(float64, 3), given(float64, 2), given(float64, 3),
         given(float64, 3), given(float64, 1), boolean, given(complex128, 3), given(boolean, 2),
         boolean, given(float64, 1), given(float64, 1), float64),
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def sum_components(visibility, uvw, cosines, axes, flux, wavenumber, equidistant, matrix, absent,
                   smearing, width, span, declination):
    """Add the visibilities of components to `visibility` (T,B,F,P), F at most `_BLOCK`.

    `cosines` (S,3), `axes` (S,2,3) of `gaussian_axes`, `flux` (K,S,F) in Jy of K Stokes
    parameters, `wavenumber` (F) in turns per m, `matrix` (T,P,K) from Stokes parameters to
    correlations, `absent` (T,B) where not to add. With `smearing` averages over `width` (F) in
    turns per m and the angle `span` (T) by which the Earth turns, `declination` in rad.
    """
    T, B, F, P = visibility.shape
    K, S = flux.shape[:2]
    cosine, sine = np.zeros(_BLOCK), np.zeros(_BLOCK)
    sums = np.zeros(K * 2 * _BLOCK)
    square = np.empty(F)
    is_even = True
    for f in range(F):
        square[f] = wavenumber[f] * wavenumber[f]
        is_even = is_even and width[f] == width[0]
    least, most = square.min(), math.sqrt(square.max())
    across, along = math.sin(declination), math.cos(declination)
    for t in range(T):
        for b in range(B):
            if absent[t, b]:
                continue
            sums[:] = 0
            u, v, w = uvw[t, b, 0], uvw[t, b, 1], uvw[t, b, 2]
            # First and second derivative of u, v, w by the hour angle.
            du, dv, dw = w * along - v * across, u * across, -u * along
            ddu, ddv, ddw = dw * along - dv * across, du * across, -du * along
            for s in range(S):
                l, m, n = cosines[s, 0], cosines[s, 1], cosines[s, 2]  # noqa: E741
                path = u * l + v * m + w * n
                shape = _shape(axes, s, u, v, w)
                if shape * least > _FAINTEST:
                    continue
                if not smearing:
                    _phases(path, wavenumber, equidistant, cosine, sine)
                    if shape != 0:
                        _damp(1.0, shape, 0.0, square, cosine, sine)
                    _add_fringe(flux, s, cosine, sine, sums)
                    continue
                rate = du * l + dv * m + dw * n
                bend = ddu * l + ddv * m + ddw * n
                turns = span[t] * most * math.hypot(rate, bend)
                samples = max(1, math.ceil(turns / TURNS))
                step = span[t] / samples
                for i in range(samples):
                    angle = (i + 0.5 - 0.5 * samples) * step
                    # The sine and, averaged over the sub-sample, 1 less the cosine.
                    sway, lag = math.sin(angle), 2 * math.sin(angle / 2)**2 + step * step / 24
                    moved = path + sway * rate + lag * bend
                    turning = math.pi * step * (rate * (1 - lag) + bend * sway)
                    amplitude = 1 / samples
                    if is_even:
                        turned = math.pi * moved * width[0]
                        if turned != 0:
                            amplitude *= math.sin(turned) / turned
                    _phases(moved, wavenumber, equidistant, cosine, sine)
                    _damp(amplitude, _shape(axes, s, u + sway * du + lag * ddu,
                                            v + sway * dv + lag * ddv, w + sway * dw + lag * ddw),
                          turning * turning, square, cosine, sine)
                    if not is_even:
                        _average_channels(moved, width, cosine, sine)
                    _add_fringe(flux, s, cosine, sine, sums)
            for p in range(P):
                for k in range(K):
                    factor = matrix[t, p, k]
                    if factor == 0:
                        continue
                    for f in range(F):
                        visibility[t, b, f, p] += factor * complex(
                            sums[2 * k * _BLOCK + f], sums[(2 * k + 1) * _BLOCK + f])
