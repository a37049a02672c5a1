"""An observation made ready: plan, target, sky model and catalogues, all read and checked."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from visds.core.catalogue import Catalogue
from visds.core.errors import MeasurementSetError, SettingsError, SkyModelError
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.polarization import Handedness, available_stokes
from visds.core.provenance import file_hash, key
from visds.core.quantities import channel_bin, time_bin
from visds.core.settings import Settings
from visds.core.sky import LIGHT_SPEED, Direction, angle_text, separation
from visds.crossmatch.several import check_match, read_catalogues
from visds.dynspec.binning import channel_bin_text, time_bin_text
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.settings import check_pictures
from visds.dynspec.smearing import smearing
from visds.run_settings import AverageSettings
from visds.target import find_target
from visds.visibility.description import Description
from visds.visibility.fingerprint import fingerprint
from visds.visibility.plan import Plan, plan_chunks
from visds.visibility.sky_model.components import ComponentModel
from visds.visibility.sky_model.on_field import check_on_field
from visds.visibility.sky_model.readers.table import read_components

_MODEL_COLUMN = "MODEL_DATA"
_FIELD_OF_UNKNOWN_DISH = 10.0


@dataclass(frozen=True, eq=False)
class Observation:
    """What a run works on, with what was chosen and what is doubtful, as lines of text."""

    measurement_set: str
    plan: Plan
    target: Direction
    target_name: str
    target_origin: str
    bins: tuple[str, ...]
    added_stokes: tuple[str, ...]
    model: ComponentModel | None
    model_column: str | None
    model_file: str | None
    catalogues: dict[str, Catalogue]
    catalogue_files: tuple[str, ...]
    fingerprint: str
    correlations: tuple[str, ...]
    warnings: tuple[str, ...]

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

    def model_key(self) -> str:
        """Return the key of what is subtracted."""
        return key(self.model, self.model_column)

    def choices(self) -> list[str]:
        """Return what is observed and what was chosen for the user, as lines of text."""
        plan = self.plan
        integrations = len({time for task in plan.tasks for time in task.time})
        return [f"{self.measurement_set}: {plan.description.telescope}, field {plan.field}, "
                f"{counted(integrations, 'integration')} in "
                f"{counted(len({task.scan for task in plan.tasks}), 'scan')}, "
                f"{counted(len(plan.tasks), 'chunk')}",
                f"target at {self.target}" + (
                    f" ({self.target_origin})" if self.target_origin else ""),
                *self.bins, *self.added_stokes,
                *(f"chosen: {choice}" for choice in plan.choices),
                *self._model_line(),
                *(f"catalogue {name}: {counted(len(catalogue), 'source')}"
                  + "".join(f"; {note}" for note in catalogue.notes)
                  for name, catalogue in self.catalogues.items())]

    def _model_line(self) -> list[str]:
        if self.model is None:
            return []
        frequency = np.array([float(np.mean([task.source.frequency.mean()
                                             for task in self.plan.tasks]))])
        flux_density = float(self.model.flux_density(frequency)[0].sum())
        components = counted(len(self.model.ra), "component")
        return [f"sky model {self.model_file}: {components}, together {flux_density:.4g} Jy at "
                f"{frequency[0] / 1e6:.5g} MHz"]

    def say(self) -> None:
        """Write to the log what was chosen and what is doubtful."""
        for line in self.choices():
            logger.info("%s", line)
        for warning in self.warnings:
            logger.warning("%s", warning)

    def meta(self) -> dict[str, Any]:
        """Return what the dynamic spectrum's `meta` says of the observation."""
        plan = self.plan
        return {
            "target": self.target_name, "ra_deg": self.target.ra, "dec_deg": self.target.dec,
            "field": plan.field, "phase_centre_deg": list(plan.phase_centre),
            "phase_centre_frame": plan.frame, "telescope": plan.description.telescope,
            "measurement_set": self.measurement_set, "column": plan.column,
            "weights": plan.weights, "weights_calibrated": plan.weights_calibrated,
            "handedness": dataclasses.asdict(plan.handedness),
            "frequency_frame": plan.tasks[0].source.frequency_frame,
            "model": self.model_file or self.model_column or "none",
            "observatory_m": plan.description.position.tolist()}

    def inputs(self) -> dict[str, str]:
        """Return input files with their hashes (the measurement set: its fingerprint)."""
        files = [name for name in (self.model_file, *self.catalogue_files) if name]
        return {self.measurement_set: self.fingerprint} | {f: file_hash(f) for f in files}

    def summary(self) -> dict[str, str]:
        """Return the lines of the report's summary."""
        plan = self.plan
        windows = sorted({task.source.spectral_window for task in plan.tasks})
        return {
            "Target": f"{self.target} (ICRS)" if self.target_name == str(self.target)
                      else f"{self.target_name}, {self.target} (ICRS)",
            "Measurement set": self.measurement_set,
            "Telescope": plan.description.telescope,
            "Field": f"{plan.field}, phase centre "
                     f"{Direction(*plan.phase_centre)} ({plan.frame})",
            "Data column": plan.column, "Weights": plan.weights,
            "Spectral windows": ", ".join(map(str, windows)),
            "Correlations": " ".join(self.correlations),
            "Stokes": " ".join(plan.stokes),
            "Handedness": _handedness_text(plan.handedness),
            "Sky model": self._model_text(),
            "Catalogues": ", ".join(self.catalogues) or "none"}

    def with_beam(self, spectrum: DynamicSpectrum) -> DynamicSpectrum:
        """Return the spectrum with the size of the beam in its `meta`: 1.02 times lambda over the
        longest baseline used, the half-power width of an aperture evenly filled to there.
        """  # noqa: D205
        wavelength = LIGHT_SPEED / float(np.mean(spectrum.frequency))
        longest = self.plan.longest_used(spectrum.meta["longest_baseline_m"], wavelength)
        beam = 3600 * math.degrees(1.02 * wavelength / longest) if longest else math.nan
        return spectrum.replace(meta=spectrum.meta | {"beam_arcsec": beam})

    def _model_text(self) -> str:
        if self.model is not None:
            return f"{self.model_file}: {len(self.model.ra)} components"
        return self.model_column or "none"


