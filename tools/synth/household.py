"""The house: what is struck, dropped, opened, rubbed, pressed or left running at home, and its bells."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, near, pick, samples, seconds_axis, silence, swell, uni, wander
from .contacts import strokes, struck
from .filters import sweep_noise
from .sources import band, burst_grain, harmonic, modal, modes, noise, phase_of, tone, white
from .timing import add_at, bubbling, events, scatter, strikes, ticks

# ------------------------------------------------------------------------------------------------ struck and shaken

clock_tick = struck(
    kind="plate",
    pitch_hz=(900, 4500),
    t60_s=(0.008, 0.09),
    period_s=(0.16, 1.1),
    count=(3, 10),
    click=(0.2, 1.5),
    single=0,
    loose=(0.0, 0.02),
    bodies=2,
)

door_knock = struck(
    kind="plate",
    pitch_hz=(70, 350),
    t60_s=(0.04, 0.2),
    period_s=(0.1, 0.45),
    count=(6, 16),
    click=(0.1, 0.8),
    single=0.03,
    loose=(0.02, 0.25),
)

glass_clink = struck(kind="bar", pitch_hz=(900, 3800), t60_s=(0.15, 1.5), period_s=(0.2, 1.5), count=(3, 7), click=(0, 0.3), bodies=2)

church_bell = struck(
    kind="bell",
    pitch_hz=(180, 900),
    t60_s=(2, 9),
    period_s=(0.7, 3.5),
    count=(8, 13),
    click=(0, 0.2),
    damping=(0.3, 0.9),
    loose=(0.01, 0.3),
    bodies=3,
)

hand_bell = struck(
    kind="bell", pitch_hz=(1000, 3200), t60_s=(0.3, 2.5), period_s=(0.08, 0.5), count=(4, 9), click=(0, 0.3), single=0.1, loose=(0.1, 0.6)
)

wind_chimes = struck(
    kind="bar",
    pitch_hz=(500, 2400),
    t60_s=(0.8, 5),
    period_s=(0.06, 0.8),
    count=(2, 5),
    click=(0, 0.1),
    damping=(0.3, 1.0),
    single=0.02,
    loose=(0.5, 1.2),
    bodies=7,
)

metal_clang = struck(
    kind="plate",
    pitch_hz=(150, 1400),
    t60_s=(0.25, 3),
    period_s=(0.2, 2),
    count=(12, 40),
    click=(0.1, 0.8),
    damping=(0.0, 0.6),
    single=0.4,
    rattle=0.8,
)

wood_hit = struck(
    kind="bar", pitch_hz=(150, 1200), t60_s=(0.03, 0.22), period_s=(0.12, 1.2), count=(3, 8), click=(0.1, 0.9), damping=(0.3, 1.2), bodies=3
)


def glass_break(rng: Rng, n: int) -> Wave:
    shards = [
        modal(samples(0.3), hz * np.array([1, 1.7, 2.4, 3.3]), rng.uniform(0.04, 0.35, 4), rng.random(4))
        for hz in np.exp(rng.uniform(np.log(900), np.log(5500), 8))
    ]

    def crash(rng: Rng, m: int) -> Wave:
        at = np.minimum(rng.exponential(log_uni(rng, (0.04, 0.35)), int(rng.integers(8, 90))) * SAMPLE_RATE_HZ, m - 1)
        out = scatter(rng, m, shards, at, 7) * curve(m, (1.5, 0.6, 0.3, 0.2))
        short = min(m, samples(uni(rng, (0.03, 0.25))))
        out[:short] += uni(rng, (0.5, 4)) * noise(rng, short, ((100, -15), (2000, 0), (7900, 0))) * swell(short, 0.01, 0.95)
        return out

    return strikes(rng, n, crash, uni(rng, (0.6, 2.5)), (0.7, 3), 0.7)


def plastic_rattle(rng: Rng, n: int) -> Wave:
    shells = [modal(500, rng.uniform(500, 5500, 6), rng.uniform(0.006, 0.05, 6), rng.standard_normal(6)) for _ in range(8)]
    shake = np.clip(tone(log_uni(rng, (0.8, 8)), n, rng.random()) * uni(rng, (0, 1.5)) + 0.5 + 0.4 * wander(rng, n, 3), 0.01, None)
    return scatter(rng, n, shells, ticks(rng, shake * log_uni(rng, (15, 160)), 0.6), 9)


def can_opening(rng: Rng, n: int) -> Wave:
    def one(rng: Rng, m: int) -> Wave:
        out, crack = silence(m), samples(uni(rng, (0.02, 0.25)))
        metal = modal(2000, rng.uniform(900, 6000, 8), rng.uniform(0.02, 0.12, 8), rng.random(8))
        for start, gain in ((0, 0.5), (crack, 1.0), (crack + samples(uni(rng, (0.05, 0.4))), 0.6)):
            add_at(out, metal + 0.5 * white(rng, 2000) * decay(2000, 0.02), start, gain)
        fizz = noise(rng, m, ((800, -30), (log_uni(rng, (2500, 6000)), 0), (7900, -3))) * decay(m, log_uni(rng, (0.15, 2)))
        add_at(out, fizz, crack, log_uni(rng, (0.1, 1)))
        return out

    return events(rng, n, one, (0.5, 2.5), (0.3, 1.5), single=0.8)


# ------------------------------------------------------------------------------------------------ rubbed

hand_saw = strokes(low_hz=(300, 1200), high_hz=(2000, 6500), teeth_hz=(60, 350), dur_s=(0.35, 1.4), gap_s=(0.01, 0.25), tonal=(0.3, 1.0))


def door_creak(rng: Rng, n: int) -> Wave:
    """Stick-slip: a hinge lets go at an unsteady rate and rings the door at each slip."""
    base, panel = log_uni(rng, (15, 350)), modes(rng, "box", log_uni(rng, (180, 1200)), 12)
    grains = [modal(700, panel, 0.01 + 0.06 * rng.random(12), rng.standard_normal(12)) for _ in range(2)]

    def one(rng: Rng, m: int) -> Wave:
        rate = base * 2 ** (uni(rng, (0.3, 1.6)) * curve(m, rng.standard_normal(int(rng.integers(3, 7)))) + 0.05 * wander(rng, m, 40))
        return scatter(rng, m, grains, ticks(rng, np.clip(rate, 3, 1500), uni(rng, (0, 0.15))), 2) * swell(m, 0.15, 0.25)

    return events(rng, n, one, (0.3, 3), (0.1, 1), single=0.4)


def zipper(rng: Rng, n: int) -> Wave:
    base = log_uni(rng, (60, 500))
    teeth = [modal(160, rng.uniform(1500, 7500, 5), rng.uniform(0.002, 0.012, 5), rng.standard_normal(5)) for _ in range(6)]

    def one(rng: Rng, m: int) -> Wave:
        rate = base * 2 ** curve(m, np.r_[rng.uniform(-1, 0), rng.uniform(-0.3, 0.8), rng.uniform(-0.6, 1.2)])
        rub = 0.3 * band(rng, m, log_uni(rng, (800, 3000)), 7500)
        return (scatter(rng, m, teeth, ticks(rng, rate, 0.08), 3) + rub * uni(rng, (0, 1))) * swell(m, 0.1, 0.1)

    return events(rng, n, one, (0.2, 1.6), (0.1, 1), single=0.3)


# ------------------------------------------------------------------------------------------------ pressed


def keyboard_typing(rng: Rng, n: int) -> Wave:
    bright, thock = log_uni(rng, (900, 4000)), uni(rng, (0.1, 1))
    keys = []
    for _ in range(6):
        m = samples(uni(rng, (0.02, 0.12)))
        hz = near(rng, bright, 0.3) * np.array([0.15, 0.4, 1, 1.7])
        key = modal(m, hz, rng.uniform(0.01, 0.05, 4), np.array([thock, thock, 0.6, 0.4]))
        key[: m // 3] += 0.5 * burst_grain(rng, m // 3, (1500, 5000))
        add_at(key, 0.4 * key[: m // 2].copy(), m // 2)  # the release
        keys.append(key)
    at = np.cumsum(rng.gamma(2, 0.5 * log_uni(rng, (0.07, 0.35)), 80) + (rng.random(80) < 0.08) * 0.6) * SAMPLE_RATE_HZ
    return scatter(rng, n, keys, at[at < n], 4)


def mouse_click(rng: Rng, n: int) -> Wave:
    """Press and release: two unlike clicks a finger's time apart, at idle moments."""
    switch, press_s = modes(rng, "box", log_uni(rng, (1200, 4500)), 6), log_uni(rng, (0.04, 0.18))

    def one(rng: Rng, m: int) -> Wave:
        out = silence(m)
        for start, gain in ((0, 1.0), (samples(near(rng, press_s, 0.15)), uni(rng, (0.3, 1)))):
            click = modal(400, switch, rng.uniform(0.003, 0.02, 6), rng.standard_normal(6))
            add_at(out, click + uni(rng, (0.2, 1.5)) * burst_grain(rng, 400, (1500, 4500)) * decay(400, 0.01), start, gain)
        return out

    return strikes(rng, n, one, 0.3, (0.2, 1.5), 0.15, (0.2, 0.9))


