"""What is subtracted from an observation: the sky model read, checked and freed of the target."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from visds.core.errors import MeasurementSetError, SettingsError
from visds.core.plural import counted
from visds.core.provenance import key
from visds.core.sky import LIGHT_SPEED, Direction, angle_text
from visds.core.told_once import told_once
from visds.model_fit import ModelFit
from visds.self_subtraction import SelfSubtraction
from visds.target import Target
from visds.target_models import TargetModels
from visds.visibility.plan import Plan
from visds.visibility.primary_beam.beam import outside
from visds.visibility.sky_model.components import ComponentModel, check_spectra
from visds.visibility.sky_model.engine import (
    NOMINAL,
    Choice,
    Problem,
    calibrate,
    choose_engines,
)
from visds.visibility.sky_model.excise import Removed, excise, flux_density_inside
from visds.visibility.sky_model.gpu import check_gpu
from visds.visibility.sky_model.images import ImageModel, check_frequency, to_components
from visds.visibility.sky_model.model import Part, SkyModel
from visds.visibility.sky_model.on_field import check_on_field
from visds.visibility.sky_model.predict import BATCH_BYTES, Method
from visds.visibility.sky_model.readers.read import files_of, read_sky_model
from visds.visibility.sky_model.settings import ModelSettings

_BEAMS = 1.5
_REACH = 3.0
"""Widths of the primary beam within which a model must have a source."""


@dataclass(frozen=True)
class Excision:
    """What of the sky model lay around a target.

    `removed` was taken out, `removed_apparent` is its flux density and `left` that which the parts
    still hold there, Gaussians that reach into it included (Stokes I as seen through the beam, Jy).
    """

    target: str
    removed: tuple[Removed, ...]
    removed_apparent: float
    left: float


@dataclass(frozen=True, eq=False)
class Subtraction:
    """The sky model of an observation, without the target, and how it is predicted.

    The `model` is all of it, subtracted in the chunk files. `radius_deg` is that of the disc around
    each target in which it is put back in that target's spectrum: `excisions` say what was there,
    in the order of the targets, and `at_targets` holds it, None if there is nothing.
    `key` stands for what is subtracted and how accurately; which engine was the faster one does not
    change it. `choices` are lines of text; `seconds` what predicting takes one rank.
    """

    model: SkyModel
    method: Method
    at_targets: TargetModels | None
    radius_deg: float
    excisions: tuple[Excision, ...]
    key: str
    files: tuple[str, ...]
    choices: tuple[str, ...]
    warnings: tuple[str, ...]
    seconds: float

    def __str__(self):
        """Return the names of what is subtracted."""
        return ", ".join([*(part.origin for part in self.model.parts), *self.model.columns]) \
            or "none"


def prepare_subtraction(plan: Plan, settings: ModelSettings, targets: Sequence[Target], *,
                        field_width: float, beam: Callable | None,
                        powers: Sequence[float]) -> Subtraction:
    """Return what is subtracted.

    Parameters
    ----------
    plan : Plan
    settings : ModelSettings
    targets : sequence of Target
    field_width : float
        Of the primary beam, deg.
    beam : callable or None
        Power attenuation of the primary beam, for intrinsic flux densities.
    powers : sequence of float
        Of the beam at each target, in the middle of the band; 1 without a beam.

    Raises
    ------
    SkyModelError
        If a model cannot be read or does not belong to the field or its frequencies.
    MeasurementSetError
        If a column is not there.
    SettingsError
        If the model has intrinsic flux densities and no primary beam is chosen.
    """
    radius = settings.excise_radius or _BEAMS * coarsest_beam(plan)
    frequency = middle_frequency(plan)
    whole = read_sky_model(settings.model, plan.description.data_columns,
                           None if settings.model_flux == "auto" else settings.model_flux)
    if plan.column in whole.columns:
        raise MeasurementSetError(f"--model {plan.column}: that is the column of the data, which "
                                  "would be subtracted from itself")
    _check_parts(plan, whole, field_width, beam)
    rest, every, own, removed = whole, [], [], []
    for target in targets:
        if settings.keep_target:
            removed.append(())
            continue
        rest, taken, _ = excise(rest, target.direction, radius, frequency)
        every += taken.parts
        _, around, what = excise(whole, target.direction, radius, frequency)
        own.append(around)
        removed.append(what)
    excisions = tuple(
        _excision(rest, target, what, radius, frequency, power)
        for target, what, power in zip(targets, removed, powers, strict=True))
    smeared = {is_intrinsic: _is_smeared(settings, is_intrinsic) for is_intrinsic in (True, False)}
    model, method, engines = _method(plan, whole, settings, beam)
    return Subtraction(
        model=model, method=method, radius_deg=radius, excisions=excisions,
        at_targets=TargetModels(SkyModel(tuple(every)), tuple(own), smeared, beam)
        if every else None,
        key=key(whole, settings.engine, replace(method, engines=())),
        files=files_of(settings.model, plan.description.data_columns),
        choices=(*_described(whole, frequency), *_excised(excisions, radius, settings),
                 *(f"{part.origin}: predicted {choice}"
                   for part, choice in zip(model.parts, engines, strict=True))),
        warnings=_unseen(plan, whole, beam),
        seconds=sum(choice.seconds for choice in engines))


def subtraction_entry(subtraction: Subtraction, checks: Sequence[SelfSubtraction],
                      fit: ModelFit | None) -> dict[str, Any]:
    """Return what provenance.json says of the sky model; `checks` are those of the targets."""
    return {
        "parts": [{"name": part.origin, "intrinsic": part.is_intrinsic,
                   "because": part.scale_reason, "engine": engine}
                  for part, engine in zip(subtraction.model.parts, subtraction.method.engines,
                                          strict=True)],
        "columns": list(subtraction.model.columns),
        "excised": {"radius_arcsec": 3600 * subtraction.radius_deg,
                    "removed": [dataclasses.asdict(what) | {"target": excision.target}
                                for excision in subtraction.excisions
                                for what in excision.removed]},
        "self_subtraction": [dataclasses.asdict(check) for check in checks],
        "fit": fit and dataclasses.asdict(fit)}


def coarsest_beam(plan: Plan) -> float:
    """Return 1.02 times wavelength over the longest baseline used at the lowest frequency, deg."""
    wavelength = LIGHT_SPEED / _band(plan)[0]
    longest = plan.longest_used(plan.max_baseline, wavelength)
    return math.degrees(1.02 * wavelength / max(longest, 1.0))


def middle_frequency(plan: Plan) -> float:
    """Return the mean of the centres of the chunks' bands, Hz."""
    return float(np.mean([task.source.frequency.mean() for task in plan.tasks]))


