"""Tables of an observation that the report shows."""

import math

import numpy as np
from astropy.table import Table

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


def _rounded(value: float, digits: int) -> float:
    """Return a number rounded to so many digits, or to a whole number if that is more."""
    if not math.isfinite(value) or value == 0:
        return float(value)
    return round(float(value), max(digits - 1 - math.floor(math.log10(abs(value))), 0))
