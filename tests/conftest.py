"""Fixtures of all tests: observed measurement sets, and simulated ones."""

import importlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from simulate import Simulator, cached_simulator

_LAUNCHER_NAMES = ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE",
                   "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS",
                   "SLURM_STEP_NUM_NODES", "SLURM_NTASKS", "SLURM_PROCID")
_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def log() -> None:
    """Import the log: `caplog` sees loggers that do not propagate if they are there before it."""
    importlib.import_module("visds.core.log")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of observed data beside the project; skip where it is missing."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"observed data are not beside the project ({_SHARED_DATA.parent.name}/"
                    f"{_SHARED_DATA.name} is missing)")
    return _SHARED_DATA


@pytest.fixture(scope="session")
def observed(shared_data: Path,
             tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from the name of an observed measurement set to its unpacked path.

    Each is unpacked once a session, outside the project: tests must not change it.
    """
    folder = tmp_path_factory.mktemp("observed")

    def unpack(name: str) -> Path:
        path = folder / f"{name}.ms"
        archive = shared_data / "ms" / f"{name}.ms.tar.xz"
        if not path.exists():
            if not archive.is_file():
                pytest.skip(f"observed measurement set {name} is not in the shared data")
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        return path

    return unpack


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    """Return a function from options of visds-simulate to the paths of what it wrote.

    Each set of options is simulated once a session; ``copy_to=tmp_path`` gives a copy to change.
    """
    return cached_simulator(tmp_path_factory.mktemp("simulated"))


@pytest.fixture
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a launcher of these tests has left in the environment."""
    for name in _LAUNCHER_NAMES:
        monkeypatch.delenv(name, raising=False)