def _check_parts(plan: Plan, model: SkyModel, field_width: float, beam: Callable | None) -> None:
    centre = Direction(*plan.phase_centre, plan.frame)
    for part in model.parts:
        if isinstance(part.content, ImageModel):
            check_frequency(part.content, *_band(plan), part.origin)
        else:
            check_spectra(part.content, *_band(plan), part.origin)
        check_on_field(part, centre, _REACH * field_width)
        if part.is_intrinsic and beam is None:
            raise SettingsError(f"--model: the flux densities of {part.origin} are intrinsic "
                                f"({part.scale_reason}): give the --primary-beam through which "
                                "they are seen, or --model-flux apparent")


def _method(plan: Plan, model: SkyModel, settings: ModelSettings,
            beam: Callable | None) -> tuple[SkyModel, Method, tuple[Choice, ...]]:
    """Return the model in the form in which its parts are predicted, how, and why so."""
    contents = [part.content for part in model.parts]
    intrinsic = [part.is_intrinsic for part in model.parts]
    smeared = tuple(_is_smeared(settings, is_intrinsic) for is_intrinsic in intrinsic)
    is_choice = settings.engine == "auto" and any(
        isinstance(content, ImageModel) for content in contents)
    engines = choose_engines(
        settings.engine, contents, _problem(plan),
        calibrate(settings.epsilon) if is_choice else NOMINAL, epsilon=settings.epsilon,
        smeared=smeared, attenuated=intrinsic)
    if settings.engine == "gpu" and contents:
        check_gpu()
    parts = tuple(
        part if choice.engine == "gridded" or not isinstance(part.content, ImageModel)
        else replace(part, content=to_components(part.content))
        for part, choice in zip(model.parts, engines, strict=True))
    method = Method(tuple(choice.engine for choice in engines), smeared, settings.epsilon,
                    beam if any(intrinsic) else None)
    return replace(model, parts=parts), method, engines


