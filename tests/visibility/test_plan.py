"""The plan holds every integration of the selection once, and says what was chosen and why."""

import itertools
import re

import numpy as np
import pytest
from astropy.time import Time
from casacore import tables
from rooms import plan, writable

from visds.core.errors import MeasurementSetError, SettingsError
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.integrations import IntervalDoubts, integration_times, mjd_utc, pack, ranges
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.read import ChunkReader


def test_the_field_with_the_most_time_is_chosen_and_that_is_said(observed):
    planned = plan(observed("vla_NGC5921_cal"))
    assert planned.field == "N5921_2"
    assert any(choice.startswith("field N5921_2: the most time on source (1331+30500002_0 6.0 min")
               for choice in planned.choices)


def test_a_field_is_chosen_by_name_or_number(observed):
    path = observed("vla_NGC5921_cal")
    by_name, by_number = plan(path, "--field", "1445+09900002_0"), plan(path, "--field", "1")
    assert by_name.field == by_number.field == "1445+09900002_0"
    assert [task.scan for task in by_name.tasks] == [2, 4, 5, 7]


def test_corrected_data_are_preferred_and_any_column_can_be_named(observed):
    path = observed("lofar_msss_corrected")
    assert plan(path).column == "CORRECTED_DATA"
    assert "column CORRECTED_DATA" in plan(path).choices
    assert plan(path, "--column", "DATA").column == "DATA"
    for wrong in ("MODEL_DATA", "FLAG", "WEIGHT_SPECTRUM", "UVW"):
        with pytest.raises(MeasurementSetError, match=f"no column {wrong} of visibilities; its "
                                                      "data columns are DATA, CORRECTED_DATA"):
            plan(path, "--column", wrong)


@pytest.mark.parametrize("name", ["vla_3C273_1989", "vla_NGC5921_cal"])
def test_times_of_tai_become_utc(observed, name):
    # Leap seconds of the days: 24 s in June 1989, 29 s in April 1995.
    path = observed(name)
    with tables.table(str(path), ack=False, lockoptions="usernoread") as main:
        stored = main.getcol("TIME").min()
    planned = plan(path, *(["--field", "0"] if "NGC" in name else []))
    first = min(task.time[0] for task in planned.tasks)
    leap = {"vla_3C273_1989": 24, "vla_NGC5921_cal": 29}[name]
    assert (stored / 86400 - first) * 86400 == pytest.approx(leap, abs=2e-5)
    expected = Time(stored / 86400, format="mjd", scale="tai").utc.mjd
    assert first == pytest.approx(expected, abs=1e-10)


def test_a_clock_offset_is_added_to_the_times(simulated):
    path = simulated().measurement_set
    plain, late = plan(path), plan(path, "--time-offset", "-2.7255s")
    shift = (late.tasks[0].time - plain.tasks[0].time) * 86400
    np.testing.assert_allclose(shift, -2.7255, atol=2e-6)


def test_a_scale_that_is_not_tied_to_atomic_time_is_refused():
    with pytest.raises(MeasurementSetError, match="TIME is in scale UT1; expected UTC or one of"):
        mjd_utc(np.array([5e9]), "UT1")
    assert mjd_utc(np.array([5e9]), "UTC")[0] == 5e9 / 86400
    assert (mjd_utc(np.array([5e9]), "TT")[0] - mjd_utc(np.array([5e9]), "TAI")[0]) * 86400 == (
        pytest.approx(-32.184, abs=1e-5))


@pytest.mark.parametrize("options", [
    (), ("--chunk-size", "20kB"), ("--chunk-size", "1"), ("--scan", "2"), ("--spw", "1")])
