"""Observed measurement sets through visds-run: the numbers of their README and of slow sums."""

import shutil

import numpy as np
import pytest
import reference
from astropy import units
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.table import Table
from astropy.time import Time
from casacore import tables
from products import PRODUCTS, assert_same_sums, contents
from program import cached_runner, run
from rooms import plan, writable

from visds.core.flags import Flag
from visds.dynspec.polarimetry.settings import PolarizationSettings
from visds.dynspec.polarimetry.stokes_spectrum import mean_spectrum
from visds.dynspec.polarimetry.summary import polarization_row
from visds.dynspec.variability.indices import statistics
from visds.run_settings import RUN_IMAGES
from visds.visibility.simulation.sky_geometry import bundled_earth_orientation

SPECTRA = ("--no-images",)
"""What is looked at here; those that make images too say so."""
VELA = ("--handedness", "swap=yes", "--uv-min", "500m")


@pytest.fixture(scope="session")
def program(observed, tmp_path_factory):
    """Return a function from the name of an observed set and options to the run that ended.

    Every run is held to leave the measurement set as it was, byte by byte, locks included.
    """
    runner = cached_runner(tmp_path_factory.mktemp("out"), *SPECTRA)

    def finished(name, *options):
        path = observed(name)
        before = contents(path)
        ended = runner(path, *options)
        assert contents(path) == before, f"{name} was changed by the run"
        return ended

    return finished


def check(finished, path, time_groups=None, channel_groups=None, **selection):
    """Hold every cell of a run's spectrum against the slow reference."""
    samples = reference.read(path, **selection)
    channels = np.argsort(samples.frequency)
    reference.assert_same(finished.spectrum, samples,
                          time_groups or [[time] for time in samples.times],
                          channel_groups or [[k] for k in channels])


@pytest.mark.parametrize("name", ["vla_3C273_1989", "wsrt_3C343"])
def test_the_image_of_the_field_has_at_the_target_what_the_spectrum_has(observed, tmp_path, name):
    finished = run(observed(name), tmp_path / "out", "--snapshots", "4")
    assert finished.code == 0
    images = Table.read(finished.out / RUN_IMAGES / "images.ecsv")
    row, = images[(images["name"] == "field") & (images["stokes"] == "I")]
    spectrum = finished.spectrum
    place = spectrum.index("I")
    mean = (spectrum.sum_wv[..., place].real.sum() / spectrum.sum_w[..., place].sum())
    assert row["target_flux_density"] == pytest.approx(mean, rel=1e-3)


def lines(text):
    return text.strip().splitlines()


# ---- Vela, ASKAP -----------------------------------------------------------------------------

def test_vela_is_what_the_rows_say(program, observed):
    check(program("askap_vela_pol-60", *VELA), observed("askap_vela_pol-60"), scale=2.0, swap=True,
          uv_min=500.0)


def test_vela_has_the_flux_density_that_askapsoft_finds(program):
    whole = program("askap_vela_pol-60", *VELA).scan(0)
    i, q, u, v = whole.flux_density[0, 0]
    assert i == pytest.approx(2.64, abs=0.005)
    assert i == pytest.approx(2.65, abs=0.01)
    assert np.hypot(q, u) == pytest.approx(1.909, abs=0.001)
    assert abs(v) == pytest.approx(0.105, abs=0.001)
    assert abs(v) == pytest.approx(0.11, abs=0.01)


def test_velas_q_and_u_are_askapsofts_where_x_is_at_minus_105_degrees(program):
    # Polarization axis at -60 degrees, X another 45 degrees from it: ASKAPsoft's rotation of
    # 45 - (-60) = 105 degrees gives Q_sky = Q cos 210 + U sin 210 (its PolConverter), the turn
    # back of feeds whose X has position angle -105 degrees in the convention here.
    whole = program("askap_vela_pol-60", *VELA, "--receptor-angle", "-105").scan(0)
    _i, q, u, v = whole.flux_density[0, 0]
    assert u == pytest.approx(1.89, abs=0.01)
    assert v == pytest.approx(0.105, abs=0.001)
    # Its Q of 0.28 is a peak of an image with other weights: position angles agree to 0.5 deg.
    assert np.degrees(np.arctan2(u, q)) / 2 == pytest.approx(
        np.degrees(np.arctan2(1.89, 0.28)) / 2, abs=0.5)
    assert q == pytest.approx(0.309, abs=0.001)
    assert np.hypot(q, u) == pytest.approx(np.hypot(0.28, 1.89), abs=0.01)


