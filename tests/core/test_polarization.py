"""Stokes parameters from correlations, and what a wrong handedness does to each."""

import itertools

import numpy as np
import pytest

from visds.core.polarization import (
    Handedness,
    available_stokes,
    pairs_of,
    parallel_hands,
    stokes_of_correlation,
)

CIRCULAR = ("RR", "RL", "LR", "LL")
LINEAR = ("XX", "XY", "YX", "YY")
TRUTH = {"I": 1.0, "Q": 0.1, "U": 0.2, "V": -0.3}


def brightness(stokes):
    """Return the coherency matrix <e e^H>, x to the north and y to the east (IAU).

    Hamaker & Bregman 1996, A&AS 117, 161, eq. 6 and 7: R receives (x + iy)/sqrt(2).
    """
    i, q, u, v = (stokes[name] for name in "IQUV")
    return np.array([[i + q, u + 1j * v], [u - 1j * v, i - q]])


def stokes_from(values, labels):
    """Return the Stokes parameters that the pairs of correlations give."""
    by_label = dict(zip(labels, values, strict=True))
    made = {}
    for pair in pairs_of(tuple(labels)):
        a, b = (by_label[label] for label in pair.correlations)
        made[pair.sum_stokes] = (a + b) / 2
        made[pair.difference_stokes] = pair.difference_factor * (a - b) / 2
    return made


def correlations(feeds, stokes=TRUTH):
    """Return what is measured of a source with these Stokes parameters, by label."""
    basis = {"X": np.array([1, 0]), "Y": np.array([0, 1]),
             "R": np.array([1, 1j]) / np.sqrt(2), "L": np.array([1, -1j]) / np.sqrt(2)}
    matrix = brightness(stokes)
    return {a + b: basis[a] @ matrix @ basis[b].conj()
            for a, b in itertools.product(feeds, feeds)}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
def test_the_stokes_parameters_come_back_in_whatever_order_correlations_are_stored(labels, order):
    stored = tuple(labels[k] for k in order)
    measured = correlations(labels[0][0] + labels[-1][0])
    found = stokes_from([measured[label] for label in stored], stored)
    assert set(found) == set("IQUV")
    for name, value in TRUTH.items():
        assert found[name] == pytest.approx(value)


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
def test_a_correlation_is_the_sum_of_its_stokes_parameters(labels):
    measured = correlations(labels[0][0] + labels[-1][0])
    for label in labels:
        total = sum(factor * TRUTH[name] for name, factor in stokes_of_correlation(label).items())
        assert total == pytest.approx(measured[label])


def test_an_unknown_correlation_is_refused():
    with pytest.raises(ValueError, match="correlation I is not one of RR"):
        stokes_of_correlation("I")


@pytest.mark.parametrize(("labels", "expected"), [
    (("RR", "LL"), "IV"), (("XX", "YY"), "IQ"), (("RR", "RL", "LR"), "QU"), (("RR",), ""),
    (("XX", "XY", "YY"), "IQ"), (CIRCULAR, "IQUV"), (LINEAR, "IQUV"), (("XY", "YX"), "UV")])
def test_only_pairs_of_correlations_make_stokes_parameters(labels, expected):
    assert "".join(available_stokes(labels)) == expected


def test_parallel_hands_are_both_or_none():
    assert parallel_hands(CIRCULAR) == ("RR", "LL")
    assert parallel_hands(("YY", "XX")) == ("XX", "YY")
    assert parallel_hands(("RR", "RL", "LR")) is None


@pytest.mark.parametrize("labels", [CIRCULAR, LINEAR])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
@pytest.mark.parametrize("negate", [(), ("Q",), ("U",), ("V",), ("Q", "U"), ("Q", "V"),
                                    ("U", "V"), ("Q", "U", "V")])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("pulsar", [False, True])
def test_settling_undoes_wrong_signs_exchanged_feeds_and_scale(labels, order, negate, swap, pulsar):
    # What is recorded: the truth with some signs wrong, then fields of the two feeds exchanged.
    recorded = {name: -value if name in negate else value for name, value in TRUTH.items()}
    feeds = labels[0][0] + labels[-1][0]
    measured = correlations(feeds, recorded)
    if swap:
        exchange = str.maketrans(feeds, feeds[::-1])
        measured = {label.translate(exchange): value for label, value in measured.items()}
    stored = tuple(labels[k] for k in order)
    settled, factors = Handedness(swap_feeds=swap, negate=negate, stokes_scale=2.0,
                                  pulsar_convention=pulsar).settle(stored)
    assert sorted(settled) == sorted(stored)
    found = stokes_from([factor * measured[label]
                         for label, factor in zip(stored, factors, strict=True)], settled)
    for name, value in TRUTH.items():
        sign = -1 if pulsar and name == "V" else 1
        assert found[name] == pytest.approx(2 * sign * value)


def test_dipoles_exchanged_before_a_hybrid_change_the_signs_of_q_and_v_and_not_of_u():
    # uGMRT band 4: R and L are made of X and Y by a hybrid; with the dipoles exchanged the
    # fields are those of (I, -Q, U, -V), so the row of the table has to negate Q and V.
    basis = {"R": np.array([1j, 1]) / np.sqrt(2), "L": np.array([-1j, 1]) / np.sqrt(2)}
    matrix = brightness(TRUTH)
    measured = {a + b: basis[a] @ matrix @ basis[b].conj()
                for a, b in itertools.product("RL", "RL")}
    settled, factors = Handedness(negate=("Q", "V")).settle(CIRCULAR)
    found = stokes_from([factor * measured[label]
                         for label, factor in zip(CIRCULAR, factors, strict=True)], settled)
    for name, value in TRUTH.items():
        assert found[name] == pytest.approx(value)
