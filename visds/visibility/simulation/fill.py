"""The data of a measurement set, computed and written in blocks of rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from visds.core.casa import load_casatools
from visds.visibility.simulation.background import Background
from visds.visibility.simulation.defects import Interference, add_flags, add_interference
from visds.visibility.simulation.noise import NoiseLevel
from visds.visibility.simulation.predict import (
    correlations_of_stokes,
    delays,
    fringes,
    swap_dipoles,
    turn_to_feed,
)
from visds.visibility.simulation.schedule import CALIBRATOR, TARGET, Schedule
from visds.visibility.simulation.settings import DefectSettings
from visds.visibility.simulation.skeleton import Rows
from visds.visibility.simulation.sky_geometry import direction_cosines
from visds.visibility.simulation.spectrum import Spectrum
from visds.visibility.simulation.storage import write_coordinates
from visds.visibility.simulation.truth import Truth

_BLOCK_SAMPLES = 2**22  # visibilities in a block: 64 MiB in double precision


@dataclass(frozen=True)
class Observed:
    """Everything that decides the data of a row.

    Attributes
    ----------
    schedule, spectrum
        When and where in frequency.
    truth : Truth
        The star, in the target field.
    background : Background
        The other sources of the target field.
    calibrator_flux : float
        Jy, at the phase centre of the calibrator field, constant and unpolarized.
    correlations : tuple of str
    feed_angle : ndarray (T)
        Position angle of the first receptor on the sky in each integration, radians.
    dipoles_swapped : bool
        Recorded with the two dipoles exchanged.
    noise : NoiseLevel
    auto_power : float
        Total power in autocorrelations, Jy.
    interference : list of Interference
    defects : DefectSettings
    """

    schedule: Schedule
    spectrum: Spectrum
    truth: Truth
    background: Background
    calibrator_flux: float
    correlations: tuple[str, ...]
    feed_angle: np.ndarray
    dipoles_swapped: bool
    noise: NoiseLevel
    auto_power: float
    interference: list[Interference]
    defects: DefectSettings


def fill_table(path: str, rows: Rows, observed: Observed, columns: tuple[str, ...],
               seeds: np.random.SeedSequence) -> None:
    """Write all columns of a measurement set made by `create_table`, in bounded memory.

    The random numbers are drawn row after row, so that they do not depend on the block size.
    """
    thermal, flagging, *spoiling = (
        np.random.default_rng(seed) for seed in seeds.spawn(2 + len(observed.interference)))
    table = load_casatools().table()
    table.open(path, nomodify=False)
    try:
        write_coordinates(table, rows, observed.schedule)
        for start, block in _blocks(rows, observed):
            model = predict_constant(block, observed)
            star = predict_star(block, observed)
            data = add_noise(model + star, block, observed, thermal)
            flags = np.zeros(data.shape, dtype=bool)
            add_interference(data, flags, block, observed.interference, observed.defects,
                             spoiling)
            add_flags(data, flags, observed.defects.flagged, flagging)
            spectrum, weight = observed.noise.weights(block.antenna1, block.antenna2,
                                                      block.window)
            values = {"DATA": data, "FLAG": flags, "WEIGHT": weight, "SIGMA": weight**-0.5,
                      "CORRECTED_DATA": data, "MODEL_DATA": model, "WEIGHT_SPECTRUM": spectrum}
            for name in ("DATA", "FLAG", "WEIGHT", "SIGMA", *columns):
                table.putcol(name, values[name].T, startrow=start, nrow=len(block))
    finally:
        table.close()


def _blocks(rows: Rows, observed: Observed) -> Iterator[tuple[int, Rows]]:
    samples = observed.spectrum.channels * len(observed.correlations)
    step = max(1, _BLOCK_SAMPLES // samples)
    for start in range(0, len(rows), step):
        yield start, rows[start:start + step]


def predict_constant(rows: Rows, observed: Observed) -> np.ndarray:
    """Return the visibilities (N, F, P) in Jy of the background and of the calibrator."""
    spectrum = observed.spectrum
    intensity = np.zeros((len(rows), spectrum.channels), dtype=complex)
    field = observed.schedule.field[rows.integration]
    intensity[field == CALIBRATOR] = observed.calibrator_flux
    target = np.flatnonzero(field == TARGET)
    background = observed.background
    cosines = direction_cosines(background.ra, background.dec, observed.schedule.positions[TARGET])
    first = np.asarray(spectrum.first)[rows.window[target]]
    flux_density = background.spectrum(spectrum.frequency.ravel()).reshape(
        -1, spectrum.windows, spectrum.channels)
    for source in range(background.ra.size):
        delay = delays(rows.uvw[target], cosines[source])
        intensity[target] += (fringes(delay, first, spectrum.step, spectrum.channels)
                              * flux_density[source][rows.window[target]])
    result = np.zeros((*intensity.shape, len(observed.correlations)), dtype=complex)
    for index, name in enumerate(observed.correlations):
        if name[0] == name[1]:
            result[..., index] = intensity
    return result


def predict_star(rows: Rows, observed: Observed) -> np.ndarray:
    """Return the visibilities (N, F, P) in Jy of the star, as the feeds see it."""
    spectrum, schedule = observed.spectrum, observed.schedule
    result = np.zeros((len(rows), spectrum.channels, len(observed.correlations)), dtype=complex)
    cosines = direction_cosines(observed.truth.ra, observed.truth.dec,
                                schedule.positions[TARGET])[0]
    on_target = schedule.field[rows.integration] == TARGET
    for window in range(spectrum.windows):
        chosen = np.flatnonzero(on_target & (rows.window == window))
        if chosen.size == 0:
            continue
        times, inverse = np.unique(rows.integration[chosen], return_inverse=True)
        stokes = observed.truth.stokes(schedule.time[times], spectrum.frequency[window])
        feed = turn_to_feed(stokes, observed.feed_angle[times])
        if observed.dipoles_swapped:
            feed = swap_dipoles(feed)
        visibility = correlations_of_stokes(feed, observed.correlations)
        fringe = fringes(delays(rows.uvw[chosen], cosines),
                         np.full(chosen.size, spectrum.first[window]), spectrum.step,
                         spectrum.channels)
        result[chosen] = visibility[inverse] * fringe[..., np.newaxis]
    return result


def add_noise(model: np.ndarray, rows: Rows, observed: Observed,
              random: np.random.Generator) -> np.ndarray:
    """Return data (N, F, P) complex64: a model with thermal noise and autocorrelation power."""
    data = model.astype(np.complex64)
    level = observed.noise
    if level.sigma > 0:
        noise = random.standard_normal((*data.shape, 2), dtype=np.float32)
        sigma = level.of_baselines(rows.antenna1, rows.antenna2).astype(np.float32)
        noise *= sigma[:, np.newaxis, :, np.newaxis]
        noise *= level.channels[rows.window].astype(np.float32)[:, :, np.newaxis, np.newaxis]
        data += noise.view(np.complex64)[..., 0]
    alone = np.flatnonzero(rows.antenna1 == rows.antenna2)
    for index, name in enumerate(observed.correlations):
        if name[0] == name[1]:
            data[alone, :, index] = data[alone, :, index].real + observed.auto_power
    return data
