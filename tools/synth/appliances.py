"""Mechanisms that run by themselves: needles, carriages, pistons, blades, counters, lifts and shutters."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, pick, samples, silence, swell, uni, unit, wander
from .filters import body, morph, n_frames, resonances
from .sources import band, burst_grain, harmonic, modal, modes, noise, pulses, tone, white
from .timing import add_at, bubbling, events, poisson, scatter, strikes, ticks

# ------------------------------------------------------------------------------------------------ motors at home and in the office


def printer(rng: Rng, n: int) -> Wave:
    """The carriage runs to and fro on a stepper's buzz while needles or nozzles write; after each line the paper steps on."""
    line_s, step_hz, needles = log_uni(rng, (0.25, 1.1)), log_uni(rng, (150, 900)), uni(rng, (0, 1))
    feed = [modal(900, rng.uniform(300, 4000, 6), rng.uniform(0.01, 0.05, 6), rng.standard_normal(6)) for _ in range(2)]
    weights = np.arange(1, 30) ** -uni(rng, (0.3, 1.2)) * rng.random(29)

    def line(rng: Rng, m: int) -> Wave:
        feeding = m // 5
        run = m - feeding
        f0 = step_hz * pick(rng, 1, 1, 1.12) * curve(run, (0.4, 1, 1, 1, 1, 1, 0.4))
        letters = (wander(rng, run, 14) > -0.5).astype(np.float32)
        carriage = unit(harmonic(f0, run, weights, rng)) + 0.3 * band(rng, run, 1500, 6500)
        write = unit(band(rng, run, 1500, 6000) * np.clip(pulses(2.3 * step_hz, run, 0.3), 0, 1)) * letters
        paper = scatter(rng, feeding, feed, ticks(rng, np.full(feeding, log_uni(rng, (20, 60)), np.float32)), 1)
        return np.r_[((1 - needles) * carriage + 1.5 * needles * write) * swell(run, 0.04, 0.04), paper]

    return events(rng, n, line, (line_s, 1.01 * line_s), (0.005, 0.15), single=0.02, burst=0.15, loose=uni(rng, (0.02, 0.3)))


def sewing_machine(rng: Rng, n: int) -> Wave:
    """Needle and feed clack twice in a turn, under a foot that speeds the motor up and lets it run down."""
    foot = np.clip(curve(n, np.repeat(rng.uniform(0.1, 1, 7), 3)) + 0.03 * wander(rng, n, 8), 0.05, 1)
    rate, motor = log_uni(rng, (6, 19)) * foot, int(rng.integers(8, 25))
    clacks = [modal(1400, rng.uniform(200, 4500, 10), rng.uniform(0.01, 0.06, 10), rng.standard_normal(10)) for _ in range(2)]
    clacks[1] = clacks[1] * np.float32(uni(rng, (0.3, 1)))
    hum = body(rng, harmonic(motor * rate, n, np.arange(1, 20) ** -0.8 * rng.random(19), rng), (200, 2500), 3)
    out = scatter(rng, n, clacks[:1], ticks(rng, rate, 0.01), 1) + scatter(rng, n, clacks[1:], ticks(rng, rate, 0.01), 1)
    return (unit(out) + uni(rng, (0.05, 0.5)) * unit(hum)) * np.clip(6 * foot - 0.9, 0.02, 1)


def electric_shaver(rng: Rng, n: int) -> Wave:
    """A buzzing armature; cheek and jaw shade its treble as it strokes over them, and hairs crackle."""
    base, gap = log_uni(rng, (75, 180)), uni(rng, (0.1, 0.7))
    buzz = unit(harmonic(base * (1 + 0.01 * wander(rng, n, 3)), n, np.arange(1, 90) ** -gap * rng.uniform(0.2, 1, 89), rng))
    place = 2 ** (0.8 * curve(n_frames(n), rng.standard_normal(max(3, int(n / SAMPLE_RATE_HZ * uni(rng, (1, 4)))))))
    face = (place * log_uni(rng, (1200, 3500)))[:, None] * np.array([1, 1.9])
    hairs = scatter(rng, n, [burst_grain(rng, 50, (2500, 5500)) for _ in range(6)], poisson(rng, n, log_uni(rng, (5, 200))), 6)
    wave = morph(buzz + uni(rng, (0.05, 0.5)) * white(rng, n), 0.1 + resonances(face.clip(300, 7500), 0.25 * face))
    return unit(wave) + uni(rng, (0, 0.8)) * unit(hairs)


