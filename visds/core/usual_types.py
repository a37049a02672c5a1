"""Kernels that are compiled for the types they are usually called with when they are imported."""

from collections.abc import Callable
from typing import Any

import numba


def compiled_for(*signatures: str, **options: Any) -> Callable[[Callable], Callable]:
    """Return a decorator that makes a kernel of a function, compiled for these signatures.

    For arguments of other types (other layouts, read-only arrays) it is compiled when it is called
    with them. `options` are those of `numba.njit`.
    """
    def decorate(function: Callable) -> Callable:
        kernel = numba.njit(**options)(function)
        for signature in signatures:
            kernel.compile(signature)
        return kernel

    return decorate
