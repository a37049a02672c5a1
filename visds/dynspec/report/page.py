"""The page: its sections in order, its style and its scripts, in one file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from astropy.table import Table

from visds.core.error_text import value_with_error
from visds.core.files import whole_file
from visds.core.flags import Flag
from visds.dynspec.imaginary_part import ChiSquared, ImaginaryPart
from visds.dynspec.report import scripts
from visds.dynspec.report.explorer import explorer_html
from visds.dynspec.report.html_table import escaped, note, table_html
from visds.dynspec.report.overview import overview_html
from visds.dynspec.report.picture import Pictures
from visds.dynspec.report.report_spectrum import ReportSpectrum

_HEALTH = "Health of the data"


def write_report(path: str | os.PathLike, *, title: str, summary: Mapping[str, str],
                 pictures: Mapping[str, str | os.PathLike] | None = None,
                 tables: Mapping[str, Table | None] | None = None,
                 flag_statistics: Mapping[str, float] | None = None,
                 health: Mapping[str, ImaginaryPart] | None = None,
                 chi_squared: Mapping[str, ChiSquared] | None = None,
                 warnings: Sequence[str] = (), settings_text: str = "",
                 notes: Mapping[str, str] | None = None,
                 spectra: Sequence[ReportSpectrum] = (),
                 overview: Table | None = None) -> None:
    """Write one self-contained HTML page: pictures, data and scripts within it, no network.

    The same arguments give the same bytes. Only a page with `spectra` has scripts; its policy lets
    a browser run these and load nothing.

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
    chi_squared : dict
        Polarization to the reduced chi-squared of its imaginary part, shown with `health`.
    warnings : sequence of str
        Shown at the top.
    settings_text : str
        The effective settings as a TOML file.
    notes : dict
        Heading of a picture or table, or of the health of the data, to a sentence that explains it.
    spectra : sequence of ReportSpectrum
        Dynamic spectra to be looked at in the page, that which is shown first first.
    overview : Table
        All directions, also those that are not among `spectra`; see `overview_table`.

    Raises
    ------
    FormatError
        If a picture cannot be read, or is of another kind.
    OutputError
        If the page cannot be written.
    """
    notes = notes or {}
    shown = Pictures(pictures or {})
    parts = [f"<h1>{escaped(title)}</h1>", _warnings(warnings)]
    if overview is not None:
        parts += ["<h2>Directions</h2>",
                  overview_html(overview, [one.name for one in spectra], Path(path).parent)]
    if spectra:
        parts += [explorer_html(spectra, shown), "<h2>Run</h2>"]
    parts.append(_definitions(summary))
    if pictures:
        parts.append("<h2>Pictures</h2>")
        parts += [shown.figure(Path(file), caption, notes.get(caption, ""))
                  for caption, file in pictures.items()]
    for heading, table in (tables or {}).items():
        parts += [f"<h2>{escaped(heading)}</h2>", note(notes.get(heading, "")),
                  "" if table is None else table_html(table)]
    if health:
        parts += [f"<h2>{_HEALTH}</h2>", note(notes.get(_HEALTH, "")),
                  _health(health, chi_squared or {})]
    if flag_statistics:
        parts += ["<h2>Flags</h2>", _flags(flag_statistics)]
    if settings_text:
        parts += ["<h2>Settings</h2>", "<details open><summary>Effective settings</summary>",
                  f"<pre>{escaped(settings_text)}</pre></details>"]
    script = scripts.explorer() if spectra else ""
    page = ("<!DOCTYPE html>\n"
            '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f"{scripts.policy(script) if script else ''}"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escaped(title)}</title>\n"
            f"<style>{scripts.style(with_explorer=bool(spectra))}</style>\n</head>\n<body>\n"
            + "\n".join(part for part in parts if part)
            + (f"\n<script>{script}</script>" if script else "") + "\n</body>\n</html>\n")
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")


def _definitions(items: Mapping[str, Any]) -> str:
    rows = "\n".join(f"<dt>{escaped(key)}</dt><dd>{escaped(value)}</dd>"
                     for key, value in items.items())
    return f"<dl>\n{rows}\n</dl>" if rows else ""


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    rows = "\n".join(f"<li>{escaped(text)}</li>" for text in warnings)
    return f'<ul class="warnings" aria-label="Warnings">\n{rows}\n</ul>'


def _health(health: Mapping[str, ImaginaryPart], chi_squared: Mapping[str, ChiSquared]) -> str:
    rows = []
    for label, part in health.items():
        if part.number == 0:
            words = "no unflagged data"
        elif part.verdict:
            words = f'<span class="bad">{escaped(part.verdict)}</span>'
        elif part.is_noise:
            words = "as expected of noise"
        else:
            words = "off zero, if by little beside the noise of a cell: not all is noise"
        low, high = part.limits
        numbers = (f"{part.scatter:.3f}", f"{max(low, 0):.2f} to {high:.2f}",
                   f"{value_with_error(part.offset, part.offset_error)} (scan {part.scan})",
                   ) if part.number else ("–", "–", "–")
        rows.append(f'<tr><td>{escaped(label)}</td><td class="words">{words}</td>' + "".join(
            f'<td class="number">{escaped(number)}</td>' for number in numbers)
            + (f'<td class="words">{escaped(chi_squared[label].line)}</td>'
               if label in chi_squared else "<td>–</td>" * bool(chi_squared)) + "</tr>")
    explained = (" The reduced chi-squared is the mean of (imaginary part / sigma)², with every "
                 "outlier: of noise alone it is 1 within the error that stands beside it."
                 ) * bool(chi_squared)
    return (note("The imaginary part of the mean visibility holds no flux density of a point "
                  "source in the target direction: in units of sigma its scatter about zero is 1, "
                  "and its mean over any scan is zero, if all is well. The scatter is 1.4826 times "
                  "the median modulus, which a few bad cells or scans do not change; the mean of a "
                  "scan tells those. A scatter from 0.8 to 1.25 passes, and one beyond by three of "
                  "its errors; so does a mean up to half a sigma of a cell, or five of its own "
                  "errors." + explained)
            + '<div class="wide"><table>\n<thead><tr><th>polarization</th>'
              '<th>verdict</th>'
              '<th class="number">scatter / sigma</th>'
              '<th class="number">passes</th>'
              '<th class="number">farthest mean of a scan / sigma</th>'
            + "<th>reduced chi-squared (1 of noise)</th>" * bool(chi_squared)
            + '</tr></thead>\n'
              "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>")


def _flags(statistics: Mapping[str, float]) -> str:
    rows = "\n".join(
        f'<tr><td>{escaped(_reason(reason))}</td><td class="number">{_share(reason, value)}</td>'
        "</tr>" for reason, value in statistics.items())
    return (note("A visibility is one baseline, integration, channel and correlation; one left "
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
