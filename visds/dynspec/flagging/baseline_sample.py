"""Baselines on which interference is looked for, and what it tells of the others."""

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc

from visds.core.flags import Flag
from visds.visibility.chunk import VisibilityChunk

# The cost grows with the baselines looked at; what they tell of each other does not.
_AUTOMATIC = 500
# Looked-at baselines of a class of lengths.
_CLASS = 32
# The fraction of noise that a flagger may flag on a baseline, and how likely a cell is then to be
# flagged by chance on the others of its class.
_FALSE, _CHANCE = 0.01, 1e-6


def number_looked_at(chosen: str | int, baselines: int) -> int:
    """Return on how many of some baselines to look: ``auto``, ``all`` or a number was chosen."""
    if chosen == "all":
        return baselines
    return min(baselines, _AUTOMATIC if chosen == "auto" else chosen)


@dataclass(frozen=True)
class LengthClass:
    """Baselines of similar length: all `members`, and those that are `looked_at`."""

    members: np.ndarray
    looked_at: np.ndarray

    @property
    def least(self) -> int:
        """On how many of the looked-at a cell must be flagged to be flagged on all members."""
        number = np.arange(len(self.looked_at) + 1)
        # The chance of more than so many.
        return int(np.argmax(bdtrc(number, len(self.looked_at), _FALSE) < _CHANCE)) + 1


def length_classes(chunk: VisibilityChunk, number: int) -> tuple[LengthClass, ...]:
    """Return the baselines by length, `number` of them spread evenly over the lengths to look at.

    The length is that in the plane of u and v, in the mean over the integrations that the
    measurement set holds.
    """
    present = ((chunk.flags & int(Flag.ABSENT)) == 0).any(axis=(2, 3))
    length = np.where(present, np.hypot(chunk.uvw[..., 0], chunk.uvw[..., 1]), 0).sum(axis=0)
    order = np.argsort(length / np.maximum(present.sum(axis=0), 1), kind="stable")
    B = len(order)
    chosen = order[(2 * np.arange(number) + 1) * B // (2 * number)]
    parts = max(1, number // _CLASS)
    return tuple(LengthClass(members, members[np.isin(members, chosen)])
                 for members in np.array_split(order, parts))


def flag_members(flags: np.ndarray, one: LengthClass) -> None:
    """Set the bit RFI on all members of a class where enough of the looked-at have it.

    `flags` (T,B,F,P) are changed in place. What is found on single baselines stays there.
    """
    if len(one.looked_at) == len(one.members):
        return
    rfi = np.uint8(Flag.RFI)
    common = sum((flags[:, b] & rfi).any(axis=-1).astype(int) for b in one.looked_at) >= one.least
    for b in one.members:
        flags[:, b][common] |= rfi
