"""Where compiled kernels are kept, so that ranks and reruns do not all compile them."""

import hashlib
import importlib
import os
import stat
import tempfile
from pathlib import Path

_MODULES = ("visds.dynspec.average", "visds.dynspec.flag", "visds.dynspec.detection.matched_filter",
            "visds.visibility.sky_model.predict")
_PACKAGE = Path(__file__).parents[1]


def use_kernel_cache() -> None:
    """Choose the folder of numba's cache; call it before a module with kernels is imported.

    Beside the sources where that can be written. Else a folder of the user's own under the
    system's temporary folder, one for each node, user and installation; never the home folder.
    """
    if "NUMBA_CACHE_DIR" in os.environ or all(
            os.access(_source(module).parent, os.W_OK) for module in _MODULES):
        return
    installation = hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"visds-kernels-{os.getuid()}-{installation}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o022:
        # Somebody else's folder of that name: its contents would be run as code.
        folder = Path(tempfile.mkdtemp(prefix="visds-kernels-"))
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


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


def _source(module: str) -> Path:
    return _PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
