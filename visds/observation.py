"""An observation made ready: plan, target, sky model and catalogues, all read and checked."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visds.attenuation import Attenuation, prepare_beam
from visds.core.catalogue import Catalogue
from visds.core.errors import SettingsError
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.polarization import Handedness, available_stokes
from visds.core.provenance import file_hash, key
from visds.core.quantities import channel_bin, time_bin
from visds.core.settings import Settings
from visds.core.sky import LIGHT_SPEED, Direction, angle_text, separation
from visds.core.told_once import told_once
from visds.crossmatch.several import check_match, read_catalogues
from visds.dynspec.binning import channel_bin_text, time_bin_text
from visds.dynspec.cuts import check_cuts
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.flagging.interference import describe_flagger
from visds.dynspec.plots.settings import check_pictures
from visds.dynspec.smearing import smearing
from visds.find_targets import find_targets
from visds.off_source import place_off_source
from visds.run_settings import AverageSettings
from visds.subtraction import Subtraction, prepare_subtraction
from visds.target import Target
from visds.visibility.description import Description
from visds.visibility.fingerprint import fingerprint
from visds.visibility.plan import Plan, plan_chunks
from visds.visibility.primary_beam.settings import PrimaryBeamSettings

_FIELD_OF_UNKNOWN_DISH = 10.0
_FEW_INTEGRATIONS = 8
"""Of a chunk, below which flags and weights measured on it are doubtful."""
_NAMED = 5
"""Targets that are named one by one."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What a run works on, with what was chosen and what is doubtful, as lines of text.

    The first of `targets` is the main one: what holds for one direction only is said of it.
    `files` are those that a user named, but for the measurement set and sky models.
    """

    measurement_set: str
    plan: Plan
    targets: tuple[Target, ...]
    off_source: tuple[Target, ...]
    bins: tuple[str, ...]
    added_stokes: tuple[str, ...]
    subtraction: Subtraction
    attenuation: Attenuation | None
    smearing_corrected: bool
    catalogues: dict[str, Catalogue]
    files: tuple[str, ...]
    fingerprint: str
    correlations: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def target(self) -> Direction:
        """Position of the main target, ICRS at the epoch of observation."""
        return self.targets[0].direction

    @property
    def target_name(self) -> str:
        """Name of the main target."""
        return self.targets[0].name

    @property
    def directions(self) -> tuple[Target, ...]:
        """All directions that are looked in: the targets, then those off source."""
        return self.targets + self.off_source

    @property
    def epoch(self) -> float:
        """Julian year of the middle of the observation."""
        return self.plan.epoch

    @property
    def finest_beam(self) -> float:
        """Wavelength over the longest baseline used at the highest frequency, arcsec."""
        return _finest_beam(self.plan)

    def source_key(self) -> str:
        """Return the key of the state of the measurement set, whatever path leads to it."""
        return key(self.fingerprint)

    def choices(self) -> list[str]:
        """Return what is observed and what was chosen for the user, as lines of text."""
        plan = self.plan
        integrations = len({time for task in plan.tasks for time in task.time})
        return [f"{self.measurement_set}: {plan.description.telescope}, field {plan.field}, "
                f"{counted(integrations, 'integration')} in "
                f"{counted(len({task.scan for task in plan.tasks}), 'scan')}, "
                f"{counted(len(plan.tasks), 'chunk')}",
                *self._places(), *self.bins, *self.added_stokes,
                *(f"chosen: {choice}" for choice in plan.choices),
                *self.subtraction.choices,
                *((f"primary beam: {self.attenuation.words}",) if self.attenuation else ()),
                *(f"catalogue {name}: {counted(len(catalogue), 'source')}"
                  + "".join(f"; {note}" for note in catalogue.notes)
                  for name, catalogue in self.catalogues.items())]

    def say(self) -> None:
        """Write to the log what was chosen and what is doubtful."""
        for line in self.choices():
            logger.info("%s", line)
        for warning in self.warnings:
            logger.warning("%s", warning)

    def _places(self) -> list[str]:
        """Return where the directions are, as lines of text."""
        lines = []
        for target in self.targets[:_NAMED]:
            name = "" if len(self.targets) == 1 or target.name == str(target.direction) \
                else f"{target.name} "
            lines.append(f"target {name}at {target.direction}" + (
                f" ({target.origin})" if target.origin else ""))
        if len(self.targets) > _NAMED:
            lines.append(f"and {len(self.targets) - _NAMED} more targets")
        if self.off_source:
            lines.append(f"{counted(len(self.off_source), 'off-source direction')}")
        return lines

    def meta(self, number: int = 0) -> dict[str, Any]:
        """Return what the dynamic spectrum's `meta` says of the observation in a direction."""
        plan, target = self.plan, self.directions[number]
        known = {name: value for name, value in (
            ("distance_pc", target.distance_pc), ("radius_rsun", target.radius_rsun))
            if math.isfinite(value)}
        return known | {
            "target": target.name, "role": target.role,
            "ra_deg": target.direction.ra, "dec_deg": target.direction.dec,
            "field": plan.field, "phase_centre_deg": list(plan.phase_centre),
            "phase_centre_frame": plan.frame, "telescope": plan.description.telescope,
            "measurement_set": self.measurement_set, "column": plan.column,
            "weights": plan.weights, "weights_calibrated": plan.weights_calibrated,
            "handedness": dataclasses.asdict(plan.handedness),
            "frequency_frame": plan.tasks[0].source.frequency_frame,
            "model": str(self.subtraction),
            "primary_beam": self.attenuation.words if self.attenuation else "none",
            "smearing_corrected": self.smearing_corrected,
            "dish_diameter_m": plan.description.usual_dish_diameter,
            "observatory_m": plan.description.position.tolist()}

    def inputs(self) -> dict[str, str]:
        """Return input files with their hashes (the measurement set: its fingerprint)."""
        hashes = {path: fingerprint(path) if Path(path).is_dir() else file_hash(path)
                  for path in (*self.subtraction.files, *self.files)}
        return {self.measurement_set: self.fingerprint} | hashes

    def summary(self) -> dict[str, str]:
        """Return the lines of the report's summary."""
        plan = self.plan
        windows = sorted({task.source.spectral_window for task in plan.tasks})
        return {
            **self._summary_of_targets(),
            "Measurement set": self.measurement_set,
            "Telescope": plan.description.telescope,
            "Field": f"{plan.field}, phase centre "
                     f"{Direction(*plan.phase_centre)} ({plan.frame})",
            "Data column": plan.column, "Weights": plan.weights,
            "Spectral windows": ", ".join(map(str, windows)),
            "Correlations": " ".join(self.correlations),
            "Stokes": " ".join(plan.stokes),
            "Handedness": _handedness_text(plan.handedness),
            "Sky model": str(self.subtraction),
            "Primary beam": self.attenuation.words if self.attenuation
            else "not corrected: flux densities are apparent",
            "Catalogues": ", ".join(self.catalogues) or "none"}

    def _summary_of_targets(self) -> dict[str, str]:
        said = [f"{target.direction} (ICRS)" if target.name == str(target.direction)
                else f"{target.name}, {target.direction} (ICRS)"
                for target in self.targets[:_NAMED]]
        if len(self.targets) > _NAMED:
            said.append(f"{len(self.targets) - _NAMED} more")
        lines = {"Target" if len(self.targets) == 1 else "Targets": "; ".join(said)}
        if self.off_source:
            lines["Off-source directions"] = str(len(self.off_source))
        return lines

    def with_beam(self, spectrum: DynamicSpectrum) -> DynamicSpectrum:
        """Return the spectrum with the size of the beam in its `meta`: 1.02 times lambda over the
        longest baseline used, the half-power width of an aperture evenly filled to there.
        """  # noqa: D205
        wavelength = LIGHT_SPEED / float(np.mean(spectrum.frequency))
        longest = self.plan.longest_used(spectrum.meta["longest_baseline_m"], wavelength)
        beam = 3600 * math.degrees(1.02 * wavelength / longest) if longest else math.nan
        return spectrum.replace(meta=spectrum.meta | {"beam_arcsec": beam})


