"""Chunks of a constant point source with noise of known size, for Monte Carlo tests."""

import numpy as np

from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.visibility.chunk import VisibilityChunk

TRUTH = (1.0, 0.1, 0.2, -0.3)
CIRCULAR = ("RR", "RL", "LR", "LL")
LINEAR = ("XX", "XY", "YX", "YY")


def correlations_of(labels, stokes):
    """Return the correlations (..., P) of Stokes parameters (..., 4)."""
    i, q, u, v = np.moveaxis(np.asarray(stokes, float), -1, 0)
    values = {"RR": i + v, "LL": i - v, "RL": q + 1j * u, "LR": q - 1j * u,
              "XX": i + q, "YY": i - q, "XY": u + 1j * v, "YX": u - 1j * v}
    return np.stack([values[label] for label in labels], axis=-1)


def chunk(labels, sigma, T=4000, stokes=TRUTH, feed_angle=0.0, F=1, seed=0, flags=None):
    """Return a chunk of T integrations with noise `sigma` (B,P) of the real part, in Jy.

    The feeds are at `feed_angle` (rad, T or one) on the sky: their Q and U are turned by it.
    """
    rng = np.random.default_rng(seed)
    sigma = np.asarray(sigma, float)
    B, P = sigma.shape
    angle = np.broadcast_to(np.asarray(feed_angle, float), (T,))
    i, q, u, v = np.broadcast_to(np.asarray(stokes, float), (T, 4)).T
    cosine, sine = np.cos(2 * angle), np.sin(2 * angle)
    in_feeds = np.stack([i, q * cosine + u * sine, u * cosine - q * sine, v], axis=-1)
    values = correlations_of(labels, in_feeds)[:, None, None, :]
    shape = (T, B, F, P)
    noise = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    visibility = values + sigma[None, :, None, :] * noise
    weight = np.broadcast_to(1 / sigma[None, :, None, :] ** 2, (T, B, 1, P))
    return VisibilityChunk(
        visibility=visibility, flags=np.zeros(shape) if flags is None else flags, weight=weight,
        uvw=np.zeros((T, B, 3)), antennas=np.arange(2 * B).reshape(B, 2),
        time=59000 + np.arange(T) * 10 / 86400, integration=np.full(T, 10.0), feed_angle=angle,
        frequency=1e9 + 1e6 * np.arange(F), channel_width=np.full(F, 1e6), correlations=labels,
        phase_centre=(10.0, 20.0), frame="ICRS", field="a star", scan=1, spectral_window=0)


def spectrum(made, stokes=None):
    """Return the dynamic spectrum of a chunk at its phase centre."""
    labels = made.correlations
    if stokes is None:
        stokes = ("I", "Q", "U", "V") if len(labels) == 4 else (
            ("I", "V") if "RR" in labels else ("I", "Q"))
    return make_block([made], Direction(*made.phase_centre), stokes, labels)


def unequal(B, labels, seed=5, ratio=4.0, second=2.0):
    """Return noise (B,P) with antennas up to `ratio` apart; the second hand is noisier."""
    rng = np.random.default_rng(seed)
    per_baseline = 0.2 * ratio ** rng.uniform(0, 1, B)
    per_label = np.array([{"RR": 1, "LL": second, "XX": 1, "YY": second}.get(
        label, np.sqrt(second)) for label in labels])
    return per_baseline[:, None] * per_label