def _is_smeared(settings: ModelSettings, is_intrinsic: bool) -> bool:
    return is_intrinsic if settings.smear_model == "auto" else settings.smear_model == "yes"


def _problem(plan: Plan) -> Problem:
    """Return what predicting an image for the observation is, as if all chunks were alike."""
    largest = max((task.source for task in plan.tasks), key=lambda source: len(source.frequency))
    channels = len(largest.frequency)
    visibilities = sum(task.visibilities for task in plan.tasks)
    rows = -(-visibilities // channels)
    batch = min(rows // len(plan.tasks), int(BATCH_BYTES / (8 * channels)))
    return Problem(rows, max(batch, 1), largest.frequency, plan.max_baseline,
                   Direction(*plan.phase_centre, plan.frame))


def _described(model: SkyModel, frequency: float) -> list[str]:
    lines = []
    for part in model.parts:
        content = part.content
        if isinstance(content, ImageModel):
            size = " x ".join(map(str, content.pixels.shape[:1:-1]))
            planes = counted(len(content.pixels), "plane" if len(content.plane_frequency)
                             else "Taylor term")
            if planes == "1 Taylor term":
                planes += " (the same at all frequencies)"
            what = (f"image of {size} pixels, {planes}, "
                    f"{counted(len(content.nonzero[0]), 'pixel')} with flux")
            intensity = (content.flux_density([frequency])[content.polarizations.index("I"), 0]
                         if "I" in content.polarizations else 0.0)
        else:
            what = counted(len(content), "component")
            intensity = content.flux_density(np.array([frequency]))[0].sum()
        scale = "intrinsic" if part.is_intrinsic else "apparent"
        lines.append(f"sky model {part.origin}: {what}, together {intensity:.4g} Jy at "
                     f"{frequency / 1e6:.5g} MHz, {scale} ({part.scale_reason})")
    return lines + [f"sky model: column {column}" for column in model.columns]


def _excision(model: SkyModel, target: Target, removed: tuple[Removed, ...], radius: float,
              frequency: float, power: float) -> Excision:
    """Return what was around a target, and what a model without the targets still has there."""
    def apparent(what: Part | Removed, flux_density: float) -> float:
        return flux_density * (power if what.is_intrinsic else 1)

    left = sum(apparent(what, what.flux_density)
               for what in excise(model, target.direction, radius, frequency)[2])
    left += sum(apparent(part, flux_density_inside(part.content, target.direction, radius,
                                                   frequency))
                for part in model.parts if isinstance(part.content, ComponentModel))
    return Excision(target.name, removed,
                    sum(apparent(what, what.flux_density) for what in removed), left)


def _excised(excisions: tuple[Excision, ...], radius: float,
             settings: ModelSettings) -> list[str]:
    if settings.keep_target:
        return ["the target is subtracted too where the sky model holds it (--keep-target)"]
    lines = []
    for excision in excisions:
        name = "the target" if len(excisions) == 1 else excision.target
        lines += [(name, f"not subtracted, within {angle_text(radius)} of {name}: {what}")
                  for what in excision.removed]
    return told_once(lines)


def _unseen(plan: Plan, model: SkyModel, beam: Callable | None) -> tuple[str, ...]:
    """Return warnings of components that the primary beam leaves nothing of."""
    centre = Direction(*plan.phase_centre, plan.frame)
    lines = []
    for part in model.parts:
        if not part.is_intrinsic or isinstance(part.content, ImageModel):
            continue
        unseen = int(outside(beam, part.content.cosines(centre), np.array(_band(plan))).sum())
        if unseen:
            lines.append(f"sky model {part.origin}: {counted(unseen, 'component')} beyond what is "
                         "known of the primary beam, predicted as zero")
    return tuple(lines)


def _band(plan: Plan) -> tuple[float, float]:
    """Return the lowest and highest frequency of the data, Hz."""
    frequencies = [task.source.frequency for task in plan.tasks]
    return float(min(map(np.min, frequencies))), float(max(map(np.max, frequencies)))
