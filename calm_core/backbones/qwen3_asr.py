"""Qwen3-ASR: a speech recogniser whose chat template drops what the user writes; it takes its context as the system's message."""

from __future__ import annotations

from typing import Any

from .chat import ChatBackbone


class Qwen3AsrBackbone(ChatBackbone):
    """Qwen3ASRForConditionalGeneration."""

    version = "qwen3_asr/1"

    def _messages(self, prompt: str) -> list[dict[str, Any]]:
        return [
            {"role": "system", "content": [{"type": "text", "text": prompt}]},
            {"role": "user", "content": [{"type": "audio", "audio_url": ""}]},
        ]
