"""The plan: which rows of a measurement set make which chunks, from metadata alone."""

import dataclasses
import re
from dataclasses import dataclass, field

import numpy as np

from visds.core.errors import MeasurementSetError, SettingsError
from visds.core.polarization import Handedness, available_stokes, parallel_hands
from visds.core.quantities import UVDistance, byte_count, degrees, seconds, uv_distance
from visds.core.settings import setting
from visds.core.sky import separation
from visds.visibility.handedness import known_handedness, override
from visds.visibility.integrations import (
    IntervalDoubts,
    group_times,
    integration_times,
    mjd_utc,
    pack,
    ranges,
)
from visds.visibility.measurement_set import (
    Description,
    MeasurementSet,
    RowRuns,
    usable_frame,
)

_SAME_FIELD_ARCSEC = 0.1
_WEIGHT_SAMPLES = 40


@dataclass(frozen=True)
class ReadSettings:
    """What is read: column, selection, weights, conventions."""

    column: str | None = setting(
        None, "data column (default: CORRECTED_DATA if there, else DATA)", metavar="NAME")
    field: str | None = setting(
        None, "field, by name or number (default: the one with the most time on source)",
        metavar="NAME")
    scan: tuple[str, ...] = setting(
        None, "scans, such as 1 3 7~9 (default: all)", many=True, metavar="SCAN")
    spw: tuple[str, ...] = setting(
        None, "spectral windows, such as 0 2~3 (default: all)", many=True, metavar="SPW")
    correlations: tuple[str, ...] = setting(
        None, "correlations to use, such as RR LL (default: all)", many=True, metavar="CORR")
    stokes: str | None = setting(
        None, "Stokes parameters, such as IV (default: all that the correlations allow)",
        metavar="IQUV")
    uv_min: UVDistance | None = setting(
        None, "shortest baseline, such as 500m or 2klambda", parse=uv_distance, metavar="LENGTH")
    uv_max: UVDistance | None = setting(
        None, "longest baseline, such as 20km or 80klambda", parse=uv_distance, metavar="LENGTH")
    weights: str | None = setting(
        None, "weights (default: spectrum if there and not constant, else row)",
        choices=("spectrum", "row", "flat"))
    time_offset: float = setting(
        "0s", "add to the times of the measurement set: an observatory's clock offset",
        parse=seconds, metavar="TIME")
    handedness: tuple[str, ...] = setting(
        None, "override what is known of the telescope: swap=yes|no negate=QUV scale=NUMBER",
        many=True, metavar="KEY=VALUE")
    v_convention: str = setting(
        "iau", "sign of V: right-handed positive (iau) or left-handed positive (pulsar)",
        choices=("iau", "pulsar"))
    parallactic: str = setting(
        "auto", "turn Q and U by the parallactic angle (auto: linear feeds on alt-az mounts)",
        choices=("auto", "yes", "no"))
    receptor_angle: float | None = setting(
        None, "position angle of the feed's X (or R) in degrees (default: the FEED table's, for "
        "linear feeds)", parse=degrees, metavar="DEG")
    chunk_size: int = setting(
        "256MB", "size of a chunk in memory", parse=byte_count, metavar="SIZE")


@dataclass(frozen=True, eq=False)
class Source:
    """What all chunks of one data description have in common: how to read its rows."""

    path: str
    column: str
    weights: str
    stored: tuple[str, ...]
    correlations: tuple[str, ...]
    factors: tuple[float, ...]
    data_description: int
    spectral_window: int
    frequency: np.ndarray
    channel_width: np.ndarray
    frequency_frame: str
    field: str
    phase_centre: tuple[float, float]
    frame: str
    feed_angle: float
    parallactic: bool
    position: np.ndarray
    uv_min: UVDistance | None
    uv_max: UVDistance | None

    @property
    def bytes_per_row(self) -> int:
        """Bytes of one row in memory: visibilities, flags and weights."""
        channels = len(self.frequency)
        weights = channels if self.weights == "spectrum" else 1
        return len(self.stored) * (channels * 9 + weights * 4) + 24


@dataclass(frozen=True, eq=False)
class ChunkTask:
    """One chunk to make: one field, spectral window and scan, some integrations.

    `time` (T) MJD UTC d and `integration` (T) s; `run_start`, `run_length`, `run_integration`
    say which rows hold which integration.
    """

    name: str
    source: Source
    scan: int
    time: np.ndarray
    integration: np.ndarray
    run_start: np.ndarray
    run_length: np.ndarray
    run_integration: np.ndarray

    @property
    def nbytes(self) -> int:
        """Estimated size in memory."""
        return int(self.run_length.sum()) * self.source.bytes_per_row


