"""Which flares are put where: strengths, and times at random that do not overlap."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from visds.core.errors import SettingsError
from visds.dynspec.dynamic_spectrum import DynamicSpectrum
from visds.injection.flare import Flare, peak_of
from visds.injection.forced_photometry import ForcedPhotometry
from visds.injection.settings import Fraction, InjectSettings

# In fluences of the threshold: where completeness rises, and far above, for gains that vary and
# sources that are not subtracted raise what is needed.
AUTOMATIC_STRENGTHS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
AUTOMATIC_DURATIONS = (2, 8)
"""In integrations."""
_LONGEST = 1 / 8
# More would change the level that they stand on.
MOST_IN_A_SEARCH = 8
_SHARE = 0.1
_ATTEMPTS = 50
_APART = 9.0
# An event takes in what is beside it by the width of the narrower of both.
_APART_FROM_EVENTS = 1.5
_SAMPLES = 24


@dataclass(frozen=True)
class Kind:
    """What is asked of a flare: duration (s), fluence (Jy s, Stokes I), and Stokes V."""

    duration: float
    fluence: float
    fraction_v: Fraction


@dataclass(frozen=True)
class Search:
    """A search to come: the direction, by number, and the flares in it."""

    number: int
    direction: int
    flares: tuple[Flare, ...]
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, eq=False)
class Room:
    """The times and channels of a direction, and when there is something in it already.

    `time`, `integration` of the integrations with data; `taken` are pairs of MJD UTC.
    """

    time: np.ndarray
    integration: np.ndarray
    frequency: np.ndarray
    channel_width: np.ndarray
    taken: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, spectrum: DynamicSpectrum,
           taken: Sequence[tuple[float, float]] = ()) -> "Room":
        """Return the room that there is in a spectrum beside what is in it."""
        used = (spectrum.count > 0).any(axis=2)
        times, channels = used.any(axis=1), used.any(axis=0)
        return cls(spectrum.time[times], spectrum.integration[times],
                   spectrum.frequency[channels], spectrum.channel_width[channels], tuple(taken))

    @property
    def band(self) -> tuple[float, float]:
        """The edges of the lowest and the highest channel, Hz."""
        half = self.channel_width / 2
        return float((self.frequency - half).min()), float((self.frequency + half).max())

    def draw(self, kind: Kind, settings: InjectSettings, rng: np.random.Generator,
             others: Sequence[Flare]) -> Flare | None:
        """Return a flare at random clear of all that is there; None if none was found.

        Its peak is inside an integration with data. All that is above half of its peak is clear of
        what is there already, and of that of `others`, by so many durations that the search does
        not take two for one.
        """
        low, high = self.band
        cores = [other.core(low, high) for other in others]
        for _ in range(_ATTEMPTS):
            flare = self.at_random(kind, settings, rng)
            begin, end, *_ = flare.core(low, high)
            apart = [_APART * max(flare.duration, other.duration) / 86400 for other in others]
            beside = _APART_FROM_EVENTS * flare.duration / 86400
            if not any(begin - beside < last and first < end + beside
                       for first, last in self.taken) and not any(
                    begin - gap < last and first < end + gap
                    for gap, (first, last, *_) in zip(apart, cores, strict=True)):
                return flare
        return None

    def at_random(self, kind: Kind, settings: InjectSettings,
                  rng: np.random.Generator) -> Flare:
        """Return a flare at random, whatever is there."""
        low, high = self.band
        frequency, bandwidth = (low + high) / 2, math.inf
        if settings.bandwidth is not None:
            channel = rng.choice(len(self.frequency),
                                 p=self.channel_width / self.channel_width.sum())
            frequency = float(self.frequency[channel]
                              + (rng.random() - 0.5) * self.channel_width[channel])
            bandwidth = settings.bandwidth
        t = rng.choice(len(self.time), p=self.integration / self.integration.sum())
        peak = float(self.time[t] + (rng.random() - 0.5) * self.integration[t] / 86400)
        intensity = peak_of(kind.fluence, kind.duration, settings.shape)
        angle = rng.uniform(0, 2 * math.pi)
        sign = kind.fraction_v.sign or int(rng.choice([-1, 1]))
        linear = settings.fraction_l.value
        return Flare(peak, kind.duration, frequency,
                     (intensity, intensity * linear * math.cos(angle),
                      intensity * linear * math.sin(angle),
                      intensity * sign * kind.fraction_v.value),
                     bandwidth, settings.drift or math.inf, settings.shape)


def automatic_durations(room: Room) -> tuple[float, ...]:
    """Return durations (s) of 2 and 8 integrations; of one, where 2 are an eighth of all time."""
    usual = float(np.median(room.integration))
    chosen = [count * usual for count in AUTOMATIC_DURATIONS
              if count * usual <= _LONGEST * room.integration.sum()]
    return tuple(chosen) or (usual,)


def needed_fluence(spectrum: DynamicSpectrum, room: Room, kind: Kind, settings: InjectSettings,
                   threshold: float, coherent: Mapping[str, float], has_level: bool) -> float:
    """Return the fluence (Jy s, Stokes I) at which flares of a kind reach the threshold; or NaN.

    In the polarization that tells them best of those of `coherent`, the errors that all channels
    have together (Jy). The noise is that of templates of the flares themselves at random times:
    their errors, or their scatter where that is larger.
    """
    rng = np.random.default_rng(settings.seed)
    none = np.zeros(spectrum.flags.shape[:2], bool)
    flares = [room.at_random(kind, settings, rng) for _ in range(_SAMPLES)]
    shares = {"I": 1.0, "V": kind.fraction_v.value, "L": settings.fraction_l.value}
    needed = []
    for label in (p for p in coherent if shares[p] > 0):
        fit = ForcedPhotometry(spectrum, "Q" if label == "L" else label, (), none, has_level)
        fits = np.array([fit.height(flare) for flare in flares])
        height, error = fits[np.isfinite(fits).all(axis=1)].T
        if not len(height):
            continue
        scatter = 1.4826 * np.median(np.abs(height - np.median(height)))
        noise = np.hypot(max(float(np.median(error)), scatter), coherent[label])
        needed.append(threshold * noise / shares[label] * kind.fluence / flares[0].stokes[0])
    return float(min(needed, default=np.nan))


def automatic_fluences(needed: Sequence[float]) -> tuple[float, ...]:
    """Return fluences (Jy s, three digits) about the median of those that are needed.

    Raises
    ------
    SettingsError
        If there is none.
    """
    finite = [fluence for fluence in needed if np.isfinite(fluence)]
    if not finite:
        raise SettingsError("--fluence: no such flare can be measured in these data; expected a "
                            "shorter --duration, or polarization that is searched")
    middle = float(np.median(finite))
    return tuple(float(f"{middle * strength:.3g}") for strength in AUTOMATIC_STRENGTHS)


def plan_searches(kinds: Sequence[Kind], rooms: Sequence[Room], settings: InjectSettings
                  ) -> list[Search]:
    """Return searches, in all directions in turn, that together hold a flare of each kind given.

    Each has eight flares at most, a tenth of the time long together, unless a single one is
    longer. The same arguments give the same searches.

    Raises
    ------
    SettingsError
        If there is no room for them.
    """
    rng = np.random.default_rng((settings.seed, 1))
    waiting = deque(kinds[k] for k in rng.permutation(len(kinds)))
    searches: list[Search] = []
    while waiting:
        before = len(waiting)
        for direction, room in enumerate(rooms):
            flares: list[Flare] = []
            placed: list[Kind] = []
            while waiting and len(flares) < MOST_IN_A_SEARCH:
                filled = sum(flare.duration for flare in flares) + waiting[0].duration
                if flares and filled > _SHARE * room.integration.sum():
                    break
                flare = room.draw(waiting[0], settings, rng, flares)
                if flare is None:
                    break
                flares.append(flare)
                placed.append(waiting.popleft())
            if flares:
                searches.append(Search(len(searches), direction, tuple(flares), tuple(placed)))
        if len(waiting) == before:
            raise SettingsError(f"--duration: there is no room for a flare of "
                                f"{waiting[0].duration:g} s beside what is in the data; expected a "
                                "shorter one")
    return searches
