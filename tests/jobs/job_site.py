"""A pretended site for the job scripts: commands that record how they were called.

What is run is the scripts' own text in bash; scheduler, launcher and visds-run are pretended.
"""

import os
import shutil
import subprocess
from pathlib import Path

import launch

JOBS = Path(__file__).resolve().parents[2] / "jobs"
SCRIPTS = ("slurm.sh", "pbs.sh")

_VISDS_RUN = """\
#!/bin/bash
printf '%s\\n' "$@" > "$SITE/arguments"
env > "$SITE/environment"
trap 'echo warned >> "$SITE/signals"; exit 75' USR1
touch "$SITE/started"
[[ -z ${FAKE_SLEEP:-} ]] || for i in $(seq "$FAKE_SLEEP"); do sleep 0.1; done
[[ -z ${FAKE_SIGNAL:-} ]] || kill "-$FAKE_SIGNAL" $$
exit "${FAKE_CODE:-0}"
"""
_SQUEUE = """\
#!/bin/bash
[[ "$*" == "-h -j 41 -o %L" ]] && echo "$FAKE_LEFT"
"""
_SCONTROL = """\
#!/bin/bash
echo "$@" >> "$SITE/requeued"
exit "${FAKE_REFUSAL:-0}"
"""
_QSTAT = """\
#!/bin/bash
[[ "$*" == "-f 41.server" ]] || exit 1
echo "Job Id: 41.server
    Job_Name = visds
    resources_used.walltime = ${FAKE_USED:-00:00:00}
    Resource_List.select = 1:ncpus=16:mpiprocs=16
    Resource_List.walltime = $FAKE_LEFT
    session_id = 7"
"""
_QSUB = """\
#!/bin/bash
echo "$@" >> "$SITE/requeued"
cat > "$SITE/submitted"
exit "${FAKE_REFUSAL:-0}"
"""


class Site:
    """Folder of the pretended commands and of what they recorded."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.commands = folder / "the commands"
        self.commands.mkdir()
        for name, text in (("visds-run", _VISDS_RUN), ("squeue", _SQUEUE), ("qsub", _QSUB),
                           ("scontrol", _SCONTROL), ("qstat", _QSTAT)):
            self.pretend(name, text)

    def pretend(self, name: str, text: str) -> None:
        """Put a command on the path."""
        (self.commands / name).write_text(text)
        (self.commands / name).chmod(0o755)

    def job(self, script: str, left: str = "4:00:00", **changes: str | None) -> dict[str, str]:
        """Return the environment of a job with some wall-clock time left."""
        variables = {"slurm.sh": {"SLURM_JOB_ID": "41", "SLURM_NTASKS": "2"},
                     "pbs.sh": {"PBS_JOBID": "41.server", "PBS_ENVIRONMENT": "PBS_BATCH",
                                "PBS_O_WORKDIR": str(self.folder), "VISDS_RESTARTS": "0"}}
        site = {"SITE": str(self.folder), "FAKE_LEFT": left, "VISDS_MPIEXEC": "env",
                "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}"}
        return launch.environment(**(site | variables[script] | changes))

    def run(self, script: str, *arguments: str, environment: dict[str, str] | None = None,
            **changes: str) -> subprocess.CompletedProcess:
        """Run a script's text as its scheduler would, with these arguments."""
        for name in ("arguments", "environment", "signals", "requeued", "submitted", "started"):
            (self.folder / name).unlink(missing_ok=True)
        return launch.run(["bash", str(JOBS / script), *(arguments or ("star.ms", "-o", "out"))],
                          cwd=self.folder, timeout=30,
                          env=self.job(script, **changes) if environment is None else environment)

    def recorded(self, name: str) -> list[str]:
        """Return the lines that the pretended commands wrote down."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


def missing(*commands: str) -> list[str]:
    """Return those of the commands that this machine does not have."""
    return [name for name in commands if shutil.which(name) is None]
