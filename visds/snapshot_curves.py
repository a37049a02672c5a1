"""Flux densities at the target from snapshots beside those from visibilities."""

import math

import numpy as np
from astropy.table import Table

from visds.core.plural import counted
from visds.dynspec.dynamic_spectrum import DynamicSpectrum

SIGNIFICANT = 4.0
"""Errors by which images and visibilities differ that are told."""


def snapshot_curves(spectrum: DynamicSpectrum, snapshots: Table) -> dict[str, Table]:
    """Return flux densities from snapshots beside those from visibilities, by polarization.

    Columns: `time` (MJD UTC), `image` and `image_error`, `visibility` and `visibility_error` (Jy),
    the latter of all integrations and channels that the snapshot is of.
    """
    curves = {}
    for name in ("I", "V"):
        rows = snapshots[snapshots["stokes"] == name]
        if not len(rows) or name not in spectrum.polarizations:
            continue
        place = spectrum.index(name)
        values = []
        sigma = spectrum.errors(name)
        for row in rows:
            inside = (spectrum.time >= row["start"]) & (spectrum.time <= row["stop"])
            weight = spectrum.sum_w[inside][..., place]
            total = weight.sum()
            mean = spectrum.sum_wv[inside][..., place].real.sum() / total if total else np.nan
            variance = np.nansum((weight * sigma[inside]) ** 2) / total**2 if total else np.nan
            values.append((row["middle"], row["target_flux_density"],
                           row["target_flux_density_error"], mean, math.sqrt(variance)))
        curves[name] = Table(np.array(values), names=(
            "time", "image", "image_error", "visibility", "visibility_error"))
    return curves


def disagreement(curves: dict[str, Table]) -> list[str]:
    """Return in words which snapshots differ from the visibilities by more than 4 errors."""
    lines = []
    for name, table in curves.items():
        error = np.hypot(table["image_error"], table["visibility_error"])
        wrong = np.abs(table["image"] - table["visibility"]) > SIGNIFICANT * error
        if np.any(wrong):
            lines.append(f"Stokes {name} at the target differs by more than {SIGNIFICANT:g} errors "
                         f"between images and visibilities in {int(np.sum(wrong))} of "
                         f"{counted(len(table), 'snapshot')}")
    return lines
