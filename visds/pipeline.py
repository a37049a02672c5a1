"""The recipe: from a measurement set to the products of an observation.

plan -> read -> subtract -> flag -> average -> Stokes -> stitch -> light curve -> detect ->
crossmatch -> plot and report. Only this module knows the order, and only it writes files.
"""

import contextlib
import functools
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from astropy.table import Table

from visds.chunk_job import ChunkJob, SubtractedData
from visds.core.ahead import ahead
from visds.core.deadline import Deadline
from visds.core.errors import ExitCode, MeasurementSetError, OutputError, SettingsError
from visds.core.farm import Farm, Outcome
from visds.core.files import make_folder, only_writer, output_error, refuse_existing, whole_file
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.provenance import (
    Provenance,
    command_line,
    file_hash,
    refuse_other_program,
)
from visds.core.settings import Settings
from visds.core.sky import barycentric_time
from visds.core.version import __version__
from visds.crossmatch.several import match_detections
from visds.dynspec.detection.detect import detect
from visds.dynspec.doubts import doubts
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.imaginary_part import imaginary_parts
from visds.dynspec.plots.draw import available_plots, draw_plot, picture
from visds.dynspec.plots.marks import times_outside
from visds.dynspec.primary_beam import correct_primary_beam
from visds.dynspec.report import scan_table, variability_table, write_report
from visds.dynspec.stitch import common_axes, stitch
from visds.dynspec.variability import statistics
from visds.held_products import (
    data_entry,
    refuse_other_products,
    say_changed_settings,
    target_entry,
)
from visds.model_fit import fit_model
from visds.observation import Observation, prepare
from visds.run_settings import RUN_IMAGES, RunSettings
from visds.self_subtraction import check_self_subtraction, flux_density_in_columns
from visds.subtraction import subtraction_entry
from visds.visibility.plan import ChunkTask
from visds.visibility.residual_set import write_residual
from visds.visibility.sky_model.model_file import write_model

PRODUCTS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "detections.ecsv", "matches.ecsv",
            "report.html", "provenance.json")

REPORTED_DETECTIONS = ["name", "position", "image_snr", "image_offset", "duration", "band_low",
                       "band_high", "polarization", "snr",
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
    "The position of a detection is that of a source fitted in the image of the burst less the "
    "time around it where position says image. Elsewhere it is assumed: the direction of the "
    "target, with an error of beam / (2 S/N), so that a match says only what lies in the direction "
    "that was looked at. An event may "
    "reach over a gap between scans or spectral windows, where its box is open: duration counts "
    "the gap, fluence only what was observed. Each is boxed in pictures of the polarization in "
    "which it has the highest signal to noise.")
NO_MODEL_NOTE = (
    " No sky model was subtracted: other sources in the field are still there, and their sidelobes "
    "change at the target as the array rotates, which is detected like a burst.")
NO_CATALOGUE = "no catalogue given to match with"
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
    refuse_existing(settings["run"].write_residual, outside=measurement_set)
    if settings["run"].write_residual and not observation.subtraction.model:
        raise SettingsError("--write-residual: there is no --model to subtract")
    folder = make_folder(out, outside=measurement_set)
    make_folder(folder / "chunks")
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        refuse_other_program(folder, "visds-run")
        refuse_other_products(folder, observation, settings["run"])
        observation.say()
        say_changed_settings(folder, settings)
        _sweep(folder, settings["run"])
        data = _subtracted_data(observation, folder / "chunks")
        outcomes, stopped = _make_chunks(observation, data, settings, farm)
        failed = [outcome for outcome in outcomes if outcome.error]
        if stopped:
            logger.warning("stopped at the deadline with %d of %d chunks done: run the same "
                           "command again", len(outcomes) - len(failed),
                           len(observation.plan.tasks))
            return ExitCode.DEADLINE
        _make_products(observation, data, folder, settings, farm, failed)
        if settings["run"].write_residual:
            _write_residual(observation, data, settings["run"].write_residual, failed)
        return ExitCode.CHUNKS_FAILED if failed else ExitCode.OK


def _make_chunks(observation: Observation, data: SubtractedData, settings: Settings,
                 farm: Farm) -> tuple[list[Outcome], bool]:
    """Return the outcomes of all chunks that were begun, and whether the deadline stopped it."""
    tasks = observation.plan.tasks
    run_settings = settings["run"]
    job = ChunkJob(data, observation.target, observation.plan.stokes, observation.correlations,
                   settings["flag"], run_settings.stream, settings["beam"].correct_smearing)
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


def _subtracted_data(observation: Observation, folder: Path) -> SubtractedData:
    """Return where the chunks' visibilities come from, the sky model written for all ranks."""
    subtraction = observation.subtraction
    model_file = folder / "sky_model.h5" if subtraction.model.parts else None
    if model_file:
        write_model(model_file, subtraction.model, subtraction.key)
    return SubtractedData(folder, observation.source_key(), model_file,
                          subtraction.model.columns, subtraction.key, subtraction.method)


def _write_residual(observation: Observation, data: SubtractedData, path: str,
                    failed: list[Outcome]) -> None:
    """Write what is left of the visibilities as a measurement set."""
    if failed:
        logger.warning("%s is not written: %s failed", path, counted(len(failed), "chunk"))
        return
    write_residual(path, observation.plan.tasks, data.slabs)
    logger.info("residual visibilities: %s", path)


