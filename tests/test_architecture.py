"""The fences of the house: who may import whom (import-linter reads the contracts in pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_rooms_keep_their_fences() -> None:
    """In a process of its own: import-linter sets up logging for the whole process."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_nothing_executable_is_ever_loaded() -> None:
    """No pickle and no remote code in any room."""
    sources = {path: path.read_text() for folder in ("calm_core", "calm_ui", "tools") for path in (ROOT / folder).rglob("*.py")}
    for path, text in sources.items():
        assert "import pickle" not in text, path
        assert "torch.load(" not in text, path
        assert "trust_remote_code=True" not in text, path
