"""What spoils data: interference, antennas that drop out, and flags."""

import os
from dataclasses import dataclass

import numpy as np
from astropy import units
from astropy.table import Table

from visds.core.files import whole_file
from visds.visibility.simulation.schedule import Schedule
from visds.visibility.simulation.settings import DefectSettings
from visds.visibility.simulation.skeleton import Rows
from visds.visibility.simulation.spectrum import Spectrum

FLAGGED_VALUE = 1000.0  # Jy: large enough that one such sample spoils any mean that uses it
_LONGEST_BURST = 3  # integrations
_DAY = 86400.0


@dataclass(frozen=True)
class Interference:
    """A rectangle of time and frequency with interference on some baselines.

    Attributes
    ----------
    kind : str
        ``burst`` or ``tone``.
    first, last : int
        Integrations, both inclusive.
    window : int
        Spectral window; -1 for all.
    channel : int
        -1 for all.
    baselines : ndarray (A, A) of bool
        Reached, symmetric.
    """

    kind: str
    first: int
    last: int
    window: int
    channel: int
    baselines: np.ndarray


def draw_interference(settings: DefectSettings, schedule: Schedule, spectrum: Spectrum,
                      antennas: int, random: np.random.Generator) -> list[Interference]:
    """Return bursts (short, all channels) and tones (one channel, all the time)."""
    total = schedule.time.size
    events = []
    for _ in range(settings.rfi_bursts):
        first = int(random.integers(total))
        last = min(total - 1, first + int(random.integers(_LONGEST_BURST)))
        events.append(Interference("burst", first, last, -1, -1,
                                   _reached(settings.rfi_baselines, antennas, random)))
    for _ in range(settings.rfi_tones):
        events.append(Interference("tone", 0, total - 1, int(random.integers(spectrum.windows)),
                                   int(random.integers(spectrum.channels)),
                                   _reached(settings.rfi_baselines, antennas, random)))
    return events


def _reached(fraction: float, antennas: int, random: np.random.Generator) -> np.ndarray:
    upper = np.triu(random.random((antennas, antennas)) < fraction, k=1)
    return upper | upper.T


def add_interference(data: np.ndarray, flags: np.ndarray, rows: Rows,
                     events: list[Interference], settings: DefectSettings,
                     randoms: list[np.random.Generator]) -> None:
    """Add interference to data (N, F, P) in place, and flag it there if the settings say so.

    Each visibility gets the same modulus and a random phase of its own, in every correlation,
    drawn from the event's own generator.
    """
    for event, random in zip(events, randoms, strict=True):
        reached = ((rows.integration >= event.first) & (rows.integration <= event.last)
                   & event.baselines[rows.antenna1, rows.antenna2])
        if event.window >= 0:
            reached &= rows.window == event.window
        hit = np.flatnonzero(reached)
        channels = slice(None) if event.channel < 0 else slice(event.channel, event.channel + 1)
        shape = data[hit, channels].shape
        phase = random.uniform(0, 2 * np.pi, shape)
        data[hit, channels] += (settings.rfi_flux * np.exp(1j * phase)).astype(np.complex64)
        if settings.flag_rfi:
            flags[hit, channels] = True


def write_interference(events: list[Interference], schedule: Schedule, spectrum: Spectrum,
                       names: tuple[str, ...], path: str | os.PathLike) -> None:
    """Write where the interference is, one row per burst or tone, as an ECSV table."""
    half = schedule.integration / 2 / _DAY
    width = abs(spectrum.step) / 2
    rows = []
    for event in events:
        frequency = spectrum.frequency if event.channel < 0 else \
            spectrum.frequency[event.window, event.channel]
        pairs = np.argwhere(np.triu(event.baselines))
        rows.append((event.kind, schedule.time[event.first] - half,
                     schedule.time[event.last] + half, np.min(frequency) - width,
                     np.max(frequency) + width,
                     " ".join(f"{names[i]}&{names[j]}" for i, j in pairs)))
    table = Table(rows=rows, names=("kind", "time_start", "time_end", "frequency_low",
                                    "frequency_high", "baselines"),
                  units=(None, units.day, units.day, units.Hz, units.Hz, None))
    with whole_file(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)


def keep_rows(fraction: float, rows: Rows, antennas: int, integrations: int,
              random: np.random.Generator) -> np.ndarray:
    """Return which rows (N) stay where each antenna drops out of a fraction of integrations."""
    absent = random.random((integrations, antennas)) < fraction
    return ~(absent[rows.integration, rows.antenna1] | absent[rows.integration, rows.antenna2])


def add_flags(data: np.ndarray, flags: np.ndarray, fraction: float,
              random: np.random.Generator) -> None:
    """Flag a fraction of the samples (N, F, P), each on its own, and put nonsense there."""
    if fraction > 0:
        spoiled = random.random(data.shape, dtype=np.float32) < fraction
        data[spoiled] = FLAGGED_VALUE
        flags |= spoiled
