"""An empty measurement set written by casatools' simulator: subtables, rows and uvw."""

import os
from dataclasses import dataclass

import numpy as np

from visds.core.casa import load_casatools
from visds.visibility.simulation.antennas import AntennaArray
from visds.visibility.simulation.schedule import FIELD_NAMES, TARGET, Schedule
from visds.visibility.simulation.spectrum import Spectrum

_CORRELATIONS = {("circular", "4"): ("RR", "RL", "LR", "LL"), ("circular", "2"): ("RR", "LL"),
                 ("linear", "4"): ("XX", "XY", "YX", "YY"), ("linear", "2"): ("XX", "YY")}
_DAY = 86400.0
_INTENTS = {True: "OBSERVE_TARGET#ON_SOURCE", False: "CALIBRATE_PHASE#ON_SOURCE"}


@dataclass(frozen=True)
class Rows:
    """The rows of a measurement set, in order of time, spectral window and baseline.

    Attributes
    ----------
    integration : ndarray (N)
        Index into the schedule.
    window : ndarray (N)
        Spectral window, which is also the DATA_DESC_ID.
    antenna1, antenna2 : ndarray (N)
    state : ndarray (N)
        STATE_ID, the intent of the scan.
    uvw : ndarray (N, 3)
        Metres.
    """

    integration: np.ndarray
    window: np.ndarray
    antenna1: np.ndarray
    antenna2: np.ndarray
    state: np.ndarray
    uvw: np.ndarray

    def __len__(self) -> int:
        return len(self.window)

    def __getitem__(self, selection) -> "Rows":
        """Return some of the rows."""
        return Rows(self.integration[selection], self.window[selection],
                    self.antenna1[selection], self.antenna2[selection], self.state[selection],
                    self.uvw[selection])


def correlations_of(feeds: str, number: str) -> tuple[str, ...]:
    """Return the correlations that feeds give, 4 or the 2 parallel hands."""
    return _CORRELATIONS[feeds, number]


def simulate_skeleton(path: str, array: AntennaArray, schedule: Schedule, spectrum: Spectrum, *,
                      correlations: tuple[str, ...], autocorrelations: bool,
                      receptor_angle: float) -> Rows:
    """Write a measurement set with casatools' simulator and return its rows.

    The simulator fills every data column with zeros, so it is given spectral windows of one
    channel, and `SPECTRAL_WINDOW` is widened afterwards; the rows' data belong to `storage`.

    Parameters
    ----------
    path : str
        Measurement set to be made.
    array, schedule, spectrum
        What is observed.
    correlations : tuple of str
    autocorrelations : bool
    receptor_angle : float
        Radians, written to FEED for the first receptor.
    """
    tools = load_casatools()
    simulator, measures, table = tools.simulator(), tools.measures(), tools.table()
    simulator.open(path)
    try:
        _configure(simulator, measures, array, schedule, spectrum, correlations,
                   autocorrelations)
        for scan in schedule.scans:
            end = scan.start + scan.integrations * schedule.integration
            for window in range(spectrum.windows):
                simulator.observe(FIELD_NAMES[scan.field], _window_name(window),
                                  starttime=f"{scan.start!r}s", stoptime=f"{end!r}s",
                                  state_obs_mode=_INTENTS[scan.field == TARGET])
    finally:
        simulator.close()
    _widen_windows(table, path, spectrum)
    _set_column(table, path, "FEED", "RECEPTOR_ANGLE", receptor_angle)
    # The simulator dates its sources by the clock on the wall, and for one window only.
    _set_column(table, path, "SOURCE", "TIME", schedule.start * _DAY)
    _set_column(table, path, "SOURCE", "SPECTRAL_WINDOW_ID", -1)
    # And it takes the end of its first scan for that of the observation.
    _set_column(table, path, "OBSERVATION", "TIME_RANGE",
                np.array([[schedule.start], [schedule.end]]) * _DAY)
    return _read_rows(table, path, schedule)


