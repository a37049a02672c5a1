"""The recipe: from a measurement set to the products of an observation.

plan -> read -> subtract -> flag -> average -> Stokes -> stitch -> light curve -> detect ->
crossmatch -> plot and report. Only this module knows the order, and only it writes files.
"""

import contextlib
import dataclasses
import functools
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from visds.core.ahead import ahead
from visds.core.arrays import stored_key
from visds.core.deadline import Deadline
from visds.core.errors import ExitCode, FormatError, MeasurementSetError, OutputError
from visds.core.farm import Farm, Outcome
from visds.core.files import make_folder, only_writer, output_error, whole_file
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.provenance import Provenance, command_line, file_hash, key
from visds.core.settings import Settings
from visds.core.sky import Direction, barycentric_time
from visds.core.version import __version__
from visds.crossmatch.several import match_detections
from visds.dynspec.block import make_block
from visds.dynspec.detection.detect import detect
from visds.dynspec.doubts import doubts
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flag import clip
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.imaginary_part import imaginary_parts
from visds.dynspec.plots.draw import available_plots, draw_plot, picture
from visds.dynspec.plots.marks import times_outside
from visds.dynspec.report import scan_table, variability_table, write_report
from visds.dynspec.stitch import common_axes, stitch
from visds.dynspec.variability import statistics
from visds.held_products import (
    data_entry,
    refuse_other_products,
    say_changed_settings,
    target_entry,
)
from visds.observation import Observation, prepare
from visds.run_settings import RunSettings
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.chunk_file import read_slabs, write_slabs
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import ChunkTask
from visds.visibility.read import SLAB_BYTES, Buffers, ChunkReader
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.subtract import subtract

PRODUCTS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "detections.ecsv", "matches.ecsv",
            "report.html", "provenance.json")

REPORTED_DETECTIONS = ["name", "duration", "band_low", "band_high", "polarization", "snr",
                       "false_alarm_probability", "peak_flux_density", "peak_flux_density_error",
                       "fluence", "fluence_error", "fraction_V", "fraction_V_error"]
REPORTED_MATCHES = ["catalogue", "left_name", "right_name", "separation_arcsec",
                    "normalized_separation", "chance_probability", "best"]
STATISTICS_NOTE = (
    "eta is the reduced chi-squared of a constant, V (TraP) the standard deviation over the mean "
    "(Swinbank et al. 2015; not Stokes V); probability is that of this eta or more from a constant "
    "source. They know thermal errors only: a bright source with gain errors, a resolved one whose "
    "baselines rotate and a spectrum whose flags change all look variable here. eta_imaginary "
    "tells how much of it the imaginary part shares.")
DETECTIONS_NOTE = (
    "The position of a detection is assumed, not measured: it is the direction of the target, with "
    "an error of beam / (2 S/N). So a match says what lies in the direction that was looked at, "
    "and one with the very source from which that direction was taken says nothing. An event may "
    "reach over a gap between scans or spectral windows, where its box is open: duration counts "
    "the gap, fluence only what was observed. Each is boxed in pictures of the polarization in "
    "which it has the highest signal to noise.")
NO_MODEL_NOTE = (
    " No sky model was subtracted: other sources in the field are still there, and their sidelobes "
    "change at the target as the array rotates, which is detected like a burst.")
NO_CATALOGUE = "no catalogue given to match with"
_BUFFERS = Buffers()  # of this rank, for one chunk after the other
CAPTIONS = {"I": "Stokes I", "V": "Stokes V", "V/I": "Stokes V over I",
            "lightcurve": "Light curve", "overview": "Overview"}


