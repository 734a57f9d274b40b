"""Held-out scoring, intervals and calibration on scores that are made up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from calm_core import confidence
from calm_core.confidence import HeldOut, Proportion


def test_proportion_has_a_bootstrap_interval_but_is_never_sure() -> None:
    assert str(Proportion(22, 24)) == "92 % (22 of 24; 95 % interval 79 % to 98 %)"
    low, high = Proportion(5, 5).interval
    assert (round(low, 3), high) == (0.566, 1.0)
    assert Proportion(0, 5).interval == pytest.approx((0.0, 1 - low))
    assert Proportion(0, 0).interval == (0.0, 1.0)
    assert "not measured" in str(Proportion(0, 0))


@pytest.mark.parametrize(("n", "promised"), [(3, 0.95), (5, 0.95), (10, 0.93), (20, 0.93), (40, 0.93)])
def test_proportion_intervals_hold_the_true_rate_about_as_often_as_they_say(n: int, promised: float) -> None:
    bounds = np.array([Proportion(hits, n).interval for hits in range(n + 1)])
    rates = np.linspace(0.3, 0.99, 70)[:, None]
    likely = binom.pmf(np.arange(n + 1), n, rates)
    held = (bounds[:, 0] <= rates) & (rates <= bounds[:, 1])
    assert promised <= (likely * held).sum(1).mean() <= 0.99


def test_every_group_is_scored_once_by_fits_without_it() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    groups = np.array([7, 7, 3, 9, 9, 4, 5, 6])
    seen: list[tuple[set, set]] = []

    def refit(fit_rows: np.ndarray, test_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((set(groups[fit_rows]), set(groups[test_rows])))
        scores = np.stack([test_rows, -test_rows], axis=1).astype(np.float32)
        return scores, -scores

    found = confidence.held_out_scores(labels, groups, 2, refit)
    assert [tested for _, tested in seen] == [{7}, {3}, {9}, {4}, {5}, {6}]
    assert all(not fitted & tested for fitted, tested in seen)
    assert found.truth.tolist() == [0, 0, 1, 1, 1, 1]
    assert found.scores[:, 0].tolist() == [0.5, 2, 3.5, 5, 6, 7]
    assert found.familiarity[:, 0].tolist() == [-0.5, -2, -3.5, -5, -6, -7]
    assert found.how == "leave-one-out"


def test_costly_refits_become_stratified_folds() -> None:
    labels, groups = np.repeat([0, 1], 20), np.arange(40)
    tests = []

    def refit(_: np.ndarray, test_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tests.append(test_rows)
        return np.zeros((len(test_rows), 2), dtype=np.float32), np.zeros((len(test_rows), 2), dtype=np.float32)

    found = confidence.held_out_scores(labels, groups, 2, refit, cost=confidence.REFIT_BUDGET)
    assert found.how == "5-fold held-out"
    assert sorted(np.concatenate(tests).tolist()) == list(range(40))
    assert all((labels[t] == 0).sum() == (labels[t] == 1).sum() == 4 for t in tests)


def test_a_class_with_one_clip_has_no_held_out_score() -> None:
    def refit(_: np.ndarray, test_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((len(test_rows), 3), np.float32), np.ones((len(test_rows), 3), np.float32)

    found = confidence.held_out_scores(np.array([0, 0, 1, 1, 2]), np.arange(5), 3, refit)
    assert found.valid.tolist() == [True, True, True, True, False]
    assert confidence.accuracy(found, 2).n == 0


def held(truth: np.ndarray, scores: np.ndarray, familiarity: np.ndarray | None = None) -> HeldOut:
    near = np.ones_like(scores) if familiarity is None else familiarity
    return HeldOut(truth, scores.astype(np.float32), near.astype(np.float32), len(truth))


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


def clips(rng: np.random.Generator, n: int, unknown: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Made-up scores and familiarity of n clips of three classes; an unknown clip resembles one class a little and is familiar to none."""
    truth = rng.integers(3, size=n)
    mine = np.eye(3)[truth]
    lead = 0.5 if unknown else 1.5
    scores = np.exp(rng.normal(size=(n, 3)) + lead * mine).astype(np.float32)
    familiarity = (0.2 * rng.normal(size=(n, 3)) + (0 if unknown else mine)).astype(np.float32)
    return truth, scores, familiarity


