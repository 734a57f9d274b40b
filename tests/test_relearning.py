"""Relearning after an answer gives what a fresh fit gives, whatever the answer and the options."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from calm_core import algorithm
from calm_core.confidence import mean_by_group, p_values
from calm_core.errors import DataError
from calm_core.options import FitOptions, Pooling
from calm_core.relearning import LEAST_TAU, Relearner
from calm_core.vectors import HeadVectors

OPTIONS = [
    FitOptions(),
    FitOptions(centre=True, pooling="log", tau=0.1, trust=0.5),
    FitOptions(scheme="brier", tau_w=0.3, top_k=3, shrinkage=1.0),
    FitOptions(scheme="probability", centre=True),
    FitOptions(scheme="margin"),
    FitOptions(pooling="log", tau=LEAST_TAU),
    FitOptions(tau=LEAST_TAU / 2),
    FitOptions(tau=LEAST_TAU / 2, pooling="log", centre=True),
]


def vectors(rng: np.random.Generator, clips: int = 24) -> HeadVectors:
    """Three noisy classes in turn, about a mean far from the origin; every fifth clip has three windows."""
    clip_of_row = np.repeat(np.arange(clips), [3 if i % 5 == 0 else 1 for i in range(clips)])
    means = rng.normal(size=(3, 2, 4, 6))
    values = 4 + means[clip_of_row % 3] + rng.normal(size=(len(clip_of_row), 2, 4, 6))
    return HeadVectors(values.astype(np.float32), clip_of_row)


def expected(rows: HeadVectors, labels: list[str | None], options: FitOptions) -> tuple[algorithm.Fitted, np.ndarray, np.ndarray]:
    """A fresh fit on the labelled rows, and its scores and familiarity (clips, C) of all."""
    names = sorted({label for label in labels if label})
    of_row = [labels[clip] for clip in rows.clip_of_row]
    chosen = [i for i, label in enumerate(of_row) if label]
    x, y = torch.from_numpy(rows.values), torch.tensor([names.index(str(of_row[i])) for i in chosen])
    fitted = algorithm.fit(x[chosen], y, len(names), options, torch.from_numpy(rows.clip_of_row)[chosen])
    scores, near = (mean_by_group(found.numpy(), rows.clip_of_row) for found in algorithm.ask(x, fitted, options))
    return fitted, scores, near


@pytest.mark.parametrize("options", OPTIONS)
def test_every_answer_gives_what_a_fresh_fit_gives(options: FitOptions) -> None:
    rng = np.random.default_rng(3)
    rows = vectors(rng)
    relearner = Relearner(rows, options)
    labels: list[str | None] = [None] * rows.n_clips
    for clip in range(7):
        labels[clip] = "abc"[clip % 3]
    relearner.relearn(labels)
    steps = [(7, "b"), (10, "c"), (7, None), (12, "a"), (12, "b"), (13, "new"), (14, "new"), (0, "c")]
    for clip, label in steps:
        relearner.prepare(clip)
        labels[clip] = label
        found = relearner.relearn(labels)
        fitted, scores, _ = expected(rows, labels, options)
        torch.testing.assert_close(found.reliability, fitted.reliability.flatten(0, 1), atol=2e-5, rtol=1e-3)
        torch.testing.assert_close(found.weights, fitted.weights.flatten(0, 1), atol=2e-5, rtol=1e-3)
        pool = [i for i, label in enumerate(labels) if label is None]
        np.testing.assert_allclose(found.scores[pool], scores[pool], atol=1e-4, rtol=1e-3)
    found = relearner.relearn([{"a": "renamed"}.get(str(label), label) for label in labels])
    assert found.class_names == ("b", "c", "new", "renamed")
    np.testing.assert_allclose(found.scores[pool], np.roll(scores[pool], -1, axis=1), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("pooling", ["linear", "log"])
@pytest.mark.parametrize("tau", [LEAST_TAU, LEAST_TAU / 4])
def test_a_clip_far_from_every_class_is_scored_too(tau: float, pooling: Pooling) -> None:
    """exp((cos - 1) / tau), which is kept, ends where float32 does."""
    rows = vectors(np.random.default_rng(8), 12)
    rows.values[-1] *= -1
    labels = [*("abc"[i % 3] for i in range(9)), None, None, None]
    options = FitOptions(tau=tau, pooling=pooling)
    _, scores, near = expected(rows, labels, options)
    assert near[-1].max() < -0.8
    np.testing.assert_allclose(Relearner(rows, options).relearn(labels).scores[9:], scores[9:], atol=1e-4, rtol=1e-3)


def test_left_out_scores_know_nothing_of_the_clip() -> None:
    """A labelled clip's cosines are those of a fit without it; only the weights may have met it."""
    rows = vectors(np.random.default_rng(4), 12)
    options = FitOptions(trust=0.0, centre=True)  # equal weights: then a literal refit without the clip must agree entirely
    labels: list[str | None] = ["abc"[i % 3] for i in range(12)]
    found = Relearner(rows, options).relearn(labels)
    for clip in range(12):
        _, scores, near = expected(rows, [None if i == clip else label for i, label in enumerate(labels)], options)
        np.testing.assert_allclose(found.scores[clip], scores[clip], atol=1e-4)
        np.testing.assert_allclose(found.held_out.familiarity[clip], near[clip], atol=1e-4)
    assert found.hits[1] == 12
    assert found.calibrated


