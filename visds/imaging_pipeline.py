"""The recipe of images: plan -> read -> weigh -> grid -> clean -> measure -> find -> crossmatch.

Only this module knows the order, and only it writes files.
"""

import contextlib
import dataclasses
import functools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.blind_search import match_found, search_images
from visds.core.errors import ExitCode, ImagingError, MeasurementSetError, OutputError
from visds.core.farm import Farm, Outcome
from visds.core.files import make_folder, only_writer, output_error, whole_file
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.provenance import Provenance, command_line, file_hash, refuse_other_program
from visds.core.settings import Settings
from visds.core.sky import angle_text
from visds.image_job import QUIET, Cleaning, ImageJob, ImageTask, QuietJob, Waiting
from visds.imaged_observation import ImagedObservation, prepare_images, products_of
from visds.imaging.changing_source import KnownSources
from visds.imaging.dirty import Gridding
from visds.imaging.geometry import Geometry
from visds.imaging.imaged_data import alone
from visds.imaging.intervals import Interval, bands, content, intervals, pieces
from visds.imaging.measurement import table_of
from visds.imaging.settings import DETECTIONS, WHOLE, ImageSettings
from visds.imaging.weighting import Weighting, needs_density
from visds.quiet_images import Without
from visds.waiting_image import WaitingImage

TABLE = "images.ecsv"
FOUND = ("found.ecsv", "matches.ecsv")
_WEIGHTS_WRONG = 5.0
_SCRATCH = (".clean-", ".find-")


def run_images(source: str, out: str, settings: Settings, farm: Farm) -> int:
    """Make the images of a measurement set or of a run in the folder `out`; return the exit code.

    Raises
    ------
    VisdsError
        For input that cannot be used or an output that cannot be written.
    """
    observation = prepare_images(source, settings)
    image_settings = settings["image"]
    geometry, doubts = observation.geometry(image_settings)
    tasks = plan_images(observation, image_settings, farm.size)
    folder = make_folder(out, outside=None if (Path(source) / "chunks").is_dir() else source)
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        refuse_other_program(folder, "visds-image")
        if image_settings.interval == DETECTIONS and not tasks:
            logger.info("%s has no detections: no images are made, those in %s are as they were",
                        source, folder)
            return ExitCode.OK
        for line in observation.notes:
            logger.info("%s", line)
        for line in (*observation.warnings, *doubts):
            logger.warning("%s", line)
        logger.info("images of %d x %d pixels of %s about %s, Stokes %s", geometry.size,
                    geometry.size, angle_text(geometry.cell), geometry.centre,
                    " ".join(observation.stokes))
        _clear(folder)
        with _folder_of_search(folder, image_settings) as waiting:
            rows, failed, kept = make_images(
                observation, folder, geometry, tasks, image_settings, farm,
                cleaning=_cleaning(observation, settings), waiting=waiting)
            if tasks and not rows:
                raise MeasurementSetError(failed[0].error if failed else (
                    f"{source}: every visibility of this selection is flagged"))
            _doubt_weights(rows)
            tables = _find(observation, kept, settings, farm, functools.partial(
                _without, tasks=[task for task in tasks if task.name in {
                    image.name for image in kept}], farm=farm, job=_job(
                        observation, folder, geometry, image_settings, waiting=waiting)
            )) if waiting else {}
        _write_products(observation, folder, rows, tables, settings, farm, failed)
        return ExitCode.CHUNKS_FAILED if failed else ExitCode.OK


def plan_images(observation: ImagedObservation, settings: ImageSettings,
                ranks: int = 1) -> list[ImageTask]:
    """Return the tasks; one for each Stokes parameter where there are fewer than ranks.

    Images do not depend on how they are split. Where the weighting needs the density of Stokes I
    they are not.
    """
    tasks = []
    for interval in intervals(observation.chunks, settings.interval, observation.detections):
        for number, band in enumerate(bands(observation.chunks, settings.bands)):
            named = interval
            if settings.interval != DETECTIONS and settings.bands > 1:
                named = dataclasses.replace(interval, name=f"{interval.name}_band{number:03d}",
                                            band=band)
            task = _task(observation, named)
            if task is not None:
                tasks.append(task)
            if settings.interval == DETECTIONS:
                break  # each has a band of its own
    if len(tasks) < ranks and not needs_density(Weighting(settings.weighting)):
        tasks = [dataclasses.replace(task, stokes=(name,)) for task in tasks
                 for name in task.stokes]
    return tasks


def _task(observation: ImagedObservation, interval: Interval) -> ImageTask | None:
    def part(of: Interval):
        found = pieces(observation.chunks, of)
        if not found:
            return None
        return (content(observation.chunks, of, observation.frequency_frame),
                tuple(alone(piece) for piece in found), of.band)

    on = part(interval)
    if on is None:
        return None
    return ImageTask(interval.name, observation.stokes, on, interval.off and part(interval.off))


