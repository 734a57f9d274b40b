"""The tab Clips in a real chromium: clips come in, are mended and moved, and the mending is taken back."""

from pathlib import Path

import soundfile as sf
from playwright.sync_api import Browser, Page, expect

from calm_ui.classes import AT_A_GLANCE
from calm_ui.intake import EXAMPLE_MODEL

from .browsing import needs_chromium
from .serving import CLASSES, PER_CLASS, WatchedStudio, add_zip, learn, opened, predict, sound, tab

pytest_plugins = ["tests.serving"]
pytestmark = needs_chromium


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


def test_a_large_class_is_searched_and_shown_whole_again(page: Page, tmp_path: Path) -> None:
    (tmp_path / "rain").mkdir()
    for i in range(AT_A_GLANCE + 1):
        sf.write(tmp_path / "rain" / f"{i}.wav", sound(700, i), 16_000)
    page.locator("#clips-folder input[type=file]").set_input_files(tmp_path / "rain")
    page.locator("#clips-classes [data-pick=rain]").click()
    tiles, search = page.locator("#clips-tiles .calm-tile"), page.get_by_label("Find a clip of this class")
    expect(tiles).to_have_count(AT_A_GLANCE + 1)
    search.press_sequentially("/7.")
    expect(tiles).to_have_count(1)
    search.press("Control+a")
    search.press("Delete")
    expect(tiles).to_have_count(AT_A_GLANCE + 1)


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


def test_visitors_never_see_each_others_clips(page: Page, browser: Browser, served: tuple[str, WatchedStudio], archive: Path) -> None:
    add_zip(page, archive)
    with browser.new_context() as context:
        other = opened(context.new_page(), served[0])
        expect(other.locator("#clips-classes")).to_contain_text("No clips yet")
        tab(other, "Learn")
        expect(other.locator("#learn-button")).to_be_disabled()
        expect(other.locator("#learn-hint")).to_contain_text("Nothing to learn from yet")
    expect(page.locator("#clips-classes")).to_contain_text(f"tone {PER_CLASS} clips")


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
