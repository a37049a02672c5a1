"""Settings of the sky model: what is subtracted, and how it is predicted."""

import math
from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.quantities import angle
from visds.core.settings import setting

ENGINES = ("auto", "direct", "gridded", "gpu")


def _epsilon(text) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1e-12 <= value <= 1e-2:
        raise SettingsError(f"'{text}' is not an accuracy: expected a number from 1e-12 to 0.01")
    return value


def _radius(text) -> float:
    value = angle(text)
    if not 0 < value < 90:
        raise SettingsError(f"'{text}' is not a radius on the sky")
    return value


@dataclass(frozen=True)
class ModelSettings:
    """Sky model: what is subtracted, and how it is predicted."""

    model: tuple[str, ...] = setting(
        None, "sky models to subtract, together: images in Jy/pixel (CASA, FITS; Taylor terms "
        "NAME.model.tt0 .tt1 by any of their names), component lists (WSClean, DP3, CASA), "
        "catalogues (AegeanTools, PyBDSF, ECSV, CSV, VOTable; with columns named as in --catalogue "
        "where they are not the usual ones), or columns of the measurement set ('column' is "
        "MODEL_DATA)", metavar="FILE|COLUMN", many=True)
    model_flux: str = setting(
        "auto", "whether flux densities of files are those of the sky (intrinsic) and are "
        "multiplied with the --primary-beam, or as seen through it (apparent); auto: as their "
        "headers say, else apparent", choices=("auto", "apparent", "intrinsic"))
    keep_target: bool = setting(
        False, "subtract the target too where the model holds it")
    excise_radius: float | None = setting(
        None, "radius of the disc around the target in which the model is not subtracted "
        "(default: 1.5 beams)", parse=_radius, metavar="ANGLE")
    smear_model: str = setting(
        "auto", "predict what averaging over channels and integrations takes from components off "
        "the phase centre; auto: of intrinsic ones, as a model made from the data themselves is "
        "smeared already", choices=("auto", "yes", "no"))
    engine: str = setting(
        "auto", "how visibilities are predicted: as a direct sum, by ducc0's w-gridder (images "
        "only), as a direct sum on a GPU, or whichever is faster here", choices=ENGINES)
    epsilon: float = setting(
        "1e-5", "accuracy of the prediction, as a fraction of the brightest visibility",
        parse=_epsilon, metavar="FRACTION")
