"""Correlations and Stokes parameters: labels, what can be made of what, and handedness.

RR = I + V, LL = I - V, RL = Q + iU, LR = Q - iU; XX = I + Q, YY = I - Q, XY = U + iV,
YX = U - iV; V is positive for right-handed circular polarization (IAU and IEEE).
"""

from dataclasses import dataclass

STOKES = ("I", "Q", "U", "V")

CORRELATIONS = {5: "RR", 6: "RL", 7: "LR", 8: "LL", 9: "XX", 10: "XY", 11: "YX", 12: "YY"}
"""Correlation label by CORR_TYPE of a measurement set's POLARIZATION table."""

PARALLEL_HANDS = (("RR", "LL"), ("XX", "YY"))
CROSS_HANDS = {("RR", "LL"): ("RL", "LR"), ("XX", "YY"): ("XY", "YX")}
_OPPOSITE = {"RR": "LL", "LL": "RR", "RL": "LR", "LR": "RL",
             "XX": "YY", "YY": "XX", "XY": "YX", "YX": "XY"}


@dataclass(frozen=True)
class Pair:
    """Two correlations a and b: (a + b)/2 is one Stokes parameter, (a - b)/2 another.

    `difference_factor` turns (a - b)/2 into `difference_stokes`: (a - b)/(2i) has -1j.
    """

    correlations: tuple[str, str]
    sum_stokes: str
    difference_stokes: str
    difference_factor: complex


PAIRS = (
    Pair(("RR", "LL"), "I", "V", 1),
    Pair(("RL", "LR"), "Q", "U", -1j),
    Pair(("XX", "YY"), "I", "Q", 1),
    Pair(("XY", "YX"), "U", "V", -1j),
)


def pairs_of(correlations: tuple[str, ...]) -> tuple[Pair, ...]:
    """Return the pairs whose two correlations are both there, the parallel hands first."""
    return tuple(pair for pair in PAIRS if set(pair.correlations) <= set(correlations))


def available_stokes(correlations: tuple[str, ...]) -> tuple[str, ...]:
    """Return the Stokes parameters, in order I Q U V, that the correlations allow."""
    held = {name for pair in pairs_of(correlations)
            for name in (pair.sum_stokes, pair.difference_stokes)}
    return tuple(name for name in "IQUV" if name in held)


def parallel_hands(correlations: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the parallel hands among the correlations, or None if not both are there."""
    for hands in PARALLEL_HANDS:
        if set(hands) <= set(correlations):
            return hands
    return None


def stokes_of_correlation(label: str) -> dict[str, complex]:
    """Return the Stokes parameters and their factors that add up to a correlation."""
    for pair in PAIRS:
        if label in pair.correlations:
            sign = 1 if label == pair.correlations[0] else -1
            return {pair.sum_stokes: 1, pair.difference_stokes: sign / pair.difference_factor}
    raise ValueError(f"correlation {label} is not one of {', '.join(CORRELATIONS.values())}")


@dataclass(frozen=True)
class Handedness:
    """What is done to the correlations on reading, so that no later code has a sign.

    Attributes
    ----------
    swap_feeds : bool
        What is stored as R is L, as X is Y, and the other way round: U and V of circular feeds,
        Q and V of linear feeds have the wrong sign.
    negate : tuple of str
        Further Stokes parameters, among Q, U and V, that have the wrong sign.
    stokes_scale : float
        Correlations are multiplied with it: 2 where I = XX + YY in the data.
    pulsar_convention : bool
        V is wanted positive for left-handed circular polarization.
    source : str
        Where the knowledge comes from.
    """

    swap_feeds: bool = False
    negate: tuple[str, ...] = ()
    stokes_scale: float = 1.0
    pulsar_convention: bool = False
    source: str = ""

    def settle(self, stored: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """Return the true label of each stored correlation and the factor to multiply it with.

        A pair (a, b) with a = s + f d, b = s - f d of two Stokes parameters s and d: a negated d
        exchanges the labels, a negated s exchanges them and negates both.
        """
        labels, factors = [], []
        for name in stored:
            pair = next((pair for pair in PAIRS if name in pair.correlations), None)
            factor = self.stokes_scale
            label = name
            if pair is not None:
                negate_sum = self._is_negated(pair.sum_stokes, stored)
                negate_difference = self._is_negated(pair.difference_stokes, stored)
                if negate_sum != negate_difference:
                    label = _OPPOSITE[name]
                if negate_sum:
                    factor = -factor
            labels.append(label)
            factors.append(factor)
        return tuple(labels), tuple(factors)

    def _is_negated(self, stokes: str, stored: tuple[str, ...]) -> bool:
        swapped = ("Q", "V") if any(name in ("XX", "YY") for name in stored) else ("U", "V")
        return ((stokes in self.negate) ^ (self.swap_feeds and stokes in swapped)
                ^ (self.pulsar_convention and stokes == "V"))
