"""The dynamic spectrum of one direction: weighted sums over baselines, and what follows from them.

The sums are kept, not the means: any rebinning is sum / sum, so it is exact and does not depend
on where chunks end. Every estimate is the real part of a weighted mean; the imaginary part, which
holds no flux density of a point source in the target direction, is kept as a check.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from visds.core.arrays import Record, array, attribute
from visds.core.flags import CELL_MASK, Flag
from visds.core.quantities import channel_bin, time_bin
from visds.dynspec import binning

STOKES = ("I", "Q", "U", "V")


@dataclass(frozen=True, eq=False, repr=False)
class DynamicSpectrum(Record):
    """Sums over baselines of turned, weighted, unflagged visibilities, per cell.

    With w the weight (1/sigma^2 of the real part, Jy-2) and V the visibility turned to the
    target, the sums run over the unflagged cross-correlations of a cell. Frequencies ascend,
    times ascend within a scan. A cell without data has sums of zero and the flag EMPTY.
    """

    format_name: ClassVar[str] = "visds.dynspec"
    format_version: ClassVar[int] = 1

    time: np.ndarray = array("T", "f8", "d", "centre of the integration, MJD UTC")
    integration: np.ndarray = array("T", "f8", "s", "length of the integration, gaps not counted")
    time_barycentre: np.ndarray = array(
        "T", "f8", "d", "time of arrival at the solar system's barycentre, MJD TDB")
    scan: np.ndarray = array("T", "i4", "", "scan number")
    frequency: np.ndarray = array("F", "f8", "Hz", "centre of the channel, ascending")
    channel_width: np.ndarray = array("F", "f8", "Hz", "width of the channel, positive")
    spectral_window: np.ndarray = array("F", "i4", "", "spectral window of the channel")
    sum_w: np.ndarray = array("TFP", "f8", "Jy-2", "sum of w")
    sum_wv: np.ndarray = array("TFP", "c16", "Jy-1", "sum of w V")
    sum_w2: np.ndarray = array("TFP", "f8", "Jy-4", "sum of w^2")
    sum_w2v: np.ndarray = array("TFP", "c16", "Jy-3", "sum of w^2 V")
    sum_w2v2: np.ndarray = array("TFP", "f8", "Jy-2", "sum of w^2 |V|^2")
    count: np.ndarray = array("TFP", "i8", "", "number N of visibilities in the sums")
    sum_w2_cross: np.ndarray = array(
        "TF", "f8", "Jy-2", "sum of w^2 Re(s d*), s and d half the sum and the difference of the "
        "parallel hands: what the empirical covariance of their Stokes parameters needs")
    sum_w2_covariance: np.ndarray = array(
        "TF", "f8", "Jy-2", "sum of w^2 (1/w1 - 1/w2)/4 of the parallel hands 1 and 2: what "
        "their formal covariance needs")
    flags: np.ndarray = array("TFP", "u2", "", "bits of visds.core.flags of all that was left out")
    polarizations: tuple[str, ...] = attribute("labels on axis P, among I Q U V")
    parallel_hands: tuple[str, ...] = attribute("RR and LL, or XX and YY: whose half sum is I")
    meta: dict[str, Any] = attribute(
        "target, phase centre, telescope, weights, conventions and flag statistics", {})

    # ---- estimates -------------------------------------------------------------------------

    @property
    def flux_density(self) -> np.ndarray:
        """Flux density (T,F,P) in Jy: the real part of the weighted mean; NaN where flagged."""
        return self._mean().real

    @property
    def residual(self) -> np.ndarray:
        """Imaginary part of the weighted mean (T,F,P) in Jy: noise about zero."""
        return self._mean().imag

    @property
    def sigma(self) -> np.ndarray:
        """Standard error of `flux_density` (T,F,P) in Jy: the empirical one, else the formal.

        The scatter across baselines needs no trust in the scale of the weights. Where fewer than
        ten visibilities are in a cell it is itself too uncertain, and the formal error stands in
        its place, brought to the scale that the scatter of all cells gives (`weight_scale`).
        """
        return np.where(self.count >= 10, self.sigma_empirical,
                        self.sigma_formal * self.weight_scale)

    @property
    def weight_scale(self) -> np.ndarray:
        """Factor (P) by which the scatter across baselines is larger than the formal errors.

        From `meta["weight_scale"]`, which is set when an observation is stitched; else 1, or NaN
        where the weights are known to be without scale (`meta["weights_calibrated"]` False).
        """
        missing = 1.0 if self.meta.get("weights_calibrated", True) else np.nan
        scales = self.meta.get("weight_scale", {})
        return np.array([scales.get(label, missing) for label in self.polarizations])

    def measured_weight_scale(self) -> dict[str, float]:
        """Return the factor of `weight_scale` by polarization, measured on all cells.

        The root of the mean, weighted by the degrees of freedom N - 1, of the ratio of empirical
        to formal variance; a polarization without a cell of two visibilities is left out.
        """
        ratio = (self.sigma_empirical / self.sigma_formal) ** 2
        freedom = np.where(np.isfinite(ratio), self.count - 1, 0)
        total = freedom.sum(axis=(0, 1))
        squares = np.nansum(freedom * ratio, axis=(0, 1))
        return {label: float(np.sqrt(squares[p] / total[p]))
                for p, label in enumerate(self.polarizations) if total[p] and squares[p] > 0}

    @property
    def sigma_formal(self) -> np.ndarray:
        """Formal error 1 / sqrt(sum w) (T,F,P) in Jy: right if the weights are 1/sigma^2."""
        return self._masked(1 / np.sqrt(_positive(self.sum_w)))

    @property
    def sigma_empirical(self) -> np.ndarray:
        """Error from the scatter across baselines (T,F,P) in Jy; NaN for a single visibility.

        sigma^2 = sum w^2 |V - S|^2 / (2 ((sum w)^2 - sum w^2)): the sample's scatter about its
        own mean S, with the term sum w^2 that makes it unbiased for few visibilities of any
        weights w = 1/sigma^2 (for N equal weights it is the factor N / (N - 1)).
        """
        mean = self._mean()
        scatter = (self.sum_w2v2 - 2 * (mean.conj() * self.sum_w2v).real
                   + np.abs(mean) ** 2 * self.sum_w2)
        return self._masked(np.sqrt(np.maximum(scatter, 0) / 2 / self._freedom()))

    def index(self, polarization: str) -> int:
        """Return the place of a Stokes parameter on axis P.

        Raises
        ------
        ValueError
            If the spectrum does not hold it.
        """
        if polarization not in self.polarizations:
            raise ValueError(f"Stokes {polarization} is not in this spectrum; it holds "
                             f"{', '.join(self.polarizations)}")
        return self.polarizations.index(polarization)

    def values(self, polarization: str) -> np.ndarray:
        """Return the flux density (T,F) in Jy of I, Q, U, V, or of a parallel hand (RR, LL...)."""
        if polarization in self.parallel_hands:
            sign = self._hand_sign(polarization)
            return self.values("I") + sign * self.values(self._partner())
        return self.flux_density[..., self.index(polarization)]

    def errors(self, polarization: str) -> np.ndarray:
        """Return the standard error (T,F) in Jy of what `values` gives.

        For a parallel hand, var = var(I) + var(P) +- 2 cov(I, P), P its partner V or Q.
        """
        if polarization in self.parallel_hands:
            sign = self._hand_sign(polarization)
            variance = (self.errors("I") ** 2 + self.errors(self._partner()) ** 2
                        + 2 * sign * self.covariance)
            return np.sqrt(np.maximum(variance, 0))
        return self.sigma[..., self.index(polarization)]

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (T,F) in Jy^2 of I and the other Stokes parameter of the parallel hands.

        That is V for circular and Q for linear feeds: (sigma_R^2 - sigma_L^2) / 4. Empirical or
        formal, as `sigma`.
        """
        i, p = self.index("I"), self.index(self._partner())
        scale = self.weight_scale
        formal = self.sum_w2_covariance / _positive(self.sum_w[..., i]) ** 2 * scale[i] * scale[p]
        return np.where(self.count[..., i] >= 10, self._empirical_covariance(), formal)

    def fraction(self, polarization: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the fraction of I, e.g. V/I, and its error (T,F); NaN where I < 5 sigma.

        sigma_f^2 = f^2 ((s_V/V)^2 + (s_I/I)^2 - 2 cov(V,I)/(V I)), written without the
        division by V. The covariance is that of I with V (circular feeds) or Q (linear feeds);
        that of I with U of turned linear feeds with unequal hands is not known and left out.
        """
        intensity, part = self.values("I"), self.values(polarization)
        sigma_i, sigma_p = self.errors("I"), self.errors(polarization)
        covariance = self.covariance if polarization == self._partner() else 0.0
        seen = intensity >= 5 * sigma_i
        intensity = np.where(seen, intensity, np.nan)
        ratio = part / intensity
        variance = (sigma_p**2 + ratio**2 * sigma_i**2 - 2 * ratio * covariance) / intensity**2
        return ratio, np.sqrt(np.maximum(variance, 0))

    # ---- other views -----------------------------------------------------------------------

    def rebin(self, time: Any = None, channel: Any = None) -> "DynamicSpectrum":
        """Return the spectrum in wider bins: sums of sums, exact whatever the chunks were.

        Parameters
        ----------
        time : str or int, optional
            ``"10s"`` or a count of integrations. Bins start with each scan and never hold two;
            the last bin of a scan holds what remains.
        channel : str or int, optional
            ``"4MHz"`` or a count of channels, from the lowest frequency on; bins of a count do
            not reach over a gap in frequency.
        """
        result = self
        if time is not None:
            groups = binning.time_groups(self.time, self.integration, self.scan,
                                         time_bin(str(time)))
            result = result.sum_times(groups)
        if channel is not None:
            groups = binning.channel_groups(self.frequency, self.channel_width,
                                            channel_bin(str(channel)))
            result = result.sum_channels(groups)
        return result

    def select_channels(self, chosen: np.ndarray) -> "DynamicSpectrum":
        """Return the spectrum of some channels: `chosen` (F) is a mask or indices."""
        return self.replace(**{
            name: getattr(self, name)[chosen] if spec.axes == "F"
            else getattr(self, name)[:, chosen]
            for name, spec in self.array_specs().items() if "F" in spec.axes})

    def select_times(self, chosen: np.ndarray) -> "DynamicSpectrum":
        """Return the spectrum of some integrations: `chosen` (T) is a mask or indices."""
        return self.replace(**{name: getattr(self, name)[chosen]
                               for name, spec in self.array_specs().items() if "T" in spec.axes})

    def select_polarizations(self, chosen: Sequence[str]) -> "DynamicSpectrum":
        """Return the spectrum of those of its polarizations that are among `chosen`."""
        kept = [p for p, label in enumerate(self.polarizations) if label in chosen]
        if len(kept) == len(self.polarizations):
            return self
        return self.replace(
            polarizations=tuple(self.polarizations[p] for p in kept),
            **{name: getattr(self, name)[..., kept]
               for name, spec in self.array_specs().items() if "P" in spec.axes})

    def sum_times(self, groups: binning.Groups) -> "DynamicSpectrum":
        """Return the spectrum with the integrations of each group summed into one."""
        if np.all(groups.length == 1):
            return self
        length = groups.sum(self.integration, 0)
        changes = self._summed(groups, axis=0)
        for name in ("time", "time_barycentre"):
            first = getattr(self, name)[groups.start]
            since = getattr(self, name) - np.repeat(first, groups.length)
            changes[name] = first + groups.sum(since * self.integration, 0) / length
        return self.replace(integration=length, scan=self.scan[groups.start], **changes)

    def sum_channels(self, groups: binning.Groups) -> "DynamicSpectrum":
        """Return the spectrum with the channels of each group summed into one."""
        if np.all(groups.length == 1):
            return self
        width = groups.sum(self.channel_width, 0)
        return self.replace(frequency=groups.sum(self.frequency * self.channel_width, 0) / width,
                            channel_width=width,
                            spectral_window=self.spectral_window[groups.start],
                            **self._summed(groups, axis=1))

    @property
    def has_parallel_pair(self) -> bool:
        """Whether both Stokes parameters of the parallel hands are held (I and V, or I and Q)."""
        return {"I", self._partner()} <= set(self.polarizations)

    def light_curve(self, band: tuple[float, float] | None = None) -> Any:
        """Return the `LightCurve` of the whole band, or of channels centred in `band` (Hz)."""
        from visds.dynspec.light_curve import LightCurve

        return LightCurve.from_spectrum(self, band)

    def flag_cells(self, cells: np.ndarray, flag: Flag = Flag.REGION) -> "DynamicSpectrum":
        """Return the spectrum with `flag` set where `cells` (T,F or T,F,P; bool) is True."""
        cells = np.asarray(cells, bool)
        cells = cells[..., None] if cells.ndim == 2 else cells
        return self.replace(flags=self.flags | np.where(cells, int(flag), 0).astype("u2"))

    def to_fits(self, path: str | os.PathLike) -> None:
        """Write axes STOKES, FREQ, TIME with their coordinates; see docs/formats.md."""
        from visds.dynspec.fits import write_fits

        write_fits(self, path)

    def plot(self, polarization: str = "I", **options: Any) -> Any:
        """Draw one polarization against time and frequency; return the matplotlib figure."""
        from visds.dynspec.plots.draw import plot_spectrum

        return plot_spectrum(self, polarization, **options)

    # ---- inside ----------------------------------------------------------------------------

    def _mean(self) -> np.ndarray:
        # numpy warns when a complex number is divided by NaN, which stands for an empty cell here.
        with np.errstate(invalid="ignore"):
            return self._masked(self.sum_wv / _positive(self.sum_w))

    def _freedom(self) -> np.ndarray:
        """Return (sum w)^2 - sum w^2, NaN where a cell has fewer than two visibilities."""
        freedom = self.sum_w**2 - self.sum_w2
        return np.where((self.count > 1) & (freedom > 0), freedom, np.nan)

    def _masked(self, values: np.ndarray) -> np.ndarray:
        # Of a complex number both parts: a real NaN would leave an imaginary part of zero.
        missing = complex(np.nan, np.nan) if np.iscomplexobj(values) else np.nan
        return np.where(self.flags & np.uint16(CELL_MASK), missing, values)

    def _partner(self) -> str:
        return "V" if "RR" in self.parallel_hands else "Q"

    def _hand_sign(self, hand: str) -> int:
        return 1 if hand in ("RR", "XX") else -1

    def _empirical_covariance(self) -> np.ndarray:
        i, p = self.index("I"), self.index(self._partner())
        mean_i, mean_p = self._mean()[..., i], self._mean()[..., p]
        cross = (self.sum_w2_cross
                 - (mean_i.conj() * self.sum_w2v[..., p]).real
                 - (mean_p.conj() * self.sum_w2v[..., i]).real
                 + (mean_i.conj() * mean_p).real * self.sum_w2[..., i])
        return cross / 2 / self._freedom()[..., i]

    def _summed(self, groups: binning.Groups, axis: int) -> dict[str, np.ndarray]:
        """Return the sums and flags of groups of cells along the time or channel axis.

        Masked cells add nothing. A bin is EMPTY where no visibility is left, and a region that
        the user flagged stays marked where it made the bin empty. The variance of a bin is that
        of the mean of its cells, sum W^2 var / (sum W)^2 with W = sum w of a cell: what differs
        between cells, a spectrum or a burst, is not noise. The second moments are written so that
        they say this variance.
        """
        mask = np.uint16(CELL_MASK)
        used = (self.flags & mask) == 0
        added = {name: groups.sum(
                     np.where(used if spec.axes == "TFP" else used[..., 0], getattr(self, name), 0),
                     axis)
                 for name, spec in self.array_specs().items()
                 if name in ("sum_w", "sum_wv", "sum_w2", "count", "sum_w2_covariance")}
        total = _positive(added["sum_w"])
        freedom = added["sum_w"] ** 2 - added["sum_w2"]
        mean = np.where(added["count"] > 0, added["sum_wv"] / np.where(
            added["count"] > 0, added["sum_w"], 1), 0)
        variance = np.where(self.count > 1, self.sigma_empirical, self.sigma_formal) ** 2
        variance = groups.sum(np.where(used, self.sum_w**2 * variance, 0), axis) / total**2
        added["sum_w2v"] = added["sum_w2"] * mean
        added["sum_w2v2"] = (np.nan_to_num(2 * variance * freedom)
                             + added["sum_w2"] * np.abs(mean) ** 2)
        added["sum_w2_cross"] = self._summed_cross(groups, axis, added, mean, freedom)
        reasons = groups.bitwise_or(self.flags & ~mask, axis)
        region = groups.bitwise_or(self.flags & np.uint16(Flag.REGION), axis)
        empty = added["count"] == 0
        added["flags"] = reasons | np.where(empty, np.uint16(Flag.EMPTY) | region, np.uint16(0))
        return added

    def _summed_cross(self, groups: binning.Groups, axis: int, added: dict[str, np.ndarray],
                      mean: np.ndarray, freedom: np.ndarray) -> np.ndarray:
        """Return the `sum_w2_cross` that says the covariance of the means of groups of cells."""
        if not self.has_parallel_pair:
            return np.zeros(mean.shape[:2])
        i, p = self.index("I"), self.index(self._partner())
        weight = self.sum_w[..., i]
        formal = self.sum_w2_covariance / _positive(weight) ** 2
        covariance = np.where(self.count[..., i] > 1, self._empirical_covariance(), formal)
        covariance = (groups.sum(np.nan_to_num(weight**2 * covariance), axis)
                      / _positive(added["sum_w"][..., i]) ** 2)
        return np.nan_to_num(2 * covariance * freedom[..., i]) + (
            mean[..., i].conj() * mean[..., p]).real * added["sum_w2"][..., p]


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
