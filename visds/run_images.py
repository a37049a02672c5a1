"""Images that confirm what the spectra show: of the field, of snapshots, and of each detection.

Made of the chunk files of a run, whose sky model is subtracted, flagged as its spectra are.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.chunk_job import SubtractedChunk, SubtractedData
from visds.core.errors import OutputError
from visds.core.farm import Farm
from visds.core.files import make_folder, whole_file
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.settings import Settings
from visds.core.sky import Direction, angle_text
from visds.detection_positions import with_positions
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag import clip
from visds.dynspec.flag_settings import FlagSettings
from visds.image_job import ImageTask
from visds.imaged_observation import ImagedObservation
from visds.imaging.caption import content_text
from visds.imaging.dirty import Gridding, WholeImage, difference, make_dirty
from visds.imaging.fits_image import write_image
from visds.imaging.geometry import Geometry, good_size
from visds.imaging.image import Content, Image
from visds.imaging.imaged_data import chunk_of_task, read_pieces
from visds.imaging.intervals import DAY, content, intervals
from visds.imaging.measurement import measured, table_of
from visds.imaging.settings import DETECTIONS, SCANS, WHOLE, ImageSettings
from visds.imaging.stokes_visibility import UVRange, gather, group_bytes
from visds.imaging_pipeline import plan_images
from visds.observation import Observation
from visds.run_settings import LARGEST_FIELD, RUN_IMAGES
from visds.snapshot_curves import disagreement, snapshot_curves
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.plan import ChunkTask

TABLE = "images.ecsv"
_STOKES = ("I", "V")
_AROUND = 256
_MOST_DETECTIONS = 20


@dataclass(frozen=True, eq=False)
class RunImages:
    """The images of a run: the table of them and its rows of snapshots, pictures and files.

    `pictures` by caption; `products` the names of files in the folder of the run.
    """

    table: Table
    snapshots: Table
    pictures: dict[str, Path] = field(default_factory=dict)
    products: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What images say of the spectra of a run.

    `detections` with the positions that are measured, `doubts` as lines of text, `pictures` by
    caption and `products`, the names of files in the folder of the run.
    """

    detections: Table
    doubts: list[str]
    pictures: dict[str, Path]
    products: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RunImageJob:
    """What is done for every task: images made, and measured at the target.

    Images are returned; those of a folder are written there, and not returned.
    """

    geometry: Geometry
    target: Direction
    headers: dict[str, str]
    flags: FlagSettings
    folder: Path | None = None

    def __call__(self, task: ImageTask) -> list[tuple[dict, Image | None]]:
        """Return the rows of the table of images and the images of a task."""
        images = self._images(task.stokes, *task.on)
        if task.off is not None:
            off = {image.stokes: image for image in self._images(task.stokes, *task.off)}
            name = task.name.replace("_on", "_difference")
            images = [difference(image, off[image.stokes], name) for image in images
                      if image.stokes in off]
        return [self._measured(image) for image in images]

    def _images(self, stokes, made_of, parts, band) -> list[Image]:
        def groups():
            return gather(self._slabs(parts), stokes, self.geometry.centre, UVRange(None, None),
                          band, group_bytes(self.geometry.size))

        return [image.replace(meta=self.headers) for image in
                make_dirty(groups, self.geometry, made_of, Gridding())]

    def _slabs(self, parts) -> Iterator[VisibilityChunk]:
        return (clip(slab, self.flags) for slab in read_pieces(parts))

    def _measured(self, image: Image) -> tuple[dict, Image | None]:
        if self.folder is None:
            return measured(image, self.target), image
        return write_products(image, self.target, self.folder), None


