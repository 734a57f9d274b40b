"""People: voices with and without words, breath, and what hands and feet do by themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, near, pick, samples, silence, swell, uni, unit, wander
from .contacts import strokes
from .filters import body, sweep_noise
from .sources import burst_grain, modal, noise, phase_of, pulses, tone, white
from .timing import add_at, bubbling, events, poisson, scatter, strikes
from .voices import call, hoot, tract, voiced

# ------------------------------------------------------------------------------------------------ words and tunes

VOWELS_HZ = np.array(
    [
        (270, 2290, 3010, 3700),
        (390, 1990, 2550, 3600),
        (530, 1840, 2480, 3500),
        (660, 1720, 2410, 3500),
        (730, 1090, 2440, 3400),
        (570, 840, 2410, 3300),
        (440, 1020, 2240, 3300),
        (300, 870, 2240, 3300),
        (490, 1350, 1690, 3300),
    ]
)  # Peterson & Barney 1952


def talk(rng: Rng, m: int, f0_hz: float, scale: float, rate_hz: float, breath: float = 0.08, sung: bool = False) -> Wave:
    """A phrase: vowel targets, consonant dips, hiss at some onsets, falling pitch with accents.

    scale: of the formants, small for long tracts; rate_hz: syllables a second.
    """
    count = max(1, int(m / SAMPLE_RATE_HZ * rate_hz))
    vowels = np.repeat(VOWELS_HZ[rng.integers(len(VOWELS_HZ), size=count)] * scale, 2, 0)
    targets = vowels * np.exp(0.05 * rng.standard_normal((2 * count, 4)))
    if sung:
        steps = rng.choice([-5, -3, 0, 0, 2, 4, 7], count) / 12
        f0 = f0_hz * 2 ** (curve(m, np.repeat(steps, 6)) + uni(rng, (0.01, 0.05)) * tone(uni(rng, (4.5, 6.5)), m))
    else:
        f0 = f0_hz * 2 ** (curve(m, np.linspace(0.25, -0.25, count + 2) + uni(rng, (0.05, 0.3)) * rng.standard_normal(count + 2)))
    spans = ((0, 0.6 if sung else 0.3), (0.5, 1), (0.4, 1), (0.1, 0.7))  # loudness at the quarters of a syllable
    loud = np.stack([rng.uniform(low, high, count) for low, high in spans], 1).ravel()
    wave = voiced(rng, f0.astype(np.float32), targets, uni(rng, (0.8, 1.5)), breath, uni(rng, (0, 0.15))) * curve(m, np.r_[loud, 0])
    hiss = np.zeros((count, 4))
    hiss[:, 0] = (rng.random(count) < 0.45) * rng.uniform(0.2, 1, count)
    fricative = noise(rng, m, ((500, -40), (log_uni(rng, (1500, 4500)), 0), (7900, -6)))
    return unit(wave) + np.float32(0.15 if sung else 0.6) * fricative * curve(m, np.r_[hiss.ravel(), 0])


def talker(rng: Rng) -> dict[str, float]:
    """Somebody's voice, as arguments of `talk`."""
    woman = rng.random() < 0.5
    return {
        "f0_hz": log_uni(rng, (150, 320) if woman else (75, 170)),
        "scale": uni(rng, (1.05, 1.3) if woman else (0.88, 1.05)),
        "rate_hz": uni(rng, (3, 7)),
        "breath": log_uni(rng, (0.02, 0.4)),
    }


def speech(rng: Rng, n: int) -> Wave:
    who = talker(rng)
    return events(rng, n, lambda r, m: talk(r, m, **who), (0.5, 3.5), (0.1, 0.8), single=0.15)


def singing(rng: Rng, n: int) -> Wave:
    who = talker(rng) | {"rate_hz": uni(rng, (1, 3)), "f0_hz": log_uni(rng, (110, 600))}
    return events(rng, n, lambda r, m: talk(r, m, sung=True, **who), (1.5, 5), (0.1, 0.6), single=0.2)


