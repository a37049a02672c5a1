"""Estimates, errors and rebinning of a dynamic spectrum, against draws and direct sums."""

import pickle

import numpy as np
import pytest
from noisy import CIRCULAR, LINEAR, TRUTH, chunk, spectrum, unequal
from spectra import spectrum as simulated_spectrum

from visds.core.errors import FormatError, SettingsError
from visds.core.flags import Flag
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

SUMS = [name for name, spec in DynamicSpectrum.array_specs().items()
        if spec.axes.startswith("TF")]


def direct(made, stokes, weights_of=("RR", "LL")):
    """Return flux density and empirical error of all visibilities of a chunk in one sum."""
    labels = made.correlations
    pair = {"I": ("RR", "LL", 0.5, 0.5), "V": ("RR", "LL", 0.5, -0.5),
            "Q": ("RL", "LR", 0.5, 0.5), "U": ("RL", "LR", -0.5j, 0.5j)}[stokes]
    a, b = labels.index(pair[0]), labels.index(pair[1])
    values = (pair[2] * made.visibility[..., a] + pair[3] * made.visibility[..., b]).astype(complex)
    weight = 4 / (1 / made.weight[..., a].astype(float) + 1 / made.weight[..., b].astype(float))
    weight = np.broadcast_to(weight, values.shape) * (made.flags[..., [a, b]] == 0).all(-1)
    mean = np.sum(weight * values) / np.sum(weight)
    variance = np.sum(weight**2 * np.abs(values - mean) ** 2) / 2 / (
        np.sum(weight) ** 2 - np.sum(weight**2))
    return mean, np.sqrt(variance), 1 / np.sqrt(np.sum(weight))


def flagged_chunk(T=14, F=9, B=8):
    made = chunk(CIRCULAR, unequal(B, CIRCULAR), T, F=F)
    rng = np.random.default_rng(3)
    flags = (rng.uniform(size=made.flags.shape) < 0.3).astype(np.uint8)
    flags[3:5, :, 2] = 1
    return made.replace(flags=flags)


def test_a_bin_of_one_changes_nothing():
    made = spectrum(flagged_chunk())
    for again in (made.rebin(time=1), made.rebin(channel=1), made.rebin(1, 1), made.rebin()):
        for name, spec in DynamicSpectrum.array_specs().items():
            if name == "time_barycentre":
                continue
            np.testing.assert_allclose(getattr(again, name), getattr(made, name), rtol=1e-15,
                                       err_msg=f"{name} ({spec.axes})")


@pytest.mark.parametrize(("time", "channel"), [(3, 2), (5, 4), (100, 100), ("30s", "4MHz"),
                                               (None, 3), ("1min", None)])
