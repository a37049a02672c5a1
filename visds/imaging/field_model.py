"""The recipe of a field model: from a measurement set to Taylor-term images and components.

plan -> read -> Stokes I -> scratch set -> clean -> images, components, picture. The scratch set
holds visibilities as visds-run settles them, so the model has the scale of what it is subtracted
from, whatever the telescope's conventions.
"""

import math
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from visds.core.casa import load_casatools
from visds.core.errors import ImagingError, OutputError, SettingsError
from visds.core.files import make_folder, only_writer, output_error, whole_file
from visds.core.flux_text import flux_text
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.provenance import Provenance, command_line, file_hash
from visds.core.settings import Settings
from visds.core.sky import LIGHT_SPEED, Direction, angle_text
from visds.imaging.clean import CleanImages, clean
from visds.imaging.clean_settings import CleanSettings
from visds.imaging.component_table import component_table
from visds.imaging.fits_image import write_image
from visds.imaging.geometry import SMALLEST_AUTOMATIC, Geometry, good_size
from visds.imaging.image import Content, Image
from visds.imaging.imaged_data import chunk_of_task, read_pieces
from visds.imaging.intervals import content, intervals, pieces
from visds.imaging.model_settings import ModelSettings
from visds.imaging.plots import quick_look
from visds.imaging.scratch_set import (
    Observatory,
    ScratchSet,
    scratch_bytes,
    write_scratch_set,
)
from visds.imaging.settings import WHOLE
from visds.imaging.stokes_visibility import gather
from visds.imaging.weighting import Weighting
from visds.visibility.fingerprint import fingerprint
from visds.visibility.plan import Plan, plan_chunks
from visds.visibility.selection import ReadSettings, refuse_measured_weights

STAGES = {"read": ReadSettings, "model": ModelSettings, "clean": CleanSettings}
NAME = "field"
LARGEST = 4096
"""Pixels a side of an image whose size is not given; larger ones take tclean hours."""
WIDEST = 1.3
"""Of an image in units of the radius of the sphere: the corners of one of sqrt(2) are on it."""

_NARROW_BAND = 0.02
_SURE = 7.0  # times the noise: the highest of 1e6 beams of noise is at 5, and sidelobes add to it
_OF_POLARIZATION = ("stokes", "v_convention", "parallactic", "receptor_angle")
# Of weights that are neither natural nor uniform the beam is some 1.2 fringes wide: five pixels.
_PIXELS_A_FRINGE = 4
_IMAGES = ("model", "image", "residual", "psf")


def make_field_model(measurement_set: str, out: str, settings: Settings) -> Path:
    """Make the model of a field in the folder `out`; return the path of its first Taylor term.

    Products appear when all are made; after an error those of an earlier run are as before. The
    measurement set is only read, and the scratch copy removed whatever happens.

    Raises
    ------
    VisdsError
        For input that cannot be used, an output that cannot be written, or if tclean fails.
    """
    refuse_measured_weights(settings["read"])
    plan = plan_chunks(measurement_set, settings["read"])
    own = settings["model"]
    folder = make_folder(out, outside=measurement_set)
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        _refuse_other_products(folder, own)
        _say(measurement_set, plan)
        unused = [name for name in _OF_POLARIZATION if settings.differs("read", name)]
        if unused:
            logger.info("of no use to a field model, which is of Stokes I: %s", ", ".join(
                "--" + name.replace("_", "-") for name in unused))
        for left in (*folder.glob(".scratch-*"), *folder.glob(".products-*")):
            shutil.rmtree(left)  # by a run that was killed
        scratch = make_folder(own.scratch or folder, outside=measurement_set)
        _check_space(scratch, plan)
        try:
            with tempfile.TemporaryDirectory(prefix=".scratch-", dir=scratch) as name, \
                    tempfile.TemporaryDirectory(prefix=".products-", dir=folder) as part:
                _make(measurement_set, plan, settings, folder / "casa.log", Path(name), Path(part))
                _move_into_place(Path(part), folder)
        except OSError as error:
            raise output_error(folder, error) from error
        model = folder / f"{NAME}.model.tt0"
        logger.info("field model: %s", model)
    return model