def crowd_babble(rng: Rng, n: int) -> Wave:
    out, m = silence(n), max(32, n // 2)
    voices = [talk(rng, m, **talker(rng)) for _ in range(3)]
    for _ in range(int(log_uni(rng, (4, 24)))):  # resampled and shifted copies pass for further people
        index = (np.arange(n) * rng.uniform(0.75, 1.3) + rng.integers(m)).astype(np.int64) % m
        out += np.float32(log_uni(rng, (0.15, 1))) * pick(rng, *voices)[index]
    return out + np.float32(uni(rng, (0, 0.6))) * out.std() * noise(rng, n, ((0, 0), (500, 0), (4000, -20)))


def humming(rng: Rng, n: int) -> Wave:
    base, tube = log_uni(rng, (90, 450)), np.array([250, 1000, 2100]) * uni(rng, (0.8, 1.3))

    def one(rng: Rng, m: int) -> Wave:
        steps = np.repeat(rng.choice([-5, -3, 0, 2, 4, 7], max(1, int(m / 5000))), 5) / 12
        f0 = base * 2 ** (curve(m, steps) + 0.02 * tone(uni(rng, (4, 6.5)), m))
        return voiced(rng, f0, tube, uni(rng, (1.6, 2.4)), uni(rng, (0.01, 0.15)), 0.0) * swell(m, 0.05, 0.15)

    return events(rng, n, one, (0.4, 3.5), (0.05, 0.6), single=0.2)


whistle = hoot(pitch_hz=(700, 3200), dur_s=(0.15, 1.5), gap_s=(0.03, 0.6), glide=(0, 0.9), over=(0, 0.2), quaver=0.3)

# ------------------------------------------------------------------------------------------------ voices without words

baby_cry = call(
    pitch_hz=(300, 650),
    length_m=(0.07, 0.11),
    dur_s=(0.4, 1.6),
    gap_s=(0.1, 0.7),
    shapes="arch fall arch",
    glide=(0.1, 0.6),
    breath=(0.03, 0.4),
    rough=(0, 0.45),
    tilt=(0.2, 0.9),
    tremor_hz=(4, 9),
    tremor_depth=(0.05, 0.35),
    single=0.05,
)

scream = call(
    pitch_hz=(500, 1700),
    length_m=(0.11, 0.17),
    dur_s=(0.6, 3),
    gap_s=(0.2, 1),
    shapes="arch flat fall rise",
    glide=(0.1, 0.7),
    breath=(0.05, 0.6),
    rough=(0.05, 0.6),
    tilt=(0.1, 0.7),
    single=0.5,
)


def laughter(rng: Rng, n: int) -> Wave:
    base, tube, rate = log_uni(rng, (130, 500)), tract(rng, uni(rng, (0.12, 0.18))), uni(rng, (3.5, 7))
    air, duty, grit = uni(rng, (0.2, 1.2)), uni(rng, (0.3, 0.65)), uni(rng, (0, 0.3))

    def bout(rng: Rng, m: int) -> Wave:
        f0 = base * 2 ** (curve(m, (rng.uniform(-0.2, 0.3), 0.4, 0, -0.6)) + 0.1 * tone(rate, m))
        ha = np.clip(np.sin(2 * np.pi * (phase_of(rate, m) % 1)) + 2 * duty - 0.8, 0, 1).astype(np.float32)
        wave = voiced(rng, f0, tube * np.array([[0.9], [1.1], [0.95]]), uni(rng, (0.8, 1.4)), air, grit)
        return (wave * ha + 0.1 * air * body(rng, white(rng, m), (800, 3000)) * (1 - ha)) * swell(m, 0.05, 0.5)

    return events(rng, n, bout, (0.5, 3), (0.2, 1.2), single=0.4)


def blast(rng: Rng, m: int, tube: NDArray, voice_gain: float, f0: float, t60_s: float) -> Wave:
    """Explosive breath through a tract with some voice in it: the common part of coughs and sneezes."""
    wave = voiced(rng, f0 * 2 ** curve(m, (0.3, 0.2, -0.5)), tube * np.array([[1.1], [0.9]]), 1.0, 1 / max(voice_gain, 0.05), 0.4)
    return unit(wave) * decay(m, t60_s) * swell(m, 0.02, 0.2)


def cough(rng: Rng, n: int) -> Wave:
    tube, voice_gain, f0 = tract(rng, uni(rng, (0.1, 0.18))), log_uni(rng, (0.1, 3)), log_uni(rng, (90, 400))

    def one(rng: Rng, m: int) -> Wave:
        out, second = blast(rng, m, tube, voice_gain, near(rng, f0, 0.1), m / SAMPLE_RATE_HZ * uni(rng, (0.6, 1.5))), m // 2
        if rng.random() < 0.5:
            add_at(out, blast(rng, m - second, tube, 3 * voice_gain, f0, 0.2), second, uni(rng, (0.2, 0.6)))
        return out

    return events(rng, n, one, (0.2, 0.7), (0.05, 0.8), single=0.3)


def sneeze(rng: Rng, n: int) -> Wave:
    tube, f0 = tract(rng, uni(rng, (0.1, 0.17))), log_uni(rng, (150, 500))

    def one(rng: Rng, m: int) -> Wave:
        out, cut = silence(m), int(m * uni(rng, (0.2, 0.6)))
        gasp = sweep_noise(rng, max(64, cut), np.linspace(700, log_uni(rng, (1500, 3000)), 4), 0.3)
        add_at(out, gasp * swell(len(gasp), 0.8, 0.1), 0, uni(rng, (0.02, 0.25)))
        rest = m - cut
        burst = blast(rng, rest, tube, log_uni(rng, (0.1, 1.5)), f0, 0.5)
        spray = noise(rng, rest, ((800, -40), (3000, 0), (7900, -5))) * decay(rest, uni(rng, (0.1, 0.4)))
        add_at(out, burst + spray, cut)
        return out

    return events(rng, n, one, (0.5, 1.6), (0.4, 1.5), single=0.6)


# ------------------------------------------------------------------------------------------------ breath and throat


def breathing(rng: Rng, n: int) -> Wave:
    inward, outward, rough = log_uni(rng, (700, 3500)), log_uni(rng, (400, 2500)), uni(rng, (0, 0.5))

    def one(rng: Rng, m: int) -> Wave:
        half = int(m * uni(rng, (0.35, 0.6)))
        centre = np.r_[np.full(6, inward) * np.linspace(0.8, 1.2, 6), np.full(6, outward) * np.linspace(1.1, 0.7, 6)]
        env = np.r_[swell(half, 0.4, 0.3), uni(rng, (0.4, 1.5)) * swell(m - half, 0.15, 0.7)]
        return sweep_noise(rng, m, centre, uni(rng, (0.15, 0.5)), 0.03) * env * (1 + rough * wander(rng, m, 30))

    return events(rng, n, one, (0.7, 3.5), (0.05, 0.8), single=0.15, burst=0.1, loose=0.1)


def snore(rng: Rng, n: int) -> Wave:
    rate, tube, grit = log_uni(rng, (22, 95)), tract(rng, uni(rng, (0.14, 0.22))), uni(rng, (0.2, 0.7))
    air = log_uni(rng, (0.3, 3))

    def one(rng: Rng, m: int) -> Wave:
        flutter = (0.5 + 0.5 * pulses(near(rng, rate, 0.1) * np.exp(0.15 * wander(rng, m, 12)), m, 0.8)) ** 2
        wave = voiced(rng, near(rng, rate, 0.1) * curve(m, (0.8, 1.1, 1, 0.8)), tube * curve(3, (0.9, 1.2, 1))[:, None], 0.8, air, grit)
        return wave * (1 - 0.8 * grit + flutter) * swell(m, 0.4, 0.3)

    return events(rng, n, one, (0.6, 2.2), (0.4, 2), single=0.15, burst=0.1, loose=0.1)


def drinking(rng: Rng, n: int) -> Wave:
    hz = log_uni(rng, (180, 700))

    def gulp(rng: Rng, m: int) -> Wave:
        sweep = tone(hz * 2 ** curve(m, (0.3, -0.3, 0.5, 1.0)), m) * swell(m, 0.2, 0.6)
        slurp = sweep_noise(rng, m, np.linspace(600, log_uni(rng, (1000, 3500)), 4), 0.3) * swell(m, 0.4, 0.3)
        slurp = slurp * (1 + 0.5 * wander(rng, m, 60))
        return uni(rng, (0.2, 1)) * sweep + uni(rng, (0, 0.3)) * slurp + 0.3 * bubbling(rng, m, 30, (hz, 4 * hz))

    return events(rng, n, gulp, (0.1, 0.6), (0.1, 0.9), single=0.1)


# ------------------------------------------------------------------------------------------------ hands and feet

brushing = strokes(low_hz=(900, 2500), high_hz=(3000, 7500), teeth_hz=(20, 90), dur_s=(0.12, 0.4), gap_s=(0.001, 0.04), tonal=(0, 0.5))


def footsteps(rng: Rng, n: int) -> Wave:
    ground, hz, heel = uni(rng, (0, 1)), (log_uni(rng, (60, 1500)), 2500.0), uni(rng, (0, 1))

    def step(rng: Rng, m: int) -> Wave:
        knock = heel * modal(m, rng.uniform(60, 900, 6), rng.uniform(0.03, 0.15, 6), rng.random(6))
        wave = knock + burst_grain(rng, m, hz, 1.5) * (1 - 0.5 * heel)
        crunch = scatter(rng, m, [burst_grain(rng, 90, (1500, 5000)) for _ in range(4)], (m * rng.beta(1.5, 3, 50)).astype(int))
        toe = np.roll(wave, m // 3) * uni(rng, (0, 0.6))
        return wave + toe + ground * 0.5 * crunch * swell(m, 0.1, 0.6)

    return strikes(rng, n, step, uni(rng, (0.15, 0.35)), (0.28, 0.9), 0.03, (0.01, 0.12))


def clap_grains(rng: Rng, count: int) -> list[Wave]:
    grains = []
    for _ in range(count):
        m = samples(uni(rng, (0.008, 0.04)))
        grains.append(body(rng, white(rng, m) * decay(m, m / SAMPLE_RATE_HZ), (500, 3500), 2, 0.1, (1, 6)))
    return grains


def clap(rng: Rng, n: int) -> Wave:
    grains = clap_grains(rng, 3)
    return strikes(rng, n, lambda r, m: np.pad(g := pick(r, *grains), (0, max(0, m - len(g)))), 0.05, (0.2, 1.0), 0.15, (0.01, 0.15))


def applause(rng: Rng, n: int) -> Wave:
    people = log_uni(rng, (8, 250))
    out = scatter(rng, n, clap_grains(rng, 16), poisson(rng, n, 4 * people), 6)
    cheer = uni(rng, (0, 1)) * crowd_babble(rng, n) if rng.random() < 0.2 else 0
    return (unit(out) + cheer) * curve(n, rng.uniform(0.2, 1, int(rng.integers(2, 6))))
