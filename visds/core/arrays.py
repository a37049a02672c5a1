"""Records of named arrays: axes, dtype and unit declared once, checked, stored and documented.

A record is a frozen dataclass whose array fields are declared with `array` and whose other fields
are declared with `attribute`. The declaration checks every instance, lays out the HDF5 file and
writes the tables of docs/formats.md. Axes letters: T integrations, B baselines, F channels,
P polarizations, A the two antennas of a baseline (A = 2), X the three components of a vector.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import h5py
import numpy as np

from visds.core.checked_chunks import read_array, write_array
from visds.core.errors import FormatError
from visds.core.product_file import new_product

FIXED_LENGTHS = {"A": 2, "X": 3}
_HASH = "attributes_sha256"
# What h5py raises for a file of which some bytes have changed, and for text that is no longer JSON.
_DAMAGED = (OSError, KeyError, ValueError, TypeError, RuntimeError)


@dataclass(frozen=True)
class ArraySpec:
    """What an array field holds: its axes' letters, dtype, unit and meaning."""

    axes: str
    dtype: np.dtype
    unit: str
    meaning: str


def array(axes: str, dtype: Any, unit: str, meaning: str) -> Any:
    """Declare an array field of a record; see `ArraySpec`."""
    return dataclasses.field(
        metadata={"array": ArraySpec(axes, np.dtype(dtype), unit, meaning)})


