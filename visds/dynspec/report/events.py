"""Detections as the page shows them: numbers in words, pictures and matches of each."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.flux_text import flux_with_error
from visds.core.sky import Direction
from visds.dynspec.report.html_table import number_with_error, value_text
from visds.dynspec.universal_time import date_and_time

_GROUPS = {
    "Polarization": r"polarization|snr_|flux_density_[IQUV]|fraction_|intrinsic_angle|ellipticity"
                    r"|rm(_|$)",
    "Strength": r"snr|template|false_alarm|peak_flux|fluence|(nu_)?luminosity|brightness",
    "Position": r"position|image_",
    "Time and band": r"start|stop|duration|peak_time|peak_frequency|band_|box_|scan|delay|drift"
                     r"|rise|decay",
    "Vetoes": r"veto|off_source|incoherent|antenna|rfi_band|flagged_border",
}
"""Where a column stands: the first whose pattern its name begins with, else at the end.

`snr_V` is of the polarization, though it begins as `snr`, and comes before it.
"""
_SAID_APART = ("name", "target", "ra", "dec", "ra_error", "dec_error")
_WHOLE = 0.99
"""Share of an event that was observed below which its fluence is said to miss the rest."""
_LIMITS = ("rise_time", "decay_time")
"""Upper limits where their error is NaN."""
_MATCHED = {"catalogue": "catalogue", "right_name": "name", "separation_arcsec": "separation",
            "normalized_separation": "in errors", "chance_probability": "by chance",
            "best": "best", "right_ra": "ra", "right_dec": "dec"}


@dataclass(frozen=True)
class ReportEvent:
    """A detection, ready for the page.

    `start`, `stop` (MJD UTC), `low`, `high` (Hz) are those of the event, `box` the same four of its
    best box; `stokes` and `sign` those of the search that found it best. `numbers` has a list of
    (what, value, meaning) for each group; `position` the text, the degrees as text, the error as
    text, and how it is known; `matches` a dict of texts a row; `pictures` caption to file.
    """

    number: int
    name: str
    start: float
    stop: float
    low: float
    high: float
    box: tuple[float, float, float, float]
    stokes: str
    sign: int
    summary: dict[str, str]
    numbers: dict[str, list[tuple[str, str, str]]]
    position: dict[str, str]
    matches: list[dict[str, str]] = field(default_factory=list)
    pictures: Mapping[str, Path] = field(default_factory=dict)


def report_events(detections: Table, numbers: Sequence[int], matches: Table | None,
                  pictures: Mapping[int, Mapping[str, Path]],
                  observed: Sequence[float]) -> tuple[ReportEvent, ...]:
    """Return the detections of a direction as events with these numbers.

    `matches` are those of their names, `pictures` by number and caption, `observed` the seconds of
    each from its start to its stop that were observed.
    """
    return tuple(_event(number, row, matches, pictures.get(number, {}), seconds)
                 for number, row, seconds in zip(numbers, detections, observed, strict=True))


def detection_pictures(pictures: Mapping[str, Path]) -> dict[int, dict[str, Path]]:
    """Return by number the pictures (caption to file) that are named as those of a detection."""
    found: dict[int, dict[str, Path]] = {}
    for caption, file in pictures.items():
        named = re.match(r"detection(\d+)_", Path(file).name)
        if named:
            found.setdefault(int(named[1]), {})[caption] = Path(file)
    return found


def _event(number: int, row: Table.Row, matches: Table | None,
           pictures: Mapping[str, Path], observed: float) -> ReportEvent:
    name, polarization = str(row["name"]), str(row["polarization"])
    own = [] if matches is None else [_match(one) for one in matches
                                      if str(one["left_name"]) == name]
    box = tuple(float(row[f"box_{edge}"]) for edge in ("start", "stop", "low", "high"))
    return ReportEvent(
        number=number, name=name, start=float(row["start"]), stop=float(row["stop"]),
        low=float(row["band_low"]), high=float(row["band_high"]), box=box,
        stokes=polarization.lstrip("+-"), sign=-1 if polarization.startswith("-") else 1,
        summary=_summary(row), numbers=_numbers(row, observed), position=_position(row),
        matches=own, pictures=pictures)


def _summary(row: Table.Row) -> dict[str, str]:
    """Return what stands in the list of events."""
    moment = date_and_time(row["peak_time"]).replace("T", " ")
    return {
        "peak (UTC)": moment if row["duration"] < 10 else moment.partition(".")[0],
        "duration": f"{row['duration']:.4g} s",
        "band": f"{row['band_low'] / 1e6:.5g}–{row['band_high'] / 1e6:.5g} MHz",
        "Stokes": str(row["polarization"]).replace("-", "−"), "S/N": f"{row['snr']:.1f}",
        "peak flux density": _with_error(row, "peak_flux_density"),
        "V/I": _with_error(row, "fraction_V"), "vetoes": str(row["veto"]) or "none"}


def _numbers(row: Table.Row, observed: float) -> dict[str, list[tuple[str, str, str]]]:
    groups: dict[str, list[tuple[str, str, str]]] = {name: [] for name in (*_GROUPS, "Further")}
    held = row.colnames
    for name in held:
        if name in _SAID_APART or (
                name.endswith("_error") and name.removesuffix("_error") in held):
            continue
        group = next((group for group, pattern in _GROUPS.items() if re.match(pattern, name)),
                     "Further")
        text = _with_error(row, name) if f"{name}_error" in held else _text(row, name)
        if name == "fluence" and observed < _WHOLE * row["duration"]:
            text += f", of the {observed:.4g} s of {row['duration']:.4g} s that were observed"
        groups[group].append((name, text, row.columns[name].description or ""))
    return {name: lines for name, lines in groups.items() if lines}


def _position(row: Table.Row) -> dict[str, str]:
    ra, dec = float(row["ra"]), float(row["dec"])
    if not (math.isfinite(ra) and math.isfinite(dec)):
        return {}
    return position_texts(ra, dec) | {
        "error": (f"± {row['ra_error']:.2g}″, {row['dec_error']:.2g}″"
                  if math.isfinite(row["ra_error"]) else "(error not known)"),
        "how": ("fitted in the difference image" if row["position"] == "image"
                else "assumed: that of the target")}


def position_texts(ra: float, dec: float) -> dict[str, str]:
    """Return a position (ICRS, deg) as hours and degrees, and in degrees, to be copied."""
    return {"text": str(Direction(ra, dec)), "degrees": f"{ra:.7f} {dec:+.7f}"}


def flux_density_text(value: float, error: float) -> str:
    """Return a flux density and its error (Jy) with its unit, in signs that are typeset."""
    text = flux_with_error(value, error)
    return text.replace("+-", "±").replace("-", "−").replace("uJy", "µJy")


def _match(row: Table.Row) -> dict[str, str]:
    shown = {}
    for name, label in _MATCHED.items():
        if name in row.colnames:
            text = (("no", "yes")[int(row[name])] if name == "best"
                    else value_text(row[name], name, ""))
            shown[label] = f"{text}″" if name == "separation_arcsec" else text
    place = position_texts(float(row["right_ra"]), float(row["right_dec"]))["text"] \
        if {"right_ra", "right_dec"} <= set(row.colnames) else ""
    for label in ("ra", "dec"):
        shown.pop(label, None)
    return shown | ({"position": place} if place else {})


def _with_error(row: Table.Row, name: str) -> str:
    value, error = row[name], row[f"{name}_error"]
    if np.ma.is_masked(value) or not math.isfinite(value):
        return "–"
    unit = str(row.columns[name].unit or "")
    if name in _LIMITS and not math.isfinite(error):
        return f"< {value_text(value, name, unit)} {unit}"
    if unit == "Jy":
        return flux_density_text(float(value), float(error))
    words = f" {unit}" if unit else ""
    return number_with_error(value, error, name, unit).replace("-", "−") + words


def _text(row: Table.Row, name: str) -> str:
    value: Any = row[name]
    unit = str(row.columns[name].unit or "")
    if (np.ma.is_masked(value) or (isinstance(value, float) and math.isnan(value))
            or str(value) == "" or (name == "antenna" and value < 0)):
        return "–"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if unit == "d":
        return date_and_time(value).replace("T", " ")
    if unit == "Hz":
        return f"{value / 1e6:.7g} MHz"
    return value_text(value, name, unit) + (f" {unit}" if unit else "")