def test_every_bin_is_the_estimate_of_its_own_visibilities(time, channel):
    made = flagged_chunk()
    binned = spectrum(made).rebin(time, channel)
    per_t = {3: 3, 5: 5, 100: 14, "30s": 3, None: 1, "1min": 6}[time]
    per_f = {2: 2, 4: 4, 100: 9, "4MHz": 4, 3: 3, None: 1}[channel]
    assert binned.sum_w.shape == (-(-14 // per_t), -(-9 // per_f), 4)
    for t in range(binned.sum_w.shape[0]):
        for f in range(binned.sum_w.shape[1]):
            part = made.select_times(t * per_t, (t + 1) * per_t)
            channels = slice(f * per_f, (f + 1) * per_f)
            part = part.replace(visibility=part.visibility[:, :, channels],
                                flags=part.flags[:, :, channels],
                                frequency=part.frequency[channels],
                                channel_width=part.channel_width[channels])
            if (part.flags != 0).all():
                assert np.isnan(binned.flux_density[t, f]).all()
                continue
            for p, name in enumerate("IQUV"):
                mean, _, formal = direct(part, name)
                assert binned.flux_density[t, f, p] == pytest.approx(mean.real, rel=1e-6, abs=1e-8)
                assert binned.residual[t, f, p] == pytest.approx(mean.imag, rel=1e-6, abs=1e-8)
                assert binned.sigma_formal[t, f, p] == pytest.approx(formal, rel=1e-6)
                assert binned.sigma_empirical[t, f, p] == pytest.approx(
                    error_of_the_mean_of_cells(part, name), rel=1e-6, nan_ok=True)


def error_of_the_mean_of_cells(part, name):
    """sqrt(sum W^2 var) / sum W over the cells, each with the scatter across its baselines."""
    total = variance = 0.0
    for t in range(len(part.time)):
        for f in range(len(part.frequency)):
            cell = part.select_times(t, t + 1)
            cell = cell.replace(visibility=cell.visibility[:, :, f:f + 1],
                                flags=cell.flags[:, :, f:f + 1],
                                frequency=cell.frequency[f:f + 1],
                                channel_width=cell.channel_width[f:f + 1])
            with np.errstate(invalid="ignore", divide="ignore"):
                _, empirical, formal = direct(cell, name)
            if not np.isfinite(formal):
                continue
            error = empirical if np.isfinite(empirical) else formal
            total += formal**-2
            variance += formal**-4 * error**2
    return np.sqrt(variance) / total if total else np.nan


def test_what_differs_between_cells_is_not_noise():
    """A steep spectrum and a narrow burst leave the error of the band average as it is."""
    truth = np.zeros((20, 32, 4))
    quiet = simulated_spectrum(truth, sigma=0.05).light_curve().sigma[:, 0].mean()
    truth[..., 0] = 10 * np.linspace(1, 1.4, 32) ** -0.7
    truth[10, 7, 0] += 20
    curve = simulated_spectrum(truth, sigma=0.05).light_curve()
    np.testing.assert_allclose(curve.sigma[:, 0], quiet, rtol=0.05)
    binned = simulated_spectrum(truth, sigma=0.05).rebin(time=4, channel=16)
    np.testing.assert_allclose(binned.sigma[..., 0] * np.sqrt(4 * 16 / 32), quiet, rtol=0.05)


def test_rebinning_in_two_steps_is_rebinning_in_one():
    made = spectrum(flagged_chunk(T=12, F=8))
    once, twice = made.rebin(6, 4), made.rebin(2, 2).rebin(3, 2)
    for name in DynamicSpectrum.array_specs():
        if name != "time_barycentre":
            np.testing.assert_allclose(getattr(once, name), getattr(twice, name), rtol=1e-12)


def test_bins_never_hold_two_scans_and_a_gap_stays_a_gap():
    made = spectrum(chunk(("RR", "LL"), np.ones((3, 2)), T=7))
    time = made.time + np.array([0, 0, 0, 0, 1, 1, 1]) * 600 / 86400
    made = made.replace(scan=[1, 1, 1, 1, 2, 2, 2], time=time, time_barycentre=time + 0.005)
    for bin_ in (3, "30s"):
        binned = made.rebin(time=bin_)
        assert binned.scan.tolist() == [1, 1, 2]
        assert binned.integration.tolist() == [30, 10, 30]
        np.testing.assert_allclose(
            (binned.time - 59000) * 86400, [10, 30, 650], atol=1e-5)
        np.testing.assert_allclose(binned.time_barycentre, binned.time + 0.005, atol=1e-10)
        assert binned.count[:, 0, 0].tolist() == [9, 3, 9]


def test_a_bins_time_and_frequency_are_means_weighted_by_length_and_width():
    made = spectrum(chunk(("RR", "LL"), np.ones((3, 2)), T=2, F=2)).replace(
        integration=[10.0, 30.0], time=np.array([59000, 59000 + 20 / 86400]),
        channel_width=[1e6, 3e6], frequency=[1e9, 1.002e9])
    binned = made.rebin(2, 2)
    assert (binned.time[0] - 59000) * 86400 == pytest.approx(15, abs=1e-5)
    assert binned.frequency[0] == pytest.approx(1.0015e9)
    assert (binned.integration[0], binned.channel_width[0]) == (40, 4e6)


def test_an_empty_cell_is_nan_in_every_view_and_adds_nothing():
    made = spectrum(flagged_chunk())
    assert (made.flags[3, 2] & Flag.EMPTY).all()
    for name in ("flux_density", "residual", "sigma", "sigma_formal", "sigma_empirical"):
        assert np.isnan(getattr(made, name)[3, 2]).all()
    with_gap, without = made.rebin(time=7), made.select_times(np.arange(14) != 3).select_times(
        np.arange(13) != 3)
    np.testing.assert_allclose(with_gap.sum_w[0, 2], without.select_times(
        np.arange(12) < 5).rebin(time=5).sum_w[0, 2], rtol=1e-12)
    assert not (with_gap.flags & Flag.EMPTY).any()
    assert (with_gap.flags[0, 2] & Flag.MEASUREMENT_SET).all()


def test_a_region_that_a_user_flags_is_masked_kept_and_left_out_of_bins():
    made = spectrum(chunk(CIRCULAR, unequal(6, CIRCULAR), T=4, F=4))
    cells = np.zeros((4, 4), bool)
    cells[:2, :2] = True
    flagged = made.flag_cells(cells)
    assert np.isnan(flagged.flux_density[:2, :2]).all()
    assert not np.isnan(flagged.flux_density[2:]).any()
    np.testing.assert_array_equal(flagged.sum_wv, made.sum_wv)
    binned = flagged.rebin(4, 4)
    keep = ~cells[..., None]
    np.testing.assert_allclose(binned.sum_w[0, 0], (made.sum_w * keep).sum((0, 1)), rtol=1e-12)
    quarter = flagged.rebin(2, 2)
    assert (quarter.flags[0, 0] == Flag.EMPTY | Flag.REGION).all()
    assert (quarter.flags[1, 1] == 0).all()


def test_the_formal_error_stands_in_where_fewer_than_ten_visibilities_are():
    for B, name in ((9, "sigma_formal"), (10, "sigma_empirical")):
        made = spectrum(chunk(("RR", "LL"), np.ones((B, 2)), T=3))
        np.testing.assert_array_equal(made.sigma, getattr(made, name))
        uncalibrated = made.replace(meta={"weights_calibrated": False}).sigma
        np.testing.assert_array_equal(
            uncalibrated, made.sigma_empirical if B == 10 else np.full(made.sigma.shape, np.nan))


def test_few_baselines_have_formal_errors_on_the_scale_of_the_scatter():
    """Weights that are wrong by a common factor leave the errors right."""
    truth = np.zeros((60, 40, 4))
    made = simulated_spectrum(truth, sigma=0.1, baselines=5)
    wrong = made.replace(sum_w=made.sum_w * 1e4, sum_wv=made.sum_wv * 1e4,
                         sum_w2=made.sum_w2 * 1e8, sum_w2v=made.sum_w2v * 1e8,
                         sum_w2v2=made.sum_w2v2 * 1e8)
    wrong = wrong.replace(meta={"weight_scale": wrong.measured_weight_scale()})
    np.testing.assert_allclose(wrong.sigma, 0.1, rtol=0.05)
    assert wrong.flux_density.std() == pytest.approx(0.1, rel=0.05)


def test_a_single_visibility_has_no_empirical_error():
    made = spectrum(chunk(("RR", "LL"), np.ones((1, 2)), T=3))
    assert np.isnan(made.sigma_empirical).all()
    assert np.isfinite(made.sigma).all()
    assert np.isnan(made.replace(meta={"weights_calibrated": False}).sigma).all()


@pytest.mark.parametrize(("labels", "name"), [(CIRCULAR, "V"), (LINEAR, "Q"), (CIRCULAR, "U")])
@pytest.mark.parametrize("second", [1.0, 3.0])
def test_the_error_of_a_fraction_is_that_of_the_draws(labels, name, second):
    # 95 % polarized, so that the covariance of numerator and denominator counts.
    T = 8000
    truth = {"I": 1.0, "Q": 0.0, "U": 0.0, "V": 0.0} | {name: -0.95}
    sigma = 0.05 * unequal(12, labels, second=second) / 0.2
    made = spectrum(chunk(labels, sigma, T, stokes=tuple(truth.values())))
    ratio, error = made.fraction(name)
    expected = np.sqrt(np.mean(error**2))
    assert np.std(ratio) == pytest.approx(expected, rel=0.05)
    assert np.mean(ratio) == pytest.approx(-0.95, abs=5 * expected / np.sqrt(T) + expected**2)


def test_the_fraction_of_a_source_that_is_not_seen_is_not_given():
    made = spectrum(chunk(("RR", "LL"), np.full((16, 2), 1.0), T=2000, stokes=(0.8, 0, 0, 0.4)))
    ratio, _ = made.fraction("V")
    seen = made.values("I") >= 5 * made.errors("I")
    assert 0 < seen.mean() < 1
    np.testing.assert_array_equal(np.isfinite(ratio), seen)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
def test_rebinned_q_and_u_of_turning_feeds_keep_their_errors(labels):
    # Two thirds of a turn from bin to bin; the noise of Q and of U in the feeds differs.
    T = 6000
    sigma = unequal(12, labels, second=4.0) * [1, 3, 3, 1]
    made = spectrum(chunk(labels, sigma, T, feed_angle=np.linspace(0, 400, T)))
    binned = made.rebin(time=6)
    for name in "QU":
        p = "IQUV".index(name)
        pulls = (binned.flux_density[:, 0, p] - TRUTH[p]) / binned.sigma_formal[:, 0, p]
        assert np.mean(pulls) == pytest.approx(0, abs=0.13)
        assert np.std(pulls) == pytest.approx(1, abs=0.09)
        ratio = np.mean(binned.sigma_empirical[:, 0, p] ** 2) / np.mean(
            binned.sigma_formal[:, 0, p] ** 2)
        assert ratio == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_covariance_of_rebinned_linear_feeds_is_that_of_the_draws(calibrated):
    T = 12000
    made = spectrum(chunk(LINEAR, unequal(12, LINEAR, second=4.0), T,
                          feed_angle=np.linspace(0, 0.5, T)))
    binned = made.replace(meta={"weights_calibrated": calibrated}).rebin(time=6)
    i, q = binned.values("I")[:, 0], binned.values("Q")[:, 0]
    drawn = (i - 1) * (q - 0.1)
    assert np.mean(binned.covariance) == pytest.approx(
        np.mean(drawn), abs=4.5 * np.std(drawn) / np.sqrt(len(drawn)))
    assert abs(np.mean(drawn)) > 10 * np.std(drawn) / np.sqrt(len(drawn))


def test_a_polarization_that_is_not_held_is_named():
    made = spectrum(chunk(("RR", "LL"), np.ones((3, 2)), T=2))
    with pytest.raises(ValueError, match="Stokes Q is not in this spectrum; it holds I, V"):
        made.values("Q")


@pytest.mark.parametrize(("time", "channel"), [("0", None), ("5parsec", None), (None, "-3MHz")])
def test_a_bin_that_means_nothing_is_refused(time, channel):
    with pytest.raises(SettingsError):
        spectrum(chunk(("RR", "LL"), np.ones((3, 2)), T=2)).rebin(time, channel)


def test_a_spectrum_on_disk_is_the_spectrum(tmp_path):
    made = spectrum(flagged_chunk())
    made.write(tmp_path / "dynspec.h5", key="k")
    again = DynamicSpectrum.read(tmp_path / "dynspec.h5")
    for name in DynamicSpectrum.array_specs():
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    assert (again.polarizations, again.parallel_hands, again.meta) == (
        made.polarizations, made.parallel_hands, made.meta)
    with pytest.raises(FormatError, match="does not exist"):
        DynamicSpectrum.read(tmp_path / "other.h5")


def test_estimates_are_shared_and_cannot_be_changed_by_one_who_asks():
    made = spectrum(flagged_chunk())
    for name in ("flux_density", "residual", "sigma", "sigma_formal", "sigma_empirical"):
        assert getattr(made, name) is getattr(made, name)
        with pytest.raises(ValueError, match="read-only"):
            getattr(made, name)[0, 0, 0] = 1.0


def test_a_changed_spectrum_has_estimates_of_its_own():
    made = spectrum(flagged_chunk())
    before = made.flux_density
    doubled = made.replace(sum_wv=2 * made.sum_wv)
    np.testing.assert_allclose(doubled.flux_density, 2 * before)
    assert made.flux_density is before


def test_a_spectrum_that_is_sent_to_another_rank_is_its_sums_alone():
    made = spectrum(flagged_chunk())
    size = len(pickle.dumps(made))
    assert np.isfinite(made.sigma).any()
    assert len(pickle.dumps(made)) == size
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).sigma, made.sigma)