def prepare(measurement_set: str, settings: Settings) -> Observation:
    """Return the observation, everything that a user named read and checked.

    Raises
    ------
    VisdsError
        For whatever cannot be used, before any output is written.
    """
    plan = plan_chunks(measurement_set, settings["read"])
    catalogues = read_catalogues(settings["match"])
    check_match(catalogues, settings["match"], plan.epoch)
    width = _field_width(plan)
    targets = find_targets(plan, settings["target"], catalogues, width)
    if settings["flag"].clip_v is not None and "V" not in available_stokes(
            plan.tasks[0].source.correlations):
        raise SettingsError("--clip-v: V cannot be made of the correlations "
                            f"{', '.join(plan.tasks[0].source.correlations)}")
    describe_flagger(settings["flag"])  # a strategy that is not there is told of before the work
    check_pictures(settings["plot"], plan.stokes, plan.parallel_hands)
    check_cuts(settings["cut"], plan.stokes)
    warnings = [*plan.warnings, *(line for target in targets for line in target.warnings),
                *_short_chunks(plan, settings["flag"].flagger)]
    seen = prepare_beam(plan, settings["beam"], targets)
    warnings += _far_out(plan, targets, width, settings["beam"], seen)
    warnings += seen.warnings if seen else ()
    subtraction = prepare_subtraction(
        plan, settings["model"], targets, field_width=width, beam=seen and seen.beam,
        powers=seen.middle_powers if seen else [1.0] * len(targets))
    warnings += subtraction.warnings
    off_source, lacking = place_off_source(plan, settings["target"], targets, catalogues,
                                           subtraction, width)
    warnings += lacking
    return Observation(
        measurement_set=measurement_set, plan=plan, targets=targets, off_source=off_source,
        bins=_bins(plan, settings["average"]),
        added_stokes=_added_stokes(plan, settings["read"].stokes),
        subtraction=subtraction, attenuation=seen,
        smearing_corrected=settings["beam"].correct_smearing, catalogues=catalogues,
        files=(*(item if Path(item).exists() else item.partition("=")[2]
                 for item in settings["match"].catalogue),
               *filter(None, (settings["target"].targets, settings["target"].ephemeris))),
        fingerprint=fingerprint(measurement_set, _parts_elsewhere(plan.description)),
        correlations=_used_correlations(plan, settings), warnings=tuple(warnings))