# ------------------------------------------------------------------------------------------------ left running or ringing


def vacuum_cleaner(rng: Rng, n: int) -> Wave:
    f0 = log_uni(rng, (90, 600)) * (1 + 0.02 * wander(rng, n, 1.5))
    whine = harmonic(f0, n, rng.random(40) * np.arange(1, 41) ** -uni(rng, (0.2, 1.2)), rng)
    air = noise(rng, n, ((60, -15), (log_uni(rng, (250, 1500)), 0), (3500, -uni(rng, (0, 12))), (7900, -uni(rng, (5, 30)))))
    out = air * (1 + 0.25 * wander(rng, n, 1.5)) + log_uni(rng, (0.3, 4)) * whine
    if rng.random() < 0.3:
        run_up, run_down = (0.01, 1, 1, 1), (1, 1, 1, 0.01)
        out = out * curve(n, pick(rng, run_up, run_down))
    return out


def washing_machine(rng: Rng, n: int) -> Wave:
    drum, motor = log_uni(rng, (0.6, 14)), log_uni(rng, (40, 300))
    turn = 0.55 + 0.45 * tone(drum, n, rng.random())
    hum = harmonic(motor * (1 + 0.03 * tone(drum, n)), n, rng.random(30) * np.arange(1, 31) ** -1.0, rng)
    slosh = sweep_noise(rng, n, log_uni(rng, (200, 1500)) * np.exp(0.4 * rng.standard_normal(12)), 0.6, 0.05)
    bump = modal(2000, rng.uniform(40, 400, 6), rng.uniform(0.05, 0.2, 6), rng.random(6))
    thump = scatter(rng, n, [bump], ticks(rng, np.full(n, drum), 0.05), 4)
    return hum * uni(rng, (0.2, 1)) + slosh * turn * uni(rng, (0.05, 0.6)) + uni(rng, (0, 1)) * thump


