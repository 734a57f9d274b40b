"""Wild animals: what roars, gobbles, screeches and sings far from the house, hammers wood, or hums in swarms."""

from __future__ import annotations

import numpy as np

from .basics import SAMPLE_RATE_HZ, Rng, Wave, curve, log_uni, near, pick, samples, seconds_axis, silence, swell, uni, unit, wander
from .filters import body
from .sources import burst_grain, harmonic, modal, modes, phase_of, pulses, tone, white
from .timing import add_at, events, scatter, ticks
from .voices import CONTOURS, call, tract, voiced, whistled

# ------------------------------------------------------------------------------------------------ throats

elephant_trumpet = call(
    pitch_hz=(220, 620),
    length_m=(0.35, 0.9),  # the trunk
    dur_s=(0.5, 2.2),
    gap_s=(0.2, 1.5),
    shapes="arch rise late",
    glide=(0.1, 0.7),
    breath=(0.05, 0.5),
    rough=(0.4, 0.9),
    tilt=(0.0, 0.4),
    mouth=(0, 0.15),
    single=0.5,
)

lion_roar = call(
    pitch_hz=(40, 130),
    length_m=(0.28, 0.45),
    dur_s=(0.7, 2.6),
    gap_s=(0.2, 1),
    shapes="arch arch fall",
    glide=(0.3, 1.0),
    breath=(0.8, 3),
    rough=(0.5, 0.95),
    tilt=(0.5, 1.1),
    mouth=(0.25, 0.6),
)

hawk_screech = call(
    pitch_hz=(1500, 3400),
    length_m=(0.025, 0.05),
    dur_s=(0.6, 2),
    gap_s=(0.4, 1.8),
    shapes="fall fall arch",
    glide=(0.3, 0.9),
    breath=(0.1, 0.8),
    rough=(0.16, 0.6),
    tilt=(0.1, 0.7),
    mouth=(0, 0.2),
)


def goose_honk(rng: Rng, n: int) -> Wave:
    """Two registers: each honk leaps up and falls back, and others of the skein answer higher or lower."""
    tube, leap, edge = tract(rng, uni(rng, (0.14, 0.26))), uni(rng, (0.5, 1.1)), uni(rng, (0, 0.4))
    flock = [log_uni(rng, (230, 520)) for _ in range(int(rng.integers(1, 5)))]

    def one(rng: Rng, m: int) -> Wave:
        f0 = near(rng, pick(rng, *flock), 0.05) * 2 ** (leap * curve(m, (0, 0.05, 1, 1, 0.9, 0.2)))
        return voiced(rng, f0, tube * np.array([[0.9], [1.15], [0.95]]), edge, uni(rng, (0.05, 0.4)), 0.2) * swell(m, 0.08, 0.25)

    return events(rng, n, one, (0.18, 0.5), (0.08, 0.7), single=0.05)


def turkey_gobble(rng: Rng, n: int) -> Wave:
    """A rattling run down from a shout: the voice breaks upward a dozen times a second."""
    base, rate, leap, tube = log_uni(rng, (260, 600)), uni(rng, (9, 17)), uni(rng, (0.5, 1.1)), tract(rng, uni(rng, (0.07, 0.12)))

    def one(rng: Rng, m: int) -> Wave:
        beat = phase_of(rate * curve(m, (1.2, 1, 0.7)), m) % 1
        f0 = base * 2 ** (leap * np.exp(-3 * beat) + curve(m, (0.2, 0, -0.5)))
        pulse = (np.minimum(8 * beat, 1) * (1 - beat) ** uni(rng, (0.7, 2))).astype(np.float32)
        return voiced(rng, f0.astype(np.float32), tube, 0.5, uni(rng, (0.1, 0.5)), 0.3) * pulse * swell(m, 0.05, 0.3)

    return events(rng, n, one, (0.6, 1.4), (0.3, 2), single=0.3)


