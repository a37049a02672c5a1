"""visds-match: match a catalogue or detections with other catalogues."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.catalogue import Catalogue
from visds.core.catalogue_files import read_table
from visds.core.catalogue_mapping import check_column_mapping
from visds.core.epoch import julian_year
from visds.core.errors import ExitCode, OutputError, SettingsError
from visds.core.plural import counted
from visds.core.program import run_program
from visds.core.settings import Parser, setting
from visds.crossmatch.match import Matches
from visds.crossmatch.matches_file import table_format, write_matches
from visds.crossmatch.settings import MatchSettings
from visds.crossmatch.several import match_each, matches_table, read_catalogues

_DESCRIPTION = """\
Match a catalogue, or detections, with other catalogues: all pairs within a radius, the best of each
source by its separation in units of the joint error, and the probability that it is a chance
alignment, from the other catalogue's sources around it. Files are VOTable, FITS, ECSV or CSV, told
by their content. With an epoch, sources are moved to it by their proper motions first."""

_EXAMPLES = """\
columns:
  Usual column names are found by themselves (RA, RAJ2000, ra_deg, RA_ICRS, e_RAJ2000, pmRA ...). A
  mapping names others: ra, dec, name, ra_error, dec_error, position_error (for both axes), pm_ra,
  pm_dec, epoch, flux_density, flux_density_error, each =COLUMN or =NUMBER, with :UNIT where the
  file has none, and frame=icrs|galactic|fk4. Errors in right ascension and pm_ra are on the sky,
  with cos(dec). Errors and flux densities without a unit are not used.

examples:
  visds-match detections.ecsv --catalogue gaia.vot nvss.fits -o matches.ecsv
  visds-match vlass.csv --left-columns ra_error=E_RA:deg,dec_error=E_DEC:deg \\
              --catalogue first=first.fits --radius 3arcsec
  visds-match stars.csv --catalogue gaia=gaia.csv --columns gaia:epoch=2016.0 --epoch 2019-06-22
