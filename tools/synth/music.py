"""Instruments: notes of a random scale in a random rhythm, plucked, struck, blown or bowed; and a drum kit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .basics import SAMPLE_RATE_HZ, Range, Rng, Synth, Wave, curve, decay, log_uni, pick, samples, silence, swell, uni, unit, wander
from .filters import BIN_HZ, body, morph, n_frames, resonances
from .sources import band, burst_grain, harmonic, modal, modes, noise, pulses, tone
from .timing import LAST_START, add_at

Note = Callable[[Rng, float, int], Wave]  # the generator, f0 in Hz, samples

SCALES = ((0, 2, 4, 5, 7, 9, 11, 12), (0, 3, 5, 7, 10, 12), (0, 2, 3, 5, 7, 8, 10, 12), (0, 4, 7, 12), (0,))  # semitones


def melody(note: Note, pitch_hz: Range, beat_s: Range, ring: Range, chord: float = 0.2) -> Synth:
    """Factory for instruments. ring: stretches notes beyond their beat; chord: chance of three notes at once."""

    def synth(rng: Rng, n: int) -> Wave:
        root, pulse, legato = log_uni(rng, pitch_hz), log_uni(rng, beat_s), uni(rng, ring)
        scale = np.array(pick(rng, *SCALES))
        out, at, level = silence(n), int(0.1 * n * rng.random()), pick(rng, 0.0, 0.3)
        cache: dict[tuple[int, int], Wave] = {}
        while at < n - 800:
            length = samples(pulse * pick(rng, 0.5, 1, 1, 2))
            for _ in range(3 if rng.random() < chord else 1):
                degree = int(rng.integers(len(scale)))
                size = min(n, 2 * SAMPLE_RATE_HZ, max(800, int(length * legato)))
                if (degree, size) not in cache:
                    cache[degree, size] = note(rng, root * 2 ** (scale[degree] / 12), size)
                add_at(out, cache[degree, size], at, np.exp(level * rng.standard_normal()))
            at += length
            if rng.random() < 0.05:
                break
        return out

    return synth


# ------------------------------------------------------------------------------------------------ notes


def hammered(rng: Rng, f0: float, m: int) -> Wave:
    hz = modes(rng, "string", f0, 14)
    wave = modal(m, hz, log_uni(rng, (1.5, 6)) * (hz / 200) ** -0.7, np.arange(1, 15) ** -uni(rng, (0.9, 1.5)))
    return wave * swell(m, 0.003, 0.1) + 0.03 * burst_grain(rng, m, (100, 700))


def plucked(rng: Rng, f0: float, m: int) -> Wave:
    k, place = np.arange(1, 25), uni(rng, (0.08, 0.45))
    hz, t60_s = modes(rng, "string", f0, 24), log_uni(rng, (0.4, 4)) * k**-0.6
    return modal(m, hz, t60_s, np.abs(np.sin(np.pi * k * place)) * k ** -uni(rng, (0.5, 1.4))) * swell(m, 0.002, 0.08)


def sustained(slope: Range, air: Range, attack: Range, vibrato: Range, odd: float) -> Note:
    """Factory for blown, bowed or bellows-driven notes. odd: how far odd partials may outweigh the even ones."""

    def note(rng: Rng, f0: float, m: int) -> Wave:
        f0 = min(f0, 3500)
        k = np.arange(1, 40)
        weights = k ** -uni(rng, slope) * np.where(k % 2 == 0, 1 - odd * rng.random(), 1) * rng.uniform(0.5, 1, 39)
        bend = 1 + uni(rng, vibrato) * tone(uni(rng, (4.5, 7)), m) * curve(m, (0, 1, 1))
        wave = harmonic(f0 * bend, m, weights, rng)
        return (wave + uni(rng, air) * band(rng, m, f0, min(6 * f0, 7500), 12)) * swell(m, uni(rng, attack), uni(rng, (0.05, 0.3)))

    return note


def bar_note(partials: tuple[float, ...], t60_s: Range) -> Note:
    """Factory for tuned bars under a mallet: the maker has cut them so that their first partials agree."""

    def note(rng: Rng, f0: float, m: int) -> Wave:
        hz = f0 * np.array(partials) * np.exp(0.003 * rng.standard_normal(len(partials)))
        wave = modal(
            m, hz, log_uni(rng, t60_s) * (f0 / 300) ** -0.5 / np.array(partials) ** 0.7, np.array([1, 0.4, 0.15]) * rng.uniform(0.5, 1, 3)
        )
        wave[:500] += uni(rng, (0, 0.3)) * burst_grain(rng, min(500, m), (200, 1500))
        return wave * swell(m, 0.002, 0.05)

    return note


def reeds(detune: Range, bellows: Range) -> Note:
    """Factory for free reeds: two or three a little apart beat with each other. bellows: how unsteady the air is."""

    def note(rng: Rng, f0: float, m: int) -> Wave:
        weights, apart = np.arange(1, 40) ** -uni(rng, (0.3, 0.9)) * rng.uniform(0.5, 1, 39), uni(rng, detune)
        wave = sum(harmonic(f0 * (1 + k * apart), m, weights, rng) for k in (-1, 0, 1))
        return wave * (1 + uni(rng, bellows) * tone(uni(rng, (3, 7)), m)) * swell(m, uni(rng, (0.02, 0.12)), 0.06)

    return note


def brassy(rng: Rng, f0: float, m: int) -> Wave:
    """The louder, the more overtones: lips first buzz softly, then the bore steepens the wave."""
    force = swell(m, uni(rng, (0.05, 0.25)), uni(rng, (0.1, 0.4)))
    k, cut = np.arange(1, 50), log_uni(rng, (900, 3500))
    f0 = f0 * (1 + 0.03 * (curve(m, (-1, *[0] * 12))) + uni(rng, (0, 0.01)) * tone(5.5, m))
    soft, loud = harmonic(f0, m, k**-2.0), harmonic(f0, m, k**-0.3 / (1 + (k * np.mean(f0) / cut) ** 3))
    return (soft * (1 - force) + loud * force) * force


def filtered_saw(rng: Rng, f0: float, m: int) -> Wave:
    saw = pulses(f0, m, uni(rng, (0.8, 1.2)))
    cut = curve(n_frames(m), (log_uni(rng, (400, 4000)), log_uni(rng, (100, 800)), 100))[:, None]
    gains = 1 / (1 + (BIN_HZ / cut) ** 3) + resonances(cut, 0.2 * cut, uni(rng, (0, 1)))
    return morph(saw, gains.astype(np.float32)) * swell(m, 0.01, 0.2)


# ------------------------------------------------------------------------------------------------ instruments

piano = melody(note=hammered, pitch_hz=(60, 900), beat_s=(0.12, 0.9), ring=(1, 4), chord=0.35)

guitar = melody(note=plucked, pitch_hz=(80, 500), beat_s=(0.1, 0.7), ring=(1, 4), chord=0.3)

flute = melody(
    note=sustained(slope=(1.6, 3.0), air=(0.03, 0.4), attack=(0.03, 0.2), vibrato=(0, 0.012), odd=0.3),
    pitch_hz=(250, 1500),
    beat_s=(0.15, 1.2),
    ring=(0.8, 1.05),
    chord=0,
)

violin = melody(
    note=sustained(slope=(0.5, 1.2), air=(0.01, 0.12), attack=(0.05, 0.4), vibrato=(0.002, 0.015), odd=0.1),
    pitch_hz=(190, 1400),
    beat_s=(0.15, 1.5),
    ring=(0.9, 1.1),
    chord=0.1,
)

organ = melody(
    note=sustained(slope=(0.3, 1.5), air=(0, 0.05), attack=(0.005, 0.05), vibrato=(0, 0.003), odd=0.9),
    pitch_hz=(60, 700),
    beat_s=(0.3, 2.5),
    ring=(0.9, 1.1),
    chord=0.8,
)

marimba = melody(note=bar_note((1, 4, 9.8), (0.2, 1.2)), pitch_hz=(110, 900), beat_s=(0.08, 0.5), ring=(1, 3), chord=0.2)

accordion = melody(note=reeds((0.003, 0.012), (0, 0.2)), pitch_hz=(90, 450), beat_s=(0.12, 0.9), ring=(0.85, 1.05), chord=0.8)

harmonica = melody(note=reeds((0, 0.002), (0.1, 0.7)), pitch_hz=(380, 1400), beat_s=(0.15, 1), ring=(0.85, 1.1), chord=0.5)

trumpet = melody(note=brassy, pitch_hz=(160, 800), beat_s=(0.12, 1.0), ring=(0.7, 1.0), chord=0.05)

synth_bass = melody(note=filtered_saw, pitch_hz=(35, 120), beat_s=(0.1, 0.6), ring=(0.5, 1.0), chord=0)


def drum(rng: Rng, n: int) -> Wave:
    period, grid = log_uni(rng, (0.1, 0.4)), rng.random((3, 16)) < np.array([[0.35], [0.2], [0.6]])
    hz, bend, m = log_uni(rng, (45, 250)), uni(rng, (0, 1.5)), samples(0.4)
    kick = tone(hz * (1 + bend * decay(m, 0.15)), m) * decay(m, log_uni(rng, (0.1, 0.6))) + 0.2 * burst_grain(rng, m, (300, 2000))
    skin = 0.5 * modal(m, modes(rng, "skin", uni(rng, (150, 350)), 6), rng.uniform(0.05, 0.3, 6), rng.random(6))
    snare = skin + noise(rng, m, ((200, -15), (2500, 0), (7900, -4))) * decay(m, uni(rng, (0.08, 0.4)))
    hat = noise(rng, m, ((1000, -50), (6000, 0), (7900, 0))) * decay(m, log_uni(rng, (0.03, 0.5)))
    out, gains = silence(n), rng.uniform(0, 1, 3) * np.array([1, 0.4, 0.3])
    gains[int(rng.integers(3))] = 0.7
    grid[:, 0] |= gains >= 0.7
    for step, at in enumerate(range(0, n - LAST_START, samples(period))):
        for row, sound in enumerate((kick, snare, hat)):
            if grid[row, step % 16]:
                add_at(out, sound, at, gains[row] * uni(rng, (0.6, 1)))
    return out


def bagpipe(rng: Rng, n: int) -> Wave:
    """Drones that never pause under a chanter that cannot: repeated notes are parted by grace notes instead."""
    tonic, reedy, octaves = log_uni(rng, (200, 520)), uni(rng, (0.0, 0.5)), pick(rng, (0.5, 0.25), (0.5, 0.502, 0.25), (0.5,))
    k, sag = np.arange(1, 50), 1 + 0.004 * wander(rng, n, 1)
    drones = sum(harmonic(tonic * ratio * sag, n, k**-0.6 * rng.uniform(0.3, 1, 49), rng) for ratio in octaves)
    beat = samples(log_uni(rng, (0.1, 0.45)))
    tune = rng.choice([-2, 0, 2, 4, 5, 7, 9, 10, 12], n // beat + 1) / 12
    steps = np.repeat(tune, beat)[:n]
    grace = (np.arange(n) % beat < samples(0.03)) & np.repeat(rng.random(len(tune)) < 0.5, beat)[:n]
    chanter = harmonic(tonic * 2 ** np.where(grace, 1.0, steps) * sag, n, k**-reedy * rng.uniform(0.4, 1, 49), rng)
    start = int(uni(rng, (0, 0.3)) * n * rng.integers(2))  # the drones may be struck in first
    return body(rng, unit(drones) * uni(rng, (0.3, 1)) + unit(chanter) * (np.arange(n) >= start), (700, 4000), 3, 0.3, (1, 4))


def synth_arpeggio(rng: Rng, n: int) -> Wave:
    """A chord taken apart note by note at machine speed, while a filter opens and shuts over all of it."""
    root, beat = log_uni(rng, (80, 400)), samples(log_uni(rng, (0.06, 0.22)))
    chord = np.array(pick(rng, (0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 5, 7)))
    ladder = np.concatenate([chord, chord + 12, chord[::-1]]) if rng.random() < 0.5 else np.r_[chord, 12]
    steps = np.resize(np.repeat(ladder, beat), n) + np.resize(np.repeat(rng.choice([0, 5, -3, 7], 8), beat * 16), n)
    weights = np.arange(1, 60) ** -uni(rng, (0.8, 1.1)) * pick(rng, np.ones(59), np.arange(1, 60) % 2)
    gate = decay(beat, beat / SAMPLE_RATE_HZ * log_uni(rng, (0.6, 6))) * swell(beat, 0.01, 0.03)
    cut = log_uni(rng, (500, 2500)) * 2 ** (uni(rng, (0.3, 1.7)) * np.sin(curve(n_frames(n), (0, uni(rng, (3, 15)))) + 6.28 * rng.random()))
    wave = harmonic(root * 2 ** (steps / 12), n, weights) * np.resize(gate, n)
    return morph(wave, 1 / (1 + (BIN_HZ / cut[:, None]) ** 3) + resonances(cut[:, None], 0.2 * cut[:, None], uni(rng, (0, 1.5))))
