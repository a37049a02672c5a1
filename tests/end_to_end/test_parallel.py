"""The numbers depend neither on ranks nor on chunks; nothing is touched but the output folder."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from launch import RANKS, environment, on_ranks, run, visds_run
from numba.core.caching import _CacheLocator
from products import NUMBERS, assert_same_sums, blocks, contents, numbers, provenance

import visds
from visds.commands.run import main
from visds.core import kernels
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.run_settings import RUN_IMAGES

NOBODY = 65534


@pytest.fixture(scope="module")
def observation(simulated):
    """One scan of 28 integrations: divisible into 1, 2 and 7 chunks; images of few pixels."""
    return simulated(array="VLA-D", antennas=10, scan_length="280s", channels=16, noise="20mJy",
                     sources=5, flares=True, weight_spectrum=True, channel_ratio=2)


def options(observation, out, chunks=1):
    bytes_in_all = 45 * 28 * (4 * 16 * (9 + 4) + 24)
    return [str(observation.measurement_set), "-o", str(out), "--snapshots", "4", "--plots",
            "lightcurve", "--model", str(observation.components), "--target",
            "01:39:02 -17:57:20", "--chunk-size", str(bytes_in_all // chunks)]


@pytest.fixture(scope="module")
def whole(observation, tmp_path_factory):
    """Return the folder of a run of one chunk in one process."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(options(observation, out)) == 0
    assert len(blocks(out)) == 1
    return out


@pytest.mark.parametrize("chunks", [2, 7])
def test_the_sums_do_not_depend_on_the_number_of_chunks(observation, whole, tmp_path, chunks):
    assert main(options(observation, tmp_path, chunks)) == 0
    assert len(blocks(tmp_path)) == chunks
    assert_same_sums(whole, tmp_path)
    assert numbers(tmp_path)["detections.ecsv"] == numbers(whole)["detections.ecsv"]


def test_the_comparison_of_sums_sees_a_difference_of_1e_10(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    spectrum = DynamicSpectrum.read(whole / "dynspec.h5")
    spectrum.replace(sum_wv=spectrum.sum_wv * (1 + 1e-10)).write(tmp_path / "dynspec.h5")
    with pytest.raises(AssertionError, match="sum_wv"):
        assert_same_sums(whole, tmp_path)


def test_the_measurement_set_stays_byte_identical_and_no_lock_is_left(observation, tmp_path):
    before = contents(observation.measurement_set)
    assert main(options(observation, tmp_path / "out", 3)) == 0
    assert contents(observation.measurement_set) == before


@pytest.mark.mpi
def test_any_number_of_ranks_makes_the_same_products_bit_by_bit(observation, tmp_path):
    assert main(options(observation, tmp_path / "one", 7)) == 0
    before = contents(observation.measurement_set)
    result = run(on_ranks(RANKS, visds_run(*options(observation, tmp_path / "many", 7))))
    assert result.returncode == 0, result.stderr
    assert provenance(tmp_path / "many")["ranks"] == RANKS
    assert f"{RUN_IMAGES}/field_I.fits" in numbers(tmp_path / "one")
    assert numbers(tmp_path / "many") == numbers(tmp_path / "one")
    assert contents(observation.measurement_set) == before


@pytest.mark.mpi
@pytest.mark.skipif(RANKS != 2, reason="one number of ranks is enough: 2")
def test_a_run_starts_its_ranks_itself_and_remembers_its_name(observation, whole, tmp_path):
    result = run([*visds_run(*options(observation, tmp_path)), "-n", "2"])
    assert result.returncode == 0, result.stderr
    assert provenance(tmp_path)["ranks"] == 2
    assert provenance(tmp_path)["command"][0] == "visds-run"
    assert numbers(tmp_path) == numbers(whole)


@pytest.fixture
def foreign_folder():
    """Return a folder with a space in its name that another user may enter."""
    with tempfile.TemporaryDirectory(prefix="a folder ") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def copy_kernels(folder):
    """Copy the kernels compiled beside the sources to where numba looks for those of a folder."""
    for module in kernels._MODULES:
        source = kernels._source(module)
        place = folder / _CacheLocator.get_suitable_cache_subpath(str(source))
        place.mkdir(parents=True, exist_ok=True)
        for path in (source.parent / "__pycache__").glob(f"{source.stem}.*.nb[ci]"):
            shutil.copy2(path, place)
    shutil.copy2(Path(visds.__file__).parent / "core" / "__pycache__" / "visds-kernels.txt", folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("user", ["the same", "an ordinary"])
def test_nothing_is_written_but_the_output(observation, whole, foreign_folder, user):
    """Not to the home folder, nor where the user is, nor to a measurement set of another user."""
    taken = foreign_folder / "a star.ms"
    shutil.copytree(observation.measurement_set, taken)
    home, place = foreign_folder / "home", foreign_folder / "place"
    home.mkdir()
    place.mkdir()
    before = contents(taken)
    prefix = []
    if user == "an ordinary":
        if os.getuid() != 0 or shutil.which("setpriv") is None:
            pytest.skip("only root with setpriv can become another user")
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        for folder in (home, place):
            os.chown(folder, NOBODY, NOBODY)
        alive = subprocess.run([*prefix, sys.executable, "-c", "import visds"], check=False)
        if alive.returncode != 0:
            pytest.skip("another user cannot start this interpreter")
    shutil.copy(observation.components, place / "a model.ecsv")
    command = visds_run("../a star.ms", "-o", "my products", "--chunk-size", "300kB", "--model",
                        "a model.ecsv", "--target", "01:39:02 -17:57:20")
    own = environment(HOME=str(home), MPLCONFIGDIR=None, XDG_CACHE_HOME=None,
                      XDG_CONFIG_HOME=None, NUMBA_CACHE_DIR=None, TMPDIR=str(place))
    if prefix:
        # Who may not write beside the sources has kernels of his own, which take minutes: those
        # compiled beside the sources stand in.
        told = run([*prefix, sys.executable, "-c", "import os; from visds.core.kernels import "
                    "use_own_caches; use_own_caches(); print(os.environ['NUMBA_CACHE_DIR'])"],
                   cwd=place, env=own)
        copy_kernels(Path(told.stdout.strip()))
    result = run([*prefix, *command], cwd=place, env=own)
    assert result.returncode == 0, result.stderr
    assert list(home.rglob("*")) == []
    assert contents(taken) == before
    left = {path.name for path in place.iterdir()}
    assert {name for name in left if not name.startswith("visds-")} == {"a model.ecsv",
                                                                        "my products"}
    assert_same_sums(whole, place / "my products")
    assert sorted(path.name for path in (place / "my products").iterdir()) == sorted(
        [*NUMBERS, "chunks", "plots", "log.txt", "residual_images", "settings.toml", "report.html",
         "provenance.json"])
