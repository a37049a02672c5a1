"""The engine on a GPU: against the one on the CPU, by numba's simulator where there is no GPU."""

import os
import subprocess
import sys

import numpy as np
import pytest
from double_sum import LINEAR, chunk_of, model_of

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED
from visds.visibility.sky_model import direct, gpu
from visds.visibility.sky_model.components import ComponentModel


def gpu_is_missing():
    try:
        gpu.check_gpu()
    except SettingsError as error:
        return str(error)
    return ""


MISSING = gpu_is_missing()
on_gpu = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def assert_as_on_the_cpu(chunk, model, **options):
    there, here = (np.ones_like(chunk.visibility) for _ in range(2))
    gpu.add_components(there, -2.0, chunk, model, **options)
    direct.add_components(here, -2.0, chunk, model, **options)
    # The two take different numbers of samples of an integration.
    precision = 1e-5 if options.get("smearing") else 2e-6
    np.testing.assert_allclose(there, here, rtol=0, atol=precision * np.abs(model.stokes).sum())
    assert np.abs(here - 1).max() > 1e-2 * np.abs(model.stokes).sum()


def mixed(chunk_options=(), S=70, polarized=True):
    chunk = chunk_of(2, 3, feed_angle=[0.3, 1.0], **dict(chunk_options))
    chunk.flags[1, 1] = Flag.ABSENT
    model = model_of(S, polarized=polarized)
    shape = np.zeros((S, 3))
    shape[::2] = 1.0, 0.4, 30.0
    return chunk, ComponentModel(model.ra, model.dec, model.stokes, model.reference_frequency,
                                 model.spectral_terms, shape=shape)


def dimmed(cosines, frequency):
    return np.exp(-100 * np.sum(cosines**2, axis=1)[:, np.newaxis] * frequency / 1e9)


def check_everything():
    """Hold the GPU against the CPU in small: few threads of the simulator, all branches."""
    assert_as_on_the_cpu(*mixed())
    assert_as_on_the_cpu(*mixed(), beam=dimmed)
    assert_as_on_the_cpu(chunk_of(1, 5, 1e9 + 1e6 * np.arange(20), correlations=LINEAR),
                         model_of(3))
    assert_as_on_the_cpu(chunk_of(1, 1, [1.4e9]), model_of(33))
    chunk, model = mixed({"frequency": 1e9 + 1e6 * np.arange(9)}, S=5, polarized=False)
    chunk = chunk.replace(uvw=chunk.uvw / 4, integration=np.array([1.0, 10.0]),
                          channel_width=np.linspace(1e3, 1e6, 9))
    assert_as_on_the_cpu(chunk, model, smearing=True)


@on_gpu
def test_points_and_gaussians_are_as_on_the_cpu():
    check_everything()


@on_gpu
def test_many_components_rows_and_channels_are_as_on_the_cpu(monkeypatch):
    monkeypatch.setattr(gpu, "_TABLE_BYTES", 1e6)
    chunk = chunk_of(4, 101, 1e9 + 1e6 * np.arange(300))
    assert_as_on_the_cpu(chunk, model_of(5000))
    chunk = chunk.replace(integration=np.full(4, 10.0), channel_width=np.full(300, 1e5))
    assert_as_on_the_cpu(chunk, model_of(500), smearing=True)


def test_the_kernel_in_the_simulator_is_as_on_the_cpu():
    done = subprocess.run(
        [sys.executable, "-c", "import test_gpu; test_gpu.check_everything()"],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not MISSING, reason="there is a GPU")
def test_without_a_gpu_one_line_says_what_to_install():
    chunk = chunk_of()
    with pytest.raises(SettingsError, match=r"--engine gpu needs .*visds\[gpu\].*found") as info:
        gpu.add_components(chunk.visibility, 1.0, chunk, model_of())
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("name", ["OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID",
                                  "MPI_LOCALRANKID"])
def test_each_rank_of_a_node_takes_the_next_gpu(monkeypatch, name):
    for other in gpu._LOCAL_RANK_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    assert gpu._local_rank() == 0
    monkeypatch.setenv(name, "3")
    assert gpu._local_rank() == 3


def test_single_precision_phases_reduced_in_double_are_good_to_a_millionth():
    rng = np.random.default_rng(2)
    turns = rng.uniform(-1e5, 1e5, 100000) * 1e9 / LIGHT_SPEED
    part = (turns - np.round(turns)).astype(np.float32)
    folded = np.abs(part) > 0.25
    x = np.where(folded, np.copysign(np.float32(0.5), part) - part, part)
    from visds.visibility.sky_model.gpu_kernel import _COSINE, _SINE

    sine = x * np.polynomial.polynomial.polyval(x * x, np.array(_SINE))
    cosine = np.polynomial.polynomial.polyval(x * x, np.array(_COSINE))
    assert sine.dtype == np.float32
    exact = np.exp(2j * np.pi * (turns - np.round(turns)))
    assert np.abs(np.where(folded, -cosine, cosine) + 1j * sine - exact).max() < 1e-6