def prepare(measurement_set: str, settings: Settings) -> Observation:
    """Return the observation, everything that a user named read and checked.

    Raises
    ------
    VisdsError
        For whatever cannot be used, before any output is written.
    """
    plan = plan_chunks(measurement_set, settings["read"])
    centre = Direction(*plan.phase_centre, plan.frame)
    catalogues = read_catalogues(settings["match"])
    check_match(catalogues, settings["match"], plan.epoch)
    found = find_target(plan, settings["target"], catalogues)
    target = found.direction
    away = separation(target.to(plan.frame), centre)
    if away >= 90:
        raise SettingsError(f"--target: {target} is {away:.1f} deg from the phase centre of field "
                            f"{plan.field}; expected a position in the field")
    if settings["flag"].clip_v is not None and "V" not in available_stokes(
            plan.tasks[0].source.correlations):
        raise SettingsError("--clip-v: V cannot be made of the correlations "
                            f"{', '.join(plan.tasks[0].source.correlations)}")
    check_pictures(settings["plot"], plan.stokes, plan.parallel_hands)
    warnings = [*plan.warnings, *found.warnings]
    width = _field_width(plan)
    if away > 5 * width:
        raise SettingsError(f"--target: {target} is {angle_text(away)} from the phase centre of "
                            f"field {plan.field}, whose primary beam is {angle_text(width)} wide")
    if away > width / 2:
        warnings.append(f"the target is {angle_text(away)} from the phase centre, beyond half the "
                        f"primary beam ({angle_text(width)} wide): its flux density is attenuated")
    bandwidth, time = smearing(plan, away)
    if min(bandwidth, time) < 0.9:
        warnings.append(f"smearing at the target, {angle_text(away)} from the phase centre, leaves "
                        f"{bandwidth:.2f} (bandwidth) and {time:.2f} (time) of the flux density on "
                        "the longest baselines")
    model, column, file = _read_model(plan, settings["target"].model, centre, width)
    if model is not None:
        warnings += _target_in_model(plan, model, target)
    return Observation(
        measurement_set=measurement_set, plan=plan, target=target, target_name=found.name,
        target_origin=found.origin, bins=_bins(plan, settings["average"]),
        added_stokes=_added_stokes(plan, settings["read"].stokes), model=model,
        model_column=column, model_file=file, catalogues=catalogues,
        catalogue_files=tuple(item if Path(item).exists() else item.partition("=")[2]
                              for item in settings["match"].catalogue),
        fingerprint=fingerprint(measurement_set, _parts_elsewhere(plan.description)),
        correlations=_used_correlations(plan, settings), warnings=tuple(warnings))


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
    diameter = float(np.median(plan.description.dish_diameter))
    if diameter <= 0:
        return _FIELD_OF_UNKNOWN_DISH
    lowest = min(float(task.source.frequency.min()) for task in plan.tasks)
    return min(math.degrees(1.2 * LIGHT_SPEED / lowest / diameter), 180.0)


def _read_model(plan: Plan, text: str | None, centre: Direction,
                width: float) -> tuple[ComponentModel | None, str | None, str | None]:
    if text is None:
        return None, None, None
    if text == "column":
        if _MODEL_COLUMN not in plan.description.columns:
            raise MeasurementSetError(f"{plan.description.path} has no column {_MODEL_COLUMN} "
                                      "(--model column)")
        return None, _MODEL_COLUMN, None
    model = read_components(text)
    try:
        check_on_field(model, centre, 3 * width)
    except SkyModelError as error:
        raise SkyModelError(f"{text}: {error}") from None
    return model, None, text


def _finest_beam(plan: Plan) -> float:
    highest = max(float(task.source.frequency.max()) for task in plan.tasks)
    longest = plan.longest_used(plan.max_baseline, LIGHT_SPEED / highest)
    return 3600 * math.degrees(LIGHT_SPEED / highest / max(longest, 1.0))


def _target_in_model(plan: Plan, model: ComponentModel, target: Direction) -> list[str]:
    beam = _finest_beam(plan)
    near = [k for k in range(len(model.ra))
            if 3600 * separation(Direction(model.ra[k], model.dec[k]), target) < 1.5 * beam]
    if not near:
        return []
    flux = float(np.sum(model.stokes[near, 0]))
    return [f"the sky model holds {flux:.4g} Jy within 1.5 beams of the target: that much of the "
            "target itself is subtracted"]


def _handedness_text(handedness: Handedness) -> str:
    parts = [text for present, text in (
        (handedness.swap_feeds, "feeds swapped"),
        (handedness.negate, f"{' and '.join(handedness.negate)} negated"),
        (handedness.stokes_scale != 1, f"correlations times {handedness.stokes_scale:g}"),
        (handedness.pulsar_convention, "V in the pulsar convention")) if present]
    return "; ".join([", ".join(parts) or "as stored", handedness.source or "nothing known"])
