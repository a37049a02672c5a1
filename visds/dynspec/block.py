"""The dynamic spectra of one chunk in one or many directions, built up slab by slab."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from visds.core.polarization import pairs_of, parallel_hands
from visds.core.sky import Direction, convert_positions, direction_cosines
from visds.core.track import Track
from visds.dynspec.average import RawSums, pair_sums, sum_up, sum_up_directions
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stokes import form_stokes
from visds.dynspec.waiting_sums import WaitingSums
from visds.visibility.chunk import VisibilityChunk

_TURNED_BYTES = 48e6
"""Sums of further directions that are made at once."""

OwnSlab = Callable[[VisibilityChunk, int], VisibilityChunk | None]


def make_block(slabs: Iterable[VisibilityChunk], target: Direction | Track,
               stokes: tuple[str, ...], correlations: tuple[str, ...]) -> DynamicSpectrum:
    """Return the dynamic spectrum of a chunk, turned to a target; see `make_blocks`."""
    return next(make_blocks(slabs, [target], stokes, correlations))


def make_blocks(slabs: Iterable[VisibilityChunk], directions: Sequence[Direction | Track],
                stokes: tuple[str, ...], correlations: tuple[str, ...],
                scratch: str | os.PathLike | None = None,
                own: OwnSlab | None = None) -> Iterator[DynamicSpectrum]:
    """Yield the dynamic spectra of a chunk in all directions, from its slabs, each taken once.

    Arrival times are left NaN: they are set when blocks are stitched. `meta` holds the visibilities
    counted by flag bits, the longest baseline and how many baselines occur more than once at a
    time.

    Parameters
    ----------
    slabs : iterable of VisibilityChunk
        All of one chunk.
    directions : sequence of Direction or Track
    stokes, correlations : tuple of str
        What to make, of which correlations.
    scratch : path, optional
        Folder of a file without a name, in which the sums of further directions wait, so that
        memory does not grow with their number; by default the system's folder for such files.
    own : callable, optional
        Returns of a slab the one that is averaged in the direction of a number, or None where that
        is the slab itself; it has the same integrations and baselines.
    """
    slabs = iter(slabs)
    first = next(slabs)
    used = tuple(name if name in correlations else "" for name in first.correlations)
    pairs = pairs_of(used)
    places = np.array([[used.index(label) for label in pair.correlations] for pair in pairs])
    axes, parts, longest = [], [], 0.0
    with WaitingSums(len(directions) - 1, scratch) as waiting:
        for chunk in itertools.chain([first], slabs):
            parts.append(waiting.put(_sums(chunk, directions, places, own)))
            axes.append((chunk.time, chunk.integration, chunk.feed_angle))
            longest = max(longest, float(np.hypot(chunk.uvw[..., 0], chunk.uvw[..., 1]).max()))
        time, integration, feed_angle = map(np.concatenate, zip(*axes, strict=True))
        meta = {"longest_baseline_m": longest, "repeated_baselines":
                len(first.antennas) - len(np.unique(first.antennas, axis=0))}
        order = np.argsort(first.frequency, kind="stable")
        order = slice(None) if np.all(np.diff(order) > 0) else order
        F, T = len(first.frequency), len(time)
        common = {
            "time": time, "integration": integration, "time_barycentre": np.full(T, np.nan),
            "scan": np.full(T, first.scan), "frequency": first.frequency[order],
            "channel_width": first.channel_width[order],
            "spectral_window": np.full(F, first.spectral_window), "primary_beam": np.ones(F),
            "inflation": np.ones((F, len(stokes))),
            "polarizations": stokes, "parallel_hands": parallel_hands(correlations)}
        for parts_of_one in itertools.chain([parts], waiting.each()):
            sums = pair_sums(parts_of_one)
            made = form_stokes(sums, pairs, stokes, feed_angle)
            counts = {str(bits): number for bits, number in sums.flag_counts.items()}
            yield DynamicSpectrum(
                **common, meta={"flag_counts": counts} | meta,
                sum_w2_cross=made.sum_w2_cross[:, order],
                sum_w2_covariance=made.sum_w2_covariance[:, order],
                **{name: values[:, order] for name, values in made.cells.items()})


def paths_to(direction: Direction | Track, chunk: VisibilityChunk) -> np.ndarray | None:
    """Return the paths (T,B) in m of a direction, u l + v m + w (n - 1); None at the phase centre.

    The visibilities are turned there by multiplying with exp(-2 pi i path nu / c). A track is
    followed from integration to integration.
    """
    cosines = cosines_of(direction, chunk)
    if cosines is None:
        return None
    return chunk.uvw @ cosines if cosines.ndim == 1 else np.einsum("tbx,tx->tb", chunk.uvw, cosines)


def cosines_of(direction: Direction | Track, chunk: VisibilityChunk) -> np.ndarray | None:
    """Return l, m and n - 1 of a direction (3), of a track (T,3); None at the phase centre itself.

    uvw times them is the path in m.
    """
    centre = Direction(*chunk.phase_centre, chunk.frame)
    if isinstance(direction, Track):
        return direction_cosines(
            *convert_positions(*direction.at(chunk.time), "ICRS", chunk.frame), centre)
    there = direction.to(chunk.frame)
    cosines = direction_cosines(there.ra, there.dec, centre)
    return None if np.hypot(cosines[0], cosines[1]) < 1e-12 else cosines


def _sums(chunk: VisibilityChunk, directions: Sequence[Direction | Track], places: np.ndarray,
          own: OwnSlab | None) -> Iterator[tuple[int, RawSums | np.ndarray]]:
    """Yield the number of a direction and the sums of a slab in it.

    Of directions whose slab is the same the first has all sums, and comes before the others, which
    have what differs.
    """
    alike = []
    for number, direction in enumerate(directions):
        slab = own(chunk, number) if own is not None else None
        if slab is None:
            alike.append(number)
        else:
            yield number, sum_up(slab.visibility, slab.flags, slab.weight, places,
                                 paths_to(direction, slab), slab.frequency)
    arrays = (chunk.visibility, chunk.flags, chunk.weight, places)
    if len(alike) == 1:
        yield alike[0], sum_up(*arrays, paths_to(directions[alike[0]], chunk), chunk.frequency)
    if len(alike) < 2:
        return
    T, F = len(chunk.time), len(chunk.frequency)
    step = max(1, int(_TURNED_BYTES / (8 * T * len(places) * 8 * F)))
    for begin in range(1, len(alike), step):
        some = [alike[0], *alike[begin:begin + step]]
        paths = [paths_to(directions[number], chunk) for number in some]
        paths = [np.zeros(chunk.uvw.shape[:2]) if path is None else path for path in paths]
        sums, turned = sum_up_directions(*arrays, np.stack(paths), chunk.frequency)
        if begin == 1:
            yield alike[0], sums
        yield from zip(some[1:], turned, strict=True)
