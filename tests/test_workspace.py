"""A person's clips are judged anew after every change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from calm_core.dataset import Clip, preflight
from calm_core.readers import read
from calm_core.workspace import Workspace


@pytest.fixture
def workspace(class_folders: Path) -> Workspace:
    return Workspace(preflight(read(class_folders).clips))


def added(workspace: Workspace, clips: Sequence[Clip]) -> Workspace:
    return Workspace(preflight([*(check.clip for check in workspace.checks), *clips]))


def test_the_same_clips_twice_are_duplicates_and_removing_one_frees_the_other(workspace: Workspace) -> None:
    clips = tuple(Clip(c.clip.path, "again/" + c.clip.name, c.clip.label) for c in workspace.checks)
    twice = added(workspace, clips)
    assert len(twice.usable) == 12
    first = twice.checks[0].clip
    assert len(twice.without([first]).usable) == 12


def test_relabelling_compares_the_audio_again(workspace: Workspace) -> None:
    clip = workspace.checks[0].clip
    twice = added(workspace, (replace(clip, name="again.wav", label="other"),))
    assert [check.clip.name for check in twice.checks if not check.usable] == [clip.name, "again.wav"]
    mended = twice.relabelled([twice.checks[-1].clip], str(clip.label))
    assert [check.clip.name for check in mended.checks if not check.usable] == ["again.wav"]
