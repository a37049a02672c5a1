"""Settings of visds-run that belong to no room: target, bins, how the run goes."""

import functools
import math
from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number, channel_bin, time_bin
from visds.core.settings import setting
from visds.crossmatch.settings import MatchSettings, julian_year
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.plots.settings import PlotSettings
from visds.visibility.primary_beam.settings import PrimaryBeamSettings
from visds.visibility.selection import ReadSettings
from visds.visibility.sky_model.settings import ModelSettings


def _checked(parse):
    """Return a function that checks a text and keeps it as it is written."""
    @functools.wraps(parse)
    def check(text) -> str:
        parse(text)
        return str(text)
    return check


def _ranks(text) -> int:
    if not str(text).isdigit() or int(text) < 1:
        raise SettingsError(f"'{text}' is not a number of ranks")
    return int(text)


@bare_number("refused")
def _deadline(text) -> float:
    # Batch systems take it for minutes.
    value = quantities.parse(text, quantities.SECONDS)
    if not 0 < value < math.inf:
        raise SettingsError(f"'{text}' is not a time to run")
    return value


def _count(text) -> int:
    if not str(text).isdigit() or int(text) < 1:
        raise SettingsError(f"'{text}' is not a number of snapshots")
    return int(text)


def _proper_motion(text) -> tuple[float, float]:
    try:
        east, north = (float(word) for word in str(text).replace(",", " ").split())
    except ValueError:
        raise SettingsError(f"'{text}' is not a proper motion: expected two numbers in mas/yr, "
                            "east (with cos dec) and north") from None
    return east, north


@dataclass(frozen=True)
class TargetSettings:
    """Where to look: the position for which the spectrum is made."""

    target: str | None = setting(
        None, "position such as \"05:31:58.7 +33:08:52.5\" (hours and degrees) or "
        "\"83.1deg -5.2deg\", or the name of a field, or of a source in a --catalogue, which is "
        "moved to the epoch of observation by its proper motion (default: the phase centre)",
        metavar="POSITION|NAME")
    proper_motion: tuple[float, float] | None = setting(
        None, "proper motion of the target in mas/yr east and north, such as \"400 -300\": the "
        "position is moved from --target-epoch to the epoch of observation (a source of a "
        "catalogue is moved by its own)",
        parse=_proper_motion, metavar="'EAST NORTH'")
    target_epoch: float = setting(
        "2000.0", "epoch of the target's position, as Julian year or date", parse=julian_year,
        metavar="EPOCH")


@dataclass(frozen=True)
class AverageSettings:
    """Bins of the products; chunks always keep full resolution."""

    time_bin: str | None = setting(
        None, "width of a time bin, such as 10s (default: none)",
        parse=_checked(time_bin), metavar="BIN")
    channel_bin: str | None = setting(
        None, "width of a channel bin, such as 4MHz (default: none)",
        parse=_checked(channel_bin), metavar="BIN")


RUN_IMAGES = "residual_images"
"""Folder of the images among the products of a run."""
LARGEST_FIELD = 1024
"""Most pixels along a side of the image of the field."""


@dataclass(frozen=True)
class RunImageSettings:
    """Images of the residual visibilities: field, snapshots, and each detection's difference."""

    images: bool = setting(True, "make images, which confirm detections and measure where they are")
    snapshots: int = setting(
        "16", "number of snapshots, of about equal length, for the light curve from images; "
        "those of scans where there are as many scans", parse=_count)


@dataclass(frozen=True)
class RunSettings:
    """How the run goes."""

    stream: bool = setting(False, "keep no visibilities in chunk files, for data too large to copy")
    fresh: bool = setting(False, "make everything again, also what an earlier run finished")
    deadline: float | None = setting(
        None, "time after which no further chunk begins, such as 3.9h; the exit code is then 75 "
        "and the same command goes on", parse=_deadline, metavar="TIME")
    replace: bool = setting(
        False, "replace the products of another target in OUT; its chunk files are used again")
    write_residual: str | None = setting(
        None, "write a new measurement set for other imagers: the rows of the field that are used, "
        "the sky model without the target subtracted, as DATA", metavar="NEW.ms")
    ranks: int | None = setting(
        None, "start under mpiexec with so many ranks", parse=_ranks, metavar="RANKS", short="-n")


STAGES = {"read": ReadSettings, "target": TargetSettings, "model": ModelSettings,
          "beam": PrimaryBeamSettings, "flag": FlagSettings,
          "average": AverageSettings, "detect": DetectSettings, "match": MatchSettings,
          "image": RunImageSettings, "plot": PlotSettings, "run": RunSettings}

