"""Animals: mammals and birds by their throats, insects by their wings and combs, horses by their hooves."""

from __future__ import annotations

import numpy as np

from .basics import Rng, Synth, Wave, curve, log_uni, near, pick, samples, silence, swell, uni, wander
from .filters import body
from .sources import band, burst_grain, harmonic, modal, phase_of, tone, white
from .timing import add_at, events, pattern, scatter
from .voices import call, hoot, tract, voiced, whistled

# ------------------------------------------------------------------------------------------------ mammals and frogs

dog_bark = call(
    pitch_hz=(180, 1100),
    length_m=(0.09, 0.24),
    dur_s=(0.08, 0.4),
    gap_s=(0.08, 0.9),
    shapes="arch fall arch break",
    glide=(0.2, 1.0),
    breath=(0.1, 0.9),
    rough=(0.1, 0.7),
    tilt=(0.5, 1.4),
)

dog_growl = call(
    pitch_hz=(45, 140),
    length_m=(0.12, 0.26),
    dur_s=(0.6, 3),
    gap_s=(0.2, 1),
    shapes="flat arch rise",
    glide=(0, 0.3),
    breath=(0.2, 1.2),
    rough=(0.3, 0.8),
    tilt=(0.6, 1.3),
    tremor_hz=(15, 40),
)

cat_meow = call(
    pitch_hz=(350, 1100),
    length_m=(0.06, 0.1),
    dur_s=(0.3, 1.4),
    gap_s=(0.3, 1.8),
    shapes="arch arch late fall dip",
    glide=(0.1, 0.7),
    breath=(0.01, 0.25),
    rough=(0, 0.2),
    tilt=(0.4, 1.2),
    mouth=(0.15, 0.5),
)

frog_croak = call(
    pitch_hz=(60, 700),
    length_m=(0.03, 0.1),
    dur_s=(0.15, 1.0),
    gap_s=(0.1, 1.0),
    shapes="flat rise late arch",
    glide=(0, 0.4),
    breath=(0.02, 0.5),
    rough=(0.1, 0.6),
    tilt=(0.2, 0.9),
    tremor_hz=(14, 70),
    tremor_depth=(0.75, 1.0),
    single=0.1,
)

cow_moo = call(
    pitch_hz=(75, 260),
    length_m=(0.3, 0.6),
    dur_s=(0.8, 2.6),
    gap_s=(0.4, 2),
    shapes="arch late rise fall",
    glide=(0.1, 0.7),
    breath=(0.03, 0.4),
    rough=(0, 0.4),
    tilt=(0.6, 1.4),
    mouth=(0.1, 0.4),
    single=0.5,
)

sheep_bleat = call(
    pitch_hz=(160, 520),
    length_m=(0.14, 0.28),
    dur_s=(0.4, 1.5),
    gap_s=(0.3, 1.8),
    shapes="flat fall arch",
    glide=(0.05, 0.35),
    breath=(0.1, 0.6),
    rough=(0.05, 0.4),
    tilt=(0.3, 1.0),
    tremor_hz=(5, 13),
    tremor_depth=(0.3, 0.9),
)

pig_grunt = call(
    pitch_hz=(45, 220),
    length_m=(0.15, 0.3),
    dur_s=(0.1, 0.55),
    gap_s=(0.08, 0.7),
    shapes="fall arch flat",
    glide=(0.1, 0.6),
    breath=(0.6, 2.5),
    rough=(0.3, 0.9),
    tilt=(0.4, 1.1),
    tremor_hz=(15, 45),
    single=0.05,
)

wolf_howl = call(
    pitch_hz=(250, 800),
    length_m=(0.15, 0.26),
    dur_s=(1.5, 4.5),
    gap_s=(0.2, 1),
    shapes="arch break rise fall",
    glide=(0.2, 0.9),
    breath=(0.01, 0.15),
    rough=(0, 0.08),
    tilt=(1.0, 2.2),
    tremor_hz=(3, 7),
    tremor_depth=(0.02, 0.2),
)


