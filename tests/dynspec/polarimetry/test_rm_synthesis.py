"""RM synthesis of spectra of known rotation measure, and of noise; RM-Tools as the check."""

import numpy as np
import pytest
from faraday_source import faraday_source, rotated
from scipy import constants

from visds.core.errors import SettingsError
from visds.dynspec.polarimetry import rm_clean
from visds.dynspec.polarimetry.rm_synthesis import faraday_spectrum, wavelength_squared

CHI = 0.3


def half_turn(angle):
    return (angle + np.pi / 2) % np.pi - np.pi / 2


def test_rotation_measures_are_found_within_their_errors():
    rng = np.random.default_rng(5)
    pulls = {"rm": [], "intrinsic_angle": [], "angle": [], "flux_density": []}
    for k in range(300):
        rm, snr = rng.uniform(-600, 600), rng.uniform(8, 60)
        found = faraday_spectrum(faraday_source(rm, snr=snr, chi=CHI, seed=k), largest_rm=700)
        at_middle = CHI + rm * found.wavelength_squared
        pulls["rm"].append((found.rm - rm) / found.rm_error)
        pulls["intrinsic_angle"].append(
            half_turn(found.intrinsic_angle - CHI) / found.intrinsic_angle_error)
        pulls["angle"].append(half_turn(found.angle - at_middle) / found.angle_error)
        pulls["flux_density"].append((found.flux_density - 1) / found.noise)
        assert found.snr == pytest.approx(snr, abs=4)
        assert found.probability < 1e-4
    for values in pulls.values():
        # Four standard deviations of a mean, and of a standard deviation, of 300 draws. Smearing
        # in a channel takes 2 % of a source of 600 rad/m2: 1 sigma of the strongest.
        assert np.mean(values) == pytest.approx(0, abs=4 / np.sqrt(300))
        assert np.std(values) == pytest.approx(1, abs=4 / np.sqrt(600))


def test_noise_has_a_peak_as_often_as_its_probability_says():
    probability = np.array([faraday_spectrum(faraday_source(0, flux_density=0, snr=1, seed=k),
                                             largest_rm=700).probability for k in range(400)])
    for level in (0.5, 0.1, 0.02):
        share = np.mean(probability < level)
        assert share == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 400) + 0.01)


def test_the_level_of_a_probability_is_the_signal_to_noise_that_has_it():
    found = faraday_spectrum(faraday_source(20, snr=5))
    assert found.snr_of(found.probability) == pytest.approx(found.snr, rel=1e-6)


def test_position_angles_turn_by_rm_times_the_square_of_the_wavelength():
    # North through east, RM positive: the angle grows with wavelength.
    stokes = faraday_source(3.0, snr=1e6, chi=-0.2)
    squared = (constants.c / stokes.frequency) ** 2
    q, u = (stokes.values(name)[0] for name in "QU")
    np.testing.assert_allclose(half_turn(np.arctan2(u, q) / 2 - (-0.2 + 3 * squared)), 0, atol=1e-3)
    found = faraday_spectrum(stokes)
    assert (found.rm, found.intrinsic_angle) == pytest.approx((3, -0.2), abs=1e-3)


