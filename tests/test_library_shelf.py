"""The folder of projects: listed, opened, deleted, swept, and moved out of the cache."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from calm_core.errors import ProjectError
from calm_core.library import shelf
from calm_core.library.project import Project
from calm_core.library.shelf import (
    delete_project,
    move_from_cache,
    open_project,
    project_info,
    projects,
    projects_home,
    sweep,
)
from calm_core.library.storage import DATABASE, SEEN

from .conftest import new_clips


def test_a_project_is_opened_by_its_id_alone(project: Project) -> None:
    root = project.folder.parent
    with open_project(root, project.id) as opened:
        assert opened.folder == project.folder
    with pytest.raises(ProjectError, match="no project 'gone'"):
        open_project(root, "gone")
    for id in ("../new", "", "a/b"):
        with pytest.raises(ProjectError, match="is no project"):
            open_project(root, id)


def test_list_and_sweep(project: Project) -> None:
    root = project.folder.parent
    project.label([1, 2], "owl")
    with Project.create(root, "Old") as old:
        pass
    os.utime(old.folder / SEEN, (0, 0))
    assert [(info.name, info.clips, info.labelled) for info in projects(root)] == [("Night", 6, 2), ("Old", 0, 0)]
    assert sweep(root, 3600) == (old.id,)
    assert [info.id for info in projects(root)] == [project.id]
    assert projects(root / "nowhere") == ()
    assert sweep(root / "nowhere", 0) == ()
    (old.folder / "clips").mkdir(parents=True)  # an earlier sweep was cut off, or a visitor wrote into it meanwhile
    os.utime(old.folder, (0, 0))
    assert sweep(root, 3600) == (old.id,)
    assert not old.folder.exists()


def test_who_comes_back_while_others_are_swept_keeps_the_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project.folder.parent
    folders = [project.folder]
    for _ in range(2):
        with Project.create(root) as other:
            folders.append(other.folder)
    for folder in folders:
        os.utime(folder / SEEN, (0, 0))
    rmtree = shutil.rmtree

    def slow(folder: Path, **how: bool) -> None:
        assert not (folder / DATABASE).exists()
        for other in folders:
            if other != folder:
                (other / SEEN).touch()
        rmtree(folder, **how)

    monkeypatch.setattr(shutil, "rmtree", slow)
    (swept,) = sweep(root, 3600)
    assert {info.folder for info in projects(root)} == {folder for folder in folders if folder.name != swept}


def test_a_project_that_is_deleted_while_projects_are_listed_is_passed_over(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project.folder.parent
    with Project.create(root, "Gone") as gone:
        pass

    def holds_project(folder: Path) -> bool:
        if folder == gone.folder:
            shutil.rmtree(folder)
        return True

    monkeypatch.setattr(shelf, "holds_project", holds_project)
    assert [info.name for info in projects(root)] == ["Night"]


def test_a_deleted_project_is_gone_for_every_tab(project: Project) -> None:
    root = project.folder.parent
    info = project_info(root, project.id)
    assert (info.name, info.clips) == ("Night", 6)
    delete_project(root, project.id)
    assert projects(root) == ()
    assert not project.folder.exists()
    for call in (lambda: project.label([1], "owl"), lambda: delete_project(root, project.id), lambda: project_info(root, project.id)):
        with pytest.raises(ProjectError, match="may have been deleted"):
            call()
    with pytest.raises(ProjectError, match="is no project"):
        delete_project(root, "../" + root.name)


@pytest.mark.parametrize(("code", "tries"), [(errno.ENOTEMPTY, 2), (errno.EACCES, 1)])
def test_a_deletion_that_the_disk_refuses_names_no_path(
    code: int, tries: int, project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    def refused(folder: Path) -> None:
        tried.append(folder)
        raise OSError(code, os.strerror(code), str(folder))

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(ProjectError, match=os.strerror(code)) as caught:
        delete_project(project.folder.parent, project.id)
    assert tried == [project.folder] * tries
    assert repr(project.id) in str(caught.value)
    assert str(project.folder.parent) not in str(caught.value)
    assert str(project.folder) in caplog.text


def test_a_clip_that_comes_while_a_project_is_deleted_goes_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rmtree, late = shutil.rmtree, [OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY))]

    def once_late(folder: Path) -> None:
        if late:
            raise late.pop()
        rmtree(folder)

    monkeypatch.setattr(shutil, "rmtree", once_late)
    delete_project(project.folder.parent, project.id)
    assert not project.folder.exists()


def test_a_damaged_project_can_be_deleted(project: Project) -> None:
    root = project.folder.parent
    project.close()
    (project.folder / DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    assert "damaged" in project_info(root, project.id).error
    assert "damaged" in projects(root)[0].error
    delete_project(root, project.id)
    assert not project.folder.exists()


@pytest.mark.parametrize("across_disks", [False, True])
def test_projects_move_from_the_cache_to_the_data_folder(across_disks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALM_HOME")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    root = projects_home()
    assert root == tmp_path / "data" / "projects"
    assert move_from_cache(root) == ()
    with Project.create(tmp_path / "cache" / "projects", "Old") as old:
        old.add(new_clips(tmp_path, 2))
    if across_disks:
        rename = Path.rename

        def refused(path: Path, target: Path) -> Path:
            if path == old.folder:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", refused)
    assert move_from_cache(root) == (old.id,)
    assert move_from_cache(root) == ()
    assert not old.folder.exists()
    with open_project(root, old.id) as moved:
        assert all(entry.path.is_file() for entry in moved.snapshot().entries)
    assert [folder.name for folder in (tmp_path / "data").iterdir()] == ["projects"]


def test_what_cannot_be_moved_stays_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALM_HOME")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    Project.create(tmp_path / "cache" / "projects", "Old").close()
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ProjectError, match="move the folders yourself"):
        move_from_cache(tmp_path / "data" / "projects")
    assert [info.name for info in projects(tmp_path / "cache" / "projects")] == ["Old"]


def test_calm_home_holds_projects_too(calm_home: Path) -> None:
    assert projects_home() == calm_home / "projects"
    Project.create(projects_home()).close()
    assert move_from_cache(projects_home()) == ()