def test_a_class_of_one_clip_cannot_be_asked_about_it() -> None:
    rows = vectors(np.random.default_rng(5), 6)
    found = Relearner(rows).relearn(["a", "b", None, "a", None, None])
    assert np.isnan(found.scores[1]).all()
    assert np.isfinite(found.scores[[0, 2, 3, 4, 5]]).all()
    assert found.hits[1] == 2
    assert not found.calibrated  # three clips calibrate nothing


def test_a_class_that_is_nothing_but_rounding_without_a_clip_spoils_no_score() -> None:
    rows = vectors(np.random.default_rng(9), 12)
    rows.values[rows.clip_of_row == 1] = 0
    relearner = Relearner(rows)
    labels: list[str | None] = ["a", "a", *["b"] * 7, None, None, None]
    for label in (None, "a", None):  # what comes and goes again leaves its rounding in the sum
        labels[9] = label
        found = relearner.relearn(labels)
    assert np.isfinite(found.scores).all()
    assert torch.isfinite(found.reliability).all()


def test_a_clip_of_many_windows_is_left_out_of_its_class_as_exactly() -> None:
    """It is most of its class: differences of squared sums would hold little but rounding."""
    rng = np.random.default_rng(9)
    clip_of_row = np.repeat([0, 1, 2, 3], [240, 1, 1, 1])
    values = 10 + rng.normal(size=(len(clip_of_row), 2, 4, 6)) + rng.normal(size=(2, 2, 4, 6))[clip_of_row % 2]
    rows, labels = HeadVectors(values.astype(np.float32), clip_of_row), list("aabb")
    fitted, _, _ = expected(rows, [*labels], FitOptions())
    found = Relearner(rows).relearn(labels)
    torch.testing.assert_close(found.reliability, fitted.reliability.flatten(0, 1), atol=2e-5, rtol=1e-3)


def test_what_cannot_be_learned_is_said() -> None:
    rows = vectors(np.random.default_rng(6), 6)
    with pytest.raises(DataError, match="at least two"):
        Relearner(rows).relearn(["a", None, None, "a", None, None])
    with pytest.raises(DataError, match="2 labels for 6 clips"):
        Relearner(rows).relearn(["a", "b"])
    with pytest.raises(DataError, match="leave-one-out"):
        Relearner(rows, FitOptions(reliability="resubstitution"))


def test_a_clip_like_none_of_the_classes_is_told_from_those_that_fit() -> None:
    rng = np.random.default_rng(7)
    directions = rng.normal(size=(4, 2, 4, 6))
    clips = np.concatenate([np.repeat(np.arange(3), 10), [0, 1, 2], [3, 3, 3]])  # the last three: a kind that no label names
    values = 3 * directions[clips] + 0.5 * rng.normal(size=(len(clips), 2, 4, 6))
    rows = HeadVectors(values.astype(np.float32), np.arange(len(clips)))
    labels = ["abc"[kind] if i < 30 else None for i, kind in enumerate(clips)]
    found = Relearner(rows).relearn(labels)
    assert found.p_values is not None
    assert np.isnan(found.p_values[:30]).all()
    assert (found.p_values[30:33].argmax(1) == [0, 1, 2]).all()
    assert (found.p_values[33:] <= 0.1).all()
    _, scores, near = expected(rows, labels, FitOptions())
    again = p_values(scores[30:], near[30:], found.held_out)
    np.testing.assert_allclose(found.p_values[30:], again)
    assert Relearner(rows).relearn([*labels[:3], *[None] * 25, "b", *labels[29:]]).p_values is None  # too few to calibrate
