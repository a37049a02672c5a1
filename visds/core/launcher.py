"""The launcher of MPI programs: whether there was one, whether it fits, and starting it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from visds.core.errors import LauncherError
from visds.core.progress import BAR_VARIABLE

_SIZE_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def is_coordinator() -> bool:
    """Whether this process is the one that talks to the user: rank 0, or alone."""
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"):
        if name in os.environ and launched_size() is not None:
            return os.environ[name] == "0"
    return True


def launched_size() -> int | None:
    """Return the number of processes that a launcher says it started; None without a launcher."""
    for name in _SIZE_VARIABLES:
        if name in os.environ:
            return int(os.environ[name])
    if "SLURM_STEP_ID" in os.environ and "SLURM_STEP_NUM_TASKS" in os.environ:
        return int(os.environ["SLURM_STEP_NUM_TASKS"])
    return None


def is_one_node() -> bool:
    """Whether a launcher says that it started all processes on one node."""
    size = os.environ.get("OMPI_COMM_WORLD_SIZE")
    if size is not None:
        return os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") == size
    return os.environ.get("SLURM_STEP_NUM_NODES") == "1"


def check_launcher(size: int, launched: int | None) -> None:
    """Check that the MPI library and the launcher agree on the number of ranks.

    Raises
    ------
    LauncherError
        If not: every process would take itself for rank 0 and write the same files.
    """
    if launched is not None and launched != size:
        raise LauncherError(
            f"the launcher started {launched} processes but the MPI library sees {size}: the "
            "mpirun or srun in use does not belong to the MPI library of mpi4py (try mpirun of "
            "the same environment, or srun --mpi=pmix; visds-run --check says more)")


def start_under_launcher(ranks: int, arguments: Sequence[str]) -> None:
    """Replace this process by `mpiexec -n ranks` of the same program; return if already under one.

    Raises
    ------
    LauncherError
        If there is no mpiexec beside the interpreter or on the path.
    """
    if launched_size() is not None:
        return
    beside = os.path.join(os.path.dirname(sys.executable), "mpiexec")
    launcher = beside if os.access(beside, os.X_OK) else shutil.which("mpiexec")
    if launcher is None:
        raise LauncherError(f"-n {ranks}: no mpiexec beside {sys.executable} or on the path; "
                            "install visds[mpi], or load the site's MPI module")
    environment = dict(os.environ)
    if sys.stderr.isatty():
        environment[BAR_VARIABLE] = "1"
    command = [launcher, "-n", str(ranks)]
    if is_open_mpi(launcher):
        command += ["--bind-to", "none"]
        environment.setdefault("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        environment.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
    # -P: nothing in the folder where the user happens to be is imported.
    command += [sys.executable, "-P", "-m", "visds.commands.run", *arguments]
    os.execve(launcher, command, environment)


def is_open_mpi(launcher: str) -> bool:
    """Whether an mpiexec is Open MPI's."""
    said = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False)
    return "open mpi" in said.stdout.lower() or "openrte" in said.stdout.lower()
