"""All measures of the variability of a dynamic spectrum: a row a polarization, and their tables."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from astropy.table import Column, Table, vstack

from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.light_curve import LightCurve
from visds.dynspec.variability import indices
from visds.dynspec.variability.autocorrelation import (
    Autocorrelation,
    PeakShape,
    peak_shape,
    spectrum_autocorrelation,
)
from visds.dynspec.variability.bayesian_blocks import Blocks, bayesian_blocks, block_starts
from visds.dynspec.variability.fold import Ephemeris, FoldedSpectrum, fold_curve, fold_spectrum
from visds.dynspec.variability.measured import Measured
from visds.dynspec.variability.periodogram import Periodogram, periodogram
from visds.dynspec.variability.settings import VariabilitySettings
from visds.dynspec.variability.structure_function import StructureFunction, structure_function

COLUMNS = indices.COLUMNS | {
    "blocks": (int, None, "number of Bayesian blocks, 1 of a constant source"),
    "blocks_imaginary": (int, None, "number of Bayesian blocks of the imaginary part"),
    "structure_slope": (
        float, None, "slope of the power law of the structure function; 0 if white, 1 of a random "
        "walk, 2 of a trend"),
    "structure_slope_error": (float, None, "its standard error"),
    "period": (float, "s", "period of the highest peak of the periodogram, at the barycentre"),
    "period_error": (
        float, "s", "its standard error; NaN where power still rises at an end of the range"),
    "period_false_alarm_probability": (
        float, None, "that white noise has anywhere a peak as high"),
    "period_false_alarm_probability_imaginary": (
        float, None, "the same of the highest peak of the imaginary part"),
    "period_amplitude": (float, "Jy", "amplitude of the sinusoid"),
    "period_amplitude_error": (float, "Jy", "its standard error"),
    "period_epoch": (float, "d", "time of a maximum at the barycentre, MJD TDB"),
    "period_cycles": (float, None, "periods in the span of the data"),
    "time_width": (
        float, "s", "lag in time at which the autocorrelation falls to 1/e"),
    "time_width_error": (float, "s", "its standard error by noise"),
    "frequency_width": (
        float, "Hz", "lag in frequency at which the autocorrelation falls to 1/2"),
    "frequency_width_error": (float, "Hz", "its standard error by noise"),
    "finite_scintle_error": (
        float, None, "standard error of both widths for the number of scintles seen, a fraction"),
    "time_slope": (float, "s Hz-1", "by how much the pattern is later at higher frequencies"),
    "time_slope_error": (float, "s Hz-1", "its standard error by noise"),
}


@dataclass(frozen=True, eq=False)
class Variability:
    """How a dynamic spectrum varies, by polarization; what was not asked for is empty.

    Attributes
    ----------
    indices : Table
        A row for each polarization with `COLUMNS`; NaN where not asked for.
    folded, folded_curve : FoldedSpectrum and Table, or None
    notes : list of str
        What was asked for and could not be made, and why, by its name.
    """

    indices: Table
    blocks: dict[str, Blocks]
    structure_functions: dict[str, StructureFunction] = field(default_factory=dict)
    periodograms: dict[str, Periodogram] = field(default_factory=dict)
    autocorrelations: dict[str, tuple[Autocorrelation, PeakShape]] = field(default_factory=dict)
    folded: FoldedSpectrum | None = None
    folded_curve: Table | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def tables(self, asked: Collection[str]) -> dict[str, Table]:
        """Return the table of each measure that is `asked` for and was made, by its name."""
        made = {}
        if "bayesian_blocks" in asked:
            made["bayesian_blocks"] = _joined({
                label: _blocks_table(one) for label, one in self.blocks.items()})
        if "structure_function" in asked and self.structure_functions:
            made["structure_function"] = _joined({
                label: _structure_table(one) for label, one in self.structure_functions.items()})
        if "periodogram" in asked and self.periodograms:
            made["periodogram"] = _joined({
                label: _periodogram_table(one) for label, one in self.periodograms.items()})
        if "folded" in asked and self.folded_curve is not None:
            made["folded"] = self.folded_curve
        if "autocorrelation" in asked and self.autocorrelations:
            made["autocorrelation"] = _joined({
                label: _cuts_table(one) for label, (one, _) in self.autocorrelations.items()})
        return made


def measure(spectrum: DynamicSpectrum, settings: VariabilitySettings,
            asked: Collection[str] | None = None,
            light_curve: LightCurve | None = None) -> Variability:
    """Return how a dynamic spectrum varies: its light curve, and what is `asked` for besides.

    `asked` are names of `MEASURES`, by default those of the settings; `light_curve` is that of the
    whole band, if it is there already.
    """
    asked = settings.variability if asked is None else asked
    light_curve = spectrum.light_curve() if light_curve is None else light_curve
    measured = {label: Measured.of(light_curve, p)
                for p, label in enumerate(light_curve.polarizations)}
    notes: dict[str, str] = {}
    blocks = {label: bayesian_blocks(one, settings.block_probability)
              for label, one in measured.items()}
    structure = {label: structure_function(one) for label, one in measured.items()
                 } if "structure_function" in asked else {}
    periods = {}
    if "periodogram" in asked or ("folded" in asked and settings.period is None):
        periods = _periodograms(measured, settings, notes)
    folded, curve = None, None
    if "folded" in asked:
        ephemeris = _ephemeris(light_curve, periods, settings)
        if ephemeris is None:
            notes["folded"] = "there is no period to fold on: give --period"
        else:
            try:
                folded = fold_spectrum(spectrum, ephemeris, settings.phase_bins)
                curve = fold_curve(light_curve, ephemeris, settings.phase_bins)
            except ValueError as error:
                notes["folded"] = str(error)
    patterns = _autocorrelations(spectrum, settings, notes) if "autocorrelation" in asked else {}
    table = _table(light_curve, measured, blocks, structure, periods, patterns, settings)
    return Variability(table, blocks, structure, periods, patterns, folded, curve, notes)


def _periodograms(measured: dict[str, Measured], settings: VariabilitySettings,
                  notes: dict[str, str]) -> dict[str, Periodogram]:
    try:
        found = {label: periodogram(one, shortest=settings.shortest_period,
                                    longest=settings.longest_period)
                 for label, one in measured.items()}
    except ValueError as error:
        notes["periodogram"] = str(error)
        return {}
    if not any(len(one.power) for one in found.values()):
        notes["periodogram"] = "there are too few measurements"
        return {}
    return found


def _autocorrelations(spectrum: DynamicSpectrum, settings: VariabilitySettings,
                      notes: dict[str, str]) -> dict[str, tuple[Autocorrelation, PeakShape]]:
    if min(len(spectrum.time), len(spectrum.frequency)) < 3:
        notes["autocorrelation"] = "it needs three integrations and three channels"
        return {}
    found = {}
    for label in spectrum.polarizations:
        if np.isfinite(spectrum.values(label)).any():
            one = spectrum_autocorrelation(spectrum, label, level=settings.autocorrelation_level)
            found[label] = one, peak_shape(one)
    if not found:
        notes["autocorrelation"] = "there is no unflagged data"
    return found


def _ephemeris(light_curve: LightCurve, periods: dict[str, Periodogram],
               settings: VariabilitySettings) -> Ephemeris | None:
    """Return the period and epoch to fold on, None if none was given or found."""
    if settings.period is not None:
        first = light_curve.time_barycentre[np.argmin(light_curve.time)] if len(
            light_curve.time) else np.nan
        return Ephemeris(settings.period, first if settings.epoch is None else settings.epoch)
    found = [one for one in periods.values() if one.ephemeris is not None]
    if not found:
        return None
    best = min(found, key=lambda one: one.false_alarm_probability).ephemeris
    return best if settings.epoch is None else Ephemeris(best.period, settings.epoch)


def _table(light_curve: LightCurve, measured: dict[str, Measured], blocks: dict[str, Blocks],
           structure: dict[str, StructureFunction], periods: dict[str, Periodogram],
           patterns: dict[str, tuple[Autocorrelation, PeakShape]],
           settings: VariabilitySettings) -> Table:
    """Return the statistics of a light curve with the columns of what else was measured."""
    table = indices.statistics(light_curve)
    added: dict[str, list] = {name: [] for name in COLUMNS if name not in indices.COLUMNS}
    for label, one in measured.items():
        row = dict.fromkeys(added, np.nan)
        row["blocks"] = len(blocks[label])
        row["blocks_imaginary"] = len(block_starts(one.imaginary, one.sigma,
                                                   settings.block_probability))
        if label in structure:
            row["structure_slope"] = structure[label].slope
            row["structure_slope_error"] = structure[label].slope_error
        if label in periods:
            row |= _of_period(periods[label], one)
        if label in patterns:
            row |= {name: getattr(patterns[label][1], name) for name in (
                "time_width", "time_width_error", "frequency_width", "frequency_width_error",
                "finite_scintle_error", "time_slope", "time_slope_error")}
        for name, values in added.items():
            values.append(row[name])
    for name, values in added.items():
        kind, unit, meaning = COLUMNS[name]
        table[name] = np.array(values, "i8" if kind is int else "f8")
        table[name].unit = unit
        table[name].description = meaning
    return table


def _of_period(found: Periodogram, measured: Measured) -> dict[str, float]:
    span = np.ptp(measured.time_barycentre) * 86400 if len(measured) else np.nan
    return {"period": found.period, "period_error": found.period_error,
            "period_false_alarm_probability": found.false_alarm_probability,
            "period_false_alarm_probability_imaginary": found.imaginary_false_alarm_probability,
            "period_amplitude": found.amplitude, "period_amplitude_error": found.amplitude_error,
            "period_epoch": found.epoch, "period_cycles": span / found.period}


def _joined(tables: dict[str, Table]) -> Table:
    """Return tables of polarizations below each other, their metadata by polarization."""
    for label, table in tables.items():
        table.add_column(Column([label] * len(table), dtype="U4", description="Stokes parameter"),
                         name="polarization", index=0)
    joined = vstack(list(tables.values()), metadata_conflicts="silent")
    joined.meta = {label: dict(table.meta) for label, table in tables.items() if table.meta}
    return joined


def _with_columns(columns: dict[str, tuple[np.ndarray, str | None, str]]) -> Table:
    table = Table()
    for name, (values, unit, meaning) in columns.items():
        table[name] = values
        table[name].unit = unit
        table[name].description = meaning
    return table


def _blocks_table(one: Blocks) -> Table:
    return _with_columns({
        "start": (one.start, "d", "start of the first integration of the block, MJD UTC"),
        "stop": (one.stop, "d", "end of the last integration of the block, MJD UTC"),
        "number": (one.number, None, "number of integrations"),
        "flux_density": (one.flux_density, "Jy", "weighted mean"),
        "flux_density_error": (one.error, "Jy", "its standard error"),
        "reduced_chi_squared": (one.reduced_chi_squared, None, "of the integrations about it")})


def _structure_table(one: StructureFunction) -> Table:
    table = _with_columns({
        "lag": (one.lag, "s", "weighted mean lag of the pairs"),
        "lag_shortest": (one.shortest, "s", "lower edge of the bin of lag"),
        "lag_longest": (one.longest, "s", "upper edge of the bin of lag"),
        "structure_function": (one.value, "Jy2", "mean squared difference less that of noise"),
        "noise_error": (one.noise_error, "Jy2", "standard error by noise"),
        "sampling_error": (
            one.sampling_error, "Jy2", "by how much it differs from stretch to stretch"),
        "pairs": (one.pairs, None, "number of pairs")})
    table.meta = {"slope": one.slope, "slope_error": one.slope_error}
    return table


def _periodogram_table(one: Periodogram) -> Table:
    table = _with_columns({
        "frequency": (one.frequency, "1/d", "frequency at the barycentre"),
        "power": (one.power, None, "share of chi^2 that a sinusoid takes away"),
        "window": (one.window, None, "power that the sampling gives a constant")})
    table.meta = {
        "period_s": one.period, "period_error_s": one.period_error,
        "false_alarm_probability": one.false_alarm_probability,
        "false_alarm_power": {str(p): level for p, level in one.levels.items()},
        "epoch_mjd_tdb": one.epoch, "epoch_error_d": one.epoch_error,
        "aliases_s": list(one.aliases)}
    return table


def _cuts_table(one: Autocorrelation) -> Table:
    """Return the cuts along both axes, from zero lag on."""
    L, K = one.zero
    times, frequencies = len(one.time_lag) - L, len(one.frequency_lag) - K
    return _with_columns({
        "time_lag": (np.append(one.time_lag[L:], np.zeros(frequencies)), "s", "lag in time"),
        "frequency_lag": (np.append(np.zeros(times), one.frequency_lag[K:]), "Hz",
                          "lag in frequency"),
        "correlation": (np.append(one.correlation[L:, K], one.correlation[L, K:]), "Jy2",
                        "autocorrelation, at zero lag with the noise"),
        "pairs": (np.append(one.pairs[L:, K], one.pairs[L, K:]), None,
                  "effective number of pairs of cells")})
