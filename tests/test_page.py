"""The page in a real chromium, as a visitor sees it: from a ZIP to an answer with its reasons. The backbone is the fake one."""

import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import Browser, Page, expect

import app
from calm_core import confidence
from calm_core.backbones.fake import FakeBackbone
from calm_core.classifier import CalmClassifier
from calm_core.errors import Cancelled
from calm_core.inspection import reasons
from calm_core.studio import ClipPrediction, Learned, Studio
from calm_ui.intake import EXAMPLE_MODEL

from .browsing import TIMEOUT_MS, needs_chromium

CLASSES = {"hum": 200.0, "tone": 1500.0, "whistle": 5000.0}  # Hz
PER_CLASS = 4
ONE_HEARS = "Which head hears?"  # asked this, only head 5 of layer 2 does

pytestmark = needs_chromium


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


def test_from_a_zip_to_an_answer_with_its_reasons(
    page: Page, served: tuple[str, WatchedStudio], archive: Path, query: Path, folder: Path
) -> None:
    url, studio = served
    hosts: set[str] = set()
    page.context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc or "here"))  # blob: and data: have no host
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.reload()

    add_zip(page, archive)
    expect(page.locator("#clips-classes")).to_contain_text(f"hum {PER_CLASS} of {PER_CLASS + 1} clips")
    first_row = page.locator("#clips-table [role=row][data-index='0']")
    expect(first_row).to_contain_text("hum/broken.wav")
    expect(first_row).to_contain_text("left out: unreadable")
    expect(first_row).to_contain_text("export it as WAV")
    expect(page.locator("#clips-ignored")).to_contain_text("Ignored files (1)")

    before = len(studio.learned)
    tab(page, "Learn")
    button = page.locator("#learn-button")
    expect(button).to_have_text(f"Learn from {PER_CLASS * len(CLASSES)} clips of {len(CLASSES)} classes")
    button.dblclick()
    expect(page.locator("#learn-headline")).to_contain_text("Accuracy on clips it had not heard 100 %")
    expect(button).to_be_enabled()
    assert len(studio.learned) == before + 1  # a double click is one job
    model = studio.learned[-1].model

    page.locator("#learn-trust-box button").first.click()
    expect(page.locator("#learn-trust-text")).to_contain_text(f"On {PER_CLASS * len(CLASSES)} clips that it had not heard")
    expect(page.locator("#learn-trust")).to_contain_text("how often it was right")
    expect(page.locator("#doubts")).to_be_hidden()

    tab(page, "Heads")
    expect(page.locator("#heads-model")).to_contain_text("your classifier of hum, tone, whistle")
    maps = values(page, "heads-maps")
    assert len(maps) == len(CLASSES)
    for c, shown in enumerate(maps):
        np.testing.assert_allclose(shown, model.reliability[:, :, c].numpy(), rtol=6e-3, atol=1e-6)

    tab(page, "Predict")
    page.locator("#predict-files input[type=file]").set_input_files([query, folder / "hum" / "broken.wav"])
    expect(page.locator("#predict-files")).to_contain_text("broken")
    page.locator("#predict-button").click()
    expect(page.locator("#predict-sentence")).to_contain_text("‘tone’ with")
    expect(page.locator("#predict-sentence")).to_contain_text("Of the known classes only ‘tone’ fits.")
    expect(page.locator("#predict-about")).to_contain_text("None of these")
    rows = page.locator("#predict-table [role=row]")
    expect(rows.filter(has_text="query é.wav")).to_contain_text("tone")
    expect(rows.filter(has_text="broken.wav").first).to_contain_text("no answer")
    answer = next(row for row in studio.predicted[-1] if not row.error)
    why = reasons(answer.contributions)
    expect(page.locator("#predict-caption")).to_contain_text(why.in_words(model.class_names))
    (shown,) = values(page, "predict-heatmap")
    np.testing.assert_allclose(shown, answer.evidence[:, :, model.class_names.index("tone")], rtol=6e-3, atol=1e-6)

    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("Clips", "Learn", "Predict", "Heads"):
        tab(page, name)
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"the tab {name} scrolls sideways on a phone"
    assert hosts <= {urlsplit(url).netloc, "here"}
    assert faults == []


