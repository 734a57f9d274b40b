"""What one head knows and what if heads were off: checked against literal refits, planted heads and sums by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom

from calm_core import algorithm, figures
from calm_core.classifier import CalmClassifier, Refit
from calm_core.errors import DataError
from calm_core.inspection import Workbench, class_similarity, layer_profile
from calm_core.options import FitOptions
from calm_core.vectors import HeadVectors

CLIP_OF_ROW = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])  # two clips have two windows
LABELS = ["a", "b", "a", "b", "a", "b", "c", "c", "a", "b", "c", "a", "b", "d"]  # d: one clip alone


def planted(seed: int = 0, per_class: int = 8, strength: float = 6.0) -> tuple[np.ndarray, list[str]]:
    """Noise in 8 layers of 4 heads, but head (2, 3) alone tells class A and head (5, 1) alone class B, of three classes."""
    rng = np.random.default_rng(seed)
    labels = [name for name in "ABC" for _ in range(per_class)]
    x = rng.normal(size=(len(labels), 8, 4, 16)).astype(np.float32)
    x[[name == "A" for name in labels], 2, 3, 0] += strength
    x[[name == "B" for name in labels], 5, 1, 0] += strength
    return x, labels


def odd_case(options: FitOptions) -> tuple[HeadVectors, CalmClassifier, Workbench]:
    x = np.random.default_rng(0).normal(size=(len(CLIP_OF_ROW), 3, 4, 8)).astype(np.float32)
    x[[LABELS[clip] == "a" for clip in CLIP_OF_ROW], 1, 2, 0] += 2
    heads = HeadVectors(x, CLIP_OF_ROW)
    return heads, *learned(heads, LABELS, options)


def learned(heads: HeadVectors, labels: list[str], options: FitOptions) -> tuple[CalmClassifier, Workbench]:
    refits: list[Refit] = []
    model = CalmClassifier.fit(heads, labels, options=options, keep=refits.append)
    return model, Workbench(model, heads, labels, refits)


@pytest.mark.parametrize(
    "options",
    [
        FitOptions(),
        FitOptions(whiten=0.2),
        FitOptions(shrinkage=2.0, top_k=5, centre=True, pooling="log"),
        FitOptions(scheme="brier", reliability="resubstitution", trust=0.5),
    ],
)
def test_heads_off_and_other_options_are_exactly_a_refit(options: FitOptions) -> None:
    heads, model, bench = odd_case(options)
    on = np.random.default_rng(1).random((3, 4)) < 0.5
    only = HeadVectors(heads.values[:, on][:, None], CLIP_OF_ROW)
    alone = [] if options.whiten else [(bench.with_heads(on), only, CalmClassifier.fit(only, LABELS, options=options, null=False))]
    for found, asked, refit in (
        *alone,
        (bench.with_heads(), heads, model),
        (bench.with_heads(None, other := replace(options, tau=0.2, top_k=3)), heads, CalmClassifier.fit(heads, LABELS, options=other)),
    ):
        for part in ("scores", "familiarity"):
            np.testing.assert_allclose(getattr(found.held_out, part), getattr(refit.held_out, part), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.predict(heads).scores, refit.predict(asked).scores, rtol=1e-4, atol=1e-5)
        assert found.temperature == pytest.approx(refit.temperature, rel=1e-3)
    np.testing.assert_array_equal(bench.with_heads(on).weights[~on], 0)


def test_what_learning_heard_is_not_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, model, bench = odd_case(FitOptions())
    assert np.shares_memory(bench.heads.values, heads.values)
    again: list[str] = []
    for name in ("similarities", "leave_one_out_similarities"):
        known = getattr(algorithm, name)
        monkeypatch.setattr(algorithm, name, lambda *given, name=name, known=known: again.append(name) or known(*given))
    on = np.arange(12).reshape(3, 4) != 6
    bench.with_heads(on)
    bench.with_heads(on, replace(model.options, top_k=3))
    bench.ablation()
    assert again == []
    steps: list[int] = []
    bench.with_heads(on, replace(model.options, tau=0.2), lambda done, _total, _what: steps.append(done))
    assert steps == list(range(14))  # 13 clips left out in turn (the 14th is alone in its class), and none
    heard = len(again)
    bench.with_heads(on, replace(model.options, tau=0.3))
    assert len(again) == heard


@pytest.mark.parametrize("options", [FitOptions(), FitOptions(whiten=0.2), FitOptions(centre=True, scheme="margin")])
def test_a_card_tells_of_the_head_as_the_model_hears_it(options: FitOptions) -> None:
    x = np.random.default_rng(0).normal(size=(12, 2, 3, 8)).astype(np.float32)
    heads, labels = HeadVectors(x, np.arange(12)), ["a", "b", "c"] * 4
    model, bench = learned(heads, labels, options)
    card = bench.card(1, 2)
    values = algorithm.reliability_values(torch.from_numpy(card.votes)[None], torch.from_numpy(card.truth), options.scheme)[0].numpy()
    means = [values[card.truth == c].mean() for c in range(3)]
    np.testing.assert_allclose(means, model.reliability[1, 2], atol=1e-5)


def test_what_cannot_be_changed_is_said() -> None:
    _, model, bench = odd_case(FitOptions())
    with pytest.raises(DataError, match="every head is switched off"):
        bench.with_heads(np.zeros((3, 4), dtype=bool))
    with pytest.raises(DataError, match="learn again"):
        bench.with_heads(None, replace(model.options, centre=True))
    with pytest.raises(DataError, match="no head 5 in layer 1"):
        bench.card(0, 4)
    with pytest.raises(DataError, match="13 labels for 14 clips"):
        Workbench(model, bench.heads, LABELS[:-1], ())
    with pytest.raises(DataError, match="the refits heard 0 left-out rows, the model was tested on 15"):
        Workbench(model, bench.heads, LABELS, ())


def test_a_tau_that_moves_makes_the_chance_level_unknown() -> None:
    _, model, bench = odd_case(FitOptions())
    assert np.isnan(bench.with_heads(None, replace(model.options, tau=0.3)).chance.numpy()).all()
    np.testing.assert_array_equal(bench.with_heads().chance, model.chance)


def test_the_card_names_what_was_planted() -> None:
    x, labels = planted()
    _, bench = learned(HeadVectors(x, np.arange(len(labels))), labels, FitOptions())
    card = bench.card(2, 3)
    assert card.recognised(0).hits == card.recognised(0).n == 8
    assert card.reliability.argmax() == 0
    assert card.low[0] <= card.reliability[0] <= card.high[0]
    assert card.low[0] > max(card.reliability[1:])
    assert {labels[i] for i in card.nearest(0)[:8]} == {"A"}
    assert card.confusion.sum() == len(labels)
    assert abs(card.map[:8, 0].mean() - card.map[8:, 0].mean()) > 0.5  # the first direction is the planted one
    assert card.explained[0] > card.explained[1] > 0


def test_planted_heads_are_found_and_no_other_is_marked_more_often_than_one_in_twenty() -> None:
    seeds = 50
    marks = np.zeros((8, 4, 3), dtype=int)  # how often each cell was called better than chance
    for seed in range(seeds):
        x, labels = planted(seed, per_class=6)
        model = CalmClassifier.fit(x, labels, options=FitOptions())
        table = figures.reliability_table(model.reliability, model.weights, model.class_names, top=1, above=model.above_chance)
        found = [(row["class"], row["layer"] - 1, row["head"] - 1, row["chance"]) for row in table.to_dict("records")]
        assert found[:2] == [("A", 2, 3, "above"), ("B", 5, 1, "above")]
        marks += model.above_chance
    others = np.ones((8, 4), dtype=bool)
    others[2, 3] = others[5, 1] = False
    assert marks[others].mean() / seeds < 0.07  # 5 % and the noise of 4,500 cells that are not independent
    assert marks[others].max() <= binom.ppf(1 - 0.05 / marks[others].size, seeds, 0.05)  # nor any single cell, all of them asked


def test_a_card_with_windows_and_a_lone_clip() -> None:
    _, _, bench = odd_case(FitOptions())
    card = bench.card(1, 2)
    assert card.votes.shape == (14, 4)
    assert card.valid.tolist() == [True] * 13 + [False]
    assert card.voted[13] == -1
    assert np.isnan(card.low[3])
    assert 13 not in card.nearest(0)
    np.testing.assert_allclose(card.votes[:13].sum(1), 1, rtol=1e-5)


def test_dropping_the_planted_heads_first_costs_the_most() -> None:
    x, labels = planted(strength=8.0)
    found = learned(HeadVectors(x, np.arange(len(labels))), labels, FitOptions(tau=0.1))[1].ablation()
    assert found.kept[0] == 32
    assert found.kept[-1] == 1
    assert found.best_first[0] == found.worst_first[0] == found.random[0]
    assert found.worst_first.mean() > found.best_first.mean() + 0.05
    assert (found.random_low <= found.random + 1e-6).all()


def test_classes_that_share_heads_stand_together() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((4, 8)), rng.random((4, 8))
    weights = np.stack([one, other, one + 0.05 * rng.random((4, 8)), np.full((4, 8), 1 / 32)], axis=-1)
    found, order = class_similarity(weights)
    assert found[0, 2] > 0.95
    slightly, _ = class_similarity(np.stack([1 + 1e-3 * weights[..., 0], 1 + 1e-3 * weights[..., 2]], axis=-1))
    assert slightly[0, 1] == 0  # what little they have in common is chance
    assert found[3, 0] == 0  # equal weights have nothing in common with any
    assert abs(order.tolist().index(0) - order.tolist().index(2)) == 1
    assert sorted(order) == [0, 1, 2, 3]


def test_a_layers_profile_is_its_mean_with_an_interval() -> None:
    r = np.array([[0.1, 0.3], [0.2, 0.2]], dtype=np.float32)
    mean, low, high = layer_profile(r)
    np.testing.assert_allclose(mean, [0.2, 0.2])
    assert (low[0], high[0]) == (0, 1)  # the interval of two heads is wider than the scale
    assert low[1] == high[1] == pytest.approx(0.2)
