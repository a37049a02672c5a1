"""What a simulated measurement set holds is what its truth says, and what CASA itself predicts."""

import os
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.table import Table
from astropy.time import Time
from simulate import simulate

from visds.commands.simulate import main
from visds.core.casa import load_casatools
from visds.core.catalogue import Catalogue
from visds.core.errors import OutputError, SettingsError
from visds.visibility.simulation.antennas import make_array
from visds.visibility.simulation.flares import flare_profile
from visds.visibility.simulation.settings import ArraySettings
from visds.visibility.simulation.sky_geometry import array_location, parallactic_angle
from visds.visibility.simulation.truth import read_truth

LAUNCHER = Path(__file__).resolve().parents[2] / "bin" / "visds-simulate"


def columns(path, *names):
    """Return columns of a table, rows first."""
    table = load_casatools().table()
    table.open(str(path))
    try:
        return [table.getcol(name).T for name in names]
    finally:
        table.close()


def casa_prediction(products, stokes, folder):
    """Return what casatools predicts for a constant source at the star's place."""
    tools = load_casatools()
    truth = read_truth(products.truth)
    components, measures, simulator = tools.componentlist(), tools.measures(), tools.simulator()
    components.addcomponent(
        flux=list(stokes), fluxunit="Jy", polarization="Stokes", shape="point", freq="1.3GHz",
        dir=measures.direction("J2000", f"{truth.ra!r}deg", f"{truth.dec!r}deg"))
    components.rename(str(folder / "source.cl"))
    components.close()
    simulator.openfromms(str(products.measurement_set))
    simulator.setvp(dovp=False)
    simulator.predict(complist=str(folder / "source.cl"))
    simulator.close()
    return columns(products.measurement_set, "DATA")[0]


@pytest.mark.parametrize("feeds", ["circular", "linear"])
def test_a_polarized_source_off_the_centre_is_predicted_as_casa_predicts_it(
        simulated, tmp_path, feeds):
    stokes = (1.0, 0.1, -0.2, 0.3)
    products = simulated(
        array="VLA-A", antennas=9, feeds=feeds, parallactic="off", target_offset="300 -200",
        quiescent=stokes, scan_length="30s", corrected=True, model=True, copy_to=tmp_path)
    ours, = columns(products.measurement_set, "DATA")
    casa = casa_prediction(products, stokes, tmp_path)
    np.testing.assert_allclose(ours, casa, atol=1e-5)
    assert np.ptp(np.angle(ours[..., 0])) > 3  # the fringes do turn


def test_a_descending_second_window_is_predicted_as_casa_predicts_it(simulated, tmp_path):
    products = simulated(
        array="VLA-A", antennas=6, target_offset="300 -200", quiescent=["1"], scan_length="20s",
        spectral_windows=2, descending=True, channels=6, spectral_window_gap="100MHz",
        copy_to=tmp_path)
    frequency, width = columns(products.measurement_set / "SPECTRAL_WINDOW",
                               "CHAN_FREQ", "CHAN_WIDTH")
    np.testing.assert_allclose(frequency[:, 0] - frequency[:, -1], 20e6)
    np.testing.assert_allclose(frequency[1] - frequency[0], 124e6)
    np.testing.assert_allclose(width, -4e6)
    ours, = columns(products.measurement_set, "DATA")
    np.testing.assert_allclose(ours, casa_prediction(products, (1, 0, 0, 0), tmp_path), atol=1e-5)