def _configure(simulator, measures, array: AntennaArray, schedule: Schedule, spectrum: Spectrum,
               correlations: tuple[str, ...], autocorrelations: bool) -> None:
    x, y, z = array.positions.T.tolist()
    centre = [f"{value!r}m" for value in array.positions.mean(axis=0).tolist()]
    simulator.setconfig(
        telescopename=array.telescope, x=x, y=y, z=z,
        dishdiameter=[array.diameter] * len(x), offset=[0.0], mount=[array.mount.upper()] * len(x),
        antname=list(array.names), padname=list(array.names), coordsystem="global",
        referencelocation=measures.position("ITRF", *centre))
    for window in range(spectrum.windows):
        simulator.setspwindow(
            spwname=_window_name(window), freq=f"{spectrum.first[window]!r}Hz",
            deltafreq=f"{spectrum.step!r}Hz", freqresolution=f"{abs(spectrum.step)!r}Hz",
            nchannels=1, stokes=" ".join(correlations))
    simulator.setfeed("perfect R L" if correlations[0] == "RR" else "perfect X Y")
    for name, (ra, dec) in zip(FIELD_NAMES, schedule.positions, strict=False):
        simulator.setfield(name, measures.direction("J2000", f"{ra!r}deg", f"{dec!r}deg"))
    simulator.setlimits(shadowlimit=1.0, elevationlimit="-90deg")
    simulator.setauto(1.0 if autocorrelations else 0.0)
    # The simulator writes the TAI value of its reference time to a column in UTC, and computes
    # uvw for that value read as UTC. A reference time called TAI thus gives what is asked for.
    simulator.settimes(integrationtime=f"{schedule.integration!r}s", usehourangle=False,
                       referencetime=measures.epoch("TAI", f"{schedule.start!r}d"))


def _window_name(window: int) -> str:
    return f"window{window}"


def _widen_windows(table, path: str, spectrum: Spectrum) -> None:
    table.open(os.path.join(path, "SPECTRAL_WINDOW"), nomodify=False)
    try:
        for window, frequency in enumerate(spectrum.frequency):
            widths = np.full(frequency.size, abs(spectrum.step))
            table.putcell("CHAN_FREQ", window, frequency)
            table.putcell("CHAN_WIDTH", window, np.full(frequency.size, spectrum.step))
            table.putcell("EFFECTIVE_BW", window, widths)
            table.putcell("RESOLUTION", window, widths)
            table.putcell("NUM_CHAN", window, frequency.size)
            table.putcell("TOTAL_BANDWIDTH", window, float(widths.sum()))
            table.putcell("REF_FREQUENCY", window, float(frequency[0]))
            table.putcell("NET_SIDEBAND", window, 1 if spectrum.step > 0 else -1)
    finally:
        table.close()


def _set_column(table, path: str, subtable: str, column: str,
                value: float | np.ndarray) -> None:
    table.open(os.path.join(path, subtable), nomodify=False)
    try:
        table.putcol(column, np.full_like(table.getcol(column), value))
    finally:
        table.close()


def _read_rows(table, path: str, schedule: Schedule) -> Rows:
    table.open(path)
    try:
        time = table.getcol("TIME")
        window, antenna1, antenna2, state = (
            table.getcol(name) for name in ("DATA_DESC_ID", "ANTENNA1", "ANTENNA2", "STATE_ID"))
        uvw = table.getcol("UVW").T
    finally:
        table.close()
    wanted = schedule.time * _DAY
    edges = wanted - schedule.integration / 2
    integration = np.clip(np.searchsorted(edges, time) - 1, 0, None)
    if np.abs(wanted[integration] - time).max() > 1e-3:
        raise RuntimeError("casatools' simulator did not observe at the times it was given")
    order = np.lexsort((antenna2, antenna1, window, integration))
    return Rows(integration, window, antenna1, antenna2, state, uvw)[order]