def run(measurement_set: str, out: str, settings: Settings, farm: Farm) -> int:
    """Make all products of an observation in the folder `out`; return the exit code.

    Chunks that an earlier run of the same inputs and settings has finished are not made again.

    Raises
    ------
    VisdsError
        For input that cannot be used or an output that cannot be written. Finished chunks and
        products may then be there, but not provenance.json, which comes last.
    """
    observation = prepare(measurement_set, settings)
    folder = make_folder(out, outside=measurement_set)
    make_folder(folder / "chunks")
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        refuse_other_products(folder, observation, settings["run"])
        observation.say()
        say_changed_settings(folder, settings)
        _sweep(folder, settings["run"])
        outcomes, stopped = _make_chunks(observation, folder, settings, farm)
        failed = [outcome for outcome in outcomes if outcome.error]
        if stopped:
            logger.warning("stopped at the deadline with %d of %d chunks done: run the same "
                           "command again", len(outcomes) - len(failed),
                           len(observation.plan.tasks))
            return ExitCode.DEADLINE
        _make_products(observation, folder, settings, farm, failed)
        return ExitCode.CHUNKS_FAILED if failed else ExitCode.OK


@dataclass(frozen=True, eq=False)
class ChunkJob:
    """What is done to every chunk: a worker's share of the recipe."""

    folder: Path
    source_key: str
    target: Direction
    stokes: tuple[str, ...]
    correlations: tuple[str, ...]
    model: ComponentModel | None
    model_column: str | None
    flags: FlagSettings
    stream: bool

    def __call__(self, task: ChunkTask) -> str:
        """Make one chunk's block, and its visibility file unless streaming; say what was done.

        The measurement set is not read if the visibilities are on file from an earlier run, and
        nothing is done if the block is. Files that are damaged are made again.
        """
        # Wherever the measurement set was moved, and whatever path leads there.
        anywhere = dataclasses.replace(task, source=dataclasses.replace(task.source, path=""))
        visibility_key = key(self.source_key, anywhere, self.model, self.model_column)
        block_key = key(visibility_key, self.target, self.stokes, self.correlations, self.flags)
        block_path = self.folder / f"{task.name}.block.h5"
        if stored_key(block_path, DynamicSpectrum) == block_key:
            with contextlib.suppress(FormatError):
                DynamicSpectrum.read(block_path)
                return "reused"
        path = self.folder / f"{task.name}.visibility.h5"
        if stored_key(path, VisibilityChunk) == visibility_key:
            with contextlib.suppress(FormatError):
                self._average(read_slabs(path, SLAB_BYTES)).write(block_path, block_key)
                return "averaged again"
        # All that reads is closed before the measurement set, also where a slab cannot be used.
        with contextlib.ExitStack() as stack:
            measurement_set = stack.enter_context(MeasurementSet(task.source.path))
            reader = ChunkReader(measurement_set, task, self.model_column)
            slabs = reader.slabs(_BUFFERS, stages=1 if self.stream else 2)
            if self.model is not None:
                slabs = (subtract(slab, self.model) for slab in slabs)
            if not self.stream:
                slabs = stack.enter_context(contextlib.closing(
                    write_slabs(path, slabs, len(task.time), visibility_key)))
            slabs = stack.enter_context(contextlib.closing(ahead(slabs)))
            self._average(slabs).write(block_path, block_key)
        return "made"

    def _average(self, slabs: Iterator[VisibilityChunk]) -> DynamicSpectrum:
        clipped = (clip(slab, self.flags) for slab in slabs)
        return make_block(clipped, self.target, self.stokes, self.correlations)


def _make_chunks(observation: Observation, folder: Path, settings: Settings,
                 farm: Farm) -> tuple[list[Outcome], bool]:
    """Return the outcomes of all chunks that were begun, and whether the deadline stopped it."""
    tasks = observation.plan.tasks
    run_settings = settings["run"]
    job = ChunkJob(folder / "chunks", observation.source_key(), observation.target,
                   observation.plan.stokes, observation.correlations, observation.model,
                   observation.model_column, settings["flag"], run_settings.stream)
    deadline = Deadline(run_settings.deadline)
    outcomes: list[Outcome] = []
    with Progress("chunks", len(tasks), sum(task.nbytes for task in tasks)) as progress:
        for outcome in farm.run(job, tasks, cost=lambda task: task.nbytes, stop=deadline):
            outcomes.append(outcome)
            deadline.took(outcome.seconds)
            progress.advance(outcome.task.nbytes, is_new=outcome.result != "reused")
            if isinstance(outcome.exception, OutputError):
                raise outcome.exception
            if outcome.error:
                logger.error("chunk %s failed on rank %d: %s", outcome.task.name, outcome.rank,
                             outcome.error)
                logger.debug(outcome.traceback)
    done = [outcome.result for outcome in outcomes]
    logger.info("%s, %d of them from an earlier run", counted(len(outcomes), "chunk"),
                done.count("reused"))
    if "averaged again" in done:
        logger.info("%s averaged again from chunk files of an earlier run",
                    counted(done.count("averaged again"), "chunk"))
    return outcomes, len(outcomes) < len(tasks)


