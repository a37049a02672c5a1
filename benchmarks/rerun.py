"""What a rerun with another target or other flags costs, beside the first run.

Run: python benchmarks/rerun.py FOLDER [--work FOLDER] [--components 500] [--gaussians 0.5]

FOLDER holds full.ms of make_data.py (1.7 GB). A sky model of random components is written, of which
a part are Gaussians, as in a catalogue of a survey; the first run subtracts it and keeps chunk
files, the others find them there. One core; images are left out, whose cost is that of the images.
Three times, in alternation; medians.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.table import Table
from side_by_side import ONE_CORE, run_command, table, warm

from visds.core.settings import Parser
from visds.run_settings import STAGES
from visds.visibility.plan import plan_chunks

AGAIN = {"another target in the field": ("--target", "{ra}deg {dec}deg", "--replace"),
         "16 targets and directions off source": ("--offsets", "15"),
         "other flags (--clip-i)": ("--clip-i", "500Jy"),
         "other bins of the products": ("--time-bin", "30s")}


def random_model(measurement_set, path, components, gaussians):
    """Write components of 0.1 to 10 mJy within 10 arcmin of the phase centre; return that.

    The first ones are Gaussians of 2 to 10 arcsec.
    """
    settings = Parser("", "", STAGES).parse([])[1]
    ra, dec = plan_chunks(str(measurement_set), settings["read"]).phase_centre
    rng = np.random.default_rng(1)
    radius, angle = 10 / 60 * np.sqrt(rng.random(components)), 2 * np.pi * rng.random(components)
    made = Table({"ra": ra + radius * np.cos(angle) / np.cos(np.radians(dec)),
                  "dec": dec + radius * np.sin(angle),
                  "I": 1e-4 * 100 ** rng.random(components),
                  "reference_frequency": np.full(components, 1.4e9),
                  "spectral_index": np.full(components, -0.7),
                  "major": np.where(np.arange(components) < gaussians * components,
                                    2 * 5 ** rng.random(components), 0.0)})
    made["minor"], made["pa"] = 0.6 * made["major"], 180 * rng.random(components)
    for name in ("major", "minor"):
        made[name].unit = "arcsec"
    made["pa"].unit = "deg"
    made.write(path, format="ascii.ecsv", overwrite=True)
    return ra, dec


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--components", type=int, default=500)
    parser.add_argument("--gaussians", type=float, default=0.5)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    path = arguments.folder / "full.ms"
    with tempfile.TemporaryDirectory(dir=arguments.work) as folder:
        model = Path(folder) / "model.ecsv"
        ra, dec = random_model(path, model, arguments.components, arguments.gaussians)
        found = {}
        for _ in range(arguments.repeats):
            warm(path)
            out = Path(folder) / "out"
            runs = {"first run": ("--fresh",)} | {name: [
                option.format(ra=ra + 0.02, dec=dec) for option in options]
                for name, options in AGAIN.items()}
            for name, options in runs.items():
                run = run_command([sys.executable, "-m", "visds.commands.run", path, "-o", out,
                                   "--model", model, "--no-images", "--plots", "I", *options,
                                   *(() if "--replace" in options else ("--replace",))],
                                  cores=ONE_CORE)
                found.setdefault(name, []).append(run.seconds)
    first = statistics.median(found["first run"])
    rows = [[name, f"{statistics.median(times):.1f}", f"{first / statistics.median(times):.1f}"]
            for name, times in found.items()]
    print(f"{arguments.components} components, {arguments.gaussians:.0%} Gaussians, {path.name}, "
          "one core\n\n" + table(["run", "s", "times faster than the first"], rows))


if __name__ == "__main__":
    main()
