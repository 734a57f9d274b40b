"""The page in a real chromium, as a visitor sees it: from a ZIP to an answer with its reasons. The backbone is the fake one."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile as sf
from playwright.sync_api import Browser, Page, expect

from calm_core import confidence
from calm_core.classifier import CalmClassifier
from calm_core.reasons import reasons

from .browsing import needs_chromium
from .serving import CLASSES, ONE_HEARS, PER_CLASS, WatchedStudio, add_zip, learn, opened, predict, sound, tab, values

pytest_plugins = ["tests.serving"]
pytestmark = needs_chromium


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
    expect(page.locator("#if-result")).to_contain_text(f"it had not heard {after}")
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


def test_a_correction_learns_again_and_answers_again(page: Page, served: tuple[str, WatchedStudio], archive: Path, query: Path) -> None:
    _, studio = served
    add_zip(page, archive)
    studio.compares.clear()
    learn(page)
    predict(page, query)
    expect(page.locator("#predict-sentence")).to_contain_text("‘tone’ with")
    written = page.locator("#predict-right-class input")
    written.click()
    expect(page.get_by_role("option", name="whistle")).to_be_visible()
    written.fill("beep")
    written.press("Enter")
    used = page.locator("#status-line").inner_text()
    studio.compares.set()  # what ends in the background changes the visitor's desk, but takes no word from them
    expect(page.locator("#status-line")).not_to_have_text(used)
    expect(written).to_have_value("beep")
    page.locator("#predict-correct").click()
    expect(page.locator("#predict-model")).to_contain_text("beep, hum, tone, whistle")
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
