"""Chunks out of a measurement set, some integrations at a time, into buffers used again.

A slab is a part of a chunk: the same grid of baselines and channels, fewer integrations. Slabs
keep the memory of a rank small whatever the chunk's size, and are read ahead in a thread while
the slab before is worked on.
"""

import queue
import threading
from collections.abc import Iterator

import numpy as np

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, parallactic_angle
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask, Source

SLAB_BYTES = 12_000_000
"""Memory of one slab: small enough for the processor's caches to help, large to read fast."""



class Buffers:
    """Arrays for the slabs of one chunk after the other, kept as long as the shapes are the same.

    Memory fresh from the system costs as much time as reading into it.
    """

    def __init__(self):
        self._shape: tuple[int, ...] = ()
        self._rings: list[dict[str, np.ndarray]] = []

    def of(self, T: int, B: int, F: int, P: int, W: int) -> list[dict[str, np.ndarray]]:
        """Return three sets of arrays: one to read, one that waits, one that is worked on."""
        if self._shape != (T, B, F, P, W):
            self._shape, self._rings = (T, B, F, P, W), []
            self._rings = [{"visibility": np.empty((T, B, F, P), np.complex64),
                            "flags": np.empty((T, B, F, P), np.uint8),
                            "weight": np.empty((T, B, W, P), np.float32),
                            "uvw": np.empty((T, B, 3), np.float64)} for _ in range(3)]
        return self._rings


class ChunkReader:
    """The rows of one chunk on the grid of integrations and baselines.

    Baselines are all pairs of different antennas that the chunk's rows hold. A pair that occurs
    twice at a time takes two places on axis B, so no row is lost. The visibilities of
    `model_column`, where given, are subtracted.
    """

    def __init__(self, measurement_set: MeasurementSet, task: ChunkTask,
                 model_column: str | None = None):
        self._set = measurement_set
        self._model_column = model_column
        self._task = task
        runs = (task.run_start, task.run_length)
        first = measurement_set.rows("ANTENNA1", *runs)
        second = measurement_set.rows("ANTENNA2", *runs)
        # Runs are in the order of time, so each integration is a range of rows and of runs.
        self._row_time = np.repeat(task.run_integration, task.run_length)
        self._cross = first != second
        self.antennas, self._row_baseline = _grid(first, second, self._row_time, self._cross)
        T, B = self.shape[:2]
        self._in_order = len(self._cross) == T * B and bool(self._cross.all()) and np.array_equal(
            self._row_time * B + self._row_baseline, np.arange(T * B))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """T, B, F, P of the whole chunk."""
        source = self._task.source
        return (len(self._task.time), len(self.antennas), len(source.frequency),
                len(source.stored))

    def slabs(self, buffers: "Buffers | None" = None) -> Iterator[VisibilityChunk]:
        """Yield the chunk in slabs; a slab's arrays are written over after the next two slabs.

        With the `buffers` of the chunk before, its arrays are used again too.
        """
        T, B, F, P = self.shape
        source = self._task.source
        per_slab = max(1, SLAB_BYTES // max(1, B * source.bytes_per_row))
        feed_angle = _feed_angle(source, self._task.time)
        weights = F if source.weights == "spectrum" else 1
        rings = (buffers or Buffers()).of(min(per_slab, T), B, F, P, weights)
        for number, begin in enumerate(range(0, T, per_slab)):
            end = min(begin + per_slab, T)
            ring = rings[number % len(rings)]
            arrays = {name: values[:end - begin] for name, values in ring.items()}
            self._fill(arrays, begin, end)
            yield VisibilityChunk(
                **arrays, antennas=self.antennas, time=self._task.time[begin:end],
                integration=self._task.integration[begin:end], feed_angle=feed_angle[begin:end],
                frequency=source.frequency, channel_width=source.channel_width,
                correlations=source.correlations, phase_centre=source.phase_centre,
                frame=source.frame, field=source.field, scan=self._task.scan,
                spectral_window=source.spectral_window)

    def _fill(self, arrays: dict[str, np.ndarray], begin: int, end: int) -> None:
        """Read integrations `begin` to before `end` into the arrays of a slab."""
        source = self._task.source
        rows = slice(*np.searchsorted(self._row_time, (begin, end)))
        run = slice(*np.searchsorted(self._task.run_integration, (begin, end)))
        place_t = self._row_time[rows] - begin
        place_b = self._row_baseline[rows]
        cross = self._cross[rows]
        runs = (self._task.run_start[run], self._task.run_length[run])
        read = self._read_in_order if self._in_order else self._read_scattered
        read(arrays, runs, place_t, place_b, cross)
        flagged = self._set.rows("FLAG_ROW", *runs) & cross
        if flagged.any():
            arrays["flags"][place_t[flagged], place_b[flagged]] |= np.uint8(Flag.MEASUREMENT_SET)
        if self._model_column:
            self._subtract_column(arrays["visibility"], runs, place_t, place_b, cross)
        for place, factor in enumerate(source.factors):
            if factor != 1:
                arrays["visibility"][..., place] *= np.float32(factor)
                arrays["weight"][..., place] /= np.float32(factor**2)
        lost = ~np.isfinite(arrays["uvw"]).all(axis=-1)
        if lost.any():
            arrays["flags"][lost] |= np.uint8(Flag.NOT_FINITE)
            arrays["uvw"][lost] = 0
        if source.uv_min or source.uv_max:
            flag_uv_range(arrays["flags"], arrays["uvw"], source)

    def _subtract_column(self, visibility, runs, place_t, place_b, cross) -> None:
        model = self._set.rows(self._model_column, *runs)
        visibility[place_t[cross], place_b[cross]] -= model[cross]

    def _columns(self) -> list[tuple[str, str]]:
        source = self._task.source
        columns = [(source.column, "visibility"), ("FLAG", "flags"), ("UVW", "uvw")]
        if source.weights != "flat":
            columns.append(("WEIGHT_SPECTRUM" if source.weights == "spectrum" else "WEIGHT",
                            "weight"))
        return columns

    def _read_in_order(self, arrays, runs, *_) -> None:
        for column, name in self._columns():
            target = arrays[name]
            target = target.view(bool) if name == "flags" else target
            cell = target.shape[2:]
            if name == "weight" and self._task.source.weights == "row":
                cell = target.shape[3:]
            self._set.rows(column, *runs, out=target.reshape(-1, *cell))
        if self._task.source.weights == "flat":
            arrays["weight"][...] = 1

    def _read_scattered(self, arrays, runs, place_t, place_b, cross) -> None:
        arrays["visibility"][...] = 0
        arrays["flags"][...] = Flag.ABSENT
        arrays["uvw"][...] = 0
        arrays["weight"][...] = 0
        at = (place_t[cross], place_b[cross])
        for column, name in self._columns():
            values = self._set.rows(column, *runs)[cross]
            if name == "weight" and self._task.source.weights == "row":
                values = values[:, None]
            arrays[name][at] = values
        if self._task.source.weights == "flat":
            arrays["weight"][at] = 1


def read_ahead(slabs: Iterator) -> Iterator:
    """Yield what `slabs` yields, made one ahead in a thread; its exceptions are raised here."""
    ready: queue.Queue = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for slab in slabs:
                if not put((slab, None)):
                    return
            put((None, None))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            slab, error = ready.get()
            if error is not None:
                raise error
            if slab is None:
                return
            yield slab
    finally:
        stop.set()
        thread.join()


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
    if source.parallactic:
        angle += parallactic_angle(time, Direction(*source.phase_centre, source.frame),
                                   source.position)
    return angle
