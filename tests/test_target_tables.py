"""Tables of several targets in one file."""

import numpy as np
import pytest
from astropy.table import Table

from visds.target_tables import joined, write_joined


def table(seed, rows=3):
    rng = np.random.default_rng(seed)
    made = Table({"time": rng.random(3), "name": ["a b", "", 'a "quoted" one'],
                  "flux_density": [1.0, np.nan, 1e-9], "scan": np.arange(3)})[:rows]
    made["time"].unit, made["time"].description = "d", "time of it"
    made.meta["V"] = {"eta": float(seed)}
    return made


@pytest.mark.parametrize("tables", [[("UV Cet", table(1))],
                                    [("UV Cet", table(1)), ("AU Mic", table(2, rows=0)),
                                     ("a", table(3, rows=2))]])
def test_tables_written_one_by_one_are_the_file_of_all_of_them(tables, tmp_path):
    joined(tables).write(tmp_path / "whole.ecsv", format="ascii.ecsv")
    write_joined(tables, tmp_path / "joined.ecsv")
    assert (tmp_path / "joined.ecsv").read_text() == (tmp_path / "whole.ecsv").read_text()