def _make_products(observation: Observation, data: SubtractedData, folder: Path,
                   settings: Settings, farm: Farm, failed: list[Outcome]) -> None:
    """Stitch the blocks and write everything that follows from the dynamic spectrum."""
    lost = {outcome.task.name for outcome in failed}
    done = [task for task in observation.plan.tasks if task.name not in lost]
    if not done:
        raise MeasurementSetError(f"no chunk could be made: {failed[0].error}")
    apparent = _stitched(observation, done, folder / "chunks")
    _clear_products(folder)
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    average = settings["average"]
    spectrum = _corrected(observation, apparent).rebin(time=average.time_bin,
                                                       channel=average.channel_bin)
    light_curve = spectrum.light_curve()
    variability = statistics(light_curve)
    T, F = spectrum.flags.shape[:2]
    logger.info("searching %s in %s for bursts", counted(T, "integration"), counted(F, "channel"))
    with ThreadPoolExecutor(1, "spectra") as thread:
        spectra = thread.submit(_write_spectra, spectrum, folder, observation.source_key())
        detections = detect(spectrum, settings["detect"])
        hashes = spectra.result()
    confirmed = None
    if settings["image"].images:
        # What fits and grids takes a quarter of a second to import.
        from visds.run_images import confirm

        confirmed = confirm(observation, data, done, folder, apparent, detections, settings, farm)
        detections = confirmed.detections
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
    if confirmed is not None:
        pictures |= confirmed.pictures
    health = imaginary_parts(spectrum)
    subtraction = observation.subtraction
    check = None
    if subtraction.model or subtraction.removed:
        check = check_self_subtraction(
            apparent, radius_deg=subtraction.radius_deg,
            removed=subtraction.removed_apparent, left=subtraction.left,
            column=flux_density_in_columns(observation.plan, subtraction.model.columns,
                                           observation.target),
            is_apparent=observation.attenuation is not None)
        logger.info("%s", check.summary())
    fit = fit_model(data, done, observation.target) if subtraction.model else None
    if fit:
        logger.info("%s", fit)
    doubtful = doubts(spectrum, detections, health, variability)
    doubtful += confirmed.doubts if confirmed else []
    doubtful += [told.warning() for told in (check, fit) if told and told.warning()]
    for line in doubtful:
        logger.warning("%s", line)
    warnings = [*observation.warnings, *doubtful,
                *(f"chunk {outcome.task.name} failed: {outcome.error}" for outcome in failed)]
    ran = {"Command": shlex.join(command_line()), "Version": f"visds {__version__}"}
    write_report(
        folder / "report.html", title=observation.target_name,
        summary=ran | observation.summary() | (
            {"Self-subtraction": check.summary()} if check else {}) | (
            {"Fit of the sky model": str(fit)} if fit else {}),
        pictures=pictures, warnings=warnings, settings_text=settings.to_toml(),
        flag_statistics=spectrum.meta["flag_statistics"], health=health,
        tables={"Scans": scan_table(spectrum), "Variability": variability_table(variability),
                "Detections": detections[REPORTED_DETECTIONS],
                "Matches": matches[REPORTED_MATCHES] if observation.catalogues else None},
        notes={"Variability": STATISTICS_NOTE,
               "Detections": DETECTIONS_NOTE + _search_limit(detections)
               + ("" if observation.subtraction.model else NO_MODEL_NOTE)} | (
            {} if observation.catalogues else {"Matches": f"{NO_CATALOGUE}."}))
    provenance = Provenance(command_line(), observation.inputs(), settings.written(), farm.size)
    provenance.write(
        folder / "provenance.json",
        products={name: hashes.get(name) or file_hash(folder / name)
                  for name in (*PRODUCTS[:-1], *(confirmed.products if confirmed else ()))},
        measurement_set=observation.measurement_set, target=target_entry(observation),
        data=data_entry(observation),
        sky_model=subtraction_entry(subtraction, check, fit),
        visibility_keys={task.name: data.key(task) for task in done},
        failed_chunks=[outcome.task.name for outcome in failed])
    logger.info("%s, %s", counted(len(detections), "detection"),
                counted(len(matches), "match", "es") if observation.catalogues else NO_CATALOGUE)
    logger.info("report: %s", folder / "report.html")


def _stitched(observation: Observation, tasks: Sequence[ChunkTask],
              folder: Path) -> DynamicSpectrum:
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


def _corrected(observation: Observation, spectrum: DynamicSpectrum) -> DynamicSpectrum:
    """Return the spectrum corrected for the primary beam, if the user wants that."""
    if observation.attenuation is None:
        return spectrum
    return correct_primary_beam(spectrum, observation.attenuation.of_target(spectrum.frequency))


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
    _remove([path for place in (folder, folder / "chunks", folder / "plots", folder / RUN_IMAGES)
             for path in place.glob(".*.part*")])
    if settings.fresh:
        _remove(list((folder / "chunks").glob("*.h5")))
        _clear_products(folder)


def _clear_products(folder: Path) -> None:
    """Take away the products of an earlier run, now that there is something to replace them.

    What a run leaves that ends among its products must not look like those of a finished one.
    """
    kinds = [("plots", kind) for kind in ("png", "pdf")] + [
        (RUN_IMAGES, kind) for kind in ("fits", "png", "ecsv")]
    _remove([*(folder / name for name in PRODUCTS), *(
        path for name, kind in kinds for path in (folder / name).glob(f"*.{kind}"))])
    with contextlib.suppress(OSError):
        (folder / RUN_IMAGES).rmdir()  # what somebody else left there stays


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
