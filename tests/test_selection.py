"""Choosing by leave-one-out likelihood: it takes what the clips show, and no more than they show."""

from __future__ import annotations

import pytest
import torch

from calm_core import selection
from calm_core.options import FitOptions
from calm_core.selection import _Sums


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
    assert selection.choose(x, y, 4, FitOptions(tau=0.5)) == FitOptions(tau=0.1, pooling="log", centre=True, trust=0.0)
    x, y = heads_that_differ(per_class=1)  # nobody can be left out
    assert selection.choose(x, y, 4, FitOptions()).trust == 0


def test_what_is_not_chosen_stays() -> None:
    x, y = heads_that_differ(per_class=6)
    asked = FitOptions(scheme="brier", shrinkage=2.0, top_k=5)
    found = selection.choose(x, y, 4, asked)
    assert (found.scheme, found.shrinkage, found.top_k) == ("brier", 2.0, 5)


def test_the_choice_does_not_depend_on_the_order_of_clips_or_heads() -> None:
    x, y = heads_that_differ(per_class=8)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(3))
    assert selection.choose(x[order], y[order], 4, FitOptions()) == selection.choose(x.flip(2), y, 4, FitOptions())


@pytest.mark.parametrize("grouped", [False, True])
def test_own_class_weights_leave_the_clips_group_out(grouped: bool) -> None:
    """r^-i in closed form against means over the other clips, written out."""
    x, y = heads_that_differ(per_class=4)
    groups = torch.arange(len(y)) // 2 if grouped else torch.arange(len(y))
    sums = _Sums(y, groups, 4, FitOptions(tau=0.2))
    from calm_core import algorithm

    sims = torch.cat([s for _, s in algorithm.leave_one_out_similarities(x, y, 4, groups)])
    sums.add(sims)
    p = algorithm.posteriors(sims, 0.2)
    values = algorithm.reliability_values(p, y, "margin_clamped")
    for i in range(len(y)):
        others = (y == y[i]) & (groups != groups[i])
        r = torch.stack([values[:, y == c].mean(1) for c in range(4)], dim=1)
        r[:, y[i]] = values[:, others].mean(1)
        torch.testing.assert_close(sums.votes["linear", 1.0][i], (r * p[:, i]).sum(0), rtol=1e-4, atol=1e-5)
