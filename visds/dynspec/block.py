"""The dynamic spectrum of one chunk, built up slab by slab."""

import itertools
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
    slabs = iter(slabs)
    first = next(slabs)
    used = tuple(name if name in correlations else "" for name in first.correlations)
    pairs = pairs_of(used)
    places = np.array([[used.index(label) for label in pair.correlations] for pair in pairs])
    cosines = cosines_of(target, first)
    axes, parts, uvw = [], [], []
    for chunk in itertools.chain([first], slabs):
        path = None if cosines is None else chunk.uvw @ cosines
        parts.append(sum_up(chunk.visibility, chunk.flags, chunk.weight, places, path,
                            chunk.frequency))
        axes.append((chunk.time, chunk.integration, chunk.feed_angle))
        uvw.append(chunk.uvw)
    time, integration, feed_angle = map(np.concatenate, zip(*axes, strict=True))
    sums = pair_sums(parts)
    made = form_stokes(sums, pairs, stokes, feed_angle)
    order = np.argsort(first.frequency, kind="stable")
    if np.all(np.diff(order) > 0):
        order = slice(None)
    F, T = len(first.frequency), len(time)
    return DynamicSpectrum(
        time=time, integration=integration,
        time_barycentre=np.full(T, np.nan), scan=np.full(T, first.scan),
        frequency=first.frequency[order], channel_width=first.channel_width[order],
        spectral_window=np.full(F, first.spectral_window), primary_beam=np.ones(F),
        sum_w2_cross=made.sum_w2_cross[:, order],
        sum_w2_covariance=made.sum_w2_covariance[:, order],
        polarizations=stokes, parallel_hands=parallel_hands(correlations),
        meta={"flag_counts": {str(byte): int(number) for byte, number in enumerate(sums.flag_counts)
                              if number},
              "longest_baseline_m": float(np.hypot(*np.concatenate(uvw).T[:2]).max()),
              "repeated_baselines": len(first.antennas) - len(np.unique(first.antennas, axis=0))},
        **{name: values[:, order] for name, values in made.cells.items()})


def cosines_of(target: Direction, chunk: VisibilityChunk) -> np.ndarray | None:
    """Return l, m and n - 1 (3) of a target; None at the phase centre itself.

    uvw times them is the target's path in m.
    """
    centre = Direction(*chunk.phase_centre, chunk.frame)
    there = target.to(chunk.frame)
    cosines = direction_cosines(there.ra, there.dec, centre)
    return None if np.hypot(cosines[0], cosines[1]) < 1e-12 else cosines
