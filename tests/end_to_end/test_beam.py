"""The size of the beam is that of the baselines used."""

import pytest
from rooms import spectrum

from visds.core.settings import Parser
from visds.core.sky import LIGHT_SPEED
from visds.observation import prepare
from visds.run_settings import STAGES


@pytest.mark.parametrize(("limit", "longest"), [
    ((), None), (("--uv-max", "800m"), lambda wavelength: 800),
    (("--uv-max", "2klambda"), lambda wavelength: 2000 * wavelength),
    (("--uv-max", "90000km"), None)])
def test_the_beam_is_that_of_the_longest_baseline_used(simulated, limit, longest):
    path = str(simulated().measurement_set)
    _, settings = Parser("visds-test", "", STAGES).parse(list(limit))
    observation = prepare(path, settings)
    made = spectrum(path, *limit)
    wavelength = LIGHT_SPEED / made.frequency.mean()
    used = longest(wavelength) if longest else made.meta["longest_baseline_m"]
    beam = observation.with_beam(made).meta["beam_arcsec"]
    assert beam == pytest.approx(1.02 * 206264.806 * wavelength / used, rel=1e-6)
    assert made.meta["longest_baseline_m"] > 1000
    shortest_wave = LIGHT_SPEED / made.frequency.max()
    most = longest(shortest_wave) if longest else observation.plan.max_baseline
    assert observation.finest_beam == pytest.approx(206264.806 * shortest_wave / most, rel=1e-6)
