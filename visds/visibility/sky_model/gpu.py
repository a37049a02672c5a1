"""Visibilities of a sky model: the direct sum over its components, on a GPU."""

import functools
import math
import os
from collections.abc import Callable

import numpy as np

from visds.core.errors import SettingsError
from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.correlation_matrix import correlation_matrix
from visds.visibility.sky_model.gaussian import gaussian_axes
from visds.visibility.sky_model.smearing import EARTH_RATE, TURNS

_LOCAL_RANK_VARIABLES = ("OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID")
# Components are taken in blocks of no more than these, sampled alike, and of tables of these bytes.
_BLOCK = 1024
_TABLE_BYTES = 256e6


def add_components(visibility: np.ndarray, scale: float, chunk: VisibilityChunk,
                   model: ComponentModel, *,
                   beam: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
                   smearing: bool = False) -> None:
    """Add `scale` times a model's visibilities to `visibility`, in place.

    As `direct.add_components`, which says what the arguments are, in mixed precision: to 1e-6 of
    the sum of the components. `beam` is to be hashable. Each rank of a node takes the next GPU,
    round and round.

    Raises
    ------
    SettingsError
        If there is no GPU to be used.
    """
    polarized = np.any(model.stokes != 0, axis=0)
    if not polarized.any():
        return
    cuda = _device()
    from visds.visibility.sky_model import gpu_kernel

    centre = Direction(*chunk.phase_centre, frame=chunk.frame)
    present = (chunk.flags[:, :, 0, 0] & Flag.ABSENT) == 0
    uvw = np.ascontiguousarray(chunk.uvw[present])
    if not len(uvw):
        return
    stokes, channels = int(polarized.sum()), len(chunk.frequency)
    sums = cuda.to_device(np.zeros((2 * stokes, len(uvw), channels)))
    uvw, wavenumber = cuda.to_device(uvw), cuda.to_device(chunk.frequency / LIGHT_SPEED)
    width, spans = chunk.channel_width / LIGHT_SPEED, EARTH_RATE * chunk.integration
    span = cuda.to_device(np.broadcast_to(spans[:, np.newaxis], present.shape)[present])
    declination = math.radians(centre.dec)
    turns = spans.max() * np.linalg.norm(chunk.uvw, axis=-1).max() * chunk.frequency.max()
    grid = gpu_kernel.grid_for(len(uvw), channels)
    for distance, extended, *table in _tables(model, centre, chunk.frequency.tobytes(), beam):
        samples = math.ceil(turns / LIGHT_SPEED * distance / TURNS) if smearing else 1
        kernel = gpu_kernel.kernel_for(gpu_kernel.channels_of_block(channels), stokes,
                                       extended=extended, smearing=smearing)
        kernel[grid, gpu_kernel.THREADS](
            uvw, *table, wavenumber, cuda.to_device(width), span, max(samples, 1),
            math.sin(declination), math.cos(declination), sums)
    parts = sums.copy_to_host()
    values = parts[0::2] + 1j * parts[1::2]
    matrix = scale * correlation_matrix(chunk.correlations, chunk.feed_angle)[..., polarized]
    rows = matrix[np.nonzero(present)[0]]
    visibility[present] += np.einsum("npk,knf->nfp", rows, values)


def check_gpu() -> None:
    """Check that there is a GPU to be used.

    Raises
    ------
    SettingsError
        If not, naming what is missing.
    """
    _device()


def _device():
    """Return numba.cuda with this rank's GPU selected, in this thread."""
    try:
        from numba import cuda

        if cuda.is_available():
            cuda.select_device(_local_rank() % len(cuda.gpus))
            return cuda
        reason = _missing(cuda)
    except ImportError as error:
        reason = str(error)
    raise SettingsError("--engine gpu needs an NVIDIA GPU and pip install 'visds[gpu]': "
                        + " ".join(reason.split()))


def _missing(cuda) -> str:
    """Return why numba.cuda is not available."""
    try:
        if not len(cuda.gpus):
            return "the driver finds no GPU"
    except cuda.CudaSupportError:
        return "no driver of an NVIDIA GPU is found"
    return "the compiler libNVVM is not found"


def _local_rank() -> int:
    """Return the number of this process among those on its node."""
    for name in _LOCAL_RANK_VARIABLES:
        if name in os.environ:
            return int(os.environ[name])
    return 0


@functools.lru_cache(maxsize=4)
def _tables(model: ComponentModel, centre: Direction, frequency: bytes,
            beam: Callable | None) -> list[tuple]:
    """Return blocks of components on the GPU, the nearest to the phase centre first.

    Of each the largest |(l, m, n - 1)|, whether any is extended, cosines, axes and flux densities.
    They are kept for the next slab: to make and send them takes longer than the sum.
    """
    cuda, frequency = _device(), np.frombuffer(frequency)
    cosines = model.cosines(centre)
    distance = np.linalg.norm(cosines, axis=1)
    order = np.argsort(distance)
    model, cosines, distance = model.select(order), cosines[order], distance[order]
    axes = gaussian_axes(model, centre)
    polarized = np.any(model.stokes != 0, axis=0)
    count = min(max(int(_TABLE_BYTES / (4 * len(frequency) * polarized.sum())), 1), _BLOCK)
    tables = []
    for first in range(0, len(model), count):
        block = slice(first, first + count)
        flux = model.select(block).flux_density(frequency)[polarized]
        if beam is not None:
            flux *= beam(cosines[block, :2], frequency)
        tables.append((distance[block].max(), bool(axes[block].any()), *map(cuda.to_device, (
            np.ascontiguousarray(cosines[block]), np.ascontiguousarray(axes[block]),
            flux.astype(np.float32)))))
    return tables
