"""Provenance: what made a product, and the key by which a rerun knows it again."""

import dataclasses
import enum
import hashlib
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from visds.core.errors import OutputError
from visds.core.files import whole_file
from visds.core.version import __version__

_PACKAGES = ("numpy", "scipy", "astropy", "h5py", "numba", "python-casacore", "mpi4py")


@dataclass(frozen=True)
class Provenance:
    """How a folder of products came to be: command, inputs with hashes, settings, versions."""

    command: list[str]
    inputs: dict[str, str]
    settings: dict[str, dict[str, Any]]
    ranks: int
    version: str = __version__
    created: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    python: str = field(default_factory=platform.python_version)
    host: str = field(default_factory=platform.node)
    packages: dict[str, str] = field(
        default_factory=lambda: {name: metadata.version(name) for name in _PACKAGES})

    def write(self, path: str | os.PathLike, **more: Any) -> None:
        """Write provenance.json, with `more` entries."""
        with whole_file(path) as part:
            part.write_text(json.dumps(dataclasses.asdict(self) | more, indent=1, sort_keys=True)
                            + "\n")


def key(*parts: Any) -> str:
    """Return a hash of settings, tasks and hashes: the same parts, the same product.

    Takes dataclasses, mappings, sequences, arrays, numbers, text and None. The version of the
    package is always part of it.
    """
    digest = hashlib.sha256()
    _feed(digest, (__version__, parts))
    return digest.hexdigest()


def refuse_other_program(folder: str | os.PathLike, program: str) -> None:
    """Keep the products of another program from being mixed with those of this one.

    Raises
    ------
    OutputError
        If provenance.json in the folder says that another program made what is there.
    """
    try:
        held = json.loads((Path(folder) / "provenance.json").read_text())
        made_by = Path(held["command"][0]).name
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return
    if made_by.startswith("visds-") and made_by != program:
        raise OutputError(f"{folder} holds the products of {made_by}: give {program} another -o")


def file_hash(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def command_line() -> list[str]:
    """Return the command as it was typed, whether as a program or as a module of commands."""
    path = Path(sys.argv[0])
    program = f"visds-{path.stem}" if path.parent.name == "commands" else path.name
    return [program, *sys.argv[1:]]


def _feed(digest, value: Any) -> None:
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        digest.update(b"{")
        for name in sorted(value, key=str):
            digest.update(f"{name}:".encode())
            _feed(digest, value[name])
        digest.update(b"}")
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        digest.update(b"[")
        for item in value:
            _feed(digest, item)
            digest.update(b",")
        digest.update(b"]")
    elif isinstance(value, np.generic):
        # Before the numbers of Python: a float64 is one of them, but is written differently.
        _feed(digest, value.item())
    elif isinstance(value, (str, int, float, bool, type(None), enum.Enum)):
        digest.update(f"{type(value).__name__}:{value!r}".encode())
    else:
        raise TypeError(f"cannot make a key of {type(value).__name__}")
