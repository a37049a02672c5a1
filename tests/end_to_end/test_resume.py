"""The same command again goes on where the last run stopped, to the same products bit by bit."""

import fcntl
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from launch import RANKS, descendants, on_ranks, rank_of, run, started, visds_run
from products import (
    blocks,
    contents,
    left_looking_finished,
    numbers,
    provenance,
    reused,
    temporary,
)

from visds import chunk_job
from visds.commands.run import main
from visds.core.arrays import stored_key
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.run_settings import RUN_IMAGES
from visds.visibility.chunk import VisibilityChunk

CHUNKS = 6
"""Chunks of the small observation: two scans of three."""
# Quick with all its images: short baselines need few pixels, and one burst is one detection.
SMALL = {"array": "VLA-D", "scans": 2, "channels": 16, "noise": "20mJy", "sources": 3,
         "flares": True, "flare": ["time=60s,duration=30s,I=300mJy,V=70%"]}
OPTIONS = ("--chunk-size", "50kB", "--stokes", "I", "--snapshots", "2", "--plots", "lightcurve")


@pytest.fixture(scope="module")
def observation(simulated):
    return simulated(**SMALL)


def visds(observation, out, *options):
    """Run visds-run in this process on the small observation; return its exit code."""
    return main([str(observation.measurement_set), "-o", str(out), *OPTIONS, *map(str, options)])


@pytest.fixture(scope="module")
def finished(observation, tmp_path_factory):
    """Return the folder of an undisturbed run."""
    out = tmp_path_factory.mktemp("a finished run") / "out"
    assert visds(observation, out) == 0
    assert len(blocks(out)) == CHUNKS
    made = {path.name for path in (out / RUN_IMAGES).iterdir()}
    assert {"field_I.fits", "field_I.png", "detection001_difference_I.fits", "images.ecsv",
            "lightcurve.png"} < made
    return out


@pytest.fixture
def again(finished, tmp_path):
    """Return a copy of the finished run to go on from."""
    return shutil.copytree(finished, tmp_path / "out")


def test_a_rerun_makes_no_chunk_again_and_the_same_products(observation, finished, again):
    before = blocks(again)
    assert visds(observation, again) == 0
    assert blocks(again) == before
    assert reused(again) == f"{CHUNKS} chunks, {CHUNKS} of them from an earlier run"
    assert numbers(again) == numbers(finished)


def test_a_run_that_died_after_its_chunks_makes_only_the_products(observation, finished, again):
    for name in (*left_looking_finished(again), "settings.toml"):
        (again / name).unlink()
    before = blocks(again)
    assert visds(observation, again) == 0
    assert blocks(again) == before
    assert numbers(again) == numbers(finished)


def test_fresh_makes_every_chunk_again(observation, finished, again):
    before = blocks(again)
    assert visds(observation, again, "--fresh") == 0
    assert all(blocks(again)[name] != time for name, time in before.items())
    assert reused(again) == f"{CHUNKS} chunks, 0 of them from an earlier run"
    assert numbers(again) == numbers(finished)


