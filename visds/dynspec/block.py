"""The dynamic spectrum of one chunk, built up slab by slab."""

from collections.abc import Iterable

import numpy as np

from visds.core.polarization import pairs_of, parallel_hands
from visds.core.sky import Direction, direction_cosines
from visds.dynspec.average import pair_sums, sum_up
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stokes import form_stokes
from visds.visibility.chunk import VisibilityChunk


def make_block(slabs: Iterable[VisibilityChunk], target: Direction, stokes: tuple[str, ...],
               correlations: tuple[str, ...]) -> DynamicSpectrum:
    """Return the dynamic spectrum of a chunk, turned to a target, from its slabs.

    `correlations` are those to use; `stokes` what to make of them. Arrival times are left NaN:
    they are set when blocks are stitched. `meta` holds the visibilities counted by flag byte, the
    longest baseline and how many baselines occur more than once at a time.
    """
    parts, raw = [], []
    longest = 0.0
    for chunk in slabs:
        used = tuple(name if name in correlations else "" for name in chunk.correlations)
        pairs = pairs_of(used)
        places = np.array([[used.index(label) for label in pair.correlations] for pair in pairs])
        raw.append(sum_up(chunk.visibility, chunk.flags, chunk.weight, places,
                          path_to(target, chunk), chunk.frequency))
        parts.append((chunk.time, chunk.integration, chunk.feed_angle))
        longest = max(longest, float(np.hypot(chunk.uvw[..., 0], chunk.uvw[..., 1]).max()))
    time, integration, feed_angle = map(np.concatenate, zip(*parts, strict=True))
    sums = pair_sums(raw)
    made = form_stokes(sums, pairs, stokes, feed_angle)
    order = np.argsort(chunk.frequency, kind="stable")
    F, T = len(order), len(time)
    return DynamicSpectrum(
        time=time, integration=integration,
        time_barycentre=np.full(T, np.nan), scan=np.full(T, chunk.scan),
        frequency=chunk.frequency[order], channel_width=chunk.channel_width[order],
        spectral_window=np.full(F, chunk.spectral_window),
        sum_w2_cross=made.sum_w2_cross[:, order],
        sum_w2_covariance=made.sum_w2_covariance[:, order],
        polarizations=stokes, parallel_hands=parallel_hands(correlations),
        meta={"flag_counts": {str(byte): int(number) for byte, number in enumerate(sums.flag_counts)
                              if number},
              "longest_baseline_m": longest,
              "repeated_baselines": len(chunk.antennas) - len(np.unique(chunk.antennas, axis=0))},
        **{name: values[:, order] for name, values in made.cells.items()})


def path_to(target: Direction, chunk: VisibilityChunk) -> np.ndarray | None:
    """Return u l + v m + w (n - 1) (T,B) in m of a target; None at the phase centre itself."""
    centre = Direction(*chunk.phase_centre, chunk.frame)
    there = target.to(chunk.frame)
    cosines = direction_cosines(there.ra, there.dec, centre)
    if np.hypot(cosines[0], cosines[1]) < 1e-12:
        return None
    return chunk.uvw @ cosines