def horse_gallop(rng: Rng, n: int) -> Wave:
    stride_s, beats = log_uni(rng, (0.35, 0.9)), pick(rng, (0, 0.5), (0, 0.22, 0.44), (0, 0.2, 0.4, 0.6), (0, 0.25, 0.5, 0.75))
    pitch, soft = log_uni(rng, (120, 1600)), uni(rng, (0, 1))
    hooves = [
        modal(2400, near(rng, pitch, 0.2) * np.array([1, 1.6, 2.7, 4.1]), rng.uniform(0.03, 0.12, 4), rng.random(4)) * (1 - 0.7 * soft)
        + soft * burst_grain(rng, 2400, (60, 800), 1.5)
        for _ in range(4)
    ]
    at = pattern(n, stride_s, beats)
    at += samples(0.02) * np.abs(rng.standard_normal(len(at)))
    return scatter(rng, n, hooves, at[at < n], 4) * curve(n, rng.uniform(0.3, 1, 3))


# ------------------------------------------------------------------------------------------------ birds

hen_cluck = call(
    pitch_hz=(250, 900),
    length_m=(0.05, 0.1),
    dur_s=(0.05, 0.25),
    gap_s=(0.1, 0.6),
    shapes="fall arch rise break",
    glide=(0.2, 1.0),
    breath=(0.1, 0.8),
    rough=(0.1, 0.5),
    tilt=(0.4, 1.2),
    single=0.03,
)

owl_hoot = hoot(pitch_hz=(230, 900), dur_s=(0.2, 1.1), gap_s=(0.15, 1.2), glide=(0, 0.3), over=(0, 0.3), quaver=0.7)

pigeon_coo = call(
    pitch_hz=(280, 620),
    length_m=(0.1, 0.2),
    dur_s=(0.25, 0.9),
    gap_s=(0.1, 0.7),
    shapes="arch flat dip",
    glide=(0.05, 0.4),
    breath=(0.02, 0.2),
    rough=(0, 0.2),
    tilt=(1.6, 2.6),
    tremor_hz=(12, 30),
    tremor_depth=(0.1, 0.7),
)

crow_caw = call(
    pitch_hz=(250, 700),
    length_m=(0.05, 0.11),
    dur_s=(0.2, 0.6),
    gap_s=(0.2, 1.0),
    shapes="arch fall flat",
    glide=(0.05, 0.4),
    breath=(0.5, 1.5),
    rough=(0.35, 0.9),
    tilt=(0.2, 0.8),
    tremor_hz=(30, 90),
    tremor_depth=(0.1, 0.6),
)

seagull_cry = call(
    pitch_hz=(600, 1500),
    length_m=(0.06, 0.12),
    dur_s=(0.2, 1.0),
    gap_s=(0.05, 0.6),
    shapes="arch fall break",
    glide=(0.3, 1.1),
    breath=(0.02, 0.3),
    rough=(0, 0.4),
    tilt=(0.2, 0.9),
)

duck_quack = call(
    pitch_hz=(180, 450),
    length_m=(0.07, 0.14),
    dur_s=(0.1, 0.35),
    gap_s=(0.06, 0.6),
    shapes="fall arch flat",
    glide=(0.05, 0.5),
    breath=(0.2, 0.9),
    rough=(0.2, 0.6),
    tilt=(0.1, 0.6),
)


def rooster_crow(rng: Rng, n: int) -> Wave:
    base, tube = log_uni(rng, (350, 850)), tract(rng, uni(rng, (0.08, 0.16)))
    pace = rng.uniform(0.5, 1.5, 5)
    pitch = np.array([-0.4, -0.2, 0.35, 0.1, 0.5, 0.45, -0.3]) + 0.15 * rng.standard_normal(7)  # octaves
    loud = (0, 1, 0.1, 1, 0.05, 0.8, 1, 1, 0.8, 0.4, 0)  # cock-a-doodle-doo

    def one(rng: Rng, m: int) -> Wave:
        warp = np.interp(np.linspace(0, 1, m), np.linspace(0, 1, 6), np.r_[0, np.cumsum(pace)] / pace.sum())
        f0 = base * 2 ** np.interp(warp, np.linspace(0, 1, 7), pitch).astype(np.float32)
        level = np.interp(warp, np.linspace(0, 1, 11), loud).astype(np.float32)
        beak = tube * np.array([[0.8], [1.1], [1.2], [0.9]])
        return voiced(rng, f0, beak, uni(rng, (0.3, 1)), uni(rng, (0.05, 0.5)), uni(rng, (0, 0.35))) * level

    return events(rng, n, one, (1.2, 2.6), (0.6, 2.5), single=0.5)


