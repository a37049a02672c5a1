"""Before a long run: what it will cost, and whether everything it needs is there."""

import fcntl
import math
import os
import shutil
import struct

from visds.core.errors import ExitCode, LauncherError, VisdsError
from visds.core.farm import Farm, describe_mpi
from visds.core.files import make_folder
from visds.core.plural import counted
from visds.core.settings import Settings
from visds.held_products import refuse_other_products
from visds.imaging.stokes_visibility import group_bytes
from visds.observation import Observation, prepare
from visds.run_settings import LARGEST_FIELD
from visds.visibility.sky_model.engine import NOMINAL

READ_RATE = 1.0e9
"""Bytes of chunk that one rank reads, averages and writes in a second, with care."""
_RANK_BYTES = 400e6
_TURN_RATE = 4.0e8
"""Polarization-visibilities that one rank turns to a further direction in a second, with care."""
_CELL_BYTES = 60
_DIRECTION_BYTES = 100
"""On disk, of a cell of a further direction: in blocks, spectra and FITS images."""
# In w, of the transforms of an image of a small field.
_PLANES = 8
_PIXEL_BYTES = 160
"""Of an image in the making: its transform, and images and their means in I and V."""
_GATHERED_BYTES = 24
"""Of a visibility that waits to be gridded, in I and V."""


def print_plan(measurement_set: str, settings: Settings) -> int:
    """Print the split into chunks, with bytes, memory and time to expect."""
    observation = prepare(measurement_set, settings)
    for line in observation.choices():
        print(line)
    for warning in observation.warnings:
        print(f"warning: {warning}")
    tasks = observation.plan.tasks
    print(f"{'chunk':48} {'integrations':>12} {'channels':>9} {'size':>10}")
    for task in tasks:
        print(f"{task.name:48} {len(task.time):12d} {len(task.source.frequency):9d} "
              f"{_bytes(task.nbytes):>10}")
    for name, value in expected_cost(observation, settings).items():
        print(f"{name}: {value}")
    return ExitCode.OK


def expected_cost(observation: Observation, settings: Settings) -> dict[str, str]:
    """Return the sum of the chunks, memory of a rank, disk space and time to expect."""
    tasks = observation.plan.tasks
    total = sum(task.nbytes for task in tasks)
    predicting = observation.subtraction.seconds
    imaging = imaging_seconds(observation, settings)
    turning = turning_seconds(observation)
    seconds = total / READ_RATE + predicting + turning + imaging
    prediction = {"prediction of the sky model": f"{_seconds(predicting)} on one rank"} \
        if observation.subtraction.model.parts else {}
    if turning:
        prediction[f"{len(observation.directions)} directions"] = (
            f"{_seconds(turning)} on one rank")
    if imaging:
        prediction["images"] = f"{_seconds(imaging)} on one rank"
    return {"chunks": f"{len(tasks)}, {_bytes(total)} in all",
            "memory of a rank": _bytes(_RANK_BYTES + imaging_bytes(observation, settings)
                                       + stitched_bytes(observation))
            + " at most, the stitched spectrum included",
            "disk space": _bytes(disk_bytes(observation, settings)),
            **prediction,
            "time": f"about {seconds:.0f} s on one rank, plus start-up and plots; "
                    + ("more than one rank does not help" if len(tasks) == 1
                       else f"more than {len(tasks)} ranks do not help")}


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 10 else f"{value:.2g} s"


def turning_seconds(observation: Observation) -> float:
    """Return the seconds that one rank needs to turn the data to all directions but the first."""
    plan = observation.plan
    visibilities = sum(task.visibilities * len(task.source.stored) for task in plan.tasks)
    return visibilities * (len(observation.directions) - 1) / _TURN_RATE


