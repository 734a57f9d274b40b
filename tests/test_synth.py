"""The synthesis room: every family sounds, repeats by seed, and survives its recording conditions."""

from __future__ import annotations

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


def test_attributes_name_the_obvious() -> None:
    t = np.arange(2 * synth.SAMPLE_RATE_HZ) / synth.SAMPLE_RATE_HZ
    click = np.zeros_like(t)
    click[8000:8200] = np.sin(2 * np.pi * 6000 * t[:200])
    assert synth.attributes(np.sin(2 * np.pi * 200 * t)) == {"brightness": "dark", "envelope": "steady"}
    assert synth.attributes(click) == {"brightness": "bright", "envelope": "sparse"}
    assert synth.attributes(np.zeros(16_000))["brightness"] in {"dark", "medium", "bright"}


def test_names_are_one_or_two_lower_case_words() -> None:
    assert all(1 <= len(name.split(" ")) <= 2 and name.replace(" ", "").isalpha() and name.islower() for name in synth.FAMILIES)


def test_unknown_family_lists_the_choices() -> None:
    with pytest.raises(KeyError, match="dog bark"):
        synth.render("unicorn", np.random.default_rng(0))
