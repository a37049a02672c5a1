"""The sums of a chunk in further directions, which wait on disk until the chunk is complete."""

import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from visds.core.files import output_error
from visds.dynspec.average import RawSums


class WaitingSums:
    """Sums that are made slab by slab, for all directions, and wanted direction by direction.

    Those of the first direction are given back at once. The others wait in a file without a name,
    which is gone when the process ends, however that ends: so memory does not grow with the number
    of directions. Without further directions there is none.
    """

    def __init__(self, directions: int, folder: str | os.PathLike | None = None):
        self._places: list[list[int]] = [[] for _ in range(directions)]
        self._shared: list[RawSums | None] = []
        self._folder = folder or tempfile.gettempdir()
        self._file = None

    def __enter__(self) -> "WaitingSums":
        if self._places:
            try:
                self._file = tempfile.TemporaryFile(dir=self._folder)
            except OSError as error:
                raise output_error(self._folder, error) from error
        return self

    def __exit__(self, *_):
        if self._file is not None:
            self._file.close()

    def put(self, sums: Iterable[tuple[int, RawSums | np.ndarray]]) -> RawSums:
        """Keep the sums of a slab, by number of the direction; return those of number 0.

        They are all sums, or those (T,N,8,F) that differ from the ones that came last with all.

        Raises
        ------
        OutputError
            If there is no space for them.
        """
        first, whole = None, None
        for number, values in sums:
            if isinstance(values, RawSums):
                whole = values
            if number == 0:
                first = values
                continue
            try:
                self._places[number - 1].append(self._file.tell())
                pickle.dump(values, self._file, protocol=5)
            except OSError as error:
                raise output_error(self._folder, error) from error
        self._shared.append(whole)
        return first

    def each(self) -> Iterator[list[RawSums]]:
        """Yield the sums of all slabs of each further direction."""
        for places in self._places:
            yield [self._taken(place, shared)
                   for place, shared in zip(places, self._shared, strict=True)]

    def _taken(self, place: int, shared: RawSums) -> RawSums:
        self._file.seek(place)
        values = pickle.load(self._file)
        if isinstance(values, RawSums):
            return values
        whole = shared.values.copy()
        whole[:, :, :values.shape[2]] = values
        return replace(shared, values=whole)
