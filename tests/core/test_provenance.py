"""Provenance: the same inputs have the same key, any change another one."""

import dataclasses
import enum
import hashlib
import json
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from visds.core import provenance as provenance_module
from visds.core.errors import OutputError
from visds.core.provenance import (
    Provenance,
    command_line,
    file_hash,
    key,
    refuse_other_program,
)
from visds.core.version import __version__


class Kind(enum.Enum):
    """A choice."""

    ONE = 1
    TWO = 2


@dataclass(frozen=True)
class Inner:
    """Settings."""

    name: str
    values: tuple[float, ...] = (1.0, 2.0)


@dataclass(frozen=True, eq=False)
class Outer:
    """A task with settings and an array."""

    inner: Inner
    array: np.ndarray
    none: None = None


def outer(**changes):
    return dataclasses.replace(Outer(Inner("a"), np.arange(6.0).reshape(2, 3)), **changes)


def test_equal_parts_have_equal_keys():
    assert key(outer(), {"b": 1, "a": Kind.ONE}) == key(outer(), {"a": Kind.ONE, "b": 1})
    assert len(key()) == 64


@pytest.mark.parametrize(("one", "other"), [
    (outer(), outer(inner=Inner("b"))),
    (outer(), outer(array=np.arange(6.0).reshape(3, 2))),
    (outer(), outer(array=np.arange(6).reshape(2, 3))),
    (outer(), outer(array=np.nextafter(np.arange(6.0), 9).reshape(2, 3))),
    (1, 1.0), (1, True), (1, "1"), (None, "None"), (0.1, np.nextafter(0.1, 1)),
    (Kind.ONE, Kind.TWO), ((1, 2), (12,)), (("ab", "c"), ("a", "bc")), ((1, (2,)), ((1, 2),)),
    ({"a": 1}, {"b": 1}), ([], [[]]), (None, ())])
def test_any_change_changes_the_key(one, other):
    assert key(one) != key(other)


def test_a_number_of_numpy_has_the_key_of_its_value():
    assert key(np.float64(0.1), np.int32(3)) == key(0.1, 3)


def test_strides_of_an_array_do_not_matter():
    array = np.arange(12.0).reshape(3, 4)
    assert key(array[:, ::2]) == key(array[:, ::2].copy())


def test_the_same_key_comes_again_in_another_process():
    """A rerun must know its chunks again: no hash of Python's, which is salted, may go in."""
    import subprocess

    program = "from visds.core.provenance import key; print(key('a', {'b': (1.5, None)}))"
    said = {subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                           check=True, env={"PYTHONHASHSEED": seed, "PATH": ""}).stdout.strip()
            for seed in ("1", "2")}
    assert said == {key("a", {"b": (1.5, None)})}


def test_another_version_of_the_package_has_other_keys(monkeypatch):
    before = key(1)
    monkeypatch.setattr(provenance_module, "__version__", __version__ + ".1")
    assert key(1) != before


def test_what_cannot_be_told_apart_has_no_key():
    with pytest.raises(TypeError, match="cannot make a key of set"):
        key({1, 2})


def test_a_file_has_the_sha_256_of_its_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"visibilities")
    assert file_hash(tmp_path / "file") == hashlib.sha256(b"visibilities").hexdigest()


def test_provenance_says_command_inputs_settings_and_versions(tmp_path):
    made = Provenance(["visds-run", "a star.ms"], {"a star.ms": "123"}, {"run": {"fresh": True}}, 4)
    made.write(tmp_path / "provenance.json", products={"dynspec.h5": "456"})
    stored = json.loads((tmp_path / "provenance.json").read_text())
    assert stored["command"] == ["visds-run", "a star.ms"]
    assert stored["inputs"] == {"a star.ms": "123"}
    assert stored["settings"] == {"run": {"fresh": True}}
    assert stored["products"] == {"dynspec.h5": "456"}
    assert (stored["ranks"], stored["version"]) == (4, __version__)
    assert stored["packages"]["numpy"] == np.__version__
    assert {"created", "python", "host"} <= set(stored)


@pytest.mark.parametrize(("started_as", "name"), [
    ("/opt/venv/bin/visds-run", "visds-run"),
    ("/opt/venv/lib/site-packages/visds/commands/run.py", "visds-run"),
    ("make_all.py", "make_all.py")])
def test_the_command_is_named_as_its_user_knows_it(monkeypatch, started_as, name):
    monkeypatch.setattr(sys, "argv", [started_as, "a star.ms"])
    assert command_line() == [name, "a star.ms"]


def test_products_of_another_program_are_not_mixed_with_those_of_this_one(tmp_path):
    refuse_other_program(tmp_path, "visds-run")
    (tmp_path / "provenance.json").write_text('{"command": ["/bin/visds-model", "obs.ms"]}')
    refuse_other_program(tmp_path, "visds-model")
    with pytest.raises(OutputError, match="holds the products of visds-model: give visds-run"):
        refuse_other_program(tmp_path, "visds-run")
