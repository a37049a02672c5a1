"""A measurement set of the visibilities that are left when the sky model is subtracted."""

import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.provenance import command_line
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.new_measurement_set import NewMeasurementSet, copied_rows
from visds.visibility.plan import ChunkTask
from visds.visibility.read import ChunkReader


def write_residual(path: str | os.PathLike, tasks: Sequence[ChunkTask],
                   slabs_of: Callable[[ChunkTask], Iterable[VisibilityChunk]]) -> None:
    """Write the rows of chunks as a new measurement set `path`, with what is left as its DATA.

    DATA are the visibilities of the chunks as the measurement set stored them: the factors by
    which handedness and scale were settled are taken out again, and labels keep their order. All
    rows of the tasks are there in their order, with flags, weights, uvw, times and all other
    columns and subtables as they were; MODEL_DATA, CORRECTED_DATA and further columns of
    visibilities are left out. Autocorrelations, from which no model is subtracted, keep their
    values; those that stand by themselves in the order of rows are in no chunk and not here.
    HISTORY says what was done. The set appears under its name when it is complete.

    Parameters
    ----------
    path : path
        Must not exist.
    tasks : sequence of ChunkTask
        Of one measurement set.
    slabs_of : callable
        Gives the model-subtracted slabs of a task, in order of time and complete, as
        `chunk_file.read_slabs` does.

    Raises
    ------
    OutputError
        If `path` exists or cannot be written.
    MeasurementSetError
        If the measurement set cannot be read.
    """
    source = tasks[0].source
    first, length = (np.concatenate([getattr(task, name) for task in tasks])
                     for name in ("run_start", "run_length"))
    rows = np.sort(_rows(first, length))
    with MeasurementSet(source.path) as original:
        left_out = [name for name in original.describe().data_columns if name != source.column]
        with copied_rows(source.path, path, rows, source.column, left_out) as made:
            with Progress("residual visibilities", len(tasks),
                          sum(task.nbytes for task in tasks)) as progress:
                for task in tasks:
                    _put_chunk(made, original, task, rows, slabs_of(task))
                    progress.advance(task.nbytes)
            made.add_history(
                f"DATA: {source.column} of {source.path}, the sky model subtracted; "
                f"{counted(len(rows), 'row')} of field {source.field}", command_line())


def _put_chunk(made: NewMeasurementSet, original: MeasurementSet, task: ChunkTask,
               rows: np.ndarray, slabs: Iterable[VisibilityChunk]) -> None:
    """Write the visibilities of a chunk to the cells of its rows."""
    place = ChunkReader(original, task).row_places
    target = np.searchsorted(rows, _rows(task.run_start, task.run_length))
    factors = np.array(task.source.factors, np.float32)
    begin = 0
    for slab in slabs:
        T, B = slab.visibility.shape[:2]
        inside = np.flatnonzero((place >= begin * B) & (place < (begin + T) * B))
        stored = slab.visibility.reshape(-1, *slab.visibility.shape[2:]) / factors
        # Rows of one time mostly follow each other, so that few calls write them all.
        inside = inside[np.argsort(target[inside], kind="stable")]
        values, goal = stored[place[inside] - begin * B], target[inside]
        breaks = np.flatnonzero(np.diff(goal) != 1) + 1
        for part in np.split(np.arange(len(goal)), breaks):
            if len(part):
                made.put("DATA", int(goal[part[0]]), values[part[0]:part[-1] + 1])
        begin += T
    if begin != len(task.time):
        raise ValueError(f"chunk {task.name} has {begin} integrations, expected {len(task.time)}")


def _rows(start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the numbers of the rows of runs, one run after the other."""
    ends = np.cumsum(length)
    return np.arange(ends[-1]) + np.repeat(start - (ends - length), length)
