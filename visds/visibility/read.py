"""Chunks out of a measurement set, some integrations at a time, into buffers used again.

A slab is a part of a chunk: the same grid of baselines and channels, fewer integrations. Slabs
keep the memory of a rank small whatever the chunk's size, and are read ahead in a thread while
the slab before is worked on.
"""

from collections.abc import Iterator, Sequence

import numba
import numpy as np
from numba import int64, uint8, void

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, elevation, parallactic_angle
from visds.core.vector import given
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask, Source

SLAB_BYTES = 3_500_000
"""Memory of one slab: small enough for the processor's caches to help, large to read fast."""


class Buffers:
    """Arrays for the slabs of one chunk after the other, kept as long as the shapes are the same.

    Memory fresh from the system costs as much time as reading into it.
    """

    def __init__(self):
        self._shape: tuple = ()
        self._rings: list[dict[str, np.ndarray]] = []

    def of(self, number: int, shape: tuple[int, int, int, int],
           with_weight: bool) -> list[dict[str, np.ndarray]]:
        """Return some sets of arrays for slabs of a shape (T,B,F,P)."""
        if self._shape != (number, shape, with_weight):
            self._shape, self._rings = (number, shape, with_weight), []
            dtypes = {"visibility": np.complex64, "flags": np.uint8}
            if with_weight:
                dtypes["weight"] = np.float32
            self._rings = [{name: np.empty(shape, dtype) for name, dtype in dtypes.items()}
                           for _ in range(number)]
        return self._rings


