"""When each integration is, which field it looks at, and where the fields are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.visibility.simulation.antennas import AntennaArray
from visds.visibility.simulation.settings import ScheduleSettings
from visds.visibility.simulation.sky_geometry import (
    SIDEREAL_DAY,
    array_location,
    elevation,
    offset_position,
    transit,
)

TARGET, CALIBRATOR = 0, 1
FIELD_NAMES = ("target", "calibrator")
_DEFAULT_DAY = 60462.0  # 2024-06-01
_DAY = 86400.0


@dataclass(frozen=True)
class Scan:
    """A scan: seconds from the start of the observation to its first edge, and integrations."""

    field: int
    start: float
    integrations: int


@dataclass(frozen=True)
class Schedule:
    """The integrations of an observation.

    Attributes
    ----------
    start : float
        First edge of the first integration, MJD UTC days.
    integration : float
        Seconds.
    scans : tuple of Scan
    positions : tuple
        (ra, dec) in degrees of each field.
    """

    start: float
    integration: float
    scans: tuple[Scan, ...]
    positions: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> np.ndarray:
        """Centre of each integration, s from the start, (T)."""
        return np.concatenate([scan.start + (np.arange(scan.integrations) + 0.5) * self.integration
                               for scan in self.scans])

    @property
    def time(self) -> np.ndarray:
        """Centre of each integration, MJD UTC days, (T)."""
        return self.start + self.seconds / _DAY

    @property
    def end(self) -> float:
        """Last edge of the last integration, MJD UTC days."""
        return self.start + (self.scans[-1].start
                             + self.scans[-1].integrations * self.integration) / _DAY

    @property
    def field(self) -> np.ndarray:
        """Field index of each integration, (T)."""
        return np.repeat([scan.field for scan in self.scans],
                         [scan.integrations for scan in self.scans])

    @property
    def scan_number(self) -> np.ndarray:
        """Scan number of each integration, from 1, (T)."""
        return np.repeat(np.arange(len(self.scans)) + 1,
                         [scan.integrations for scan in self.scans])

    def on_target(self, fraction: float) -> float:
        """Return the time, s from the start, when a fraction of the target time has passed."""
        left = fraction * sum(self._lengths())
        for scan, length in zip(self._target_scans(), self._lengths(), strict=True):
            if left <= length:
                return scan.start + left
            left -= length
        return scan.start + length + left

    def _target_scans(self) -> list[Scan]:
        return [scan for scan in self.scans if scan.field == TARGET]

    def _lengths(self) -> Iterator[float]:
        return (scan.integrations * self.integration for scan in self._target_scans())


def make_schedule(settings: ScheduleSettings, array: AntennaArray) -> Schedule:
    """Return the schedule: scans on the target field, interleaved with the calibrator.

    Raises
    ------
    SettingsError
        If an integration is not positive, a scan is shorter than one, or a field is below the
        horizon.
    """
    scans = _scans(settings)
    end = scans[-1].start + scans[-1].integrations * settings.integration
    positions = [settings.field_position]
    if settings.calibrator:
        positions.append(offset_position(settings.field_position, *settings.calibrator_offset))
    start = settings.start
    if start is None:
        middle = transit(_DEFAULT_DAY, settings.field_position[0],
                         array_location(array.positions))
        start = middle + settings.hour_angle / 24 * SIDEREAL_DAY - end / 2 / _DAY
        start = round(start * _DAY) / _DAY
    schedule = Schedule(start, settings.integration, tuple(scans), tuple(positions))
    for field, position in enumerate(positions):
        heights = elevation(schedule.time[schedule.field == field], position,
                            array_location(array.positions))
        if heights.min() < 0:
            raise SettingsError(f"--start: the {FIELD_NAMES[field]} at {position[0]:.3f} "
                                f"{position[1]:.3f} is {-heights.min():.0f} degrees below the "
                                f"horizon; choose another --start or --field-position")
    return schedule


def _scans(settings: ScheduleSettings) -> list[Scan]:
    if settings.integration <= 0:
        raise SettingsError("--integration must be longer than zero")
    fields = [TARGET] * settings.scans
    if settings.calibrator:
        fields = [CALIBRATOR, *(f for _ in fields for f in (TARGET, CALIBRATOR))]
    lengths = {TARGET: settings.scan_length, CALIBRATOR: settings.calibrator_scan}
    scans, start = [], 0.0
    for field in fields:
        integrations = round(lengths[field] / settings.integration)
        if integrations < 1:
            raise SettingsError(f"a scan of {lengths[field]:g} s holds no integration of "
                                f"{settings.integration:g} s")
        scans.append(Scan(field, start, integrations))
        start += integrations * settings.integration + settings.gap
    return scans
