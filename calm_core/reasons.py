"""Why a clip got its class and not another, and where in the clip the heads that count listened. Knows arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Reasons:
    """Why a clip got its class rather than the next best: heads as (layer, head, lead), counted from 0.

    lead (L, H): how much each head's contribution to `best` exceeds that to `rival`; it sums to the difference of the scores.
    """

    best: int
    rival: int
    lead: Array

    @property
    def total(self) -> float:
        return float(self.lead.sum())

    def strongest(self, n: int, *, against: bool = False) -> list[tuple[int, int, float]]:
        """The n heads that spoke most for `best` (or, against it, for `rival`); fewer where fewer did."""
        flat = -self.lead.ravel() if against else self.lead.ravel()
        order = [int(i) for i in np.argsort(-flat, kind="stable")[:n] if flat[i] > 0]
        return [(*divmod(i, self.lead.shape[1]), float(self.lead.ravel()[i])) for i in order]

    @property
    def to_change(self) -> int:
        """The fewest heads that would have to be silent for `rival` to win, those that spoke most for `best`; 0 where it is ahead as it
        is, or no head spoke for it."""
        left = self.total - np.cumsum(-np.sort(-self.lead.ravel(), kind="stable"))
        return int((left < 0).argmax()) + 1 if self.total > 0 and (left < 0).any() else 0

    @property
    def share_of_five(self) -> float:
        """The share of all that was said for `best` that its five strongest heads said."""
        said = np.sort(self.lead.ravel()[self.lead.ravel() > 0])
        return float(said[-5:].sum() / said.sum()) if len(said) else 0.0

    def in_words(self, class_names: Sequence[str]) -> str:
        """Which five heads decided, which spoke against, and what would have to change; layers and heads counted from 1."""
        best, rival, silent = class_names[self.best], class_names[self.rival], self.to_change
        loudest, against = self.strongest(5), self.strongest(1, against=True)
        text = f"Loudest for ‘{best}’ against ‘{rival}’: {_named(loudest) or 'no head'}"
        text += f"; together {100 * self.share_of_five:.0f} % of what was said for it. " if len(loudest) == 5 else ". "
        text += f"Loudest for ‘{rival}’: {_named(against)}. " if against else f"No head spoke for ‘{rival}’. "
        if silent > self.lead.size / 2:
            text += "With half of all heads silent the answer would be the same."
        elif silent:
            text += f"With {f'the {silent} loudest heads' if silent > 1 else 'its loudest head'} silent it would be ‘{rival}’."
        return text.rstrip()


def _named(heads: list[tuple[int, int, float]]) -> str:
    return ", ".join(f"layer {layer + 1} head {head + 1}" for layer, head, _ in heads)


def reasons(contributions: Array, best: int | None = None, rival: int | None = None) -> Reasons:
    """Reasons from a clip's contributions (L, H, C); best and rival: by default the classes with the highest and next highest score."""
    scores = contributions.sum((0, 1))
    best = int(scores.argmax()) if best is None else best
    rival = int(np.where(np.arange(len(scores)) == best, -np.inf, scores).argmax()) if rival is None else rival
    return Reasons(best, rival, contributions[:, :, best] - contributions[:, :, rival])


def listening(attention: Array, weights: Array) -> Array:
    """Where the heads that count for a class looked: shares (T,) of the audio tokens, which sum to 1.

    attention (L, H, T): from the last prompt token over the audio tokens; weights (L, H): of the class. A head that looks at words
    instead says little about the sound and so counts for little. Equal shares where nobody looked at the sound at all.
    """
    share = np.einsum("lht,lh->t", attention, weights, dtype=np.float64)
    total = share.sum()
    return (share / total if total > 0 else np.full(len(share), 1 / len(share))).astype(np.float32)
