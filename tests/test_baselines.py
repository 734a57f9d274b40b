"""The ladder: every rung learns what is there, and the control learns nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from calm_core import algorithm, baselines
from calm_core.baselines import LADDER, Rung, Support, fit_and_score
from calm_core.options import FitOptions

from .conftest import RATE_HZ, tone


def planted(seed: int = 0, per_class: int = 8, noise: float = 0.3) -> Support:
    """Four classes that only head (1, 2) of 2 x 4 tells apart."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(4).repeat_interleave(per_class)
    x = torch.randn(len(y), 2, 4, 6, generator=generator)
    means = torch.randn(4, 6, generator=torch.Generator().manual_seed(99))
    x[:, 1, 2] = means[y] + noise * torch.randn(len(y), 6, generator=generator)
    return Support(x, y, torch.arange(len(y)), 4, FitOptions(tau=0.1))


def posteriors(support: Support) -> torch.Tensor:
    """(L * H, N, C) at the support's tau."""
    frame = algorithm.plain_frame(support.vectors)
    mu = algorithm.class_centroids(support.vectors, support.labels, support.n_classes, frame)
    found = algorithm.similarities(support.vectors, mu, frame)
    return torch.cat([algorithm.posteriors(sims, support.options.tau) for _, sims in found])


LEARNING = [rung for rung in LADDER if rung.features != "answers"]


@pytest.mark.parametrize("rung", LEARNING, ids=lambda rung: rung.method)
def test_every_rung_gives_non_negative_scores_and_beats_chance(rung: Rung) -> None:
    support, test = planted(), planted(seed=1)
    scores = fit_and_score(rung, support, test.vectors)
    assert scores.shape == (32, 4)
    assert (scores >= 0).all()
    accuracy = (scores.argmax(1) == test.labels.numpy()).mean()
    assert accuracy > {"best_head": 0.9, "calm": 0.6, "calm_auto": 0.6}.get(rung.method, 0.3)


def test_the_best_head_is_the_planted_one() -> None:
    support, test = planted(), planted(seed=1)
    only = baselines.best_head(support)(test.vectors)
    changed = test.vectors.clone()
    changed[:, 0] = 0
    changed[:, 1, [0, 1, 3]] = 0
    torch.testing.assert_close(baselines.best_head(support)(changed), only)


def test_methods_are_unique_and_complete() -> None:
    methods = [rung.method for rung in LADDER]
    assert len(set(methods)) == len(methods)
    assert {"calm_auto", "calm", "uniform", "sav", "grw", "best_head", "concat", "probe", "mfcc", "zero_shot", "random_reliability"} <= set(
        methods
    )


def test_uniform_is_the_mean_of_the_heads_posteriors() -> None:
    support = planted()
    p = posteriors(support)
    torch.testing.assert_close(baselines.uniform(support)(support.vectors), p.mean(0))


def test_grw_weights_do_not_depend_on_the_class() -> None:
    support = planted()
    r = algorithm.fit(support.vectors, support.labels, 4, support.options, support.groups).reliability.mean(-1)
    p = posteriors(support)
    torch.testing.assert_close(baselines.grw(support)(support.vectors), torch.einsum("hqc,h->qc", p, (r / r.sum()).flatten()))


def test_the_probe_equals_plain_logistic_regression() -> None:
    """The rotation that makes it affordable changes nothing but rounding."""
    support, test = planted(), planted(seed=1)
    plain = make_pipeline(StandardScaler(), LogisticRegression(C=baselines.PROBE_C, max_iter=1000))
    plain.fit(support.vectors.flatten(1).double(), support.labels)
    expected = plain.predict_proba(test.vectors.flatten(1).double())
    np.testing.assert_allclose(baselines.probe(support)(test.vectors), expected, atol=1e-2)


def test_a_class_without_support_scores_zero() -> None:
    support = planted()
    some = support.rows(torch.nonzero(support.labels != 2).flatten())
    for rung in LEARNING:
        assert (fit_and_score(rung, some, support.vectors[:3])[:, 2] == 0).all(), rung.method


def test_zero_shot_is_the_likelihood_of_the_names_whatever_the_support() -> None:
    (rung,) = (rung for rung in LADDER if rung.features == "answers")
    likelihoods = torch.tensor([[-1.0, -2.0, -0.5], [-3.0, -1.0, -4.0]])[:, None, None]
    one_class = Support(likelihoods[:1], torch.tensor([2]), torch.arange(1), 3, FitOptions())
    np.testing.assert_allclose(np.log(fit_and_score(rung, one_class, likelihoods)), likelihoods[:, 0, 0], rtol=1e-6)


def test_mfcc_statistics_tell_tones_apart_even_when_short() -> None:
    low, low_again, high = (
        baselines.mfcc_statistics(tone(f, seconds, seed), RATE_HZ) for f, seconds, seed in ((200, 1, 0), (200, 1, 1), (3000, 1, 2))
    )
    assert low.shape == (1, 1, 3 * baselines.N_MFCC)
    assert np.linalg.norm(low - low_again) < 0.3 * np.linalg.norm(low - high)
    assert np.isfinite(baselines.mfcc_statistics(tone(200, 0.1), RATE_HZ)).all()