def attribute(meaning: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field that is stored as a JSON attribute: text, number, tuple or mapping."""
    if isinstance(default, Mapping):
        return dataclasses.field(default_factory=lambda: dict(default),
                                 metadata={"attribute": meaning})
    return dataclasses.field(default=default, metadata={"attribute": meaning})


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """Base of the records; a subclass sets `format_name` and `format_version`."""

    format_name: ClassVar[str]
    format_version: ClassVar[int]

    def __post_init__(self):
        lengths = dict(FIXED_LENGTHS)
        for name, spec in self.array_specs().items():
            values = getattr(self, name)
            if type(values) is not np.ndarray or values.dtype != spec.dtype:
                values = np.asarray(values).astype(spec.dtype, copy=False)
                object.__setattr__(self, name, values)
            if values.ndim != len(spec.axes):
                raise ValueError(f"{name} has {values.ndim} axes, expected ({','.join(spec.axes)})")
            for axis, length in zip(spec.axes, values.shape, strict=True):
                if lengths.setdefault(axis, length) != length:
                    raise ValueError(f"{name}: axis {axis} has length {length}, "
                                     f"elsewhere {lengths[axis]}")

    def __repr__(self):
        """Return kind, lengths of the axes and short attributes, in one line."""
        lengths = {axis: length for name, spec in self.array_specs().items()
                   for axis, length in zip(spec.axes, getattr(self, name).shape, strict=True)
                   if axis not in FIXED_LENGTHS}
        words = [f"{axis}={length}" for axis, length in lengths.items()]
        words += [f"{name}={getattr(self, name)!r}" for name in self.attribute_names()
                  if not isinstance(getattr(self, name), Mapping)]
        return f"{type(self).__name__}({', '.join(words)})"

    @classmethod
    @functools.cache
    def array_specs(cls) -> dict[str, ArraySpec]:
        """Return name and declaration of every array field."""
        return {f.name: f.metadata["array"] for f in dataclasses.fields(cls)
                if "array" in f.metadata}

    @classmethod
    @functools.cache
    def attribute_names(cls) -> dict[str, str]:
        """Return name and meaning of every attribute."""
        return {f.name: f.metadata["attribute"] for f in dataclasses.fields(cls)
                if "attribute" in f.metadata}

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take in memory."""
        return sum(getattr(self, name).nbytes for name in self.array_specs())

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def write(self, path: str | os.PathLike, key: str = "") -> None:
        """Write the record as one HDF5 file, which appears only when it is complete.

        `key` identifies the inputs and settings that made it, for a rerun to know it again.
        """
        with new_product(path) as file:
            self.write_into(file)
            file.attrs["key"] = key
            mark_complete(file)

    def write_into(self, group: h5py.Group, base: Self | None = None) -> None:
        """Write attributes and arrays into an open file; of arrays those that `base` has not."""
        self.write_attributes(group)
        for name, spec in self.array_specs().items():
            values = getattr(self, name)
            if base is None or not _is_same(values, getattr(base, name)):
                create_dataset(group, name, spec, values.shape, data=values)

    def write_attributes(self, file: h5py.Group) -> None:
        """Write format and attributes into an open file."""
        file.attrs["format"] = self.format_name
        file.attrs["version"] = self.format_version
        texts = {name: json.dumps(getattr(self, name), sort_keys=True)
                 for name in self.attribute_names()}
        for name, text in texts.items():
            file.attrs[name] = text
        file.attrs[_HASH] = _digest(texts)

    @classmethod
    def read(cls, path: str | os.PathLike) -> Self:
        """Return the record stored in a file by `write`.

        Raises
        ------
        FormatError
            If the file is not there, not HDF5, of another format or version, incomplete, or
            damaged.
        """
        with open_product(path, cls) as file, damage_reported(path):
            return cls.read_from(file)

    @classmethod
    def read_from(cls, group: h5py.Group, base: h5py.Group | None = None) -> Self:
        """Return the record in an open file; arrays that it does not hold are those of `base`."""
        return cls(**{name: read_array((group if base is None or name in group else base)[name])
                      for name in cls.array_specs()}, **read_attributes(group, cls))


def create_dataset(file: h5py.Group, name: str, spec: ArraySpec, shape: tuple[int, ...],
                   data: np.ndarray | None = None,
                   chunks: tuple[int, ...] | None = None) -> h5py.Dataset:
    """Create the dataset of a declared array, checksummed, with axes, unit and meaning.

    `chunks` is the shape of HDF5's chunks, for arrays that are written piece by piece.
    """
    keywords = {}
    if 0 not in shape and shape:
        keywords = {"chunks": chunks or _storage_chunks(shape, spec.dtype.itemsize),
                    "fletcher32": True}
    dataset = file.create_dataset(name, shape=shape, dtype=spec.dtype, **keywords)
    if data is not None and keywords:
        write_array(dataset, data)
    elif data is not None:
        dataset[...] = data
    dataset.attrs["axes"] = spec.axes
    dataset.attrs["unit"] = spec.unit
    dataset.attrs["meaning"] = spec.meaning
    return dataset


def mark_complete(file: h5py.File) -> None:
    """Set the attribute that says that everything was written; the last thing a writer does."""
    file.flush()
    file.attrs["complete"] = True


def open_product(path: str | os.PathLike, record: type[Record]) -> h5py.File:
    """Open a product for reading, after checking that it is what its name says.

    Raises
    ------
    FormatError
        As `Record.read`.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(f"{path} does not exist (expected a {record.format_name} file)")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(f"{path} is not a readable HDF5 file") from error
    try:
        kind, version, complete = map(file.attrs.get, ("format", "version", "complete"))
    except _DAMAGED as error:
        file.close()
        raise FormatError(f"{path} is a damaged HDF5 file") from error
    if kind != record.format_name:
        problem = f"holds '{kind}', expected '{record.format_name}'"
    elif version != record.format_version:
        problem = (f"has format version {version}, this release reads version "
                   f"{record.format_version}")
    elif not complete:
        problem = "was not written to its end"
    else:
        return file
    file.close()
    raise FormatError(f"{path} {problem}")


@contextlib.contextmanager
def damage_reported(path: str | os.PathLike) -> Iterator[None]:
    """Raise FormatError in place of what HDF5 raises for a file whose checksums do not agree."""
    try:
        yield
    except _DAMAGED as error:
        raise FormatError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def read_attributes(file: h5py.File, record: type[Record]) -> dict[str, Any]:
    """Return the attributes of a stored record, lists as tuples.

    HDF5 has checksums for arrays, not for texts; here they have a hash.

    Raises
    ------
    OSError
        If they are not what was written.
    """
    texts = {name: file.attrs[name] for name in record.attribute_names()}
    if _digest(texts) != file.attrs.get(_HASH, _digest(texts)):
        raise OSError("the attributes do not agree with their hash")
    values = {name: json.loads(text) for name, text in texts.items()}
    return {name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()}


def _is_same(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether two arrays hold the same bytes: NaN equals NaN."""
    return values is others or (
        values.shape == others.shape
        and np.array_equal(np.ascontiguousarray(values).reshape(-1).view(np.uint8),
                           np.ascontiguousarray(others).reshape(-1).view(np.uint8)))


def _digest(texts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest()


def _storage_chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return an HDF5 chunk shape of at most some 4 MB: whole trailing axes, fewer leading."""
    chunks = list(shape)
    for axis in range(len(shape)):
        excess = np.prod(chunks) * itemsize / 4e6
        if excess <= 1:
            break
        chunks[axis] = max(1, int(chunks[axis] / excess))
    return tuple(chunks)


def stored_key(path: str | os.PathLike, record: type[Record]) -> str | None:
    """Return the key of a complete product, or None if there is no such product."""
    if not Path(path).is_file():
        return None
    try:
        with open_product(path, record) as file, damage_reported(path):
            return file.attrs.get("key")
    except FormatError:
        return None


def format_table(record: type[Record]) -> str:
    """Return the arrays and attributes of a record as Markdown, for docs/formats.md."""
    lines = ["| array | axes | type | unit | meaning |", "|---|---|---|---|---|"]
    lines += [f"| `{name}` | {','.join(spec.axes)} | {spec.dtype.name} | {spec.unit or '–'} | "
              f"{_cell(spec.meaning)} |" for name, spec in record.array_specs().items()]
    lines += ["", "| attribute | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(meaning)} |"
              for name, meaning in record.attribute_names().items()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
