"""Things in the hand: metal, paper, balls and blades that bounce, roll, tear, scrape and turn."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, decay, log_uni, near, pick, samples, silence, swell, uni, unit, wander
from .filters import body, sweep_noise
from .sources import band, burst_grain, modal, modes, noise, phase_of, tone, white
from .timing import ENDLESS, add_at, events, scatter, strikes, ticks


def bounces(rng: Rng, wave: Wave, m: int, first_s: float, keep: float, limit: int = ENDLESS) -> Wave:
    """`wave` at ever shorter and softer intervals: each flight lasts `keep` times the one before, as the impact speed falls."""
    out, at, flight, gain = silence(m), 0.0, first_s, 1.0
    while at < m and gain > 0.02 and flight > 0.004 and limit:
        add_at(out, wave, int(at), gain * uni(rng, (0.7, 1)))
        at, flight, gain, limit = at + flight * SAMPLE_RATE_HZ, flight * keep, gain * keep, limit - 1
    return out


# ------------------------------------------------------------------------------------------------ dropped and rolled


def coins(rng: Rng, n: int) -> Wave:
    """Small discs of a few kinds, dropped on each other or on a table, where one may spin down."""
    kinds = [modes(rng, "plate", log_uni(rng, (2200, 6000)), 6) for _ in range(int(rng.integers(1, 5)))]
    ring, spin, table = log_uni(rng, (0.05, 0.4)), rng.random() < 0.4, uni(rng, (0, 1))

    def drop(rng: Rng, m: int) -> Wave:
        clink = modal(5000, pick(rng, *kinds), ring * rng.uniform(0.4, 1.2, 6), rng.uniform(-1, 1, 6))
        clink[:400] += table * burst_grain(rng, 400, (300, 2500))
        out = bounces(rng, clink, m, uni(rng, (0.05, 0.3)), uni(rng, (0.5, 0.75)))
        if spin:  # Euler's disc: the wobble quickens until it stops dead
            last = int(m * uni(rng, (0.5, 0.9)))
            rate = uni(rng, (8, 14)) * (1.03 - curve(last, (0, 1))) ** -0.5
            add_at(out, scatter(rng, last, [clink[:700]], ticks(rng, rate, 0.02), 2) * swell(last, 0.2, 0.02), min(m - 1, 2000), 0.5)
        return out

    return strikes(rng, n, drop, uni(rng, (0.6, 2)), (0.07, 1.5), 0.3, (0.1, 0.9))


def ball_bounce(rng: Rng, n: int) -> Wave:
    """A basketball's taut skin, a ping-pong ball's shell, or one between; let fall, or dribbled."""
    hz, t60 = log_uni(rng, (70, 2500)), log_uni(rng, (0.03, 0.16))
    skin, floor = modes(rng, "skin", hz, 6), burst_grain(rng, 900, (60, 800)) * uni(rng, (0, 1))
    first, keep, dribble = log_uni(rng, (0.25, 0.9)), uni(rng, (0.72, 0.9)), rng.random() < 0.3

    def hit(rng: Rng, _: int) -> Wave:
        wave = modal(2500, skin, t60 * rng.uniform(0.5, 1.1, 6), rng.uniform(0.2, 1, 6) * np.array([1, 0.6, 0.5, 0.3, 0.3, 0.2]))
        add_at(wave, floor, 0, 1.0)
        return wave

    if dribble:
        return strikes(rng, n, hit, 0.2, (0.3, 0.8), 0, (0.02, 0.15))
    return events(rng, n, lambda r, m: bounces(r, hit(r, m), m, first, keep), (1.5, 4), (0.2, 1), single=0.6)


def marble_roll(rng: Rng, n: int) -> Wave:
    """Rolling excites the board by its grain, louder and brighter with speed; a seam knocks, and the end is a clack."""
    board, t60 = modes(rng, "box", log_uni(rng, (180, 900)), 14), log_uni(rng, (0.01, 0.06))
    grains = [modal(900, board, t60 * rng.uniform(0.5, 1.5, 14), rng.standard_normal(14)) for _ in range(6)]
    turn, unround = log_uni(rng, (3, 14)), uni(rng, (0.1, 0.8))

    def roll(rng: Rng, m: int) -> Wave:
        speed = curve(m, rng.uniform(0.3, 1, 3)) * (1 + unround * tone(turn * curve(m, rng.uniform(0.6, 1.4, 2)), m))
        out = scatter(rng, m, grains, ticks(rng, 600 * np.clip(speed, 0.02, None), 1.0), 4) * speed
        clack = modal(3000, board, 2 * t60 * rng.uniform(0.5, 1.5, 14), rng.standard_normal(14)) + burst_grain(rng, 3000, (1500, 4000))
        add_at(out, clack, int(0.95 * m), uni(rng, (0, 2)) * np.abs(out).max() / np.abs(clack).max())
        return out * swell(m, 0.08, 0.02)

    return events(rng, n, roll, (1, 4), (0.2, 1), single=0.5)


# ------------------------------------------------------------------------------------------------ metal


def chain_rattle(rng: Rng, n: int) -> Wave:
    """Links knock each other in gusts, as the chain is shaken, pulled over an edge or dropped in a heap."""
    low = log_uni(rng, (500, 2200))
    links = [modal(3500, modes(rng, "bar", near(rng, low, 0.4), 6), rng.uniform(0.04, 0.3, 6), rng.uniform(-1, 1, 6)) for _ in range(10)]
    shake = np.clip(uni(rng, (0.3, 1.2)) * tone(log_uni(rng, (0.4, 5)), n) + 0.6 * wander(rng, n, 3), 0, None) + 0.02
    return scatter(rng, n, links, ticks(rng, shake * log_uni(rng, (15, 80)), 0.7), 8)


def sword_clash(rng: Rng, n: int) -> Wave:
    """Blade meets blade: a bright clang whose near-equal modes beat, then a scrape as they slide apart."""
    hz = modes(rng, "bar", log_uni(rng, (260, 900)), 9)
    hz, t60 = np.r_[hz, hz * uni(rng, (1.004, 1.03))], log_uni(rng, (0.4, 2.5))
    slide_s, slide_gain = log_uni(rng, (0.08, 0.6)), uni(rng, (0.1, 1.2))

    def blow(rng: Rng, m: int) -> Wave:
        out = modal(m, hz, t60 * rng.uniform(0.3, 1, 18) * (hz / hz[0]) ** -0.2, rng.uniform(-1, 1, 18))
        out[:500] += 2 * burst_grain(rng, 500, (2000, 5000))
        slide = samples(slide_s)
        shing = sweep_noise(rng, slide, 3000 * 2 ** np.linspace(0, uni(rng, (0.3, 1.2)), 5), 0.08, 0.05) * swell(slide, 0.5, 0.2)
        add_at(out, shing, pick(rng, 0, samples(0.1)), slide_gain)
        return out

    return strikes(rng, n, blow, min(3, 1.2 * t60), (0.2, 1.4), 0.3, (0.1, 0.6))


def ratchet(rng: Rng, n: int) -> Wave:
    """A pawl falls into tooth after tooth; the hand turns, stops and turns again."""
    wheel, rate = modes(rng, "plate", log_uni(rng, (1100, 4000)), 8), log_uni(rng, (12, 55))
    pawl = [modal(700, wheel, rng.uniform(0.004, 0.04, 8), rng.standard_normal(8)) for _ in range(2)]
    lean = uni(rng, (0.3, 1))

    def turn(rng: Rng, m: int) -> Wave:
        speed = rate * (1 - lean + lean * np.sin(np.pi * curve(m, (0.1, 0.9)))) * near(rng, 1, 0.1)
        return scatter(rng, m, pawl, ticks(rng, speed, 0.01), 1.5)

    return events(rng, n, turn, (0.2, 0.9), (0.08, 0.5), single=0.1)


def scissors(rng: Rng, n: int) -> Wave:
    """Two blades shear along each other, ever higher as the cut nears the tips, and click when they meet."""
    low, climb, blade = log_uni(rng, (1500, 3500)), uni(rng, (0.4, 1.2)), modes(rng, "plate", log_uni(rng, (2000, 4500)), 6)
    paper, meet = uni(rng, (0, 1)), uni(rng, (0.5, 4))

    def snip(rng: Rng, m: int) -> Wave:
        cut = m // 2
        shear = sweep_noise(rng, cut, low * 2 ** (climb * np.linspace(0, 1, 6)), 0.2, 0.02) * swell(cut, 0.4, 0.1, 1.5)
        shear = shear * (1 + paper * wander(rng, cut, 90))
        click = modal(m - cut, blade, rng.uniform(0.02, 0.1, 6), rng.uniform(-1, 1, 6))
        opening = np.pad(0.7 * shear[::-1], (0, m - 2 * cut))  # the way back, a little softer
        return np.r_[shear, meet * click + opening * curve(m - cut, (0, 1))]

    return strikes(rng, n, snip, uni(rng, (0.2, 0.5)), (0.3, 1.1), 0.1, (0.02, 0.2))


def spray_can(rng: Rng, n: int) -> Wave:
    """The ball inside is shaken against the tin, then the nozzle hisses in short strokes."""
    tin, corner = modes(rng, "plate", log_uni(rng, (1200, 3500)), 8), log_uni(rng, (3000, 6000))
    knocks = [modal(1500, tin, rng.uniform(0.02, 0.1, 8), rng.standard_normal(8)) for _ in range(3)]
    cut = int(n * uni(rng, (0.2, 0.7)))
    out = silence(n)
    shaken = scatter(rng, cut, knocks, ticks(rng, log_uni(rng, (5, 11)) * np.exp(0.1 * wander(rng, cut, 2)), 0.08), 4)

    def stroke(rng: Rng, m: int) -> Wave:
        return noise(rng, m, ((800, -35), (corner, 0), (7900, -3))) * swell(m, 0.04, 0.05) * (1 + 0.1 * wander(rng, m, 20))

    add_at(out, shaken / (np.abs(shaken).max() + 1e-9), 0)
    add_at(out, events(rng, n - cut, stroke, (0.3, 1.5), (0.1, 0.5), single=0.1), cut, uni(rng, (0.1, 0.4)))
    return out


# ------------------------------------------------------------------------------------------------ paper and fire


def paper_crumple(rng: Rng, n: int) -> Wave:
    """Creases snap at all sizes: a few loud ones carry most of the energy, as a power law would have it."""
    low = log_uni(rng, (700, 2500))
    creases = [burst_grain(rng, int(rng.integers(20, 160)), (low, 5500), 1.8) for _ in range(16)]

    def squeeze(rng: Rng, m: int) -> Wave:
        rate = log_uni(rng, (60, 400)) * np.exp(0.8 * wander(rng, m, 8)) * (0.05 + swell(m, 0.3, 0.5))
        return scatter(rng, m, creases, ticks(rng, rate.clip(0.1, 3000), 1.0), 11) + 0.02 * band(rng, m, low, 7500) * swell(m, 0.3, 0.5)

    return events(rng, n, squeeze, (0.25, 2), (0.03, 0.6), single=0.1)


def paper_tear(rng: Rng, n: int) -> Wave:
    """Fibres give way one by one along the tear, the faster the pull the higher."""
    speed, coarse = log_uni(rng, (150, 900)), uni(rng, (0.3, 1))

    def rip(rng: Rng, m: int) -> Wave:
        pull = curve(m, rng.uniform(0.3, 1, 3)) * swell(m, 0.15, 0.04)
        fibres = np.abs(white(rng, m)) * (rng.random(m, dtype=np.float32) < (speed * pull / SAMPLE_RATE_HZ))
        torn = body(rng, fibres * white(rng, m), (900, 6000), 5, 0.3, (1, 4))
        centre = log_uni(rng, (1500, 3500)) * 2 ** np.linspace(-0.3, uni(rng, (0, 1)), 6)
        return coarse * unit(torn) * (0.1 + pull) + (1.1 - coarse) * sweep_noise(rng, m, centre, 0.5, 0.05) * pull

    return events(rng, n, rip, (0.12, 1.4), (0.15, 1.2), single=0.3)


def match_strike(rng: Rng, n: int) -> Wave:
    """The head scrapes over grit, bursts into flame, and the flame settles to a soft flutter."""
    grit, flare_hz, flame = log_uni(rng, (60, 300)), log_uni(rng, (600, 2500)), uni(rng, (0.03, 0.3))

    def one(rng: Rng, m: int) -> Wave:
        out, scrape = silence(m), min(m // 2, samples(uni(rng, (0.08, 0.3))))
        rasp = band(rng, scrape, 1800, 7000) * np.clip(0.6 + wander(rng, scrape, grit), 0, None) * swell(scrape, 0.3, 0.1)
        rest = m - scrape
        flare = noise(rng, rest, ((150, -20), (flare_hz, 0), (7900, -12))) * decay(rest, uni(rng, (0.4, 1.5))) * swell(rest, 0.03, 0.1)
        burn = noise(rng, rest, ((40, 0), (300, 0), (2500, -25))) * np.exp(0.8 * wander(rng, rest, 14))
        add_at(out, rasp, 0, uni(rng, (0.3, 1)))
        add_at(out, flare + flame * burn * swell(rest, 0.2, 0.2), scrape)
        return out

    return strikes(rng, n, one, uni(rng, (1, 3)), (0.8, 3), 0.6)


# ------------------------------------------------------------------------------------------------ shaken


def dice_roll(rng: Rng, n: int) -> Wave:
    """Cubes clack in the cup to the shaking hand, then tumble out over the table."""
    cubes = [
        modal(900, modes(rng, "plate", log_uni(rng, (900, 3200)), 6), rng.uniform(0.008, 0.04, 6), rng.standard_normal(6)) for _ in range(4)
    ]
    table, shake_hz = burst_grain(rng, 900, (150, 900)), log_uni(rng, (3, 8))

    def throw(rng: Rng, m: int) -> Wave:
        cup = int(m * uni(rng, (0.3, 0.7)))
        beat = np.clip(np.sin(4 * np.pi * phase_of(shake_hz, cup)), 0.05, 1) ** 2
        out = np.pad(body(rng, scatter(rng, cup, cubes, ticks(rng, 45 * beat, 0.5), 4), (400, 1500), 2, 0.2), (0, m - cup))
        for _ in range(int(rng.integers(1, 5))):
            start = min(m - 1, cup + samples(uni(rng, (0.02, 0.25))))
            add_at(out, bounces(rng, pick(rng, *cubes) + table, m - start, uni(rng, (0.08, 0.25)), uni(rng, (0.5, 0.8)), 9), start, 1.5)
        return out

    return events(rng, n, throw, (1, 2.5), (0.3, 1.2), single=0.4)