def test_uvw_belongs_to_the_centre_of_the_integration_in_utc(simulated):
    products = simulated(array="uGMRT", antennas=30, start="2024-06-01T03:00:00",
                         scan_length="40s", integration="20s")
    time, uvw, antenna1, antenna2, interval = columns(
        products.measurement_set, "TIME", "UVW", "ANTENNA1", "ANTENNA2", "INTERVAL")
    expected = Time("2024-06-01T03:00:10", scale="utc").mjd * 86400
    np.testing.assert_allclose(np.unique(time), [expected, expected + 20], atol=1e-4)
    assert set(interval) == {20.0}
    positions, = columns(products.measurement_set / "ANTENNA", "POSITION")
    direction, = columns(products.measurement_set / "FIELD", "PHASE_DIR")
    ra, dec = direction.ravel()
    north_pole = np.array([0, 0, 1.0])
    towards = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.cross(north_pole, towards) / np.cos(dec)
    axes = np.array([east, np.cross(towards, east), towards])
    for instant in np.unique(time):
        at = EarthLocation.from_geocentric(*positions.T, unit=u.m).get_gcrs_posvel(
            Time(instant / 86400, format="mjd", scale="utc"))[0].xyz.to_value(u.m)
        now = time == instant
        # In measurement sets of visibilities exp(+2 pi i ...), a baseline runs from 2 to 1.
        expected = (axes @ (at[:, antenna1[now]] - at[:, antenna2[now]])).T
        # Aberration, 1e-4, is in one and not in the other; 37 s of TAI would make it 2.7e-3.
        assert np.abs(expected - uvw[now]).max() < 1.5e-4 * np.abs(uvw).max()


def test_the_parallactic_angle_is_that_of_casa_measures():
    tools = load_casatools()
    measures = tools.measures()
    position = (40.0, -20.0)
    location = array_location(np.array([[-4750915.837, 2792906.182, -3200483.747]]))
    times = 60462.0 + np.linspace(0.75, 1.05, 5)
    ours = np.degrees(parallactic_angle(times, position, location))
    x, y, z = (f"{value.to_value(u.m)}m" for value in location.geocentric)
    direction = measures.direction("J2000", "40deg", "-20deg")
    for time, angle in zip(times, ours, strict=True):
        measures.doframe(measures.epoch("UTC", f"{time:.9f}d"))
        measures.doframe(measures.position("ITRF", x, y, z))
        # A mount stands along the geodetic vertical; AZEL alone is geocentric.
        zenith = measures.measure(measures.direction("AZELGEO", "0deg", "90deg"), "J2000")
        casa = measures.posangle(direction, zenith)
        assert casa["value"] == pytest.approx(angle, abs=0.02)
    assert np.ptp(ours) > 90


def on_star(products):
    """Return the plain mean over baselines of the data turned to the star, (T, F, P)."""
    truth = read_truth(products.truth)
    data, uvw, time = columns(products.measurement_set, "DATA", "UVW", "TIME")
    frequency, = columns(products.measurement_set / "SPECTRAL_WINDOW", "CHAN_FREQ")
    direction, = columns(products.measurement_set / "FIELD", "PHASE_DIR")
    centre = SkyCoord(*direction[0].ravel(), unit="rad")
    star = SkyCoord(truth.ra, truth.dec, unit="deg")
    # Independent of the simulation's own geometry: the star in a frame about the phase centre.
    frame = star.transform_to(centre.skyoffset_frame()).cartesian
    cosines = np.array([frame.y.value, frame.z.value, frame.x.value - 1])
    turn = np.exp(-2j * np.pi * (uvw @ cosines)[:, None] * frequency[0] / 299792458)
    data = data * turn[..., np.newaxis]
    times = np.unique(time)
    return times / 86400, frequency[0], np.array([data[time == t].mean(axis=0) for t in times])


def test_the_data_turned_to_the_star_are_its_true_flux_density(simulated):
    products = simulated(
        target_offset="-120 80", quiescent=["20mJy", "0", "0", "-5mJy"], target_index=-1,
        channels=16, flares=True,
        flare=["time=50s,duration=30s,I=1,Q=20%,U=-10%,V=-70%,drift=1MHz/s",
               "time=80%,duration=15s,I=2,V=0.5,frequency=1.32GHz,bandwidth=10MHz"])
    time, frequency, data = on_star(products)
    truth = read_truth(products.truth).stokes(time, frequency)
    rr, rl, lr, ll = np.moveaxis(data, -1, 0)
    measured = np.stack([(rr + ll) / 2, (rl + lr) / 2, (rl - lr) / 2j, (rr - ll) / 2], axis=-1)
    np.testing.assert_allclose(measured, truth, atol=1e-5)
    assert truth[..., 0].max() > 1 and np.abs(truth[..., 3]).max() > 0.4


