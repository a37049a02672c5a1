"""Vetoes: what marks an event as no burst of the target, and what does not."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.dynspec.detection import vetoes
from visds.dynspec.detection.columns import empty_table
from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.events import Tile
from visds.dynspec.detection.rfi_bands import RfiBand, covered, read_rfi_bands
from visds.dynspec.detection.settings import DetectSettings

T, F = 64, 32
SETTINGS = DetectSettings(realizations=16, detection_templates=("box",))
CELLS = np.zeros((T, F))
CELLS[30:38, 8:24] = 1


def truth(height):
    values = np.zeros((T, F, 4))
    values[..., 0] = height * CELLS
    return values


def incoherent(source, amplitude, cells=CELLS):
    """Return a spectrum with |V| of `amplitude` (Jy) and random phase added to all visibilities."""
    power = source.sum_w2 * (amplitude * cells[..., None]) ** 2
    return source.replace(sum_w2v2=source.sum_w2v2 + power)


def test_burst_of_the_target_has_no_veto():
    others = [spectrum(truth(0.0), seed=seed) for seed in range(1, 4)]
    table = detect(spectrum(truth(1.0)), SETTINGS, others)
    assert list(table["veto"]) == [""]
    assert table.meta["vetoed"] == 0 and vetoes.in_words(table) == ""
    assert abs(table["off_source_snr"][0]) < 4
    assert abs(table["incoherent_snr"][0]) < 4
    assert (table["rfi_band"][0], table["flagged_border"][0]) == ("", 0)
    assert (table["antenna"][0], table["veto_antenna"][0]) == (-1, False)


@pytest.mark.parametrize(("share", "is_vetoed"), [(0.1, False), (0.9, True), (-0.9, True),
                                                  (2.0, True)])
def test_event_that_is_off_source_too_is_vetoed_but_not_its_sidelobes(share, is_vetoed):
    others = [spectrum(truth(0.0), seed=1), spectrum(truth(share * 1.0), seed=2)]
    event, = detect(spectrum(truth(1.0)), SETTINGS, others)
    assert event["veto_off_source"] == is_vetoed
    assert event["veto"] == ("off source" if is_vetoed else "")
    assert event["off_source_snr"] == pytest.approx(share * event["snr"], rel=0.3, abs=3)


def test_noise_off_source_vetoes_a_weak_event_one_time_in_a_hundred():
    rng = np.random.default_rng(0)
    for directions in (1, 8, 30):
        highest = np.abs(rng.standard_normal((3000, directions))).max(1)
        marked = [vetoes.is_off_source(5.0, one, directions) for one in highest]
        assert np.mean(marked) == pytest.approx(0.01, abs=4 * np.sqrt(0.01 / 3000))


def test_interference_without_a_direction_is_vetoed_by_the_scatter_of_the_baselines():
    # Random phases of 30 Jy on 50 baselines leave some 30 / sqrt(50) Jy in their mean.
    source = incoherent(spectrum(truth(4.0)), 30.0)
    table = detect(source, SETTINGS)
    event, = table
    assert event["veto"] == "incoherent"
    assert event["incoherent_excess"] == pytest.approx(30.0, rel=0.05)
    assert table.meta["vetoed"] == 1
    assert vetoes.in_words(table) == "1 of 1 is vetoed (incoherent 1)"


def test_gain_errors_of_a_tenth_do_not_veto_a_burst():
    event, = detect(incoherent(spectrum(truth(10.0)), 1.0), SETTINGS)
    assert event["incoherent_excess"] == pytest.approx(1.0, rel=0.3)
    assert event["veto"] == ""


def test_signal_to_noise_of_the_incoherent_excess_is_that_of_noise():
    inside = CELLS > 0
    found = []
    for seed in range(60):
        source = spectrum(truth(0.0), seed=seed, baselines=15)
        tile = Tile("I", 0.0, 30, 38, 8, 24)
        found.append(vetoes.incoherent_excess(source, "I", tile, inside)[1])
    assert abs(np.mean(found)) < 4 / np.sqrt(60)
    assert np.std(found) == pytest.approx(1, abs=0.3)


def test_event_beside_flagged_cells_is_vetoed_but_not_one_at_the_end_of_a_scan():
    around = np.zeros((T, F))
    around[28:30, 6:26] = around[38:40, 6:26] = around[30:38, 24:26] = 1
    event, = detect(spectrum(truth(1.0)).flag_cells(around > 0), SETTINGS)
    assert event["veto"] == "edge" and event["flagged_border"] > 0.6
    late = np.zeros((T, F, 4))
    late[56:, :, 0] = 1.0
    event, = detect(spectrum(late), SETTINGS)
    assert event["veto"] == "" and event["flagged_border"] == 0


def test_burst_that_fills_the_band_between_flagged_ends_is_not_vetoed():
    ends = np.zeros((T, F), bool)
    ends[:, :3] = ends[:, -3:] = True
    long = np.zeros((T, F, 4))
    long[20:44, :, 0] = 1.0
    event, = detect(spectrum(long).flag_cells(ends), SETTINGS)
    assert event["veto"] == "" and event["flagged_border"] == 0


def test_event_in_a_known_band_is_vetoed_but_not_one_that_reaches_over_it(tmp_path):
    path = tmp_path / "bands.csv"
    path.write_text("# ours\nlow,high,name,telescope\n556e6,566e6,walkie-talkie,VLA\n"
                    "500e6,600e6,other,LOFAR MWA\n")
    settings = DetectSettings(realizations=16, rfi_bands=str(path),
                              detection_templates=("box",))
    event, = detect(spectrum(truth(1.0)), settings)
    assert event["veto"] == "RFI band" and event["rfi_band"] == "walkie-talkie"
    assert event["rfi_band_share"] == pytest.approx(8.5 / 16, abs=0.1)
    wide = np.zeros((T, F, 4))
    wide[30:38, :, 0] = 1.0
    event, = detect(spectrum(wide), settings)
    assert event["veto"] == "" and event["rfi_band"] == "walkie-talkie"


def test_known_bands_hold_gps_and_the_telephones_of_the_site_only():
    def name(frequency, telescope):
        return covered(read_rfi_bands("known", telescope), frequency - 1e6, frequency + 1e6)[1]

    assert "GPS" in name(1575.42e6, "EVLA") and "GLONASS" in name(1602e6, "GMRT")
    assert name(950e6, "GMRT").startswith("GSM 900") and name(950e6, "EVLA") == ""
    assert name(1420.4e6, "MeerKAT") == ""
    assert read_rfi_bands("none") == ()


def test_share_of_overlapping_bands_is_counted_once():
    bands = [RfiBand(1.0, 3.0, "a"), RfiBand(2.0, 5.0, "b")]
    assert covered(bands, 0.0, 10.0) == (pytest.approx(0.4), "b")
    assert covered(bands, 6.0, 7.0) == (0.0, "")


@pytest.mark.parametrize(("text", "message"), [
    ("low,name\n1e6,a\n", "has no column high"), ("low,high,name\n2e6,1e6,a\n", "low below high"),
    ("low,high,name\nx,1e6,a\n", "low x, high 1e6")])
def test_table_of_bands_that_cannot_be_read_is_one_line(tmp_path, text, message):
    path = tmp_path / "bands.csv"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_rfi_bands(str(path))
    with pytest.raises(SettingsError, match=r"nowhere.csv cannot be read"):
        read_rfi_bands(str(tmp_path / "nowhere.csv"))


def test_words_of_an_empty_table_are_none():
    assert vetoes.in_words(empty_table()) == ""
