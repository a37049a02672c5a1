"""Launchers: which were there, which fit, and how one is started."""

import os
import subprocess
import sys

import pytest

from visds.core.errors import LauncherError, OutputError
from visds.core.launcher import (
    check_launcher,
    is_coordinator,
    is_one_node,
    is_open_mpi,
    start_under_launcher,
)
from visds.core.program import run_program

pytestmark = pytest.mark.usefixtures("no_launcher")


def test_sizes_that_agree_pass_the_launcher_check():
    check_launcher(4, 4)
    check_launcher(1, None)
    with pytest.raises(LauncherError, match="started 4 processes but the MPI library sees 2"):
        check_launcher(2, 4)


@pytest.mark.parametrize(("said", "expected"), [
    ({}, False),
    ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"}, True),
    ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}, False),
    ({"OMPI_COMM_WORLD_SIZE": "4"}, False),
    ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
      "SLURM_STEP_NUM_NODES": "1"}, False),
    ({"SLURM_STEP_NUM_NODES": "1"}, True), ({"SLURM_STEP_NUM_NODES": "2"}, False)])
def test_a_job_on_one_node_is_known_by_what_the_launcher_says(monkeypatch, said, expected):
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert is_one_node() is expected


@pytest.mark.parametrize("rank_name", ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"])
def test_only_rank_0_talks_to_the_user(monkeypatch, capsys, rank_name):
    def fails(argv):
        raise OutputError("cannot write x")

    assert is_coordinator()
    monkeypatch.setattr("visds.core.program._FOR_THE_COORDINATOR", 0.01)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    for rank, said in (("0", "p: error: cannot write x\n"), ("3", "")):
        monkeypatch.setenv(rank_name, rank)
        assert is_coordinator() == (rank == "0")
        assert run_program("p", fails, []) == 2
        assert capsys.readouterr().err == said


def test_ranks_are_started_with_the_mpiexec_beside_the_interpreter(monkeypatch, tmp_path):
    """And nothing is imported from the folder where the user happens to be."""
    launcher = tmp_path / "mpiexec"
    launcher.write_text("#!/bin/sh\necho 'HYDRA build details: openpa'\n")
    launcher.chmod(0o755)
    started = {}
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(os, "execve", lambda path, command, env: started.update(
        path=path, command=command, env=env))
    start_under_launcher(3, ["obs.ms", "-n", "3"])
    assert started["path"] == str(launcher)
    assert started["command"] == [str(launcher), "-n", "3", sys.executable, "-P", "-m",
                                  "visds.commands.run", "obs.ms", "-n", "3"]


def test_open_mpi_is_told_not_to_bind_ranks_to_cores(monkeypatch, tmp_path):
    launcher = tmp_path / "mpiexec"
    launcher.write_text("#!/bin/sh\necho 'mpiexec (Open MPI) 5.0.11'\n")
    launcher.chmod(0o755)
    started = []
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(os, "execve", lambda path, command, env: started.extend(command))
    start_under_launcher(2, ["obs.ms"])
    assert started[1:5] == ["-n", "2", "--bind-to", "none"]


def test_under_a_launcher_no_further_launcher_is_started(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started again"))
    start_under_launcher(2, ["obs.ms"])


def test_without_a_launcher_ranks_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LauncherError, match=r"-n 2: no mpiexec beside .* or on the path"):
        start_under_launcher(2, [])


@pytest.mark.parametrize(("said", "is_open"), [
    ("mpiexec (Open MPI) 5.0.11", True), ("mpiexec (OpenRTE) 4.1.4", True),
    ("HYDRA build details:\n  CFLAGS: -I/build/openpa/src", False),
    ("Intel(R) MPI Library for Linux* OS, Version 2021.13", False)])
def test_open_mpi_is_known_by_what_its_launcher_says(monkeypatch, said, is_open):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess(
        [], 0, stdout=said))
    assert is_open_mpi("mpiexec") == is_open