class ChunkReader:
    """The rows of one chunk on the grid of integrations and baselines.

    Baselines are all pairs of different antennas that the chunk's rows hold. A pair that occurs
    twice at a time takes two places on axis B, so no row is lost. The visibilities of
    `model_columns` are subtracted.
    """

    def __init__(self, measurement_set: MeasurementSet, task: ChunkTask,
                 model_columns: Sequence[str] = ()):
        self._set = measurement_set
        self._model_columns = model_columns
        self._task = task
        runs = (task.run_start, task.run_length)
        first = measurement_set.rows("ANTENNA1", *runs)
        second = measurement_set.rows("ANTENNA2", *runs)
        # Runs are in the order of time, so each integration is a range of rows and of runs.
        row_time = np.repeat(task.run_integration, task.run_length)
        cross = first != second
        self.antennas, baseline = _grid(first, second, row_time, cross)
        T, B, _, P = self.shape
        self._place = np.where(cross, row_time * B + baseline, -1)
        self._in_order = np.array_equal(self._place, np.arange(T * B))
        self._first_row = np.searchsorted(row_time, np.arange(T + 1))
        self._first_run = np.searchsorted(task.run_integration, np.arange(T + 1))
        absent = np.ones(T * B, bool)
        absent[self._place[cross]] = False
        self._absent = absent.reshape(T, B)
        self._uvw, self._row_flags = self._uvw_and_flags(cross)
        self._is_flagged = self._row_flags.any(axis=1)
        # Weights of all channels alike; those of channels are read with the visibilities.
        self._weight = np.where(self._absent, 0, np.ones(1, np.float32))[:, :, None, None].repeat(
            P, axis=3) if task.source.weights != "spectrum" else None
        if task.source.weights == "row":
            self._read("WEIGHT", self._weight[:, :, 0], 0, T)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """T, B, F, P of the whole chunk."""
        source = self._task.source
        return (len(self._task.time), len(self.antennas), len(source.frequency),
                len(source.stored))

    @property
    def uvw(self) -> np.ndarray:
        """Baseline vectors (T,B,3) of the whole chunk, m."""
        return self._uvw

    @property
    def row_places(self) -> np.ndarray:
        """Place (t B + b) of each row of the task's runs on the grid; -1 of autocorrelations."""
        return self._place

    def slabs(self, buffers: "Buffers | None" = None, stages: int = 1, start: int = 0,
              stop: int | None = None) -> Iterator[VisibilityChunk]:
        """Yield the chunk in slabs, whose arrays are used again.

        Of its integrations those from `start` to before `stop`, by default all.

        Between this iterator and the end there may be as many stages of `ahead` as given: each
        makes one slab while another waits and a third is worked on. With the `buffers` of the
        chunk before, its arrays are used again too.
        """
        _, B, F, P = self.shape
        stop = len(self._task.time) if stop is None else stop
        source = self._task.source
        per_slab = max(1, SLAB_BYTES // max(1, B * source.bytes_per_row))
        feed_angle = _feed_angle(source, self._task.time)
        weight = None if self._weight is None else _scaled(self._weight, source)
        rings = (buffers or Buffers()).of(2 * stages + 1, (min(per_slab, stop - start), B, F, P),
                                          with_weight=weight is None)
        for number, begin in enumerate(range(start, stop, per_slab)):
            end = min(begin + per_slab, stop)
            arrays = {name: values[:end - begin]
                      for name, values in rings[number % len(rings)].items()}
            self._fill(arrays, begin, end)
            if weight is not None:
                arrays["weight"] = weight[begin:end]
            yield VisibilityChunk(
                **arrays, uvw=self._uvw[begin:end], antennas=self.antennas,
                time=self._task.time[begin:end], integration=self._task.integration[begin:end],
                feed_angle=feed_angle[begin:end], frequency=source.frequency,
                channel_width=source.channel_width, correlations=source.correlations,
                phase_centre=source.phase_centre, frame=source.frame, field=source.field,
                scan=self._task.scan, spectral_window=source.spectral_window)

    def _fill(self, arrays: dict[str, np.ndarray], begin: int, end: int) -> None:
        """Read integrations `begin` to before `end` into the arrays of a slab."""
        source = self._task.source
        visibility, flags = arrays["visibility"], arrays["flags"]
        self._read(source.column, visibility, begin, end)
        self._read("FLAG", flags.view(bool), begin, end)
        if "weight" in arrays:
            self._read("WEIGHT_SPECTRUM", arrays["weight"], begin, end)
            arrays["weight"][...] = _scaled(arrays["weight"], source)
        for column in self._model_columns:
            model = np.empty_like(visibility)
            self._read(column, model, begin, end)
            visibility -= model
        for p, factor in enumerate(source.factors):
            if factor != 1:
                visibility[..., p] *= np.float32(factor)
        if self._is_flagged[begin:end].any():
            flags |= self._row_flags[begin:end, :, None, None]
        if source.uv_min or source.uv_max:
            flag_uv_range(flags, self._uvw[begin:end], source)

    def _read(self, column: str, values: np.ndarray, begin: int, end: int) -> None:
        """Read the cells of integrations `begin` to before `end` to their places (T,B,...).

        Places that no row holds become zero.
        """
        run = slice(self._first_run[begin], self._first_run[end])
        runs = (self._task.run_start[run], self._task.run_length[run])
        cells = values.reshape(-1, *values.shape[2:])
        if self._in_order:
            self._set.rows(column, *runs, out=cells)
            return
        values[self._absent[begin:end]] = 0
        place = self._place[self._first_row[begin]:self._first_row[end]] - begin * values.shape[1]
        rows = np.ascontiguousarray(self._set.rows(column, *runs), values.dtype)
        scatter_rows(rows.reshape(len(place), -1).view(np.uint8), place,
                     cells.reshape(len(cells), -1).view(np.uint8))

    def _uvw_and_flags(self, cross: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return uvw (T,B,3), zero where not finite, and the flag bits (T,B) of whole rows."""
        T, B = self._absent.shape
        uvw = np.empty((T, B, 3))
        self._read("UVW", uvw, 0, T)
        lost = ~np.isfinite(uvw).all(axis=-1)
        uvw[lost] = 0
        bits = np.where(self._absent, np.uint8(Flag.ABSENT), np.uint8(0))
        bits[lost] |= np.uint8(Flag.NOT_FINITE)
        flagged = self._set.rows("FLAG_ROW", self._task.run_start, self._task.run_length) & cross
        bits.reshape(-1)[self._place[flagged]] |= np.uint8(Flag.MEASUREMENT_SET)
        return uvw, bits


def _scaled(weight: np.ndarray, source: Source) -> np.ndarray:
    """Return the weights of visibilities that are multiplied by the source's factors."""
    if all(factor**2 == 1 for factor in source.factors):
        return weight
    return weight / np.square(np.array(source.factors, np.float32))


@numba.njit(void(given(uint8, 2), given(int64, 1), uint8[:, ::1]), cache=True, nogil=True)
def scatter_rows(rows, place, out):
    """Copy rows of bytes to their places in `out`; those whose place is negative to none."""
    for k in range(len(place)):
        if place[k] >= 0:
            for byte in range(rows.shape[1]):
                out[place[k], byte] = rows[k, byte]


def flag_uv_range(flags: np.ndarray, uvw: np.ndarray, source: Source) -> None:
    """Flag visibilities outside the range of projected baseline lengths, in place."""
    length = np.hypot(uvw[..., 0], uvw[..., 1])[..., None]
    for limit, outside in ((source.uv_min, np.less), (source.uv_max, np.greater)):
        if limit is None:
            continue
        scale = source.frequency / LIGHT_SPEED if limit.in_wavelengths else np.ones(1)
        beyond = outside(length * scale, limit.value)
        flags |= np.where(beyond, np.uint8(Flag.UV_RANGE), np.uint8(0))[..., None]


def _grid(first, second, integration, cross) -> tuple[np.ndarray, np.ndarray]:
    """Return the antennas (B,2) of the baselines, and the baseline of each row (-1: none).

    Where every integration holds the same baselines in the same order, that order is kept.
    """
    T = int(integration[-1]) + 1
    rows = len(first) // T
    if T > 1 and np.array_equal(integration, np.repeat(np.arange(T), rows)) and all(
            np.array_equal(antenna, np.tile(antenna[:rows], T)) for antenna in (first, second)):
        antennas, places = _grid(*(values[:rows] for values in (first, second, integration, cross)))
        return antennas, np.tile(places, T)
    pair = first.astype(np.int64) * (int(second.max()) + 1) + second
    order = np.lexsort((np.arange(len(pair)), pair, integration))
    sorted_key = np.stack([integration[order], pair[order]])
    same = np.append(False, np.all(np.diff(sorted_key, axis=1) == 0, axis=0))
    run_start = np.flatnonzero(~same)
    occurrence = np.empty(len(pair), np.int64)
    occurrence[order] = np.arange(len(pair)) - np.repeat(
        run_start, np.diff(np.append(run_start, len(pair))))
    key = pair * (int(occurrence.max()) + 1) + occurrence
    unique, first_row, inverse = np.unique(
        np.where(cross, key, -1), return_index=True, return_inverse=True)
    places = np.full(len(unique), -1)
    held = unique >= 0
    places[np.flatnonzero(held)[np.argsort(first_row[held], kind="stable")]] = np.arange(held.sum())
    chosen = np.sort(first_row[held])
    return np.stack([first[chosen], second[chosen]], axis=1), places[inverse]


def _feed_angle(source: Source, time: np.ndarray) -> np.ndarray:
    angle = np.full(len(time), source.feed_angle)
    place = Direction(*source.phase_centre, source.frame), source.position
    if source.parallactic:
        angle += parallactic_angle(time, *place)
    if source.nasmyth:
        angle += source.nasmyth * elevation(time, *place)
    return angle
