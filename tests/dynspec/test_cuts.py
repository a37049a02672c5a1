"""Cuts: bits beside the data, and by how much what they leave is wrong."""

import numpy as np
import pytest
from astropy.table import Table
from scipy import stats
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.core.flags import CELL_MASK, Flag
from visds.core.settings import stage_settings
from visds.dynspec.cuts import (
    CUTS,
    CutSettings,
    check_cuts,
    cut_bits,
    cut_cells,
    cut_detections,
    cut_of,
    is_candidate,
)
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings


def cuts(**written) -> CutSettings:
    return stage_settings(CutSettings, "the cuts", written)


def left(polarization, values, **written):
    """Return the values (in sigma) of a polarization that cuts leave."""
    bits = cut_bits(values, cuts(**written))
    return values[polarization][bits[polarization] == 0]


def noise(intensity=0.0, circular=0.0, seed=1, number=400_000):
    rng = np.random.default_rng(seed)
    return {"I": intensity + rng.standard_normal(number),
            "V": circular + rng.standard_normal(number)}


@pytest.mark.parametrize(("tolerance", "bias"), [("0Jy", 0.80), ("1Jy", 0.29), ("2Jy", 0.06)])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_expected_sign_makes_noise_of_that_sign(sign, tolerance, bias):
    kept = left("V", noise(), expected_sign=str(sign), sign_tolerance=tolerance)
    assert kept.mean() == pytest.approx(sign * bias, abs=0.006)
    # The mean of a normal deviate above -t.
    t = float(tolerance[0])
    assert kept.mean() == pytest.approx(sign * stats.norm.pdf(t) / stats.norm.cdf(t), abs=0.005)
    assert f"{bias:.2f}" in _help("expected_sign")


def test_noise_without_what_is_not_positive_is_a_source():
    bias = np.sqrt(2 / np.pi)
    assert left("I", noise(), mask_below=["I=0Jy"]).mean() == pytest.approx(bias, abs=0.006)
    assert "+0.80 sigma" in _help("mask_below")


def test_a_source_as_bright_as_the_limit_is_left_too_faint():
    kept = left("I", noise(intensity=50), mask_above=["I=50Jy"])
    assert kept.mean() - 50 == pytest.approx(-np.sqrt(2 / np.pi), abs=0.006)
    assert "0.80 sigma of a cell too faint" in _help("mask_above")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_star_polarized_by_100_per_cent_is_left_less_polarized(sign):
    kept = left("V", noise(20, 20 * sign), mask_above=["V/I=100%"])
    assert sign * kept.mean() - 20 == pytest.approx(-1 / np.sqrt(np.pi), abs=0.006)
    assert "0.56 sigma too small" in _help("mask_above")


def test_of_an_unpolarized_flare_the_noise_that_looks_polarized_is_left():
    # At I = 100 sigma 2 % are 2 sigma.
    kept = left("V", noise(100), least_polarization="2%", strong="40Jy")
    assert np.sqrt(np.mean(kept**2)) == pytest.approx(2.4, abs=0.02)
    assert "scatter in V by 2.4 sigma" in _help("least_polarization")


def _help(name: str) -> str:
    return CutSettings.__dataclass_fields__[name].metadata["option"].help


def test_nothing_is_cut_by_default_and_a_cut_changes_no_value():
    data = spectrum(np.ones((8, 4, 4)) * [1, 0, 0, 0.1], sigma=0.1)
    assert not (cut_cells(data, cuts()).flags.any() or cuts().is_any)
    cut = cut_cells(data, cuts(expected_sign="-1", mask_above=["I=1Jy"]))
    assert (cut.flags & int(Flag.SIGN_V)).any() and (cut.flags & int(Flag.FLUX_LIMIT)).any()
    assert not CUTS & CELL_MASK
    for name in ("flux_density", "sigma", "sum_wv", "count"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(data, name))
    np.testing.assert_array_equal(cut.light_curve().flux_density, data.light_curve().flux_density)
    # Other cuts take the place of these; bins have none, for nothing is left out of them.
    assert not cut_cells(cut, cuts()).flags.any() and "cuts" not in cut_cells(cut, cuts()).meta
    assert not cut.rebin(time=4).flags.any() and not cut.rebin(channel=2).flags.any()


def test_the_sign_of_v_is_never_carried_into_another_stokes_parameter():
    data = cut_cells(spectrum(np.zeros((20, 10, 4))), cuts(
        expected_sign="+1", mask_above=["V/I=100%"]))
    assert data.flags[..., data.index("V")].any() and not data.flags[..., :3].any()


def bits(intensity, circular, **written):
    found = cut_bits({"I": np.array(intensity), "V": np.array(circular)}, cuts(**written))
    return found["I"].tolist(), found["V"].tolist()


