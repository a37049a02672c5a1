"""Which round values to label on an axis that may be broken: what fits, in one step and format."""

from collections.abc import Callable, Sequence

import numpy as np

ROUND, FINEST = 20.0, 200.0  # most steps in the room of a label: of one among others, of the only
Labelled = list[tuple[float, float]]
"""Values to label and the step of which each is a multiple."""


def choose_ticks(panels: Sequence[tuple[float, float]], steps: np.ndarray, room: float, *,
                 multiples: Callable[[float, float, float], np.ndarray],
                 place: Callable[[float], float]) -> tuple[float, list[Labelled]]:
    """Return the usual step of an axis, and what to label in each of its panels.

    A panel gets the multiples of the usual step, the finest for which labels do not touch. One
    that is too short for two of them gets two multiples of a finer step, or else its roundest
    value, if there is room. Digits that nobody reads are not used for it.

    Parameters
    ----------
    panels : sequence of pairs
        Lowest and highest value of every stretch of the axis between breaks, in order.
    steps : array
        The round steps that may be used, ascending.
    room : float
        What a label takes along the paper, with the space beside it, as a difference of places.
    multiples : callable
        From a step, a lowest and a highest value to the multiples of the step between them.
    place : callable
        From a value to its place along the paper.
    """
    usual = float(next((step for step in steps if step >= room), steps[-1]))
    steps = steps[steps >= min(room / FINEST, steps[-1])]
    chosen: list[Labelled] = []
    last = -np.inf
    for start, stop in panels:
        single: Labelled = []
        several: Labelled = []
        for step in steps[::-1]:
            values = multiples(step, start, stop)
            alone = [] if single else _apart(values, 0.75 * room, last, place)
            if alone:
                single = [(alone[len(alone) // 2], float(step))]
            kept = _apart(values, room if step == usual else 0.75 * room, last, place)
            if len(kept) >= 2 and room / ROUND <= step <= usual:
                several = [(value, float(step)) for value in kept]
                break
        chosen.append(several or single)
        if chosen[-1]:
            last = place(chosen[-1][-1][0])
    return usual, chosen


def decimals(step: float) -> int:
    """Return how many decimals the multiples of a step have."""
    return int(max(0, np.ceil(-np.log10(step) - 1e-9)))


def round_steps(low: float, high: float) -> np.ndarray:
    """Return 1, 2 and 5 times all powers of ten from about `low` to about `high`."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    return np.outer(decades, [1, 2, 5]).ravel()


def _apart(values: np.ndarray, least: float, last: float,
           place: Callable[[float], float]) -> list[float]:
    """Return those of the values whose places lie `least` apart, and as far beyond `last`."""
    kept: list[float] = []
    for value in values:
        at = place(value)
        if at - last >= least:
            kept.append(float(value))
            last = at
    return kept