def imaging_seconds(observation: Observation, settings: Settings) -> float:
    """Return the seconds that one rank needs for images of field and snapshots; 0 without them.

    Those of detections come to it.
    """
    if not settings["image"].images:
        return 0.0
    plan = observation.plan
    visibilities = sum(task.visibilities for task in plan.tasks)
    snapshots = max(settings["image"].snapshots, len({task.scan for task in plan.tasks}))
    # Of two Stokes parameters and the response to a point source, which is small.
    gridded = NOMINAL.gridding * 3 * visibilities
    pixels = LARGEST_FIELD**2
    transformed = NOMINAL.transform * 2 * snapshots * _PLANES * pixels * math.log2(pixels)
    # Without chunk files the measurement set is read, and its model subtracted, once more.
    again = sum(task.nbytes for task in plan.tasks) / READ_RATE + observation.subtraction.seconds
    return gridded + transformed + (again if settings["run"].stream else 0.0)


def imaging_bytes(observation: Observation, settings: Settings) -> float:
    """Return the bytes that images in the making take in a rank; 0 without them."""
    if not settings["image"].images:
        return 0.0
    visibilities = sum(task.visibilities for task in observation.plan.tasks)
    gathered = _GATHERED_BYTES * visibilities / settings["image"].snapshots
    return min(gathered, group_bytes(LARGEST_FIELD) / 2) + _PIXEL_BYTES * LARGEST_FIELD**2


def stitched_bytes(observation: Observation) -> int:
    """Return the bytes of the stitched spectrum with one copy."""
    return 2 * _cells(observation) * _CELL_BYTES


def disk_bytes(observation: Observation, settings: Settings) -> int:
    """Return the bytes that chunk files and products take on disk."""
    chunks = 0 if settings["run"].stream else sum(task.nbytes for task in observation.plan.tasks)
    further = (len(observation.directions) - 1) * _DIRECTION_BYTES
    return chunks + _cells(observation) * (3 * _CELL_BYTES + further) + 20_000_000


def check(measurement_set: str, out: str, settings: Settings, farm: Farm) -> int:
    """Print what a run needs and whether it is there; exit code 2 if something is not."""
    problems = 0

    def line(name: str, text: str, good: bool = True) -> None:
        nonlocal problems
        problems += not good
        print(f"{'ok ' if good else 'BAD'} {name}: {text}")

    try:
        for name, value in describe_mpi().items():
            line(name, value)
    except LauncherError as error:
        line("MPI library", f"none, so one process only ({error})")
    line("ranks in this job", str(farm.size))
    observation = None
    try:
        observation = prepare(measurement_set, settings)
        line("measurement set",
             f"{measurement_set}, {counted(len(observation.plan.tasks), 'chunk')}")
    except VisdsError as error:
        line("measurement set", str(error), good=False)
    locked = _locked_files(measurement_set)
    line("locks", f"another process has {', '.join(locked)} open for writing" if locked
         else "nobody is writing the measurement set", good=not locked)
    existed = os.path.isdir(out)
    try:
        folder = make_folder(out, outside=measurement_set)
        free = shutil.disk_usage(folder).free
        needed = disk_bytes(observation, settings) if observation else 0
        line("disk space", f"{_bytes(free)} free in {out}, {_bytes(needed)} needed",
             good=free > needed)
        if not existed:
            os.rmdir(folder)
        elif observation:
            refuse_other_products(folder, observation, settings["run"])
    except VisdsError as error:
        line("output folder", str(error), good=False)
    return ExitCode.INPUT if problems else ExitCode.OK


def _locked_files(measurement_set: str) -> list[str]:
    """Return the lock files of a measurement set on which a process holds a write lock."""
    names = []
    for folder, _, files in os.walk(measurement_set):
        for name in files:
            if name != "table.lock":
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    asked = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
                    answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
            except OSError:
                continue
            if struct.unpack("hhqqi4x", answer)[0] == fcntl.F_WRLCK:
                names.append(path)
    return names


def _cells(observation: Observation) -> int:
    integrations = len({time for task in observation.plan.tasks for time in task.time})
    windows = {task.source.spectral_window: len(task.source.frequency)
               for task in observation.plan.tasks}
    return integrations * sum(windows.values()) * len(observation.plan.stokes)


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
