"""Few-shot splits: which clips to learn from and which to test on, so that the test meets no voice it learned from.

Knows labels and groups as they stand in lists; knows no clips and no files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import DataError


def split_support(
    labels: Sequence[str], groups: Sequence[Hashable], shots: int, rng: np.random.Generator, *, min_rest: int = 1
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw a few-shot split: (support, rest), sorted indices into `labels`; the same `rng` state gives the same split.

    From every class `shots` groups are drawn, and from each of them one clip. `groups` (one per clip) says which clips come from one
    recording, bird or speaker; all clips of a drawn group, of whatever class, are kept out of the rest, so that the rest never meets
    a voice it learned from. With one group per clip this is the plain k-shot split.

    Raises DataError if a class has fewer than `shots` groups, or fewer than `min_rest` clips would be left of it.
    """
    if shots < 1:
        raise DataError(f"{shots} clips per class were asked for; at least 1 is needed.")
    members: dict[str, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        members[label][group].append(i)

    support: list[int] = []
    for label in sorted(members):
        by_group = list(members[label].values())
        if len(by_group) < shots:
            raise DataError(f"class {label!r} has {len(by_group)} independent clips; {shots} are needed. Add clips or ask for fewer.")
        support += [int(rng.choice(by_group[g])) for g in rng.choice(len(by_group), size=shots, replace=False)]

    taken = {groups[i] for i in support}
    rest = [i for i, group in enumerate(groups) if group not in taken]
    left = Counter(labels[i] for i in rest)
    for label in sorted(members):
        if left[label] < min_rest:
            raise DataError(
                f"class {label!r} has {left[label]} clips left for testing after {shots} are taken to learn from;"
                f" at least {min_rest} must be left. Add clips or ask for fewer."
            )
    return np.array(sorted(support), dtype=np.intp), np.array(rest, dtype=np.intp)
