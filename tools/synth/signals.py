"""Tones made to mean something: codes, calls, warnings, doorbells and games."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, near, pick, samples, seconds_axis, silence, swell, uni, unit, wander
from .filters import body
from .machines import engine_idle
from .sources import band, harmonic, modal, modes, noise, phase_of, tone, white
from .timing import LAST_START, add_at, events, strikes

ROW_HZ, COLUMN_HZ = (697, 770, 852, 941), (1209, 1336, 1477)  # ITU-T Q.23
BAUD = 300.0  # of the oldest modems, slow enough to be heard as a warble


def keyed(gate: Wave) -> Wave:
    """A gate with 4-ms ramps, so that it keys a tone without a click."""
    return np.convolve(gate, np.full(64, 1 / 64, np.float32), "same").astype(np.float32)


# ------------------------------------------------------------------------------------------------ codes


def morse_code(rng: Rng, n: int) -> Wave:
    """Random letters: a dash is three dots, a gap between letters three, between words seven."""
    dot = samples(log_uni(rng, (0.035, 0.16)))
    units: list[float] = [0.0] * int(rng.integers(0, 7))
    while len(units) * dot < n:
        for _ in range(int(rng.integers(1, 5))):
            units += [1.0] * pick(rng, 1, 3) + [0.0]
        units += [0.0] * pick(rng, 2, 2, 2, 6)
    gate = keyed(np.repeat(np.array(units, np.float32), dot)[:n])
    wave = harmonic(log_uni(rng, (350, 1300)), n, np.arange(1, 9) ** -uni(rng, (1, 4)))
    return wave * gate + uni(rng, (0, 0.2)) * band(rng, n, 300, 2500) * np.exp(0.3 * wander(rng, n, 5))


def touch_tones(rng: Rng, n: int) -> Wave:
    """A number being dialled: each key sounds its row and its column."""
    on, off, hand = log_uni(rng, (0.05, 0.3)), log_uni(rng, (0.04, 0.4)), uni(rng, (0, 0.3))
    out, at, left = silence(n), int(rng.uniform(0, 0.2) * n), pick(rng, 4, 7, 10, 12)
    while at < n - LAST_START and left:
        m = samples(near(rng, on, hand))
        add_at(out, (tone(pick(rng, *ROW_HZ), m) + uni(rng, (0.7, 1.2)) * tone(pick(rng, *COLUMN_HZ), m)) * swell(m, 0.04, 0.04), at)
        at, left = at + m + samples(near(rng, off, 2 * hand)), left - 1
    return out


def modem(rng: Rng, n: int) -> Wave:
    """Two machines greet: answer tone, warbling bits in a low and a high channel, then the roar of full speed."""
    times = np.sort(rng.random(3)) * n
    bits = rng.integers(0, 2, (2, int(n / SAMPLE_RATE_HZ * BAUD) + 1))
    hold = (phase_of(BAUD, n)).astype(int).clip(max=bits.shape[1] - 1)
    answer = tone(pick(rng, 2100.0, 2225.0, 1300.0), n)
    warble = tone(np.where(bits[0][hold], 1270.0, 1070.0), n) + uni(rng, (0.2, 1)) * tone(np.where(bits[1][hold], 2225.0, 2025.0), n)
    carrier = log_uni(rng, (1600, 2000))
    roar = band(rng, n, 500, 3300, 60) + uni(rng, (0, 0.8)) * tone(carrier, n)
    t, parts = np.arange(n), [answer, warble, roar, (answer + warble) * (phase_of(uni(rng, (2, 9)), n) % 1 < 0.7)]
    rng.shuffle(parts)
    return sum(
        unit(part) * keyed(((t >= a) & (t < b)).astype(np.float32)) for part, a, b in zip(parts, [0, *times], [*times, n], strict=True)
    )


# ------------------------------------------------------------------------------------------------ warnings


def reverse_beeper(rng: Rng, n: int) -> Wave:
    """One even beep after another over the idling lorry that backs up."""
    period, duty = uni(rng, (0.55, 1.3)), uni(rng, (0.4, 0.6))
    gate = keyed(((phase_of(1 / period, n) + rng.random()) % 1 < duty).astype(np.float32))
    beep = harmonic(log_uni(rng, (900, 2800)), n, np.arange(1, 9) ** -uni(rng, (1, 3)), rng)
    return unit(beep) * gate + uni(rng, (0.1, 0.9)) * unit(engine_idle(rng, n)) * curve(n, rng.uniform(0.5, 1, 2))


def foghorn(rng: Rng, n: int) -> Wave:
    """A reed as big as a man, with a grunt at the end when the air runs out, and the far shore's echo."""
    base, slope, grunt = log_uni(rng, (65, 260)), uni(rng, (0.3, 1.2)), uni(rng, (0, 0.8))
    chord = pick(rng, (1,), (1,), (1, 1.5), (1, 1.25))

    def blow(rng: Rng, m: int) -> Wave:
        drop = 2 ** (-grunt * np.clip(8 * curve(m, (0, 1)) - 7, 0, 1))
        wave = sum(harmonic(base * ratio * drop, m, np.arange(1, 60) ** -slope) for ratio in chord)
        return body(rng, wave + 0.1 * white(rng, m), (100, 1500), 4, 0.1, (2, 6)) * swell(m, 0.06, 0.05)

    out = events(rng, n, blow, (1, 3.5), (0.6, 2.5), single=0.5)
    for delay in rng.uniform(0.2, 1.2, 2):
        add_at(out, out.copy(), samples(delay), uni(rng, (0.05, 0.3)))
    return out


