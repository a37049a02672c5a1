"""The direct sum over components on a GPU: phases in double, reduced, then single precision.

A block of threads sums a tile of components for some rows and channels. The paths of the tile are
computed once for all channels, in float64. A thread has one channel of `ROWS` rows: turns of the
phase in float64, of which only the part beyond whole turns is taken to float32; the sums of a tile
are float32, those over tiles float64.
"""

import functools
import math

import numpy as np
from numba import config, cuda, float32, float64

# The slabs of small arrays do not fill a GPU; users can do nothing about that.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

THREADS = 128
ROWS = 4
_TILE = 32
_ROUND = 1.5 * 2.0**52
_QUARTER, _HALF = np.float32(0.25), np.float32(0.5)
# sin(2 pi x) / x and cos(2 pi x) at the Chebyshev nodes of x^2 up to a quarter turn, to 2e-7.
_SINE = tuple(map(np.float32, (
    6.28318528, -41.34168061, 81.60247637, -76.58117264, 39.75982709)))
_COSINE = tuple(map(np.float32, (
    1.0, -19.73920855, 64.93934648, -85.45356476, 60.14388956, -24.98143444)))
_S0, _S1, _S2, _S3, _S4 = _SINE
_C0, _C1, _C2, _C3, _C4, _C5 = _COSINE
# Terms of sin(z) / z in z^2.
_T1, _T2, _T3, _T4 = (np.float32(1 / math.factorial(n)) for n in (3, 5, 7, 9))
_PI, _SMALL, _ROUND_SINGLE = map(np.float32, (np.pi, 1e-4, 1.5 * 2**23))


@cuda.jit(device=True)
def _turn(part):
    """Return cosine and sine of 2 pi `part`, float32, between half a turn either way."""
    folded = abs(part) > _QUARTER
    half = _HALF if part > 0 else -_HALF
    x = half - part if folded else part
    t = x * x
    sine = x * (_S0 + t * (_S1 + t * (_S2 + t * (_S3 + t * _S4))))
    cosine = _C0 + t * (_C1 + t * (_C2 + t * (_C3 + t * (_C4 + t * _C5))))
    return (-cosine if folded else cosine), sine


@cuda.jit(device=True)
def _turned(u, v, w, across, along, angle, step):
    """Return uvw turned by an angle of the Earth, averaged over a step, and its derivative.

    `across` and `along` are sine and cosine of the declination.
    """
    du, dv, dw = w * along - v * across, u * across, -u * along
    ddu, ddv, ddw = dw * along - dv * across, du * across, -du * along
    sway = math.sin(angle)
    lag = 2.0 * math.sin(0.5 * angle)**2 + step * step / 24.0
    still = 1.0 - lag
    return (u + sway * du + lag * ddu, v + sway * dv + lag * ddv, w + sway * dw + lag * ddw,
            still * du + sway * ddu, still * dv + sway * ddv, still * dw + sway * ddw)


@cuda.jit(device=True)
def _average(turns, square, turning):
    """Return sinc(turns) over a channel times sinc(z / pi) over a sub-sample, float32.

    z^2 = turning square, below 0.62.
    """
    half = turns * _HALF
    _, sine = _turn(half - ((half + _ROUND_SINGLE) - _ROUND_SINGLE))
    x = _PI * turns
    channel = sine / x if abs(turns) > _SMALL else _C0
    z = square * turning
    return channel * (_C0 - z * (_T1 - z * (_T2 - z * (_T3 - z * _T4))))


