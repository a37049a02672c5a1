"""The dynamic spectrum of one direction: weighted sums over baselines, and what follows from them.

The sums are kept, not the means: any rebinning is sum / sum, so it is exact and does not depend
on where chunks end. Every estimate is the real part of a weighted mean; the imaginary part, which
holds no flux density of a point source in the target direction, is kept as a check.
"""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from visds.core.arrays import Record, array, attribute
from visds.core.errors import FormatError
from visds.core.flags import Flag
from visds.core.quantities import Band, channel_bin, time_bin
from visds.dynspec import binning, cell_sums


@dataclass(frozen=True, eq=False, repr=False)
class DynamicSpectrum(Record):
    """Sums over baselines of turned, weighted, unflagged visibilities, per cell.

    With w the weight (1/sigma^2 of the real part, Jy-2) and V the visibility turned to the
    target, the sums run over the unflagged cross-correlations of a cell. Frequencies ascend,
    times ascend within a scan. A cell without data has sums of zero and the flag EMPTY.
    """

    format_name: ClassVar[str] = "visds.dynspec"
    format_version: ClassVar[int] = 3

    time: np.ndarray = array("T", "f8", "d", "centre of the integration, MJD UTC")
    integration: np.ndarray = array("T", "f8", "s", "length of the integration, gaps not counted")
    time_barycentre: np.ndarray = array(
        "T", "f8", "d", "time of arrival at the solar system's barycentre, MJD TDB")
    scan: np.ndarray = array("T", "i4", "", "scan number")
    frequency: np.ndarray = array("F", "f8", "Hz", "centre of the channel, ascending")
    channel_width: np.ndarray = array("F", "f8", "Hz", "width of the channel, positive")
    spectral_window: np.ndarray = array("F", "i4", "", "spectral window of the channel")
    primary_beam: np.ndarray = array(
        "F", "f8", "", "power of the primary beam at the target, by which the visibilities were "
        "divided: 1 where they were not, 0 where it is so low that the channel is empty")
    inflation: np.ndarray = array(
        "FP", "f8", "", "factor by which the robust error is above sigma, from the imaginary part "
        "and from off-source directions; at least 1, and 1 where it was not measured")
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

    @classmethod
    def read(cls, path: str | os.PathLike, target: str | None = None) -> Self:
        """Return the spectrum stored in a file, or in the ``dynspec.h5`` of a folder of products.

        Of a file of several directions that of `target`, a name; by default the first.

        Raises
        ------
        FormatError
            As `Record.read`, or if a folder has no ``dynspec.h5``.
        SettingsError
            If no direction, or more than one, has that name.
        """
        from visds.dynspec.spectra_file import number_of, read_spectrum

        path = Path(path)
        if path.is_dir():
            folder, path = path, path / "dynspec.h5"
            if not path.is_file():
                raise FormatError(f"{folder} is a folder without dynspec.h5 (expected one that "
                                  "visds-run made)")
        return read_spectrum(path, 0 if target is None else number_of(path, target))

    # ---- estimates -------------------------------------------------------------------------
    # Made once, of sums that do not change, and read-only.

    @property
    def flux_density(self) -> np.ndarray:
        """Flux density (T,F,P) in Jy: the real part of the weighted mean; NaN where flagged."""
        return self._estimates.flux_density

    @property
    def residual(self) -> np.ndarray:
        """Imaginary part of the weighted mean (T,F,P) in Jy: noise about zero."""
        return self._estimates.residual

    @cached_property
    def sigma(self) -> np.ndarray:
        """Standard error of `flux_density` (T,F,P) in Jy: the empirical one, else the formal.

        The scatter across baselines needs no trust in the scale of the weights. Where fewer than
        ten visibilities are in a cell it is itself too uncertain, and the formal error stands in
        its place, brought to the scale that the scatter of all cells gives (`weight_scale`). So
        it does where equal numbers have no scatter.
        """
        is_few = (self.count < 10) | np.isnan(self.sigma_empirical)
        if not is_few.any():
            return self.sigma_empirical
        sigma = np.where(is_few, self.sigma_formal * self.weight_scale, self.sigma_empirical)
        sigma.flags.writeable = False
        return sigma

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
        ratio, _ = cell_sums.variance_ratio(self)
        return {label: float(np.sqrt(ratio[p])) for p, label in enumerate(self.polarizations)
                if ratio[p] > 0}

    @property
    def sigma_formal(self) -> np.ndarray:
        """Formal error 1 / sqrt(sum w) (T,F,P) in Jy: right if the weights are 1/sigma^2."""
        return self._estimates.sigma_formal

    @property
    def sigma_empirical(self) -> np.ndarray:
        """Error from the scatter across baselines (T,F,P) in Jy; NaN for a single visibility.

        sigma^2 = sum w^2 |V - S|^2 / (2 ((sum w)^2 - sum w^2)): the sample's scatter about its
        own mean S, with the term sum w^2 that makes it unbiased for few visibilities of any
        weights w = 1/sigma^2 (for N equal weights it is the factor N / (N - 1)).
        """
        return self._estimates.sigma_empirical

    @property
    def sigma_robust(self) -> np.ndarray:
        """Third error (T,F,P) in Jy: `sigma`, enlarged to what is found where nothing should be.

        See `robust_error.error_inflation`.
        """
        return self.sigma * self.inflation

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
        return np.where(self.count[..., i] >= 10,
                        cell_sums.empirical_covariance(self, i, p), formal)

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

        Raises
        ------
        SettingsError
            If a width is not above zero, or cannot be read.
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
            name: getattr(self, name)[chosen] if spec.axes.startswith("F")
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
            **{name: getattr(self, name).take(kept, axis=-1)
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
        used = self.channel_width * (self.primary_beam > 0)
        power = groups.sum(used * self.primary_beam, 0) / np.maximum(groups.sum(used, 0), 1e-300)
        return self.replace(frequency=groups.sum(self.frequency * self.channel_width, 0) / width,
                            channel_width=width, primary_beam=power,
                            inflation=self._summed_inflation(groups),
                            spectral_window=self.spectral_window[groups.start],
                            **self._summed(groups, axis=1))

    @property
    def has_parallel_pair(self) -> bool:
        """Whether both Stokes parameters of the parallel hands are held (I and V, or I and Q)."""
        return {"I", self._partner()} <= set(self.polarizations)

    def light_curve(self, band: Band | None = None) -> Any:
        """Return the `LightCurve` of the whole band, or of channels centred in `band`.

        `band` is ``("1.3GHz", "1.4GHz")``, two numbers in Hz, two Quantities, or
        ``"1.3-1.4GHz"``. Errors as `LightCurve.from_spectrum`.
        """
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

        write_fits([self], path)

    def to_xarray(self) -> Any:
        """Return an xarray Dataset of dimensions time, frequency, polarization, with units.

        See `visds.dynspec.exchange.xarray_dataset.spectrum_dataset`.
        """
        from visds.dynspec.exchange.xarray_dataset import spectrum_dataset

        return spectrum_dataset(self)

    def plot(self, plot: str = "I", *, detections: Any = None, **options: Any) -> Any:
        """Return the matplotlib figure of a plot; a notebook shows it by itself.

        As `visds-plot` draws it. A spectrum of a single channel becomes a light curve, one of a
        single integration a line of flux density against frequency.

        Parameters
        ----------
        plot : str
            A quantity against time and frequency: I, Q, U, V, L, RR, LL, XX, YY, V/I, L/I, PA
            (position angle), ellipticity, ``imaginary:V``, ``sigma:V`` or ``snr:V``; or
            lightcurve, of the whole band; or overview, of both above each other; or faraday, |F|
            against Faraday depth of the mean and of detections.
        detections : astropy Table, optional
            To be outlined and numbered.
        **options
            Those of `visds-plot`, with underscores and as a user writes them there, e.g.
            ``colour_limit=["V=5mJy"]``; `visds-plot --help` says what each means.

            * figure: picture_width, picture_height, picture_resolution, label_size,
              tick_rotation, plot_title
            * units: flux_unit, stellar_radius, stellar_distance
            * axes: time_axis, time_unit, gaps, frequency_gaps, scan_edges
            * colours: colour_scale, colour_power, colour_limit, colour_map, interpolation
            * V: invert_v
            * masks: mask_angles_below
            * cuts: expected_sign, sign_tolerance, least_polarization, strong,
              polarization_rule, mask_above, mask_below
            * variability: block_probability, shortest_period, longest_period, period, epoch,
              phase_bins, autocorrelation_level
            * Faraday depth: largest_depth, rm_clean
            * light curve: curves, curve_bin, flux_range, colour_by_polarization
            * marks: mark_time, mark_flux, mark_detections

        Raises
        ------
        SettingsError
            If the spectrum does not hold what is to be drawn, or for an option that cannot be used.
        """
        from visds.dynspec.plots.draw import plot_figure

        return plot_figure(self, plot, detections=detections, **options)

    # ---- inside ----------------------------------------------------------------------------

    @cached_property
    def _estimates(self) -> cell_sums.Estimates:
        return cell_sums.estimates(self)

    def __getstate__(self) -> dict[str, Any]:
        # The sums alone go to another rank; what follows from them is made there if it is wanted.
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def _partner(self) -> str:
        return "V" if "RR" in self.parallel_hands else "Q"

    def _hand_sign(self, hand: str) -> int:
        return 1 if hand in ("RR", "XX") else -1

    def _summed_inflation(self, groups: binning.Groups) -> np.ndarray:
        """Return the inflation (G,P) of bins: that of the sum of the variances of their cells."""
        weighted = np.nansum((self.sum_w * self.sigma) ** 2, axis=0)
        whole = groups.sum(weighted, 0)
        inflated = groups.sum(weighted * self.inflation**2, 0)
        return np.sqrt(np.divide(inflated, whole, out=np.ones(whole.shape), where=whole > 0))

    def _summed(self, groups: binning.Groups, axis: int) -> dict[str, np.ndarray]:
        pair = ((self.index("I"), self.index(self._partner())) if self.has_parallel_pair
                else (-1, -1))
        return cell_sums.summed(self, groups, axis, pair)


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)
