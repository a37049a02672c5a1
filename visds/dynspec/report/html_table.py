"""Tables, and what stands in their cells, as HTML."""

import html
import math
from typing import Any

import numpy as np
from astropy.table import Table

from visds.core.error_text import value_with_error

MOST_ROWS = 200
_TAILS = ("probability", "false_alarm_probability")


def escaped(text: object) -> str:
    """Return text as HTML that shows it and nothing else."""
    return html.escape(str(text), quote=True)


def note(text: str) -> str:
    """Return a paragraph of explanation, or nothing of no text."""
    return f'<p class="note">{escaped(text)}</p>' if text else ""


def table_html(table: Table) -> str:
    """Return the first rows of a table, numbers to the right, units in the heads.

    A number whose error is a column too, of the same unit, has it beside it. Hz are shown as MHz.
    """
    if not len(table):
        return '<p class="note">None.</p>'
    table = _in_megahertz(table)
    heads, columns = [], []
    errors = {f"{name}_error": name for name in table.colnames
              if f"{name}_error" in table.colnames
              and table[name].unit == table[f"{name}_error"].unit}
    for name in table.colnames:
        if name in errors:
            continue
        column = table[name]
        unit = f' <span class="unit">({escaped(column.unit)})</span>' if column.unit else ""
        is_number = column.dtype.kind in "iuf"
        heads.append((f"{escaped(name)}{unit}", is_number))
        if f"{name}_error" in errors:
            texts = [number_with_error(value, error, name, str(column.unit)) for value, error in
                     zip(column[:MOST_ROWS], table[f"{name}_error"][:MOST_ROWS], strict=True)]
        else:
            texts = [value_text(value, name, str(column.unit)) for value in column[:MOST_ROWS]]
        columns.append((texts, is_number))
    head = "".join(f"<th{_number(is_number)}>{text}</th>" for text, is_number in heads)
    rows = "\n".join(
        "<tr>" + "".join(f"<td{_number(is_number)}>{escaped(texts[row])}</td>"
                         for texts, is_number in columns) + "</tr>"
        for row in range(min(len(table), MOST_ROWS)))
    more = note(f"The first {MOST_ROWS} of {len(table)} rows.") if len(table) > MOST_ROWS else ""
    return (f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{rows}\n</tbody>\n</table></div>{more}")


def _in_megahertz(table: Table) -> Table:
    """Return a table whose columns in Hz are in MHz."""
    names = [name for name in table.colnames if table[name].unit == "Hz"]
    if names:
        table = table.copy()
    for name in names:
        table[name] = table[name] / 1e6
        table[name].unit = "MHz"
    return table


def _number(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def number_with_error(value: Any, error: Any, name: str, unit: str) -> str:
    """Return a number with its error, to the second digit of that, or as `value_text` without."""
    if any(one is np.ma.masked or not math.isfinite(one) for one in (value, error)) or error <= 0:
        return value_text(value, name, unit)
    return value_with_error(float(value), float(error))


def value_text(value: Any, name: str, unit: str) -> str:
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
