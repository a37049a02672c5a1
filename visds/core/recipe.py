"""How a program of many ranks begins: kernels compiled once, its recipe imported."""

import gc
import importlib
import sys
from collections.abc import Callable

from visds.core.farm import Farm, serve_ranks
from visds.core.kernels import compile_kernels, kernels_are_cached
from visds.core.launcher import is_coordinator, launched_size


def run_recipe(recipe: str, program: Callable[[Farm], int]) -> int:
    """Run `program(farm)` on rank 0 while the other ranks serve it; return its exit code.

    Kernels that are not compiled are compiled first, on one rank of each node, and the module
    `recipe` with all that it needs is imported, on all ranks at once.

    Raises
    ------
    LauncherError
        As `serve_ranks` does.
    """
    def load() -> None:
        importlib.import_module(recipe)
        gc.freeze()  # modules stay: the collector need not look through them again and again

    if is_coordinator() and not kernels_are_cached():
        print("compiling kernels, once for this installation: a minute or two", file=sys.stderr,
              flush=True)
        if launched_size() is None:
            compile_kernels()
    return serve_ranks(program, compile_kernels, load)
