"""The recipe of injection: read the run -> sum -> search -> put flares in -> search -> count.

Only this module knows the order, and only it writes files, none of them one of the run's.
"""

import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from visds.core.astrometry import east_north, ra_dec, unit_vectors
from visds.core.errors import ExitCode, MeasurementSetError, SettingsError
from visds.core.farm import Farm
from visds.core.files import make_folder, only_writer, output_error, whole_file
from visds.core.flux_text import flux_text
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.progress import Progress, duration_text
from visds.core.provenance import Provenance, command_line, file_hash, refuse_other_program
from visds.core.settings import Settings
from visds.core.sky import LIGHT_SPEED, Direction, angle_text, parse_direction, separation
from visds.core.told_once import told_once
from visds.dynspec.plots.completeness import completeness_picture, polarization_text
from visds.dynspec.spectra_file import read_spectrum
from visds.dynspec.stitch import common_axes
from visds.finished_run import FinishedRun, read_run
from visds.inject_job import InjectJob, Quiet, QuietJob, binned
from visds.injected_data import FIELD, TARGET, InjectedData, Place
from visds.injection.completeness import (
    LIMIT,
    completeness,
    interval_text,
    level_text,
    limits,
    of_search,
)
from visds.injection.placement import (
    AUTOMATIC_DURATIONS,
    AUTOMATIC_STRENGTHS,
    MOST_IN_A_SEARCH,
    Kind,
    Room,
    Search,
    automatic_durations,
    automatic_fluences,
    needed_fluence,
    plan_searches,
)
from visds.injection.recovery import empty_table
from visds.injection.reliability import reliability
from visds.injection.settings import VISIBILITIES, InjectSettings
from visds.visibility.primary_beam.choose import choose_beam

PRODUCTS = ("injections.ecsv", "completeness.ecsv", "limits.ecsv", "reliability.ecsv",
            "completeness.png")
_SCRATCH = ".inject-"
_CLEAR = 2.0
"""Beams between directions at random and those that the run looked in."""
_FIELD_OF_UNKNOWN_DISH = 20.0
"""Radius of the field in beams."""
_ATTEMPTS = 1000
_PROBED = 3
"""Directions whose noise tells which fluences are put in, if none are given."""
_OWN = ".", "chunks", "plots", "residual_images"


def run_injection(source: str, out: str, settings: Settings, farm: Farm) -> int:
    """Put flares into the data of a finished run, search them, and say what is found.

    Raises
    ------
    VisdsError
        For input that cannot be used or an output that cannot be written.
    """
    run = read_run(Path(source))
    own = settings["inject"]
    places = choose_places(run, own)
    if Path(out).resolve() in [(run.folder / name).resolve() for name in _OWN]:
        raise SettingsError(f"-o {out} holds products of the run; expected a folder of its own")
    folder = make_folder(out)
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        refuse_other_program(folder, "visds-inject")
        logger.info("%s: %s of %s", source, counted(len(run.files), "chunk file"),
                    run.meta["target"])
        _say_what_is_left_out(run, own)
        _say_how_many(places, own)
        with _scratch(folder) as scratch:
            data = _data(run, places, scratch, settings)
            pieces = _blocks(data, farm)
            axes = common_axes(pieces)
            data.write_spectra(axes)
            quiet = _search_without(data, settings, farm)
            searches = _plan(data, quiet, settings)
            job = InjectJob(data, settings["detect"], settings["average"], own.through, axes,
                            pieces, quiet)
            injections, false = _search_with(job, searches, farm)
        injections.meta = {
            "target": str(run.meta["target"]), "source": source, "through": own.through,
            "seed": own.seed, "searched": list(settings["detect"].detection_polarizations),
            "threshold": float(np.nanmedian([one.threshold for one in quiet])),
            "directions": [place.name for place in places]}
        reliable = _reliability(run, places, quiet, len(searches), false)
        _write_products(run, folder, injections, reliable, settings, farm)
    return ExitCode.OK


