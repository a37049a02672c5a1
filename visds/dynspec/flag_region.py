"""Regions of a dynamic spectrum that a user flags: by scan, time, channel and |V|."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from visds.core.errors import SettingsError
from visds.core.flags import CELL_MASK, Flag
from visds.core.quantities import frequency_range
from visds.dynspec.plots.levels import flux_density
from visds.dynspec.universal_time import UniversalTime, inside, time_range

if TYPE_CHECKING:  # reading the options needs no sums, nor what compiles them
    from visds.dynspec.dynamic_spectrum import DynamicSpectrum

SYNTAX = "scan=3,time=05:10-05:20,channels=10-20,v=5mJy (any of these)"
CHANNELS_SYNTAX = "12, 10-20 (counted from 0, both ends included) or 550-560MHz"


@dataclass(frozen=True)
class ChannelRange:
    """Channels from `first` to `last`: indices from 0, or Hz if `in_hertz`; both ends included."""

    first: float
    last: float
    in_hertz: bool

    def mask(self, spectrum: "DynamicSpectrum") -> np.ndarray:
        """Return which channels (F, bool) are meant; in Hz, those that the range touches.

        Raises
        ------
        SettingsError
            If there is none.
        """
        if self.in_hertz:
            half = spectrum.channel_width / 2
            chosen = ((spectrum.frequency + half > self.first)
                      & (spectrum.frequency - half < self.last))
        else:
            place = np.arange(len(spectrum.frequency))
            chosen = (place >= self.first) & (place <= self.last)
        if not chosen.any():
            asked = (f"{self.first / 1e6:g}-{self.last / 1e6:g} MHz" if self.in_hertz
                     else f"channels {self.first:g}-{self.last:g}")
            raise SettingsError(
                f"{asked} are not in the spectrum, which has {len(spectrum.frequency)} channels, "
                f"{spectrum.frequency[0] / 1e6:.3f} to {spectrum.frequency[-1] / 1e6:.3f} MHz")
        return chosen


@dataclass(frozen=True)
class FlagRegion:
    """Cells that fulfil every condition that is given.

    `scan` a scan number, `time` a range of UTC, `channels` a range, `v_limit` cells with |V|
    above so many Jy. `text` is how the user wrote it.
    """

    scan: int | None = None
    time: tuple[UniversalTime, UniversalTime] | None = None
    channels: ChannelRange | None = None
    v_limit: float | None = None
    text: str = ""

    def mask(self, spectrum: "DynamicSpectrum") -> np.ndarray:
        """Return which cells (T,F, bool) of a spectrum lie in the region.

        Raises
        ------
        SettingsError
            If the spectrum has no such scan, channel or no V, or if a time of day that ends before
            it begins goes over no midnight.
        """
        shape = (len(spectrum.time), len(spectrum.frequency))
        cells = np.ones(shape, bool)
        if self.scan is not None:
            chosen = spectrum.scan == self.scan
            if not chosen.any():
                held = ", ".join(str(scan) for scan in np.unique(spectrum.scan))
                raise SettingsError(f"scan {self.scan} is not in the spectrum (scans {held})")
            cells &= chosen[:, None]
        if self.time is not None:
            try:
                cells &= inside(spectrum.time, *self.time)[:, None]
            except SettingsError as error:
                raise SettingsError(f"'{self.text}': {error}") from error
        if self.channels is not None:
            cells &= self.channels.mask(spectrum)
        if self.v_limit is not None:
            if "V" not in spectrum.polarizations:
                raise SettingsError("a region with v= needs Stokes V, which is not in the spectrum")
            cells &= np.abs(spectrum.values("V")) > self.v_limit
        return cells


def channel_range(text: str) -> ChannelRange:
    """Return the channels written as ``12``, ``10-20`` or ``550-560MHz``.

    Raises
    ------
    SettingsError
        If `text` is none of these.
    """
    text = str(text).strip()
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if match:
        first, last, in_hertz = int(match[1]), int(match[2] or match[1]), False
    else:
        first, last = frequency_range(text, expected=CHANNELS_SYNTAX)
        in_hertz = True
    if last < first:
        raise SettingsError(f"channels '{text}' end before they begin")
    return ChannelRange(first, last, in_hertz)


def flag_region(text: str) -> FlagRegion:
    """Return the region written as ``scan=3,time=05:10-05:20,channels=10-20,v=5mJy``.

    Raises
    ------
    SettingsError
        If `text` is not of that form.
    """
    conditions = {}
    readers = {"scan": ("scan", int), "time": ("time", time_range),
               "channels": ("channels", channel_range), "v": ("v_limit", flux_density)}
    for part in str(text).split(","):
        key, equals, value = part.strip().partition("=")
        if not equals or key not in readers:
            raise SettingsError(f"'{text}' is not a region, written {SYNTAX}"
                                + (f": '{key}' is none of {', '.join(readers)}" if equals else ""))
        name, read = readers[key]
        try:
            conditions[name] = read(value)
        except (SettingsError, ValueError) as error:
            raise SettingsError(f"{key}={value} of '{text}': {error}; a region is written "
                                f"{SYNTAX}") from error
    return FlagRegion(**conditions, text=str(text))


def usable_cells(spectrum: "DynamicSpectrum") -> np.ndarray:
    """Return which cells (T,F, bool) have a value in any polarization."""
    return ((spectrum.flags & int(CELL_MASK)) == 0).any(axis=-1)


@dataclass(frozen=True)
class FlaggedCells:
    """What regions flag in a spectrum.

    `number` of the `usable` cells (T,F) that had a value before in any polarization; `idle` are
    the regions that hold no cell at all.
    """

    number: int
    usable: int
    idle: tuple[FlagRegion, ...]


def flag_regions(spectrum: "DynamicSpectrum",
                 regions: tuple[FlagRegion, ...]) -> tuple["DynamicSpectrum", FlaggedCells]:
    """Return the spectrum with the flag REGION set in all regions, and how many cells that took.

    Each region is found in the spectrum as it was.

    Raises
    ------
    SettingsError
        As `FlagRegion.mask`.
    """
    cells = np.zeros((len(spectrum.time), len(spectrum.frequency)), bool)
    idle = []
    for region in regions:
        mask = region.mask(spectrum)
        cells |= mask
        if not mask.any():
            idle.append(region)
    usable = usable_cells(spectrum)
    flagged = spectrum.flag_cells(cells, Flag.REGION) if cells.any() else spectrum
    return flagged, FlaggedCells(int((cells & usable).sum()), int(usable.sum()), tuple(idle))
