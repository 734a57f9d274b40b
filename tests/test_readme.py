"""The README tells the truth: its commands and its Python run, its table is the registry, its tree is the repository."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from calm_core.backbones import offered
from calm_core.cli import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_first_try_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    commands = [line for line in blocks("bash")[2].splitlines() if "-m calm_core" in line]
    assert len(commands) == 3
    for command in commands:
        assert main(shlex.split(command.split("-m calm_core")[1])) == 0
    out = capsys.readouterr().out
    assert "leave-one-out accuracy" in out
    assert "goose 7.ogg\tgoose" in out


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    names: dict = {}
    (code,) = blocks("python")
    exec(code, names)
    assert names["found"].labels[0] == "dolphin"


def test_the_backbones_table_is_the_registry() -> None:
    rows = re.findall(r"^\| `([\w-]+)`.*\| (\d+ x \d+) \| ([\d.]+) GB \| (\d+) s \| ([\w.-]+) \|$", README, flags=re.M)
    assert [(r.id, r.heads, f"{r.memory_gb:g}", f"{r.window_s:g}", r.licence) for r in offered()] == rows
    for row in offered():
        if row.repo:
            assert row.repo in README
            assert f"`{row.revision if '/' in row.revision else row.revision[:8]}`" in README


def test_every_file_it_names_is_there() -> None:
    tree = blocks("")[-1]
    for name in re.findall(r"([\w/]+(?:\.py|/))(?=\s)", tree):
        assert (ROOT / name).exists() or (ROOT / "calm_core" / name).exists(), name
    for link in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_front_matter_fits_spaces() -> None:
    front = README.split("---")[1]
    values = dict(re.findall(r"^(\w+): (.+)$", front, flags=re.M))
    assert len(values["short_description"]) <= 60
    assert f"gradio=={values['sdk_version']}" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / values["app_file"]).exists()