def click_cell(page: Page, panel: int, layer: int, head: int, shape: tuple[int, int] = (4, 8)) -> None:
    """Clicks the middle of a cell, counted from 1, of one of the reliability maps."""
    page.wait_for_function("document.querySelector('#heads-maps .js-plotly-plot .nsewdrag')")
    area = page.locator("#heads-maps .nsewdrag").nth(panel)
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * (head - 0.5) / shape[1], box["y"] + box["height"] * (1 - (layer - 0.5) / shape[0]))


def test_a_click_opens_a_head_whose_clips_can_be_heard_and_switched_off(
    page: Page, served: tuple[str, WatchedStudio], archive: Path
) -> None:
    add_zip(page, archive)
    tab(page, "Learn")
    expect(page.locator("#learn-button")).to_be_enabled()
    page.locator("#learn-settings button").first.click()
    question = page.get_by_label("Question asked about every clip")
    question.fill(ONE_HEARS)
    learn(page)
    expect(question).to_have_value(ONE_HEARS)
    tab(page, "Heads")
    learned = served[1].learned[-1]
    assert learned.model.origin is not None
    assert learned.model.origin.prompt == ONE_HEARS
    bench, labels = learned.bench, [str(clip.label) for clip in learned.clips]
    assert bench is not None
    click_cell(page, 1, 2, 5)
    expect(page.locator("#head-title")).to_contain_text("Layer 2, head 5")
    expect(page.locator("#head-class input")).to_have_value("tone")
    expect(page.locator("#head-title")).to_be_focused()
    expect(page.locator("#head-title")).to_be_in_viewport()
    page.wait_for_function(
        """() => {
          const outline = document.querySelector('#heads-maps .js-plotly-plot').layout.shapes?.[0] ?? {};
          return ['x0', 'x1', 'y0', 'y1', 'xref', 'yref'].map(key => outline[key]).join() === '4.5,5.5,1.5,2.5,x2,y2';
        }"""
    )
    card = bench.card(1, 4)
    expect(page.locator("#head-title")).to_contain_text(f"of ‘tone’ {card.recognised(1)}")
    with page.expect_response(lambda answer: answer.url.endswith(".wav") and answer.ok):
        page.locator("#head-votes [role=row][data-index='0'] [role=gridcell]").nth(1).click()

    page.locator("#if-switch").click()
    on = np.ones((4, 8), dtype=bool)
    on[1, 4] = False
    expect(page.locator("#if-result")).to_contain_text("with 31 of 32 heads")
    refit = CalmClassifier.fit(bench.heads.values[:, on][:, None], labels, null=False)
    after = confidence.accuracy(refit.held_out)
    expect(page.locator("#if-result")).to_contain_text(f"accuracy {after}")
    expect(page.locator("#if-result")).to_contain_text(f"the classifier itself: {learned.accuracy}")
    assert after.value < learned.accuracy.value == 1
    parts = bench.with_heads(on).explain(bench.heads)
    assert np.abs(parts[:, ~on]).max() == 0
    np.testing.assert_allclose(parts.sum((1, 2)), refit.predict(bench.heads.values[:, on][:, None]).scores, rtol=1e-4)
    page.locator("#if-reset").click()
    expect(page.locator("#if-heads")).not_to_contain_text("layer 2")


