"""A simulated star of known Stokes parameters comes out of visds-run as it was put in."""

import itertools

import numpy as np
import pytest
import reference
from noisy import TRUTH
from products import assert_same_sums
from program import cached_runner, run
from rooms import plan, spectrum, writable

from visds.core.flags import Flag
from visds.core.sky import Direction
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.visibility.simulation.truth import read_truth

QUIESCENT = {"quiescent": ("1Jy", "100mJy", "200mJy", "-300mJy")}
# 45 baselines, 24 integrations, 32 channels; 0.5 Jy of noise in a visibility.
NOISY = QUIESCENT | {"antennas": 10, "scan_length": "4min", "channels": 32, "noise": "500mJy"}
FEEDS = {"circular": {"array": "VLA"},
         "linear": {"array": "MeerKAT", "feeds": "linear", "mount": "alt-az"},
         "linear, turned": {"array": "MeerKAT", "feeds": "linear", "mount": "alt-az",
                            "receptor_angle": "-90deg", "hour_angle": 3},
         "equatorial": {"array": "MeerKAT", "feeds": "linear", "mount": "equatorial",
                        "receptor_angle": "30deg"},
         "uGMRT band 4": {"array": "uGMRT", "frequency": "600MHz"}}
OFFSETS = {"on axis": {}, "off axis": {"target_offset": (600, -400)}}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return cached_runner(tmp_path_factory.mktemp("out"), "--no-images")


def target_option(products):
    truth = read_truth(products.truth)
    return f"--target={truth.ra!r}deg {truth.dec!r}deg", Direction(truth.ra, truth.dec)


@pytest.mark.parametrize(("feeds", "place"), list(itertools.product(FEEDS, OFFSETS)))
def test_stokes_i_q_u_v_come_out_within_the_noise(simulated, program, feeds, place):
    products = simulated(**NOISY, **FEEDS[feeds], **OFFSETS[place])
    option, _ = target_option(products)
    finished = program(products.measurement_set, option)
    assert finished.code == 0
    made = finished.spectrum
    assert made.polarizations == ("I", "Q", "U", "V")
    curve = made.rebin(time=1000, channel=1000)
    for p, truth in enumerate(TRUTH):
        sigma = curve.sigma_formal[0, 0, p]
        assert sigma < 0.004
        assert curve.flux_density[0, 0, p] == pytest.approx(truth, abs=4 * sigma)
        assert curve.residual[0, 0, p] == pytest.approx(0, abs=4 * sigma)


@pytest.mark.parametrize("options", [
    {"array": "VLA"}, {"array": "VLA", "correlations": "2"},
    {"array": "VLA", "antenna_ratio": 4, "receptor_ratio": 2, "target_offset": (600, -400)},
    {"array": "VLA", "antenna_ratio": 4, "channel_ratio": 3, "weight_spectrum": True,
     "dropped": 0.05, "flagged": 0.1},
    {"array": "MeerKAT", "feeds": "linear", "antenna_ratio": 4, "receptor_ratio": 2,
     "hour_angle": 3},
    {"array": "MeerKAT", "feeds": "linear", "correlations": "2", "mount": "equatorial"}],
    ids=lambda options: " ".join(map(str, options.values())))
def test_the_pulls_of_every_cell_have_mean_0_and_scatter_1(simulated, options):
    products = simulated(**NOISY, **options)
    _, target = target_option(products)
    made = spectrum(products.measurement_set, target=target)
    cells = made.flux_density[..., 0].size
    for p, name in enumerate(made.polarizations):
        deviation = made.flux_density[..., p] - TRUTH["IQUV".index(name)]
        freedom = 2 * (np.median(made.count[..., p]) - 1)
        if options.get("antenna_ratio"):
            # Unequal weights: as many degrees of freedom as so many equal visibilities have.
            freedom *= np.median(made.sum_w[..., p] ** 2 / made.sum_w2[..., p]
                                 / made.count[..., p])
        # The pulls over an estimated error follow Student's distribution.
        for sigma, scatter in ((made.sigma_formal, 1.0),
                               (made.sigma_empirical, np.sqrt(freedom / (freedom - 2)))):
            pulls = deviation / sigma[..., p]
            assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(cells))
            assert np.std(pulls) == pytest.approx(scatter, abs=4.5 / np.sqrt(2 * cells))


