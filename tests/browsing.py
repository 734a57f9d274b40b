"""The chromium in which the page is tested; the fixture `browser` starts it."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
TIMEOUT_MS = float(os.environ.get("CALM_PAGE_TIMEOUT_MS", 90_000))  # only a failure waits so long, or a very busy machine

skip_without_chromium = pytest.mark.skipif(
    not Path(CHROMIUM).exists(), reason=f"this is tested in chromium, and there is none at {CHROMIUM}"
)
needs_chromium = [pytest.mark.browser, skip_without_chromium]
expect.set_options(timeout=TIMEOUT_MS)
