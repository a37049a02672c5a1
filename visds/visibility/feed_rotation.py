"""How the feeds stand and turn on the sky, by FEED, MOUNT and what the user says.

Parallel linear feeds give I = (XX + YY)/2 and V = (XY - YX)/2i whatever their angle, and Q and U
turned by twice the angle. Feeds at the angles a and b give instead (XX + YY)/2 = I cos d - iV sin d
and (XY - YX)/2i = V cos d - iI sin d with d = a - b: no Stokes parameter comes out right, and gains
cannot mend it. Circular feeds at different angles only shift the phases of their correlations,
which gains mend.
"""

import re
from dataclasses import dataclass

import numpy as np

from visds.core.errors import MeasurementSetError
from visds.core.polarization import available_stokes, parallel_hands
from visds.core.sky import parallactic_angle
from visds.visibility.description import Description
from visds.visibility.feed_table import FeedTable
from visds.visibility.integrations import mjd_utc
from visds.visibility.measurement_set import RowRuns
from visds.visibility.selection import ReadSettings

_PARALLEL = np.radians(0.1)
_NEARLY_PARALLEL = np.radians(2.5)
"""Feeds so far from parallel lose a thousandth of I."""

_COMPACT = 30e3
"""Size (m) of an array whose antennas see one parallactic angle, 10 degrees from the zenith."""

_NO_OFFSET = 1 / 60

_NASMYTH = {"nasmyth-r": 1, "nasmyth-l": -1}
"""Signs of the elevation, as in casacore's MSDerivedValues::parAngle."""

_UNDERSTOOD = ("alt-az", "equatorial", *_NASMYTH)
_IF_TURNED = "if the calibration has turned them parallel, say so with {}"


@dataclass(frozen=True)
class FeedRotation:
    """The angle of the feeds on the sky, north through east.

    The receptor angle (rad); if `parallactic`, plus the parallactic angle; and `nasmyth` times the
    elevation: 1 for a receiver on the right of the dish, seen from behind it, -1 on the left.
    """

    receptor_angle: float
    parallactic: bool
    nasmyth: int


def feed_rotations(description: Description, runs: RowRuns, antennas: np.ndarray,
                   settings: ReadSettings, labels: tuple[str, ...], stokes: tuple[str, ...],
                   choices: list[str], warnings: list[str]) -> dict[int, FeedRotation]:
    """Return how the feeds stand and turn, by number of data description.

    `runs` are those selected, of one field and feed; `antennas` those in them; `labels` the
    correlations as settled; `stokes` what is made of them.

    Raises
    ------
    MeasurementSetError
        If feeds that have to be parallel are not, or not known to be.
    """
    if antennas[-1] >= len(description.mounts):
        raise MeasurementSetError(
            f"{description.path}: rows are of antenna {antennas[-1]}, but ANTENNA has "
            f"{len(description.mounts)} rows")
    linear = parallel_hands(labels) == ("XX", "YY")
    polarized = bool({"Q", "U"} & set(stokes))
    parallactic, nasmyth = _turning(description, antennas, settings, linear, polarized, warnings)
    if linear and parallactic:
        _check_distance(description, runs, antennas)
    rotations = {}
    for number in np.unique(runs.data_description):
        time = runs.time[runs.data_description == number]
        window, _ = description.data_descriptions[number]
        feeds = description.feeds.of(antennas, feed=int(runs.feed[0]), spectral_window=window,
                                     begin=float(time.min()), end=float(time.max()))
        angle = np.radians(settings.receptor_angle) if settings.receptor_angle is not None else (
            _receptor_angle(description, window, feeds, linear, polarized, warnings))
        rotations[int(number)] = FeedRotation(float(angle), parallactic, nasmyth)
        _doubt_offset(feeds, int(runs.feed[0]), warnings)
    _say(list(rotations.values()), labels, stokes, choices)
    return rotations


def _say(rotations: list[FeedRotation], labels: tuple[str, ...], stokes: tuple[str, ...],
         choices: list[str]) -> None:
    by = []
    if any(rotation.receptor_angle for rotation in rotations):
        angles = sorted({f"{np.degrees(rotation.receptor_angle):.1f}" for rotation in rotations},
                        key=float)
        by.append(f"the receptor angle {', '.join(angles)} deg")
    if rotations[0].parallactic:
        elevation = {0: "", 1: " plus the elevation", -1: " minus the elevation"}
        by.append(f"the parallactic angle{elevation[rotations[0].nasmyth]} (if the calibration did "
                  "that already: --parallactic no)")
    if {"Q", "U"} <= set(available_stokes(labels)):
        choices += [f"Q and U turned by {angle}" for angle in by]
    elif by and "Q" in stokes:
        choices.append("Q is in the frame of the feeds: without cross-hands it cannot be turned to "
                       "the sky")


