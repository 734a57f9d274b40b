"""Weather, water and fire: many small grains over slowly moving noise."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Range, Rng, Synth, Wave, curve, decay, log_uni, near, samples, silence, swell, uni, unit, wander
from .filters import BIN_HZ, HOP, morph, n_frames, resonances
from .sources import bubble, burst_grain, levels, modal, noise, white
from .timing import add_at, bubbling, events, poisson, scatter, strikes, ticks

# ------------------------------------------------------------------------------------------------ water


def water(rate_hz: Range, hz: Range, wash: Range, wash_hz: Range, surge: Range) -> Synth:
    """Factory for running water: `rate_hz` bubbles a second over a wash of noise, both swelling slowly by the depth `surge`."""

    def synth(rng: Rng, n: int) -> Wave:
        low = log_uni(rng, hz)
        drops = bubbling(rng, n, log_uni(rng, rate_hz), (low, low * uni(rng, (2, 8))), (0, uni(rng, (0.02, 0.2))))
        corner = log_uni(rng, wash_hz)
        rush = noise(rng, n, ((60, -25), (corner / 2, -6), (corner, 0), (7900, -uni(rng, (6, 30)))))
        return (unit(drops) + log_uni(rng, wash) * rush) * np.exp(uni(rng, surge) * wander(rng, n, uni(rng, (0.5, 6))))

    return synth


stream = water(rate_hz=(80, 600), hz=(300, 1200), wash=(0.1, 1.2), wash_hz=(400, 3000), surge=(0, 0.3))

bubbles = water(rate_hz=(4, 50), hz=(120, 900), wash=(0.005, 0.15), wash_hz=(200, 1500), surge=(0.1, 0.8))


def pouring_water(rng: Rng, n: int) -> Wave:
    """A filling vessel: the air column above shortens, so its resonance climbs."""
    start, climb = log_uni(rng, (200, 900)), uni(rng, (0.3, 2.2))

    def one(rng: Rng, m: int) -> Wave:
        base = bubbling(rng, m, log_uni(rng, (60, 500)), (400, 3500)) + uni(rng, (0.05, 0.4)) * white(rng, m)
        column = (start * 2 ** (climb * curve(n_frames(m), (0, 0.35, 1))))[:, None] * np.array([1, 3, 5])
        gains = uni(rng, (0.05, 0.5)) + resonances(np.minimum(column, 7800), 40 + 0.1 * column, np.array([3, 2, 1]))
        return morph(base, gains) * swell(m, 0.05, 0.1)

    return events(rng, n, one, (1.5, 5), (0.3, 1), single=0.6)


def water_drops(rng: Rng, n: int) -> Wave:
    hz, rise = log_uni(rng, (350, 2500)), uni(rng, (0, 0.25))

    def drop(rng: Rng, m: int) -> Wave:
        out = silence(m)
        out[:60] = uni(rng, (0.05, 0.7)) * burst_grain(rng, 60, (2000, 5000))
        for k in range(int(rng.integers(1, 4))):
            add_at(out, bubble(near(rng, hz, 0.25), rise), samples(0.004 + uni(rng, (0.01, 0.06)) * k), 0.6**k)
        return out

    return strikes(rng, n, drop, 0.25, (0.12, 1.8), 0.05, (0.01, 0.7))


def sea_waves(rng: Rng, n: int) -> Wave:
    frames, period = n_frames(n), log_uni(rng, (2, 9))
    phase = (np.arange(frames) * HOP / SAMPLE_RATE_HZ / period + rng.random() + 0.05 * curve(frames, rng.standard_normal(6))) % 1
    level = np.interp(phase, (0, uni(rng, (0.15, 0.45)), 0.75, 1), (0.15, 1, 0.4, 0.15)) ** uni(rng, (0.7, 2))
    corner = (log_uni(rng, (200, 700)) * (1 + uni(rng, (2, 9)) * level))[:, None]  # the breaking crest is brighter than the swell
    gains = level[:, None] / (1 + (BIN_HZ / corner) ** uni(rng, (1.5, 3))) * np.minimum(BIN_HZ / 80, 1)
    out = morph(white(rng, n), gains.astype(np.float32))
    return out + uni(rng, (0, 0.15)) * out.std() * bubbling(rng, n, 150, (500, 4000))


# ------------------------------------------------------------------------------------------------ weather


def rain(rng: Rng, n: int) -> Wave:
    size = log_uni(rng, (800, 4500))
    drops = [burst_grain(rng, int(rng.integers(40, 260)), (size, 6000), 1.2) for _ in range(12)]
    near_by = scatter(rng, n, drops, poisson(rng, n, log_uni(rng, (40, 900))))
    far = noise(rng, n, ((100, -uni(rng, (10, 40))), (log_uni(rng, (800, 5000)), 0), (7900, -uni(rng, (0, 20)))))
    return (unit(near_by) + log_uni(rng, (0.15, 4)) * far) * np.exp(0.15 * wander(rng, n, 0.8))


def hail(rng: Rng, n: int) -> Wave:
    roof = log_uni(rng, (300, 2500))
    stones = [
        modal(900, near(rng, roof, 0.5) * np.array([1, 1.8, 2.9, 4.2]), rng.uniform(0.01, 0.08, 4), rng.random(4))
        + 0.7 * burst_grain(rng, 900, (1500, 5000))
        for _ in range(8)
    ]
    return scatter(rng, n, stones, poisson(rng, n, log_uni(rng, (15, 250)))) * np.exp(0.3 * wander(rng, n, 0.6))


def thunder(rng: Rng, n: int) -> Wave:
    level, corner = silence(n), log_uni(rng, (60, 400))
    for _ in range(int(rng.integers(1, 6))):
        start = int(rng.beta(1, 3) * 0.8 * n)
        m = n - start
        level[start:] += uni(rng, (0.3, 1)) * decay(m, log_uni(rng, (0.6, 6))) * swell(m, uni(rng, (0.001, 0.06)), 0.1)
    rumble = noise(rng, n, ((20, -10), (50, 0), (corner, -3), (8 * corner, -uni(rng, (25, 45))), (7900, -65)))
    crack = noise(rng, n, ((100, -10), (900, 0), (7900, -25))) * np.exp(uni(rng, (0.3, 1)) * wander(rng, n, 25))
    return level * rumble * np.exp(0.6 * wander(rng, n, 6)) + uni(rng, (0, 0.8)) * level**3 * crack


def wind(rng: Rng, n: int) -> Wave:
    frames = n_frames(n)
    howl = uni(rng, (0, 1))
    gust = curve(frames, rng.standard_normal(int(rng.integers(4, 14))))
    centre = log_uni(rng, (150, 900)) * 2 ** (0.45 * gust)
    peaks = np.stack([centre, centre * uni(rng, (1.7, 2.6))], 1)
    gains = resonances(peaks, peaks * np.array([uni(rng, (0.04, 0.6)), uni(rng, (0.1, 0.5))]), np.array([1, 0.4])) * howl
    gains += (1 - 0.8 * howl) * levels(HOP + 1, ((0, 0), (log_uni(rng, (60, 400)), 0), (4000, -uni(rng, (20, 45)))))
    return morph(white(rng, n), gains * np.exp(uni(rng, (0.2, 1.0)) * gust)[:, None].astype(np.float32))


# ------------------------------------------------------------------------------------------------ fire


def fire_crackle(rng: Rng, n: int) -> Wave:
    grains = [burst_grain(rng, int(rng.integers(24, 500)), (500, 5000), 1.5) for _ in range(16)]
    density = np.clip(log_uni(rng, (3, 60)) * np.exp(0.8 * wander(rng, n, 2)), 0.1, 400)
    crackle = scatter(rng, n, grains, ticks(rng, density, 1.0), 10)
    roar = noise(rng, n, ((30, 0), (log_uni(rng, (80, 400)), 0), (7900, -uni(rng, (25, 50))))) * np.exp(0.4 * wander(rng, n, 5))
    return crackle / (np.abs(crackle).max() + 1e-9) + log_uni(rng, (0.003, 0.15)) * roar
