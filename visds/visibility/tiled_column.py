"""A column in casacore's tiles, read straight from its file.

casacore's tiled storage managers keep a column as a hypercube (rows outermost) cut into tiles of
constant shape, tile after tile in a file. Where a tile holds whole cells, the file is one array of
cells in the order of the rows, and a range of rows is a range of bytes: they are copied once, from
the system's cache to where they are wanted, and the system is told what is wanted next. Truth
values are kept as bits, the first in the lowest bit of a byte.
"""

import functools
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# Numbers in headers are big-endian; a nested object begins with its length, name and version.
_MAGIC = b"\xbe\xbe\xbe\xbe"
_WORTH_ASKING = 1_000_000
_CUBE_OF_MANAGER = {"TiledColumnStMan": 0, "TiledShapeStMan": 1}


@dataclass(frozen=True)
class TiledColumn:
    """A file that holds the cells of a column, row after row; `cell` is the shape of one.

    It is open from the first reading until `close`.
    """

    path: Path
    dtype: np.dtype
    cell: tuple[int, ...]
    rows: int

    @classmethod
    def find(cls, table: str | os.PathLike, managers: Mapping[str, Mapping[str, Any]],
             column: str, dtype: np.dtype, rows: int) -> "TiledColumn | None":
        """Return where a table keeps a column, or None where it is not kept like this.

        That is if it is not tiled or compressed, or there are cells of several shapes, tiles of
        parts of cells, several columns in one tile, another order of rows than the table's or of
        bytes than this machine's.

        Parameters
        ----------
        table : path
            The folder of the table.
        managers : mapping
            The table's data managers, as casacore tells of them.
        column, dtype, rows :
            Name and type of the column and the number of the table's rows.
        """
        manager = next((one for one in managers.values() if column in one["COLUMNS"]), None)
        if manager is None or manager["TYPE"] not in _CUBE_OF_MANAGER or len(
                manager["COLUMNS"]) != 1 or not 0 < rows < 2**32:
            return None
        cubes = list(manager["SPEC"]["HYPERCUBES"].values())
        header = Path(table) / f"table.f{manager['SPEC']['SEQNR']}"
        number = _CUBE_OF_MANAGER[manager["TYPE"]]
        path = Path(f"{header}_TSM{number}")
        if len(cubes) != 1 or not header.is_file() or not path.is_file():
            return None
        cube, tile = (tuple(map(int, cubes[0][name])) for name in ("CubeShape", "TileShape"))
        cell = cube[:-1]
        tile_bits = int(np.prod(tile)) * _bits(dtype)
        tiles = -(-rows // tile[-1])
        if (tile[:-1] != cell or cube[-1] != rows or cubes[0]["BucketSize"] * 8 != tile_bits
                or path.stat().st_size < tiles * tile_bits // 8):
            return None
        content = header.read_bytes()
        if not _has_native_bytes(content) or (
                manager["TYPE"] == "TiledShapeStMan" and not content.endswith(_row_map(rows))):
            return None
        return cls(path, dtype, tuple(reversed(cell)), rows)

    def read(self, first: int, out: np.ndarray) -> None:
        """Fill `out` (rows, *cell) with the cells of rows from `first` on.

        If they are many, the system is asked to have the next as many ready.

        Raises
        ------
        OSError
            If the file cannot be read or ends too early.
        """
        if out.dtype != self.dtype or out.shape[1:] != self.cell:
            raise ValueError(f"cells are {self.cell} of {self.dtype}, not {out.shape[1:]} of "
                             f"{out.dtype}")
        if self.dtype.kind == "b":
            from visds.visibility.bits import unpack  # kernels are compiled when they are wanted

            begin, end = first * out[0].size, (first + len(out)) * out[0].size
            packed = np.empty(-(-end // 8) - begin // 8, np.uint8)
            self._read_bytes(begin // 8, memoryview(packed))
            unpack(packed, begin % 8, out.reshape(-1).view(np.uint8))
        else:
            self._read_bytes(first * out[0].nbytes, memoryview(out).cast("B"))

    def close(self) -> None:
        """Close the file, if it is open."""
        if "_file" in self.__dict__:
            self._file.close()

    @functools.cached_property
    def _file(self) -> io.FileIO:
        return open(self.path, "rb", buffering=0)

    def _read_bytes(self, begin: int, left: memoryview) -> None:
        file = self._file.fileno()
        if len(left) > _WORTH_ASKING:
            os.posix_fadvise(file, begin + len(left), len(left), os.POSIX_FADV_WILLNEED)
        while len(left):
            count = os.preadv(file, [left], begin)
            if count == 0:
                raise OSError(f"{self.path} ends at byte {begin}")
            left, begin = left[count:], begin + count


def _bits(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "b" else 8 * dtype.itemsize


def _has_native_bytes(header: bytes) -> bool:
    """Return whether a tiled storage manager's header names this machine's order of bytes."""
    if not header.startswith(_MAGIC):
        return False
    name = b"TiledStMan"
    at = header.find(_number(len(name)) + name)
    if at < 0:
        return False
    at += 4 + len(name)
    # The first version knows big-endian data only and does not say so.
    version = int.from_bytes(header[at:at + 4], "big")
    big_endian = version < 2 or header[at + 4] != 0
    return big_endian != np.little_endian


def _row_map(rows: int) -> bytes:
    """Return how a header ends whose rows all lie in the first cube, in the table's order.

    That is: one interval; its last row, its cube, the place of its last row there.
    """
    return _number(1) + _block(rows - 1) + _block(1) + _block(rows - 1)


def _block(value: int) -> bytes:
    """Return a stored block of one number: length, name, version, one element."""
    name = b"Block"
    content = _number(len(name)) + name + _number(1) + _number(1) + _number(value)
    return _number(len(content) + 4) + content


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