def _turning(description: Description, antennas: np.ndarray, settings: ReadSettings, linear: bool,
             polarized: bool, warnings: list[str]) -> tuple[bool, int]:
    """Return whether the feeds turn by the parallactic angle, and the sign of the elevation."""
    if settings.parallactic == "no" or (settings.parallactic == "auto" and not linear):
        return False, 0
    first = {_kind(description.mounts[antenna]): int(antenna) for antenna in antennas[::-1]}
    if settings.parallactic == "yes":
        # What is said of a mount that is not understood, and against one mount of all.
        kept = _UNDERSTOOD if len(first) > 1 else _NASMYTH
        first = {kind if kind in kept else "alt-az": k for kind, k in first.items()}
    elif "" in first and len(first) == 2:
        nameless = first.pop("")
        warnings.append(f"MOUNT is empty for {description.antenna_names[nameless]} and perhaps "
                        f"others: taken to be {next(iter(first))} as the rest")
    if len(first) > 1 and (linear or polarized):
        said = ", ".join(f"{kind or 'empty'} for {description.antenna_names[k]}"
                         for kind, k in sorted(first.items(), key=lambda item: item[1]))
        raise MeasurementSetError(
            f"{description.path}: the feeds turn differently on the sky (MOUNT is {said}), and "
            + _not_parallel(linear) + "; " + _IF_TURNED.format("--parallactic no"))
    kind = next(iter(first))
    if kind not in _UNDERSTOOD and polarized:
        warnings.append(
            f"MOUNT is {kind or 'empty'}, and how that turns the feeds on the sky is not known: Q "
            "and U are not turned by the parallactic angle; --parallactic yes or no settles it")
    return kind == "alt-az" or kind in _NASMYTH, _NASMYTH.get(kind, 0)


def _kind(mount: str) -> str:
    match = re.fullmatch(r"(?:alt-az[+-])?nasmyth-(r|l)(?:h|ight|eft)?", mount)
    return f"nasmyth-{match[1]}" if match else mount


def _not_parallel(linear: bool) -> str:
    return ("XX + YY of linear feeds that are not parallel is not I" if linear else
            "Q and U cannot be turned by one angle (--stokes IV does without them)")


def _check_distance(description: Description, runs: RowRuns, antennas: np.ndarray) -> None:
    """Refuse antennas so far apart on Earth that one parallactic angle is not that of all."""
    placed = [k for k in antennas if np.any(description.antenna_position[k])]
    positions = description.antenna_position[placed]
    if len(placed) < 2 or np.ptp(positions, axis=0).max() < _COMPACT:
        return
    centre = description.fields[int(runs.field[0])].phase_centre
    times = mjd_utc(np.quantile(runs.time, [0, 0.25, 0.5, 0.75, 1]), description.time_scale)
    angles = np.array([parallactic_angle(times, centre, position) for position in positions])
    apart = _turned_from(angles, angles[0])
    worst = np.argmax(np.ptp(apart, axis=0))
    least, most = np.argmin(apart[:, worst]), np.argmax(apart[:, worst])
    if apart[most, worst] - apart[least, worst] > _NEARLY_PARALLEL:
        names = [description.antenna_names[placed[k]] for k in (least, most)]
        raise MeasurementSetError(
            f"{description.path}: the parallactic angles of {names[0]} and {names[1]} differ by up "
            f"to {np.degrees(apart[most, worst] - apart[least, worst]):.1f} deg, and "
            + _not_parallel(True) + "; " + _IF_TURNED.format("--parallactic no"))


def _receptor_angle(description: Description, window: int, feeds: FeedTable, linear: bool,
                    polarized: bool, warnings: list[str]) -> float:
    """Return the receptor angle (rad) of linear feeds; 0 for circular ones."""
    angle = feeds.angle
    if not len(angle):
        return 0.0
    apart = _turned_from(angle, angle[0])
    least, most = np.argmin(apart), np.argmax(apart)
    if apart[most] - apart[least] > _PARALLEL:
        said = " and ".join(f"{np.degrees(angle[k]):.1f} deg for "
                            f"{description.antenna_names[feeds.antenna[k]]}"
                            for k in (least, most))
        said = f"RECEPTOR_ANGLE is {said}"
        if linear:
            raise MeasurementSetError(
                f"{description.path}: {said} in spectral window {window}, and "
                f"{_not_parallel(linear)}; if it changes with time, choose scans with --scan; "
                + _IF_TURNED.format("--receptor-angle, the angle of all"))
        if polarized:
            warnings.append(f"{said}: the phases of RL and LR, and so Q and U, are right only if "
                            "the calibration has taken that out")
    return float(angle[0]) if linear else 0.0


def _doubt_offset(feeds: FeedTable, feed: int, warnings: list[str]) -> None:
    """Warn of a beam that is beside the pointing."""
    offset = np.degrees(np.nanmax(feeds.offset[feeds.feed == feed], initial=0))
    if offset > _NO_OFFSET:
        warnings.append(f"the beam of feed {feed} is {offset:.2f} deg beside the pointing "
                        "(BEAM_OFFSET): if the visibilities are phased to the beam, as ASKAP's "
                        "are, FIELD must hold the position of the beam")


def _turned_from(angle: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how far axes are turned from another, -pi/2 to pi/2: half a turn is none."""
    return (angle - reference + np.pi / 2) % np.pi - np.pi / 2