def test_every_integration_is_in_one_chunk_and_its_rows_too(simulated, options):
    path = simulated(scans=2, scan_length="1min", spectral_windows=2, calibrator=True,
                     autocorrelations=True, dropped=0.1).measurement_set
    planned = plan(path, *options, "--field", "0")
    with tables.table(str(path), ack=False) as main:
        times, field, scan, spw = (main.getcol(name) for name in
                                   ("TIME", "FIELD_ID", "SCAN_NUMBER", "DATA_DESC_ID"))
    wanted = field == planned.description.fields.index(
        next(f for f in planned.description.fields if f.name == planned.field))
    if "--scan" in options:
        wanted &= scan == 2
    if "--spw" in options:
        wanted &= spw == 1
    rows, held = [], []
    for task in planned.tasks:
        integration = np.repeat(task.run_integration, task.run_length)
        own = np.concatenate([np.arange(s, s + n) for s, n in
                              zip(task.run_start, task.run_length, strict=True)])
        np.testing.assert_allclose(task.time[integration] * 86400, times[own], atol=1e-5)
        assert np.all(scan[own] == task.scan)
        assert np.all(spw[own] == task.source.data_description)
        assert np.all(np.diff(task.time) > 0)
        rows += own.tolist()
        held += [(task.scan, task.source.spectral_window, t) for t in task.time]
    assert sorted(rows) == np.flatnonzero(wanted).tolist()
    assert len(set(held)) == len(held)
    assert len({task.name for task in planned.tasks}) == len(planned.tasks)


def test_chunks_are_no_larger_than_asked_unless_one_integration_is(simulated):
    path = simulated(autocorrelations=True).measurement_set
    whole = plan(path).tasks
    assert len(whole) == 1
    for parts in (2, 5, 7):
        size = whole[0].nbytes // parts
        tasks = plan(path, "--chunk-size", str(size)).tasks
        assert len(tasks) >= parts
        assert all(task.nbytes <= size for task in tasks)
    assert len(plan(path, "--chunk-size", "1").tasks) == 12


@pytest.mark.parametrize("number", range(1, 30))
@pytest.mark.parametrize("limit", [1, 25, 70, 1000])
def test_packing_is_complete_even_and_within_the_limit(number, limit):
    edges = pack(np.full(number, 10), limit)
    assert edges[0][0] == 0 and edges[-1][1] == number
    assert all(a[1] == b[0] for a, b in itertools.pairwise(edges))
    counts = [end - begin for begin, end in edges]
    assert max(counts) - min(counts) <= 1
    assert max(counts) * 10 <= max(limit, 10)


@pytest.mark.parametrize(("options", "message"), [
    (("--field", "moon"), "--field: .* has no field 'moon'; it has"),
    (("--field", "9"), "has no field '9'"),
    (("--scan", "one"), "--scan: 'one' is neither a number nor a range"),
    (("--scan", "77"), "--scan: 77 is not in .*; it has 1~7"),
    (("--spw", "3~5"), "--spw: 3~5 is not in .*; it has 0"),
    (("--correlations", "RL"), "--correlations: .* has no RL; it has RR, LL"),
    (("--stokes", "IQUV"), "--stokes: Q, U cannot be made of the correlations RR, LL .*; they "
                           "allow IV"),
    (("--stokes", "IX"), "--stokes: X cannot be made"),
    (("--handedness", "swap=perhaps"), "--handedness: 'swap=perhaps'")])
def test_a_selection_of_what_is_not_there_is_one_line(observed, options, message):
    with pytest.raises(SettingsError, match=message) as caught:
        plan(observed("vla_NGC5921_cal"), *options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("options", "message"), [
    (("--field", "0", "--scan", "2"), "no cross-correlations for this choice of field, scan"),
    (("--correlations", "RR"), "Stokes I needs RR and LL, or XX and YY; the correlations are RR"),
    (("--weights", "spectrum", "--column", "NO_DATA"), "has no column NO_DATA of visibilities")])
def test_a_selection_without_data_is_one_line(observed, options, message):
    with pytest.raises(MeasurementSetError, match=message):
        plan(observed("vla_NGC5921_cal"), *options)


def test_without_a_pair_of_parallel_hands_there_is_no_stokes_i(observed):
    with pytest.raises(MeasurementSetError, match="Stokes I needs RR and LL, or XX and YY; the "
                                                  "correlations are XY"):
        plan(observed("paper_XYonly"))


def test_stokes_i_is_always_among_those_made(observed):
    assert plan(observed("vla_3C273_1989"), "--stokes", "v").stokes == ("I", "V")
    assert plan(observed("vla_3C273_1989"), "--stokes", "U,Q").stokes == ("I", "Q", "U")


