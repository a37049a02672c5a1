"""Chunks of visibilities of point sources, summed by the definition, for tests of images."""

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.visibility.chunk import VisibilityChunk

PHASE_CENTRE = Direction(83.0, 22.0)
CIRCULAR = ("RR", "RL", "LR", "LL")
LINEAR = ("XX", "XY", "YX", "YY")


def antennas(number=12, extent=600.0, seed=3):
    """Return positions (antenna, 3) in m along east, north and the phase centre."""
    return np.random.default_rng(seed).normal(size=(number, 3)) * [extent, extent, extent / 3]


def chunk(sources=(), *, centre=PHASE_CENTRE, correlations=CIRCULAR, integrations=6, channels=8,
          noise=0.0, seed=1, number=12, feed_angle=0.0, extent=600.0, weight=None):
    """Return a chunk of sources (direction, (I, Q, U, V)), with noise of sigma = `noise` a value.

    The array turns by 3 degrees an integration about the phase centre's direction. Each visibility
    has the weight 1 / noise^2, or 1.
    """
    rng = np.random.default_rng(seed)
    place = antennas(number, extent)
    first, second = np.triu_indices(number, 1)
    base = place[first] - place[second]
    uvw = []
    for t in range(integrations):
        angle = np.radians(3.0 * t)
        turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0],
                         [0, 0, 1]])
        uvw.append(base @ turn)
    uvw = np.array(uvw)
    frequency = 1.4e9 + 4e6 * np.arange(channels)
    stokes = np.zeros((*uvw.shape[:2], channels, 4), complex)
    for direction, flux in sources:
        there = direction.to(centre.frame)
        path = uvw @ direction_cosines(there.ra, there.dec, centre)
        wave = np.exp(2j * np.pi * path[..., None] * frequency / LIGHT_SPEED)
        stokes += wave[..., None] * np.array(flux)
    i, q, u, v = np.moveaxis(stokes, -1, 0)
    a = 2 * feed_angle
    q, u = q * np.cos(a) + u * np.sin(a), u * np.cos(a) - q * np.sin(a)
    made = {"RR": i + v, "LL": i - v, "RL": q + 1j * u, "LR": q - 1j * u,
            "XX": i + q, "YY": i - q, "XY": u + 1j * v, "YX": u - 1j * v}
    visibility = np.stack([made[name] for name in correlations], axis=-1)
    if noise:
        visibility = visibility + noise * (rng.normal(size=visibility.shape)
                                           + 1j * rng.normal(size=visibility.shape))
    T, B, F, P = visibility.shape
    value = weight if weight is not None else (1 / noise**2 if noise else 1.0)
    return VisibilityChunk(
        visibility=visibility, flags=np.zeros((T, B, F, P)),
        weight=np.broadcast_to(np.float32(value), (T, B, 1, P)).copy(), uvw=uvw,
        antennas=np.stack([first, second], axis=1), time=59000 + np.arange(T) * 10 / 86400,
        integration=np.full(T, 10.0), feed_angle=np.full(T, feed_angle), frequency=frequency,
        channel_width=np.full(channels, 4e6), correlations=correlations,
        phase_centre=(centre.ra, centre.dec), frame=centre.frame, field="field", scan=1,
        spectral_window=0)