def test_the_picture_of_a_sound_plays_where_it_is_clicked(page: Page, archive: Path, query: Path) -> None:
    add_zip(page, archive)
    learn(page)
    predict(page, query)
    expect(page.locator("#predict-sound audio")).to_be_visible()
    page.wait_for_function("document.querySelector('#predict-sound audio').readyState > 0")
    page.locator("#predict-listening").click()
    expect(page.locator("#predict-heard")).to_contain_text("looked most at")
    expect(page.locator("#predict-sound .nsewdrag")).to_have_count(2)  # the spectrogram, and above it where the heads looked
    page.evaluate(  # a clip of half a second is over before anybody looks
        "() => { const audio = document.querySelector('#predict-sound audio');"
        " audio.addEventListener('play', () => { window.begun = audio.currentTime; audio.pause(); }); }"
    )
    area = page.locator("#predict-sound .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_function("window.begun !== undefined")
    assert page.evaluate("window.begun") == pytest.approx(0.3, abs=0.02)
    picture = page.get_by_role("slider", name="Playback position")
    expect(picture).to_have_attribute("aria-valuetext", "0.3 of 0.5 seconds")
    line = page.locator("#predict-sound .sound-now").bounding_box()
    assert line is not None
    assert line["x"] == pytest.approx(box["x"] + 0.6 * box["width"], abs=4)
    picture.press("ArrowLeft")
    expect(picture).to_have_attribute("aria-valuenow", "0.2")
    picture.press("Home")
    expect(picture).to_have_attribute("aria-valuenow", "0.0")
    page.evaluate("window.begun = undefined")
    picture.press("Enter")
    page.wait_for_function("window.begun !== undefined")


def test_a_correction_learns_again_and_answers_again(page: Page, archive: Path, query: Path) -> None:
    add_zip(page, archive)
    learn(page)
    predict(page, query)
    expect(page.locator("#predict-sentence")).to_contain_text("‘tone’ with")
    page.locator("#predict-right-class input").click()
    expect(page.get_by_role("option", name="whistle")).to_be_visible()  # the list is there: it won't be emptied under the typing
    page.locator("#predict-right-class input").fill("beep")
    page.locator("#predict-right-class input").press("Enter")
    page.locator("#predict-correct").click()
    expect(page.locator("#predict-model")).to_contain_text("hum, tone, whistle".replace("hum", "beep, hum"))
    expect(page.locator("#predict-older")).to_have_text("")
    expect(page.locator("#predict-bars")).to_contain_text("beep")
    expect(page.locator("#predict-corrected")).to_have_text(
        "Added as ‘beep’ to your clips; learned again. Undo: the tab Clips takes it back."
    )
    expect(page.locator("#predict-sentence")).to_contain_text("query")
    tab(page, "Clips")
    expect(page.locator("#clips-classes")).to_contain_text("beep 1 clip")


def test_a_wrong_label_is_heard_and_mended(page: Page, folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "sounds"
    shutil.copytree(folder, wrong)
    (wrong / "hum" / "broken.wav").unlink()
    (wrong / "hum" / "3.wav").rename(wrong / "whistle" / "hum3.wav")
    page.locator("#clips-folder input[type=file]").set_input_files(wrong)
    expect(page.locator("#clips-classes")).to_contain_text("whistle 5 clips")
    learn(page)
    expect(page.locator("#doubts-question")).to_contain_text("whistle/hum3.wav: you call it ‘whistle’")
    expect(page.locator("#doubts-player audio, #doubts-player .waveform-container")).not_to_have_count(0)
    page.locator("#doubts-relabel").click()
    expect(page.locator("#doubts-status")).to_contain_text("is now one of your ‘hum’ clips")
    expect(page.locator("#doubts")).to_be_hidden()
    expect(page.locator("#learn-notice")).to_contain_text("Learn again")
    tab(page, "Clips")
    expect(page.locator("#clips-classes")).to_contain_text(f"hum {PER_CLASS} clips")


def test_classes_are_mended_and_the_mending_taken_back(page: Page, archive: Path) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    add_zip(page, archive)
    cards, said = page.locator("#clips-classes"), page.locator("#clips-progress")
    expect(cards.locator("img")).to_have_count(len(CLASSES) * PER_CLASS)
    cards.locator("[data-pick=tone]").click()
    expect(page.locator("#clips-class-title")).to_have_text(f"‘tone’: {PER_CLASS} clips")
    tiles = page.locator("#clips-tiles .calm-tile")
    tiles.nth(1).locator("button").click()
    expect(page.locator("#clips-chosen-title")).to_contain_text("tone/1.wav: OK")
    expect(page.locator("#clips-ticked")).to_be_hidden()
    tiles.nth(0).locator(".calm-tick").check()
    page.locator("#clips-move").click()
    expect(page.get_by_text("The class has no name")).to_be_visible()
    expect(said.locator("p")).to_have_count(0)  # "Added ..." is of an earlier act
    expect(page.locator(".calm-ticked")).to_have_text("1 ticked")  # nothing was done, so they stay
    for tile in (0, 2):
        tiles.nth(tile).locator(".calm-tick").check()
    page.locator("#clips-move-to input").fill("beep")
    page.locator("#clips-move-to input").press("Enter")
    page.locator("#clips-move").click()
    expect(said).to_have_text("2 clips moved to ‘beep’.")
    expect(cards).to_contain_text("tone 2 clips")
    cards.locator("[data-pick=beep]").click()
    expect(page.locator("#clips-class-title")).to_have_text("‘beep’: 2 clips")
    page.locator("#clips-class-other input").fill("whistle")
    page.locator("#clips-class-other input").press("Enter")
    page.locator("#clips-class-rename").click()
    expect(said).to_have_text("‘beep’ merged into ‘whistle’: 2 clips.")
    expect(page.locator("#clips-undo")).to_have_text("Undo: ‘beep’ merged into ‘whistle’: 2 clips")
    expect(page.locator("#clips-class-title")).to_have_text(f"‘whistle’: {PER_CLASS + 2} clips")
    page.locator("[data-press=clips-remove-ticked]").click()
    expect(page.get_by_text("No clip is ticked")).to_be_visible()
    page.locator("#clips-tiles .calm-all").check()
    page.locator("[data-press=clips-remove-ticked]").click()
    expect(cards).not_to_contain_text("whistle")
    expect(page.locator("#clips-class")).to_be_hidden()
    for left in ("whistle 6 clips", "beep 2 clips", "tone 4 clips"):
        page.locator("#clips-undo").click()
        expect(cards).to_contain_text(left)
    cards.locator("[data-pick=hum]").click()
    page.locator("#clips-class-delete").click()
    expect(said).to_have_text(f"‘hum’ deleted, with {PER_CLASS + 1} clips.")
    assert faults == []


def test_many_clips_are_moved_by_drag_and_left_out_by_key(page: Page, archive: Path) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    add_zip(page, archive)
    cards, said = page.locator("#clips-classes"), page.locator("#clips-progress")
    cards.locator("[data-pick=tone]").click()
    tiles = page.locator("#clips-tiles .calm-tile")
    expect(tiles.locator("img")).to_have_count(PER_CLASS)
    tiles.nth(0).locator(".calm-tick").click()
    tiles.nth(1).locator(".calm-tick").click(modifiers=["Shift"])
    expect(page.locator(".calm-ticked")).to_have_text("2 ticked")
    tiles.nth(1).locator(".calm-grip").drag_to(cards.locator("[data-pick=whistle]"))
    expect(said).to_have_text("2 clips moved to ‘whistle’.")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_contain_text("2.wav")
    expect(page.locator(".calm-ticked")).to_have_text("")  # ticks don't pass on to the clips that come after
    tiles.first.locator(".calm-tick").focus()
    page.keyboard.press("x")
    expect(said).to_have_text("1 clip left out of learning.")
    expect(tiles.first).to_contain_text("left out: by you")
    expect(page.locator("[data-press=clips-take-in]")).to_be_visible()
    expect(page.locator("#clips-take-in")).to_be_hidden()
    expect(page.locator(".calm-ticked")).to_have_text("")
    expect(page.locator("#clips-ticked")).to_be_hidden()
    expect(cards).to_contain_text("tone 1 of 2 clips, 1 left out by you")
    expect(page.locator("#clips-table [role=row]").filter(has_text="tone/2.wav")).to_contain_text("left out: by you")
    expect(tiles.first.locator(".calm-tick")).to_be_focused()  # the keys go on from here
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".calm-ticked")).to_have_text("2 ticked")
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(".calm-ticked")).to_have_text("1 ticked")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    expect(said).to_have_text("‘tone’ merged into ‘hum’: 2 clips.")
    expect(cards).to_contain_text(f"hum {PER_CLASS + 1} of {PER_CLASS + 3} clips, 1 left out by you")
    tab(page, "Learn")
    expect(page.locator("#learn-button")).to_have_text(f"Learn from {PER_CLASS * len(CLASSES) - 1} clips of 2 classes")
    tab(page, "Clips")
    expect(said.locator("p")).to_have_count(0)
    page.locator("#clips-undo").click()
    expect(said).to_have_text("Taken back: ‘tone’ merged into ‘hum’: 2 clips.")
    tiles.first.locator("button").click()
    expect(page.locator("#clips-chosen-title")).to_contain_text("tone/2.wav: left out: by you")
    page.locator("#clips-exclude").click()
    expect(page.locator("#clips-chosen-title")).to_contain_text("tone/2.wav: OK")
    expect(cards).to_contain_text("tone 2 clips")
    assert faults == []


