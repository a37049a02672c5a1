"""The recipe: from a measurement set to the products of an observation.

plan -> read -> subtract -> flag -> average -> Stokes -> stitch -> light curve -> detect ->
crossmatch -> plot and report. Only this module knows the order, and only it writes files.
"""

import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from visds.antenna_veto import with_antenna_veto
from visds.chunk_job import ChunkJob, SubtractedData, path_of_counts
from visds.core.deadline import Deadline
from visds.core.errors import ExitCode, MeasurementSetError, OutputError, SettingsError
from visds.core.farm import Farm, Outcome
from visds.core.files import (
    make_folder,
    only_writer,
    output_error,
    refuse_existing,
    whole_file,
)
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.provenance import Provenance, command_line, file_hash, refuse_other_program
from visds.core.settings import Settings
from visds.crossmatch.several import match_detections
from visds.dynspec.cuts import cut_cells, is_candidate
from visds.dynspec.detection.vetoes import in_words
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.fits import write_fits
from visds.dynspec.flagging.counts import FlagCounts, add_counts
from visds.dynspec.plots.draw import save_pictures
from visds.dynspec.plots.flag_statistics import flag_figure
from visds.dynspec.spectra_file import read_spectrum, write_spectra
from visds.dynspec.variability.settings import MEASURES
from visds.held_products import (
    data_entry,
    refuse_other_products,
    say_changed_settings,
    target_entries,
)
from visds.model_fit import fit_model
from visds.observation import Observation, prepare
from visds.run_report import NO_CATALOGUE, write_run_report
from visds.run_settings import RUN_IMAGES, RunSettings
from visds.seen_twice import seen_twice
from visds.self_subtraction import (
    SelfSubtraction,
    check_self_subtraction,
    doubts_of_checks,
    flux_density_in_columns,
    summaries,
)
from visds.stitched_spectra import StitchedSpectra
from visds.subtraction import subtraction_entry
from visds.target_pictures import draw_targets
from visds.target_products import TargetJob, TargetProducts, doubts_of, write_tables
from visds.target_tables import joined
from visds.visibility.residual_set import write_residual
from visds.visibility.sky_model.model_file import write_model

PRODUCTS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "variability.ecsv",
            "polarization.ecsv", "detections.ecsv", "matches.ecsv", "flag_counts.h5",
            "report.html", "provenance.json")

MOST_CONTROLS = 32
"""Off-source directions that the detections of each target are held against."""


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
    job = ChunkJob(data, tuple(target.place for target in observation.directions),
                   len(observation.targets), observation.plan.stokes, observation.correlations,
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
                          subtraction.model.columns, subtraction.key, subtraction.method,
                          subtraction.at_targets)


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
    spectra = StitchedSpectra(observation, done, folder / "chunks")
    apparent = spectra.apparent(0)
    _clear_products(folder)
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    spectrum = spectra.product(apparent, 0, settings["average"])
    product = folder / "dynspec.h5"
    products = itertools.chain([spectrum], spectra.products(settings["average"], first=1))
    write_spectra(product, (cut_cells(one, settings["cut"]) for one in products),
                  observation.source_key())
    T, F = spectrum.flags.shape[:2]
    logger.info("searching %s in %s for bursts", counted(T, "integration"), counted(F, "channel"))
    with ThreadPoolExecutor(1, "fits") as thread:
        fits = thread.submit(write_fits, (read_spectrum(product, number) for number in range(
            len(observation.targets))), folder / "dynspec.fits")
        targets = _search(observation, product, settings, farm)
        fits.result()
    detections = with_antenna_veto(
        joined([(one.name, one.detections) for one in targets]), observation, data, done,
        settings["flag"], farm)
    confirmed = None
    if settings["image"].images:
        # What fits and grids takes a quarter of a second to import.
        from visds.run_images import confirm

        confirmed = confirm(observation, data, done, folder, apparent, detections, settings, farm)
        detections = confirmed.detections
    matches = match_detections(detections[is_candidate(detections)], observation.catalogues,
                               settings["match"], observation.epoch)
    for name, table in (("detections", detections), ("matches", matches)):
        with whole_file(folder / f"{name}.ecsv") as part:
            table.write(part, format="ascii.ecsv", overwrite=True)
    measures = write_tables(targets, folder)
    counts = add_counts([FlagCounts.read(path_of_counts(spectra.path(task))) for task in done])
    counts.write(folder / "flag_counts.h5")
    pictures = _draw_flags(counts, observation, settings, folder / "plots")
    pictures = draw_targets(product, targets, detections, settings, folder / "plots",
                     farm) | pictures
    if confirmed is not None:
        pictures |= confirmed.pictures
    checks = _check_subtraction(observation, spectra, apparent)
    fit = fit_model(data, done, observation.target) if observation.subtraction.model else None
    if fit:
        logger.info("%s", fit)
    doubtful = doubts_of(targets)
    doubtful += confirmed.doubts if confirmed else []
    doubtful += seen_twice(detections, {one.name: one.direction for one in observation.targets},
                           float(spectrum.meta["beam_arcsec"]))
    doubtful += doubts_of_checks(checks)
    doubtful += [fit.warning()] if fit and fit.warning() else []
    for line in doubtful:
        logger.warning("%s", line)
    warnings = [*observation.warnings, *doubtful,
                *(f"chunk {outcome.task.name} failed: {outcome.error}" for outcome in failed)]
    write_run_report(folder / "report.html", observation, product, targets, detections,
                     matches, pictures, warnings, settings, checks, fit)
    provenance = Provenance(command_line(), observation.inputs(), settings.written(), farm.size)
    provenance.write(
        folder / "provenance.json",
        products={name: file_hash(folder / name)
                  for name in (*PRODUCTS[:-1], *(f"{name}.ecsv" for name in measures),
                               *(confirmed.products if confirmed else ()))},
        measurement_set=observation.measurement_set, targets=target_entries(observation),
        data=data_entry(observation),
        sky_model=subtraction_entry(observation.subtraction, checks, fit),
        visibility_keys={task.name: data.key(task) for task in done},
        failed_chunks=[outcome.task.name for outcome in failed])
    said = in_words(detections)
    logger.info("%s%s, %s", counted(len(detections), "detection"), f", {said}" if said else "",
                counted(len(matches), "match", "es") if observation.catalogues else NO_CATALOGUE)
    logger.info("report: %s", folder / "report.html")