def sonar(rng: Rng, n: int) -> Wave:
    """A ping, the sea's reverberation round its pitch, and one echo."""
    hz, slide, echo_s = log_uni(rng, (600, 3500)), uni(rng, (-0.1, 0.1)), uni(rng, (0.3, 1.2))
    ping_s, sea = log_uni(rng, (0.05, 0.5)), log_uni(rng, (0.05, 0.5))

    def ping(rng: Rng, m: int) -> Wave:
        size = samples(ping_s)
        wave = tone(hz * 2 ** curve(size, (0, slide)), size) * swell(size, 0.1, 0.7)
        out = sea * band(rng, m, 0.96 * hz, 1.04 * hz, 60) * decay(m, uni(rng, (0.8, 2.5)))
        add_at(out, wave, 0)
        add_at(out, wave * tone(25.0, size, 0.25), samples(echo_s), uni(rng, (0.05, 0.4)))
        return out

    return strikes(rng, n, ping, 2.5, (0.9, 3), 0.3, (0, 0.05))


# ------------------------------------------------------------------------------------------------ doors and games


def doorbell(rng: Rng, n: int) -> Wave:
    """Ding, dong: two tubes or bars, the second lower; grander houses have longer tunes."""
    ding = log_uni(rng, (420, 1400))
    tune = pick(rng, (0, -4), (0, -4), (0, -3), (0, -5), (0, -4, 3, -9), (0, 4, 7, 12))
    gap, t60, kind = uni(rng, (0.25, 0.8)), log_uni(rng, (0.5, 2.5)), pick(rng, "bar", "bell")
    partials, gains = modes(rng, kind, 1.0, 5), rng.uniform(0.1, 1, 5) * np.arange(1, 6) ** -1.0

    def press(rng: Rng, m: int) -> Wave:
        out = silence(m)
        for k, step in enumerate(tune):
            add_at(
                out,
                modal(m, ding * 2 ** (step / 12) * partials, t60 * np.arange(1, 6) ** -0.6, gains),
                samples(k * gap + 0.001),
                uni(rng, (0.7, 1)),
            )
        return out

    return strikes(rng, n, press, gap * len(tune) + 1.5, (1.2, 3), 0.6, (0.02, 0.3))


def arcade_game(rng: Rng, n: int) -> Wave:
    """Square-wave jumps, zaps, coins and blasts of coarse noise, as an eight-bit console made them."""
    square = (np.arange(1, 40) % 2) / np.arange(1, 40)
    steps_hz = log_uni(rng, (12, 30))

    def effect(rng: Rng, m: int) -> Wave:
        base, kind = log_uni(rng, (180, 1200)), pick(rng, "jump", "jump", "zap", "zap", "coin", "coin", "run", "run", "blast")
        if kind == "blast":
            return np.repeat(white(rng, m // 8 + 1), 8)[:m] * decay(m, m / SAMPLE_RATE_HZ)
        x = np.floor(seconds_axis(m) * steps_hz)  # pitch moves in steps, once a video frame or so
        octaves = {
            "jump": 0.12 * x,
            "zap": -0.25 * x,
            "coin": np.where(x > 1, 5 / 12, 0),
            "run": np.array([0, 4, 7, 12])[x.astype(int) % 4] / 12,
        }[kind]
        return harmonic((base * 2**octaves).clip(60, 5000), m, square) * (decay(m, 1.0) if kind == "coin" else swell(m, 0.01, 0.05))

    tune = pick(rng, 0, uni(rng, (0.1, 0.4)))
    notes = np.repeat(log_uni(rng, (80, 200)) * 2 ** (rng.choice([0, 3, 5, 7, 10, 12], 64) / 12), samples(1 / uni(rng, (4, 9))))
    bass = harmonic(np.resize(notes, n), n, square)
    return events(rng, n, effect, (0.12, 0.7), (0.02, 0.5), single=0.02, loose=0.4) + tune * bass + 0.001 * noise(rng, n)
