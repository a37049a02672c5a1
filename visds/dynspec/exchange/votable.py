"""VOTable: tables for TOPCAT, Aladin and the services of the Virtual Observatory."""

import base64
import io
import json
import os

import numpy as np
from astropy.io.votable import tree
from astropy.io.votable.table import from_table
from astropy.table import Table

from visds.core.files import whole_file
from visds.core.polarization import STOKES

_OF_AXES = {"time": "time.epoch;meta.main", "time_barycentre": "time.epoch",
            "integration": "time.duration;obs.exposure", "scan": "meta.id;obs",
            "frequency": "em.freq", "channel_width": "instr.bandwidth",
            "covariance": "stat.covariance;phot.flux.density"}
_OF_STOKES = {"": "phot.flux.density;phys.polarization.stokes.{};em.radio",
              "sigma": "stat.error;phot.flux.density;phys.polarization.stokes.{}",
              "sigma_formal": "stat.error;phot.flux.density;phys.polarization.stokes.{}",
              "sigma_robust": "stat.error;phot.flux.density;phys.polarization.stokes.{}",
              "residual": "stat.fit.residual;phot.flux.density;phys.polarization.stokes.{}",
              "count": "meta.number", "flags": "meta.code.qual"}
_PARAMETERS = {"target": "meta.id;src", "telescope": "meta.id;instr.tel",
               "ra_deg": "pos.eq.ra;meta.main", "dec_deg": "pos.eq.dec;meta.main",
               "frequency_Hz": "em.freq"}
_ROWS_AT_ONCE = 57 * 1000
"""A multiple of the bytes in a line of base64, so that no line but the last is padded."""
_SYSTEMS = {"time": "utc", "time_barycentre": "tdb"}


def ucd(column: str) -> str:
    """Return the UCD1+ of a column of `columns`; empty if it has none."""
    if column in _OF_AXES:
        return _OF_AXES[column]
    label, _, rest = column.partition("_")
    return _OF_STOKES.get(rest, "").format(label) if label in STOKES else ""


def write_votable(table: Table, path: str | os.PathLike) -> None:
    """Write a table of `columns` as a VOTable 1.4 with units, UCDs and its systems of time.

    `time` refers to a TIMESYS of UTC at the telescope, `time_barycentre` to one of TDB at the
    barycentre, both MJD. Target, position and telescope are PARAMs, other metadata INFOs; the
    description of the table names the target, too, for readers that keep no PARAM. Values are
    binary (BINARY2), which keeps every bit and NaN.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    first_row = table[:1]
    first_row.meta = {}
    document = from_table(first_row)
    document.version = "1.4"
    resource = document.resources[0]
    resource.coordinate_systems.append(tree.CooSys(ID="icrs", system="ICRS"))
    for name, scale, place in (("utc", "UTC", "TOPOCENTER"), ("tdb", "TDB", "BARYCENTER")):
        resource.time_systems.append(tree.TimeSys(
            ID=name, timescale=scale, refposition=place, timeorigin="MJD-origin",
            config={"version_1_4_or_later": True}))
    first = document.get_first_table()
    first.name = "spectrum" if "frequency" in table.colnames else "lightcurve"
    if "target" in table.meta:
        first.description = f"{first.name} of {table.meta['target']}"
    for field in first.fields:
        field.ref = _SYSTEMS.get(field.name)
        field.ucd = ucd(field.name) or None
    for name, value in table.meta.items():
        if name in _PARAMETERS:
            first.params.append(_parameter(document, name, value))
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            first.infos.append(tree.Info(name=name, value=text))
    written = io.BytesIO()
    document.to_xml(written, tabledata_format="binary2")
    head, opening, rest = written.getvalue().partition(b'<STREAM encoding="base64">')
    _, closing, tail = rest.partition(b"</STREAM>")
    with whole_file(path) as part, open(part, "wb") as file:
        file.write(head + opening + b"\n")
        for start in range(0, len(table), _ROWS_AT_ONCE):
            file.write(base64.encodebytes(_binary(table[start:start + _ROWS_AT_ONCE])))
        file.write(closing + tail)


def _binary(rows: Table) -> bytes:
    """Return rows of numbers as BINARY2: a bit a column for null, never set, and the values.

    astropy writes the same bytes one value at a time, a hundred times slower.
    """
    kinds = [("null", f"V{(len(rows.columns) + 7) // 8}")]
    kinds += [(name, rows[name].dtype.newbyteorder(">")) for name in rows.colnames]
    packed = np.zeros(len(rows), kinds)
    for name in rows.colnames:
        packed[name] = rows[name]
    return packed.tobytes()


def _parameter(document: tree.VOTableFile, name: str, value: object) -> tree.Param:
    kind = ({"datatype": "double"} if isinstance(value, float)
            else {"datatype": "unicodeChar", "arraysize": "*"})
    unit = {"ra_deg": "deg", "dec_deg": "deg", "frequency_Hz": "Hz"}.get(name)
    return tree.Param(document, name=name, ID=name, value=value, ucd=_PARAMETERS[name], unit=unit,
                      ref="icrs" if unit == "deg" else None, **kind)