def test_a_flare_drifts_and_fades_as_written():
    profile = flare_profile(np.array([0.0, 10.0, 20.0, 30.0]), np.array([0.0, 40e6]),
                            duration=20, bandwidth=80e6, drift=2e6)
    # Peak at the centre; half after half its duration; at half the bandwidth above the centre,
    # half as bright, and peaking 40 MHz / (2 MHz/s) = 20 s later.
    np.testing.assert_allclose(profile[:, 0], [1, 0.5, 0.5**4, 0.5**9])
    np.testing.assert_allclose(profile[:, 1], [0.5 * 0.5**4, 0.25, 0.5, 0.25])


def test_linear_feeds_on_an_altazimuth_mount_see_stokes_q_turn(simulated):
    options = {"array": "ATCA", "quiescent": ["1", "0.3", "0.1", "0.2"], "scan_length": "8h",
               "integration": "20min", "channels": 1, "receptor_angle": "45deg"}
    products = simulated(**options)
    time, _, data = on_star(products)
    xx, xy, yx, yy = np.moveaxis(data[:, 0], -1, 0)
    positions, = columns(products.measurement_set / "ANTENNA", "POSITION")
    truth = read_truth(products.truth)
    angle = parallactic_angle(time, (truth.ra, truth.dec), array_location(positions)) + np.pi / 4
    # Each receptor projects the electric field: XX = I + L cos 2(chi_source - angle).
    linear, chi = np.hypot(0.3, 0.1), np.arctan2(0.1, 0.3) / 2
    np.testing.assert_allclose(xx, 1 + linear * np.cos(2 * (chi - angle)), atol=1e-5)
    np.testing.assert_allclose(yy, 1 - linear * np.cos(2 * (chi - angle)), atol=1e-5)
    np.testing.assert_allclose((xy - yx) / 2j, 0.2, atol=1e-5)
    np.testing.assert_allclose((xy + yx) / 2, linear * np.sin(2 * (chi - angle)), atol=1e-5)
    assert np.ptp(np.unwrap(angle)) > 1
    feed, = columns(products.measurement_set / "FEED", "RECEPTOR_ANGLE")
    np.testing.assert_allclose(feed, np.pi / 4)
    still = on_star(simulated(**options, mount="equatorial"))[2]
    np.testing.assert_allclose(still[:, 0, 0], 1 + 0.1, atol=1e-5)


def test_circular_cross_hands_turn_by_twice_the_parallactic_angle_if_asked(simulated):
    options = {"array": "VLA-D", "quiescent": ["1", "0.3", "0.1", "0.2"], "scan_length": "4h",
               "integration": "20min", "channels": 1}
    time, _, data = on_star(simulated(**options, parallactic="on"))
    positions, = columns(simulated(**options).measurement_set / "ANTENNA", "POSITION")
    truth = read_truth(simulated(**options).truth)
    angle = parallactic_angle(time, (truth.ra, truth.dec), array_location(positions))
    np.testing.assert_allclose(data[:, 0, 1], (0.3 + 0.1j) * np.exp(-2j * angle), atol=1e-5)
    np.testing.assert_allclose(data[:, 0, 0], 1.2, atol=1e-5)
    np.testing.assert_allclose(on_star(simulated(**options))[2][:, 0, 1], 0.3 + 0.1j,
                               atol=1e-5)


