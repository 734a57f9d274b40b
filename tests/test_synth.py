"""The synthesis room: every family sounds, repeats by seed, and survives its recording conditions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tools import synth


@pytest.mark.parametrize("family", synth.FAMILIES)
def test_family_sounds_and_repeats_by_seed(family: str) -> None:
    first, again, other = (synth.render(family, np.random.default_rng(seed), seconds=1.0) for seed in (3, 3, 4))
    assert (first.shape, first.dtype) == ((synth.SAMPLE_RATE_HZ,), np.float32)
    assert np.isfinite(first).all()
    assert np.abs(first).max() == pytest.approx(1.0)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(40))
def test_augment_keeps_length_and_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean = synth.render("dog bark", rng, seconds=1.0)
    kept = clean.copy()
    recorded = synth.augment(clean, rng)
    assert (recorded.shape, recorded.dtype) == (clean.shape, np.float32)
    assert np.isfinite(recorded).all()
    assert 0.049 <= np.abs(recorded).max() <= 1.001
    np.testing.assert_array_equal(clean, kept)  # the caller's clip is not written on


SECONDS_AXIS = np.arange(2 * synth.SAMPLE_RATE_HZ) / synth.SAMPLE_RATE_HZ


def sine(hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hz * SECONDS_AXIS)


def white_noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(len(SECONDS_AXIS))


def clicks(*starts: int) -> np.ndarray:
    wave = np.zeros_like(SECONDS_AXIS)
    for start in starts:
        wave[start : start + 200] = sine(6000)[:200]
    return wave


def chirp(start_hz: float, end_hz: float) -> np.ndarray:
    return np.sin(2 * np.pi * np.cumsum(np.geomspace(start_hz, end_hz, len(SECONDS_AXIS))) / synth.SAMPLE_RATE_HZ)


def warble() -> np.ndarray:
    return np.sin(2 * np.pi * np.cumsum(1000 * 2 ** (0.7 * sine(4))) / synth.SAMPLE_RATE_HZ)


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (sine(110), {"brightness": "dark", "envelope": "steady", "pitch": "low", "count": "unbroken", "motion": "still"}),
        (sine(500), {"pitch": "mid"}),
        (sine(3000), {"brightness": "bright", "pitch": "high", "motion": "still"}),
        (np.sign(sine(110.7)), {"pitch": "low"}),  # the fundamental counts, not the bright partials
        (white_noise(), {"brightness": "bright", "envelope": "steady", "pitch": "noisy", "count": "unbroken", "motion": "still"}),
        (clicks(8000), {"brightness": "bright", "envelope": "sparse", "count": "once"}),
        (clicks(3000, 12_000, 25_000), {"envelope": "sparse", "count": "few"}),
        (clicks(*range(1000, 31_000, 3000)), {"count": "many"}),
        (chirp(300, 3000), {"count": "unbroken", "motion": "rising"}),
        (chirp(3000, 300), {"count": "unbroken", "motion": "falling"}),
        (np.r_[chirp(3000, 300)[::4], np.zeros(8000)].repeat(2)[np.arange(48_000) % 32_000], {"motion": "falling"}),  # as repeated calls do
        (warble(), {"motion": "wavering"}),
    ],
)
def test_attributes_name_the_obvious(wave: np.ndarray, words: dict[str, str]) -> None:
    found = synth.attributes(wave)
    assert {name: found[name] for name in words} == words


@pytest.mark.parametrize("length", [1, 160, 1600, 16_000])
@pytest.mark.parametrize("wave", [np.zeros, np.ones, lambda n: white_noise()[:n]], ids=["silent", "constant", "noise"])
def test_attributes_bear_short_silent_and_constant_waves(wave: Callable[[int], np.ndarray], length: int) -> None:
    with np.errstate(all="raise", under="ignore"):
        found = synth.attributes(wave(length))
    assert all(found[name] in words for name, words in synth.ATTRIBUTE_WORDS.items())


def test_attribute_words_are_single_and_distinct() -> None:
    words = [word for group in synth.ATTRIBUTE_WORDS.values() for word in group]
    assert len(set(words)) == len(words)
    assert all(word.isalpha() and word.islower() for word in words)


def test_every_clip_gets_one_word_for_each_attribute() -> None:
    rng = np.random.default_rng(5)
    seen: set[str] = set()
    for family in list(synth.FAMILIES)[::3]:
        found = synth.attributes(synth.augment(synth.render(family, rng, seconds=2.0), rng))
        assert list(found) == list(synth.ATTRIBUTE_WORDS)
        assert all(found[name] in words for name, words in synth.ATTRIBUTE_WORDS.items())
        seen.update(found.values())
    assert seen == {word for group in synth.ATTRIBUTE_WORDS.values() for word in group}  # none is a word that nothing gets


def test_held_out_and_trained_part_the_families() -> None:
    assert len(set(synth.HELD_OUT)) == len(synth.HELD_OUT) == 24
    assert sorted([*synth.HELD_OUT, *synth.TRAINED]) == sorted(synth.FAMILIES)
    assert {"dog bark", "rooster crow", "baby cry", "sneeze", "clock tick", "rain", "sea waves"} <= set(synth.TRAINED)
    assert {"fire crackle", "helicopter", "airplane", "chainsaw"} <= set(synth.TRAINED)


def test_names_are_one_to_three_lower_case_words() -> None:
    assert all(1 <= len(name.split(" ")) <= 3 and name.replace(" ", "").isalpha() and name.islower() for name in synth.FAMILIES)


@pytest.mark.parametrize("seconds", [0.1, 0.37])
def test_very_short_clips_sound(seconds: float) -> None:
    for row, family in enumerate(synth.FAMILIES):
        wave = synth.render(family, np.random.default_rng(row), seconds)
        assert len(wave) == round(seconds * synth.SAMPLE_RATE_HZ)
        assert np.abs(wave).max() == pytest.approx(1.0)


def test_unknown_family_lists_the_choices() -> None:
    with pytest.raises(KeyError, match="dog bark"):
        synth.render("unicorn", np.random.default_rng(0))