def confirm(observation: Observation, data: SubtractedData, tasks: Sequence[ChunkTask],
            folder: Path, spectrum: DynamicSpectrum, detections: Table, settings: Settings,
            farm: Farm) -> Confirmation:
    """Make the images of a run and hold its spectrum and detections against them.

    `spectrum` is the one at full resolution, not corrected for the primary beam, as images are not;
    `tasks` are the chunks that it is made of.

    Raises
    ------
    OutputError
        If an image cannot be made or written.
    """
    images = image_run(observation, data, tasks, folder, detections, settings, farm)
    detections, doubts = with_positions(detections, images.table)
    curves = snapshot_curves(spectrum, images.snapshots)
    picture = folder / RUN_IMAGES / "lightcurve.png"
    if curves:
        from visds.imaging.plots import light_curves

        with whole_file(picture) as part:
            part.write_bytes(light_curves(
                curves, apparent=observation.attenuation is not None,
                title=f"{observation.target_name}, {observation.plan.description.telescope}, "
                      f"{spectrum.frequency.mean() / 1e6:.5g} MHz"))
    pictures = {"Light curve from images and from visibilities": picture} if curves else {}
    # Averaging takes from a source in images what was put back in the spectrum.
    if not observation.smearing_corrected:
        doubts += disagreement(curves)
    return Confirmation(detections, doubts, pictures | images.pictures,
                        images.products)


def write_products(image: Image, target: Direction, folder: Path) -> dict:
    """Write an image and its picture into a folder; return its row of the table."""
    from visds.imaging.plots import quick_look

    name = f"{image.content.name}_{image.stokes}"
    write_image(image, folder / f"{name}.fits")
    row = measured(image, target, f"{name}.fits")
    with whole_file(folder / f"{name}.png") as part:
        part.write_bytes(quick_look(image, target, row["rms"]))
    return row


def image_run(observation: Observation, data: SubtractedData, tasks: Sequence[ChunkTask],
              folder: Path, detections: Table, settings: Settings, farm: Farm) -> RunImages:
    """Make the images of a run: the whole field in I and V, and a difference for each detection.

    The field is the weighted mean of snapshots, whose flux densities at the target are a light
    curve of their own. Of many detections the strongest have images.
    Chunks without a file of these visibilities (--stream) are read from the measurement set again.

    Raises
    ------
    OutputError
        If an image cannot be made or written.
    """
    source = _imaged(observation, data, tasks, detections)
    make_folder(folder / RUN_IMAGES)
    whole = ImageSettings()
    geometry, doubts = source.geometry(whole)
    for line in doubts:
        logger.debug("%s", line)
    geometry = dataclasses.replace(geometry, size=min(geometry.size, LARGEST_FIELD))
    if not geometry.holds(observation.target):
        logger.info("images of the field are about the target, which is outside of %s about the "
                    "phase centre", angle_text(geometry.width))
        geometry = dataclasses.replace(geometry, centre=observation.target)
    headers = source.headers
    snapshots = plan_images(source, dataclasses.replace(
        whole, interval=_snapshot_length(source, settings["image"].snapshots)))
    job = RunImageJob(geometry, observation.target, headers, settings["flag"])
    rows: list[dict] = []
    fields: dict[str, WholeImage] = {}
    for row, image in _run(job, snapshots, farm, "snapshots"):
        rows.append(row)
        fields.setdefault(image.stokes, WholeImage()).add(image)
    described = content(source.chunks, intervals(source.chunks, WHOLE)[0], source.frequency_frame)
    pictures, field_rows = {}, []
    for name in source.stokes:
        if name in fields:
            image = fields.pop(name).image(_named(described, "field"))
            field_rows.append(write_products(image, observation.target, folder / RUN_IMAGES))
            pictures[f"Residual image of the field, Stokes {name}, apparent flux density"] = (
                folder / RUN_IMAGES / f"field_{name}.png")
    strongest = _strongest(detections)
    tasks = [task for task in plan_images(source, dataclasses.replace(
        whole, interval=DETECTIONS)) if _detection_number(task) in strongest]
    size = min(good_size(_AROUND), geometry.size)
    looks = [_look(observation, row) for row in detections]
    detected = []
    for look in dict.fromkeys(looks):
        of_look = [task for task in tasks if looks[_detection_number(task) - 1] == look]
        if not of_look:
            continue
        detected += [row for row, _ in _run(dataclasses.replace(
            job, geometry=Geometry(look, geometry.cell, size), target=look,
            folder=folder / RUN_IMAGES), of_look, farm, "images of detections")]
    detected.sort(key=lambda row: row["name"])
    for row in detected:
        pictures[f"{content_text(row['name'])}, Stokes {row['stokes']}, apparent flux density"] = (
            folder / RUN_IMAGES / row["file"].replace(".fits", ".png"))
    table = table_of([*field_rows, *detected, *rows])
    with whole_file(folder / RUN_IMAGES / TABLE) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)
    files = [row["file"] for row in (*field_rows, *detected)]
    return RunImages(table, table_of(rows), pictures, tuple(
        f"{RUN_IMAGES}/{name}" for name in (TABLE, *files)))


