"""The estimator: visibilities turned to targets and summed over baselines, in one pass.

For each integration and channel the sums over unflagged cross-correlations of w, w V, w^2, w^2 V
and w^2 |V|^2 are accumulated in float64. Correlations are used in pairs (RR and LL, RL and LR;
XX and YY, XY and YX): both or none, with the one weight w = 4 / (1/w1 + 1/w2) that belongs to half
their sum and half their difference. So the two Stokes parameters of a pair always come from the
same samples with the same weights, and neither a flag nor a weight in one hand can fake the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED
from visds.dynspec.accumulate import (
    COUNT,
    COVARIANCE,
    PRODUCT,
    SUMS,
    W2,
    W2V,
    W2V2,
    WV,
    W,
    accumulate,
)

_EVEN = 4e-9  # turns: an error in phase that float32 has too


@dataclass(frozen=True, eq=False)
class PairSums:
    """Sums over baselines of the correlations of each pair; axis N counts the pairs.

    With w the pair's weight: `sum_w`, `sum_w2` (T,F,N) in Jy-2, Jy-4; `count` (T,F,N);
    `sum_wv`, `sum_w2v` (T,F,N,2) complex in Jy-1, Jy-3 and `sum_w2v2` (T,F,N,2) in Jy-2 of the
    pair's two correlations; `sum_w2_product` (T,F,N), sum of w^2 V1 V2* (real part), Jy-2;
    `sum_w2_covariance` (T,F,N), sum of w^2 (1/w1 - 1/w2) / 4, Jy-2; `flags` (T,F,N), the union
    of the bits of what was left out; `flag_counts`, the number of visibilities by flag bits, with
    COUPLED where only the other correlation of the pair has a reason.
    """

    sum_w: np.ndarray
    sum_wv: np.ndarray
    sum_w2: np.ndarray
    sum_w2v: np.ndarray
    sum_w2v2: np.ndarray
    sum_w2_product: np.ndarray
    sum_w2_covariance: np.ndarray
    count: np.ndarray
    flags: np.ndarray
    flag_counts: dict[int, int]


@dataclass(frozen=True, eq=False)
class RawSums:
    """Sums as the kernel leaves them; see `pair_sums`."""

    values: np.ndarray
    left_out: np.ndarray
    flag_counts: np.ndarray


def average(visibility: np.ndarray, flags: np.ndarray, weight: np.ndarray, pairs: np.ndarray,
            path: np.ndarray | None, frequency: np.ndarray) -> PairSums:
    """Return the sums over baselines of visibilities turned to a target; see `sum_up`."""
    return pair_sums([sum_up(visibility, flags, weight, pairs, path, frequency)])


def sum_up(visibility: np.ndarray, flags: np.ndarray, weight: np.ndarray, pairs: np.ndarray,
           path: np.ndarray | None, frequency: np.ndarray) -> RawSums:
    """Sum visibilities over baselines, turned to a target.

    Parameters
    ----------
    visibility : (T,B,F,P) complex64, Jy
        Up to four correlations. A NaN or an infinity is left out, in both correlations of its
        pair.
    flags : (T,B,F,P) uint8
        Bits of `visds.core.flags`; any bit leaves the visibility out.
    weight : (T,B,F,P) or (T,B,1,P) float32, Jy-2
        1/sigma^2 of the real part. Zero, negative or not finite leaves the visibility out.
    pairs : (N,2) int
        Places on axis P of the two correlations of each pair.
    path : (T,B) float64, m, or None
        u l + v m + w (n - 1) of the target; the visibilities are multiplied with
        exp(-2 pi i path nu / c). None where the target is the phase centre.
    frequency : (F) float64, Hz
        Channel centres; need not be equidistant.
    """
    sums, _ = _sums(visibility, flags, weight, pairs, path,
                    np.zeros((0, *visibility.shape[:2])), frequency)
    return sums


def sum_up_directions(visibility: np.ndarray, flags: np.ndarray, weight: np.ndarray,
                      pairs: np.ndarray, paths: np.ndarray,
                      frequency: np.ndarray) -> tuple[RawSums, np.ndarray]:
    """Sum visibilities over baselines, turned to many targets, in one pass over the data.

    Returns the sums in the first direction, as `sum_up`, and of the further ones what differs:
    `turned` (D-1,T,N,8,F), real and imaginary parts of the sums of w V of a pair's two correlations
    (0 to 3) and of w^2 V (4 to 7), as in the first eight sums of `RawSums`. Their error is below
    1e-6 of the sums of |w V| and |w^2 V|.

    Parameters
    ----------
    visibility, flags, weight, pairs, frequency
        See `sum_up`.
    paths : (D,T,B) float64, m
        u l + v m + w (n - 1) of the targets, at least one.
    """
    if len(paths) < 1 or paths.shape[1:] != visibility.shape[:2]:
        raise ValueError(f"paths {paths.shape} do not belong to visibilities {visibility.shape}")
    return _sums(visibility, flags, weight, pairs, paths[0], paths[1:], frequency)


def _sums(visibility: np.ndarray, flags: np.ndarray, weight: np.ndarray, pairs: np.ndarray,
          path: np.ndarray | None, further: np.ndarray,
          frequency: np.ndarray) -> tuple[RawSums, np.ndarray]:
    T, B, F, P = visibility.shape
    if P > 4 or flags.shape != visibility.shape or weight.shape not in (
            visibility.shape, (T, B, 1, P)) or len(frequency) != F or (
            path is not None and path.shape != (T, B)) or not np.all(pairs < P):
        raise ValueError(f"visibilities {visibility.shape}, flags {flags.shape}, weights "
                         f"{weight.shape}, pairs {np.shape(pairs)}, frequencies "
                         f"{np.shape(frequency)} do not belong together")
    lanes = np.ascontiguousarray(visibility).view(np.float32).reshape(T, B, F * P * 2)
    bits = np.ascontiguousarray(flags, np.uint8).reshape(T, B, F * P)
    first = np.zeros((0, B)) if path is None else np.ascontiguousarray(path, np.float64)
    further = np.ascontiguousarray(further, np.float64)
    wavenumber = np.asarray(frequency, np.float64) / LIGHT_SPEED
    pairs = np.ascontiguousarray(pairs, np.int64)
    N = len(pairs)
    sums = RawSums(np.empty((T, N, SUMS, F)), np.zeros((T, N, F), np.uint8),
                   np.zeros(257, np.int64))
    turned = np.empty((len(further), T, N, 8, F))
    weights = np.ascontiguousarray(weight, np.float32).reshape(T, B, -1)
    accumulate(lanes, bits, weights, pairs, first, further, wavenumber,
               _are_even(wavenumber, further), sums.values,
               turned.reshape(len(further), T, N, 8 * F), sums.left_out, sums.flag_counts)
    return sums, turned


def _are_even(wavenumber: np.ndarray, paths: np.ndarray) -> bool:
    """Whether wavenumbers (F) in turns per m are evenly spaced for paths in m."""
    line = np.linspace(wavenumber[0], wavenumber[-1], len(wavenumber))
    longest = max(paths.max(initial=0), -paths.min(initial=0))
    return bool(np.abs(wavenumber - line).max() * longest < _EVEN)


def pair_sums(parts: Sequence[RawSums]) -> PairSums:
    """Return the sums of consecutive parts of a chunk as one, along the time axis."""
    # From (T,N,sums,F) to (sums,T,F,N).
    sums = np.moveaxis(np.concatenate([part.values for part in parts]), (2, 3), (0, 2))
    left_out = np.concatenate([part.left_out for part in parts])
    return PairSums(sum_w=sums[W], sum_wv=_complex(sums[WV:W2V]),
                    sum_w2=sums[W2], sum_w2v=_complex(sums[W2V:W2V2]),
                    sum_w2v2=np.moveaxis(sums[W2V2:PRODUCT], 0, -1),
                    sum_w2_product=sums[PRODUCT], sum_w2_covariance=sums[COVARIANCE],
                    count=sums[COUNT].astype(np.int64), flags=np.swapaxes(left_out, 1, 2),
                    flag_counts=_by_bits(sum(part.flag_counts for part in parts)))


def _by_bits(counts: np.ndarray) -> dict[int, int]:
    """Return the counts of flag bytes, and of coupled visibilities at the end, by flag bits."""
    bits = [*range(256), int(Flag.COUPLED)]
    return {byte: int(n) for byte, n in zip(bits, counts, strict=True) if n}


def _complex(parts: np.ndarray) -> np.ndarray:
    """Return complex numbers (...,2) of which these (4,...) are real, imaginary, real, ..."""
    result = np.empty((*parts.shape[1:], 2), complex)
    result.real, result.imag = (np.moveaxis(parts[k::2], 0, -1) for k in (0, 1))
    return result
