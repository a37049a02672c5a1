"""The programs, one file each; nothing imports these."""

from visds.core.kernels import use_own_caches

# Here because it must come before the first import of numba and matplotlib.
use_own_caches()