def donkey_bray(rng: Rng, n: int) -> Wave:
    """Hee drawn in, high and thin; haw blown out, low and hoarse."""
    haw_hz, leap, tube = log_uni(rng, (120, 320)), uni(rng, (0.9, 1.8)), tract(rng, uni(rng, (0.22, 0.36)))

    def one(rng: Rng, m: int) -> Wave:
        hee = int(m * uni(rng, (0.35, 0.55)))
        drawn = voiced(rng, haw_hz * 2 ** (leap * curve(hee, (0.7, 1, 1.05))), tube * 1.2, 0.2, uni(rng, (0.4, 2)), 0.1)
        blown = voiced(rng, haw_hz * 2 ** curve(m - hee, (0.4, 0, -0.2)), tube * 0.9, 0.3, uni(rng, (0.3, 1)), uni(rng, (0.4, 0.9)))
        return np.r_[uni(rng, (0.2, 0.8)) * drawn * swell(hee, 0.2, 0.15), blown * swell(m - hee, 0.05, 0.3)]

    return events(rng, n, one, (0.7, 1.6), (0.001, 0.15), single=0.05)


def monkey(rng: Rng, n: int) -> Wave:
    """Pant-hoots: hoots and drawn breaths by turns, ever quicker, higher and louder, perhaps up to a scream."""
    base, tube, shriek = log_uni(rng, (250, 600)), tract(rng, uni(rng, (0.1, 0.15))), pick(rng, 0, 1)

    def bout(rng: Rng, m: int) -> Wave:
        x = curve(m, (0, 1))
        beat = phase_of(uni(rng, (2, 4)) * 2 ** (uni(rng, (0.3, 1.2)) * x), m) % 1
        out = beat < 0.5
        f0 = base * 2 ** (
            uni(rng, (0.2, 1)) * x + 0.5 * np.sin(np.pi * np.minimum(2 * beat, 1)) - 0.3 * ~out + shriek * np.clip(6 * x - 5, 0, 1)
        )
        gate = (np.abs(np.sin(2 * np.pi * beat)) * np.where(out, 1, uni(rng, (0.1, 0.5))) * (0.2 + x)).astype(np.float32)
        return voiced(rng, f0.astype(np.float32), tube, uni(rng, (1.0, 1.8)), uni(rng, (0.1, 0.6)), 0.1) * gate

    return events(rng, n, bout, (1.5, 4.5), (0.3, 1), single=0.6)


def cat_purr(rng: Rng, n: int) -> Wave:
    """The larynx twitches 20 to 35 times a second, breathing in as breathing out."""
    rate, share = log_uni(rng, (19, 35)), uni(rng, (0.45, 0.6))
    breath = (phase_of(1 / uni(rng, (0.9, 2.2)), n) + rng.random()) % 1
    out = breath < share
    into = np.where(out, breath / share, (breath - share) / (1 - share))
    level = np.sin(np.pi * into.clip(0.03, 0.97)) ** 0.4 * np.where(out, 1, uni(rng, (0.4, 1)))
    f0 = rate * np.where(out, 1, uni(rng, (0.85, 1.1))) * np.exp(0.05 * wander(rng, n, 6))
    twitch = np.clip(pulses(f0, n, uni(rng, (0.2, 0.8))), 0, None) ** 2
    return body(rng, twitch * white(rng, n) + uni(rng, (0.2, 1)) * twitch, (60, 1200), 4, 0.004, (1, 5)) * level


# ------------------------------------------------------------------------------------------------ under water


def dolphin(rng: Rng, n: int) -> Wave:
    """Whistles that loop over an octave, and click trains that tighten to a creak."""
    base, shape, creak = log_uni(rng, (2500, 4500)), 0.6 * rng.standard_normal(int(rng.integers(4, 8))), uni(rng, (0, 1))
    clicks = [burst_grain(rng, 60, (2000, 5000)) for _ in range(3)]

    def one(rng: Rng, m: int) -> Wave:
        if rng.random() < creak:
            return 2 * scatter(rng, m, clicks, ticks(rng, log_uni(rng, (15, 60)) * 2 ** (3 * curve(m, rng.random(4))), 0.02), 2)
        return whistled(rng, m, (near(rng, base, 0.05) * 2 ** curve(m, shape)).clip(1200, 7800), 0.2, 0.0) * swell(m, 0.1, 0.2)

    return events(rng, n, one, (0.3, 1.2), (0.02, 0.5), single=0.1)