"""
_ROWS_SHOWN = 20


@dataclass(frozen=True)
class LeftSettings:
    """The catalogue whose sources are to be matched."""

    left_columns: str | None = setting(
        None, "columns of the left catalogue, as --columns for the others", metavar="MAPPING")
    epoch: float | None = setting(
        None, "Julian year or date to which sources are moved by their proper motions; taken from "
        "the detections' own epoch_jyear where not given", parse=julian_year, metavar="EPOCH")


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-match and return its exit code."""
    return run_program("visds-match", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    parser = Parser("visds-match", _DESCRIPTION, {"left": LeftSettings, "match": MatchSettings},
                    epilog=_EXAMPLES)
    parser.argparse.add_argument("left", metavar="LEFT", help="catalogue or detections")
    parser.argparse.add_argument("-o", "--out", metavar="FILE",
                                 help="table of the matches: .ecsv, .csv, .fits, .vot or .xml")
    arguments, settings = parser.parse(argv)
    if not settings["match"].catalogue:
        raise SettingsError("--catalogue is missing: nothing to match with")
    check_column_mapping("--left-columns", settings["left"].left_columns)
    if arguments.out:
        table_format(arguments.out)
        _refuse_input(arguments.out, [arguments.left, *settings["match"].catalogue])
    if _is_empty(arguments.left):
        table = matches_table({}, settings["match"])
        print(f"{arguments.left}: no sources, no matches")
        if arguments.out:
            write_matches(arguments.out, table)
            print(f"{arguments.out}: no matches")
        return ExitCode.OK
    left = Catalogue.read(arguments.left, settings["left"].left_columns)
    epoch = settings["left"].epoch
    if epoch is None and "epoch_jyear" in left.table.meta:
        epoch = julian_year(left.table.meta["epoch_jyear"])
    catalogues = read_catalogues(settings["match"])
    matches = match_each(left, catalogues, settings["match"], epoch)
    table = matches_table(matches, settings["match"], epoch)
    print(summary(left, matches, settings["match"], epoch))
    if arguments.out:
        write_matches(arguments.out, table)
        print(f"\n{arguments.out}: {counted(len(table), 'match', 'es')}")
    elif len(table):
        best = table[table["best"]]
        print("", *_lines(best[:_ROWS_SHOWN]), sep="\n")
        if len(best) > _ROWS_SHOWN:
            print(f"... and {len(best) - _ROWS_SHOWN} more; -o FILE writes all")
    return ExitCode.OK


def _is_empty(path: str) -> bool:
    """Whether a file is a table of detections without a row: a quiet star is no error."""
    table = read_table(path, may_be_empty=True)
    return not len(table) and "false_alarm_probability" in table.colnames


def summary(left: Catalogue, matches: Mapping[str, Matches], settings: MatchSettings,
            epoch: float | None) -> str:
    """Return what was matched, how often, how often by chance, and what to know about it."""
    when = "positions as they are (no epoch)" if epoch is None else f"epoch {epoch:.3f}"
    lines = [f"{left.source}: {counted(len(left), 'source')}, {when}, "
             f"radius {settings.radius:g} arcsec", ""]
    width = max([len("catalogue"), *map(len, matches)])
    lines.append(f"{'catalogue':{width}}  {'sources':>8}  {'pairs':>8}  {'matched':>8}  "
                 f"{'by chance':>9}")
    for name, found in matches.items():
        chance = found.chance_within_radius
        expected = f"{np.nansum(chance):.2f}" if np.isfinite(chance).any() else "unknown"
        lines.append(f"{name:{width}}  {len(found.right_catalogue):>8}  {len(found):>8}  "
                     f"{int(found.best.sum()):>8}  {expected:>9}")
    notes = [f"{left.source}: {note}" for note in left.notes]
    notes += [f"{left.source}: position {found.position()}" for found in [*matches.values()][:1]
              if found.position()]
    for name, found in matches.items():
        right = found.right_catalogue
        notes += [f"{name}: {note}" for note in right.notes]
        if found.unknown_chance():
            notes.append(f"{name}: {found.unknown_chance()}")
    for label, catalogue in [(left.source, left),
                             *((name, found.right_catalogue) for name, found in matches.items())]:
        notes += _assumptions(label, catalogue, settings, epoch)
    return "\n".join(lines + ([""] if notes else []) + [f"note: {note}" for note in notes])


def _assumptions(label: str, catalogue: Catalogue, settings: MatchSettings,
                 epoch: float | None) -> list[str]:
    notes = []
    unknown = int(np.sum(np.isnan(catalogue.ra_error) | np.isnan(catalogue.dec_error)))
    if unknown:
        share = "all" if unknown == len(catalogue) else f"{unknown} of {len(catalogue)}"
        notes.append(f"{label}: {share} sources have no position error and are given "
                     f"{settings.position_error:g} arcsec (--position-error)")
    if epoch is None and np.any(np.nan_to_num(catalogue.pm_ra) != 0):
        notes.append(f"{label}: proper motions are not applied, for there is no epoch (--epoch)")
    return notes


def _lines(table) -> list[str]:
    shown = table["catalogue", "left_name", "right_name", "separation_arcsec",
                  "normalized_separation", "chance_probability"]
    shown["separation_arcsec"].info.format = ".3f"
    shown["normalized_separation"].info.format = ".2f"
    shown["chance_probability"].info.format = ".2g"
    return shown.pformat(max_width=-1, max_lines=-1, show_unit=False)


def _refuse_input(output: str, inputs: list[str]) -> None:
    for written in inputs:
        path = Path(written if Path(written).exists() else written.partition("=")[2])
        if path.exists() and Path(output).exists() and path.samefile(output):
            raise OutputError(f"{output} is an input and would be overwritten")


if __name__ == "__main__":
    raise SystemExit(main())
