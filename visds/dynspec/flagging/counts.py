"""How many visibilities carry which flags: by antenna, baseline, channel and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np
from numba import float32, int64, uint8, void

from visds.core.arrays import Record, array, attribute
from visds.core.flags import Flag
from visds.core.vector import given
from visds.visibility.chunk import VisibilityChunk

REASONS = tuple(Flag(1 << bit).name for bit in range(8))
_COLUMNS = len(REASONS) + 2
_NOT_FINITE, _ZERO_WEIGHT = np.uint8(Flag.NOT_FINITE), np.uint8(Flag.ZERO_WEIGHT)


@dataclass(frozen=True, eq=False, repr=False)
class FlagCounts(Record):
    """Visibilities (of single correlations) counted by what they carry.

    On axis K: all visibilities, those with any flag, and those with each of `reasons`; one with two
    flags counts for both. What is NaN, infinite or without a weight has the flags NOT_FINITE and
    ZERO_WEIGHT here, whether or not a stage has set them.
    """

    format_name: ClassVar[str] = "visds.flag_counts"
    format_version: ClassVar[int] = 1

    time: np.ndarray = array("T", "f8", "d", "centre of the integration, MJD UTC, ascending")
    integration: np.ndarray = array("T", "f8", "s", "length of the integration")
    scan: np.ndarray = array("T", "i4", "", "scan number of the integration")
    by_time: np.ndarray = array("TK", "i8", "", "visibilities of an integration")
    frequency: np.ndarray = array("F", "f8", "Hz", "centre of the channel, ascending")
    channel_width: np.ndarray = array("F", "f8", "Hz", "width of the channel, positive")
    by_channel: np.ndarray = array("FK", "i8", "", "visibilities of a channel")
    antennas: np.ndarray = array("BA", "i4", "", "the two antennas of a baseline, each pair once")
    by_baseline: np.ndarray = array("BK", "i8", "", "visibilities of a baseline")
    reasons: tuple[str, ...] = attribute("names of the flags on axis K, after all and any", REASONS)

    def column(self, reason: str) -> int:
        """Return the place on axis K of ``all``, ``any`` or the name of a flag."""
        return ("all", "any", *self.reasons).index(reason)

    def fraction(self, axis: str, reason: str = "any") -> np.ndarray:
        """Return the fraction of visibilities that carry a flag, NaN where there is none.

        `axis` is ``time``, ``channel``, ``baseline`` or ``antenna``; antennas are those of
        `antenna_numbers`, a visibility counting for both of its own.
        """
        counts = self._by_antenna() if axis == "antenna" else getattr(self, f"by_{axis}")
        with np.errstate(invalid="ignore"):
            return counts[:, self.column(reason)] / counts[:, 0]

    @property
    def antenna_numbers(self) -> np.ndarray:
        """The antennas that occur, ascending."""
        return np.unique(self.antennas)

    @property
    def occurring(self) -> tuple[str, ...]:
        """The names of the flags that any visibility carries."""
        totals = self.by_time.sum(axis=0)
        return tuple(name for name in self.reasons if totals[self.column(name)])

    def _by_antenna(self) -> np.ndarray:
        return np.stack([self.by_baseline[(self.antennas == one).any(axis=1)].sum(axis=0)
                         for one in self.antenna_numbers]).reshape(-1, self.by_time.shape[1])


def count_flags(chunk: VisibilityChunk) -> FlagCounts:
    """Return the flags of a chunk, counted. The chunk is not modified."""
    T, B, F, _ = chunk.flags.shape
    by_time, by_baseline, by_channel = (np.zeros((n, _COLUMNS), np.int64) for n in (T, B, F))
    lanes = np.ascontiguousarray(chunk.visibility).view(np.float32).reshape(T, B, -1)
    _count(lanes, np.ascontiguousarray(chunk.flags).reshape(T, B, -1),
           np.ascontiguousarray(chunk.weight).reshape(T, B, -1), F, by_time, by_baseline,
           by_channel)
    return add_counts([FlagCounts(
        time=chunk.time, integration=chunk.integration, scan=np.full(T, chunk.scan),
        by_time=by_time, frequency=chunk.frequency, channel_width=chunk.channel_width,
        by_channel=by_channel, antennas=chunk.antennas, by_baseline=by_baseline)])


def add_counts(parts: Sequence[FlagCounts]) -> FlagCounts:
    """Return the counts of several chunks as one: what has one time, channel or baseline is added.

    Slabs of a chunk, chunks and spectral windows in any order give the same.
    """
    time, by_time = _added(parts, ("time", "integration", "scan"), "by_time")
    channel, by_channel = _added(parts, ("frequency", "channel_width"), "by_channel")
    baseline, by_baseline = _added(parts, ("antennas",), "by_baseline")
    return FlagCounts(**time, **channel, **baseline, by_time=by_time, by_channel=by_channel,
                      by_baseline=by_baseline)


def _added(parts: Sequence[FlagCounts], labels: Sequence[str],
           counts: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what is on an axis, by its first label ascending, and the counts of each, added."""
    held = {name: np.concatenate([getattr(part, name) for part in parts]) for name in labels}
    unique, first, place = np.unique(held[labels[0]], axis=0, return_index=True,
                                     return_inverse=True)
    total = np.zeros((len(unique), _COLUMNS), np.int64)
    np.add.at(total, place.reshape(-1), np.concatenate([getattr(part, counts) for part in parts]))
    return {name: values[first] for name, values in held.items()}, total


@numba.njit(nogil=True, error_model="numpy")
def _add(byte, number, counts):
    """Add visibilities with a flag byte to counts (K)."""
    counts[1] += number
    for bit in range(8):
        counts[2 + bit] += number * ((byte >> bit) & 1)


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def _is_clean(values, bits, weights):
    """Return whether a row has no flag, no NaN or infinity, and weights above zero."""
    probe = np.float32(0)
    for k in range(len(values)):
        probe += values[k] * np.float32(0)
    found = np.uint8(0)
    for k in range(len(bits)):
        found |= bits[k]
    for k in range(len(weights)):
        found |= np.uint8(0) if (weights[k] > 0) & (weights[k] < np.inf) else np.uint8(1)
    return (probe == 0) & (found == 0)


@numba.njit(
    void(given(float32, 3), given(uint8, 3), given(float32, 3), int64, int64[:, ::1],
         int64[:, ::1], int64[:, ::1]),
    cache=True, nogil=True, error_model="numpy")
def _count(lanes, flags, weight, F, by_time, by_baseline, by_channel):
    T, B, L = flags.shape
    P = L // F
    by_byte = np.zeros(256, np.int64)
    for t in range(T):
        for b in range(B):
            values, bits, weights = lanes[t, b], flags[t, b], weight[t, b]
            if _is_clean(values, bits, weights):
                continue
            by_byte[:] = 0
            for k in range(L):
                w = weights[k % len(weights)]
                byte = bits[k]
                if not (values[2 * k] * np.float32(0) + values[2 * k + 1] * np.float32(0) == 0):
                    byte |= _NOT_FINITE
                if not (w > 0 and w < np.inf):
                    byte |= _ZERO_WEIGHT
                if byte:
                    by_byte[byte] += 1
                    _add(int64(byte), 1, by_channel[k // P])
            for byte in range(1, 256):
                if by_byte[byte]:
                    _add(byte, by_byte[byte], by_time[t])
                    _add(byte, by_byte[byte], by_baseline[b])
    by_time[:, 0] = B * L
    by_baseline[:, 0] = T * L
    by_channel[:, 0] = T * B * P