def choose_places(run: FinishedRun, settings: InjectSettings) -> tuple[Place, ...]:
    """Return the directions that a user names, then those at random in the field.

    These are evenly spread over a circle about the phase centre, two beams clear of all directions
    that the run looked in.

    Raises
    ------
    SettingsError
        If a position cannot be read, or there is no direction.
    """
    target = Direction(float(run.meta["ra_deg"]), float(run.meta["dec_deg"]))
    places = []
    for text in settings.at:
        if text == "target":
            places.append(Place(str(run.meta["target"]), target, TARGET))
        elif text != "none":
            try:
                direction = parse_direction(text)
            except SettingsError as error:
                raise SettingsError(f"--at: {error}; or 'target', or 'none'") from None
            if separation(direction, run.phase_centre.to("ICRS")) >= 90:
                raise SettingsError(f"--at: {direction} is not on the sky of the observation")
            places.append(Place(str(direction), direction,
                                TARGET if direction in run.targets() else FIELD))
    rng = np.random.default_rng((settings.seed, 0))
    centre = run.phase_centre.to("ICRS")
    radius = settings.within or _field_radius(run)
    clear = _CLEAR * float(run.meta["beam_arcsec"]) / 3600
    known = [Direction(float(meta["ra_deg"]), float(meta["dec_deg"])) for meta in run.directions]
    for number in range(1, settings.directions + 1):
        for _ in range(_ATTEMPTS):
            direction = _at_random(centre, radius, rng)
            if all(separation(direction, other) > clear for other in known):
                break
        else:
            raise SettingsError(
                f"--within: {angle_text(radius)} about the phase centre have no direction that is "
                f"{angle_text(clear)} clear of those of the run; expected more")
        places.append(Place(f"field_{number:03d}", direction))
    if not places:
        raise SettingsError("--at none --directions 0: there is nowhere to put flares")
    return tuple(places)


def _at_random(centre: Direction, radius: float, rng: np.random.Generator) -> Direction:
    """Return a direction at random, evenly over the sky, within a radius (deg)."""
    ra, dec = np.array([centre.ra]), np.array([centre.dec])
    here, (east, north) = unit_vectors(ra, dec)[0], east_north(ra, dec)
    away = math.acos(1 - rng.random() * (1 - math.cos(math.radians(radius))))
    angle = rng.uniform(0, 2 * math.pi)
    there = math.cos(away) * here + math.sin(away) * (
        math.sin(angle) * east[0] + math.cos(angle) * north[0])
    new_ra, new_dec = ra_dec(there)
    return Direction(float(new_ra), float(new_dec))


def _field_radius(run: FinishedRun) -> float:
    """Return half of the half-power width of the primary beam in deg, 0.51 lambda / D."""
    diameter = float(run.meta.get("dish_diameter_m", 0.0))
    if not diameter > 0:
        return _FIELD_OF_UNKNOWN_DISH * float(run.meta["beam_arcsec"]) / 3600
    highest = read_spectrum(run.folder / "dynspec.h5").frequency.max()
    return min(math.degrees(0.51 * LIGHT_SPEED / highest / diameter), 45.0)


def _say_what_is_left_out(run: FinishedRun, settings: InjectSettings) -> None:
    for line in told_once([(missing, f"{missing} stay subtracted here, unlike from its spectrum: "
                            "the level that flares stand on there, and what gains make of it, are "
                            "not in these searches") for missing in run.missing]):
        logger.warning("%s", line)
    is_fixed = run.flags.flagger == "none" and run.meta["weights"] != "measured"
    if settings.through != VISIBILITIES and not is_fixed:
        logger.warning("flares are added to the sums, as if flags and weights of the run did not "
                       "depend on them: --through visibilities tells whether they survive "
                       "--flagger %s and weights %s", run.flags.flagger, run.meta["weights"])


def _say_how_many(places: Sequence[Place], settings: InjectSettings) -> None:
    """Write to the log how many flares are to be put in, before what takes long."""
    kinds = (len(settings.duration or AUTOMATIC_DURATIONS)
             * len(settings.fluence or AUTOMATIC_STRENGTHS) * len(settings.fraction_v))
    parts = [f"up to {counted(settings.trials * kinds, 'flare')}"
             + (" at the target" if kind == TARGET else " elsewhere")
             for kind in dict.fromkeys(place.kind for place in places)]
    logger.info("to be put in: %s, %d in a search at most (fewer with less --trials, --duration, "
                "--fluence, --fraction-v)", " and ".join(parts), MOST_IN_A_SEARCH)