def test_velas_polarization_in_the_tables_is_that_of_the_mean(program):
    # The README's 1.909 and 0.105 of 2.64 Jy; ASKAPsoft's Q and U give the angle.
    turned = program("askap_vela_pol-60", *VELA, "--receptor-angle", "-105").spectrum
    row = polarization_row(mean_spectrum(turned), PolarizationSettings())
    assert row["fraction_L"] == pytest.approx(1.909 / 2.64, abs=0.002)
    assert row["fraction_V_low"] < 0.105 / 2.64 < row["fraction_V_high"]
    assert row["polarization_angle"] == pytest.approx(
        np.degrees(np.arctan2(1.89, 0.28)) / 2, abs=0.5)
    assert row["ellipticity"] == pytest.approx(np.degrees(np.arctan2(0.105, 1.909)) / 2, abs=0.05)
    assert max(row["fraction_L_error"], row["fraction_V_high"] - row["fraction_V_low"]) < 0.01
    assert np.isnan(row["rm"])


def test_vela_without_the_swap_is_doubted(observed):
    doubt = "X and Y of early ASKAP data are swapped"
    path = observed("askap_vela_pol-60")
    assert not any(doubt in text for text in plan(path, *VELA).warnings)
    for options in ((), ("--handedness", "scale=2")):
        assert any(text.startswith(doubt) for text in plan(path, *options).warnings)


def test_vela_varies_in_its_real_part_and_not_in_its_imaginary_part(program):
    finished = program("askap_vela_pol-60", *VELA)
    made = finished.spectrum
    assert made.time.shape == (29,)
    flagged = np.isnan(made.values("I")[:, 0])
    assert flagged.sum() == 3
    i, imaginary = made.values("I")[~flagged, 0], made.residual[~flagged, 0, 0]
    assert np.std(i) / np.mean(i) == pytest.approx(0.06, abs=0.01)
    assert np.std(imaginary) == pytest.approx(0.04, abs=0.006)
    assert made.meta["handedness"]["stokes_scale"] == 2
    assert "given by the user" in finished.said


