"""The visibilities that images are made of: chunks of a measurement set, or chunk files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np

from visds.core.ahead import ahead
from visds.core.arrays import damage_reported, open_product, read_attributes
from visds.imaging.intervals import ImagedChunk, Piece
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.chunk_file import read_slabs
from visds.visibility.flagged_chunk import with_flags
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask
from visds.visibility.read import SLAB_BYTES, Buffers, ChunkReader

_SAMPLES = 50
# Of this rank: one piece may be worked on while a slab of the next waits and one of the third is
# being read.
_BUFFERS = tuple(Buffers() for _ in range(3))


def chunk_of_task(task: ChunkTask) -> ImagedChunk:
    """Return a chunk that is read from the measurement set."""
    return ImagedChunk(task, task.scan, task.time, task.integration, task.source.frequency,
                       task.source.channel_width, task.nbytes)


def chunk_of_file(path: Path) -> tuple[ImagedChunk, dict]:
    """Return a chunk that is read from its file, and the file's attributes.

    Raises
    ------
    FormatError
        If the file is not a complete chunk file of this version, or is damaged.
    """
    with open_product(path, VisibilityChunk) as file, damage_reported(path):
        attributes = read_attributes(file, VisibilityChunk)
        arrays = {name: file[name][()] for name in (
            "time", "integration", "frequency", "channel_width")}
    return ImagedChunk(path, attributes["scan"], **arrays,
                       nbytes=path.stat().st_size), attributes


def alone(piece: Piece) -> Piece:
    """Return the piece with what it needs of its chunk only, to be sent to another rank."""
    if isinstance(piece.origin, Path):
        return piece
    return Piece(piece.origin.select_times(piece.begin, piece.end), 0, piece.end - piece.begin,
                 piece.nbytes)


def read_pieces(parts: Sequence[Piece]) -> Iterator[VisibilityChunk]:
    """Yield the slabs of pieces of chunks, one after the other, in memory that is used again.

    Each slab is read while the one before is worked on.
    """
    yield from ahead(_slabs(parts))


def _slabs(parts: Sequence[Piece]) -> Iterator[VisibilityChunk]:
    opened: MeasurementSet | None = None
    try:
        for number, part in enumerate(parts):
            if isinstance(part.origin, Path):
                yield from with_flags(
                    read_slabs(part.origin, SLAB_BYTES, part.begin, part.end), part.origin,
                    part.begin)
                continue
            task = part.origin.select_times(part.begin, part.end)
            if not isinstance(task, ChunkTask):
                yield from task.slabs()
                continue
            if opened is None or opened.path != task.source.path:
                if opened is not None:
                    opened.close()
                opened = MeasurementSet(task.source.path)
            yield from ChunkReader(opened, task).slabs(
                _BUFFERS[number % len(_BUFFERS)], stages=1)
    finally:
        if opened is not None:
            opened.close()


def sample_uvw(chunks: Sequence[ImagedChunk]) -> np.ndarray:
    """Return uvw (N,3) in m of cross-correlations at some times spread over the chunks."""
    spread = np.unique(np.linspace(0, len(chunks) - 1, min(len(chunks), _SAMPLES)).astype(int))
    found = [np.zeros((0, 3))]
    for number in spread:
        chunk = chunks[number]
        times = np.unique(np.linspace(0, len(chunk.time) - 1,
                                      max(2, _SAMPLES // len(spread))).astype(int))
        if isinstance(chunk.origin, Path):
            with h5py.File(chunk.origin, "r") as file:
                found.append(file["uvw"][()][times].reshape(-1, 3))
            continue
        task = chunk.origin if isinstance(chunk.origin, ChunkTask) else chunk.origin.task
        inside = np.isin(task.run_integration, times)
        with MeasurementSet(task.source.path) as opened:
            uvw = opened.rows("UVW", task.run_start[inside], task.run_length[inside])
        found.append(uvw[np.isfinite(uvw).all(axis=1)])
    return np.concatenate(found)
