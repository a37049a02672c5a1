"""Whether a sky model belongs to a field."""

import numpy as np

from visds.core.errors import SkyModelError
from visds.core.sky import Direction, separation
from visds.visibility.sky_model.components import ComponentModel


def check_on_field(model: ComponentModel, phase_centre: Direction, limit_deg: float) -> None:
    """Check that a model belongs to a field.

    Raises
    ------
    SkyModelError
        If no component is within `limit_deg` of the phase centre, or one is 90 degrees away or
        more, where it has no place in the plane of the field (n <= 0).
    """
    centre = phase_centre.to("ICRS")
    distances = np.array([separation(Direction(ra, dec), centre)
                          for ra, dec in zip(model.ra, model.dec, strict=True)])
    if distances.min() > limit_deg:
        raise SkyModelError(f"the sky model is off the field: its nearest component is "
                            f"{distances.min():.3g} deg from the phase centre {centre}, more than "
                            f"{limit_deg:.3g} deg")
    if distances.max() >= 90:
        worst = int(np.argmax(distances))
        raise SkyModelError(f"component {worst + 1} of the sky model is {distances[worst]:.4g} deg "
                            f"from the phase centre {centre}: below its horizon (90 deg)")