def test_the_example_clips_are_offered_while_there_are_none(page: Page) -> None:
    example, cards = page.locator("#clips-example"), page.locator("#clips-classes")
    example.click()
    expect(page.locator("#clips-progress")).to_have_text("Added 24 clips.")
    expect(cards.locator(".calm-strip").first).to_have_text("+2")
    expect(example).to_be_hidden()
    page.locator("#clips-undo").click()
    expect(example).to_be_visible()


def test_starting_over_takes_the_answers_too(page: Page, archive: Path, query: Path) -> None:
    add_zip(page, archive)
    learn(page)
    predict(page, query)
    expect(page.locator("#predict-correct")).to_be_visible()
    tab(page, "Clips")
    page.locator("#clips-clear").click()
    expect(page.locator("#clips-progress")).to_contain_text("are removed; temporary copies")
    tab(page, "Predict")
    expect(page.locator("#predict-empty")).to_be_visible()
    expect(page.locator("#predict-correct")).to_be_hidden()
    expect(page.locator("#predict-files")).not_to_contain_text("query")


def test_looking_at_the_page_leaves_no_files(page: Page, visitors: Path) -> None:
    (root,) = visitors.iterdir()
    before = set(root.iterdir())
    page.reload()
    tab(page, "Learn")
    expect(page.locator("#learn-headline")).to_contain_text("This is an example, not yours")
    expect(page.locator("#learn-warnings")).to_have_text("")  # nobody is to record more of the example's classes
    with page.expect_download() as download:  # the example classifier, as it is installed
        page.locator("#learn-download").click()
    assert download.value.suggested_filename == EXAMPLE_MODEL.name
    assert set(root.iterdir()) <= before


