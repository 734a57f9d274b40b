"""The tab Review in a real chromium, by keyboard alone: from labelled clips and a pool to a file of labels. The backbone is fake."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from playwright.sync_api import Browser, Page, expect

import app

from .browsing import TIMEOUT_MS, needs_chromium
from .conftest import tone

CLASSES = {"hum": 200.0, "tone": 900.0, "whistle": 3000.0}  # Hz
PER_CLASS, POOL = 4, 30
SUGGESTED = re.compile("Sounds like|Perhaps|None of your classes")
ENOUGH_TABS = 120  # presses of the tab key that reach anything on the page

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """support.zip with class folders, pool.zip with 30 clips that only their names tell apart."""
    root = tmp_path_factory.mktemp("sounds")
    with zipfile.ZipFile(root / "support.zip", "w") as support, zipfile.ZipFile(root / "pool.zip", "w") as pool:
        for name, hz in CLASSES.items():
            for i in range(PER_CLASS + POOL // len(CLASSES)):
                kind, at = (support, f"{name}/{i}.wav") if i < PER_CLASS else (pool, f"{name}-{i}.wav")
                sf.write(root / "one.wav", tone(hz * (1 + 0.01 * i), seed=i + round(hz), noise=0.03), 16_000)
                kind.write(root / "one.wav", at)
    return root


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CALM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        demo = app.build_demo(backbone="fake")
        _, url, _ = app.launch(demo, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        yield url
        demo.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(url)
        expect(page.locator("#clips-folder .invite")).to_be_visible()
        yield page


def reach(page: Page, selector: str) -> None:
    """Presses Tab until the focus is there."""
    for _ in range(ENOUGH_TABS):
        if page.evaluate("selector => !!document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the tab key doesn't reach {selector}")


def press(page: Page, key: str) -> str:
    """Presses a key of the review and waits for what the page says."""
    turn = page.locator(".calm-answering").get_attribute("data-turn")
    page.wait_for_function("window.calmReviewReady()")
    page.keyboard.press(key)
    page.wait_for_function("turn => document.querySelector('.calm-answering').dataset.turn !== turn", arg=turn)
    return page.locator(".calm-said").inner_text()


def on_show(page: Page) -> str:
    return page.locator("#review-head .calm-place b").inner_text()


def ready(page: Page) -> None:
    """Waits for a clip on show and for the script that hears the keys, which comes a moment after it."""
    expect(page.locator("#review-head")).to_contain_text(SUGGESTED)
    page.wait_for_function("window.calmReviewKeys")


def with_pool(page: Page, sounds: Path) -> None:
    """A project of 3 x 4 labelled clips and a pool; files can only be handed over by the operating system's own dialogue."""
    page.locator("#clips-zip input[type=file]").set_input_files(sounds / "support.zip")
    expect(page.locator("#clips-progress")).to_contain_text("Added")
    reach(page, "#review-tab-button")
    page.keyboard.press("Enter")
    expect(page.locator("#review-begins")).to_contain_text("12 clips of 3 classes")
    reach(page, "#review-create")
    page.keyboard.press("Enter")
    expect(page.locator("#review-line")).to_contain_text("12 labelled by you")
    page.locator("#review-files input[type=file]").set_input_files(sounds / "pool.zip")
    expect(page.locator("#review-line")).to_contain_text(f"{POOL} to go")
    ready(page)


