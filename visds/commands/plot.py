"""visds-plot: draw dynamic spectra and light curves from the products of a run."""

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visds.core.errors import ExitCode, FormatError, SettingsError
from visds.core.files import name_of_file
from visds.core.plural import counted
from visds.core.program import run_program
from visds.core.settings import Parser, Settings, setting
from visds.dynspec.cuts import CutSettings, cut_cells, has_cuts
from visds.dynspec.flag_region import CHANNELS_SYNTAX as CHANNELS
from visds.dynspec.flag_region import SYNTAX as REGION
from visds.dynspec.flag_region import (
    ChannelRange,
    FlagRegion,
    channel_range,
    flag_region,
    flag_regions,
    usable_cells,
)
from visds.dynspec.part import PartSettings, in_band, in_bins
from visds.dynspec.plots.settings import PlotSettings
from visds.dynspec.plots.together_settings import TogetherSettings
from visds.dynspec.variability.settings import VariabilitySettings

if TYPE_CHECKING:  # what draws takes seconds to import, and mistakes are told before
    from astropy.table import Table

    from visds.dynspec.dynamic_spectrum import DynamicSpectrum
    from visds.dynspec.plots.together import Part

_DESCRIPTION = """\
Draw dynamic spectra and light curves from OUT/dynspec.h5, which visds-run makes; the measurement
set is not needed. Detections in OUT/detections.ecsv are outlined. Cells are drawn from edge to
edge; flagged ones are grey, gaps are blank. Pictures go to OUT/plots, or to the folder of -o.

Of several OUT (nights, bands), or several --target, each plot is one figure: a panel for each of
them, on one axis of time."""

_EXAMPLES = """\
examples:
  visds-plot OUT
  visds-plot OUT --plots V V/I RR LL snr:V --time-bin 30s --channel-bin 4MHz
  visds-plot OUT --plots I --flux-unit K --stellar-radius 0.4 --stellar-distance 4.97
  visds-plot OUT --flag-region scan=3,time=05:10-05:20 channels=10-20,v=5mJy --picture-format pdf
  visds-plot OUT --plots lightcurve --colour-by-polarization --mark-time 05:12:30 -o figures
  visds-plot OUT --target "AD Leo" off_001 --plots V lightcurve
  visds-plot MAY JUNE -o both --plots lightcurve --light-curves overlaid --align phase --period 2h
A value may begin with a minus sign: --flux-range -3mJy 3mJy. With '=' an option takes one value.
"""
RUN_TABLES = ("read", "target", "model", "beam", "flag", "average", "detect", "polarization",
              "match", "image", "run")
"""Tables of the settings of visds-run that are not of pictures: pictures need no casacore."""


def _scan(text: str) -> int:
    if not str(text).strip().isdigit():
        raise SettingsError(f"'{text}' is not a scan number")
    return int(text)


