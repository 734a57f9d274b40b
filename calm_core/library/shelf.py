"""All projects of one folder: list, open, delete, sweep, and move there what earlier versions kept elsewhere.

Knows how a project's folder looks from outside; what is in it is read by `project`.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..errors import ProjectError
from ..vectors import calm_home
from .project import Project
from .storage import DATABASE, gone, holds_project, last_seen, opened, telling

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProjectInfo:
    """A line in the list of projects. changed: seconds since 1970; error: why it can't be opened, "" where it can."""

    id: str
    folder: Path
    name: str
    clips: int
    labelled: int
    changed: float
    error: str = ""


def projects_home() -> Path:
    """Where projects lie: in the folder CALM_HOME, else in the user's data folder; they are work, which a cache may forget."""
    home = calm_home() if os.environ.get("CALM_HOME") else Path(platformdirs.user_data_dir("calm-studio", appauthor=False))
    return home / "projects"


def move_from_cache(root: Path) -> tuple[str, ...]:
    """Moves projects from the cache folder, where earlier versions kept them, to `root`; their ids. Raises ProjectError where the disk
    refuses: those that are left stay whole where they were."""
    old = calm_home() / "projects"
    found = [folder for folder in old.iterdir() if holds_project(folder)] if old != root and old.is_dir() else []
    try:
        for folder in found:
            _move(folder, root / folder.name)
    except OSError as error:
        raise ProjectError(
            f"the projects in {old} can't be moved to {root} ({error}); make room there, or move the folders yourself."
        ) from error
    return tuple(folder.name for folder in found)


def open_project(root: Path, id: str) -> Project:
    """The project of that id under `root`. Raises ProjectError where there is none, and for what is no id at all."""
    return Project(_folder(root, id))


def delete_project(root: Path, id: str) -> None:
    """Deletes a project with its audio, for good; who has it open is told at the next act. Raises ProjectError as `open_project`, and
    where the disk refuses."""
    folder = _folder(root, id)
    if not holds_project(folder):
        raise gone(folder)
    try:
        (folder / DATABASE).unlink()  # first: half a project must not be listed
        try:
            shutil.rmtree(folder)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            shutil.rmtree(folder)  # another tab added a clip meanwhile; without a database it adds no more
    except OSError as error:
        log.exception("%s can't be deleted whole", folder)  # the path is for who runs this, not for visitors
        raise ProjectError(
            f"project {id!r} can't be deleted whole ({error.strerror or error}); "
            "what is left is a folder of that name, which whoever runs this program can delete by hand."
        ) from error


def project_info(root: Path, id: str) -> ProjectInfo:
    """One line of `projects`. Raises ProjectError as `open_project`, but not for a damaged one."""
    folder = _folder(root, id)
    if not holds_project(folder):
        raise gone(folder)
    return _info(folder)


def projects(root: Path) -> tuple[ProjectInfo, ...]:
    """All projects under `root`, the latest changed first; one that can't be opened is listed with the reason."""
    found = []
    for folder in root.iterdir() if root.is_dir() else ():
        with suppress(FileNotFoundError):  # deleted meanwhile
            if holds_project(folder):
                found.append(_info(folder))
    return tuple(sorted(found, key=lambda info: (-info.changed, info.id)))


def sweep(root: Path, older_than_s: float) -> tuple[str, ...]:
    """Deletes projects under `root` in which nothing happened for that long, with their audio; their ids.

    All folders of `root` count, also one without a database: what an earlier sweep, or a start that failed, left over.
    """
    swept = []
    for folder in list(root.iterdir()) if root.is_dir() else ():
        with suppress(FileNotFoundError):  # deleted meanwhile
            # Looked at when its turn comes: deleting takes time, in which somebody may come back to another one.
            if folder.is_dir() and time.time() - last_seen(folder) > older_than_s:
                (folder / DATABASE).unlink(missing_ok=True)  # first: half a project must not be opened
                shutil.rmtree(folder, ignore_errors=True)  # a visitor's file may vanish meanwhile; what is left goes the next time
                swept.append(folder.name)
    return tuple(swept)


def _folder(root: Path, id: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", id):
        raise ProjectError(f"{id[:40]!r} is no project; use the link as it was given.")
    return root / id


def _move(folder: Path, target: Path) -> None:
    """Across disks too; the target is whole or not there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with tempfile.TemporaryDirectory(dir=target.parent.parent) as near:
            shutil.copytree(folder, copy := Path(near) / folder.name)
            copy.rename(target)
        shutil.rmtree(folder)


def _info(folder: Path) -> ProjectInfo:
    changed = last_seen(folder)
    try:
        with telling(folder), closing(opened(folder, thorough=False)) as db:
            (name,) = db.execute("SELECT name FROM project").fetchone()
            learnable = "SELECT count(*), count(CASE WHEN state = 'positive' AND judge = 'person' THEN 1 END) FROM clip WHERE present"
            clips, labelled = db.execute(learnable).fetchone()
    except ProjectError as error:
        return ProjectInfo(folder.name, folder, folder.name, 0, 0, changed, str(error))
    return ProjectInfo(folder.name, folder, name, clips, labelled, changed)
