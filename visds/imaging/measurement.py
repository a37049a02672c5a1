"""What is measured on every image, as a row of a table."""

import math

import numpy as np
from astropy.table import Table

from visds.core.sky import Direction
from visds.imaging.image import Image
from visds.imaging.restoring_beam import highest_sidelobe
from visds.imaging.source_fit import (
    SourceFit,
    fit_gaussian,
    fit_point,
    flux_density_at,
    noise_around,
    without,
)

SEARCH_BEAMS = 1.5
"""How far from the target a source is looked for, in beams (the geometric mean of their axes)."""

COLUMNS = {
    "name": (str, None, "what the image is of"),
    "stokes": (str, None, "Stokes parameter"),
    "start": (float, "d", "begin of the first integration, MJD UTC"),
    "stop": (float, "d", "end of the last integration, MJD UTC"),
    "middle": (float, "d", "mean time of the integrations, MJD UTC"),
    "exposure": (float, "s", "sum of the integrations"),
    "band_low": (float, "Hz", "lower edge of the lowest channel"),
    "band_high": (float, "Hz", "upper edge of the highest channel"),
    "rms": (float, "Jy", "noise around the target, per beam: 1.4826 times the median modulus, the "
            "source fitted near the target taken out"),
    "expected_rms": (float, "Jy", "noise per beam that the weights of the visibilities imply"),
    "natural_rms": (float, "Jy", "the same if they were weighted naturally: the least there is"),
    "peak": (float, "Jy", "pixel of largest modulus, per beam, with its sign"),
    "peak_ra": (float, "deg", "where it is, ICRS"),
    "peak_dec": (float, "deg", "where it is, ICRS"),
    "target_flux_density": (float, "Jy", "at the position of the target, per beam; NaN outside"),
    "target_flux_density_error": (float, "Jy", "its standard error, rms"),
    "fit_flux_density": (float, "Jy", "point source fitted within 1.5 beams of the target"),
    "fit_flux_density_error": (float, "Jy", "its standard error"),
    "fit_ra": (float, "deg", "its position, ICRS"),
    "fit_dec": (float, "deg", "its position, ICRS"),
    "fit_ra_error": (float, "arcsec", "standard error on the sky"),
    "fit_dec_error": (float, "arcsec", "standard error"),
    "fit_offset": (float, "arcsec", "how far it is from the target"),
    "gaussian_flux_density": (float, "Jy", "integrated, of a Gaussian of free shape fitted there"),
    "gaussian_flux_density_error": (float, "Jy", "its standard error"),
    "gaussian_major": (float, "arcsec", "FWHM of its major axis, the beam included"),
    "gaussian_minor": (float, "arcsec", "FWHM of its minor axis"),
    "gaussian_position_angle": (float, "deg", "north through east"),
    "beam_major": (float, "arcsec", "FWHM of the beam's major axis"),
    "beam_minor": (float, "arcsec", "FWHM of the beam's minor axis"),
    "beam_position_angle": (float, "deg", "north through east"),
    "sidelobe": (float, None, "highest sidelobe of the response to a point source within 3 beams "
                 "of its peak; 1 where the main lobe has no end, NaN where it is not known"),
    "file": (str, None, "the image"),
}


def measured(image: Image, target: Direction, file: str = "") -> dict:
    """Return the row of `COLUMNS` of an image.

    The source that is fitted is taken out before the noise is measured: a dirty image is full of
    its sidelobes.
    """
    content, geometry = image.content, image.geometry
    noise, point, gaussian = _fits(image, target)
    row, column = np.unravel_index(np.nanargmax(np.abs(image.values)), image.values.shape)
    try:
        peak_at = geometry.direction(float(column), float(row))
    except ValueError:
        peak_at = Direction(math.nan, math.nan)
    offset = math.nan
    if math.isfinite(point.ra):
        offset = 3600 * geometry.cell * math.dist(
            geometry.pixel(Direction(point.ra, point.dec)), geometry.pixel(target))
    beam = [math.nan] * 3 if image.beam is None else [
        3600 * image.beam.major, 3600 * image.beam.minor, image.beam.position_angle]
    shape = [math.nan] * 3 if gaussian.shape is None else [
        3600 * gaussian.shape.major, 3600 * gaussian.shape.minor, gaussian.shape.position_angle]
    at_target = flux_density_at(image, target)
    return dict(zip(COLUMNS, (
        content.name, image.stokes, content.start, content.stop, content.middle,
        content.exposure, content.band_low, content.band_high, noise, image.expected_rms,
        image.natural_rms, float(image.values[row, column]), peak_at.ra, peak_at.dec,
        at_target, noise if math.isfinite(at_target) else math.nan,
        point.flux_density, point.flux_density_error, point.ra, point.dec, point.ra_error,
        point.dec_error, offset, gaussian.flux_density, gaussian.flux_density_error, *shape,
        *beam, _sidelobe(image), file), strict=True))


def table_of(rows: list[dict]) -> Table:
    """Return the table of measured images, with units and descriptions."""
    table = Table()
    for name, (kind, unit, meaning) in COLUMNS.items():
        values = [row[name] for row in rows]
        table[name] = np.array(values, float) if kind is float else np.array(values, "U")
        table[name].unit = unit
        table[name].description = meaning
    return table


def _sidelobe(image: Image) -> float:
    if image.response is None:
        return math.nan
    if image.beam is None:
        return 1.0
    within = 2 * SEARCH_BEAMS * math.sqrt(image.beam.major * image.beam.minor)
    return highest_sidelobe(image.response, within / image.geometry.cell)


def _fits(image: Image, target: Direction) -> tuple[float, SourceFit, SourceFit]:
    """Return the noise around the target, the point source and the Gaussian near it."""
    x, y = image.geometry.pixel(target)
    if not image.geometry.holds(target):
        x = y = image.geometry.size / 2
    noise = noise_around(image, x, y)
    if image.beam is None:
        return noise, SourceFit(), SourceFit()
    within = SEARCH_BEAMS * math.sqrt(image.beam.major * image.beam.minor)
    point = fit_point(image, target, within, noise)
    if math.isfinite(point.peak):
        noise = noise_around(without(image, point), *image.geometry.pixel(
            Direction(point.ra, point.dec)))
        point = fit_point(image, target, within, noise)
    return noise, point, fit_gaussian(image, target, within, noise)
