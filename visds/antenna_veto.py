"""Whether detections come from one antenna: their visibilities once more, without each in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table

from visds.chunk_job import SubtractedData
from visds.core.farm import Farm
from visds.core.log import logger
from visds.core.plural import counted
from visds.core.progress import Progress
from visds.core.sky import Direction
from visds.core.track import Track
from visds.dynspec.detection import vetoes
from visds.dynspec.detection.jackknife import AROUND, columns_of, jackknife
from visds.dynspec.flag import clip
from visds.dynspec.flag_settings import FlagSettings
from visds.observation import Observation
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.plan import ChunkTask

MOST_EVENTS = 20
"""Detections of a run that are looked at, the strongest ones."""


@dataclass(frozen=True, eq=False)
class _Event:
    """A detection, by its row, the direction of its target, and the chunks around its best box."""

    row: int
    columns: dict
    place: Direction | Track
    tasks: tuple[ChunkTask, ...]


@dataclass(frozen=True, eq=False)
class _Job:
    """Makes the columns of the jackknife of an event."""

    data: SubtractedData
    flags: FlagSettings
    correlations: tuple[str, ...]

    def __call__(self, event: _Event) -> dict:
        found = jackknife(self._slabs(event.tasks), event.place, self.correlations, event.columns)
        return columns_of(found)

    def _slabs(self, tasks: Sequence[ChunkTask]) -> Iterator[VisibilityChunk]:
        for task in tasks:
            yield from (clip(slab, self.flags) for slab in self.data.slabs(task))


def with_antenna_veto(detections: Table, observation: Observation, data: SubtractedData,
                      tasks: Sequence[ChunkTask], flags: FlagSettings, farm: Farm) -> Table:
    """Return detections with what of them is gone without one antenna, and that veto.

    Of many the strongest are looked at; of the others the columns stay unknown. `tasks` are the
    chunks of the run.
    """
    detections = detections.copy()
    strongest = np.argsort(-np.asarray(detections["snr"], float), kind="stable")[:MOST_EVENTS]
    places = {target.name: target.place for target in observation.targets}
    events = [_Event(int(row), dict(detections[row]), places[detections["target"][row]],
                     _around(tasks, detections[row])) for row in sorted(strongest)]
    if not events:
        return detections
    if len(detections) > MOST_EVENTS:
        logger.info("the %d strongest of %s are looked at without each antenna", MOST_EVENTS,
                    counted(len(detections), "detection"))
    with Progress("antennas left out", len(events)) as progress:
        job = _Job(data, flags, observation.correlations)
        for outcome in farm.run(job, [event for event in events if event.tasks]):
            progress.advance()
            if outcome.error:
                logger.warning("detection %s could not be looked at without each antenna: %s",
                               outcome.task.columns["name"], outcome.error)
                continue
            for name, value in outcome.result.items():
                detections[name][outcome.task.row] = value
    detections["veto"] = [vetoes.vetoed(row) for row in detections]
    detections.meta["vetoed"] = int(np.sum(detections["veto"] != ""))
    return detections


def _around(tasks: Sequence[ChunkTask], event: Table.Row) -> tuple[ChunkTask, ...]:
    """Return the chunks of the spectral window and scan of a box that reach near it, in time."""
    margin = AROUND * (event["box_stop"] - event["box_start"])
    inside = [task for task in tasks if task.time[-1] > event["box_start"] - margin
              and task.time[0] < event["box_stop"] + margin
              and task.source.frequency.min() < event["box_high"]
              and task.source.frequency.max() > event["box_low"]]
    if not inside:
        return ()
    middle = (event["box_start"] + event["box_stop"]) / 2
    nearest = min(inside, key=lambda task: float(np.min(np.abs(task.time - middle))))
    return tuple(task for task in inside if task.scan == nearest.scan
                 and task.source.data_description == nearest.source.data_description)