def _data(run: FinishedRun, places: tuple[Place, ...], scratch: Path,
          settings: Settings) -> InjectedData:
    beam_settings = settings["beam"]
    frequency = read_spectrum(run.folder / "dynspec.h5").frequency
    beam = choose_beam(beam_settings.primary_beam, str(run.meta["telescope"]),
                       float(run.meta.get("dish_diameter_m", 0.0)),
                       lowest=float(frequency.min()), highest=float(frequency.max()))
    centre = run.phase_centre
    pointing = parse_direction(beam_settings.pointing).to(centre.frame) \
        if beam_settings.pointing else centre
    return InjectedData(run, places, scratch, beam, pointing, beam_settings.correct_smearing)


def _blocks(data: InjectedData, farm: Farm) -> list[tuple]:
    """Make the blocks of all chunks; return their pieces of the axes, in the order of the run."""
    pieces = {}
    numbers = range(len(data.run.files))
    with Progress("chunks", len(numbers)) as progress:
        for outcome in farm.run(data.make_blocks, numbers):
            if outcome.error:
                raise outcome.exception
            pieces[outcome.task] = outcome.result
            progress.advance()
    return [pieces[number] for number in numbers]


def _search_without(data: InjectedData, settings: Settings, farm: Farm) -> list[Quiet]:
    """Return what is found at each place without flares."""
    found = {}
    job = QuietJob(data, settings["detect"], settings["average"])
    with Progress("searches without flares", len(data.places)) as progress:
        for outcome in farm.run(job, range(len(data.places))):
            if outcome.error:
                raise outcome.exception
            found[outcome.task] = outcome.result
            progress.advance()
    quiet = [found[number] for number in sorted(found)]
    if not any(np.isfinite(one.threshold) for one in quiet):
        raise MeasurementSetError(f"{data.run.folder}: there is nothing to search, in any "
                                  "direction (all is flagged, or too few cells)")
    logger.info("threshold %.2f, %s without flares in %s",
                np.nanmedian([one.threshold for one in quiet]),
                counted(sum(len(one.events) for one in quiet), "event"),
                counted(len(quiet), "direction"))
    return quiet


def _plan(data: InjectedData, quiet: Sequence[Quiet], settings: Settings) -> list[Search]:
    """Return the searches: flares of all kinds, at the target and elsewhere, where there is data.

    Each of the two has its own fluences, for what is bright at the target takes of what is found.
    """
    planned: list[Search] = []
    for kind in (TARGET, FIELD):
        usable = [number for number, (place, one) in enumerate(
            zip(data.places, quiet, strict=True))
            if place.kind == kind and np.isfinite(one.threshold)]
        if not usable:
            continue
        rooms = [Room.of(read_spectrum(data.spectra, number),
                         [(float(event["start"]), float(event["stop"]))
                          for event in quiet[number].events]) for number in usable]
        kinds = _kinds(data, usable, rooms, quiet, settings)
        planned += [Search(len(planned) + one.number, usable[one.direction], one.flares, one.kinds)
                    for one in plan_searches(kinds, rooms, settings["inject"])]
    logger.info("%s in %s, through the %s",
                counted(sum(len(one.flares) for one in planned), "flare"),
                counted(len(planned), "search", "es"), settings["inject"].through)
    return planned


def _kinds(data: InjectedData, usable: Sequence[int], rooms: Sequence[Room],
           quiet: Sequence[Quiet], settings: Settings) -> list[Kind]:
    """Return all flares that are to be put in some places, given by their numbers."""
    own, has_level = settings["inject"], settings["detect"].quiescent != "none"
    probed = [(binned(read_spectrum(data.spectra, number), settings["average"]), room,
               quiet[number])
              for number, room in zip(usable[:_PROBED], rooms[:_PROBED], strict=True)]
    kinds = []
    for duration in own.duration or automatic_durations(rooms[0]):
        for fraction in own.fraction_v:
            fluences = own.fluence or automatic_fluences(
                [needed_fluence(spectrum, room, Kind(duration, 1.0, fraction), own, one.threshold,
                                one.coherent, has_level) for spectrum, room, one in probed])
            kinds += [Kind(duration, fluence, fraction) for fluence in fluences
                      for _ in range(own.trials)]
    return kinds


