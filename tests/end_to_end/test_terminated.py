"""SIGTERM, which batch systems send, leaves no scratch files and nothing that is not whole."""

import signal
import subprocess
import sys
import time

import pytest
from launch import RANKS, on_ranks, started


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(array="VLA-C", antennas=8, scans=2, scan_length="60s", channels=4,
                     noise="5mJy", sources=3, brightest="1Jy", faintest="0.3Jy", radius="5arcmin")


def ended(command, folder, scratch):
    """Start a command, end it when it has made scratch files; return exit code and errors."""
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        begun = time.monotonic()
        while not list(folder.glob(scratch)):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() - begun < 60
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    return process.returncode, said


def image_command(observation, out):
    return [sys.executable, "-m", "visds.commands.image", str(observation.measurement_set), "-o",
            str(out), "--clean", "--size", "512", "--interval", "20s", "--niter", "100000",
            "--clean-sigma", "0.5"]


def test_a_program_that_is_terminated_removes_its_scratch_files(observation, tmp_path):
    code, said = ended(image_command(observation, tmp_path), tmp_path, ".clean-*/scratch.ms/*.f*")
    assert code == 143
    assert said.splitlines()[-1] == "visds-image: ended by SIGTERM"
    assert "Traceback" not in said
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "provenance.json").exists()


@pytest.mark.mpi
def test_ranks_that_are_terminated_remove_their_scratch_files(observation, tmp_path):
    code, said = ended(on_ranks(RANKS, image_command(observation, tmp_path)), tmp_path,
                       ".clean-*/scratch.ms/*.f*")
    assert code != 0
    assert "Traceback" not in said
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "provenance.json").exists()