def toilet_flush(rng: Rng, n: int) -> Wave:
    peak, low = uni(rng, (0.1, 0.4)), log_uni(rng, (200, 900))
    rush = noise(rng, n, ((40, -20), (low, 0), (2500, -uni(rng, (3, 12))), (7900, -uni(rng, (15, 35)))))
    moments, strengths = (0, 0.05, peak, peak + 0.3, 1), (0.05, 0.5, 1, uni(rng, (0.3, 0.9)), uni(rng, (0.02, 0.4)))
    out = rush * np.interp(np.linspace(0, 1, n), moments, strengths).astype(np.float32)
    gurgle = bubbling(rng, n, 40, (120, 900)) * curve(n, (0, 0.5, 1, 0.6, 0.2))
    out += uni(rng, (0.1, 0.8)) * gurgle
    return out + uni(rng, (0, 0.3)) * noise(rng, n, ((500, -40), (3500, 0), (7900, -5))) * curve(n, (0, 0.3, 0.6, 1))  # the tank refills


def alarm_clock(rng: Rng, n: int) -> Wave:
    hz, weights = log_uni(rng, (500, 4200)), np.arange(1, 12) ** -uni(rng, (0.6, 3)) * pick(rng, np.ones(11), np.arange(1, 12) % 2)
    on, off = log_uni(rng, (0.03, 0.6)), log_uni(rng, (0.03, 0.6))
    group, pause = int(rng.integers(1, 6)), pick(rng, 0, 0, uni(rng, (0.2, 1.2)))
    second = pick(rng, 1, 1, 1.25, 1.5, 0.8)  # pitch of every other beep, as a ratio
    t = (seconds_axis(n) + rng.random() * 0.3) % (group * (on + off) + pause)
    gate = ((t % (on + off) < on) & (t < group * (on + off))).astype(np.float32)
    f0 = hz * np.where((t // (on + off)) % 2 == 1, second, 1.0)
    return harmonic(f0, n, weights, rng) * np.convolve(gate, np.full(32, 1 / 32, np.float32), "same")


def telephone(rng: Rng, n: int) -> Wave:
    on, off = uni(rng, (0.4, 2.2)), uni(rng, (0.3, 3.5))
    gate = ((seconds_axis(n) + uni(rng, (0, on / 2))) % (on + off) < on).astype(np.float32)
    strike = log_uni(rng, (12, 32))
    if rng.random() < 0.5:  # a clapper between two gongs; the last strike rings out after the gate
        hz = log_uni(rng, (900, 2800))
        gongs = [modal(6000, modes(rng, "bell", hz * c, 8), rng.uniform(0.1, 0.5, 8), rng.random(8)) for c in (1, uni(rng, (1.05, 1.3)))]
        at = ticks(rng, np.full(n, strike, np.float32), 0.02)
        return scatter(rng, n, gongs, at[gate[at] > 0], 1)
    low, high = log_uni(rng, (400, 1800)), uni(rng, (1.1, 1.6))
    warble = np.where(phase_of(strike * uni(rng, (0.4, 1)), n) % 1 < 0.5, low, low * high)
    both = tone(low, n) + tone(low * high, n) if rng.random() < 0.3 else harmonic(warble, n, np.arange(1, 16) ** -uni(rng, (0.8, 3)))
    return both * gate
