"""Profiles of templates along one axis: staircases of a few steps, whatever their width.

A template is the product of a profile in time and one in frequency. A Gaussian profile is a
staircase with steps of a quarter to a sixth of its sigma, cut where what is left adds 0.07 % to
the signal to noise: so a wide profile costs no more than a narrow one, on data that are summed to
its steps.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# The box of highest signal to noise on a Gaussian is this many of its sigma wide.
BOX_WIDTH = 2.8
# A Gaussian template reaches this many sigma to either side.
REACH = 2.25
# Profiles in time narrower than this many samples (sigma) also stand between two samples: half a
# sample beside the centre a Gaussian of one sample loses 6 %.
NARROW = 1.5
NOISE_WIDTH = 2 * np.sqrt(np.pi)


@dataclass(frozen=True)
class Profile:
    """A staircase along one axis.

    `width` is that of the box which it is, or which suits it best, in samples; `sigma` that of a
    Gaussian, infinite if flat, and NaN of a box. `step` is the number of samples of a step and
    `heights` the height of each; the first is `before` steps before the one that holds the centre.
    A profile that has `whole` set is only laid where all of it is inside the data.
    """

    width: float
    sigma: float
    step: int
    before: int
    heights: np.ndarray
    whole: bool

    @property
    def noise_width(self) -> int:
        """How many samples the profile averages, as its noise goes; a Gaussian's rounded up.

        To a power of two, for noise that neighbours share is known of boxes of these widths.
        """
        if not np.isfinite(self.sigma):
            return max(1, int(self.width))
        return gaussian_noise_width(self.sigma)

    def centre(self, sample: int) -> float:
        """Return the centre in samples of the profile that is laid at the step of a sample."""
        first = (sample // self.step - self.before) * self.step
        return first + (len(self.heights) * self.step - 1) / 2


@functools.lru_cache
def gaussian_profiles(length: int, minimum: int = 1, maximum: int | None = None, *,
                      between: bool = False) -> tuple[Profile, ...]:
    """Return Gaussians whose best boxes are two samples and more wide, by factors of root two.

    From `minimum` to `length` and `maximum`. Between two of them a Gaussian loses 0.8 %. Narrow
    ones also stand `between` two samples.
    """
    last = min(length, maximum or length)
    widths = minimum * np.sqrt(2) ** np.arange(2 * max(1, int(last)).bit_length() + 1)
    profiles = []
    for width in widths[(widths >= 2) & (widths <= last)]:
        sigma = width / BOX_WIDTH
        step = 2 ** max(0, int(np.floor(np.log2(sigma / 4))))
        for shift in (0.0, 0.5) if between and sigma < NARROW else (0.0,):
            reach = int(np.ceil(REACH * sigma / step))
            offsets = np.arange(-reach + 2 * shift, reach + 1) - shift
            profiles.append(Profile(float(width), float(sigma), step, reach - int(2 * shift),
                                    np.exp(-(offsets * step / sigma) ** 2 / 2), False))
    return tuple(profiles)


def gaussian_noise_width(sigma: float) -> int:
    """Return the number of samples that a Gaussian averages, as a power of two above it."""
    return 2 ** int(np.ceil(np.log2(max(NOISE_WIDTH * sigma, 1))))


def flat_profile(length: int) -> Profile:
    """Return the profile that covers all samples alike."""
    return Profile(float(length), np.inf, length, 0, np.ones(1), False)


def box_profiles(widths: Sequence[int]) -> tuple[Profile, ...]:
    """Return boxes that start at every eighth of their width."""
    profiles = []
    for width in widths:
        step = max(1, int(width) // 8)
        number = int(width) // step
        profiles.append(Profile(float(number * step), np.nan, step, number // 2,
                                np.ones(number), True))
    return tuple(profiles)


def packed(profiles: Sequence[Profile]) -> tuple[np.ndarray, np.ndarray]:
    """Return steps, places before, numbers and wholeness (4,N), and heights (N,M), of profiles."""
    heights = np.zeros((len(profiles), max((len(p.heights) for p in profiles), default=0)))
    for one, profile in zip(heights, profiles, strict=True):
        one[:len(profile.heights)] = profile.heights
    shape = np.array([[p.step, p.before, len(p.heights), p.whole] for p in profiles], np.int64)
    return np.ascontiguousarray(shape.reshape(-1, 4).T), heights
