"""The folder of a finished visds-run: chunk files, settings and spectra, which are only read."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import Table

from visds.core.arrays import damage_reported, open_product, read_attributes, stored_key
from visds.core.errors import FormatError, MeasurementSetError
from visds.core.flux_text import flux_text
from visds.core.plural import counted
from visds.core.settings import stage_settings
from visds.core.sky import Direction
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.spectra_file import directions_of, read_spectrum
from visds.visibility.chunk import VisibilityChunk


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What a run left: `files` are its chunk files, `directions` the `meta` of each spectrum.

    `stokes` are those of its spectra, `correlations` those that the user chose (none: all), `flags`
    the settings by which visibilities were flagged. `missing` says what of the sky model lies at
    the targets, and was put back into their spectra only.
    """

    folder: Path
    files: tuple[Path, ...]
    directions: tuple[dict[str, Any], ...]
    stokes: tuple[str, ...]
    correlations: tuple[str, ...]
    flags: FlagSettings
    detections: Table
    missing: tuple[str, ...] = ()

    @property
    def meta(self) -> dict[str, Any]:
        """What the spectrum of the target says of the observation."""
        return self.directions[0]

    @property
    def phase_centre(self) -> Direction:
        """The phase centre, in the frame of the measurement set."""
        return Direction(*self.meta["phase_centre_deg"], self.meta["phase_centre_frame"])

    def targets(self) -> tuple[Direction, ...]:
        """Return the directions that the run protected from its flagger."""
        return tuple(Direction(float(meta["ra_deg"]), float(meta["dec_deg"]))
                     for meta in self.directions if meta.get("role") != "off source")

    def off_source(self) -> list[DynamicSpectrum]:
        """Return the spectra of its directions without a source."""
        return [read_spectrum(self.folder / "dynspec.h5", number)
                for number, meta in enumerate(self.directions)
                if meta.get("role") == "off source"]


def read_run(folder: Path) -> FinishedRun:
    """Return what a finished run left in a folder.

    Raises
    ------
    FormatError
        If the run was not finished, or its files are not there or those of another run.
    MeasurementSetError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise MeasurementSetError(f"{folder} is not the folder of a finished visds-run")
    files = visibility_files(folder)
    spectrum_file = folder / "dynspec.h5"
    if not spectrum_file.is_file():
        raise FormatError(f"{folder} holds no dynspec.h5: finish the run with the same visds-run "
                          "command")
    tables = written_settings(folder)
    with open_product(spectrum_file, DynamicSpectrum) as file, damage_reported(spectrum_file):
        stokes = tuple(read_attributes(file, DynamicSpectrum)["polarizations"])
    return FinishedRun(
        folder, tuple(files), directions_of(spectrum_file), stokes,
        tuple(tables.get("read", {}).get("correlations") or ()),
        stage_settings(FlagSettings, "the run's settings", tables.get("flag", {})),
        Table.read(folder / "detections.ecsv", format="ascii.ecsv"),
        _subtracted_at_targets(folder))


def _subtracted_at_targets(folder: Path) -> tuple[str, ...]:
    try:
        held = json.loads((folder / "provenance.json").read_text())["sky_model"]["excised"]
        return tuple(f"{flux_text(float(one['flux_density']))} of {one['origin']} at "
                     f"{one['target']}" for one in held["removed"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def written_settings(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the tables of settings of a finished run, as they are written.

    Raises
    ------
    FormatError
        If there are none.
    """
    path = folder / "settings.toml"
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FormatError(f"{folder} holds no finished run (settings.toml): finish it with the "
                          "same visds-run command") from error


def visibility_files(folder: Path) -> list[Path]:
    """Return the chunk files of a finished run.

    Raises
    ------
    FormatError
        If the run was not finished, or files are not there or are those of another run.
    """
    try:
        keys = json.loads((folder / "provenance.json").read_text())["visibility_keys"]
    except (OSError, ValueError, KeyError) as error:
        raise FormatError(f"{folder} holds no finished run (provenance.json): finish it with the "
                          "same visds-run command") from error
    files = [folder / "chunks" / f"{name}.visibility.h5" for name in keys]
    lost = [path for path, key in zip(files, keys.values(), strict=True)
            if stored_key(path, VisibilityChunk) != key]
    if lost:
        raise FormatError(f"{folder}: {len(lost)} of {counted(len(files), 'chunk file')} are not "
                          "there or not of its last run (--stream, or a later run that was cut "
                          "short): repeat the run with --fresh, or give the measurement set")
    return files
