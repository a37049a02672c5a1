"""The recipe of a simulated observation: settings to a measurement set and its companions."""

import glob
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visds.core.errors import OutputError
from visds.core.files import output_error
from visds.core.settings import Settings
from visds.visibility.simulation.antennas import AntennaArray, make_array
from visds.visibility.simulation.background import draw_background, write_components
from visds.visibility.simulation.catalogue import make_catalogue, write_catalogue
from visds.visibility.simulation.defects import draw_interference, keep_rows, write_interference
from visds.visibility.simulation.fill import Observed, fill_table
from visds.visibility.simulation.images import write_taylor_images
from visds.visibility.simulation.noise import make_noise_level
from visds.visibility.simulation.schedule import Schedule, make_schedule
from visds.visibility.simulation.settings import ArraySettings
from visds.visibility.simulation.skeleton import correlations_of, simulate_skeleton
from visds.visibility.simulation.sky_geometry import array_location, parallactic_angle
from visds.visibility.simulation.spectrum import Spectrum, make_spectrum
from visds.visibility.simulation.storage import create_table
from visds.visibility.simulation.truth import make_truth, write_truth

_QUIET_POWER = 1000.0  # Jy, in autocorrelations of a simulation without noise


@dataclass(frozen=True)
class Products:
    """What one simulation writes, side by side.

    Attributes
    ----------
    measurement_set, truth, components, catalogue : Path
    images : tuple of Path
        Taylor terms of the background, from ``.tt0``.
    interference : Path or None
        Where the interference is, if there is any.
    """

    measurement_set: Path
    truth: Path
    components: Path
    catalogue: Path
    images: tuple[Path, ...]
    interference: Path | None

    def __iter__(self):
        """Run over all paths that exist."""
        yield from (self.measurement_set, self.truth, self.components, self.catalogue)
        yield from self.images
        if self.interference is not None:
            yield self.interference


def products_of(path: str | os.PathLike, settings: Settings) -> Products:
    """Return the paths that a simulation of this name will write."""
    path = Path(path).absolute()
    stem = path.with_suffix("") if path.suffix == ".ms" else path

    def beside(suffix: str) -> Path:
        return stem.with_name(stem.name + suffix)
    defects = settings["defects"]
    spoiled = defects.rfi_bursts or defects.rfi_tones
    return Products(
        path, beside(".truth.ecsv"), beside(".components.ecsv"), beside(".catalogue.ecsv"),
        tuple(beside(f".model.tt{k}") for k in range(settings["field"].taylor_terms)),
        beside(".rfi.ecsv") if spoiled else None)