@pytest.mark.parametrize("number", [2, 8])
def test_vela_in_chunks_is_vela_in_one(program, observed, number):
    task, = plan(observed("askap_vela_pol-60"), *VELA).tasks
    size = -(-29 // number) * task.nbytes // 29
    several = program("askap_vela_pol-60", *VELA, "--chunk-size", str(size))
    assert len(list((several.out / "chunks").glob("*.block.h5"))) == number
    assert_same_sums(program("askap_vela_pol-60", *VELA).out, several.out)


# ---- VLA -------------------------------------------------------------------------------------

@pytest.mark.parametrize(("field", "number", "flux_density"), [
    ("1331+30500002_0", 0, 14.76), ("1445+09900002_0", 1, 2.484)])
def test_the_calibrators_of_ngc5921_have_their_flux_densities(
        program, observed, field, number, flux_density):
    finished = program("vla_NGC5921_cal", "--field", field)
    made = finished.spectrum
    for scan in np.unique(made.scan):
        whole = finished.scan(scan)
        for hand in ("RR", "LL"):
            assert whole.values(hand)[0, 0] == pytest.approx(flux_density, abs=0.0055 if number == 0
                                                             else 0.0005)
    assert made.meta["column"] == "CORRECTED_DATA"
    assert made.meta["frequency_frame"] == "LSRK"
    check(finished, observed("vla_NGC5921_cal"), field=number, column="CORRECTED_DATA",
          weights="spectrum")


def test_ngc5921_in_bins_is_what_the_rows_in_the_bins_say(program, observed):
    path = observed("vla_NGC5921_cal")
    finished = program("vla_NGC5921_cal", "--field", "1", "--time-bin", "3", "--channel-bin", "5")
    samples = reference.read(path, field=1, column="CORRECTED_DATA", weights="spectrum")
    scan = {row[0]: row[1] for row in samples.rows}
    groups = []
    for number in sorted(set(scan.values())):
        times = [time for time in samples.times if scan[time] == number]
        groups += [times[k:k + 3] for k in range(0, len(times), 3)]
    assert {len(group) for group in groups} == {2, 3} or len(groups) > 4
    reference.assert_same(finished.spectrum, samples, groups,
                          [list(range(k, min(k + 5, 17))) for k in range(0, 17, 5)])


def test_the_field_observed_longest_is_chosen_and_said_with_the_interval(program):
    finished = program("vla_NGC5921_cal")
    assert "chosen: field N5921_2: the most time on source" in finished.said
    assert "INTERVAL says 30 s but integrations are 60 s apart" in finished.said
    assert finished.spectrum.meta["field"] == "N5921_2"


def test_times_in_tai_are_utc_in_the_products(program, observed):
    with tables.table(str(observed("vla_3C273_1989")), ack=False, lockoptions="usernoread") as main:
        stored = np.unique(main.getcol("TIME"))
    made = program("vla_3C273_1989").spectrum
    np.testing.assert_allclose(stored - made.time * 86400, 24, atol=2e-5)


def test_3c273_is_what_the_rows_say_and_is_constant(program, observed):
    finished = program("vla_3C273_1989")
    check(finished, observed("vla_3C273_1989"), weights="row")
    # The README's digits take every unflagged RR, and every unflagged LL: 29.83/29.81/29.87 and
    # 29.78/29.78/29.83. Here both hands of a baseline are used or none: up to 0.3 % less of the
    # gain errors of some antennas, and less of V, which is zero.
    for scan, rr, ll in ((1, 29.798, 29.781), (2, 29.773, 29.767), (3, 29.776, 29.796)):
        whole = finished.scan(scan)
        assert whole.values("RR")[0, 0] == pytest.approx(rr, abs=0.001)
        assert whole.values("LL")[0, 0] == pytest.approx(ll, abs=0.001)
        assert abs(whole.values("V")[0, 0]) < 0.011
    assert len(finished.detections) == 0
    variability = statistics(finished.spectrum.light_curve())
    intensity = variability[variability["polarization"] == "I"][0]
    assert intensity["probability"] > 0.01 and intensity["V"] < 0.01


@pytest.mark.parametrize(("scan", "rr", "ll"), [(1, 29.83, 29.78), (2, 29.81, 29.78),
                                                (3, 29.87, 29.83)])
def test_3c273s_hands_with_their_own_flags_are_those_of_the_readme(observed, scan, rr, ll):
    with tables.table(str(observed("vla_3C273_1989")), ack=False, lockoptions="usernoread") as main:
        data, flag, number = (main.getcol(name) for name in ("DATA", "FLAG", "SCAN_NUMBER"))
    for place, expected in ((0, rr), (3, ll)):
        used = (number == scan) & ~flag[:, 0, place]
        assert np.mean(data[used, 0, place].real) == pytest.approx(expected, abs=0.005)


def test_3c273s_times_at_the_barycentre_are_those_of_astropy(program, observed):
    path = observed("vla_3C273_1989")
    with tables.table(f"{path}::ANTENNA", ack=False, lockoptions="usernoread") as antennas:
        here = EarthLocation.from_geocentric(*antennas.getcol("POSITION").mean(axis=0), unit="m")
    with tables.table(str(path), ack=False, lockoptions="usernoread") as main:
        stored = Time(np.unique(main.getcol("TIME")) / 86400, format="mjd", scale="tai",
                      location=here)
    # Of the ICRF, not of the B1950 position in the set.
    source = SkyCoord("12h29m06.6997s", "+02d03m08.598s")
    with bundled_earth_orientation():
        expected = stored.tdb + stored.light_travel_time(source, ephemeris="builtin")
    found = Time(program("vla_3C273_1989").spectrum.time_barycentre, format="mjd", scale="tdb")
    assert np.max(np.abs((found - expected).to_value(units.us))) < 60


def test_the_raw_cross_hands_of_3c273_turn_with_the_parallactic_angle(program):
    # Leakage and the phase between R and L stay; over 6 hours the rest turns by many degrees.
    finished = program("vla_3C273_1989")
    angles = [np.degrees(np.arctan2(finished.scan(n).values("U")[0, 0],
                                    finished.scan(n).values("Q")[0, 0])) for n in (1, 2, 3)]
    assert max(angles) - min(angles) > 60


def test_evlas_two_windows_are_stitched_ascending_and_the_interval_doubted(program, observed):
    finished = program("evla_J1008_Ka_2spw")
    made = finished.spectrum
    assert made.sum_w.shape[:2] == (9, 128)
    assert np.all(np.diff(made.frequency) > 0)
    assert made.spectral_window.tolist() == [1] * 64 + [0] * 64
    assert "INTERVAL says 0.04 s but integrations are 10 s apart" in finished.said
    assert np.all(made.integration == pytest.approx(10, abs=0.8))
    assert "smearing" not in finished.said
    path = observed("evla_J1008_Ka_2spw")
    for window, channels in ((0, slice(64, 128)), (1, slice(0, 64))):
        samples = reference.read(path, data_description=window, weights="spectrum")
        part = made.select_channels(np.arange(128)[channels]).select_times([1, 2, 8])
        reference.assert_same(part, samples, [[samples.times[t]] for t in (4, 5, 16)],
                              [[k] for k in np.argsort(samples.frequency)])
        dump = np.abs(samples.times[:, None] / 86400 - made.time).argmin(axis=1)
        for t in range(9):
            for place in (0, 31, 63):
                k = np.argsort(samples.frequency)[place]
                expected = reference.estimate(samples, samples.times[dump == t], [k])
                cell = t, channels.start + place
                np.testing.assert_array_equal(made.count[cell], expected.count)
                np.testing.assert_allclose(made.flux_density[cell], expected.flux_density,
                                           rtol=1e-6, atol=1e-10)
                np.testing.assert_allclose(made.sigma_empirical[cell], expected.sigma_empirical,
                                           rtol=1e-6)


# ---- Others ----------------------------------------------------------------------------------

def test_gmrt_without_cross_hands_gives_i_and_v_and_an_unsure_sign(program, observed):
    finished = program("gmrt_J1543+480")
    made = finished.spectrum
    assert made.polarizations == ("I", "V")
    assert "warning: nothing is known of the handedness of GMRT" in finished.said
    whole = finished.scan(3)
    # With their own flags the hands are 0.418+0.107j and 0.413+0.100j; coupled a little less.
    assert whole.values("RR")[0, 0] == pytest.approx(0.418, abs=0.01)
    assert whole.values("LL")[0, 0] == pytest.approx(0.413, abs=0.01)
    assert whole.values("RR")[0, 0] == pytest.approx(0.4095, abs=0.0005)
    assert whole.residual[0, 0, 0] == pytest.approx(0.105, abs=0.015)
    assert made.meta["flag_statistics"]["measurement_set"] == pytest.approx(0.29, abs=0.005)
    check(finished, observed("gmrt_J1543+480"))


def test_gmrt_without_cross_hands_refuses_q_and_u(program):
    refused = program("gmrt_J1543+480", "--stokes", "IQUV")
    assert refused.code == 2 and not refused.out.exists()
    line, = lines(refused.errors)
    assert line.startswith("visds-run: error: --stokes: Q, U cannot be made of the correlations "
                           "RR, LL of ")


def test_the_jet_of_m87_is_resolved_and_no_burst(program):
    finished = program("vlba_mojave_M87")
    assert len(finished.detections) == 0
    means = [finished.scan(n).values("I")[0, 0] for n in range(1, 11)]
    assert (max(means) - min(means)) / np.mean(means) == pytest.approx(0.33, abs=0.03)
    assert np.all(np.diff(finished.spectrum.frequency) > 0)
    assert len([line for line in lines(finished.said) if "INTERVAL" in line]) == 1


def test_wsrts_eighteen_scans_of_one_integration_have_ascending_channels(program, observed):
    finished = program("wsrt_3C343")
    made = finished.spectrum
    assert len(np.unique(made.scan)) == len(made.time) == 18
    assert made.integration.tolist() == [30.0] * 18
    assert np.all(np.diff(made.frequency) > 0) and len(made.frequency) == 16
    assert made.meta["frequency_frame"] == "LSRK"
    check(finished, observed("wsrt_3C343"))


def test_wsrts_scans_are_never_in_one_bin(program):
    made = program("wsrt_3C343", "--time-bin", "1h").spectrum
    assert len(made.time) == 18


def test_lofars_columns_are_a_million_apart_and_the_corrected_one_is_chosen(program, observed):
    path = observed("lofar_msss_corrected")
    turned = ("--receptor-angle", "0")
    corrected = program("lofar_msss_corrected", *turned)
    raw = program("lofar_msss_corrected", *turned, "--column", "DATA")
    assert "chosen: column CORRECTED_DATA" in corrected.said
    assert corrected.scan(0).values("I")[0, 0] == pytest.approx(73, abs=1)
    assert 1e-5 < raw.scan(0).values("I")[0, 0] < 1e-4
    check(corrected, path, column="CORRECTED_DATA", weights="spectrum")
    check(raw, path, column="DATA", weights="spectrum")
    assert corrected.spectrum.meta["flag_statistics"]["measurement_set"] == pytest.approx(
        0.31, abs=0.005)


def test_atcas_2049_descending_channels_ascend(program, observed):
    finished = program("atca_1934_cabb", "--parallactic", "no")
    made = finished.spectrum
    assert made.frequency[[0, -1]] / 1e6 == pytest.approx([1076, 3124], abs=0.01)
    assert len(made.frequency) == 2049 and np.all(np.diff(made.frequency) > 0)
    check(finished, observed("atca_1934_cabb"))


def test_meerkats_flagged_data_end_with_a_message_and_no_products(program):
    finished = program("meerkat_cdfs_allflagged")
    assert finished.code == 2
    assert lines(finished.errors)[-1].endswith(
        "meerkat_cdfs_allflagged.ms: every visibility of this selection is flagged")
    assert "Traceback" not in finished.errors
    assert not [name for name in PRODUCTS if (finished.out / name).exists()]
    assert not (finished.out / "plots").exists()


@pytest.mark.parametrize(("name", "message"), [
    ("paper_XYonly", "Stokes I needs RR and LL, or XX and YY; the correlations are XY"),
    ("wsrt_emptyPOLARIZATION", "subtable POLARIZATION has no rows")])
def test_what_cannot_be_used_is_one_line_and_leaves_nothing(program, name, message):
    refused = program(name)
    assert refused.code == 2 and not refused.out.exists()
    line, = lines(refused.errors)
    assert line.startswith("visds-run: error: ") and line.endswith(message)


def test_the_nans_of_the_lwas_autocorrelations_do_not_get_out(program, observed):
    finished = program("lwasv_nan", "--parallactic", "no")
    made = finished.spectrum
    assert np.isfinite(made.flux_density).all() and np.all(made.count == 6)
    check(finished, observed("lwasv_nan"))


def test_a_nan_of_the_lwa_is_a_flag(observed, tmp_path):
    # In the set as observed only autocorrelations hold NaN; here a cross-correlation does.
    path = tmp_path / "lwa.ms"
    shutil.copytree(observed("lwasv_nan"), path)
    with writable(path) as main:
        row = int(np.flatnonzero(main.getcol("ANTENNA1") != main.getcol("ANTENNA2"))[0])
        data = main.getcell("DATA", row)
        data[1, 0] = np.nan + 0j
        main.putcell("DATA", row, data)
    finished = run(path, tmp_path / "out", "--parallactic", "no")
    made = finished.spectrum
    assert made.count[0, :, 0].tolist() == made.count[0, :, 1].tolist() == [6, 5, 6, 6]
    assert made.count[0, :, 2].tolist() == [6] * 4
    assert made.flags[0, 1].tolist() == [Flag.NOT_FINITE, Flag.NOT_FINITE, 0, 0]
    check(finished, path)
