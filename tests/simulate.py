"""Small simulated measurement sets for tests, made by visds-simulate itself."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from visds.core.settings import Parser
from visds.visibility.simulation.settings import STAGES
from visds.visibility.simulation.simulate import Products
from visds.visibility.simulation.simulate import simulate as run_simulation

# A fraction of a second to make: 6 antennas (ATCA has no more), 12 integrations, 8 channels.
SMALL = {"antennas": 6, "scans": 1, "scan_length": "2min", "integration": "10s",
         "calibrator": False, "channels": 8, "channel_width": "4MHz", "sources": 0,
         "taylor_terms": 0, "noise": 0.0, "flares": False}

Simulator = Callable[..., Products]


def simulate(folder: Path | str, name: str = "obs.ms", **options: Any) -> Products:
    """Write ``folder/name`` and its companions: `SMALL`, changed by options of visds-simulate.

    Option names are those of the settings, such as ``channel_width="2MHz"``, ``calibrator=True``,
    ``quiescent=(0.1, 0, 0, -0.05)``, or ``flares=True`` for those of the program's default and
    ``flares=True, flare=[...]`` for others. Without options: a 10 mJy star without noise,
    background, calibrator or flares, seen by the VLA.
    """
    arguments = [str(Path(folder) / name)]
    for option, value in (SMALL | options).items():
        dashed = option.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            arguments.append(f"--{dashed}" if value else f"--no-{dashed}")
        elif option == "flare" and not isinstance(value, str):
            arguments += ["--flare", *value]
        else:
            joined = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            arguments.append(f"--{dashed}={joined}")
    parser = Parser("visds-simulate", "", STAGES)
    parser.argparse.add_argument("measurement_set")
    parsed, settings = parser.parse(arguments)
    return run_simulation(parsed.measurement_set, settings)


def cached_simulator(folder: Path) -> Simulator:
    """Return `simulate` with a memory: the same options give the same read-only files again.

    A test that changes what it is given asks for its own copy with ``copy_to=tmp_path``.
    """
    made: dict[str, Products] = {}

    def simulated(*, copy_to: Path | None = None, **options: Any) -> Products:
        key = repr(sorted(options.items()))
        if key not in made:
            place = Path(tempfile.mkdtemp(prefix="a simulation ", dir=folder))
            made[key] = simulate(place, **options)
        if copy_to is None:
            return made[key]
        return _copied(made[key], copy_to)

    return simulated


def _copied(products: Products, folder: Path) -> Products:
    source = products.measurement_set.parent
    shutil.copytree(source, folder, dirs_exist_ok=True)

    def moved(path: Path) -> Path:
        return folder / path.relative_to(source)

    return Products(
        moved(products.measurement_set), moved(products.truth), moved(products.components),
        moved(products.catalogue), tuple(moved(path) for path in products.images),
        products.interference and moved(products.interference))
