"""Tables of matches as files."""

import contextlib
import os
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from visds.core.errors import SettingsError
from visds.core.files import whole_file

FORMATS = {".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".fits": "fits", ".vot": "votable",
           ".xml": "votable"}


def table_format(path: str | os.PathLike) -> str:
    """Return the format that a file's suffix asks for.

    Raises
    ------
    SettingsError
        If it is none of .ecsv, .csv, .fits, .vot, .xml.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise SettingsError(f"cannot tell the format of {path}: expected a name that ends in "
                            + ", ".join(FORMATS))
    return FORMATS[suffix]


def write_matches(path: str | os.PathLike, table: Table) -> None:
    """Write a table of matches, whole or not at all; CSV has no units and no metadata.

    Raises
    ------
    SettingsError
        If the suffix is not known.
    OutputError
        If the file cannot be written.
    """
    format = table_format(path)
    table = _in_standard_units(table)
    if format == "fits":
        table = _for_fits(table)
    with whole_file(path) as part, warnings.catch_warnings():
        # Units of carried columns that are outside the standards are written as they are.
        warnings.simplefilter("ignore", AstropyWarning)
        table.write(part, format=format, overwrite=True)


def _in_standard_units(table: Table) -> Table:
    """Return a copy whose units, such as the FITS column's 'year', are spelled as they should be.

    What is no unit in any spelling stays as it is.
    """
    copy = table.copy()
    for name in copy.colnames:
        if isinstance(copy[name].unit, u.UnrecognizedUnit):
            with contextlib.suppress(ValueError):
                copy[name].unit = u.Unit(str(copy[name].unit))
    return copy


def _for_fits(table: Table) -> Table:
    """Return a copy that FITS can hold: ASCII text, and metadata as comments."""
    copy = table.copy()
    copy.meta = {"comments": [f"{key} = {value}" for key, value in table.meta.items()]}
    for name in copy.colnames:
        if copy[name].dtype.kind == "U":
            ascii_text = np.char.encode(np.ma.filled(copy[name], ""), "ascii", "backslashreplace")
            copy.replace_column(name, ascii_text)
    return copy
