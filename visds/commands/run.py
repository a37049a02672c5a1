"""visds-run: from a measurement set to dynamic spectra, light curves, detections and matches."""

import sys
from collections.abc import Sequence

from visds.core.deadline import heed_signals
from visds.core.errors import SettingsError
from visds.core.farm import Farm
from visds.core.launcher import start_under_launcher
from visds.core.program import run_program
from visds.core.recipe import run_recipe
from visds.core.settings import Parser

_DESCRIPTION = """\
Make the dynamic spectra of stars from a calibrated measurement set: subtract a sky model, average
over baselines, stitch all scans, search for bursts, match them with catalogues. The
measurement set is only read. Products and report.html go to the folder OUT; running the same
command again goes on where an earlier run stopped."""

_EPILOG = """\
exit codes:
  0   all products are made
  2   input or settings cannot be used; the one line on standard error says what and where
  3   some chunks failed; the products are made without them, report.html names them
  75  stopped at the deadline or on SIGUSR1: run the same command again
  130 interrupted from the keyboard: the same command goes on
  143 ended by SIGTERM (of one process; a launcher has a code of its own):
      the same command goes on

examples:
  visds-run star.ms -o star
  mpirun -n 32 visds-run star.ms -o star --model field.ecsv --catalogue stars.vot
  visds-run star.ms -o star --target "05:31:58.7 +33:08:52.5" --time-bin 10s --plan
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-run and return its exit code."""
    return run_program("visds-run", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    heed_signals()
    from visds.run_settings import STAGES

    parser = Parser("visds-run", _DESCRIPTION, STAGES, epilog=_EPILOG)
    add = parser.argparse.add_argument
    add("measurement_set", metavar="MS", help="calibrated measurement set")
    add("-o", "--out", metavar="OUT",
        help="folder of the products (default: MS with .visds for .ms)")
    add("--plan", action="store_true", help="print the split into chunks with its cost, and stop")
    add("--check", action="store_true",
        help="check MPI, launcher, locks and disk space before a long run, and stop")
    arguments, settings = parser.parse(argv)
    ranks = settings["run"].ranks
    if ranks:
        start_under_launcher(ranks, sys.argv[1:] if argv is None else argv)
    out = arguments.out or _default_out(arguments.measurement_set)

    def program(farm: Farm) -> int:
        if arguments.plan:
            from visds.preflight import print_plan

            return print_plan(arguments.measurement_set, settings)
        if arguments.check:
            from visds.preflight import check

            return check(arguments.measurement_set, out, settings, farm)
        from visds.pipeline import run

        return run(arguments.measurement_set, out, settings, farm)

    return run_recipe("visds.pipeline", program)


def _default_out(measurement_set: str) -> str:
    stem = measurement_set.rstrip("/")
    name = stem.removesuffix(".ms").removesuffix(".MS")
    if name == stem:
        from visds.visibility.measurement_set import MeasurementSet

        MeasurementSet(measurement_set).close()  # says so if it is none
        raise SettingsError(f"-o OUT is missing, and {measurement_set} does not end in .ms")
    return name + ".visds"


if __name__ == "__main__":
    raise SystemExit(main())
