"""What hands, tools and feet share: the two factories of hitting and of rubbing.

Knows neither who hits nor what is rubbed.
"""

from __future__ import annotations

import numpy as np

from .basics import Range, Rng, Synth, Wave, log_uni, pick, samples, swell, uni
from .filters import body
from .sources import modal, modes, noise, pulses, white
from .timing import add_at, events, strikes


def struck(
    kind: str,
    pitch_hz: Range,
    t60_s: Range,
    period_s: Range,
    count: tuple[int, int] = (5, 20),
    click: Range = (0.0, 0.6),
    damping: Range = (0.2, 1.0),
    single: float = 0.25,
    loose: Range = (0.02, 0.5),
    bodies: int = 1,
    rattle: float = 0.0,
) -> Synth:
    """Factory for impacts: modes of a body ring after a hit whose place (gains) and hardness (click) change from hit to hit.

    kind: see `modes`; count: how many of them. damping: how much sooner high modes die. bodies: at most so many take turns.
    rattle: mean number of bounces. single, loose: see `strikes`.
    """

    def synth(rng: Rng, n: int) -> Wave:
        ring, fall = log_uni(rng, t60_s), uni(rng, damping)
        sets = [modes(rng, kind, log_uni(rng, pitch_hz), int(rng.integers(*count))) for _ in range(int(rng.integers(1, bodies + 1)))]
        hard, slope, colour = uni(rng, click), uni(rng, (0, 1.2)), log_uni(rng, (600, 6000))

        def hit(rng: Rng, m: int) -> Wave:
            hz = pick(rng, *sets)
            relative = np.maximum(hz / hz[0], 1)
            gains = relative**-slope * rng.uniform(0.1, 1, len(hz)) * rng.choice([-1, 1], len(hz))
            wave = modal(m, hz, ring * relative**-fall * rng.uniform(0.7, 1.3, len(hz)), gains)
            short = min(m, samples(uni(rng, (0.003, 0.04))))
            contact = noise(rng, short, ((0, -10), (colour, 0), (7900, -15)))
            wave[:short] += np.float32(2 * hard * np.abs(gains).max()) * contact * swell(short, 0.02, 0.95)
            for k in range(int(rng.poisson(rattle))):  # bounces, ever faster and weaker
                add_at(wave, wave[: m // 2].copy(), min(m - 1, samples(0.15 * (1 - 0.6**k) + 0.03)), 0.5 ** (k + 1))
            return wave

        return strikes(rng, n, hit, min(5.0, 1.2 * ring + 0.05), period_s, single, loose)

    return synth


def strokes(low_hz: Range, high_hz: Range, teeth_hz: Range, dur_s: Range, gap_s: Range, tonal: Range) -> Synth:
    """Factory for to-and-fro rubbing: band noise broken up by teeth or bristles, with two unequal directions.

    tonal: how deeply the teeth bite into the noise.
    """

    def synth(rng: Rng, n: int) -> Wave:
        low, high = log_uni(rng, low_hz), log_uni(rng, high_hz)
        teeth, bite, back = log_uni(rng, teeth_hz), uni(rng, tonal), uni(rng, (0.2, 1))

        def one(rng: Rng, m: int) -> Wave:
            half = int(m * uni(rng, (0.4, 0.6)))
            speed = np.r_[swell(half, 0.4, 0.4), swell(m - half, 0.4, 0.4)] + 0.05
            grind = (1 - bite) + bite * 2 * np.clip(pulses(teeth * speed, m, 0.6), 0, None)
            direction = np.r_[np.ones(half), back * np.ones(m - half)].astype(np.float32)
            return body(rng, white(rng, m) * grind, (low, high), 5, 0.05, (1, 6)) * speed * direction

        return events(rng, n, one, dur_s, gap_s, 0.1, 0.2, uni(rng, (0.02, 0.2)))

    return synth