def _short_chunks(plan: Plan, flagger: str) -> list[str]:
    """Return a warning where chunks are too short for what looks at them as a whole."""
    short = sum(len(task.time) < _FEW_INTEGRATIONS for task in plan.tasks)
    if not short or (flagger == "none" and plan.weights != "measured"):
        return []
    return [f"{short} of {counted(len(plan.tasks), 'chunk')} hold fewer than {_FEW_INTEGRATIONS} "
            "integrations: interference is hardly found in them, and weights measured on so few "
            "are uncertain (a larger --chunk-size holds more, where the scan has more)"]


def _far_out(plan: Plan, targets: Sequence[Target], width: float, beam: PrimaryBeamSettings,
             seen: Attenuation | None) -> list[str]:
    """Return warnings of targets that are attenuated or smeared and not corrected.

    Raises
    ------
    SettingsError
        If a target is outside the field, whose primary beam is `width` (deg) wide.
    """
    centre = Direction(*plan.phase_centre, plan.frame)
    attenuated, smeared = [], []
    for target in targets:
        name = "the target" if len(targets) == 1 else target.name
        away = separation(target.direction.to(plan.frame), centre)
        if away >= 90:
            raise SettingsError(f"--target: {target.named_place} is {away:.1f} deg from the phase "
                                f"centre of field {plan.field}; expected a position in the field")
        if away > 5 * width:
            raise SettingsError(
                f"--target: {target.named_place} is {angle_text(away)} from the phase centre of "
                f"field {plan.field}, whose primary beam is {angle_text(width)} wide")
        if away > width / 2 and seen is None:
            attenuated.append((name, f"{name} is {angle_text(away)} from the phase centre, beyond "
                               f"half the primary beam ({angle_text(width)} wide): its flux "
                               "density is attenuated; --primary-beam corrects it"))
        bandwidth, time = smearing(plan, away)
        if min(bandwidth, time) < 0.9 and not beam.correct_smearing:
            smeared.append((name, f"smearing at {name}, {angle_text(away)} from the phase centre, "
                            f"leaves {bandwidth:.2f} (bandwidth) and {time:.2f} (time) of the flux "
                            "density on the longest baselines; --correct-smearing corrects it"))
    return told_once(attenuated) + told_once(smeared)


