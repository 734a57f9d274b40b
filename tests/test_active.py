"""The orders of labelling: what each prefers, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from calm_core import active
from calm_core.active import rank
from calm_core.errors import OptionError
from calm_core.simulation import LabelCurve, simulate
from calm_core.vectors import HeadVectors

# Four clips on a line: 0 is sure, 1 torn, 2 torn and far from what is labelled (at 0), 3 unsure over all classes.
CHANCES = np.array([[0.9, 0.05, 0.05], [0.5, 0.49, 0.01], [0.49, 0.48, 0.03], [0.4, 0.35, 0.25]], np.float32)
POOL = np.array([[0.1], [0.2], [5.0], [1.0]], np.float32)
LABELLED = np.zeros((1, 1), np.float32)
COUNTS = np.array([5, 1, 1])
EVEN = np.ones(4, np.float32)


def test_each_order_prefers_what_it_says() -> None:
    first = {order: int(rank(order, CHANCES, POOL, LABELLED, COUNTS, typical=EVEN)[0]) for order in active.ORDERS}
    assert first["uncertain"] in (1, 2)
    assert first["entropy"] == 3
    assert first["diverse"] == 2
    assert first["confident"] == 0
    assert first["useful"] == 2
    flipped = rank("balanced", CHANCES[:, [1, 0, 2]], POOL, LABELLED, COUNTS, typical=EVEN)
    assert flipped.tolist() == [0, 1, 2, 3]  # all of the rare class now, so the surest first
    with pytest.raises(OptionError, match="choose one of useful"):
        rank("best", CHANCES, POOL, LABELLED, COUNTS, typical=EVEN)  # type: ignore[arg-type]


def test_an_outlier_is_not_useful_for_being_far() -> None:
    """Ten alike and one far from all: as unsure and as new as can be, but it says nothing of the others."""
    pool = np.concatenate([np.linspace(1, 1.1, 20), [3.0]]).astype(np.float32)[:, None]
    chances = np.full((21, 2), 0.5, np.float32)
    typical = active.typicality(pool)
    assert rank("diverse", chances, pool, LABELLED, COUNTS[:2], typical=typical)[0] == 20
    assert rank("useful", chances, pool, LABELLED, COUNTS[:2], typical=typical)[0] != 20


def test_random_is_the_same_for_the_same_seed() -> None:
    orders = [
        rank("random", CHANCES.repeat(9, 0), POOL.repeat(9, 0), LABELLED, COUNTS, typical=EVEN.repeat(9), seed=s).tolist()
        for s in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_sketched_distances_are_those_of_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 8, 32, 16)).astype(np.float32) + 2 * rng.normal(size=(30, 1, 1, 16)).astype(np.float32)
    weights = rng.random(256).astype(np.float32)
    unit = values / np.linalg.norm(values, axis=-1, keepdims=True)
    exact = np.sqrt(np.einsum("h,abh->ab", weights / weights.sum(), np.square(unit[:, None] - unit[None]).sum(-1).reshape(30, 30, -1)))
    for limit, tolerance in ((4096, 1e-5), (1024, 0.12)):
        monkeypatch.setattr(active, "MAX_FEATURES", limit)
        features = active.weighted(active.sketch(values, np.arange(30)), weights)
        assert features.shape == (30, limit)
        found = np.linalg.norm(features[:, None] - features[None], axis=-1)
        np.testing.assert_allclose(found, exact, rtol=tolerance, atol=1e-3)


def test_windows_of_a_clip_are_averaged() -> None:
    values = np.random.default_rng(0).normal(size=(3, 1, 2, 4)).astype(np.float32)
    found = active.sketch(values, np.array([0, 0, 1]))
    alone = active.sketch(values, np.arange(3))
    np.testing.assert_allclose(found[0], alone[:2].mean(0), atol=1e-6)


@pytest.fixture
def sounds() -> tuple[HeadVectors, list[str]]:
    """Three classes of 30 clips, two of them near each other; groups of two alike."""
    rng = np.random.default_rng(1)
    labels = np.repeat(["a", "b", "c"], 30)
    means = np.array([[0, 0, 3, 1], [0, 3, 0, 1], [0, 2, 1.5, 1]], np.float32)[np.repeat([0, 1, 2], 30)]
    values = means[:, None, None] + rng.normal(size=(90, 2, 2, 4)).astype(np.float32)
    return HeadVectors(values, np.arange(90)), labels.tolist()


def test_simulation_is_reproducible_and_pairs_the_orders(sounds: tuple[HeadVectors, list[str]]) -> None:
    groups = [i // 2 for i in range(90)]
    found = simulate(*sounds, orders=["useful", "random"], budget=30, seeds=4, groups=groups)
    again = simulate(*sounds, orders=["useful", "random"], budget=30, seeds=4, groups=groups)
    assert found == again
    useful, random = found.curves
    assert useful.labels == random.labels == tuple(range(6, 31))
    assert useful.accuracy[0] == random.accuracy[0]  # the same first clips
    assert all(low <= mean <= high for low, mean, high in zip(useful.ci_low, useful.accuracy, useful.ci_high, strict=True))
    assert found.to_dict()["curves"][1]["labels_to_reach_target"] <= 30


def test_simulation_respects_folds(sounds: tuple[HeadVectors, list[str]]) -> None:
    heads, labels = sounds
    folds = [str(i % 3) for i in range(90)]
    found = simulate(heads, labels, orders=["random"], budget=1000, seeds=3, folds=folds)
    assert found.curves[0].labels[-1] == 60  # all of the two other folds, and never a clip of the test fold
    assert "another fold" in found.protocol


def test_labels_to_reach_and_to_stay() -> None:
    flat = (0.0,) * 5
    curve = LabelCurve("random", (2, 3, 4, 5, 6), (0.1, 0.9, 0.3, 0.8, 0.9), flat, flat)
    assert (curve.labels_to_reach(0.8), curve.labels_to_stay(0.8)) == (3, 5)
    assert (curve.labels_to_reach(0.1), curve.labels_to_stay(0.1)) == (2, 2)
    assert (curve.labels_to_reach(0.95), curve.labels_to_stay(0.95)) == (None, None)