@functools.cache
def kernel_for(channels: int, stokes: int, *, extended: bool, smearing: bool):
    """Return the kernel for blocks of `channels` (a divisor of `THREADS`) and some Stokes.

    Its arguments: uvw (N,3), cosines (S,3) and axes (S,2,3) float64; flux (K,S,F) float32 in Jy;
    wavenumber and width (F) float64 in turns per m; span (N) in rad, the turn of the Earth over
    each integration, and how many samples are taken of it; sine and cosine of the declination;
    sums (2K,N,F) float64, real and imaginary parts of each Stokes parameter, to which it adds.
    `extended` says whether any component is a Gaussian; without `smearing` samples are 1, and
    width, span and the declination are not used. To be launched on `grid_for` blocks of `THREADS`.
    """
    rows, size = THREADS // channels * ROWS, 2 * ROWS * stokes

    @cuda.jit
    def add(uvw, cosines, axes, flux, wavenumber, width, span, samples, across, along, sums):
        paths = cuda.shared.array((rows, _TILE), float64)
        shapes = cuda.shared.array((rows, _TILE), float32)
        turnings = cuda.shared.array((rows, _TILE), float32)
        total = cuda.local.array(size, float64)
        part = cuda.local.array(size, float32)
        lane = cuda.threadIdx.x
        first = cuda.blockIdx.x * rows
        channel = cuda.blockIdx.y * channels + lane % channels
        own = lane // channels * ROWS
        N, S, F = uvw.shape[0], cosines.shape[0], wavenumber.shape[0]
        f = min(channel, F - 1)
        k, wide = wavenumber[f], width[f]
        square = float32(k * k)
        for i in range(size):
            total[i] = 0.0
        for sample in range(samples):
            for begin in range(0, S, _TILE):
                cuda.syncthreads()
                for entry in range(lane, rows * _TILE, THREADS):
                    row, s = entry // _TILE, entry % _TILE
                    path = shape = turning = 0.0
                    if first + row < N and begin + s < S:
                        u, v, w = uvw[first + row, 0], uvw[first + row, 1], uvw[first + row, 2]
                        at = begin + s
                        if smearing:
                            step = span[first + row] / samples
                            u, v, w, du, dv, dw = _turned(
                                u, v, w, across, along, (sample + 0.5 - 0.5 * samples) * step, step)
                            turning = math.pi * step * (
                                du * cosines[at, 0] + dv * cosines[at, 1] + dw * cosines[at, 2])
                        path = u * cosines[at, 0] + v * cosines[at, 1] + w * cosines[at, 2]
                        if extended:
                            major = u * axes[at, 0, 0] + v * axes[at, 0, 1] + w * axes[at, 0, 2]
                            minor = u * axes[at, 1, 0] + v * axes[at, 1, 1] + w * axes[at, 1, 2]
                            shape = major * major + minor * minor
                    paths[row, s] = path
                    shapes[row, s] = float32(shape)
                    turnings[row, s] = float32(turning * turning)
                cuda.syncthreads()
                for i in range(size):
                    part[i] = float32(0)
                for s in range(min(_TILE, S - begin)):
                    for r in range(ROWS):
                        path = paths[own + r, s]
                        turns = path * k
                        cosine, sine = _turn(float32(turns - ((turns + _ROUND) - _ROUND)))
                        if extended:
                            left = math.exp(-shapes[own + r, s] * square)
                            cosine *= left
                            sine *= left
                        if smearing:
                            left = _average(float32(path * wide), square, turnings[own + r, s])
                            cosine *= left
                            sine *= left
                        for p in range(stokes):
                            value = flux[p, begin + s, f]
                            part[(r * stokes + p) * 2] += value * cosine
                            part[(r * stokes + p) * 2 + 1] += value * sine
                for i in range(size):
                    total[i] += part[i]
        if channel < F:
            for r in range(ROWS):
                row = first + own + r
                if row < N:
                    for p in range(2 * stokes):
                        sums[p, row, channel] += total[r * stokes * 2 + p] / samples

    return add


def channels_of_block(channels: int) -> int:
    """Return how many channels a block of threads has, for some channels in all."""
    width = 8
    while width < min(channels, THREADS):
        width *= 2
    return width


def grid_for(rows: int, channels: int) -> tuple[int, int]:
    """Return the blocks of threads along rows and channels."""
    width = channels_of_block(channels)
    return -(-rows // (THREADS // width * ROWS)), -(-channels // width)