def test_band_four_of_ugmrt_records_v_and_q_with_the_other_sign(simulated):
    options = {"array": "uGMRT", "quiescent": ["1", "0.3", "0.1", "0.2"], "scan_length": "20s"}
    recorded = on_star(simulated(**options))[2][0, 0]
    np.testing.assert_allclose(recorded, [0.8, -0.3 + 0.1j, -0.3 - 0.1j, 1.2], atol=1e-5)
    right = on_star(simulated(**options, dipoles="right"))[2][0, 0]
    np.testing.assert_allclose(right, [1.2, 0.3 + 0.1j, 0.3 - 0.1j, 0.8], atol=1e-5)


def test_noise_has_the_sigma_that_weights_say_on_every_baseline(simulated):
    products = simulated(
        noise="2Jy", antenna_ratio=4, receptor_ratio=1.5, channel_ratio=3, weight_spectrum=True,
        antennas=6, channels=64, scan_length="10min", flares=False, quiescent=["0"])
    data, sigma, weight, spectrum, antenna1, antenna2 = columns(
        products.measurement_set, "DATA", "SIGMA", "WEIGHT", "WEIGHT_SPECTRUM", "ANTENNA1",
        "ANTENNA2")
    np.testing.assert_allclose(sigma, weight**-0.5, rtol=1e-6)
    np.testing.assert_allclose(spectrum.mean(axis=1), weight, rtol=1e-5)
    normal = data * np.sqrt(spectrum)
    for part in (normal.real, normal.imag):
        assert part.std() == pytest.approx(1, rel=0.005)
        baseline = 10 * antenna1 + antenna2
        for pair in np.unique(baseline):
            assert part[baseline == pair].std() == pytest.approx(1, rel=0.04)
        np.testing.assert_allclose(part.std(axis=(0, 1)), 1, rtol=0.02)
        np.testing.assert_allclose(part.std(axis=(0, 2)), 1, rtol=0.08)
    assert np.abs(np.corrcoef(normal[..., 0].ravel(), normal[..., 3].ravel())[0, 1]) < 0.02
    assert spectrum[0, 0, 0] / spectrum[0, -1, 0] == pytest.approx(9)
    assert sigma[0, 3] / sigma[0, 0] == pytest.approx(1.5)
    assert sigma.max() / sigma.min() > 2


def test_sigma_follows_from_the_system_equivalent_flux_density(simulated):
    products = simulated(sefd="420Jy", integration="20s", channel_width="2MHz")
    sigma, = columns(products.measurement_set, "SIGMA")
    np.testing.assert_allclose(sigma, 420 / np.sqrt(2 * 2e6 * 20), rtol=1e-6)


@pytest.fixture(scope="module")
def field(simulated):
    return simulated(array="VLA-A", antennas=9, scan_length="20s", sources=12, radius="5arcmin",
                     spectral_index_scatter=0.3, taylor_terms=6, model=True, calibrator=True,
                     calibrator_scan="10s")