def test_a_source_off_the_phase_centre_is_not_seen_there(simulated):
    products = simulated(**QUIESCENT, antennas=10, target_offset=(600, -400), scan_length="10min")
    _, target = target_option(products)
    there, centre = (spectrum(products.measurement_set, target=place) for place in (target, None))
    np.testing.assert_allclose(there.flux_density, np.broadcast_to(TRUTH, there.sum_w.shape),
                               atol=1e-5)
    assert np.abs(np.mean(centre.values("I"))) < 0.2


@pytest.mark.parametrize("options", [
    {}, {"feeds": "linear", "array": "ATCA", "mount": "equatorial"}, {"correlations": "2"},
    {"dropped": 0.2, "flagged": 0.2, "autocorrelations": True, "antenna_ratio": 4},
    {"descending": True, "weight_spectrum": True, "channel_ratio": 3, "flagged": 0.1},
    {"scans": 3, "scan_length": "50s", "gap": "100s", "dropped": 0.1}],
    ids=lambda options: " ".join(map(str, options)) or "plain")
@pytest.mark.parametrize("bins", [(), ("--time-bin", "2", "--channel-bin", "3"),
                                  ("--time-bin", "25s", "--channel-bin", "12MHz")],
                         ids=["full", "counts", "widths"])
def test_every_cell_is_what_the_slow_reference_makes_of_the_rows(
        simulated, program, options, bins):
    products = simulated(**QUIESCENT, noise="300mJy", target_offset=(600, -400), **options)
    path = products.measurement_set
    option, target = target_option(products)
    finished = program(path, option, *bins)
    assert finished.code == 0
    samples = reference.read(path, target=(target.ra, target.dec),
                             weights="spectrum" if "weight_spectrum" in options else "row")
    times, scans = [], {row[0]: row[1] for row in samples.rows}
    for time in samples.times:
        since = time - min(t for t in samples.times if scans[t] == scans[time]) + 5
        count = sum(t < time for t in samples.times if scans[t] == scans[time])
        in_bin = {"2": count // 2, "25s": int(since // 25)}[bins[1]] if bins else count
        place = (scans[time], in_bin)
        if times and times[-1][0] == place:
            times[-1][1].append(time)
        else:
            times.append((place, [time]))
    channels = np.argsort(samples.frequency).tolist()
    step = 3 if bins else 1
    reference.assert_same(finished.spectrum, samples, [group for _, group in times],
                          [channels[k:k + step] for k in range(0, 8, step)])


@pytest.mark.parametrize("options", [
    {"dropped": 0.1, "flagged": 0.1}, {"feeds": "linear", "array": "ATCA", "hour_angle": 2}],
    ids=["circular", "linear"])
def test_one_two_and_seven_chunks_give_the_same_numbers(simulated, program, options):
    path = simulated(**QUIESCENT, noise="300mJy", scan_length="140s", autocorrelations=True,
                     **options).measurement_set
    task, = plan(path).tasks
    bins = ("--time-bin", "3", "--channel-bin", "8MHz")
    one = program(path, *bins)
    for number in (2, 7):
        # 21 rows an integration at most: 15 pairs of 6 antennas, and the autocorrelations.
        size = f"--chunk-size={14 // number * 21 * task.source.bytes_per_row}"
        assert len(plan(path, size).tasks) == number
        several = program(path, *bins, size)
        assert (one.code, several.code) == (0, 0)
        assert_same_sums(one.out, several.out)
        for name in ("flux_density", "residual", "sigma", "sigma_formal"):
            np.testing.assert_allclose(getattr(several.spectrum, name),
                                       getattr(one.spectrum, name), rtol=1e-12, atol=1e-15)


def test_slabs_streams_and_chunk_files_give_the_same_numbers(
        simulated, program, monkeypatch, tmp_path):
    path = simulated(**QUIESCENT, array="VLA-D", noise="300mJy", dropped=0.1).measurement_set
    plain, streamed = program(path), program(path, "--stream")
    assert_same_sums(plain.out, streamed.out)
    assert not list(streamed.out.glob("chunks/*.visibility.h5"))
    monkeypatch.setattr("visds.visibility.read.SLAB_BYTES", 20_000)
    monkeypatch.setattr("visds.chunk_job.SLAB_BYTES", 20_000)
    assert_same_sums(plain.out, run(path, tmp_path / "streamed", "--stream").out)
    assert_same_sums(plain.out, run(path, tmp_path / "kept").out)
    # A clip that leaves nothing out is another block, made from the visibilities on file.
    again = run(path, tmp_path / "kept", "--clip-i", "1e6Jy")
    assert "averaged again from chunk files" in again.said
    assert_same_sums(plain.out, again.out)


def test_the_measurement_sets_own_model_is_taken_away(simulated, program):
    products = simulated(**QUIESCENT, model=True, sources=5, brightest="2Jy", faintest="1Jy",
                         noise="1mJy")
    with_model = program(products.measurement_set, "--model", "column")
    np.testing.assert_allclose(with_model.spectrum.flux_density,
                               np.broadcast_to(TRUTH, with_model.spectrum.sum_w.shape), atol=2e-3)
    without = program(products.measurement_set)
    assert np.max(np.abs(without.spectrum.values("I") - 1)) > 0.1


@pytest.mark.parametrize(("option", "change"), [
    (("--v-convention", "pulsar"), {"V": -1}), (("--handedness", "swap=yes"), {"V": -1, "U": -1}),
    (("--handedness", "negate=QV"), {"Q": -1, "V": -1}),
    (("--handedness", "scale=2"), {"I": 2, "Q": 2, "U": 2, "V": 2})],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_an_option_changes_the_signs_that_it_names(simulated, option, change):
    path = simulated(**QUIESCENT, array="VLA").measurement_set
    made = spectrum(path, *option)
    for name, value in zip("IQUV", TRUTH, strict=True):
        np.testing.assert_allclose(made.values(name), change.get(name, 1) * value, atol=1e-5)


@pytest.mark.parametrize("spoil", ["nan", "infinity", "weight", "flag", "row"])
def test_what_is_missing_in_one_hand_leaves_v_unbiased(simulated, tmp_path, spoil):
    # Three baselines see ten times the flux density: where one hand of them is missing the other
    # may not be used, or V would be Jy. The last integration is good.
    path = simulated(copy_to=tmp_path, quiescent=("1Jy", 0, 0, 0), antennas=6).measurement_set
    with writable(path) as main:
        rows = np.flatnonzero((main.getcol("ANTENNA1") == 0) & (main.getcol("ANTENNA2") > 2)
                              & (main.getcol("TIME") < main.getcol("TIME").max()))
        data, flags, weight = (main.getcol(name) for name in ("DATA", "FLAG", "WEIGHT"))
        data[rows] *= 10
        if spoil in ("nan", "infinity"):
            data[rows, :, 0] = np.nan if spoil == "nan" else np.inf
        elif spoil == "weight":
            weight[rows, 0] = 0
        elif spoil == "flag":
            flags[rows, :, 0] = True
        for name, values in (("DATA", data), ("FLAG", flags), ("WEIGHT", weight)):
            main.putcol(name, values)
        if spoil == "row":
            kept = main.selectrows(np.setdiff1d(np.arange(main.nrows()), rows))
            path = tmp_path / "kept.ms"
            kept.copy(str(path), deep=True).close()
    made = spectrum(path)
    np.testing.assert_allclose(made.values("I"), 1, atol=1e-6)
    np.testing.assert_allclose(made.values("V"), 0, atol=1e-6)
    assert np.all(made.count[:-1, :, [0, 3]] == 12) and np.all(made.count[-1] == 15)
    reason = {"nan": Flag.NOT_FINITE, "infinity": Flag.NOT_FINITE, "weight": Flag.ZERO_WEIGHT,
              "flag": Flag.MEASUREMENT_SET, "row": Flag.ABSENT | Flag.ZERO_WEIGHT}[spoil]
    assert np.all(made.flags[:-1, :, 0] == reason) and not made.flags[-1].any()
    # The cross-hands were not touched, except where the whole row is gone.
    assert np.all(made.count[:-1, :, 1] == (12 if spoil == "row" else 15))


def test_a_gap_between_scans_is_not_filled(simulated, program):
    path = simulated(**QUIESCENT, scans=3, scan_length="50s", gap="100s",
                     noise="1mJy").measurement_set
    made = program(path, "--time-bin", "20s").spectrum
    assert made.scan.tolist() == np.repeat(np.unique(made.scan), 3).tolist()
    assert made.integration.tolist() == [20, 20, 10] * 3
    np.testing.assert_allclose(np.diff(made.time)[[2, 5]] * 86400, 115, atol=1e-4)
    assert isinstance(made, DynamicSpectrum)
