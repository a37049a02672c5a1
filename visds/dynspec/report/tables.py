"""Tables of an observation that the report shows."""

import math

import numpy as np
from astropy.table import Table

from visds.core.error_text import value_with_error
from visds.core.plural import counted
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.universal_time import date_and_time


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
    """Return what the report shows of `visds.dynspec.variability.indices.statistics`.

    The V of the Transients Pipeline is called so, beside Stokes V; ratios have three digits.
    """
    table = statistics[["polarization", "number", "mean", "mean_error", "eta", "V", "probability",
                        "eta_imaginary"]]
    for name in ("eta", "V", "eta_imaginary"):
        table[name] = [_rounded(value, 3) for value in table[name]]
    table.rename_column("V", "V (TraP)")
    return table


def polarization_table(mean: Table) -> Table:
    """Return what the report shows of `visds.dynspec.polarimetry.summary.mean_table`.

    The interval of V/I stands in one column, in words; what is known of no scan has none.
    """
    table = Table()
    table["scan"] = ["all" if scan < 0 else str(scan) for scan in mean["scan"]]
    intervals = [_interval_text(row) for row in mean]
    if any(intervals):
        table["V/I (68 % interval)"] = intervals
    for name in mean.colnames:
        if mean[name].dtype.kind == "f" and not name.startswith("fraction_V_") and np.isfinite(
                mean[name.removesuffix("_error")]).any():
            table[name] = mean[name]
    return table


def empty_integrations(spectrum: DynamicSpectrum) -> str:
    """Return in words how many integrations have no unflagged cell, empty if none."""
    empty = int((~np.isfinite(spectrum.flux_density).any(axis=(1, 2))).sum())
    T = len(spectrum.time)
    return f"{empty} of {counted(T, 'integration')} {'is' if empty == 1 else 'are'} fully " \
        "flagged." if empty else ""


def _interval_text(row: Table.Row) -> str:
    ends = [float(row[f"fraction_V_{end}"]) for end in ("low", "high")]
    # Two digits of half of the interval, which is what an error is.
    low, high = (value_with_error(end, abs(ends[1] - ends[0]) / 2).partition(" ")[0]
                 for end in ends)
    return {"bounded": f"{low} to {high}", "outside": f"up to {low}, or from {high}",
            "all": "any"}.get(str(row["fraction_V_interval"]), "")


def _rounded(value: float, digits: int) -> float:
    """Return a number rounded to so many digits, or to a whole number if that is more."""
    if not math.isfinite(value) or value == 0:
        return float(value)
    return round(float(value), max(digits - 1 - math.floor(math.log10(abs(value))), 0))
