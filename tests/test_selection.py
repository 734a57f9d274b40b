"""Choosing by held-out likelihood: it takes what the clips show, and no more than they show."""

from __future__ import annotations

import pytest
import torch

from calm_core import algorithm, selection
from calm_core.options import FitOptions


def heads_that_differ(per_class: int, seed: int = 0, informative: int = 2, heads: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Class c of four is heard by its own `informative` heads alone; all others hear noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(4).repeat_interleave(per_class)
    x = torch.randn(len(y), 2, heads // 2, 8, generator=generator)
    means = 3 * torch.randn(4, 8, generator=torch.Generator().manual_seed(99))
    for c in range(4):
        own = torch.arange(informative * c, informative * (c + 1))
        x.view(len(y), heads, 8)[(y == c).nonzero(), own] += means[c]
    return x, y


def test_heads_that_differ_are_trusted_and_heads_alike_are_not() -> None:
    x, y = heads_that_differ(per_class=15)
    assert selection.choose(x, y, 4, FitOptions()).trust > 0
    alike = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))[y] + torch.randn(
        x.shape, generator=torch.Generator().manual_seed(2)
    )
    assert selection.choose(alike, y, 4, FitOptions()).trust == 0


def test_too_few_clips_choose_nothing() -> None:
    x, y = heads_that_differ(per_class=2)
    assert selection.choose(x, y, 4, FitOptions(tau=0.5)) == FitOptions(tau=0.5)
    x, y = heads_that_differ(per_class=1)  # nobody can be left out
    assert selection.choose(x, y, 4, FitOptions()) == FitOptions()


def test_what_is_not_chosen_stays() -> None:
    x, y = heads_that_differ(per_class=6)
    asked = FitOptions(reliability="resubstitution", shrinkage=2.0, top_k=5)
    found = selection.choose(x, y, 4, asked)
    assert (found.reliability, found.shrinkage, found.top_k) == ("resubstitution", 2.0, 5)


def test_few_good_heads_among_many_deaf_ones_are_kept_alone() -> None:
    """Hundreds of heads that hear noise outvote two that hear everything, unless few are kept or the weights are sharp."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3).repeat_interleave(12)
    x = torch.randn(len(y), 1, 200, 8, generator=generator)
    x[:, 0, :2] += 2 * torch.randn(3, 8, generator=generator)[y].unsqueeze(1)
    found = selection.choose(x, y, 3, FitOptions())
    assert found.trust > 0 or found.top_k is not None
    fitted = algorithm.fit(x, y, 3, found)
    assert float(fitted.weights[0, :2].sum(0).min()) > 5 * 2 / 200


def test_the_choice_does_not_depend_on_the_order_of_heads() -> None:
    x, y = heads_that_differ(per_class=8)
    assert selection.choose(x, y, 4, FitOptions()) == selection.choose(x.flip(2), y, 4, FitOptions())


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        FitOptions(tau=0.2, trust=0.5),
        FitOptions(tau=0.2, scheme="probability", top_k=5, shrinkage=1.0),
        FitOptions(pooling="log", whiten=0.2),
    ],
    ids=["mixed", "few heads", "log"],
)
def test_losses_are_those_of_literal_refits(windows: int, options: FitOptions) -> None:
    x, y = heads_that_differ(per_class=6)
    groups = torch.arange(len(y)) // windows
    found = {c.options: c.losses for c in selection._Support(x, y, 4, groups).candidates([options])}
    scores = torch.empty(len(y), 4)
    fold_of = algorithm.deal(y, groups, selection.FOLDS)
    for fold in range(selection.FOLDS):
        out = fold_of == fold
        scores[out] = algorithm.scores(x[out], algorithm.fit(x[~out], y[~out], 4, options, groups[~out]), options)
    clips = scores.view(-1, windows, 4).mean(1)
    log_scores = clips if options.pooling == "log" else clips.log()
    by_temperature = [
        torch.nn.functional.cross_entropy(log_scores / t, y[::windows], reduction="none", label_smoothing=4 / 3 / (len(clips) + 2))
        for t in selection.TEMPERATURES
    ]
    torch.testing.assert_close(found[options], min(by_temperature, key=torch.mean), rtol=1e-4, atol=1e-4)


def test_a_class_of_one_clip_is_never_asked_about() -> None:
    x, y = heads_that_differ(per_class=6)
    keep = (y != 3) | (torch.arange(len(y)) == len(y) - 1)
    support = selection._Support(x[keep], y[keep], 4, torch.arange(int(keep.sum())))
    losses = next(support.candidates([FitOptions(pooling="log")])).losses
    assert len(losses) == support.testable == 18
    assert bool(torch.isfinite(losses).all())


def test_the_choice_tells_how_far_it_is_and_can_be_stopped() -> None:
    x, y = heads_that_differ(per_class=6)
    told: list[int] = []
    steps = selection.FOLDS * (len(selection.FRAMES) + 1)

    def stop_at_the_last(done: int, total: int, _: str) -> None:
        told.append(done)
        assert total == steps
        if done == steps - 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        selection.choose(x, y, 4, FitOptions(), progress=stop_at_the_last)
    assert told == list(range(steps))