def _search(observation: Observation, product: Path, settings: Settings,
            farm: Farm) -> list[TargetProducts]:
    """Return what follows from the spectrum of each target, in their order."""
    found = {}
    first = len(observation.targets)
    off_source = tuple(range(first, min(len(observation.directions), first + MOST_CONTROLS)))
    job = TargetJob(product, settings, off_source)
    several = Progress("targets", first) if first > 1 else contextlib.nullcontext()
    with several as progress:
        for outcome in farm.run(job, range(first)):
            if progress is not None:
                progress.advance()
            if outcome.error:
                raise outcome.exception
            found[outcome.task] = outcome.result
    return [found[number] for number in sorted(found)]


def _check_subtraction(observation: Observation, spectra: StitchedSpectra,
                       apparent: DynamicSpectrum) -> list[SelfSubtraction]:
    """Return what of each target the sky model took; nothing without one."""
    subtraction = observation.subtraction
    if not (subtraction.model or any(one.removed for one in subtraction.excisions)):
        return []
    checks = []
    for number, (target, excision) in enumerate(zip(observation.targets, subtraction.excisions,
                                                    strict=True)):
        checks.append(check_self_subtraction(
            spectra.apparent(number) if number else apparent, radius_deg=subtraction.radius_deg,
            removed=excision.removed_apparent, left=excision.left,
            column=flux_density_in_columns(observation.plan, subtraction.model.columns,
                                           target.direction),
            is_apparent=observation.attenuation is not None,
            target=target.name if number else ""))
    for line in summaries(checks):
        logger.info("%s", line)
    return checks


def _draw_flags(counts: FlagCounts, observation: Observation, settings: Settings,
                folder: Path) -> dict[str, Path]:
    """Draw what is flagged, and return the picture for the report by its caption."""
    names = dict(enumerate(observation.plan.description.antenna_names))
    title = f"{observation.plan.field}, {observation.plan.description.telescope}"
    figure = flag_figure(counts, settings["plot"], title=title, antenna_names=names)
    paths = save_pictures(figure, folder, "flags", settings["plot"])
    return dict([("Flags", path) for path in paths if path.suffix == ".png"][:1])


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
    of_targets = [path for path in (folder / "plots").glob("*") if path.is_dir()]
    kinds = [(place, kind) for place in (folder / "plots", *of_targets)
             for kind in ("png", "pdf")] + [
        (folder / RUN_IMAGES, kind) for kind in ("fits", "png", "ecsv")]
    _remove([*(folder / name for name in (*PRODUCTS, *(f"{name}.ecsv" for name in MEASURES))), *(
        path for place, kind in kinds for path in place.glob(f"*.{kind}"))])
    for place in (folder / RUN_IMAGES, *of_targets):
        with contextlib.suppress(OSError):
            place.rmdir()  # what somebody else left there stays


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