def test_components_and_images_of_the_background_agree_with_the_model_column(field):
    model, uvw, field_id = columns(field.measurement_set, "MODEL_DATA", "UVW", "FIELD_ID")
    frequency = columns(field.measurement_set / "SPECTRAL_WINDOW", "CHAN_FREQ")[0][0]
    direction, = columns(field.measurement_set / "FIELD", "PHASE_DIR")
    centre = SkyCoord(*direction[0].ravel(), unit="rad")
    target = field_id == 0

    def visibilities(position, spectrum):
        frame = position.transform_to(centre.skyoffset_frame()).cartesian
        cosines = np.array([frame.y.value, frame.z.value, frame.x.value - 1])
        phase = 2j * np.pi * (uvw[target] @ cosines)[..., np.newaxis] * frequency / 299792458
        return np.einsum("nkf,kf->nf", np.exp(phase), spectrum)

    components = Table.read(field.components)
    assert len(components) == 12
    spectrum = components["I"].data[:, None] * (
        frequency / components["reference_frequency"].data[:, None])**(
            components["spectral_index"].data[:, None])
    of_components = visibilities(SkyCoord(components["ra"], components["dec"]), spectrum)
    np.testing.assert_allclose(model[target][..., 0], of_components, atol=2e-6)
    np.testing.assert_allclose(model[target][..., 3], of_components, atol=2e-6)
    np.testing.assert_array_equal(model[..., 1], 0)
    np.testing.assert_allclose(model[~target][..., 0], 10)

    image = load_casatools().image()
    terms = []
    for path in field.images:
        image.open(str(path))
        terms.append(image.getchunk()[..., 0, 0])
        if len(terms) == 1:
            assert image.brightnessunit() == "Jy/pixel"
            pixels = np.argwhere(terms[0])
            world = [image.toworld([*map(float, pixel), 0, 0], "n")["numeric"]
                     for pixel in pixels]
        image.close()
    reference = world[0][3]
    relative = (frequency - reference) / reference
    spectrum = sum(term[tuple(pixels.T)][:, None] * relative**k for k, term in enumerate(terms))
    position = SkyCoord(*np.array(world)[:, :2].T, unit="rad")
    np.testing.assert_allclose(visibilities(position, spectrum), of_components, atol=1e-5)


def test_the_catalogue_has_the_star_where_it_was_at_its_epoch(field):
    catalogue = Catalogue.read(field.catalogue)
    truth = read_truth(field.truth)
    star = SkyCoord(truth.ra, truth.dec, unit="deg")
    before = SkyCoord(catalogue.ra[0], catalogue.dec[0], unit="deg").separation(star)
    assert before.arcsec == pytest.approx(0.5 * 8.416, rel=1e-3)  # 0.5"/yr since 2016.0
    now = catalogue.at_epoch(Time(columns(field.measurement_set, "TIME")[0][0] / 86400,
                                  format="mjd").jyear)
    after = SkyCoord(now.ra[0], now.dec[0], unit="deg").separation(star)
    assert after.arcsec < 1e-3
    assert catalogue.name[0] == "simulated star" and len(catalogue) == 1 + 12 + 20


def test_a_calibrator_is_interleaved_and_scans_are_numbered(simulated):
    products = simulated(calibrator=True, scans=2, scan_length="30s", calibrator_scan="20s",
                         gap="40s", quiescent=["0"])
    field, scan, time, state, data = columns(
        products.measurement_set, "FIELD_ID", "SCAN_NUMBER", "TIME", "STATE_ID", "DATA")
    assert {(s, f, t) for s, f, t in zip(scan, field, state, strict=True)} == {
        (1, 1, 0), (2, 0, 1), (3, 1, 0), (4, 0, 1), (5, 1, 0)}
    np.testing.assert_allclose(
        np.unique(time) - time.min(),
        [0, 10, 60, 70, 80, 130, 140, 190, 200, 210, 260, 270], atol=1e-4)
    assert np.all(np.diff(time) >= 0)
    np.testing.assert_allclose(data[field == 1][..., 0], 10)
    limits, = columns(products.measurement_set / "OBSERVATION", "TIME_RANGE")
    np.testing.assert_allclose(limits[0], [time.min() - 5, time.max() + 5], atol=1e-4)
    metadata = load_casatools().msmetadata()
    metadata.open(str(products.measurement_set))
    assert metadata.fieldnames() == ["target", "calibrator"]
    assert list(metadata.fieldsforintent("*CALIBRATE*")) == [1]
    assert list(metadata.scansforfield(0)) == [2, 4]
    metadata.close()


def test_two_correlations_are_the_parallel_hands(simulated):
    for feeds, wanted in (("circular", [5, 8]), ("linear", [9, 12])):
        products = simulated(feeds=feeds, correlations="2", scan_length="10s")
        kinds, = columns(products.measurement_set / "POLARIZATION", "CORR_TYPE")
        assert list(kinds[0]) == wanted
        assert columns(products.measurement_set, "DATA")[0].shape[-1] == 2


