"""Flags and weights beside a chunk file: put on its slabs, whichever these are."""

import numpy as np
import pytest
from point_sources import chunk

from visds.core.flags import Flag
from visds.visibility.chunk import join
from visds.visibility.flagged_chunk import FlaggedChunk, path_of_flags, with_flags


def found():
    plain = chunk(integrations=7)
    flags = plain.flags.copy()
    flags[2, 3:5, 1] |= np.uint8(Flag.RFI)
    return plain, flags


@pytest.mark.parametrize("each", [False, True])
def test_a_slab_has_the_flags_and_the_weights_of_its_integrations(tmp_path, each):
    plain, flags = found()
    weight = np.broadcast_to(np.arange(1, 1 + plain.weight[0].size, dtype="f4").reshape(
        plain.weight[0].shape), plain.weight.shape)
    if each:
        weight = weight * np.arange(1, 8, dtype="f4")[:, None, None, None]
    FlaggedChunk.of(plain.replace(flags=flags, weight=weight), True).write(
        tmp_path / "a.flagged.h5")
    slabs = with_flags(iter([plain.select_times(1, 3), plain.select_times(3, 7)]),
                       tmp_path / "a.visibility.h5", 1)
    slab = join(slabs, 6)
    np.testing.assert_array_equal(slab.flags, flags[1:])
    np.testing.assert_array_equal(slab.weight, weight[1:])
    assert not plain.flags.any()


def test_without_measured_weights_those_of_the_chunk_stay(tmp_path):
    plain, flags = found()
    FlaggedChunk.of(plain.replace(flags=flags), False).write(tmp_path / "a.flagged.h5")
    slab = next(with_flags(iter([plain]), tmp_path / "a.visibility.h5"))
    np.testing.assert_array_equal(slab.weight, plain.weight)
    np.testing.assert_array_equal(slab.flags, flags)


def test_without_such_a_file_slabs_are_as_they_are(tmp_path):
    plain, _ = found()
    assert next(with_flags(iter([plain]), tmp_path / "a.visibility.h5")) is plain
    assert path_of_flags(tmp_path / "a.visibility.h5") == tmp_path / "a.flagged.h5"
