"""The method against hand-computed numbers, slow loops, literal refits, and the invariances it must have."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calm_core import algorithm
from calm_core.errors import DataError, OptionError
from calm_core.options import FitOptions, Scheme

TAU = 0.07


def random_case(seed: int = 0, n: int = 12, classes: int = 3, shape: tuple[int, int, int] = (2, 3, 4)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    means = torch.randn(classes, *shape, generator=generator)
    return means[labels] + 0.7 * torch.randn(n, *shape, generator=generator), labels


def slow_fit(x: np.ndarray, y: np.ndarray, options: FitOptions, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps 1 to 6 of method.md in float64 loops over heads and clips, each left-out centroid refitted literally."""
    n, L, H, _ = x.shape
    C = y.max() + 1
    mu, r, w = np.zeros((C, L, H, x.shape[3])), np.zeros((L, H, C)), np.zeros((L, H, C))
    for layer in range(L):
        for head in range(H):
            v = x[:, layer, head].astype(np.float64)
            for c in range(C):
                m = v[y == c].mean(0) - options.centre * v.mean(0)
                mu[c, layer, head] = m / np.linalg.norm(m)
            for c in range(C):
                values = []
                for i in np.flatnonzero(y == c):
                    rest = groups != groups[i] if options.reliability == "leave_one_out" else np.ones(n, bool)
                    if not (rest & (y == c)).any():
                        continue
                    logits, origin = np.full(C, -np.inf), options.centre * v[rest].mean(0)
                    for k in range(C):
                        if (rest & (y == k)).any():
                            m, q = v[rest & (y == k)].mean(0) - origin, v[i] - origin
                            logits[k] = q @ m / np.linalg.norm(m) / np.linalg.norm(q) / options.tau
                    p = np.exp(logits - logits.max())
                    p /= p.sum()
                    other = np.delete(p, c).max()
                    values.append(
                        {
                            "margin_clamped": max(0.0, p[c] - other),
                            "margin": p[c] - other,
                            "probability": p[c],
                            "brier": 2 * p[c] - (p**2).sum(),
                        }[options.scheme]
                    )
                r[layer, head, c] = np.mean(values) if values else 0.0
    for c in range(C):
        count = (y == c).sum()
        column = count / (count + options.shrinkage) * r[:, :, c] + options.shrinkage / (count + options.shrinkage) * r[:, :, c].mean()
        r[:, :, c] = column
        kept = np.ones_like(column, bool) if options.top_k is None else column >= np.sort(column.ravel())[-options.top_k]
        raw = column ** (1 / options.tau_w) if options.scheme == "margin_clamped" else np.exp(column / options.tau_w)
        raw = raw * kept
        learned = raw / raw.sum() if raw.sum() > 0 else kept / kept.sum()
        w[:, :, c] = options.trust * learned + (1 - options.trust) * kept / kept.sum()
    return mu, r, w


@pytest.mark.parametrize("scheme", get_args(Scheme))
@pytest.mark.parametrize("reliability", ["leave_one_out", "resubstitution"])
@pytest.mark.parametrize("extra", [{}, {"top_k": 2, "shrinkage": 3.0, "tau_w": 0.5}, {"centre": True, "trust": 0.6}])
def test_fit_equals_the_slow_loops(scheme: Scheme, reliability: str, extra: dict) -> None:
    x, y = random_case()
    groups = torch.arange(len(y)) // 6 * 3 + y  # windows: two rows of one class share a group
    options = FitOptions(tau=0.3, scheme=scheme, reliability=reliability, **extra)
    fitted = algorithm.fit(x, y, 3, options, groups)
    mu, r, w = slow_fit(x.numpy(), y.numpy(), options, groups.numpy())
    np.testing.assert_allclose(fitted.centroids, mu, atol=1e-6)
    np.testing.assert_allclose(fitted.reliability, r, atol=1e-5)
    np.testing.assert_allclose(fitted.weights, w, atol=1e-5)


def test_groups_that_span_classes_are_left_out_of_every_class() -> None:
    x, y = random_case(n=12)
    groups = torch.arange(12) // 2  # neighbours have different labels
    options = FitOptions(tau=0.3)
    fitted = algorithm.fit(x, y, 3, options, groups)
    np.testing.assert_allclose(fitted.reliability, slow_fit(x.numpy(), y.numpy(), options, groups.numpy())[1], atol=1e-5)


def test_log_pooling_is_a_product_of_experts() -> None:
    x, y = random_case()
    options = FitOptions(tau=0.2, pooling="log", trust=0.0)
    fitted = algorithm.fit(x, y, 3, options)
    p = torch.cat([algorithm.posteriors(sims, 0.2) for _, sims in algorithm.similarities(x, fitted.centroids, fitted.frame)])
    np.testing.assert_allclose(algorithm.scores(x, fitted, options).exp(), p.prod(0) ** (1 / 6), rtol=1e-4)
    np.testing.assert_allclose(algorithm.contributions(x, fitted, options).sum((1, 2)), algorithm.scores(x, fitted, options), atol=1e-5)


