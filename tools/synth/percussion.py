"""Percussion beyond the drum kit: what blooms, wobbles, shakes and rolls."""

from __future__ import annotations

import numpy as np

from .basics import Rng, Wave, curve, decay, log_uni, pick, samples, swell, uni, unit
from .sources import burst_grain, modal, modes, noise, phase_of
from .timing import pattern, scatter, strikes, ticks


def gong(rng: Rng, n: int) -> Wave:
    """Energy climbs from the struck modes to the high ones: they swell after the blow, then the low ones remain."""
    hz = modes(rng, "plate", log_uni(rng, (60, 320)), 40)
    t60, bloom_s, shimmer = log_uni(rng, (2, 7)), log_uni(rng, (0.05, 0.8)), uni(rng, (0.2, 1.5))
    low = hz < 3 * hz[0]

    def blow(rng: Rng, m: int) -> Wave:
        gains = rng.uniform(0.2, 1, 40) * np.sqrt(hz[0] / hz)
        struck = modal(m, hz[low], t60 * rng.uniform(0.6, 1.2, int(low.sum())), gains[low]) if low.any() else 0
        bloomed = modal(m, hz[~low], 0.5 * t60 * rng.uniform(0.5, 1, int((~low).sum())), gains[~low]) if not low.all() else 0
        return (
            struck
            + shimmer * bloomed * (1 - decay(m, 3 * bloom_s))
            + 0.3 * np.pad(burst_grain(rng, 800, (80, 500)), (0, max(0, m - 800)))[:m]
        )

    return strikes(rng, n, blow, 5.0, (1.2, 4), 0.6, (0.02, 0.4))


def cymbal(rng: Rng, n: int) -> Wave:
    """Modes too dense to count: noise whose treble dies first; crashed, ridden, or rolled up with mallets."""
    low, t60, rolled = log_uni(rng, (250, 1200)), log_uni(rng, (0.5, 4)), rng.random() < 0.3

    def crash(rng: Rng, m: int) -> Wave:
        bright = noise(rng, m, ((low, -25), (3500, 0), (7900, 0))) * decay(m, 0.4 * t60)
        dark = noise(rng, m, ((low / 2, -25), (low, 0), (4000, -6), (7900, -20))) * decay(m, t60)
        hz = log_uni(rng, (low, 5000)) * rng.uniform(0.5, 1.5, 30)
        wave = (
            bright + uni(rng, (0.2, 0.7)) * dark + uni(rng, (0, 0.5)) * unit(modal(m, hz, np.full(30, 0.7 * t60), rng.standard_normal(30)))
        )
        return wave * swell(m, uni(rng, (0.3, 0.7)), 0.2) if rolled else wave

    return strikes(rng, n, crash, min(4.0, 1.2 * t60), (0.25, 2.5), 0.4, (0.01, 0.3))


def shaker(rng: Rng, n: int) -> Wave:
    """Seeds in a gourd or jingles in a frame: each stroke throws them to one wall and back, in rhythm."""
    period, jingle = log_uni(rng, (0.16, 0.6)), uni(rng, (0, 1))
    seeds = [
        (1 - jingle) * burst_grain(rng, 700, (2500, 5500)) * decay(700, 0.01)
        + 0.3 * jingle * modal(700, rng.uniform(3000, 7800, 5), rng.uniform(0.02, 0.15, 5), rng.uniform(-1, 1, 5))
        for _ in range(10)
    ]
    forth, accent = uni(rng, (1.5, 6)), pick(rng, (1, 0.4), (1, 0.3, 0.6, 0.3), (1, 0.5, 0.8))
    beat = (phase_of(1 / period, n) + 0.05 * rng.random()) % 1
    stroke = (np.exp(-20 * (beat - 0.3) ** 2 * forth) + uni(rng, (0, 0.6)) * np.exp(-20 * (beat - 0.8) ** 2 * forth)).astype(np.float32)
    strength = np.array(accent, np.float32)[(phase_of(1 / period, n)).astype(int) % len(accent)]
    return scatter(rng, n, seeds, ticks(rng, log_uni(rng, (200, 900)) * stroke, 1.0), 4) * stroke * strength


def drum_roll(rng: Rng, n: int) -> Wave:
    """Sticks on a snare or a kettle, too quick for one hand, swelling to an accent."""
    kettle, rate = rng.random() < 0.4, log_uni(rng, (14, 32))
    skin = modes(rng, "skin", log_uni(rng, (70, 180)) if kettle else log_uni(rng, (160, 320)), 7)
    m, t60 = samples(0.35), uni(rng, (0.3, 0.9)) if kettle else uni(rng, (0.06, 0.2))
    wires = 0.0 if kettle else uni(rng, (0.3, 2))
    blows = [
        unit(modal(m, skin, t60 * rng.uniform(0.5, 1, 7), rng.uniform(-1, 1, 7))) * swell(m, 0.003, 0.2)
        + wires * noise(rng, m, ((500, -20), (3000, 0), (7900, -4))) * decay(m, uni(rng, (0.08, 0.25)))
        + uni(rng, (0, 1)) * burst_grain(rng, m, (300, 2500))
        for _ in range(4)
    ]
    loud = curve(n, pick(rng, (0.1, 0.4, 1), (0.3, 1, 0.3), (0.6, 0.7, 0.6), (1, 0.3, 0.1)))
    roll = scatter(rng, n, blows, ticks(rng, np.full(n, rate, np.float32), 0.05), 1.5) * loud
    accents = pattern(n, uni(rng, (0.8, 3)), (0.0,))
    return roll + uni(rng, (0, 2)) * scatter(rng, n, blows, accents[accents < n], 1)
