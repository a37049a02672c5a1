"""The autocorrelation of patterns of known widths and of bursts of known drift."""

import numpy as np
import pytest
from spectra import spectrum

from visds.dynspec.variability.autocorrelation import (
    autocorrelation,
    peak_shape,
    spectrum_autocorrelation,
)

STEP, CHANNEL = 10.0, 1e6


def pattern(rng, T, F, time_width, frequency_width, slope=0.0):
    """Return scintles (T,F) of mean and variance 1: their ACF is a Gaussian of these cells.

    `slope` is by how many integrations they are later in the next channel. The square of a Gaussian
    field whose correlation is the root of that.
    """
    t, f = (np.fft.fftfreq(2 * n, 1 / (2 * n)) for n in (T, F))
    late = t[:, None] - slope * f
    # Correlation in one channel is exp(-t^2 / width^2), and that at one time falls to 1/2.
    across = np.log(2) / frequency_width**2 - (slope / time_width) ** 2
    root = np.exp(-(late**2 / time_width**2 + across * f**2) / 2)
    power = np.maximum(np.fft.fft2(root).real, 0)
    noise = rng.standard_normal((2, 2 * T, 2 * F))
    field = np.fft.ifft2(np.sqrt(power) * np.fft.fft2(noise[0] + 1j * noise[1])) / np.sqrt(2)
    return np.abs(field[:T, :F]) ** 2


def axes(T, F):
    return STEP * np.arange(T), 1e9 + CHANNEL * np.arange(F)


def test_the_widths_of_a_pattern_are_recovered_with_flags_a_gap_and_noise():
    found = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        values = 2 + pattern(rng, 160, 96, 6.0, 5.0, 0.4) + 0.7 * rng.standard_normal((160, 96))
        time, frequency = axes(160, 96)
        time[80:] += 305.0
        values[rng.uniform(size=values.shape) < 0.1] = np.nan
        values[:, 40:44] = np.nan
        found.append(peak_shape(autocorrelation(values, np.full(values.shape, 0.7), time,
                                                frequency)))
    for name, truth in (("time_width", 60.0), ("frequency_width", 5e6),
                        ("time_slope", 0.4 * STEP / CHANNEL), ("amplitude", 1.0)):
        values = np.array([getattr(one, name) for one in found])
        assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(24))
        noise = np.mean([getattr(one, f"{name}_error") for one in found])
        sampling = np.mean([one.finite_scintle_error for one in found])
        sampling *= {"time_slope": 60 / (5e6 / np.sqrt(np.log(2))), "amplitude": 1.5}.get(
            name, truth)
        assert 0.5 < np.std(values) / np.hypot(noise, sampling) < 1.5


def test_noise_is_at_zero_lag_alone_and_changes_no_width():
    rng = np.random.default_rng(1)
    scintles = pattern(rng, 160, 96, 6.0, 5.0)
    noise = rng.standard_normal(scintles.shape)
    shapes = {}
    for level in (0.05, 1.0):
        made = autocorrelation(scintles + level * noise, np.full(noise.shape, level),
                               *axes(160, 96))
        shapes[level] = shape = peak_shape(made)
        spike = made.correlation[made.zero] - shape.amplitude
        assert spike - level**2 == pytest.approx(0, abs=0.05)
        assert made.noise == pytest.approx(level**2)
    for name in ("time_width", "frequency_width"):
        low, high = (getattr(shapes[level], name) for level in (0.05, 1.0))
        assert high == pytest.approx(low, abs=4 * getattr(shapes[1.0], f"{name}_error"))


