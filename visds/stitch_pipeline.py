"""The recipe of stitching: read the spectra of runs -> stitch -> light curve -> detect -> plot.

Only this module knows the order, and only it writes files, none of them one of a run's.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from visds.core.errors import ExitCode, FormatError, SettingsError
from visds.core.farm import Farm
from visds.core.files import make_folder, only_writer, whole_file
from visds.core.log import log_file, logger
from visds.core.plural import counted
from visds.core.provenance import Provenance, command_line, file_hash, refuse_other_program
from visds.core.settings import Settings
from visds.core.sky import Direction
from visds.dynspec.cuts import cut_cells
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.dynspec.fits import write_fits
from visds.dynspec.plots.settings import check_pictures
from visds.dynspec.robust_error import imaginary_inflation, off_source_inflation
from visds.dynspec.spectra_file import directions_of, number_of, read_spectrum, write_spectra
from visds.dynspec.stitch_runs import stitch_runs
from visds.seen_twice import seen_twice
from visds.stitched_spectra import MOST_OFF_SOURCE
from visds.target_pictures import draw_targets
from visds.target_products import TargetJob, TargetProducts, doubts_of, write_tables
from visds.target_tables import joined

PRODUCTS = ("dynspec.h5", "dynspec.fits", "lightcurve.ecsv", "variability.ecsv",
            "polarization.ecsv", "detections.ecsv", "settings.toml")


def stitch_products(runs: Sequence[str], out: str, names: Sequence[str],
                    settings: Settings) -> int:
    """Stitch the spectra of runs, search them, and write all to the folder `out`.

    `names` are the targets to stitch, by default all that every run has. Directions off source
    that all runs have hold the search to account, as in a run.

    Raises
    ------
    VisdsError
        If the runs cannot be stitched or the output cannot be written. What is there of another
        run then stays as it is.
    """
    files = [_product(Path(run)) for run in runs]
    if len({path.resolve() for path in files}) < len(files):
        raise SettingsError("the same OUT is given twice, and would count twice")
    if any(path.resolve().parent == Path(out).resolve() for path in files):
        raise SettingsError(f"-o {out} is the folder of one of the runs: give another")
    targets, off_source = _directions(files, names)
    labels = _labels(files)
    spectra = _stitched(files, labels, targets, off_source, settings)
    first = next(spectra)
    check_pictures(settings["plot"], first.polarizations,
                   first.parallel_hands if first.has_parallel_pair else ())
    folder = make_folder(out)
    with only_writer(folder / "log.txt"), log_file(folder / "log.txt"):
        refuse_other_program(folder, "visds-stitch")
        for path in folder.glob("provenance.json"):
            path.unlink()
        logger.info("%s: %s, %s and %s", ", ".join(labels), counted(len(targets), "target"),
                    counted(len(first.time), "integration"),
                    counted(len(first.frequency), "channel"))
        for entry in first.meta["stitched"]:
            for kind in ("scans", "spectral_windows"):
                moved = {old: new for old, new in entry[kind].items() if old != str(new)}
                if moved:
                    logger.info("%s: %s", entry["name"], ", ".join(
                        f"{kind.replace('_', ' ')[:-1]} {old} is {new}"
                        for old, new in moved.items()))
        _write(folder, first, spectra, targets, off_source, settings)
        Provenance(command_line(), {str(path): file_hash(path) for path in files},
                   settings.written(), 1).write(
            folder / "provenance.json", products={name: file_hash(folder / name)
                                                  for name in PRODUCTS})
    return ExitCode.OK


def _write(folder: Path, first: DynamicSpectrum, others: Iterator[DynamicSpectrum],
           targets: Sequence[str], off_source: Sequence[str], settings: Settings) -> None:
    with whole_file(folder / "settings.toml") as part:
        part.write_text(settings.to_toml())
    product = folder / "dynspec.h5"
    write_spectra(product, (spectrum for some in ([first], others) for spectrum in some))
    write_fits((read_spectrum(product, number) for number in range(len(targets))),
               folder / "dynspec.fits")
    job = TargetJob(product, settings, tuple(range(
        len(targets), len(targets) + len(off_source))))
    found: list[TargetProducts] = [job(number) for number in range(len(targets))]
    detections = joined([(one.name, one.detections) for one in found])
    with whole_file(folder / "detections.ecsv") as part:
        detections.write(part, format="ascii.ecsv", overwrite=True)
    write_tables(found, folder)
    draw_targets(product, found, detections, settings, folder / "plots", Farm())
    places = {str(meta["target"]): Direction(float(meta["ra_deg"]), float(meta["dec_deg"]))
              for meta in directions_of(product)}
    for line in [*doubts_of(found),
                 *seen_twice(detections, places, float(first.meta.get("beam_arcsec", np.nan)))]:
        logger.warning("%s", line)
    logger.info("%s: %s", folder, counted(len(detections), "detection"))
    logger.info("plots: %s; visds-plot %s draws others, visds-match %s looks for the events in "
                "catalogues", folder / "plots", folder, folder / "detections.ecsv")


def _stitched(files: Sequence[Path], labels: Sequence[str], targets: Sequence[str],
              off_source: Sequence[str], settings: Settings) -> Iterator[DynamicSpectrum]:
    """Yield the stitched spectra of targets and off-source directions of these names.

    The third error is measured on them, and the cuts are those of the settings.
    """
    def stitched(name: str) -> DynamicSpectrum:
        return stitch_runs([read_spectrum(path, number_of(path, name)) for path in files], labels)

    floor = off_source_inflation(map(stitched, off_source[:MOST_OFF_SOURCE]))
    for name in (*targets, *off_source):
        spectrum = stitched(name)
        inflation = imaginary_inflation(spectrum)
        if name in targets and floor is not None:
            inflation = np.maximum(inflation, floor)
        yield cut_cells(spectrum.replace(inflation=inflation), settings["cut"])


def _directions(files: Sequence[Path], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of the targets to stitch, and of the off-source directions of all runs.

    Raises
    ------
    SettingsError
        If a run does not have a target that is wanted, or the runs have none in common.
    """
    held = [{_plain(meta): meta for meta in directions_of(path)} for path in files]
    common = [name for name in held[0] if all(name in other for other in held)]
    off_source = [str(held[0][name]["target"]) for name in common
                  if held[0][name].get("role") == "off source" and _is_at_one_place(
                      [other[name] for other in held])]
    if wanted:
        for path in files:
            for name in wanted:
                number_of(path, name)
        return list(wanted), off_source
    targets = [str(held[0][name]["target"]) for name in common
               if held[0][name].get("role") != "off source"]
    if not targets:
        raise SettingsError("the runs have no target in common: " + "; ".join(
            f"{path.parent} has " + ", ".join(
                str(meta["target"]) for meta in metas.values() if meta.get("role") != "off source")
            for path, metas in zip(files, held, strict=True)))
    return targets, off_source


def _is_at_one_place(metas: Sequence[dict]) -> bool:
    """Whether off-source directions of a name are one, and not placed anew in each run."""
    return len({(round(float(meta["ra_deg"]), 6), round(float(meta["dec_deg"]), 6))
                for meta in metas}) == 1


def _labels(files: Sequence[Path]) -> list[str]:
    """Return what tells the runs apart: their folders' names, or else their paths."""
    names = [path.resolve().parent.name for path in files]
    return names if len(set(names)) == len(names) else [str(path.parent) for path in files]


def _product(run: Path) -> Path:
    path = run / "dynspec.h5" if run.is_dir() else run
    if not path.is_file():
        raise FormatError(f"{run} is not a folder that visds-run finished: it holds no dynspec.h5")
    return path


def _plain(meta: dict) -> str:
    return "".join(str(meta.get("target", "")).split()).casefold()
