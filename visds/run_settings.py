"""Settings of visds-run that belong to no room: bins, images, how the run goes."""

import functools
import math
from dataclasses import dataclass

from visds.core import quantities
from visds.core.errors import SettingsError
from visds.core.quantities import bare_number, channel_bin, time_bin
from visds.core.settings import setting
from visds.crossmatch.settings import MatchSettings
from visds.dynspec.cuts import CutSettings
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.variability.settings import VariabilitySettings
from visds.target_settings import TargetSettings
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
        raise SettingsError(f"'{text}' is not a number of snapshots: the image of the field is "
                            "their mean, so it takes 1 or more; --no-images makes no image")
    return int(text)


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
          "average": AverageSettings, "detect": DetectSettings,
          "polarization": PolarizationSettings, "variability": VariabilitySettings,
          "cut": CutSettings, "match": MatchSettings, "image": RunImageSettings,
          "plot": PlotSettings, "run": RunSettings}