def fan(rng: Rng, n: int) -> Wave:
    """Air chopped by the blades, a motor's hum beneath, and often something that ticks once a turn."""
    turn, blades = log_uni(rng, (2.5, 16)), int(rng.integers(3, 7))
    chop = 1 + uni(rng, (0.3, 1)) * tone(turn * blades, n) + uni(rng, (0, 0.4)) * tone(turn, n)
    air = noise(rng, n, ((40, -6), (log_uni(rng, (120, 700)), 0), (2500, -uni(rng, (10, 22))), (7900, -uni(rng, (25, 50)))))
    hum = harmonic(pick(rng, 100.0, 120.0, turn * blades), n, np.arange(1, 9) ** -1.5 * rng.random(8), rng)
    tick = modal(700, rng.uniform(600, 3500, 5), rng.uniform(0.01, 0.04, 5), rng.standard_normal(5))
    rub = scatter(rng, n, [tick], ticks(rng, np.full(n, turn, np.float32), 0.02), 2)
    sway = 1 + uni(rng, (0, 0.6)) * tone(log_uni(rng, (0.08, 0.4)), n, rng.random())
    return (air * chop * sway + uni(rng, (0, 0.6)) * unit(hum)) + pick(rng, 0, uni(rng, (0.1, 1))) * unit(rub)