def _make_products(observation: Observation, folder: Path, settings: Settings, farm: Farm,
                   failed: list[Outcome]) -> None:
    """Stitch the blocks and write everything that follows from the dynamic spectrum."""
    spectrum = _stitched(observation, folder / "chunks", failed)
    _clear_products(folder)
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    average = settings["average"]
    spectrum = spectrum.rebin(time=average.time_bin, channel=average.channel_bin)
    light_curve = spectrum.light_curve()
    variability = statistics(light_curve)
    T, F = spectrum.flags.shape[:2]
    logger.info("searching %s in %s for bursts", counted(T, "integration"), counted(F, "channel"))
    with ThreadPoolExecutor(1, "spectra") as thread:
        spectra = thread.submit(_write_spectra, spectrum, folder, observation.source_key())
        detections = detect(spectrum, settings["detect"])
        hashes = spectra.result()
    matches = match_detections(detections, observation.catalogues, settings["match"],
                               observation.epoch)
    curve_table = light_curve.to_table()
    curve_table.meta["variability"] = {
        row["polarization"]: {"eta": float(row["eta"]), "V": float(row["V"])}
        for row in variability}
    for name, table in (("lightcurve", curve_table), ("detections", detections),
                        ("matches", matches)):
        _write_table(table, folder / f"{name}.ecsv")
    pictures = _draw(spectrum, detections, settings, folder / "plots", farm)
    health = imaginary_parts(spectrum)
    doubtful = doubts(spectrum, detections, health, variability)
    for line in doubtful:
        logger.warning("%s", line)
    warnings = [*observation.warnings, *doubtful,
                *(f"chunk {outcome.task.name} failed: {outcome.error}" for outcome in failed)]
    ran = {"Command": shlex.join(command_line()), "Version": f"visds {__version__}"}
    write_report(
        folder / "report.html", title=observation.target_name,
        summary=ran | observation.summary(),
        pictures=pictures, warnings=warnings, settings_text=settings.to_toml(),
        flag_statistics=spectrum.meta["flag_statistics"], health=health,
        tables={"Scans": scan_table(spectrum), "Variability": variability_table(variability),
                "Detections": detections[REPORTED_DETECTIONS],
                "Matches": matches[REPORTED_MATCHES] if observation.catalogues else None},
        notes={"Variability": STATISTICS_NOTE,
               "Detections": DETECTIONS_NOTE + _search_limit(detections)
               + ("" if observation.model or observation.model_column else NO_MODEL_NOTE)} | (
            {} if observation.catalogues else {"Matches": f"{NO_CATALOGUE}."}))
    provenance = Provenance(command_line(), observation.inputs(), settings.written(), farm.size)
    provenance.write(
        folder / "provenance.json",
        products={name: hashes.get(name) or file_hash(folder / name) for name in PRODUCTS[:-1]},
        measurement_set=observation.measurement_set, target=target_entry(observation),
        data=data_entry(observation),
        failed_chunks=[outcome.task.name for outcome in failed])
    logger.info("%s, %s", counted(len(detections), "detection"),
                counted(len(matches), "match", "es") if observation.catalogues else NO_CATALOGUE)
    logger.info("report: %s", folder / "report.html")


