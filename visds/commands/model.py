"""visds-model: a model of the field, cleaned from the measurement set itself."""

import sys
from collections.abc import Sequence

from visds.core.errors import ExitCode, SettingsError
from visds.core.farm import Farm
from visds.core.plural import counted
from visds.core.program import run_program
from visds.core.recipe import run_recipe
from visds.core.settings import Parser

_DESCRIPTION = """\
Make a model of the field from a calibrated measurement set: Stokes I is imaged and cleaned by
CASA's tclean, with as many Taylor terms as the band asks for, out to the null of the primary beam.
The measurement set is only read; tclean works on a scratch copy of the visibilities that visds-run
would use, which is removed in the end. It is the work of one process: of several ranks, one does
it. The folder OUT gets the model (field.model.tt0, .tt1), the restored, residual and PSF images,
FITS copies, a table of the components and a picture."""

_EPILOG = """\
what next:
  visds-run star.ms --model star.model/field.model.tt0

exit codes:
  0   all products are made
  2   input or settings cannot be used; the one line on standard error says what and where
  130 interrupted from the keyboard
  143 ended by SIGTERM (of one process; a launcher has a code of its own):
      what is left are whole files

examples:
  visds-model star.ms
  visds-model star.ms -o star.model --field-width 40arcmin --clean-sigma 5
  visds-model star.ms --cell 1.5arcsec --size 2048 --clean-scales 0 5 15 --scratch /local
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-model and return its exit code."""
    return run_program("visds-model", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    from visds.imaging.field_model import STAGES, make_field_model

    parser = Parser("visds-model", _DESCRIPTION, STAGES, epilog=_EPILOG)
    add = parser.argparse.add_argument
    add("measurement_set", metavar="MS", help="calibrated measurement set")
    add("-o", "--out", metavar="OUT",
        help="folder of the products (default: MS with .model for .ms)")
    arguments, settings = parser.parse(argv)
    out = arguments.out or _default_out(arguments.measurement_set)

    def program(farm: Farm) -> int:
        if farm.size > 1:
            print(f"visds-model: tclean works in one process: {counted(farm.size - 1, 'rank')} of "
                  f"{farm.size} only wait", file=sys.stderr)
        make_field_model(arguments.measurement_set, out, settings)
        return ExitCode.OK

    return run_recipe("visds.imaging.field_model", program)


def _default_out(measurement_set: str) -> str:
    stem = measurement_set.rstrip("/")
    name = stem.removesuffix(".ms").removesuffix(".MS")
    if name == stem:
        raise SettingsError(f"-o OUT is missing, and {measurement_set} does not end in .ms")
    return name + ".model"


if __name__ == "__main__":
    raise SystemExit(main())