def damage(path, how):
    """Spoil a chunk file."""
    data = bytearray(path.read_bytes())
    if how == "cut off":
        del data[len(data) // 2:]
    elif how == "one bit turned":
        data[_place_of_data(path)] ^= 0x10
    elif how == "header turned":
        data[data.index(b"OHDR") + 10] ^= 0x10
    elif how == "text turned":
        data[data.index(b'["RR"') + 2] ^= 0x10
    elif how == "emptied":
        data.clear()
    else:
        data[:] = b"not HDF5 at all\n" * 100
    path.write_bytes(data)


DAMAGES = ("cut off", "one bit turned", "header turned", "text turned", "emptied", "another file")


@pytest.mark.parametrize("kind", ["block", "visibility"])
def test_a_damaged_chunk_file_is_made_again(observation, finished, again, kind):
    """One of the chunks in each way."""
    paths = sorted((again / "chunks").glob(f"*.{kind}.h5"))
    for path, how in zip(paths, DAMAGES, strict=True):
        damage(path, how)
        if kind == "visibility":
            path.with_name(path.name.replace("visibility", "block")).unlink()
    assert visds(observation, again) == 0
    assert reused(again) == f"{CHUNKS} chunks, 0 of them from an earlier run"
    # Blocks of the chunk files, chunk files of the measurement set.
    assert ("averaged again" in (again / "log.txt").read_text()) == (kind == "block")
    assert numbers(again) == numbers(finished)
    for path in paths:
        kept = VisibilityChunk if kind == "visibility" else DynamicSpectrum
        assert stored_key(path, kept) == stored_key(finished / "chunks" / path.name, kept)


def test_images_are_not_made_of_damaged_chunk_files(observation, finished, again):
    """Nor does a block that is whole hide them."""
    for path, how in zip(sorted((again / "chunks").glob("*.visibility.h5")), DAMAGES, strict=True):
        damage(path, how)
    assert visds(observation, again) == 0
    assert numbers(again) == numbers(finished)


def test_one_damaged_chunk_file_costs_no_other_chunk(observation, finished, again):
    damage(sorted((again / "chunks").glob("*.block.h5"))[2], "one bit turned")
    assert visds(observation, again) == 0
    assert reused(again) == f"{CHUNKS} chunks, {CHUNKS - 1} of them from an earlier run"
    assert "1 chunk averaged again from chunk files" in (again / "log.txt").read_text()
    assert numbers(again) == numbers(finished)


def _place_of_data(path) -> int:
    """Return the offset of an array's values in a chunk file."""
    import h5py

    with h5py.File(path) as file:
        data = file["visibility/RR"] if "visibility" in file else file["sum_wv"]
        return data.id.get_chunk_info(0).byte_offset + 5


def test_what_a_killed_writer_left_is_cleared_away(observation, again):
    (again / "chunks" / ".target.visibility.abc.part.h5").write_bytes(b"half")
    (again / "plots" / ".lightcurve.abc.part.png").write_bytes(b"half")
    (again / RUN_IMAGES / ".field_I.abc.part.fits").write_bytes(b"half")
    (again / ".report.abc.part.html").write_bytes(b"half")
    assert visds(observation, again) == 0
    assert temporary(again) == []


def test_another_target_is_averaged_from_the_chunk_files_alone(observation, finished, again,
                                                               tmp_path, monkeypatch):
    options = ("--target", "01:39:02.0 -17:58:10")
    assert visds(observation, tmp_path / "new", *options) == 0
    options += ("--replace",)
    monkeypatch.setattr(chunk_job, "ChunkReader", lambda *_: pytest.fail("reads visibilities"))
    assert visds(observation, again, *options) == 0
    assert numbers(again) == numbers(tmp_path / "new")
    assert numbers(again)["dynspec.h5"] != numbers(finished)["dynspec.h5"]


def test_products_of_another_target_are_not_replaced_without_a_word(observation, finished, again,
                                                                    capsys):
    before, chunks = numbers(again), blocks(again)
    assert visds(observation, again, "--target", "01:39:02.0 -17:58:10") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    # 0.4 s of right ascension and 68 arcsec.
    for part in ("holds the products of another target, target at 01:39:01.600 -17:57:02.000, "
                 "68.2 arcsec from 01:39:02.000 -17:58:10.000", "another -o", "--replace"):
        assert part in said
    assert (numbers(again), blocks(again)) == (before, chunks)
    assert visds(observation, again, "--target", "01:39:02.0 -17:58:10", "--check") == 2
    assert "BAD output folder: " in capsys.readouterr().out


def test_products_of_another_measurement_set_are_replaced_by_a_fresh_start_only(
        observation, again, capsys):
    path = again / "provenance.json"
    path.write_text(path.read_text().replace("obs.ms", "other.ms"))
    for options in ((), ("--replace",)):
        assert visds(observation, again, *options) == 2
        assert "other.ms: give another -o, or --fresh" in capsys.readouterr().err
    assert visds(observation, again, "--fresh") == 0


@pytest.mark.parametrize(("entry", "name", "value", "said"), [
    ("time", None, [59000.0, 59000.01], "which begin at 2020-05-31T00:00:00.000 UTC"),
    ("spectral_windows", "0", [4e9, 4.5e9], "whose spectral window 0 is 4000 to 4500 MHz"),
    ("fields", "0", [10.0, 20.0], "whose field 0 is at 00:40:00.000 +20:00:00.000")])
def test_products_of_other_data_of_the_same_name_are_replaced_by_a_fresh_start_only(
        observation, again, capsys, entry, name, value, said):
    held = provenance(again)
    if name is None:
        held["data"][entry] = value
    else:
        assert name in held["data"][entry]
        held["data"][entry][name] = value
    (again / "provenance.json").write_text(json.dumps(held))
    before = numbers(again)
    for options in ((), ("--replace",)):
        assert visds(observation, again, *options) == 2
        error = capsys.readouterr().err
        assert f"holds the products of other data called {observation.measurement_set}" in error
        assert said in error and "another -o, or --fresh" in error
    assert numbers(again) == before


def test_another_epoch_of_a_measurement_set_of_the_same_name_is_other_data(
        simulated, observation, again, capsys):
    later = simulated(**SMALL, start="2024-06-02T16:00:00")
    assert later.measurement_set.name == observation.measurement_set.name
    assert visds(later, again) == 2
    assert "holds the products of other data called" in capsys.readouterr().err
    assert visds(later, again, "--fresh") == 0


@pytest.mark.parametrize("options", [
    ("--scan", "2"), ("--time-offset", "-2.7255s"), ("--time-offset", "1h")])
def test_another_selection_of_the_same_data_is_the_next_run(observation, finished, again,
                                                            options):
    assert visds(observation, again, *options) == 0
    assert visds(observation, again) == 0
    assert numbers(again) == numbers(finished)


def test_settings_that_differ_from_the_last_run_are_said_in_one_line(observation, again):
    assert visds(observation, again) == 0
    assert "settings that differ" not in (again / "log.txt").read_text()
    assert visds(observation, again, "--time-bin", "2", "--stokes", "IV", "--stream",
                 "--colour-limit", "5mJy", "V=1mJy") == 0
    line, = [line for line in (again / "log.txt").read_text().splitlines()
             if "settings that differ" in line]
    assert line.endswith(f"from those of the last run in {again}: stokes I -> IV, time_bin "
                         "default -> 2, colour_limit default -> 5mJy V=1mJy")


@pytest.mark.parametrize("options", [
    ("--time-bin", "2"), ("--clip-i", "50Jy"), ("--stokes", "IV"),
    ("--target", "01:39:01.6 -17:57:02.1"), ("--target", "TARGET")])
def test_other_settings_on_the_same_target_are_the_next_run(observation, again, monkeypatch,
                                                            options):
    monkeypatch.setattr(chunk_job, "ChunkReader", lambda *_: pytest.fail("reads visibilities"))
    assert visds(observation, again, *options) == 0


def test_another_sky_model_makes_all_chunks_again(observation, finished, again):
    assert visds(observation, again, "--model", observation.components) == 0
    assert reused(again) == f"{CHUNKS} chunks, 0 of them from an earlier run"
    assert numbers(again)["dynspec.h5"] != numbers(finished)["dynspec.h5"]


def test_streaming_keeps_no_visibilities_and_gives_the_same_numbers(observation, finished,
                                                                    tmp_path):
    assert visds(observation, tmp_path / "out", "--stream") == 0
    assert list((tmp_path / "out" / "chunks").glob("*.visibility.h5")) == []
    assert numbers(tmp_path / "out") == numbers(finished)


def test_a_measurement_set_moved_elsewhere_is_the_same_and_one_written_to_is_not(
        simulated, tmp_path):
    observation = simulated(**SMALL, copy_to=tmp_path / "here")
    out = tmp_path / "out"
    assert visds(observation, out) == 0
    moved = (tmp_path / "here").rename(tmp_path / "there") / observation.measurement_set.name
    options = ["-o", str(out), *OPTIONS]
    assert main([str(moved), *options]) == 0
    assert reused(out) == f"{CHUNKS} chunks, {CHUNKS} of them from an earlier run"
    os.utime(moved / "table.f1")
    assert main([str(moved), *options]) == 0
    assert reused(out) == f"{CHUNKS} chunks, 0 of them from an earlier run"


def test_without_its_measurement_set_a_run_says_so(observation, again, capsys, tmp_path):
    """What was made already stays as it is."""
    before = numbers(again)
    assert main([str(tmp_path / "gone.ms"), "-o", str(again)]) == 2
    assert "gone.ms does not exist" in capsys.readouterr().err
    assert numbers(again) == before


@pytest.mark.parametrize("options", [("--uv-min", "20000km"), ("--deadline", "1ms")])
def test_a_run_that_makes_no_products_leaves_those_of_the_run_before(observation, again, options):
    before = contents(again)
    assert visds(observation, again, *options) != 0
    after = contents(again)
    products = [name for name in before if not name.startswith(("chunks/", "log.txt"))]
    assert len(products) > 8
    for name in products:
        assert after[name] == before[name]


def test_past_its_deadline_a_run_begins_no_chunk_and_leaves_no_product(observation, finished,
                                                                       again, capsys):
    """Products of the run before would look like those of this one."""
    assert visds(observation, again, "--fresh", "--deadline", "1ms") == 75
    assert blocks(again) == {}
    assert left_looking_finished(again) == []
    assert "run the same command again" in capsys.readouterr().out
    assert visds(observation, again) == 0
    assert numbers(again) == numbers(finished)


def test_a_deadline_that_all_chunks_meet_changes_nothing(observation, finished, again):
    assert visds(observation, again, "--deadline", "10h") == 0
    assert numbers(again) == numbers(finished)


def test_two_runs_do_not_write_the_same_folder_at_once(observation, finished, again, capsys):
    before = numbers(again)
    with open(again / "log.txt") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert visds(observation, again) == 2
    assert "another visds program is at work in" in capsys.readouterr().err
    assert numbers(again) == before
    assert visds(observation, again) == 0


# --- On real ranks -------------------------------------------------------------------------------

LONG_OPTIONS = ("--chunk-size", "500kB", "--plots", "lightcurve")


@pytest.fixture(scope="module")
def long_observation(simulated):
    """Return an observation of many chunks that take long enough to be interrupted."""
    return simulated(array="VLA-D", antennas=20, scans=2, scan_length="4min", channels=64,
                     noise="20mJy", sources=40, flares=True, flare=SMALL["flare"])


@pytest.fixture
def command(long_observation, tmp_path):
    out = tmp_path / "out"
    return out, visds_run(long_observation.measurement_set, "-o", out, *LONG_OPTIONS,
                          "--model", long_observation.components)


@pytest.fixture(scope="module")
def undisturbed(long_observation, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert main([str(long_observation.measurement_set), "-o", str(out), *LONG_OPTIONS,
                 "--model", str(long_observation.components)]) == 0
    return out


def chunks_are_made(out):
    return len(blocks(out)) >= 4


def images_are_made(out):
    return (out / RUN_IMAGES).is_dir()


def interrupt(command, out, moment, action):
    """Start a run on the ranks and do something to it at some moment; return its exit code."""
    full = on_ranks(RANKS, command)
    with started(full) as process:
        limit = time.monotonic() + 60
        while not moment(out):
            assert process.poll() is None, "the run ended before it could be interrupted"
            assert time.monotonic() < limit, "the run does not begin"
            time.sleep(0.002)
        action(process)
        return process.wait(timeout=60)


def kill_a_worker(process):
    """End the last rank as the out-of-memory killer does."""
    victim, = (number for number in descendants(process.pid)
               if rank_of(number) == RANKS - 1)
    os.kill(victim, signal.SIGKILL)


def warn(process):
    process.send_signal(signal.SIGUSR1)


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 4, reason="one number of ranks is enough: 4")
def test_after_a_worker_was_killed_only_the_unfinished_chunks_are_made(command, undisturbed):
    out, command = command
    assert interrupt(command, out, chunks_are_made, kill_a_worker) not in (0, 2, 3, 75)
    assert left_looking_finished(out) == []
    assert 4 <= len(blocks(out)) < len(blocks(undisturbed))
    check_going_on(command, out, undisturbed)


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 4, reason="one number of ranks is enough: 4")
def test_after_a_worker_was_killed_among_the_images_only_they_are_made(command, undisturbed):
    out, command = command
    assert interrupt(command, out, images_are_made, kill_a_worker) not in (0, 2, 3, 75)
    assert set(left_looking_finished(out)) <= {"dynspec.h5", "dynspec.fits"}
    assert len(blocks(out)) == len(blocks(undisturbed))
    check_going_on(command, out, undisturbed)


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_a_warned_run_ends_its_chunks_and_asks_to_be_run_again(command, undisturbed):
    out, command = command
    assert interrupt(command, out, chunks_are_made, warn) == 75
    assert temporary(out) == []
    assert left_looking_finished(out) == []
    assert 4 <= len(blocks(out)) < len(blocks(undisturbed))
    check_going_on(command, out, undisturbed)


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_a_run_that_is_warned_among_the_images_makes_its_products(command, undisturbed):
    """No chunk is left to be made."""
    out, command = command
    assert interrupt(command, out, images_are_made, warn) == 0
    assert temporary(out) == []
    assert numbers(out) == numbers(undisturbed)


def check_going_on(command, out, undisturbed):
    """Check that the same command makes the rest, and in all what an undisturbed run makes."""
    done = blocks(out)
    result = run(on_ranks(RANKS, command))
    assert result.returncode == 0, result.stderr
    assert {name: blocks(out)[name] for name in done} == done
    assert f" {len(done)} of them from an earlier run" in reused(out)
    assert f"{RUN_IMAGES}/field_I.fits" in numbers(undisturbed)
    assert numbers(out) == numbers(undisturbed)
    assert temporary(out) == []
    assert provenance(out)["ranks"] == RANKS
    assert np.all([path.stat().st_size for path in (out / "plots").iterdir()])