def test_the_sum_is_that_of_the_definition():
    stokes = faraday_source(120, snr=10, unequal=True)
    found = faraday_spectrum(stokes)
    squared, _ = wavelength_squared(stokes.frequency, stokes.channel_width)
    w = 1 / stokes.sigma[:, 0] ** 2
    middle = np.sum(w * squared) / w.sum()
    assert found.wavelength_squared == pytest.approx(middle)
    p = stokes.values("Q")[0] + 1j * stokes.values("U")[0]
    for n in (0, 77, len(found.phi) // 2, len(found.phi) - 1):
        expected = np.sum(w * p * np.exp(-2j * found.phi[n] * (squared - middle))) / w.sum()
        assert found.dispersion[n] == pytest.approx(expected, abs=1e-12)
    assert found.rmtf[len(found.rmtf) // 2] == pytest.approx(1)
    assert found.noise == pytest.approx(1 / np.sqrt(w.sum()))


def test_resolution_and_scales_are_those_of_brentjens_and_de_bruyn():
    # Many channels of equal weight, evenly spaced in lambda^2: |rmtf| is a sinc.
    edges = np.linspace(0.12, 0.20, 513)
    frequency = constants.c / np.sqrt(edges)
    low, high = frequency[1:], frequency[:-1]
    found = faraday_spectrum(rotated(10, (low + high)[::-1] / 2, (high - low)[::-1], 1e-3))
    # 3.79 / span is where a sinc falls to a half; 2 sqrt 3 / span in their equation 61.
    assert found.resolution == pytest.approx(3.79 / 0.08, rel=0.01)
    assert found.largest_scale == pytest.approx(np.pi / 0.12, rel=0.01)
    assert found.largest_depth == pytest.approx(np.sqrt(3) / (0.08 / 512), rel=1e-3)


def test_a_source_at_the_largest_depth_keeps_about_half_of_its_flux_density():
    # Averaged over each channel, as an instrument does.
    frequency, width = 700e6 + 4e6 * np.arange(50), np.full(50, 4e6)
    depth = faraday_spectrum(rotated(0, frequency, width, 1e-3)).largest_depth
    fine = frequency[:, None] + np.linspace(-0.5, 0.5, 201) * 4e6
    p = np.exp(2j * depth * (constants.c / fine) ** 2).mean(axis=1)
    # The limit is that of the widest channel, the first.
    assert abs(p[0]) == pytest.approx(0.57, abs=0.02)


def test_channels_count_by_their_errors_and_flagged_ones_not_at_all():
    stokes = faraday_source(40, snr=30)
    flux_density, sigma = stokes.flux_density.copy(), stokes.sigma.copy()
    flux_density[10:60] += 300 * sigma[10:60]
    sigma[10:60] *= 1e4
    flux_density[80:90] = np.nan
    found = faraday_spectrum(stokes.__class__(
        stokes.frequency, stokes.channel_width, flux_density, sigma, stokes.covariance,
        stokes.polarizations, stokes.partner))
    assert abs(found.rm - 40) < 5 * found.rm_error
    assert found.snr == pytest.approx(30 * np.sqrt(68 / 128), rel=0.2)


def test_two_channels_tell_no_rotation_measure():
    with pytest.raises(ValueError, match="needs 3 channels with Stokes Q and U; there are 2"):
        faraday_spectrum(rotated(10, np.array([1e9, 1.1e9]), np.full(2, 1e7), 0.1))


def test_rm_tools_finds_the_same():
    util_rm = pytest.importorskip("RMutils.util_RM")
    stokes = faraday_source(-85, snr=25, unequal=True)
    found = faraday_spectrum(stokes)
    squared, _ = wavelength_squared(stokes.frequency, stokes.channel_width)
    q, u = (stokes.values(name)[0] for name in "QU")
    w = 1 / stokes.sigma[:, 0] ** 2
    made = util_rm.do_rmsynth_planes(q, u, squared, found.phi, w.copy(), nBits=64, eps=1e-12)
    np.testing.assert_allclose(made.FDFcube, found.dispersion, atol=1e-9)
    response = util_rm.get_rmsf_planes(squared, found.rmtf_phi, w.copy(), nBits=64)
    np.testing.assert_allclose(response.RMSFcube, found.rmtf, atol=1e-9)
    measured = util_rm.measure_FDF_parms(
        made.FDFcube, found.phi, float(response.fwhmRMSFArr), dFDF=found.noise,
        lamSqArr_m2=squared, lam0Sq=made.lam0Sq_m2)
    # A parabola through three points of the axis is not quite the peak.
    assert abs(measured["phiPeakPIfit_rm2"] - found.rm) < 0.1 * found.rm_error
    assert measured["ampPeakPIfitEff"] == pytest.approx(found.flux_density, rel=2e-3)
    # It takes half the resolution over the S/N for the error: that of equal weights.
    assert measured["dPhiPeakPIfit_rm2"] == pytest.approx(found.rm_error, rel=0.2)
    assert half_turn(np.radians(measured["polAngle0Fit_deg"]) - found.intrinsic_angle) == (
        pytest.approx(0, abs=0.2 * found.intrinsic_angle_error))


def test_clean_tells_two_sources_from_the_sidelobes_of_the_stronger():
    pytest.importorskip("RMutils.util_RM")
    both = rotated([30, -200], np.linspace(700e6, 950e6, 128), np.full(128, 2e6), 0.02,
                   flux_density=[1.0, 0.2])
    found = faraday_spectrum(both)
    cleaned = rm_clean.clean(found)
    held = np.abs(cleaned.components)
    for depth, flux_density in ((30, 1.0), (-200, 0.2)):
        near = np.abs(found.phi - depth) < found.resolution
        assert held[near].sum() == pytest.approx(flux_density, rel=0.1)
        held[near] = 0
    assert held.sum() < 0.05


def test_clean_without_rm_tools_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "RMutils.util_RM", None)
    with pytest.raises(SettingsError, match=r"RM-CLEAN needs RM-Tools: pip install visds\[rm\]"):
        rm_clean.clean(faraday_spectrum(faraday_source(10, snr=20)))
