"""Measurements of a light curve for tests of what is told from them."""

import numpy as np

from visds.dynspec.variability.measured import Measured


def measured(seconds, values, sigma, imaginary=None, start=59000.0):
    """Return measurements at times in s after `start`, of integrations of 10 s."""
    number = len(seconds)
    time = start + np.asarray(seconds) / 86400
    return Measured(time, time, np.full(number, 10.0), np.ones(number, int),
                    np.asarray(values, float), np.broadcast_to(sigma, number).astype(float),
                    np.zeros(number) if imaginary is None else imaginary)