def test_centring_takes_away_what_all_clips_share() -> None:
    """A large vector added to every clip hides the classes; centred, it is as if it weren't there."""
    x, y = random_case()
    options = FitOptions(centre=True)
    moved = x + 50 * torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    plain, shifted = algorithm.fit(x, y, 3, options), algorithm.fit(moved, y, 3, options)
    np.testing.assert_allclose(shifted.reliability, plain.reliability, atol=1e-3)
    assert algorithm.fit(moved, y, 3, FitOptions()).reliability.mean() < 0.5 * plain.reliability.mean()


def test_two_classes_by_hand() -> None:
    """One head, two clips per class on the axes: every left-out centroid is the other clip of the class."""
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [0.0, 1.0]]).view(4, 1, 1, 2)
    y = torch.tensor([0, 0, 1, 1])
    fitted = algorithm.fit(x, y, 2, FitOptions(tau=1.0))
    p_true = np.e / (np.e + 1)  # softmax of cosines 1 and 0 at tau = 1
    assert fitted.centroids.view(2, 2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    np.testing.assert_allclose(fitted.reliability.flatten(), [2 * p_true - 1] * 2, rtol=1e-6)
    assert fitted.weights.flatten().tolist() == [1.0, 1.0]
    query = torch.tensor([[5.0, 0.0]]).view(1, 1, 1, 2)
    np.testing.assert_allclose(algorithm.scores(query, fitted, FitOptions(tau=1.0)), [[p_true, 1 - p_true]], rtol=1e-6)


def test_resubstitution_with_one_clip_is_its_own_judge() -> None:
    x = torch.randn(2, 1, 1, 8, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([0, 1])
    assert algorithm.fit(x, y, 2, FitOptions(reliability="resubstitution")).reliability.min() > 0.5
    alone = algorithm.fit(x, y, 2, FitOptions())
    assert alone.reliability.abs().max() == 0
    assert alone.judged.tolist() == [0, 0]
    assert alone.weights.flatten().tolist() == [1.0, 1.0]


def test_holdout_judges_with_other_clips() -> None:
    x, y = random_case(n=18)
    fitted = algorithm.fit(x[:9], y[:9], 3, FitOptions(reliability="holdout"), holdout=(x[9:], y[9:]))
    p = torch.cat([algorithm.posteriors(sims, TAU) for _, sims in algorithm.similarities(x[9:], fitted.centroids, fitted.frame)])
    values = algorithm.reliability_values(p, y[9:], "margin_clamped")
    for c in range(3):
        np.testing.assert_allclose(fitted.reliability[..., c].flatten(), values[:, y[9:] == c].mean(1), atol=1e-6)
    with pytest.raises(DataError, match="held-out clips"):
        algorithm.fit(x, y, 3, FitOptions(reliability="holdout"))


@given(seed=st.integers(0, 10_000), scale=st.floats(1e-3, 1e3), scheme=st.sampled_from(get_args(Scheme)))
@settings(max_examples=30, deadline=None)
def test_invariances(seed: int, scale: float, scheme: Scheme) -> None:
    x, y = random_case(seed)
    options = FitOptions(scheme=scheme, tau=0.2)
    fitted = algorithm.fit(x, y, 3, options)
    np.testing.assert_allclose(fitted.weights.sum((0, 1)), 1, atol=1e-5)
    query, _ = random_case(seed + 1)
    scores = algorithm.scores(query, fitted, options)
    scaled = query.clone()
    scaled[:, 1, 2] *= scale  # one head of the queries: only directions count
    np.testing.assert_allclose(algorithm.scores(scaled, fitted, options), scores, atol=1e-5)
    order = torch.tensor([2, 0, 1])  # renaming the classes renames the columns, nothing else
    renamed = algorithm.fit(x, torch.argsort(order)[y], 3, options)
    np.testing.assert_allclose(renamed.weights, fitted.weights[..., order], atol=1e-5)
    np.testing.assert_allclose(algorithm.scores(query, renamed, options), scores[:, order], atol=1e-5)
    shuffle = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    np.testing.assert_allclose(algorithm.fit(x[shuffle], y[shuffle], 3, options).weights, fitted.weights, atol=1e-5)
    np.testing.assert_allclose(algorithm.contributions(query, fitted, options).sum((1, 2)), scores, atol=1e-5)


def test_whitening_divides_out_what_varies_within_classes() -> None:
    """A direction that is loud and says nothing hides the classes; whitened, it doesn't. The formula in NumPy, all heads in one matrix."""
    x, y = random_case(n=30)
    x[..., 0] += 20 * torch.randn(x.shape[:-1], generator=torch.Generator().manual_seed(5))
    options = FitOptions(whiten=0.2)
    frame = algorithm.support_frame(x, y, 3, options)
    v = x.double().numpy()
    v = (v / np.linalg.norm(v, axis=-1, keepdims=True)).reshape(len(v), -1)
    within = np.concatenate([v[y == c] - v[y == c].mean(0) for c in range(3)])
    values, directions = np.linalg.eigh(within.T @ within)
    root = np.sqrt(0.2 / (0.8 * values.clip(0) / (values.sum() / (30 - 3)) + 0.2))
    expected = (v - v.mean(0)) @ (directions * root @ directions.T)
    seen = torch.cat([rows for _, rows in algorithm.heads_first(x, 3, frame)])
    np.testing.assert_allclose(seen.transpose(0, 1).flatten(1), expected, atol=1e-4)
    assert float(seen[..., 0].std()) < 2 * float(seen[..., 1:].std())
    fitted = algorithm.fit(x, y, 3, options)
    parts = algorithm.contributions(x[:4], fitted, options)
    np.testing.assert_allclose(parts.sum((1, 2)), algorithm.scores(x[:4], fitted, options), atol=1e-5)


def test_one_clip_a_class_whitens_nothing() -> None:
    x, _ = random_case(n=3)
    frame = algorithm.support_frame(x, torch.arange(3), 3, FitOptions(whiten=0.1))
    assert frame.whitener is not None
    assert frame.whitener.shape == (0, *x.shape[1:])
    (_, seen), *_ = algorithm.heads_first(x, 3, frame)
    np.testing.assert_allclose(seen.transpose(0, 1), (algorithm.unit(x) - algorithm.unit(x).mean(0)).flatten(1, 2), atol=1e-6)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = random_case(n=30)
    groups = torch.arange(30) // 6 * 3 + y
    whole, query = algorithm.fit(x, y, 3, FitOptions(), groups), random_case(5)[0]
    scores = algorithm.scores(query, whole, FitOptions())
    monkeypatch.setattr(algorithm, "CHUNK_ELEMENTS", 1)
    monkeypatch.setattr(algorithm, "CHUNK_ROWS", 7)
    assert len(list(algorithm.heads_first(x, 3, algorithm.plain_frame(x)))) == 6
    parts = algorithm.fit(x, y, 3, FitOptions(), groups)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-6)
    np.testing.assert_allclose(algorithm.scores(query, parts, FitOptions()), scores, atol=1e-6)


def test_zero_reliability_gives_uniform_weights_over_all_heads() -> None:
    r = torch.zeros(2, 3, 2)
    r[0, 0, 1] = 0.5
    for top_k in (None, 2):
        w = algorithm.head_weights(r, FitOptions(top_k=top_k))
        np.testing.assert_allclose(w[..., 0], torch.full((2, 3), 1 / 6), atol=1e-7)
        assert w[0, 0, 1] == 1


def test_top_k_keeps_ties_so_that_no_order_of_heads_decides() -> None:
    r = torch.tensor([0.9, 0.5, 0.5, 0.1]).view(1, 4, 1)
    kept = algorithm.head_weights(r, FitOptions(top_k=2)) > 0
    assert kept.flatten().tolist() == [True, True, True, False]
    assert (algorithm.head_weights(r, FitOptions(top_k=99)) > 0).all()


def test_sharp_weights_do_not_underflow() -> None:
    w = algorithm.head_weights(torch.tensor([1e-3, 9e-4]).view(1, 2, 1), FitOptions(tau_w=0.02))
    assert torch.isfinite(w).all()
    np.testing.assert_allclose(w.sum(), 1, atol=1e-6)
    assert w[0, 0, 0] > 0.99


def test_zero_vectors_are_equally_far_from_every_class() -> None:
    x, y = random_case()
    fitted = algorithm.fit(x, y, 3, FitOptions())
    np.testing.assert_allclose(algorithm.scores(torch.zeros_like(x[:1]), fitted, FitOptions()), [[1 / 3] * 3], atol=1e-6)


def test_half_precision_vectors_are_computed_in_float32() -> None:
    x, y = random_case()
    x = x.half().float()
    full, half = algorithm.fit(x, y, 3, FitOptions()), algorithm.fit(x.half(), y, 3, FitOptions())
    assert half.centroids.dtype == torch.float32
    np.testing.assert_array_equal(half.reliability, full.reliability)


def test_bad_input_is_named() -> None:
    x, y = random_case()
    with pytest.raises(DataError, match="at least one more class"):
        algorithm.fit(x, torch.zeros_like(y), 1, FitOptions())
    with pytest.raises(DataError, match="class number 3 has no clip"):
        algorithm.fit(x, y, 4, FitOptions())
    x[0, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        algorithm.fit(x, y, 3, FitOptions())


@pytest.mark.parametrize(
    "bad",
    [
        {"tau": 0},
        {"tau": float("nan")},
        {"tau_w": -1},
        {"top_k": 0},
        {"shrinkage": -1},
        {"scheme": "x"},
        {"reliability": "x"},
        {"pooling": "x"},
        {"trust": 1.5},
    ],
)
def test_options_check_their_domain(bad: dict) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        replace(FitOptions(), **bad)
