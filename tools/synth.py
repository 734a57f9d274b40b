"""The synthesis room: endless labelled sounds made from physics-like parts (pulses, modes, grains, moving bands), no recordings.

`render` makes one clean sound of a named family, `augment` puts it through a room, a microphone and a noise bed, `attributes`
measures two words about any waveform. Every draw comes from the generator passed in, so a seed is a sound.
It knows nothing of models, mel frames, prompts, data sets or training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

SAMPLE_RATE_HZ = 16_000
NYQUIST_HZ = SAMPLE_RATE_HZ / 2
HOP = 256  # 16 ms; time-varying filters move in frames of two hops
TABLE = 4096  # wavetable entries; nearest look-up then errs by about -60 dB
SOUND_SPEED = 343.0  # m/s

Rng = np.random.Generator
Wave = NDArray[np.floating]  # inside a family either precision; render and augment hand out float32
Range = tuple[float, float]
Synth = Callable[[Rng, int], Wave]
Knots = Sequence[float] | NDArray
Spectrum = Sequence[tuple[float, float]]  # (frequency in Hz, level in dB) corner points

# ------------------------------------------------------------------------------------------------ random draws and curves


def uni(rng: Rng, span: Range) -> float:
    return float(rng.uniform(*span))


def log_uni(rng: Rng, span: Range) -> float:
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


def near(rng: Rng, value: float, octaves: float) -> float:
    """`value` detuned by a normal number of octaves: how one animal's calls differ from each other."""
    return float(value * 2 ** (octaves * rng.standard_normal()))


def samples(seconds: float) -> int:
    return max(32, int(seconds * SAMPLE_RATE_HZ))


def seconds_axis(n: int) -> Wave:
    return np.arange(n, dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)


def curve(n: int, knots: Knots) -> Wave:
    """Straight lines through evenly spaced knots."""
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots).astype(np.float32)


def wander(rng: Rng, n: int, rate_hz: float) -> Wave:
    """Slow unit-variance drift with about `rate_hz` turns a second."""
    return curve(n, rng.standard_normal(int(n / SAMPLE_RATE_HZ * rate_hz) + 2))


def decay(n: int, t60_s: float) -> Wave:
    return np.exp(np.float32(-6.9 / t60_s) * seconds_axis(n))


def swell(n: int, attack: float, release: float, power: float = 1.0) -> Wave:
    """Rise over the fraction `attack`, fall over `release`, flat between."""
    x = np.linspace(0, 1, n, dtype=np.float32)
    shape = np.minimum(np.minimum(x / max(attack, 1e-3), (1 - x) / max(release, 1e-3)), 1)
    return shape if power == 1.0 else shape ** np.float32(power)


def pick(rng: Rng, *options):
    return options[int(rng.integers(len(options)))]


# ------------------------------------------------------------------------------------------------ sources


def levels(bins: int, points: Spectrum) -> Wave:
    """Linear gain on an FFT grid, straight in dB over log frequency."""
    hz = np.linspace(0, NYQUIST_HZ, bins)
    corner_hz, corner_db = np.array(points, dtype=float).T
    return (10 ** (np.interp(np.log(hz + 20), np.log(corner_hz + 20), corner_db) / 20)).astype(np.float32)


def gaussian_spectrum(rng: Rng, bins: int) -> NDArray[np.complex64]:
    return rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)


