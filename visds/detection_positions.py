"""Where detections are: their positions as images of them show."""

import math

from astropy.table import Table

from visds.core.flux_text import flux_text
from visds.core.sky import Direction, angle_text

SIGNIFICANT = 4.0
"""Errors of its flux density that a source needs to be taken for that of a detection.

Within the 1.5 beams about the target that are looked at, noise reaches that once in a thousand
images.
"""
_MOST_OF_IT, _LEAST_OF_ITS_OWN = 0.95, 0.5
UNAMBIGUOUS = 2.0
"""Errors by which a source stands above its highest sidelobe near the target to be located."""


def with_positions(detections: Table, images: Table) -> tuple[Table, list[str]]:
    """Return detections at the positions that their images show, and what is doubtful of them.

    The position of a source fitted within 1.5 beams of the target in the difference image, of the
    polarization of the detection and with its sign, replaces the assumed one where the source has
    `SIGNIFICANT` errors or more, and noise does not raise one of its sidelobes above it; elsewhere
    the assumed one stays and is said to be so. Noise at two places whose responses overlap by s
    differs by sqrt(2 (1 - s)) times the rms, and the source and its sidelobe s by (1 - s) of it.
    """
    detections = detections.copy()
    detections.meta["position"] = "measured in images where the column position says so"
    doubts = []
    files = {(row["name"], row["stokes"]): row for row in images}
    for number, row in enumerate(detections, start=1):
        stokes = str(row["polarization"]).lstrip("+-")
        image = next((files[name, stokes] for name in (
            f"detection{number:03d}_difference", f"detection{number:03d}_on")
            if (name, stokes) in files), None)
        if image is None:
            continue
        sign = -1 if str(row["polarization"]).startswith("-") else 1
        snr = sign * image["fit_flux_density"] / image["fit_flux_density_error"]
        row["image_snr"] = snr if math.isfinite(snr) else 0.0
        for name, fitted in (("image_offset", "fit_offset"),
                             ("image_flux_density", "fit_flux_density"),
                             ("image_flux_density_error", "fit_flux_density_error")):
            row[name] = image[fitted]
        sidelobe = min(image["sidelobe"], 1.0)
        margin = row["image_snr"] * math.sqrt((1 - sidelobe) / 2)
        if sidelobe == 1:
            doubts.append(f"detection {row['name']} is not located: the baselines of its time are "
                          "too few, or lie in one line")
        elif row["image_snr"] >= SIGNIFICANT and margin < UNAMBIGUOUS:
            doubts.append(f"detection {row['name']} is not located: a sidelobe of {sidelobe:.2f} "
                          "near the target could as well be the source")
        elif row["image_snr"] >= SIGNIFICANT:
            row["position"] = "image"
            for name in ("ra", "dec", "ra_error", "dec_error"):
                row[name] = image[f"fit_{name}"]
            doubts += _beside(row, image)
        else:
            doubts.append(f"detection {row['name']} has no source at the target in its difference "
                          f"image ({row['image_snr']:.1f} sigma): it may come from elsewhere")
    return detections, doubts


def _beside(row: Table.Row, image: Table.Row) -> list[str]:
    """Return in words what a source beside the target makes of a detection, if it does."""
    errors = image["fit_offset"] / math.hypot(image["fit_ra_error"], image["fit_dec_error"])
    share = image["target_flux_density"] / image["fit_flux_density"]
    if errors < SIGNIFICANT or share > _MOST_OF_IT:
        return []
    place = Direction(float(image["fit_ra"]), float(image["fit_dec"]))
    cause = "another source has burst, or the target is there" if share < _LEAST_OF_ITS_OWN \
        else "the target is not quite where it was said to be"
    return [f"detection {row['name']} comes from {angle_text(image['fit_offset'] / 3600)} beside "
            f"the target ({errors:.0f} errors), at {place}, where it has "
            f"{flux_text(image['fit_flux_density'])}: {cause}; its other flux densities are those "
            f"at the target, {share:.0%} of it (repeat with --target)"]
