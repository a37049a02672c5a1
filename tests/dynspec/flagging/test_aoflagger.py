"""AOFlagger behind the same interface; skipped where the extra is not installed."""

import sys

import numpy as np
import pytest
from ground import STAR, quiet_scan, with_burst, with_emitter

from visds.core.casa import load_casatools
from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.interference import describe_flagger, flag_interference

AOFLAGGER = FlagSettings(flagger="aoflagger")


def found(scan, settings=AOFLAGGER):
    flags = (flag_interference(scan, [STAR], settings).flags & int(Flag.RFI)) > 0
    assert np.all(flags == flags[..., :1])
    return flags[..., 0]


def test_without_the_package_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "aoflagger", None)
    with pytest.raises(SettingsError, match=r"pip install 'visds\[aoflagger\]'"):
        describe_flagger(AOFLAGGER)


def test_bursts_survive_interference_does_not():
    pytest.importorskip("aoflagger")
    scan = quiet_scan()
    cells, emitter = np.zeros((2, 48, 48))
    cells[20:22] = 5.0
    emitter[:, 30] = 10.0
    scan.flags[:, 3] = Flag.MEASUREMENT_SET
    scan.visibility[4, 5, 6] = np.nan
    flags = found(with_emitter(with_burst(scan, cells), emitter))
    assert flags[:, :3, 30].mean() > 0.99
    assert np.delete(flags[20:22], 30, axis=2).mean() < 0.03
    assert not flags[:, 3].any() and not flags[4, 5, 6]
    np.testing.assert_array_equal(flags, found(with_emitter(with_burst(scan, cells), emitter)))


def test_the_order_of_channels_does_not_matter_to_aoflagger():
    pytest.importorskip("aoflagger")
    scan = quiet_scan(A=4, labels=("YY", "XX"))
    emitter = np.zeros((48, 48))
    emitter[5:40, 30] = 10.0
    scan = with_emitter(scan, emitter)
    turned = scan.replace(visibility=scan.visibility[:, :, ::-1], flags=scan.flags[:, :, ::-1],
                          frequency=scan.frequency[::-1])
    np.testing.assert_array_equal(found(turned), found(scan)[:, :, ::-1])


def test_a_strategy_is_a_telescope_or_a_file(tmp_path):
    pytest.importorskip("aoflagger")
    assert "jvla-default.lua (sha256 " in describe_flagger(
        FlagSettings(flagger="aoflagger", flag_strategy="JVLA"))
    with pytest.raises(SettingsError, match="neither a file nor one of"):
        describe_flagger(FlagSettings(flagger="aoflagger", flag_strategy="no telescope"))
    path = tmp_path / "all.lua"
    path.write_text("function execute(input)\n  input:clear_mask()\n  input:invert_mask()\nend\n")
    own = FlagSettings(flagger="aoflagger", flag_strategy=str(path))
    assert "AOFlagger 3.5, strategy all.lua" in describe_flagger(own)
    path.write_text("this is not Lua")
    with pytest.raises(SettingsError, match="AOFlagger cannot use"):
        flag_interference(quiet_scan(A=3, T=8, F=8), [STAR], own)


def test_casa_reads_the_same_before_and_after_in_the_same_process(tmp_path):
    pytest.importorskip("aoflagger")
    casacore_tables = pytest.importorskip("casacore.tables")
    path = str(tmp_path / "a.table")
    column = casacore_tables.makescacoldesc("TIME", 0.0)
    with casacore_tables.table(path, casacore_tables.maketabdesc(column), 3, ack=False) as made:
        made.putcol("TIME", [1.0, 2.0, 3.0])

    def times():
        tool = load_casatools().table()
        tool.open(path)
        values = tool.getcol("TIME").tolist()
        tool.close()
        return values

    assert times() == [1, 2, 3]
    scan = quiet_scan(A=4)
    emitter = np.zeros((48, 48))
    emitter[:, 30] = 10.0
    assert found(with_emitter(scan, emitter))[:, :3, 30].all()
    assert times() == [1, 2, 3]
    with casacore_tables.table(path, ack=False) as read:
        assert read.getcol("TIME").tolist() == [1, 2, 3]
