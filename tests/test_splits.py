"""Few-shot splits: the shots that were asked for, and no group on both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calm_core.errors import DataError
from calm_core.splits import split_support


@given(
    sizes=st.lists(st.integers(3, 8), min_size=2, max_size=4),
    per_group=st.integers(1, 3),
    shots=st.integers(1, 2),
    seed=st.integers(0, 2**32),
)
def test_a_split_has_the_shots_and_shares_no_group(sizes, per_group, shots, seed):
    names = [f"class {c}" for c, size in enumerate(sizes) for _ in range(size * per_group)]
    groups = [(c, i // per_group) for c, size in enumerate(sizes) for i in range(size * per_group)]
    support, rest = split_support(names, groups, shots, np.random.default_rng(seed))
    assert [names[i] for i in support] == [f"class {c}" for c in range(len(sizes)) for _ in range(shots)]
    assert len({groups[i] for i in support}) == shots * len(sizes), "one clip from each drawn group"
    assert not {groups[i] for i in support} & {groups[i] for i in rest}
    assert len(rest) == len(names) - shots * len(sizes) * per_group
    again = split_support(names, groups, shots, np.random.default_rng(seed))
    np.testing.assert_array_equal(again[0], support)
    np.testing.assert_array_equal(again[1], rest)


def test_every_clip_can_be_drawn():
    rng = np.random.default_rng(0)
    drawn = {tuple(split_support(["a"] * 3 + ["b"] * 3, range(6), 1, rng)[0]) for _ in range(200)}
    assert drawn == {(i, j) for i in range(3) for j in range(3, 6)}


def test_a_group_across_classes_stays_on_one_side():
    """One recording with an owl and a bat in it: whoever learns from it isn't tested on it."""
    names, groups = ["owl", "owl", "bat", "bat", "bat"], ["r1", "r1", "r1", "r2", "r3"]
    with pytest.raises(DataError, match="class 'owl' has 0 clips left for testing"):
        split_support(names, groups, 1, np.random.default_rng(0))
    support, rest = split_support(names, groups, 1, np.random.default_rng(0), min_rest=0)
    assert len(support) == 2
    assert "r1" not in {groups[i] for i in rest}


@pytest.mark.parametrize(
    ("shots", "min_rest", "reason"),
    [
        (0, 1, "0 clips per class"),
        (3, 1, "'bat' has 2 independent clips; 3 are needed"),
        (2, 1, "'bat' has 0 clips left"),
        (1, 2, "1 clips left"),
    ],
)
def test_too_few_clips_for_a_split_names_the_class(shots, min_rest, reason):
    with pytest.raises(DataError, match=reason):
        split_support(["owl"] * 9 + ["bat"] * 2, range(11), shots, np.random.default_rng(0), min_rest=min_rest)
