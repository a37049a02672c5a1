"""The plan: which rows of a measurement set make which chunks, from metadata alone."""

import re
from dataclasses import dataclass, field, replace

import numpy as np

from visds.core.errors import MeasurementSetError
from visds.core.plural import counted
from visds.core.polarization import Handedness, parallel_hands
from visds.core.quantities import UVDistance
from visds.visibility.feed_rotation import feed_rotations
from visds.visibility.integrations import (
    IntervalDoubts,
    group_times,
    integration_times,
    mjd_utc,
    pack,
)
from visds.visibility.measurement_set import (
    Description,
    MeasurementSet,
    RowRuns,
    usable_frame,
)
from visds.visibility.selection import (
    FEWEST_INTEGRATIONS,
    ReadSettings,
    check_cells,
    check_feed,
    choose_column,
    choose_correlations,
    choose_field,
    choose_handedness,
    choose_stokes,
    choose_weights,
    longest_baseline,
    one_number_a_field,
    select_runs,
)


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
    nasmyth: int
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
    def visibilities(self) -> int:
        """Their number, that of baselines in all integrations and channels."""
        return int(self.run_length.sum()) * len(self.source.frequency)

    @property
    def nbytes(self) -> int:
        """Estimated size in memory."""
        return int(self.run_length.sum()) * self.source.bytes_per_row

    def select_times(self, start: int, stop: int) -> "ChunkTask":
        """Return the task of the integrations from `start` to before `stop` alone."""
        inside = (self.run_integration >= start) & (self.run_integration < stop)
        return replace(
            self, time=self.time[start:stop], integration=self.integration[start:stop],
            run_start=self.run_start[inside], run_length=self.run_length[inside],
            run_integration=self.run_integration[inside] - start)


@dataclass(frozen=True, eq=False)
class Plan:
    """The split of an observation: tasks, and what was chosen for the user and why.

    `time_span` is that of the whole measurement set, first and last TIME, MJD UTC, as stored.
    """

    description: Description
    tasks: tuple[ChunkTask, ...]
    time_span: tuple[float, float]
    field_number: int
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

    def longest_used(self, longest: float, wavelength: float) -> float:
        """Return the longest baseline (m) used at a wavelength (m): at most --uv-max."""
        limit = self.tasks[0].source.uv_max
        if limit is None:
            return longest
        return min(longest, limit.value * (wavelength if limit.in_wavelengths else 1.0))


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
        column = choose_column(description, settings, choices)
        runs = one_number_a_field(measurement_set.row_runs(), description)
        first, last = mjd_utc(np.array([runs.time.min(), runs.time.max()]), description.time_scale)
        runs = select_runs(description, runs, settings)
        field_number = choose_field(description, runs, settings, choices)
        runs = runs.select(runs.field == field_number)
        check_feed(runs, path)
        observed = description.fields[field_number]
        usable_frame(observed, path)
        stored = choose_correlations(description, runs, settings, path)
        middle = float(np.median(mjd_utc(runs.time, description.time_scale)))
        handedness = choose_handedness(description, runs, settings, middle, choices, warnings)
        labels, _ = handedness.settle(stored)
        stokes = choose_stokes(labels, settings, path)
        check_cells(measurement_set, description, runs, column)
        weights, calibrated = choose_weights(measurement_set, runs, settings, choices, warnings)
        longest = longest_baseline(description)
        rotations = feed_rotations(description, runs, measurement_set.antennas(runs), settings,
                                   labels, stokes, choices, warnings)
    tasks: list[ChunkTask] = []
    doubts = IntervalDoubts()
    for number in np.unique(runs.data_description):
        window_number, setup = description.data_descriptions[number]
        window = description.spectral_windows[window_number]
        if not np.all(np.isfinite(window.frequency)) or np.any(window.frequency <= 0):
            raise MeasurementSetError(
                f"{path}: spectral window {window_number} has channels without a frequency")
        rotation = rotations[int(number)]
        _, factors = handedness.settle(description.correlations[setup])
        source = Source(
            path=path, column=column, weights=weights,
            stored=description.correlations[setup],
            correlations=handedness.settle(description.correlations[setup])[0],
            factors=factors, data_description=int(number), spectral_window=window_number,
            frequency=window.frequency, channel_width=window.channel_width,
            frequency_frame=window.frame, field=observed.name,
            phase_centre=(observed.phase_centre.ra, observed.phase_centre.dec),
            frame=observed.phase_centre.frame, feed_angle=rotation.receptor_angle,
            parallactic=rotation.parallactic, nasmyth=rotation.nasmyth,
            position=description.position, uv_min=settings.uv_min, uv_max=settings.uv_max)
        mine = runs.select(runs.data_description == number)
        for scan in np.unique(mine.scan):
            tasks += _split_scan(source, int(scan), mine.select(mine.scan == scan),
                                 description.time_scale, settings, doubts)
    warnings += doubts.warnings(path)
    if weights == "measured":
        warnings += _too_short_to_measure(tasks)
    return Plan(description=description, tasks=tuple(tasks), time_span=(float(first), float(last)),
                field_number=int(field_number), field=observed.name,
                phase_centre=(observed.phase_centre.ra, observed.phase_centre.dec),
                frame=observed.phase_centre.frame, column=column, weights=weights,
                weights_calibrated=calibrated, handedness=handedness, stokes=stokes,
                parallel_hands=parallel_hands(labels), max_baseline=longest,
                choices=tuple(choices), warnings=tuple(dict.fromkeys(warnings)))


def _too_short_to_measure(tasks: list[ChunkTask]) -> list[str]:
    """Return a warning where weights cannot be measured on differences in time."""
    short = sum(len(task.time) < FEWEST_INTEGRATIONS for task in tasks)
    if not short:
        return []
    return [f"{short} of {counted(len(tasks), 'chunk')} "
            f"{'holds' if short == 1 else 'hold'} fewer than {FEWEST_INTEGRATIONS} integrations: "
            "their weights are measured on neighbouring channels in place of integrations, and "
            "alike in all channels (a larger --chunk-size holds more integrations)"]


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
