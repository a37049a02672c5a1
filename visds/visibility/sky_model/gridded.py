"""Visibilities of an image: ducc0's w-gridder, the spectrum expanded on the visibilities.

V = sum over pixels of I(nu) exp(+2 pi i (nu/c) (u l + v m + w (n - 1))), of an image in its own
tangent plane, wherever that touches the sky. Bandwidth and time smearing are not applied.
"""

from collections.abc import Callable

import ducc0
import numba
import numpy as np
from numba import boolean, complex64, complex128, float64, void

from visds.core.sky import LIGHT_SPEED, Direction
from visds.core.vector import given, turn, vector_kernel
from visds.visibility.sky_model.image_expansion import expand
from visds.visibility.sky_model.image_placement import place
from visds.visibility.sky_model.images import ImageModel

Beam = Callable[[np.ndarray, np.ndarray], np.ndarray]

# ducc0's gridder takes even numbers of pixels, and no fewer.
_FEWEST_PIXELS = 32
# ducc0 refuses accuracies below 1e-5 in float32.
_SINGLE_PRECISION = 1.1e-5
_LEAST_ACCURATE = 1e-2
# ducc0's accuracy is that of the root mean square; a source in the corner of an image errs by more.
_SHARE = 0.25


def image_visibilities(uvw: np.ndarray, frequency: np.ndarray, centre: Direction,
                       model: ImageModel, *, epsilon: float, beam: Beam | None = None,
                       threads: int = 1) -> np.ndarray:
    """Return the visibilities (P,N,F; complex64, Jy) of an image.

    The image is transformed once for each of the terms of its spectrum, whatever the number of
    channels, so many rows at a time are cheaper than few. Pixels without flux around those with
    flux cost nothing.

    Parameters
    ----------
    uvw : (N,3) float64, m
        In the frame of `centre`.
    frequency : (F) float64, Hz
    centre : Direction
        The phase centre.
    model : ImageModel
        Orthographic (`ImageModel.is_orthographic`).
    epsilon : float
        Accuracy, as a fraction of the brightest visibility. Computed in float64 below 4.5e-5.
    beam : callable, optional
        Power attenuation (S,F) at direction cosines l, m (S,2) about `centre` and frequencies
        (F) in Hz; multiplied into all polarizations. Hashable.
    threads : int

    Raises
    ------
    ValueError
        If the image is not orthographic.
    """
    uvw, frequency = np.asarray(uvw, float), np.asarray(frequency, float)
    order = np.argsort(frequency)
    if np.any(np.diff(order) < 0):
        # ducc0 takes ascending frequencies only.
        ascending = image_visibilities(uvw, frequency[order], centre, model, epsilon=epsilon,
                                       beam=beam, threads=threads)
        return ascending[..., np.argsort(order)]
    visibility = np.zeros((len(model.polarizations), len(uvw), len(frequency)), np.complex64)
    if not len(uvw):
        return visibility
    placement = place(model, centre)
    turned = np.ascontiguousarray(uvw @ placement.axes)
    # ducc0's phase is -(u l + v m) + w (n - 1).
    turned[:, :2] *= -1
    path = uvw @ placement.tangent
    x, y = nonzero_box(model)
    places = model.nonzero[0] - x.start, model.nonzero[1] - y.start
    middle = (np.array([x.start + x.stop, y.start + y.stop]) // 2
              - model.reference_pixel) * placement.cell
    for term in expand(model, tuple(frequency), centre, beam, 0.5 * epsilon):
        band = frequency[term.channels]
        for p in range(len(model.polarizations)):
            if term.share[p] < _SHARE * epsilon:
                continue
            accuracy = min(_SHARE * epsilon / term.share[p], _LEAST_ACCURATE)
            dtype = np.float32 if accuracy > _SINGLE_PRECISION else np.float64
            dirty = np.zeros((x.stop - x.start, y.stop - y.start), dtype)
            dirty[places] = term.values[p]
            values = ducc0.wgridder.dirty2vis(
                uvw=turned, freq=band, dirty=dirty, pixsize_x=placement.cell[0],
                pixsize_y=placement.cell[1], center_x=middle[0], center_y=middle[1],
                epsilon=accuracy, do_wgridding=True, divide_by_n=False, nthreads=threads)
            add_turned(visibility[p][:, term.channels], values, term.basis, path,
                       band / LIGHT_SPEED, bool(placement.tangent.any()))
    return visibility


def nonzero_box(model: ImageModel) -> tuple[slice, slice]:
    """Return the ranges of x and y that hold all pixels with flux, of lengths that ducc0 takes.

    They may reach beyond the image.
    """
    return tuple(_range(places) for places in model.nonzero)


def _range(places: np.ndarray) -> slice:
    first, last = (places.min(), places.max()) if len(places) else (0, 0)
    length = max(int(last - first) + 1, _FEWEST_PIXELS)
    length += length % 2
    return slice(int(first), int(first) + length)


@vector_kernel
def _add_row(result, visibility, basis, cosine, sine):
    for f in range(len(basis)):
        value = visibility[f]
        result[f] += complex(basis[f] * (value.real * cosine[f] - value.imag * sine[f]),
                             basis[f] * (value.real * sine[f] + value.imag * cosine[f]))


@vector_kernel
def _fill_phases(path, wavenumber, cosine, sine):
    for f in range(len(wavenumber)):
        cosine[f], sine[f] = turn(path * wavenumber[f])


def _signature(values):
    return void(complex64[:, :], given(values, 2), given(float64, 1), given(float64, 1),
                given(float64, 1), boolean)


@numba.njit([_signature(complex64), _signature(complex128)], cache=True, nogil=True,
            error_model="numpy", fastmath={"contract", "nsz"})
def add_turned(result, visibility, basis, path, wavenumber, is_turned):
    """Add visibilities (N,F) times `basis` (F) and the phase of a path (N; m) to `result` (N,F).

    `wavenumber` (F) is in turns per m. Where not `is_turned` the paths are zero.
    """
    N, F = visibility.shape
    cosine, sine = np.ones(F), np.zeros(F)
    for n in range(N):
        if is_turned:
            _fill_phases(path[n], wavenumber, cosine, sine)
        _add_row(result[n], visibility[n], basis, cosine, sine)
