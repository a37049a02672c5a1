"""A real Slurm of two nodes on this machine's loopback, for as long as a test needs it.

It lives in mount and process namespaces of its own: hosts file, state and daemons are seen by
nobody else, and ending the first process of the namespace ends every other one. It ends with the
process that started it, even if that is killed.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

PROJECT = Path(__file__).resolve().parents[2]
NEEDED = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "nsenter", "setpriv")
USER, GROUP = 65534, 65534  # nobody: Slurm is used as people use it, not as root

_SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/spool-%n
TmpFS={state}/tmp-%n
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd-%n.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1
KillWait=5
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=1000
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=1:00:00 State=UP
"""

_BOOT = """\
set -e
cd {state}
mount --bind hosts /etc/hosts
{mounts}
munged --foreground --force --socket={state}/munge.socket --key-file={state}/munge.key \\
    --pid-file={state}/munged.pid --log-file={state}/munged.log --seed-file={state}/munge.seed &
while [ ! -S munge.socket ]; do sleep 0.05; done
export SLURM_CONF={state}/slurm.conf
slurmctld -D -c > controller.log 2>&1 &
slurmd -D -N n1 > n1.log 2>&1 &
slurmd -D -N n2 > n2.log 2>&1 &
wait
"""


class Cluster:
    """Context manager: starts the cluster and stops it with everything that it started.

    `folder` is an ordinary user's; `state` holds it and everything else that is written.
    """

    def __init__(self):
        self.folder = Path()
        self.state = Path()
        self._process: subprocess.Popen | None = None
        self._first = 0

    def __enter__(self) -> "Cluster":
        self.state = Path(tempfile.mkdtemp(prefix="visds-slurm-"))
        self.state.chmod(0o755)
        self.folder = self.state / "a user's folder"
        self.folder.mkdir()
        try:
            _copy_kernels(self.folder / "kernels")
            self.give(self.folder)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self._first:
            os.kill(self._first, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(30)
        shutil.rmtree(self.state)

    def run(self, command: Sequence[str | os.PathLike],
            **environment: str) -> subprocess.CompletedProcess:
        """Run a command in the cluster as an ordinary user, in that user's folder."""
        variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
                     "SLURM_CONF": str(self.state / "slurm.conf"),
                     "TMPDIR": str(self.state / "tmp-n1"),
                     "NUMBA_CACHE_DIR": str(self.folder / "kernels"),
                     "MPLCONFIGDIR": str(self.folder / "matplotlib")} | environment
        return subprocess.run(
            ["nsenter", f"--target={self._first}", "--mount", "--pid", "setpriv",
             f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "env", "-i",
             f"--chdir={self.folder}", *(f"{k}={v}" for k, v in variables.items()), *command],
            capture_output=True, text=True, check=False, timeout=120)

    def ask(self, *command: str) -> str:
        """Return what a command of Slurm says."""
        said = self.run(command)
        if said.returncode:
            raise RuntimeError(f"{' '.join(command)}: {said.stderr}")
        return said.stdout.strip()

    def give(self, folder: Path) -> None:
        """Make a folder the user's own."""
        for root, _, files in os.walk(folder):
            for path in (root, *(os.path.join(root, name) for name in files)):
                os.chown(path, USER, GROUP)

    def _start(self) -> None:
        state, host = self.state, socket.gethostname()
        (state / "controller").mkdir()
        for name in ("tmp-n1", "tmp-n2"):
            (state / name).mkdir()
            (state / name).chmod(0o1777)
        (state / "slurm.conf").write_text(_SLURM_CONF.format(
            host=host, state=state, ports=_free_ports(3)))
        (state / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (state / "hosts").write_text(
            f"{Path('/etc/hosts').read_text()}\n127.0.0.1 {host} n1 n2\n")
        (state / "munge.key").write_bytes(os.urandom(128))
        (state / "munge.key").chmod(0o600)
        (state / "boot.sh").write_text(_BOOT.format(state=state, mounts=_readable(state)))
        with (state / "boot.log").open("w") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--pid", "--fork",
                 "--kill-child", "--mount-proc", "--propagation=private", "/bin/bash",
                 str(state / "boot.sh")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        wait_for(lambda: children.read_text().split(), 10, "the namespace")
        self._first = int(children.read_text().split()[0])

        def ready() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError((state / "boot.log").read_text())
            said = self.run(["sinfo", "-h", "-N", "-o", "%T"])
            return said.stdout.split() == ["idle", "idle"]

        wait_for(ready, 30, "two idle nodes")


def wait_for(done: Callable[[], object], seconds: float, what: str,
             explain: Callable[[], str] = str) -> None:
    """Wait until `done()`; RuntimeError with what `explain` says if it takes over `seconds`."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s for {what}\n{explain()}")
        time.sleep(0.05)


def _copy_kernels(folder: Path) -> None:
    """Copy the kernels beside the sources, which nobody else's numba uses, to a cache of numba's.

    To compile them takes a minute and a half on both nodes at once.
    """
    folder.mkdir()
    for path in (PROJECT / "visds").rglob("__pycache__/*.nb[ic]"):
        source = path.parents[1] / "a.py"
        kept = folder / UserProvidedCacheLocator.get_suitable_cache_subpath(str(source))
        kept.mkdir(exist_ok=True)
        shutil.copy2(path, kept)
    for path in PROJECT.glob("visds/core/__pycache__/visds-kernels.txt"):
        shutil.copy2(path, folder)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _readable(state: Path) -> str:
    """Return the mounts that let everybody read what lies under a closed folder such as /root."""
    lines = []
    wanted = sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), PROJECT})
    hidden = {path: closed for path in wanted if (closed := _closed_ancestor(path))}
    for number, path in enumerate(hidden):
        (state / f"kept-{number}").mkdir()
        lines.append(f"mount --bind '{path}' kept-{number}")
    lines += [f"mount -t tmpfs -o mode=755 none '{closed}'"
              for closed in sorted(set(hidden.values()))]
    for number, path in enumerate(hidden):
        lines += [f"mkdir -p '{path}'", f"mount --bind kept-{number} '{path}'"]
    return "\n".join(lines)


def _closed_ancestor(path: Path) -> Path | None:
    return next((parent for parent in reversed(path.parents)
                 if not parent.stat().st_mode & 0o001), None)
