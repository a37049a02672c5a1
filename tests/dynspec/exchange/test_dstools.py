"""The layout of dstools: what dstools makes of an export, and what an import makes of its files.

DSTOOLS_VENV names an environment with radio-dstools 2.0; without it dstools' own formulas stand in.
"""

import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import FormatError, SettingsError
from visds.core.flags import Flag
from visds.dynspec.exchange.dstools import is_dstools, read_dstools, write_dstools

# dstools asks the network for the positions of observatories when it is imported.
OF_DSTOOLS = """
import sys
import numpy as np
from astropy.coordinates import EarthLocation
EarthLocation.of_site = classmethod(lambda cls, *_, **__: cls.from_geodetic(0, 0))
from dstools.dynamic_spectrum import DynamicSpectrum
read = DynamicSpectrum(sys.argv[1], calscans=False, trim=False)
np.savez(sys.argv[2], **{name: read.data[name].real / 1e3 for name in "IQUV"}, hours=read.time,
         start=read.header["time_start"], frequency=1e6 * read.freq)
"""


def example(hands=("RR", "LL"), **keywords):
    """Return a spectrum of two scans, some cells flagged, all Stokes parameters different."""
    truth = np.random.default_rng(2).normal([4, 0.6, -0.9, -2], size=(30, 6, 4))
    cells = np.zeros((30, 6), bool)
    cells[3, 2] = cells[:, 5] = True
    return spectrum(truth, scans=(2, 5), parallel_hands=hands, start_mjd=59000.123456789,
                    **keywords).flag_cells(cells)


def stokes_of_dstools(path):
    """Return what dstools makes of a file of one baseline, by its formulas, (T,F) in Jy."""
    with h5py.File(path) as file:
        a, b, c, d = np.moveaxis(file["flux"][0], -1, 0)
        feeds = file.attrs["feeds"]
    if feeds == "linear":
        return {"I": (a + d) / 2, "Q": (a - d) / 2, "U": (b + c) / 2, "V": 1j * (c - b) / 2}
    return {"I": (a + d) / 2, "Q": (b + c) / 2, "U": 1j * (b - c) / 2, "V": (a - d) / 2}


def file_of_dstools(path, flux, *, feeds="circular", time=None, frequency=None):
    """Write flux (baselines,T,F,4) as dstools-extract-ds does."""
    T, F = flux.shape[1:3]
    with h5py.File(path, "w", track_order=True) as file:
        for name, value in {
                "dstools_version": "2.0.0", "telescope": "ATCA", "datacolumn": "DATA",
                "feeds": feeds, "baselines": len(flux), "pb_scale": 1,
                "phasecentre": "05h32m00s -05d00m00s"}.items():
            file.attrs[name] = value
        file["time"] = 59000 * 86400 + 10.0 * np.arange(T) if time is None else time
        file["frequency"] = 1e9 + 1e6 * np.arange(F) if frequency is None else frequency
        file["uvdist"] = np.full(len(flux), 300.0)
        file["flux"] = flux
    return path


def noisy(shape, sigma, rng):
    return sigma * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


@pytest.mark.parametrize("hands", [("RR", "LL"), ("XX", "YY")])
def test_dstools_formulas_give_our_flux_densities_and_the_sign_of_v(tmp_path, hands):
    before = example(hands)
    write_dstools(before, tmp_path / "d.h5")
    found = stokes_of_dstools(tmp_path / "d.h5")
    for label in "IQUV":
        sign = -1 if label == "U" and hands == ("RR", "LL") else 1  # dstools' own mistake
        np.testing.assert_allclose(sign * found[label].real, before.values(label), atol=1e-14)
        np.testing.assert_allclose(sign * found[label].imag,
                                   before.residual[..., before.index(label)], atol=1e-14)


@pytest.mark.skipif("DSTOOLS_VENV" not in os.environ, reason="DSTOOLS_VENV is not set")
@pytest.mark.parametrize("hands", [("RR", "LL"), ("XX", "YY")])
def test_dstools_itself_reads_our_export(tmp_path, hands):
    before = example(hands)
    write_dstools(before, tmp_path / "d.h5")
    python = Path(os.environ["DSTOOLS_VENV"]) / "bin" / "python"
    subprocess.run([python, "-W", "ignore", "-c", OF_DSTOOLS, tmp_path / "d.h5",
                    tmp_path / "d.npz"], check=True, capture_output=True)
    found = np.load(tmp_path / "d.npz")
    for label in "IQUV":
        sign = -1 if label == "U" and hands == ("RR", "LL") else 1
        np.testing.assert_allclose(sign * found[label], before.values(label), atol=1e-12)
    np.testing.assert_allclose(found["hours"], 24 * (before.time - before.time[0]), atol=1e-8)
    np.testing.assert_allclose(found["frequency"], before.frequency)
    assert str(found["start"]).startswith("2020-05-31 02:57:46.6")


