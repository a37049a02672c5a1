"""The truth of a simulated star: what it emits, as a function and as a table."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.errors import FormatError, SettingsError
from visds.core.files import whole_file
from visds.visibility.simulation.flares import flare_profile
from visds.visibility.simulation.schedule import Schedule
from visds.visibility.simulation.settings import TargetSettings
from visds.visibility.simulation.sky_geometry import offset_position

_DAY = 86400.0
_UNITS = {"I": units.Jy, "Q": units.Jy, "U": units.Jy, "V": units.Jy, "time": units.day,
          "duration": units.s, "frequency": units.Hz, "bandwidth": units.Hz,
          "drift": units.Hz / units.s}


@dataclass(frozen=True)
class Emission:
    """One part of the star's emission: the steady one (time is NaN), or a flare.

    Attributes
    ----------
    name : str
    stokes : tuple of 4 floats
        Flux density I, Q, U, V (Jy): at `frequency` for the steady part, at the peak of a flare.
    time : float
        Peak at `frequency`, MJD UTC days.
    duration, bandwidth : float
        Full widths at half maximum, s and Hz; infinite where unlimited.
    frequency : float
        Hz.
    drift : float
        Hz/s; infinite where all frequencies peak at once.
    spectral_index : float
        Of the steady part.
    """

    name: str
    stokes: tuple[float, float, float, float]
    frequency: float
    spectral_index: float = 0.0
    time: float = math.nan
    duration: float = math.inf
    bandwidth: float = math.inf
    drift: float = math.inf


@dataclass(frozen=True)
class Truth:
    """All that the star emits, and where it is (ra, dec in degrees)."""

    ra: float
    dec: float
    emissions: tuple[Emission, ...]
    settings: Mapping[str, Any]

    def stokes(self, time: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        """Return the true flux density.

        Parameters
        ----------
        time : ndarray (T)
            MJD UTC days.
        frequency : ndarray (F)
            Hz.

        Returns
        -------
        ndarray (T, F, 4)
            I, Q, U, V in Jy at these instants: nothing is averaged over integration or channel.
        """
        time, frequency = np.atleast_1d(time), np.atleast_1d(frequency)
        total = np.zeros((time.size, frequency.size, 4))
        for emission in self.emissions:
            if math.isnan(emission.time):
                profile = (frequency / emission.frequency)**emission.spectral_index
            else:
                profile = flare_profile(
                    (time - emission.time) * _DAY, frequency - emission.frequency,
                    duration=emission.duration, bandwidth=emission.bandwidth,
                    drift=emission.drift)
            total += np.asarray(emission.stokes) * profile[..., np.newaxis]
        return total


def make_truth(settings: TargetSettings, schedule: Schedule, centre_frequency: float,
               written: Mapping[str, Any]) -> Truth:
    """Return the star that the settings ask for, `written` kept beside it as they were given.

    Raises
    ------
    SettingsError
        If its position is given twice.
    """
    if settings.target is not None and settings.target_offset is not None:
        raise SettingsError("--target and --target-offset both say where the star is; give one")
    ra, dec = settings.target or schedule.positions[0]
    if settings.target_offset is not None:
        ra, dec = offset_position((ra, dec), *(arcsec / 3600 for arcsec in settings.target_offset))
    emissions = [Emission("quiescent", settings.quiescent, centre_frequency,
                          settings.target_index)]
    for index, flare in enumerate(settings.flare if settings.flares else (), start=1):
        seconds = schedule.on_target(flare.time) if flare.is_fraction else flare.time
        emissions.append(Emission(
            f"flare {index}", flare.stokes, flare.frequency or centre_frequency,
            time=schedule.start + seconds / _DAY, duration=flare.duration,
            bandwidth=flare.bandwidth, drift=flare.drift))
    return Truth(ra, dec, tuple(emissions), written)


def write_truth(truth: Truth, path: str | os.PathLike) -> None:
    """Write the truth as an ECSV table, a row per emission, the settings in its header."""
    rows = [{"name": e.name, **dict(zip("IQUV", e.stokes, strict=True)), "time": e.time,
             "duration": e.duration, "frequency": e.frequency, "bandwidth": e.bandwidth,
             "drift": e.drift, "spectral_index": e.spectral_index} for e in truth.emissions]
    table = Table(rows=rows)
    for column, unit in _UNITS.items():
        table[column].unit = unit
    table.meta = {"ra": truth.ra, "dec": truth.dec, "time": "MJD UTC",
                  "settings": _plain(truth.settings)}
    with whole_file(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)


def read_truth(path: str | os.PathLike) -> Truth:
    """Return the truth that was written beside a simulated measurement set.

    Raises
    ------
    FormatError
        If the file is not such a table.
    """
    try:
        table = Table.read(path, format="ascii.ecsv")
        emissions = tuple(
            Emission(name=str(row["name"]), stokes=tuple(float(row[p]) for p in "IQUV"),
                     **{key: float(row[key]) for key in (
                         "frequency", "spectral_index", "time", "duration", "bandwidth",
                         "drift")})
            for row in table)
        return Truth(float(table.meta["ra"]), float(table.meta["dec"]), emissions,
                     table.meta["settings"])
    except (OSError, KeyError, ValueError) as error:
        raise FormatError(f"{path}: not the truth of a simulated measurement set "
                          f"({type(error).__name__}: {error})") from error


def _plain(value: Any) -> Any:
    """Return nested settings with lists for tuples, as YAML has no tuples."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
