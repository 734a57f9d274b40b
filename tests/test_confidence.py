"""Held-out scoring, intervals and calibration on scores that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from calm_core import confidence
from calm_core.confidence import HeldOut, Proportion


def test_proportion_has_the_wilson_interval() -> None:
    low, high = Proportion(22, 24).interval
    assert (round(low, 3), round(high, 3)) == (0.742, 0.977)
    assert str(Proportion(22, 24)) == "92 % (22 of 24; 95 % interval 74 % to 98 %)"
    assert Proportion(0, 0).interval == (0.0, 1.0)
    assert "not measured" in str(Proportion(0, 0))


def test_every_group_is_scored_once_by_fits_without_it() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    groups = np.array([7, 7, 3, 9, 9, 4, 5, 6])
    seen: list[tuple[set, set]] = []

    def refit(fit_rows: np.ndarray, test_rows: np.ndarray) -> np.ndarray:
        seen.append((set(groups[fit_rows]), set(groups[test_rows])))
        return np.stack([test_rows, -test_rows], axis=1).astype(np.float32)

    found = confidence.held_out_scores(labels, groups, 2, refit)
    assert [tested for _, tested in seen] == [{7}, {3}, {9}, {4}, {5}, {6}]
    assert all(not fitted & tested for fitted, tested in seen)
    assert found.truth.tolist() == [0, 0, 1, 1, 1, 1]
    assert found.scores[:, 0].tolist() == [0.5, 2, 3.5, 5, 6, 7]
    assert found.how == "leave-one-out"


def test_costly_refits_become_stratified_folds() -> None:
    labels, groups = np.repeat([0, 1], 20), np.arange(40)
    tests = []

    def refit(_: np.ndarray, test_rows: np.ndarray) -> np.ndarray:
        tests.append(test_rows)
        return np.zeros((len(test_rows), 2), dtype=np.float32)

    found = confidence.held_out_scores(labels, groups, 2, refit, cost=confidence.REFIT_BUDGET)
    assert found.how == "5-fold held-out"
    assert sorted(np.concatenate(tests).tolist()) == list(range(40))
    assert all((labels[t] == 0).sum() == (labels[t] == 1).sum() == 4 for t in tests)


def test_a_class_with_one_clip_has_no_held_out_score() -> None:
    found = confidence.held_out_scores(np.array([0, 0, 1, 1, 2]), np.arange(5), 3, lambda _, rows: np.ones((len(rows), 3), np.float32))
    assert found.valid.tolist() == [True, True, True, True, False]
    assert confidence.accuracy(found, 2).n == 0


def held(truth: np.ndarray, scores: np.ndarray) -> HeldOut:
    return HeldOut(truth, scores.astype(np.float32), len(truth))


def test_temperature_recovers_the_true_one() -> None:
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet([0.5] * 4, size=4000))
    truth = np.array([rng.choice(4, p=np.exp(row)) for row in log_p])
    scores = np.exp(log_p * 0.25)
    found = confidence.fit_temperature(held(truth, scores))
    assert found == pytest.approx(0.25, rel=0.1)
    p = confidence.probabilities(scores.astype(np.float32), found)
    assert p.max(1).mean() == pytest.approx((p.argmax(1) == truth).mean(), abs=0.03)


def test_all_right_on_few_clips_is_not_certainty() -> None:
    truth = np.arange(12) % 3
    scores = np.full((12, 3), 0.1)
    scores[np.arange(12), truth] = 0.8
    temperature = confidence.fit_temperature(held(truth, scores))
    assert temperature is not None
    assert confidence.probabilities(scores.astype(np.float32), temperature).max() < 0.95


def test_many_classes_do_not_dilute_confidence() -> None:
    truth = np.arange(618) % 309
    scores = np.full((618, 309), 1e-4)
    scores[np.arange(618), truth] = 0.5
    temperature = confidence.fit_temperature(held(truth, scores))
    assert temperature is not None
    assert confidence.probabilities(scores.astype(np.float32), temperature).max(1).mean() > 0.98


def test_too_few_clips_and_zero_scores() -> None:
    truth = np.arange(9) % 3
    assert confidence.fit_temperature(held(truth, np.ones((9, 3)))) is None
    assert np.isfinite(confidence.probabilities(np.zeros((1, 3), np.float32), 0.5)).all()
