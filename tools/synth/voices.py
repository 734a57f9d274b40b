"""What throats, beaks and lips share: a tract with formants, and the two factories of most calls.

Knows neither who calls nor what is said.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .basics import Knots, Range, Rng, Synth, Wave, curve, log_uni, near, pick, swell, uni, unit, wander
from .filters import morph, n_frames, resonances, sweep_noise
from .sources import harmonic, pulses, tone, white
from .timing import events

SOUND_SPEED = 343.0  # m/s

# Pitch shapes in octaves, scaled by the glide of a call.
CONTOURS: dict[str, Knots] = {
    "flat": (0, 0.05, 0),
    "fall": (0.3, 0.1, -0.7),
    "rise": (-0.6, 0, 0.4),
    "arch": (-0.6, 0.3, 0.35, -0.5),
    "dip": (0.3, -0.4, 0.3),
    "late": (0, 0, 0.1, 0.6),
    "break": (-0.5, -0.45, 0.5, 0.5, -0.3),
}


def tract(rng: Rng, length_m: float, count: int = 5) -> NDArray:
    """Resonances of a tube closed at one end, (2k-1)c/4L, pulled about as an articulated tube is."""
    return (2 * np.arange(1, count + 1) - 1) * SOUND_SPEED / (4 * length_m) * np.exp(0.18 * rng.standard_normal(count))


def voiced(rng: Rng, f0: Wave, formants: NDArray, tilt: float = 1.0, breath: float = 0.1, rough: float = 0.1) -> Wave:
    """Pulse source plus breath noise through moving formants; formants, shape (knots, peaks)."""
    n = len(f0)
    f0 = np.clip(f0 * np.exp(np.float32(0.012 + 0.12 * rough) * wander(rng, n, 90)), 15, 7000)
    source = unit(pulses(f0, n, tilt))
    if rough > 0.15:  # vocal folds beating at every second pulse
        source *= 1 + np.float32(min(1.5 * rough, 0.95)) * tone(f0 * np.float32(pick(rng, 0.5, 0.5, 0.33, 0.21)), n)
    source += np.float32(breath) * white(rng, n)
    knots = np.clip(np.atleast_2d(formants), 60, 7800)
    moving = np.stack([curve(n_frames(n), k) for k in knots.T], 1)
    heights = 10 ** (-rng.uniform(2, 9) / 20 * np.arange(knots.shape[1]))
    return morph(source, 0.01 + resonances(moving, 30 + moving * rng.uniform(0.04, 0.12), heights))


def call(
    pitch_hz: Range,
    length_m: Range,
    dur_s: Range,
    gap_s: Range,
    shapes: str,
    glide: Range = (0.1, 0.8),
    breath: Range = (0.02, 0.4),
    rough: Range = (0, 0.3),
    tilt: Range = (0.7, 1.6),
    tremor_hz: Range | None = None,
    tremor_depth: Range = (0.1, 0.5),
    mouth: Range = (0.0, 0.35),
    single: float = 0.25,
    burst: float = 0.4,
) -> Synth:
    """Factory for animal and human calls: a tract of some length, a pitch range, contours (words from CONTOURS, repeated for weight)
    bent by `glide` octaves, and a habit of repeating. mouth: how far it opens; single, burst: see `events`."""

    def synth(rng: Rng, n: int) -> Wave:
        base, bend, shape = log_uni(rng, pitch_hz), uni(rng, glide), pick(rng, *shapes.split())
        tube, open_by, slope = tract(rng, log_uni(rng, length_m)), uni(rng, mouth), uni(rng, tilt)
        air, grit, attack = uni(rng, breath), uni(rng, rough), log_uni(rng, (0.02, 0.3))
        release, shake = log_uni(rng, (0.1, 0.7)), log_uni(rng, tremor_hz) if tremor_hz else 0.0
        depth, power = uni(rng, tremor_depth), uni(rng, (0.6, 2))

        def one(rng: Rng, m: int) -> Wave:
            f0 = near(rng, base, 0.06) * 2 ** (near(rng, bend, 0.3) * curve(m, CONTOURS[shape]) + 0.02 * wander(rng, m, 8))
            beat = tone(near(rng, shake, 0.08), m, rng.random()) if tremor_hz else np.zeros(1, np.float32)
            opening = 1 + open_by * np.array([[-1], [rng.uniform(0, 1)], [rng.uniform(-0.5, 1)], [-1]])
            wave = voiced(rng, f0 * (1 + 0.15 * np.float32(depth) * beat), tube * opening, slope, air, grit)
            return wave * swell(m, attack, release, power) * (1 - np.float32(depth) * (0.5 + 0.5 * beat))

        return events(rng, n, one, dur_s, gap_s, single, burst)

    return synth


def whistled(rng: Rng, m: int, f0: Wave, overtones: float, air: float) -> Wave:
    """Nearly pure tone with weak overtones: syrinx, lips, flute head."""
    weights = np.r_[1, overtones * rng.random(), overtones**2 * rng.random(), overtones**3 * rng.random()]
    wave = harmonic(np.clip(f0, 50, 7800), m, weights, rng)
    return wave + np.float32(air) * sweep_noise(rng, m, f0[:: max(1, m // 8)], 0.1) if air > 0.01 else wave


def hoot(pitch_hz: Range, dur_s: Range, gap_s: Range, glide: Range, over: Range, quaver: float) -> Synth:
    """Factory for soft whistled calls: owls, human whistling. glide: octaves; over: weight of the overtones."""

    def synth(rng: Rng, n: int) -> Wave:
        base, bend, tones, shake = log_uni(rng, pitch_hz), uni(rng, glide), uni(rng, over), pick(rng, 0, quaver)
        shape, rate, air = pick(rng, *CONTOURS), uni(rng, (4, 16)), pick(rng, 0, log_uni(rng, (0.02, 0.3)))

        def one(rng: Rng, m: int) -> Wave:
            note = near(rng, base, 0.03)
            octaves = near(rng, bend, 0.3) * curve(m, CONTOURS[shape]) + shake * 0.1 * tone(rate, m) + 0.01 * wander(rng, m, 10)
            wave = whistled(rng, m, note * 2**octaves, tones, air)
            return wave * swell(m, 0.25, 0.4) * (1 - 0.5 * shake * (0.5 + 0.5 * tone(rate, m)))

        return events(rng, n, one, dur_s, gap_s, 0.2, 0.5)

    return synth
