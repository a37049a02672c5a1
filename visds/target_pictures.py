"""The plots of targets: of one in a folder, of several in a folder each."""

import functools
from collections.abc import Sequence
from pathlib import Path

from astropy.table import Table

from visds.core.errors import OutputError
from visds.core.farm import Farm
from visds.core.files import name_of_file
from visds.core.log import logger
from visds.core.progress import Progress
from visds.core.settings import Settings
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.plots.draw import available_plots, draw_plot, picture
from visds.dynspec.plots.marks import times_outside
from visds.dynspec.spectra_file import read_spectrum
from visds.target_products import TargetProducts, by_significance

MOST_PICTURED = 12
"""Targets of which plots are drawn, the most significant ones."""
CAPTIONS = {"I": "Stokes I", "V": "Stokes V", "V/I": "Stokes V over I",
            "lightcurve": "Light curve", "overview": "Overview",
            "faraday": "Faraday spectrum", "bayesian_blocks": "Bayesian blocks",
            "structure_function": "Structure function", "periodogram": "Lomb-Scargle periodogram",
            "folded": "Folded on the period", "autocorrelation": "Autocorrelation"}


def draw_targets(product: Path, targets: Sequence[TargetProducts], detections: Table,
                 settings: Settings, folder: Path, farm: Farm) -> dict[str, Path]:
    """Draw the plots, one a task; return those of the most significant target, by caption.

    `product` holds the spectra. Of several targets the most significant ones have a folder each.

    Raises
    ------
    OutputError
        If a plot cannot be drawn or written.
    """
    several = len(targets) > 1
    order = by_significance(targets)[:MOST_PICTURED]
    first = read_spectrum(product, order[0].number)
    for moment in times_outside(first, settings["plot"].mark_time):
        logger.warning("--mark-time %s is outside the data and not marked", moment)
    chosen = [settings["plot"].plots or (*available_plots(first), *one.measures) for one in order]
    drawn = []
    with Progress("plots", sum(len(plots) for plots in chosen)) as progress:
        for one, plots in zip(order, chosen, strict=True):
            drawn.append(_draw_target(
                read_spectrum(product, one.number), detections[detections["target"] == one.name],
                plots, settings, folder / name_of_file(one.name) if several else folder, farm,
                progress))
    return drawn[0]


def _draw_target(spectrum: DynamicSpectrum, detections: Table, chosen: Sequence[str],
                 settings: Settings, folder: Path, farm: Farm,
                 progress: Progress) -> dict[str, Path]:
    pictured = picture(spectrum, chosen, settings["plot"], detections, settings["variability"])
    work = functools.partial(_draw_one, pictured, detections, settings["plot"], folder)
    pictures: dict[str, Path] = {}
    for outcome in farm.run(work, list(chosen)):
        progress.advance()
        if outcome.error:
            raise OutputError(f"plot {outcome.task} failed: {outcome.error}")
        for path in outcome.result:
            if path.suffix == ".png":
                pictures[outcome.task] = path
    ordered = sorted(pictures, key=lambda name: (name != "overview", chosen.index(name)))
    return {CAPTIONS.get(name, name): pictures[name] for name in ordered}


def _draw_one(pictured, detections, settings, folder, plot: str) -> list[Path]:
    return draw_plot(pictured, plot, detections, settings, folder)
