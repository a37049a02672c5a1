"""What is found on a sample of baselines is flagged on all of their length."""

import numpy as np
import pytest
from ground import STAR, quiet_scan, with_emitter

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.dynspec.flag_settings import FlagSettings, baseline_number
from visds.dynspec.flagging.baseline_sample import length_classes, number_looked_at
from visds.dynspec.flagging.interference import flag_interference


def found(scan, number):
    settings = FlagSettings(flagger="light", flag_baselines=number)
    return (flag_interference(scan, [STAR], settings).flags[..., 0] & int(Flag.RFI)) > 0


def test_classes_hold_every_baseline_once_and_a_sample_of_all_lengths():
    scan = quiet_scan(A=20, T=3, F=2)
    length = np.hypot(*scan.uvw[..., :2].mean(axis=0).T)
    classes = length_classes(scan, 64)
    members = np.concatenate([one.members for one in classes])
    assert sorted(members) == list(range(190))
    assert sum(len(one.looked_at) for one in classes) == 64
    assert all(len(one.looked_at) >= 31 for one in classes) and len(classes) == 2
    assert length[classes[0].members].max() < length[classes[1].members].min() + 50


def test_interference_on_all_baselines_is_flagged_on_those_not_looked_at():
    scan = quiet_scan(A=16, F=40)
    cells = np.zeros((48, 40))
    cells[10:30, 12] = 10
    flags = found(with_emitter(scan, cells), 32)
    assert flags.swapaxes(1, 2)[cells > 0].mean() > 0.99
    # Its edges are flagged too, on all.
    assert flags.swapaxes(1, 2)[cells == 0].mean() < 0.01


def test_interference_on_one_baseline_stays_there():
    scan = quiet_scan(A=16, F=40)
    cells = np.zeros((48, 40))
    cells[10:30, 12] = 10
    one = int(length_classes(scan, 32)[0].looked_at[4])
    flags = found(with_emitter(scan, cells, baselines=one), 32)
    assert flags[:, one][cells > 0].mean() > 0.99
    flags[:, one] = False
    assert flags.mean() < 1e-3


def test_the_number_of_baselines_is_a_number_all_or_auto():
    assert [number_looked_at(baseline_number(text), 2016)
            for text in ("all", "auto", "64", "5000")] == [2016, 500, 64, 2016]
    assert number_looked_at("auto", 351) == 351
    for text in ("0", "many", "-3", "1.5"):
        with pytest.raises(SettingsError, match="is not a number of baselines"):
            baseline_number(text)
