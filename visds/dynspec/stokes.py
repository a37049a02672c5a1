"""Stokes parameters from the sums over baselines of pairs of correlations."""

from dataclasses import dataclass

import numpy as np

from visds.core.flags import Flag
from visds.core.polarization import Pair
from visds.dynspec.average import PairSums

SUMS = ("sum_w", "sum_wv", "sum_w2", "sum_w2v", "sum_w2v2", "count", "flags")


@dataclass(frozen=True, eq=False)
class StokesSums:
    """The sums of a `DynamicSpectrum`, (T,F,P) by name, and those of the parallel hands (T,F)."""

    cells: dict[str, np.ndarray]
    sum_w2_cross: np.ndarray
    sum_w2_covariance: np.ndarray


def form_stokes(sums: PairSums, pairs: tuple[Pair, ...], stokes: tuple[str, ...],
                feed_angle: np.ndarray) -> StokesSums:
    """Return the sums of Stokes parameters from those of pairs of correlations.

    A pair of correlations a, b gives (a + b)/2 and a factor times (a - b)/2; `pairs` are in the
    order of axis N of `sums`, the parallel hands first. Where `feed_angle` (T; rad) is not zero,
    Q and U are turned from the frame of the feeds to the sky:
    Q = Q_feed cos 2a - U_feed sin 2a, U = Q_feed sin 2a + U_feed cos 2a.
    """
    made: dict[str, dict[str, np.ndarray]] = {}
    for n, pair in enumerate(pairs):
        power = (sums.sum_w2v2[..., n, 0] + sums.sum_w2v2[..., n, 1]) / 4
        flags = sums.flags[..., n] | np.where(sums.count[..., n] == 0, np.uint16(Flag.EMPTY),
                                              np.uint16(0))
        for label, combine, factor in (
                (pair.sum_stokes, np.add, 1),
                (pair.difference_stokes, np.subtract, pair.difference_factor)):
            made[label] = {
                "sum_w": sums.sum_w[..., n], "sum_w2": sums.sum_w2[..., n],
                "count": sums.count[..., n],
                "sum_wv": combine(sums.sum_wv[..., n, 0], sums.sum_wv[..., n, 1]) * (factor / 2),
                "sum_w2v": combine(sums.sum_w2v[..., n, 0],
                                   sums.sum_w2v[..., n, 1]) * (factor / 2),
                "sum_w2v2": combine(power, sums.sum_w2_product[..., n] / 2),
                "flags": flags}
    cross = (sums.sum_w2v2[..., 0, 0] - sums.sum_w2v2[..., 0, 1]) / 4
    covariance = sums.sum_w2_covariance[..., 0]
    if {"Q", "U"} <= set(made) and np.any(feed_angle):
        q, u = made["Q"], made["U"]
        double = 2 * np.asarray(feed_angle)[:, None]
        cosine, sine = np.cos(double), np.sin(double)
        made["Q"], made["U"] = _turned(q, u, cosine, -sine), _turned(q, u, sine, cosine)
        if pairs[0].difference_stokes == "Q":
            cross = _cross_of_turned(made["I"], q, made["Q"], cross, cosine)
            covariance = covariance * cosine
    cells = {name: np.stack([made[label][name] for label in stokes], axis=-1) for name in SUMS}
    return StokesSums(cells, cross, covariance)


def _turned(q: dict, u: dict, factor_q: np.ndarray, factor_u: np.ndarray) -> dict:
    """Return the sums of factor_q Q + factor_u U that have its mean and both its variances.

    Q and U may have different weights, so the sums themselves do not add; their moments do.
    """
    both = (q["count"] > 0) & (u["count"] > 0)
    mean_q, formal_q, empirical_q, share_q = _moments(q, both)
    mean_u, formal_u, empirical_u, share_u = _moments(u, both)
    mean = factor_q * mean_q + factor_u * mean_u
    squares = factor_q**2, factor_u**2
    sum_w = 1 / (squares[0] * formal_q + squares[1] * formal_u)
    sum_w2 = sum_w**2 * (squares[0] * share_q + squares[1] * share_u)
    scatter = 2 * (sum_w**2 - sum_w2) * (squares[0] * empirical_q + squares[1] * empirical_u)
    values = {"sum_w": sum_w, "sum_wv": sum_w * mean, "sum_w2": sum_w2, "sum_w2v": sum_w2 * mean,
              "sum_w2v2": scatter + sum_w2 * np.abs(mean) ** 2}
    values = {name: np.where(both, value, 0) for name, value in values.items()}
    values["count"] = np.where(both, np.minimum(q["count"], u["count"]), 0)
    values["flags"] = q["flags"] | u["flags"] | np.where(both, 0, int(Flag.EMPTY)).astype("u2")
    return values


def _moments(sums: dict, held: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean, formal and empirical variance, and sum w^2 / (sum w)^2; 1 where not held."""
    sum_w = np.where(held, sums["sum_w"], 1)
    mean = sums["sum_wv"] / sum_w
    scatter = _scatter(sums, mean)
    freedom = sum_w**2 - sums["sum_w2"]
    empirical = np.where(freedom > 0, scatter / 2 / np.where(freedom > 0, freedom, 1), 0)
    return mean, 1 / sum_w, empirical, np.where(held, sums["sum_w2"] / sum_w**2, 1)


def _scatter(sums: dict, mean: np.ndarray) -> np.ndarray:
    return np.maximum(sums["sum_w2v2"] - 2 * (mean.conj() * sums["sum_w2v"]).real
                      + np.abs(mean) ** 2 * sums["sum_w2"], 0)


def _cross_of_turned(i: dict, q: dict, turned: dict, cross: np.ndarray,
                     cosine: np.ndarray) -> np.ndarray:
    """Return the sum w^2 Re(I Q*) that gives cov(I, Q) = cos(2a) cov(I, Q_feed)."""
    mean_i, mean_q, mean_t = (
        sums["sum_wv"] / np.where(sums["sum_w"] > 0, sums["sum_w"], 1) for sums in (i, q, turned))

    def about(mean, sums):
        return ((mean_i.conj() * sums["sum_w2v"]).real + (mean.conj() * i["sum_w2v"]).real
                - (mean_i.conj() * mean).real * i["sum_w2"])

    return cosine * (cross - about(mean_q, q)) + about(mean_t, turned)
