"""People without a tune: what lips, throats, chests, teeth and fingers do by the way, and voices between speech and song."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, near, pick, samples, silence, swell, uni, unit, wander
from .filters import body, sweep_noise
from .people import VOWELS_HZ, talk, talker
from .sources import burst_grain, modal, noise, phase_of, tone, white
from .timing import add_at, bubbling, events, pattern, scatter, strikes
from .voices import tract, voiced

# ------------------------------------------------------------------------------------------------ voices


def whisper(rng: Rng, n: int) -> Wave:
    """Speech whose folds stay open: all breath, so only the formants are left."""
    who = talker(rng) | {"breath": log_uni(rng, (15, 60))}
    return events(rng, n, lambda r, m: talk(r, m, **who), (0.5, 3), (0.1, 0.8), single=0.15)


def yodel(rng: Rng, n: int) -> Wave:
    """The voice snaps between chest and head register, a sixth to a tenth apart."""
    base, leap = log_uni(rng, (130, 330)), pick(rng, 9, 12, 12, 14, 16) / 12
    vowel, beat_s = VOWELS_HZ[4:8] * uni(rng, (0.95, 1.25)), log_uni(rng, (0.12, 0.5))

    def one(rng: Rng, m: int) -> Wave:
        count = max(2, int(m / SAMPLE_RATE_HZ / beat_s))
        head = (np.arange(count) + int(rng.integers(2))) % 2
        steps = head * leap + rng.choice([-5, 0, 0, 4, 7], count) / 12 * (1 - 0.6 * head)
        f0 = base * 2 ** (curve(m, np.repeat(steps, 12)) + 0.02 * tone(uni(rng, (5, 6.5)), m))
        vowels = vowel[np.where(head, 3, int(rng.integers(3)))]
        return voiced(rng, f0, vowels, uni(rng, (0.6, 1.2)), uni(rng, (0.01, 0.1)), 0.0) * swell(m, 0.05, 0.15)

    return events(rng, n, one, (1, 4), (0.1, 0.8), single=0.3)


def hiccup(rng: Rng, n: int) -> Wave:
    """Breath jerked in with a squeak, cut by the closing folds."""
    base, tube, air = log_uni(rng, (180, 500)), tract(rng, uni(rng, (0.11, 0.17))), uni(rng, (0.2, 1))

    def one(rng: Rng, _: int) -> Wave:
        m = samples(uni(rng, (0.06, 0.16)))
        wave = voiced(
            rng, base * 2 ** (uni(rng, (0.5, 1.4)) * curve(m, (-0.3, 0.6, 1))), tube * curve(2, (0.85, 1.2))[:, None], 0.7, air, 0.1
        )
        wave = unit(wave) * swell(m, 0.5, 0.03)
        return np.r_[wave, 1.5 * burst_grain(rng, 600, (150, 900))]

    return strikes(rng, n, one, 0.3, (0.7, 2.5), 0.25, (0.05, 0.4))


def throat_clearing(rng: Rng, n: int) -> Wave:
    """Ahem: folds pressed together grind unevenly, then let go into a short vowel."""
    base, tube, tail = log_uni(rng, (80, 220)), tract(rng, uni(rng, (0.13, 0.18))), uni(rng, (0, 0.7))

    def one(rng: Rng, m: int) -> Wave:
        cut = int(m * uni(rng, (0.45, 0.8)))
        grind = voiced(rng, base * 2 ** (0.5 * wander(rng, cut, 25)), tube * 0.9, 0.5, uni(rng, (0.6, 2)), 0.95)
        rasp = unit(grind) * np.clip(0.5 + 0.8 * wander(rng, cut, uni(rng, (20, 45))), 0, None) * swell(cut, 0.25, 0.1)
        vowel = voiced(rng, base * 2 ** curve(m - cut, (0.3, 0, -0.3)), tube, 1.2, 0.1, 0.1) * swell(m - cut, 0.1, 0.6)
        return np.r_[rasp, tail * unit(vowel)]

    return events(rng, n, one, (0.3, 0.9), (0.06, 0.6), single=0.4)


def gargling(rng: Rng, n: int) -> Wave:
    """A held vowel that has to bubble through water at the back of the throat."""
    base, rate, tube = log_uni(rng, (90, 330)), log_uni(rng, (10, 26)), tract(rng, uni(rng, (0.14, 0.19)), 4)
    depth, wet = uni(rng, (0.6, 1)), uni(rng, (0.3, 1.2))

    def one(rng: Rng, m: int) -> Wave:
        beat = phase_of(rate * np.exp(0.35 * wander(rng, m, 12)), m) % 1
        flap = (1 - depth + depth * np.sin(np.pi * beat) ** 2).astype(np.float32)
        voice = unit(voiced(rng, base * 2 ** (0.06 * wander(rng, m, 6)), tube, 1.0, uni(rng, (0.1, 0.8)), 0.2))
        return (voice * flap + wet * unit(bubbling(rng, m, 4 * rate, (300, 1600)))) * swell(m, 0.08, 0.1)

    return events(rng, n, one, (0.8, 4), (0.2, 1), single=0.4)


def sigh(rng: Rng, n: int) -> Wave:
    """Breath drawn in sharply, then let out long and falling, with a voice in it or without."""
    base, tube, voice = log_uni(rng, (110, 350)), tract(rng, uni(rng, (0.12, 0.18))), pick(rng, 0.05, uni(rng, (0.1, 1)))
    gasp_part, gasp_gain = uni(rng, (0.15, 0.4)), uni(rng, (0.1, 1))

    def one(rng: Rng, m: int) -> Wave:
        cut = int(m * gasp_part)
        gasp = sweep_noise(rng, cut, np.linspace(900, log_uni(rng, (1800, 4000)), 4), 0.3) * swell(cut, 0.7, 0.1)
        out = voiced(rng, base * 2 ** curve(m - cut, (0.4, 0.1, -0.5, -0.8)), tube * np.array([[1.15], [1], [0.8]]), 1.5, 0.4 / voice, 0.0)
        return np.r_[gasp_gain * gasp, unit(out) * swell(m - cut, 0.06, 0.85)]

    return events(rng, n, one, (1, 2.6), (0.4, 2), single=0.6)


# ------------------------------------------------------------------------------------------------ lips, teeth, chest and fingers


def kiss(rng: Rng, n: int) -> Wave:
    """Air squeaks in between tight lips until they part with a smack."""
    squeak_hz, squeak = log_uni(rng, (500, 2200)), uni(rng, (0.2, 1.5))

    def one(rng: Rng, _: int) -> Wave:
        m = samples(uni(rng, (0.05, 0.25)))
        suck = sweep_noise(rng, m, squeak_hz * np.array([0.8, 1, 1.3, 2]), 0.15) * np.clip(1 + 0.6 * wander(rng, m, 120), 0, None)
        thin = tone(squeak_hz * 2 ** curve(m, (0, 0.2, 0.7)) * (1 + 0.03 * wander(rng, m, 80)), m)
        return np.r_[(suck + squeak * thin) * swell(m, 0.6, 0.05), 5 * burst_grain(rng, 350, (700, 3000), 1.5)]

    return strikes(rng, n, one, 0.3, (0.25, 1.6), 0.3, (0.05, 0.5))


def chewing(rng: Rng, n: int) -> Wave:
    """Bites at an even pace: each a flurry of tiny fractures behind the cheek, then a wet parting."""
    crisp = [burst_grain(rng, int(rng.integers(40, 400)), (400, 3500), 1.5) for _ in range(12)]
    hardness, wet = log_uni(rng, (10, 120)), uni(rng, (0, 0.6))

    def bite(rng: Rng, m: int) -> Wave:
        out = scatter(rng, m, crisp, m * rng.beta(1.3, 3, 3 + int(rng.poisson(hardness))), 7)
        smack = bubbling(rng, m // 2, 60, (500, 2000)) * swell(m // 2, 0.3, 0.5)
        add_at(out, smack, m // 2, wet * np.abs(out).max() / (np.abs(smack).max() + 1e-9))
        return body(rng, out, (150, 900), 2, 0.3, (1, 3))

    return strikes(rng, n, bite, uni(rng, (0.2, 0.45)), (0.35, 0.85), 0.03, (0.03, 0.2))


def heartbeat(rng: Rng, n: int) -> Wave:
    """Two dull thuds of the valves, through flesh: lub louder and lower, dub shorter."""
    pace, gap = log_uni(rng, (0.38, 1.3)), uni(rng, (0.26, 0.42))
    hz, murmur = log_uni(rng, (40, 130)), pick(rng, 0, uni(rng, (0.02, 0.2)))

    def thud(pitch: float, t60_s: float) -> Wave:
        return modal(4000, pitch * np.array([1, 1.4, 2.1, 3.3]), t60_s * rng.uniform(0.6, 1.2, 4), rng.uniform(0.1, 1, 4)) * swell(
            4000, 0.06, 0.3
        )

    lub, dub = thud(hz, uni(rng, (0.08, 0.25))), thud(1.35 * hz, uni(rng, (0.05, 0.18))) * uni(rng, (0.3, 1))
    out, beats = silence(n), pattern(n, pace, (0,))
    for at in (beats + 0.03 * pace * SAMPLE_RATE_HZ * rng.standard_normal(len(beats))).clip(0).astype(int):
        add_at(out, lub, at)
        add_at(out, dub, at + samples(gap * pace**0.5))
    return out + murmur * noise(rng, n, ((60, 0), (300, -3), (900, -40), (7900, -60)))


def finger_snap(rng: Rng, n: int) -> Wave:
    """The finger slides off the thumb and slaps the hollow of the palm."""
    palm, slide = log_uni(rng, (1100, 3000)), uni(rng, (0, 0.3))

    def one(rng: Rng, _: int) -> Wave:
        rub, slap = samples(uni(rng, (0.015, 0.06))), samples(0.04)
        hollow = body(rng, white(rng, slap) * decay(slap, 0.012), (0.9 * palm, 1.1 * palm), 2, 0.02, (5, 14)) * decay(
            slap, uni(rng, (0.02, 0.06))
        )
        slid = noise(rng, rub, ((500, -30), (near(rng, 4000, 0.3), 0))) * swell(rub, 0.8, 0.05)
        return np.r_[slide * 0.2 * slid, unit(hollow)]

    return strikes(rng, n, one, 0.1, (0.25, 1.3), 0.2, (0.01, 0.3))