def test_autocorrelations_hold_the_power_of_the_receivers(simulated):
    products = simulated(autocorrelations=True, sefd="400Jy", scan_length="20s", antennas=5)
    antenna1, antenna2, data = columns(products.measurement_set, "ANTENNA1", "ANTENNA2", "DATA")
    alone = antenna1 == antenna2
    assert alone.sum() == 5 * 2 and (~alone).sum() == 10 * 2
    np.testing.assert_allclose(data[alone][..., 0].real, 400, rtol=0.01)
    np.testing.assert_array_equal(data[alone][..., 0].imag, 0)


def test_antennas_that_drop_out_leave_no_rows(simulated):
    products = simulated(dropped=0.2, antennas=10, scan_length="10min", channels=1)
    antenna1, antenna2, time = columns(products.measurement_set, "ANTENNA1", "ANTENNA2", "TIME")
    # Both antennas have to be there: 0.8 squared of all rows.
    assert antenna1.size / (45 * 60) == pytest.approx(0.64, abs=0.05)
    for instant in np.unique(time):
        now = time == instant
        here = set(antenna1[now]) | set(antenna2[now])
        assert now.sum() == len(here) * (len(here) - 1) / 2


def test_flagged_samples_would_spoil_a_mean_that_used_them(simulated):
    products = simulated(flagged=0.1, channels=32)
    data, flags = columns(products.measurement_set, "DATA", "FLAG")
    assert flags.mean() == pytest.approx(0.1, abs=0.005)
    np.testing.assert_array_equal(data[flags], 1000)
    assert np.abs(data[~flags]).max() < 1


@pytest.mark.parametrize("flag_rfi", [False, True])
def test_interference_is_where_its_table_says(simulated, flag_rfi):
    products = simulated(rfi_bursts=2, rfi_tones=1, rfi_flux="50Jy", flag_rfi=flag_rfi,
                         channels=16)
    data, flags, time, antenna1, antenna2 = columns(
        products.measurement_set, "DATA", "FLAG", "TIME", "ANTENNA1", "ANTENNA2")
    frequency = columns(products.measurement_set / "SPECTRAL_WINDOW", "CHAN_FREQ")[0][0]
    names, = columns(products.measurement_set / "ANTENNA", "NAME")
    table = Table.read(products.interference)
    assert list(table["kind"]) == ["burst", "burst", "tone"]
    expected = np.zeros(data.shape, dtype=bool)
    pair = np.array([f"{names[i]}&{names[j]}" for i, j in zip(antenna1, antenna2, strict=True)])
    for row in table:
        rows = ((time / 86400 > row["time_start"]) & (time / 86400 < row["time_end"])
                & np.isin(pair, row["baselines"].split()))
        channels = (frequency > row["frequency_low"]) & (frequency < row["frequency_high"])
        assert channels.sum() == (1 if row["kind"] == "tone" else 16)
        expected |= (rows[:, None] & channels)[..., None]
    bright = np.abs(data) > 5
    assert expected.any() and not np.any(bright & ~expected)
    assert np.mean(bright[expected]) > 0.9  # two may cancel where they meet
    np.testing.assert_array_equal(flags, expected if flag_rfi else np.zeros_like(flags))


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(tmp_path):
    options = {"noise": 1, "sources": 3, "flagged": 0.01, "rfi_bursts": 1, "scan_length": "20s"}
    data = [columns(simulate(tmp_path, f"{k}.ms", seed=seed, **options).measurement_set, "DATA")[0]
            for k, seed in enumerate((1, 1, 2))]
    np.testing.assert_array_equal(data[0], data[1])
    assert np.mean(data[0] == data[2]) < 0.01


