"""The HDF5 layout of dstools 2.0 (askap-vast): correlations of one direction, to and from.

A file holds `flux` (baselines, time, channel, 4), complex, in Jy, the correlations RR RL LR LL or
XX XY YX YY turned to the direction, NaN or 0 where there is nothing; `time` (MJD UTC in seconds),
`frequency` (Hz), `uvdist` (m), and attributes, of which `feeds` says which correlations they are.
dstools has no errors and no weights. It makes Stokes parameters as visds does, but U of circular
feeds with the opposite sign; the file itself is right.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord

from visds.core.errors import FormatError, SettingsError
from visds.core.flags import Flag
from visds.core.polarization import (
    CROSS_HANDS,
    STOKES,
    Handedness,
    pairs_of,
    stokes_of_correlation,
)
from visds.core.product_file import new_product
from visds.core.version import __version__
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.exchange.columns import observed
from visds.dynspec.exchange.imported import (
    Errors,
    Imported,
    axes_of,
    imported_spectrum,
    robust_scatter,
)

LAYOUT = "2.0.0"
DATASETS = ("flux", "frequency", "time", "uvdist")
_FEEDS = {("RR", "LL"): "circular", ("XX", "YY"): "linear"}
_OURS = "visds"
_SAID = ("target", "measurement_set", "role", "frequency_frame")


def write_dstools(spectrum: DynamicSpectrum, path: str | os.PathLike) -> None:
    """Write a dynamic spectrum as dstools has it, averaged over baselines (one of them).

    The correlations are those of feeds that stand north: RR = I + V, RL = Q + iU, XX = I + Q,
    XY = U + iV, with the imaginary parts of the means. Cells that are flagged are NaN, correlations
    that the spectrum does not tell of 0, which dstools takes for nothing. `uvdist` is the longest
    baseline. A group `visds`, which dstools does not look at, keeps what its layout has no place
    for: `sigma`, `weight`, `count` and `flags` (time, channel, Stokes), `inflation` (channel,
    Stokes), `covariance`, `integration`, `channel_width`, `scan`, and the name of the target.

    Raises
    ------
    OutputError
        If the file cannot be written.
    SettingsError
        If one Stokes parameter of a pair is not held (RR is neither I nor V), or there are fewer
        than two integrations or channels, of which dstools cannot tell a width.
    """
    T, F = len(spectrum.time), len(spectrum.frequency)
    if T < 2 or F < 2:
        raise SettingsError(f"dstools reads spectra of at least two integrations and two channels; "
                            f"this one has {T} and {F}")
    flux = np.stack([_correlation(spectrum, label) for label in _order(spectrum.parallel_hands)],
                    axis=-1)
    meta = spectrum.meta
    header = {"dstools_version": LAYOUT, "telescope": str(meta.get("telescope", "")),
              "datacolumn": str(meta.get("column", "")),
              "feeds": _FEEDS[tuple(spectrum.parallel_hands)], "baselines": 1,
              "integrations": T, "channels": F, "polarisations": 4,
              "correlations": 4 * T * F, "phasecentre": _position(meta), "pb_scale": 1.0,
              "origin": f"visds {__version__}"}
    with new_product(path) as file:
        for name, value in header.items():
            file.attrs[name] = value
        file["time"] = spectrum.time * 86400
        file["frequency"] = spectrum.frequency
        file["uvdist"] = [max(float(meta.get("longest_baseline_m") or 0), 1.0)]
        file["flux"] = flux[np.newaxis]
        ours = file.create_group(_OURS)
        ours.attrs["polarizations"] = "".join(spectrum.polarizations)
        for name in _SAID:
            ours.attrs[name] = str(meta.get(name, ""))
        ours.attrs["v_convention"] = observed(meta)["v_convention"]
        ours.attrs["observatory_m"] = meta.get("observatory_m", [0.0, 0.0, 0.0])
        ours.attrs["weight_scale"] = spectrum.weight_scale
        for name in ("integration", "channel_width", "scan", "flags", "inflation", "sigma",
                     "count"):
            ours[name] = getattr(spectrum, name)
        ours["weight"] = spectrum.sum_w
        if spectrum.has_parallel_pair:
            ours["covariance"] = spectrum.covariance
        file.check()


def is_dstools(path: str | os.PathLike) -> bool:
    """Whether a file is HDF5 of the layout of dstools."""
    try:
        with h5py.File(path) as file:
            return all(name in file for name in DATASETS) and "feeds" in file.attrs
    except OSError:
        return False


def read_dstools(path: str | os.PathLike) -> Imported:
    """Return the dynamic spectrum of a dstools file and what to know of it.

    A file of one baseline, an average, has no scatter to tell errors from: these are those of the
    imaginary part, by channel and Stokes parameter (`robust_scatter`). Of several baselines sums
    are made as of visibilities of equal weights; a sample that is missing in one correlation of a
    pair is left out of both. Nothing is done for the telescope's handedness or for the angle of
    the feeds. Where visds wrote the file, errors, flags, integrations and scans are those that it
    kept.

    Raises
    ------
    FormatError
        If the file is not of this layout.
    """
    path = Path(path)
    try:
        with h5py.File(path) as file:
            return _read(file, path)
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise FormatError(f"{path} cannot be read as a file of dstools: "
                          f"{' '.join(str(error).split())}") from error


def _read(file: h5py.File, path: Path) -> Imported:
    feeds = _text(file.attrs["feeds"])
    hands = next((hands for hands, name in _FEEDS.items() if name == feeds), None)
    if hands is None:
        raise ValueError(f"its feeds are '{feeds}', expected linear or circular")
    seconds, frequency = np.array(file["time"], float), np.array(file["frequency"], float)
    shape = file["flux"].shape
    if len(shape) != 4 or shape[1:] != (len(seconds), len(frequency), 4):
        raise ValueError(f"flux has the shape {shape}, expected (baselines, {len(seconds)} times, "
                         f"{len(frequency)} channels, 4)")
    ours = file.get(_OURS)
    axes = axes_of(seconds / 86400, frequency, *(
        None if ours is None else np.array(ours[name])
        for name in ("integration", "scan", "channel_width")))
    order = np.argsort(frequency, kind="stable")
    sums = _Sums(hands, (len(seconds), len(frequency)))
    for baseline in range(shape[0]):
        sums.add(np.array(file["flux"][baseline])[:, order])
    polarizations = sums.polarizations()
    summed = sums.named(polarizations)
    notes = [f"the file of dstools {_text(file.attrs.get('dstools_version', '1'))} holds "
             f"{shape[0]} baseline{'s' if shape[0] > 1 else ''}"]
    errors = None if ours is None else _kept_errors(ours, polarizations, summed["count"])
    if errors is not None:
        notes.append("errors, flags, integrations and scans are those that visds kept in it")
    elif shape[0] == 1:
        errors = sums.errors_of_imaginary_part(polarizations)
        notes.append("dstools has no errors: sigma is the scatter of the imaginary part, by "
                     "channel")
    else:
        notes.append("dstools has no weights: all baselines weigh the same")
    if hands == ("RR", "LL") and "U" in polarizations:
        notes.append("U is made of the correlations; dstools itself gives circular feeds' U the "
                     "opposite sign")
    if hands == ("XX", "YY") and ours is None:
        notes.append("Q and U are in the frame of the feeds, as dstools has them")
    meta = _meta(file, ours, path) | {
        "weights": "all equal" if errors is None else "of the file",
        "weights_calibrated": errors is not None}
    if errors is not None and errors.weight is not None:
        meta["weight_scale"] = {
            label: float(scale) for label, scale in
            zip(polarizations, ours.attrs["weight_scale"], strict=True) if np.isfinite(scale)}
    spectrum = imported_spectrum(axes, summed, polarizations, hands, meta, errors)
    if ours is not None and ours["flags"].shape == spectrum.flags.shape:
        kept = np.array(ours["flags"]) & ~np.uint16(int(Flag.EMPTY))
        spectrum = spectrum.replace(flags=spectrum.flags | kept,
                                    inflation=np.array(ours["inflation"]))
    return Imported(spectrum, tuple(notes))


def _kept_errors(ours: h5py.Group, polarizations: Sequence[str],
                 count: np.ndarray) -> Errors | None:
    """Return the errors that visds kept in a file; None if they are not those of all its means."""
    kept = {name: np.array(ours[name]) for name in ("sigma", "covariance", "weight", "count")
            if name in ours}
    if (_text(ours.attrs["polarizations"]) != "".join(polarizations)
            or np.any(~np.isfinite(kept["sigma"]) & (count > 0))):
        return None
    return Errors(**kept)


class _Sums:
    """Sums over the baselines of a file, each of weight 1, by Stokes parameter."""

    def __init__(self, hands: tuple[str, str], cells: tuple[int, int]):
        self._order = _order(hands)
        self._pairs = pairs_of(self._order)
        self._sums = {stokes: {name: np.zeros(cells, kind) for name, kind in (
            ("count", "i8"), ("wv", "c16"), ("w2v2", "f8"))} for stokes in STOKES}
        self._cross = np.zeros(cells)
        self._hands = np.zeros((2, *cells), complex)

    def add(self, flux: np.ndarray) -> None:
        """Add the correlations (T,F,4) of a baseline."""
        for pair in self._pairs:
            first, second = (flux[..., self._order.index(label)] for label in pair.correlations)
            good = np.isfinite(first) & np.isfinite(second) & (first != 0) & (second != 0)
            first, second = np.where(good, first, 0), np.where(good, second, 0)
            half = (first + second) / 2
            difference = pair.difference_factor * (first - second) / 2
            for stokes, values in ((pair.sum_stokes, half), (pair.difference_stokes, difference)):
                sums = self._sums[stokes]
                sums["count"] += good
                sums["wv"] += values
                sums["w2v2"] += values.real**2 + values.imag**2
            if pair.sum_stokes == "I":
                self._cross += (half * difference.conj()).real
                self._hands += [first, second]

    def polarizations(self) -> tuple[str, ...]:
        """Return the Stokes parameters of which there is a sample."""
        return tuple(stokes for stokes in STOKES if self._sums[stokes]["count"].any())

    def named(self, polarizations: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the sums (T,F,P) and (T,F) under the names of a DynamicSpectrum."""
        count, wv, w2v2 = (np.stack([self._sums[stokes][name] for stokes in polarizations], -1)
                           for name in ("count", "wv", "w2v2"))
        return {"count": count, "sum_w": count.astype(float), "sum_w2": count.astype(float),
                "sum_wv": wv, "sum_w2v": wv, "sum_w2v2": w2v2, "sum_w2_cross": self._cross,
                "sum_w2_covariance": np.zeros(self._cross.shape)}

    def errors_of_imaginary_part(self, polarizations: Sequence[str]) -> Errors:
        """Return the errors of the means of one baseline."""
        cells = self._cross.shape
        scatter = [robust_scatter(np.where(sums["count"] > 0, sums["wv"].imag, np.nan))
                   for sums in (self._sums[stokes] for stokes in polarizations)]
        sigma = np.broadcast_to(np.stack(scatter, axis=-1), (*cells, len(scatter)))
        first, second = (robust_scatter(np.where(hand != 0, hand.imag, np.nan))
                         for hand in self._hands)
        return Errors(sigma, np.broadcast_to((first**2 - second**2) / 4, cells))


