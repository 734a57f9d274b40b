"""The page of the app with a fake backbone, in a browser: what benchmarks of page time share."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from calm_core.backbones.fake import FakeBackbone
from calm_core.studio import Studio

RATE_HZ = 16_000
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 600_000


def told(what: str, work: Callable[[], Any]) -> Any:
    """Does the work, and prints how long it took by the wall's clock."""
    start = time.perf_counter()
    found = work()
    print(f"{what:<52}{time.perf_counter() - start:9.3f} s", flush=True)
    return found


class OneBackbone(Studio):
    """A studio whose only backbone is a fake one."""

    def __init__(self, fake: FakeBackbone) -> None:
        super().__init__()
        self.fake = fake

    def backbone(self, id: str = "fake", device: str = "auto") -> FakeBackbone:  # noqa: ARG002
        return self.fake


def tones(folder: Path, classes: int, clips: int) -> Path:
    """Class folders of quarters of a second: a tone per clip, in noise."""
    rng = np.random.default_rng(0)
    for c in range(classes):
        (folder / f"class {c}").mkdir(parents=True)
        for i in range(clips):
            tone = np.sin(2 * np.pi * (300 + 700 * c + 5 * i) * np.arange(RATE_HZ // 4) / RATE_HZ)
            sf.write(folder / f"class {c}" / f"{i}.wav", 0.3 * tone + 0.05 * rng.normal(size=len(tone)), RATE_HZ)
    return folder


@contextmanager
def home() -> Iterator[Path]:
    """A folder for this run, in which everything is kept too."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CALM_HOME"] = str(Path(folder) / "home")
        yield Path(folder)


@contextmanager
def opened(studio: Studio) -> Iterator[Any]:
    """The page of a studio in a browser (a playwright page)."""
    from playwright.sync_api import expect, sync_playwright

    import app

    demo = app.build_demo(studio, backbone="fake")
    _, url, _ = app.launch(demo, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        tab.goto(url)
        try:
            yield tab
        finally:
            browser.close()
            demo.close(verbose=False)