def test_the_classes_can_be_listed_in_the_question(page: Page, served: tuple[str, WatchedStudio], archive: Path) -> None:
    _, studio = served
    add_zip(page, archive)
    tab(page, "Learn")
    page.locator("#learn-settings button").first.click()
    page.locator("#learn-listed input").check()
    expect(page.get_by_label("Question asked about every clip")).to_be_hidden()
    before = len(studio.learned)
    learn(page)
    assert len(studio.learned) == before + 1
    assert studio.learned[-1].model.prompt == "What sound is this? Answer with one of these: hum, tone, whistle."


def test_cancel_says_what_is_kept(page: Page, served: tuple[str, WatchedStudio], archive: Path) -> None:
    _, studio = served
    add_zip(page, archive)
    tab(page, "Learn")
    page.locator("#learn-settings button").first.click()
    page.get_by_label("Question asked about every clip").fill("Never asked before?")  # so that nothing is in the store
    studio.fake.gate.clear()
    page.locator("#learn-button").click()
    expect(page.locator("#learn-button")).to_be_disabled()
    expect(page.locator("#learn-progress")).to_contain_text("Listening to the first clips")
    page.locator("#learn-cancel").click()
    studio.fake.gate.set()
    expect(page.locator("#learn-progress")).to_contain_text("Stopped after")
    expect(page.locator("#learn-progress")).to_contain_text("what was finished is kept")
    expect(page.locator("#learn-cancel")).to_be_hidden()
    expect(page.locator("#learn-button")).to_be_enabled()


