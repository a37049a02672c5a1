"""visds-image: images of a measurement set or of a run, and what is measured on them."""

from collections.abc import Sequence
from pathlib import Path

from visds.core.deadline import heed_signals
from visds.core.errors import MeasurementSetError, SettingsError
from visds.core.farm import Farm
from visds.core.program import run_program
from visds.core.recipe import run_recipe
from visds.core.settings import Parser

_DESCRIPTION = """\
Make images (FITS) of the visibilities of a measurement set, or of the chunk files of a run, which
have its sky model subtracted; and a table of what is measured on each: noise, peak, flux density at
the target, position and flux density of a source near it, with errors. --clean deconvolves them,
--find searches the whole field for sources that nobody listed and matches them with catalogues. The
images of one interval and band are one piece of work of an MPI rank. Images are apparent: they are
never corrected for the primary beam (there is no --primary-beam here)."""

_EPILOG = """\
products in OUT:
  NAME_I.fits ...   image in Jy/beam (SIN, ICRS), not corrected for the primary beam
  NAME_I.png ...    picture of it
  NAME_I.psf.fits   with --psf: response to a point source
  NAME_I.residual.fits, NAME_I.model.fits
                    with --clean: what is left (Jy/beam), and what was taken (Jy/pixel)
  images.ecsv       a row for each image
  found.ecsv        with --find: a row for each source in each image
  matches.ecsv      with --find: of the sources found with the catalogues
  log.txt, settings.toml, provenance.json

exit codes:
  0   all images are made
  2   input or settings cannot be used; the one line on standard error says what and where
  3   some images failed; the log names them
  130 interrupted from the keyboard
  143 ended by SIGTERM (of one process; a launcher has a code of its own):
      what is left are whole files

examples:
  visds-image star.visds
  visds-image star.visds --interval detections -o bursts
  visds-image star.ms --stokes IV --interval 60s --weighting briggs --robust 0.5
  visds-image star.ms --interval 60s --find --catalogue gaia.vot
  visds-image star.ms --clean --weighting briggs
  mpirun -n 16 visds-image star.visds --interval scan --bands 4 --centre target --size 512
"""
RUN_TABLES = ("target", "flag", "average", "detect", "plot", "run")
"""Tables of the settings of visds-run that images do not use."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-image and return its exit code."""
    return run_program("visds-image", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    heed_signals()
    from visds.crossmatch.settings import MatchSettings
    from visds.imaging.clean_settings import CleanSettings
    from visds.imaging.settings import ImageSettings
    from visds.visibility.selection import ReadSettings

    stages = {"image": ImageSettings, "read": ReadSettings, "clean": CleanSettings,
              "match": MatchSettings}
    parser = Parser("visds-image", _DESCRIPTION, stages, epilog=_EPILOG, foreign=RUN_TABLES)
    add = parser.argparse.add_argument
    add("source", metavar="MS|RUN",
        help="calibrated measurement set, or the folder of a finished visds-run")
    add("-o", "--out", metavar="OUT",
        help="folder of the products (default: RUN/images, or MS with .images for .ms)")
    arguments, settings = parser.parse(argv)
    out = arguments.out or _default_out(arguments.source)

    def program(farm: Farm) -> int:
        from visds.imaging_pipeline import run_images

        return run_images(arguments.source, out, settings, farm)

    return run_recipe("visds.imaging_pipeline", program)


def _default_out(source: str) -> str:
    if (Path(source) / "chunks").is_dir():
        return str(Path(source) / "images")
    stem = source.rstrip("/")
    name = stem.removesuffix(".ms").removesuffix(".MS")
    if name == stem:
        if not (Path(source) / "table.dat").is_file():
            raise MeasurementSetError(f"{source} is neither a measurement set nor the folder of a "
                                      "finished visds-run (with chunks)")
        raise SettingsError(f"-o OUT is missing, and {source} does not end in .ms")
    return name + ".images"


if __name__ == "__main__":
    raise SystemExit(main())
