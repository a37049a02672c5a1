"""What flaggers leave of bursts, what they find of interference, and how fast they are.

Run: python benchmarks/burst_survival.py [--strengths 0.3 1 2 3 5 10] [--integrations 120]
     [--channels 128] [--seed 1]

A scan of the VLA in its B configuration (351 baselines, four correlations, noise of 1 Jy in the
real part of each) holds three bursts of a star off the phase centre: one integration long over all
the band, drifting, and long in half the band. Interference is of four kinds, from emitters on the
ground: steady in one channel, broad-band for one integration, narrow-band that comes and goes,
sweeping; each on all baselines and on the shortest fifth, from 0.5 to 200 sigma. Flaggers with and
without protection of the target:

* lost: the visibilities of the bursts (above half their peak) that are flagged, where there is no
  interference, for bursts of some strength in sigma of a visibility; of 2 sigma also by burst;
* bias: by how much that changes the flux density of the bursts, in parts of it;
* caught: the visibilities with interference above three sigma that are flagged, by kind, and those
  with weak interference of 0.5 to three sigma, beside a burst of 2 sigma; collateral: of those
  with less than a tenth of sigma and no burst;
* speed, in polarization-visibilities a second of one core (of its own time, not the wall's).
"""

import argparse
import time

import numpy as np

from visds.core.flags import Flag
from visds.core.sky import LIGHT_SPEED, Direction, direction_cosines
from visds.dynspec.block import make_block
from visds.dynspec.flag_settings import FlagSettings
from visds.dynspec.flagging.interference import flag_interference
from visds.visibility.chunk import VisibilityChunk
from visds.visibility.simulation.antennas import make_array
from visds.visibility.simulation.settings import ArraySettings

CENTRE, TARGET = Direction(80.0, 33.0), Direction(80.03, 33.02)
LATITUDE = np.radians(34.08)
SHAPES = ("short", "drifting", "long")
KINDS = ("steady", "broad-band", "intermittent", "sweeping")
# Correlations RR, RL, LR, LL of a polarized emitter on the ground.
EMITTED = np.array([1.0, 0.5, 0.5j, 0.8])
FLAGGERS = {"none": FlagSettings(flagger="none")} | {
    f"{name}, {'protected' if protected else 'as it is'}":
        FlagSettings(flagger=name, protect_bursts=protected)
    for name in ("light", "aoflagger") for protected in (False, True)}


def empty_scan(T, F):
    """Return a scan without a visibility: the array, an hour or so before the meridian."""
    places = make_array(ArraySettings()).positions
    first, second = np.triu_indices(len(places), 1)
    # Axes to the meridian, east and the pole; the VLA's longitude is -107.62 degrees.
    angle = np.radians(-107.62)
    x, y, z = (places[second] - places[first]).T
    x, y = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    hour = np.radians(15.04 / 3600 * 10 * np.arange(T) - 10)[:, None]
    dec = np.radians(CENTRE.dec)
    uvw = np.stack([np.sin(hour) * x + np.cos(hour) * y,
                    -np.sin(dec) * (np.cos(hour) * x - np.sin(hour) * y) + np.cos(dec) * z,
                    np.cos(dec) * (np.cos(hour) * x - np.sin(hour) * y) + np.sin(dec) * z], axis=-1)
    B = len(first)
    return VisibilityChunk(
        visibility=np.zeros((T, B, F, 4), np.complex64), flags=np.zeros((T, B, F, 4), np.uint8),
        weight=np.ones((T, B, 1, 4)), uvw=uvw, antennas=np.stack([first, second], axis=-1),
        time=59000 + np.arange(T) * 10 / 86400, integration=np.full(T, 10.0),
        feed_angle=np.zeros(T), frequency=1.4e9 + 1e6 * np.arange(F),
        channel_width=np.full(F, 1e6), correlations=("RR", "RL", "LR", "LL"),
        phase_centre=(CENTRE.ra, CENTRE.dec), frame="ICRS", field="", scan=1, spectral_window=0)