def test_nobody_waits_for_the_comparison_and_stopping_it_keeps_the_classifier(
    page: Page, served: tuple[str, WatchedStudio], archive: Path, query: Path
) -> None:
    _, studio = served
    add_zip(page, archive)
    studio.compares.clear()
    learn(page)
    expect(page.locator("#learn-comparing")).to_have_text("Comparing with simpler methods …")
    predict(page, query)
    expect(page.locator("#predict-sentence")).to_contain_text("‘tone’ with")
    tab(page, "Learn")
    page.locator("#learn-compare-stop").click()
    expect(page.locator("#learn-comparing")).to_have_text("The comparison was stopped; your classifier stays as it is.")
    expect(page.locator("#learn-compare-stop")).to_be_hidden()
    page.locator("#learn-ladder-box button").first.click()
    expect(page.locator("#learn-ladder")).to_contain_text("The comparison was stopped")
    studio.compares.set()
    page.locator("#learn-compare").click()
    expect(page.locator("#learn-verdict")).to_contain_text("simpler methods the best on these clips")
    expect(page.locator("#learn-ladder")).to_contain_text("Best single head")
    expect(page.locator("#learn-compare")).to_be_hidden()
    expect(page.locator("#learn-comparing")).to_have_text("")
    expect(page.locator("#learn-headline")).to_contain_text(f"of {PER_CLASS * len(CLASSES)};")
    tab(page, "Predict")
    expect(page.locator("#predict-older")).to_have_text("")  # the answers stay the present classifier's


def test_class_folders_keep_their_names_and_a_second_helping_is_reported(page: Page, folder: Path, archive: Path) -> None:
    page.locator("#clips-folder input[type=file]").set_input_files(folder)
    expect(page.locator("#clips-classes")).to_contain_text(f"whistle {PER_CLASS} clips")
    page.locator("#clips-zip input[type=file]").set_input_files(archive)
    expect(page.locator("#clips-progress")).to_contain_text(f"{PER_CLASS * len(CLASSES) + 1} clips were already here")
    expect(page.locator("#clips-classes")).to_contain_text(f"whistle {PER_CLASS} clips")
    expect(page.locator("#clips-folder")).to_contain_text("clips uploaded")
    page.locator("#clips-clear").click()
    expect(page.locator("#clips-classes")).to_contain_text("No clips yet")
    expect(page.locator("#clips-folder")).not_to_contain_text("uploaded")


def test_a_useless_upload_is_a_sentence_and_costs_nothing(page: Page, archive: Path, tmp_path: Path) -> None:
    add_zip(page, archive)
    bad = tmp_path / "cut.zip"
    bad.write_bytes(archive.read_bytes()[:500])
    expect(page.locator("#clips-zip")).to_contain_text("Drop File Here")
    page.locator("#clips-zip input[type=file]").set_input_files(bad)
    expect(page.locator("#clips-progress")).to_contain_text("isn't a whole ZIP file")
    expect(page.get_by_test_id("toast-body")).to_contain_text("isn't a whole ZIP file")
    expect(page.locator("#clips-classes")).to_contain_text(f"tone {PER_CLASS} clips")