@pytest.mark.parametrize(("name", "options", "expected", "calibrated", "why"), [
    ("vla_3C273_1989", (), "row", False, ": WEIGHT_SPECTRUM is constant"),
    ("atca_1934_cabb", (), "row", False, ": WEIGHT_SPECTRUM is constant"),
    ("askap_vela_pol-60", (), "row", False, ": no WEIGHT_SPECTRUM"),
    ("vla_NGC5921_cal", (), "spectrum", True, ""), ("vlba_mojave_M87", (), "spectrum", True, ""),
    ("lofar_msss_corrected", (), "spectrum", True, ""),
    ("vlba_mojave_M87", ("--weights", "row"), "row", True, ""),
    ("vlba_mojave_M87", ("--weights", "flat"), "flat", False, "")])
def test_weights_are_those_of_the_data_and_said_to_be_without_scale_where_they_are(
        observed, name, options, expected, calibrated, why):
    planned = plan(observed(name), *options)
    assert (planned.weights, planned.weights_calibrated) == (expected, calibrated)
    if not options:
        assert f"weights {expected}{why}" in planned.choices
    assert any("have no scale" in warning for warning in planned.warnings) != calibrated


def test_a_weight_spectrum_that_is_not_there_cannot_be_asked_for(observed):
    with pytest.raises(MeasurementSetError, match=r"no \(complete\) WEIGHT_SPECTRUM; use"):
        plan(observed("wsrt_3C343"), "--weights", "spectrum")


def test_weights_to_be_measured_have_a_scale_and_need_three_integrations(simulated):
    path = simulated(noise="1Jy").measurement_set
    planned = plan(path, "--weights", "measured")
    assert (planned.weights, planned.weights_calibrated) == ("measured", True)
    assert not any("measured" in warning for warning in planned.warnings)
    row, = plan(path, "--weights", "row").tasks
    assert planned.tasks[0].source.bytes_per_row == row.source.bytes_per_row
    short = plan(path, "--weights", "measured", "--chunk-size", "1").warnings
    assert sum("12 of 12 chunks hold fewer than 3 integrations" in text for text in short) == 1


def test_weights_that_are_all_nan_are_not_a_crash(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, weight_spectrum=True).measurement_set
    with writable(path) as main:
        main.putcol("WEIGHT_SPECTRUM", np.full_like(main.getcol("WEIGHT_SPECTRUM"), np.nan))
    planned = plan(path)
    assert planned.weights == "row"
    assert "weights row: WEIGHT_SPECTRUM holds no finite number" in planned.choices


def test_weights_that_differ_between_baselines_only_are_not_constant(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, weight_spectrum=True, antenna_ratio=4,
                     noise="50mJy").measurement_set
    assert plan(path).weights == "spectrum"


@pytest.mark.parametrize(("name", "options", "said"), [
    ("evla_J1008_Ka_2spw", (), "INTERVAL says 0.04 s but integrations are 10 s apart"),
    ("vla_NGC5921_cal", (), "INTERVAL says 30 s but integrations are 60 s apart"),
    ("vlba_mojave_M87", (), r"apart \(scan 1~10\); integrations are taken to reach half-way")])
def test_an_interval_that_does_not_agree_with_the_times_is_said_in_one_line(
        observed, name, options, said):
    warnings = [text for text in plan(observed(name), *options).warnings if "INTERVAL" in text]
    assert len(warnings) == 1
    assert re.search(said, warnings[0])


def test_the_length_of_an_integration_is_the_spacing_where_interval_is_absurd():
    time = np.arange(5) * 10.0
    doubts = IntervalDoubts()
    assert np.all(integration_times(time, np.full(5, 0.04), 1, doubts) == 10)
    assert np.all(integration_times(time, np.full(5, 80.0), 2, doubts) == 10)
    assert np.all(integration_times(time, np.full(5, 0.0), 3, doubts) == 10)
    assert np.all(integration_times(time, np.full(5, 9.9), 4, doubts) == 9.9)
    assert np.all(integration_times(time, np.full(5, 5.0), 5, doubts) == 5)
    assert integration_times(time[:1], np.array([30.0]), 6, doubts)[0] == 30
    assert [scan for scan, *_ in doubts.wrong] == [1, 2, 3]
    assert [scan for scan, *_ in doubts.short] == [5]


def test_numbers_are_said_in_ranges():
    assert ranges([1, 2, 3, 7, 9, 10]) == "1~3, 7, 9~10"


@pytest.mark.parametrize("name", ["gmrt_J1543+480", "wsrt_3C343", "vlba_mojave_M87"])
def test_an_unknown_sign_of_v_is_warned_of(observed, name):
    assert any("nothing is known of the handedness" in text
               for text in plan(observed(name)).warnings)
    known = plan(observed(name), "--handedness", "swap=no")
    assert not any("handedness" in text for text in known.warnings)
    assert known.handedness.source == "given by the user"