def test_a_region_of_single_visibilities_adds_nothing_to_the_covariance_of_a_bin():
    made = spectrum(chunk(("RR", "LL"), np.array([[1.0, 3.0]]), T=8))
    cells = np.arange(8)[:, None] < 4
    masked = made.flag_cells(cells).rebin(time=8)
    rest = made.select_times(~cells[:, 0]).rebin(time=4)
    np.testing.assert_allclose(masked.sum_w2_cross, rest.sum_w2_cross, rtol=1e-12)
    np.testing.assert_allclose(masked.sum_w2_covariance, rest.sum_w2_covariance, rtol=1e-12)


@pytest.mark.parametrize("weight", [1.0, 1e4, 1e6])
def test_a_channel_of_one_visibility_has_its_share_of_a_bins_error_whatever_the_weights_scale(
        weight):
    rng = np.random.default_rng(0)
    T, F, N, sigma = 200, 40, 50, 1e-3
    used = np.ones((T, F, N, 1))
    used[:, 7, 1:] = 0
    v = sigma * (rng.normal(size=(T, F, N, 2)) + 1j * rng.normal(size=(T, F, N, 2)))
    w = weight * used * np.ones(2)
    data = simulated_spectrum(np.zeros((T, F, 2)), polarizations=("I", "V")).replace(
        sum_w=w.sum(2), sum_wv=(w * v).sum(2), sum_w2=(w**2).sum(2), sum_w2v=(w**2 * v).sum(2),
        sum_w2v2=(w**2 * np.abs(v) ** 2).sum(2), count=(w > 0).sum(2),
        sum_w2_cross=np.zeros((T, F)), sum_w2_covariance=np.zeros((T, F)))
    data = data.replace(meta=data.meta | {"weights_calibrated": False})
    data = data.replace(meta=data.meta | {"weight_scale": data.measured_weight_scale()})
    binned = data.rebin(channel=F)
    pulls = binned.flux_density / binned.sigma
    np.testing.assert_allclose(pulls.std(axis=(0, 1)), 1, atol=0.15)


def test_a_folder_of_products_is_read_by_its_name(tmp_path):
    made = spectrum(chunk(("RR", "LL"), np.ones((12, 2)), T=3, F=2))
    with pytest.raises(FormatError, match=r"is a folder without dynspec\.h5"):
        DynamicSpectrum.read(tmp_path)
    made.write(tmp_path / "dynspec.h5")
    np.testing.assert_array_equal(DynamicSpectrum.read(tmp_path).sum_wv, made.sum_wv)
