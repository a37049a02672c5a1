"""The report of a run: what its page says of the observation and its targets."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from astropy.table import Table

from visds.core.provenance import command_line
from visds.core.settings import Settings
from visds.core.version import __version__
from visds.dynspec.imaginary_part import chi_squared
from visds.dynspec.report import (
    ReportSpectrum,
    detection_pictures,
    empty_integrations,
    overview_row,
    overview_table,
    polarization_table,
    scan_table,
    variability_table,
    write_report,
)
from visds.dynspec.spectra_file import read_spectrum
from visds.model_fit import ModelFit
from visds.observation import Observation
from visds.self_subtraction import SelfSubtraction, summaries
from visds.target_products import TargetProducts, by_significance
from visds.target_tables import joined

REPORTED_DETECTIONS = ["name", "position", "image_snr", "image_offset", "duration", "band_low",
                       "band_high", "polarization", "snr",
                       "false_alarm_probability", "peak_flux_density", "peak_flux_density_error",
                       "fluence", "fluence_error", "fraction_V", "fraction_V_error"]
REPORTED_MATCHES = ["catalogue", "left_name", "right_name", "separation_arcsec",
                    "normalized_separation", "chance_probability", "best"]
STATISTICS_NOTE = (
    "eta is the reduced chi-squared of a constant, V (TraP) the standard deviation over the mean "
    "(Swinbank et al. 2015; not Stokes V); probability is that of this eta or more from a constant "
    "source. They know thermal errors only: a bright source with gain errors, a resolved one whose "
    "baselines rotate and a spectrum whose flags change all look variable here. eta_imaginary "
    "tells how much of it the imaginary part shares. Periods and blocks are those of white noise: "
    "a flare or a drift has power at long periods.")
POLARIZATION_NOTE = (
    "Of the mean of each scan and of all, over the band, bursts included; of several targets that "
    "of all scans. Angles are given where L is significant, fractions where I is above 5 sigma, an "
    "rm where noise hardly makes such a peak; polarization.ecsv has all columns explained. Errors "
    "are those of the noise alone: those of the calibration, of the angle and of leakage, are not "
    "in them.")
DETECTIONS_NOTE = (
    "The position of a detection is that of a source fitted in the image of the burst less the "
    "time around it where position says image. Elsewhere it is assumed: the direction of the "
    "target, with an error of beam / (2 S/N), so that a match says only what lies in the direction "
    "that was looked at. An event may "
    "reach over a gap between scans or spectral windows, where its box is open: duration counts "
    "the gap, fluence only what was observed. Each is boxed in pictures of the polarization in "
    "which it has the highest signal to noise.")
NO_MODEL_NOTE = (
    " No sky model was subtracted: other sources in the field are still there, and their sidelobes "
    "change at the target as the array rotates, which is detected like a burst.")
NO_CATALOGUE = "no catalogue given to match with"
MOST_SHOWN = 12
"""Targets whose spectra are on the page, the most significant ones."""
_CELLS = 2**20
"""Of all spectra on the page together, all Stokes parameters counted."""


def write_run_report(path: Path, observation: Observation, product: Path,
                     targets: Sequence[TargetProducts], detections: Table, matches: Table,
                     pictures: Mapping[str, Path], warnings: Sequence[str], settings: Settings,
                     checks: Sequence[SelfSubtraction], fit: ModelFit | None) -> None:
    """Write the page of a run; `product` holds its spectra, `pictures` are by caption.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    main = read_spectrum(product)
    several = len(targets) > 1
    shown = by_significance(targets)[:MOST_SHOWN]
    variability = joined([(one.name, variability_table(one.variability)) for one in targets])
    if not several:
        variability.remove_column("target")
    polarization = _polarization(targets)
    reported = REPORTED_DETECTIONS if not several else ["target", *REPORTED_DETECTIONS]
    ran = {"Command": shlex.join(command_line()), "Version": f"visds {__version__}"}
    said = {"Self-subtraction": "; ".join(summaries(checks))} if checks else {}
    said |= {"Fit of the sky model": str(fit)} if fit else {}
    write_report(
        path, title=observation.target_name if not several else
        f"{observation.target_name} and {len(targets) - 1} more",
        summary=ran | observation.summary() | said,
        pictures=pictures, warnings=warnings, settings_text=settings.to_toml(),
        flag_statistics=main.meta["flag_statistics"], health=targets[0].health,
        chi_squared=chi_squared(main),
        tables={"Scans": scan_table(main), "Variability": variability,
                "Polarization": polarization,
                "Detections": detections[reported],
                "Matches": matches[REPORTED_MATCHES] if observation.catalogues else None},
        notes={"Variability": STATISTICS_NOTE, "Polarization": POLARIZATION_NOTE,
               "Health of the data": " ".join(filter(None, (
                   f"Of {targets[0].name}." if several else "", empty_integrations(main)))),
               "Detections": DETECTIONS_NOTE + _search_limit(detections)
               + ("" if observation.subtraction.model else NO_MODEL_NOTE)} | (
            {} if observation.catalogues else {"Matches": f"{NO_CATALOGUE}."}),
        spectra=[_shown(read_spectrum(product, one.number), one, detections, matches, pictures,
                        _CELLS // len(shown)) for one in shown],
        overview=_overview(observation, targets) if several else None)


def _shown(spectrum, one: TargetProducts, detections: Table, matches: Table,
           pictures: Mapping[str, Path], most_cells: int) -> ReportSpectrum:
    """Return what the page holds of a target; its events keep their numbers among all."""
    mine = detections["target"] == one.name
    return ReportSpectrum.of(
        spectrum, detections=detections[mine], matches=matches,
        numbers=[int(k) + 1 for k in mine.nonzero()[0]], pictures=detection_pictures(pictures),
        most_cells=most_cells)


def _polarization(targets: Sequence[TargetProducts]) -> Table:
    """Return the polarization of the mean: by scan of one target, else of all scans of each."""
    if len(targets) == 1:
        return polarization_table(targets[0].polarization)
    named = joined([(one.name, one.polarization[-1:]) for one in targets])
    table = polarization_table(named)
    table["scan"] = named["target"]
    table.rename_column("scan", "target")
    return table


def _overview(observation: Observation, targets: Sequence[TargetProducts]) -> Table:
    return overview_table(
        overview_row(one.name, ra=observation.directions[one.number].direction.ra,
                     dec=observation.directions[one.number].direction.dec,
                     variability=one.variability, detections=one.detections)
        for one in targets)


def _search_limit(detections: Table) -> str:
    """Return in words what the search left to the gains."""
    errors = detections.meta.get("coherent_error_Jy", {})
    said = ", ".join(f"{1e3 * error:.3g} mJy in {label}" for label, error in errors.items())
    return (f" An error of {said}, common to all channels, was added to the noise "
            "(--gain-error, --structure-error): weaker changes over the whole band are not found."
            if said else "")
