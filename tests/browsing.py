"""The chromium in which the page is tested; the fixture `browser` starts it."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
TIMEOUT_MS = float(os.environ.get("CALM_PAGE_TIMEOUT_MS", 90_000))  # only a failure waits so long, or a very busy machine

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"the page is tested in chromium, and there is none at {CHROMIUM}"),
]
expect.set_options(timeout=TIMEOUT_MS)
