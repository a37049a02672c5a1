"""How many events are none: what the search finds in data that hold no flare."""

import numpy as np
from astropy.table import Table
from scipy import stats

from visds.dynspec.dynamic_spectrum import DynamicSpectrum

COLUMNS = {
    "data": (None, "what was searched"),
    "searches": (None, "number of searches, each of a whole observation in one direction"),
    "events": (None, "number of false events in them"),
    "rate": (None, "false events per search"),
    "rate_low": (None, "lower end of its 68 % interval (Poisson, Gehrels 1986)"),
    "rate_high": (None, "upper end"),
    "expected": (None, "false alarm rate at the threshold, as calibrated"),
}
_ONE_SIGMA = float(stats.norm.cdf(1))


def sign_flipped(spectrum: DynamicSpectrum) -> DynamicSpectrum:
    """Return the spectrum of visibilities with the other sign: its events in Stokes I are false."""
    return spectrum.replace(sum_wv=-spectrum.sum_wv, sum_w2v=-spectrum.sum_w2v)


def imaginary(spectrum: DynamicSpectrum) -> DynamicSpectrum:
    """Return the spectrum whose flux densities are the imaginary parts: all its events are false.

    That of the visibilities multiplied with -i.
    """
    return spectrum.replace(sum_wv=-1j * spectrum.sum_wv, sum_w2v=-1j * spectrum.sum_w2v)


def poisson_interval(events: int) -> tuple[float, float]:
    """Return the 68 % interval of the mean of a Poisson distribution of which `events` came up."""
    low = stats.chi2.ppf(1 - _ONE_SIGMA, 2 * events) / 2 if events else 0.0
    return float(low), float(stats.chi2.ppf(_ONE_SIGMA, 2 * events + 2) / 2)


def reliability(counts: dict[str, tuple[int, int]], expected: float) -> Table:
    """Return the table of false events, from numbers of searches and events by kind of data."""
    rows = []
    for data, (searches, events) in counts.items():
        if not searches:
            continue
        low, high = poisson_interval(events)
        rows.append((data, searches, events, events / searches, low / searches, high / searches,
                     expected))
    table = Table(rows=rows, names=list(COLUMNS)) if rows else Table(
        {name: np.zeros(0) for name in COLUMNS})
    for name, (unit, meaning) in COLUMNS.items():
        table[name].unit = unit
        table[name].description = meaning
    return table
