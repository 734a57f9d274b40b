"""The fences of the house: who may import whom (import-linter reads the contracts in pyproject.toml)."""

from __future__ import annotations

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[1]


def test_the_rooms_keep_their_fences() -> None:
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_nothing_executable_is_ever_loaded() -> None:
    """No pickle and no remote code in any room."""
    sources = {path: path.read_text() for folder in ("calm_core", "calm_ui", "tools") for path in (ROOT / folder).rglob("*.py")}
    for path, text in sources.items():
        assert "import pickle" not in text, path
        assert "torch.load(" not in text, path
        assert "trust_remote_code=True" not in text, path
