"""What a user is warned of."""

import numpy as np
from spectra import spectrum

from visds.dynspec.detection.detect import detect
from visds.dynspec.detection.settings import DetectSettings
from visds.dynspec.doubts import doubts
from visds.dynspec.imaginary_part import imaginary_parts
from visds.dynspec.variability.indices import statistics


def said(made):
    return doubts(made, detect(made, DetectSettings()), imaginary_parts(made),
                  statistics(made.light_curve()))


def test_good_data_raise_no_doubt():
    made = spectrum(np.zeros((60, 32, 4)))
    assert said(made.replace(meta=made.meta | {"weight_scale": {"I": 1.02}})) == []


def test_weights_of_another_scale_are_said():
    made = spectrum(np.zeros((60, 32, 4)))
    line, = said(made.replace(meta=made.meta | {"weight_scale": {"I": 4.0}}))
    assert "formal errors (from the weights) are 0.25 times" in line


def test_an_imaginary_part_that_scatters_too_much_is_said():
    made = spectrum(np.zeros((60, 32, 4)))
    extra = np.random.default_rng(1).normal(0, 0.2, made.sum_w.shape)
    made = made.replace(sum_wv=made.sum_wv + 1j * extra * made.sum_w,
                        sum_w2v=made.sum_w2v + 1j * extra * made.sum_w2,
                        sum_w2v2=made.sum_w2v2 + extra**2 * made.sum_w2
                        + 2 * extra * made.sum_w2v.imag)
    assert any("the imaginary part of I scatters by 2." in line for line in said(made))


def test_baselines_that_occur_twice_are_said():
    made = spectrum(np.zeros((20, 8, 4)), meta={"repeated_baselines": 3})
    assert any("3 baselines occur more than once" in line for line in said(made))


def test_an_event_that_fills_a_scan_is_doubted():
    truth = np.zeros((60, 32, 4))
    truth[20:40, :, 0] = 0.3
    made = spectrum(truth, scans=(1, 2, 3))
    assert any("fills scan 2" in line for line in said(made))


def test_errors_that_baselines_make_and_time_does_not_show_are_said():
    made = spectrum(np.zeros((60, 32, 4)))
    # Half of the baselines see 2 Jy more, the others as much less, all the time.
    made = made.replace(sum_w2v2=made.sum_w2v2 + 2.0**2 * made.sum_w2)
    lines = said(made)
    assert any("the light curve of I scatters by 0." in line and "between baselines" in line
               for line in lines)