def bird_syllable(rng: Rng) -> Synth:
    """Draws a syllable type: a sweep or curl, perhaps trilled or harsh."""
    base, knots = log_uni(rng, (1800, 6500)), rng.standard_normal(int(rng.integers(2, 6))) * uni(rng, (0.05, 0.5))
    fm_hz, fm = log_uni(rng, (15, 180)), pick(rng, 0, 0, uni(rng, (0.03, 0.2)))
    over, attack, release, am = uni(rng, (0, 0.7)), uni(rng, (0.05, 0.4)), uni(rng, (0.2, 0.7)), pick(rng, 0, 0, uni(rng, (0.3, 0.9)))

    def one(rng: Rng, m: int) -> Wave:
        f0 = near(rng, base, 0.02) * 2 ** (curve(m, knots) + fm * tone(fm_hz, m))
        return whistled(rng, m, f0, over, 0.0) * swell(m, attack, release) * (1 - am * (0.5 + 0.5 * tone(fm_hz * 0.5, m)))

    return one


def bird_chirp(rng: Rng, n: int) -> Wave:
    return events(rng, n, bird_syllable(rng), (0.03, 0.3), (0.05, 1.0), single=0.1, burst=0.6)


def bird_song(rng: Rng, n: int) -> Wave:
    syllables = [bird_syllable(rng) for _ in range(int(rng.integers(3, 7)))]

    def phrase(rng: Rng, m: int) -> Wave:
        out, at, last = silence(m), 0, m - 500
        while at < last:
            make = pick(rng, *syllables)
            size = samples(log_uni(rng, (0.02, 0.3)))
            step = size + samples(log_uni(rng, (0.005, 0.12)))
            note = make(rng, size)
            for _ in range(int(rng.geometric(0.3))):
                add_at(out, note, at, uni(rng, (0.5, 1)))
                at += step
                if at >= last:
                    break
        return out

    out = events(rng, n, phrase, (0.8, 4), (0.2, 1.5), single=0.15)
    if rng.random() < 0.35:  # a second bird, farther off
        out = out + uni(rng, (0, 0.4)) * np.roll(phrase(rng, n), int(rng.integers(n)))
    return out


# ------------------------------------------------------------------------------------------------ insects


def cricket(rng: Rng, n: int) -> Wave:
    out = silence(n)
    for voice in range(int(rng.integers(1, 4))):
        carrier, pulse_hz = log_uni(rng, (2200, 6800)), log_uni(rng, (14, 90))
        chirp_hz, duty = log_uni(rng, (0.6, 5)), pick(rng, 1.0, uni(rng, (0.2, 0.7)))
        gate = np.clip(4 * np.sin(np.pi * (phase_of(pulse_hz, n) % 1)) - uni(rng, (1, 3.2)), 0, 1).astype(np.float32)
        chirp = ((phase_of(chirp_hz * np.exp(0.1 * wander(rng, n, 2)), n) + rng.random()) % 1 < duty).astype(np.float32)
        out += np.float32(0.5**voice) * tone(carrier * (1 + 0.01 * wander(rng, n, 20)), n) * gate * chirp
    return out


def cicada(rng: Rng, n: int) -> Wave:
    low, rate = log_uni(rng, (2000, 5000)), log_uni(rng, (30, 300))
    rasp = band(rng, n, low, low * uni(rng, (1.2, 2.2))) * (1 + uni(rng, (0.3, 1)) * tone(rate, n)) ** 2
    return rasp * (1 + uni(rng, (0, 0.9)) * tone(log_uni(rng, (0.2, 6)), n)) * np.exp(0.4 * wander(rng, n, 0.7))


def insect_buzz(rng: Rng, n: int) -> Wave:
    base = log_uni(rng, (90, 750))
    f0 = base * 2 ** (uni(rng, (0.02, 0.25)) * wander(rng, n, 2) + 0.02 * wander(rng, n, 25))
    near_far = np.exp(uni(rng, (0.2, 1.8)) * wander(rng, n, uni(rng, (0.4, 3))))
    wave = harmonic(f0, n, np.arange(1, 40) ** -uni(rng, (0.5, 1.6)) * rng.random(39), rng)
    return body(rng, wave + 0.05 * white(rng, n), (300, 4000), 3, 0.2) * near_far
