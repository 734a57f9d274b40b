"""Shared by all tests: a vector store of their own, and small sounds made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, sync_playwright

from calm_core.backbones.fake import FakeBackbone
from calm_core.library.project import Project
from calm_core.library.records import NewClip
from calm_core.studio import Studio

from .browsing import CHROMIUM, FLAGS

pytest.register_assert_rewrite("tests.serving")  # it is imported before pytest hears that it is a plugin

RATE_HZ = 16_000
TONES_HZ = {"high": 3000.0, "low": 200.0, "mid": 900.0}


@pytest.fixture(autouse=True)
def calm_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's store."""
    home = tmp_path / "calm-home"
    monkeypatch.setenv("CALM_HOME", str(home))
    return home


@pytest.fixture
def fake_backbone() -> FakeBackbone:
    return FakeBackbone()


@pytest.fixture
def studio(calm_home: Path) -> Studio:  # noqa: ARG001 (the store must be made after CALM_HOME is set)
    return Studio()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed with its module: while it is open, the thread's event loop is playwright's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def tone(frequency_hz: float, seconds: float = 0.5, seed: int = 0, noise: float = 0.05) -> np.ndarray:
    """A sine in a little noise, (n,) float32."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    return (0.3 * np.sin(2 * np.pi * frequency_hz * t) + noise * rng.normal(size=len(t))).astype(np.float32)


@pytest.fixture
def write_wav() -> Callable[..., Path]:
    def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate_hz)
        return path

    return write


@pytest.fixture
def class_folders(tmp_path: Path, write_wav: Callable[..., Path]) -> Path:
    """Three classes of four tones each, at data/<class>/<i>.wav."""
    root = tmp_path / "data"
    for name, frequency in TONES_HZ.items():
        for i in range(4):
            write_wav(root / name / f"{i}.wav", tone(frequency * (1 + 0.01 * i), seed=hash_seed(name, i)))
    return root


def hash_seed(name: str, i: int) -> int:
    return sum(name.encode()) * 100 + i


def new_clips(folder: Path, count: int, start: int = 0, **more: object) -> list[NewClip]:
    """Files that are told apart by their bytes: the library asks nothing else of them."""
    folder.mkdir(exist_ok=True)
    found = []
    for i in range(start, start + count):
        (folder / f"{i}.wav").write_bytes(f"sound {i}".encode())
        found.append(NewClip(folder / f"{i}.wav", f"{i}.wav", **more))  # type: ignore[arg-type]
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "projects", "Night") as project:
        project.add(new_clips(tmp_path / "new", 6))
        yield project
