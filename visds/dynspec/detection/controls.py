"""Thresholds held against data without the source: other directions, imaginary and flipped data.

Noise realizations (`false_alarm`) know of the noise only what the imaginary part shows cell by
cell and box by box. The highest peaks of data that hold no burst of the target show what they
lack. There are two for each polarization of a control, the highest and the lowest (of linear
polarization one), and they are to follow the Gumbel distribution of the realizations. Two rules
tell whether they do, and both can only raise the threshold:

* From eight peaks on, a Gumbel distribution is fitted to them (by L-moments). Where the threshold
  that it gives lies above that of the realizations by more than 2.33 of its own standard errors
  (one to three times in a hundred by chance), it is taken, with its probabilities.
* Where the highest peak is one that a chance of 1e-3 allows for so many controls, the threshold is
  that peak. What is above it is then known as well as so few controls allow: the tail is one that
  reaches the peak once in n + 1 searches.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.false_alarm import FalseAlarms, gumbel
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.noise import Plane
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

FEWEST = 8
CHANCE = 1e-3
LIMIT = 2.33
# Blocks of the sign-flipped data, each on its own level.
BLOCKS, SHORTEST_BLOCK = 8, 8


class ControlPlanes(Sequence):
    """The planes of control spectra, each made when it is asked for: one is in memory at a time.

    Raises
    ------
    ValueError
        When asked for a control of other cells than `shape`, integrations and channels.
    """

    def __init__(self, spectra: Sequence[DynamicSpectrum], shape: tuple[int, ...],
                 make: Callable[[DynamicSpectrum], dict[str, Plane]]):
        self._spectra, self._shape, self._make = spectra, shape, make

    def __len__(self):
        return len(self._spectra)

    def __getitem__(self, place: int) -> dict[str, Plane]:
        """Return the planes of a control by polarization."""
        spectrum = self._spectra[place]
        if spectrum.flags.shape[:2] != self._shape:
            raise ValueError(f"a control has {spectrum.flags.shape[:2]} integrations and channels, "
                             f"the spectrum {self._shape}")
        return self._make(spectrum)


def peaks(planes: Mapping[str, Plane], boxes: Boxes, tiles: Sequence[Tile] = ()
          ) -> dict[str, list[float]]:
    """Return the highest signal to noise of each search of the planes of a control.

    Polarization to peak above and below zero, or of linear polarization the one. Cells inside
    `tiles`, those of the events at the target, are left out: the sidelobes of a burst are no noise.
    """
    result = {}
    for name, plane in planes.items():
        weight = outside(plane.weight, tiles)
        matched_filter = MatchedFilter(weight, boxes, coherent=plane.coherent,
                                       scatter=plane.scatter)
        high, low = matched_filter.extremes(plane.values[None])
        found = [high[0]] if name == "L" else [high[0], -low[0]]
        result[name] = [float(one) for one in found if np.isfinite(one)]
    return result


def imaginary_peaks(planes: Mapping[str, Plane], boxes: Boxes) -> dict[str, list[float]]:
    """Return the highest signal to noise of each search of the imaginary parts."""
    return peaks({name: dataclasses.replace(plane, values=plane.imaginary,
                                            coherent=np.zeros(plane.coherent.shape))
                  for name, plane in planes.items()}, boxes)


def sign_flipped_peak(plane: Plane, boxes: Boxes, tiles: Sequence[Tile]) -> float:
    """Return the highest signal to noise of a plane with its sign changed, outside the tiles.

    The data are cut into eighths of the observation, each on a level of its own, so that what
    changes slowly (sidelobes of constant sources, a resolved source, the star itself) is not taken
    for noise of the short boxes that nearly all peaks come from. NaN where no box is left.
    """
    T = len(plane.weight)
    size = max(SHORTEST_BLOCK, -(-T // BLOCKS))
    blocks = [slice(start, min(start + size, scan.stop)) for scan in boxes.scans
              for start in range(scan.start, scan.stop, size)]
    longest = max(1, min(size // 2, boxes.maximum[0] or size))
    if boxes.minimum[0] > longest or boxes.quiescent == "none":
        return np.nan
    short = dataclasses.replace(boxes, scans=tuple(blocks), quiescent="scan",
                                maximum=(longest, boxes.maximum[1]))
    matched_filter = MatchedFilter(outside(plane.weight, tiles), short, coherent=plane.coherent,
                                   scatter=plane.scatter)
    return float(-matched_filter.extremes(plane.values[None], (np.inf, 0.0))[1][0])


def outside(weight: np.ndarray, tiles: Sequence[Tile]) -> np.ndarray:
    """Return a copy of the weights (T,F), zero inside the tiles."""
    weight = weight.copy()
    for tile in tiles:
        weight[tile.cells] = 0
    return weight


def raised(alarms: FalseAlarms, found: Sequence[float], rate: float
           ) -> tuple[FalseAlarms, float, str]:
    """Return the false alarms that the peaks of controls leave, the threshold, and what was done.

    Parameters
    ----------
    alarms : FalseAlarms
        Those of the noise realizations.
    found : sequence of float
        The peaks: the highest signal to noise of each search of each control.
    rate : float
        The false alarm rate of an observation.
    """
    n = len(found)
    half_squares = np.square(found) / 2
    said = ""
    if n >= FEWEST:
        fitted = FalseAlarms(*gumbel(half_squares), alarms.searches, n)
        if _excess(alarms, fitted, rate) > LIMIT:
            alarms, said = fitted, "Gumbel distribution of the peaks of controls, which is above"
    threshold = alarms.threshold(rate)
    highest = max(found, default=0.0)
    expected = alarms.rate(highest) / alarms.searches
    if highest > threshold and -np.expm1(-n * expected) < CHANCE:
        tail = (highest**2 / 2 - alarms.location) / np.log(n + 1)
        alarms = dataclasses.replace(alarms, scale=float(tail))
        threshold, said = highest, "highest peak of controls, which is above"
    return alarms, threshold, said


def _excess(alarms: FalseAlarms, fitted: FalseAlarms, rate: float) -> float:
    """Return by how many of its standard errors the threshold of fitted controls is higher.

    The errors are those of `alarms` fitted to as many peaks: variances by L-moments of 1.113,
    0.805 and 0.229 scale^2 / n of the location, of the scale and between both, for many peaks.
    """
    y = np.log(alarms.searches / rate)
    error = alarms.scale * np.sqrt((1.113 + 0.458 * y + 0.805 * y**2) / fitted.realizations)
    return float((fitted.location - alarms.location + y * (fitted.scale - alarms.scale)) / error)
