"""Tables of several targets as one, with the name of the target in front."""

import io
import itertools
from collections.abc import Sequence
from pathlib import Path

from astropy.table import Column, Table, vstack

from visds.core.files import whole_file


def joined(tables: Sequence[tuple[str, Table]]) -> Table:
    """Return the tables of several targets as one, with the name of the target in front.

    What the metadata say is that of the first target, and, where there are more, under `targets`
    that of each.
    """
    named = [_named(name, table) for name, table in tables]
    table = vstack(named, metadata_conflicts="silent") if len(named) > 1 else named[0]
    for name in table.colnames:
        table[name].description = named[0][name].description
    table.meta = dict(tables[0][1].meta)
    if len(tables) > 1:
        table.meta["targets"] = {name: dict(one.meta) for name, one in tables}
    return table


def write_joined(tables: Sequence[tuple[str, Table]], path: Path) -> None:
    """Write the `joined` tables of several targets to an ECSV file.

    One after the other: the text of the light curves of a thousand targets takes gigabytes.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with whole_file(path) as part, part.open("w") as file:
        file.write(_ecsv(joined([(name, table[:0]) for name, table in tables])))
        for name, table in tables:
            bare = _named(name, table)
            bare.meta.clear()
            rows = itertools.dropwhile(lambda line: line.startswith("#"),
                                       _ecsv(bare).splitlines(keepends=True))
            next(rows)  # the names of the columns
            file.writelines(rows)


def _named(name: str, table: Table) -> Table:
    table = table.copy()
    column = Column([name] * len(table), dtype="U128", description="name of the target")
    table.add_column(column, name="target", index=0)
    return table


def _ecsv(table: Table) -> str:
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()