@pytest.mark.parametrize("hands", [("RR", "LL"), ("XX", "YY")])
def test_an_export_that_is_imported_again_is_the_same_spectrum(tmp_path, hands):
    before = example(hands, hand_ratio=1.7, meta={"target": "UV Cet", "observatory_m": [6e6, 0, 0]})
    write_dstools(before, tmp_path / "d.h5")
    after = read_dstools(tmp_path / "d.h5").spectrum
    for name in ("flux_density", "sigma", "residual", "covariance"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-9,
                                   atol=1e-14)
    assert np.max(np.abs(after.time - before.time)) * 86400 < 1e-6
    for name in ("frequency", "channel_width", "integration", "scan", "count"):
        np.testing.assert_array_equal(
            getattr(after, name), np.where(before.flags & Flag.REGION, 0, before.count)
            if name == "count" else getattr(before, name))
    np.testing.assert_array_equal(after.flags & ~np.uint16(Flag.EMPTY), before.flags)
    curve, again = before.light_curve(), after.light_curve()
    np.testing.assert_allclose(again.flux_density, curve.flux_density, atol=1e-12)
    np.testing.assert_allclose(again.sigma, curve.sigma, rtol=1e-9)
    assert after.meta["target"] == "UV Cet" and after.polarizations == before.polarizations
    assert after.meta["ra_deg"] == pytest.approx(83.0, abs=1e-9)


def test_without_cross_hands_dstools_finds_nothing_in_q_and_u_and_all_in_i_and_v(tmp_path):
    before = example().select_polarizations(("I", "V"))
    write_dstools(before, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5") as file:
        assert np.all(file["flux"][..., 1:3] == 0)  # which dstools takes for flagged
    after = read_dstools(tmp_path / "d.h5").spectrum
    assert after.polarizations == ("I", "V")
    np.testing.assert_allclose(after.values("V"), before.values("V"), atol=1e-14)


def test_i_without_v_makes_no_correlations(tmp_path):
    with pytest.raises(SettingsError, match="RR is made of I and V, and the spectrum has only I"):
        write_dstools(example().select_polarizations(("I",)), tmp_path / "d.h5")
    assert not (tmp_path / "d.h5").exists()


def test_a_single_channel_which_dstools_cannot_read_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="at least two integrations and two channels"):
        write_dstools(example().select_channels([1]), tmp_path / "d.h5")


@pytest.mark.parametrize(("feeds", "hands"), [("circular", ("RR", "LL")), ("linear", ("XX", "YY"))])
def test_stokes_parameters_of_an_import_have_our_signs(tmp_path, feeds, hands):
    rng = np.random.default_rng(8)
    i, q, u, v = 5.0, 0.7, -1.1, -2.0
    true = ([i + v, q + 1j * u, q - 1j * u, i - v] if feeds == "circular"
            else [i + q, u + 1j * v, u - 1j * v, i - q])
    path = file_of_dstools(tmp_path / "d.h5", true + noisy((1, 200, 4, 4), 0.01, rng), feeds=feeds)
    found = read_dstools(path).spectrum
    assert found.parallel_hands == hands
    np.testing.assert_allclose(np.nanmean(found.flux_density, (0, 1)), [i, q, u, v], atol=2e-3)


def test_errors_of_an_average_are_those_that_scatter_the_flux_density(tmp_path):
    rng = np.random.default_rng(9)
    noise = np.array([0.3, 0.1, 0.2, 0.4])[None, None, :, None] * [2.0, 1.0, 1.0, 1.0]
    flux = np.array([3.0, 0, 0, 3.0]) + noisy((1, 6000, 4, 4), noise, rng)
    flux[0, 40:60] += 30.0  # a burst is no noise
    found = read_dstools(file_of_dstools(tmp_path / "d.h5", flux)).spectrum
    quiet = np.delete(found.flux_density, np.s_[40:60], 0)
    for label, scatter in zip("IQUV", quiet.std(0).T, strict=True):
        np.testing.assert_allclose(found.errors(label)[0], scatter, rtol=0.08)
    covariance = np.mean((quiet[..., 0] - 3) * quiet[..., 3], 0)
    np.testing.assert_allclose(found.covariance[0], covariance, rtol=0.25)
    assert np.all(found.covariance > 0)  # R is noisier than L


