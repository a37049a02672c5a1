"""Interference in a chunk of visibilities, flagged so that bursts of the targets survive."""

from collections.abc import Sequence

import numpy as np

from visds.core.polarization import pairs_of
from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.aoflagger_strategy import AoflaggerStrategy
from visds.dynspec.flagging.baseline_sample import (
    flag_members,
    length_classes,
    number_looked_at,
)
from visds.dynspec.flagging.light import flag_light
from visds.dynspec.flagging.protect import without_bursts
from visds.visibility.chunk import VisibilityChunk


def describe_flagger(settings: FlagSettings) -> str:
    """Return what the flagger of the settings is, to be kept with what it made; '' for none.

    Raises
    ------
    SettingsError
        If it is AOFlagger, and that is not installed or has no such strategy.
    """
    if settings.flagger == "aoflagger":
        return AoflaggerStrategy(settings.flag_strategy).description
    return "" if settings.flagger == "none" else "light"


def flag_interference(chunk: VisibilityChunk, directions: Sequence[Direction | Track],
                      settings: FlagSettings) -> VisibilityChunk:
    """Return the chunk with the flag RFI where the flagger that the settings name finds some.

    It looks at the visibilities as they are, flags and all, so the sky model is to be subtracted
    before; unless `protect_bursts` is off, less what comes from `directions`, the targets
    (`visds.dynspec.flagging.protect`). A scan in one piece is best: interference is found by its
    extent in time and frequency, and a plane of one baseline of fewer than 32 visibilities is not
    judged. What is found is flagged in all correlations. Other flags and the visibilities are those
    of the chunk, which is not modified; nor does the order of channels matter.

    Raises
    ------
    SettingsError
        As `describe_flagger`.
    """
    pairs = np.array([[chunk.correlations.index(label) for label in pair.correlations]
                      for pair in pairs_of(chunk.correlations)])
    if settings.flagger == "none" or not len(pairs) or not chunk.visibility.size:
        return chunk
    residual = without_bursts(chunk, directions) if settings.protect_bursts else chunk.visibility
    flags = np.array(chunk.flags, order="C")
    order = np.argsort(chunk.frequency, kind="stable")
    classes = length_classes(chunk, number_looked_at(settings.flag_baselines,
                                                     len(chunk.antennas)))
    looked_at = np.sort(np.concatenate([one.looked_at for one in classes]))
    if settings.flagger == "light":
        flag_light(residual, flags, chunk.weight, pairs, order, looked_at)
    else:
        AoflaggerStrategy(settings.flag_strategy).flag(residual, flags, _usable(chunk, pairs),
                                                       pairs, order, looked_at)
    for one in classes:
        flag_members(flags, one)
    return chunk.replace(flags=flags)


def _usable(chunk: VisibilityChunk, pairs: np.ndarray) -> np.ndarray:
    """Return which samples (T,B,F, bool) have all correlations of the pairs."""
    usable = np.ones(chunk.flags.shape[:3], bool)
    for p in pairs.ravel():
        weight = chunk.weight[..., p]
        usable &= ((chunk.flags[..., p] == 0) & np.isfinite(chunk.visibility[..., p])
                   & (weight > 0) & (weight < np.inf))
    return usable
