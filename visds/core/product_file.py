"""HDF5 files being written: whole or not there, also where the disk is full."""

import contextlib
import os
from collections.abc import Iterator
from types import TracebackType

import h5py

from visds.core.files import whole_file


class ProductFile(h5py.File):
    """An HDF5 file being written; see `new_product`."""

    def __init__(self, raw: "_NotingFile"):
        self._raw = raw
        # From this version on HDF5 has a checksum on where chunks are, not on chunks alone.
        super().__init__(raw, "w", libver=("v110", "v110"))

    def check(self) -> None:
        """Raise what was noted if something could not be written."""
        self._raw.check()


@contextlib.contextmanager
def new_product(path: str | os.PathLike) -> Iterator[ProductFile]:
    """Yield an HDF5 file that appears under its name only when it is complete on disk.

    HDF5 that cannot write cannot close its file either, and ends the process with a segmentation
    fault. So its writes never fail: the first failure is noted and raised by `check` and at the
    end, and nothing further is written.

    Raises
    ------
    OutputError
        If the file cannot be written, for want of space for instance.
    """
    with whole_file(path) as part, _NotingFile(part) as raw, ProductFile(raw) as file:
        yield file


class _NotingFile:
    """A file that takes note of the first failure to write and goes on as if there were none."""

    def __init__(self, path: str | os.PathLike):
        self._file = open(path, "r+b", buffering=0)
        self._failure: OSError | None = None

    def __enter__(self):
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None):
        self._file.close()
        if kind is not GeneratorExit:
            self.check()

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        length = len(left)
        try:
            while len(left) and self._failure is None:
                left = left[self._file.write(left):]
        except OSError as error:
            self._failure = error
        return length

    def truncate(self, size: int) -> int:
        try:
            if self._failure is None:
                self._file.truncate(size)
        except OSError as error:
            self._failure = error
        return size

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: bytearray) -> int:
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
