"""How long a visitor waits in the tab Clips with hundreds of clips, in a browser on the same machine.

    python benchmarks/clips.py [--classes 5] [--clips 120]

The clips are quarters of a second, so nearly all of it is the page's own work. Adding: from the choice of the ZIP until the cards stand
there; then what is done with one class of them, each from the press until the page shows the outcome.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.page import CHROMIUM, OneBackbone, home, opened, told, tones
from calm_core.backbones.fake import FakeBackbone


def page(classes: int, clips: int) -> None:
    """Times every step."""
    from playwright.sync_api import expect

    with home() as folder:
        archive = shutil.make_archive(str(folder / "sounds"), "zip", tones(folder / "sounds", classes, clips))
        with opened(OneBackbone(FakeBackbone())) as tab:
            cards, tiles, said = (tab.locator(id) for id in ("#clips-classes", "#clips-tiles .calm-tile", "#clips-progress"))

            def add() -> None:
                tab.locator("#clips-zip input[type=file]").set_input_files(archive)
                expect(said).to_contain_text("Added")
                expect(cards.locator("[data-pick]")).to_have_count(classes)

            def open_class() -> None:
                cards.locator("[data-pick='class 0']").click()
                expect(tiles.first).to_be_visible()

            def pictures() -> None:
                expect(tiles.locator("img")).to_have_count(min(clips, 100))

            search = tab.locator("#clips-class-search").get_by_role("textbox")

            def find() -> None:
                search.press_sequentially("/7.")
                expect(tiles).to_have_count(1)

            def find_all() -> None:
                search.press("Control+a")
                search.press("Delete")
                expect(tiles).to_have_count(min(clips, 100))

            def hear() -> None:
                tiles.nth(1).locator("button").click()
                expect(tab.locator("#clips-chosen-title")).to_contain_text("OK")

            def leave_out() -> None:
                tiles.first.locator(".calm-tick").focus()
                tab.keyboard.press("x")
                expect(said).to_contain_text("left out")

            def undo() -> None:
                tab.locator("#clips-undo").click()
                expect(said).to_contain_text("Taken back")

            print(f"{classes * clips} clips of {classes} classes")
            steps = {
                "add them, until the cards stand there": add,
                "open a class": open_class,
                "until all its pictures stand there": pictures,
                "find one by its name": find,
                "all of them again": find_all,
                "open a clip to hear it": hear,
                "leave a clip out by its key": leave_out,
                "take that back": undo,
            }
            for what, step in steps.items():
                told(what, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--clips", type=int, default=120, help="of each class")
    arguments = parser.parse_args()
    if not CHROMIUM:
        raise SystemExit("page times need a chromium, and there is none here; install it (Debian, Ubuntu: apt-get install chromium).")
    page(arguments.classes, arguments.clips)


if __name__ == "__main__":
    main()
