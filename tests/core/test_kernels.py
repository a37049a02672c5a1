"""Caches of numba and matplotlib: where they can be written, never in the home folder."""

import importlib
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

import pytest
from launch import environment, run
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher

import visds
from visds.core import kernels
from visds.core.kernels import compile_kernels, kernels_are_cached, use_own_caches

PACKAGE = Path(visds.__file__).parent


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """Let the temporary folder be an empty one, and no cache be chosen."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("MPLCONFIGDIR", "")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.delenv("MPLCONFIGDIR")
    return tmp_path


@pytest.fixture
def installed_by_root(monkeypatch):
    """Let no folder of the sources be writable."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: (
        not (mode & os.W_OK and Path(path).is_relative_to(PACKAGE)) and allowed(path, mode)))


def test_kernels_are_kept_beside_sources_that_can_be_written(temporary, monkeypatch):
    monkeypatch.setattr(kernels, "_keeps_kernels", lambda folder: True)
    use_own_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_a_read_only_installation_gets_a_private_folder_for_kernels(temporary, installed_by_root):
    use_own_caches()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.parent == temporary
    assert str(os.getuid()) in folder.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_next_program_finds_the_same_folder(temporary, installed_by_root, monkeypatch):
    use_own_caches()
    first = os.environ["NUMBA_CACHE_DIR"]
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    use_own_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == first


def test_a_folder_chosen_by_the_user_is_used(temporary, installed_by_root, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/scratch/kernels")
    monkeypatch.setenv("MPLCONFIGDIR", "/scratch/fonts")
    use_own_caches()
    assert os.environ["NUMBA_CACHE_DIR"] == "/scratch/kernels"
    assert os.environ["MPLCONFIGDIR"] == "/scratch/fonts"
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("trap", ["open to all", "a link", "a file"])
def test_a_folder_that_another_user_may_have_laid_is_not_trusted(
        temporary, installed_by_root, monkeypatch, tmp_path_factory, trap):
    """Its contents would be run as code."""
    use_own_caches()
    usual = Path(os.environ["NUMBA_CACHE_DIR"])
    usual.rmdir()
    if trap == "open to all":
        usual.mkdir()
        usual.chmod(0o777)
    elif trap == "a link":
        usual.symlink_to(tmp_path_factory.mktemp("elsewhere"))
    else:
        usual.write_text("")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    use_own_caches()
    assert Path(os.environ["NUMBA_CACHE_DIR"]) != usual
    assert stat.S_IMODE(Path(os.environ["NUMBA_CACHE_DIR"]).stat().st_mode) == 0o700


def test_kernels_are_compiled_once_for_each_state_of_the_sources(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    imported = []
    monkeypatch.setattr(kernels.importlib, "import_module", imported.append)
    assert not kernels_are_cached()
    compile_kernels()
    assert imported == list(kernels._MODULES)
    assert kernels_are_cached()
    compile_kernels()
    assert imported == list(kernels._MODULES)
    state = kernels._state()
    monkeypatch.setattr(kernels, "_state", lambda: state + "another module\n")
    assert not kernels_are_cached()
    compile_kernels()
    assert imported == 2 * list(kernels._MODULES)


def test_where_nothing_can_be_kept_kernels_are_compiled_again(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "missing"))
    monkeypatch.setattr(kernels.importlib, "import_module", lambda name: None)
    compile_kernels()
    assert not kernels_are_cached()


def test_cached_kernels_are_not_even_imported(monkeypatch):
    monkeypatch.setattr(kernels, "kernels_are_cached", lambda: True)
    monkeypatch.setattr(kernels.importlib, "import_module", lambda name: pytest.fail(name))
    compile_kernels()


def test_every_module_with_a_cached_kernel_is_known():
    found = {str(path.relative_to(PACKAGE.parent).with_suffix("")).replace(os.sep, ".")
             for path in PACKAGE.rglob("*.py") if "cache=True" in path.read_text()}
    assert found == set(kernels._MODULES)


@pytest.mark.parametrize("name", kernels._MODULES)
def test_cached_kernels_are_compiled_when_they_are_imported(name):
    """Or they would be when they are called first, by every rank, without a word."""
    module = importlib.import_module(name)
    cached = {key: kernel for key, kernel in vars(module).items()
              if isinstance(kernel, Dispatcher) and kernel.py_func.__module__ == name
              and not isinstance(kernel._cache, NullCache)}
    assert cached
    assert not [key for key, kernel in cached.items() if not kernel.signatures]


def test_reading_the_options_compiles_nothing(tmp_path):
    """Or every rank would compile, before one of them does it for all."""
    result = run([sys.executable, "-c", "import visds.run_settings"],
                 env=environment(NUMBA_CACHE_DIR=str(tmp_path)))
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.rglob("*.nbi")) == []


def test_programs_keep_the_home_folder_clean(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    program = ("from visds.commands import run, plot, match\n"
               "import matplotlib.font_manager, numba\n")
    result = run([sys.executable, "-c", program], env=environment(
        HOME=str(home), TMPDIR=str(tmp_path), MPLCONFIGDIR=None, NUMBA_CACHE_DIR=None,
        XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None))
    assert result.returncode == 0, result.stderr
    assert list(home.iterdir()) == []
    shutil.rmtree(home)
