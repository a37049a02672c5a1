"""How often noise alone makes an event: calibrated on data without the source.

The cells of the imaginary part, in sigma and less their quiescent level, are drawn at random (with
replacement, random sign, and a little Gaussian noise so that a small sample does not end at its
largest value: the smoothed bootstrap of Silverman and Young 1987, Biometrika 74, 469) onto the
weights, gaps and flags of the data, and go through the same matched filter. The largest signal to
noise of each such realization, and its largest of the other sign, follow a Gumbel distribution,
which extrapolates to rates smaller than one in the number of realizations.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from visds.dynspec.detection.matched_filter import Boxes, MatchedFilter
from visds.dynspec.detection.noise import Plane, clipped_scatter, normalized

SEED = 20150611
# Realizations filtered together: the norm of a box is computed once for all of them.
AT_A_TIME = 4


@dataclass(frozen=True)
class FalseAlarms:
    """The expected number of noise peaks of one observation above a signal to noise.

    `location` and `scale` are those of the Gumbel distribution of half the square of the largest
    signal to noise of one search; `searches` is how many are made: I, V positive, V negative.
    For Gaussian noise the scale of the halved square is one.
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
        The polarizations that are searched.
    boxes : Boxes
        The boxes that are searched.
    searches : int
        Number of searches, each sign of a polarization being one.
    realizations : int, optional
        Number of realizations of each plane; by default 256 of a small spectrum down to 16 of
        one of millions of cells. The seed is fixed: the same data give the same result.
    """
    rng = np.random.default_rng(SEED)
    cells = max((p.weight.size for p in planes), default=1)
    number = realizations or int(np.clip(2e6 / cells, 32 / max(len(planes), 1), 256))
    largest = []
    for plane in planes:
        sample = noise_sample(plane, boxes)
        if len(sample):
            matched_filter = MatchedFilter(plane.weight, boxes)
            for values in _realizations(plane.weight, sample, number, rng):
                highest, lowest = matched_filter.extremes(values)
                largest += [*highest, *-lowest]
    largest = np.array(largest)
    largest = largest[np.isfinite(largest)]
    if len(largest) < 2:
        return None
    location, scale = gumbel(largest**2 / 2)
    return FalseAlarms(location, scale, searches, number)


def _realizations(weight: np.ndarray, sample: np.ndarray, number: int,
                  rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield `number` realizations of noise (K,T,F) in Jy, some at a time."""
    good = weight > 0
    sigma = 1 / np.sqrt(weight[good])
    spread = 1.06 * len(sample) ** -0.2
    sigma /= np.sqrt(1 + spread**2)
    either_sign = np.concatenate([sample, -sample])
    while number > 0:
        values = np.zeros((min(number, AT_A_TIME), *weight.shape))
        for one in values:
            drawn = either_sign[rng.integers(len(either_sign), size=len(sigma))]
            drawn += spread * rng.standard_normal(len(sigma))
            one[good] = drawn * sigma
        number -= len(values)
        yield values


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
    return sample / clipped_scatter(sample[:, None] ** 2)[0]


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
