"""Whether a sky model belongs to a field."""

import numpy as np

from visds.core.errors import SkyModelError
from visds.core.sky import Direction, angle_text
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.images import to_components
from visds.visibility.sky_model.model import Part


def check_on_field(part: Part, phase_centre: Direction, limit_deg: float) -> None:
    """Check that a part of a sky model belongs to a field.

    Of an image the pixels that are not zero count.

    Raises
    ------
    SkyModelError
        If nothing of it is within `limit_deg` of the phase centre, or something is 90 degrees away
        or more, where it has no place in the plane of the field (n <= 0).
    """
    is_list = isinstance(part.content, ComponentModel)
    components = part.content if is_list else to_components(part.content)
    centre = phase_centre.to("ICRS")
    l, m, n_minus_1 = components.cosines(centre).T  # noqa: E741  the field's letter
    distances = np.degrees(np.arctan2(np.hypot(l, m), 1 + n_minus_1))
    what = "component" if is_list else "pixel that is not zero"
    if distances.min() > limit_deg:
        raise SkyModelError(f"sky model {part.origin} is off the field: its nearest {what} is "
                            f"{angle_text(float(distances.min()))} from the phase centre {centre}, "
                            f"more than {angle_text(limit_deg)} (sources far off are taken from a "
                            "list that has some of the field too)")
    if distances.max() >= 90:
        worst = int(np.argmax(distances))
        place = Direction(float(components.ra[worst]), float(components.dec[worst]))
        which = f"component {worst + 1}" if is_list else "a pixel"
        raise SkyModelError(f"{which} of sky model {part.origin}, at {place}, is "
                            f"{distances[worst]:.4g} deg from the phase centre {centre}: below its "
                            "horizon (90 deg)")