def make_images(observation: ImagedObservation, folder: Path, geometry: Geometry,
                tasks: Sequence[ImageTask], settings: ImageSettings, farm: Farm, *,
                cleaning: Cleaning | None = None, waiting: Waiting | None = None
                ) -> tuple[list[dict], list[Outcome], list[WaitingImage]]:
    """Make the images of tasks in a folder.

    Returns
    -------
    list of dict
        The rows of their table.
    list of Outcome
        What failed.
    list of WaitingImage
        What is to be searched, where `waiting` says that it is.
    """
    job = _job(observation, folder, geometry, settings, cleaning=cleaning, waiting=waiting)
    rows: list[dict] = []
    kept: list[WaitingImage] = []
    failed: list[Outcome] = []
    with Progress("images", len(tasks)) as progress:
        for outcome in farm.run(job, tasks, cost=lambda task: task.nbytes):
            progress.advance()
            if isinstance(outcome.exception, OutputError):
                raise outcome.exception
            if outcome.error:
                failed.append(outcome)
                logger.error("images of %s failed on rank %d: %s", outcome.task.name,
                             outcome.rank, outcome.error)
                logger.debug(outcome.traceback)
                continue
            made, to_search = outcome.result
            for row in made:
                if row["cleaned"]:
                    logger.info("%s, Stokes %s, is cleaned: %s", row["name"], row["stokes"],
                                row["cleaned"])
            if not made:
                logger.info("%s: every visibility is flagged, no image", outcome.task.name)
            rows += made
            kept += to_search
    return sorted(rows, key=lambda row: (
        row["middle"], row["name"], "IQUV".index(row["stokes"]))), failed, kept


def _job(observation: ImagedObservation, folder: Path, geometry: Geometry,
         settings: ImageSettings, *, cleaning: Cleaning | None = None,
         waiting: Waiting | None = None) -> ImageJob:
    weighting = Weighting(settings.weighting, settings.robust, settings.taper)
    # Sidelobes reach over all of an image that is searched.
    gridding = Gridding(weighting, settings.epsilon, settings.psf,
                        wide_response=waiting is not None)
    return ImageJob(folder, geometry, gridding, observation.uv_range, observation.target,
                    observation.headers, settings.pictures, settings.psf, cleaning, waiting)


def _without(sources: KnownSources, *, job: ImageJob, tasks: Sequence[ImageTask],
             farm: Farm) -> list[WaitingImage]:
    """Make the snapshots that wait for the search once more, without sources."""
    make_folder(job.waiting.folder / QUIET)
    waiting: list[WaitingImage] = []
    with Progress("images without them", len(tasks)) as progress:
        for outcome in farm.run(QuietJob(job, sources), tasks, cost=lambda task: task.nbytes):
            if isinstance(outcome.exception, OutputError):
                raise outcome.exception
            if outcome.error:
                raise ImagingError(f"the search for sources failed: {outcome.error}")
            progress.advance()
            waiting += outcome.result
    return waiting


def _doubt_weights(rows: list[dict]) -> None:
    """Warn where the noise is not at all what the weights say, in the quietest Stokes parameter."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row["rms"] > 0 and row["expected_rms"] > 0:
            ratios.setdefault(row["stokes"], []).append(row["rms"] / row["expected_rms"])
    least = min(map(np.median, ratios.values()), default=1.0)
    if not 1 / _WEIGHTS_WRONG < least < _WEIGHTS_WRONG:
        logger.warning("the noise of images is %.2g times that of their weights: these have no "
                       "scale%s; expected_rms means nothing", least,
                       ", or images hold far more than noise" if least > 1 else "")


def _cleaning(observation: ImagedObservation, settings: Settings) -> Cleaning | None:
    if not settings["image"].clean:
        return None
    return Cleaning(settings["clean"], observation.observatory)


@contextlib.contextmanager
def _folder_of_search(folder: Path, settings: ImageSettings) -> Iterator[Waiting | None]:
    """Yield where images wait for the search, a folder that is removed in the end."""
    if not settings.find:
        yield None
        return
    try:
        name = tempfile.mkdtemp(prefix=_SCRATCH[1], dir=folder)
    except OSError as error:
        raise output_error(folder, error) from error
    try:
        yield Waiting(Path(name), cleaned=settings.interval == WHOLE)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def _find(observation: ImagedObservation, waiting: Sequence[WaitingImage], settings: Settings,
          farm: Farm, without: Without) -> dict[str, Table]:
    """Return the tables of what is found in images and of its matches, by name of the product."""
    own = settings["image"]
    found = search_images(waiting, own.find_threshold, farm, epoch=observation.epoch,
                          snapshots=own.interval not in (WHOLE, DETECTIONS), without=without)
    matches = match_found(found, observation.catalogues, settings["match"])
    if observation.catalogues:
        logger.info("%s with %s", counted(len(matches), "match", "es"),
                    ", ".join(observation.catalogues))
    return dict(zip(FOUND, (found, matches), strict=True))


def _write_products(observation: ImagedObservation, folder: Path, rows: list[dict],
                    tables: dict[str, Table], settings: Settings, farm: Farm,
                    failed: list[Outcome]) -> None:
    table = table_of(rows)
    table.meta = {"target": observation.target_name, "ra_deg": observation.target.ra,
                  "dec_deg": observation.target.dec, "source": observation.source}
    for name, product in {TABLE: table, **tables}.items():
        with whole_file(folder / name) as part:
            product.write(part, format="ascii.ecsv", overwrite=True)
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    products = [TABLE, *tables, *sorted(
        path.name for row in rows for path in folder.glob(row["file"].removesuffix("fits") + "*"))]
    Provenance(command_line(), observation.inputs, settings.written(), farm.size).write(
        folder / "provenance.json",
        image_products={name: file_hash(folder / name) for name in products},
        failed_images=[outcome.task.name for outcome in failed])
    logger.info("%s and %s in %s", counted(len(rows), "image"), TABLE, folder)


def _clear(folder: Path) -> None:
    """Take away the images of an earlier run, and what a killed one left half-written."""
    for start in _SCRATCH:
        for left in folder.glob(f"{start}*"):
            shutil.rmtree(left, ignore_errors=True)
    found = [*(folder / name for name in (*products_of(folder), "provenance.json")),
             *folder.glob(".*.part*")]
    for path in found:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