def _correlation(spectrum: DynamicSpectrum, label: str) -> np.ndarray:
    """Return a correlation (T,F) of the means, 0 where the spectrum holds neither of its parts."""
    parts = stokes_of_correlation(label)
    held = [stokes for stokes in parts if stokes in spectrum.polarizations]
    if not held:
        return np.zeros(spectrum.sum_w.shape[:2], complex)
    if len(held) == 1:
        raise SettingsError(f"dstools' layout holds correlations: {label} is made of "
                            f"{' and '.join(parts)}, and the spectrum has only {held[0]}")
    mean = spectrum.flux_density + 1j * spectrum.residual
    return sum(factor * mean[..., spectrum.index(stokes)] for stokes, factor in parts.items())


def _order(hands: Sequence[str]) -> tuple[str, ...]:
    first, last = hands
    return (first, *CROSS_HANDS[first, last], last)


def _position(meta: dict[str, Any]) -> str:
    position = SkyCoord(meta.get("ra_deg", 0.0) * u.deg, meta.get("dec_deg", 0.0) * u.deg)
    return position.to_string("hmsdms", precision=8)


def _meta(file: h5py.File, ours: h5py.Group | None, path: Path) -> dict[str, Any]:
    """Return the metadata of a file, and of what visds kept in it if it wrote it."""
    position = _text(file.attrs["phasecentre"]).split()
    meta = {"target": path.stem, "role": "target",
            "ra_deg": float(Angle(position[0], u.hourangle).deg),
            "dec_deg": float(Angle(position[1], u.deg).deg),
            "telescope": _text(file.attrs.get("telescope", "")),
            "column": _text(file.attrs.get("datacolumn", "")),
            "primary_beam": f"as in the file (pb_scale {file.attrs.get('pb_scale', 1)})",
            "measurement_set": str(path)}
    if ours is None:
        return meta
    handedness = Handedness(pulsar_convention=_text(ours.attrs["v_convention"]) == "pulsar",
                            source="as visds wrote it")
    return meta | {name: _text(ours.attrs[name]) for name in _SAID if ours.attrs.get(name)} | {
        "observatory_m": [float(value) for value in ours.attrs["observatory_m"]],
        "handedness": dataclasses.asdict(handedness)}


def _text(value: Any) -> str:
    """Return an attribute as text; the first of several."""
    value = np.ravel(value)[0] if np.size(value) else ""
    return value.decode() if isinstance(value, bytes) else str(value)
