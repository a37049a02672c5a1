"""visds-inject: flares put into the data of a run, and how many of them the search finds."""

from collections.abc import Sequence
from pathlib import Path

from visds.core.deadline import heed_signals
from visds.core.farm import Farm
from visds.core.program import run_program
from visds.core.recipe import run_recipe
from visds.core.settings import Parser

_DESCRIPTION = """\
Put flares of known strength into the data of a finished visds-run, at the target and elsewhere in
the field, search them as that run did, and count what is found: completeness against fluence, how
well fluences are measured, false events, and upper limits where the run found nothing. The chunk
files of the run are read and nothing of it is changed. The search is that of the run (its
settings.toml) unless options say otherwise. Searches are the pieces of work of MPI ranks."""

_EPILOG = """\
products in OUT:
  injections.ecsv   a row for each flare: what was put in, whether and as what it was found
  completeness.ecsv a row for each duration, polarization and fluence: how many were found
  limits.ecsv       fluences of which 50, 90 and 95 % are found; the last are upper limits where
                    the run found nothing
  reliability.ecsv  events in data that hold no flare
  completeness.png  share that is found, and ratio of measured to true fluence, against fluence
  log.txt, settings.toml, provenance.json

exit codes:
  0   done
  2   input or settings cannot be used; the one line on standard error says what and where
  130 interrupted from the keyboard
  143 ended by SIGTERM

examples:
  visds-inject star.visds
  visds-inject star.visds --duration 30s 5min --fraction-v 0% -70% --trials 200
  visds-inject star.visds --fluence 0.1Jys 0.3Jys 1Jys 3Jys --shape box --at none
  visds-inject star.visds --bandwidth 50MHz --drift -2MHz/s --primary-beam auto
  visds-inject star.visds --through visibilities --trials 10
  mpirun -n 16 visds-inject star.visds --directions 100 --trials 1000
"""
RUN_TABLES = ("read", "target", "model", "flag", "cut", "match", "image", "plot", "run",
              "polarization", "variability")
"""Tables of the settings of visds-run that are not used, or not to be changed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-inject and return its exit code."""
    return run_program("visds-inject", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    heed_signals()
    from visds.dynspec.detection.settings import DetectSettings
    from visds.finished_run import written_settings
    from visds.injection.settings import InjectSettings
    from visds.run_settings import AverageSettings
    from visds.visibility.primary_beam.settings import PrimaryBeamSettings

    stages = {"inject": InjectSettings, "detect": DetectSettings, "average": AverageSettings,
              "beam": PrimaryBeamSettings}
    parser = Parser("visds-inject", _DESCRIPTION, stages, epilog=_EPILOG, foreign=RUN_TABLES)
    add = parser.argparse.add_argument
    add("run", metavar="RUN", help="the folder of a finished visds-run, with its chunk files")
    add("-o", "--out", metavar="OUT", help="folder of the products (default: RUN/injection)")
    arguments, settings = parser.parse(
        argv, lambda arguments: written_settings(Path(arguments.run)))
    out = arguments.out or str(Path(arguments.run) / "injection")

    def program(farm: Farm) -> int:
        from visds.inject_pipeline import run_injection

        return run_injection(arguments.run, out, settings, farm)

    return run_recipe("visds.inject_pipeline", program)


if __name__ == "__main__":
    raise SystemExit(main())