def _stitched(observation: Observation, folder: Path, failed: list[Outcome]) -> DynamicSpectrum:
    lost = {outcome.task.name for outcome in failed}
    tasks = [task for task in observation.plan.tasks if task.name not in lost]
    if not tasks:
        raise MeasurementSetError(f"no chunk could be made: {failed[0].error}")
    axes = common_axes((task.time, task.integration, task.scan, task.source.frequency,
                        task.source.channel_width, task.source.spectral_window)
                       for task in observation.plan.tasks)
    blocks = (DynamicSpectrum.read(folder / f"{task.name}.block.h5") for task in tasks)
    with contextlib.closing(ahead(blocks)) as read:
        spectrum = stitch(read, axes, observation.meta())
    if not spectrum.count.any():
        outside = spectrum.meta["flag_statistics"].get("uv_range", 0)
        raise MeasurementSetError(
            f"{observation.plan.description.path}: every visibility of this selection is flagged"
            + (f" ({outside:.0%} of them by --uv-min, --uv-max)" if outside else ""))
    spectrum = spectrum.replace(time_barycentre=barycentric_time(
        spectrum.time, observation.target, observation.plan.description.position))
    return observation.with_beam(spectrum)


def _draw(spectrum: DynamicSpectrum, detections: Table, settings: Settings, folder: Path,
          farm: Farm) -> dict[str, Path]:
    """Draw the plots, one a task; return the pictures for the report by caption."""
    chosen = settings["plot"].plots or available_plots(spectrum)
    for moment in times_outside(spectrum, settings["plot"].mark_time):
        logger.warning("--mark-time %s is outside the data and not marked", moment)
    work = functools.partial(_draw_one, picture(spectrum, chosen, settings["plot"]), detections,
                             settings["plot"], folder)
    pictures: dict[str, Path] = {}
    with Progress("plots", len(chosen)) as progress:
        for outcome in farm.run(work, list(chosen)):
            progress.advance()
            if outcome.error:
                raise OutputError(f"plot {outcome.task} failed: {outcome.error}")
            for path in outcome.result:
                if path.suffix == ".png":
                    pictures[outcome.task] = path
    ordered = sorted(pictures, key=lambda name: (name != "overview", chosen.index(name)))
    return {CAPTIONS.get(name, name): pictures[name] for name in ordered}


def _draw_one(pictured, detections, settings, folder, plot: str) -> list[Path]:
    return draw_plot(pictured, plot, detections, settings, folder)


def _search_limit(detections: Table) -> str:
    """Return in words what the search left to the gains."""
    errors = detections.meta.get("coherent_error_Jy", {})
    said = ", ".join(f"{1e3 * error:.3g} mJy in {label}" for label, error in errors.items())
    return (f" An error of {said}, common to all channels, was added to the noise "
            "(--gain-error, --structure-error): weaker changes over the whole band are not found."
            if said else "")


def _write_spectra(spectrum: DynamicSpectrum, folder: Path, source_key: str) -> dict[str, str]:
    """Write the dynamic spectrum in both formats; return the hashes of the files by name."""
    spectrum.write(folder / "dynspec.h5", source_key)
    spectrum.to_fits(folder / "dynspec.fits")
    return {name: file_hash(folder / name) for name in ("dynspec.h5", "dynspec.fits")}


def _write_table(table: Table, path: Path) -> None:
    with whole_file(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)


def _sweep(folder: Path, settings: RunSettings) -> None:
    """Take away what killed runs left half-written; for a fresh start all that a run makes."""
    _remove([path for place in (folder, folder / "chunks", folder / "plots")
             for path in place.glob(".*.part*")])
    if settings.fresh:
        _remove(list((folder / "chunks").glob("*.h5")))
        _clear_products(folder)


def _clear_products(folder: Path) -> None:
    """Take away the products of an earlier run, now that there is something to replace them.

    What a run leaves that ends among its products must not look like those of a finished one.
    """
    _remove([*(folder / name for name in PRODUCTS), *(folder / "plots").glob("*.p[nd][gf]")])


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