@dataclass(frozen=True, eq=False)
class Plan:
    """The split of an observation: tasks, and what was chosen for the user and why."""

    description: Description
    tasks: tuple[ChunkTask, ...]
    field: str
    phase_centre: tuple[float, float]
    frame: str
    column: str
    weights: str
    weights_calibrated: bool
    handedness: Handedness
    stokes: tuple[str, ...]
    parallel_hands: tuple[str, str]
    max_baseline: float
    choices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def epoch(self) -> float:
        """Julian year of the middle of the observation."""
        times = [time for task in self.tasks for time in (task.time[0], task.time[-1])]
        return 2000 + ((min(times) + max(times)) / 2 - 51544.5) / 365.25


def plan_chunks(path: str, settings: ReadSettings) -> Plan:
    """Return the chunks into which an observation is split, and the choices made.

    Reads metadata only. Chunks hold whole integrations, at most `settings.chunk_size` in memory
    and at least one integration.

    Raises
    ------
    MeasurementSetError
        If the measurement set is incomplete or the selection holds no data.
    SettingsError
        If the selection names what is not there.
    """
    choices: list[str] = []
    warnings: list[str] = []
    with MeasurementSet(path) as measurement_set:
        description = measurement_set.describe()
        column = _choose_column(description, settings, choices)
        runs = _one_number_a_field(measurement_set.row_runs(), description)
        runs = _select_runs(description, runs, settings)
        field_number = _choose_field(description, runs, settings, choices)
        runs = runs.select(runs.field == field_number)
        observed = description.fields[field_number]
        usable_frame(observed, path)
        stored = _choose_correlations(description, runs, settings, path)
        middle = float(np.median(mjd_utc(runs.time, description.time_scale)))
        handedness = _choose_handedness(description, runs, settings, middle, choices, warnings)
        labels, _ = handedness.settle(stored)
        stokes = _choose_stokes(labels, settings, path)
        _check_cells(measurement_set, description, runs, column)
        weights, calibrated = _choose_weights(measurement_set, runs, settings, choices, warnings)
        longest = _longest_baseline(description)
    feed_angle, parallactic = _feed_rotation(description, settings, labels, stokes, choices)
    tasks: list[ChunkTask] = []
    doubts = IntervalDoubts()
    for number in np.unique(runs.data_description):
        window_number, setup = description.data_descriptions[number]
        window = description.spectral_windows[window_number]
        if not np.all(np.isfinite(window.frequency)) or np.any(window.frequency <= 0):
            raise MeasurementSetError(
                f"{path}: spectral window {window_number} has channels without a frequency")
        _, factors = handedness.settle(description.correlations[setup])
        source = Source(
            path=path, column=column, weights=weights,
            stored=description.correlations[setup],
            correlations=handedness.settle(description.correlations[setup])[0],
            factors=factors, data_description=int(number), spectral_window=window_number,
            frequency=window.frequency, channel_width=window.channel_width,
            frequency_frame=window.frame, field=observed.name,
            phase_centre=(observed.phase_centre.ra, observed.phase_centre.dec),
            frame=observed.phase_centre.frame, feed_angle=feed_angle, parallactic=parallactic,
            position=description.position, uv_min=settings.uv_min, uv_max=settings.uv_max)
        mine = runs.select(runs.data_description == number)
        for scan in np.unique(mine.scan):
            tasks += _split_scan(source, int(scan), mine.select(mine.scan == scan),
                                 description.time_scale, settings, doubts)
    warnings += doubts.warnings(path)
    return Plan(description=description, tasks=tuple(tasks), field=observed.name,
                phase_centre=(observed.phase_centre.ra, observed.phase_centre.dec),
                frame=observed.phase_centre.frame, column=column, weights=weights,
                weights_calibrated=calibrated, handedness=handedness, stokes=stokes,
                parallel_hands=parallel_hands(labels), max_baseline=longest,
                choices=tuple(choices), warnings=tuple(dict.fromkeys(warnings)))


def _choose_column(description, settings, choices) -> str:
    if settings.column:
        if settings.column not in description.data_columns:
            raise MeasurementSetError(
                f"{description.path} has no column {settings.column} of visibilities; its data "
                f"columns are {', '.join(description.data_columns) or 'none'}")
        return settings.column
    for name in ("CORRECTED_DATA", "DATA"):
        if name in description.data_columns:
            choices.append(f"column {name}")
            return name
    raise MeasurementSetError(f"{description.path} has neither CORRECTED_DATA nor DATA; name the "
                              "column with --column")


def _select_runs(description: Description, runs: RowRuns, settings: ReadSettings) -> RowRuns:
    chosen = runs.cross > 0
    if not chosen.any():
        raise MeasurementSetError(f"{description.path} holds autocorrelations only")
    if settings.scan:
        scans = _numbers(settings.scan, "--scan", set(runs.scan.tolist()), description.path)
        chosen &= np.isin(runs.scan, list(scans))
    if settings.spw:
        windows = _numbers(settings.spw, "--spw", set(range(len(description.spectral_windows))),
                           description.path)
        window = np.array([window for window, _ in description.data_descriptions])
        chosen &= np.isin(window[runs.data_description], list(windows))
    if settings.field is not None:
        chosen &= runs.field == _field_number(description, settings.field)
    if not chosen.any():
        raise MeasurementSetError(
            f"{description.path}: no cross-correlations for this choice of field, scan and spw")
    return runs.select(chosen)


