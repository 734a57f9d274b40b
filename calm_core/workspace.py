"""A person's clips with their checks, before anything is learned of them: counted, relabelled, left out, judged anew after every change.

A value that never changes: each step gives another workspace. Knows no model and no page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from .audio import ClipStatus
from .dataset import Clip, ClipCheck, advice, preflight


@dataclass(frozen=True, slots=True)
class Workspace:
    """A person's clips with their preflight checks; `ignored` names what was handed in but isn't a clip, and why."""

    checks: tuple[ClipCheck, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()

    @property
    def usable(self) -> tuple[ClipCheck, ...]:
        """The clips to learn from: labelled, and nothing wrong with them."""
        return tuple(check for check in self.checks if check.usable and check.clip.label is not None)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the usable clips."""
        return tuple(check.clip.label for check in self.usable if check.clip.label is not None)

    @property
    def class_counts(self) -> dict[str, int]:
        """Usable clips per class, sorted by name; a class none of whose clips is usable counts 0."""
        counts = Counter(self.labels)
        return {name: counts[name] for name in sorted({check.clip.label for check in self.checks if check.clip.label is not None})}

    @property
    def advice(self) -> tuple[str, ...]:
        return advice(self.checks) if self.checks else ()

    @property
    def can_learn(self) -> bool:
        return len(set(self.labels)) >= 2

    def of_class(self, label: str) -> tuple[ClipCheck, ...]:
        """The clips that were given this label, usable or not."""
        return tuple(check for check in self.checks if check.clip.label == label)

    @property
    def left_out(self) -> tuple[ClipCheck, ...]:
        """The labelled clips that would be usable if a person had not left them out."""
        return tuple(check for check in self.checks if check.status is ClipStatus.EXCLUDED and check.clip.label is not None)

    def without(self, clips: Collection[Clip]) -> Workspace:
        """The workspace without some clips; others are judged anew, for a duplicate's twin may be gone."""
        gone = frozenset(clips)
        return Workspace(preflight([check.clip for check in self.checks if check.clip not in gone], known=self.checks), self.ignored)

    def relabelled(self, clips: Collection[Clip], label: str) -> Workspace:
        """The workspace with some clips in another class; all are judged anew, for their audio may be there already. The names stay."""
        return self._with(clips, lambda clip: replace(clip, label=label))

    def excluding(self, clips: Collection[Clip], excluded: bool = True) -> Workspace:
        """The workspace with some clips left out, or taken back in; others are judged anew, for a conflict may be gone."""
        return self._with(clips, lambda clip: replace(clip, excluded=excluded))

    def _with(self, clips: Collection[Clip], change: Callable[[Clip], Clip]) -> Workspace:
        meant = frozenset(clips)
        after = [change(check.clip) if check.clip in meant else check.clip for check in self.checks]
        return Workspace(preflight(after, known=self.checks), self.ignored)