def whale_song(rng: Rng, n: int) -> Wave:
    """Long moans that glide far and come back from the sea."""
    base, bend, over = log_uni(rng, (80, 500)), uni(rng, (0.4, 1.5)), uni(rng, (0.2, 0.9))
    growl, growl_hz, shape = pick(rng, 0, uni(rng, (0.2, 0.8))), uni(rng, (8, 25)), pick(rng, *CONTOURS)
    delays = rng.uniform(0.1, 0.7, 4)

    def one(rng: Rng, m: int) -> Wave:
        f0 = near(rng, base, 0.1) * 2 ** (near(rng, bend, 0.3) * curve(m, CONTOURS[shape]) + 0.02 * wander(rng, m, 4))
        return whistled(rng, m, f0, over, 0.0) * swell(m, 0.3, 0.3) * (1 - growl * (0.5 + 0.5 * tone(growl_hz, m)))

    out = events(rng, n, one, (0.8, 3.5), (0.1, 1), single=0.2)
    for k, delay in enumerate(delays):
        add_at(out, out.copy(), samples(delay), 0.35 * 0.8**k)
    return out


# ------------------------------------------------------------------------------------------------ wood, tails and wings


def woodpecker(rng: Rng, n: int) -> Wave:
    """A drum roll on a hollow trunk, faster and weaker towards its end."""
    trunk, rate = modes(rng, "box", log_uni(rng, (350, 1300)), 8), log_uni(rng, (11, 28))
    blows = [modal(1500, trunk, rng.uniform(0.02, 0.09, 8), rng.standard_normal(8)) + burst_grain(rng, 1500, (900, 4000)) for _ in range(2)]

    def roll(rng: Rng, m: int) -> Wave:
        return scatter(rng, m, blows, ticks(rng, rate * curve(m, (0.9, 1, 1.25)), 0.02), 1) * curve(m, (0.6, 1, 0.8, 0.3))

    return events(rng, n, roll, (0.5, 1.6), (0.4, 2.5), single=0.3)


def rattlesnake(rng: Rng, n: int) -> Wave:
    """Horn rings of the tail knock at 40 to 90 Hz, so fast that it is half rattle and half hiss."""
    rings = [modal(200, rng.uniform(2500, 7800, 8), rng.uniform(0.003, 0.012, 8), rng.standard_normal(8)) for _ in range(12)]
    rate = log_uni(rng, (40, 90)) * np.exp(0.08 * wander(rng, n, 3))
    rattle = sum(scatter(rng, n, rings, ticks(rng, rate, 0.1), 4) for _ in range(2))

    def alarm(rng: Rng, m: int) -> Wave:
        start = int(rng.integers(0, n - m + 1))
        return rattle[start : start + m] * swell(m, uni(rng, (0.05, 0.4)), uni(rng, (0.05, 0.3)))

    return events(rng, n, alarm, (1.2, 6), (0.3, 1.5), single=0.3)


def bee_swarm(rng: Rng, n: int) -> Wave:
    """Many wings near one pitch beat against each other; single bees come close."""
    base, dim = log_uni(rng, (160, 320)), uni(rng, (0.6, 1.4))
    weights = np.arange(1, 25) ** -dim
    out = silence(n)
    for _ in range(6):
        f0 = near(rng, base, 0.12) * 2 ** (0.04 * wander(rng, n, 3))
        out += harmonic(f0, n, weights, rng) * np.exp(uni(rng, (0.1, 0.9)) * wander(rng, n, uni(rng, (0.5, 3))))
    rustle = unit(out) * np.abs(white(rng, n))  # hundreds more, farther off
    return body(rng, unit(out) + uni(rng, (0.3, 1.2)) * rustle, (200, 3000), 3, 0.2)


def mosquito(rng: Rng, n: int) -> Wave:
    """A thin whine that swoops past the ear, its pitch sagging as it leaves, and stops when it settles."""
    base, over = log_uni(rng, (380, 950)), np.array([1, *np.exp(rng.uniform(-2.5, 0.3, 5))])
    t, whine = seconds_axis(n), silence(n)
    for _ in range(int(rng.integers(1, 5))):
        x = (t - np.float32(rng.uniform(0, n / SAMPLE_RATE_HZ))) / np.float32(log_uni(rng, (0.15, 1.2)))
        f0 = near(rng, base, 0.05) * (1 - uni(rng, (0.02, 0.08)) * x / np.sqrt(1 + x * x)) * (1 + 0.006 * wander(rng, n, 12))
        whine += harmonic(f0, n, over, rng) / (1 + x * x)
    return whine
