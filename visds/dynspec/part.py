"""The part of a dynamic spectrum that a program is asked for, in its bins."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visds.core.errors import SettingsError
from visds.core.quantities import Bin, channel_bin, frequency_range, time_bin
from visds.core.settings import setting
from visds.dynspec import binning

if TYPE_CHECKING:  # it takes a second to import, and mistakes are told before
    from visds.dynspec.dynamic_spectrum import DynamicSpectrum


@dataclass(frozen=True)
class PartSettings:
    """Which frequencies of a spectrum are used, in which bins."""

    band: tuple[float, float] | None = setting(
        None, "frequencies to use, e.g. 550-600MHz (default: all)", parse=frequency_range,
        metavar="RANGE")
    time_bin: Bin | None = setting(None, "width of a time bin, such as 30s (default: none)",
                                   parse=time_bin, metavar="BIN")
    channel_bin: Bin | None = setting(
        None, "width of a channel bin, such as 4MHz (default: none)", parse=channel_bin,
        metavar="BIN")


def in_band(spectrum: "DynamicSpectrum", settings: PartSettings) -> "DynamicSpectrum":
    """Return the channels of the band.

    Raises
    ------
    SettingsError
        If the spectrum has none there.
    """
    if settings.band is None:
        return spectrum
    low, high = settings.band
    inside = (spectrum.frequency >= low) & (spectrum.frequency <= high)
    if not inside.any():
        raise SettingsError(
            f"--band: no channel between {low / 1e6:g} and {high / 1e6:g} MHz; the spectrum "
            f"has {spectrum.frequency[0] / 1e6:.3f} to {spectrum.frequency[-1] / 1e6:.3f} MHz")
    return spectrum.select_channels(inside)


def in_bins(spectrum: "DynamicSpectrum",
            settings: PartSettings) -> tuple["DynamicSpectrum", list[str]]:
    """Return the spectrum in bins of time and channels, and what was binned as lines of text."""
    lines = []
    if settings.time_bin is not None:
        time, integration = spectrum.time, spectrum.integration
        spectrum = spectrum.sum_times(binning.time_groups(
            time, integration, spectrum.scan, settings.time_bin))
        lines.append(binning.time_bin_text(settings.time_bin, time, integration,
                                           spectrum.integration))
    if settings.channel_bin is not None:
        width = spectrum.channel_width
        spectrum = spectrum.sum_channels(binning.channel_groups(
            spectrum.frequency, width, settings.channel_bin))
        lines.append(binning.channel_bin_text(settings.channel_bin, width, spectrum.channel_width))
    return spectrum, lines