def test_the_two_rules_of_the_least_polarization():
    intensity = [0.03, 0.05, 0.05, 0.2, 0.2]
    circular = [0.0, 0.001, -0.003, 0.009, 0.05]
    weak = int(Flag.WEAK_POLARIZATION)
    by_fraction = bits(intensity, circular, least_polarization="4%")
    assert by_fraction == ([0, weak, 0, 0, 0],) * 2
    # I/p above 40 mJy/4 %: at 0.2 Jy, five times as strong, p has to be 20 %.
    by_ratio = bits(intensity, circular, least_polarization="4%", polarization_rule="ratio")
    assert by_ratio == ([0, weak, 0, weak, 0],) * 2


def test_limits_are_of_the_stokes_parameter_that_they_name_and_else_of_all():
    limit = int(Flag.FLUX_LIMIT)
    assert bits([1, 3.0], [-3, 1.0], mask_above=["2Jy"]) == ([0, limit], [limit, 0])
    assert bits([1, 3.0], [-3, 1.0], mask_above=["2Jy", "I=5Jy"]) == ([0, 0], [limit, 0])
    assert bits([0, 3.0], [-3, 1.0], mask_below=["I=0Jy"]) == ([limit, 0], [0, 0])
    assert bits([np.nan, np.nan], [np.nan, -1], mask_above=["2Jy"], expected_sign="+1",
                mask_below=["I=0Jy"], least_polarization="4%") == ([0, 0], [0, int(Flag.SIGN_V)])


def test_what_is_cut_is_named_and_of_the_parameters_asked_for():
    data = cut_cells(spectrum(np.zeros((20, 10, 4))), cuts(
        expected_sign="+1", mask_above=["I=100mJy"]))
    cells, words = cut_of(data, ("V",))
    assert words == "V < 0" and cells.mean() == pytest.approx(0.5, abs=0.15)
    assert cut_of(data, ("I", "V"))[1] == "|I| > 100 mJy, V < 0"
    assert not cut_of(data, ("Q",))[0].any() and cut_of(data, ("Q",))[1] == ""


def test_cuts_that_need_what_is_not_there_are_refused():
    for written, match in (({"expected_sign": "1"}, "--expected-sign needs V"),
                           ({"least_polarization": "4%"}, "--least-polarization needs V"),
                           ({"mask_above": ["V/I=90%"]}, "--mask-above needs V")):
        with pytest.raises(SettingsError, match=match + r".* holds I, Q\)"):
            check_cuts(cuts(**written), ("I", "Q"))


@pytest.mark.parametrize(("name", "text"), [
    ("expected_sign", "0"), ("sign_tolerance", "-1mJy"), ("least_polarization", "4"),
    ("least_polarization", "140%"), ("strong", "0Jy"), ("mask_above", "RR=5mJy"),
    ("mask_above", "L/I=50%"), ("mask_above", "V/I=120%"), ("mask_above", "I=-5mJy"),
    ("mask_above", "I=5MK"), ("mask_below", "0Jy"), ("mask_below", "V=0Jy"),
    ("polarization_rule", "both")])
def test_what_is_no_cut_is_one_line(name, text):
    with pytest.raises(SettingsError, match=f"{name}: ") as caught:
        cuts(**{name: [text] if name.startswith("mask") else text})
    assert "\n" not in str(caught.value)


def test_detections_are_judged_by_the_event_and_none_is_taken_away():
    table = Table({"flux_density_I": [0.02, 0.06, 0.06, np.nan],
                   "flux_density_V": [-0.02, 0.001, 0.07, np.nan]})
    cut = cut_detections(table, cuts(expected_sign="+1", least_polarization="4%",
                                     mask_above=["V/I=100%"]))
    assert cut["cut"].tolist() == ["sign of V", "weak polarization", "over-polarized", ""]
    assert is_candidate(cut).tolist() == [False, False, False, True]
    assert is_candidate(table).all() and len(cut) == 4 and "cut" not in table.colnames
    assert not any(cut_detections(table, cuts())["cut"])


def test_the_search_finds_the_same_with_cuts_and_without():
    truth = np.zeros((60, 16, 4))
    truth[20:24, :, 0], truth[20:24, :, 3] = 0.5, -0.4
    data = spectrum(truth, sigma=0.1, seed=3)
    expected = detect(data, DetectSettings())
    found = detect(cut_cells(data, cuts(expected_sign="+1", mask_above=["0.3Jy"])),
                   DetectSettings())
    assert len(expected) and found["snr"].tolist() == expected["snr"].tolist()
    assert cut_detections(found, cuts(expected_sign="+1"))["cut"].tolist() == ["sign of V"]
