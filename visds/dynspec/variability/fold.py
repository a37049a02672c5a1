"""Folding on a period: a light curve or a dynamic spectrum in bins of phase."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy import special

from visds.dynspec import binning
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve

_DAY = 86400.0


@dataclass(frozen=True)
class Ephemeris:
    """A `period` in s, and an `epoch` of phase 0, MJD TDB at the barycentre."""

    period: float
    epoch: float

    def phase(self, time_barycentre: np.ndarray) -> np.ndarray:
        """Return the phase (T), 0 to 1, of times at the barycentre (T; MJD TDB).

        Raises
        ------
        ValueError
            If the times are not known.
        """
        if not np.isfinite(time_barycentre).all():
            raise ValueError("times at the barycentre are not known")
        return np.mod((time_barycentre - self.epoch) * _DAY / self.period, 1.0) % 1.0

    def bins(self, time_barycentre: np.ndarray, number: int) -> np.ndarray:
        """Return in which of a `number` of bins of phase (T) times fall by their centres."""
        return np.minimum((self.phase(time_barycentre) * number).astype(int), number - 1)


@dataclass(frozen=True, eq=False)
class FoldedSpectrum:
    """A dynamic spectrum in bins of phase: `spectrum` has one integration for each that has data.

    Attributes
    ----------
    spectrum : DynamicSpectrum
        Sums over what fell into each bin. Its integrations are as long as the time that was seen,
        and its times are means that say nothing.
    place : (T) which bin of phase each integration of the spectrum is
    number : int
        How many bins there are.
    ephemeris : Ephemeris
    """

    spectrum: DynamicSpectrum
    place: np.ndarray
    number: int
    ephemeris: Ephemeris

    @property
    def phase(self) -> np.ndarray:
        """Middle of the bins of phase (T)."""
        return (self.place + 0.5) / self.number


def fold_spectrum(spectrum: DynamicSpectrum, ephemeris: Ephemeris, number: int) -> FoldedSpectrum:
    """Return a dynamic spectrum folded into a `number` of bins of phase: sums of its sums.

    An integration falls into the bin that holds its centre, by its time at the barycentre.

    Raises
    ------
    ValueError
        If the times at the barycentre are not known.
    """
    place = ephemeris.bins(spectrum.time_barycentre, number)
    held = np.unique(place)
    parts = []
    for one in held:
        chosen = spectrum.select_times(place == one)
        parts.append(chosen.sum_times(binning.whole(len(chosen.time))))
    if parts:
        spectrum = spectrum.replace(**{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name, spec in spectrum.array_specs().items() if "T" in spec.axes})
    return FoldedSpectrum(spectrum, held, number, ephemeris)


def fold_curve(light_curve: LightCurve, ephemeris: Ephemeris, number: int) -> Table:
    """Return a light curve folded into bins of phase: a row a bin, columns for each polarization.

    The flux density of a bin is the mean of its integrations, weighted as those of a dynamic
    spectrum are, and NaN where there are none; its error is by noise. Its reduced chi^2, of the
    integrations about it, is 1 if every cycle is the same. `table.meta["probability"]` has, by
    polarization, that of a constant source to give a profile that varies as much or more.

    Raises
    ------
    ValueError
        If the times at the barycentre are not known.
    """
    place = ephemeris.bins(light_curve.time_barycentre, number)
    edges = np.arange(number + 1) / number
    table = Table({"phase": (edges[1:] + edges[:-1]) / 2, "phase_start": edges[:-1],
                   "phase_stop": edges[1:],
                   "duration": np.bincount(place, light_curve.integration, number)})
    table["duration"].unit = "s"
    table["duration"].description = "sum of the integrations in the bin"
    table.meta = {"period_s": ephemeris.period, "epoch_mjd_tdb": ephemeris.epoch,
                  "probability": {}}
    for p, label in enumerate(light_curve.polarizations):
        values, sigma = light_curve.flux_density[:, p], light_curve.sigma[:, p]
        good = np.isfinite(values) & np.isfinite(sigma) & (sigma > 0)
        values, sigma, bins = values[good], sigma[good], place[good]
        w = light_curve.sigma_formal[good, p] ** -2.0
        count = np.bincount(bins, minlength=number)
        total = np.where(count > 0, np.bincount(bins, w, number), np.nan)
        mean = np.bincount(bins, w * values, number) / total
        error = np.sqrt(np.bincount(bins, (w * sigma) ** 2, number)) / total
        chi = np.bincount(bins, ((values - mean[bins]) / sigma) ** 2, number)
        for name, column, unit, meaning in (
                (label, mean, "Jy", "flux density"),
                (f"{label}_sigma", error, "Jy", "its standard error, by noise"),
                (f"{label}_reduced_chi_squared",
                 np.where(count > 1, chi / np.maximum(count - 1, 1), np.nan), None,
                 "of the integrations about it"),
                (f"{label}_count", count, None, "number of integrations")):
            table[name] = column
            table[name].unit = unit
            table[name].description = f"Stokes {label}: {meaning}"
        table.meta["probability"][label] = _constant_probability(mean, error)
    return table


def _constant_probability(mean: np.ndarray, error: np.ndarray) -> float:
    """Return the probability of the chi^2 about a constant of means (N) with errors (N)."""
    held = np.isfinite(mean)
    if held.sum() < 2:
        return np.nan
    mean, w = mean[held], error[held] ** -2.0
    chi = np.sum(w * (mean - np.average(mean, weights=w)) ** 2)
    return float(special.chdtrc(len(mean) - 1, chi))
