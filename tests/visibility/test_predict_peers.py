"""The direct sum against codex-africanus and DP3, where they are installed.

AFRICANUS_PYTHON names the interpreter of an environment with codex-africanus, DP3_VENV an
environment with DP3.
"""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def needs(variable):
    return pytest.mark.skipif(variable not in os.environ, reason=f"{variable} is not set")


@pytest.fixture
def difference(monkeypatch, tmp_path):
    """Return a function that says by how much of the largest visibility a program differs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import predict

    def measure(kind, **peers):
        path = predict.make_measurement_set(tmp_path, 2)
        options = SimpleNamespace(**({"africanus": None, "dp3": None} | peers))
        _, differences = predict.measure(path, kind, 30, 1, options)
        return next(iter(differences.values()))

    return measure


@needs("DP3_VENV")
@pytest.mark.parametrize("kind", ["points", "Gaussians"])
def test_dp3_predicts_the_same_of_its_own_sky_model(difference, kind):
    assert difference(kind, dp3=os.environ["DP3_VENV"]) < 1e-6


@needs("AFRICANUS_PYTHON")
def test_codex_africanus_predicts_the_same_points(difference):
    assert difference("points", africanus=os.environ["AFRICANUS_PYTHON"]) < 1e-6


@needs("AFRICANUS_PYTHON")
def test_codex_africanus_counts_position_angles_from_the_north_of_the_phase_centre(difference):
    # Half a degree away at a declination of -18 degrees north is turned by 0.15 degrees.
    assert 1e-6 < difference("Gaussians", africanus=os.environ["AFRICANUS_PYTHON"]) < 3e-3
