"""What follows from the dynamic spectrum of a target: light curve, statistics, detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from visds.core.settings import Settings
from visds.core.told_once import told_once
from visds.dynspec.cuts import cut_detections
from visds.dynspec.detection.detect import detect
from visds.dynspec.doubts import doubts
from visds.dynspec.imaginary_part import ImaginaryPart, imaginary_parts
from visds.dynspec.polarimetry.summary import mean_table
from visds.dynspec.spectra_file import Spectra, read_spectrum
from visds.dynspec.variability.measure import measure
from visds.target_tables import write_joined


@dataclass(frozen=True, eq=False)
class TargetProducts:
    """The products of one target that are tables, and what to doubt in them.

    `number` counts the directions of the observation; `measures` are the tables of measures of
    variability that were asked for, by name; `polarization` is that of the mean of each scan.
    """

    number: int
    name: str
    light_curve: Table
    variability: Table
    measures: dict[str, Table]
    detections: Table
    polarization: Table
    health: dict[str, ImaginaryPart]
    doubts: list[str]

    @property
    def significance(self) -> float:
        """The highest signal to noise of its detections, 0 without any."""
        return float(max(self.detections["snr"], default=0.0))


@dataclass(frozen=True, eq=False)
class TargetJob:
    """Makes the products of a target from the file of all spectra.

    `off_source` are the numbers of the directions that the detections are held against.
    """

    path: Path
    settings: Settings
    off_source: tuple[int, ...] = ()

    def __call__(self, number: int) -> TargetProducts:
        """Return the products of the target of a number."""
        spectrum = read_spectrum(self.path, number)
        light_curve = spectrum.light_curve()
        variability = measure(spectrum, self.settings["variability"], light_curve=light_curve)
        detections = cut_detections(
            detect(spectrum, self.settings["detect"],
                   Spectra(self.path, self.off_source),
                   self.settings["polarization"]), self.settings["cut"])
        health = imaginary_parts(spectrum)
        curve = light_curve.to_table()
        curve.meta["variability"] = {
            row["polarization"]: {"eta": float(row["eta"]), "V": float(row["V"])}
            for row in variability.indices}
        return TargetProducts(
            number, str(spectrum.meta["target"]), curve, variability.indices,
            variability.tables(self.settings["variability"].variability), detections,
            mean_table(spectrum, self.settings["polarization"]), health,
            doubts(spectrum, detections, health, variability.indices)
            + [f"--variability {name}: {note}" for name, note in variability.notes.items()])


def by_significance(targets: Sequence[TargetProducts]) -> list[TargetProducts]:
    """Return targets in the order of their most significant detections, the highest first."""
    return sorted(targets, key=lambda one: (-one.significance, one.number))


def doubts_of(targets: Sequence[TargetProducts]) -> list[str]:
    """Return what to doubt in the products of targets, those that are alike once."""
    if len(targets) == 1:
        return targets[0].doubts
    return told_once([(one.name, f"{one.name}: {line}") for one in targets for line in one.doubts])


def write_tables(targets: Sequence[TargetProducts], folder: Path) -> tuple[str, ...]:
    """Write light curves, indices, polarization and measures, and return the measures' names.

    Each is an ECSV file of all targets.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    write_joined([(one.name, one.light_curve) for one in targets], folder / "lightcurve.ecsv")
    write_joined([(one.name, one.variability) for one in targets], folder / "variability.ecsv")
    write_joined([(one.name, one.polarization) for one in targets], folder / "polarization.ecsv")
    measures = tuple(dict.fromkeys(name for one in targets for name in one.measures))
    for name in measures:
        write_joined([(one.name, one.measures[name]) for one in targets if name in one.measures],
                     folder / f"{name}.ecsv")
    return measures
