"""The target taken out of a sky model, so that it is not subtracted from itself."""

from dataclasses import dataclass, replace

import numpy as np

from visds.core.flux_text import flux_text
from visds.core.plural import counted
from visds.core.sky import Direction, direction_cosines
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import to_components, without_disc
from visds.visibility.sky_model.model import Part, SkyModel


@dataclass(frozen=True)
class Removed:
    """What was taken out of a part: how many components or pixels, and their flux density in Jy.

    `is_intrinsic` is that of the part.
    """

    origin: str
    content: str
    flux_density: float
    is_intrinsic: bool

    def __str__(self):
        return f"{self.content} of {self.origin}, {flux_text(self.flux_density)}"


def excise(model: SkyModel, target: Direction, radius_deg: float, frequency: float
           ) -> tuple[SkyModel, SkyModel, tuple[Removed, ...]]:
    """Return a sky model without what lies in a disc around a target, that, and what it was.

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
    parts, taken, removed = [], [], []
    for part in model.parts:
        if isinstance(part.content, ComponentModel):
            rest, disc, what, flux_density = _without_components(part.content, target, radius_deg,
                                                                 frequency)
        else:
            rest, disc, what, flux_density = _without_pixels(part, target, radius_deg, frequency)
        if what:
            taken.append(replace(part, content=disc))
            removed.append(Removed(part.origin, what, flux_density, part.is_intrinsic))
        if rest is not None:
            parts.append(replace(part, content=rest))
    return replace(model, parts=tuple(parts)), SkyModel(tuple(taken)), tuple(removed)


def flux_density_inside(components: ComponentModel, target: Direction, radius_deg: float,
                        frequency: float) -> float:
    """Return the flux density (Jy) that Gaussians have inside a disc around a target.

    Of those whose centres are outside; summed over points of the disc, of which a thousand lie in
    it. Gaussians that are narrower than two of their distances are taken for as wide.
    """
    cosines = direction_cosines(components.ra, components.dec, target.to("ICRS"))
    radius = np.radians(radius_deg)
    outside = np.hypot(cosines[:, 0], cosines[:, 1]) >= np.sin(radius)
    extended = outside & (components.shape[:, 0] > 0) & (cosines[:, 2] > -1)
    if not extended.any():
        return 0.0
    steps = np.linspace(-radius, radius, 37)
    spacing = steps[1] - steps[0]
    east, north = (values.ravel() for values in np.meshgrid(steps, steps))
    inside = np.hypot(east, north) < radius
    flux = components.select(extended).flux_density(np.array([frequency]))[0, :, 0]
    total = 0.0
    for place, shape, value in zip(cosines[extended], components.shape[extended], flux,
                                   strict=True):
        angle = np.radians(shape[2])
        sigma = np.maximum(np.radians(shape[:2] / 3600) / np.sqrt(8 * np.log(2)), 2 * spacing)
        dx, dy = east[inside] - place[0], north[inside] - place[1]
        along = dx * np.sin(angle) + dy * np.cos(angle)
        across = dx * np.cos(angle) - dy * np.sin(angle)
        density = np.exp(-((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2) / 2)
        total += value * density.sum() * spacing**2 / (2 * np.pi * sigma[0] * sigma[1])
    return float(total)


def _without_components(components: ComponentModel, target: Direction, radius_deg: float,
                        frequency: float):
    cosines = direction_cosines(components.ra, components.dec, target.to("ICRS"))
    distance = np.degrees(np.arctan2(np.hypot(cosines[:, 0], cosines[:, 1]), 1 + cosines[:, 2]))
    inside = distance < radius_deg
    if not inside.any():
        return components, None, "", 0.0
    disc = components.select(inside)
    flux_density = disc.flux_density(np.array([frequency]))[0].sum()
    rest = components.select(~inside) if not inside.all() else None
    return rest, disc, counted(int(inside.sum()), "component"), float(flux_density)


def _without_pixels(part: Part, target: Direction, radius_deg: float, frequency: float):
    rest, number, flux_density = without_disc(part.content, target, radius_deg, frequency)
    if not number:
        return part.content, None, "", 0.0
    disc = to_components(replace(part.content, pixels=part.content.pixels - rest.pixels))
    return (rest if rest.pixels.any() else None), disc, counted(number, "pixel"), flux_density