def _search_with(job: InjectJob, searches: Sequence[Search],
                 farm: Farm) -> tuple[Table, int]:
    """Return the table of all flares, in the order of the searches, and how many events are false.

    Searches in one direction are handed out one after the other: they share its spectrum.
    """
    found = {}
    begun = time.monotonic()
    with Progress("searches", len(searches)) as progress:
        for outcome in farm.run(job, sorted(searches, key=lambda one: one.direction)):
            if outcome.error:
                raise outcome.exception
            if len(found) == farm.size:  # the first of each rank reads what later ones have
                logger.info("about %s for all searches", duration_text(
                    (time.monotonic() - begun) / (len(found) + 1) * len(searches)))
            found[outcome.task.number] = outcome.result
            progress.advance()
    table = empty_table()
    for number in sorted(found):
        for row in found[number][0]:
            table.add_row(row)
    return table, sum(false for _, false in found.values())


def _reliability(run: FinishedRun, places: Sequence[Place], quiet: Sequence[Quiet], searches: int,
                 false: int) -> Table:
    """Return the table of false events.

    What is found in directions at random at the time of an event of the run may be a sidelobe of
    that, and does not count; nor does what is found at the target.
    """
    known = [one for one in quiet if np.isfinite(one.threshold)]
    targets = run.targets()
    elsewhere = [one for place, one in zip(places, quiet, strict=True)
                 if one in known and place.direction not in targets]
    events = 0
    for one in elsewhere:
        events += sum(not any(event["start"] < other["stop"] and other["start"] < event["stop"]
                              for other in run.detections) for event in one.events)
    return reliability({
        "without flares, not at the target": (len(elsewhere), events),
        "Stokes I with its sign flipped": (len(known), sum(one.flipped for one in known)),
        "imaginary part": (len(known), sum(one.imaginary for one in known)),
        "beside the flares": (searches, false)},
        float(np.mean([one.false_alarm_rate for one in known])))


def _write_products(run: FinishedRun, folder: Path, injections: Table, reliable: Table,
                    settings: Settings, farm: Farm) -> None:
    made = completeness(injections)
    limit = limits(made, settings["inject"].shape)
    made.meta |= injections.meta
    limit.meta = injections.meta | {"detections": len(run.detections)}
    for name, table in zip(PRODUCTS, (injections, made, limit, reliable), strict=False):
        with whole_file(folder / name) as part:
            table.write(part, format="ascii.ecsv", overwrite=True)
    completeness_picture(made, folder / "completeness.png")
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    Provenance(command_line(), {str(run.folder / "dynspec.h5"): file_hash(
        run.folder / "dynspec.h5")}, settings.written(), farm.size).write(
        folder / "provenance.json",
        products={name: file_hash(folder / name) for name in PRODUCTS})
    _say(made, limit, reliable, len(run.detections))
    logger.info("%s in %s", ", ".join(PRODUCTS), folder)


def _say(made: Table, limit: Table, reliable: Table, detections: int) -> None:
    for row in limit:
        of_row = of_search(made, row)
        kind = (f"{'at the target' if row['place'] == TARGET else 'in the field'}, "
                f"{row['duration']:g} s, {polarization_text(str(row['polarized']))}")
        if row["searched"] == "any":
            logger.info("%s: half are found at %s, 90 %% at %s", kind,
                        level_text(0.5, of_row), level_text(0.9, of_row))
        elif not detections and row["place"] == TARGET:
            is_known = np.isfinite(row[f"fluence_{LIMIT}"])
            text = level_text(LIMIT / 100, of_row)
            logger.info("nothing was found %s, in Stokes %s: %s", kind, row["searched"], (
                f"limit of {text} ({flux_text(row[f'flux_density_{LIMIT}'])}) at {LIMIT} %, "
                f"{interval_text(LIMIT / 100, of_row)}"
                if is_known else f"no limit; {LIMIT} % are found at {text}: give other --fluence"))
    for row in reliable:
        logger.info("false events %s: %d in %d searches", row["data"], row["events"],
                    row["searches"])


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Yield a folder for what is made on the way, which is removed in the end."""
    for left in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        name = tempfile.mkdtemp(prefix=_SCRATCH, dir=folder)
    except OSError as error:
        raise output_error(folder, error) from error
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)
