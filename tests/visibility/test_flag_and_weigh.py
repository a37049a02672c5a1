"""Weights measured where targets are taken out: neither flares nor their number change them."""

import numpy as np
from point_sources import chunk

from visds.core.sky import Direction
from visds.dynspec.flag_settings import FlagSettings
from visds.flag_and_weigh import flag_and_weigh

STAR = Direction(83.0, 22.01)


def weights(made, targets):
    return flag_and_weigh(made, targets, FlagSettings(), True).weight.astype(float)


def targets(number):
    return [STAR, *(Direction(83.0 + 0.01 * k, 21.98) for k in range(1, number))]


def test_weights_do_not_depend_on_the_number_of_targets():
    made = chunk(integrations=60, channels=4, noise=0.5, number=10)
    few, many = (weights(made, targets(number)) for number in (1, 14))
    assert abs(np.mean(few) * 0.25 - 1) < 0.02
    # All of their means would take a third of the degrees of freedom of 45 baselines.
    assert abs(np.mean(many) / np.mean(few) - 1) < 0.03
    assert np.std(many / few) < 0.03


def test_flares_of_a_target_do_not_lower_the_weights():
    quiet = chunk(integrations=60, channels=4, noise=0.5, number=10)
    flare = chunk([(STAR, (2.0, 0, 0, 0))], integrations=60, channels=4, number=10).visibility
    curve = np.exp(-0.5 * ((np.arange(60) % 6 - 3) / 0.7) ** 2)[:, None, None, None]
    made = quiet.replace(visibility=(quiet.visibility + curve * flare).astype("c8"))
    ratio = weights(made, [STAR]) / weights(quiet, [STAR])
    assert abs(ratio.mean() - 1) < 0.02
    assert weights(made, []).mean() < 0.9 * weights(quiet, []).mean()
