"""The third error is a floor: never below the others, above them where something is not noise."""

import numpy as np
import pytest
from spectra import spectrum

from visds.dynspec.robust_error import error_inflation


def beside(seed, real=0.0, shape=(60, 16), **options):
    """Return the spectrum of a direction where there is nothing, or what `real` (T,F; Jy) says."""
    truth = np.broadcast_to(np.asarray(real, float), shape)[..., None]
    return spectrum(np.concatenate([truth, np.zeros((*shape, 1))], axis=-1), seed=seed,
                    polarizations=("I", "V"), **options)


def test_noise_leaves_errors_as_they_are():
    """Of 2 x 16 channels, each with 60 cells, and with 12 directions beside."""
    target = beside(0, real=5.0)
    for off_source in ([], [beside(seed) for seed in range(1, 13)]):
        factor = error_inflation(target, off_source)
        assert factor.shape == (16, 2)
        assert factor.min() == 1
        assert factor.mean() < 1.02


@pytest.mark.parametrize("cells", [1, 3, 10])
def test_few_cells_do_not_make_errors_of_their_noise(cells):
    factors = [error_inflation(beside(seed, shape=(cells, 8))) for seed in range(40)]
    assert np.mean(factors) < 1.05


def test_what_scatters_beside_the_target_enlarges_errors_to_just_that():
    """Sidelobes of 3 sigma in half of the band: the pulls of off-source flux have scatter 1."""
    rng = np.random.default_rng(1)
    wide = np.where(np.arange(16) < 8, 3 * 0.1, 0) * rng.standard_normal((60, 16))
    off_source = [beside(seed, real=rng.permutation(wide)) for seed in range(1, 7)]
    factor = error_inflation(beside(0), off_source)
    assert factor[:8, 0] == pytest.approx(np.hypot(1, wide[:, :8].std(0) / 0.1), rel=0.15)
    assert factor[8:, 0].mean() < 1.1 and factor[:, 1].mean() < 1.02
    pulls = np.concatenate([one.flux_density[..., 0] / one.sigma[..., 0] / factor[:, 0]
                            for one in off_source])
    assert np.std(pulls) == pytest.approx(1, abs=0.06)


def test_an_imaginary_part_off_zero_counts_though_it_does_not_change():
    """A leakage of 4 sigma: what is imaginary of it is there as well as what is real."""
    data = beside(0)
    extra = np.zeros(data.sum_w.shape)
    extra[..., 0] = 4 * np.median(data.sigma[..., 0])
    data = data.replace(sum_wv=data.sum_wv + 1j * extra * data.sum_w)
    factor = error_inflation(data, [beside(seed) for seed in range(1, 7)])
    assert np.all(factor[:, 0] == pytest.approx(4, rel=0.25))
    assert factor[:, 1].mean() < 1.02


def test_a_single_burst_in_one_direction_is_no_floor():
    flare = np.zeros((60, 16))
    flare[30] = 5.0
    assert error_inflation(beside(0), [beside(1, real=flare), beside(2)])[:, 0].mean() < 1.1


def test_flagged_cells_and_directions_of_other_channels():
    data = beside(0)
    gone = np.zeros((60, 16), bool)
    gone[:, 3] = gone[10:20] = True
    assert np.all(np.isfinite(error_inflation(data.flag_cells(gone))))
    with pytest.raises(ValueError, match="8 channels"):
        error_inflation(data, [beside(1, shape=(60, 8))])