def _numbers(texts, option, known: set[int], path: str) -> set[int]:
    numbers: set[int] = set()
    for text in " ".join(texts).replace(",", " ").split():
        match = re.fullmatch(r"(\d+)(?:~(\d+))?", text)
        if match is None:
            raise SettingsError(f"{option}: '{text}' is neither a number nor a range such as 3~7")
        first, last = int(match[1]), int(match[2] or match[1])
        inside = {number for number in known if first <= number <= last}
        if not inside:
            raise SettingsError(f"{option}: {text} is not in {path}; it has "
                                f"{ranges(sorted(known))}")
        numbers |= inside
    return numbers


def _one_number_a_field(runs: RowRuns, description: Description) -> RowRuns:
    """Return the runs with fields that are equal, as after concatenation, under one number."""
    numbers: list[int] = []
    for number, this in enumerate(description.fields):
        numbers.append(next(
            (earlier for earlier, other in enumerate(description.fields[:number])
             if other.name == this.name and other.phase_centre.frame == this.phase_centre.frame
             and 3600 * separation(other.phase_centre, this.phase_centre) < _SAME_FIELD_ARCSEC),
            number))
    return dataclasses.replace(runs, field=np.array(numbers)[runs.field])


def _field_number(description: Description, text: str) -> int:
    names = [field.name for field in description.fields]
    if text in names:
        return names.index(text)
    if text.isdigit() and int(text) < len(names):
        return int(text)
    raise SettingsError(f"--field: {description.path} has no field '{text}'; it has "
                        f"{', '.join(names)}")


def _choose_field(description, runs, settings, choices) -> int:
    numbers = np.unique(runs.field)
    if len(numbers) == 1:
        return int(numbers[0])
    on_source = {}
    for number in numbers:
        mine = runs.field == number
        _, first = np.unique(runs.time[mine], return_index=True)
        on_source[int(number)] = float(runs.interval[mine][first].sum())
    best = max(on_source, key=on_source.get)
    said = ", ".join(f"{description.fields[n].name} {t / 60:.1f} min" for n, t in on_source.items())
    choices.append(f"field {description.fields[best].name}: the most time on source ({said})")
    return best


def _choose_correlations(description, runs, settings, path) -> tuple[str, ...]:
    setups = {description.correlations[description.data_descriptions[n][1]]
              for n in np.unique(runs.data_description)}
    if len({frozenset(setup) for setup in setups}) > 1:
        said = "; ".join(" ".join(setup) for setup in sorted(setups))
        raise MeasurementSetError(f"{path}: spectral windows differ in correlations ({said}); "
                                  "choose some with --spw")
    stored = sorted(setups)[0]
    unknown = [name for name in settings.correlations if name not in stored]
    if unknown:
        raise SettingsError(f"--correlations: {path} has no {', '.join(unknown)}; it has "
                            f"{', '.join(stored)}")
    return tuple(name for name in stored
                 if not settings.correlations or name in settings.correlations)


def _choose_handedness(description, runs, settings, mjd, choices, warnings) -> Handedness:
    window = description.spectral_windows[
        description.data_descriptions[runs.data_description[0]][0]]
    known = known_handedness(description.telescope, float(np.mean(window.frequency)), mjd)
    handedness = override(known or Handedness(), settings.handedness, settings.v_convention)
    if handedness.source:
        choices.append(f"handedness: {handedness.source}")
    else:
        warnings.append(
            f"nothing is known of the handedness of {description.telescope} in this band and year:"
            " the sign of V (and of Q, U) is as stored; --handedness settles it")
    return handedness


def _choose_stokes(labels, settings, path) -> tuple[str, ...]:
    if not parallel_hands(labels):
        raise MeasurementSetError(
            f"{path}: Stokes I needs RR and LL, or XX and YY; the correlations are "
            f"{', '.join(labels)}")
    available = available_stokes(labels)
    if settings.stokes is None:
        return available
    wanted = settings.stokes.upper().replace(",", "").replace(" ", "")
    missing = [name for name in wanted if name not in available]
    if missing or not wanted:
        raise SettingsError(
            f"--stokes: {', '.join(missing) or 'nothing'} cannot be made of the correlations "
            f"{', '.join(labels)} of {path}; they allow {''.join(available)}")
    return tuple(name for name in "IQUV" if name in wanted or name == "I")


