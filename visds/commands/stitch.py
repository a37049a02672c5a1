"""visds-stitch: the dynamic spectra of several runs stitched to one, and searched."""

from collections.abc import Sequence
from dataclasses import dataclass

from visds.core.errors import SettingsError
from visds.core.program import run_program
from visds.core.settings import Parser, setting

_DESCRIPTION = """\
Stitch the dynamic spectra of several runs of visds-run, of nights, bands or parts of an
observation, to one, search it for bursts, and write dynspec.h5, dynspec.fits, light curves,
detections and plots to a folder of their own, for visds-plot, visds-match and visds-export. What
comes out is what one run of all the data would have made: runs of other targets, Stokes parameters,
conventions or corrections are refused, and so is what would count twice. To see runs beside each
other without stitching them, give them all to visds-plot."""

_EXAMPLES = """\
examples:
  visds-stitch may31 june1 june2 -o nights
  visds-stitch star_band3 star_band4 -o bands --target "UV Cet"
  visds-stitch may31 june1 -o nights --across-scans && visds-plot nights --plots V/I
"""
RUN_TABLES = ("read", "target", "model", "beam", "flag", "average", "match", "image", "run")
"""Tables of the settings of visds-run that stitching does not use."""


@dataclass(frozen=True)
class StitchSettings:
    """What is stitched."""

    target: tuple[str, ...] = setting(
        None, "names of the targets (default: all that every run has)", many=True, metavar="NAME")


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-stitch and return its exit code."""
    return run_program("visds-stitch", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    from visds.dynspec.cuts import CutSettings
    from visds.dynspec.detection.settings import DetectSettings
    from visds.dynspec.plots.settings import PlotSettings
    from visds.dynspec.polarimetry.settings import PolarizationSettings
    from visds.dynspec.variability.settings import VariabilitySettings

    parser = Parser("visds-stitch", _DESCRIPTION, {
        "stitch": StitchSettings, "detect": DetectSettings, "polarization": PolarizationSettings,
        "variability": VariabilitySettings, "cut": CutSettings, "plot": PlotSettings},
        epilog=_EXAMPLES, foreign=RUN_TABLES)
    parser.argparse.add_argument("runs", metavar="OUT", nargs="+",
                                 help="folders of finished runs, or their dynspec.h5")
    parser.argparse.add_argument("-o", "--out", metavar="FOLDER",
                                 help="folder of the products, not that of a run")
    arguments, settings = parser.parse(argv)
    if not arguments.out:
        raise SettingsError("-o FOLDER is missing: where the products are to go")
    if len(arguments.runs) < 2:
        raise SettingsError("one OUT is nothing to stitch: give two or more")
    from visds.stitch_pipeline import stitch_products

    return stitch_products(arguments.runs, arguments.out, settings["stitch"].target, settings)


if __name__ == "__main__":
    raise SystemExit(main())
