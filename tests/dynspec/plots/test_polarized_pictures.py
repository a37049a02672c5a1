"""Pictures of linear polarization: the values of L, its angles and fractions, and RM spectra."""

import numpy as np
import pytest
from astropy.table import Table
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.plots.draw import draw_products, plot_figure
from visds.dynspec.plots.faraday import faraday_spectra
from visds.dynspec.plots.quantity import quantity
from visds.dynspec.plots.settings import check_pictures, plot_settings
from visds.dynspec.polarimetry.rm_synthesis import wavelength_squared

TRUTH = {"I": 2.0, "Q": 0.3, "U": -0.4, "V": 0.5}


def made(sigma=0.01, T=4, F=6, truth=TRUTH, **options):
    return spectrum(np.broadcast_to(list(truth.values()), (T, F, 4)), sigma=sigma, **options)


@pytest.mark.parametrize(("name", "truth"), [
    ("L", 0.5), ("L/I", 0.25), ("PA", np.arctan2(-0.4, 0.3) / 2), ("ellipticity", np.pi / 8)])
@pytest.mark.parametrize(("hands", "ratio"), [(("RR", "LL"), 1.0), (("XX", "YY"), 1.0),
                                              (("XX", "YY"), 2.0)])
def test_quantities_of_linear_polarization_are_the_truth_within_their_errors(
        name, truth, hands, ratio):
    shown = quantity(name)
    # Unequal hands correlate I and Q; these draws U and V too, which nature does not.
    many = made(sigma=0.04, T=40, F=40, parallel_hands=hands,
                hand_ratio=1.0 if name == "ellipticity" else ratio)
    part = many.select_polarizations(shown.needed)
    pulls = (shown.values(part) - truth) / shown.errors(part)
    assert np.mean(pulls) == pytest.approx(0, abs=0.15)
    # The errors of 50 baselines are themselves good to a tenth.
    assert np.std(pulls) == pytest.approx(1, abs=0.1)


def test_signal_to_noise_and_sigma_of_l_belong_together():
    some = made(sigma=0.1)
    np.testing.assert_allclose(quantity("snr:L").values(some) * quantity("sigma:L").values(some),
                               quantity("L").values(some))


def test_angles_are_given_where_l_is_strong_and_flags_are_told_from_noise():
    some = made(truth=TRUTH | {"Q": 0.0, "U": 0.0, "V": 0.0}, sigma=0.1, T=30, F=30)
    shown = quantity("PA")
    assert np.isnan(shown.values(some)).mean() > 0.97
    assert not shown.flagged(some).any()
    assert shown.not_given == "L < 3σ"
    assert np.isfinite(quantity("PA", 0.01).values(some)).mean() > 0.5
    flagged = some.flag_cells(np.eye(30, dtype=bool))
    assert np.array_equal(shown.flagged(flagged), np.eye(30, dtype=bool))
    assert np.array_equal(quantity("L/I").flagged(flagged), np.eye(30, dtype=bool))


@pytest.mark.parametrize(("name", "ends", "label"), [
    ("PA", (-90, 90), "Position angle (deg)"), ("ellipticity", (-45, 45),
                                                "Ellipticity angle (deg)"),
    ("L/I", (0, 50), "L/I (%)")])
def test_the_scales_of_angles_are_whole_and_those_of_fractions_begin_at_zero(name, ends, label):
    axes = plot_figure(made(), name, colour_scale="log" if name == "PA" else "linear").axes
    assert (axes[1].get_ylim()) == pytest.approx(ends)
    assert axes[1].get_ylabel() == label


def test_the_mask_of_angles_is_an_option_of_the_pictures():
    weak = made(truth=TRUTH | {"Q": 0.03, "U": 0.0}, sigma=0.02, T=20, F=20)
    def words(**options):
        return [text.get_text() for legend in plot_figure(weak, "PA", **options).legends
                for text in legend.get_texts()]
    assert words() == ["L < 3σ"]
    assert words(mask_angles_below="4") == ["L < 4σ"]