def _detection_number(task: ImageTask) -> int:
    """Return the number, from 1, of the detection that an image is of."""
    return int(task.name[len("detection"):].partition("_")[0])


def _look(observation: Observation, detection: Table.Row) -> Direction:
    """Return where the target of a detection was at the time of its peak."""
    target = next(target for target in observation.targets
                  if target.name == detection["target"])
    if target.track is None:
        return target.direction
    ra, dec = target.track.at(np.array([detection["peak_time"]]))
    return Direction(float(ra[0]), float(dec[0]))


def _imaged(observation: Observation, data: SubtractedData, tasks: Sequence[ChunkTask],
            detections: Table) -> ImagedObservation:
    plan = observation.plan
    chunks = tuple(dataclasses.replace(
        chunk_of_task(task), origin=SubtractedChunk(data, task)) for task in tasks)
    return ImagedObservation(
        source=observation.measurement_set, chunks=chunks,
        stokes=tuple(name for name in _STOKES if name in plan.stokes),
        phase_centre=Direction(*plan.phase_centre, plan.frame), target=observation.target,
        target_name=observation.target_name, uv_range=UVRange(None, None),
        dish_diameter=plan.description.usual_dish_diameter,
        frequency_frame=plan.tasks[0].source.frequency_frame,
        headers={"OBJECT": plan.field, "TELESCOP": plan.description.telescope} | (
            {"SUBTRACT": str(observation.subtraction)} if observation.subtraction.model else {}),
        detections=detections, inputs={}, notes=(), warnings=())


def _snapshot_length(source: ImagedObservation, number: int) -> str:
    """Return the interval of about so many snapshots: scans where they are as many."""
    scans = {}
    for chunk in source.chunks:
        half = chunk.integration / 2 / DAY
        first, last = scans.get(chunk.scan, (math.inf, -math.inf))
        scans[chunk.scan] = (min(first, float((chunk.time - half).min())),
                             max(last, float((chunk.time + half).max())))
    if len(scans) >= number:
        return SCANS
    on_source = sum(last - first for first, last in scans.values()) * DAY
    return f"{on_source / number!r}s"


def _strongest(detections: Table) -> set[int]:
    """Return the numbers, from 1, of the detections that have images."""
    order = np.argsort(-np.asarray(detections["snr"], float), kind="stable")[:_MOST_DETECTIONS]
    if len(detections) > _MOST_DETECTIONS:
        logger.info("images of the %d strongest of %s", _MOST_DETECTIONS,
                    counted(len(detections), "detection"))
    return {int(place) + 1 for place in order}


def _run(job: RunImageJob, tasks: Sequence[ImageTask], farm: Farm,
         what: str) -> Iterator[tuple[dict, Image | None]]:
    """Yield what a job returns of each task, in the order of their names.

    What is done before its turn waits, so that sums are the same in whatever order ranks work.
    """
    turns = iter(sorted(task.name for task in tasks))
    waiting: dict[str, list] = {}
    turn = next(turns, None)
    with Progress(what, len(tasks), sum(task.nbytes for task in tasks)) as progress:
        for outcome in farm.run(job, tasks):
            progress.advance(outcome.task.nbytes)
            if outcome.error:
                raise OutputError(f"images of {outcome.task.name} failed: {outcome.error}")
            waiting[outcome.task.name] = outcome.result
            while turn in waiting:
                yield from waiting.pop(turn)
                turn = next(turns, None)


def _named(made_of: Content, name: str) -> Content:
    return dataclasses.replace(made_of, name=name)