def test_data_are_the_same_whatever_the_block_of_rows(tmp_path, monkeypatch):
    options = {"noise": 1, "sources": 3, "flagged": 0.01, "rfi_bursts": 2, "rfi_tones": 1,
               "scan_length": "40s", "flares": True, "calibrator": True}
    whole, = columns(simulate(tmp_path, "whole.ms", **options).measurement_set, "DATA")
    monkeypatch.setattr("visds.visibility.simulation.fill._BLOCK_SAMPLES", 1000)
    blocks, = columns(simulate(tmp_path, "blocks.ms", **options).measurement_set, "DATA")
    np.testing.assert_allclose(blocks, whole, atol=1e-6)


def test_data_and_uvw_are_tiled_for_reading_in_blocks_of_rows(simulated):
    products = simulated(channels=128, scan_length="10s")
    table = load_casatools().table()
    table.open(str(products.measurement_set))
    managers = {manager["COLUMNS"][0]: manager for manager in table.getdminfo().values()}
    table.close()
    assert managers["DATA"]["TYPE"] == "TiledShapeStMan"
    assert list(managers["DATA"]["SPEC"]["DEFAULTTILESHAPE"]) == [4, 128, 256]
    assert managers["UVW"]["TYPE"] == "TiledColumnStMan"


def test_an_existing_measurement_set_is_not_replaced_unasked(tmp_path, capsys):
    simulate(tmp_path, taylor_terms=2, sources=2, rfi_tones=1)
    before = sorted(tmp_path.iterdir())
    assert [path.name for path in before] == [
        "obs.catalogue.ecsv", "obs.components.ecsv", "obs.model.tt0", "obs.model.tt1", "obs.ms",
        "obs.rfi.ecsv", "obs.truth.ecsv"]
    with pytest.raises(OutputError, match=r"obs\.ms exists; --overwrite replaces it"):
        simulate(tmp_path)
    (tmp_path / "obs.ms" / "old").touch()
    simulate(tmp_path, overwrite=True)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"obs.catalogue.ecsv", "obs.components.ecsv", "obs.ms", "obs.truth.ecsv"}
    assert not (tmp_path / "obs.ms" / "old").exists()


