"""Directions off source: near the targets, where nothing is catalogued or modelled."""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from visds.core.astrometry import east_north, ra_dec, separation_arcsec, unit_vectors
from visds.core.catalogue import Catalogue
from visds.core.plural import counted
from visds.core.sky import Direction, convert_positions, separation
from visds.subtraction import Subtraction, coarsest_beam
from visds.target import Target, distinct_name
from visds.target_settings import TargetSettings
from visds.visibility.plan import Plan
from visds.visibility.sky_model.image_pixels import ImagePixels
from visds.visibility.sky_model.images import ImageModel
from visds.visibility.sky_model.model import Part

# In beams, in an order in which the first few are spread over near and far.
_RINGS = (3.0, 6.5, 10.0, 4.75, 8.25)
_CLEAR = 2.0
"""Beams between a direction off source and all that is known."""
_APART = 1.5
"""Beams between two directions off source."""
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_BLOCK = 50
_BLOCKS = 10
_FARTHEST_DEG = 80.0
# Pixels of an image that have less of its brightest one are not kept clear of.
_BRIGHT = 0.01
_MOST_PLACES = 10000


def place_off_source(plan: Plan, settings: TargetSettings, targets: Sequence[Target],
                     catalogues: Mapping[str, Catalogue], subtraction: Subtraction,
                     width: float) -> tuple[tuple[Target, ...], list[str]]:
    """Return as many directions off source as are asked for, and what is lacking, in words.

    They are clear of all targets, along the whole path of those that move, of the sources of
    catalogues, and of the sky model that is subtracted; and no farther from the phase centre than
    half the `width` (deg) of the primary beam or the target that they are around. The beam is that
    of the lowest frequency, 1.02 times wavelength over the longest baseline.
    """
    if not settings.offsets:
        return (), []
    beam = coarsest_beam(plan)
    ra, dec, radius = known_sources(targets, catalogues, subtraction.model.parts,
                                    epoch=plan.epoch, beam=beam)
    centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
    found = off_source_directions(
        [target.direction for target in targets], ra, dec, radius, beam=beam,
        number=settings.offsets, centre=centre, limit=width / 2)
    taken = {target.file_name.casefold() for target in targets}
    directions = tuple(
        Target(direction, distinct_name(f"off_{number:03d}", taken), role="off source",
               found=f"{separation(direction, targets[nearest].direction) / beam:.2f} beams from "
               f"{targets[nearest].name}")
        for number, (direction, nearest) in enumerate(found, 1))
    lacking = [] if len(found) == settings.offsets else [
        f"--offsets {settings.offsets}: there is room for {counted(len(found), 'direction')} off "
        f"source only, 3 to 10 beams of {3600 * beam:.3g} arcsec from the targets, clear of them, "
        "of the catalogues and of the sky model, and inside the primary beam"]
    return directions, lacking


def off_source_directions(targets: Sequence[Direction], ra: np.ndarray, dec: np.ndarray,
                          radius: np.ndarray, *, beam: float, number: int, centre: Direction,
                          limit: float) -> list[tuple[Direction, int]]:
    """Return directions off source, each with the target (by number) that it is around.

    They are on rings of 3 to 10 beams around the targets in turn, one golden angle after the other,
    two beams clear of what is known and 1.5 beams of each other: the same for the same arguments.
    Fewer than `number` where there is no room.

    Parameters
    ----------
    targets : sequence of Direction
        ICRS.
    ra, dec, radius : (S) deg
        What to keep clear of, ICRS, and how far it reaches.
    beam : float
        Deg.
    number : int
    centre : Direction
        Of the field, ICRS.
    limit : float
        How far from it (deg) a direction may be, or as far as its target is.
    """
    sources = unit_vectors(ra, dec)
    middle = unit_vectors(np.array([centre.ra]), np.array([centre.dec]))
    turns = deque((place, _candidates(target, sources, radius, beam, middle, limit))
                  for place, target in enumerate(targets))
    found: list[tuple[Direction, int]] = []
    accepted = np.empty((0, 3))
    while turns and len(found) < number:
        place, candidates = turns.popleft()
        for candidate in candidates:
            if np.all(_angle(accepted, candidate) >= _APART * beam):
                accepted = np.vstack([accepted, candidate])
                new_ra, new_dec = ra_dec(candidate)
                found.append((Direction(float(new_ra), float(new_dec)), place))
                turns.append((place, candidates))
                break
    return found


def known_sources(targets: Sequence[Target], catalogues: Mapping[str, Catalogue],
                  parts: Sequence[Part], *, epoch: float, beam: float
                  ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions (S; ICRS, deg) of what is known, and how far it reaches (S; deg).

    Of images the pixels that have a hundredth of the brightest; a Gaussian reaches half its major
    axis. Bodies that move are there all along their path, at steps of half a beam.
    """
    places = [_path(target, beam) for target in targets]
    for catalogue in catalogues.values():
        now = catalogue.at_epoch(epoch)
        places.append((now.ra, now.dec, np.zeros(len(now))))
    for part in parts:
        content = part.content
        if isinstance(content, ImageModel):
            places.append(_bright_pixels(content))
            continue
        if isinstance(content, ImagePixels):
            brightness = content.stokes.max(axis=1)
            content = content.select(brightness >= _BRIGHT * brightness.max(initial=0))
        places.append((content.ra, content.dec, content.shape[:, 0] / 7200))
    return tuple(np.concatenate(column) for column in zip(*places, strict=True))


def _candidates(target: Direction, sources: np.ndarray, radius: np.ndarray, beam: float,
                middle: np.ndarray, limit: float) -> Iterator[np.ndarray]:
    """Yield unit vectors (3) around a target that are clear of sources and inside the field."""
    ra, dec = np.array([target.ra]), np.array([target.dec])
    here, (east, north) = unit_vectors(ra, dec)[0], east_north(ra, dec)
    clear = _CLEAR * beam + radius
    near = _angle(sources, here) < max(_RINGS) * beam + clear
    farthest = min(max(limit, float(_angle(middle, here)[0])), _FARTHEST_DEG)
    for block in range(_BLOCKS):
        k = _BLOCK * block + np.arange(_BLOCK)
        away = np.radians(beam * np.array(_RINGS)[k % len(_RINGS)])[:, np.newaxis]
        angle = (_GOLDEN_ANGLE * k)[:, np.newaxis]
        there = np.cos(away) * here + np.sin(away) * (np.sin(angle) * east + np.cos(angle) * north)
        for candidate in there[_angle(there, middle[0]) <= farthest]:
            if np.all(_angle(sources[near], candidate) >= clear[near]):
                yield candidate


def _angle(places: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the angles (N; deg) between unit vectors (N,3) and one (3)."""
    return separation_arcsec(places, place) / 3600


def _path(target: Target, beam: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    track = target.track
    if track is None:
        return np.array([target.direction.ra]), np.array([target.direction.dec]), np.zeros(1)
    nodes = unit_vectors(track.ra, track.dec)
    length = separation_arcsec(nodes[1:], nodes[:-1]).sum() / 3600
    steps = min(2 + math.ceil(2 * length / beam), _MOST_PLACES)
    ra, dec = track.at(np.linspace(track.time[0], track.time[-1], steps))
    return ra, dec, np.zeros(steps)


def _bright_pixels(image: ImageModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = image.nonzero
    brightness = np.abs(image.pixels[:, :, y, x]).max(axis=(0, 1))
    kept = brightness >= _BRIGHT * brightness.max(initial=0)
    ra, dec = convert_positions(*image.positions(x[kept], y[kept]), image.tangent.frame, "ICRS")
    return ra, dec, np.zeros(len(ra))
