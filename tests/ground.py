"""Scans of a small array with noise, a star that bursts and emitters on the ground."""

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.visibility.chunk import VisibilityChunk

CENTRE, STAR = Direction(80.0, 33.0), Direction(80.1, 33.05)


def quiet_scan(T=48, A=12, F=48, labels=("RR", "RL", "LR", "LL"), seed=0):
    """Return a scan with noise of 1 Jy in the real part, weights 1, ascending channels."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(A, 1)
    places = rng.normal(0, 1500, (A, 3))
    B, P = len(first), len(labels)
    turn = 7e-4 * np.arange(T)[:, None]
    x, y, z = (places[second] - places[first]).T
    uvw = np.stack([x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn),
                    np.broadcast_to(z, (T, B))], axis=-1)
    noise = rng.standard_normal((T, B, F, 2 * P), dtype=np.float32).view(np.complex64)
    return VisibilityChunk(
        visibility=noise, flags=np.zeros(noise.shape), weight=np.ones((T, B, 1, P)), uvw=uvw,
        antennas=np.stack([first, second], axis=-1), time=59000 + np.arange(T) * 10 / 86400,
        integration=np.full(T, 10.0), feed_angle=np.zeros(T), frequency=1.4e9 + 1e6 * np.arange(F),
        channel_width=np.full(F, 1e6), correlations=labels, phase_centre=(CENTRE.ra, CENTRE.dec),
        frame="ICRS", field="", scan=1, spectral_window=0)


def fringes(scan, direction=STAR):
    """Return what a source of 1 Jy in a direction has (T,B,F)."""
    cosines = direction_cosines(direction.ra, direction.dec, CENTRE)
    turns = (scan.uvw @ cosines)[..., None] * scan.frequency / LIGHT_SPEED
    return np.exp(2j * np.pi * turns).astype(np.complex64)


def with_burst(scan, flux_density, direction=STAR, sign=1.0):
    """Return the scan with a burst (T,F; Jy) of a star, RR = I and LL = sign I."""
    values = fringes(scan, direction) * np.asarray(flux_density, np.float32)[:, None]
    hands = [{"RR": 1, "XX": 1, "LL": sign, "YY": sign}.get(label, 0)
             for label in scan.correlations]
    return scan.replace(visibility=scan.visibility + values[..., None] * np.float32(hands))


def with_emitter(scan, amplitude, baselines=slice(None), seed=1):
    """Return the scan with an emitter of `amplitude` (T,F; Jy) on the ground, on some baselines."""
    rng = np.random.default_rng(seed)
    B = len(scan.antennas)
    path = rng.uniform(-3000, 3000, B) - scan.uvw[..., 2]
    seen = np.zeros((1, B, 1), np.float32)
    seen[:, baselines] = 1
    values = (np.exp(2j * np.pi * (path[..., None] * scan.frequency / LIGHT_SPEED % 1))
              * seen * np.asarray(amplitude, np.float32)[:, None]).astype(np.complex64)
    return scan.replace(visibility=scan.visibility + values[..., None])
