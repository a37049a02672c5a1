"""ECSV: text tables with units, descriptions and metadata, which astropy and people read."""

import os

from astropy.table import Table

from visds.core.files import whole_file


def write_ecsv(table: Table, path: str | os.PathLike) -> None:
    """Write a table of `columns` as ECSV, every number to its last digit.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with whole_file(path) as part:
        table.write(part, format="ascii.ecsv", overwrite=True)
