"""Folding: sums of sums in bins of phase, by times at the barycentre."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.flags import Flag
from visds.dynspec.variability.fold import Ephemeris, fold_curve, fold_spectrum

PERIOD, BINS = 173.0, 8


def pulsing(seed=0, T=200, F=3, **keywords):
    """Return a spectrum of I = 1 + phase and V = -I / 2 of bins of phase, with noise."""
    quiet = spectrum(np.zeros((T, F, 2)), polarizations=("I", "V"), sigma=1e-9)
    bins = Ephemeris(PERIOD, 59000.0).bins(quiet.time_barycentre, BINS)
    truth = np.stack([1 + bins / BINS, -(1 + bins / BINS) / 2], -1)[:, None].repeat(F, 1)
    return spectrum(truth, polarizations=("I", "V"), seed=seed, **({"sigma": 0.1} | keywords))


def test_a_signal_at_a_known_phase_has_its_flux_density_and_its_error():
    pulls = []
    for seed in range(12):
        made = pulsing(seed)
        curve = fold_curve(made.light_curve(), Ephemeris(PERIOD, 59000.0), BINS)
        truth = 1 + np.arange(BINS) / BINS
        pulls += [(curve["I"] - truth) / curve["I_sigma"], (curve["V"] + truth / 2)
                  / curve["V_sigma"]]
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(12 * 16))
    assert np.std(pulls) == pytest.approx(1, abs=0.2)
    assert np.mean(curve["I_sigma"]) == pytest.approx(0.1 / np.sqrt(3 * 25), rel=0.1)
    assert curve.meta["probability"]["I"] < 1e-10
    assert np.mean(curve["I_reduced_chi_squared"]) == pytest.approx(1, abs=0.3)


def test_a_folded_spectrum_is_the_sum_of_its_sums_and_its_light_curve_the_folded_light_curve():
    made, ephemeris = pulsing(), Ephemeris(PERIOD, 59000.0)
    folded = fold_spectrum(made, ephemeris, BINS)
    bins = ephemeris.bins(made.time_barycentre, BINS)
    for place, row in zip(folded.place, range(BINS), strict=True):
        weight = made.sum_w[bins == place].sum(0)
        np.testing.assert_allclose(folded.spectrum.flux_density[row],
                                   made.sum_wv[bins == place].sum(0).real / weight)
        assert folded.spectrum.integration[row] == 10 * (bins == place).sum()
    assert folded.spectrum.count.sum() == made.count.sum()
    curve, single = fold_curve(made.light_curve(), ephemeris, BINS), folded.spectrum.light_curve()
    for p, label in enumerate(("I", "V")):
        np.testing.assert_allclose(curve[label], single.flux_density[:, p], rtol=1e-9)
        np.testing.assert_allclose(curve[f"{label}_sigma"], single.sigma[:, p], rtol=1e-6)


def test_a_constant_source_folded_on_any_period_is_constant():
    made = spectrum(np.ones((300, 2, 1)), polarizations=("I",), sigma=0.1)
    chances = [fold_curve(made.light_curve(), Ephemeris(period, 59000.0), 10).meta["probability"]
               ["I"] for period in np.linspace(60, 900, 40)]
    assert min(chances) > 1e-4
    assert np.mean(chances) == pytest.approx(0.5, abs=0.2)


def test_the_epoch_is_phase_zero_and_phases_run_with_the_barycentre():
    ephemeris = Ephemeris(3600.0, 59000.5)
    times = 59000.5 + np.array([0, 900, 3600, -900, 36000 + 1800]) / 86400
    # Just after, for days of MJD are good to a microsecond.
    np.testing.assert_allclose(ephemeris.phase(times + 1e-9), [0, 0.25, 0, 0.75, 0.5], atol=1e-6)
    assert ephemeris.bins(times + 1e-9, 4).tolist() == [0, 1, 0, 3, 2]
    with pytest.raises(ValueError, match="barycentre are not known"):
        ephemeris.phase(np.array([np.nan]))


def test_phases_and_cells_without_data_have_none():
    made = pulsing()
    ephemeris = Ephemeris(PERIOD, 59000.0)
    bins = ephemeris.bins(made.time_barycentre, BINS)
    kept = made.select_times(bins != 3)
    kept = kept.flag_cells((ephemeris.bins(kept.time_barycentre, BINS) == 5)[:, None]
                           & (np.arange(3) == 1))
    folded = fold_spectrum(kept, ephemeris, BINS)
    assert folded.place.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert folded.phase[0] == 0.5 / BINS
    assert np.isnan(folded.spectrum.flux_density[4, 1]).all()
    assert folded.spectrum.flags[4, 1, 0] & Flag.REGION
    assert np.isfinite(np.delete(folded.spectrum.flux_density.reshape(-1, 2), 4 * 3 + 1, 0)).all()
    curve = fold_curve(kept.light_curve(), ephemeris, BINS)
    assert np.flatnonzero(np.isnan(curve["I"])).tolist() == [3]
    assert curve["I_count"][3] == 0
    assert curve["duration"][3] == 0
