"""How often noise alone makes an event: calibrated on data without the source.

The cells of the imaginary part, in sigma and less their quiescent level, are drawn at random (with
replacement, random sign, and a little Gaussian noise so that a small sample does not end at its
largest value: the smoothed bootstrap of Silverman and Young 1987, Biometrika 74, 469) onto the
weights, gaps and flags of the data, and go through the same matched filter. The largest signal to
noise of each such realization, and its largest of the other sign, follow a Gumbel distribution,
which extrapolates to rates smaller than one in the number of realizations.

Of a large spectrum each realization is a block of cells, another one each time: noise peaks come
from boxes far smaller than the observation, so that their number goes as that of the cells. Boxes
that reach over the edge of a block are missing from it, some 2 % of them.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.boxes import Boxes
from visds.dynspec.detection.matched_filter import MatchedFilter
from visds.dynspec.detection.noise import Plane, normalized
from visds.dynspec.detection.scatter import scatter_of

SEED = 20150611
# Realizations filtered together: the norm of a box is computed once for all of them.
AT_A_TIME = 4
# Cells of a realization at most, and of all realizations of a plane together.
BLOCK, CALIBRATED = 2**15, 2**20
# Steps from block to block, as fractions of the spectrum, that come nowhere twice.
GOLDEN, SILVER = 0.6180339887, 0.4142135624


@dataclass(frozen=True)
class FalseAlarms:
    """The expected number of noise peaks of one observation above a signal to noise.

    `location` and `scale` are those of the Gumbel distribution of half the square of the largest
    signal to noise of one search; `searches` is how many are made: I, V positive, V negative, L,
    which share the rate evenly. For Gaussian noise the scale of the halved square is one, and so
    it is for linear polarization, whose noise has a Rayleigh distribution.
    """

    location: float
    scale: float
    searches: int
    realizations: int

    def rate(self, snr: np.ndarray | float) -> np.ndarray | float:
        """Return the expected number of false events above `snr` per observation."""
        return self.searches * np.exp((self.location - np.square(snr) / 2) / self.scale)

    def probability(self, snr: np.ndarray | float) -> np.ndarray | float:
        """Return the probability that noise reaches `snr` anywhere in the observation."""
        return -np.expm1(-self.rate(snr))

    def threshold(self, rate: float) -> float:
        """Return the signal to noise above which `rate` false events are expected."""
        half_square = self.location + self.scale * np.log(self.searches / rate)
        return float(np.sqrt(2 * max(half_square, 0.5)))


def calibrate(planes: Sequence[Plane], boxes: Boxes, searches: int,
              realizations: int | None = None) -> FalseAlarms | None:
    """Return the false alarms of a search of `planes`; None if no box can be searched.

    Parameters
    ----------
    planes : sequence of Plane
        The polarizations that are searched: one or more of I and V, or linear polarization.
    boxes : Boxes
        The boxes that are searched.
    searches : int
        Number of searches, each sign of a polarization being one.
    realizations : int, optional
        Number of realizations of each plane; by default 256 of a small spectrum down to 32 of a
        large one. The seed is fixed: the same data give the same result.
    """
    rng = np.random.default_rng(SEED)
    shape = planes[0].weight.shape if planes else (1, 1)
    is_linear = bool(planes) and planes[0].values.ndim == 3
    number = realizations or int(np.clip(CALIBRATED / (shape[0] * shape[1]), 32, 256))
    largest = []
    used, whole = 0, 0
    for plane in planes:
        sample = np.concatenate([noise_sample(part, boxes) for part in plane.components])
        if not len(sample):
            continue
        for start in range(0, number, AT_A_TIME):
            times, channels = _block(shape, boxes, start // AT_A_TIME)
            weight = np.ascontiguousarray(plane.weight[times, channels])
            together = min(number - start, AT_A_TIME)
            values = _realizations(weight, sample, together * len(plane.components), rng)
            if is_linear:
                values = values.reshape(together, 2, *weight.shape)
            matched_filter = MatchedFilter(weight, _inside(boxes, times, channels))
            highest, lowest = matched_filter.extremes(values)
            if np.isfinite(highest).all():
                largest += [*highest] if is_linear else [*highest, *-lowest]
                used += np.count_nonzero(weight)
                whole += np.count_nonzero(plane.weight)
    if len(largest) < 2:
        return None
    location, scale = gumbel(np.square(largest) / 2)
    # The largest of n independent blocks is larger by scale ln n.
    return FalseAlarms(location + scale * float(np.log(whole / used)), scale, searches, number)


def _block(shape: tuple[int, int], boxes: Boxes, turn: int) -> tuple[slice, slice]:
    """Return the integrations and channels of the block that has its turn: all of a small one."""
    side = int(np.sqrt(BLOCK))
    times = min(shape[0], max(BLOCK // min(shape[1], side), 8 * boxes.minimum[0]))
    channels = min(shape[1], max(BLOCK // times, 8 * boxes.minimum[1]))
    start = round((turn * GOLDEN) % 1 * (shape[0] - times))
    low = round((turn * SILVER) % 1 * (shape[1] - channels))
    return slice(start, start + times), slice(low, low + channels)


def _inside(boxes: Boxes, times: slice, channels: slice) -> Boxes:
    """Return the boxes inside a block, counted from its corner."""
    parts = [slice(max(scan.start, times.start) - times.start,
                   min(scan.stop, times.stop) - times.start) for scan in boxes.scans]
    return dataclasses.replace(boxes, channels=channels.stop - channels.start,
                               scans=tuple(part for part in parts if part.start < part.stop))


def _realizations(weight: np.ndarray, sample: np.ndarray, number: int,
                  rng: np.random.Generator) -> np.ndarray:
    """Return `number` realizations of noise (K,T,F) in Jy."""
    good = weight > 0
    sigma = 1 / np.sqrt(weight[good])
    spread = 1.06 * len(sample) ** -0.2
    sigma /= np.sqrt(1 + spread**2)
    either_sign = np.concatenate([sample, -sample])
    values = np.zeros((number, *weight.shape))
    for one in values:
        drawn = either_sign[rng.integers(len(either_sign), size=len(sigma))]
        drawn += spread * rng.standard_normal(len(sigma))
        one[good] = drawn * sigma
    return values


def noise_sample(plane: Plane, boxes: Boxes) -> np.ndarray:
    """Return the imaginary part (N) of the weighted cells of a plane, scaled to a scatter of one.

    The errors have been brought up to its scatter where that is larger. Where it is smaller the
    errors stand, and the quoted rate is then an upper limit. Nothing where the imaginary part is
    zero throughout.
    """
    sample = normalized(plane.imaginary, plane.weight, boxes)
    sample = sample[np.isfinite(sample)]
    if not sample.any():
        return np.zeros(0)
    return sample / scatter_of(sample)


def gumbel(values: np.ndarray) -> tuple[float, float]:
    """Return location and scale of the Gumbel distribution of `values` (N), by L-moments.

    Hosking 1990, J. R. Stat. Soc. B 52, 105, table 1: lambda_2 = scale ln 2, mean = location +
    0.5772 scale.
    """
    ordered = np.sort(values)
    n = len(ordered)
    mean = ordered.mean()
    second = 2 * np.sum(np.arange(n) * ordered) / (n * (n - 1)) - mean
    scale = second / np.log(2)
    return float(mean - np.euler_gamma * scale), float(max(scale, 1e-3))
