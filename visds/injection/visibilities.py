"""Flares added to the visibilities of a chunk, as a point source on the sky gives them."""

from collections.abc import Sequence

import numpy as np

from visds.core.sky import LIGHT_SPEED, Direction
from visds.dynspec.block import paths_to
from visds.injection.flare import Flare
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.correlation_matrix import correlation_matrix


def with_flares(chunk: VisibilityChunk, direction: Direction, flares: Sequence[Flare],
                factor: np.ndarray | None = None) -> VisibilityChunk:
    """Return the chunk with flares at a direction; its own arrays stay as they are.

    Parameters
    ----------
    chunk : VisibilityChunk
    direction : Direction
        Where they are: their visibilities are S exp(+2 pi i nu/c (u l + v m + w (n - 1))).
    flares : sequence of Flare
    factor : (T,B,F), or what broadcasts to it, optional
        By which they are multiplied: the primary beam, or what averaging leaves of them.
    """
    visibility = np.array(chunk.visibility)
    path = paths_to(direction, chunk)
    for flare in flares:
        times = flare.reach(chunk.time, chunk.integration, chunk.frequency)
        if not len(times):
            continue
        profile = flare.profile(chunk.time[times], chunk.integration[times], chunk.frequency,
                                chunk.channel_width)
        correlations = correlation_matrix(chunk.correlations, chunk.feed_angle[times]) \
            @ np.array(flare.stokes)
        seen = profile[:, np.newaxis] if path is None else profile[:, np.newaxis] * np.exp(
            2j * np.pi / LIGHT_SPEED * path[times][..., np.newaxis] * chunk.frequency)
        if factor is not None:
            seen = seen * np.broadcast_to(factor, chunk.visibility.shape[:3])[times]
        visibility[times] += seen[..., np.newaxis] * correlations[:, np.newaxis, np.newaxis, :]
    return chunk.replace(visibility=visibility)
