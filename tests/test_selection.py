"""Choosing by leave-one-out likelihood: it takes what the clips show, and no more than they show."""

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


def test_the_choice_does_not_depend_on_the_order_of_clips_or_heads() -> None:
    x, y = heads_that_differ(per_class=8)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    assert selection.choose(x[order], y[order], 4, FitOptions()) == selection.choose(x.flip(2), y, 4, FitOptions())


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(
    "options",
    [FitOptions(tau=0.2, trust=0.5), FitOptions(tau=0.2, scheme="probability", top_k=5, shrinkage=1.0), FitOptions(pooling="log")],
    ids=["mixed", "few heads", "log"],
)
def test_own_class_weights_leave_the_clips_group_out(grouped: bool, options: FitOptions) -> None:
    """The losses in closed form against means over the other clips, written out."""
    x, y = heads_that_differ(per_class=4)
    groups = torch.arange(len(y)) // 2 if grouped else torch.arange(len(y))
    found = {c.options: c.losses for c in selection._Support(x, y, 4, groups).candidates([options])}
    sims = torch.cat([s for _, s in algorithm.leave_one_out_similarities(x, y, 4, groups)])
    p, opinion = algorithm.posteriors(sims, options.tau), algorithm.pooled(sims, options)
    values = algorithm.reliability_values(p, y, options.scheme)
    scores = torch.empty(len(y), 4)
    for i in range(len(y)):
        judges = [(y == c) & (groups != groups[i]) if c == y[i] else y == c for c in range(4)]
        r = torch.stack([values[:, judging].mean(1) for judging in judges], dim=1).unsqueeze(0)
        r = algorithm.shrink(r, torch.tensor([judging.sum() for judging in judges]), options.shrinkage)
        scores[i] = (algorithm.head_weights(r, options)[0] * opinion[:, i]).sum(0)
    clips = torch.stack([scores[groups == g].mean(0) for g in groups.unique()])
    log_scores = clips if options.pooling == "log" else clips.log()
    by_temperature = [
        torch.nn.functional.cross_entropy(
            log_scores / t, y[:: len(y) // len(clips)], reduction="none", label_smoothing=4 / 3 / (len(clips) + 2)
        )
        for t in selection.TEMPERATURES
    ]
    torch.testing.assert_close(found[options], min(by_temperature, key=torch.mean), rtol=1e-4, atol=1e-5)
