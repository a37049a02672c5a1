"""What stages that look at a whole chunk found: interference, and weights measured on the data.

They are kept in a file beside the chunk file, which stays what it is: other flags and weights need
neither the measurement set nor the sky model again.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from visds.core.arrays import Record, array
from visds.core.flags import Flag
from visds.visibility.chunk import VisibilityChunk


@dataclass(frozen=True, eq=False, repr=False)
class FlaggedChunk(Record):
    """Interference found in a chunk, and its weights where they are not those of the chunk file."""

    format_name: ClassVar[str] = "visds.flagged"
    format_version: ClassVar[int] = 1

    interference: np.ndarray = array(
        "TBF", "u1", "", "1 where the flagger found interference, in all correlations")
    weight: np.ndarray = array(
        "KBWP", "f4", "Jy-2", "measured weights; K is T, or 1 for all integrations alike, or 0 "
        "where the chunk's own weights are used; W is F, or 1 for all channels alike")

    @classmethod
    def of(cls, chunk: VisibilityChunk, is_weighed: bool) -> Self:
        """Return what there is to keep of a chunk that is flagged and, if so, weighed."""
        weight = chunk.weight[:0]
        if is_weighed:
            weight = chunk.weight[:1] if chunk.weight.strides[0] == 0 else chunk.weight
        return cls((chunk.flags & np.uint8(Flag.RFI)).any(axis=-1), weight)

    def put_on(self, slab: VisibilityChunk, begin: int) -> VisibilityChunk:
        """Return a slab, which begins at an integration of the chunk, with its flags and weights.

        Its own arrays stay as they are.
        """
        end = begin + len(slab.time)
        flags = slab.flags | (self.interference[begin:end, ..., None] * np.uint8(Flag.RFI))
        if not len(self.weight):
            return slab.replace(flags=flags)
        weight = self.weight if len(self.weight) == 1 else self.weight[begin:end]
        return slab.replace(flags=flags, weight=np.broadcast_to(
            weight, (len(slab.time), *weight.shape[1:])))


def path_of_flags(chunk_file: str | os.PathLike) -> Path:
    """Return the name of the file of flags and weights beside a chunk file."""
    return Path(str(chunk_file).replace(".visibility.h5", ".flagged.h5"))


def with_flags(slabs: Iterator[VisibilityChunk], chunk_file: str | os.PathLike,
               begin: int = 0) -> Iterator[VisibilityChunk]:
    """Yield slabs of a chunk with the flags and weights beside its file, if there are any.

    The first slab begins at the integration `begin` of the chunk.

    Raises
    ------
    FormatError
        If that file is damaged.
    """
    path = path_of_flags(chunk_file)
    if not path.is_file():
        yield from slabs
        return
    found = FlaggedChunk.read(path)
    for slab in slabs:
        yield found.put_on(slab, begin)
        begin += len(slab.time)
