"""Tables out of catalogue files: VOTable, FITS, ECSV or CSV, told apart by what is in them."""

import csv
import gzip
import itertools
import os
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from xml.parsers.expat import ExpatError

import yaml
from astropy.io import ascii as text_tables
from astropy.io import fits, votable
from astropy.table import Table

from visds.core.errors import CatalogueError

_HEAD_BYTES = 65536
_NUMBER = re.compile(r"[-+]?\d[\d.: ]*")
_DELIMITERS = ",\t;|"
_MISSING = ("", "nan", "NaN", "NULL", "null", "--", "N/A")
# What astropy's readers raise for files that are cut short or not what they began as.
_BROKEN = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, SyntaxError,
           EOFError, OverflowError, zlib.error, ExpatError, yaml.YAMLError)


def read_table(path: str | os.PathLike, *, may_be_empty: bool = False) -> Table:
    """Return the table in a catalogue file, whatever its suffix; gzip is undone.

    Missing values are masked. Units that are not in the standards are kept as they are written.
    Comments of FITS headers and of CSV above the column names are in ``meta["comments"]``.
    Columns of a VOTable that refer to a coordinate system have it in their
    ``meta["coordinate_system"]`` as (system, epoch).

    Raises
    ------
    CatalogueError
        If the file is missing, empty, broken, or none of these formats, or the table has no row
        (unless it may be empty).
    """
    path = Path(path)
    head = _head(path)
    reader = _reader(path, head)
    try:
        with warnings.catch_warnings():
            # Units and dates outside the standards: what matters of them is read by ourselves.
            warnings.simplefilter("ignore")
            table = reader(path)
    except CatalogueError:
        raise
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CatalogueError(f"{path} cannot be read: {reason}") from error
    if len(table) == 0 and not may_be_empty:
        raise CatalogueError(f"{path} has no rows")
    return table


def _head(path: Path) -> bytes:
    if path.is_dir():
        inside = path / "detections.ecsv"
        raise CatalogueError(f"{path} is a folder, expected a table in a file"
                             + (f", as {inside}" if inside.is_file() else ""))
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if _is_gzip(head):
            with gzip.open(path, "rb") as stream:
                head = stream.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise CatalogueError(f"cannot read {path}: "
                             f"{getattr(error, 'strerror', None) or error}") from error
    if not head.strip():
        raise CatalogueError(f"{path} is empty")
    return head.removeprefix(b"\xef\xbb\xbf")


def _is_gzip(head: bytes) -> bool:
    return head.startswith(b"\x1f\x8b")


def _reader(path: Path, head: bytes):
    start = head.lstrip()[:1000].lower()
    if head.startswith(b"SIMPLE  ="):
        return _read_fits
    if b"<votable" in head.lower():
        return _read_votable
    if start.startswith((b"<!doctype html", b"<html")):
        raise CatalogueError(f"{path} is a web page, not a catalogue")
    if start.startswith(b"<"):
        raise CatalogueError(f"{path} is XML but not a VOTable")
    if start.startswith(b"# %ecsv"):
        return _read_ecsv
    if b"\0" in head or not _is_text(head):
        raise CatalogueError(f"{path} is not a catalogue: expected VOTable, FITS, ECSV or CSV")
    return _read_csv


def _is_text(head: bytes) -> bool:
    # The last character may be cut in the middle.
    return any(_decodes(head[:len(head) - cut]) for cut in range(4))


def _decodes(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _read_fits(path: Path) -> Table:
    with fits.open(path) as file:
        tables = [n for n, hdu in enumerate(file)
                  if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))]
        if not tables:
            shapes = [" x ".join(map(str, hdu.shape)) for hdu in file if hdu.shape]
            content = f"an image of {shapes[0]} values" if shapes else "no data"
            raise CatalogueError(f"{path} is a FITS file without a table: it holds {content}, and "
                                 "nothing names its columns")
        return Table.read(file, hdu=tables[0], format="fits")


def _read_votable(path: Path) -> Table:
    document = votable.parse(path, verify="ignore")
    for info in _infos(document):
        if info.name == "QUERY_STATUS" and info.value.upper() == "ERROR":
            reason = " ".join((info.content or "no reason given").split())[:200]
            raise CatalogueError(f"{path} holds the error of a service, not a catalogue: {reason}")
    first = next(iter(document.iter_tables()), None)
    if first is None:
        raise CatalogueError(f"{path} is a VOTable document without a table")
    table = first.to_table(use_names_over_ids=True)
    systems = {system.ID: system for system in document.iter_coosys()}
    for name, field in zip(table.colnames, first.fields, strict=True):
        if field.ref in systems:
            system = systems[field.ref]
            table[name].meta["coordinate_system"] = (system.system, system.epoch)
    return table


def _infos(document) -> list:
    return [info for holder in [document, *document.resources] for info in holder.infos]


def _read_ecsv(path: Path) -> Table:
    return Table.read(path, format="ascii.ecsv")


def _read_csv(path: Path) -> Table:
    with open(path, "rb") as stream:
        opened = gzip.open if _is_gzip(stream.read(2)) else open
    with opened(path, "rt", encoding="utf-8-sig") as stream:
        lines = stream.read().splitlines()
    header, first_row = _header(lines)
    delimiter = max(_DELIMITERS, key=header.count)
    if not header.count(delimiter):
        delimiter = " "
    names = _column_names(header, delimiter)
    body = [line for line in lines[first_row:] if line.strip() and not line.startswith("#")]
    if not body:
        raise CatalogueError(f"{path} has no rows{without_names(names)}")
    cells = _column_names(body[0], delimiter)
    if len(cells) > len(names) and delimiter == "," and _are_decimal_commas(cells):
        raise CatalogueError(f"{path}: {len(cells)} cells in the first row and {len(names)} names "
                             "of columns: decimal commas in a file whose columns are parted by "
                             "commas cannot be told: write points")
    table = text_tables.read(
        body, format="no_header", names=names, delimiter=delimiter, guess=False,
        fast_reader=True, fill_values=[(text, "0") for text in _MISSING])
    table.meta["comments"] = [line.removeprefix("#").strip() for line in lines[:first_row]
                              if line.startswith("#")]
    return table


def without_names(columns: Sequence[str]) -> str:
    """Return a hint, for the end of a message, that the names of columns are missing, or ""."""
    number = next((name for name in columns if _NUMBER.fullmatch(name)), None)
    return "" if number is None else (
        f" ('{number}' is hardly a name of a column: is a first line such as name,ra,dec missing?)")


def _are_decimal_commas(cells: list[str]) -> bool:
    """Return whether a number may have been cut in two: digits after an integer."""
    return any(re.fullmatch(r"[-+]?\d+", one) and re.fullmatch(r"\d+", other)
               for one, other in itertools.pairwise(cells))


def _header(lines: list[str]) -> tuple[str, int]:
    """Return the header line and the number of the first line after it.

    The header is the first line that is no comment, or the last comment where numbers follow.
    """
    first = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")),
                 len(lines))
    begins_with_number = first < len(lines) and re.match(r"\s*[-+]?\.?\d", lines[first])
    if first > 0 and lines[first - 1].startswith("#") and (begins_with_number
                                                           or first == len(lines)):
        return lines[first - 1].removeprefix("#"), first
    return (lines[first], first + 1) if first < len(lines) else ("", first)


def _column_names(header: str, delimiter: str) -> list[str]:
    split = header.split() if delimiter == " " else next(csv.reader([header], delimiter=delimiter))
    names = [name.strip() for name in split]
    return [name or f"column_{n}" for n, name in enumerate(names, 1)]