def bursts(T, F):
    """Return three bursts (3,T,F) of the star with peaks of 1."""
    t, f = np.arange(T)[:, None], np.arange(F)
    short = (t == T // 5) * np.ones(F)
    drifting = np.exp(-0.5 * ((t - 0.35 * T - 0.2 * f * T / F) / (0.03 * T)) ** 2)
    drifting = drifting * np.exp(-0.5 * ((f - 0.4 * F) / (0.15 * F)) ** 2)
    long = np.exp(-0.5 * ((t - 0.8 * T) / (0.06 * T)) ** 2) * (f > 0.5 * F)
    return np.stack([short, drifting, long])


def interference(scan, rng):
    """Return the amplitudes (kinds,T,B,F) and the phase in turns (T,B,F) of interference."""
    T, B, F, _ = scan.visibility.shape
    length = np.hypot(scan.uvw[0, :, 0], scan.uvw[0, :, 1])
    near = length <= np.quantile(length, 0.2)
    cells = np.zeros((len(KINDS), 2, T, F), np.float32)

    def strength():
        return 0.5 * 400 ** rng.random()

    for everywhere in (0, 1):
        for _ in range(3):
            cells[0, everywhere, :, rng.integers(F)] = strength()
            cells[1, everywhere, rng.integers(T)] = strength()
            on = np.repeat(rng.random(T // 5 + 1) < 0.3, 5)[:T]
            cells[2, everywhere, on, rng.integers(F)] = strength()
        start, times = rng.integers(T // 2), np.arange(T // 3)
        cells[3, everywhere, (start + times) % T, (rng.integers(F) + times) % F] = strength()
    amplitude = (cells[:, 0, :, None] * near[:, None] + cells[:, 1, :, None])
    # An emitter on the ground stands still: w alone is turned by the correlator.
    ground = rng.uniform(-1, 1, B) * length
    path = ground[None] - scan.uvw[..., 2]
    return amplitude, path[..., None] * scan.frequency / LIGHT_SPEED


def turned(path):
    """Return exp(2 pi i turns) as complex64."""
    return np.exp(2j * np.pi * (path % 1)).astype(np.complex64)


def flux_density(scan):
    """Return the dynamic spectrum (T,F) of Stokes I of the target, Jy."""
    return make_block([scan], TARGET, ("I",), scan.correlations).values("I")


def show(head, rows):
    """Print a table in Markdown."""
    print("\n| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def percent(fraction):
    """Return a fraction as text in per cent."""
    return f"{100 * fraction:.3g} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.3, 1, 2, 3, 5, 10])
    parser.add_argument("--integrations", type=int, default=120)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    T, F = options.integrations, options.channels
    rng = np.random.default_rng(options.seed)
    scan = empty_scan(T, F)
    noise = rng.standard_normal((*scan.visibility.shape[:3], 8), dtype=np.float32)
    noise = noise.view(np.complex64)
    shapes = bursts(T, F)
    star = shapes.max(axis=0)
    in_burst = star > 0.5
    there = direction_cosines(TARGET.ra, TARGET.dec, CENTRE)
    fringe = turned((scan.uvw @ there)[..., None] * scan.frequency / LIGHT_SPEED)
    fringe = fringe * star[:, None].astype(np.float32)
    hands = np.array([1, 0, 0, 1], np.float32)
    speeds = {name: [] for name in FLAGGERS}

    def flagged(visibility, name):
        start = time.process_time()
        made = flag_interference(scan.replace(visibility=visibility), [TARGET], FLAGGERS[name])
        speeds[name].append(visibility.size / (time.process_time() - start))
        return made, (made.flags[..., 0] & int(Flag.RFI)) > 0

    flagged(noise, "light, protected")
    rows, by_shape = ({name: [name] for name in FLAGGERS} for _ in range(2))
    for strength in dict.fromkeys([*options.strengths, 2.0]):
        visibility = noise + np.float32(strength) * fringe[..., None] * hands
        before = flux_density(scan.replace(visibility=visibility))
        for name in FLAGGERS:
            made, found = flagged(visibility, name)
            lost = np.swapaxes(found, 1, 2)[in_burst].mean()
            if strength == 2:
                by_shape[name] += [percent(np.swapaxes(found, 1, 2)[one > 0.5].mean())
                                   for one in shapes]
            change = (flux_density(made) - before)[in_burst] / (strength * star[in_burst])
            left = np.isfinite(change)
            bias = "nothing left"
            if left.any():
                bias = f"{100 * np.average(change[left], weights=star[in_burst][left]):+.2g} %"
            if strength in options.strengths:
                rows[name].append(f"{percent(lost)} ({bias})")
    print(f"{T} integrations, 351 baselines, {F} channels: {noise.size / 1e6:.0f} million "
          "polarization-visibilities")
    show(["lost of bursts (bias) at a peak of", *(f"{s:g} sigma" for s in options.strengths)],
         rows.values())
    show(["lost of a burst of 2 sigma", *SHAPES], by_shape.values())
    amplitude, phase = interference(scan, rng)
    phase = turned(phase)
    visibility = noise + np.float32(2) * fringe[..., None] * hands
    for kind in amplitude:
        visibility += (kind * phase)[..., None] * EMITTED.astype(np.complex64)
    total = amplitude.sum(axis=0)
    quiet = (total < 0.1) & ~in_burst[:, None]
    burst_alone = (total < 0.1) & in_burst[:, None]
    rows = []
    for name in FLAGGERS:
        made, found = flagged(visibility, name)
        _, on_noise = flagged(noise, name)
        rows.append([name, *(percent(found[kind > 3].mean()) for kind in amplitude),
                     percent(found[(total > 0.5) & (total < 3)].mean()),
                     *map(percent, (found[quiet].mean(), found[burst_alone].mean(),
                                    on_noise.mean())),
                     "" if name == "none" else f"{np.median(speeds[name]) / 1e6:.1f} M/s"])
    show(["caught, beside a burst of 2 sigma", *KINDS, "weak", "collateral", "lost of the burst",
          "flagged of noise alone", "speed"], rows)


if __name__ == "__main__":
    main()
