"""A light curve in the form in which bands of a dynamic spectrum are drawn: one channel."""

import numpy as np

from visds.dynspec.light_curve import LightCurve


class CurveBand:
    """What drawing asks of a `DynamicSpectrum` of one channel, of a light curve in time order.

    A light curve holds estimates and not the sums that made them: it cannot be binned, and there
    are no parallel hands. Arrays have the axes (T,F) and (T,F,P) with F = 1; NaN as in the curve.
    """

    has_parallel_pair = False

    def __init__(self, light_curve: LightCurve):
        order = np.argsort(light_curve.time, kind="stable")
        for name in ("time", "integration", "time_barycentre", "scan"):
            setattr(self, name, getattr(light_curve, name)[order])
        self.index = light_curve.index
        self.polarizations = light_curve.polarizations
        self.residual = light_curve.residual[order, None]
        self._flux_density = light_curve.flux_density[order, None]
        self._sigma = light_curve.sigma[order, None]
        low, high = light_curve.band
        self.frequency = np.array([light_curve.frequency])
        self.channel_width = np.array([high - low])
        self.meta: dict = {}

    def values(self, polarization: str) -> np.ndarray:
        """Return the flux density (T,F) of a Stokes parameter in Jy."""
        return self._flux_density[..., self.index(polarization)]

    def errors(self, polarization: str) -> np.ndarray:
        """Return the standard error (T,F) of the flux density in Jy."""
        return self._sigma[..., self.index(polarization)]

    def fraction(self, polarization: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the fraction of I (T,F), NaN where I < 5 sigma, and for its error NaN.

        The curve does not say of which Stokes parameter with I its covariance is.
        """
        intensity = self.values("I")
        seen = intensity >= 5 * self.errors("I")
        ratio = self.values(polarization) / np.where(seen, intensity, np.nan)
        return ratio, np.full(ratio.shape, np.nan)

    def select_polarizations(self, polarizations: tuple[str, ...]) -> "CurveBand":
        """Return itself: it is small, and nothing is made of what is not asked for."""
        return self