def test_a_light_curve_of_l_is_made_of_the_bands_q_and_u():
    # L averaged over cells would be noise of 0.76 sigma; of averaged Q and U it is small.
    some = made(truth=TRUTH | {"Q": 0.0, "U": 0.0}, sigma=0.2, T=8, F=100)
    figure = plot_figure(some, "lightcurve", curves=["L"], curve_bin="none")
    drawn = figure.axes[0].lines[-1].get_ydata()
    assert len(drawn) >= 8 and np.nanmax(np.abs(drawn)) < 100  # mJy
    assert figure.axes[0].get_ylabel() == "L (mJy)"
    figure = some.light_curve().plot(curves=["L"])
    assert figure.axes[0].get_ylabel() == "L (mJy)"


@pytest.mark.parametrize(("name", "needs"), [("L", "Q"), ("PA", "Q"), ("L/I", "Q"),
                                             ("ellipticity", "Q"), ("faraday", "Q")])
def test_what_needs_q_and_u_is_refused_by_name_where_there_are_none(name, needs):
    only = made().select_polarizations(("I", "V"))
    with pytest.raises(SettingsError, match=rf"'{name}' needs {needs}, which is not in this"):
        plot_figure(only, name)
    with pytest.raises(SettingsError, match=f"--plots: '{name}' needs {needs}; there will be I, V"):
        check_pictures(plot_settings(plots=name), ("I", "V"), ("RR", "LL"))


# ---- Faraday spectra -----------------------------------------------------------------------

def rotating():
    """Return a spectrum with a star of 20 rad/m2, its burst of -45, and the table of the burst."""
    T, F, width = 30, 64, 4e6
    squared, _ = wavelength_squared(700e6 + width * np.arange(F), np.full(F, width))
    truth = np.zeros((T, F, 4))
    truth[..., 0] = 1
    for rm, linear, times in ((20, 0.1, slice(None)), (-45, 0.6, slice(10, 15))):
        p = linear * np.exp(2j * rm * squared)
        truth[times, :, 1] += p.real
        truth[times, :, 2] += p.imag
        truth[times, :, 0] += 2 * linear
    some = spectrum(truth, sigma=0.05, channel_width=width, first_frequency=700e6, baselines=12)
    half = 5 / 86400
    burst = Table({"snr": [50.0], "start": [some.time[10] - half], "stop": [some.time[14] + half],
                   "box_start": [some.time[10] - half], "box_stop": [some.time[14] + half],
                   "box_low": [690e6], "box_high": [960e6], "band_low": [690e6],
                   "band_high": [960e6], "polarization": ["I"]})
    return some, burst


def test_the_faraday_picture_has_the_mean_and_the_burst_with_their_rotation_measures(tmp_path):
    some, burst = rotating()
    mean, single = faraday_spectra(some, burst, plot_settings())
    assert single.spectrum.rm == pytest.approx(-45, abs=5 * single.spectrum.rm_error)
    assert mean.spectrum.probability < 1e-4
    figure = plot_figure(some, "faraday", detections=burst)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words[0].startswith("mean: RM = ")
    assert words[1].startswith("detection 1, less the level around it: RM = -4")
    assert [axes.get_ylabel() for axes in figure.axes] == ["L (mJy)"] * 2
    path, = draw_products(some, burst, plot_settings(plots="faraday", picture_width="single"),
                          tmp_path)
    assert path.name == "faraday.png"


def test_a_faraday_picture_of_noise_gives_no_rotation_measure():
    some = made(truth=TRUTH | {"Q": 0.0, "U": 0.0}, sigma=0.1, T=4, F=32)
    figure = plot_figure(some, "faraday")
    assert "no peak above the noise" in figure.axes[0].texts[0].get_text()


def test_a_faraday_picture_needs_channels_and_room():
    with pytest.raises(SettingsError, match="'faraday': RM synthesis needs 3 channels"):
        plot_figure(made(F=2), "faraday")
    with pytest.raises(SettingsError, match=r"--picture-height 0\.8 has no room for 1 panels"):
        plot_figure(made(F=16), "faraday", picture_height="0.8")
