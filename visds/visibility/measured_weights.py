"""Weights out of the visibilities themselves: the noise in their second differences in time."""

import numpy as np

from visds.visibility.chunk import VisibilityChunk
from visds.visibility.difference_variance import second_difference_variances
from visds.visibility.pooled_variance import pooled_variance
from visds.visibility.selection import FEWEST_INTEGRATIONS

_DIFFERENCES = 64
"""That a variance is made of at least: of so many neighbouring channels together."""
_EFFICIENCY = 0.97
"""Of a mean without what is six times as large."""


def measure_weights(chunk: VisibilityChunk) -> VisibilityChunk:
    """Return the chunk with weights 1/sigma^2 out of the scatter of its own visibilities.

    Sigma is measured per baseline, channel and correlation on second differences of successive
    unflagged integrations, V2 - (V1 + V3)/2 (or what interpolation makes of it where they are not
    evenly spaced), real and imaginary parts together, without those six times as large in power as
    their mean. Sources off the phase centre hardly enter, for their fringes turn by little and
    evenly, nor do bursts and interference that rise above the noise of a single visibility.
    Integrations of other lengths have sigma^2 in proportion to 1 / length. Neighbouring channels
    are taken together until 64 differences are there, and each variance is drawn towards the
    product of antennas and channels (`pooled_variance`), so that a weight hardly depends on any
    visibility that it multiplies: a constant source is measured without bias, a change within one
    integration too small by 1/n of itself, n the degrees of freedom of the pooled variance, 200
    or more wherever the antennas have so many together. The weight is that of 1/sigma^2, without
    the bias of 1 / estimate.

    A chunk in which no baseline has three integrations has sigma measured on second differences of
    neighbouring channels, and alike in all channels; where there are no three of these either,
    all baselines of a correlation have the weight of the scatter of its visibilities.

    Visibilities with an antenna that is all but silent have the weight 0: one that is scaled to a
    millionth would be the best of all, and all that is measured be zero.

    The chunk's own weights are not used, its flags are; nothing is changed in place. Weights of
    equal integrations are one array for all of them, read-only (stride 0 along T).
    """
    T, F = len(chunk.time), len(chunk.frequency)
    group = min(F, -(-_DIFFERENCES // max(T - 2, 1)))
    variance, number = _in_time(chunk, group)
    if not number.any():
        variance, number = _in_channels(chunk)
    variance, freedom = pooled_variance(variance, _freedom(number), chunk.antennas)
    if not freedom.any():
        variance, freedom = _of_all(chunk), np.full(variance.shape, np.inf)
    # The mean of 1 / estimate is larger than 1 / sigma^2 by this.
    weight = (1 - 2 / np.maximum(freedom, 4)) / np.where(variance > 0, variance, 1)
    weight = weight.astype(np.float32)
    if weight.shape[1] > 1:
        weight = np.repeat(weight, group, axis=1)[:, :F]
    length = chunk.integration / _usual(chunk.integration)
    if np.ptp(length) < 1e-3:
        return chunk.replace(weight=np.broadcast_to(weight, (T, *weight.shape)))
    return chunk.replace(weight=weight * length[:, None, None, None].astype(np.float32))


def _in_time(chunk: VisibilityChunk, group: int) -> tuple[np.ndarray, np.ndarray]:
    """Return variances of groups of channels and the numbers of differences (B,G,P)."""
    if len(chunk.time) < FEWEST_INTEGRATIONS:
        nothing = np.zeros((len(chunk.antennas), 1, len(chunk.correlations)))
        return nothing, nothing
    time = chunk.time - chunk.time[0]
    return _variances(chunk.visibility, chunk.flags, time / _usual(np.diff(time)),
                      chunk.integration, group)


def _in_channels(chunk: VisibilityChunk) -> tuple[np.ndarray, np.ndarray]:
    """Return variances and numbers (B,1,P) of all channels and integrations together."""
    T = len(chunk.time)
    visibility, flags = (np.transpose(values, (2, 1, 0, 3))
                         for values in (chunk.visibility, chunk.flags))
    return _variances(visibility, flags, np.arange(len(chunk.frequency), dtype=float),
                      np.ones(len(chunk.frequency)), T)


def _of_all(chunk: VisibilityChunk) -> np.ndarray:
    """Return one variance (1,1,P) for all visibilities of a correlation, of their own scatter."""
    result = np.zeros((1, 1, len(chunk.correlations)))
    for p in range(len(chunk.correlations)):
        values = chunk.visibility[..., p][chunk.flags[..., p] == 0]
        values = values[np.isfinite(values)]
        if len(values):
            about = np.median(values.real) + 1j * np.median(values.imag)
            result[..., p] = np.median(np.abs(values - about) ** 2) / (2 * np.log(2))
    return result


def _freedom(number: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of the mean of so many squares of second differences.

    Neighbours share visibilities: their correlations are -2/3 and, the next but one, 1/6.
    """
    return _EFFICIENCY * 2 * number / (1 + 17 / 18 * (1 - 1 / np.maximum(number, 1)))


def _variances(visibility, flags, time, length, group):
    T, B, F, P = visibility.shape
    lanes = np.ascontiguousarray(visibility).view(np.float32).reshape(T, B, F * P * 2)
    bits = np.ascontiguousarray(flags).reshape(T, B, F * P)
    variance, number = np.zeros((2, B, -(-F // group), P))
    second_difference_variances(lanes, bits, time, length / _usual(length), P, group, variance,
                                number)
    return variance, number


def _usual(values: np.ndarray) -> float:
    return float(np.median(values))