def _parts_elsewhere(description: Description) -> list[str]:
    """Return the folders outside the measurement set that hold rows of it."""
    own = Path(description.path).resolve()
    return [part for part in description.parts if not Path(part).resolve().is_relative_to(own)]


def _used_correlations(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Return the labels, as settled, of the correlations that the user wants."""
    source = plan.tasks[0].source
    wanted = settings["read"].correlations or source.stored
    return tuple(label for stored, label in zip(source.stored, source.correlations, strict=True)
                 if stored in wanted)


def _bins(plan: Plan, average: AverageSettings) -> tuple[str, ...]:
    """Return what the bins of the products are, in counts and in units, as lines of text."""
    lines = []
    if average.time_bin:
        lines.append(time_bin_text(time_bin(average.time_bin),
                                   np.concatenate([task.time for task in plan.tasks]),
                                   np.concatenate([task.integration for task in plan.tasks])))
    if average.channel_bin:
        lines.append(channel_bin_text(channel_bin(average.channel_bin), np.concatenate(
            [task.source.channel_width for task in plan.tasks])))
    return tuple(lines)


def _added_stokes(plan: Plan, asked: str | None) -> tuple[str, ...]:
    """Return what is made beyond the Stokes parameters that were asked for, as lines of text."""
    added = [] if asked is None else [name for name in plan.stokes if name not in asked.upper()]
    return (f"Stokes {', '.join(added)} is made as well as {asked}",) if added else ()


def _field_width(plan: Plan) -> float:
    """Return the width (deg) of the primary beam, 1.2 lambda / D at the lowest frequency."""
    diameter = plan.description.usual_dish_diameter
    if diameter <= 0:
        return _FIELD_OF_UNKNOWN_DISH
    lowest = min(float(task.source.frequency.min()) for task in plan.tasks)
    return min(math.degrees(1.2 * LIGHT_SPEED / lowest / diameter), 180.0)


def _finest_beam(plan: Plan) -> float:
    highest = max(float(task.source.frequency.max()) for task in plan.tasks)
    longest = plan.longest_used(plan.max_baseline, LIGHT_SPEED / highest)
    return 3600 * math.degrees(LIGHT_SPEED / highest / max(longest, 1.0))


def _handedness_text(handedness: Handedness) -> str:
    parts = [text for present, text in (
        (handedness.swap_feeds, "feeds swapped"),
        (handedness.negate, f"{' and '.join(handedness.negate)} negated"),
        (handedness.stokes_scale != 1, f"correlations times {handedness.stokes_scale:g}"),
        (handedness.pulsar_convention, "V in the pulsar convention")) if present]
    return "; ".join([", ".join(parts) or "as stored", handedness.source or "nothing known"])
