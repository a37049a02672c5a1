"""How much of a point source's flux density averaging in time and frequency takes away."""

import math

import numpy as np

from visds.core.sky import LIGHT_SPEED
from visds.visibility.plan import Plan

EARTH_RATE = 7.2921159e-5
"""Rotation of the Earth in rad/s."""


def smearing(plan: Plan, offset_deg: float) -> tuple[float, float]:
    """Return the least bandwidth and time smearing factors of a target off the phase centre.

    An estimate for the longest baseline lying along the offset: sinc(dnu b sin(theta) / c) and
    sinc(nu b sin(theta) omega dt / c), sinc(x) = sin(pi x) / (pi x).
    """
    length = plan.max_baseline * math.sin(math.radians(min(offset_deg, 90.0)))
    bandwidth = time = 1.0
    for task in plan.tasks:
        source = task.source
        width = float(np.max(source.channel_width))
        turn = EARTH_RATE * float(np.max(task.integration))
        highest = float(np.max(source.frequency))
        bandwidth = min(bandwidth, float(np.sinc(min(1.0, width * length / LIGHT_SPEED))))
        time = min(time, float(np.sinc(min(1.0, highest * length * turn / LIGHT_SPEED))))
    return bandwidth, time