def elevator(rng: Rng, n: int) -> Wave:
    """The motor winds up, hums along, winds down; a gong, and doors that roll and thud."""
    top, gong_hz = log_uni(rng, (90, 420)), log_uni(rng, (450, 1500))
    stop = int(n * uni(rng, (0.35, 0.7)))
    speed = curve(stop, (pick(rng, 0.15, 1), 1, 1, 1, 0.6, 0.12))
    motor = harmonic(top * speed, stop, np.arange(1, 30) ** -uni(rng, (0.5, 1.3)) * rng.random(29), rng)
    cabin = noise(rng, stop, ((40, 0), (200, -2), (1500, -25), (7900, -50)))
    out = np.pad((unit(motor) * uni(rng, (0.3, 1)) + cabin) * (0.15 + speed), (0, n - stop))
    gong = sum(
        modal(samples(1.2), gong_hz * k * np.array([1, 2.76, 5.4]), np.array([1, 0.5, 0.2]), np.array([1, 0.3, 0.1]))
        for k in (1, pick(rng, 1, 0.8))
    )
    add_at(out, gong / np.abs(gong).max(), stop, uni(rng, (0.7, 2.5)))
    doors = max(64, (n - stop) // 2)
    roll = noise(rng, doors, ((60, -3), (250, 0), (2500, -15), (7900, -35))) * swell(doors, 0.2, 0.05) * (1 + 0.4 * wander(rng, doors, 25))
    roll[-min(doors, 1600) :] += 2 * burst_grain(rng, min(doors, 1600), (60, 300), 2)
    add_at(out, roll, stop + (n - stop) // 3, uni(rng, (0.3, 1)))
    return out


# ------------------------------------------------------------------------------------------------ engines of other kinds


def steam_engine(rng: Rng, n: int) -> Wave:
    """Four chuffs to a turn of the wheels, unequal, quickening or slowing; sometimes a chime whistle."""
    rate = log_uni(rng, (1.5, 9)) * 2 ** (uni(rng, (-1, 1)) * curve(n, (0, 1)))
    at, low = ticks(rng, rate, 0.01), log_uni(rng, (150, 700))
    m = samples(min(0.4, uni(rng, (0.5, 1.1)) / float(rate.max())))
    chuffs = [noise(rng, m, ((60, -15), (low, 0), (6 * low, -8), (7900, -22))) * swell(m, 0.08, 0.8, uni(rng, (1, 2.5))) for _ in range(4)]
    strength = rng.uniform(0.4, 1, 4)
    out = silence(n)
    for k, start in enumerate(at):
        add_at(out, chuffs[k % 4], int(start), strength[k % 4])
    if rng.random() < 0.3:
        size = min(n, samples(uni(rng, (0.5, 2))))
        f0 = log_uni(rng, (300, 700)) * curve(size, (0.9, 1, 1, 1, 0.93))
        pipes = sum(tone(f0 * ratio, size) + 0.4 * tone(2 * f0 * ratio, size) for ratio in (1, 1.2, 1.5)) + 0.5 * band(rng, size, 500, 5000)
        add_at(out, pipes * swell(size, 0.08, 0.15), int(rng.integers(0, n - size + 1)), uni(rng, (0.2, 0.8)))
    return out + uni(rng, (0, 0.1)) * noise(rng, n, ((500, -20), (3000, 0), (7900, -5)))


def motor_boat(rng: Rng, n: int) -> Wave:
    """An outboard that burbles through its own wash, its note pulled about as the bow slaps the waves."""
    slap = np.clip(wander(rng, n, uni(rng, (1, 4))), 0, None)
    f0 = log_uni(rng, (18, 75)) * 2 ** (uni(rng, (0.02, 0.25)) * slap + 0.1 * wander(rng, n, 0.6))
    engine = body(rng, pulses(f0, n, uni(rng, (0.3, 1))) * (1 + 0.4 * wander(rng, n, 30)), (80, 1200), 5, 0.05, (2, 9))
    burble = bubbling(rng, n, uni(rng, (40, 150)), (120, 900)) * (0.4 + slap)
    wash = noise(rng, n, ((60, -15), (600, 0), (7900, -uni(rng, (8, 25))))) * (0.3 + slap)
    return unit(engine) + uni(rng, (0.3, 1.2)) * unit(burble) + uni(rng, (0.1, 0.7)) * unit(wash)


# ------------------------------------------------------------------------------------------------ instruments of measure


def geiger_counter(rng: Rng, n: int) -> Wave:
    """One and the same click at instants that know nothing of each other, denser near the source."""
    hz, m = log_uni(rng, (700, 4500)), int(rng.integers(20, 140))
    click = modal(m, hz * np.array([1, 2.3]), np.array([0.004, 0.002]) * log_uni(rng, (0.5, 5)), np.array([1, 0.5]))
    rate = log_uni(rng, (2, 120)) * 2 ** (uni(rng, (0, 2)) * curve(n, rng.standard_normal(4)))
    return scatter(rng, n, [click], ticks(rng, rate.clip(0.5, 800), 1.5), 0.5)


def camera_shutter(rng: Rng, n: int) -> Wave:
    """Mirror up, curtain, mirror down, and the motor that winds on."""
    frame, gap_s, wind = modes(rng, "plate", log_uni(rng, (700, 2500)), 10), log_uni(rng, (0.03, 0.25)), uni(rng, (0, 0.6))
    winds, whirr_hz = log_uni(rng, (0.08, 0.6)), log_uni(rng, (250, 1200))

    def shot(rng: Rng, m: int) -> Wave:
        out = silence(m)
        for start, gain in ((0.0, 1.0), (gap_s, uni(rng, (0.5, 1))), (1.25 * gap_s + 0.01, uni(rng, (0.2, 0.6)))):
            slap = modal(1200, frame, rng.uniform(0.005, 0.04, 10), rng.standard_normal(10)) + 1.5 * burst_grain(
                rng, 1200, (1000, 4000)
            ) * decay(1200, 0.03)
            add_at(out, slap, samples(start), gain)
        run = samples(winds)
        whirr = harmonic(whirr_hz * curve(run, (0.5, 1, 1, 0.8)), run, np.arange(1, 20) ** -0.5 * rng.random(19), rng) * swell(
            run, 0.1, 0.1
        )
        add_at(out, unit(whirr) + 0.4 * band(rng, run, 2000, 7000), samples(1.3 * gap_s + 0.03), wind * np.abs(out).max())
        return out

    return strikes(rng, n, shot, 0.3 + 1.3 * gap_s + winds, (0.25 + gap_s + winds, 2.5), 0.3, (0.02, 0.5))