def test_a_session_by_keyboard_alone(page: Page, sounds: Path, tmp_path: Path) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    with_pool(page, sounds)
    names = list(CLASSES)
    shown: dict[str, str] = {}  # what the page says it saved
    for turn in range(10):
        name = on_show(page)
        right = name.split("-")[0]
        suggested = page.locator("#review-head .calm-big b").inner_text().strip("‘’")
        said = press(page, "Enter" if suggested == right and turn % 2 else str(names.index(right) + 1))
        assert said == f"Saved: {name} is ‘{right}’."
        shown[name] = right
        assert on_show(page) != name
        if turn == 2:  # the same key twice at once is one answer: the second clip has hardly been seen
            unseen, line = on_show(page), page.locator("#review-line").inner_text()
            page.evaluate("[window.kept, window.calmReviewReady] = [window.calmReviewReady, () => false]")
            page.keyboard.press("1")
            page.evaluate("window.calmReviewReady = window.kept")
            assert press(page, "s").startswith(f"Skipped {unseen}")
            assert press(page, "z") == f"{unseen} is back."
            assert page.locator("#review-line").inner_text() == line
        if turn == 4:  # a slip: undone, the same clip comes back, and is answered otherwise
            slip = on_show(page)
            press(page, "u")
            assert press(page, "z") == "Saved: “1 clip uncertain” is taken back."
            assert on_show(page) == slip
            assert press(page, "s").startswith(f"Skipped {slip}")
            assert on_show(page) != slip
            assert press(page, "z") == f"{slip} is back."
            assert on_show(page) == slip
    assert len(shown) == 10
    expect(page.locator("#review-line")).to_contain_text("20 to go")

    reach(page, "#review-new-class :is(input, textarea)")  # letters and digits belong to the field
    page.keyboard.type("1uxz?")
    expect(page.locator("#review-line")).to_contain_text("20 to go")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")

    page.keyboard.press("Escape")  # out of the field, back to the keys
    page.wait_for_function("document.activeElement === document.body")
    expect(page.locator("#review-keys details")).not_to_have_attribute("open", "")
    page.keyboard.press("?")
    expect(page.locator("#review-keys details")).to_have_attribute("open", "")
    page.wait_for_timeout(300)
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('#review-player time#time')?.textContent !== undefined")

    reach(page, "#review-accept-box > button, #review-accept-box button.label-wrap")
    page.keyboard.press("Enter")
    reach(page, "#review-confidence input[type=range]")
    page.keyboard.press("Home")  # from 50 % on
    preview = page.locator("#review-preview")
    expect(preview).to_contain_text(re.compile(r"This labels (\d+) clips"))
    sure, unlike = (
        int(found[1]) if (found := re.search(pattern, preview.inner_text())) else 0 for pattern in (r"labels (\d+)", r"(\d+) more")
    )
    assert sure + unlike == 20  # those that seem to be none of the classes are left to the person
    reach(page, "#review-accept")
    page.keyboard.press("Enter")
    expect(page.locator(".calm-said")).to_contain_text(f"{sure} suggestions accepted, marked as machine-made")
    expect(page.locator("#review-machine")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    for _ in range(unlike):
        name = on_show(page)
        shown[name] = name.split("-")[0]
        assert press(page, str(names.index(shown[name]) + 1)) == f"Saved: {name} is ‘{shown[name]}’."
    expect(page.locator("#review-head")).to_contain_text(f"{sure} labels made by the machine")
    shown |= machine_rows(page, sure)
    assert len(shown) == POOL

    reach(page, "#review-export button.label-wrap")
    page.keyboard.press("Enter")
    reach(page, "#export-button")
    page.keyboard.press("Enter")
    expect(page.locator("#export-file")).to_contain_text(".csv")
    with page.expect_download() as download:
        reach(page, "#export-file")
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "labels.csv")
    table = pd.read_csv(tmp_path / "labels.csv")
    pool = table[~table["path"].str.contains("/")]
    assert dict(zip(pool["path"], pool["label"], strict=True)) == shown
    assert (pool["judge"] == "machine").sum() == sure
    assert set(pool["state"]) == {"positive"}
    assert np.isfinite(pool.loc[pool["judge"] == "machine", "judge_confidence"]).all()

    page.reload()  # everything is where it was
    expect(page.locator("#review-line")).to_contain_text(f"{22 + unlike} labelled by you")
    expect(page.locator("#review-line")).to_contain_text(f"{sure} machine-made")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults == []


def machine_rows(page: Page, count: int) -> dict[str, str]:
    """File and label of every row, also of those that the table only draws when they are scrolled to."""
    found: dict[str, str] = {}
    expect(page.locator("#review-machine-table")).to_contain_text(".wav")
    for _ in range(40):
        for row in page.locator("#review-machine-table [role=row], #review-machine-table tr").all_inner_texts():
            if match := re.search(r"\d+\s+(\S+\.wav)\s+(\w+)\s+\d+\s%", row):
                found[match[1]] = match[2]
        if len(found) == count:
            break
        page.locator("#review-machine-table .table-wrap").hover()
        page.mouse.wheel(0, 120)
        page.wait_for_timeout(60)
    return found


def test_two_tabs_on_one_project(page: Page, sounds: Path) -> None:
    """What the other tab did is not overwritten, and said."""
    with_pool(page, sounds)
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    name = on_show(other)
    assert press(other, "x") == f"Saved: {name} is excluded."
    assert "changed in another tab" in press(page, "u")
    expect(page.locator("#review-line")).to_contain_text("1 excluded")
    assert on_show(page) != name
    assert press(page, "u").startswith("Saved: ")


def test_a_class_is_named_for_the_clip_that_the_page_shows(page: Page, sounds: Path) -> None:
    with_pool(page, sounds)
    name, box = on_show(page), page.locator("#review-new-class :is(input, textarea)")
    shown = page.locator(".calm-answering").get_attribute("data-clip")
    page.evaluate("document.querySelector('.calm-answering').dataset.clip = 1")  # the server has gone on, the page hasn't heard yet
    box.fill("wind")
    box.press("Enter")
    expect(page.locator(".calm-said")).to_contain_text("isn't on show any more")
    expect(page.locator(".calm-answering")).to_have_attribute("data-clip", shown or "")
    box.fill("wind")
    box.press("Enter")
    expect(page.locator(".calm-said")).to_have_text(f"Saved: {name} is ‘wind’.")


