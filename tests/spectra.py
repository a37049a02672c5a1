"""Dynamic spectra of known truth for tests: sums over baselines drawn from their distribution."""

import numpy as np

from visds.dynspec.dynamic_spectrum import DynamicSpectrum


def spectrum(truth, *, sigma=0.1, baselines=50, seed=0, scans=(1,), integration=10.0,
             gap=300.0, start_mjd=59000.0, first_frequency=550e6, channel_width=1e6,
             polarizations=("I", "Q", "U", "V"), parallel_hands=("RR", "LL"), hand_ratio=1.0,
             meta=None):
    """Return the spectrum of `truth` (T,F,P) Jy seen by `baselines` with `sigma` (Jy) per cell.

    Every visibility is drawn, so all sums are those of real data. T is divided equally among
    `scans`, which are `gap` seconds apart. `hand_ratio` is sigma_R / sigma_L (or X / Y); `sigma`
    is that of I.
    """
    truth = np.asarray(truth, float)
    T, F, P = truth.shape
    rng = np.random.default_rng(seed)
    label = {name: i for i, name in enumerate(polarizations)}
    hand_2 = sigma * np.sqrt(2 * baselines) * np.sqrt(2 / (1 + hand_ratio**2))
    hands = np.array([hand_ratio * hand_2, hand_2])
    pairs = [("I", "V"), ("Q", "U")] if "RR" in parallel_hands else [("I", "Q"), ("V", "U")]
    shape = (baselines, T, F)
    visibility = np.zeros((P, *shape), complex)
    for pair in pairs:
        noise = [s * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) for s in hands]
        for name, sign in zip(pair, (1, -1), strict=True):
            if name in label:
                visibility[label[name]] = (truth[..., label[name]]
                                           + (noise[0] + sign * noise[1]) / 2)
    w = 4 / np.sum(hands**2)
    cross = np.zeros((T, F))
    partner = pairs[0][1]
    if {"I", partner} <= set(label):
        cross = np.sum(w**2 * (visibility[label["I"]] * visibility[label[partner]].conj()).real, 0)
    per_scan = np.arange(T) * len(scans) // T
    time = start_mjd + (np.arange(T) * integration + per_scan * gap) / 86400
    sums = {
        "sum_w": np.full((T, F, P), w * baselines),
        "sum_wv": w * np.moveaxis(visibility.sum(1), 0, -1),
        "sum_w2": np.full((T, F, P), w**2 * baselines),
        "sum_w2v": w**2 * np.moveaxis(visibility.sum(1), 0, -1),
        "sum_w2v2": w**2 * np.moveaxis((np.abs(visibility) ** 2).sum(1), 0, -1),
    }
    return DynamicSpectrum(
        time=time, integration=np.full(T, integration), time_barycentre=time + 0.004,
        scan=np.asarray(scans)[per_scan],
        frequency=first_frequency + channel_width * np.arange(F),
        channel_width=np.full(F, channel_width), spectral_window=np.zeros(F, int),
        primary_beam=np.ones(F), inflation=np.ones((F, P)),
        count=np.full((T, F, P), baselines), sum_w2_cross=cross,
        sum_w2_covariance=np.full(
            (T, F), baselines * w**2 * (hands[0] ** 2 - hands[1] ** 2) / 4),
        flags=np.zeros((T, F, P), int), polarizations=tuple(polarizations),
        parallel_hands=tuple(parallel_hands),
        meta={"target": "test star", "ra_deg": 83.0, "dec_deg": -5.0, "telescope": "VLA",
              "beam_arcsec": 5.0} | (meta or {}), **sums)
