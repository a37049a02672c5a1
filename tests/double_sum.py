"""Chunks and models of components, and their visibilities by an independent double sum."""

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel

CIRCULAR = ("RR", "RL", "LR", "LL")
LINEAR = ("XX", "XY", "YX", "YY")


def chunk_of(T=2, B=5, frequency=None, *, correlations=CIRCULAR, feed_angle=0.0, frame="J2000",
             centre=(83.6, 22.0), seed=0):
    rng = np.random.default_rng(seed)
    frequency = 1e9 + 1e6 * np.arange(7) if frequency is None else np.asarray(frequency, float)
    F, P = len(frequency), len(correlations)
    return VisibilityChunk(
        visibility=np.zeros((T, B, F, P)), flags=np.zeros((T, B, F, P)),
        weight=np.ones((T, B, 1, P)), uvw=rng.uniform(-2e4, 2e4, (T, B, 3)),
        antennas=np.zeros((B, 2)), time=np.arange(T), integration=np.ones(T),
        feed_angle=np.broadcast_to(np.asarray(feed_angle, float), T), frequency=frequency,
        channel_width=np.ones(F), correlations=correlations, phase_centre=centre, frame=frame,
        field="star", scan=1, spectral_window=0)


def model_of(S=5, *, centre=(83.6, 22.0), size=2.0, polarized=False, seed=1):
    rng = np.random.default_rng(seed)
    stokes = np.zeros((S, 4))
    stokes[:, 0] = rng.uniform(0.1, 3, S)
    if polarized:
        stokes[:, 1:] = rng.uniform(-1, 1, (S, 3))
    return ComponentModel(centre[0] + rng.uniform(-size, size, S),
                          centre[1] + rng.uniform(-size, size, S), stokes,
                          rng.uniform(0.8e9, 2e9, S), rng.uniform(-2, 1, S))


def unit_vector(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def reference(chunk, model):
    """Sum as the conventions say, one visibility after the other, with vectors on the sphere."""
    T, B, F, P = chunk.visibility.shape
    result = np.zeros((T, B, F, P), complex)
    ra0 = np.radians(chunk.phase_centre[0])
    towards = unit_vector(*chunk.phase_centre)
    east = np.array([-np.sin(ra0), np.cos(ra0), 0])
    north = np.cross(towards, east)
    for s in range(len(model.ra)):
        place = Direction(model.ra[s], model.dec[s]).to(chunk.frame)
        vector = unit_vector(place.ra, place.dec)
        lmn = np.array([vector @ east, vector @ north, vector @ towards - 1])
        for t, b, f in np.ndindex(T, B, F):
            nu = chunk.frequency[f]
            i, q, u, v = (model.stokes[s] * (nu / model.reference_frequency[s])
                          ** model.spectral_terms[s, 0])
            a = 2 * chunk.feed_angle[t]
            q, u = q * np.cos(a) + u * np.sin(a), u * np.cos(a) - q * np.sin(a)
            values = {"RR": i + v, "LL": i - v, "RL": q + 1j * u, "LR": q - 1j * u,
                      "XX": i + q, "YY": i - q, "XY": u + 1j * v, "YX": u - 1j * v}
            fringe = np.exp(2j * np.pi * nu / LIGHT_SPEED * (chunk.uvw[t, b] @ lmn))
            result[t, b, f] += fringe * np.array([values[name] for name in chunk.correlations])
    return result
