"""The target taken out of a sky model, so that it is not subtracted from itself."""

from dataclasses import dataclass, replace

import numpy as np

from visds.core.plural import counted
from visds.core.sky import Direction, direction_cosines
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import without_disc
from visds.visibility.sky_model.model import Part, SkyModel


@dataclass(frozen=True)
class Removed:
    """What was taken out of a part: how many components or pixels, and their flux density in Jy."""

    origin: str
    content: str
    flux_density: float

    def __str__(self):
        return f"{self.content} of {self.origin}, {1e3 * self.flux_density:.4g} mJy"


def excise(model: SkyModel, target: Direction, radius_deg: float,
           frequency: float) -> tuple[SkyModel, tuple[Removed, ...]]:
    """Return a sky model without what lies in a disc around a target, and what that was.

    Components are taken out where their centres are in the disc, pixels of images likewise.
    Columns of predicted visibilities stay as they are.

    Parameters
    ----------
    model : SkyModel
    target : Direction
    radius_deg : float
    frequency : float
        Of the flux densities that are told, Hz.
    """
    parts, removed = [], []
    for part in model.parts:
        if isinstance(part.content, ComponentModel):
            rest, what, flux_density = _without_components(part.content, target, radius_deg,
                                                           frequency)
        else:
            rest, what, flux_density = _without_pixels(part, target, radius_deg, frequency)
        if what:
            removed.append(Removed(part.origin, what, flux_density))
        if rest is not None:
            parts.append(replace(part, content=rest))
    return replace(model, parts=tuple(parts)), tuple(removed)


def _without_components(components: ComponentModel, target: Direction, radius_deg: float,
                        frequency: float) -> tuple[ComponentModel | None, str, float]:
    cosines = direction_cosines(components.ra, components.dec, target.to("ICRS"))
    distance = np.degrees(np.arctan2(np.hypot(cosines[:, 0], cosines[:, 1]), 1 + cosines[:, 2]))
    inside = distance < radius_deg
    if not inside.any():
        return components, "", 0.0
    flux_density = components.select(inside).flux_density(np.array([frequency]))[0].sum()
    rest = components.select(~inside) if not inside.all() else None
    return rest, counted(int(inside.sum()), "component"), float(flux_density)


def _without_pixels(part: Part, target: Direction, radius_deg: float, frequency: float):
    rest, number, flux_density = without_disc(part.content, target, radius_deg, frequency)
    if not number:
        return part.content, "", 0.0
    return (rest if rest.pixels.any() else None), counted(number, "pixel"), flux_density
