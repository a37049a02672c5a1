"""Spectra of many directions in one file: each is read as it was written."""

import h5py
import numpy as np
import pytest
from spectra import spectrum

from visds.core.errors import FormatError, SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.spectra_file import directions_of, number_of, read_spectrum, write_spectra


def directions():
    first = spectrum(np.zeros((6, 4, 2)), polarizations=("I", "V"))
    first = first.replace(meta={"target": "AB Dor", "role": "target"})
    yield first
    for number in (1, 2):
        yield first.replace(sum_wv=first.sum_wv * (1 + number), sum_w2v=first.sum_w2v * 1j,
                            meta={"target": f"off {number}", "role": "off source"})


def test_every_direction_is_read_as_it_was_written(tmp_path):
    write_spectra(tmp_path / "dynspec.h5", directions(), "key")
    for number, written in enumerate(directions()):
        found = read_spectrum(tmp_path / "dynspec.h5", number)
        assert found.meta == written.meta
        for name in DynamicSpectrum.array_specs():
            np.testing.assert_array_equal(getattr(found, name), getattr(written, name), name)


def test_what_directions_share_is_stored_once(tmp_path):
    write_spectra(tmp_path / "dynspec.h5", directions())
    with h5py.File(tmp_path / "dynspec.h5") as file:
        assert set(file["directions/000002"]) == {"sum_wv", "sum_w2v"}


def test_a_direction_is_found_by_its_name(tmp_path):
    write_spectra(tmp_path / "dynspec.h5", directions())
    assert number_of(tmp_path / "dynspec.h5", "off 2") == 2
    assert number_of(tmp_path / "dynspec.h5", "ABDOR") == 0
    assert [meta["role"] for meta in directions_of(tmp_path / "dynspec.h5")] == [
        "target", "off source", "off source"]
    assert DynamicSpectrum.read(tmp_path, "off 1").meta["target"] == "off 1"
    with pytest.raises(SettingsError, match="no direction 'CD'; it has AB Dor, off 1, off 2"):
        DynamicSpectrum.read(tmp_path, "CD")


def test_a_direction_that_is_damaged_is_told(tmp_path):
    path = tmp_path / "dynspec.h5"
    write_spectra(path, directions())
    with h5py.File(path) as file:
        place = file["directions/000001/sum_wv"].id.get_chunk_info(0).byte_offset
    with open(path, "r+b") as file:
        file.seek(place + 5)
        file.write(b"\xff\x00\xff")
    read_spectrum(path, 2)
    with pytest.raises(FormatError, match="damaged"):
        read_spectrum(path, 1)


def test_nothing_is_left_of_a_file_whose_writing_fails(tmp_path):
    def cut_short():
        yield from list(directions())[:2]
        raise RuntimeError("cut short")

    with pytest.raises(RuntimeError):
        write_spectra(tmp_path / "dynspec.h5", cut_short())
    assert not list(tmp_path.iterdir())
