"""Chunk files: the visibilities of one chunk in HDF5, a dataset for each correlation.

Written slab by slab, so that a rank holds no more than some slabs; each correlation is its own
dataset (T,B,F), so that a reader takes only the polarizations it needs. A slab is a chunk of HDF5.
Arrays without channels are small and written whole when the last slab is there. Flags that are all
zero are not written: what is not there is read as zeros. How many chunks were written is an
attribute of the dataset, lest one that is lost be read so too.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator

import h5py
import numpy as np

from visds.core.ahead import ahead
from visds.core.arrays import (
    ArraySpec,
    create_dataset,
    damage_reported,
    mark_complete,
    open_product,
)
from visds.core.arrays import read_attributes as read_record_attributes
from visds.core.checked_chunks import check_chunks, lay_out_planes, write_plane
from visds.core.product_file import new_product
from visds.visibility.chunk import VisibilityChunk

_WRITTEN = "chunks_written"
PER_CORRELATION = ("visibility", "flags", "weight")


def write_slabs(path: str | os.PathLike, slabs: Iterator[VisibilityChunk], integrations: int,
                key: str) -> Iterator[VisibilityChunk]:
    """Yield the slabs of a chunk while writing them; the file appears when all were taken.

    `integrations` is the number of all integrations of the chunk; all slabs but the last are of
    one length. `key` identifies the inputs and settings that made it.

    Raises
    ------
    OutputError
        If the file cannot be written, for want of space for instance.
    """
    with new_product(path) as file:
        begin, datasets, small = 0, {}, {}
        with contextlib.closing(ahead(_laid_out(slabs))) as laid_out:
            for slab, planes in laid_out:
                if not datasets:
                    datasets = _create(file, slab, integrations, key)
                    small = {name: [] for name in _in_time(slab.array_specs())
                             if name not in datasets}
                for name, stored in planes.items():
                    for dataset, plane in zip(datasets[name], stored, strict=True):
                        write_plane(dataset, begin, plane)
                for name, parts in small.items():
                    parts.append(getattr(slab, name).copy())
                begin += len(slab.time)
                file.check()
                yield slab
        for name, parts in small.items():
            _write_whole(file, slab, name, np.concatenate(parts))
        for dataset in (part for parts in datasets.values() for part in parts):
            dataset.attrs[_WRITTEN] = dataset.id.get_num_chunks()
        mark_complete(file)


def read_slabs(path: str | os.PathLike, nbytes: int, start: int = 0,
               stop: int | None = None) -> Iterator[VisibilityChunk]:
    """Yield the chunk stored in a file in slabs of at most some `nbytes` in memory.

    Of its integrations those from `start` to before `stop`, by default all.

    Raises
    ------
    FormatError
        If the file is not a complete chunk file of this version, or is damaged.
    """
    with open_product(path, VisibilityChunk) as file, damage_reported(path):
        attributes = read_record_attributes(file, VisibilityChunk)
        specs = VisibilityChunk.array_specs()
        labels = attributes["correlations"]
        T = file["time"].shape[0]
        stored = [file[name][label] for name in PER_CORRELATION for label in labels]
        for dataset in [*stored, *(file[name] for name in specs if name not in PER_CORRELATION)]:
            check_chunks(dataset, dataset.attrs.get(_WRITTEN))
        per_integration = sum(data.dtype.itemsize * np.prod(data.shape[1:]) for data in stored)
        step = max(1, int(nbytes // max(per_integration, 1)))
        F = file["frequency"].shape[0]
        if stored[0].chunks:
            # Half of an HDF5 chunk costs as much to read and check as the whole.
            step = max(step // stored[0].chunks[0], 1) * stored[0].chunks[0]
        whole = {name: _read_whole(file, name, labels) for name in specs
                 if isinstance(file[name], h5py.Dataset) or file[name][labels[0]].shape[2] < F}
        T = T if stop is None else min(T, stop)
        begin = start
        while begin < T:
            # Where HDF5 chunks end, so that none is read twice.
            end = min(begin - begin % step + step, T)
            arrays = dict(whole)
            for name in _in_time(specs):
                if name in whole:
                    arrays[name] = whole[name][begin:end]
                    continue
                shape = (end - begin, *file[name][labels[0]].shape[1:], len(labels))
                arrays[name] = np.empty(shape, specs[name].dtype)
                for place, label in enumerate(labels):
                    arrays[name][..., place] = file[name][label][begin:end]
            yield VisibilityChunk(**arrays, **attributes)
            begin = end


def _in_time(specs: dict[str, ArraySpec]) -> list[str]:
    """Return the names of the arrays that slabs are parts of."""
    return [name for name, spec in specs.items() if spec.axes.startswith("T")]


def _by_channel(slab: VisibilityChunk) -> list[str]:
    """Return the names of the arrays that are written slab by slab."""
    return [name for name in PER_CORRELATION
            if getattr(slab, name).shape[2] == len(slab.frequency)]


def _laid_out(slabs: Iterator[VisibilityChunk]
              ) -> Iterator[tuple[VisibilityChunk, dict[str, np.ndarray]]]:
    """Yield the slabs and, by name, their arrays as they are stored, in memory used again."""
    # One is laid out while another waits and a third is written.
    rings: list[dict[str, np.ndarray]] = [{} for _ in range(3)]
    rows = 0
    for slab, ring in zip(slabs, itertools.cycle(rings), strict=False):
        rows = rows or len(slab.time)
        planes = {}
        for name in _by_channel(slab):
            values = getattr(slab, name)
            if name != "flags" or values.any():
                planes[name] = ring[name] = lay_out_planes(values, rows, ring.get(name))
        yield slab, planes


def _create(file: h5py.File, slab: VisibilityChunk, integrations: int,
            key: str) -> dict[str, list[h5py.Dataset]]:
    """Lay out a file; return the datasets that are written slab by slab, by array."""
    slab.write_attributes(file)
    file.attrs["key"] = key
    datasets = {}
    for name, spec in slab.array_specs().items():
        values = getattr(slab, name)
        if not spec.axes.startswith("T"):
            create_dataset(file, name, spec, values.shape, data=values)
        elif name in _by_channel(slab):
            shape = (integrations, *values.shape[1:3])
            chunks = (min(len(slab.time), integrations), *values.shape[1:3])
            datasets[name] = [
                create_dataset(file.require_group(name), label, spec, shape, chunks=chunks)
                for label in slab.correlations]
    return datasets


def _write_whole(file: h5py.File, slab: VisibilityChunk, name: str, values: np.ndarray) -> None:
    """Write an array of all slabs; a dataset for each correlation where there is such an axis."""
    spec = slab.array_specs()[name]
    if name not in PER_CORRELATION:
        create_dataset(file, name, spec, values.shape, data=values)
        return
    for place, label in enumerate(slab.correlations):
        create_dataset(file.require_group(name), label, spec, values.shape[:-1],
                       data=values[..., place])


def _read_whole(file: h5py.File, name: str, labels: tuple[str, ...]) -> np.ndarray:
    """Return an array as a record holds it."""
    if name not in PER_CORRELATION:
        return file[name][()]
    return np.stack([file[name][label][()] for label in labels], axis=-1)
