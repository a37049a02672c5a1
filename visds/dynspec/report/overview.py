"""The directions of a run in one table, the most significant first."""

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from visds.dynspec.report.events import flux_density_text
from visds.dynspec.report.html_table import escaped, note

COLUMNS = {
    "name": (str, None, "of the direction"),
    "role": (str, None, "target, or off source"),
    "ra": (float, "deg", "ICRS, at the middle of the observation"),
    "dec": (float, "deg", "ICRS, at the middle of the observation"),
    "events": (int, None, "number of detections"),
    "snr": (float, None, "signal to noise of the strongest detection; NaN where there is none"),
    "eta": (float, None, "largest eta of the light curves of the Stokes parameters"),
    "mean_I": (float, "Jy", "weighted mean of the light curve of Stokes I"),
    "mean_I_error": (float, "Jy", "its standard error"),
    "mean_V": (float, "Jy", "weighted mean of the light curve of Stokes V"),
    "mean_V_error": (float, "Jy", "its standard error"),
}


def overview_row(name: str, *, ra: float, dec: float, variability: Table,
                 detections: Table | None, role: str = "target") -> dict[str, Any]:
    """Return what `overview_table` says of a direction.

    `ra`, `dec` in deg (ICRS); `variability` of `visds.dynspec.variability.indices.statistics`;
    `detections` those of this direction, None if none was looked for.
    """
    of = {str(row["polarization"]): row for row in variability}
    etas = [float(row["eta"]) for row in variability if math.isfinite(row["eta"])]
    number = 0 if detections is None else len(detections)
    means = {f"mean_{stokes}{end}": float(of[stokes][f"mean{end}"]) if stokes in of else math.nan
             for stokes in ("I", "V") for end in ("", "_error")}
    return {"name": name, "role": role, "ra": ra, "dec": dec, "events": number,
            "snr": float(np.max(detections["snr"])) if number else math.nan,
            "eta": max(etas, default=math.nan)} | means


def overview_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Return the table of directions, by the S/N of the strongest event, then by eta."""
    rows = sorted(rows, key=lambda row: tuple(
        -row[key] if math.isfinite(row[key]) else math.inf for key in ("snr", "eta")))
    table = Table()
    for name, (kind, unit, meaning) in COLUMNS.items():
        values = [row[name] for row in rows]
        table[name] = np.array(values, {str: "U128", float: "f8", int: "i8"}[kind])
        table[name].unit = unit
        table[name].description = meaning
    return table


def overview_html(table: Table, shown: Sequence[str], folder: Path) -> str:
    """Return the table of directions with a button for each of those that are `shown`.

    For the others stands the command that draws their spectra from the products in `folder`.
    """
    known = np.isfinite(table["ra"]) & np.isfinite(table["dec"])
    places = np.full(len(table), "–", object)
    if known.any():
        places[known] = SkyCoord(table["ra"][known], table["dec"][known], unit="deg").to_string(
            "hmsdms", sep=":", precision=2)
    heads = ("direction", "role", "position (ICRS)", "events", "strongest S/N", "eta",
             "mean I", "mean V", "spectrum")
    numbers = (3, 4, 5, 6, 7)
    head = "".join(f"<th{' class=number' if place in numbers else ''}>{text}</th>"
                   for place, text in enumerate(heads))
    body = []
    for row, place in zip(table, places, strict=True):
        name = str(row["name"])
        cells = [escaped(name), escaped(row["role"]), copied(place) if place != "–" else place,
                 str(row["events"]), _number(row["snr"], 1), _number(row["eta"], 2),
                 _flux_density(row, "mean_I"), _flux_density(row, "mean_V"),
                 _spectrum(name, name in shown, folder)]
        body.append(f'<tr data-direction="{escaped(name)}">' + "".join(
            f"<td{' class=number' if number in numbers else ''}>{cell}</td>"
            for number, cell in enumerate(cells)) + "</tr>")
    words = ("Sorted by the S/N of the strongest event, then by eta, the largest reduced "
             "chi-squared of a constant among the light curves.")
    if any(str(row["name"]) not in shown for row in table):
        words += (" The page holds the spectra of the most significant directions; the command "
                  "draws those of another.")
    return (f'{note(words)}<div class="wide overview"><table>\n<thead><tr>{head}</tr></thead>\n'
            "<tbody>\n" + "\n".join(body) + "\n</tbody>\n</table></div>")


def copied(text: str) -> str:
    """Return a text with a button that copies it; without scripts it is text to be selected."""
    return (f'<span class="copied"><span class="text">{escaped(text)}</span>'
            f'<button type="button" class="copy" data-copy="{escaped(text)}" '
            f'aria-label="Copy {escaped(text)}">copy</button></span>')


def _spectrum(name: str, is_shown: bool, folder: Path) -> str:
    if is_shown:
        return (f'<button type="button" data-show="{escaped(name)}" '
                f'aria-label="Show the spectrum of {escaped(name)}">show</button>')
    command = f"visds-plot {shlex.quote(str(folder))} --target {shlex.quote(name)}"
    return f'<span class="command">{copied(command)}</span>'


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def _flux_density(row: Table.Row, name: str) -> str:
    if not math.isfinite(row[name]):
        return "–"
    return escaped(flux_density_text(float(row[name]), float(row[f"{name}_error"])))
