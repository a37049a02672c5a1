"""The report of a run: one page of HTML that needs nothing but itself."""

import base64
import html
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.errors import FormatError
from visds.core.files import whole_file
from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.imaginary_part import ImaginaryPart
from visds.dynspec.universal_time import date_and_time

MOST_ROWS = 200
_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
             ".svg": "image/svg+xml"}
_TAILS = ("probability", "false_alarm_probability")

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; color: #1b1b1b;
  background: #fff; font: 16px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-bottom: .2rem;
  border-bottom: 1px solid #bbb; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .2rem 1rem;
  margin: 0; }
dt { color: #555; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1rem 0 1.4rem; }
img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; vertical-align: top;
  white-space: nowrap; }
th { border-bottom: 1px solid #999; font-weight: 600; }
th .unit { font-weight: 400; color: #555; }
td { border-bottom: 1px solid #e5e5e5; }
td.words { white-space: normal; min-width: 12rem; }
.number { text-align: right; }
.warnings { border-left: 4px solid #c45500; background: #fff6ee; margin: 1rem 0;
  padding: .6rem 1rem .6rem 2rem; }
.warnings li { overflow-wrap: anywhere; }
.bad { color: #a33c00; font-weight: 600; }
pre { background: #f6f6f6; padding: .8rem; font-size: .8rem; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  img { max-height: 15cm; width: auto; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; } td, th { white-space: normal; } pre { font-size: 7pt; } }
"""


def write_report(path: str | os.PathLike, *, title: str, summary: Mapping[str, str],
                 pictures: Mapping[str, str | os.PathLike] | None = None,
                 tables: Mapping[str, Table | None] | None = None,
                 flag_statistics: Mapping[str, float] | None = None,
                 health: Mapping[str, ImaginaryPart] | None = None,
                 warnings: Sequence[str] = (), settings_text: str = "",
                 notes: Mapping[str, str] | None = None) -> None:
    """Write one self-contained HTML page: pictures within it, no network, no scripts.

    The same arguments give the same bytes.

    Parameters
    ----------
    path : path
        Of the page.
    title : str
        Its heading, e.g. the target.
    summary : dict
        What ran: command, version, inputs, data column, field, spectral windows ...; in order.
    pictures : dict
        Caption to file (png, jpg or svg), in order.
    tables : dict
        Heading to table, in order; of long ones the first 200 rows are shown. None where there is
        none to show, and the note says why.
    flag_statistics : dict
        Reason (a flag's name or other words) to fraction (0 to 1) of the visibilities; the key
        ``visibilities`` holds their number.
    health : dict
        Polarization to what its imaginary part does; see `imaginary_parts`.
    warnings : sequence of str
        Shown at the top.
    settings_text : str
        The effective settings as a TOML file.
    notes : dict
        Heading of a picture or table to a sentence that explains it.

    Raises
    ------
    FormatError
        If a picture cannot be read, or is of another kind.
    OutputError
        If the page cannot be written.
    """
    notes = notes or {}
    parts = [f"<h1>{_escape(title)}</h1>", _warnings(warnings), _definitions(summary)]
    if pictures:
        parts.append("<h2>Pictures</h2>")
        parts += [_figure(caption, Path(file), notes.get(caption, ""))
                  for caption, file in pictures.items()]
    for heading, table in (tables or {}).items():
        parts += [f"<h2>{_escape(heading)}</h2>", _note(notes.get(heading, "")),
                  "" if table is None else _table(table)]
    if health:
        parts += ["<h2>Health of the data</h2>", _health(health)]
    if flag_statistics:
        parts += ["<h2>Flags</h2>", _flags(flag_statistics)]
    if settings_text:
        parts += ["<h2>Settings</h2>", "<details open><summary>Effective settings</summary>",
                  f"<pre>{_escape(settings_text)}</pre></details>"]
    page = ("<!DOCTYPE html>\n"
            '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{_escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            + "\n".join(part for part in parts if part) + "\n</body>\n</html>\n")
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")


def scan_table(spectrum: DynamicSpectrum) -> Table:
    """Return a row per scan: number, UTC of its edges, integrations, share of unflagged cells.

    A cell is one integration and channel, of Stokes I or of the first polarization there is.
    """
    rows = []
    half = spectrum.integration / 86400 / 2
    used = np.isfinite(spectrum.flux_density[..., 0])
    for scan in dict.fromkeys(spectrum.scan.tolist()):
        chosen = spectrum.scan == scan
        start = np.min((spectrum.time - half)[chosen])
        stop = np.max((spectrum.time + half)[chosen])
        rows.append((scan, date_and_time(start), date_and_time(stop), int(chosen.sum()),
                     float(np.median(spectrum.integration[chosen])),
                     100 * float(used[chosen].mean())))
    table = Table(rows=rows, names=("scan", "start UTC", "stop UTC", "integrations", "integration",
                                    "unflagged cells"))
    for name, unit in (("integration", "s"), ("unflagged cells", "%")):
        table[name].unit = unit
    return table


def variability_table(statistics: Table) -> Table:
    """Return what the report shows of `visds.dynspec.variability.statistics`.

    The V of the Transients Pipeline is called so, beside Stokes V; ratios have three digits.
    """
    table = statistics[["polarization", "number", "mean", "mean_error", "eta", "V", "probability",
                        "eta_imaginary"]]
    for name in ("eta", "V", "eta_imaginary"):
        table[name] = [_rounded(value, 3) for value in table[name]]
    table.rename_column("V", "V (TraP)")
    return table


def _rounded(value: float, digits: int) -> float:
    """Return a number rounded to so many digits, or to a whole number if that is more."""
    if not math.isfinite(value) or value == 0:
        return float(value)
    return round(float(value), max(digits - 1 - math.floor(math.log10(abs(value))), 0))


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def _note(text: str) -> str:
    return f'<p class="note">{_escape(text)}</p>' if text else ""


def _definitions(items: Mapping[str, Any]) -> str:
    rows = "\n".join(f"<dt>{_escape(key)}</dt><dd>{_escape(value)}</dd>"
                     for key, value in items.items())
    return f"<dl>\n{rows}\n</dl>" if rows else ""


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    rows = "\n".join(f"<li>{_escape(text)}</li>" for text in warnings)
    return f'<ul class="warnings" aria-label="Warnings">\n{rows}\n</ul>'


def _figure(caption: str, file: Path, note: str) -> str:
    kind = _PICTURES.get(file.suffix.lower())
    if kind is None:
        raise FormatError(f"{file} cannot be shown in a report: expected "
                          f"{', '.join(_PICTURES)}")
    try:
        data = base64.b64encode(file.read_bytes()).decode()
    except OSError as error:
        raise FormatError(f"cannot read picture {file}: {error.strerror}") from error
    text = _escape(caption) + (f". {_escape(note)}" if note else "")
    return (f'<figure><img alt="{_escape(caption)}" src="data:{kind};base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>")


def _table(table: Table) -> str:
    if not len(table):
        return '<p class="note">None.</p>'
    heads, columns = [], []
    for name in table.colnames:
        column = table[name]
        unit = f' <span class="unit">({_escape(column.unit)})</span>' if column.unit else ""
        is_number = column.dtype.kind in "iuf"
        heads.append((f"{_escape(name)}{unit}", is_number))
        columns.append(([_text(value, name, str(column.unit)) for value in column[:MOST_ROWS]],
                        is_number))
    head = "".join(f"<th{_number(is_number)}>{text}</th>" for text, is_number in heads)
    rows = "\n".join(
        "<tr>" + "".join(f"<td{_number(is_number)}>{_escape(texts[row])}</td>"
                         for texts, is_number in columns) + "</tr>"
        for row in range(min(len(table), MOST_ROWS)))
    more = _note(f"The first {MOST_ROWS} of {len(table)} rows.") if len(table) > MOST_ROWS else ""
    return (f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody>\n</table></div>{more}")


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _text(value: Any, name: str, unit: str) -> str:
    """Return a table's value: days to a tenth of a second, other numbers to five digits.

    Probabilities have three; that of a tail is zero only by underflow.
    """
    if value is np.ma.masked:
        return ""
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
        if name in _TAILS and value == 0:
            return "< 1e-300"
        if name.endswith("probability"):
            return f"{value:.3g}"
        if unit == "d":
            return f"{value:.6f}"
        if abs(value) >= 1e4:
            return f"{value:.0f}" if abs(value) < 1e15 else f"{value:.5g}"
        return f"{value:.5g}"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _health(health: Mapping[str, ImaginaryPart]) -> str:
    rows = []
    for label, part in health.items():
        if part.number == 0:
            words = "no unflagged data"
        elif part.verdict:
            words = f'<span class="bad">{_escape(part.verdict)}</span>'
        elif part.is_noise:
            words = "as expected of noise"
        else:
            words = "off zero, if by little beside the noise of a cell: not all is noise"
        low, high = part.limits
        numbers = (f"{part.scatter:.3f}", f"{max(low, 0):.2f} to {high:.2f}",
                   f"{part.offset:+.2f} ± {part.offset_error:.2f} (scan {part.scan})",
                   ) if part.number else ("–", "–", "–")
        rows.append(f"<tr><td>{_escape(label)}</td>" + "".join(
            f'<td class="number">{_escape(number)}</td>' for number in numbers)
            + f'<td class="words">{words}</td></tr>')
    return (_note("The imaginary part of the mean visibility holds no flux density of a point "
                  "source in the target direction: in units of sigma its scatter about zero is 1, "
                  "and its mean over any scan is zero, if all is well. The scatter is 1.4826 times "
                  "the median modulus, which a few bad cells or scans do not change; the mean of a "
                  "scan tells those. A scatter from 0.8 to 1.25 passes, and one beyond by three of "
                  "its errors; so does a mean up to half a sigma of a cell, or five of its own "
                  "errors.")
            + '<div class="wide"><table>\n<thead><tr><th>polarization</th>'
              '<th class="number">scatter / sigma (from the median)</th>'
              '<th class="number">passes</th>'
              '<th class="number">farthest mean of a scan / sigma</th><th></th></tr></thead>\n'
              "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>")


def _flags(statistics: Mapping[str, float]) -> str:
    rows = "\n".join(
        f'<tr><td>{_escape(_reason(reason))}</td><td class="number">{_share(reason, value)}</td>'
        "</tr>" for reason, value in statistics.items())
    return (_note("A visibility is one baseline, integration, channel and correlation; one left "
                  "out for two reasons counts for both. The table of scans counts cells, each the "
                  "mean over all baselines: a cell is lost only where all its visibilities are.")
            + '<div class="wide"><table>\n<thead><tr><th>reason</th>'
            '<th class="number">visibilities</th></tr></thead>\n<tbody>\n'
            f"{rows}\n</tbody>\n</table></div>")


def _reason(name: str) -> str:
    """Return the words for a flag's name, other names as they are."""
    return Flag[name.upper()].description if name.upper() in Flag.__members__ else name


def _share(reason: str, value: float) -> str:
    return f"{value:,.0f}" if reason == "visibilities" else f"{100 * value:.2f} %"