@pytest.mark.parametrize("pooling", ["linear", "log"])
def test_prediction_sets_cover_as_promised(pooling: str) -> None:
    rng = np.random.default_rng(0)
    log = np.log if pooling == "log" else np.asarray
    covered, sizes = [], []
    for _ in range(60):
        truth, scores, near = clips(rng, 100)
        asked_truth, asked, asked_near = clips(rng, 100)
        p = confidence.p_values(log(asked), asked_near, held(truth, log(scores), near), pooling)
        assert p is not None
        covered.append((p[np.arange(100), asked_truth] > 0.1).mean())
        sizes.append((p > 0.1).sum(1).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)
    assert 0.8 < np.mean(sizes) < 1.5


def test_none_of_these_where_nothing_is_familiar() -> None:
    rng = np.random.default_rng(0)
    known = held(*clips(rng, 100))
    p = confidence.p_values(*clips(rng, 500)[1:], known)
    p_unknown = confidence.p_values(*clips(rng, 500, unknown=True)[1:], known)
    assert p is not None
    assert p_unknown is not None
    assert (p.max(1) <= 0.1).mean() < 0.2
    assert (p_unknown.max(1) <= 0.1).mean() > 0.6
    assert confidence.p_values(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32), held(np.arange(9) % 3, np.ones((9, 3)))) is None


def test_leads_are_over_the_best_other_class() -> None:
    found = confidence.leads(np.log(np.array([[4, 2, 1], [3, 3, 1]], dtype=np.float32)), "log")
    np.testing.assert_allclose(np.exp(found), [[2, 0.5, 0.25], [1, 1, 1 / 3]], rtol=1e-6)


def test_a_flipped_label_is_suspicious_and_a_doubtful_clip_is_not() -> None:
    truth = np.arange(30) % 3
    scores = np.full((30, 3), 0.05)
    scores[np.arange(30), truth] = 0.9
    scores[4] = [0.36, 0.32, 0.32]  # class 1 by its label: not sure, but not contradicted either
    given = truth.copy()
    given[7] = 0  # was 1
    found = held(given, scores)
    (flag,) = confidence.suspicious(found, confidence.fit_temperature(found))
    assert (flag.clip, flag.given, flag.predicted) == (7, 0, 1)
    assert flag.probability < confidence.SUSPICION
    assert confidence.suspicious(found, None) == ()


def test_calibration_error_is_the_gap_of_confidence_and_accuracy() -> None:
    sure = np.array([0.95] * 10 + [0.55] * 10)
    right = np.array([True] * 9 + [False] + [True] * 3 + [False] * 7)
    assert confidence.calibration_error(sure, right) == pytest.approx((0.05 + 0.25) / 2)
    assert confidence.calibration_error(np.array([1.0]), np.array([True])) == 0


def test_chance_level_moves_labels_from_clip_to_clip() -> None:
    labels, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([5, 5, 3, 9, 8, 8])
    seen = []

    def judge(permuted: np.ndarray) -> np.ndarray:
        seen.append(permuted)
        return np.arange(40, dtype=np.float32).reshape(4, 5, 2)

    found = confidence.chance_level(labels, groups, judge, 20)
    assert found == pytest.approx([38 * 0.95, 38 * 0.95 + 1], abs=1)
    assert len(seen) == confidence.NULL_SAMPLES / 20
    assert all(p[0] == p[1] and p[4] == p[5] for p in seen)  # windows of one clip stay together
    assert len({tuple(p) for p in seen}) > 3


def test_calibration_bins_and_its_error_by_hand() -> None:
    found = confidence.calibration(np.array([0.62, 0.68, 0.95, 1.0]), np.array([True, False, True, True]))
    assert (found.counts[6], found.hits[6], found.counts[9], found.hits[9]) == (2, 1, 2, 2)
    assert found.counts.sum() == 4
    assert found.confidence[6] == pytest.approx(0.65)
    assert np.isnan(found.confidence[0])
    assert found.error == pytest.approx((abs(2 * 0.65 - 1) + abs(1.95 - 2)) / 4)
    assert found.overall == pytest.approx((3.25 / 4, 3 / 4))
    assert confidence.calibration_error(np.zeros(0), np.zeros(0, bool)) == 0
