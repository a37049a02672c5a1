"""What a light curve measured in one polarization: its samples that can be used, in time order."""

from dataclasses import dataclass

import numpy as np

from visds.dynspec.light_curve import LightCurve


@dataclass(frozen=True, eq=False)
class Measured:
    """Flux densities (N) with positive errors; measurements without them are left out.

    Attributes
    ----------
    time : (N) centre of the integration, MJD UTC, ascending
    time_barycentre : (N) MJD TDB at the barycentre
    integration : (N) s
    scan : (N) scan number
    values, sigma : (N) Jy
    imaginary : (N) Jy, the imaginary part, of the same error
    """

    time: np.ndarray
    time_barycentre: np.ndarray
    integration: np.ndarray
    scan: np.ndarray
    values: np.ndarray
    sigma: np.ndarray
    imaginary: np.ndarray

    @classmethod
    def of(cls, light_curve: LightCurve, p: int) -> "Measured":
        """Return the measurements of the polarization at place `p` of a light curve."""
        values, sigma = light_curve.flux_density[:, p], light_curve.sigma[:, p]
        good = np.flatnonzero(np.isfinite(values) & np.isfinite(sigma) & (sigma > 0))
        good = good[np.argsort(light_curve.time[good], kind="stable")]
        return cls(light_curve.time[good], light_curve.time_barycentre[good],
                   light_curve.integration[good], light_curve.scan[good], values[good],
                   sigma[good], light_curve.residual[good, p])

    def __len__(self) -> int:
        """Return the number N of measurements."""
        return len(self.time)
