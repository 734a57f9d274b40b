"""A project's database on disk: busy, damaged, foreign, or on a disk that refuses."""

from __future__ import annotations

import sqlite3

import pytest

from calm_core.errors import ProjectError
from calm_core.library import storage
from calm_core.library.project import Project
from calm_core.library.storage import DATABASE


def test_a_busy_project_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "BUSY_TIMEOUT_MS", 20)
    with Project(project.folder) as late:
        project._db.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectError, match="was busy"):
            late.label([1], "owl")
        project._db.execute("ROLLBACK")


def test_damage_and_strangers_are_refused(project: Project) -> None:
    project.close()
    with sqlite3.connect(project.folder / DATABASE) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(ProjectError, match="format version 7"):
        Project(project.folder)
    (project.folder / DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(ProjectError, match="damaged"):
        Project(project.folder)
