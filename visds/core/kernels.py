"""Where compiled kernels are kept, so that ranks and reruns do not all compile them.

And the list of fonts of matplotlib, which is made the first time too.
"""

import contextlib
import hashlib
import importlib
import os
import stat
import tempfile
from pathlib import Path

_MODULES = (
    "visds.core.fletcher", "visds.core.planes", "visds.crossmatch.clumps",
    "visds.dynspec.accumulate", "visds.dynspec.cell_sums", "visds.dynspec.detection.boxes",
    "visds.dynspec.detection.disjoint", "visds.dynspec.detection.scatter",
    "visds.dynspec.detection.search", "visds.dynspec.flag", "visds.visibility.bits",
    "visds.visibility.read", "visds.visibility.sky_model.predict")
_PACKAGE = Path(__file__).parents[1]


def use_own_caches() -> None:
    """Choose where numba and matplotlib keep their caches: never in the home folder.

    To be called before either is imported. Kernels are kept beside the sources where that can be
    written; all else in a folder of the user's own under the system's temporary folder, one for
    each node, user and installation. Where the user has chosen a folder it is that one.
    """
    if "MPLCONFIGDIR" not in os.environ:
        os.environ["MPLCONFIGDIR"] = str(_own_folder())
    if "NUMBA_CACHE_DIR" not in os.environ and not all(
            _keeps_kernels(_source(module).parent) for module in _MODULES):
        os.environ["NUMBA_CACHE_DIR"] = str(_own_folder())


def compile_kernels() -> None:
    """Import every module with kernels, and so compile them, unless the cache holds them."""
    if not kernels_are_cached():
        for module in _MODULES:
            importlib.import_module(module)


def kernels_are_cached() -> bool:
    """Whether the cache holds kernels newer than their sources."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    for module in _MODULES:
        source = _source(module)
        places = Path(folder).rglob("*.nbi") if folder else source.parent.glob("__pycache__/*.nbi")
        changed = source.stat().st_mtime
        if not any(place.name.startswith(source.stem + ".") and place.stat().st_mtime >= changed
                   for place in places):
            return False
    return True


def _own_folder() -> Path:
    installation = hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"visds-{os.getuid()}-{installation}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022
            or not stat.S_ISDIR(status.st_mode)):
        # Somebody else's folder of that name: its contents would be run as code.
        folder = Path(tempfile.mkdtemp(prefix="visds-"))
    return folder


def _keeps_kernels(folder: Path) -> bool:
    """Whether numba can write its cache beside the sources in a folder."""
    cache = folder / "__pycache__"
    return os.access(cache if cache.is_dir() else folder, os.W_OK)


def _source(module: str) -> Path:
    return _PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
