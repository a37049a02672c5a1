"""visds-simulate: write a simulated measurement set whose truth is known."""

from collections.abc import Sequence

from visds.core.errors import ExitCode
from visds.core.program import run_program
from visds.core.settings import Parser
from visds.visibility.simulation.settings import STAGES
from visds.visibility.simulation.simulate import simulate

_DESCRIPTION = """\
Simulate the observation of a flaring star and write it as a real measurement set, with the truth
(OUT.truth.ecsv), the background as components (OUT.components.ecsv) and as Taylor-term images
(OUT.model.tt0, OUT.model.tt1), and a catalogue of the field (OUT.catalogue.ecsv) beside it."""

_EXAMPLES = """\
examples:
  visds-simulate star.ms
  visds-simulate star.ms --array uGMRT --antennas 15 --scans 4 --channels 64 --channel-width 2MHz
  visds-simulate star.ms --flare time=120s,duration=40s,I=300mJy,V=-70% \\
                                 time=80%,duration=1min,I=1Jy,bandwidth=30MHz,drift=2MHz/s
  visds-simulate star.ms --array ATCA --target-offset "30 -12" --rfi-bursts 5 --rfi-tones 2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run visds-simulate and return its exit code."""
    return run_program("visds-simulate", _body, argv)


def _body(argv: Sequence[str] | None) -> int:
    parser = Parser("visds-simulate", _DESCRIPTION, STAGES, epilog=_EXAMPLES)
    parser.argparse.add_argument("measurement_set", metavar="OUT.ms",
                                 help="measurement set to be made")
    arguments, settings = parser.parse(argv)
    for product in simulate(arguments.measurement_set, settings):
        print(product)
    return ExitCode.OK


if __name__ == "__main__":
    raise SystemExit(main())