@pytest.mark.parametrize(("options", "angle", "turns"), [
    ((), 30, True), (("--parallactic", "no"), 30, False), (("--receptor-angle", "-45"), -45, True),
    (("--stokes", "IV"), 30, True)])
def test_linear_feeds_on_alt_az_mounts_are_turned(simulated, options, angle, turns):
    path = simulated(feeds="linear", array="ATCA", receptor_angle="30deg").measurement_set
    source = plan(path, *options).tasks[0].source
    assert np.degrees(source.feed_angle) == pytest.approx(angle)
    assert source.parallactic is turns


def test_circular_feeds_and_equatorial_mounts_are_not_turned_unless_asked(simulated, observed):
    source = plan(simulated().measurement_set).tasks[0].source
    assert (source.feed_angle, source.parallactic) == (0, False)
    source = plan(observed("askap_vela_pol-60")).tasks[0].source
    assert (source.feed_angle, source.parallactic) == (0, False)
    source = plan(simulated().measurement_set, "--parallactic", "yes").tasks[0].source
    assert source.parallactic


def test_without_cross_hands_q_stays_in_the_frame_of_the_feeds_and_that_is_said(simulated):
    planned = plan(simulated(feeds="linear", array="ATCA", correlations="2").measurement_set)
    assert planned.stokes == ("I", "Q")
    assert any("cannot be turned to the sky" in choice for choice in planned.choices)


@pytest.mark.parametrize(("name", "longest"), [
    ("evla_J1008_Ka_2spw", 1.2e3), ("wsrt_3C343", 3.4e3), ("vla_3C273_1989", 4.5e3),
    ("vlba_mojave_M87", 9.8e6)])
def test_the_longest_baseline_is_of_the_array_and_not_of_the_earth(observed, name, longest):
    assert plan(observed(name)).max_baseline == pytest.approx(longest, rel=0.05)


def test_cells_that_do_not_fit_the_spectral_window_are_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(f"{path}::SPECTRAL_WINDOW") as table:
        for name in ("CHAN_FREQ", "CHAN_WIDTH"):
            table.putcell(name, 0, table.getcell(name, 0)[:5])
    with pytest.raises(MeasurementSetError, match=r"row 0 holds \(8, 4\), expected \(5, 4\)"):
        plan(path)


def test_channels_without_a_frequency_are_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with writable(f"{path}::SPECTRAL_WINDOW") as table:
        table.putcell("CHAN_FREQ", 0, np.zeros(8))
    with pytest.raises(MeasurementSetError, match="channels without a frequency"):
        plan(path)


def test_autocorrelations_alone_are_refused(simulated, tmp_path):
    path = simulated(copy_to=tmp_path, autocorrelations=True).measurement_set
    with writable(path) as main:
        main.putcol("ANTENNA2", main.getcol("ANTENNA1"))
    with pytest.raises(MeasurementSetError, match="holds autocorrelations only"):
        plan(path)


def test_two_rows_of_one_field_are_one_field(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    with tables.table(f"{path}/FIELD", readonly=False, ack=False) as field:
        field.addrows(1)
        last = field.nrows() - 1
        for column in ("NAME", "PHASE_DIR", "DELAY_DIR", "REFERENCE_DIR"):
            field.putcell(column, last, field.getcell(column, 0))
    with tables.table(str(path), readonly=False, ack=False) as main:
        numbers = main.getcol("FIELD_ID")
        numbers[len(numbers) // 2:] = last
        main.putcol("FIELD_ID", numbers)
    assert sum(len(task.time) for task in plan(path).tasks) == 12


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (3, 5), (9, 12)])
def test_a_part_of_a_task_reads_its_integrations_alone(simulated, start, stop):
    path = simulated(scan_length="2min").measurement_set
    task, = plan(path).tasks
    with MeasurementSet(path) as opened:
        whole, = ChunkReader(opened, task).slabs()
        part, = ChunkReader(opened, task.select_times(start, stop)).slabs()
    expected = whole.select_times(start, stop)
    for name in VisibilityChunk.array_specs():
        np.testing.assert_array_equal(getattr(part, name), getattr(expected, name), err_msg=name)
