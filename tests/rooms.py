"""The stages one after the other, without the program: what many tests begin with."""

from casacore import tables

from visds.core.settings import Parser
from visds.core.sky import Direction
from visds.dynspec.block import make_block
from visds.dynspec.stitch import common_axes, stitch
from visds.visibility.measurement_set import MeasurementSet
from visds.visibility.plan import plan_chunks
from visds.visibility.read import ChunkReader
from visds.visibility.selection import ReadSettings


def read_settings(*options) -> ReadSettings:
    """Return the settings of the reading stage from options of visds-run."""
    return Parser("visds-test", "", {"read": ReadSettings}).parse(list(options))[1]["read"]


def plan(path, *options):
    """Return the plan of a measurement set."""
    return plan_chunks(str(path), read_settings(*options))


def chunks(path, *options, model_columns=()):
    """Return each chunk of a measurement set, read in one piece (its slabs copied)."""
    found = []
    with MeasurementSet(path) as measurement_set:
        for task in plan(path, *options).tasks:
            slabs = list(ChunkReader(measurement_set, task, model_columns).slabs())
            assert len(slabs) == 1, "too large for one slab"
            found += slabs
    return found


def spectrum(path, *options, target=None, model_columns=(), change=None):
    """Return the stitched spectrum of a measurement set at `target` (default: phase centre).

    `change`, where given, is called with every chunk before it is averaged.
    """
    planned = plan(path, *options)
    centre = Direction(*planned.phase_centre, planned.frame)
    blocks = []
    with MeasurementSet(path) as measurement_set:
        for task in planned.tasks:
            slabs = ChunkReader(measurement_set, task, model_columns).slabs()
            if change is not None:
                slabs = map(change, slabs)
            blocks.append(make_block(slabs, target or centre.to("ICRS"), planned.stokes,
                                     task.source.correlations))
    axes = common_axes((task.time, task.integration, task.scan, task.source.frequency,
                        task.source.channel_width, task.source.spectral_window)
                       for task in planned.tasks)
    return stitch(blocks, axes, {"weights_calibrated": planned.weights_calibrated})


def writable(path):
    """Open a measurement set of a test's own for writing."""
    return tables.table(str(path), readonly=False, ack=False)


def with_rows_in_order(path, columns, to):
    """Write a copy of a measurement set whose rows are sorted by columns; return its path."""
    with tables.table(str(path), ack=False) as main, main.sort(columns) as ordered:
        ordered.copy(str(to), deep=True).close()
    return to
