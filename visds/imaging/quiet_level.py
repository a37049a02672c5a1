"""What a source is when it is quiet, and what it has above that.

A snapshot less the mean of the others does not tell which of them changed: a source that is on in
half of them is as much above that mean as it is below it in the other half. Its flux densities in
the snapshots themselves tell.
"""

import math
from collections.abc import Mapping

import numpy as np

_SIGMAS = 7.0  # 3 sigma in units of half the width of the middle third
_SEEN = 0.5


def quiet_snapshots(level: np.ndarray) -> np.ndarray:
    """Return in which snapshots a source is quiet (T,), bool, of its flux densities (T,).

    That is the flux density of which a third of the snapshots have less modulus: the nearest to 0
    that more than a third of them have. So what is on in less than two thirds of them flares, and
    what is there in more of them fades in the others. Quiet are the third of all snapshots that are
    closest together about it, and those within 3 sigma of their median as their width tells sigma.
    """
    count = len(level)
    part = math.ceil(count / 3)
    order = np.argsort(level, kind="stable")
    ordered = level[order]
    usual = np.argsort(np.abs(level), kind="stable")[count // 3]
    place = int(np.flatnonzero(order == usual)[0])
    first = min(range(max(0, place - part + 1), min(place, count - part) + 1),
                key=lambda begin: ordered[begin + part - 1] - ordered[begin])
    third = ordered[first:first + part]
    quiet = np.abs(level - np.median(third)) <= _SIGMAS * (third[-1] - third[0]) / 2
    quiet[order[first:first + part]] = True
    return quiet


def changes(levels: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return light curves of a source less the median of their quiet snapshots, Jy.

    In Q, U and V these are the ones that are quiet in I, if I changes at least half as much, as it
    has to: no polarized flux density is larger than I.

    Parameters
    ----------
    levels : flux densities (Jy) by Stokes parameter and snapshot
    """
    made = {stokes: _above(curve, _quiet(curve)) for stokes, curve in levels.items()}
    if "I" not in made:
        return made
    quiet_in_I = _quiet(levels["I"])
    for stokes, curve in levels.items():
        quiet = quiet_in_I & curve.keys()
        if stokes != "I" and quiet and _most(made["I"]) >= _SEEN * _most(made[stokes]):
            made[stokes] = _above(curve, quiet)
    return made


def _quiet(curve: Mapping[str, float]) -> set[str]:
    names = list(curve)
    return {names[i] for i in np.flatnonzero(quiet_snapshots(np.array(list(curve.values()))))}


def _above(curve: Mapping[str, float], quiet: set[str]) -> dict[str, float]:
    usual = float(np.median([curve[name] for name in quiet]))
    return {name: level - usual for name, level in curve.items()}


def _most(change: Mapping[str, float]) -> float:
    return max(abs(above) for above in change.values())