def test_a_classifier_travels_as_a_file(
    page: Page, browser: Browser, served: tuple[str, WatchedStudio], archive: Path, tmp_path: Path
) -> None:
    add_zip(page, archive)
    learn(page)
    with page.expect_download() as download:
        page.locator("#learn-download").click()
    assert download.value.suggested_filename == "calm_hum_tone_whistle.safetensors"
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    with browser.new_context() as context:
        other = opened(context.new_page(), served[0])
        tab(other, "Learn")
        other.get_by_test_id("Open a saved classifier-upload-button").set_input_files(file)
        expect(other.locator("#learn-headline")).to_contain_text("Loaded from a file")
        other.locator("#learn-next").click()
        other.locator("#predict-examples").click()
        expect(other.locator("#predict-corrected")).to_contain_text("Corrections need the clips")
        expect(other.locator("#predict-correct")).to_be_disabled()
        expect(other.locator("#predict-right-class input")).to_be_disabled()
        tab(other, "Learn")
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(file.read_bytes()[:-40])
        other.get_by_test_id("Open a saved classifier-upload-button").set_input_files(broken)
        expect(other.get_by_test_id("toast-body")).to_contain_text("broken.safetensors")
        expect(other.locator("#learn-headline")).to_contain_text("Loaded from a file")


def test_the_report_opens_from_a_disk_with_the_network_off(
    page: Page, browser: Browser, archive: Path, query: Path, tmp_path: Path
) -> None:
    add_zip(page, archive)
    learn(page)
    predict(page, query)
    expect(page.locator("#predict-sentence")).to_contain_text("‘tone’ with")
    tab(page, "Learn")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save a report").click()
    assert download.value.suggested_filename == "calm_hum_tone_whistle.html"
    file = tmp_path / "report.html"
    download.value.save_as(file)
    asked: list[str] = []
    with browser.new_context(offline=True) as context:
        report = context.new_page()
        report.on("request", lambda request: asked.append(urlsplit(request.url).scheme))
        report.goto(file.as_uri())
        expect(report.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        expect(report.get_by_role("heading", name="query é.wav: tone")).to_be_visible()
        expect(report.locator("audio")).to_have_count(len(CLASSES) + 1)  # a clip of each class, and the answer's
        report.wait_for_function("[...document.querySelectorAll('audio')].every((each) => each.duration > 0.4)")
        expect(report.locator("body")).to_contain_text("Settings and versions")
    assert set(asked) <= {"file", "data"}


def test_visitors_never_see_each_others_clips(page: Page, browser: Browser, served: tuple[str, WatchedStudio], archive: Path) -> None:
    add_zip(page, archive)
    with browser.new_context() as context:
        other = opened(context.new_page(), served[0])
        expect(other.locator("#clips-classes")).to_contain_text("No clips yet")
        tab(other, "Learn")
        expect(other.locator("#learn-button")).to_be_disabled()
        expect(other.locator("#learn-hint")).to_contain_text("Nothing to learn from yet")
    expect(page.locator("#clips-classes")).to_contain_text(f"tone {PER_CLASS} clips")


def test_a_long_recording_becomes_events_and_labels(page: Page, folder: Path, archive: Path) -> None:
    path = folder.parent / "night.wav"
    sf.write(path, np.concatenate([sound(CLASSES[name], 20 + i) for i in range(8) for name in ("hum",)]), 16_000)
    add_zip(page, archive)
    learn(page)
    tab(page, "Predict")
    page.locator("#recording button").first.click()
    page.locator("#recording-file input[type=file]").set_input_files(path)
    expect(page.locator("#recording-file")).to_contain_text("night")
    page.locator("#recording-cancel").click()  # while nothing runs: meant for no later job
    page.locator("#recording-button").click()
    expect(page.locator("#recording-links")).to_contain_text("Save Audacity labels")
    assert len(values(page, "recording-curves")[0]) == len(CLASSES)
    expect(page.locator("#recording-curves audio")).to_be_visible()
    picture = page.locator("#recording-curves [role=slider]")
    expect(picture).to_have_attribute("aria-valuemax", "4.0")
    page.wait_for_function("document.querySelector('#recording-curves audio').readyState > 0")
    picture.press("PageUp")
    expect(picture).to_have_attribute("aria-valuetext", "1.0 of 4.0 seconds")
    line, area = (page.locator(f"#recording-curves {what}").first.bounding_box() for what in (".sound-now", ".nsewdrag"))
    assert line is not None
    assert area is not None
    assert line["x"] == pytest.approx(area["x"] + area["width"] / 4, abs=4)
