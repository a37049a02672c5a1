"""A measurement set of one Stokes parameter, which CASA's imager takes for Stokes I.

It holds what is imaged and nothing else: Stokes visibilities formed, settled and turned to the
image's centre by visds, written as RR and LL that are equal. So any Stokes parameter of either
feed is imaged at the scale and in the sign of all other products, and the user's data stay
untouched.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.casa import is_known_observatory
from visds.core.errors import ImagingError
from visds.core.sky import LIGHT_SPEED, Direction
from visds.imaging.stokes_visibility import StokesVisibilities
from visds.visibility.description import Description
from visds.visibility.measurement_set import FREQUENCY_FRAMES
from visds.visibility.new_measurement_set import new_measurement_set

_RR, _LL = 5, 8
_STAND_IN = "VLA"
_ROWS_A_TIME = 1000
_FRAMES_OF_CASA = ("LSRK", "LSRD", "BARY", "GEO", "TOPO", "GALACTO", "LGROUP", "CMB")


@dataclass(frozen=True, eq=False)
class Observatory:
    """What CASA's imager is told of an array: its name, the place of two antennas, and its dishes.

    `antennas` (2,3) ITRF m; `dish_diameter` m, 0 where it is unknown.
    """

    name: str
    antennas: np.ndarray
    dish_diameter: float

    @classmethod
    def of(cls, description: Description) -> "Observatory":
        """Return what a measurement set says of it."""
        return cls(description.telescope, description.placed_antennas[:2],
                   description.usual_dish_diameter)


@dataclass(frozen=True)
class ScratchSet:
    """What a scratch set holds.

    `stokes` is the Stokes parameter; `longest` and `highest_w` are the longest projected baseline
    and the largest modulus of w that is used, in wavelengths; `band` the lowest and highest channel
    centre, Hz; `frame` that of the frequencies; `sum_of_weights` Jy-2, so that 1/sqrt of it is the
    noise of natural weighting; `diameter` of the dishes, m, 0 where it is unknown.
    """

    path: Path
    stokes: str
    longest: float
    highest_w: float
    band: tuple[float, float]
    frame: str
    sum_of_weights: float
    diameter: float


def write_scratch_set(path: Path, groups: Iterable[StokesVisibilities], *, centre: Direction,
                      observatory: Observatory, mjd: float, frame: str) -> ScratchSet:
    """Write the first Stokes parameter of groups of visibilities about `centre`.

    Rows of which nothing is used are left out. Rows have neither the times nor the antennas of
    the data, which an image does not know: `mjd` is the middle of the observation, and antennas
    are the first two.

    Raises
    ------
    ImagingError
        If there is no visibility to use.
    OutputError
        If it cannot be written.
    """
    frame = frame if frame in _FRAMES_OF_CASA else "TOPO"
    groups = iter(groups)
    first = next((group for group in groups if group.weight.any()), None)
    if first is None:
        raise ImagingError("every visibility of this selection is flagged: there is nothing to "
                           "image")
    windows: list[np.ndarray] = []
    longest = highest_w = total = rows_written = 0.0
    with new_measurement_set(path, _subtables(centre, observatory, mjd),
                             channels=len(first.frequency), correlations=2) as made:
        for group in _followed(first, groups):
            weight = group.weight[group.weight_of[0]]
            rows = np.flatnonzero(weight.any(axis=1))
            if not len(rows):
                continue
            window = _window(windows, group.frequency)
            if window == len(windows):
                windows.append(group.frequency.copy())
                made.add_row("SPECTRAL_WINDOW", _spectral_window(group.frequency, frame))
                made.add_row("DATA_DESCRIPTION", {"SPECTRAL_WINDOW_ID": window,
                                                  "POLARIZATION_ID": 0, "FLAG_ROW": False})
            uvw, weight = group.uvw[rows], weight[rows]
            used = weight > 0
            # In either hand half of Stokes I's: sigma of their half sum is that of I.
            halves = np.repeat(weight[..., None] / 2, 2, axis=2)
            time = 86400 * mjd + (rows_written + np.arange(len(rows))) // _ROWS_A_TIME
            made.append({
                "UVW": uvw, "DATA": np.repeat(group.visibility[0, rows, :, None], 2, axis=2),
                "FLAG": np.repeat(~used[..., None], 2, axis=2), "WEIGHT_SPECTRUM": halves,
                "WEIGHT": halves.sum(axis=1) / used.sum(axis=1)[:, None],
                "SIGMA": np.sqrt(used.sum(axis=1)[:, None] / halves.sum(axis=1)),
                "TIME": time, "TIME_CENTROID": time, "INTERVAL": np.ones(len(rows)),
                "EXPOSURE": np.ones(len(rows)), "ANTENNA1": np.zeros(len(rows), np.int32),
                "ANTENNA2": np.ones(len(rows), np.int32),
                "DATA_DESC_ID": np.full(len(rows), window, np.int32)})
            rows_written += len(rows)
            wavenumber = np.where(used, group.frequency / LIGHT_SPEED, 0).max(axis=1)
            longest = max(longest, float((np.hypot(uvw[:, 0], uvw[:, 1]) * wavenumber).max()))
            highest_w = max(highest_w, float((np.abs(uvw[:, 2]) * wavenumber).max()))
            total += float(weight.sum(dtype=np.float64))
    frequencies = np.concatenate(windows)
    return ScratchSet(path, first.stokes[0], longest, highest_w,
                      (float(frequencies.min()), float(frequencies.max())), frame, total,
                      observatory.dish_diameter)


def scratch_bytes(rows: int, channels: int) -> int:
    """Return the bytes on disk of a scratch set of rows with so many channels."""
    return rows * (channels * 2 * (8 + 4 + 1) + 200)


def _followed(first: StokesVisibilities,
              others: Iterable[StokesVisibilities]) -> Iterable[StokesVisibilities]:
    yield first
    yield from others


def _window(windows: list[np.ndarray], frequency: np.ndarray) -> int:
    """Return the number of the window of these channels, that of the next where there is none."""
    for number, known in enumerate(windows):
        if np.array_equal(known, frequency):
            return number
    return len(windows)


def _spectral_window(frequency: np.ndarray, frame: str) -> dict:
    width = np.gradient(frequency) if len(frequency) > 1 else np.array([frequency[0] * 1e-4])
    return {"CHAN_FREQ": frequency, "CHAN_WIDTH": width, "EFFECTIVE_BW": width,
            "RESOLUTION": width, "NUM_CHAN": len(frequency), "REF_FREQUENCY": frequency[0],
            "TOTAL_BANDWIDTH": float(width.sum()), "MEAS_FREQ_REF": FREQUENCY_FRAMES.index(frame),
            "NET_SIDEBAND": 1, "FREQ_GROUP": 0, "FREQ_GROUP_NAME": "", "IF_CONV_CHAIN": 0,
            "NAME": "", "FLAG_ROW": False}


def _subtables(centre: Direction, observatory: Observatory, mjd: float) -> dict[str, list[dict]]:
    seconds = 86400 * mjd
    direction = np.radians([[centre.ra, centre.dec]])
    antenna = [{"NAME": name, "STATION": name, "TYPE": "GROUND-BASED", "MOUNT": "ALT-AZ",
                "POSITION": position, "OFFSET": np.zeros(3), "FLAG_ROW": False,
                "DISH_DIAMETER": observatory.dish_diameter}
               for name, position in zip("AB", observatory.antennas, strict=True)]
    feed = [{"ANTENNA_ID": number, "FEED_ID": 0, "SPECTRAL_WINDOW_ID": -1, "TIME": 0.0,
             "INTERVAL": 0.0, "NUM_RECEPTORS": 2, "BEAM_ID": -1, "POSITION": np.zeros(3),
             "BEAM_OFFSET": np.zeros((2, 2)), "RECEPTOR_ANGLE": np.zeros(2),
             "POLARIZATION_TYPE": ["R", "L"],
             "POL_RESPONSE": np.eye(2, dtype=np.complex64)} for number in range(2)]
    return {
        "ANTENNA": antenna, "FEED": feed,
        "FIELD": [{"NAME": "field", "CODE": "", "TIME": seconds, "NUM_POLY": 0, "SOURCE_ID": -1,
                   "PHASE_DIR": direction, "DELAY_DIR": direction, "REFERENCE_DIR": direction,
                   "FLAG_ROW": False}],
        "OBSERVATION": [{"TELESCOPE_NAME": _telescope(observatory.name), "TIME_RANGE":
                         np.array([seconds, seconds]), "OBSERVER": "", "PROJECT": "",
                         "RELEASE_DATE": 0.0, "SCHEDULE_TYPE": "", "FLAG_ROW": False}],
        "POLARIZATION": [{"NUM_CORR": 2, "CORR_TYPE": np.array([_RR, _LL]),
                          "CORR_PRODUCT": np.array([[0, 0], [1, 1]]), "FLAG_ROW": False}]}


def _telescope(name: str) -> str:
    """Return a name that CASA's imager takes; it changes nothing in the images.

    Frequencies stay in their frame and no primary beam is applied.
    """
    return name if is_known_observatory(name) else _STAND_IN

