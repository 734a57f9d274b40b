"""Takes the README's screenshot: the example clips learned, the Heads tab at 1280 px, in a real browser.

python tools/make_screenshot.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script: the rooms are found from the repository root

from app import build_demo, launch  # noqa: E402
from calm_core.doctor import browser_path  # noqa: E402

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
PATIENCE_MS = 180_000  # a busy machine may need it


def main() -> None:
    _, address, _ = launch(build_demo(), prevent_thread_lock=True, quiet=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(browser_path()), args=list(QUIET))
        page = browser.new_page(viewport={"width": 1280, "height": 830})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.get_by_role("tab", name="Heads").click()
        page.locator("#heads-maps .js-plotly-plot .heatmaplayer").first.wait_for()
        page.wait_for_timeout(1000)  # the figure's last layout
        page.screenshot(path=ROOT / "assets" / "screenshot.png")
        browser.close()


if __name__ == "__main__":
    main()
