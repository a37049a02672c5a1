"""Runs stitched to one: the sums of one run of all data, and nothing that would not be that."""

import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.dynspec.cuts import CutSettings, cut_cells
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.stitch_runs import stitch_runs

KNOWN = {"longest_baseline_m": 1000.0, "weights_calibrated": True, "primary_beam": "none",
         "handedness": {"pulsar_convention": False, "swap_feeds": False, "source": "known"},
         "flag_statistics": {"visibilities": 100, "used": 0.5, "measurement_set": 0.5}}


def night(start=59000.0, *, scans=(1, 2), F=4, seed=1, meta=None, **options):
    T = 6 * len(scans)
    truth = np.ones((T, F, 4)) * np.arange(1, 5)
    return spectrum(truth, scans=scans, seed=seed, start_mjd=start, baselines=12,
                    meta=KNOWN | (meta or {}), **options)


def assert_same(found: DynamicSpectrum, expected: DynamicSpectrum) -> None:
    for name in DynamicSpectrum.array_specs():
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_scans_of_one_run_that_are_stitched_again_are_that_run_in_any_order():
    whole = night(scans=(3, 5, 9))
    first, last = whole.select_times(whole.scan < 9), whole.select_times(whole.scan == 9)
    for parts in ((first, last), (last, first)):
        found = stitch_runs(parts, ["A", "B"])
        assert_same(found, whole)
        np.testing.assert_allclose(found.sigma, whole.sigma, rtol=1e-12)
    assert found.meta["flag_statistics"] == {"visibilities": 200, "used": 0.5,
                                             "measurement_set": 0.5}


def test_bands_of_one_run_that_are_stitched_again_are_that_run():
    whole = night(F=7).replace(spectral_window=np.array([2] * 3 + [5] * 4))
    found = stitch_runs([whole.select_channels(whole.spectral_window == 5),
                         whole.select_channels(whole.spectral_window == 2)], ["high", "low"])
    assert_same(found, whole)


def test_bands_of_different_channel_widths_keep_their_own():
    low = night(F=4, channel_width=1e6)
    high = night(F=3, channel_width=8e6, first_frequency=1.2e9, seed=2)
    found = stitch_runs([low, high], ["L", "S"])
    assert found.channel_width.tolist() == [1e6] * 4 + [8e6] * 3
    np.testing.assert_array_equal(found.sum_wv[:, :4], low.sum_wv)
    np.testing.assert_array_equal(found.sum_wv[:, 4:], high.sum_wv)
    assert found.spectral_window.tolist() == [0] * 4 + [1] * 3
    assert found.scan.tolist() == low.scan.tolist() and not found.flags.any()


def test_nights_whose_scans_have_the_same_numbers_stay_apart():
    one, other = night(), night(59001.0, seed=2)
    found = stitch_runs([other, one], ["second", "first"])
    assert np.unique(found.scan).tolist() == [1, 2, 1001, 1002]
    assert (np.diff(found.time) > 0).all()
    np.testing.assert_array_equal(found.sum_w, np.concatenate([one.sum_w, other.sum_w]))
    np.testing.assert_array_equal(found.time_barycentre, found.time + 0.004)
    assert found.meta["stitched"][0]["scans"] == {"1": 1001, "2": 1002}
    third = stitch_runs([one, other, night(59002.0, scans=(2, 3))], "abc")
    # The scans of a run are raised by one number.
    assert np.unique(third.scan[24:]).tolist() == [2002, 2003]
    # No bin reaches from one night into the other.
    assert len(found.rebin(time="1h").time) == 4


def test_nights_of_other_bands_are_empty_in_each_others():
    found = stitch_runs([night(), night(59001.0, first_frequency=1e9, F=2)], ["a", "b"])
    assert (found.flags[:12, 4:] == Flag.EMPTY).all() and (found.flags[12:, :4] == Flag.EMPTY).all()
    assert np.isnan(found.flux_density[12:, :4]).all() and found.count[:12, :4].all()


