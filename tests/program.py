"""visds-run as a user starts it, each command once a session."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from visds.commands.run import main
from visds.dynspec.dynamic_spectrum import DynamicSpectrum


@dataclass(frozen=True, eq=False)
class Finished:
    """A run of visds-run that has ended: its exit code, its folder, and what it said."""

    code: int
    out: Path
    said: str
    errors: str

    @property
    def spectrum(self) -> DynamicSpectrum:
        """The dynamic spectrum."""
        return DynamicSpectrum.read(self.out / "dynspec.h5")

    @property
    def detections(self) -> Table:
        """The detections."""
        return Table.read(self.out / "detections.ecsv")

    def scan(self, number: int) -> DynamicSpectrum:
        """Return the spectrum of one scan, all its integrations and channels in one bin."""
        spectrum = self.spectrum
        spectrum = spectrum.select_times(spectrum.scan == number)
        return spectrum.rebin(time=len(spectrum.time), channel="1000GHz")


def run(measurement_set: Path, out: Path, *options: str) -> Finished:
    """Run visds-run in this process, with one plot only."""
    said, errors = io.StringIO(), io.StringIO()
    arguments = [str(measurement_set), "--out", str(out), "--plots", "I", *options]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = main(arguments)
    return Finished(code, out, said.getvalue(), errors.getvalue())


def cached_runner(folder: Path, *always: str) -> Callable[..., Finished]:
    """Return `run` with a memory: it takes a measurement set and options, besides those of all."""
    made: dict[tuple, Finished] = {}

    def finished(measurement_set: Path, *options: str) -> Finished:
        key = (str(measurement_set), *options)
        if key not in made:
            made[key] = run(measurement_set, folder / f"run {len(made)}", *always, *options)
        return made[key]

    return finished
