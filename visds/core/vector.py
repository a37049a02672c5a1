"""What numba kernels need so that the compiler turns their loops into vector code."""

import numba
from numba.core.compiler import Compiler

# Adding and subtracting it rounds a float64 below 2^51 to a whole number, in vector registers.
_ROUND = 1.5 * 2.0**52


class _NoOverlap(Compiler):
    """Compiler of functions whose array arguments do not overlap where one is written."""

    def define_pipelines(self):
        self.state.flags.noalias = True
        return super().define_pipelines()


vector_kernel = numba.njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"},
                           pipeline_class=_NoOverlap)
"""Decorator of inner loops: the arrays passed must not overlap where one of them is written.

That spares the compiler its checks at run time. NaN and infinity are handled as always.
"""


def given(dtype: numba.types.Type, axes: int) -> numba.types.Array:
    """Return the type of a contiguous array that a kernel reads; the array may be read-only."""
    return numba.types.Array(dtype, axes, "C", readonly=True)


@numba.njit(nogil=True, error_model="numpy")
def turn(turns: float) -> tuple[float, float]:
    """Return cosine and sine of 2 pi `turns`, to 3e-11, for up to 2^51 turns either way.

    Branchless, so that a loop over it is vectorized, which one over np.cos is not. The turns are
    folded to a quarter turn about zero; there polynomials interpolate cos(2 pi x) and
    sin(2 pi x) / x at the Chebyshev nodes of x^2.
    """
    part = turns - ((turns + _ROUND) - _ROUND)
    folded = abs(part) > 0.25
    half = 0.5 if part > 0 else -0.5
    x = half - part if folded else part
    t = x * x
    sine = x * (6.283185307072581 + t * (-41.34170211699652 + t * (81.60522620632895 + t * (
        -76.70428132232858 + t * (42.0098057394108 - t * 14.394135436344627)))))
    cosine = 0.9999999999992493 + t * (-19.739208801001162 + t * (64.93939372094631 + t * (
        -85.45678820102869 + t * (60.243312526256865 + t * (
            -26.39495892417544 + t * 7.536655244686085)))))
    return (-cosine if folded else cosine), sine


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def decay(x: float) -> float:
    """Return exp(-x) to 1e-10 of itself, for x from 0 to 32; exp(-32) beyond.

    Branchless, as `turn`: exp(-x / 64) by a polynomial that interpolates it at Chebyshev nodes,
    squared six times.
    """
    t = (x if x < 32.0 else 32.0) * 0.015625
    value = (0.9999999999976289 - t * (0.9999999993926375 - t * (0.49999997443323735 - t * (
        0.16666625579855024 - t * (0.041663414586219916 - t * (
        0.008319287890990207 - t * (0.0013549713003162434 - t * 0.00015479245081935275)))))))
    value *= value
    value *= value
    value *= value
    value *= value
    value *= value
    return value * value
