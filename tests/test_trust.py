"""What confidence promised beside what came true, on planted vectors."""

from __future__ import annotations

import numpy as np
import pytest

from calm_core import FitOptions, HeadVectors, trust

NAMES = ["a", "b", "c", "d"]


def planted(per_class: int = 30, noise: float = 1.2) -> tuple[HeadVectors, list[str]]:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 2, 4, 8))
    labels = [name for name in NAMES for _ in range(per_class)]
    x = np.repeat(means, per_class, axis=0) + noise * rng.normal(size=(len(labels), 2, 4, 8))
    return HeadVectors(x.astype(np.float32), np.arange(len(labels))), labels


def episode(seed: int, shots: int, noise: float = 1.2) -> trust.Outcome | None:
    heads, labels = planted(noise=noise)
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(30) + 30 * i for i in range(4)])
    return trust.try_out(heads, labels, rows[:, :shots].ravel(), rows[:, shots:].ravel(), FitOptions(), NAMES[seed % 4], rng)


def test_a_row_tells_all_and_keeps_its_promises() -> None:
    found = trust.summary("calm", 10, [episode(seed, 10) for seed in range(8)], seed=0)
    assert found.predictions == 8 * 80
    assert found.calibration_error is not None
    assert found.calibration_error < 0.08
    for name in ("coverage", "set_size", "nothing", "unknown_nothing", "unknown_auroc", "flags_right", "flags_found"):
        measured = getattr(found, name)
        assert measured.ci_low <= measured.value <= measured.ci_high, name
    assert found.coverage is not None
    assert found.coverage.value == pytest.approx(0.9, abs=0.05)
    assert found.unknown_auroc is not None
    assert found.unknown_auroc.value > 0.8
    assert found.flags_found is not None
    assert found.flags_found.value > 0.5


def test_too_small_a_support_says_nothing() -> None:
    found = trust.summary("calm", 2, [episode(0, 2)], seed=0)
    assert (found.predictions, found.calibration_error, found.coverage) == (0, None, None)


def test_without_spread_the_interval_is_the_mean() -> None:
    assert trust.mean_with_interval(np.array([0.5, 0.5]), 0) == trust.Measured(0.5, 0.5, 0.5)
    spread = trust.mean_with_interval(np.array([0.4, 0.5, 0.7]), 0)
    assert spread.ci_low < spread.value < spread.ci_high


def test_the_same_episode_gives_the_same_outcome() -> None:
    first, again = episode(3, 10), episode(3, 10)
    assert first is not None
    assert again is not None
    assert first.shares == again.shares
