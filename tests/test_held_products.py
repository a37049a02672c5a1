"""Products of other targets are refused with the names of what a folder holds."""

import json
from types import SimpleNamespace

import pytest

from visds import held_products
from visds.core.errors import OutputError
from visds.core.sky import Direction
from visds.target import Target


@pytest.mark.parametrize(("names", "message"), [
    (["A"], "another target, A at 00:40:00.000 .00:00:00.000, 36 arcsec from new at "),
    ("ABC", "3 targets, A, B, C, not all of this run: A at .*, 36 arcsec from new at "),
    ("ABCDEFG", "7 targets, A, B, C, D, E and 2 more, not all of this run: A at ")])
def test_a_folder_of_several_targets_says_which_it_holds(tmp_path, monkeypatch, names, message):
    (tmp_path / "provenance.json").write_text(json.dumps({
        "measurement_set": "obs.ms",
        "targets": [{"name": name, "ra_deg": 10.0, "dec_deg": 0.0} for name in names]}))
    monkeypatch.setattr(held_products, "data_entry", lambda _: {
        "telescope": "VLA", "time": [59000, 59001], "fields": {}, "spectral_windows": {}})
    observation = SimpleNamespace(measurement_set="obs.ms", finest_beam=1.0,
                                  targets=(Target(Direction(10.01, 0.0), "new"),))
    settings = SimpleNamespace(fresh=False, replace=False)
    with pytest.raises(OutputError, match=f"holds the products of {message}"):
        held_products.refuse_other_products(tmp_path, observation, settings)