def noise(rng: Rng, n: int, points: Spectrum = ((0, 0), (NYQUIST_HZ, 0))) -> Wave:
    """Gaussian noise of unit power, drawn in the spectrum so that its colour costs nothing."""
    size = next_fast_len(n, real=True)
    wave = irfft(gaussian_spectrum(rng, size // 2 + 1) * levels(size // 2 + 1, points), size)[:n]
    return (wave / (wave.std() + 1e-9)).astype(np.float32)


def band(rng: Rng, n: int, low_hz: float, high_hz: float, slope_db: float = 36) -> Wave:
    """Noise between two corners, falling by `slope_db` in the octave outside them."""
    high_hz = min(high_hz, 7900)
    return noise(rng, n, ((low_hz / 4, -2 * slope_db), (low_hz / 2, -slope_db), (low_hz, 0), (high_hz, 0), (2 * high_hz, -slope_db)))


def phase_of(f0: Wave | float, n: int) -> NDArray[np.float64]:
    """Cycles so far; float64, since a float32 running sum would lose the phase within a second."""
    return np.cumsum(np.broadcast_to(np.asarray(f0, dtype=np.float64) / SAMPLE_RATE_HZ, (n,)))


def tone(f0: Wave | float, n: int, start: float = 0.0) -> Wave:
    return np.sin((2 * np.pi) * ((phase_of(f0, n) + start) % 1).astype(np.float32))


def harmonic(f0: Wave | float, n: int, weights: NDArray, rng: Rng | None = None) -> Wave:
    """Periodic wave with the given partial weights; `rng` scrambles the phases. One table per quarter octave of pitch keeps partials
    below the Nyquist without a cut that would follow the pitch and give the synthesis away."""
    if rng is not None:
        weights = weights * np.exp(2j * np.pi * rng.random(len(weights)))
    low, high = max(float(np.min(f0)), 1.0), max(float(np.max(f0)), 1.0)
    count = 1 if high < 1.1 * low else 1 + int(4 * np.log2(high / low))
    spectra = np.zeros((count, TABLE // 2 + 1), dtype=np.complex128)
    for row, top_hz in enumerate(low * 2 ** (np.arange(1, count + 1) / 4) if count > 1 else [high]):
        top = max(1, min(len(weights), int(7950 / top_hz), TABLE // 8))
        spectra[row, 1 : top + 1] = weights[:top]
    tables = irfft(spectra, TABLE)
    tables = (tables / (np.abs(tables).max() + 1e-12)).astype(np.float32)
    index = (phase_of(f0, n) * TABLE).astype(np.int64) & (TABLE - 1)
    if count > 1:
        octaves = np.log2(np.maximum(np.asarray(f0, dtype=np.float32), low) / np.float32(low))
        index += np.minimum((4 * octaves).astype(np.int64), count - 1) * TABLE
    return tables.ravel()[index]


def pulses(f0: Wave | float, n: int, tilt: float) -> Wave:
    """Glottal-like pulse train: partial k has weight k**-tilt."""
    return harmonic(f0, n, np.arange(1, 500, dtype=float) ** -tilt)


def modal(n: int, hz: NDArray, t60_s: NDArray, gain: NDArray) -> Wave:
    """Sum of decaying sines. z**(a*HOP+b) = z**(a*HOP) * z**b turns the whole bank into one matrix product."""
    keep = hz < 7900
    hz, t60_s, gain = (hz[keep], t60_s[keep], gain[keep]) if keep.any() else (np.array([7000.0]), t60_s[:1], gain[:1])
    log_z = (-6.9 / t60_s + 2j * np.pi * hz) / SAMPLE_RATE_HZ
    blocks = np.exp(np.outer(np.arange(-(-n // HOP)) * HOP, log_z)) * (-1j * gain)
    return (blocks.astype(np.complex64) @ np.exp(np.outer(log_z, np.arange(HOP))).astype(np.complex64)).real.ravel()[:n]


def modes(rng: Rng, kind: str, f0: float, count: int) -> NDArray:
    """Partial frequencies of a struck body."""
    k = np.arange(1, count + 1)
    if kind == "string":
        return f0 * k * np.sqrt(1 + log_uni(rng, (1e-5, 2e-3)) * k**2)
    if kind == "bar":
        return f0 * ((2 * k + 1) / 3.0112) ** 2 * rng.uniform(0.97, 1.03, count)  # free bar, Fletcher & Rossing eq. 2.64
    if kind == "bell":
        return f0 * np.resize([0.5, 1, 1.19, 1.5, 2, 2.5, 2.66, 3, 4, 5.3, 6.6, 8], count) * rng.uniform(0.98, 1.02, count)
    if kind == "skin":
        return f0 * np.resize([1, 1.59, 2.14, 2.3, 2.65, 2.92, 3.16, 3.5], count) * rng.uniform(0.96, 1.04, count)  # ideal membrane
    return f0 * np.cumsum(np.r_[1, rng.exponential(log_uni(rng, (0.25, 0.9)), count - 1)])  # plate or box: modes crowd at random


# ------------------------------------------------------------------------------------------------ filters


def morph(wave: Wave, gains: Wave) -> Wave:
    """Time-varying filter by overlap-add; gains, shape (n_frames(len(wave)), HOP + 1)."""
    n, frames = len(wave), len(gains)
    blocks = np.zeros((frames + 1, HOP), dtype=np.float32)
    blocks.ravel()[HOP : HOP + n] = wave
    window = np.sin(np.pi * np.arange(2 * HOP, dtype=np.float32) / (2 * HOP))
    framed = irfft(rfft(np.concatenate([blocks[:-1], blocks[1:]], 1) * window) * gains) * window
    blocks[:] = 0
    blocks[:-1] += framed[:, :HOP]
    blocks[1:] += framed[:, HOP:]
    return blocks.ravel()[HOP : HOP + n]


def n_frames(n: int) -> int:
    return -(-n // HOP) + 1


BIN_HZ = np.linspace(0, NYQUIST_HZ, HOP + 1, dtype=np.float32)


def resonances(centres_hz: NDArray, widths_hz: NDArray, heights: NDArray | float = 1.0) -> Wave:
    """Sum of one-pole peaks; arguments broadcast to shape (frames, peaks), result (frames, HOP + 1)."""
    centres, widths, heights = np.broadcast_arrays(
        np.asarray(centres_hz, np.float32), np.asarray(widths_hz, np.float32), np.float32(heights)
    )
    total = np.zeros((len(centres), HOP + 1), dtype=np.float32)
    for c, w, h in zip(centres.T, widths.T, heights.T, strict=True):
        total += h[:, None] / (1 + np.square((BIN_HZ - c[:, None]) / w[:, None]))
    return total


def body(rng: Rng, wave: Wave, span: Range, count: int = 4, floor: float = 0.05, q: Range = (2, 15)) -> Wave:
    """Fixed random resonances: the box, pipe or housing that a source sits in."""
    size = next_fast_len(len(wave) + 512, real=True)
    hz = np.linspace(0, NYQUIST_HZ, size // 2 + 1, dtype=np.float32)
    gain = np.full(len(hz), floor, dtype=np.float32)
    for _ in range(count):
        centre = log_uni(rng, span)
        gain += np.float32(rng.uniform(0.2, 1)) / (1 + np.square((hz - np.float32(centre)) * np.float32(log_uni(rng, q) / centre)))
    return irfft(rfft(wave, size) * gain, size)[: len(wave)]


def sweep_noise(rng: Rng, n: int, centre_hz: Wave, width: float, floor: float = 0.01) -> Wave:
    """Noise through a band whose centre follows a curve; `width` is relative to the centre."""
    c = curve(n_frames(n), centre_hz)[:, None]
    out = morph(rng.standard_normal(n, dtype=np.float32), floor + resonances(c, width * c))
    return out / (out.std() + 1e-9)


# ------------------------------------------------------------------------------------------------ placing sounds in time


def add_at(out: Wave, wave: Wave, start: int, gain: float = 1.0) -> None:
    wave = wave[: max(0, len(out) - start)]
    out[start : start + len(wave)] += np.float32(gain) * wave


def scatter(rng: Rng, n: int, grains: Sequence[Wave], starts: NDArray, spread_db: float = 8.0) -> Wave:
    """Add short grains at many instants with log-normal loudness; one bincount instead of a loop."""
    length = max(len(g) for g in grains)
    starts = np.asarray(starts, dtype=np.int64)[: max(1, 600_000 // length)]  # a budget: beyond it the ear hears noise anyway
    if not len(starts):
        starts = rng.integers(0, max(1, n // 2), 1)
    bank = np.stack([np.pad(g, (0, length - len(g))) for g in grains])
    gain = 10 ** (spread_db / 20 * rng.standard_normal(len(starts)))
    weights = bank[rng.integers(len(bank), size=len(starts))] * gain[:, None].astype(np.float32)
    return np.bincount((starts[:, None] + np.arange(length)).ravel(), weights.ravel(), n + length)[:n].astype(np.float32)


def poisson(rng: Rng, n: int, rate_hz: float) -> NDArray:
    return rng.integers(0, n, max(1, rng.poisson(rate_hz * n / SAMPLE_RATE_HZ)))


def ticks(rng: Rng, rate: Wave, jitter: float = 0.0) -> NDArray:
    """Instants where a pulse train of varying rate fires, each shifted by a random part of a period."""
    phase = phase_of(rate, len(rate)) + rng.random()
    at = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    shift = jitter * rng.standard_normal(len(at)) * SAMPLE_RATE_HZ / np.maximum(rate[at], 1)
    return np.sort(np.clip(at + shift, 0, len(rate) - 1).astype(np.int64))


def events(
    rng: Rng, n: int, make: Synth, dur: Range, gap: Range, single: float = 0.25, burst: float = 0.3, loose: float | None = None
) -> Wave:
    """One event, a run of them, or bursts with pauses. Up to three takes are made and reused: life repeats itself, only not exactly."""
    out = np.zeros(n, dtype=np.float32)
    mean_dur, mean_gap = log_uni(rng, dur), log_uni(rng, gap)
    loose = rng.uniform(0.02, 0.5) if loose is None else loose
    alone = rng.random() < single
    room_for = 1 if alone else min(3, 1 + int(n / samples(mean_dur + mean_gap)))
    takes = [make(rng, min(n, samples(mean_dur * np.exp(0.4 * loose * rng.standard_normal())))) for _ in range(room_for)]
    if alone:
        add_at(out, takes[0], int(rng.uniform(0, 0.5) * n * rng.random()))
        return out
    group = int(rng.integers(1, 6)) if rng.random() < burst else 10_000
    last = int(rng.geometric(0.15)) if rng.random() < 0.4 else 10_000  # the run may stop before the clip does
    at, count = int(rng.uniform(0, 0.2) * n * rng.random()), 0
    while at < n - 400 and count < last:
        take = takes[int(rng.integers(len(takes)))]
        add_at(out, take, at, np.exp(0.5 * loose * rng.standard_normal()))
        count += 1
        pause = mean_gap * np.exp(loose * rng.standard_normal()) + (log_uni(rng, (0.5, 3)) if count % group == 0 else 0)
        at += len(take) + samples(pause)
    return out


def strikes(rng: Rng, n: int, make: Synth, length_s: float, period: Range, single: float = 0.25, loose: Range = (0.01, 0.5)) -> Wave:
    """Hits that may ring over each other: onset to onset is `period`, unlike `events`, which waits for the end."""
    out = np.zeros(n, dtype=np.float32)
    mean, spread, size = log_uni(rng, period), uni(rng, loose), min(n, samples(length_s))
    many = 9999 if single == 0 else int(pick(rng, 2, 3, 5, 8, 9999, 9999, 9999))  # single 0: a mechanism, which does not stop
    at, left = int(rng.uniform(0, 0.25) * n * rng.random()), 1 if rng.random() < single else many
    takes = [make(rng, size) for _ in range(min(3, left))]
    while at < n - 400 and left:
        add_at(out, takes[int(rng.integers(len(takes)))], at, np.exp(0.6 * spread * rng.standard_normal()))
        at, left = at + samples(mean * np.exp(spread * rng.standard_normal())), left - 1
    return out


# ------------------------------------------------------------------------------------------------ voices

# Pitch shapes in octaves, scaled by the glide of a call.
CONTOURS: dict[str, Knots] = {
    "flat": (0, 0.05, 0),
    "fall": (0.3, 0.1, -0.7),
    "rise": (-0.6, 0, 0.4),
    "arch": (-0.6, 0.3, 0.35, -0.5),
    "dip": (0.3, -0.4, 0.3),
    "late": (0, 0, 0.1, 0.6),
    "break": (-0.5, -0.45, 0.5, 0.5, -0.3),
}


def tract(rng: Rng, length_m: float, count: int = 5) -> NDArray:
    """Resonances of a tube closed at one end, (2k-1)c/4L, pulled about as an articulated tube is."""
    return (2 * np.arange(1, count + 1) - 1) * SOUND_SPEED / (4 * length_m) * np.exp(0.18 * rng.standard_normal(count))


def voiced(rng: Rng, f0: Wave, formants: NDArray, tilt: float = 1.0, breath: float = 0.1, rough: float = 0.1) -> Wave:
    """Pulse source plus breath noise through moving formants; formants, shape (knots, peaks)."""
    n = len(f0)
    f0 = np.clip(f0 * np.exp(np.float32(0.012 + 0.12 * rough) * wander(rng, n, 90)), 15, 7000)
    source = pulses(f0, n, tilt)
    source /= source.std() + 1e-9
    if rough > 0.15:  # vocal folds beating at every second pulse
        source *= 1 + np.float32(min(1.5 * rough, 0.95)) * tone(f0 * np.float32(pick(rng, 0.5, 0.5, 0.33, 0.21)), n)
    source += np.float32(breath) * rng.standard_normal(n, dtype=np.float32)
    knots = np.clip(np.atleast_2d(formants), 60, 7800)
    moving = np.stack([curve(n_frames(n), k) for k in knots.T], 1)
    heights = 10 ** (-rng.uniform(2, 9) / 20 * np.arange(knots.shape[1]))
    return morph(source, 0.01 + resonances(moving, 30 + moving * rng.uniform(0.04, 0.12), heights))


def call(
    pitch: Range,
    length_m: Range,
    dur: Range,
    gap: Range,
    shapes: str,
    glide: Range = (0.1, 0.8),
    breath: Range = (0.02, 0.4),
    rough: Range = (0, 0.3),
    tilt: Range = (0.7, 1.6),
    tremor: Range | None = None,
    tremor_depth: Range = (0.1, 0.5),
    mouth: Range = (0.0, 0.35),
    single: float = 0.25,
    burst: float = 0.4,
) -> Synth:
    """Factory for animal and human calls: a tract of some length (m), a pitch range (Hz), contours, and a habit of repeating."""

    def synth(rng: Rng, n: int) -> Wave:
        base, bend, shape = log_uni(rng, pitch), uni(rng, glide), pick(rng, *shapes.split())
        tube, open_by, slope = tract(rng, log_uni(rng, length_m)), uni(rng, mouth), uni(rng, tilt)
        air, grit, attack = uni(rng, breath), uni(rng, rough), log_uni(rng, (0.02, 0.3))
        release, shake = log_uni(rng, (0.1, 0.7)), log_uni(rng, tremor) if tremor else 0.0
        depth, power = uni(rng, tremor_depth), uni(rng, (0.6, 2))

        def one(rng: Rng, m: int) -> Wave:
            f0 = near(rng, base, 0.06) * 2 ** (near(rng, bend, 0.3) * curve(m, CONTOURS[shape]) + 0.02 * wander(rng, m, 8))
            beat = tone(near(rng, shake, 0.08), m, rng.random()) if tremor else np.zeros(1, np.float32)
            opening = 1 + open_by * np.array([[-1], [rng.uniform(0, 1)], [rng.uniform(-0.5, 1)], [-1]])
            wave = voiced(rng, f0 * (1 + 0.15 * np.float32(depth) * beat), tube * opening, slope, air, grit)
            return wave * swell(m, attack, release, power) * (1 - np.float32(depth) * (0.5 + 0.5 * beat))

        return events(rng, n, one, dur, gap, single, burst)

    return synth


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
    """A phrase: vowel targets, consonant dips, hiss at some onsets, falling pitch with accents."""
    count = max(1, int(m / SAMPLE_RATE_HZ * rate_hz))
    targets = np.repeat(VOWELS_HZ[rng.integers(len(VOWELS_HZ), size=count)] * scale, 2, 0) * np.exp(
        0.05 * rng.standard_normal((2 * count, 4))
    )
    if sung:
        steps = rng.choice([-5, -3, 0, 0, 2, 4, 7], count) / 12
        f0 = f0_hz * 2 ** (curve(m, np.repeat(steps, 6)) + uni(rng, (0.01, 0.05)) * tone(uni(rng, (4.5, 6.5)), m))
    else:
        f0 = f0_hz * 2 ** (curve(m, np.linspace(0.25, -0.25, count + 2) + uni(rng, (0.05, 0.3)) * rng.standard_normal(count + 2)))
    loud = np.stack(
        [rng.uniform(0, 0.6 if sung else 0.3, count), rng.uniform(0.5, 1, count), rng.uniform(0.4, 1, count), rng.uniform(0.1, 0.7, count)],
        1,
    ).ravel()
    wave = voiced(rng, f0.astype(np.float32), targets, uni(rng, (0.8, 1.5)), breath, uni(rng, (0, 0.15))) * curve(m, np.r_[loud, 0])
    hiss = np.zeros((count, 4))
    hiss[:, 0] = (rng.random(count) < 0.45) * rng.uniform(0.2, 1, count)
    fricative = noise(rng, m, ((500, -40), (log_uni(rng, (1500, 4500)), 0), (7900, -6)))
    return wave / (wave.std() + 1e-9) + np.float32(0.15 if sung else 0.6) * fricative * curve(m, np.r_[hiss.ravel(), 0])


def talker(rng: Rng) -> dict[str, float]:
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
    out, m = np.zeros(n, dtype=np.float32), max(32, n // 2)
    voices = [talk(rng, m, **talker(rng)) for _ in range(3)]
    for _ in range(int(log_uni(rng, (4, 24)))):  # resampled and shifted copies pass for further people
        index = (np.arange(n) * rng.uniform(0.75, 1.3) + rng.integers(m)).astype(np.int64) % m
        out += np.float32(log_uni(rng, (0.15, 1))) * voices[int(rng.integers(3))][index]
    return out + np.float32(uni(rng, (0, 0.6))) * out.std() * noise(rng, n, ((0, 0), (500, 0), (4000, -20)))


def humming(rng: Rng, n: int) -> Wave:
    base, tube = log_uni(rng, (90, 450)), np.array([250, 1000, 2100]) * uni(rng, (0.8, 1.3))

    def one(rng: Rng, m: int) -> Wave:
        steps = np.repeat(rng.choice([-5, -3, 0, 2, 4, 7], max(1, int(m / 5000))), 5) / 12
        f0 = base * 2 ** (curve(m, steps) + 0.02 * tone(uni(rng, (4, 6.5)), m))
        return voiced(rng, f0, tube, uni(rng, (1.6, 2.4)), uni(rng, (0.01, 0.15)), 0.0) * swell(m, 0.05, 0.15)

    return events(rng, n, one, (0.4, 3.5), (0.05, 0.6), single=0.2)


def laughter(rng: Rng, n: int) -> Wave:
    base, tube, rate = log_uni(rng, (130, 500)), tract(rng, uni(rng, (0.12, 0.18))), uni(rng, (3.5, 7))
    air, duty, grit = uni(rng, (0.2, 1.2)), uni(rng, (0.3, 0.65)), uni(rng, (0, 0.3))

    def bout(rng: Rng, m: int) -> Wave:
        f0 = base * 2 ** (curve(m, (rng.uniform(-0.2, 0.3), 0.4, 0, -0.6)) + 0.1 * tone(rate, m))
        ha = np.clip(np.sin(2 * np.pi * (phase_of(rate, m) % 1)) + 2 * duty - 0.8, 0, 1).astype(np.float32)
        wave = voiced(rng, f0, tube * np.array([[0.9], [1.1], [0.95]]), uni(rng, (0.8, 1.4)), air, grit)
        return (wave * ha + 0.1 * air * body(rng, rng.standard_normal(m, dtype=np.float32), (800, 3000)) * (1 - ha)) * swell(m, 0.05, 0.5)

    return events(rng, n, bout, (0.5, 3), (0.2, 1.2), single=0.4)


def blast(rng: Rng, m: int, tube: NDArray, voice_gain: float, f0: float, t60: float) -> Wave:
    """Explosive breath through a tract with some voice in it: the common part of coughs and sneezes."""
    wave = voiced(rng, f0 * 2 ** curve(m, (0.3, 0.2, -0.5)), tube * np.array([[1.1], [0.9]]), 1.0, 1 / max(voice_gain, 0.05), 0.4)
    return wave / (wave.std() + 1e-9) * decay(m, t60) * swell(m, 0.02, 0.2)


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
        out, cut = np.zeros(m, dtype=np.float32), int(m * uni(rng, (0.2, 0.6)))
        gasp = sweep_noise(rng, max(64, cut), np.linspace(700, log_uni(rng, (1500, 3000)), 4), 0.3)
        add_at(out, gasp * swell(len(gasp), 0.8, 0.1), 0, uni(rng, (0.02, 0.25)))
        rest = m - cut
        add_at(
            out,
            blast(rng, rest, tube, log_uni(rng, (0.1, 1.5)), f0, 0.5)
            + noise(rng, rest, ((800, -40), (3000, 0), (7900, -5))) * decay(rest, uni(rng, (0.1, 0.4))),
            cut,
        )
        return out

    return events(rng, n, one, (0.5, 1.6), (0.4, 1.5), single=0.6)


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


def rooster(rng: Rng, n: int) -> Wave:
    base, tube = log_uni(rng, (350, 850)), tract(rng, uni(rng, (0.08, 0.16)))
    pace = rng.uniform(0.5, 1.5, 5)
    pitch, loud = (
        np.array([-0.4, -0.2, 0.35, 0.1, 0.5, 0.45, -0.3]) + 0.15 * rng.standard_normal(7),
        (0, 1, 0.1, 1, 0.05, 0.8, 1, 1, 0.8, 0.4, 0),
    )

    def one(rng: Rng, m: int) -> Wave:
        warp = np.interp(np.linspace(0, 1, m), np.linspace(0, 1, 6), np.r_[0, np.cumsum(pace)] / pace.sum())
        f0 = base * 2 ** np.interp(warp, np.linspace(0, 1, 7), pitch).astype(np.float32)
        amp = np.interp(warp, np.linspace(0, 1, 11), loud).astype(np.float32)
        return (
            voiced(rng, f0, tube * np.array([[0.8], [1.1], [1.2], [0.9]]), uni(rng, (0.3, 1)), uni(rng, (0.05, 0.5)), uni(rng, (0, 0.35)))
            * amp
        )

    return events(rng, n, one, (1.2, 2.6), (0.6, 2.5), single=0.5)


def whistled(rng: Rng, m: int, f0: Wave, overtones: float, air: float) -> Wave:
    """Nearly pure tone with weak overtones: syrinx, lips, flute head."""
    wave = harmonic(
        np.clip(f0, 50, 7800), m, np.r_[1, overtones * rng.random(), overtones**2 * rng.random(), overtones**3 * rng.random()], rng
    )
    return wave + np.float32(air) * sweep_noise(rng, m, f0[:: max(1, m // 8)], 0.1) if air > 0.01 else wave


def bird_syllable(rng: Rng, high: Range = (1800, 6500)) -> Synth:
    """Draws a syllable type: a sweep or curl, perhaps trilled or harsh."""
    base, knots = log_uni(rng, high), rng.standard_normal(int(rng.integers(2, 6))) * uni(rng, (0.05, 0.5))
    fm_hz, fm = log_uni(rng, (15, 180)), pick(rng, 0, 0, uni(rng, (0.03, 0.2)))
    over, attack, release, am = uni(rng, (0, 0.7)), uni(rng, (0.05, 0.4)), uni(rng, (0.2, 0.7)), pick(rng, 0, 0, uni(rng, (0.3, 0.9)))

    def one(rng: Rng, m: int) -> Wave:
        f0 = near(rng, base, 0.02) * 2 ** (curve(m, knots) + fm * tone(fm_hz, m))
        return whistled(rng, m, f0, over, 0.0) * swell(m, attack, release) * (1 - am * (0.5 + 0.5 * tone(fm_hz * 0.5, m)))

    return one


def bird_chirp(rng: Rng, n: int) -> Wave:
    return events(rng, n, bird_syllable(rng), (0.03, 0.3), (0.05, 1.0), single=0.1, burst=0.6)


def bird_song(rng: Rng, n: int) -> Wave:
    def phrase(rng: Rng, m: int) -> Wave:
        out, at = np.zeros(m, dtype=np.float32), 0
        while at < m - 500:
            make, size, gap = (
                syllables[int(rng.integers(len(syllables)))],
                samples(log_uni(rng, (0.02, 0.3))),
                samples(log_uni(rng, (0.005, 0.12))),
            )
            note = make(rng, size)
            for _ in range(int(rng.geometric(0.3))):
                add_at(out, note, at, uni(rng, (0.5, 1)))
                at += size + gap
                if at >= m - 500:
                    break
        return out

    syllables = [bird_syllable(rng) for _ in range(int(rng.integers(3, 7)))]
    out = events(rng, n, phrase, (0.8, 4), (0.2, 1.5), single=0.15)
    return (
        out + uni(rng, (0, 0.4)) * np.roll(phrase(rng, n), int(rng.integers(n))) if rng.random() < 0.35 else out
    )  # a second bird, farther off


def hoot(pitch: Range, dur: Range, gap: Range, glide: Range, over: Range, quaver: float) -> Synth:
    """Soft whistled calls: owls, pigeons, wolves, human whistling."""

    def synth(rng: Rng, n: int) -> Wave:
        base, bend, tones, shake = log_uni(rng, pitch), uni(rng, glide), uni(rng, over), pick(rng, 0, quaver)
        shape, rate, air = pick(rng, *CONTOURS), uni(rng, (4, 16)), pick(rng, 0, log_uni(rng, (0.02, 0.3)))

        def one(rng: Rng, m: int) -> Wave:
            f0 = near(rng, base, 0.03) * 2 ** (
                near(rng, bend, 0.3) * curve(m, CONTOURS[shape]) + shake * 0.1 * tone(rate, m) + 0.01 * wander(rng, m, 10)
            )
            return whistled(rng, m, f0, tones, air) * swell(m, 0.25, 0.4) * (1 - 0.5 * shake * (0.5 + 0.5 * tone(rate, m)))

        return events(rng, n, one, dur, gap, 0.2, 0.5)

    return synth


def cricket(rng: Rng, n: int) -> Wave:
    out = np.zeros(n, dtype=np.float32)
    for voice in range(int(rng.integers(1, 4))):
        carrier, pulse_hz, chirp_hz, duty = (
            log_uni(rng, (2200, 6800)),
            log_uni(rng, (14, 90)),
            log_uni(rng, (0.6, 5)),
            pick(rng, 1.0, uni(rng, (0.2, 0.7))),
        )
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
    return body(rng, wave + 0.05 * rng.standard_normal(n, dtype=np.float32), (300, 4000), 3, 0.2) * near_far


# ------------------------------------------------------------------------------------------------ struck bodies


def struck(
    kind: str,
    pitch: Range,
    t60: Range,
    period: Range,
    count: tuple[int, int] = (5, 20),
    click: Range = (0.0, 0.6),
    damping: Range = (0.2, 1.0),
    single: float = 0.25,
    loose: Range = (0.02, 0.5),
    bodies: int = 1,
    rattle: float = 0.0,
) -> Synth:
    """Factory for impacts: modes of a body ring after a hit whose place (gains) and hardness (click) change from hit to hit."""

    def synth(rng: Rng, n: int) -> Wave:
        ring, fall = log_uni(rng, t60), uni(rng, damping)
        sets = [modes(rng, kind, log_uni(rng, pitch), int(rng.integers(*count))) for _ in range(int(rng.integers(1, bodies + 1)))]
        hard, slope, colour = uni(rng, click), uni(rng, (0, 1.2)), log_uni(rng, (600, 6000))

        def hit(rng: Rng, m: int) -> Wave:
            hz = pick(rng, *sets)
            relative = np.maximum(hz / hz[0], 1)
            gains = relative**-slope * rng.uniform(0.1, 1, len(hz)) * rng.choice([-1, 1], len(hz))
            wave = modal(m, hz, ring * relative**-fall * rng.uniform(0.7, 1.3, len(hz)), gains)
            short = min(m, samples(uni(rng, (0.003, 0.04))))
            wave[:short] += (
                np.float32(2 * hard * np.abs(gains).max())
                * noise(rng, short, ((0, -10), (colour, 0), (7900, -15)))
                * swell(short, 0.02, 0.95)
            )
            for k in range(int(rng.poisson(rattle))):  # bounces, ever faster and weaker
                add_at(wave, wave[: m // 2].copy(), min(m - 1, samples(0.15 * (1 - 0.6**k) + 0.03)), 0.5 ** (k + 1))
            return wave

        return strikes(rng, n, hit, min(5.0, 1.2 * ring + 0.05), period, single, loose)

    return synth


def burst_grain(rng: Rng, m: int, hz: Range, octaves: float = 1.0) -> Wave:
    """Short noisy thud or click around a frequency."""
    centre = log_uni(rng, hz)
    return band(rng, m, centre, centre * 2**octaves, 18) * decay(m, uni(rng, (0.3, 1.2)) * m / SAMPLE_RATE_HZ) * swell(m, 0.01, 0.1)


def footsteps(rng: Rng, n: int) -> Wave:
    ground, hz, heel = uni(rng, (0, 1)), (log_uni(rng, (60, 1500)), 2500.0), uni(rng, (0, 1))

    def step(rng: Rng, m: int) -> Wave:
        wave = heel * modal(m, rng.uniform(60, 900, 6), rng.uniform(0.03, 0.15, 6), rng.random(6)) + burst_grain(rng, m, hz, 1.5) * (
            1 - 0.5 * heel
        )
        crunch = scatter(rng, m, [burst_grain(rng, 90, (1500, 5000)) for _ in range(4)], (m * rng.beta(1.5, 3, 50)).astype(int))
        toe = np.roll(wave, m // 3) * uni(rng, (0, 0.6))
        return wave + toe + ground * 0.5 * crunch * swell(m, 0.1, 0.6)

    return strikes(rng, n, step, uni(rng, (0.15, 0.35)), (0.28, 0.9), 0.03, (0.01, 0.12))


def horse_gallop(rng: Rng, n: int) -> Wave:
    stride, beats = log_uni(rng, (0.35, 0.9)), pick(rng, (0, 0.5), (0, 0.22, 0.44), (0, 0.2, 0.4, 0.6), (0, 0.25, 0.5, 0.75))
    pitch, soft = log_uni(rng, (120, 1600)), uni(rng, (0, 1))
    hooves = [
        modal(2400, near(rng, pitch, 0.2) * np.array([1, 1.6, 2.7, 4.1]), rng.uniform(0.03, 0.12, 4), rng.random(4)) * (1 - 0.7 * soft)
        + soft * burst_grain(rng, 2400, (60, 800), 1.5)
        for _ in range(4)
    ]
    at = (np.arange(0, n / SAMPLE_RATE_HZ, stride)[:, None] + stride * np.array(beats)).ravel() * SAMPLE_RATE_HZ
    at = at + samples(0.02) * np.abs(rng.standard_normal(len(at)))
    return scatter(rng, n, hooves, at[at < n], 4) * curve(n, rng.uniform(0.3, 1, 3))


def clap_grains(rng: Rng, count: int) -> list[Wave]:
    grains = []
    for _ in range(count):
        m = samples(uni(rng, (0.008, 0.04)))
        grains.append(body(rng, rng.standard_normal(m, dtype=np.float32) * decay(m, m / SAMPLE_RATE_HZ), (500, 3500), 2, 0.1, (1, 6)))
    return grains


def clap(rng: Rng, n: int) -> Wave:
    grains = clap_grains(rng, 3)
    return strikes(rng, n, lambda r, m: np.pad(g := pick(r, *grains), (0, max(0, m - len(g)))), 0.05, (0.2, 1.0), 0.15, (0.01, 0.15))


def applause(rng: Rng, n: int) -> Wave:
    people = log_uni(rng, (8, 250))
    out = scatter(rng, n, clap_grains(rng, 16), poisson(rng, n, 4 * people), 6)
    cheer = uni(rng, (0, 1)) * crowd_babble(rng, n) if rng.random() < 0.2 else 0
    return (out / (out.std() + 1e-9) + cheer) * curve(n, rng.uniform(0.2, 1, int(rng.integers(2, 6))))


def typing(rng: Rng, n: int) -> Wave:
    bright, thock = log_uni(rng, (900, 4000)), uni(rng, (0.1, 1))
    keys = []
    for _ in range(6):
        m = samples(uni(rng, (0.02, 0.12)))
        key = modal(
            m, near(rng, bright, 0.3) * np.array([0.15, 0.4, 1, 1.7]), rng.uniform(0.01, 0.05, 4), np.array([thock, thock, 0.6, 0.4])
        )
        key[: m // 3] += 0.5 * burst_grain(rng, m // 3, (1500, 5000))
        add_at(key, 0.4 * key[: m // 2].copy(), m // 2)  # the release
        keys.append(key)
    at = np.cumsum(rng.gamma(2, 0.5 * log_uni(rng, (0.07, 0.35)), 80) + (rng.random(80) < 0.08) * 0.6) * SAMPLE_RATE_HZ
    return scatter(rng, n, keys, at[at < n], 4)


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


def can_opening(rng: Rng, n: int) -> Wave:
    def one(rng: Rng, m: int) -> Wave:
        out, crack = np.zeros(m, dtype=np.float32), samples(uni(rng, (0.02, 0.25)))
        metal = modal(2000, rng.uniform(900, 6000, 8), rng.uniform(0.02, 0.12, 8), rng.random(8))
        for start, gain in ((0, 0.5), (crack, 1.0), (crack + samples(uni(rng, (0.05, 0.4))), 0.6)):
            add_at(out, metal + 0.5 * rng.standard_normal(2000, dtype=np.float32) * decay(2000, 0.02), start, gain)
        fizz = noise(rng, m, ((800, -30), (log_uni(rng, (2500, 6000)), 0), (7900, -3))) * decay(m, log_uni(rng, (0.15, 2)))
        add_at(out, fizz, crack, log_uni(rng, (0.1, 1)))
        return out

    return events(rng, n, one, (0.5, 2.5), (0.3, 1.5), single=0.8)


def plastic_rattle(rng: Rng, n: int) -> Wave:
    shells = [modal(500, rng.uniform(500, 5500, 6), rng.uniform(0.006, 0.05, 6), rng.standard_normal(6)) for _ in range(8)]
    shake = np.clip(tone(log_uni(rng, (0.8, 8)), n, rng.random()) * uni(rng, (0, 1.5)) + 0.5 + 0.4 * wander(rng, n, 3), 0.01, None)
    return scatter(rng, n, shells, ticks(rng, shake * log_uni(rng, (15, 160)), 0.6), 9)


# ------------------------------------------------------------------------------------------------ friction


def creak(rng: Rng, n: int) -> Wave:
    """Stick-slip: a hinge lets go at an unsteady rate and rings the door at each slip."""
    base, panel = log_uni(rng, (15, 350)), modes(rng, "box", log_uni(rng, (180, 1200)), 12)
    grains = [modal(700, panel, 0.01 + 0.06 * rng.random(12), rng.standard_normal(12)) for _ in range(2)]

    def one(rng: Rng, m: int) -> Wave:
        rate = base * 2 ** (uni(rng, (0.3, 1.6)) * curve(m, rng.standard_normal(int(rng.integers(3, 7)))) + 0.05 * wander(rng, m, 40))
        return scatter(rng, m, grains, ticks(rng, np.clip(rate, 3, 1500), uni(rng, (0, 0.15))), 2) * swell(m, 0.15, 0.25)

    return events(rng, n, one, (0.3, 3), (0.1, 1), single=0.4)


def strokes(low: Range, high: Range, teeth_hz: Range, dur: Range, gap: Range, tonal: Range) -> Synth:
    """Factory for to-and-fro rubbing: band noise broken up by teeth or bristles, with two unequal directions."""

    def synth(rng: Rng, n: int) -> Wave:
        lo, hi, teeth, bite, back = log_uni(rng, low), log_uni(rng, high), log_uni(rng, teeth_hz), uni(rng, tonal), uni(rng, (0.2, 1))

        def one(rng: Rng, m: int) -> Wave:
            half = int(m * uni(rng, (0.4, 0.6)))
            speed = np.r_[swell(half, 0.4, 0.4), swell(m - half, 0.4, 0.4)] + 0.05
            grind = (1 - bite) + bite * 2 * np.clip(pulses(teeth * speed, m, 0.6), 0, None)
            return (
                body(rng, rng.standard_normal(m, dtype=np.float32) * grind, (lo, hi), 5, 0.05, (1, 6))
                * speed
                * np.r_[np.ones(half), back * np.ones(m - half)].astype(np.float32)
            )

        return events(rng, n, one, dur, gap, 0.1, 0.2, uni(rng, (0.02, 0.2)))

    return synth


def zipper(rng: Rng, n: int) -> Wave:
    base, grains = (
        log_uni(rng, (60, 500)),
        [modal(160, rng.uniform(1500, 7500, 5), rng.uniform(0.002, 0.012, 5), rng.standard_normal(5)) for _ in range(6)],
    )

    def one(rng: Rng, m: int) -> Wave:
        rate = base * 2 ** curve(m, np.r_[rng.uniform(-1, 0), rng.uniform(-0.3, 0.8), rng.uniform(-0.6, 1.2)])
        rub = 0.3 * band(rng, m, log_uni(rng, (800, 3000)), 7500)
        return (scatter(rng, m, grains, ticks(rng, rate, 0.08), 3) + rub * uni(rng, (0, 1))) * swell(m, 0.1, 0.1)

    return events(rng, n, one, (0.2, 1.6), (0.1, 1), single=0.3)


# ------------------------------------------------------------------------------------------------ water, air, fire


def bubble(hz: float, rise: float) -> Wave:
    """Minnaert bubble: damping grows with pitch, and the pitch climbs as the bubble nears the surface (van den Doel 2005)."""
    rate = 0.13 * hz + 0.0072 * hz**1.5
    m = min(samples(4.5 / rate), 3000)
    t = seconds_axis(m)
    return tone(hz * (1 + rise * rate * t).clip(max=4), m) * np.exp(-rate * t)


def bubbles(
    rng: Rng, n: int, rate_hz: float, hz: Range, rise: Range = (0, 0.15), spread_db: float = 8, where: NDArray | None = None
) -> Wave:
    grains = [bubble(log_uni(rng, hz), uni(rng, rise)) for _ in range(16)]
    return scatter(rng, n, grains, poisson(rng, n, rate_hz) if where is None else where, spread_db)


def water(rate: Range, hz: Range, wash: Range, wash_hz: Range, surge: Range) -> Synth:
    """Factory for running water: many bubbles over a wash of noise, both swelling slowly."""

    def synth(rng: Rng, n: int) -> Wave:
        low = log_uni(rng, hz)
        drops = bubbles(rng, n, log_uni(rng, rate), (low, low * uni(rng, (2, 8))), (0, uni(rng, (0.02, 0.2))))
        corner = log_uni(rng, wash_hz)
        hiss = noise(rng, n, ((60, -25), (corner / 2, -6), (corner, 0), (7900, -uni(rng, (6, 30)))))
        return (drops / (drops.std() + 1e-9) + log_uni(rng, wash) * hiss) * np.exp(uni(rng, surge) * wander(rng, n, uni(rng, (0.5, 6))))

    return synth


def pouring(rng: Rng, n: int) -> Wave:
    """A filling vessel: the air column above shortens, so its resonance climbs."""
    start, climb = log_uni(rng, (200, 900)), uni(rng, (0.3, 2.2))

    def one(rng: Rng, m: int) -> Wave:
        base = bubbles(rng, m, log_uni(rng, (60, 500)), (400, 3500)) + uni(rng, (0.05, 0.4)) * rng.standard_normal(m, dtype=np.float32)
        column = (start * 2 ** (climb * curve(n_frames(m), (0, 0.35, 1))))[:, None] * np.array([1, 3, 5])
        return morph(base, uni(rng, (0.05, 0.5)) + resonances(np.minimum(column, 7800), 40 + 0.1 * column, np.array([3, 2, 1]))) * swell(
            m, 0.05, 0.1
        )

    return events(rng, n, one, (1.5, 5), (0.3, 1), single=0.6)


def water_drops(rng: Rng, n: int) -> Wave:
    hz, rise = log_uni(rng, (350, 2500)), uni(rng, (0, 0.25))

    def drop(rng: Rng, m: int) -> Wave:
        out = np.zeros(m, dtype=np.float32)
        out[:60] = uni(rng, (0.05, 0.7)) * burst_grain(rng, 60, (2000, 5000))
        for k in range(int(rng.integers(1, 4))):
            add_at(out, bubble(near(rng, hz, 0.25), rise), samples(0.004 + uni(rng, (0.01, 0.06)) * k), 0.6**k)
        return out

    return strikes(rng, n, drop, 0.25, (0.12, 1.8), 0.05, (0.01, 0.7))


def drinking(rng: Rng, n: int) -> Wave:
    hz = log_uni(rng, (180, 700))

    def gulp(rng: Rng, m: int) -> Wave:
        sweep = tone(hz * 2 ** curve(m, (0.3, -0.3, 0.5, 1.0)), m) * swell(m, 0.2, 0.6)
        slurp = (
            sweep_noise(rng, m, np.linspace(600, log_uni(rng, (1000, 3500)), 4), 0.3) * swell(m, 0.4, 0.3) * (1 + 0.5 * wander(rng, m, 60))
        )
        return uni(rng, (0.2, 1)) * sweep + uni(rng, (0, 0.3)) * slurp + 0.3 * bubbles(rng, m, 30, (hz, 4 * hz))

    return events(rng, n, gulp, (0.1, 0.6), (0.1, 0.9), single=0.1)


def toilet_flush(rng: Rng, n: int) -> Wave:
    peak, low = uni(rng, (0.1, 0.4)), log_uni(rng, (200, 900))
    rush = noise(rng, n, ((40, -20), (low, 0), (2500, -uni(rng, (3, 12))), (7900, -uni(rng, (15, 35)))))
    out = rush * np.interp(
        np.linspace(0, 1, n), (0, 0.05, peak, peak + 0.3, 1), (0.05, 0.5, 1, uni(rng, (0.3, 0.9)), uni(rng, (0.02, 0.4)))
    ).astype(np.float32)
    gurgle = bubbles(rng, n, 40, (120, 900)) * curve(n, (0, 0.5, 1, 0.6, 0.2))
    out += uni(rng, (0.1, 0.8)) * gurgle
    return out + uni(rng, (0, 0.3)) * noise(rng, n, ((500, -40), (3500, 0), (7900, -5))) * curve(n, (0, 0.3, 0.6, 1))  # the tank refills


def rain(rng: Rng, n: int) -> Wave:
    size = log_uni(rng, (800, 4500))
    drops = scatter(
        rng,
        n,
        [burst_grain(rng, int(rng.integers(40, 260)), (size, 6000), 1.2) for _ in range(12)],
        poisson(rng, n, log_uni(rng, (40, 900))),
        8,
    )
    hiss = noise(rng, n, ((100, -uni(rng, (10, 40))), (log_uni(rng, (800, 5000)), 0), (7900, -uni(rng, (0, 20)))))
    return (drops / (drops.std() + 1e-9) + log_uni(rng, (0.15, 4)) * hiss) * np.exp(0.15 * wander(rng, n, 0.8))


def hail(rng: Rng, n: int) -> Wave:
    roof = log_uni(rng, (300, 2500))
    stones = [
        modal(900, near(rng, roof, 0.5) * np.array([1, 1.8, 2.9, 4.2]), rng.uniform(0.01, 0.08, 4), rng.random(4))
        + 0.7 * burst_grain(rng, 900, (1500, 5000))
        for _ in range(8)
    ]
    return scatter(rng, n, stones, poisson(rng, n, log_uni(rng, (15, 250))), 8) * np.exp(0.3 * wander(rng, n, 0.6))


def thunder(rng: Rng, n: int) -> Wave:
    out, corner = np.zeros(n, dtype=np.float32), log_uni(rng, (60, 400))
    for _ in range(int(rng.integers(1, 6))):
        start = int(rng.beta(1, 3) * 0.8 * n)
        m = n - start
        out[start:] += uni(rng, (0.3, 1)) * decay(m, log_uni(rng, (0.6, 6))) * swell(m, uni(rng, (0.001, 0.06)), 0.1)
    rumble = noise(rng, n, ((20, -10), (50, 0), (corner, -3), (8 * corner, -uni(rng, (25, 45))), (7900, -65)))
    crack = noise(rng, n, ((100, -10), (900, 0), (7900, -25))) * np.exp(uni(rng, (0.3, 1)) * wander(rng, n, 25))
    return out * rumble * np.exp(0.6 * wander(rng, n, 6)) + uni(rng, (0, 0.8)) * out**3 * crack


def wind(rng: Rng, n: int) -> Wave:
    gust, howl = wander(rng, n_frames(n), 0.7 * HOP), uni(rng, (0, 1))
    gust = curve(n_frames(n), rng.standard_normal(int(rng.integers(4, 14))))
    centre = log_uni(rng, (150, 900)) * 2 ** (0.45 * gust)
    peaks = np.stack([centre, centre * uni(rng, (1.7, 2.6))], 1)
    gains = resonances(peaks, peaks * np.array([uni(rng, (0.04, 0.6)), uni(rng, (0.1, 0.5))]), np.array([1, 0.4])) * howl
    gains += (1 - 0.8 * howl) * levels(HOP + 1, ((0, 0), (log_uni(rng, (60, 400)), 0), (4000, -uni(rng, (20, 45)))))
    return morph(rng.standard_normal(n, dtype=np.float32), gains * np.exp(uni(rng, (0.2, 1.0)) * gust)[:, None].astype(np.float32))


def sea_waves(rng: Rng, n: int) -> Wave:
    frames, period = n_frames(n), log_uni(rng, (2, 9))
    phase = (np.arange(frames) * HOP / SAMPLE_RATE_HZ / period + rng.random() + 0.05 * curve(frames, rng.standard_normal(6))) % 1
    level = np.interp(phase, (0, uni(rng, (0.15, 0.45)), 0.75, 1), (0.15, 1, 0.4, 0.15)) ** uni(rng, (0.7, 2))
    corner = (log_uni(rng, (200, 700)) * (1 + uni(rng, (2, 9)) * level))[:, None]  # the breaking crest is brighter than the swell
    gains = level[:, None] / (1 + (BIN_HZ / corner) ** uni(rng, (1.5, 3))) * np.minimum(BIN_HZ / 80, 1)
    out = morph(rng.standard_normal(n, dtype=np.float32), gains.astype(np.float32))
    return out + uni(rng, (0, 0.15)) * out.std() * bubbles(rng, n, 150, (500, 4000))


def fire(rng: Rng, n: int) -> Wave:
    grains = [burst_grain(rng, int(rng.integers(24, 500)), (500, 5000), 1.5) for _ in range(16)]
    density = np.clip(log_uni(rng, (3, 60)) * np.exp(0.8 * wander(rng, n, 2)), 0.1, 400)
    crackle = scatter(rng, n, grains, ticks(rng, density, 1.0), 10)
    roar = noise(rng, n, ((30, 0), (log_uni(rng, (80, 400)), 0), (7900, -uni(rng, (25, 50))))) * np.exp(0.4 * wander(rng, n, 5))
    return crackle / (np.abs(crackle).max() + 1e-9) + log_uni(rng, (0.003, 0.15)) * roar


def hiss(rng: Rng, n: int) -> Wave:
    def jet(rng: Rng, m: int) -> Wave:
        return (noise(rng, m, ((200, -40), (corner, 0), (7900, -fall))) + whine * tone(pipe * curve(m, (0.95, 1, 0.9)), m)) * swell(
            m, attack, release, 1.5
        )

    corner, fall, pipe, whine = (
        log_uni(rng, (1200, 6500)),
        uni(rng, (0, 15)),
        log_uni(rng, (900, 5000)),
        pick(rng, 0, 0, uni(rng, (0.1, 1))),
    )
    attack, release = log_uni(rng, (0.005, 0.3)), uni(rng, (0.02, 0.9))
    return events(rng, n, jet, (0.2, 6), (0.1, 1.2), single=0.4)


# ------------------------------------------------------------------------------------------------ machines


def rotor(
    rate: Range,
    cylinders: Sequence[int],
    sweep: Range,
    turns: Range,
    noise_gain: Range,
    tilt: Range,
    shell: Range,
    rough: Range = (0.02, 0.3),
    gated: float = 0.0,
    load: Range = (0, 0.4),
) -> Synth:
    """Factory for engines and motors: one table per shaft cycle with uneven firings, a wandering rate, noise that breathes with the
    firings, and the resonances of the shell. `rate` counts shaft cycles per second; `sweep` is in octaves, `turns` per second."""

    def synth(rng: Rng, n: int) -> Wave:
        fire_count, slope, grit = int(pick(rng, *cylinders)), uni(rng, tilt), uni(rng, rough)
        speed = curve(n, rng.standard_normal(max(2, int(n / SAMPLE_RATE_HZ * log_uni(rng, turns)) + 2)))
        f0 = log_uni(rng, rate) * 2 ** np.clip(uni(rng, sweep) * speed + 0.02 * grit * wander(rng, n, 30), -2.5, 2.5)
        partial = np.arange(1, 501, dtype=float)
        weights = np.where(partial % fire_count == 0, 1.0, grit) * (np.ceil(partial / fire_count) ** -slope) * rng.uniform(0.3, 1, 500)
        wave = harmonic(f0, n, weights, rng if rng.random() < 0.4 else None)
        stroke = np.clip(pulses(f0 * fire_count, n, 1.0), 0, 1)
        depth = uni(rng, (0, 1))
        wave = wave / (wave.std() + 1e-9) + log_uni(rng, noise_gain) * rng.standard_normal(n, dtype=np.float32) * (
            1 - depth + 2 * depth * stroke
        )
        wave = body(rng, wave, shell, int(rng.integers(3, 8)), uni(rng, (0.02, 0.2)), (1, 8))
        wave = wave * 2 ** (uni(rng, load) * 2 * speed.clip(-2, 2))
        if rng.random() < gated:  # trigger pulled and let go
            wave = wave * np.clip(curve(n, np.repeat(rng.uniform(-0.6, 1.5, 12), 10)), 0.02, 1)
        return wave

    return synth


def pass_by(rng: Rng, n: int, source: Wave) -> Wave:
    """Loudness of something driving or flying past at constant speed."""
    x = np.linspace(-1, 1, n) - uni(rng, (-0.7, 0.7))
    return source * (1 / np.sqrt(1 + np.square(x * uni(rng, (0.2, 7))))).astype(np.float32)


def helicopter(rng: Rng, n: int) -> Wave:
    rate, sharp = log_uni(rng, (8, 32)) * (1 + 0.01 * wander(rng, n, 1)), uni(rng, (0.4, 1.3))
    chop = pulses(rate, n, sharp)
    slap = noise(rng, n, ((40, 0), (log_uni(rng, (150, 1500)), 0), (7900, -uni(rng, (20, 45))))) * (
        0.1 + np.clip(pulses(rate, n, 1.1), 0, 1)
    )
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


def vacuum(rng: Rng, n: int) -> Wave:
    f0 = log_uni(rng, (90, 600)) * (1 + 0.02 * wander(rng, n, 1.5))
    whine = harmonic(f0, n, rng.random(40) * np.arange(1, 41) ** -uni(rng, (0.2, 1.2)), rng)
    air = noise(rng, n, ((60, -15), (log_uni(rng, (250, 1500)), 0), (3500, -uni(rng, (0, 12))), (7900, -uni(rng, (5, 30)))))
    out = air * (1 + 0.25 * wander(rng, n, 1.5)) + log_uni(rng, (0.3, 4)) * whine
    if rng.random() < 0.3:  # run-up or wind-down
        ramp = curve(n, pick(rng, (0.01, 1, 1, 1), (1, 1, 1, 0.01)))
        out = out * ramp
    return out


def washing_machine(rng: Rng, n: int) -> Wave:
    drum, motor = log_uni(rng, (0.6, 14)), log_uni(rng, (40, 300))
    turn = 0.55 + 0.45 * tone(drum, n, rng.random())
    hum = harmonic(motor * (1 + 0.03 * tone(drum, n)), n, rng.random(30) * np.arange(1, 31) ** -1.0, rng)
    slosh = sweep_noise(rng, n, log_uni(rng, (200, 1500)) * np.exp(0.4 * rng.standard_normal(12)), 0.6, 0.05)
    thump = scatter(
        rng, n, [modal(2000, rng.uniform(40, 400, 6), rng.uniform(0.05, 0.2, 6), rng.random(6))], ticks(rng, np.full(n, drum), 0.05), 4
    )
    return hum * uni(rng, (0.2, 1)) + slosh * turn * uni(rng, (0.05, 0.6)) + uni(rng, (0, 1)) * thump


def train(rng: Rng, n: int) -> Wave:
    roll = noise(rng, n, ((30, -5), (log_uni(rng, (80, 400)), 0), (1500, -uni(rng, (5, 20))), (7900, -uni(rng, (25, 45))))) * (
        1 + 0.3 * wander(rng, n, 5)
    )
    period, double = log_uni(rng, (0.35, 1.6)), uni(rng, (0.1, 0.4))
    at = (np.arange(0, n / SAMPLE_RATE_HZ, period)[:, None] + period * np.array([0, double])).ravel() * SAMPLE_RATE_HZ
    clack = [
        modal(2400, rng.uniform(100, 2200, 10), rng.uniform(0.03, 0.14, 10), rng.standard_normal(10))
        + burst_grain(rng, 2400, (100, 1200), 2)
        for _ in range(2)
    ]
    out = roll * uni(rng, (0.1, 0.7)) + scatter(rng, n, clack, at[at < n], 3) * uni(rng, (0.1, 0.6))
    if rng.random() < 0.3:
        out += car_horn(rng, n) * uni(rng, (0.3, 1.2))
    if rng.random() < 0.3:  # wheels squeal on a bend
        out += (
            uni(rng, (0.05, 0.4)) * tone(log_uni(rng, (1500, 5000)) * (1 + 0.01 * wander(rng, n, 6)), n) * np.clip(wander(rng, n, 2), 0, 1)
        )
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
    wave_shape = pick(
        rng,
        np.where(phase < up, phase / up, (1 - phase) / (1 - up)),
        np.where(phase < up, phase / up, (1 - phase) / (1 - up)),
        (phase < 0.5) * 1.0,
    )
    drift = 2 ** (-0.1 * curve(n, (0, 0, 1, 1)) * uni(rng, (0, 1)))
    horn = harmonic(base * 2 ** (width * wave_shape) * drift, n, np.arange(1, 30) ** -uni(rng, (0.5, 2.0)), rng)
    return pass_by(rng, n, body(rng, horn, (500, 4000), 4, 0.2, (1, 5)))


def alarm_beeps(rng: Rng, n: int) -> Wave:
    hz, weights = log_uni(rng, (500, 4200)), np.arange(1, 12) ** -uni(rng, (0.6, 3)) * pick(rng, np.ones(11), np.arange(1, 12) % 2)
    on, off, group, pause = (
        log_uni(rng, (0.03, 0.6)),
        log_uni(rng, (0.03, 0.6)),
        int(rng.integers(1, 6)),
        pick(rng, 0, 0, uni(rng, (0.2, 1.2))),
    )
    second = pick(rng, 1, 1, 1.25, 1.5, 0.8)
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


def mouse_click(rng: Rng, n: int) -> Wave:
    """Press and release: two unlike clicks a finger's time apart, at idle moments."""
    switch, press_s = modes(rng, "box", log_uni(rng, (1200, 4500)), 6), log_uni(rng, (0.04, 0.18))

    def one(rng: Rng, m: int) -> Wave:
        out = np.zeros(m, dtype=np.float32)
        for start, gain in ((0, 1.0), (samples(near(rng, press_s, 0.15)), uni(rng, (0.3, 1)))):
            click = modal(400, switch, rng.uniform(0.003, 0.02, 6), rng.standard_normal(6))
            add_at(out, click + uni(rng, (0.2, 1.5)) * burst_grain(rng, 400, (1500, 4500)) * decay(400, 0.01), start, gain)
        return out

    return strikes(rng, n, one, 0.3, (0.2, 1.5), 0.15, (0.2, 0.9))


def explosion(low: Range, t60: Range, period: Range, single: float, crackle: Range) -> Synth:
    """Factory for shots and fireworks: a shock, a coloured tail, echoes, perhaps a whistle before and crackle after."""

    def synth(rng: Rng, n: int) -> Wave:
        corner, tail, sparks = log_uni(rng, low), log_uni(rng, t60), uni(rng, crackle)

        def bang(rng: Rng, m: int) -> Wave:
            start = samples(uni(rng, (0.2, 0.9))) if sparks and rng.random() < 0.4 else 0
            out = np.zeros(m, dtype=np.float32)
            if start:
                add_at(
                    out,
                    tone(log_uni(rng, (1500, 4000)) * 2 ** curve(start, (0, uni(rng, (-1, 0.7)))), start) * swell(start, 0.3, 0.2),
                    0,
                    uni(rng, (0.03, 0.3)),
                )
            rest = max(64, m - start)
            boom = noise(rng, rest, ((20, -6), (corner, 0), (6 * corner, -uni(rng, (6, 20))), (7900, -uni(rng, (15, 40)))))
            crack = noise(rng, rest) * decay(rest, uni(rng, (0.01, 0.08)))
            echo = np.roll(decay(rest, tail), int(uni(rng, (0.05, 0.5)) * rest)) * uni(rng, (0, 0.3))
            add_at(out, boom * (decay(rest, tail * uni(rng, (0.2, 1))) + echo) + uni(rng, (0.2, 2)) * crack, start)
            if sparks:
                at = start + rest * rng.beta(1.5, 3, int(200 * sparks) + 1)
                out += 0.5 * sparks * scatter(rng, m, [burst_grain(rng, 120, (1500, 5000)) for _ in range(6)], at[at < m], 6)
            return out

        return strikes(rng, n, bang, min(3.5, tail + (1.5 if sparks else 0.3)), period, single, (0.01, 0.8))

    return synth


def jackhammer(rng: Rng, n: int) -> Wave:
    rate = log_uni(rng, (8, 32)) * (1 + 0.03 * wander(rng, n, 4))
    hits = [
        modal(1200, rng.uniform(150, 4500, 12), rng.uniform(0.01, 0.09, 12), rng.standard_normal(12))
        + uni(rng, (0.3, 2)) * burst_grain(rng, 1200, (150, 2500), 2)
        for _ in range(3)
    ]
    out = scatter(rng, n, hits, ticks(rng, rate, 0.03), 2)
    air = noise(rng, n, ((100, -20), (1500, 0), (7900, -10)))
    gate = np.clip(curve(n, np.repeat(rng.uniform(-0.4, 2, 6), 20)), 0.02, 1) if rng.random() < 0.4 else np.float32(1)
    return (out / (out.std() + 1e-9) + uni(rng, (0, 0.4)) * air) * gate


def electric_hum(rng: Rng, n: int) -> Wave:
    base = pick(rng, 50.0, 60.0, 100.0, 120.0) * uni(rng, (0.98, 1.02))
    wave = harmonic(base, n, rng.random(60) ** 2 * np.arange(1, 61) ** -uni(rng, (0.2, 1.8)), rng)
    fizz = noise(rng, n, ((500, -20), (3000, 0), (7900, -5))) * (1 + tone(2 * base, n)) * np.clip(wander(rng, n, 20), 0, None)
    return wave * (1 + 0.1 * wander(rng, n, 1)) + pick(rng, 0, 0.02, 0.15) * fizz


# ------------------------------------------------------------------------------------------------ music


def melody(note: Callable[[Rng, float, int], Wave], pitch: Range, beat: Range, ring: Range, chord: float = 0.2) -> Synth:
    """Factory for instruments: notes of a random scale in a random rhythm; `ring` stretches notes beyond their beat."""

    def synth(rng: Rng, n: int) -> Wave:
        root, pulse, legato = log_uni(rng, pitch), log_uni(rng, beat), uni(rng, ring)
        scale = np.array(pick(rng, (0, 2, 4, 5, 7, 9, 11, 12), (0, 3, 5, 7, 10, 12), (0, 2, 3, 5, 7, 8, 10, 12), (0, 4, 7, 12), (0,)))
        out, at, level = np.zeros(n, dtype=np.float32), int(0.1 * n * rng.random()), pick(rng, 0.0, 0.3)
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


def piano(rng: Rng, f0: float, m: int) -> Wave:
    hz = modes(rng, "string", f0, 14)
    wave = modal(m, hz, log_uni(rng, (1.5, 6)) * (hz / 200) ** -0.7, np.arange(1, 15) ** -uni(rng, (0.9, 1.5)))
    return wave * swell(m, 0.003, 0.1) + 0.03 * burst_grain(rng, m, (100, 700))


def pluck(rng: Rng, f0: float, m: int) -> Wave:
    k, place = np.arange(1, 25), uni(rng, (0.08, 0.45))
    wave = modal(
        m, modes(rng, "string", f0, 24), log_uni(rng, (0.4, 4)) * k**-0.6, np.abs(np.sin(np.pi * k * place)) * k ** -uni(rng, (0.5, 1.4))
    )
    return wave * swell(m, 0.002, 0.08)


def sustained(slope: Range, air: Range, attack: Range, vibrato: Range, odd: float) -> Callable[[Rng, float, int], Wave]:
    """Blown, bowed or bellows-driven notes."""

    def note(rng: Rng, f0: float, m: int) -> Wave:
        f0 = min(f0, 3500)
        k = np.arange(1, 40)
        weights = k ** -uni(rng, slope) * np.where(k % 2 == 0, 1 - odd * rng.random(), 1) * rng.uniform(0.5, 1, 39)
        bend = 1 + uni(rng, vibrato) * tone(uni(rng, (4.5, 7)), m) * curve(m, (0, 1, 1))
        wave = harmonic(f0 * bend, m, weights, rng)
        return (wave + uni(rng, air) * band(rng, m, f0, min(6 * f0, 7500), 12)) * swell(m, uni(rng, attack), uni(rng, (0.05, 0.3)))

    return note


def synth_bass(rng: Rng, f0: float, m: int) -> Wave:
    saw = pulses(f0, m, uni(rng, (0.8, 1.2)))
    cut = curve(n_frames(m), (log_uni(rng, (400, 4000)), log_uni(rng, (100, 800)), 100))[:, None]
    return morph(saw, (1 / (1 + (BIN_HZ / cut) ** 3) + resonances(cut, 0.2 * cut, uni(rng, (0, 1)))).astype(np.float32)) * swell(
        m, 0.01, 0.2
    )


def drum(rng: Rng, n: int) -> Wave:
    period, grid = log_uni(rng, (0.1, 0.4)), rng.random((3, 16)) < np.array([[0.35], [0.2], [0.6]])
    hz, bend, m = log_uni(rng, (45, 250)), uni(rng, (0, 1.5)), samples(0.4)
    kick = tone(hz * (1 + bend * decay(m, 0.15)), m) * decay(m, log_uni(rng, (0.1, 0.6))) + 0.2 * burst_grain(rng, m, (300, 2000))
    snare = 0.5 * modal(m, modes(rng, "skin", uni(rng, (150, 350)), 6), rng.uniform(0.05, 0.3, 6), rng.random(6)) + noise(
        rng, m, ((200, -15), (2500, 0), (7900, -4))
    ) * decay(m, uni(rng, (0.08, 0.4)))
    hat = noise(rng, m, ((1000, -50), (6000, 0), (7900, 0))) * decay(m, log_uni(rng, (0.03, 0.5)))
    out, gains = np.zeros(n, dtype=np.float32), rng.uniform(0, 1, 3) * np.array([1, 0.4, 0.3])
    gains[int(rng.integers(3))] = 0.7
    grid[:, 0] |= gains >= 0.7
    for step, at in enumerate(range(0, n - 400, samples(period))):
        for row, sound in enumerate((kick, snare, hat)):
            if grid[row, step % 16]:
                add_at(out, sound, at, gains[row] * uni(rng, (0.6, 1)))
    return out


# ------------------------------------------------------------------------------------------------ the table

FAMILIES: dict[str, Synth] = {
    # animals
    "dog bark": call(
        (180, 1100), (0.09, 0.24), (0.08, 0.4), (0.08, 0.9), "arch fall arch break", (0.2, 1.0), (0.1, 0.9), (0.1, 0.7), (0.5, 1.4)
    ),
    "dog growl": call(
        (45, 140), (0.12, 0.26), (0.6, 3), (0.2, 1), "flat arch rise", (0, 0.3), (0.2, 1.2), (0.3, 0.8), (0.6, 1.3), (15, 40)
    ),
    "cat meow": call(
        (350, 1100),
        (0.06, 0.1),
        (0.3, 1.4),
        (0.3, 1.8),
        "arch arch late fall dip",
        (0.1, 0.7),
        (0.01, 0.25),
        (0, 0.2),
        (0.4, 1.2),
        mouth=(0.15, 0.5),
    ),
    "rooster crow": rooster,
    "hen cluck": call(
        (250, 900),
        (0.05, 0.1),
        (0.05, 0.25),
        (0.1, 0.6),
        "fall arch rise break",
        (0.2, 1.0),
        (0.1, 0.8),
        (0.1, 0.5),
        (0.4, 1.2),
        single=0.03,
    ),
    "bird chirp": bird_chirp,
    "bird song": bird_song,
    "owl hoot": hoot((230, 900), (0.2, 1.1), (0.15, 1.2), (0, 0.3), (0, 0.3), 0.7),
    "pigeon coo": call(
        (280, 620),
        (0.1, 0.2),
        (0.25, 0.9),
        (0.1, 0.7),
        "arch flat dip",
        (0.05, 0.4),
        (0.02, 0.2),
        (0, 0.2),
        (1.6, 2.6),
        (12, 30),
        (0.1, 0.7),
    ),
    "crow caw": call(
        (250, 700),
        (0.05, 0.11),
        (0.2, 0.6),
        (0.2, 1.0),
        "arch fall flat",
        (0.05, 0.4),
        (0.5, 1.5),
        (0.35, 0.9),
        (0.2, 0.8),
        (30, 90),
        (0.1, 0.6),
    ),
    "seagull cry": call(
        (600, 1500), (0.06, 0.12), (0.2, 1.0), (0.05, 0.6), "arch fall break", (0.3, 1.1), (0.02, 0.3), (0, 0.4), (0.2, 0.9)
    ),
    "duck quack": call(
        (180, 450), (0.07, 0.14), (0.1, 0.35), (0.06, 0.6), "fall arch flat", (0.05, 0.5), (0.2, 0.9), (0.2, 0.6), (0.1, 0.6)
    ),
    "frog croak": call(
        (60, 700),
        (0.03, 0.1),
        (0.15, 1.0),
        (0.1, 1.0),
        "flat rise late arch",
        (0, 0.4),
        (0.02, 0.5),
        (0.1, 0.6),
        (0.2, 0.9),
        (14, 70),
        (0.75, 1.0),
        single=0.1,
    ),
    "cricket": cricket,
    "cicada": cicada,
    "insect buzz": insect_buzz,
    "cow moo": call(
        (75, 260),
        (0.3, 0.6),
        (0.8, 2.6),
        (0.4, 2),
        "arch late rise fall",
        (0.1, 0.7),
        (0.03, 0.4),
        (0, 0.4),
        (0.6, 1.4),
        mouth=(0.1, 0.4),
        single=0.5,
    ),
    "sheep bleat": call(
        (160, 520),
        (0.14, 0.28),
        (0.4, 1.5),
        (0.3, 1.8),
        "flat fall arch",
        (0.05, 0.35),
        (0.1, 0.6),
        (0.05, 0.4),
        (0.3, 1.0),
        (5, 13),
        (0.3, 0.9),
    ),
    "pig grunt": call(
        (45, 220),
        (0.15, 0.3),
        (0.1, 0.55),
        (0.08, 0.7),
        "fall arch flat",
        (0.1, 0.6),
        (0.6, 2.5),
        (0.3, 0.9),
        (0.4, 1.1),
        (15, 45),
        single=0.05,
    ),
    "wolf howl": call(
        (250, 800),
        (0.15, 0.26),
        (1.5, 4.5),
        (0.2, 1),
        "arch break rise fall",
        (0.2, 0.9),
        (0.01, 0.15),
        (0, 0.08),
        (1.0, 2.2),
        (3, 7),
        (0.02, 0.2),
    ),
    "horse gallop": horse_gallop,
    # people
    "baby cry": call(
        (300, 650),
        (0.07, 0.11),
        (0.4, 1.6),
        (0.1, 0.7),
        "arch fall arch",
        (0.1, 0.6),
        (0.03, 0.4),
        (0, 0.45),
        (0.2, 0.9),
        (4, 9),
        (0.05, 0.35),
        single=0.05,
    ),
    "laughter": laughter,
    "sneeze": sneeze,
    "cough": cough,
    "breathing": breathing,
    "snore": snore,
    "scream": call(
        (500, 1700), (0.11, 0.17), (0.6, 3), (0.2, 1), "arch flat fall rise", (0.1, 0.7), (0.05, 0.6), (0.05, 0.6), (0.1, 0.7), single=0.5
    ),
    "whistle": hoot((700, 3200), (0.15, 1.5), (0.03, 0.6), (0, 0.9), (0, 0.2), 0.3),
    "humming": humming,
    "speech": speech,
    "singing": singing,
    "crowd babble": crowd_babble,
    "footsteps": footsteps,
    "clap": clap,
    "applause": applause,
    "drinking": drinking,
    "brushing": strokes((900, 2500), (3000, 7500), (20, 90), (0.12, 0.4), (0.001, 0.04), (0, 0.5)),
    # nature
    "rain": rain,
    "hail": hail,
    "thunder": thunder,
    "wind": wind,
    "sea waves": sea_waves,
    "stream": water((80, 600), (300, 1200), (0.1, 1.2), (400, 3000), (0, 0.3)),
    "bubbles": water((4, 50), (120, 900), (0.005, 0.15), (200, 1500), (0.1, 0.8)),
    "water drops": water_drops,
    "pouring water": pouring,
    "fire crackle": fire,
    # home
    "clock tick": struck("plate", (900, 4500), (0.008, 0.09), (0.16, 1.1), (3, 10), (0.2, 1.5), single=0, loose=(0.0, 0.02), bodies=2),
    "door knock": struck("plate", (70, 350), (0.04, 0.2), (0.1, 0.45), (6, 16), (0.1, 0.8), single=0.03, loose=(0.02, 0.25)),
    "door creak": creak,
    "keyboard typing": typing,
    "mouse click": mouse_click,
    "glass break": glass_break,
    "glass clink": struck("bar", (900, 3800), (0.15, 1.5), (0.2, 1.5), (3, 7), (0, 0.3), bodies=2),
    "can opening": can_opening,
    "vacuum cleaner": vacuum,
    "washing machine": washing_machine,
    "toilet flush": toilet_flush,
    "alarm clock": alarm_beeps,
    "telephone": telephone,
    "church bell": struck("bell", (180, 900), (2, 9), (0.7, 3.5), (8, 13), (0, 0.2), (0.3, 0.9), loose=(0.01, 0.3), bodies=3),
    "hand bell": struck("bell", (1000, 3200), (0.3, 2.5), (0.08, 0.5), (4, 9), (0, 0.3), single=0.1, loose=(0.1, 0.6)),
    "wind chimes": struck("bar", (500, 2400), (0.8, 5), (0.06, 0.8), (2, 5), (0, 0.1), (0.3, 1.0), single=0.02, loose=(0.5, 1.2), bodies=7),
    "metal clang": struck("plate", (150, 1400), (0.25, 3), (0.2, 2), (12, 40), (0.1, 0.8), (0.0, 0.6), single=0.4, rattle=0.8),
    "wood hit": struck("bar", (150, 1200), (0.03, 0.22), (0.12, 1.2), (3, 8), (0.1, 0.9), (0.3, 1.2), bodies=3),
    "plastic rattle": plastic_rattle,
    "zipper": zipper,
    "hand saw": strokes((300, 1200), (2000, 6500), (60, 350), (0.35, 1.4), (0.01, 0.25), (0.3, 1.0)),
    # machines and streets
    "chainsaw": rotor((55, 190), (1,), (0.05, 0.7), (0.4, 3), (0.2, 1.5), (0.1, 0.8), (300, 5000), (0.1, 0.6), 0.3),
    "drill": rotor((90, 420), (1, 2, 3), (0.05, 0.6), (0.3, 2), (0.05, 0.8), (0.0, 0.9), (900, 7000), (0.2, 0.8), 0.4),
    "hammer": struck(
        "plate", (250, 1800), (0.04, 0.4), (0.25, 1.1), (8, 24), (0.4, 1.6), (0.1, 0.8), single=0.1, loose=(0.02, 0.3), bodies=2
    ),
    "helicopter": helicopter,
    "airplane": airplane,
    "engine idle": rotor((5, 16), (2, 3, 4), (0.0, 0.08), (0.3, 2), (0.1, 1.5), (0.4, 1.3), (50, 1500), (0.1, 0.8)),
    "engine revving": rotor((9, 30), (2, 3, 4), (0.4, 1.1), (0.5, 2), (0.1, 1.0), (0.2, 1.0), (70, 2500), (0.1, 0.6), load=(0.2, 0.9)),
    "motorbike": rotor((12, 60), (1, 2), (0.1, 0.8), (0.3, 1.5), (0.05, 0.6), (0.0, 0.7), (90, 3000), (0.05, 0.4), load=(0.1, 0.7)),
    "train": train,
    "car horn": car_horn,
    "siren": siren,
    "fireworks": explosion((60, 400), (0.3, 1.8), (0.15, 1.6), 0.1, (0.1, 1)),
    "gunshot": explosion((150, 1500), (0.08, 1.2), (0.08, 1.8), 0.4, (0, 0)),
    "jackhammer": jackhammer,
    "steam hiss": hiss,
    "electric hum": electric_hum,
    # music
    "piano": melody(piano, (60, 900), (0.12, 0.9), (1, 4), 0.35),
    "guitar": melody(pluck, (80, 500), (0.1, 0.7), (1, 4), 0.3),
    "flute": melody(sustained((1.6, 3.0), (0.03, 0.4), (0.03, 0.2), (0, 0.012), 0.3), (250, 1500), (0.15, 1.2), (0.8, 1.05), 0),
    "violin": melody(sustained((0.5, 1.2), (0.01, 0.12), (0.05, 0.4), (0.002, 0.015), 0.1), (190, 1400), (0.15, 1.5), (0.9, 1.1), 0.1),
    "organ": melody(sustained((0.3, 1.5), (0, 0.05), (0.005, 0.05), (0, 0.003), 0.9), (60, 700), (0.3, 2.5), (0.9, 1.1), 0.8),
    "drum": drum,
    "synth bass": melody(synth_bass, (35, 120), (0.1, 0.6), (0.5, 1.0), 0),
}


def render(family: str, rng: Rng, seconds: float = 5.0) -> NDArray[np.float32]:
    """One clean sound, peak 1."""
    if family not in FAMILIES:
        raise KeyError(f"no family {family!r} in the synthesis table; choose one of: {', '.join(sorted(FAMILIES))}")
    n = round(seconds * SAMPLE_RATE_HZ)
    wave = np.nan_to_num(np.asarray(FAMILIES[family](rng, n), dtype=np.float32))
    wave -= wave.mean()
    peak = np.abs(wave).max()
    if peak < 1e-9:  # an event may fall outside a very short clip
        return render(family, rng, seconds)
    return wave / peak


# ------------------------------------------------------------------------------------------------ recording conditions


def room_spectrum(rng: Rng, size: int) -> NDArray[np.complex64]:
    """Direct sound, a few early reflections and a noise tail that dies exponentially and loses treble."""
    t60 = log_uni(rng, (0.08, 1.2))
    m = min(samples(t60), SAMPLE_RATE_HZ * 4 // 5)
    tail = rng.standard_normal(m, dtype=np.float32) * decay(m, t60) * swell(m, 0.02, 0.05)
    tail *= np.float32(log_uni(rng, (0.04, 1.0))) / (np.linalg.norm(tail) + 1e-9)
    reflected = rfft(tail, size) / (1 + np.linspace(0, NYQUIST_HZ / log_uni(rng, (800, 8000)), size // 2 + 1, dtype=np.float32))
    direct = np.zeros(samples(0.04), dtype=np.float32)
    direct[rng.integers(30, len(direct), 6)] = rng.uniform(-0.5, 0.5, 6)
    direct[0] = 1
    return reflected + rfft(direct, size)


def equaliser(rng: Rng, bins: int) -> Wave:
    """Tilt, ripple, and sometimes a narrow channel."""
    hz = np.array([0, 120, 400, 1000, 2500, 5000, 7990.0])
    db = rng.uniform(-5, 5) * np.log2((hz + 100) / 1000) / 2 + uni(rng, (0, 3)) * rng.standard_normal(len(hz))
    gain = levels(bins, list(zip(hz, db, strict=True)))
    channel = rng.random()
    if channel < 0.07:  # telephone
        gain *= levels(bins, ((0, -50), (200, -20), (uni(rng, (250, 450)), 0), (uni(rng, (2800, 3600)), 0), (5000, -45)))
    elif channel < 0.3:  # muffled, or an old lossy file without its top
        corner = log_uni(rng, (2000, 7000))
        gain *= levels(bins, ((0, 0), (corner, 0), (min(corner * uni(rng, (1.1, 2.5)), 7995), -uni(rng, (15, 60)))))
    elif channel < 0.42:  # small loudspeaker or wind-cut switch
        gain *= levels(bins, ((0, -40), (log_uni(rng, (80, 500)), 0)))
    return gain


def bed_spectrum(rng: Rng, size: int) -> NDArray[np.complex64]:
    """Background noise, drawn in the frequency domain of the room."""
    bins, kind = size // 2 + 1, pick(rng, "colour", "colour", "colour", "hum", "babble")
    if kind == "babble":
        n = size
        wave = noise(rng, n, ((60, -20), (250, 0), (700, 0), (4000, -25))) * np.exp(0.7 * wander(rng, n, 6))
        return rfft(wave, size)
    slope = rng.uniform(-7, 1)  # dB an octave: brown -6, pink -3, white 0
    spectrum = gaussian_spectrum(rng, bins) * levels(bins, ((0, -slope * 5), (30, -slope * 5), (7990, slope * 3)))
    if kind == "hum":
        line = (np.arange(1, 13) * pick(rng, 50, 60) * size // SAMPLE_RATE_HZ)[: int(rng.integers(2, 13))]
        spectrum[line] += (
            np.linalg.norm(spectrum) * rng.random(len(line)) * np.exp(2j * np.pi * rng.random(len(line))) / np.arange(1, len(line) + 1)
        )
    return spectrum


def keep_part(wave: Wave, rng: Rng) -> Wave:
    """Zero everything but one stretch with short fades, as when a short recording is padded to length."""
    n = len(wave)
    length = int(n * rng.uniform(0.2, 0.9))
    loud = int(np.argmax(np.abs(wave)))  # the stretch always holds the loudest sample, so the label stays true
    start = int(np.clip(loud - rng.random() * length, 0, n - length))
    out = np.zeros_like(wave)
    out[start : start + length] = wave[start : start + length] * swell(length, 0.01, 0.01)
    return np.roll(out, -start) if rng.random() < 0.6 else out


def augment(wave: Wave, rng: Rng) -> NDArray[np.float32]:
    """The same sound as someone might have recorded it; same length, peak between 0.05 and 1."""
    wave = np.asarray(wave, dtype=np.float32)
    n = len(wave)
    if rng.random() < 0.4:
        wave = np.roll(wave, int(rng.integers(n)))
    elif rng.random() < 0.3:
        shift = int(rng.uniform(-0.4, 0.4) * n)
        moved = np.zeros_like(wave)
        moved[max(0, shift) : n + min(0, shift)] = wave[max(0, -shift) : n - max(0, shift)]
        if np.abs(moved).max() > 0.1 * np.abs(wave).max():  # else the sound itself fell off the edge
            wave = moved
    if rng.random() < 0.15:
        wave = keep_part(wave, rng)
    # Room, bed and equaliser meet in one spectrum: two transforms for the whole recording chain.
    size = next_fast_len(n + SAMPLE_RATE_HZ * 4 // 5, real=True)
    spectrum = rfft(wave, size)
    if rng.random() < 0.55:
        spectrum *= room_spectrum(rng, size)
    if rng.random() < 0.7:
        bed = bed_spectrum(rng, size)
        frames = wave[: n // 400 * 400].reshape(-1, 400) if n >= 400 else wave[None]
        loud = np.sqrt(np.quantile(np.square(frames).mean(1), 0.95) + 1e-12)  # level of the sound while it sounds, not of its pauses
        snr_db = 5 + 45 * rng.beta(2, 1.2)
        bed_rms = np.linalg.norm(bed) * np.sqrt(2) / size
        spectrum += bed * np.float32(loud * 10 ** (-snr_db / 20) / (bed_rms + 1e-12))
    out = irfft(spectrum * equaliser(rng, len(spectrum)), size)[:n].astype(np.float32)
    out /= np.abs(out).max() + 1e-9
    nonlinear = rng.random()
    if nonlinear < 0.1:
        out = np.clip(out * np.float32(uni(rng, (1.2, 4))), -1, 1)
    elif nonlinear < 0.25:
        drive = np.float32(uni(rng, (1, 4)))
        out = np.tanh(drive * out)
    if rng.random() < 0.2:
        out = keep_part(out, rng)
    peak = np.abs(out).max()
    if not np.isfinite(peak) or peak < 1e-9:
        out, peak = wave, np.abs(wave).max() + 1e-9
    return (out * np.float32(log_uni(rng, (0.05, 1.0)) / peak)).astype(np.float32)


# ------------------------------------------------------------------------------------------------ measured words

CENTROID_HZ = (1650.0, 2700.0)  # thirds of augmented synthetic clips
ACTIVE_SHARE = (0.32, 0.66)  # share of 25-ms frames within ACTIVE_DB of the loudest tenth; thirds as well
ACTIVE_DB = 12.0


def attributes(wave: Wave) -> dict[str, str]:
    """Two words measured from the samples alone."""
    wave = np.asarray(wave, dtype=np.float32)
    frame = min(len(wave), 400)  # 25 ms
    frames = wave[: len(wave) // frame * frame].reshape(-1, frame)
    power = np.square(np.abs(rfft(frames * np.hanning(frame).astype(np.float32)))).sum(0)
    centroid = float(np.sum(np.linspace(0, NYQUIST_HZ, len(power)) * np.sqrt(power)) / (np.sqrt(power).sum() + 1e-12))
    energy = np.square(frames).mean(1)
    active = float(np.mean(energy > np.quantile(energy, 0.9) * 10 ** (-ACTIVE_DB / 10))) if energy.max() > 0 else 0.0
    brightness = "dark" if centroid < CENTROID_HZ[0] else "medium" if centroid < CENTROID_HZ[1] else "bright"
    envelope = "sparse" if active < ACTIVE_SHARE[0] else "varying" if active < ACTIVE_SHARE[1] else "steady"
    return {"brightness": brightness, "envelope": envelope}


def main(argv: Sequence[str] | None = None) -> None:
    import soundfile

    parser = argparse.ArgumentParser(description="Write clean and recorded examples of every family, for listening.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--per-family", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    for row, family in enumerate(FAMILIES):
        for take in range(options.per_family):
            rng = np.random.default_rng([options.seed, row, take])
            clean = render(family, rng)
            stem = f"{family.replace(' ', '_')}_{take}"
            soundfile.write(options.out / f"{stem}.wav", clean, SAMPLE_RATE_HZ)
            soundfile.write(options.out / f"{stem}_recorded.wav", augment(clean, rng), SAMPLE_RATE_HZ)


if __name__ == "__main__":
    main()
