"""visds-export: the products of a run in the formats of other tools."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from astropy.table import Table

from visds.core.errors import ExitCode, OutputError, SettingsError
from visds.core.files import make_folder, name_of_file
from visds.core.program import run_program
from visds.core.settings import Parser, setting
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.exchange.columns import light_curve_table, spectrum_table
from visds.dynspec.exchange.csv import write_csv
from visds.dynspec.exchange.dstools import write_dstools
from visds.dynspec.exchange.ecsv import write_ecsv
from visds.dynspec.exchange.fits_table import write_fits_table
from visds.dynspec.exchange.time_series import time_series, write_time_series
from visds.dynspec.exchange.votable import write_votable
from visds.dynspec.fits import write_fits
from visds.dynspec.part import PartSettings, in_band, in_bins
from visds.dynspec.spectra_file import directions_of, number_of, read_spectrum

_DESCRIPTION = """\
Write the dynamic spectrum or the light curve in OUT/dynspec.h5, which visds-run makes, in a format
of other tools. Flux densities are in Jy, errors beside them, NaN where flagged; times are MJD UTC
at the telescope, and TDB at the barycentre beside them. The name of the file is printed."""

_EXAMPLES = """\
formats:
  fits        dynamic spectrum as images with coordinates, of all directions where --target names
              none; light curve as a table
  ecsv        a table that astropy reads with units; of a dynamic spectrum a row a cell
  votable     the same for TOPCAT, Aladin and the Virtual Observatory, with UCDs
  csv         the same for everything else, the units in the names of the columns
  timeseries  light curve of one Stokes parameter as columns time, flux, flux_err, in ECSV: for
              astropy.timeseries, lightkurve and stingray (TimeSeries.read, LightCurve.read)
  dstools     dynamic spectrum as HDF5 of dstools 2.0 (dstools-plot-ds); dstools itself gives U of
              circular feeds the wrong sign, not the file

examples:
  visds-export OUT --to votable --light-curve
  visds-export OUT --to csv --target "UV Cet" --time-bin 1min --channel-bin 8MHz -o uvcet.csv
  visds-export OUT --to timeseries --polarization V --barycentre
  visds-export OUT --to dstools -o star.h5 && dstools-plot-ds -d -s V star.h5
