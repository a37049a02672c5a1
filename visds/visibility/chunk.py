"""A chunk of visibilities: one field, spectral window and scan, some integrations."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from visds.core.arrays import Record, array, attribute


@dataclass(frozen=True, eq=False, repr=False)
class VisibilityChunk(Record):
    """Visibilities on the grid of integrations, baselines and channels.

    A measurement set's visibility of a source at direction cosines (l, m, n) from the phase
    centre is proportional to exp(+2 pi i (nu/c) (u l + v m + w (n - 1))). Autocorrelations are
    not held. A baseline and time that the measurement set does not hold has the flag ABSENT,
    weight 0 and visibility 0. Labels, scale and signs of the correlations are settled
    (`visds.core.polarization.Handedness`). Channels are in the order of the measurement set.
    """

    format_name: ClassVar[str] = "visds.visibility"
    format_version: ClassVar[int] = 1

    visibility: np.ndarray = array(
        "TBFP", "c8", "Jy", "visibilities, the sky model subtracted; one dataset a correlation")
    flags: np.ndarray = array("TBFP", "u1", "", "bits of visds.core.flags; any bit: do not use")
    weight: np.ndarray = array(
        "TBWP", "f4", "Jy-2", "1/sigma^2 of the real part; W is F, or 1 for all channels alike")
    uvw: np.ndarray = array("TBX", "f8", "m", "baseline vector in the phase centre's frame")
    antennas: np.ndarray = array("BA", "i4", "", "the two antennas of a baseline")
    time: np.ndarray = array("T", "f8", "d", "centre of the integration, MJD UTC")
    integration: np.ndarray = array("T", "f8", "s", "length of the integration")
    feed_angle: np.ndarray = array(
        "T", "f8", "rad", "angle of the feeds on the sky by which Q and U are still to be turned")
    frequency: np.ndarray = array("F", "f8", "Hz", "centre of the channel")
    channel_width: np.ndarray = array("F", "f8", "Hz", "width of the channel, positive")
    correlations: tuple[str, ...] = attribute("labels on axis P, such as RR RL LR LL")
    phase_centre: tuple[float, float] = attribute("ra, dec of the phase centre in deg")
    frame: str = attribute("frame of the phase centre and of uvw, such as J2000")
    field: str = attribute("name of the field")
    scan: int = attribute("scan number")
    spectral_window: int = attribute("spectral window")
    meta: dict[str, Any] = attribute("where it came from", {})

    def write(self, path: str | os.PathLike, key: str = "") -> None:
        """Write the chunk as the chunk file of one slab; see `visds.visibility.chunk_file`."""
        from visds.visibility.chunk_file import write_slabs  # which knows what a chunk is

        for _ in write_slabs(path, iter([self]), len(self.time), key):
            pass

    @classmethod
    def read(cls, path: str | os.PathLike) -> Self:
        """Return the whole chunk of a chunk file; see `visds.visibility.chunk_file`.

        Raises
        ------
        FormatError
            As `read_slabs`.
        """
        from visds.visibility.chunk_file import read_slabs

        chunk, = read_slabs(path, sys.maxsize)
        return chunk

    def select_times(self, start: int, stop: int) -> "VisibilityChunk":
        """Return the chunk's integrations from `start` to before `stop`, as views."""
        return self.replace(**{name: getattr(self, name)[start:stop]
                               for name, spec in self.array_specs().items()
                               if spec.axes.startswith("T")})


def join(slabs: Iterable[VisibilityChunk], integrations: int) -> VisibilityChunk:
    """Return slabs of a chunk, whose memory may be used again, as one of so many integrations.

    Raises
    ------
    ValueError
        If there are more or fewer.
    """
    whole: dict[str, np.ndarray] = {}
    begin = 0
    for slab in slabs:
        end = begin + len(slab.time)
        if end > integrations:
            break
        for name, spec in slab.array_specs().items():
            if spec.axes.startswith("T"):
                values = getattr(slab, name)
                if not begin:
                    whole[name] = np.empty((integrations, *values.shape[1:]), values.dtype)
                whole[name][begin:end] = values
        begin = end
    if begin != integrations:
        raise ValueError(f"slabs of {begin} integrations, expected {integrations}")
    return slab.replace(**whole)
