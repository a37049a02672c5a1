"""What runs of visds-run leave behind, in a form that tests compare."""

import hashlib
import json
from pathlib import Path

import numpy as np

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.run_settings import RUN_IMAGES

NUMBERS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "variability.ecsv",
           "polarization.ecsv", "detections.ecsv", "matches.ecsv", "flag_counts.h5")
"""The products that two runs of the same inputs and settings give bit by bit."""
PRODUCTS = (*NUMBERS, "report.html", "provenance.json")


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, and its time of modification, by name."""
    return {str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} "
                                           f"{path.stat().st_mtime_ns}"
            for path in sorted(folder.rglob("*")) if path.is_file()}


def numbers(out: Path) -> dict[str, str]:
    """Return the hashes of the products that depend on nothing but inputs and settings.

    Those of `NUMBERS`, and all that a run with images leaves in their folder.
    """
    names = [*NUMBERS, *(f"{RUN_IMAGES}/{path.name}"
                         for path in sorted((out / RUN_IMAGES).glob("[!.]*")))]
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}


def blocks(out: Path) -> dict[str, int]:
    """Return the finished blocks of a run with their times of modification."""
    return {path.name: path.stat().st_mtime_ns for path in (out / "chunks").glob("[!.]*.block.h5")}


def left_looking_finished(out: Path) -> list[str]:
    """Return the products in a folder, if any."""
    return [name for name in PRODUCTS if (out / name).exists()]


def temporary(out: Path) -> list[str]:
    """Return the files below a folder that a writer has left half-written."""
    return [str(path) for path in out.rglob(".*")]


def reused(out: Path) -> str:
    """Return how many chunks the last run in a folder took over, as its log says."""
    lines = [line for line in (out / "log.txt").read_text().splitlines()
             if line.endswith("from an earlier run")]
    return lines[-1].partition(" INFO ")[2]


def provenance(out: Path) -> dict:
    """Return provenance.json."""
    return json.loads((out / "provenance.json").read_text())


def assert_same_sums(one: Path, other: Path, tolerance: float = 1e-12) -> None:
    """Fail unless two dynamic spectra hold the same sums, relative to the largest of each."""
    first, second = (DynamicSpectrum.read(out / "dynspec.h5") for out in (one, other))
    for name in DynamicSpectrum.array_specs():
        expected, found = np.asarray(getattr(first, name)), np.asarray(getattr(second, name))
        assert expected.shape == found.shape, name
        if expected.dtype.kind in "fc":
            scale = np.nanmax(np.abs(expected), initial=0)
            assert np.nanmax(np.abs(found - expected), initial=0) <= tolerance * scale, name
        else:
            np.testing.assert_array_equal(found, expected, err_msg=name)