def test_the_same_night_twice_is_refused_whatever_its_bins_or_scans():
    one = night()
    for other in (one, one.select_times(one.scan == 2), one.rebin(time=3),
                  one.select_channels(np.arange(2)), one.replace(scan=one.scan + 7)):
        with pytest.raises(SettingsError, match=r"a and b cannot be stitched: \d+ integrations? of "
                           r"b, from 2020-05-31T.* (is|are) at times and frequencies that a holds"):
            stitch_runs([one, other], ["a", "b"])
    with pytest.raises(SettingsError, match="lie across each other"):
        stitch_runs([one, one.rebin(channel=2)], ["a", "b"])


def test_integrations_of_two_lengths_at_one_time_are_refused():
    with pytest.raises(SettingsError, match=r"b cannot be stitched: its scan 1, of integrations of "
                       "5 s, overlaps in time with other scans or integrations of 10 s in a"):
        stitch_runs([night(), night(59000.0001, first_frequency=1e9, integration=5.0)], ["a", "b"])


@pytest.mark.parametrize(("meta", "message"), [
    ({"target": "other star"}, "the targets are 'test star' and 'other star'"),
    ({"role": "off source"}, "the directions are 'target' and 'off source'"),
    ({"dec_deg": -4.99}, "'test star' is 36 arcsec from itself, more than half a beam"),
    ({"weights_calibrated": False}, r"the weights are 1/sigma\^2 and without scale"),
    ({"handedness": {"pulsar_convention": True}}, "conventions of V are the IAU's and the pulsar"),
    ({"handedness": {"swap_feeds": True}}, "signs on reading .* swap=no .* swap=yes"),
    ({"primary_beam": "EVLA L band"}, "not corrected for the primary beam and corrected for"),
    ({"smearing_corrected": True}, "not corrected for smearing and corrected for smearing"),
    ({"frequency_frame": "LSRK"}, "the frames of the frequencies are  and LSRK")])
def test_what_is_not_the_same_is_refused_in_one_line(meta, message):
    with pytest.raises(SettingsError, match=message) as caught:
        stitch_runs([night(), night(59001.0, meta=meta)], ["a", "b"])
    assert "\n" not in str(caught.value)


def test_other_polarizations_and_receptors_are_refused():
    with pytest.raises(SettingsError, match="the Stokes parameters are I Q U V and I V"):
        stitch_runs([night(), night(59001.0).select_polarizations("IV")], ["a", "b"])
    linear = night(59001.0, parallel_hands=("XX", "YY"))
    with pytest.raises(SettingsError, match="the correlations are RR and LL and XX and YY"):
        stitch_runs([night(), linear], ["a", "b"])


def test_weights_without_scale_are_stitched_if_they_would_need_one_factor():
    unknown = {"weights_calibrated": False, "weight_scale": dict.fromkeys("IQUV", 3.0)}
    again = unknown | {"weight_scale": dict.fromkeys("IQUV", 3.3)}
    assert stitch_runs([night(meta=unknown), night(59001.0, meta=again)], "ab").count.all()
    with pytest.raises(SettingsError, match="the weights have no scale, and would need factors of"):
        stitch_runs([night(meta=unknown), night(59001.0, meta=unknown | {
            "weight_scale": dict.fromkeys("IQUV", 5.0)})], ["a", "b"])


def test_a_star_may_have_moved_between_its_nights():
    # 10 arcsec a year, as Barnard's star.
    moved = night(59000.0 + 3652.5, meta={"dec_deg": -5 + 100 / 3600})
    assert len(stitch_runs([night(), moved], ["a", "b"]).time) == 24


def test_cuts_of_a_run_are_not_those_of_the_stitched_spectrum():
    cut = cut_cells(night(), CutSettings(expected_sign=-1))
    found = stitch_runs([cut, night(59001.0)], ["a", "b"])
    assert cut.flags.any() and not found.flags.any() and "cuts" not in found.meta


def test_the_power_of_the_beam_is_the_mean_of_the_runs_that_have_the_channel():
    powers = [0.5, 0.5, 0.0, 0.0], [0.7, 0.0, 0.6, 0.0]
    runs = [night(59000.0 + k).replace(primary_beam=np.array(power))
            for k, power in enumerate(powers)]
    np.testing.assert_allclose(stitch_runs(runs, "ab").primary_beam, [0.6, 0.5, 0.6, 0.0])