def test_an_error_half_way_leaves_what_was_there_before(tmp_path, monkeypatch):
    products = simulate(tmp_path)
    kept = products.truth.read_text()

    def fail(*_):
        raise RuntimeError("a defect")

    monkeypatch.setattr("visds.visibility.simulation.simulate.write_catalogue", fail)
    with pytest.raises(RuntimeError, match="a defect"):
        simulate(tmp_path, overwrite=True, seed=7)
    assert products.truth.read_text() == kept
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(("options", "message"), [
    ({"array": "VLBI"}, "'VLBI' is neither a file nor one of VLA, ATCA, MeerKAT"),
    ({"antennas": 40}, "2 to 27 are possible, not 40"),
    ({"array": "VLA", "field_position": "0 -80"}, "degrees below the horizon"),
    ({"array": "VLA", "field_position": "elsewhere"}, "not a position such as"),
    ({"flare": ["time=3s,I=2"]}, "lacks duration="),
    ({"flare": ["time=3s,duration=2s,I=2,colour=red"]}, "'colour=red' in flare"),
    ({"flare": ["time=3s,duration=2s,I=2,drift=0"]}, "drift of 0 would never"),
    ({"target": "10 10", "target_offset": "1 1"}, "give one"),
    ({"quiescent": [1, 2, 3, 4, 5]}, "not up to four flux densities"),
    ({"scan_length": "3s"}, "holds no integration"),
    ({"channels": 0}, "--channels: must be at least 1"),
    ({"sources": 5, "faintest": "1Jy"}, "at most --brightest"),
    ({"sources": 500, "radius": "3arcsec"}, "do not fit within"),
    ({"flagged": 1.5}, "between 0 and 1"),
    ({"start": "yesterday"}, "not a date such as"),
])
def test_settings_that_cannot_be_met_say_so(tmp_path, options, message):
    options = {"flares": "flare" in options} | options
    with pytest.raises(SettingsError, match=message):
        simulate(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*obs\.ms: No such file or directory"):
        simulate(tmp_path / "nowhere")


def test_an_array_comes_from_a_file_of_antennas(tmp_path):
    path = tmp_path / "my antennas.csv"
    path.write_text("# telescope=VLA diameter=12 mount=equatorial feeds=linear frequency=3GHz\n"
                    "name,x,y,z\nA,-1601000,-5042000,3554000\nB,-1601100,-5042000,3554000\n"
                    "C,-1601000,-5042200,3554100\n")
    products = simulate(tmp_path, array=path, antennas=3)
    names, mounts, diameters = columns(products.measurement_set / "ANTENNA", "NAME", "MOUNT",
                                       "DISH_DIAMETER")
    assert (list(names), set(mounts), set(diameters)) == (["A", "B", "C"], {"EQUATORIAL"}, {12})
    frequency, = columns(products.measurement_set / "SPECTRAL_WINDOW", "CHAN_FREQ")
    assert frequency[0, 0] == pytest.approx(3e9)
    path.write_text("name,x,y\nA,1,2\nB,3,4\n")
    with pytest.raises(SettingsError, match="columns name, x, y, z"):
        simulate(tmp_path, "other.ms", array=path)


@pytest.mark.parametrize(("name", "antennas"), [
    ("VLA", 27), ("VLA-A", 27), ("VLA-B", 27), ("VLA-C", 27), ("VLA-D", 27), ("uGMRT", 30),
    ("ATCA", 6), ("MeerKAT", 62)])
def test_shipped_arrays_stand_on_the_ground(name, antennas):
    array = make_array(ArraySettings(array=name))
    assert len(array.names) == antennas
    heights = EarthLocation.from_geocentric(*array.positions.T, unit=u.m).height.to_value(u.m)
    assert np.all((heights > -200) & (heights < 2500))
    offsets = np.linalg.norm(array.positions - array.positions.mean(axis=0), axis=1)
    assert offsets.max() < 30e3


def test_a_settings_file_and_options_mean_the_same(tmp_path):
    (tmp_path / "settings.toml").write_text(
        '[array]\nantennas = 4\n[schedule]\nscans = 1\nscan_length = "20s"\n'
        'calibrator = false\n[spectrum]\nchannels = 4\n[field]\ntaylor-terms = 0\n'
        '[target]\nquiescent = "30mJy"\nflare = ["time=5s,duration=2s,I=1Jy"]\n')
    assert main([str(tmp_path / "obs.ms"), "--settings", str(tmp_path / "settings.toml"),
                 "--channels", "5"]) == 0
    data, = columns(tmp_path / "obs.ms", "DATA")
    assert data.shape == (6 * 2, 5, 4)
    truth = read_truth(tmp_path / "obs.truth.ecsv")
    assert [e.name for e in truth.emissions] == ["quiescent", "flare 1"]
    assert truth.emissions[0].stokes == (0.03, 0, 0, 0)
    assert truth.settings["spectrum"]["channels"] == "5"
    assert truth.settings["array"]["antennas"] == 4


def test_the_program_leaves_nothing_in_the_home_or_working_folder(tmp_path):
    home, here, out = (tmp_path / name for name in ("home", "working folder", "out folder"))
    for folder in (home, here, out):
        folder.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {key: value for key, value in environment.items()
                   if not key.startswith(("XDG_", "CASA"))}
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(LAUNCHER), str(out / "my star.ms"), "--antennas", "4",
         "--scan-length", "20s", "--calibrator-scan", "20s", "--channels", "4"],
        cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert not list(home.rglob("*")) and not list(here.iterdir())
    assert sorted(finished.stdout.splitlines()) == sorted(map(str, out.iterdir()))
    assert len(list(out.iterdir())) == 6
    again = subprocess.run([sys.executable, str(LAUNCHER), str(out / "my star.ms")], cwd=here,
                           env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr.startswith("visds-simulate: error: ") and again.stderr.count("\n") == 1