def _check_cells(measurement_set, description, runs, column) -> None:
    for number in np.unique(runs.data_description):
        row = int(runs.start[runs.data_description == number][0])
        window, setup = description.data_descriptions[number]
        expected = (len(description.spectral_windows[window].frequency),
                    len(description.correlations[setup]))
        shape = measurement_set.cell_shape(column, row)
        if shape != expected:
            raise MeasurementSetError(
                f"{description.path}: column {column}, row {row} holds {shape}, expected "
                f"{expected} channels and correlations of spectral window {window}")


def _choose_weights(measurement_set, runs, settings, choices, warnings) -> tuple[str, bool]:
    # Spread over the observation and, so that not always the same baseline is met, over its runs.
    spread = np.linspace(0, 1, _WEIGHT_SAMPLES)
    run = (spread * (len(runs.start) - 1)).astype(int)
    rows = np.unique(runs.start[run] + (7 * spread % 1 * runs.length[run]).astype(int))
    one = np.ones(1, int)

    def sample(column):
        if any(measurement_set.cell_shape(column, row) is None for row in rows):
            return None
        return np.concatenate([measurement_set.rows(column, np.array([row]), one).ravel()
                               for row in rows])

    spectrum = sample("WEIGHT_SPECTRUM")
    row = sample("WEIGHT")
    chosen = settings.weights
    if chosen == "spectrum" and spectrum is None:
        raise MeasurementSetError(f"{measurement_set.path} has no (complete) WEIGHT_SPECTRUM; "
                                  "use --weights row or flat")
    if chosen is None:
        varies = spectrum is not None and len(np.unique(spectrum[np.isfinite(spectrum)])) > 1
        chosen = "spectrum" if varies else "row"
        choices.append(f"weights {chosen}" + (
            "" if varies else ": no WEIGHT_SPECTRUM, or it is constant"))
    values = {"spectrum": spectrum, "row": row, "flat": np.ones(1)}[chosen]
    calibrated = not (chosen == "flat" or values is None or np.all((values == 1) | (values <= 0)))
    if not calibrated:
        warnings.append("the weights are all alike and have no scale: errors are from the scatter "
                        "across baselines alone, and formal errors mean nothing")
    return chosen, calibrated


def _longest_baseline(description: Description) -> float:
    centred = description.placed_antennas - description.position
    # An upper limit that needs no pairs: good enough for a beam size before uvw is read.
    return float(2 * np.sqrt((centred**2).sum(axis=1)).max())


def _feed_rotation(description, settings, labels, stokes, choices) -> tuple[float, bool]:
    """Return receptor angle (rad) and whether the parallactic angle is to be applied."""
    linear = parallel_hands(labels) == ("XX", "YY")
    mounts = [mount for mount in description.mounts if mount]
    alt_az = bool(mounts) and sum(mount == "alt-az" for mount in mounts) > len(mounts) / 2
    angle = np.radians(settings.receptor_angle) if settings.receptor_angle is not None else (
        description.feed_angle if linear else 0.0)
    parallactic = settings.parallactic == "yes" or (
        settings.parallactic == "auto" and linear and alt_az)
    if not {"Q", "U"} <= set(available_stokes(labels)):
        if (angle or parallactic) and "Q" in stokes:
            choices.append("Q is in the frame of the feeds: without cross-hands it cannot be "
                           "turned to the sky")
        return float(angle), parallactic
    if angle:
        choices.append(f"Q and U turned by the receptor angle {np.degrees(angle):.1f} deg")
    if parallactic:
        choices.append("Q and U turned by the parallactic angle (if the calibration did that "
                       "already: --parallactic no)")
    return float(angle), parallactic


def _split_scan(source: Source, scan: int, runs: RowRuns, time_scale: str,
                settings: ReadSettings, doubts: IntervalDoubts) -> list[ChunkTask]:
    order = np.lexsort((runs.start, runs.time))
    runs = runs.select(order)
    integration, time = group_times(runs.time, runs.length)
    first = np.flatnonzero(np.diff(integration, prepend=-1))
    length = integration_times(time, runs.interval[first], scan, doubts)
    utc = mjd_utc(time, time_scale) + settings.time_offset / 86400
    rows = np.add.reduceat(runs.length, first)
    per_chunk = pack(rows * source.bytes_per_row, settings.chunk_size)
    safe = re.sub(r"[^A-Za-z0-9+.-]+", "_", source.field)
    tasks = []
    for part, (begin, end) in enumerate(per_chunk):
        inside = (integration >= begin) & (integration < end)
        tasks.append(ChunkTask(
            name=f"{safe}_dd{source.data_description:03d}_scan{scan:05d}_{part:05d}",
            source=source, scan=scan, time=utc[begin:end], integration=length[begin:end],
            run_start=runs.start[inside], run_length=runs.length[inside],
            run_integration=integration[inside] - begin))
    return tasks
