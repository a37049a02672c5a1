"""The imaginary part of noise is noise about zero; what is not is said, with the scan."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.error_text import value_with_error
from visds.dynspec import binning
from visds.dynspec.imaginary_part import chi_squared, imaginary_parts


def with_imaginary(data, extra):
    """Add an imaginary part (T,F,P; Jy) to all visibilities of a spectrum."""
    return data.replace(sum_wv=data.sum_wv + 1j * extra * data.sum_w,
                        sum_w2v=data.sum_w2v + 1j * extra * data.sum_w2,
                        sum_w2v2=data.sum_w2v2 + extra**2 * data.sum_w2
                        + 2 * extra * data.sum_w2v.imag)


def test_noise_scatters_by_one_sigma_and_flagged_cells_do_not_count():
    data = spectrum(np.zeros((200, 40, 4)))
    half = np.zeros((200, 40), bool)
    half[:100] = True
    for one, number in ((data, 8000), (data.flag_cells(half), 4000)):
        parts = imaginary_parts(one)
        assert [part.scatter for part in parts.values()] == pytest.approx([1.0] * 4, abs=0.05)
        assert {part.number for part in parts.values()} == {number}
        assert not any(part.verdict for part in parts.values())
    nothing = imaginary_parts(data.flag_cells(np.ones((200, 40), bool)))["V"]
    assert np.isnan(nothing.scatter) and nothing.number == 0 and not nothing.verdict


def test_an_offset_of_one_scan_is_seen_where_the_scatter_about_the_median_is_not():
    data = spectrum(np.zeros((60, 10, 4)), scans=(1, 2, 3))
    extra = np.zeros(data.sum_w.shape)
    extra[40:, :, 1] = -3 * np.median(data.sigma[..., 1])
    parts = imaginary_parts(with_imaginary(data, extra))
    assert parts["Q"].scan == 3 and parts["Q"].offset == pytest.approx(-3, abs=0.3)
    assert "sigma off zero on average over scan 3" in parts["Q"].verdict
    assert not parts["I"].verdict


def test_an_offset_and_a_scatter_are_both_told():
    data = spectrum(np.zeros((60, 10, 4)), scans=(1, 2, 3))
    extra = np.random.default_rng(0).normal(0, 3 * np.median(data.sigma), data.sum_w.shape)
    extra[40:] += 4 * np.median(data.sigma)
    verdict = imaginary_parts(with_imaginary(data, extra))["U"].verdict
    assert "sigma off zero on average over scan 3" in verdict and "scatters by " in verdict


def test_an_offset_that_passes_is_not_called_noise():
    """Beside the noise of a cell it is small, beside its own error it is not."""
    data = spectrum(np.zeros((600, 10, 4)))
    part = imaginary_parts(with_imaginary(
        data, np.full(data.sum_w.shape, 0.3 * np.median(data.sigma))))["I"]
    assert not part.verdict and not part.is_noise
    assert imaginary_parts(data)["I"].is_noise


def test_a_constant_offset_makes_the_scatter_about_zero_large():
    data = spectrum(np.zeros((60, 10, 4)))
    extra = np.full(data.sum_w.shape, 4 * np.median(data.sigma))
    assert imaginary_parts(with_imaginary(data, extra))["I"].scatter > 4


@pytest.mark.parametrize("cells", [1, 6, 20])
def test_few_cells_of_noise_seldom_raise_a_doubt(cells):
    doubtful = sum(bool(part.verdict) for seed in range(60) for part in imaginary_parts(
        spectrum(np.zeros((cells, 1, 4)), seed=seed)).values())
    assert doubtful <= 5  # of 240


@pytest.mark.parametrize("baselines", [6, 12, 50])
def test_chi_squared_of_noise_is_1_within_its_error(baselines):
    """However few baselines the errors come from: that these are noisy too is allowed for."""
    pulls, of_scans, of_channels = [], [], []
    for seed in range(20):
        data = spectrum(np.zeros((60, 8, 2)), polarizations=("I", "V"), baselines=baselines,
                        scans=(3, 5, 9), seed=seed)
        for part in chi_squared(data).values():
            assert part.scans.tolist() == [3, 5, 9]
            pulls.append((part.value - 1) / part.error)
            of_scans += ((part.scan_value - 1) / part.scan_error).tolist()
            of_channels += ((part.channel_value - 1) / part.channel_error).tolist()
    for values in (pulls, of_scans, of_channels):
        assert np.mean(values) == pytest.approx(0, abs=4 / np.sqrt(len(values)))
        assert np.std(values) == pytest.approx(1, abs=4 / np.sqrt(2 * len(values)))


def test_chi_squared_tells_the_scan_and_the_channel_that_are_not_noise():
    data = spectrum(np.zeros((60, 8, 4)), scans=(1, 2, 3))
    extra = np.zeros(data.sum_w.shape)
    extra[20:40, 5, 3] = 4 * np.median(data.sigma)
    part = chi_squared(with_imaginary(data, extra))["V"]
    assert part.channel_value[5] == pytest.approx(1 + 16 / 3, rel=0.25)
    assert part.value == pytest.approx(1 + 16 / 24, rel=0.15)
    assert "farthest from 1: scan 2" in part.line and "the channel at 555 MHz" in part.line
    alone = chi_squared(data.select_times(np.arange(20)).sum_channels(binning.whole(8)))["V"]
    assert alone.line == value_with_error(alone.value, alone.error)
    dropped = data.flag_cells(np.arange(8)[None, :] == np.zeros((60, 1)) + 2)
    assert np.isnan(chi_squared(dropped)["I"].channel_value[2])
    nothing = chi_squared(data.flag_cells(np.ones((60, 8), bool)))["I"]
    assert np.isnan(nothing.value) and nothing.line == "no unflagged data"