def simulate(path: str | os.PathLike, settings: Settings) -> Products:
    """Write a simulated measurement set and its companions.

    Everything is built in a temporary folder beside `path` and renamed at the end: what an error
    leaves behind is what was there before.

    Raises
    ------
    SettingsError
        If the settings contradict one another.
    OutputError
        If something of one of the names exists, unless the settings say to overwrite it, or if
        nothing can be written there.
    """
    products = products_of(path, settings)
    if not settings["output"].overwrite:
        _refuse_to_replace(products)
    folder = products.measurement_set.with_name(
        f".{products.measurement_set.name}.{secrets.token_hex(4)}.part")
    try:
        folder.mkdir(parents=False)
        _build(folder, products, settings)
        _move_into_place(folder, products)
    except OSError as error:
        raise output_error(products.measurement_set, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return products


def _build(folder: Path, products: Products, settings: Settings) -> None:
    array = make_array(settings["array"])
    schedule = make_schedule(settings["schedule"], array)
    spectrum = make_spectrum(settings["spectrum"], array.frequency)
    seeds = np.random.SeedSequence(settings["output"].seed).spawn(6)
    sources, noisy, spoiling, dropping, listing = (np.random.default_rng(s) for s in seeds[:5])
    truth = make_truth(settings["target"], schedule, spectrum.centre, settings.written())
    background = draw_background(settings["field"], schedule.positions[0],
                                 (truth.ra, truth.dec), spectrum.centre, sources)
    correlations = correlations_of(array.feeds, settings["array"].correlations)
    receptor_angle = np.radians(settings["array"].receptor_angle)
    noise = make_noise_level(
        settings["noise"], antennas=len(array.names), correlations=correlations,
        frequency=spectrum.frequency, channel_width=spectrum.step,
        integration=schedule.integration, random=noisy)
    rows = simulate_skeleton(
        str(folder / "skeleton.ms"), array, schedule, spectrum, correlations=correlations,
        autocorrelations=settings["array"].autocorrelations, receptor_angle=receptor_angle)
    rows = rows[keep_rows(settings["defects"].dropped, rows, len(array.names),
                          schedule.time.size, dropping)]
    interference = draw_interference(settings["defects"], schedule, spectrum, len(array.names),
                                     spoiling)
    columns = tuple(name for name, wanted in (
        ("CORRECTED_DATA", settings["output"].corrected),
        ("MODEL_DATA", settings["output"].model),
        ("WEIGHT_SPECTRUM", settings["noise"].weight_spectrum)) if wanted)
    measurement_set = str(folder / products.measurement_set.name)
    create_table(str(folder / "skeleton.ms"), measurement_set, rows=len(rows),
                 channels=spectrum.channels, correlations=len(correlations), columns=columns)
    power = noise.sigma * np.sqrt(2 * abs(spectrum.step) * schedule.integration)
    observed = Observed(
        schedule, spectrum, truth, background, settings["schedule"].calibrator_flux, correlations,
        _feed_angle(settings["array"], array, schedule, receptor_angle),
        _is_swapped(settings["array"], array, spectrum), noise, power or _QUIET_POWER,
        interference, settings["defects"])
    fill_table(measurement_set, rows, observed, columns, seeds[5])
    write_truth(truth, folder / products.truth.name)
    write_components(background, folder / products.components.name)
    write_taylor_images(background, schedule.positions[0], [p.name for p in products.images],
                        folder)
    write_catalogue(make_catalogue(truth, background, settings["target"].proper_motion,
                                   schedule.start, listing), folder / products.catalogue.name)
    if products.interference is not None:
        write_interference(interference, schedule, spectrum, array.names,
                           folder / products.interference.name)


def _feed_angle(settings: ArraySettings, array: AntennaArray, schedule: Schedule,
                receptor_angle: float) -> np.ndarray:
    turns = settings.parallactic == "on" or (
        settings.parallactic == "auto" and array.feeds == "linear" and array.mount == "alt-az")
    angle = np.full(schedule.time.size, receptor_angle)
    if turns:
        location = array_location(array.positions)
        for field, position in enumerate(schedule.positions):
            chosen = schedule.field == field
            angle[chosen] += parallactic_angle(schedule.time[chosen], position, location)
    return angle


def _is_swapped(settings: ArraySettings, array: AntennaArray, spectrum: Spectrum) -> bool:
    low, high = array.swapped_band
    return settings.dipoles == "swapped" or (
        settings.dipoles == "auto" and low <= spectrum.centre <= high)


def _refuse_to_replace(products: Products) -> None:
    for product in products:
        if os.path.lexists(product):
            raise OutputError(f"{product} exists; --overwrite replaces it")


def _move_into_place(folder: Path, products: Products) -> None:
    stem = products.truth.name.removesuffix(".truth.ecsv")
    # An earlier simulation of this name may have had more images, or interference.
    others = [*products.truth.parent.glob(f"{glob.escape(stem)}.model.tt[0-9]*"),
              products.truth.with_name(f"{stem}.rfi.ecsv")]
    for product in {*products, *others}:
        if os.path.lexists(product):
            os.replace(product, folder / f"replaced {product.name}")
    for product in products:
        os.replace(folder / product.name, product)