def choose_geometry(data: ScratchSet, centre: Direction, settings: ModelSettings,
                    ) -> tuple[Geometry, list[str]]:
    """Return pixel and size of the images, and what is doubtful about them, as lines of text.

    Raises
    ------
    SettingsError
        If the dishes are of unknown size and no size of the image is given.
    """
    doubts = []
    cell = settings.cell
    if cell is None:
        cell = math.degrees(1 / max(data.longest, 1.0)) / _PIXELS_A_FRINGE
    elif math.radians(cell) * data.longest > 0.5:
        doubts.append(f"a pixel of {angle_text(cell)} is more than half a fringe of the longest "
                      f"baseline ({angle_text(math.degrees(1 / data.longest))}): it is too large "
                      "for these data")
    if settings.size is not None:
        if settings.field_width is not None and settings.cell is not None:
            raise SettingsError("--size, --cell and --field-width contradict one another: give two")
        if settings.field_width is not None:
            cell = settings.field_width / settings.size
        geometry = Geometry(centre, cell, good_size(settings.size))
        if math.radians(geometry.width) > WIDEST:
            raise SettingsError(f"{settings.size} pixels of {angle_text(cell)} are more than the "
                                "half of the sky that an image has room for: give a smaller --size")
        return geometry, doubts
    width = settings.field_width
    if width is None:
        if not data.diameter:
            raise SettingsError("the measurement set does not say how large the dishes are: give "
                                "--field-width or --size")
        # To the first null of an evenly lit dish, at both sides.
        null = 1.22 * LIGHT_SPEED / data.band[0] / data.diameter
        width = math.degrees(2 * null)
    width = min(width, math.degrees(WIDEST))
    fewest = min(SMALLEST_AUTOMATIC, int(math.degrees(WIDEST) / cell))
    pixels = good_size(max(math.ceil(width / cell), fewest))
    if pixels > LARGEST:
        doubts.append(f"the field, {angle_text(width)} wide, takes {pixels} pixels; images have "
                      f"{LARGEST} ({angle_text(LARGEST * cell)}), and what is outside is not in "
                      "the model: --size or --cell change that")
        pixels = LARGEST
    return Geometry(centre, cell, pixels), doubts


def choose_terms(band: tuple[float, float], settings: ModelSettings) -> int:
    """Return the number of Taylor terms: 2, or 1 where the band says nothing of the spectrum."""
    if settings.taylor_terms is not None:
        return settings.taylor_terms
    return 2 if 2 * (band[1] - band[0]) / (band[1] + band[0]) >= _NARROW_BAND else 1


def _make(measurement_set: str, plan: Plan, settings: Settings, log: Path, scratch: Path,
          part: Path) -> None:
    """Make all products in the folder `part`."""
    own = settings["model"]
    centre = Direction(*plan.phase_centre, plan.frame).to("ICRS")
    chunks = [chunk_of_task(task) for task in plan.tasks]
    whole = intervals(chunks, WHOLE)[0]
    made_of = content(chunks, whole, plan.tasks[0].source.frequency_frame)
    data = write_scratch_set(
        scratch / "scratch.ms", gather(read_pieces(pieces(chunks, whole)), ("I",), centre),
        centre=centre, observatory=Observatory.of(plan.description), mjd=made_of.middle,
        frame=made_of.frame)
    geometry, doubts = choose_geometry(data, centre, own)
    terms = choose_terms((made_of.band_low, made_of.band_high), own)
    for line in doubts:
        logger.warning("%s", line)
    logger.info("images of %d x %d pixels of %.3g arcsec, %s", geometry.size, geometry.size,
                3600 * geometry.cell, counted(terms, "Taylor term"))
    try:
        images = clean(data, scratch / NAME, geometry, Weighting("briggs", own.robust),
                       settings["clean"], terms=terms, log=log, say=logger.info)
    except ImagingError as error:
        raise ImagingError(f"{error} (see {log})") from error
    logger.info("%s; rms %s/beam; %s; %s gridder", images.summary(), flux_text(images.rms),
                counted(images.major_cycles, "major cycle"), images.gridder)
    doubts += _write_products(images, plan, made_of, own, data, part)
    inputs = {measurement_set: fingerprint(measurement_set)}
    with whole_file(part / "settings.toml") as file:
        file.write_text(settings.to_toml())
    Provenance(command_line(), inputs, settings.written(), 1).write(
        part / "provenance.json", warnings=[*plan.warnings, *doubts],
        clean={"iterations": images.iterations, "reason": images.reason, "terms": images.terms,
               "gridder": images.gridder, "rms_jy": images.rms, "peak_residual_jy": images.peak},
        products={path.name: file_hash(path) for path in sorted(part.iterdir())
                  if path.is_file()})


