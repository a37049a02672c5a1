"""CASA's tasks leave nothing behind and end no program."""

import os
import subprocess
import sys

import pytest

from visds.core.casa import TaskError, is_known_observatory, run_task

_PROGRAM = """\
import sys
from visds.core.casa import load_casatasks, load_casatools, run_task
told = run_task("listobs", {"vis": sys.argv[1]}, sys.argv[2], sys.argv[3])
assert told["nfields"] == 1, told
load_casatools()
load_casatasks()
"""


def test_tasks_write_to_their_log_alone(simulated, tmp_path):
    made = simulated().measurement_set
    home, here, work = (tmp_path / name for name in ("home", "here", "work"))
    for folder in (home, here, work):
        folder.mkdir()
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(made), str(work), str(tmp_path / "casa.log")],
        cwd=here, env=environment | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert "Begin Task: listobs" in (tmp_path / "casa.log").read_text()
    assert [list(folder.iterdir()) for folder in (home, here, work)] == [[], [], []]


def test_a_task_that_fails_is_an_error_of_one_line(tmp_path):
    with pytest.raises(TaskError, match=r"^listobs: .*nowhere\.ms.*") as raised:
        run_task("listobs", {"vis": str(tmp_path / "nowhere.ms")}, tmp_path, tmp_path / "log")
    assert "\n" not in str(raised.value)


def test_a_process_that_ends_early_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("visds.core.casa._PROGRAM", "import os; os.abort()")
    with pytest.raises(TaskError, match="tclean was ended by SIGABRT"):
        run_task("tclean", {}, tmp_path, tmp_path / "log")
    monkeypatch.setattr("visds.core.casa._PROGRAM", "raise SystemExit(7)")
    with pytest.raises(TaskError, match="tclean ended with exit code 7 before it was done"):
        run_task("tclean", {}, tmp_path, tmp_path / "log")


def test_observatories_are_known_by_any_capitals():
    assert is_known_observatory("uGMRT") == is_known_observatory("UGMRT")
    assert is_known_observatory("vla")
    assert not is_known_observatory("LWASV")