def test_nothing_in_a_file_is_an_empty_cell(tmp_path):
    flux = np.ones((1, 20, 4, 4), complex) + noisy((1, 20, 4, 4), 0.1, np.random.default_rng(1))
    flux[0, 3, 2, 3] = np.nan
    flux[0, 5] = 0
    found = read_dstools(file_of_dstools(tmp_path / "d.h5", flux)).spectrum
    assert np.isnan(found.values("I")[3, 2]) and np.isfinite(found.values("Q")[3, 2])
    assert np.isnan(found.flux_density[5]).all() and (found.flags[5] == Flag.EMPTY).all()
    assert np.isfinite(found.flux_density).sum() == 20 * 16 - 2 - 16


def test_a_baseline_without_one_hand_does_not_fake_polarization(tmp_path):
    # Baselines see 1 and 3 Jy, unpolarized; of the second LL is flagged.
    flux = np.array([1.0, 3.0])[:, None, None, None] * np.array([1, 0.001, 0.001, 1])
    flux = np.repeat(np.repeat(flux.astype(complex), 12, axis=1), 3, axis=2)
    flux[1, ..., 3] = np.nan
    found = read_dstools(file_of_dstools(tmp_path / "d.h5", flux)).spectrum
    np.testing.assert_allclose(found.values("V"), 0, atol=1e-12)
    np.testing.assert_allclose(found.values("I"), 1)


def test_of_several_baselines_errors_are_their_scatter(tmp_path):
    rng = np.random.default_rng(4)
    flux = np.array([2.0, 0.5, 0.5, 2.0]) + noisy((40, 100, 4, 4), 0.6, rng)
    found = read_dstools(file_of_dstools(tmp_path / "d.h5", flux)).spectrum
    assert (found.count == 40).all()
    pulls = (found.flux_density - [2, 0.5, 0, 0]) / found.sigma
    assert pulls.std() == pytest.approx(1, abs=0.05)
    assert found.meta["weights_calibrated"] is False


def test_frequencies_ascend_and_a_gap_of_minutes_begins_a_scan(tmp_path):
    time = 59000 * 86400 + np.append(np.arange(10) * 8.0, 400 + np.arange(10) * 8.0)
    frequency = 2e9 - 1e6 * np.arange(5)
    flux = np.ones((1, 20, 5, 4), complex) * np.arange(1, 6)[:, None] + noisy(
        (1, 20, 5, 4), 0.01, np.random.default_rng(0))
    found = read_dstools(file_of_dstools(tmp_path / "d.h5", flux, time=time,
                                         frequency=frequency)).spectrum
    np.testing.assert_array_equal(found.frequency, frequency[::-1])
    np.testing.assert_allclose(found.values("I")[0], [5, 4, 3, 2, 1], atol=0.05)
    assert found.scan.tolist() == [1] * 10 + [2] * 10
    np.testing.assert_allclose(found.integration, 8.0)
    np.testing.assert_allclose(found.channel_width, 1e6)
    assert np.max(np.abs(found.time - time / 86400)) == 0


def test_other_files_are_refused_in_a_line(tmp_path):
    (tmp_path / "text.h5").write_text("no")
    assert not is_dstools(tmp_path / "text.h5")
    path = file_of_dstools(tmp_path / "d.h5", np.ones((1, 4, 3, 2), complex))
    with pytest.raises(FormatError, match=r"d\.h5 cannot be read as a file of dstools: flux has"):
        read_dstools(path)
    path = file_of_dstools(tmp_path / "e.h5", np.ones((1, 4, 3, 4), complex), feeds="odd")
    with pytest.raises(FormatError, match="its feeds are 'odd', expected linear or circular"):
        read_dstools(path)
    path = file_of_dstools(tmp_path / "f.h5", np.ones((1, 3, 3, 4), complex),
                           time=5e9 + np.array([0.0, 20, 10]))
    with pytest.raises(FormatError, match="its times do not ascend"):
        read_dstools(path)
