"""One catalogue against several: reading them by the settings, and one table of all matches."""

import re
from collections.abc import Mapping
from pathlib import Path

from astropy.table import Table, TableMergeError, vstack

from visds.core.catalogue import Catalogue
from visds.core.catalogue_mapping import check_column_mapping
from visds.core.errors import CatalogueError
from visds.core.log import logger
from visds.crossmatch.match import Matches, match
from visds.crossmatch.settings import MatchSettings


def read_catalogues(settings: MatchSettings) -> dict[str, Catalogue]:
    """Return the catalogues that the settings name, by name: ``NAME=FILE``, or the file's stem.

    Raises
    ------
    CatalogueError
        If one cannot be read, two have the same name, or a column mapping is for none of them.
    """
    files = dict(_named_files(settings.catalogue))
    if len(files) < len(settings.catalogue):
        names = [name for name, _ in _named_files(settings.catalogue)]
        twice = next(name for name in names if names.count(name) > 1)
        raise CatalogueError(f"two catalogues are called '{twice}'; name them as NAME=FILE")
    mappings = _mappings(settings.columns, list(files))
    for mapping in mappings.values():
        check_column_mapping("--columns", mapping)
    return {name: Catalogue.read(path, mappings[name]) for name, path in files.items()}


def _named_files(written: tuple[str, ...]) -> list[tuple[str, str]]:
    named = []
    for item in written:
        name, equals, path = item.partition("=")
        if not equals or Path(item).exists():
            name, path = re.sub(r"(\.(fits?|vot|votable|xml|ecsv|csv|tsv|txt|dat|gz))+$", "",
                                Path(item).name, flags=re.IGNORECASE), item
        named.append((name, path))
    return named


def _mappings(written: tuple[str, ...], names: list[str]) -> dict[str, str | None]:
    """Return the column mapping of each catalogue; one without a name is for all of them."""
    mappings: dict[str, str | None] = dict.fromkeys(names)
    own: dict[str, str] = {}
    for item in written:
        name, colon, rest = item.partition(":")
        if not colon or "=" in name:
            mappings = {n: ",".join(filter(None, (m, item))) for n, m in mappings.items()}
        elif name in names:
            own[name] = ",".join(filter(None, (own.get(name), rest)))
        else:
            raise CatalogueError(f"--columns: '{item}' is for no catalogue: there are "
                                 + ", ".join(names))
    return {n: ",".join(filter(None, (m, own.get(n)))) or None for n, m in mappings.items()}


def check_match(catalogues: Mapping[str, Catalogue], settings: MatchSettings,
                epoch: float) -> None:
    """Raise CatalogueError for what would end a match with catalogues, before there is a left one.

    That is a proper motion without an epoch, or a column that cannot be carried.
    """
    match_all(Catalogue(ra=[], dec=[]), catalogues, settings, epoch)


def match_each(left: Catalogue, catalogues: Mapping[str, Catalogue],
               settings: MatchSettings | None = None,
               epoch: float | None = None) -> dict[str, Matches]:
    """Return the matches of one catalogue with each of several, by name (see `match`)."""
    return {name: match(left, right, settings, epoch) for name, right in catalogues.items()}


def match_all(left: Catalogue, catalogues: Mapping[str, Catalogue],
              settings: MatchSettings | None = None, epoch: float | None = None) -> Table:
    """Return the matches of one catalogue with several as one table (see `matches_table`)."""
    settings = settings or MatchSettings()
    return matches_table(match_each(left, catalogues, settings, epoch), settings, epoch)


def matches_table(matches: Mapping[str, Matches], settings: MatchSettings,
                  epoch: float | None = None) -> Table:
    """Return one row per pair of all catalogues, in the order of the catalogues.

    Parameters
    ----------
    matches : mapping of str to Matches
        As from `match_each`; with none the table has the columns all the same, and no row.
    settings : MatchSettings
        `carry` names columns of the right catalogues to add; each must be in at least one, and
        is masked for the others.
    epoch : float, optional
        Julian year of the positions; it goes to the metadata with the search radius, and with
        the reason why chance probabilities are unknown, by catalogue, where some are, and what
        a table of detections says of its positions.

    Raises
    ------
    CatalogueError
        If a carried column is in no catalogue, or of another unit or type in the next one.
    """
    tables = []
    if not matches:
        nothing = Catalogue(ra=[], dec=[])
        tables.append(match(nothing, nothing, settings).to_table(""))
    for column in settings.carry if matches else ():
        holders = [m.right_catalogue for m in matches.values()
                   if column in m.right_catalogue.table.colnames]
        if not holders:
            # Raises with the nearest name in the first catalogue.
            next(iter(matches.values())).to_table(carry=(column,))
        units = {str(catalogue.table[column].unit) for catalogue in holders}
        if len(units) > 1:
            raise CatalogueError(f"column '{column}' cannot be carried from several catalogues: "
                                 f"its units differ ({', '.join(sorted(units))})")
    for name, found in matches.items():
        carry = [c for c in settings.carry if c in found.right_catalogue.table.colnames]
        tables.append(found.to_table(name, tuple(carry)))
    try:
        table = vstack(tables, metadata_conflicts="silent")
    except TableMergeError as error:
        raise CatalogueError("columns of the same name cannot be carried from several catalogues: "
                             f"{' '.join(str(error).split())}") from error
    table.meta.clear()
    table.meta["radius_arcsec"] = settings.radius
    if epoch is not None:
        table.meta["epoch_jyear"] = epoch
    position = next(filter(None, (found.position() for found in matches.values())), None)
    if position:
        table.meta["left_position"] = position
    unknown = {name: found.unknown_chance() for name, found in matches.items()}
    if any(unknown.values()):
        table.meta["unknown_chance"] = {name: why for name, why in unknown.items() if why}
    return table


def match_detections(detections: Table, catalogues: Mapping[str, Catalogue],
                     settings: MatchSettings, epoch: float) -> Table:
    """Return the matches of a table of detections with catalogues, at the epoch of observation.

    The table has its columns also when there is no detection or no catalogue.
    """
    if not len(detections):
        return matches_table({}, settings, epoch)
    left = Catalogue.from_table(detections, source="detections")
    table = match_all(left, catalogues, settings, epoch)
    for name, why in table.meta.get("unknown_chance", {}).items():
        logger.info("catalogue %s: %s", name, why)
    return table
