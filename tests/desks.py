"""Sounds for a visitor's desk, and the way to add them."""

from pathlib import Path

import numpy as np
import soundfile as sf

from calm_core.studio import Studio
from calm_ui.intake import from_class
from calm_ui.session import Desk


def wav(path: Path, hz: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, 0.3 * np.sin(2 * np.pi * hz * np.arange(8000) / 16_000), 16_000)
    return path


def clips_of(tmp_path: Path, desk: Desk, *hz: float) -> list[Path]:
    """Adds a clip of 'owl' per frequency; returns where they lie."""
    given = [wav(tmp_path / f"{f:g}.wav", f) for f in hz]
    desk.add(lambda into: from_class("owl", given, None, into), Studio().add)
    return [check.clip.path for check in desk.session.workspace.checks]