@dataclass(frozen=True)
class SelectSettings(PartSettings):
    """Which data are drawn, in which bins."""

    target: tuple[str, ...] = setting(
        None, "names of the directions to draw, of a run of several targets (default: the first)",
        many=True, metavar="NAME")
    cuts: bool = setting(
        True, "leave out of pictures what the cuts of the run flagged, unless others are given")
    scans: tuple[int, ...] = setting(None, "scans to draw (default: all)", parse=_scan, many=True,
                                     metavar="SCAN")
    flag_channels: tuple[ChannelRange, ...] = setting(
        None, f"channels of the product not to use: {CHANNELS}", parse=channel_range, many=True,
        metavar="CHANNELS")
    flag_region: tuple[FlagRegion, ...] = setting(
        None, f"regions not to use: {REGION}", parse=flag_region, many=True, metavar="REGION")


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-plot and return its exit code."""
    return run_program("visds-plot", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    parser = Parser("visds-plot", _DESCRIPTION,
                    {"select": SelectSettings, "cut": CutSettings, "plot": PlotSettings,
                     "variability": VariabilitySettings, "together": TogetherSettings},
                    epilog=_EXAMPLES, foreign=RUN_TABLES)
    parser.argparse.add_argument("out", metavar="OUT", nargs="+",
                                 help="folders of products, or dynspec.h5 files")
    parser.argparse.add_argument("-o", "--out", metavar="FOLDER", dest="pictures",
                                 help="folder for the pictures (default: OUT/plots)")
    arguments, settings = parser.parse(argv)
    products = [_product(Path(out)) for out in arguments.out]
    if len(products) > 1 and not arguments.pictures:
        raise SettingsError("-o FOLDER is missing: where the pictures of several OUT are to go")
    folder = Path(arguments.pictures) if arguments.pictures else products[0].parent / "plots"
    _draw(products, folder, settings, is_chosen=bool(arguments.pictures))
    for product in products:
        if _is_of_a_run(product.parent) and not (product.parent / "provenance.json").exists():
            _say(f"warning: the run in {product.parent} was not finished")
    return ExitCode.OK


def _draw(products: Sequence[Path], folder: Path, settings: Settings, *, is_chosen: bool) -> None:
    """Draw what is asked for and print the names; a folder that is not chosen gets folders."""
    from visds.dynspec.plots.draw import draw_products
    from visds.dynspec.plots.marks import times_outside
    from visds.dynspec.plots.together import draw_together
    from visds.dynspec.spectra_file import directions_of

    parts = []
    for product, target in itertools.product(products, settings["select"].target or (None,)):
        parts.append(_part(product, target, settings, is_one_of_several=len(products) > 1 or len(
            settings["select"].target) > 1))
    if not settings["select"].target:
        for product in products:
            _say_first(product)
    variability = settings["variability"]
    if len(parts) > 1:
        folder = folder if is_chosen else folder / "together"
        paths = draw_together(parts, settings["plot"], settings["together"], folder,
                              period=variability.period, epoch=variability.epoch)
    else:
        spectrum = parts[0].spectrum
        for moment in times_outside(spectrum, settings["plot"].mark_time):
            _say(f"warning: --mark-time {moment} is outside the data and not marked")
        # As visds-run does; an off-source direction is never in the place of the target.
        targets = [meta.get("target") for meta in directions_of(products[0])
                   if meta.get("role") != "off source"]
        if not is_chosen and targets != [spectrum.meta.get("target")]:
            folder /= name_of_file(str(spectrum.meta["target"]))
        paths = draw_products(spectrum, parts[0].detections, settings["plot"], folder, variability)
    for path in paths:
        print(path)
    if len(parts) == 1:
        _say_columns(parts[0].spectrum, settings["plot"])


def _say_first(product: Path) -> None:
    from visds.dynspec.spectra_file import directions_of

    first, *others = directions_of(product)
    if others:
        _say(f"{first.get('target')}, the first of {len(others) + 1} directions; --target names "
             "another")


def _part(product: Path, target: str | None, settings: Settings, *,
          is_one_of_several: bool) -> "Part":
    """Return a direction of a product as it is to be drawn, and say what was done to it."""
    from visds.dynspec.plots.together import Part

    held = _read(product, target)
    spectrum, lines = select(held, settings["select"])
    if settings["cut"].is_any or not settings["select"].cuts:
        spectrum = cut_cells(spectrum, settings["cut"])
    elif has_cuts(held) and (settings["select"].time_bin or settings["select"].channel_bin):
        lines.append("warning: the cuts of the run are of its cells and not of wider bins: give "
                     "them again to cut these")
    # The folder's name tells nights apart where nothing else does.
    name = product.parent.resolve().name
    for line in lines:
        _say(f"{name}, {spectrum.meta.get('target', '')}: {line}" if is_one_of_several else line)
    return Part(spectrum, _detections(product.parent, spectrum), name)


def _say_columns(spectrum: "DynamicSpectrum", settings: PlotSettings) -> None:
    from visds.dynspec.plots.draw import integrations_in_column

    has_columns = len(spectrum.frequency) > 1 and settings.plots != ("lightcurve",)
    column = integrations_in_column(spectrum, settings)
    if has_columns and column > 1:
        _say(f"pictures are in columns of {column} integrations, as wide as a pixel")


def _say(line: str) -> None:
    # Standard output is the list of pictures alone.
    print(f"visds-plot: {line}", file=sys.stderr)


def _read(product: Path, target: str | None) -> "DynamicSpectrum":
    from visds.dynspec.dynamic_spectrum import DynamicSpectrum

    try:
        return DynamicSpectrum.read(product, target)
    except FormatError as error:
        if product.name == "dynspec.h5":
            raise
        raise FormatError(f"{error}: give the folder that visds-run made, or its "
                          "dynspec.h5") from error


def _product(out: Path) -> Path:
    """Return the dynamic spectrum that OUT stands for, or raise FormatError."""
    if not out.exists():
        raise FormatError(f"{out} does not exist (expected a folder made by visds-run)")
    return _product_in(out) if out.is_dir() else out


def _product_in(folder: Path) -> Path:
    """Return the dynamic spectrum of a folder, or raise FormatError that says what is there."""
    product = folder / "dynspec.h5"
    if not product.exists():
        if (folder / "table.dat").is_file():
            raise FormatError(f"{folder} is a measurement set: run visds-run first")
        if _is_of_a_run(folder):
            raise FormatError(f"the run in {folder} is not finished: give the same visds-run "
                              "command again")
        raise FormatError(f"{folder} is not a folder that visds-run finished: it holds no "
                          "dynspec.h5")
    return product


def _is_of_a_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("settings.toml", "log.txt"))


def select(spectrum: "DynamicSpectrum",
           settings: SelectSettings) -> tuple["DynamicSpectrum", list[str]]:
    """Return the flagged, chosen and binned part of a spectrum, in this order.

    And what was flagged and binned, as lines of text.

    Raises
    ------
    SettingsError
        If a scan, channel or band is not in the spectrum.
    """
    spectrum, lines = _flagged(spectrum, settings)
    if settings.scans:
        held = np.unique(spectrum.scan)
        missing = [scan for scan in settings.scans if scan not in held]
        if missing:
            raise SettingsError(f"--scans: scan {missing[0]} is not in the spectrum (scans "
                                f"{', '.join(map(str, held))})")
        spectrum = spectrum.select_times(np.isin(spectrum.scan, settings.scans))
    spectrum = in_band(spectrum, settings)
    if not usable_cells(spectrum).any():
        lines.append("warning: there is no unflagged data to draw")
    spectrum, binned = in_bins(spectrum, settings)
    return spectrum, lines + binned


def _flagged(spectrum: "DynamicSpectrum",
             settings: SelectSettings) -> tuple["DynamicSpectrum", list[str]]:
    """Return the spectrum without the user's regions, and how much each option took."""
    lines = []
    channels = tuple(FlagRegion(channels=channels) for channels in settings.flag_channels)
    for option, regions in (("--flag-region", settings.flag_region),
                            ("--flag-channels", channels)):
        if not regions:
            continue
        try:
            spectrum, flagged = flag_regions(spectrum, regions)
        except SettingsError as error:
            raise SettingsError(f"{option}: {error}") from error
        lines += [f"warning: {option} {region.text} selects no cell" for region in flagged.idle]
        lines.append(f"{option}: flagged {flagged.number} of {counted(flagged.usable, 'cell')}")
    return spectrum, lines


def _detections(folder: Path, spectrum: "DynamicSpectrum") -> "Table | None":
    """Return the detections of a spectrum beside its product, None if there is no such file."""
    from astropy.table import Table

    path = folder / "detections.ecsv"
    if not path.is_file():
        return None
    try:
        table = Table.read(path, format="ascii.ecsv")
    except (ValueError, OSError) as error:
        raise FormatError(f"{path} cannot be read as an ECSV table: "
                          f"{str(error).splitlines()[0]}") from error
    needed = ("start", "stop", "band_low", "band_high", "polarization")
    missing = [name for name in needed if name not in table.colnames]
    if missing:
        raise FormatError(f"{path} has no column {missing[0]}: not a table of detections")
    if "target" in table.colnames:
        table = table[table["target"] == str(spectrum.meta.get("target", ""))]
    return table


if __name__ == "__main__":
    raise SystemExit(main())