"""
_SUFFIXES = {"fits": ".fits", "ecsv": ".ecsv", "votable": ".vot", "csv": ".csv",
             "timeseries": ".timeseries.ecsv", "dstools": ".h5"}
_FORMATS = {suffix: name for name, suffix in _SUFFIXES.items()} | {".xml": "votable"}
_TABLES: dict[str, Callable[[Table, Path], None]] = {
    "fits": write_fits_table, "ecsv": write_ecsv, "votable": write_votable, "csv": write_csv}


@dataclass(frozen=True)
class ExportSettings(PartSettings):
    """What is written, and how."""

    to: str | None = setting(None, "format: fits, ecsv, votable, csv, timeseries or dstools "
                             "(default: what the suffix of -o FILE tells)",
                             choices=tuple(_SUFFIXES), metavar="FORMAT")
    target: str | None = setting(
        None, "name of the direction, of a run of several targets (default: the first)",
        metavar="NAME")
    light_curve: bool = setting(False, "the light curve, not the dynamic spectrum")
    polarization: str = setting("I", "Stokes parameter of a timeseries",
                                choices=("I", "Q", "U", "V"))
    barycentre: bool = setting(
        False, "let the time of a timeseries be TDB at the barycentre, as for periods")


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-export and return its exit code."""
    return run_program("visds-export", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    parser = Parser("visds-export", _DESCRIPTION, {"export": ExportSettings}, epilog=_EXAMPLES)
    parser.argparse.add_argument("out", metavar="OUT",
                                 help="folder of products, or a dynspec.h5 file")
    parser.argparse.add_argument(
        "-o", "--out", metavar="FILE", dest="file",
        help="file to write (default: OUT/exports/TARGET.dynspec or .lightcurve, and the suffix of "
             "the format)")
    arguments, settings = parser.parse(argv)
    chosen: ExportSettings = settings["export"]
    if chosen.to is None:
        chosen = replace(chosen, to=_format_of(arguments.file))
    is_curve = chosen.light_curve or chosen.to == "timeseries"
    if chosen.to == "dstools" and chosen.light_curve:
        raise SettingsError("--light-curve: dstools has no files of light curves; it makes them of "
                            "the dynamic spectrum")
    product = Path(arguments.out)
    product = product / "dynspec.h5" if product.is_dir() else product
    directions = directions_of(product)
    first = 0 if chosen.target is None else number_of(product, chosen.target)
    holds_all = chosen.to == "fits" and not is_curve and chosen.target is None
    of = "all_directions" if holds_all and len(directions) > 1 else name_of_file(
        str(directions[first].get("target", "")))
    name = of + (".lightcurve" if is_curve else ".dynspec") + _SUFFIXES[chosen.to]
    path = Path(arguments.file) if arguments.file else product.parent / "exports" / name
    _refuse_product(path, product)
    spectrum = _selected(product, first, chosen)
    if not arguments.file:
        make_folder(path.parent)
    if chosen.to == "fits" and not is_curve:
        numbers = range(len(directions)) if holds_all else [first]
        write_fits((spectrum if number == first else _selected(product, number, chosen)
                    for number in numbers), path)
    else:
        _write(spectrum, chosen, path, is_curve=is_curve)
        if len(directions) > 1 and chosen.target is None:
            print(f"visds-export: {directions[first].get('target')}, the first of "
                  f"{len(directions)} directions; --target names another", file=sys.stderr)
    print(path)
    return ExitCode.OK


def _format_of(file: str | None) -> str:
    """Return the format that the name of a file asks for."""
    if file is None:
        raise SettingsError(f"--to is missing: one of {', '.join(_SUFFIXES)}; or -o FILE, whose "
                            "suffix tells it")
    # The longest first: a .timeseries.ecsv is an .ecsv too.
    for suffix in sorted(_FORMATS, key=len, reverse=True):
        if file.lower().endswith(suffix):
            return _FORMATS[suffix]
    raise SettingsError(f"cannot tell the format of {file}: give --to, or a name that ends in "
                        + ", ".join(_FORMATS))


def _selected(product: Path, number: int, chosen: ExportSettings) -> DynamicSpectrum:
    """Return the part of a direction's spectrum that is asked for, in its bins."""
    return in_bins(in_band(read_spectrum(product, number), chosen), chosen)[0]


def _write(spectrum: DynamicSpectrum, chosen: ExportSettings, path: Path, *,
           is_curve: bool) -> None:
    if chosen.to == "timeseries":
        if chosen.polarization not in spectrum.polarizations:
            raise SettingsError(f"--polarization: Stokes {chosen.polarization} is not in this "
                                f"spectrum; it holds {', '.join(spectrum.polarizations)}")
        series = time_series(spectrum.light_curve(), chosen.polarization,
                             barycentre=chosen.barycentre)
        write_time_series(series, spectrum.meta, path)
    elif chosen.to == "dstools":
        write_dstools(spectrum, path)
    else:
        table = light_curve_table(spectrum) if is_curve else spectrum_table(spectrum)
        _TABLES[chosen.to](table, path)


def _refuse_product(path: Path, product: Path) -> None:
    """Keep the products of a run from being overwritten by what is made of them."""
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder, expected a file")
    if path.exists() and path.resolve().parent == product.resolve().parent:
        raise OutputError(f"{path} is beside {product.name}, among the products that it is made "
                          "of: give another name")
    if not path.parent.is_dir() and path.parent.name != "exports":
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")


if __name__ == "__main__":
    raise SystemExit(main())