def _write_products(images: CleanImages, plan: Plan, made_of: Content, settings: ModelSettings,
                    data: ScratchSet, part: Path) -> list[str]:
    """Write FITS images, components and picture, and move tclean's own images here.

    Returns what is doubtful about them, as lines of text, which are told.
    """
    terms = range(images.terms)
    restored = Image(
        images.read("image"), images.geometry, "I", made_of, images.beam, None,
        weighting=f"briggs {settings.robust:g}", natural_rms=1 / math.sqrt(data.sum_of_weights),
        kind="cleaned", meta={"TELESCOP": plan.description.telescope, "OBJECT": plan.field})
    write_image(restored, part / f"{NAME}.image.fits")
    write_image(restored.replace(values=images.read("residual"), kind="residual"),
                part / f"{NAME}.residual.fits")
    for term in terms:
        _write_fits(images.path("model", term), part / f"{NAME}.model.tt{term}.fits")
    components = component_table(np.array([images.read("model", term) for term in terms]),
                                 images.geometry, images.reference_frequency,
                                 merge=settings.merge)
    with whole_file(part / f"{NAME}.components.ecsv") as file:
        components.write(file, format="ascii.ecsv", overwrite=True)
    with whole_file(part / f"{NAME}.png") as file:
        file.write_bytes(quick_look(restored, images.geometry.centre, images.rms,
                                    mark="phase centre"))
    kept = [images.path(kind, term) for kind in _IMAGES for term in terms]
    for path in filter(Path.exists, [*kept, images.path("mask")]):
        shutil.move(path, part / path.name)
    if len(components):
        logger.info("%s, together %.4g Jy at %.5g MHz", counted(len(components), "component"),
                    components["I"].value.sum(), images.reference_frequency / 1e6)
    doubts = _doubts(restored, images.rms, components)
    for line in doubts:
        logger.warning("%s", line)
    return doubts


def _doubts(restored: Image, rms: float, components: Table) -> list[str]:
    """Return what is doubtful about a model, as lines of text."""
    if not len(components):
        return ["nothing was cleaned: the model is empty"]
    brightest = float(np.nanmax(restored.values)) / rms if rms else math.inf
    if brightest < _SURE:
        return [f"the brightest source of the image is {brightest:.1f} times its noise: the model "
                "may be noise, which subtracting adds to the spectrum of the target instead of "
                "taking sources out"]
    return []


def _write_fits(image: Path, path: Path) -> None:
    """Write an image of CASA's as FITS, with all that its header says, but for the frame.

    CASA says FK5, equinox 2000; the positions are those of the ICRS.
    """
    tool = load_casatools().image()
    tool.open(str(image))
    try:
        tool.tofits(str(path.absolute()), velocity=False, history=False)
    finally:
        tool.close()
    fits.setval(path, "RADESYS", value="ICRS")


def _move_into_place(part: Path, folder: Path) -> None:
    """Move products to their names, provenance.json last; take the earlier ones away."""
    earlier = part / "earlier"
    earlier.mkdir()
    # Hidden folders are not found by this pattern.
    for path in [folder / "provenance.json", *folder.glob(f"{NAME}.*")]:
        if path.exists():
            os.replace(path, earlier / path.name)
    for path in sorted(part.iterdir(), key=lambda path: path.name == "provenance.json"):
        if path != earlier:
            os.replace(path, folder / path.name)


def _refuse_other_products(folder: Path, settings: ModelSettings) -> None:
    held = (folder / f"{NAME}.model.tt0").exists()
    if held and not settings.replace:
        raise OutputError(f"{folder} holds a field model; --replace makes it again")
    if not held and (folder / "provenance.json").exists():
        raise OutputError(f"{folder} holds the products of another program; choose another folder "
                          "with -o")


def _say(measurement_set: str, plan: Plan) -> None:
    logger.info("%s: %s, field %s, %s", measurement_set, plan.description.telescope, plan.field,
                counted(len(plan.tasks), "chunk"))
    for choice in plan.choices:
        logger.info("chosen: %s", choice)
    for warning in plan.warnings:
        logger.warning("%s", warning)


def _check_space(scratch: Path, plan: Plan) -> None:
    needed = sum(scratch_bytes(int(task.run_length.sum()), len(task.source.frequency))
                 for task in plan.tasks)
    free = shutil.disk_usage(scratch).free
    if needed > free:
        raise OutputError(f"the scratch copy of the data needs {needed / 1e9:.3g} GB, and "
                          f"{scratch} has {free / 1e9:.3g} GB: give another folder with --scratch")
