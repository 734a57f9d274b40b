"""The page served with a fake backbone, sounds to give it, and what its tests do on it: a plugin of pytest."""

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import Browser, Page, expect

import app
from calm_core.backbones.fake import FakeBackbone
from calm_core.errors import Cancelled
from calm_core.studio import ClipPrediction, Learned, Studio

from .browsing import TIMEOUT_MS

CLASSES = {"hum": 200.0, "tone": 1500.0, "whistle": 5000.0}  # Hz
PER_CLASS = 4
ONE_HEARS = "Which head hears?"  # asked this, only head 5 of layer 2 does


class SlowFake(FakeBackbone):
    """A fake whose batches wait while `gate` is closed, that listens to a clip's second half, and that can be deaf on all heads but one."""

    audio_token_s = 0.05

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def prepare(self, waveform, prompt):
        return super().prepare(waveform, prompt), prompt

    def read(self, prepared, layers=None):
        assert self.gate.wait(30)
        vectors = super().read([bands for bands, _ in prepared], layers)
        if prepared[0][1] == ONE_HEARS:
            vectors *= (np.arange(32) == 12).reshape(4, 8, 1)[:layers]
        return vectors

    def attention(self, waveforms, prompt):  # noqa: ARG002
        tokens = [round(len(wave) / self.sample_rate_hz / self.audio_token_s) for wave in waveforms]
        return [np.tile((np.arange(n) >= n / 2).astype(np.float32), (self.shape.layers, self.shape.heads, 1)) for n in tokens]


class WatchedStudio(Studio):
    """Keeps what it gave, so that a test can compare it with what the page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.fake = SlowFake()
        self.learned: list[Learned] = []
        self.predicted: list[tuple[ClipPrediction, ...]] = []
        self.compares = threading.Event()  # while it is closed, comparing waits
        self.compares.set()

    def backbone(self, id: str = "fake", device: str = "auto") -> FakeBackbone:  # noqa: ARG002
        return self.fake

    def learn(self, *args, **kwargs) -> Learned:
        self.learned.append(super().learn(*args, **kwargs))
        return self.learned[-1]

    def compare(self, learned, backbone, *, progress=None, cancelled=None):
        while not self.compares.wait(0.05):
            if cancelled():
                raise Cancelled("stopped.")
        return super().compare(learned, backbone, progress=progress, cancelled=cancelled)

    def predict(self, *args, **kwargs) -> tuple[ClipPrediction, ...]:
        self.predicted.append(super().predict(*args, **kwargs))
        return self.predicted[-1]


def sound(hz: float, seed: int) -> np.ndarray:
    """Half a second of a tone in noise."""
    rng = np.random.default_rng(seed)
    return (0.3 * np.sin(2 * np.pi * (hz + 20 * seed) * np.arange(8000) / 16_000) + 0.02 * rng.normal(size=8000)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders with a broken clip and a stray file."""
    root = tmp_path_factory.mktemp("clips") / "sounds"
    for name, hz in CLASSES.items():
        (root / name).mkdir(parents=True)
        for i in range(PER_CLASS):
            sf.write(root / name / f"{i}.wav", sound(hz, i), 16_000)
    (root / "hum" / "broken.wav").write_bytes(b"RIFF but no more")
    (root / "notes.txt").write_text("not audio")
    return root


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    path = folder.parent / "sounds.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.fixture(scope="module")
def query(folder: Path) -> Path:
    path = folder.parent / "query é.wav"
    sf.write(path, sound(CLASSES["tone"], 9), 16_000)
    return path


@pytest.fixture(scope="module")
def visitors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps what visitors add."""
    return tmp_path_factory.mktemp("visitors")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, visitors: Path) -> Iterator[tuple[str, WatchedStudio]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        studio = WatchedStudio()
        with patch.context() as building:
            building.setattr("tempfile.tempdir", str(visitors))
            demo = app.build_demo(studio, backbone="fake")
        _, url, _ = app.launch(demo, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        yield url, studio
        studio.fake.gate.set()
        studio.compares.set()
        demo.close()


@pytest.fixture
def page(browser: Browser, served: tuple[str, WatchedStudio]) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield opened(context.new_page(), served[0])


def opened(page: Page, url: str) -> Page:
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(url)
    expect(page.locator("#clips-folder .invite")).to_be_visible()
    expect(page.locator("#status-line")).to_contain_text("Computing time used")
    return page


def add_zip(page: Page, archive: Path) -> None:
    page.locator("#clips-zip input[type=file]").set_input_files(archive)
    expect(page.locator("#clips-progress")).to_contain_text("Added")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def learn(page: Page) -> None:
    tab(page, "Learn")
    page.locator("#learn-button").click()
    expect(page.locator("#learn-headline")).to_contain_text(f"of {PER_CLASS * len(CLASSES)};")
    expect(page.locator("#learn-button")).to_be_enabled()


def predict(page: Page, query: Path) -> None:
    tab(page, "Predict")
    page.locator("#predict-files input[type=file]").set_input_files(query)
    expect(page.locator("#predict-files")).to_contain_text("query")
    page.locator("#predict-button").click()


def values(page: Page, plot: str) -> list[np.ndarray]:
    """The z values of a plot's traces, as plotly holds them in the page."""
    page.wait_for_function("id => document.querySelector(`#${id} .js-plotly-plot`)?.data?.[0]?.z", arg=plot)
    found = page.evaluate(
        "id => document.querySelector(`#${id} .js-plotly-plot`).data.filter(trace => trace.z).map(trace => trace.z)", plot
    )
    return [np.array(z, dtype=float) for z in found]