def test_an_answer_is_looked_at_again_and_an_old_export_goes(page: Page, sounds: Path) -> None:
    with_pool(page, sounds)
    unsure = on_show(page)
    press(page, "u")
    page.locator("#review-export button.label-wrap").click()
    page.locator("#export-button").click()
    expect(page.locator("#export-file")).to_be_visible()
    page.locator("#review-again-box button.label-wrap").click()
    page.locator("#review-again-table [role=gridcell]").filter(has_text=unsure).click()
    expect(page.locator("#review-head")).to_contain_text("You called it uncertain.")
    assert on_show(page) == unsure
    assert press(page, "1") == f"Saved: {unsure} is ‘{next(iter(CLASSES))}’."
    expect(page.locator("#review-again-note")).to_have_text("You called no clip uncertain.")
    expect(page.locator("#export-file")).to_be_hidden()
    expect(page.locator("#export-note")).to_contain_text("export it again")


def test_a_label_mended_in_learn_is_mended_in_the_project(page: Page, sounds: Path) -> None:
    with_pool(page, sounds)
    names = list(CLASSES)
    for _ in range(8):  # enough to doubt the next one
        press(page, str(names.index(on_show(page).split("-")[0]) + 1))
    name = on_show(page)
    right = name.split("-")[0]
    wrong = next(other for other in names if other != right)
    assert press(page, str(names.index(wrong) + 1)) == f"Saved: {name} is ‘{wrong}’."
    page.locator("#review-teach").click()
    expect(page.locator("#doubts-question")).to_contain_text(f"{name}: you call it ‘{wrong}’")
    page.locator("#doubts-relabel").click()
    expect(page.locator("#doubts-status")).to_contain_text(f"one of your ‘{right}’ clips, in the project “My sounds” too")
    page.get_by_role("tab", name="Review", exact=True).click()
    expect(page.locator(".calm-said")).to_have_text(f"Saved: {name} is ‘{right}’.")


def test_a_correction_in_predict_joins_the_open_project(page: Page, sounds: Path) -> None:
    with_pool(page, sounds)
    shown = on_show(page)
    page.get_by_role("tab", name="Learn").click()
    page.locator("#learn-button").click()
    expect(page.locator("#learn-headline")).to_contain_text("Learned from 12 clips")
    page.get_by_role("tab", name="Predict").click()
    new = sounds / "new.wav"
    sf.write(new, tone(1500.0, seed=5), 16_000)
    page.locator("#predict-files input[type=file]").set_input_files(new)
    expect(page.locator("#predict-files")).to_contain_text("new")
    page.locator("#predict-button").click()
    expect(page.locator("#predict-sentence")).to_contain_text("new.wav")
    page.locator("#predict-right-class input").click()
    page.get_by_role("option", name="whistle").click()
    page.locator("#predict-correct").click()
    expect(page.locator("#predict-corrected")).to_contain_text("Added as ‘whistle’ to your clips and in the project “My sounds”")
    expect(page.locator("#learn-headline")).to_contain_text("Learned from 13 clips")
    expect(page.locator("#predict-progress")).to_have_text("")
    page.get_by_role("tab", name="Review").click()
    expect(page.locator("#review-line")).to_contain_text("13 labelled by you")
    expect(page.locator(".calm-said")).to_have_text("Saved: new.wav is ‘whistle’.")
    expect(page.locator("#review-listen")).to_be_hidden()  # it is heard already
    assert on_show(page) == shown
    assert press(page, "z") == "Saved: “added 1 clip” is taken back."
    expect(page.locator("#review-line")).to_contain_text("12 labelled by you")


def test_a_projects_labels_teach_and_a_project_is_deleted(page: Page, sounds: Path) -> None:
    with_pool(page, sounds)
    assert press(page, "1").startswith("Saved: ")
    teach = page.locator("#review-teach")
    expect(teach).to_have_text("Learn from these 13 labels")
    teach.click()
    learn = page.get_by_role("tab", name="Learn")
    expect(learn).to_have_attribute("aria-selected", "true", timeout=4 * TIMEOUT_MS)  # it compares methods first
    expect(page.locator("#learn-headline")).to_contain_text("Learned from 13 clips")
    page.get_by_role("tab", name="Clips").click()
    expect(page.locator("#clips-classes")).to_contain_text("hum 5 clips")
    page.get_by_role("tab", name="Review").click()
    page.locator("#review-delete-open").click()
    expect(page.locator("#review-loss")).to_contain_text("Its 42 clips, 13 labels by you and the whole history go for good")
    page.locator("#review-keep").click()
    expect(page.locator("#review-doomed")).to_be_hidden()
    page.locator("#review-delete-open").click()
    page.locator("#review-delete").click()
    expect(page.locator("#review-progress")).to_have_text("“My sounds” is deleted.")
    expect(page.locator("#review-bench")).to_be_hidden()
    expect(page.locator("#review-create")).to_be_visible()
    page.wait_for_function("!location.search.includes('project')")
