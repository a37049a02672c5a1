"""What visds-image works on: a measurement set, or the chunk files of a run, made ready."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.arrays import damage_reported, open_product, read_attributes
from visds.core.catalogue import Catalogue
from visds.core.errors import FormatError, MeasurementSetError, SettingsError
from visds.core.flux_text import flux_text
from visds.core.plural import counted
from visds.core.polarization import available_stokes
from visds.core.provenance import file_hash
from visds.core.settings import Settings
from visds.core.sky import LIGHT_SPEED, Direction, angle_text, parse_direction, separation
from visds.crossmatch.several import check_match, read_catalogues
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.find_targets import find_target
from visds.finished_run import visibility_files
from visds.imaging.geometry import (
    LARGEST_AUTOMATIC,
    Geometry,
    automatic_cell,
    automatic_size,
    good_size,
)
from visds.imaging.imaged_data import chunk_of_file, chunk_of_task, sample_uvw
from visds.imaging.intervals import ImagedChunk
from visds.imaging.scratch_set import Observatory
from visds.imaging.settings import ImageSettings
from visds.imaging.stokes_visibility import UVRange
from visds.target_settings import TargetSettings
from visds.visibility.description import Description
from visds.visibility.fingerprint import fingerprint
from visds.visibility.plan import plan_chunks
from visds.visibility.selection import (
    ReadSettings,
    choose_stokes,
    refuse_measured_weights,
)

_OF_CHUNK_FILES = ("scan", "spw", "stokes", "uv_min", "uv_max", "chunk_size")
_UNKNOWN_FIELD = 1024  # pixels
_BESIDE = 100.0  # m, of a second antenna for CASA
_COARSEST = 0.5  # fringes a pixel
_WIDEST = 110.0  # deg in the projection: all of the sky above the horizon is 114.6


@dataclass(frozen=True, eq=False)
class ImagedObservation:
    """The chunks, what they are of, and where to look; `notes` and `warnings` are lines of text.

    `dish_diameter` m, 0 where it is not known. `detections` are those of the run. `observatory` is
    needed where images are cleaned, `catalogues` where they are searched.
    """

    source: str
    chunks: tuple[ImagedChunk, ...]
    stokes: tuple[str, ...]
    phase_centre: Direction
    target: Direction
    target_name: str
    uv_range: UVRange
    dish_diameter: float
    frequency_frame: str
    headers: dict[str, str]
    detections: Table | None
    inputs: dict[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    observatory: Observatory | None = None
    catalogues: dict[str, Catalogue] = dataclasses.field(default_factory=dict)

    @property
    def epoch(self) -> float:
        """Julian year of the middle of the observation."""
        times = [chunk.time[place] for chunk in self.chunks for place in (0, -1)]
        return 2000 + (float(min(times) + max(times)) / 2 - 51544.5) / 365.25

    def geometry(self, settings: ImageSettings) -> tuple[Geometry, list[str]]:
        """Return the geometry of the images, and what is doubtful about it as lines of text.

        Raises
        ------
        SettingsError
            If the target is on the other half of the sky, or the images too wide.
        """
        away = separation(self.target, self.phase_centre.to("ICRS"))
        if away >= 90:
            raise SettingsError(f"--target: {self.target} is {away:.1f} deg from the phase centre; "
                                "expected a position in the field")
        centre = self.target if settings.centre == "target" else self.phase_centre.to("ICRS")
        centre = Direction(centre.ra % 360, centre.dec)
        frequency = [chunk.frequency for chunk in self.chunks]
        uvw = sample_uvw(self.chunks)
        cell = settings.cell or automatic_cell(
            self._used(uvw), max(float(part.max()) for part in frequency))
        doubts = []
        lowest = min(float(part.min()) for part in frequency)
        field = min(np.degrees(2 * LIGHT_SPEED / lowest / self.dish_diameter), _WIDEST) \
            if self.dish_diameter > 0 else 0.0
        if settings.size:
            size = good_size(settings.size)
            if settings.find and size * cell < field:
                doubts.append(
                    f"images are {angle_text(size * cell)} wide, less than twice the primary "
                    f"beam ({angle_text(field)}): sidelobes of sources outside of them may be "
                    "taken for sources (a sky model or a larger --size helps)")
        elif field:
            size = automatic_size(cell, field)
            if field / cell > LARGEST_AUTOMATIC:
                doubts.append(
                    f"images are {angle_text(size * cell)} wide, less than twice the primary "
                    f"beam ({angle_text(field)}): --size for more")
        else:
            size = _UNKNOWN_FIELD
            doubts.append(f"the dish diameter is not known: images are {size} pixels wide")
        longest = float(np.hypot(uvw[:, 0], uvw[:, 1]).max()) * max(
            float(part.max()) for part in frequency) / LIGHT_SPEED
        if settings.cell and math.radians(cell) * longest > _COARSEST:
            doubts.append(f"a pixel of {angle_text(cell)} is more than half a fringe of the "
                          f"longest baseline ({angle_text(math.degrees(1 / longest))}): images do "
                          "not show what is between pixels")
        if not settings.cell and not settings.size:
            cell = min(cell, _WIDEST / size)
        geometry = Geometry(centre, cell, size)
        if geometry.width > _WIDEST * (1 + 1e-9):
            raise SettingsError(f"--size, --cell: images would be {geometry.width:.0f} deg wide; "
                                f"expected at most {_WIDEST:g}")
        if not geometry.holds(self.target):
            doubts.append("the target is outside the images, which are "
                          f"{angle_text(geometry.width)} wide: nothing is measured there "
                          "(--centre target or --size)")
        return geometry, doubts

    def _used(self, uvw: np.ndarray) -> np.ndarray:
        highest = np.array([max(float(chunk.frequency.max()) for chunk in self.chunks)])
        shortest, longest = self.uv_range.limits(highest)[:, 0]
        length = np.hypot(uvw[:, 0], uvw[:, 1])
        inside = (length >= shortest) & (length <= longest)
        return uvw[inside] if inside.any() else uvw


def prepare_images(source: str, settings: Settings) -> ImagedObservation:
    """Return what is imaged, everything that a user named read and checked.

    Raises
    ------
    VisdsError
        For whatever cannot be used, before any output is written.
    """
    path = Path(source)
    if path.is_dir() and (path / "chunks").is_dir():
        return _of_run(path, settings)
    if not (path / "table.dat").is_file():
        raise MeasurementSetError(f"{source} is neither a measurement set nor the folder of a "
                                  "finished visds-run (with chunks)")
    return _of_measurement_set(source, settings)


def _of_measurement_set(source: str, settings: Settings) -> ImagedObservation:
    read = settings["read"]
    refuse_measured_weights(read)
    plan = plan_chunks(source, read)
    catalogues = _catalogues(settings, plan.epoch)
    target = find_target(plan, settings["image"].target, TargetSettings(), catalogues)
    diameters = plan.description.dish_diameter
    return ImagedObservation(
        source=source, chunks=tuple(chunk_of_task(task) for task in plan.tasks),
        stokes=plan.stokes, phase_centre=Direction(*plan.phase_centre, plan.frame),
        target=target.direction, target_name=target.name,
        uv_range=UVRange(read.uv_min, read.uv_max), dish_diameter=float(np.median(diameters)),
        frequency_frame=plan.tasks[0].source.frequency_frame,
        headers={"OBJECT": plan.field, "TELESCOP": plan.description.telescope}, detections=None,
        inputs={source: fingerprint(source, _parts_elsewhere(plan.description))}
        | _catalogue_hashes(settings),
        notes=(f"{source}: {plan.description.telescope}, field {plan.field}, "
               f"{counted(len(plan.tasks), 'chunk')}, column {plan.column}",
               f"target at {target.direction}" + (f" ({target.origin})" if target.origin else ""),
               *(f"chosen: {choice}" for choice in plan.choices)),
        warnings=(*plan.warnings, *target.warnings), catalogues=catalogues,
        observatory=Observatory.of(plan.description))


def _catalogues(settings: Settings, epoch: float) -> dict[str, Catalogue]:
    """Return the catalogues that are asked for, checked for the match that is to come."""
    catalogues = read_catalogues(settings["match"])
    check_match(catalogues, settings["match"], epoch)
    return catalogues


def _catalogue_hashes(settings: Settings) -> dict[str, str]:
    paths = [item if Path(item).exists() else item.partition("=")[2]
             for item in settings["match"].catalogue]
    return {path: file_hash(path) for path in paths}


def _parts_elsewhere(description: Description) -> list[str]:
    own = Path(description.path).resolve()
    return [part for part in description.parts if not Path(part).resolve().is_relative_to(own)]


def _of_run(folder: Path, settings: Settings) -> ImagedObservation:
    read = settings["read"]
    _refuse_what_the_run_chose(folder, settings)
    meta, scans = _spectrum_of(folder)
    files = visibility_files(folder)
    wanted = _numbers(read.scan, "--scan"), _numbers(read.spw, "--spw")
    chunks, attributes = [], []
    for file in files:
        chunk, said = chunk_of_file(file)
        if said["field"] != meta["field"] or said["scan"] not in scans or any(
                chosen and said[name] not in chosen for chosen, name in zip(
                    wanted, ("scan", "spectral_window"), strict=True)):
            continue
        chunks.append(chunk)
        attributes.append(said)
    if not chunks:
        raise MeasurementSetError(f"{folder}: no chunk files of this choice of scan and spw")
    labels = attributes[0]["correlations"]
    target, name = Direction(float(meta["ra_deg"]), float(meta["dec_deg"])), str(meta["target"])
    if settings["image"].target:
        try:
            target = parse_direction(settings["image"].target)
        except SettingsError as error:
            raise SettingsError(f"--target: {error}; of the folder of a run it has to be a "
                                "position") from None
        name = str(target)
    made = ImagedObservation(
        source=str(folder), chunks=tuple(chunks),
        stokes=choose_stokes(tuple(labels), read, str(folder)) if read.stokes
        else available_stokes(tuple(labels)),
        phase_centre=Direction(*attributes[0]["phase_centre"], attributes[0]["frame"]),
        target=target, target_name=name, uv_range=UVRange(read.uv_min, read.uv_max),
        dish_diameter=float(meta.get("dish_diameter_m", 0.0)),
        frequency_frame=str(meta.get("frequency_frame", "")),
        headers={"OBJECT": str(meta["field"]), "TELESCOP": str(meta.get("telescope", "")),
                 "SUBTRACT": str(meta.get("model", "none"))},
        detections=_detections(folder),
        inputs={str(folder / "dynspec.h5"): file_hash(folder / "dynspec.h5")}
        | _catalogue_hashes(settings),
        notes=(f"{folder}: {counted(len(chunks), 'chunk file')} of field {meta['field']}, the sky "
               f"model subtracted: {meta.get('model', 'none')}",
               f"target at {target}" + (f" ({name})" if name != str(target) else "")),
        warnings=_subtracted_at_targets(folder),
        observatory=Observatory(
            str(meta.get("telescope", "")),
            np.add(meta["observatory_m"], [[0.0] * 3, [0.0, 0.0, _BESIDE]]),
            float(meta.get("dish_diameter_m", 0.0))))
    return dataclasses.replace(made, catalogues=_catalogues(settings, made.epoch))


def _subtracted_at_targets(folder: Path) -> tuple[str, ...]:
    """Return warnings of what of the sky model lies at targets and is missing in chunk files."""
    try:
        held = json.loads((folder / "provenance.json").read_text())["sky_model"]["excised"]
        removed = [(str(one["target"]), str(one["origin"]), float(one["flux_density"]))
                   for one in held["removed"]]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(f"{flux_text(flux_density)} of {origin} at {target} are subtracted from these "
                 "images, unlike from its spectrum" for target, origin, flux_density in removed)


def _refuse_what_the_run_chose(folder: Path, settings: Settings) -> None:
    """Raise SettingsError for options of reading that the run has settled."""
    for field in dataclasses.fields(ReadSettings):
        if field.name not in _OF_CHUNK_FILES and settings.differs("read", field.name):
            raise SettingsError(f"--{field.name.replace('_', '-')} is of no use with {folder}: its "
                                "chunk files hold what that run read; give the measurement set")


def _spectrum_of(folder: Path) -> tuple[dict[str, Any], set[int]]:
    path = folder / "dynspec.h5"
    if not path.is_file():
        raise FormatError(f"{folder} holds no dynspec.h5: finish the run with the same visds-run "
                          "command")
    with open_product(path, DynamicSpectrum) as file, damage_reported(path):
        return (read_attributes(file, DynamicSpectrum)["meta"],
                set(np.unique(file["scan"][()]).tolist()))


def _detections(folder: Path) -> Table | None:
    path = folder / "detections.ecsv"
    return Table.read(path, format="ascii.ecsv") if path.is_file() else None


def _numbers(texts: tuple[str, ...], option: str) -> set[int]:
    numbers: set[int] = set()
    for text in " ".join(texts).replace(",", " ").split():
        first, _, last = text.partition("~")
        if not first.isdigit() or (last and not last.isdigit()):
            raise SettingsError(f"{option}: '{text}' is neither a number nor a range such as 3~7")
        numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def products_of(folder: Path) -> list[str]:
    """Return the names of the products that an earlier visds-image left in a folder."""
    try:
        return [str(name) for name in json.loads(
            (folder / "provenance.json").read_text())["image_products"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
