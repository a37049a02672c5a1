"""Where compiled kernels are kept, so that ranks and reruns do not all compile them.

And the list of fonts of matplotlib, which is made the first time too.
"""

import contextlib
import hashlib
import importlib
import os
import stat
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from visds.core.launcher import is_coordinator
from visds.core.progress import Progress

_MODULES = (
    "visds.core.fletcher", "visds.core.planes", "visds.crossmatch.clumps",
    "visds.crossmatch.hull", "visds.dynspec.accumulate", "visds.dynspec.cell_sums",
    "visds.dynspec.detection.boxes", "visds.dynspec.detection.disjoint",
    "visds.dynspec.detection.scatter", "visds.dynspec.detection.search",
    "visds.dynspec.detection.search_profiles", "visds.dynspec.flag",
    "visds.dynspec.flagging.counts", "visds.dynspec.flagging.light",
    "visds.dynspec.flagging.protect", "visds.dynspec.flagging.sum_threshold",
    "visds.dynspec.variability.bayesian_blocks",
    "visds.dynspec.variability.structure_function",
    "visds.imaging.stokes_visibility", "visds.imaging.weighting",
    "visds.visibility.bits", "visds.visibility.difference_variance", "visds.visibility.read",
    "visds.visibility.sky_model.direct", "visds.visibility.sky_model.gridded")
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
    """Import every module with kernels, and so compile them, unless that was done before."""
    if kernels_are_cached():
        return
    with Progress("modules compiled", len(_MODULES) if is_coordinator() else 0) as progress:
        for module in _MODULES:
            importlib.import_module(module)
            progress.advance()
    with contextlib.suppress(OSError):
        _account().write_text(_state())


def kernels_are_cached() -> bool:
    """Whether the kernels of these very sources were compiled before."""
    try:
        return _account().read_text() == _state()
    except OSError:
        return False


def _account() -> Path:
    """Return the file beside the kernels that says of which sources they are."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or _source(__name__).parent / "__pycache__"
    return Path(folder) / "visds-kernels.txt"


def _state() -> str:
    sources = [(module, _source(module).stat()) for module in _MODULES]
    return "".join([f"numba {version('numba')} {sys.version}\n", *(
        f"{module} {status.st_size} {status.st_mtime_ns}\n" for module, status in sources)])


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