def test_it_is_the_mean_over_pairs_of_cells_by_loops():
    rng = np.random.default_rng(2)
    values, sigma = rng.normal(0, 1, (7, 5)), rng.uniform(0.5, 2, (7, 5))
    values[rng.uniform(size=(7, 5)) < 0.2] = np.nan
    time = STEP * np.array([0, 1, 2, 4, 5, 9, 10])
    made = autocorrelation(values, sigma, time, 1e9 + CHANNEL * np.array([0, 1, 2, 3, 6]),
                           level="none", longest_lags=(40.0, 3e6))
    rows, columns = [0, 1, 2, 4, 5, 9, 10], [0, 1, 2, 3, 6]
    cells = [(rows[t], columns[f], values[t, f], sigma[t, f] ** -2.0)
             for t in range(7) for f in range(5) if np.isfinite(values[t, f])]
    for j in range(-4, 5):
        for k in range(-3, 4):
            pairs = [(v * w * v2 * w2, w * w2) for t, f, v, w in cells
                     for t2, f2, v2, w2 in cells if t2 - t == j and f2 - f == k]
            expected = (np.sum([a for a, _ in pairs]) / np.sum([b for _, b in pairs])
                        if pairs else np.nan)
            assert made.correlation[j + 4, k + 3] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("slope", [0.8, -0.8, 0.0])
def test_the_drift_of_a_burst_is_recovered_with_its_error(slope):
    t, f = np.arange(80)[:, None] - 40, np.arange(60) - 30
    burst = np.exp(-(t - slope * f) ** 2 / (2 * 5**2) - f**2 / (2 * 6**2))
    shapes = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        values = burst + 0.4 * rng.standard_normal(burst.shape)
        shapes.append(peak_shape(autocorrelation(
            values, np.full(values.shape, 0.4), *axes(80, 60), level="none", is_isolated=True)))
    for name, truth in (("time_slope", slope * STEP / CHANNEL),
                        ("drift_rate", slope * 36 / (25 + slope**2 * 36) * CHANNEL / STEP),
                        ("time_width", 10 * STEP)):
        values = np.array([getattr(one, name) for one in shapes])
        errors = np.array([getattr(one, f"{name}_error") for one in shapes])
        assert values.mean() == pytest.approx(truth, abs=4 * values.std() / 5)
        assert ((values - truth) / errors).std() == pytest.approx(1.2, abs=0.45)


def test_a_steady_source_and_noise_have_no_width():
    rng = np.random.default_rng(4)
    level = 3 - 0.5 * np.arange(40) / 40
    values = level + 0.1 * rng.standard_normal((100, 40))
    for kind in ("line", "channel"):
        made = autocorrelation(values, np.full(values.shape, 0.1), *axes(100, 40), level=kind)
        assert np.isnan(peak_shape(made).time_width)
        assert made.correlation[made.zero] == pytest.approx(0.01, rel=0.1)
        assert abs(made.correlation[60, 20]) < 5e-4


def test_a_pattern_wider_than_the_band_has_its_width_in_time_and_its_slope():
    rng = np.random.default_rng(7)
    t, f = np.arange(800)[:, None] - 400, np.arange(16) - 8
    values = np.exp(-(t - 0.5 * f) ** 2 / 50) + 0.1 * rng.standard_normal((800, 16))
    shape = peak_shape(autocorrelation(values, np.full(values.shape, 0.1), *axes(800, 16),
                                       level="none"))
    assert shape.time_slope == pytest.approx(0.5 * STEP / CHANNEL, rel=0.05)
    assert shape.time_width == pytest.approx(10 * STEP, rel=0.03)
    assert np.isnan(shape.frequency_width)


def test_nights_are_not_correlated_with_each_other():
    rng = np.random.default_rng(5)
    values = rng.standard_normal((60, 20))
    time, frequency = axes(60, 20)
    time[30:] += 80_000
    made = autocorrelation(values, np.ones(values.shape), time, frequency)
    assert made.time_lag[-1] == pytest.approx(140)
    assert made.duration == pytest.approx(600)


def test_that_of_a_spectrum_is_that_of_its_flux_densities():
    rng = np.random.default_rng(6)
    made = spectrum(pattern(rng, 60, 30, 5.0, 4.0)[..., None], polarizations=("I",), sigma=0.05)
    found = spectrum_autocorrelation(made, "I", level="none")
    other = autocorrelation(made.flux_density[..., 0], made.sigma[..., 0], made.time * 86400,
                            made.frequency, level="none")
    np.testing.assert_array_equal(found.correlation, other.correlation)
    with pytest.raises(ValueError, match="no cell"):
        spectrum_autocorrelation(made.flag_cells(np.ones((60, 30), bool)), "I")
    with pytest.raises(ValueError, match="'plane' is not a level"):
        spectrum_autocorrelation(made, "I", level="plane")
