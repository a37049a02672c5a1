"""CSV: text tables without metadata, whose columns carry their units in their names."""

import os

from astropy.table import Table

from visds.core.files import whole_file

_SCALES = {"time": "time_mjd_utc", "time_barycentre": "time_barycentre_mjd_tdb"}


def write_csv(table: Table, path: str | os.PathLike) -> None:
    """Write a table of `columns` as CSV, every number to its last digit, NaN as ``nan``.

    A column is named with its unit: `time_mjd_utc`, `integration_s`, `frequency_Hz`, `I_Jy`,
    `I_sigma_Jy`, `covariance_Jy2`. The last column, `target`, is the name of the target.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    named = Table(table, copy=False)
    for name in table.colnames:
        unit = table[name].unit
        named.rename_column(name, _SCALES.get(name, f"{name}_{unit}" if unit else name))
    if "target" in table.meta:
        named["target"] = str(table.meta["target"])
    with whole_file(path) as part:
        named.write(part, format="ascii.csv", overwrite=True)
