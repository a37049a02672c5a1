"""Beam squint: R and L that point to either side fake circular polarization off the pointing.

A feed beside the axis of a reflector sends R and L to either side of the pointing (Chu & Turrin
1973, IEEE Trans. AP-21, 339). A source away from it is then attenuated differently in the two, and
(RR - LL) / 2 holds a share of I. Its sign depends on the side, and changes as the mount turns.
"""

import numpy as np

from visds.visibility.primary_beam.beam import LEAST_POWER, PrimaryBeam

_HALF_SQUINT = {"VLA": 1.21, "EVLA": 1.21, "JVLA": 1.21}
"""Of R, and of L, from their middle, arcmin GHz (Perley 2016, EVLA memo 195)."""


def squint_share(telescope: str, beam: PrimaryBeam, cosines: np.ndarray,
                 frequency: np.ndarray) -> float:
    """Return the largest share of I that squint makes of V at l, m (2) about the pointing.

    That is |R - L| / (R + L) where the squint points to the source, the largest over frequencies
    (F) in Hz at which the power is `LEAST_POWER` or more; 0 for telescopes whose squint is not
    known here.
    The beam of I is taken for those of R and L.
    """
    half = np.radians(_HALF_SQUINT.get(telescope.strip().upper(), 0.0) / 60)
    offset = np.hypot(*cosines[:2])
    if half == 0 or offset == 0:
        return 0.0
    largest = 0.0
    for hertz in frequency:
        step = half / (hertz / 1e9) * np.array([1, -1])[:, np.newaxis]
        power = beam(cosines[:2] * (1 + step / offset), np.array([hertz]))[:, 0]
        if power.mean() >= LEAST_POWER:
            largest = max(largest, abs(power[0] - power[1]) / power.sum())
    return float(largest)
