"""Variability statistics of light curves of known truth."""

import warnings

import numpy as np
import pytest
from spectra import spectrum

from visds.dynspec.light_curve import LightCurve
from visds.dynspec.variability.indices import largest_pair, statistics


def light_curve(flux_density, sigma=0.1, residual=None, polarizations=("I",)):
    values = np.asarray(flux_density, float).reshape(len(flux_density), len(polarizations))
    T, P = values.shape
    time = 59000 + np.arange(T) / 8640
    return LightCurve(
        time=time, integration=np.full(T, 10.0), time_barycentre=time, scan=np.ones(T, int),
        flux_density=values, sigma=np.broadcast_to(sigma, (T, P)),
        sigma_formal=np.full((T, P), 0.1),
        residual=np.zeros((T, P)) if residual is None else np.reshape(residual, (T, P)),
        count=np.full((T, P), 50), covariance=np.zeros(T), polarizations=polarizations,
        band=(550e6, 650e6), frequency=600e6)


def test_eta_of_pure_noise_is_one_on_average_and_its_probability_uniform():
    rng = np.random.default_rng(0)
    rows = [statistics(light_curve(rng.normal(1, 0.1, 40), residual=rng.normal(0, 0.1, 40)))[0]
            for _ in range(400)]
    for name in ("eta", "eta_imaginary"):
        values = np.array([row[name] for row in rows])
        assert values.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 39 / 400))
    for name in ("probability", "probability_imaginary"):
        values = np.sort([row[name] for row in rows])
        assert np.abs(values - (np.arange(400) + 0.5) / 400).max() < 1.63 / 20
    excess = np.array([row["excess_variance"] for row in rows])
    assert abs(excess.mean()) < 4 * excess.std() / 20
    assert np.mean([row["excess_variance_error"] for row in rows]) == pytest.approx(
        excess.std(), rel=0.2)


def test_the_error_of_the_excess_variance_is_its_scatter_from_noise_to_noise():
    """Of a source that varies too; what another stretch of its variation would do is not in it."""
    rng = np.random.default_rng(6)
    curve = 1 + 0.3 * np.sin(2 * np.pi * np.arange(100) / 25)
    rows = [statistics(light_curve(curve + rng.normal(0, 0.1, 100), sigma=0.1))[0]
            for _ in range(400)]
    excess, error = (np.array([row[name] for row in rows])
                     for name in ("excess_variance", "excess_variance_error"))
    assert excess.mean() == pytest.approx(0.045 * 100 / 99, rel=0.03)
    assert excess.std() == pytest.approx(error.mean(), rel=0.15)


def test_eta_of_a_light_curve_of_a_noise_spectrum_is_one_on_average():
    values = [statistics(spectrum(np.zeros((32, 8, 4)), seed=seed, baselines=20).light_curve())
              for seed in range(40)]
    etas = np.array([table["eta"] for table in values])
    assert etas.shape == (40, 4)
    assert etas.mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 31 / 160))


def test_sinusoid_has_V_of_its_amplitude_over_root_two_of_the_mean():
    phase = 2 * np.pi * np.arange(1000) / 50
    row = statistics(light_curve(2 + 0.6 * np.sin(phase), sigma=0.01))[0]
    assert row["V"] == pytest.approx(0.6 / np.sqrt(2) / 2, rel=1e-3)
    assert row["modulation_index"] == pytest.approx(0.6 / np.sqrt(2) / 2, rel=1e-3)
    assert row["eta"] == pytest.approx((0.6 / 0.01) ** 2 / 2, rel=2e-3)
    assert row["probability"] < 1e-10


def test_modulation_index_is_freed_of_noise_that_V_keeps():
    rng = np.random.default_rng(1)
    phase = 2 * np.pi * np.arange(2000) / 50
    values = 2 + 0.2 * np.sin(phase) + rng.normal(0, 0.2, 2000)
    row = statistics(light_curve(values, sigma=0.2))[0]
    assert row["modulation_index"] == pytest.approx(0.1 / np.sqrt(2), rel=0.1)
    assert row["V"] > 1.5 * row["modulation_index"]


def test_V_of_a_constant_source_is_sigma_over_flux_density():
    rng = np.random.default_rng(2)
    row = statistics(light_curve(rng.normal(10, 0.1, 500)))[0]
    assert row["V"] == pytest.approx(0.01, rel=0.1)
    assert row["mean"] == pytest.approx(10, abs=4 * 0.1 / np.sqrt(500))
    assert row["mean_error"] == pytest.approx(0.1 / np.sqrt(500))


def test_weighted_eta_equals_the_transients_pipeline_formula_of_means():
    rng = np.random.default_rng(3)
    values, sigma = rng.normal(1, 0.3, 20), rng.uniform(0.1, 0.5, 20)
    w = 1 / sigma**2
    mean = np.mean
    expected = 20 / 19 * (mean(w * values**2) - mean(w * values) ** 2 / mean(w))
    assert statistics(light_curve(values, sigma=sigma[:, None]))["eta"][0] == pytest.approx(
        expected)


def test_largest_pair_is_the_largest_of_all_pairs_with_m_later_less_earlier():
    rng = np.random.default_rng(4)
    values, sigma = rng.normal(1, 0.3, 30), rng.uniform(0.1, 0.5, 30)
    pairs = {(i, j): abs(values[i] - values[j]) / np.sqrt(sigma[i] ** 2 + sigma[j] ** 2)
             for i in range(30) for j in range(i)}
    (j, i), expected = max(pairs.items(), key=lambda item: item[1])
    assert largest_pair(values, sigma) == (pytest.approx(expected), i, j)
    curve = light_curve(values, sigma=sigma[:, None])
    row = statistics(curve)[0]
    assert row["pair_Vs"] == pytest.approx(expected)
    assert row["pair_m"] == pytest.approx(2 * (values[j] - values[i]) / (values[i] + values[j]))
    assert (row["pair_first"], row["pair_second"]) == (curve.time[i], curve.time[j])


def test_gain_errors_that_the_imaginary_part_shows_too_are_not_variability():
    rng = np.random.default_rng(5)
    gain = 0.02 * (rng.standard_normal(60) + 1j * rng.standard_normal(60))
    values = 30 * (1 + gain)
    row = statistics(light_curve(values.real, sigma=0.01, residual=values.imag))[0]
    assert row["probability"] < 1e-10
    assert row["probability_imaginary"] > 0.01


def test_statistics_that_cannot_be_told_are_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in ([], [1.0], [np.nan, np.nan], [np.nan, 2.0], [0.0, 0.0]):
            row = statistics(light_curve(values))[0]
            assert row["number"] == np.isfinite(values).sum()
            assert np.isnan(row["V"])
    assert np.isfinite(row["eta"])


def test_every_polarization_has_a_row_of_its_own():
    values = np.column_stack([np.full(10, 1.0), np.full(10, -0.5)])
    table = statistics(light_curve(values, polarizations=("I", "V")))
    assert table["polarization"].tolist() == ["I", "V"]
    assert table["mean"].tolist() == pytest.approx([1.0, -0.5])
    assert table["mean"].unit == "Jy"
