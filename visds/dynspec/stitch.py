"""Blocks stitched to the dynamic spectrum of the whole observation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

_HALF = 0.5 + 1e-4  # of an integration; times are good to some microseconds


@dataclass(frozen=True, eq=False)
class Axes:
    """Time and channel axes of an observation, from those of all its blocks."""

    time: np.ndarray
    integration: np.ndarray
    scan: np.ndarray
    frequency: np.ndarray
    channel_width: np.ndarray
    spectral_window: np.ndarray


def stitch(blocks: Iterable[DynamicSpectrum], axes: Axes,
           meta: dict[str, Any]) -> DynamicSpectrum:
    """Return the dynamic spectrum of all blocks on the common axes.

    Cells that no block holds are EMPTY; cells that two blocks hold are summed. The barycentric
    times are NaN, and the primary beam is 1. `meta` is completed with the flag statistics and the
    longest baseline of the blocks, and the scale of the weights.

    Raises
    ------
    ValueError
        If there are no blocks.
    """
    result: dict[str, np.ndarray] | None = None
    counts: dict[int, int] = {}
    longest = 0.0
    repeated = 0
    first = None
    for block in blocks:
        if result is None or first is None:
            first, result = block, _empty(block, axes)
        cells = _cells(_time_places(axes, block), _places(axes.frequency, block.frequency,
                                                          1e-3 * axes.channel_width))
        for name, spec in DynamicSpectrum.array_specs().items():
            if name == "flags":
                mask = np.uint16(Flag.EMPTY)
                union = (result[name][cells] | block.flags) & ~mask
                both_empty = result[name][cells] & block.flags & mask
                result[name][cells] = union | both_empty
            elif spec.axes.startswith("TF"):
                result[name][cells] += getattr(block, name)
        for byte, number in block.meta["flag_counts"].items():
            counts[int(byte)] = counts.get(int(byte), 0) + number
        longest = max(longest, block.meta["longest_baseline_m"])
        repeated = max(repeated, block.meta.get("repeated_baselines", 0))
    if first is None:
        raise ValueError("there are no blocks to stitch")
    spectrum = DynamicSpectrum(
        **vars(axes), time_barycentre=np.full(len(axes.time), np.nan),
        primary_beam=np.ones(len(axes.frequency)),
        inflation=np.ones((len(axes.frequency), len(first.polarizations))), **result,
        polarizations=first.polarizations, parallel_hands=first.parallel_hands,
        meta=meta | {"flag_statistics": flag_statistics(counts), "longest_baseline_m": longest,
                     "repeated_baselines": repeated})
    return spectrum.replace(
        meta=spectrum.meta | {"weight_scale": spectrum.measured_weight_scale()})


def common_axes(pieces: Iterable[tuple]) -> Axes:
    """Return the axes that hold all pieces.

    A piece is (time (T) MJD UTC, integration (T) s, scan, frequency (F) Hz, channel_width (F) Hz,
    spectral window). Times of different spectral windows whose integrations overlap by half or
    more are one; equal channels of different pieces are one.
    """
    times, channels = [], {}
    for time, integration, scan, frequency, width, window in pieces:
        times += [(t, i, scan, window) for t, i in zip(time, integration, strict=True)]
        channels[window] = (frequency, width)
    times.sort(key=lambda item: (item[0], item[3]))
    kept: list[list] = []
    for time, integration, scan, window in times:
        last = kept[-1] if kept else None
        if (last is not None and last[2] == scan and window not in last[3]
                and (time - last[0]) * 86400 <= _HALF * min(integration, last[1])):
            last[3].add(window)
        elif last is None or last[0] != time or last[2] != scan:
            kept.append([time, integration, scan, {window}])
    frequency = np.concatenate([values[0] for values in channels.values()])
    width = np.concatenate([values[1] for values in channels.values()])
    window = np.concatenate([np.full(len(values[0]), number)
                             for number, values in channels.items()])
    order = np.argsort(frequency, kind="stable")
    narrower = np.minimum(width[order][1:], width[order][:-1])
    distinct = np.append(True, (np.diff(frequency[order]) > 1e-3 * narrower)
                         | (np.abs(np.diff(width[order])) > 1e-3 * narrower))
    order = order[distinct]
    return Axes(time=np.array([item[0] for item in kept]),
                integration=np.array([item[1] for item in kept]),
                scan=np.array([item[2] for item in kept]),
                frequency=frequency[order], channel_width=width[order],
                spectral_window=window[order])


def flag_statistics(counts: dict[int, int]) -> dict[str, float]:
    """Return the fraction of visibilities per reason, and of all that were used.

    `counts` are visibilities by flag bits. A visibility with two reasons counts for both; one
    that is absent has no other reason.
    """
    total = sum(counts.values())
    statistics = {"visibilities": total, "used": counts.get(0, 0) / max(total, 1)}
    for flag in Flag:
        number = sum(n for byte, n in counts.items()
                     if byte & flag and (flag == Flag.ABSENT or not byte & Flag.ABSENT))
        if number:
            statistics[flag.name.lower()] = number / total
    return statistics


def _empty(block: DynamicSpectrum, axes: Axes) -> dict[str, np.ndarray]:
    shape = {"T": len(axes.time), "F": len(axes.frequency), "P": len(block.polarizations)}
    return {name: np.full([shape[a] for a in spec.axes],
                          Flag.EMPTY if name == "flags" else 0, spec.dtype)
            for name, spec in DynamicSpectrum.array_specs().items()
            if spec.axes.startswith("TF")}


def _time_places(axes: Axes, block: DynamicSpectrum) -> np.ndarray:
    """Return the places of a block's integrations among those of its own scan."""
    of_scan = np.flatnonzero(axes.scan == block.scan[0])
    if not len(of_scan):
        raise ValueError(f"scan {block.scan[0]} of a block is not on the common axes")
    tolerance = 1.01 * _HALF * axes.integration[of_scan] / 86400
    return of_scan[_places(axes.time[of_scan], block.time, tolerance)]


def _cells(t: np.ndarray, f: np.ndarray) -> tuple:
    """Return the index of the cells at places `t` and `f`: slices, which are faster, if they do."""
    if all(np.all(np.diff(places) == 1) for places in (t, f)):
        return slice(t[0], t[-1] + 1), slice(f[0], f[-1] + 1)
    return np.ix_(t, f)


def _places(axis: np.ndarray, values: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Return the places of values on an ascending axis, each within the tolerance there."""
    right = np.clip(np.searchsorted(axis, values), 0, len(axis) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(np.abs(axis[left] - values) <= np.abs(axis[right] - values), left, right)
    if np.any(np.abs(axis[nearest] - values) > tolerance[nearest]):
        raise ValueError("a block lies outside the common axes")
    return nearest
