"""Targets: where to look, and by which names they are told apart."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy

from visds.core.astrometry import (
    ARCSEC_PER_RADIAN,
    unit_vectors,
)
from visds.core.catalogue import same_name
from visds.core.files import LONGEST_NAME, name_of_file
from visds.core.plural import counted
from visds.core.sky import (
    Direction,
    separation,
)
from visds.core.track import Track

_SAME_PLACE_ARCSEC = 0.1


@dataclass(frozen=True)
class Target:
    """A direction (ICRS, at the epoch of observation), its name, and how that was found.

    A body that moves has a `track`; its `direction` is that in the middle of the observation.
    `role` is "target", or "off source" where nothing is to be seen. Distance (pc) and radius (of
    the Sun) of a star are NaN where they are not known.
    """

    direction: Direction
    name: str
    found: str = ""
    motion: str = ""
    warnings: tuple[str, ...] = ()
    track: Track | None = None
    role: str = "target"
    distance_pc: float = math.nan
    radius_rsun: float = math.nan

    @property
    def origin(self) -> str:
        """What was found under the name, and how it was moved; empty of a plain position."""
        return ", ".join(filter(None, (self.found, self.motion)))

    @property
    def place(self) -> Direction | Track:
        """Where to look: the track of what moves, else the direction."""
        return self.track or self.direction

    @property
    def named_place(self) -> str:
        """The name and the direction, which is given once where it is the name."""
        place = str(self.direction)
        return place if self.name == place else f"{self.name} at {place}"

    @property
    def file_name(self) -> str:
        """The name as a part of names of files; those of the targets of a run differ."""
        return name_of_file(self.name)


def distinct_name(name: str, taken: Collection[str]) -> str:
    """Return a name, or name_2, name_3 ..., whose file name in small letters is none of `taken`."""
    number, distinct = 1, name
    while name_of_file(distinct).casefold() in taken:
        number += 1
        distinct = f"{name[:LONGEST_NAME - 8]}_{number}"
    return distinct


def same_place(one: Direction, other: Direction) -> bool:
    """Whether two directions are one place, to a tenth of an arcsecond."""
    return 3600 * separation(one, other) < _SAME_PLACE_ARCSEC


def told_apart(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Return targets whose names, and names of files, differ; what is there twice is taken once.

    The first says in a warning what was done.
    """
    kept: dict[str, Target] = {}
    named: dict[str, list[Target]] = {}
    twice, renamed, clashing = [], [], []
    for target in targets:
        alike = named.setdefault(name_of_file(target.name).casefold(), [])
        if any(same_name(target.name, other.name)
               and same_place(target.direction, other.direction) for other in alike):
            twice.append(target.name)
            continue
        alike.append(target)
        name = distinct_name(target.name, kept)
        if name != target.name:
            is_alike = any(same_name(target.name, other.name) for other in alike[:-1])
            (renamed if is_alike else clashing).append((target.name, name))
        kept[name_of_file(name).casefold()] = replace(target, name=name)
    first, *others = kept.values()
    warnings = list(first.warnings)
    if twice:
        warnings.append(f"{counted(len(twice), 'target')} given twice at one place, such as "
                        f"{twice[0]}: taken once")
    if renamed:
        warnings.append(f"{counted(len(renamed), 'target')} of a name that another has, told apart "
                        f"by a number: the second {renamed[0][0]} is {renamed[0][1]}")
    if clashing:
        name, numbered = clashing[0]
        warnings.append(f"{counted(len(clashing), 'target')} whose files would have the name of "
                        f"another's, told apart by a number: {name}, {name_of_file(name)} in "
                        f"files, is {numbered}")
    pairs = _pairs_at_one_place(list(kept.values()))
    if pairs:
        warnings.append(f"{' and '.join(pairs[0])} are at one position and have the same spectrum"
                        + (f" (and so {counted(len(pairs) - 1, 'further pair')})"
                           if len(pairs) > 1 else ""))
    return replace(first, warnings=tuple(warnings)), *others


def _pairs_at_one_place(targets: Sequence[Target]) -> list[tuple[str, str]]:
    """Return the names of those that do not move and are at the same place, pair by pair."""
    fixed = [target for target in targets if target.track is None]
    if len(fixed) < 2:
        return []
    tree = scipy.spatial.cKDTree(unit_vectors(
        np.array([target.direction.ra for target in fixed]),
        np.array([target.direction.dec for target in fixed])))
    return [(fixed[one].name, fixed[other].name) for one, other in
            sorted(tree.query_pairs(_SAME_PLACE_ARCSEC / ARCSEC_PER_RADIAN))]
