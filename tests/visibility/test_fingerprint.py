"""A measurement set that was written to has another fingerprint, wherever its rows are."""

import shutil

import numpy as np
from casacore import tables
from program import run
from rooms import writable

from visds.visibility.fingerprint import fingerprint


def test_the_fingerprint_changes_with_the_data_and_not_with_a_lock(simulated, tmp_path):
    path = simulated(copy_to=tmp_path).measurement_set
    first = fingerprint(str(path))
    assert fingerprint(str(path)) == first
    with open(path / "table.lock", "ab") as file:
        file.write(b"x")
    assert fingerprint(str(path)) == first
    with writable(path) as main:
        main.putcell("DATA", 0, main.getcell("DATA", 0) + 1)
    assert fingerprint(str(path)) != first


def test_a_part_of_a_concatenation_that_changes_is_read_again(observed, tmp_path):
    parts = [tmp_path / "first.ms", tmp_path / "second.ms"]
    for part in parts:
        shutil.copytree(observed("vla_3C273_1989"), part)
    with writable(parts[1]) as main:
        for name in ("TIME", "TIME_CENTROID"):
            main.putcol(name, main.getcol(name) + 86400)
    whole = tmp_path / "whole.ms"
    tables.msutil.msconcat([str(part) for part in parts], str(whole))
    before = run(whole, tmp_path / "out", "--no-images").spectrum
    with writable(parts[1]) as main:
        main.putcol("DATA", 2 * main.getcol("DATA"))
    after = run(whole, tmp_path / "out", "--no-images").spectrum
    half = len(before.time) // 2
    np.testing.assert_array_equal(after.sum_wv[:half], before.sum_wv[:half])
    np.testing.assert_allclose(after.sum_wv[half:], 2 * before.sum_wv[half:], rtol=1e-6)
