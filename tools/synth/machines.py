"""Machines and streets: engines, what drives or flies past, tools, shots, steam and mains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .basics import SAMPLE_RATE_HZ, Range, Rng, Synth, Wave, curve, decay, log_uni, pick, samples, silence, swell, uni, unit, wander
from .contacts import struck
from .filters import body
from .sources import burst_grain, harmonic, modal, noise, phase_of, pulses, tone, white
from .timing import add_at, events, pattern, scatter, strikes, ticks

# ------------------------------------------------------------------------------------------------ engines


def trigger(rng: Rng, n: int, span: Range, levels: int, hold: int) -> Wave:
    """Loudness under a hand that pulls and lets go: so many levels, each held for `hold - 1` times as long as the way to the next."""
    return np.clip(curve(n, np.repeat(rng.uniform(*span, levels), hold)), 0.02, 1)


def rotor(
    rate_hz: Range,
    firings: Sequence[int],
    sweep: Range,
    turns: Range,
    noise_gain: Range,
    tilt: Range,
    shell_hz: Range,
    rough: Range = (0.02, 0.3),
    gated: float = 0.0,
    load: Range = (0, 0.4),
) -> Synth:
    """Factory for engines and motors: one table per shaft cycle with uneven firings, a wandering rate, noise that breathes with the
    firings, and the resonances of the shell.

    rate_hz: shaft cycles a second; firings: in each of them. sweep: octaves of the wandering, `turns` a second. load: how much faster
    is louder. gated: chance of a trigger.
    """

    def synth(rng: Rng, n: int) -> Wave:
        per_cycle, slope, grit = int(pick(rng, *firings)), uni(rng, tilt), uni(rng, rough)
        speed = curve(n, rng.standard_normal(max(2, int(n / SAMPLE_RATE_HZ * log_uni(rng, turns)) + 2)))
        f0 = log_uni(rng, rate_hz) * 2 ** np.clip(uni(rng, sweep) * speed + 0.02 * grit * wander(rng, n, 30), -2.5, 2.5)
        partial = np.arange(1, 501, dtype=float)
        weights = np.where(partial % per_cycle == 0, 1.0, grit) * (np.ceil(partial / per_cycle) ** -slope) * rng.uniform(0.3, 1, 500)
        wave = harmonic(f0, n, weights, rng if rng.random() < 0.4 else None)
        stroke = np.clip(pulses(f0 * per_cycle, n, 1.0), 0, 1)
        depth = uni(rng, (0, 1))
        wave = unit(wave) + log_uni(rng, noise_gain) * white(rng, n) * (1 - depth + 2 * depth * stroke)
        wave = body(rng, wave, shell_hz, int(rng.integers(3, 8)), uni(rng, (0.02, 0.2)), (1, 8))
        wave = wave * 2 ** (uni(rng, load) * 2 * speed.clip(-2, 2))
        return wave * trigger(rng, n, (-0.6, 1.5), 12, 10) if rng.random() < gated else wave

    return synth


chainsaw = rotor(
    rate_hz=(55, 190),
    firings=(1,),
    sweep=(0.05, 0.7),
    turns=(0.4, 3),
    noise_gain=(0.2, 1.5),
    tilt=(0.1, 0.8),
    shell_hz=(300, 5000),
    rough=(0.1, 0.6),
    gated=0.3,
)

drill = rotor(
    rate_hz=(90, 420),
    firings=(1, 2, 3),
    sweep=(0.05, 0.6),
    turns=(0.3, 2),
    noise_gain=(0.05, 0.8),
    tilt=(0.0, 0.9),
    shell_hz=(900, 7000),
    rough=(0.2, 0.8),
    gated=0.4,
)

engine_idle = rotor(
    rate_hz=(5, 16),
    firings=(2, 3, 4),
    sweep=(0.0, 0.08),
    turns=(0.3, 2),
    noise_gain=(0.1, 1.5),
    tilt=(0.4, 1.3),
    shell_hz=(50, 1500),
    rough=(0.1, 0.8),
)

engine_revving = rotor(
    rate_hz=(9, 30),
    firings=(2, 3, 4),
    sweep=(0.4, 1.1),
    turns=(0.5, 2),
    noise_gain=(0.1, 1.0),
    tilt=(0.2, 1.0),
    shell_hz=(70, 2500),
    rough=(0.1, 0.6),
    load=(0.2, 0.9),
)

motorbike = rotor(
    rate_hz=(12, 60),
    firings=(1, 2),
    sweep=(0.1, 0.8),
    turns=(0.3, 1.5),
    noise_gain=(0.05, 0.6),
    tilt=(0.0, 0.7),
    shell_hz=(90, 3000),
    rough=(0.05, 0.4),
    load=(0.1, 0.7),
)

# ------------------------------------------------------------------------------------------------ passing by


def pass_by(rng: Rng, n: int, source: Wave) -> Wave:
    """Loudness of something driving or flying past at constant speed."""
    x = np.linspace(-1, 1, n) - uni(rng, (-0.7, 0.7))
    return source * (1 / np.sqrt(1 + np.square(x * uni(rng, (0.2, 7))))).astype(np.float32)


def helicopter(rng: Rng, n: int) -> Wave:
    rate, sharp = log_uni(rng, (8, 32)) * (1 + 0.01 * wander(rng, n, 1)), uni(rng, (0.4, 1.3))
    chop = pulses(rate, n, sharp)
    air = noise(rng, n, ((40, 0), (log_uni(rng, (150, 1500)), 0), (7900, -uni(rng, (20, 45)))))
    slap = air * (0.1 + np.clip(pulses(rate, n, 1.1), 0, 1))
    turbine = pick(rng, 0, 0, uni(rng, (0, 0.15))) * tone(log_uni(rng, (700, 5000)), n)
    return pass_by(rng, n, body(rng, chop, (40, 600), 4, 0.2) + uni(rng, (0.2, 2)) * slap + turbine)


def airplane(rng: Rng, n: int) -> Wave:
    drift = 2 ** (curve(n, (uni(rng, (0, 0.4)), 0, -uni(rng, (0, 0.5)))) * uni(rng, (0, 1)))  # Doppler
    corner = log_uni(rng, (200, 2500))
    jet = noise(rng, n, ((30, -12), (100, -2), (corner, 0), (7900, -uni(rng, (15, 45))))) * (1 + 0.1 * wander(rng, n, 4))
    prop = harmonic(log_uni(rng, (50, 160)) * drift, n, np.arange(1, 30) ** -uni(rng, (0.6, 1.4)), rng)
    whine = tone(log_uni(rng, (800, 4500)) * drift, n)
    kind = uni(rng, (0, 1))
    return pass_by(rng, n, jet * kind + (1 - kind) * 2 * prop + uni(rng, (0, 0.3)) * whine * kind)


def train(rng: Rng, n: int) -> Wave:
    roll = noise(rng, n, ((30, -5), (log_uni(rng, (80, 400)), 0), (1500, -uni(rng, (5, 20))), (7900, -uni(rng, (25, 45)))))
    roll = roll * (1 + 0.3 * wander(rng, n, 5))
    at = pattern(n, log_uni(rng, (0.35, 1.6)), (0, uni(rng, (0.1, 0.4))))  # two axles over each joint of the rails
    clack = [
        modal(2400, rng.uniform(100, 2200, 10), rng.uniform(0.03, 0.14, 10), rng.standard_normal(10))
        + burst_grain(rng, 2400, (100, 1200), 2)
        for _ in range(2)
    ]
    out = roll * uni(rng, (0.1, 0.7)) + scatter(rng, n, clack, at[at < n], 3) * uni(rng, (0.1, 0.6))
    if rng.random() < 0.3:
        out += car_horn(rng, n) * uni(rng, (0.3, 1.2))
    if rng.random() < 0.3:  # wheels squeal on a bend
        squeal = uni(rng, (0.05, 0.4)) * tone(log_uni(rng, (1500, 5000)) * (1 + 0.01 * wander(rng, n, 6)), n)
        out += squeal * np.clip(wander(rng, n, 2), 0, 1)
    return pass_by(rng, n, out)


def car_horn(rng: Rng, n: int) -> Wave:
    base, slope = log_uni(rng, (180, 650)), uni(rng, (0.2, 1.1))
    chord = pick(rng, (1,), (1, 1.26), (1, 1.19), (1, 1.26, 1.5), (1, 1.03))

    def one(rng: Rng, m: int) -> Wave:
        bend = 1 + 0.01 * curve(m, (-2, 0, 0, 0, 0, 0, 0, -1)) + 0.002 * wander(rng, m, 30)
        wave = sum(harmonic(base * c * bend, m, np.arange(1, 41) ** -slope) for c in chord)
        return body(rng, wave, (300, 3500), 4, 0.15, (1, 6)) * swell(m, 0.02, 0.05)

    return events(rng, n, one, (0.1, 3), (0.08, 1), single=0.4)


def siren(rng: Rng, n: int) -> Wave:
    base, width, rate = log_uni(rng, (350, 1100)), uni(rng, (0.25, 1.3)), pick(rng, log_uni(rng, (0.08, 0.5)), log_uni(rng, (0.5, 5)))
    phase = (phase_of(rate, n) + rng.random()) % 1
    up = uni(rng, (0.15, 0.85))
    wail = np.where(phase < up, phase / up, (1 - phase) / (1 - up))
    two_tone = (phase < 0.5) * 1.0
    octaves = width * pick(rng, wail, wail, two_tone)
    drift = 2 ** (-0.1 * curve(n, (0, 0, 1, 1)) * uni(rng, (0, 1)))
    horn = harmonic(base * 2**octaves * drift, n, np.arange(1, 30) ** -uni(rng, (0.5, 2.0)), rng)
    return pass_by(rng, n, body(rng, horn, (500, 4000), 4, 0.2, (1, 5)))


# ------------------------------------------------------------------------------------------------ blows and shots

hammer = struck(
    kind="plate",
    pitch_hz=(250, 1800),
    t60_s=(0.04, 0.4),
    period_s=(0.25, 1.1),
    count=(8, 24),
    click=(0.4, 1.6),
    damping=(0.1, 0.8),
    single=0.1,
    loose=(0.02, 0.3),
    bodies=2,
)


def jackhammer(rng: Rng, n: int) -> Wave:
    rate = log_uni(rng, (8, 32)) * (1 + 0.03 * wander(rng, n, 4))
    hits = [
        modal(1200, rng.uniform(150, 4500, 12), rng.uniform(0.01, 0.09, 12), rng.standard_normal(12))
        + uni(rng, (0.3, 2)) * burst_grain(rng, 1200, (150, 2500), 2)
        for _ in range(3)
    ]
    out = scatter(rng, n, hits, ticks(rng, rate, 0.03), 2)
    air = noise(rng, n, ((100, -20), (1500, 0), (7900, -10)))
    gate = trigger(rng, n, (-0.4, 2), 6, 20) if rng.random() < 0.4 else np.float32(1)
    return (unit(out) + uni(rng, (0, 0.4)) * air) * gate


def explosion(low_hz: Range, t60_s: Range, period_s: Range, single: float, crackle: Range) -> Synth:
    """Factory for shots and fireworks: a shock, a coloured tail, echoes, perhaps a whistle before and crackle after."""

    def synth(rng: Rng, n: int) -> Wave:
        corner, tail, sparks = log_uni(rng, low_hz), log_uni(rng, t60_s), uni(rng, crackle)

        def bang(rng: Rng, m: int) -> Wave:
            out, start = silence(m), 0
            if sparks and rng.random() < 0.4:
                start = samples(uni(rng, (0.2, 0.9)))
                rocket = tone(log_uni(rng, (1500, 4000)) * 2 ** curve(start, (0, uni(rng, (-1, 0.7)))), start) * swell(start, 0.3, 0.2)
                add_at(out, rocket, 0, uni(rng, (0.03, 0.3)))
            rest = max(64, m - start)
            boom = noise(rng, rest, ((20, -6), (corner, 0), (6 * corner, -uni(rng, (6, 20))), (7900, -uni(rng, (15, 40)))))
            crack = noise(rng, rest) * decay(rest, uni(rng, (0.01, 0.08)))
            echo = np.roll(decay(rest, tail), int(uni(rng, (0.05, 0.5)) * rest)) * uni(rng, (0, 0.3))
            add_at(out, boom * (decay(rest, tail * uni(rng, (0.2, 1))) + echo) + uni(rng, (0.2, 2)) * crack, start)
            if sparks:
                at = start + rest * rng.beta(1.5, 3, int(200 * sparks) + 1)
                out += 0.5 * sparks * scatter(rng, m, [burst_grain(rng, 120, (1500, 5000)) for _ in range(6)], at[at < m], 6)
            return out

        return strikes(rng, n, bang, min(3.5, tail + (1.5 if sparks else 0.3)), period_s, single, (0.01, 0.8))

    return synth


fireworks = explosion(low_hz=(60, 400), t60_s=(0.3, 1.8), period_s=(0.15, 1.6), single=0.1, crackle=(0.1, 1))

gunshot = explosion(low_hz=(150, 1500), t60_s=(0.08, 1.2), period_s=(0.08, 1.8), single=0.4, crackle=(0, 0))

# ------------------------------------------------------------------------------------------------ steam and mains


def steam_hiss(rng: Rng, n: int) -> Wave:
    corner, fall = log_uni(rng, (1200, 6500)), uni(rng, (0, 15))
    pipe, whine = log_uni(rng, (900, 5000)), pick(rng, 0, 0, uni(rng, (0.1, 1)))
    attack, release = log_uni(rng, (0.005, 0.3)), uni(rng, (0.02, 0.9))

    def jet(rng: Rng, m: int) -> Wave:
        air = noise(rng, m, ((200, -40), (corner, 0), (7900, -fall)))
        return (air + whine * tone(pipe * curve(m, (0.95, 1, 0.9)), m)) * swell(m, attack, release, 1.5)

    return events(rng, n, jet, (0.2, 6), (0.1, 1.2), single=0.4)


def electric_hum(rng: Rng, n: int) -> Wave:
    base = pick(rng, 50.0, 60.0, 100.0, 120.0) * uni(rng, (0.98, 1.02))
    wave = harmonic(base, n, rng.random(60) ** 2 * np.arange(1, 61) ** -uni(rng, (0.2, 1.8)), rng)
    fizz = noise(rng, n, ((500, -20), (3000, 0), (7900, -5))) * (1 + tone(2 * base, n)) * np.clip(wander(rng, n, 20), 0, None)
    return wave * (1 + 0.1 * wander(rng, n, 1)) + pick(rng, 0, 0.02, 0.15) * fizz
